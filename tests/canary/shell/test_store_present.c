#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "canary/store_present.h"

static const char *name_of(char out[32], int i)
{
    snprintf(out, 32, "ns-%d/name-%d", i % 7, i);
    return out;
}

static void what_was_added_is_there_until_it_is_removed(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    struct store_present set = { 0 };
    char name[32];
    assert_false(store_present_has(&set, "a/b"));
    store_present_remove(&set, "a/b");
    for (int i = 0; i < NAMES; i++)
        store_present_add(&set, name_of(name, i));
    store_present_add(&set, name_of(name, 0));
    assert_int_equal(set.len, NAMES);
    for (int i = 0; i < NAMES; i += 3)
        store_present_remove(&set, name_of(name, i));
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(store_present_has(&set, name_of(name, i)), i % 3 != 0);
    for (int i = 0; i < NAMES; i++)
        store_present_remove(&set, name_of(name, i));
    assert_int_equal(set.len, 0);
    store_present_fini(&set);
    assert_false(store_present_has(&set, "a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_there_until_it_is_removed),
    };
    return cmocka_run_group_tests_name("store_present", tests, NULL, NULL);
}
