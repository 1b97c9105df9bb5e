/* release/message.h - commit messages, events and lines of the log about updates.
 * Effects:   none (pure).
 * Ownership: texts are in the caller's arena.
 * Reference: gitops.md 2.9, 8.8. */
#ifndef SERIN_RELEASE_MESSAGE_H
#define SERIN_RELEASE_MESSAGE_H

#include "release/result.h"
#include "release/spec.h"

/* `ci_skip` goes to the very end; "" : none. */
const char *release_message_commit(struct arena *mem, const struct release_spec *spec,
                                   const struct release_result *result, const char *ci_skip);
/* {"jobID","spec","result"} */
const char *release_message_note(struct arena *mem, const char *job_id,
                                 const struct release_spec *spec,
                                 const struct release_result *result);
/* `Commit: <7>, <ids>` and its kin, as the daemon logs events. */
const char *release_message_event(struct arena *mem, const struct release_spec *spec,
                                  const struct release_result *result, const char *revision);

#endif
