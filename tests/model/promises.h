/* model/promises.h - what no tick may do, and where every run has to come to.
 * Effects:   none. A promise that is broken is a text, else NULL. */
#ifndef SERIN_TESTS_MODEL_PROMISES_H
#define SERIN_TESTS_MODEL_PROMISES_H

#include "model/specs.h"

enum policy_id {
    POLICY_FAIR,
    POLICY_FAILING,
    POLICY_NO_CANARY,
    POLICY_NO_PRIMARY,
    POLICY_ABORTED,
    POLICIES,
};

/* Of a write that was carried out. */
const char *promises_action(const struct model_spec *spec, const struct world_look *look,
                            const struct world *before, const struct world *after,
                            const struct canary_action *action);
/* Of a hook or a metric that is asked. */
const char *promises_question(const struct world_look *look, const struct canary_action *action);
/* Of a tick that ended. */
const char *promises_end(const struct model_spec *spec, const struct world_look *look,
                         const struct world *first, const struct world *last,
                         const struct canary_action *done);
/* Of where a state ends under a policy. */
const char *promises_rest(const struct model_spec *spec, const struct world *from,
                          const struct world *end, enum policy_id policy);
/* Failing checks have to end this run within threshold + 1 ticks. */
bool promises_fails_soon(const struct model_spec *spec, const struct world *from);
/* Whether two ends are the same; `from` is where the two ways part. */
bool promises_same_end(const struct world *a, const struct world *b, const struct world *from,
                       enum policy_id policy);

#endif
