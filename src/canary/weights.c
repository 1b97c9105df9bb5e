#include "canary/weights.h"

int64_t weights_max(const struct canary_analysis *analysis)
{
    size_t len = analysis->step_weights_len;
    if (len > 0)
        return MIN_OF(CANARY_TOTAL, analysis->step_weights[len - 1]);
    return analysis->max_weight > 0 ? analysis->max_weight : CANARY_TOTAL;
}

int64_t weights_step(const struct canary_analysis *analysis, int64_t canary_weight)
{
    const int64_t *weights = analysis->step_weights;
    size_t len = analysis->step_weights_len;
    if (analysis->step_weight > 0 || len == 0)
        return analysis->step_weight;
    int64_t room = CANARY_TOTAL - canary_weight;
    if (room == 0)
        return 1;
    if (canary_weight == 0)
        return MIN_OF(room, weights[0]);
    for (size_t i = 0; i + 1 < len; i++)
        if (weights[i] == canary_weight)
            return MIN_OF(room, weights[i + 1] - canary_weight);
    return room;
}
