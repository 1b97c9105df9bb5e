/* cmd/scratch.h - a temporary directory that is gone when the process is, however that ends.
 * Effects:   makes and removes files; a process of its own waits for our end, and removes what we could not.
 * Ownership: the path is in the caller's arena. */
#ifndef SERIN_CMD_SCRATCH_H
#define SERIN_CMD_SCRATCH_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct scratch {
    const char *dir; /* NULL: there is none */
    pid_t keeper;
    int line; /* open for as long as we live */
};

/* Below `parent`, for us alone. */
MUST_USE struct err *scratch_make(struct arena *mem, const char *parent, struct scratch *out);
void scratch_end(struct scratch *scratch);

#define SCOPED_SCRATCH __attribute__((cleanup(scratch_end)))

#endif
