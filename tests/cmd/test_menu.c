#include <string.h>

#include "../rows.h"

#include "cmd/menu.h"

#define SCREEN_BYTES ((size_t)1 << 20)
#define ROWS_MAX     8

/* Keys pressed on rows given as letters: c a choice that is chosen, o one that is not, - a line that only stands there. After
 * them: the rows, the cursor's row in capitals. */
static const struct press_case {
    const char *name, *rows, *keys, *after;
    enum menu_state state;
} press_cases[] = {
    { "the cursor begins on the first choice", "-c-c", "", "-C-c", MENU_OPEN },
    { "space toggles the row of the cursor", "-c-c", " ", "-O-c", MENU_OPEN },
    { "space twice is nothing", "cc", "  ", "Cc", MENU_OPEN },
    { "down passes over what is no choice", "c--c", "j", "c--C", MENU_OPEN },
    { "tab is down", "cc", "\t", "cC", MENU_OPEN },
    { "an arrow is down", "cc", "\033[B", "cC", MENU_OPEN },
    { "an arrow in application mode is down", "cc", "\033OB", "cC", MENU_OPEN },
    { "down wraps at the end", "c-c-", "jj", "C-c-", MENU_OPEN },
    { "up wraps at the beginning", "-c-c", "k", "-c-C", MENU_OPEN },
    { "an arrow is up", "-c-c", "\033[A", "-c-C", MENU_OPEN },
    { "the only choice stays", "-c-", "jk", "-C-", MENU_OPEN },
    { "other keys do nothing", "cc", "x\033[C\033[15~é", "Cc", MENU_OPEN },
    { "toggling and moving on", "ccc", " j ", "oOc", MENU_OPEN },
    { "return accepts", "cc", " \r", "Oc", MENU_ACCEPTED },
    { "newline accepts", "cc", "\n", "Cc", MENU_ACCEPTED },
    { "q aborts", "cc", "jq", "cC", MENU_ABORTED },
    { "escape aborts", "cc", "\033", "Cc", MENU_ABORTED },
    { "ctrl-C aborts", "cc", "\003", "Cc", MENU_ABORTED },
    { "what comes after the end is not read", "cc", "\rq", "Cc", MENU_ACCEPTED },
};

static size_t make_rows(const char *letters, struct menu_row rows[ROWS_MAX])
{
    size_t len = strlen(letters);
    assert_true(len <= ROWS_MAX);
    for (size_t i = 0; i < len; i++)
        rows[i] = (struct menu_row){ .text = "row",
                                     .is_choice = letters[i] != '-',
                                     .is_chosen = letters[i] == 'c' };
    return len;
}

static enum menu_state press_all(struct menu *menu, const char *keys)
{
    enum menu_state state = MENU_OPEN;
    while (*keys && state == MENU_OPEN) {
        size_t len = 1;
        while (keys[len] && menu_key_goes_on(keys, len))
            len++;
        state = menu_press(menu, menu_key(keys, len));
        keys += len;
    }
    return state;
}

static void keys_give(void **state)
{
    const struct press_case *row = *state;
    struct menu_row rows[ROWS_MAX];
    struct menu menu = {
        .heading = "H", .hint = "hint", .rows = rows, .len = make_rows(row->rows, rows)
    };
    char after[ROWS_MAX + 1] = "";
    assert_true(menu_start(&menu));
    assert_int_equal(press_all(&menu, row->keys), row->state);
    for (size_t i = 0; i < menu.len; i++) {
        char letter = !rows[i].is_choice ? '-' : rows[i].is_chosen ? 'c' : 'o';
        after[i] = i == menu.cursor ? (char)(letter - 'a' + 'A') : letter;
    }
    assert_string_equal(after, row->after);
}

static void nothing_to_choose_is_said(void **state)
{
    (void)state;
    struct menu_row rows[ROWS_MAX];
    struct menu menu = { .rows = rows, .len = make_rows("--", rows) };
    assert_false(menu_start(&menu));
    menu.len = 0;
    assert_false(menu_start(&menu));
}

static void a_drawing_goes_over_the_last_one(void **state)
{
    (void)state;
    struct menu_row rows[] = { { "first  a: 1 -> 2", true, true },
                               { "       b: 1 -> 2", true, false },
                               { "other  locked", false, false } };
    struct menu menu = {
        .heading = "WORKLOAD", .hint = "hint", .rows = rows, .len = ARRAY_LEN(rows)
    };
    SBUF(text, SCREEN_BYTES);
    assert_true(menu_start(&menu));
    menu_draw(&menu, (struct menu_size){ 80, 24 }, &text);
    assert_string_equal(sbuf_text(&text), "    WORKLOAD\033[K\n"
                                          "⇒ ◉ first  a: 1 -> 2\033[K\n"
                                          "  ◯        b: 1 -> 2\033[K\n"
                                          "    other  locked\033[K\n"
                                          "\033[K\nhint\033[K\n\033[J");
    sbuf_reset(&text);
    menu_draw(&menu, (struct menu_size){ 80, 24 }, &text);
    assert_int_equal(strncmp(sbuf_text(&text), "\033[6A\r    WORKLOAD", 15), 0);
}

static void what_is_too_wide_is_cut_and_what_is_too_high_scrolls(void **state)
{
    (void)state;
    struct menu_row rows[ROWS_MAX];
    struct menu menu = { .heading = "ABCDEFGHIJ",
                         .hint = "0123456789",
                         .rows = rows,
                         .len = make_rows("cccccccc", rows) };
    SBUF(text, SCREEN_BYTES);
    for (size_t i = 0; i < menu.len; i++)
        rows[i].text = ((const char *[]){ "row 0", "row 1", "row 2", "row 3", "rów 4", "row\t5",
                                          "row 6", "row 7" })[i];
    assert_true(menu_start(&menu));
    assert_int_equal(press_all(&menu, "jjjj"), MENU_OPEN);
    menu_draw(&menu, (struct menu_size){ .columns = 9, .lines = 6 }, &text);
    assert_string_equal(sbuf_text(&text), "    ABCD\033[K\n"
                                          "  ◉ row \033[K\n"
                                          "⇒ ◉ rów \033[K\n"
                                          "\033[K\n01234567\033[K\n\033[J");
    sbuf_reset(&text);
    assert_int_equal(press_all(&menu, "j"), MENU_OPEN);
    menu_draw(&menu, (struct menu_size){ .columns = 1, .lines = 1 }, &text);
    assert_non_null(strstr(sbuf_text(&text), "⇒ ◉ r\033[K"));
    sbuf_reset(&text);
    menu_draw(&menu, (struct menu_size){ .columns = 20, .lines = 5 }, &text);
    assert_non_null(strstr(sbuf_text(&text), "row?5")); /* a tab would move the cursor */
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(nothing_to_choose_is_said),
        SINGLE(a_drawing_goes_over_the_last_one),
        SINGLE(what_is_too_wide_is_cut_and_what_is_too_high_scrolls),
        ROWS(press_cases, keys_give),
    };
    return rows_run("menu", tests, ARRAY_LEN(tests));
}
