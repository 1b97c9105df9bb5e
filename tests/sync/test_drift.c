#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "sync/drift.h"

#define APPLIED                                                                                 \
    {                                                                                           \
        .is_declared = true, .mark = "ours", .checksum = "c1", .has_print = true, .print = "P", \
        .version = 100                                                                          \
    }
#define APPLIED_AT(of)                                                                          \
    {                                                                                           \
        .is_declared = true, .mark = "ours", .checksum = "c1", .has_print = true, .print = "P", \
        .version = 100, .generation = (of)                                                      \
    }
#define AS_APPLIED \
    .event = DRIFT_SEEN, .mark = "ours", .checksum = "c1", .has_print = true, .print = "P"

static const struct drift_case {
    const char *name;
    struct drift_record record;
    struct drift_seen seen;
    enum drift_action action;
} cases[] = {
    { "an object as it was applied is left alone",
      APPLIED,
      { AS_APPLIED, .version = 101 },
      DRIFT_NONE },
    { "a generation tells nothing where managedFields tell all",
      APPLIED,
      { AS_APPLIED, .version = 101, .generation = 3 },
      DRIFT_NONE },
    { "the generation of our write is no drift",
      APPLIED_AT(2),
      { AS_APPLIED, .version = 101, .generation = 2 },
      DRIFT_NONE },
    { "a scale that no entry tells of heals",
      APPLIED_AT(2),
      { AS_APPLIED, .version = 101, .generation = 3 },
      DRIFT_HEAL },
    { "a scale of an ignored object stays",
      APPLIED_AT(2),
      { AS_APPLIED, .ignore = MARK_IGNORE_YES, .version = 101, .generation = 3 },
      DRIFT_IGNORED },
    { "our own write coming back is no drift",
      APPLIED,
      { .event = DRIFT_SEEN, .version = 100 },
      DRIFT_NONE },
    { "an event from before our write is no drift",
      APPLIED,
      { .event = DRIFT_SEEN, .version = 99 },
      DRIFT_NONE },
    { "a changed field heals",
      APPLIED,
      { .event = DRIFT_SEEN,
        .mark = "ours",
        .checksum = "c1",
        .has_print = true,
        .print = "Q",
        .version = 101 },
      DRIFT_HEAL },
    { "losing all our fields heals",
      APPLIED,
      { .event = DRIFT_SEEN, .mark = "ours", .checksum = "c1", .version = 101 },
      DRIFT_HEAL },
    { "another revision written by another serin heals",
      APPLIED,
      { .event = DRIFT_SEEN,
        .mark = "ours",
        .checksum = "c0",
        .has_print = true,
        .print = "P",
        .version = 101 },
      DRIFT_HEAL },
    { "a deleted object comes back",
      APPLIED,
      { .event = DRIFT_REMOVED, .mark = "ours", .version = 101 },
      DRIFT_HEAL },
    { "a removal that old servers report with the version of our write heals",
      APPLIED,
      { .event = DRIFT_REMOVED, .mark = "ours", .version = 100 },
      DRIFT_HEAL },
    { "a removal from before our write is old news",
      APPLIED,
      { .event = DRIFT_REMOVED, .mark = "ours", .version = 99 },
      DRIFT_NONE },
    { "removed while ignored has to be asked about",
      APPLIED,
      { .event = DRIFT_REMOVED, .mark = "ours", .ignore = MARK_IGNORE_YES, .version = 101 },
      DRIFT_ASK },
    { "gone for certain heals even what was ignored",
      APPLIED,
      { .event = DRIFT_ABSENT, .ignore = MARK_IGNORE_YES },
      DRIFT_HEAL },
    { "a lost label heals",
      APPLIED,
      { .event = DRIFT_SEEN, .checksum = "c1", .has_print = true, .print = "Q", .version = 101 },
      DRIFT_HEAL },
    { "a lost label of an ignored object stays lost",
      APPLIED,
      { .event = DRIFT_SEEN, .checksum = "c1", .ignore = MARK_IGNORE_YES, .version = 101 },
      DRIFT_IGNORED },
    { "a live ignore annotation keeps the change",
      APPLIED,
      { .event = DRIFT_SEEN,
        .mark = "ours",
        .ignore = MARK_IGNORE_YES,
        .has_print = true,
        .print = "Q",
        .version = 101 },
      DRIFT_IGNORED },
    { "an ignored object that did not drift is no news",
      APPLIED,
      { AS_APPLIED, .ignore = MARK_IGNORE_YES, .version = 101 },
      DRIFT_NONE },
    { "sync_only heals as usual",
      APPLIED,
      { .event = DRIFT_SEEN, .mark = "ours", .ignore = MARK_IGNORE_SYNC_ONLY, .version = 101 },
      DRIFT_HEAL },
    { "the mark of another set is respected",
      APPLIED,
      { .event = DRIFT_SEEN, .mark = "theirs", .version = 101 },
      DRIFT_FOREIGN },
    { "an object on its way out is awaited",
      APPLIED,
      { .event = DRIFT_SEEN, .mark = "ours", .is_deleting = true, .version = 101 },
      DRIFT_NONE },
    { "a busy object is decided later",
      { .is_declared = true, .is_busy = true, .mark = "ours" },
      { .event = DRIFT_REMOVED, .version = 101 },
      DRIFT_LATER },
    { "what nobody declares is not healed",
      { .mark = "ours" },
      { .event = DRIFT_REMOVED, .version = 101 },
      DRIFT_NONE },
    { "what was never applied waits for the sync",
      { .is_declared = true, .mark = "ours", .checksum = "c1" },
      { .event = DRIFT_SEEN, .mark = "ours", .version = 5 },
      DRIFT_NONE },
    { "a refused object is not sent again for every event",
      { .is_declared = true,
        .is_failed = true,
        .mark = "ours",
        .has_failed_print = true,
        .failed_print = "F" },
      { .event = DRIFT_SEEN, .mark = "ours", .has_print = true, .print = "F", .version = 5 },
      DRIFT_NONE },
    { "a refused object that changed is tried again",
      { .is_declared = true,
        .is_failed = true,
        .mark = "ours",
        .has_failed_print = true,
        .failed_print = "F" },
      { .event = DRIFT_SEEN, .mark = "ours", .has_print = true, .print = "G", .version = 5 },
      DRIFT_HEAL },
    { "a refused object that is gone is tried again",
      { .is_declared = true, .is_failed = true, .mark = "ours" },
      { .event = DRIFT_REMOVED, .version = 5 },
      DRIFT_HEAL },
};

static void decides(void **state)
{
    const struct drift_case *c = *state;
    struct drift_decision decision = drift_decide(&c->record, &c->seen);
    assert_int_equal(decision.action, c->action);
    assert_true(*decision.reason);
}

/* -- every combination of the values that matter --------------------------------------------- */

static void set_print(unsigned char print[16], bool *has_print, unsigned choice)
{
    memset(print, 0, 16);
    *has_print = choice > 0;
    print[0] = choice > 0 ? (unsigned char)('P' + choice - 1) : 0;
}

static unsigned take(unsigned *code, unsigned choices)
{
    unsigned choice = *code % choices;
    *code /= choices;
    return choice;
}

static const char *const marks[] = { NULL, "ours", "theirs" };
static const char *const checksums[] = { NULL, "c1", "c2" };
static const uint64_t versions[] = { 0, 99, 100, 101 };

enum { COMBINATIONS = 2 * 2 * 2 * 3 * 3 * 2 * 3 * 3 * 3 * 3 * 2 * 2 * 3 * 4 };

static void combine(unsigned code, struct drift_record *record, struct drift_seen *seen)
{
    *record = (struct drift_record){ .mark = "ours", .checksum = "c1" };
    *seen = (struct drift_seen){ 0 };
    record->is_declared = take(&code, 2);
    record->is_busy = take(&code, 2);
    record->is_failed = take(&code, 2);
    set_print(record->print, &record->has_print, take(&code, 3));
    set_print(record->failed_print, &record->has_failed_print, take(&code, 3));
    record->version = take(&code, 2) ? 100 : 0;
    seen->event = (enum drift_event)take(&code, 3);
    seen->mark = marks[take(&code, 3)];
    seen->checksum = checksums[take(&code, 3)];
    seen->ignore = (enum mark_ignore)take(&code, 3);
    seen->has_owner = take(&code, 2);
    seen->is_deleting = take(&code, 2);
    set_print(seen->print, &seen->has_print, take(&code, 3));
    seen->version = versions[take(&code, 4)];
    assert_int_equal(code, 0);
}

static bool is_news(const struct drift_record *record, const struct drift_seen *seen)
{
    return !record->version || !seen->version || seen->event == DRIFT_ABSENT ||
           seen->version > record->version ||
           (seen->event == DRIFT_REMOVED && seen->version == record->version);
}

static bool differs(const struct drift_record *record, const struct drift_seen *seen)
{
    return !seen->mark || record->has_print != seen->has_print ||
           memcmp(record->print, seen->print, 16) != 0 || !seen->checksum ||
           strcmp(seen->checksum, record->checksum) != 0;
}

/* What must never happen, and what must happen, said without the rules' own words. */
static void check_one(const struct drift_record *record, const struct drift_seen *seen)
{
    enum drift_action action = drift_decide(record, seen).action;
    bool acts = action == DRIFT_HEAL || action == DRIFT_ASK;
    bool is_there = seen->event == DRIFT_SEEN;
    if (!record->is_declared)
        assert_int_equal(action, DRIFT_NONE);
    if (record->is_declared && record->is_busy)
        assert_int_equal(action, DRIFT_LATER);
    if (action == DRIFT_LATER)
        assert_true(record->is_busy);
    if (is_there && seen->mark && strcmp(seen->mark, "ours") != 0)
        assert_false(acts); /* never touch what carries another mark */
    if (seen->event != DRIFT_ABSENT && seen->ignore == MARK_IGNORE_YES)
        assert_int_not_equal(action, DRIFT_HEAL);
    if (is_there && seen->is_deleting)
        assert_false(acts);
    if (!is_news(record, seen) && !record->is_busy)
        assert_int_equal(action, DRIFT_NONE);
    bool is_free = record->is_declared && !record->is_busy && is_news(record, seen);
    if (is_free && !is_there)
        assert_true(acts); /* what is gone is never forgotten */
    bool is_ours = is_free && is_there && !seen->is_deleting && !record->is_failed &&
                   record->has_print && (!seen->mark || strcmp(seen->mark, "ours") == 0) &&
                   seen->ignore != MARK_IGNORE_YES;
    if (is_ours)
        assert_int_equal(action, differs(record, seen) ? DRIFT_HEAL : DRIFT_NONE);
    if (action == DRIFT_IGNORED)
        assert_int_equal(seen->ignore, MARK_IGNORE_YES);
    if (action == DRIFT_FOREIGN)
        assert_string_equal(seen->mark, "theirs");
}

static void no_combination_breaks_a_promise(void **state)
{
    (void)state;
    for (unsigned code = 0; code < COMBINATIONS; code++) {
        struct drift_record record;
        struct drift_seen seen;
        combine(code, &record, &seen);
        check_one(&record, &seen);
    }
}

/* One step of the loop: heal, and the next event is our own write. It has to end there. */
static void healing_once_is_enough(void **state)
{
    (void)state;
    for (unsigned code = 0; code < COMBINATIONS; code++) {
        struct drift_record record;
        struct drift_seen seen;
        combine(code, &record, &seen);
        if (drift_decide(&record, &seen).action != DRIFT_HEAL)
            continue;
        record.is_failed = false;
        record.has_print = true;
        memcpy(record.print, "healed", 7);
        record.version = 200;
        struct drift_seen echo = {
            .event = DRIFT_SEEN, .mark = "ours", .checksum = "c1", .has_print = true, .version = 200
        };
        memcpy(echo.print, record.print, sizeof(echo.print));
        assert_int_equal(drift_decide(&record, &echo).action, DRIFT_NONE);
        echo.version = 201; /* someone changes what is not ours */
        assert_int_equal(drift_decide(&record, &echo).action, DRIFT_NONE);
    }
}

static void versions_are_numbers_or_nothing(void **state)
{
    (void)state;
    assert_true(drift_version_parse("1515") == 1515);
    assert_true(drift_version_parse("18446744073709551615") == UINT64_MAX);
    static const char *const bad[] = { NULL, "", "-1", " 7", "7x", "18446744073709551616", "abc" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(drift_version_parse(bad[i]) == 0);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cases, decides),
        SINGLE(no_combination_breaks_a_promise),
        SINGLE(healing_once_is_enough),
        SINGLE(versions_are_numbers_or_nothing),
    };
    return rows_run("sync_drift", tests, ARRAY_LEN(tests));
}
