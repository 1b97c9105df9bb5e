#include "io/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "io/stream.h"

#define REPORT_BYTES 512

extern char **environ;

struct words {
    const char **at;
    size_t len, cap;
};

/* The ends of the pipes: the child's have the numbers it gets them as, ours are to keep. */
struct pipes {
    int ours[4], theirs[4]; /* stdin, stdout, stderr, report of the sandbox */
};

static void close_ends(int fds[4])
{
    for (int i = 0; i < 4; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static void pipes_close(struct pipes *pipes)
{
    close_ends(pipes->ours);
    close_ends(pipes->theirs);
}
DEFINE_SCOPED(struct pipes, pipes_close)

static struct err *open_pipes(struct pipes *pipes, int count)
{
    for (int i = 0; i < count; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return err_errno(ERR_TRANSIENT, errno, "pipe");
        pipes->ours[i] = ends[i == 0];
        pipes->theirs[i] = ends[i != 0];
        if (pipes->theirs[i] <=
            CHILD_SANDBOX_REPORT_FD) { /* would be overwritten before it is copied */
            int low = pipes->theirs[i];
            pipes->theirs[i] = fcntl(low, F_DUPFD_CLOEXEC, CHILD_SANDBOX_REPORT_FD + 1);
            close(low);
            if (pipes->theirs[i] < 0)
                return err_errno(ERR_TRANSIENT, errno, "pipe");
        }
        ASSERT(fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK) == 0);
    }
    return NULL;
}

/* --- which program */

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* A name with a slash is a path, any other is looked for in our own PATH. */
static struct err *find_program(struct arena *mem, const char *name, const char **out)
{
    *out = name;
    if (strchr(name, '/'))
        return NULL;
    const char *path =
        getenv("PATH"); // NOLINT(concurrency-mt-unsafe): nothing here sets the environment
    path = path ? path : "/usr/local/bin:/usr/bin:/bin";
    while (name[0] && *path) {
        size_t len = strcspn(path, ":");
        *out = arena_printf(mem, "%.*s/%s", (int)len, path, name);
        if (len && is_program(*out))
            return NULL;
        path += len + (path[len] == ':');
    }
    return err_new(ERR_NOT_FOUND, "%s: no such program in PATH", name);
}

/* Our own program as `serin sandbox-exec OPTIONS -- ARGS`. */
static const char *const *sandbox_words(struct arena *mem, const struct child_spec *spec,
                                        const char *program)
{
    const struct child_sandbox *sandbox = spec->sandbox;
    struct words words = { 0 };
    *vec_push(mem, &words) = "serin";
    *vec_push(mem, &words) = CHILD_SANDBOX_COMMAND;
    *vec_push(mem, &words) = "--report";
    *vec_push(mem, &words) = arena_printf(mem, "--program=%s", program);
    if (sandbox->no_network)
        *vec_push(mem, &words) =
            sandbox->network_if_refused ? "--network=if-refused" : "--network=no";
    if (sandbox->cpu_s > 0)
        *vec_push(mem, &words) = arena_printf(mem, "--cpu-s=%" PRId64, sandbox->cpu_s);
    if (sandbox->memory_bytes)
        *vec_push(mem, &words) = arena_printf(mem, "--memory-bytes=%zu", sandbox->memory_bytes);
    if (sandbox->file_bytes)
        *vec_push(mem, &words) = arena_printf(mem, "--file-bytes=%zu", sandbox->file_bytes);
    if (sandbox->processes > 0)
        *vec_push(mem, &words) = arena_printf(mem, "--processes=%d", sandbox->processes);
    *vec_push(mem, &words) = "--";
    for (const char *const *arg = spec->argv; *arg; arg++)
        *vec_push(mem, &words) = *arg;
    *vec_push(mem, &words) = NULL;
    return words.at;
}

/* --- the process */

static enum err_kind kind_of(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG: return ERR_INVALID;
    case E2BIG: return ERR_LIMIT;
    default: return ERR_TRANSIENT;
    }
}

static int fill_actions(posix_spawn_file_actions_t *actions, const struct pipes *pipes,
                        const char *cwd)
{
    int code = 0;
    for (int i = 0; i < 4 && code == 0; i++) {
        if (pipes->theirs[i] >= 0)
            code = posix_spawn_file_actions_adddup2(actions, pipes->theirs[i], i);
    }
    if (code == 0 && cwd)
        code = posix_spawn_file_actions_addchdir_np(actions, cwd);
    if (code == 0) /* whatever a library of ours may have open */
        code = posix_spawn_file_actions_addclosefrom_np(actions, pipes->theirs[3] >= 0 ? 4 : 3);
    return code;
}

/* A session of its own: no terminal to ask for a password on, a group to be killed as one. Signals as in a fresh shell,
 * whatever the worker blocks and the process ignores. */
static int fill_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int code = posix_spawnattr_setsigmask(attributes, &none);
    if (code == 0)
        code = posix_spawnattr_setsigdefault(attributes, &all);
    if (code == 0)
        code = posix_spawnattr_setflags(
            attributes,
            (short)(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    return code;
}

static int spawn(const char *path, const char *const *argv, const struct child_spec *spec,
                 const struct pipes *pipes, pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ASSERT(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    int code = fill_actions(&actions, pipes, spec->cwd);
    if (code == 0)
        code = fill_attributes(&attributes);
    /* The casts: posix_spawn takes char *const[] for historical reasons and changes nothing. */
    char *const *env = spec->env ? (char *const *)(uintptr_t)spec->env : environ;
    if (code == 0)
        code = posix_spawn(out, path, &actions, &attributes, (char *const *)(uintptr_t)argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* The sandbox reports on a pipe that closes when the program is executed: nothing is success, else "KIND text". */
static struct err *read_report(const struct child_spec *spec, const struct child_process *process,
                               int fd)
{
    char text[REPORT_BYTES + 1];
    size_t len = 0;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    while (len < REPORT_BYTES) {
        int64_t left_ms = spec->deadline_ms ? spec->deadline_ms - stream_now_ms() : INT32_MAX;
        int ready = left_ms > 0 ? poll(&poll_fd, 1, (int)MIN_OF(left_ms, INT32_MAX)) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            child_spawn_kill(process);
            return err_new(ERR_TRANSIENT, "%s: its sandbox was not ready before the deadline",
                           spec->argv[0]);
        }
        ssize_t got = read(fd, text + len, REPORT_BYTES - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (len == 0)
        return NULL;
    text[len] = '\0';
    enum err_kind kind = text[0] == 'N'   ? ERR_NOT_FOUND
                         : text[0] == 'T' ? ERR_TRANSIENT
                                          : ERR_DENIED;
    return err_new(kind, "%s: %s", spec->argv[0], len > 2 ? text + 2 : "its sandbox failed");
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static struct err *check_folder(const char *cwd)
{
    struct stat info;
    if (!cwd)
        return NULL;
    if (stat(cwd, &info) != 0)
        return err_errno(kind_of(errno), errno, "%s", cwd);
    return S_ISDIR(info.st_mode) ? NULL : err_new(ERR_NOT_FOUND, "%s: not a directory", cwd);
}

struct err *child_spawn(const struct child_spec *spec, struct child_process *out)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *program = NULL;
    TRY(find_program(mem, spec->argv[0], &program));
    TRY(err_wrap(check_folder(spec->cwd), "%s: its directory", spec->argv[0]));
    struct pipes pipes = { { -1, -1, -1, -1 }, { -1, -1, -1, -1 } };
    SCOPED(pipes_close) struct pipes *scoped = &pipes;
    TRY(err_wrap(open_pipes(scoped, spec->sandbox ? 4 : 3), "%s", spec->argv[0]));
    const char *const *argv = spec->sandbox ? sandbox_words(mem, spec, program) : spec->argv;
    pid_t pid = 0;
    int code = spawn(spec->sandbox ? "/proc/self/exe" : program, argv, spec, scoped, &pid);
    if (code != 0)
        return err_errno(kind_of(code), code, "%s", spec->argv[0]);
    close_ends(pipes.theirs);
    *out = (struct child_process){
        .pid = pid, .in = pipes.ours[0], .out = pipes.ours[1], .err = pipes.ours[2]
    };
    struct err *e = spec->sandbox ? read_report(spec, out, pipes.ours[3]) : NULL;
    if (e) {
        child_spawn_kill(out);
        reap(pid);
        return e;
    }
    for (int i = 0; i < 3; i++)
        pipes.ours[i] = -1; /* the caller's now */
    return NULL;
}

void child_spawn_kill(const struct child_process *process)
{
    (void)kill(-process->pid, SIGKILL);
}
