#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/pace.h"

static int take_all(struct pace *pace, int64_t now_ms)
{
    int taken = 0;
    while (taken < 1000 && pace_take(pace, now_ms) == 0)
        taken++;
    return taken;
}

static void a_burst_then_the_rate(void **state)
{
    (void)state;
    struct pace pace = pace_of(50, 10, 0);
    assert_int_equal(take_all(&pace, 0), 10);
    assert_in_range(pace_take(&pace, 0), 20, 22);
    assert_int_equal(take_all(&pace, 100), 5);
    assert_int_equal(take_all(&pace, 60000), 10); /* no more than a burst is saved up */
}

static void a_refusal_halves_the_rate_once_and_pauses(void **state)
{
    (void)state;
    struct pace pace = pace_of(50, 10, 0);
    pace_refused(&pace, 0, 3000, true);
    pace_refused(&pace, 0, -1, false);
    assert_true(pace.rps == 25);
    assert_int_equal(pace_take(&pace, 1000), 2000);
    assert_int_equal(pace_take(&pace, 3000), 0);
    pace_refused(&pace, 3000, -1, true);
    assert_int_equal(pace_take(&pace, 3000), 1000); /* it does not say: a second */
    for (int i = 0; i < 20; i++)
        pace_refused(&pace, 3000, 0, true);
    assert_true(pace.rps == 0.1);
}

static void the_rate_recovers_slowly(void **state)
{
    (void)state;
    struct pace pace = pace_of(40, 10, 0);
    pace_refused(&pace, 0, 0, true);
    pace_recover(&pace, 1199999);
    assert_true(pace.rps == 20);
    pace_recover(&pace, 1200000);
    assert_true(pace.rps == 30);
    pace_recover(&pace, 1200001);
    assert_true(pace.rps == 40);
    pace_recover(&pace, 1200002);
    assert_true(pace.rps == 40);
}

static void nonsense_is_the_least(void **state)
{
    (void)state;
    struct pace pace = pace_of(-1, 0, 0);
    assert_int_equal(take_all(&pace, 0), 1);
    assert_in_range(pace_take(&pace, 0), 9999, 10001);
    pace_refused(&pace, 0, INT64_MAX / 2, true);
    assert_int_equal(pace_take(&pace, 0), (int64_t)24 * 3600 * 1000); /* a day at most */
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_burst_then_the_rate),
        cmocka_unit_test(a_refusal_halves_the_rate_once_and_pauses),
        cmocka_unit_test(the_rate_recovers_slowly),
        cmocka_unit_test(nonsense_is_the_least),
    };
    return cmocka_run_group_tests_name("image_pace", all, NULL, NULL);
}
