#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/loop.h"

struct order {
    struct loop *loop;
    char seen[32];
    size_t len;
    ticket other;
};

static void note(struct order *order, char c)
{
    order->seen[order->len++] = c;
    order->seen[order->len] = '\0';
}

static void on_a(void *ctx)
{
    note(ctx, 'a');
}

static void on_b(void *ctx)
{
    note(ctx, 'b');
}

static void on_stop(void *ctx)
{
    note(ctx, '.');
    loop_stop(((struct order *)ctx)->loop);
}

static void timers_fire_in_order_of_their_time(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 30, on_b, &order);
    loop_after(loop, 10, on_a, &order);
    loop_after(loop, 0, on_a, &order);
    loop_after(loop, 0, on_b, &order);
    loop_run(loop);
    assert_string_equal(order.seen, "abab");
}

static void on_zero_again(void *ctx)
{
    struct order *order = ctx;
    note(order, 'z');
    if (order->len < 4)
        loop_after(order->loop, 0, on_zero_again, order);
}

static void what_is_due_at_once_waits_for_the_next_turn(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 0, on_zero_again, &order);
    assert_int_equal(order.len, 0);
    for (size_t turn = 1; turn <= 4; turn++) {
        assert_int_equal(loop_turn(loop, 100), turn < 4);
        assert_int_equal(order.len, turn);
    }
}

static void on_timer_again(void *ctx)
{
    struct order *order = ctx;
    note(order, 't');
    loop_after(order->loop, 0, on_zero_again, order);
    assert_int_equal(order->len, 1);
}

static void a_timer_may_start_another_for_the_next_turn(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 1, on_timer_again, &order);
    loop_run(loop);
    assert_string_equal(order.seen, "tzzz");
}

static void a_cancelled_timer_does_not_fire(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_cancel(loop, loop_after(loop, 0, on_a, &order));
    loop_cancel(loop, loop_after(loop, 5, on_a, &order));
    loop_after(loop, 10, on_b, &order);
    loop_run(loop);
    assert_string_equal(order.seen, "b");
}

static void on_cancel_other(void *ctx)
{
    struct order *order = ctx;
    note(order, 'c');
    loop_cancel(order->loop, order->other);
}

static void a_timer_may_cancel_one_of_the_same_turn(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 0, on_cancel_other, &order);
    order.other = loop_after(loop, 0, on_a, &order);
    loop_run(loop);
    assert_string_equal(order.seen, "c");
}

static void cancelling_what_has_fired_harms_no_later_timer(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    ticket old = loop_after(loop, 0, on_a, &order);
    loop_run(loop);
    ticket new = loop_after(loop, 0, on_b, &order); /* takes the place of the old one */
    loop_cancel(loop, old);
    loop_cancel(loop, 0);
    loop_cancel(loop, UINT64_MAX);
    assert_int_not_equal(old, new);
    loop_run(loop);
    assert_string_equal(order.seen, "ab");
}

static void on_count(void *ctx)
{
    ++*(unsigned char *)ctx;
}

static void ten_thousand_timers_fire_once_each(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    unsigned char fired[10000] = { 0 };
    for (size_t i = 0; i < sizeof(fired); i++) {
        ticket timer = loop_after(loop, (int64_t)(loop_random(loop) % 20), on_count, &fired[i]);
        if (i % 3 == 0)
            loop_cancel(loop, timer);
    }
    loop_run(loop);
    for (size_t i = 0; i < sizeof(fired); i++)
        assert_int_equal(fired[i], i % 3 != 0);
}

static void freeing_the_loop_drops_what_waits(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 0, on_a, &order);
    loop_after(loop, 1000000, on_a, &order);
    ticket gone = loop_after(loop, 0, on_a, &order);
    loop_cancel(loop, gone);
    loop_free(loop);
    assert_int_equal(order.len, 0);
}

static void a_turn_waits_no_longer_than_told(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    assert_false(loop_turn(loop, 1000)); /* nothing to wait for */
    loop_after(loop, 3600000, on_a, &order);
    int64_t before = loop_now_ms(loop);
    assert_true(loop_turn(loop, 20));
    assert_in_range(loop_now_ms(loop) - before, 15, 10000);
}

static void a_stopped_loop_runs_on_later(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_after(loop, 0, on_stop, &order);
    loop_after(loop, 20, on_b, &order);
    loop_run(loop);
    assert_string_equal(order.seen, ".");
    loop_run(loop);
    assert_string_equal(order.seen, ".b");
}

static void a_timer_counts_from_its_start_not_from_the_last_turn(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    int64_t before = loop_now_ms(loop);
    loop_after(loop, 30, on_a, &order);
    loop_run(loop);
    assert_in_range(loop_now_ms(loop) - before, 25, 10000);
}

static void on_usr1(void *ctx, int signal_number)
{
    struct order *order = ctx;
    assert_int_equal(signal_number, SIGUSR1);
    note(order, 's');
    loop_stop(order->loop);
}

static void a_signal_is_a_turn_of_the_loop(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct order order = { .loop = loop };
    loop_on_signal(loop, SIGUSR1, on_usr1, &order);
    loop_run(loop); /* ends: a signal that may come is nothing to wait for */
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(order.len, 0);
    loop_after(loop, 10000, on_b, &order);
    loop_run(loop);
    assert_string_equal(order.seen, "s");
}

static void clocks_agree_with_the_system(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    int64_t wall_s = (int64_t)time(NULL);
    assert_in_range(loop_wall_ms(loop) / 1000, wall_s - 1, wall_s + 10);
    assert_in_range(loop_wall_ns(loop) / 1000000000, wall_s - 1, wall_s + 10);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_in_range(loop_now_ms(loop), (int64_t)now.tv_sec * 1000,
                    (int64_t)now.tv_sec * 1000 + 10000);
}

static void random_numbers_differ(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(loop_free) struct loop *other = loop_new();
    uint32_t a = loop_random(loop), b = loop_random(loop), c = loop_random(other),
             d = loop_random(other);
    assert_false(a == b && c == d);
    assert_false(a == c && b == d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_their_time),
        cmocka_unit_test(what_is_due_at_once_waits_for_the_next_turn),
        cmocka_unit_test(a_timer_may_start_another_for_the_next_turn),
        cmocka_unit_test(a_cancelled_timer_does_not_fire),
        cmocka_unit_test(a_timer_may_cancel_one_of_the_same_turn),
        cmocka_unit_test(cancelling_what_has_fired_harms_no_later_timer),
        cmocka_unit_test(ten_thousand_timers_fire_once_each),
        cmocka_unit_test(freeing_the_loop_drops_what_waits),
        cmocka_unit_test(a_turn_waits_no_longer_than_told),
        cmocka_unit_test(a_stopped_loop_runs_on_later),
        cmocka_unit_test(a_timer_counts_from_its_start_not_from_the_last_turn),
        cmocka_unit_test(a_signal_is_a_turn_of_the_loop),
        cmocka_unit_test(clocks_agree_with_the_system),
        cmocka_unit_test(random_numbers_differ),
    };
    return cmocka_run_group_tests_name("io/loop", tests, NULL, NULL);
}
