/* release/message.h - commit messages, events and lines of the log about updates.
 * Effects:   none (pure).
 * Ownership: texts are in the caller's arena.
 * Reference: gitops.md 2.9, 8.8. */
#ifndef SERIN_RELEASE_MESSAGE_H
#define SERIN_RELEASE_MESSAGE_H

#include "release/result.h"
#include "release/spec.h"

/* As it is given to git, which trims it and joins empty lines. Of policies: the events of the workloads that changed. `ci_skip` goes
 * to the very end as it is; "" : none. */
const char *release_message_commit(struct arena *mem, const struct release_spec *spec,
                                   const struct release_result *result, const char *ci_skip);
/* {"jobID","spec","result"}; the result of a policy update is null. */
const char *release_message_note(struct arena *mem, const char *job_id,
                                 const struct release_spec *spec,
                                 const struct release_result *result);
/* `Commit: <7>, <ids>`, as the daemon logs it at once. */
const char *release_message_event(struct arena *mem, const struct release_spec *spec,
                                  const struct release_result *result, const char *revision);
/* `Released: <images> to <ids>, by <user>, with message "<m>"`, `Automated release of <images>`: once the commit is applied. "" for
 * other updates. */
const char *release_message_applied(struct arena *mem, const struct release_spec *spec,
                                    const struct release_result *result);

#endif
