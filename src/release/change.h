/* release/change.h - one change of the repository while it is made, on a worker. Only the shell of this room includes this.
 * Effects:   as release/run.h.
 * Ownership: in the arena of the run's try.
 * Units:     milliseconds. */
#ifndef SERIN_RELEASE_CHANGE_H
#define SERIN_RELEASE_CHANGE_H

#include "release/run.h"

struct releases_change {
    struct releases_run *run;
    VEC(struct mirror_file) files;          /* to be committed */
    struct map *edits;                      /* path of a file -> struct release_edits */
    VEC(struct release_file) before, after; /* files with edits */
    const char *message;
    struct mirror_committed committed;
    struct err *doubt; /* the push may have been taken, or not: why nobody knows */
    int64_t write_ms, verify_ms;
};

/* releases_generated.c: edits of what generators make: their updaters, or the patch file; files it changes are added. */
MUST_USE struct err *releases_generated_change(struct releases_change *change,
                                               struct mirror *mirror, int64_t deadline_ms);

#endif
