/* canary/step/drive.h - one tick after the other on a small world, told line by line.
 * Effects:   none.
 * Ownership: everything in the arena of the drive. */
#ifndef SERIN_TESTS_CANARY_STEP_DRIVE_H
#define SERIN_TESTS_CANARY_STEP_DRIVE_H

#include "base/sbuf.h"
#include "model/world.h"

struct drive {
    struct arena *mem;
    struct world_spec spec;
    struct world world;
    struct sbuf *lines; /* what was done: see below */
    /* NULL-terminated: lines that begin so fail or are refused, with the text "<err>". */
    const char *const *fails;
    bool is_missing; /* failures are of what is not there */
};

/* `yaml` is a Canary's spec. */
void drive_init(struct drive *drive, struct arena *mem, const char *yaml,
                const struct router *router);

/* One tick by these facts. A line for each action that changes the world, asks or says something:
 *
 *     normal Progressing: Advance web.shop canary weight 50     (also warning, error)
 *     alert warn: Canary is waiting for approval.               (alert info+: with fields)
 *     log info: …                     hook b Progressing        metric 0 builtin
 *     weights 50:50 mirrored          status weight 50          status Promoting            scale up
 *     done timer, analysis */
void drive_tick(struct drive *drive, struct world_look *look);

#endif
