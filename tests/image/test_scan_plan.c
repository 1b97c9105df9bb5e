/* Which tags a scan looks at, in which order, and when policies can decide. */
#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "image/scan_plan.h"

#define NOW_S 1000000

/* A tag with a mark behind it: '?' unknown, '+' known, '-' known and of no use, 'd' known and due again, '!' unknown, and stays so. Patterns:
 * of policies, or of commands behind "ask ", "*" for every tag. What is taken, each looked at before the next; '|' where the level rose. */
static const struct plan_case {
    const char *name, *tags, *wants; /* wants: by commas */
    bool looks_again, is_narrow;
    const char *looked_at;
} cases[] = {
    { "nothing is wanted", "1.0? 1.1?", "", false, false, "|complete" },
    { "the newest version alone", "1.0? 1.1? 1.10? 1.9?", "semver:*", false, false,
      "1.10|complete" },
    { "the newest that matches", "1.0? 1.1? 2.0? x? latest?", "semver:~1", false, false,
      "1.1|complete" },
    { "below what is of no use", "1.0? 1.1? 1.2- 1.3-", "semver:*", false, false, "1.1|complete" },
    { "known: nothing", "1.0? 1.1+", "semver:*", false, false, "|complete" },
    { "known and due: again", "1.0d 1.1d", "semver:*", false, false, "|complete 1.1" },
    { "all are of no use", "1.0- 1.1-", "semver:*", false, false, "|complete" },
    { "none matches", "a? b?", "semver:*", false, false, "|complete" },
    { "what cannot be read has no substitute", "1.0? 1.1!", "semver:*", false, false, "1.1" },
    { "nor below what is of no use", "1.0? 1.1! 1.2-", "semver:*", false, false, "1.1" },
    { "patterns of their own", "1.0? 1.1? 2.0? 2.1?", "semver:~1,semver:~2", false, false,
      "1.1 2.1|complete" },
    { "times need all that match", "a1? a2? b1?", "glob:a*", false, false, "a2 a1|complete" },
    { "unknown ones before those that are due", "a? b? c+ d? e+ fd", "glob:*", false, false,
      "d b a|complete f" },
    { "one that cannot be read leaves times open", "a? b! c?", "glob:*", false, false, "c b a" },
    { "versions before times", "1.0? 1.1? 1.2?", "glob:1.*,semver:*", false, false,
      "1.2|versions 1.1 1.0|complete" },
    { "times go on where versions fail", "1.0? 1.1!", "glob:1.0,semver:*", false, false,
      "1.1 1.0" },
    { "policies before commands", "a? b? 1.0? 1.1?", "ask *,ask glob:a,glob:b,semver:*", false,
      false, "1.1|versions b|complete a 1.0" },
    { "commands do not hold up policies", "1.0! 1.1?", "ask glob:1.0,semver:~1.1", false, false,
      "1.1|complete 1.0" },
    { "versions of commands, too, first", "1.0? 1.1? a?", "ask semver:*,glob:a", false, false,
      "1.1 a|complete" },
    { "every tag only while somebody waits", "a? b? c?", "ask *,glob:a", false, true,
      "a|complete" },
    { "what commands name even so", "a? b? c?", "ask *,ask glob:b", false, true, "|complete b" },
    { "every tag that a policy wants", "a? b?", "*", false, true, "b a|complete" },
    { "again, due or not", "a+ b+ c?", "glob:*", true, false, "c|complete b a" },
    { "versions again: down to the one of use", "1.0+ 1.1+ 1.2-", "semver:*", true, false,
      "|complete 1.2 1.1" },
};

static struct image_info known(const char *tag, bool is_excluded, int64_t at_s)
{
    return (struct image_info){ .tag = tag,
                                .is_known = true,
                                .is_excluded = is_excluded,
                                .why_excluded = "no use",
                                .digest = is_excluded ? "sha256:00000000000000000000000000000000"
                                                        "00000000000000000000000000000000"
                                                      : "",
                                .image_id = "",
                                .label_created = "",
                                .label_build_date = "",
                                .fetched_ns = at_s * 1000000000 };
}

struct fixture {
    struct arena *mem;
    struct tagstore *store;
    const char *tags; /* as in the case */
};

static void set_up(struct fixture *fixture, const char *tags)
{
    const char *names[20];
    char marks[20];
    size_t len = 0;
    fixture->mem = arena_new(ARENA_LIMIT_BYTES);
    fixture->store = tagstore_new();
    fixture->tags = tags;
    while (*tags) {
        size_t size = strcspn(tags, " ");
        assert_true(len < ARRAY_LEN(names));
        names[len] = arena_strndup(fixture->mem, tags, size - 1);
        marks[len++] = tags[size - 1];
        tags += size + (tags[size] == ' ');
    }
    (void)tagstore_list(fixture->store, names, len);
    for (size_t i = 0; i < len; i++) {
        const struct image_info info =
            known(names[i], marks[i] == '-', marks[i] == 'd' ? NOW_S - 100000 : NOW_S);
        if (!strchr("?!", marks[i]))
            assert_true(tagstore_learn(fixture->store, names[i], &info));
    }
}

static void tear_down(struct fixture *fixture)
{
    tagstore_free(fixture->store);
    arena_free(fixture->mem);
}

static size_t read_wants(struct arena *mem, const char *text, struct scan_want out[8])
{
    size_t len = 0;
    while (*text) {
        const char *one = arena_strndup(mem, text, strcspn(text, ","));
        struct image_pattern *pattern = NULL;
        bool is_asked = strncmp(one, "ask ", 4) == 0;
        text += strlen(one) + (text[strlen(one)] == ',');
        one += is_asked ? 4 : 0;
        if (strcmp(one, "*") != 0)
            assert_null(image_pattern_parse(mem, one, &pattern));
        assert_true(len < 8);
        out[len++] = (struct scan_want){ .pattern = pattern, .is_policy = !is_asked };
    }
    return len;
}

static void tell_level(const struct scan_plan *plan, enum scan_plan_level *told, struct sbuf *out)
{
    static const char *const names[] = { "", "|versions", "|complete" };
    if (scan_plan_level(plan) > *told)
        sbuf_add(out, names[scan_plan_level(plan)]);
    *told = scan_plan_level(plan);
}

static void look_at(struct fixture *fixture, struct scan_plan *plan, size_t at)
{
    const char *tag = tagstore_name(fixture->store, at);
    const struct image_info info = known(tag, tagstore_is_excluded(fixture->store, at), NOW_S);
    char failing[32];
    (void)snprintf(failing, sizeof(failing), "%s!", tag);
    if (!strstr(fixture->tags, failing))
        assert_true(tagstore_learn(fixture->store, tag, &info));
    scan_plan_done(plan, at);
}

static void plan_matches_case(void **state)
{
    const struct plan_case *c = *state;
    struct fixture fixture;
    struct scan_want wants[8];
    set_up(&fixture, c->tags);
    size_t count = read_wants(fixture.mem, c->wants, wants), at, taken = 0;
    struct scan_plan *plan = scan_plan_new(fixture.store, wants, count);
    enum scan_plan_level told = SCAN_PLAN_OPEN;
    SBUF(out, SBUF_MAX);
    if (c->is_narrow)
        scan_plan_narrow(plan);
    tell_level(plan, &told, &out);
    while (scan_plan_next(plan, NOW_S, c->looks_again, &at) && taken++ < 20) {
        sbuf_addf(&out, "%s%s", out.len ? " " : "", tagstore_name(fixture.store, at));
        look_at(&fixture, plan, at);
        tell_level(plan, &told, &out);
    }
    assert_string_equal(out.bytes, c->looked_at);
    scan_plan_free(plan);
    tear_down(&fixture);
}

/* -- several at the same time */

static const char *next(struct fixture *fixture, struct scan_plan *plan)
{
    size_t at;
    bool is_there = scan_plan_next(plan, NOW_S, false, &at);
    return is_there ? tagstore_name(fixture->store, at) : "";
}

static void finish(struct fixture *fixture, struct scan_plan *plan, const char *tag,
                   bool is_excluded)
{
    const struct image_info info = known(tag, is_excluded, NOW_S);
    assert_true(tagstore_learn(fixture->store, tag, &info));
    for (size_t at = 0; at < tagstore_len(fixture->store); at++) {
        if (strcmp(tagstore_name(fixture->store, at), tag) == 0)
            scan_plan_done(plan, at);
    }
}

static void one_more_at_the_same_time_for_each_that_was_of_no_use(void **state)
{
    (void)state;
    struct fixture fixture;
    struct scan_want wants[8];
    set_up(&fixture, "1.0? 1.1? 1.2? 1.3? 1.4? 1.5?");
    size_t count = read_wants(fixture.mem, "semver:*,glob:1.0", wants);
    struct scan_plan *plan = scan_plan_new(fixture.store, wants, count);
    assert_string_equal(next(&fixture, plan), "1.5");
    assert_string_equal(next(&fixture, plan), ""); /* times wait, too */
    finish(&fixture, plan, "1.5", true);
    assert_string_equal(next(&fixture, plan), "1.4");
    assert_string_equal(next(&fixture, plan), "1.3");
    assert_string_equal(next(&fixture, plan), "");
    finish(&fixture, plan, "1.3", false);
    assert_int_equal(scan_plan_level(plan), SCAN_PLAN_OPEN); /* 1.4 may win yet */
    assert_string_equal(next(&fixture, plan), "");
    finish(&fixture, plan, "1.4", true);
    assert_int_equal(scan_plan_level(plan), SCAN_PLAN_VERSIONS);
    assert_string_equal(next(&fixture, plan), "1.0");
    assert_string_equal(next(&fixture, plan), "");
    finish(&fixture, plan, "1.0", false);
    assert_int_equal(scan_plan_level(plan), SCAN_PLAN_COMPLETE);
    scan_plan_free(plan);
    tear_down(&fixture);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(one_more_at_the_same_time_for_each_that_was_of_no_use),
        ROWS(cases, plan_matches_case),
    };
    return rows_run("image_scan_plan", tests, ARRAY_LEN(tests));
}
