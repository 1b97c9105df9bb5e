/* io/child.h - other programs, run from a worker thread. Blocks; never on the loop.
 * Effects:   processes, pipes.
 * Ownership: a child is killed (with its process group) and reaped by child_free. Outputs are in the caller's arena.
 * Units:     milliseconds (deadline on the monotonic clock of stream_now_ms), bytes.
 * Errors:    ERR_TRANSIENT when the deadline passes (the group is killed), ERR_NOT_FOUND when the program is missing,
 *            ERR_LIMIT when an output passes its limit. A failing exit status is a result, not an error. */
#ifndef SERIN_IO_CHILD_H
#define SERIN_IO_CHILD_H

#include "base/arena.h"
#include "base/err.h"

struct child_sandbox {
    bool no_network;        /* a network namespace of its own, where the kernel allows it (see child_sandbox_note) */
    int64_t cpu_s;          /* 0: no limit */
    size_t memory_bytes, file_bytes;
    int processes;
};

struct child_spec {
    const char *const *argv; /* argv[0] is looked up in PATH of the caller's environment */
    const char *const *env;  /* "NAME=value", NULL-terminated; NULL: the caller's own */
    const char *cwd;         /* NULL: unchanged */
    int64_t deadline_ms;     /* monotonic; 0: none */
    const struct child_sandbox *sandbox; /* NULL: none */
};

struct child_output {
    int exit_status; /* 128 + n when killed by signal n */
    const char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;
};

struct child_io {
    const void *input;
    size_t input_len;
    size_t out_limit, err_limit; /* past err_limit the rest is dropped; past out_limit is ERR_LIMIT */
};

/* Runs to the end. */
MUST_USE struct err *child_run(struct arena *mem, const struct child_spec *spec, const struct child_io *io,
                               struct child_output *out);

/* A child to talk to: its stdin and stdout are pipes, its stderr is kept (the last 16 KiB). */
struct child;
MUST_USE struct err *child_open(const struct child_spec *spec, struct child **out);
MUST_USE struct err *child_write(struct child *child, const void *bytes, size_t len);
MUST_USE struct err *child_read(struct child *child, void *buffer, size_t size, size_t *out_len); /* 0: the end */
void child_close_input(struct child *child);
/* Waits for the end (until the deadline, then kills). */
MUST_USE struct err *child_wait(struct child *child, int *out_status);
const char *child_errors(struct child *child); /* what it said on stderr so far; borrowed */
void child_free(struct child *child);
DEFINE_SCOPED(struct child, child_free)

/* How a sandbox is made without code between fork and exec: the child is our own program as
 * `serin sandbox-exec OPTIONS -- PROGRAM ARGS`, which sets the limits on itself and execs. cmd/main calls this when argv[1]
 * is "sandbox-exec"; it returns only on failure, with the exit status. */
int child_sandbox_main(int argc, char **argv);

#endif
