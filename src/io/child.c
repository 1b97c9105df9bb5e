#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child_spawn.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/worker.h"

/* Every function here that waits does it in turn(): one poll over all the child's pipes and its end, so that neither side can
 * block on a pipe that the other one fills. */
#define CHUNK_BYTES       ((size_t)64 << 10)
#define TAIL_BYTES        ((size_t)16 << 10)  /* kept of the stderr of a child_open */
#define AHEAD_BYTES       ((size_t)16 << 20)  /* of stdout taken in while we write */
#define PROGRAM_OUT_BYTES ((size_t)256 << 20) /* of child_run, when no limit is given */
#define NO_PIDFD_POLL_MS  20

enum sink_rule {
    SINK_FAIL, /* passing the limit is an error */
    SINK_HEAD, /* what passes it is dropped */
    SINK_TAIL, /* the last bytes are kept */
    SINK_NONE, /* nothing is kept */
};

struct sink {
    enum sink_rule rule;
    size_t limit;
    char *bytes; /* NUL-terminated once there is any */
    size_t at, len, cap;
};

struct child {
    char *name;
    int64_t deadline_ms;
    struct child_process process; /* fds are -1 once closed */
    int pidfd;   /* -1: the kernel has none; then its end is asked for every few milliseconds */
    int stop_fd; /* -1: it is waited for when our workers stop: what talks for us is not cut off */
    bool has_ended, is_reaped;
    int status;
    const char *input; /* to be written */
    size_t input_len;
    struct sink out, err;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- what comes out */

static bool sink_add(struct sink *sink, const char *bytes, size_t len)
{
    if (sink->rule == SINK_NONE)
        return true;
    size_t held = sink->len - sink->at;
    if (sink->rule == SINK_FAIL && len > sink->limit - held)
        return false;
    if (sink->rule == SINK_HEAD)
        len = MIN_OF(len, sink->limit - held);
    if (sink->at > 0) {
        memmove(sink->bytes, sink->bytes + sink->at, held);
        sink->at = 0;
        sink->len = held;
    }
    if (sink->len + len + 1 > sink->cap) {
        sink->cap = MAX_OF(sink->len + len + 1, sink->cap * 2);
        sink->bytes = base_realloc(sink->bytes, sink->cap);
    }
    memcpy(sink->bytes + sink->len, bytes, len);
    sink->len += len;
    if (sink->rule == SINK_TAIL && sink->len > sink->limit) {
        memmove(sink->bytes, sink->bytes + sink->len - sink->limit, sink->limit);
        sink->len = sink->limit;
    }
    sink->bytes[sink->len] = '\0';
    return true;
}

static struct err *take_output(struct child *child, int *fd, struct sink *sink)
{
    char chunk[CHUNK_BYTES];
    ssize_t got = read(*fd, chunk, sizeof(chunk));
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return NULL;
    if (got <= 0) {
        close_fd(fd);
        return NULL;
    }
    if (sink_add(sink, chunk, (size_t)got))
        return NULL;
    child_spawn_kill(&child->process);
    return err_new(ERR_LIMIT, "%s: its output is over %zu bytes", child->name, sink->limit);
}

/* A child that does not want its input is not failing yet: child_write tells, child_run does not care. */
static void give_input(struct child *child)
{
    ssize_t sent = write(child->process.in, child->input, MIN_OF(child->input_len, CHUNK_BYTES));
    if (sent < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (sent < 0) {
        close_fd(&child->process.in);
        return;
    }
    child->input += sent;
    child->input_len -= (size_t)sent;
}

/* --- its end */

static void see_end(struct child *child)
{
    siginfo_t info = { 0 };
    if (child->has_ended ||
        waitid(P_PID, (id_t)child->process.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return;
    child->has_ended = true;
    close_fd(&child->pidfd);
    /* What it left running ends with it. Not yet reaped, it keeps the number of the group from being given anew. */
    child_spawn_kill(&child->process);
}

static void reap(struct child *child)
{
    int status = 0;
    while (waitpid(child->process.pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->is_reaped = child->has_ended = true;
    close_fd(&child->pidfd);
    child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static struct err *pass_deadline(struct child *child)
{
    child_spawn_kill(&child->process);
    return err_new(ERR_TRANSIENT, "%s: not done before its deadline, killed", child->name);
}

static struct err *stop(struct child *child)
{
    child_spawn_kill(&child->process);
    return err_new(ERR_TRANSIENT, "%s: killed, since serin stops", child->name);
}

/* How long a turn may wait: the time to the deadline; nothing once the child has ended, since what it wrote is in the pipes
 * by then: if nothing more can be read at once, only others hold them open. */
static int patience(const struct child *child)
{
    if (child->has_ended)
        return 0;
    int64_t ms = -1;
    if (child->deadline_ms)
        ms = MAX_OF(child->deadline_ms - stream_now_ms(), 0);
    if (child->pidfd < 0)
        ms = ms < 0 ? NO_PIDFD_POLL_MS : MIN_OF(ms, NO_PIDFD_POLL_MS);
    return (int)MIN_OF(ms, INT32_MAX);
}

/* Waits until something can be done, and does it: input is given, output taken, the end seen. */
static struct err *turn(struct child *child)
{
    enum { IN, OUT, ERR, END, STOP };
    struct child_process *process = &child->process;
    struct pollfd fds[] = { [IN] = { .fd = child->input_len ? process->in : -1, .events = POLLOUT },
                            [OUT] = { .fd = process->out, .events = POLLIN },
                            [ERR] = { .fd = process->err, .events = POLLIN },
                            [END] = { .fd = child->pidfd, .events = POLLIN },
                            [STOP] = { .fd = child->stop_fd, .events = POLLIN } };
    if (child->deadline_ms && !child->has_ended && stream_now_ms() >= child->deadline_ms)
        return pass_deadline(child);
    bool had_ended = child->has_ended;
    int ready = poll(fds, ARRAY_LEN(fds), patience(child));
    if (ready < 0)
        return errno == EINTR ? NULL : err_errno(ERR_TRANSIENT, errno, "%s: poll", child->name);
    if (fds[STOP].revents)
        return stop(child);
    if (fds[IN].revents)
        give_input(child);
    if (fds[OUT].revents)
        TRY(take_output(child, &process->out, &child->out));
    if (fds[ERR].revents)
        TRY(take_output(child, &process->err, &child->err));
    if (had_ended && !fds[OUT].revents)
        close_fd(&process->out);
    if (had_ended && !fds[ERR].revents)
        close_fd(&process->err);
    see_end(child);
    return NULL;
}

/* --- the interface */

static struct err *open_child(const struct child_spec *spec, struct child **out)
{
    loop_ignore_sigpipe();
    struct child *child = base_alloc(sizeof(*child));
    child->name = base_copy_text(spec->argv[0]);
    child->deadline_ms = spec->deadline_ms;
    child->pidfd = -1;
    child->stop_fd = spec->sandbox ? worker_stop_fd() : -1;
    struct err *e = child_spawn(spec, &child->process);
    if (e) {
        close_fd(&child->stop_fd);
        free(child->name);
        free(child);
        return e;
    }
    child->pidfd = pidfd_open(child->process.pid, 0); /* close-on-exec by itself */
    *out = child;
    return NULL;
}

struct err *child_open(const struct child_spec *spec, struct child **out)
{
    TRY(open_child(spec, out));
    (*out)->out = (struct sink){ .rule = SINK_FAIL, .limit = AHEAD_BYTES };
    (*out)->err = (struct sink){ .rule = SINK_TAIL, .limit = TAIL_BYTES };
    return NULL;
}

struct err *child_write(struct child *child, const void *bytes, size_t len)
{
    child->input = bytes;
    child->input_len = len;
    struct err *e = NULL;
    while (!e && child->input_len && child->process.in >= 0)
        e = child->has_ended
                ? err_new(ERR_TRANSIENT, "%s: ended before it read its input", child->name)
                : turn(child);
    if (!e && child->input_len)
        e = err_new(ERR_TRANSIENT, "%s: closed its input", child->name);
    child->input = NULL;
    child->input_len = 0;
    return e;
}

struct err *child_read(struct child *child, void *buffer, size_t size, size_t *out_len)
{
    *out_len = 0;
    struct sink *sink = &child->out;
    while (sink->at == sink->len) {
        if (child->process.out < 0)
            return NULL;
        TRY(turn(child));
    }
    size_t len = MIN_OF(size, sink->len - sink->at);
    memcpy(buffer, sink->bytes + sink->at, len);
    sink->at += len;
    *out_len = len;
    return NULL;
}

void child_close_input(struct child *child)
{
    close_fd(&child->process.in);
}

struct err *child_wait(struct child *child, int *out_status)
{
    child_close_input(child);
    child->out.rule = SINK_NONE;
    while (!child->has_ended || child->process.out >= 0 || child->process.err >= 0)
        TRY(turn(child));
    if (!child->is_reaped)
        reap(child);
    *out_status = child->status;
    return NULL;
}

const char *child_errors(struct child *child)
{
    return child->err.len ? child->err.bytes : "";
}

void child_free(struct child *child)
{
    if (!child)
        return;
    if (!child->is_reaped) {
        child_spawn_kill(&child->process);
        reap(child);
    }
    close_fd(&child->process.in);
    close_fd(&child->process.out);
    close_fd(&child->process.err);
    close_fd(&child->stop_fd);
    free(child->out.bytes);
    free(child->err.bytes);
    free(child->name);
    free(child);
}

static const char *take_sink(struct arena *mem, const struct sink *sink)
{
    return arena_strndup(mem, sink->len ? sink->bytes : "", sink->len);
}

struct err *child_run(struct arena *mem, const struct child_spec *spec, const struct child_io *io,
                      struct child_output *out)
{
    SCOPED(child_free) struct child *child = NULL;
    TRY(open_child(spec, &child));
    child->out = (struct sink){ .rule = SINK_FAIL,
                                .limit = io->out_limit ? io->out_limit : PROGRAM_OUT_BYTES };
    child->err = (struct sink){ .rule = SINK_HEAD, .limit = io->err_limit };
    child->input = io->input;
    child->input_len = io->input_len;
    while (!child->has_ended || child->process.out >= 0 || child->process.err >= 0) {
        if (child->input_len == 0)
            child_close_input(child);
        TRY(turn(child));
    }
    reap(child);
    *out = (struct child_output){ .exit_status = child->status,
                                  .out = take_sink(mem, &child->out),
                                  .err = take_sink(mem, &child->err),
                                  .out_len = child->out.len,
                                  .err_len = child->err.len };
    return NULL;
}
