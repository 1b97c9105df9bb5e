#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/event.h"

#define TEXTS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__       \
    }
#define A "aaaaaaa111111111111111111111111111111111"
#define B "bbbbbbb222222222222222222222222222222222"
#define C "ccccccc333333333333333333333333333333333"

static const struct text_case {
    const char *name;
    struct sync_event event;
    const char *expected;
} text_cases[] = {
    { "one commit is named by seven digits, IDs are sorted",
      { TEXTS(A), 1, TEXTS("demo:deployment/web", "<cluster>:namespace/demo"), 2 },
      "Sync: aaaaaaa, <cluster>:namespace/demo, demo:deployment/web" },
    { "of two commits the newest is named",
      { TEXTS(B, A), 2, TEXTS("a:b/c"), 1 },
      "Sync: bbbbbbb, a:b/c" },
    { "of more the oldest and the newest",
      { TEXTS(C, B, A), 3, TEXTS("a:b/c"), 1 },
      "Sync: aaaaaaa..ccccccc, a:b/c" },
    { "nothing changed is said so",
      { TEXTS(A), 1, NULL, 0 },
      "Sync: aaaaaaa, no workloads changed" },
    { "no commit is said so", { NULL, 0, NULL, 0 }, "Sync: <no revision>, no workloads changed" },
};

static void words(void **state)
{
    const struct text_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(sync_event_text(mem, &c->event), c->expected);
}

static void includes_follow_the_types_of_notes(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct sync_event_includes includes = { 0 };
    assert_string_equal(sync_event_includes_json(mem, &includes), "{}");
    sync_event_include(&includes, NULL);
    assert_string_equal(sync_event_includes_json(mem, &includes), "{\"other\":true}");
    sync_event_include(&includes, "image");
    sync_event_include(&includes, "containers");
    sync_event_include(&includes, "policy");
    sync_event_include(&includes, "auto");
    assert_string_equal(
        sync_event_includes_json(mem, &includes),
        "{\"autorelease\":true,\"other\":true,\"release\":true,\"update_policy\":true}");
}

static void changed_is_what_is_new_or_differs(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(map_free) struct map *last = map_new(NULL), *now = map_new(NULL);
    char one[] = "1", two[] = "2";
    map_set(last, "same", one);
    map_set(last, "other", one);
    map_set(last, "gone", one);
    map_set(now, "same", one);
    map_set(now, "other", two);
    map_set(now, "new", one);
    const char **changed;
    size_t count;
    sync_event_changed(mem, last, now, &changed, &count);
    assert_int_equal(count, 2);
    assert_string_equal(changed[0], "new");
    assert_string_equal(changed[1], "other");
    sync_event_changed(mem, NULL, now, &changed, &count);
    assert_int_equal(count, 3);
    sync_event_changed(mem, now, now, &changed, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(text_cases) + 2];
    size_t n = 0;
    for (; n < ARRAY_LEN(text_cases); n++)
        tests[n] = (struct CMUnitTest){ .name = text_cases[n].name,
                                        .test_func = words,
                                        .initial_state = (void *)(uintptr_t)&text_cases[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(includes_follow_the_types_of_notes);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(changed_is_what_is_new_or_differs);
    return cmocka_run_group_tests_name("sync_event", tests, NULL, NULL);
}
