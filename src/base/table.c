#include "base/table.h"

#include <string.h>

#include "base/vec.h"

enum { PADDING = 2 };

struct cell {
    const char *text;
    size_t len, chars;
    size_t width; /* with padding; 0 for the last cell of a line */
};

struct line {
    size_t first, count; /* cells */
};

struct layout {
    VEC(struct cell) cells;
    VEC(struct line) lines;
};

static size_t count_chars(const char *text, size_t len)
{
    size_t chars = 0;
    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)text[i] & 0xc0) != 0x80; /* all but continuation bytes */
    return chars;
}

static void split(struct layout *layout, const char *text)
{
    while (*text) {
        struct line *line = vec_push(NULL, &layout->lines);
        line->first = layout->cells.len;
        for (;;) {
            size_t len = strcspn(text, "\t\n");
            struct cell *cell = vec_push(NULL, &layout->cells);
            *cell = (struct cell){ .text = text, .len = len, .chars = count_chars(text, len) };
            line->count++;
            text += len;
            if (*text != '\t')
                break;
            text++;
        }
        text += *text == '\n';
    }
}

static struct cell *ended_cell(struct layout *layout, size_t line, size_t column)
{
    const struct line *at = &layout->lines.at[line];
    return column + 1 < at->count ? &layout->cells.at[at->first + column] : NULL;
}

/* The widths of one column, run by run; false when no line has it. */
static bool measure(struct layout *layout, size_t column)
{
    bool found = false;
    for (size_t from = 0, to; from < layout->lines.len; from = to + 1) {
        size_t widest = 0;
        for (to = from; to < layout->lines.len && ended_cell(layout, to, column); to++)
            widest = MAX_OF(widest, ended_cell(layout, to, column)->chars);
        for (size_t i = from; i < to; i++)
            ended_cell(layout, i, column)->width = widest + PADDING;
        found = found || to > from;
    }
    return found;
}

void table_layout(struct sbuf *out, const char *text)
{
    struct layout layout = { 0 };
    split(&layout, text);
    for (size_t column = 0; measure(&layout, column); column++)
        continue;
    for (size_t i = 0; i < layout.lines.len; i++) {
        const struct line *line = &layout.lines.at[i];
        for (size_t c = 0; c < line->count; c++) {
            const struct cell *cell = &layout.cells.at[line->first + c];
            sbuf_add_bytes(out, cell->text, cell->len);
            for (size_t blanks = cell->chars; blanks < cell->width; blanks++)
                sbuf_add_char(out, ' ');
        }
        sbuf_add_char(out, '\n');
    }
    vec_fini(&layout.cells);
    vec_fini(&layout.lines);
}
