/* io/process.h - other programs, run on the loop.
 * Effects:   processes, pipes.
 * Ownership: everything is copied; a result is borrowed for the callback. processes_free kills what runs; no callback comes
 *            after it, nor after process_cancel.
 * Units:     milliseconds, bytes.
 * A process has a session of its own and, unless it is given some, no input; what it says on stdout and stderr is one text in the order it came. When
 * it ends, its deadline passes or it is cancelled, its whole group is killed.
 * Completion comes exactly once, in a later turn, failures included.
 * Errors:    ERR_NOT_FOUND when the program is missing, ERR_DENIED when it may not be run, ERR_TRANSIENT when it cannot be
 *            started now or its deadline has passed. A failing exit status is a result, not an error. */
#ifndef SERIN_IO_PROCESS_H
#define SERIN_IO_PROCESS_H

#include "base/err.h"
#include "io/loop.h"

struct processes;

struct processes *processes_new(struct loop *loop);
void processes_free(struct processes *all); /* not from a callback */
DEFINE_SCOPED(struct processes, processes_free)

#define PROCESS_INPUT_MAX ((size_t)4096)

struct process_spec {
    const char *const *argv; /* argv[0] is looked up in PATH */
    const char *input;       /* its stdin, at most PROCESS_INPUT_MAX bytes; NULL: none */
    int64_t timeout_ms;      /* 0: none */
    size_t output_limit;     /* what is said beyond is dropped */
};

struct process_result {
    struct err *err;    /* borrowed */
    int exit_status;    /* -1 when a signal ended it */
    int signal;         /* 0: none */
    const char *output; /* NUL-terminated */
    size_t output_len;
    bool was_cut; /* it said more than the limit */
};

typedef void (*process_done_fn)(void *ctx, const struct process_result *result);

ticket process_start(struct processes *all, const struct process_spec *spec, process_done_fn done,
                     void *ctx);
void process_cancel(struct processes *all, ticket process);
size_t processes_running(const struct processes *all);

#endif
