#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/sbuf.h"
#include "io/tickets.h"

#define READ_BYTES    ((size_t)16 << 10)
#define LAST_WORDS_MS 200 /* after the end: for what is in the pipe still */

struct processes {
    struct loop *loop;
    struct tickets running;
};

/* `all` is NULL once nobody is to be told any more. */
struct process {
    struct processes *all;
    ticket id, deadline, last_words;
    process_done_fn done;
    void *ctx;
    uv_process_t child;
    uv_pipe_t pipe;
    int users; /* the table, each open handle, a callback that runs */
    bool has_child, has_ended, is_silent, timed_out;
    int64_t timeout_ms;
    int exit_status, signal;
    struct sbuf output;
    struct err *err;
    char buffer[READ_BYTES];
};

struct processes *processes_new(struct loop *loop)
{
    struct processes *all = base_alloc(sizeof(*all));
    all->loop = loop;
    return all;
}

static void release(struct process *process)
{
    if (--process->users > 0)
        return;
    sbuf_fini(&process->output);
    err_free(process->err);
    free(process);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void kill_group(const struct process *process)
{
    (void)kill(-process->child.pid, SIGKILL);
}

/* Out of the table, nothing to come any more; the memory goes with the handles. A child that has not been reaped keeps its
 * handle until it is. */
static void let_go(struct process *process)
{
    struct processes *all = STEAL(process->all);
    tickets_remove(&all->running, process->id);
    loop_cancel(all->loop, process->deadline);
    loop_cancel(all->loop, process->last_words);
    if (process->has_child && !process->has_ended)
        kill_group(process);
    else
        close_handle((uv_handle_t *)&process->child);
    close_handle((uv_handle_t *)&process->pipe);
    release(process);
}

static void tell(struct process *process)
{
    if (process->timed_out && !process->err)
        process->err = err_new(ERR_TRANSIENT, "it ran for more than %.3g s and was killed",
                               (double)process->timeout_ms / 1000);
    const struct process_result result = { .err = process->err,
                                           .exit_status =
                                               process->signal ? -1 : process->exit_status,
                                           .signal = process->signal,
                                           .output = sbuf_text(&process->output),
                                           .output_len = process->output.len,
                                           .was_cut = process->output.is_over };
    process_done_fn done = process->done;
    void *ctx = process->ctx;
    process->users++;
    let_go(process);
    done(ctx, &result);
    release(process);
}

static void on_last_words(void *ctx)
{
    struct process *process = ctx;
    process->last_words = 0;
    tell(process);
}

static void on_exit_seen(uv_process_t *child, int64_t status, int signal_number)
{
    struct process *process = child->data;
    process->has_ended = true;
    process->exit_status = (int)status;
    process->signal = signal_number;
    process->timed_out = process->timed_out && signal_number == SIGKILL; /* else it came first */
    if (!process->all) {
        close_handle((uv_handle_t *)child);
        return;
    }
    loop_cancel(process->all->loop, process->deadline);
    process->deadline = 0;
    kill_group(process);
    if (process->is_silent)
        tell(process);
    else
        process->last_words = loop_after(process->all->loop, LAST_WORDS_MS, on_last_words, process);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct process *process = handle->data;
    *out = uv_buf_init(process->buffer, sizeof(process->buffer));
}

static void on_output(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
    struct process *process = stream->data;
    if (len > 0) {
        size_t room = process->output.max - MIN_OF(process->output.len, process->output.max);
        sbuf_add_bytes(&process->output, bytes->base, MIN_OF((size_t)len, room));
        process->output.is_over |= (size_t)len > room;
        return;
    }
    if (len == 0)
        return;
    uv_read_stop(stream);
    process->is_silent = true;
    if (process->has_ended && process->all)
        tell(process);
}

static void on_deadline(void *ctx)
{
    struct process *process = ctx;
    process->deadline = 0;
    process->timed_out = true;
    kill_group(process); /* its end is seen next */
}

static void on_not_started(void *ctx)
{
    struct process *process = ctx;
    process->last_words = 0;
    tell(process);
}

static enum err_kind kind_of(int status)
{
    if (status == UV_ENOENT || status == UV_ENOTDIR)
        return ERR_NOT_FOUND;
    return status == UV_EACCES || status == UV_EPERM ? ERR_DENIED : ERR_TRANSIENT;
}

/* A pipe that holds all of the input and has no writer any more: nobody can wait on it. -1: no input. */
static int open_input(const char *input, uv_file *out)
{
    uv_file ends[2];
    *out = -1;
    if (!input)
        return 0;
    size_t len = strlen(input);
    ASSERT(len <= PROCESS_INPUT_MAX); /* what a pipe takes at once */
    int status = uv_pipe(ends, 0, 0);
    if (status != 0)
        return status;
    ASSERT(write(ends[1], input, len) == (ssize_t)len);
    (void)close(ends[1]);
    *out = ends[0];
    return 0;
}

/* Both ends of one pipe: ours on the loop, the child's as its stdout and stderr. */
static int spawn(struct process *process, const struct process_spec *spec)
{
    uv_loop_t *uv = loop_uv(process->all->loop);
    uv_file ends[2];
    int status = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (status != 0)
        return status;
    ASSERT(uv_pipe_init(uv, &process->pipe, 0) == 0);
    process->pipe.data = process;
    process->users++;
    ASSERT(uv_pipe_open(&process->pipe, ends[0]) == 0);
    uv_file input;
    status = open_input(spec->input, &input);
    if (status != 0) {
        (void)close(ends[1]);
        return status;
    }
    uv_stdio_container_t stdio[3] = {
        { .flags = input < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = input },
        { .flags = UV_INHERIT_FD, .data.fd = ends[1] },
        { .flags = UV_INHERIT_FD, .data.fd = ends[1] },
    };
    /* libuv's interface is not const; it changes nothing. */
    const uv_process_options_t options = { .file = spec->argv[0],
                                           .args = (char **)(uintptr_t)spec->argv,
                                           .exit_cb = on_exit_seen,
                                           .flags = UV_PROCESS_DETACHED,
                                           .stdio = stdio,
                                           .stdio_count = 3 };
    process->child.data = process;
    process->users++; /* uv_spawn makes the handle even when it fails */
    status = uv_spawn(uv, &process->child, &options);
    (void)close(ends[1]);
    if (input >= 0)
        (void)close(input);
    process->has_child = status == 0;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&process->pipe, on_buffer, on_output);
    return status;
}

ticket process_start(struct processes *all, const struct process_spec *spec, process_done_fn done,
                     void *ctx)
{
    struct process *process = base_alloc(sizeof(*process));
    process->all = all;
    process->users = 1;
    process->done = done;
    process->ctx = ctx;
    process->timeout_ms = spec->timeout_ms;
    sbuf_init(&process->output, spec->output_limit);
    process->id = tickets_add(&all->running, process);
    int status = spawn(process, spec);
    if (status != 0) {
        process->err = err_new(kind_of(status), "%s: %s", spec->argv[0], uv_strerror(status));
        process->last_words = loop_after(all->loop, 0, on_not_started, process);
    } else if (spec->timeout_ms > 0) {
        process->deadline = loop_after(all->loop, spec->timeout_ms, on_deadline, process);
    }
    return process->id;
}

void process_cancel(struct processes *all, ticket id)
{
    struct process *process = tickets_find(&all->running, id);
    if (process)
        let_go(process);
}

size_t processes_running(const struct processes *all)
{
    return all->running.live;
}

void processes_free(struct processes *all)
{
    if (!all)
        return;
    struct process *process;
    while ((process = tickets_any(&all->running)))
        let_go(process);
    tickets_fini(&all->running);
    free(all);
}
