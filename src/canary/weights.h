/* canary/weights.h - the arithmetic of shifting traffic.
 * Effects:   none.
 * Units:     percent.
 * Reference: canary.md 3.4. */
#ifndef SERIN_CANARY_WEIGHTS_H
#define SERIN_CANARY_WEIGHTS_H

#include "canary/canary.h"

int64_t weights_max(const struct canary_analysis *analysis);
int64_t weights_step(const struct canary_analysis *analysis, int64_t canary_weight);

#endif
