#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/correlate.h"

#define SECOND_NS ((int64_t)1000000000)
#define START_NS  ((int64_t)1700000000 * SECOND_NS + 7)

struct bench {
    struct arena *mem;
    struct kube_correlator *correlator;
};

static int set_up(void **state)
{
    struct bench *bench = base_alloc(sizeof(*bench));
    bench->mem = arena_new(ARENA_LIMIT_BYTES);
    bench->correlator = kube_correlator_new();
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    kube_correlator_free(bench->correlator);
    arena_free(bench->mem);
    free(bench);
    return 0;
}

static struct kube_correlated record(struct bench *bench, const char *name, const char *message,
                                     int64_t at_s)
{
    struct kube_event event = { .api_version = "apps/v1",
                                .kind = "Deployment",
                                .ns = "shop",
                                .name = name,
                                .uid = "u",
                                .resource_version = "1",
                                .reason = "Synced",
                                .message = message };
    struct kube_correlated out;
    kube_correlate(bench->correlator, bench->mem, &event, START_NS + at_s * SECOND_NS, &out);
    return out;
}

static void a_first_event_is_named_by_object_and_time(void **state)
{
    struct kube_correlated got = record(*state, "web", "hello", 0);
    assert_false(got.is_dropped);
    assert_false(got.is_again);
    char name[64];
    snprintf(name, sizeof(name), "web.%llx", (unsigned long long)START_NS);
    assert_string_equal(got.name, name);
    assert_string_equal(got.message, "hello");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.first_ms, START_NS / 1000000);
    assert_int_equal(got.last_ms, got.first_ms);
}

static void the_same_again_is_counted(void **state)
{
    struct kube_correlated first = record(*state, "web", "hello", 0);
    struct kube_correlated got = record(*state, "web", "hello", 60);
    assert_true(got.is_again);
    assert_string_equal(got.name, first.name);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.first_ms, first.first_ms);
    assert_int_equal(got.last_ms, first.first_ms + 60000);
    assert_int_equal(record(*state, "web", "hello", 61).count, 3);
    assert_int_equal(record(*state, "web", "other", 61).count, 1);
    assert_int_equal(record(*state, "db", "hello", 61).count, 1);
}

static void the_tenth_different_message_is_combined(void **state)
{
    char message[32];
    struct kube_correlated got;
    for (int i = 1; i <= 9; i++) {
        snprintf(message, sizeof(message), "message %d", i);
        got = record(*state, "web", message, i);
        assert_string_equal(got.message, message);
        assert_int_equal(got.count, 1);
    }
    got = record(*state, "web", "message 10", 10);
    assert_string_equal(got.message, "(combined from similar events): message 10");
    assert_false(got.is_again);
    const char *name = got.name;
    got = record(*state, "web", "message 11", 11);
    assert_string_equal(got.message, "(combined from similar events): message 11");
    assert_true(got.is_again);
    assert_string_equal(got.name, name);
    assert_int_equal(got.count, 2);
    got = record(*state, "web", "message 3", 12);
    assert_string_equal(got.message, "message 3");
    assert_int_equal(got.count, 2);
}

static void ten_quiet_minutes_end_the_combining(void **state)
{
    char message[32];
    for (int i = 1; i <= 12; i++) {
        snprintf(message, sizeof(message), "message %d", i);
        (void)record(*state, "web", message, i);
    }
    assert_string_equal(record(*state, "web", "another", 12 + 600).message,
                        "(combined from similar events): another");
    assert_string_equal(record(*state, "web", "late", 12 + 600 + 601).message, "late");
}

static void one_object_writes_25_events_then_one_in_five_minutes(void **state)
{
    int written = 0;
    for (int i = 0; i < 40; i++)
        written += !record(*state, "web", "again", 0).is_dropped;
    assert_int_equal(written, 25);
    assert_false(record(*state, "db", "again", 0).is_dropped);
    assert_true(record(*state, "web", "again", 299).is_dropped);
    assert_false(record(*state, "web", "again", 300).is_dropped);
    assert_true(record(*state, "web", "again", 301).is_dropped);
    written = 0;
    for (int i = 0; i < 40; i++)
        written += !record(*state, "web", "again", 1000000).is_dropped;
    assert_int_equal(written, 25);
}

static void what_was_dropped_was_counted(void **state)
{
    for (int i = 0; i < 30; i++)
        (void)record(*state, "web", "again", 0);
    assert_int_equal(record(*state, "web", "again", 300).count, 31);
}

static void a_clock_that_goes_back_does_no_harm(void **state)
{
    for (int i = 0; i < 30; i++)
        (void)record(*state, "web", "again", 1000);
    assert_true(record(*state, "web", "again", 0).is_dropped);
    assert_true(record(*state, "web", "again", -1000000).is_dropped);
}

static void no_more_than_4096_are_remembered(void **state)
{
    char name[32];
    (void)record(*state, "first", "x", 0);
    for (int i = 0; i < 4095; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        (void)record(*state, name, "x", 1);
    }
    assert_true(record(*state, "first", "x", 2).is_again); /* used again: now the youngest */
    (void)record(*state, "one-more", "x", 3);
    assert_false(record(*state, "n0", "x", 4).is_again); /* the oldest went */
    assert_true(record(*state, "first", "x", 5).is_again);
}

static void objects_whose_name_is_no_event_name_leave_it_out(void **state)
{
    static const char *const odd[] = { "system:masters", "UPPER", "-a", "a-", "a..b", "a-.b", "" };
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        assert_memory_equal(record(*state, odd[i], "x", (int64_t)i).name, "event.", 6);
    char longest[260];
    memset(longest, 'a', sizeof(longest));
    longest[236] = '\0';
    assert_true(strlen(record(*state, longest, "x", 0).name) <= 253);
    assert_memory_equal(record(*state, longest, "x", 0).name, longest, 236);
    longest[236] = 'a';
    longest[237] = '\0';
    assert_memory_equal(record(*state, longest, "x", 0).name, "event.", 6);
    assert_memory_equal(record(*state, "a.b-c.0", "x", 0).name, "a.b-c.0.", 8);
}

static void messages_are_cut_at_1024_bytes_between_characters(void **state)
{
    struct bench *bench = *state;
    char message[2048];
    memset(message, 'x', sizeof(message));
    memcpy(message + 1023, "\xe2\x82\xac", 3); /* a euro sign over the edge */
    message[sizeof(message) - 1] = '\0';
    assert_int_equal(strlen(record(bench, "web", message, 0).message), 1023);
    message[1024] = '\0';
    message[1023] = 'x';
    assert_string_equal(kube_event_cut(bench->mem, message), message);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_event_is_named_by_object_and_time),
        TEST(the_same_again_is_counted),
        TEST(the_tenth_different_message_is_combined),
        TEST(ten_quiet_minutes_end_the_combining),
        TEST(one_object_writes_25_events_then_one_in_five_minutes),
        TEST(what_was_dropped_was_counted),
        TEST(a_clock_that_goes_back_does_no_harm),
        TEST(no_more_than_4096_are_remembered),
        TEST(objects_whose_name_is_no_event_name_leave_it_out),
        TEST(messages_are_cut_at_1024_bytes_between_characters),
    };
    return cmocka_run_group_tests_name("kube_correlate", tests, NULL, NULL);
}
