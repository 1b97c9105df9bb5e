/* io/child_spawn.h - starts a process with pipes, in a session of its own. For child.c.
 * Effects:   a process.
 * Ownership: the caller closes the descriptors and reaps the process.
 * Units:     none. */
#ifndef SERIN_IO_CHILD_SPAWN_H
#define SERIN_IO_CHILD_SPAWN_H

#include <sys/types.h>

#include "io/child.h"

struct child_process {
    pid_t pid;        /* also its session and its process group */
    int in, out, err; /* our ends, non-blocking, close-on-exec */
};

/* When it returns, the program runs: what keeps it from running is an error, also inside of a sandbox. */
MUST_USE struct err *child_spawn(const struct child_spec *spec, struct child_process *out);
void child_spawn_kill(
    const struct child_process *process); /* the whole group; not once it is reaped */

/* Options of sandbox-exec, as child_spawn writes and child_sandbox_main reads them. */
#define CHILD_SANDBOX_COMMAND   "sandbox-exec"
#define CHILD_SANDBOX_REPORT_FD 3

#endif
