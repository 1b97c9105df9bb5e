#include "io/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/child_spawn.h"

/* Three processes:
 *
 *   outer    what the parent knows and kills; passes the exit status on
 *   init     first of a process namespace: when it ends, by itself or because outer ended, the kernel kills all that is in there
 *   guard    in place of init where the kernel allows no namespace: orphans become its children, and when the program or outer
 *            has ended it kills what is left
 *   program  sets limits on itself and executes
 *
 * All but the program have nothing open but their end of no pipe at all. */
#define STATUS_REFUSED 126
#define STATUS_KILLED  (128 + SIGKILL)
#define KILL_ROUNDS \
    2000 /* of two milliseconds: who forks faster than that is left to the limit on processes */
#define KILL_PAUSE_NS   2000000L
#define PROC_STAT_BYTES 512
/* Reserving address space costs nothing and garbage collectors do it; RLIMIT_DATA bounds what is really theirs. This much
 * may be reserved or shared besides. */
#define RESERVED_BYTES ((rlim_t)2 << 30)

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

struct cage {
    const char *program;
    bool no_network, network_if_refused, has_report;
    rlim_t cpu_s, memory_bytes, file_bytes, processes; /* 0: no limit */
    bool has_namespace, has_init;                      /* of the network, of processes */
    bool is_broken;                                    /* half in a namespace: nothing may run */
    char *const *argv;
};

/* Tells the parent (KIND: N not found, D denied, T transient), or whoever reads stderr. */
static int refuse(const struct cage *cage, char kind, const char *what, int errnum)
{
    char why[64] = "", text[256];
    if (errnum)
        (void)snprintf(why, sizeof(why), ": %s",
                       strerror(errnum)); // NOLINT(concurrency-mt-unsafe): one thread
    int len = snprintf(text, sizeof(text), "%c %s%s", kind, what, why);
    if (!cage->has_report)
        (void)fprintf(stderr, "serin sandbox-exec: %s\n", text + 2);
    else if (write(CHILD_SANDBOX_REPORT_FD, text, (size_t)len) != len)
        return STATUS_REFUSED;
    return STATUS_REFUSED;
}

/* --- options */

static bool parse_number(const char *text, rlim_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *out = number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool parse_option(const char *option, struct cage *cage)
{
    const struct {
        const char *name;
        rlim_t *to;
    } numbers[] = { { "--cpu-s=", &cage->cpu_s },
                    { "--memory-bytes=", &cage->memory_bytes },
                    { "--file-bytes=", &cage->file_bytes },
                    { "--processes=", &cage->processes } };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        size_t len = strlen(numbers[i].name);
        if (strncmp(option, numbers[i].name, len) == 0)
            return parse_number(option + len, numbers[i].to);
    }
    if (strncmp(option, "--program=", 10) == 0)
        cage->program = option + 10;
    else if (strcmp(option, "--report") == 0)
        cage->has_report = true;
    else if (strcmp(option, "--network=no") == 0)
        cage->no_network = true;
    else if (strcmp(option, "--network=if-refused") == 0)
        cage->no_network = cage->network_if_refused = true;
    else
        return false;
    return true;
}

static bool parse_options(int argc, char **argv, struct cage *cage)
{
    int at = 2;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (!parse_option(argv[at], cage))
            return false;
    }
    if (at + 1 >= argc)
        return false;
    cage->argv = argv + at + 1;
    if (!cage->program)
        cage->program = cage->argv[0];
    return true;
}

/* --- namespaces */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && is_written;
}

/* In a user namespace of its own the program stays the user it is. */
static bool keep_user(uid_t uid, gid_t gid)
{
    char users[64], groups[64];
    (void)snprintf(users, sizeof(users), "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    (void)snprintf(groups, sizeof(groups), "%u %u 1\n", (unsigned)gid, (unsigned)gid);
    return write_file("/proc/self/uid_map", users) && write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/gid_map", groups);
}

/* With the privilege to make namespaces, or in a user namespace that gives it. */
static bool enter(struct cage *cage, int namespaces)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(namespaces) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | namespaces) != 0)
        return false;
    cage->is_broken = !keep_user(uid, gid);
    return true;
}

static void enter_namespaces(struct cage *cage)
{
    int network = cage->no_network ? CLONE_NEWNET : 0;
    cage->has_init = enter(cage, CLONE_NEWPID | network);
    cage->has_namespace = network && (cage->has_init || enter(cage, network));
}

/* --- what the program may not do */

static bool limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return false;
    now.rlim_max = MIN_OF(now.rlim_max, hard);
    now.rlim_cur = MIN_OF(soft, now.rlim_max);
    return setrlimit((__rlimit_resource_t)resource, &now) == 0;
}

static bool set_limits(const struct cage *cage)
{
    bool is_set = limit(RLIMIT_CORE, 0, 0);
    if (cage->cpu_s) /* SIGXCPU first, then SIGKILL for who ignores it */
        is_set = is_set && limit(RLIMIT_CPU, cage->cpu_s, cage->cpu_s + 1);
    if (cage->memory_bytes) {
        rlim_t space = cage->memory_bytes + RESERVED_BYTES;
        is_set = is_set && limit(RLIMIT_DATA, cage->memory_bytes, cage->memory_bytes) &&
                 limit(RLIMIT_AS, space, space);
    }
    if (cage->file_bytes)
        is_set = is_set && limit(RLIMIT_FSIZE, cage->file_bytes, cage->file_bytes);
    if (cage->processes)
        is_set = is_set && limit(RLIMIT_NPROC, cage->processes, cage->processes);
    return is_set;
}

/* Capabilities of root would lead out of the namespace again; without new privileges they do not come back by exec. */
static bool drop_privileges(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };
    return syscall(SYS_capset, &header, none) == 0;
}

/* socket() gives AF_UNIX only, and io_uring, which could make sockets past this filter, does not exist. */
static bool filter_sockets(void)
{
#ifdef THIS_ARCH
    const struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0,
                 1), /* the x32 names of the same calls */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        /* The first argument is an int: its lower half counts (both machines are little-endian). */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { .len = ARRAY_LEN(rules),
                                 .filter = (struct sock_filter *)(uintptr_t)rules };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
#else
    return false;
#endif
}

/* --- the three processes */

static int run_program(const struct cage *cage)
{
    (void)setpgid(0, 0); /* what it does to its group is not done to those who look after it */
    if (!set_limits(cage))
        return refuse(cage, 'D', "sandbox: a limit cannot be set", errno);
    if (!drop_privileges())
        return refuse(cage, 'D', "sandbox: privileges cannot be dropped", errno);
    if (cage->no_network && !filter_sockets() && !cage->has_namespace && !cage->network_if_refused)
        return refuse(cage, 'D',
                      "sandbox: the kernel refuses both a network namespace and a filter on "
                      "sockets, so the program "
                      "would have the network",
                      errno);
    (void)fcntl(CHILD_SANDBOX_REPORT_FD, F_SETFD, FD_CLOEXEC);
    execv(cage->program, cage->argv);
    return refuse(cage, errno == ENOENT || errno == ENOTDIR ? 'N' : 'D', "cannot be executed",
                  errno);
}

/* The pipes are the program's alone: else they would not end when it closes them. */
static void leave_pipes(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= CHILD_SANDBOX_REPORT_FD; i++)
        fd >= 0 ? (void)dup2(fd, i) : (void)close(i);
    if (fd > CHILD_SANDBOX_REPORT_FD)
        (void)close(fd);
}

static int status_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for this child, and for whatever else ends as one of ours. */
static int wait_for(pid_t pid)
{
    for (;;) {
        int status = 0;
        pid_t ended = waitpid(-1, &status, 0);
        if (ended == pid)
            return status_of(status);
        if (ended < 0 && errno != EINTR)
            return STATUS_REFUSED;
    }
}

static int run_init(const struct cage *cage)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(run_program(cage));
    if (pid < 0)
        return refuse(cage, 'T', "sandbox: fork", errno);
    leave_pipes();
    return wait_for(pid);
}

/* --- the guard */

/* The fourth field of /proc/PID/stat; the second is a name in parentheses that may hold anything. */
static bool is_child(const char *pid)
{
    char path[sizeof("/proc//stat") + NAME_MAX], text[PROC_STAT_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[MAX_OF(len, (ssize_t)0)] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && strlen(name_end) > 4 && strtol(name_end + 4, NULL, 10) == getpid();
}

static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own, and one thread
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_child(entry->d_name))
            (void)kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    }
    if (proc)
        (void)closedir(proc);
}

/* The children of those that die become ours, so it goes on until there is none. */
static void kill_all(void)
{
    for (int i = 0; i < KILL_ROUNDS; i++) {
        kill_children();
        pid_t ended;
        do
            ended = waitpid(-1, NULL, WNOHANG);
        while (ended > 0);
        if (ended < 0 && errno == ECHILD)
            return;
        (void)nanosleep(&(struct timespec){ .tv_nsec = KILL_PAUSE_NS }, NULL);
    }
}

/* Until the program ends, or outer, which SIGTERM tells. */
static int guard_program(pid_t program, const sigset_t *signals)
{
    for (;;) {
        int status = 0;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == program)
                return status_of(status);
        }
        if (ended < 0 && errno == ECHILD)
            return STATUS_REFUSED;
        if (sigwaitinfo(signals, NULL) == SIGTERM)
            return STATUS_KILLED;
    }
}

/* In a group of its own: what kills outer's does not kill the guard. */
static int run_guard(const struct cage *cage, pid_t outer)
{
    sigset_t signals, none;
    sigemptyset(&none);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    bool is_set = setpgid(0, 0) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 &&
                  sigprocmask(SIG_BLOCK, &signals, NULL) == 0 &&
                  prctl(PR_SET_PDEATHSIG, SIGTERM) == 0;
    if (!is_set)
        return refuse(cage, 'D', "sandbox: what the program leaves running could not be ended",
                      errno);
    if (getppid() != outer)
        return STATUS_KILLED;
    pid_t program = fork();
    if (program == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        _exit(run_program(cage));
    }
    if (program < 0)
        return refuse(cage, 'T', "sandbox: fork", errno);
    leave_pipes();
    int status = guard_program(program, &signals);
    kill_all();
    return status;
}

int child_sandbox_main(int argc, char **argv)
{
    struct cage cage = { 0 };
    if (!parse_options(argc, argv, &cage)) {
        (void)fprintf(stderr,
                      "usage: serin sandbox-exec [--network=no] [--cpu-s=N] [--memory-bytes=N] "
                      "[--file-bytes=N] "
                      "[--processes=N] -- PROGRAM [ARG...]\n");
        return 2;
    }
    enter_namespaces(&cage);
    if (cage.is_broken)
        return refuse(&cage, 'D', "sandbox: the user cannot be kept in a user namespace", errno);
    pid_t outer = getpid(), pid = fork();
    if (pid == 0)
        _exit(cage.has_init ? run_init(&cage) : run_guard(&cage, outer));
    if (pid < 0)
        return refuse(&cage, 'T', "sandbox: fork", errno);
    leave_pipes();
    _exit(wait_for(
        pid)); /* there is nothing left for exit handlers to do, in a process that cannot have children */
}
