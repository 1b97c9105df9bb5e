#include <string.h>

#include "../../rows.h"

#include "canary/weights.h"

/* The canary's weights up to the promotion, one tick each, as the loop adds them up. */
static const struct walk_case {
    const char *name;
    int64_t step_weight, max_weight;
    int64_t step_weights[4];
    size_t step_weights_len;
    int64_t expected[8]; /* ends with 0 */
} walk_cases[] = {
    { "the limit is passed, never clamped to", 20, 50, { 0 }, 0, { 20, 40, 60 } },
    { "half and all", 50, 100, { 0 }, 0, { 50, 100 } },
    { "no limit is all", 50, 0, { 0 }, 0, { 50, 100 } },
    { "a negative limit is all", 50, -3, { 0 }, 0, { 50, 100 } },
    { "a step beyond all is all", 70, 100, { 0 }, 0, { 70, 100 } },
    { "one step", 100, 100, { 0 }, 0, { 100 } },
    { "listed weights", 0, 0, { 1, 2, 10, 80 }, 4, { 1, 2, 10, 80 } },
    { "a listed weight beyond all is all", 0, 0, { 1, 2, 10, 200 }, 4, { 1, 2, 10, 100 } },
    { "a list that begins beyond all", 0, 0, { 200 }, 1, { 100 } },
    { "the list sets the limit even beside a step", 10, 90, { 15, 25 }, 2, { 10, 20, 30 } },
    { "maxWeight is nothing to a list", 0, 5, { 30, 60 }, 2, { 30, 60 } },
};

static void walks(void **state)
{
    const struct walk_case *row = *state;
    struct canary_analysis analysis = { .step_weight = row->step_weight,
                                        .max_weight = row->max_weight,
                                        .step_weights = row->step_weights,
                                        .step_weights_len = row->step_weights_len };
    int64_t weight = 0;
    size_t n = 0;
    while (weight < weights_max(&analysis)) {
        weight = MIN_OF(CANARY_TOTAL, weight + weights_step(&analysis, weight));
        assert_true(n < ARRAY_LEN(row->expected));
        assert_int_equal(weight, row->expected[n]);
        n++;
    }
    assert_int_equal(row->expected[n], 0);
}

static void a_weight_that_is_not_listed_goes_to_all(void **state)
{
    (void)state;
    const int64_t list[] = { 10, 50 };
    struct canary_analysis analysis = { .step_weights = list, .step_weights_len = 2 };
    assert_int_equal(weights_step(&analysis, 30), 70);
    assert_int_equal(weights_step(&analysis, 50), 50);
    assert_int_equal(weights_step(&analysis, 100), 1);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_weight_that_is_not_listed_goes_to_all),
        ROWS(walk_cases, walks),
    };
    return rows_run("canary_weights", tests, ARRAY_LEN(tests));
}
