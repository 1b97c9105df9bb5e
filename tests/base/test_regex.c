#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/regex.h"

static bool matches(const char *pattern, const char *text)
{
    SCOPED(regex_free) struct regex *regex = NULL;
    assert_null(regex_new(pattern, &regex));
    return regex_matches(regex, text);
}

static void a_pattern_matches_anywhere(void **state)
{
    (void)state;
    assert_true(matches("prod", "my-prod-1"));
    assert_false(matches("^prod", "my-prod-1"));
    assert_true(matches("^(test|prod)-[0-9]+$", "prod-12"));
    assert_false(matches("^(test|prod)-[0-9]+$", "prod-12a"));
    assert_true(matches("", "anything"));
}

static void a_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    struct regex *regex = NULL;
    SCOPED(err_free) struct err *e = regex_new("ab(c", &regex);
    assert_non_null(e);
    assert_null(regex);
    assert_true(err_is(e, ERR_INVALID));
    assert_non_null(strstr(err_text(e), "at character 5 of the pattern ab(c"));
}

static void a_long_pattern_is_refused(void **state)
{
    (void)state;
    char pattern[REGEX_PATTERN_MAX + 2];
    memset(pattern, 'a', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    struct regex *regex = NULL;
    SCOPED(err_free) struct err *e = regex_new(pattern, &regex);
    assert_true(err_is(e, ERR_LIMIT));
}

static void a_pattern_that_would_take_for_ever_does_not_match(void **state)
{
    (void)state;
    assert_false(matches("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    assert_true(matches("^(a+)+$", "aaaaaaaaaa"));
    assert_false(matches("^(a+)+\\1$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
}

/* Where going back and forth takes too long, the answer is still the right one. */
static void a_hard_pattern_gets_the_right_answer(void **state)
{
    (void)state;
    char text[129] = "";
    memset(text, 'a', sizeof(text) - 1);
    assert_true(matches("^(a|aa)+$", text));
    text[127] = '!';
    assert_false(matches("^(a|aa)+$", text));
    assert_true(matches("^((a+)+|(a|aa)+!)$", text));
    assert_true(matches("^([a-z]+-?)+$|!", text));
    assert_false(matches("^([a-z]+-?)+$|%", text));
}

/* Tags come by the thousands, from registries that nobody knows: 2,000 of them in a moment. */
static void hard_patterns_are_no_burden(void **state)
{
    (void)state;
    char text[129] = "";
    memset(text, 'a', sizeof(text) - 1);
    text[127] = '!';
    SCOPED(regex_free) struct regex *regex = NULL;
    assert_null(regex_new("^([a-z]+-?)+$", &regex));
    clock_t before = clock();
    for (size_t i = 0; i < 2000; i++)
        assert_false(regex_matches(regex, text));
    assert_true((clock() - before) / CLOCKS_PER_SEC < 20);
}

/* What is hard uses up the budget, what is easy does not. */
static void a_budget_bounds_many_matches(void **state)
{
    (void)state;
    char text[129] = "";
    memset(text, 'a', sizeof(text) - 1);
    SCOPED(regex_free) struct regex *hard = NULL, *easy = NULL;
    assert_null(regex_new("^([a-z]+-?)+(!|%)$", &hard));
    assert_null(regex_new("^[a-z]+$", &easy));
    size_t budget = 100000;
    for (size_t i = 0; i < 100; i++)
        assert_true(regex_matches_within(easy, text, &budget));
    assert_int_equal(budget, 100000);
    size_t tries = 0;
    for (; budget && tries < 100; tries++)
        assert_false(regex_matches_within(hard, text, &budget));
    assert_in_range(tries, 2, 20);
    assert_false(regex_matches_within(easy, text, &budget));
    assert_true(regex_matches(easy, text));
}

static void a_long_text_is_not_searched_for_ever(void **state)
{
    (void)state;
    char *text = base_alloc(100002);
    memset(text, 'a', 100000);
    text[100000] = '!';
    assert_false(matches("^(a+)+$", text));
    free(text);
}

static void text_that_is_no_utf8_is_searched_all_the_same(void **state)
{
    (void)state;
    assert_true(matches("b+$", "\xff\xfe bb"));
    assert_false(matches("c", "\xff\xfe bb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_matches_anywhere),
        cmocka_unit_test(a_mistake_is_named_with_its_place),
        cmocka_unit_test(a_long_pattern_is_refused),
        cmocka_unit_test(a_pattern_that_would_take_for_ever_does_not_match),
        cmocka_unit_test(a_hard_pattern_gets_the_right_answer),
        cmocka_unit_test(hard_patterns_are_no_burden),
        cmocka_unit_test(a_budget_bounds_many_matches),
        cmocka_unit_test(a_long_text_is_not_searched_for_ever),
        cmocka_unit_test(text_that_is_no_utf8_is_searched_all_the_same),
    };
    return cmocka_run_group_tests_name("base_regex", tests, NULL, NULL);
}
