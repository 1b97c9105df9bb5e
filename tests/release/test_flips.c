/* What somebody takes back in git is not done again, and what is new is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "release/flips.h"

static const struct release_flip first = { "a:deployment/b", "c", "x:1", "x:2" };
static const struct release_flip second = { "a:deployment/b", "c", "x:2", "x:3" };
static const struct release_flip after_all = { "a:deployment/b", "c", "x:1", "x:3" };
static const struct release_flip elsewhere = { "a:deployment/b", "d", "x:1", "x:2" };
static const struct release_flip of_another = { "a:deployment/b2", "c", "x:1", "x:2" };

static void what_was_never_done_is_new(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW); /* it failed, say */
    release_flips_made(flips, &first);
    assert_int_equal(release_flips_look(flips, &elsewhere), RELEASE_FLIP_NEW);
}

static void what_was_taken_back_is_left_and_told_once(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_made(flips, &first);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_TAKEN_BACK);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_TOLD);
    assert_int_equal(release_flips_look(flips, &after_all), RELEASE_FLIP_NEW);
}

/* A filter that leads back and forth is automation's own doing. */
static void only_the_last_one_counts(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_made(flips, &first);
    release_flips_made(flips, &second);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
    assert_int_equal(release_flips_look(flips, &second), RELEASE_FLIP_TAKEN_BACK);
    release_flips_made(flips, &second);
    assert_int_equal(release_flips_look(flips, &second), RELEASE_FLIP_TAKEN_BACK);
}

static void an_earlier_run_is_learnt_from_its_newest_note(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_learn(flips, &second);
    release_flips_learn(flips, &first);
    assert_int_equal(release_flips_look(flips, &second), RELEASE_FLIP_TAKEN_BACK);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
}

static void who_asks_anew_is_heard(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_made(flips, &first);
    release_flips_forget(flips, "a:deployment/b2");
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_TAKEN_BACK);
    release_flips_forget(flips, first.id);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
}

static void who_asked_anew_earlier_is_heard(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_learn(flips, &elsewhere);
    release_flips_learn_end(flips, first.id);
    release_flips_learn(flips, &first);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
    assert_int_equal(release_flips_look(flips, &elsewhere), RELEASE_FLIP_TAKEN_BACK);
}

/* Notes are read beside commands that end meanwhile. */
static void who_asks_anew_while_notes_are_read_is_heard(void **state)
{
    (void)state;
    SCOPED(release_flips_free) struct release_flips *earlier = release_flips_new();
    release_flips_learn(earlier, &first);
    release_flips_learn(earlier, &elsewhere);
    release_flips_learn(earlier, &of_another);
    SCOPED(release_flips_free) struct release_flips *flips = release_flips_new();
    release_flips_forget(flips, first.id);
    release_flips_made(flips, &second);
    release_flips_learn_all(flips, earlier);
    assert_int_equal(release_flips_look(flips, &first), RELEASE_FLIP_NEW);
    assert_int_equal(release_flips_look(flips, &elsewhere), RELEASE_FLIP_NEW);
    assert_int_equal(release_flips_look(flips, &second), RELEASE_FLIP_TAKEN_BACK);
    assert_int_equal(release_flips_look(flips, &of_another), RELEASE_FLIP_TAKEN_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_done_is_new),
        cmocka_unit_test(what_was_taken_back_is_left_and_told_once),
        cmocka_unit_test(only_the_last_one_counts),
        cmocka_unit_test(an_earlier_run_is_learnt_from_its_newest_note),
        cmocka_unit_test(who_asks_anew_is_heard),
        cmocka_unit_test(who_asked_anew_earlier_is_heard),
        cmocka_unit_test(who_asks_anew_while_notes_are_read_is_heard),
    };
    return cmocka_run_group_tests_name("release_flips", tests, NULL, NULL);
}
