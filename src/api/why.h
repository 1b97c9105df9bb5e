/* api/why.h - where a commit is on its way from git into the cluster, and what holds it up.
 * Effects:   none (pure).
 * Ownership: texts are in the caller's arena or borrowed from the view. */
#ifndef SERIN_API_WHY_H
#define SERIN_API_WHY_H

#include "base/arena.h"
#include "base/base.h"

enum api_why_state {
    API_WHY_UNKNOWN,  /* not in our copy of the repository */
    API_WHY_FETCHED,  /* there, but not applied and not about to be */
    API_WHY_APPLYING, /* being applied, or the next sync will */
    API_WHY_HELD,     /* its turn came, but not all of it is in the cluster */
    API_WHY_APPLIED,
};
const char *
api_why_state_name(enum api_why_state state); /* unknown, fetched, applying, held, applied */

/* Everything the answer depends on. */
struct api_why_view {
    bool is_configured;
    bool is_known;      /* our copy of the repository has the commit */
    bool is_on_branch;  /* the verified head is it or descends from it */
    bool is_unverified; /* only the unverified head of the branch is it or descends from it */
    bool is_reached;    /* the last sync that ended was of it or of a later one */
    bool is_marked;     /* the sync marker is on it or on a later one */
    bool is_running;    /* a sync runs */
    bool is_outside;    /* it changes nothing below the watched paths */
    size_t held;        /* objects in files it changes that are not as declared */
    size_t held_others; /* objects elsewhere that are not as declared */
    const char *branch, *url;
    const char *source_error; /* "" if git is well */
    const char *sync_error;   /* of the last sync as a whole, "" if none */
};

struct api_why {
    enum api_why_state state;
    const char *text; /* one sentence */
};

struct api_why api_why_step(struct arena *mem, const struct api_why_view *view);

#endif
