/* Long lists: what is kept of them is bounded before it is sent, however many rows come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/rows.h"

#define ROW_BYTES ((size_t)1 << 20)

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_call call = { .mem = mem };
    struct api_rows rows;
    char *text = arena_alloc(mem, ROW_BYTES);
    memset(text, 'a', ROW_BYTES - 1);
    api_rows_init(&rows, &call);
    for (size_t i = 0; i < 2 * SBUF_MAX / ROW_BYTES; i++) {
        arena_reset(rows.scratch);
        api_rows_add(&rows, &call, "ns:deployment/web", val_new_text(rows.scratch, text));
    }
    assert_true(rows.is_over);
    assert_in_range(rows.list.len, SBUF_MAX / ROW_BYTES - 2, SBUF_MAX / ROW_BYTES);
    assert_true(arena_used(mem) < SBUF_MAX + 4 * ROW_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_kept_is_bounded) };
    return cmocka_run_group_tests_name("api_rows", tests, NULL, NULL);
}
