/* io/child.h - other programs, run from a worker thread. Blocks; never on the loop.
 * Effects:   processes, pipes.
 * Ownership: a child is killed (with its process group) and reaped by child_free. Outputs are in the caller's arena.
 * Units:     milliseconds (deadline on the monotonic clock of stream_now_ms), bytes.
 * A child has a session of its own (no terminal), inherits nothing but its three pipes, and what it leaves running in its
 * group is killed when it ends.
 * Errors:    ERR_TRANSIENT when the deadline passes, or, of a caged child, when the workers it was started from are being freed (the
 *            group is killed), ERR_NOT_FOUND when the program is missing,
 *            ERR_LIMIT when an output passes its limit. A failing exit status is a result, not an error. */
#ifndef SERIN_IO_CHILD_H
#define SERIN_IO_CHILD_H

#include "base/arena.h"
#include "base/err.h"

/* A cage for programs that come from a repository. Always: no new privileges, no capabilities, nothing inherited but stdin,
 * stdout and stderr, no core dumps; and nothing that it starts survives it: by a process namespace or, where the kernel allows
 * none, by a guard that kills what is left (which a program that means harm could kill first: it runs as our user). It is no
 * cage for files: what our user may read and write, the program may. */
struct child_sandbox {
    /* A network namespace of its own, and a filter that lets it make no sockets but those of AF_UNIX. One of the two is
     * enough: containers often refuse namespaces. Where the kernel refuses both, the program is not run: ERR_DENIED. */
    bool no_network;
    bool network_if_refused; /* run it all the same then, with the network */
    int64_t cpu_s;           /* of each process; 0: no limit */
    size_t memory_bytes;     /* private and writable, of each process; 0: no limit */
    size_t file_bytes;       /* of each file it writes; 0: no limit */
    int processes; /* 0: no limit. The kernel counts all of our user's; it does not bind root */
};

struct child_spec {
    const char *const *argv; /* argv[0] is looked up in PATH of the caller's environment */
    const char *const *env;  /* "NAME=value", NULL-terminated; NULL: the caller's own */
    const char *cwd;         /* NULL: unchanged */
    int64_t deadline_ms;     /* monotonic; 0: none */
    const struct child_sandbox *sandbox; /* NULL: none */
};

struct child_output {
    int exit_status;       /* 128 + n when killed by signal n */
    const char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;
};

struct child_io {
    const void *input;
    size_t input_len;
    size_t out_limit; /* passing it is ERR_LIMIT; 0: 256 MiB */
    size_t err_limit; /* past it the rest is dropped */
};

/* Runs to the end. */
MUST_USE struct err *child_run(struct arena *mem, const struct child_spec *spec,
                               const struct child_io *io, struct child_output *out);

/* A child to talk to: its stdin and stdout are pipes, its stderr is kept (the last 16 KiB). What it says while child_write
 * waits for it to read is taken in (at most 16 MiB), so that neither can block the other. */
struct child;
MUST_USE struct err *child_open(const struct child_spec *spec, struct child **out);
MUST_USE struct err *child_write(struct child *child, const void *bytes, size_t len);
MUST_USE struct err *child_read(struct child *child, void *buffer, size_t size,
                                size_t *out_len); /* 0: the end */
void child_close_input(struct child *child);
/* Closes its input, drops what it still says, and waits for the end (until the deadline, then kills). */
MUST_USE struct err *child_wait(struct child *child, int *out_status);
const char *child_errors(struct child *child); /* what it said on stderr so far; borrowed */
void child_free(struct child *child);
DEFINE_SCOPED(struct child, child_free)

/* How a sandbox is made without code between fork and exec: the child is our own program as
 * `serin sandbox-exec OPTIONS -- PROGRAM ARGS`, which sets the limits on itself and execs. cmd/main calls this when argv[1]
 * is "sandbox-exec" and ends with what it returns: before it has started a thread or opened anything. */
int child_sandbox_main(int argc, char **argv);

#endif
