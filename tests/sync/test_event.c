#include "../rows.h"

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

int main(void)
{
    static const struct rows tests[] = {
        ROWS(text_cases, words),
    };
    return rows_run("sync_event", tests, ARRAY_LEN(tests));
}
