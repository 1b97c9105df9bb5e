/* release/flips.h - what automation did last to each container, so that nobody who takes it back in git has to fight it.
 * Effects:   none (pure).
 * Ownership: flips are copied.
 * Reference: gitops.md 5.6. */
#ifndef SERIN_RELEASE_FLIPS_H
#define SERIN_RELEASE_FLIPS_H

#include "base/base.h"

struct release_flips;

struct release_flip {
    const char *id, *container;
    const char *from, *to; /* references */
};

enum release_flip_verdict {
    RELEASE_FLIP_NEW, /* to be done */
    RELEASE_FLIP_TAKEN_BACK, /* it was the last one, and the manifest says `from` again: to be left, and told of */
    RELEASE_FLIP_TOLD, /* the same, told of before */
};

struct release_flips *release_flips_new(void);
void release_flips_free(struct release_flips *flips);
DEFINE_SCOPED(struct release_flips, release_flips_free)

/* It was committed. */
void release_flips_made(struct release_flips *flips, const struct release_flip *flip);
/* The same of an earlier run, read from newest to oldest: only the first of a container counts, and none that was made since. */
void release_flips_learn(struct release_flips *flips, const struct release_flip *flip);

/* Somebody has asked for automation of this workload anew: what was taken back counts no more, nor what is learnt later of the time before. */
void release_flips_forget(struct release_flips *flips, const char *id);
/* The same of an earlier run, read from newest to oldest: nothing older counts. */
void release_flips_learn_end(struct release_flips *flips, const char *id);
/* All that was learnt apart from what was made meanwhile. */
void release_flips_learn_all(struct release_flips *flips, const struct release_flips *earlier);

/* What is to be thought of a flip that would be made now. Of one that was taken back the answer is told once. */
enum release_flip_verdict release_flips_look(struct release_flips *flips,
                                             const struct release_flip *flip);

#endif
