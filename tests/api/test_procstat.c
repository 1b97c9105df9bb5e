/* The line of /proc/PID/stat is read whatever the process is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/procstat.h"

#define REST " S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 2200 2300 240 25"

static void check(const char *line)
{
    struct api_procstat stat;
    assert_true(api_procstat_parse(line, &stat));
    assert_int_equal(stat.user_ticks, 140);
    assert_int_equal(stat.system_ticks, 150);
    assert_int_equal(stat.start_ticks, 2200);
    assert_int_equal(stat.virtual_bytes, 2300);
    assert_int_equal(stat.resident_pages, 240);
}

static void fields_are_found_by_their_place(void **state)
{
    (void)state;
    check("1 (serin)" REST);
}

static void a_name_may_hold_brackets_and_blanks(void **state)
{
    (void)state;
    check("1 (a) S 9 (b c)" REST);
}

static void a_line_that_is_too_short_is_refused(void **state)
{
    (void)state;
    struct api_procstat stat;
    assert_false(api_procstat_parse("", &stat));
    assert_false(api_procstat_parse("1 (serin", &stat));
    assert_false(api_procstat_parse("1 (serin) S 1 2 3", &stat));
    assert_false(api_procstat_parse("1 (serin)", &stat));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_their_place),
        cmocka_unit_test(a_name_may_hold_brackets_and_blanks),
        cmocka_unit_test(a_line_that_is_too_short_is_refused),
    };
    return cmocka_run_group_tests_name("api_procstat", tests, NULL, NULL);
}
