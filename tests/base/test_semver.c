/* Versions as tags are read, their order, and ranges of them. */
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "base/semver.h"

static const struct version_case {
    const char *text;
    bool is_version;
    uint64_t major, minor, patch;
    const char *pre, *meta;
} version_cases[] = {
    { "1.2.3", true, 1, 2, 3, "", "" },
    { "v1.2.3", true, 1, 2, 3, "", "" },
    { "1.2", true, 1, 2, 0, "", "" },
    { "1", true, 1, 0, 0, "", "" },
    { "v1", true, 1, 0, 0, "", "" },
    { "0", true, 0, 0, 0, "", "" },
    { "1.10.0-rc.1+build.7", true, 1, 10, 0, "rc.1", "build.7" },
    { "1-rc1", true, 1, 0, 0, "rc1", "" },
    { "1.2+meta", true, 1, 2, 0, "", "meta" },
    { "1.2.3--", true, 1, 2, 3, "-", "" },
    { "01.02.03", true, 1, 2, 3, "", "" },
    { "1.2.3+007", true, 1, 2, 3, "", "007" },
    { "18446744073709551615.0.0", true, UINT64_MAX, 0, 0, "", "" },
    { "18446744073709551616.0.0", false, 0, 0, 0, "", "" },
    { "1.99999999999999999999999999999999999999", false, 0, 0, 0, "", "" },
    { "", false, 0, 0, 0, "", "" },
    { "v", false, 0, 0, 0, "", "" },
    { "V1.2.3", false, 0, 0, 0, "", "" },
    { "vv1", false, 0, 0, 0, "", "" },
    { "latest", false, 0, 0, 0, "", "" },
    { "1.", false, 0, 0, 0, "", "" },
    { "1..2", false, 0, 0, 0, "", "" },
    { "1.2.3.4", false, 0, 0, 0, "", "" },
    { "1.2.3-", false, 0, 0, 0, "", "" },
    { "1.2.3-a..b", false, 0, 0, 0, "", "" },
    { "1.2.3-01", false, 0, 0, 0, "", "" },
    { "1.2.3+", false, 0, 0, 0, "", "" },
    { "1.2.3 ", false, 0, 0, 0, "", "" },
    { " 1.2.3", false, 0, 0, 0, "", "" },
    { "-1.2.3", false, 0, 0, 0, "", "" },
    { "1.2.3-r\xc3\xa9", false, 0, 0, 0, "", "" },
    { "1.x", false, 0, 0, 0, "", "" },
    { "master-abc123", false, 0, 0, 0, "", "" },
};

static void version_matches_case(void **state)
{
    const struct version_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct semver v;
    assert_int_equal(semver_parse(mem, c->text, &v), c->is_version);
    if (!c->is_version)
        return;
    assert_true(v.major == c->major && v.minor == c->minor && v.patch == c->patch);
    assert_string_equal(v.pre, c->pre);
    assert_string_equal(v.meta, c->meta);
}

/* Each is below the one after it. */
static const char *const rising[] = {
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0-rc.99999999999999999999999998",
    "1.0.0-rc.99999999999999999999999999",
    "1.0.0-rc.100000000000000000000000000",
    "1.0.0-rc.a",
    "1.0.0",
    "1.9",
    "1.10.0",
    "1.10.1",
    "2",
    "18446744073709551615",
};

static int compare(const char *a, const char *b)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct semver one, other;
    assert_true(semver_parse(mem, a, &one));
    assert_true(semver_parse(mem, b, &other));
    return semver_compare(&one, &other);
}

static void precedence_is_that_of_semver_2(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rising); i++) {
        for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
            int order = compare(rising[i], rising[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void metadata_and_missing_parts_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(compare("1.10", "v1.10.0"), 0);
    assert_int_equal(compare("1.0.0+a", "1.0.0+b"), 0);
}

/* Versions that a range takes, and that it does not; separated by blanks. */
static const struct range_case {
    const char *range, *in, *out;
} range_cases[] = {
    { "1.2.3", "1.2.3 v1.2.3 1.2.3+x", "1.2.4 1.2.2 1.2.3-rc1 2" },
    { "=1.2.3", "1.2.3", "1.2.4 1.2" },
    { "v1.2.3", "1.2.3", "1.2.4" },
    { "1.2", "1.2 1.2.0 1.2.9", "1.1.9 1.3.0 1.2.1-rc1 2.2" },
    { "1.2.x", "1.2.0 1.2.9", "1.3.0 1.1.9" },
    { "~1.2", "1.2.0 1.2.9", "1.3.0 1.1.9 0.2" },
    { "1", "1 1.0.0 1.9.9", "2 0.9.9 1.5-rc1" },
    { "1.x", "1.0.0 1.9.9", "2.0.0 0.9" },
    { "1.X.X", "1.0.0 1.9.9", "2.0.0" },
    { "1.*", "1.0.0 1.9.9", "2.0.0" },
    { "1.x.3", "1.0.0 1.9.9", "2.0.3" },
    { "~1", "1.0.0 1.9.9", "2.0.0 0.9" },
    { "~1.x", "1.0.0 1.9.9", "2.0.0" },
    { "*", "0.0.0 1.2.3 99", "1.0.0-rc1" },
    { "x", "0.0.0 1.2.3", "1.0.0-rc1" },
    { "", "0.0.0 1.2.3", "1.0.0-rc1" },
    { "  ", "0.0.0 1.2.3", "1.0.0-rc1" },
    { "*-0", "0.0.0 1.2.3 1.0.0-rc1", "" },
    { "~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0 2.2.3" },
    { "~>1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0" },
    { "~0.0.0", "0.0.0 1.2.3 99.1", "0.0.1-rc1" },
    { "~0", "0.0.0 0.9", "1.0.0" },
    { "~0.0", "0.0.0 0.0.9", "0.1.0" },
    { "^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0" },
    { "^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0" },
    { "^1", "1.0.0 1.9.0", "0.9 2.0.0" },
    { "^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0 1.2.3" },
    { "^0.2", "0.2.0 0.2.9", "0.3.0 0.1.9 1.2" },
    { "^0.0.3", "0.0.3", "0.0.4 0.0.2 0.1.3 1.0.3" },
    { "^0.0", "0.0.0 0.0.9", "0.1.0 1.0.0" },
    { "^0", "0.0.0 0.9.9", "1.0.0" },
    { "^*", "0.0.0 1.2.3 99.1", "1.0.0-rc1" },
    { ">1", "2.0.0 3.1", "1.0.0 1.9.9 0.9 2.0.0-rc1" },
    { ">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9 1.1.9" },
    { ">1.2.3", "1.2.4 2", "1.2.3 1.2.2" },
    { ">11", "12.0.0", "11.1.0" },
    { ">11.1", "11.2.1 12.0.0", "11.1.1" },
    { ">*", "", "0.0.1 99.0" },
    { ">=1", "1.0.0 2.0.0", "0.9.9" },
    { "=>1.2", "1.2.0 2.0.0", "1.1.9" },
    { ">=*", "0.0.0 99.0", "1.0.0-rc1" },
    { "<1", "0.9.9", "1.0.0 1.0.0-rc1" },
    { "<1.2", "1.1.9 0.3", "1.2.0 1.2.1" },
    { "<2.x", "1.9.9", "2.0.0" },
    { "<*", "", "0.0.0 99.0" },
    { "<=1", "1.0.0 1.9.9 0.1", "2.0.0" },
    { "<=1.2", "1.2.9 1.1 0.9", "1.3.0 2.0" },
    { "=<1.2.3", "1.2.3 1.2.2", "1.2.4" },
    { "<=2.x", "2.9.9", "3.0.0" },
    { "<=*", "0.0.0 99.0", "1.0.0-rc1" },
    { "!=1.x", "0.9 2.0", "1.0.0 1.9.9 2.0.0-rc1" },
    { "!=1.2.x", "1.1.2 1.3.2 2.2.0", "1.2.0 1.2.9" },
    { "!=1.2.3", "1.2.4 1.2.2 2.0.0-rc1", "1.2.3" },
    { "!=*", "", "1.2.3" },
    { "1.2 - 1.4.5", "1.2.0 1.4.5 1.3", "1.1.9 1.4.6" },
    { "1.2 - 2", "1.2.0 2.0 2.9.9", "1.1.9 3.0" },
    { "1.0.0-rc1 - 2.0.0-rc1", "1.0.0-rc1 1.5 2.0.0-rc1", "1.0.0-beta 2.0.0" },
    { "1.0 - 1.2 || 3 - 3.1", "1.1 3.0.9 3.1.7", "1.3 2.0 3.2" },
    { ">=1.0, <2.0", "1.0.0 1.9.9", "0.9 2.0.0" },
    { ">=1.0 <2.0", "1.0.0 1.9.9", "0.9 2.0.0" },
    { ">=1.0,<2.0,!=1.5.0", "1.4.9 1.5.1", "1.5.0 2.0" },
    { ">=1.0<2.0", "1.0.0 1.9.9", "0.9 2.0.0" },
    { ">= 1.0, < 2.0", "1.0.0 1.9.9", "0.9 2.0.0" },
    { "  >=1.0 ,  <2.0  ", "1.0.0 1.9.9", "0.9 2.0.0" },
    { ">=1.0,", "1.0.0", "0.9" },
    { "<1.0 || >=2.0", "0.9 2.0.0", "1.0.0 1.9" },
    { "<1||>=2||1.5.5", "0.9 2.0.0 1.5.5", "1.0.0 1.9" },
    { "~1.0 || ~3.0", "1.0.5 3.0.5", "2.0.5 1.1" },
    { ">1 <1 || 5", "5.1", "1.0.0 2.0" },
    { ">=1.0.0-0", "1.0.0-rc.1 1.0.0 2.0.0-alpha", "0.9.9 0.9.9-rc1" },
    { ">=1.0-0", "1.0.0-rc.1 1.0.0", "0.9.9" },
    { ">=1.0.0-0, <2", "1.0.0 1.9", "1.5.0-rc1 2.0" },
    { "~1.2-beta", "1.2.0-beta 1.2.0-rc 1.2.5", "1.2.0-alpha 1.3.0" },
    { "^0.0.3-rc1", "0.0.3-rc2 0.0.3", "0.0.4 0.0.3-rc0" },
    { "<1.0.0-rc2", "1.0.0-rc1 0.9", "1.0.0-rc2 1.0.0" },
    { "~1.0", "1.0.9 v1.0.0", "1.1.0 1.0.1-rc1" },
    { "1.2.3+build", "1.2.3 1.2.3+other", "1.2.4" },
    { "0.1.0", "0.1.0 0.1 v0.1", "0.1.1" },
    { ">18446744073709551614", "18446744073709551615.0.0", "18446744073709551614.1.0" },
};

static void check_versions(const struct semver_range *range, struct arena *mem, const char *list,
                           bool expected)
{
    while (*list) {
        size_t len = strcspn(list, " ");
        const char *text = arena_strndup(mem, list, len);
        struct semver v;
        assert_true(semver_parse(mem, text, &v));
        if (semver_range_matches(range, &v) != expected)
            fail_msg("%s is %s", text, expected ? "left out" : "taken");
        list += len + (list[len] == ' ');
    }
}

static void range_matches_case(void **state)
{
    const struct range_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct semver_range *range = NULL;
    assert_null(semver_range_parse(mem, c->range, &range));
    check_versions(range, mem, c->in, true);
    check_versions(range, mem, c->out, false);
}

static const char *const broken[] = {
    "not a version", "latest",     "1.2.3.4",   ">",      ">=",
    "1.2 ||",        "|| 1.2",     "1 || || 2", "1 | 2",  ",1",
    "1,,2",          "1 -2",       "1.2.3 - ",  ">1 - 2", ">>1",
    "= >1",          "1..2",       "1.2x",      "x1",     "1.2.3-",
    "1.2.3-01",      "1.2.3-rc_1", "~1.2;rm",   "V1",     "18446744073709551616",
    "1.2.3 latest",  "\xff",
};

static void what_is_no_range_is_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct semver_range *range = NULL;
        SCOPED(err_free) struct err *e = semver_range_parse(mem, broken[i], &range);
        if (!err_is(e, ERR_INVALID))
            fail_msg("%s: %s", broken[i], e ? err_text(e) : "taken");
        assert_null(range);
    }
    struct semver_range *range = NULL;
    SCOPED(err_free) struct err *e = semver_range_parse(mem, ">=1, <banana", &range);
    assert_string_equal(err_text(e),
                        "improper constraint: >=1, <banana: no version at character 7");
}

static void ranges_are_bounded(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(many, SBUF_MAX);
    SBUF(exact, SBUF_MAX);
    for (size_t i = 0; i < 257; i++) {
        sbuf_add(&many, i ? "||1" : "1");
        if (i < 256)
            sbuf_add(&exact, i ? "||1" : "1");
    }
    struct semver_range *range = NULL;
    assert_null(semver_range_parse(mem, sbuf_text(&exact), &range));
    SCOPED(err_free) struct err *e = semver_range_parse(mem, sbuf_text(&many), &range);
    assert_true(err_is(e, ERR_LIMIT));
    char *blanks = base_alloc(4098);
    memset(blanks, ' ', 4097);
    SCOPED(err_free) struct err *other = semver_range_parse(mem, blanks, &range);
    assert_true(err_is(other, ERR_LIMIT));
    free(blanks);
}

static void long_versions_are_read(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t len = (size_t)1 << 20;
    char *text = base_alloc(len + 1);
    memset(text, '7', len);
    struct semver v;
    assert_false(semver_parse(mem, text, &v));
    memcpy(text, "1.0.0-", strlen("1.0.0-"));
    assert_true(semver_parse(mem, text, &v));
    assert_int_equal(semver_compare(&v, &v), 0);
    free(text);
}

enum { OTHERS = 5 };

int main(void)
{
    static const struct rows tests[] = {
        ROWS_BY(version_cases, text, version_matches_case),
        ROWS_BY(range_cases, range, range_matches_case),
        SINGLE(precedence_is_that_of_semver_2),
        SINGLE(metadata_and_missing_parts_do_not_count),
        SINGLE(what_is_no_range_is_refused),
        SINGLE(ranges_are_bounded),
        SINGLE(long_versions_are_read),
    };
    return rows_run("base_semver", tests, ARRAY_LEN(tests));
}
