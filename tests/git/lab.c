#include "lab.h"

#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"
#include "io/stream.h"

#define SCRIPT_MS 60000

static const char *const first_commit =
    "mkdir -p home work && cat > home/.gitconfig <<'END'\n"
    "[user]\n\tname = Jane Doe\n\temail = jane@example.org\n[safe]\n\tdirectory = *\n"
    "[init]\n\tdefaultBranch = master\n[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n"
    "END\n"
    "git init -q --bare repo.git && git clone -q repo.git work 2>/dev/null\n"
    "cd work && git checkout -q -B master && mkdir dir && echo 'a: 1' > a.yaml && echo 'b: 1' > "
    "dir/b.yaml\n"
    "git add -A && git commit -qm 'Initial commit' && git push -q origin master";

/* -- scripts ----------------------------------------------------------------------------------- */

const char *lab_path(struct lab *lab, const char *name)
{
    return arena_printf(lab->mem, "%s/%s", lab->dir, name);
}

void lab_assert_ok(struct err *e, const char *file, int line)
{
    if (e)
        print_error("%s\n", err_text(e));
    bool failed = e != NULL;
    err_free(e);
    _assert_true(!failed, "no error", file, line);
}

void lab_assert_fails(struct err *e, enum err_kind kind, const char *part, const char *file,
                      int line)
{
    bool is_right = err_is(e, kind) && strstr(err_text(e), part);
    if (!is_right)
        print_error("wanted %s with \"%s\", got %s: %s\n", err_kind_name(kind), part,
                    e ? err_kind_name(err_kind(e)) : "no error", err_text(e));
    err_free(e);
    _assert_true(is_right, "the error", file, line);
}

const char *lab_sh(struct lab *lab, const char *script, ...)
{
    va_list args;
    va_start(args, script);
    const char *text = arena_vprintf(lab->mem, script, args);
    va_end(args);
    const char *const argv[] = { "sh", "-ec", text, NULL };
    struct child_spec spec = {
        .argv = argv, .env = lab->env, .cwd = lab->dir, .deadline_ms = stream_now_ms() + SCRIPT_MS
    };
    struct child_io io = { .out_limit = (size_t)16 << 20, .err_limit = 4096 };
    struct child_output output;
    assert_ok(child_run(lab->mem, &spec, &io, &output));
    if (output.exit_status)
        print_error("%s\n%s%s\n", text, output.out, output.err);
    assert_int_equal(output.exit_status, 0);
    size_t len = output.out_len;
    return arena_strndup(lab->mem, output.out, len && output.out[len - 1] == '\n' ? len - 1 : len);
}

void lab_write(struct lab *lab, const char *name, const char *text)
{
    FILE *file = fopen(lab_path(lab, name), "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

const char *lab_commit(struct lab *lab, const char *file, const char *text)
{
    lab_write(lab, arena_printf(lab->mem, "work/%s", file), text);
    return lab_sh(lab,
                  "cd work && git add -A && git commit -qm 'Change %s' && "
                  "git push -q origin HEAD:master && git rev-parse HEAD",
                  file);
}

/* -- servers ------------------------------------------------------------------------------------- */

/* Reads "ready NUMBER" within ten seconds. */
static int read_ready(int fd)
{
    char line[64] = "";
    size_t len = 0;
    for (int left = 100; left && len + 1 < sizeof(line) && !memchr(line, '\n', len); left--) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got = read(fd, line + len, sizeof(line) - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    assert_int_equal(strncmp(line, "ready ", 6), 0);
    return (int)strtol(line + 6, NULL, 10);
}

int lab_serve(struct lab *lab, const char *const *argv)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        if (!chdir(lab->dir))
            (void)execvpe(argv[0], (char *const *)argv, (char *const *)lab->env);
        _exit(127);
    }
    (void)close(ends[1]);
    assert_true(lab->server_count < 4);
    lab->servers[lab->server_count++] = pid;
    int port = read_ready(ends[0]);
    (void)close(ends[0]);
    return port;
}

void lab_stop_servers(struct lab *lab)
{
    while (lab->server_count) {
        pid_t pid = lab->servers[--lab->server_count];
        (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
    }
}

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static const char *user_name(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user ? user->pw_name : "root";
}

void lab_sshd_start(struct lab *lab)
{
    static const char start[] =
        "/usr/sbin/sshd -D -e -f ssh/sshd_config 2> ssh/log & pid=$!; trap 'kill $pid' TERM; "
        "for i in $(seq 200); do grep -q listening ssh/log && break; sleep 0.05; done; "
        "echo ready 1; wait";
    const char *const argv[] = { "sh", "-c", start, NULL };
    (void)lab_serve(lab, argv);
}

void lab_sshd(struct lab *lab, const char *key_type)
{
    if (access("/usr/sbin/sshd", X_OK))
        skip();
    if (!getuid())
        (void)mkdir("/run/sshd", 0755); /* where it wants it, as root */
    lab->ssh_port = free_port();
    const char *dir = lab_path(lab, "ssh");
    lab_sh(lab,
           "mkdir -m 700 ssh; cd ssh; ssh-keygen -q -t %s -N '' -f host_key; "
           "ssh-keygen -q -t ed25519 -N '' -C deploy -f identity; ssh-keygen -q -t ed25519 -N '' "
           "-f other; "
           "chmod 400 identity; cp identity.pub authorized_keys; "
           "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 host_key.pub)\" > known_hosts",
           key_type, lab->ssh_port);
    lab_write(lab, "ssh/sshd_config",
              arena_printf(lab->mem,
                           "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host_key\n"
                           "AuthorizedKeysFile %s/authorized_keys\nPidFile none\nStrictModes no\n"
                           "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication "
                           "no\nPermitRootLogin prohibit-password\n"
                           "SetEnv HOME=%s/home\n",
                           lab->ssh_port, dir, dir, lab->dir));
    lab_write(lab, "ssh/config",
              arena_printf(lab->mem,
                           "Host *\n  IdentityFile %s/identity\n  IdentitiesOnly yes\n"
                           "  UserKnownHostsFile %s/known_hosts\n  GlobalKnownHostsFile none\n",
                           dir, dir));
    lab_sshd_start(lab);
}

const char *lab_ssh_url(struct lab *lab)
{
    return arena_printf(lab->mem, "ssh://%s@127.0.0.1:%d%s/repo.git", user_name(), lab->ssh_port,
                        lab->dir);
}

/* -- the world ------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

struct lab *lab_new(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does */
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab *lab = arena_alloc(mem, sizeof(*lab));
    const char *base = getenv("TMPDIR");
    lab->mem = mem;
    lab->dir = arena_printf(mem, "%s/serin-git-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(lab->dir));
    const char **env = arena_alloc(mem, 8 * sizeof(*env));
    env[0] = arena_printf(mem, "HOME=%s/home", lab->dir);
    env[1] = arena_printf(mem, "PATH=%s", getenv("PATH"));
    env[2] = "GIT_CONFIG_NOSYSTEM=1";
    env[3] = "GIT_TERMINAL_PROMPT=0";
    env[4] = arena_printf(mem, "GNUPGHOME=%s/gnupg", lab->dir);
    env[5] = "GIT_PROTOCOL=version=2"; /* must not reach git-upload-pack */
    lab->env = env;
    (void)lab_sh(lab, "%s", first_commit);
    return lab;
}

void lab_free(struct lab *lab)
{
    lab_stop_servers(lab);
    (void)lab_sh(lab, "if [ -d gnupg ]; then gpgconf --kill all; fi");
    (void)nftw(lab->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(lab->mem);
}

int lab_setup(void **state)
{
    *state = lab_new();
    return 0;
}

int lab_teardown(void **state)
{
    lab_free(*state);
    return 0;
}

/* -- mirrors --------------------------------------------------------------------------------------- */

struct mirror_opts lab_opts(struct lab *lab)
{
    return (struct mirror_opts){
        .url = arena_printf(lab->mem, "file://%s/repo.git", lab->dir),
        .dir = lab_path(lab, "mirror"),
        .branch = "master",
        .sync_tag = "flux-sync",
        .notes_ref = "flux",
        .user_name = "Weave Flux",
        .user_email = "support@weave.works",
        .env = lab->env,
    };
}

struct mirror *lab_mirror(const struct mirror_opts *opts)
{
    struct mirror *mirror = NULL;
    assert_ok(mirror_new(opts, &mirror));
    return mirror;
}

struct mirror *lab_fetched_as(const struct mirror_opts *opts)
{
    struct mirror *mirror = lab_mirror(opts);
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(20000), &fetched));
    return mirror;
}

struct mirror *lab_fetched(struct lab *lab)
{
    struct mirror_opts opts = lab_opts(lab);
    return lab_fetched_as(&opts);
}

int64_t lab_soon(int64_t ms)
{
    return stream_now_ms() + ms;
}
