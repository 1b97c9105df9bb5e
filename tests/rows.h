/* rows.h - tests of tables: each row is a test of its own, with the row's name and the row as its state. Stands for cmocka.h.
 * Effects:   runs tests.
 * Ownership: tables are borrowed until rows_run returns. */
#ifndef SERIN_TESTS_ROWS_H
#define SERIN_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

struct rows {
    const char *const *name; /* of the first row: the others are `size` bytes apart */
    const void *at;
    size_t len, size;
    CMUnitTestFunction run;
    const char *single; /* name of a test without rows */
    CMFixtureFunction set_up, tear_down;
};

/* A test of every row, named by its field `name` or by another one. */
#define ROWS(cases, fn) ROWS_BY(cases, name, fn)
#define ROWS_BY(cases, field, fn)                                          \
    {                                                                      \
        .name = &(cases)[0].field, .at = (cases), .len = ARRAY_LEN(cases), \
        .size = sizeof((cases)[0]), .run = (fn)                            \
    }
/* A test by itself. */
#define SINGLE(fn) SINGLE_IN(fn, NULL, NULL)
#define SINGLE_IN(fn, up, down)                                                   \
    {                                                                             \
        .len = 1, .run = (fn), .single = #fn, .set_up = (up), .tear_down = (down) \
    }

static inline int rows_run(const char *group, const struct rows *rows, size_t len)
{
    enum { TESTS_MAX = 1024 };
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        for (size_t row = 0; row < rows[i].len; row++) {
            const size_t off = row * rows[i].size;
            assert_true(count < TESTS_MAX);
            tests[count++] = (struct CMUnitTest){
                .name = rows[i].single ? rows[i].single
                                       : *(const char *const *)((const char *)rows[i].name + off),
                .test_func = rows[i].run,
                .setup_func = rows[i].set_up,
                .teardown_func = rows[i].tear_down,
                .initial_state = rows[i].at ? (void *)((const char *)rows[i].at + off) : NULL,
            };
        }
    return _cmocka_run_group_tests(group, tests, count, NULL, NULL);
}

#endif
