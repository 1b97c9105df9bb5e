#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "io/loop.h"
#include "io/server.h"
#include "program.h"

#define OUTPUT_MAX_BYTES ((size_t)4 << 20)

/* -- the program --------------------------------------------------------------------------------- */

static char *read_all(struct arena *mem, int fd)
{
    SBUF(text, OUTPUT_MAX_BYTES);
    char piece[4096];
    ssize_t got;
    while ((got = read(fd, piece, sizeof(piece))) > 0)
        sbuf_add_bytes(&text, piece, (size_t)got);
    close(fd);
    return arena_strndup(mem, sbuf_text(&text), text.len);
}

static void be_program(const struct program_run *how, char *home)
{
    const char *env[32];
    size_t count = 0;
    char home_env[512], tmp_env[512], path_env[4096], asan_env[512];
    (void)snprintf(home_env, sizeof(home_env), "HOME=%s", home);
    (void)snprintf(tmp_env, sizeof(tmp_env), "TMPDIR=%s", home);
    (void)snprintf(path_env, sizeof(path_env), "PATH=%s", getenv("PATH"));
    env[count++] = home_env;
    env[count++] = tmp_env;
    env[count++] = path_env;
    if (getenv("ASAN_OPTIONS")) {
        (void)snprintf(asan_env, sizeof(asan_env), "ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS"));
        env[count++] = asan_env;
    }
    for (size_t i = 0; how->env && how->env[i] && count < ARRAY_LEN(env) - 1; i++)
        env[count++] = how->env[i];
    env[count] = NULL;
    if (how->cwd && chdir(how->cwd))
        _exit(126);
    execve(how->program ? how->program : SERIN_PROGRAM, (char *const *)how->argv,
           (char *const *)env);
    _exit(127);
}

void program_run(struct arena *mem, const struct program_run *how, struct program_result *out)
{
    int out_pipe[2], status;
    const char *tmp = getenv("TMPDIR");
    char *home = arena_printf(mem, "%s/serin-home-XXXXXX", tmp ? tmp : "/tmp");
    char *err_file = arena_printf(mem, "%s/serin-err-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(home));
    int err_fd = mkstemp(err_file);
    assert_true(err_fd >= 0);
    assert_int_equal(pipe(out_pipe), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out_pipe[1], STDOUT_FILENO);
        dup2(err_fd, STDERR_FILENO);
        close(out_pipe[0]);
        close(out_pipe[1]);
        close(err_fd);
        be_program(how, home);
    }
    close(out_pipe[1]);
    out->out = read_all(mem, out_pipe[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    assert_int_equal(lseek(err_fd, 0, SEEK_SET), 0);
    out->err = read_all(mem, err_fd);
    unlink(err_file);
    rmdir(home);
}

/* -- the daemon ---------------------------------------------------------------------------------- */

struct program_daemon {
    pid_t pid;
    int port;
    int report; /* what the child has to say when it is told to end */
};

#define LINES_MAX 64

/* One line of the script, taken apart. */
struct line {
    char *method, *target;
    int status;
    const char *body, *wanted; /* not terminated; wanted NULL: whatever */
    size_t body_len, wanted_len;
    bool is_taken, is_for_many;
};

struct script {
    struct loop *loop;
    struct line lines[LINES_MAX];
    size_t count;
    struct sbuf report;
};

/* The next word of the line at *at, which it passes. */
static char *take_word(const char **at)
{
    size_t len = strcspn(*at, " \n");
    char *word = strndup(*at, len);
    *at += len + (size_t)((*at)[len] == ' ');
    return word;
}

static void read_script(struct script *script, const char *at)
{
    while (*at && script->count < LINES_MAX) {
        struct line *line = &script->lines[script->count++];
        line->is_for_many = *at == '*';
        at += line->is_for_many;
        line->method = take_word(&at);
        line->target = take_word(&at);
        char *status = take_word(&at);
        line->status = (int)strtol(status, NULL, 10);
        free(status);
        line->body = at;
        line->body_len = strcspn(at, "\n");
        at += line->body_len + (size_t)(at[line->body_len] == '\n');
        if (strncmp(at, "> ", 2) != 0)
            continue;
        line->wanted = at + 2;
        line->wanted_len = strcspn(line->wanted, "\n");
        at = line->wanted + line->wanted_len + (size_t)(line->wanted[line->wanted_len] == '\n');
    }
}

static void free_script(struct script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        free(script->lines[i].method);
        free(script->lines[i].target);
    }
    sbuf_fini(&script->report);
}

static void answer(struct server_request *request, int status, const char *body, size_t len)
{
    server_reply(request, &(struct server_answer){ .status = status,
                                                   .content_type = "application/json",
                                                   .body = body,
                                                   .body_len = len });
}

/* The path with those query parameters that the script names, in its spelling. */
static bool is_asked(const struct server_request *request, const char *target)
{
    size_t path_len = strcspn(target, "?");
    if (strlen(server_path(request)) != path_len ||
        strncmp(server_path(request), target, path_len) != 0)
        return false;
    for (const char *at = target + path_len; *at; at += strcspn(at, "&")) {
        at++;
        size_t name_len = strcspn(at, "="), len = strcspn(at, "&");
        char *name = strndup(at, name_len);
        const char *value = server_query(request, name);
        bool is_same = value && strlen(value) == len - name_len - 1 &&
                       !strncmp(value, at + name_len + 1, strlen(value));
        free(name);
        if (!is_same)
            return false;
    }
    return true;
}

static void check_body(struct script *script, const struct line *line,
                       const struct server_request *request)
{
    size_t body_len = 0;
    const char *body = server_body(request, &body_len);
    bool is_part = line->wanted_len > 3 && !strncmp(line->wanted, "...", 3);
    bool is_same = is_part ? memmem(body, body_len, line->wanted + 3, line->wanted_len - 3) != NULL
                           : line->wanted_len == body_len && !memcmp(body, line->wanted, body_len);
    if (!is_same)
        sbuf_addf(&script->report, "body of %s is %s, not %.*s\n", server_path(request), body,
                  (int)line->wanted_len, line->wanted);
}

static void on_request(void *ctx, struct server_request *request)
{
    struct script *script = ctx;
    for (size_t i = 0; i < script->count; i++) {
        struct line *line = &script->lines[i];
        if ((line->is_taken && !line->is_for_many) ||
            strcmp(line->method, server_method(request)) != 0 || !is_asked(request, line->target))
            continue;
        line->is_taken = true;
        if (line->wanted)
            check_body(script, line, request);
        answer(request, line->status, line->body, line->body_len);
        return;
    }
    sbuf_addf(&script->report, "%s %s was asked\n", server_method(request), server_path(request));
    answer(request, 500, "{}", 2);
}

static void on_end(void *ctx, int signal_number)
{
    struct script *script = ctx;
    (void)signal_number;
    loop_stop(script->loop);
}

static void be_daemon(const char *text, int port_fd, int report_fd)
{
    struct script script = { .loop = loop_new() };
    struct server *server = NULL;
    sbuf_init(&script.report, OUTPUT_MAX_BYTES);
    read_script(&script, text);
    struct err *e = server_new(script.loop, "127.0.0.1:0", on_request, &script, &server);
    int port = e ? 0 : server_port(server);
    loop_on_signal(script.loop, SIGTERM, on_end, &script);
    if (write(port_fd, &port, sizeof(port)) != (ssize_t)sizeof(port))
        _exit(1);
    loop_run(script.loop);
    for (size_t i = 0; i < script.count; i++) {
        if (!script.lines[i].is_taken && !script.lines[i].is_for_many)
            sbuf_addf(&script.report, "%s %s was not asked\n", script.lines[i].method,
                      script.lines[i].target);
    }
    ssize_t written = write(report_fd, sbuf_text(&script.report), script.report.len);
    server_free(server);
    loop_free(script.loop);
    free_script(&script);
    err_free(e);
    _exit(written < 0);
}

struct program_daemon *program_daemon_start(const char *script)
{
    int port_pipe[2], report_pipe[2];
    assert_int_equal(pipe(port_pipe), 0);
    assert_int_equal(pipe(report_pipe), 0);
    struct program_daemon *daemon = base_alloc(sizeof(*daemon));
    daemon->pid = fork();
    assert_true(daemon->pid >= 0);
    if (daemon->pid == 0) {
        close(port_pipe[0]);
        close(report_pipe[0]);
        be_daemon(script, port_pipe[1], report_pipe[1]);
    }
    close(port_pipe[1]);
    close(report_pipe[1]);
    assert_int_equal(read(port_pipe[0], &daemon->port, sizeof(daemon->port)), sizeof(daemon->port));
    assert_true(daemon->port > 0);
    close(port_pipe[0]);
    daemon->report = report_pipe[0];
    return daemon;
}

int program_daemon_port(const struct program_daemon *daemon)
{
    return daemon->port;
}

const char *program_daemon_end(struct arena *mem, struct program_daemon *daemon)
{
    int status = 0;
    kill(daemon->pid, SIGTERM);
    const char *report = read_all(mem, daemon->report);
    assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
    free(daemon);
    return report;
}
