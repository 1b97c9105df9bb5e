/* What is said of a commit follows from what is known of it: the most basic obstacle first. */
#include <string.h>

#include "../rows.h"

#include "api/why.h"

/* A commit that is in the cluster, in every respect. */
#define DONE                                                                           \
    .is_configured = true, .is_known = true, .is_on_branch = true, .is_reached = true, \
    .is_marked = true
#define FETCHED .is_configured = true, .is_known = true, .is_on_branch = true
#define NAMES \
    .branch = "main", .url = "ssh://git@example.org/a", .source_error = "", .sync_error = ""

static const struct why_case {
    const char *name;
    struct api_why_view view;
    enum api_why_state state;
    const char *text;
} why_cases[] = {
    // clang-format off
    { "a commit that is done is applied", { DONE, NAMES }, API_WHY_APPLIED, "applied" },
    { "without a repository nothing is known", { NAMES }, API_WHY_UNKNOWN, "no git repository is configured" },
    { "a commit that was not fetched is unknown, and where it should be is said", { .is_configured = true, NAMES },
      API_WHY_UNKNOWN, "not fetched: it was not pushed, or only to another branch or after the last fetch, to ssh://git@example.org/a" },
    { "trouble with git explains a commit that was not fetched",
      { .is_configured = true, .branch = "main", .url = "u", .source_error = "connection refused", .sync_error = "" },
      API_WHY_UNKNOWN, "not fetched: git has trouble: connection refused" },
    { "trouble with git does not matter for a commit that is applied",
      { DONE, .branch = "main", .url = "u", .source_error = "connection refused", .sync_error = "" },
      API_WHY_APPLIED, "applied" },
    { "a commit of another branch is not applied", { .is_configured = true, .is_known = true, NAMES },
      API_WHY_FETCHED, "fetched, but not part of the watched branch main" },
    { "a commit without a valid signature is held back",
      { .is_configured = true, .is_known = true, .is_unverified = true, NAMES },
      API_WHY_FETCHED, "fetched, but held back: it or a commit before it has no valid signature" },
    { "a verified commit is not held back by later ones", { DONE, .is_unverified = true, NAMES }, API_WHY_APPLIED, "applied" },
    { "objects of it that failed hold a commit", { DONE, .held = 2, .held_others = 5, NAMES },
      API_WHY_HELD, "reached, but not all of it is as it declares: 2" },
    { "objects of other commits do not hold it", { DONE, .held_others = 5, NAMES },
      API_WHY_APPLIED, "applied; objects of other commits are held up: 5" },
    { "a commit outside the paths has nothing to apply", { DONE, .is_outside = true, .held_others = 1, NAMES },
      API_WHY_APPLIED, "applied: it changes nothing below the watched paths" },
    { "a marker that lags is mentioned",
      { FETCHED, .is_reached = true, NAMES }, API_WHY_APPLIED, "applied; the sync marker was not moved to it yet" },
    { "a commit is being applied while a sync runs", { FETCHED, .is_running = true, NAMES }, API_WHY_APPLYING, "a sync is running" },
    { "a sync that runs comes before the failure of the last one",
      { FETCHED, .is_running = true, .branch = "main", .url = "u", .source_error = "", .sync_error = "x" },
      API_WHY_APPLYING, "a sync is running" },
    { "a sync that fails as a whole holds a commit",
      { FETCHED, .branch = "main", .url = "u", .source_error = "", .sync_error = "no such path: apps" },
      API_WHY_HELD, "the sync fails as a whole: no such path: apps" },
    { "after a restart the marker tells what was applied", { FETCHED, .is_marked = true, NAMES },
      API_WHY_APPLIED, "applied by an earlier run, says the sync marker; this run has not synced yet" },
    { "a commit just fetched waits for the next sync", { FETCHED, NAMES }, API_WHY_APPLYING, "the next sync will apply it" },
    { "objects that failed before it was reached do not hold it", { FETCHED, .held = 1, NAMES },
      API_WHY_APPLYING, "the next sync will apply it" },
    // clang-format on
};

static void why_matches_case(void **state)
{
    const struct why_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_why why = api_why_step(mem, &c->view);
    assert_string_equal(why.text, c->text);
    assert_int_equal(why.state, c->state);
}

/* Whatever is known or not, there is an answer. */
static void every_view_has_an_answer(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (unsigned bits = 0; bits < 1u << 12; bits++) {
        struct api_why_view view = {
            .is_configured = bits & 1,
            .is_known = bits & 2,
            .is_on_branch = bits & 4,
            .is_unverified = bits & 8,
            .is_reached = bits & 16,
            .is_marked = bits & 32,
            .is_running = bits & 64,
            .is_outside = bits & 128,
            .held = bits & 256,
            .held_others = bits & 512,
            .branch = "main",
            .url = "u",
            .source_error = bits & 1024 ? "e" : "",
            .sync_error = bits & 2048 ? "e" : "",
        };
        struct api_why why = api_why_step(mem, &view);
        assert_non_null(why.text);
        if (why.state == API_WHY_APPLIED)
            assert_true(view.is_known && view.is_on_branch && (view.is_reached || view.is_marked));
        if (why.state == API_WHY_UNKNOWN)
            assert_false(view.is_configured && view.is_known);
        arena_reset(mem);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(every_view_has_an_answer),
        ROWS(why_cases, why_matches_case),
    };
    return rows_run("api_why", tests, ARRAY_LEN(tests));
}
