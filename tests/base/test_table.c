#include "../rows.h"

#include "base/table.h"

static const struct table_case {
    const char *name, *text, *expected;
} table_cases[] = {
    { "nothing stays nothing", "", "" },
    { "a line without tabs stays as it is", "just a line\n", "just a line\n" },
    { "the last cell of a line is not padded", "a\tb\n", "a  b\n" },
    { "a column is as wide as its widest cell and two blanks", "a\tb\nlonger\tc\n",
      "a       b\nlonger  c\n" },
    { "headings alone keep their columns", "WORKLOAD\tCONTAINER\tIMAGE\tRELEASE\tPOLICY\n",
      "WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY\n" },
    { "an empty column is two wide", "a\t\tb\nc\t\td\n", "a    b\nc    d\n" },
    { "blanks at the end that padding made stay", "a\tb\t\nlong\tlonger\tx\n",
      "a     b       \nlong  longer  x\n" },
    { "rows after the first leave cells blank",
      "id\tone\timage:1\tready\tautomated\n\ttwo\timage:22\t\t\n",
      "id  one  image:1   ready  automated\n    two  image:22         \n" },
    { "a column ends where a line does not have it", "aaaa\tb\nline without\nc\td\n",
      "aaaa  b\nline without\nc  d\n" },
    { "a shorter line breaks only the columns it lacks", "a\tbbb\tc\nd\te\nf\tg\th\n",
      "a  bbb  c\nd  e\nf  g  h\n" },
    { "width is counted in characters", "\xc3\xa9\xc3\xa9\tb\nabc\td\n",
      "\xc3\xa9\xc3\xa9   b\nabc  d\n" },
    { "a last line without its end gets one", "a\tb", "a  b\n" },
    { "empty lines separate columns", "a\tb\n\nccc\td\n", "a  b\n\nccc  d\n" },
};

static void layout_is(void **state)
{
    const struct table_case *row = *state;
    SBUF(out, 4096);
    table_layout(&out, row->text);
    assert_string_equal(sbuf_text(&out), row->expected);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(table_cases, layout_is),
    };
    return rows_run("table", tests, ARRAY_LEN(tests));
}
