/* sync/event.h - the event of one sync, as Flux words it.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 3.2, 3.9, 8.8. */
#ifndef SERIN_SYNC_EVENT_H
#define SERIN_SYNC_EVENT_H

#include "base/arena.h"
#include "base/base.h"

/* An event is due only if there are commits. */
struct sync_event {
    const char *const *commits; /* full shas, newest first */
    size_t commit_count;
    const char *const *ids; /* of what changed; in any order */
    size_t id_count;
};
/* "Sync: 1a2b3c4, default:deployment/web" */
const char *sync_event_text(struct arena *mem, const struct sync_event *event);

#endif
