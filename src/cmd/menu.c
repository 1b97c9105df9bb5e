#include "cmd/menu.h"

#include <string.h>

#define PREFIX_COLUMNS 4 /* "⇒ ◉ " */
#define LINES_AROUND   4 /* heading, blank line, hint; and one where the cursor rests */
#define ESCAPE         '\033'

/* -- choosing ------------------------------------------------------------------------------------ */

/* The next choice from there, in the direction of `step` rows, around the ends; itself if it is the
 * only one. */
static size_t next_choice(const struct menu *menu, size_t from, size_t step)
{
    for (size_t i = 1; i <= menu->len; i++) {
        size_t at = (from + i * step) % menu->len;
        if (menu->rows[at].is_choice)
            return at;
    }
    return menu->len;
}

bool menu_start(struct menu *menu)
{
    menu->lines_drawn = 0;
    menu->cursor = menu->len ? next_choice(menu, menu->len - 1, 1) : menu->len;
    return menu->cursor < menu->len;
}

enum menu_state menu_press(struct menu *menu, enum menu_key key)
{
    switch (key) {
    case MENU_NOTHING: break;
    case MENU_UP: menu->cursor = next_choice(menu, menu->cursor, menu->len - 1); break;
    case MENU_DOWN: menu->cursor = next_choice(menu, menu->cursor, 1); break;
    case MENU_TOGGLE:
        menu->rows[menu->cursor].is_chosen = !menu->rows[menu->cursor].is_chosen;
        break;
    case MENU_ACCEPT: return MENU_ACCEPTED;
    case MENU_ABORT: return MENU_ABORTED;
    }
    return MENU_OPEN;
}

/* -- keys ---------------------------------------------------------------------------------------- */

static bool is_final(char c)
{
    return c >= 0x40 && c <= 0x7e;
}

/* ESC alone is a key; ESC [ … letter and ESC O letter are keys that have no character. */
bool menu_key_goes_on(const char *bytes, size_t len)
{
    if (len == 0 || bytes[0] != ESCAPE)
        return len == 0;
    if (len == 1)
        return true;
    if (bytes[1] != '[' && bytes[1] != 'O')
        return false;
    return len == 2 || !is_final(bytes[len - 1]);
}

enum menu_key menu_key(const char *bytes, size_t len)
{
    /* clang-format off */
    static const struct {
        const char *bytes;
        enum menu_key key;
    } keys[] = {
        { "k", MENU_UP },     { "\033[A", MENU_UP },   { "\033OA", MENU_UP },
        { "j", MENU_DOWN },   { "\033[B", MENU_DOWN }, { "\033OB", MENU_DOWN }, { "\t", MENU_DOWN },
        { " ", MENU_TOGGLE }, { "\r", MENU_ACCEPT },   { "\n", MENU_ACCEPT },
        { "q", MENU_ABORT },  { "\033", MENU_ABORT },  { "\003", MENU_ABORT },  { "\004", MENU_ABORT },
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strlen(keys[i].bytes) == len && !memcmp(keys[i].bytes, bytes, len))
            return keys[i].key;
    }
    return MENU_NOTHING;
}

/* -- drawing ------------------------------------------------------------------------------------- */

/* At most so many characters of UTF-8; what a terminal could take for an order becomes a question mark. */
static void add_cut(struct sbuf *out, const char *text, size_t columns)
{
    size_t used = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        used += (c & 0xc0) != 0x80;
        if (used > columns)
            break;
        sbuf_add_char(out, c < 0x20 || c == 0x7f ? '?' : *text);
    }
}

static void add_line(struct menu *menu, const char *text, size_t columns, struct sbuf *out)
{
    add_cut(out, text, columns);
    sbuf_add(out, "\033[K\n");
    menu->lines_drawn++;
}

static void add_row(struct menu *menu, size_t at, size_t columns, struct sbuf *out)
{
    const struct menu_row *row = &menu->rows[at];
    const char *box = !row->is_choice ? " " : row->is_chosen ? "◉" : "◯";
    sbuf_addf(out, "%s %s ", at == menu->cursor ? "⇒" : " ", box);
    add_line(menu, row->text, columns, out);
}

/* The first row that is shown: the cursor's is about in the middle. */
static size_t first_shown(const struct menu *menu, size_t shown)
{
    size_t before = shown / 2;
    if (menu->len <= shown || menu->cursor < before)
        return 0;
    return MIN_OF(menu->cursor - before, menu->len - shown);
}

void menu_draw(struct menu *menu, struct menu_size size, struct sbuf *out)
{
    size_t columns = size.columns > PREFIX_COLUMNS + 1 ? size.columns - PREFIX_COLUMNS - 1 : 1;
    size_t shown = size.lines > LINES_AROUND + 1 ? size.lines - LINES_AROUND : 1;
    size_t from = first_shown(menu, shown);
    if (menu->lines_drawn)
        sbuf_addf(out, "\033[%zuA\r", menu->lines_drawn);
    menu->lines_drawn = 0;
    sbuf_add(out, "    ");
    add_line(menu, menu->heading, columns, out);
    for (size_t i = from; i < menu->len && i < from + shown; i++)
        add_row(menu, i, columns, out);
    add_line(menu, "", columns, out);
    add_line(menu, menu->hint, columns + PREFIX_COLUMNS, out);
    sbuf_add(out, "\033[J");
}
