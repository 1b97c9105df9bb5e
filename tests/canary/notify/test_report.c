#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "canary/notify/hook.h"
#include "canary/notify/outbox.h"
#include "receiver.h"

static struct hooks *hooks_of(struct receiver *receiver, const char *event_url)
{
    return hooks_new(&(struct hooks_opts){ .loop = receiver->loop,
                                           .http = receiver->http,
                                           .log = &receiver->log,
                                           .event_url = event_url,
                                           .delay_ms = 10 });
}

static struct canary canary_with(const char *name, const struct canary_hook *hooks, size_t len)
{
    return (struct canary){ .name = name,
                            .ns = "prod",
                            .status = { .last_applied = "" },
                            .analysis = { .hooks = hooks, .hooks_len = len } };
}

static struct canary_hook event_hook(const char *url)
{
    return (
        struct canary_hook){ .name = "e", .url = url, .type = CANARY_HOOK_EVENT, .timeout = "20s" };
}

static void report(struct hooks *hooks, const struct canary *canary, const char *message)
{
    struct hook_event event = { message, false, 1000 };
    hook_report(hooks, canary, "Progressing", &event);
}

static void assert_message(const struct receiver *receiver, size_t at, const char *message)
{
    char text[100];
    (void)snprintf(text, sizeof(text), "\"eventMessage\":\"%s\"", message);
    assert_non_null(strstr(receiver->got.at[at].body, text));
}

static void an_event_goes_to_the_hooks_of_its_canary(void **state)
{
    struct receiver *receiver = *state;
    struct hooks *hooks = hooks_of(receiver, receiver_url(receiver, "/global"));
    struct canary_hook list[] = {
        event_hook(receiver_url(receiver, "/a")),
        { .name = "gate", .url = receiver_url(receiver, "/gate"), .timeout = "" },
        event_hook(receiver_url(receiver, "/b")),
    };
    struct canary canary = canary_with("shop", list, 3);
    report(hooks, &canary, "hello");
    assert_int_equal(hooks_waiting(hooks), 2);
    assert_int_equal(receiver->got.len, 0); /* nobody waits for it */
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_int_equal(receiver->got.len, 2);
    assert_message(receiver, 0, "hello");
    assert_string_not_equal(receiver->got.at[0].line, receiver->got.at[1].line);
    assert_null(strstr(receiver->got.at[0].line, "global"));

    canary.analysis.hooks_len = 0;
    report(hooks, &canary, "world");
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_int_equal(receiver->got.len, 3);
    assert_string_equal(receiver->got.at[2].line, "POST /global");
    assert_string_equal(receiver->got.at[2].type, "application/json");
    hooks_free(hooks);
    assert_int_equal(receiver->lines.len, 0);
}

static void without_any_hook_nothing_is_sent(void **state)
{
    struct receiver *receiver = *state;
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary canary = canary_with("shop", NULL, 0);
    report(hooks, &canary, "hello");
    assert_int_equal(hooks_waiting(hooks), 0);
    hooks_free(hooks);
}

static void events_of_a_canary_stay_in_order(void **state)
{
    static const struct reply replies[] = { { "/e", 500, "", NULL, 0 },
                                            { "/e", 200, "", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary_hook hook = event_hook(receiver_url(receiver, "/e"));
    hook.retries = 1;
    struct canary canary = canary_with("shop", &hook, 1);
    for (int i = 0; i < 50; i++)
        report(hooks, &canary, arena_printf(receiver->mem, "number %d", i));
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_int_equal(receiver->got.len, 51); /* the first one twice, before all others */
    for (size_t i = 0; i < 51; i++)
        assert_message(receiver, i, arena_printf(receiver->mem, "number %zu", i ? i - 1 : 0));
    hooks_free(hooks);
}

static void a_receiver_that_hangs_holds_up_its_own_events_only(void **state)
{
    static const struct reply replies[] = { { "/hangs", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary_hook slow = event_hook(receiver_url(receiver, "/hangs"));
    struct canary_hook quick = event_hook(receiver_url(receiver, "/quick"));
    struct canary first = canary_with("first", &slow, 1), second = canary_with("second", &quick, 1);
    report(hooks, &first, "a");
    report(hooks, &first, "b");
    receiver_wait_got(receiver, 1);
    report(hooks, &second, "c");
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 2);
    assert_int_equal(receiver->got.len, 2);
    assert_message(receiver, 1, "c");
    receiver_let_go(receiver);
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_message(receiver, 2, "b");
    hooks_free(hooks);
}

static void an_event_that_cannot_be_sent_is_logged(void **state)
{
    static const struct reply replies[] = { { "/e", 500, "", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    const char *url = receiver_url(receiver, "/e");
    struct hooks *hooks = hooks_of(receiver, arena_printf(receiver->mem, "%s?token=s3cret", url));
    struct canary canary = canary_with("shop", NULL, 0);
    report(hooks, &canary, "a");
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    const char *expected = arena_printf(receiver->mem,
                                        "canary=shop.prod err=\"error sending event to webhook: "
                                        "POST %s giving up after 1 attempt(s)\"",
                                        url);
    if (!strstr(sbuf_text(&receiver->lines), expected))
        fail_msg("%s is not in %s", expected, sbuf_text(&receiver->lines));
    assert_null(strstr(sbuf_text(&receiver->lines), "s3cret"));
    hooks_free(hooks);
}

static void too_many_events_lose_the_oldest(void **state)
{
    static const struct reply replies[] = { { "/hangs", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary_hook hook = event_hook(receiver_url(receiver, "/hangs"));
    struct canary canary = canary_with("shop", &hook, 1);
    report(hooks, &canary, "first");
    receiver_wait_got(receiver, 1);
    for (int i = 0; i < OUTBOX_QUEUE_MAX + 9; i++)
        report(hooks, &canary, arena_printf(receiver->mem, "number %d", i));
    assert_int_equal(hooks_waiting(hooks), OUTBOX_QUEUE_MAX);
    const char *log = sbuf_text(&receiver->lines);
    assert_non_null(strstr(log, "event=dropped"));
    assert_null(strstr(strstr(log, "event=dropped") + 1, "event=dropped")); /* told once */
    receiver_let_go(receiver);
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_int_equal(receiver->got.len, OUTBOX_QUEUE_MAX);
    assert_message(receiver, 1, "number 10");
    assert_message(receiver, OUTBOX_QUEUE_MAX - 1, "number 1008");
    assert_non_null(strstr(sbuf_text(&receiver->lines), "dropped=10"));
    hooks_free(hooks);
}

static void all_that_wait_have_a_bound_together(void **state)
{
    static const struct reply replies[] = { { "/hangs", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary_hook hook = event_hook(receiver_url(receiver, "/hangs"));
    SBUF(big, SBUF_MAX);
    while (big.len < (size_t)100 << 10)
        sbuf_add(&big, "0123456789");
    for (int i = 0; i < 200; i++) {
        const char *name = arena_printf(receiver->mem, "c%d", i % 40);
        struct canary canary = canary_with(name, &hook, 1);
        report(hooks, &canary, sbuf_text(&big));
    }
    size_t waiting = hooks_waiting(hooks); /* 8 MiB are some 80 of them */
    assert_in_range(waiting, 75, 85);
    receiver_let_go(receiver);
    RECEIVER_UNTIL(receiver, hooks_waiting(hooks) == 0);
    assert_int_equal(receiver->got.len, waiting);
    hooks_free(hooks);
}

static void an_outbox_may_end_with_letters_in_it(void **state)
{
    static const struct reply replies[] = { { "/hangs", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver, NULL);
    struct canary_hook hook = event_hook(receiver_url(receiver, "/hangs"));
    for (int i = 0; i < 3 * OUTBOX_AT_ONCE_MAX; i++) { /* most wait for a place */
        struct canary canary =
            canary_with(arena_printf(receiver->mem, "c%d", i % (2 * OUTBOX_AT_ONCE_MAX)), &hook, 1);
        report(hooks, &canary, "x");
    }
    receiver_wait_got(receiver, OUTBOX_AT_ONCE_MAX);
    for (int i = 0; i < 5; i++)
        loop_turn(receiver->loop, 10);
    assert_int_equal(receiver->got.len, OUTBOX_AT_ONCE_MAX);
    hooks_free(hooks);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, receiver_setup, receiver_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_event_goes_to_the_hooks_of_its_canary),
        TEST(without_any_hook_nothing_is_sent),
        TEST(events_of_a_canary_stay_in_order),
        TEST(a_receiver_that_hangs_holds_up_its_own_events_only),
        TEST(an_event_that_cannot_be_sent_is_logged),
        TEST(too_many_events_lose_the_oldest),
        TEST(all_that_wait_have_a_bound_together),
        TEST(an_outbox_may_end_with_letters_in_it),
    };
    return cmocka_run_group_tests_name("canary_report", tests, NULL, NULL);
}
