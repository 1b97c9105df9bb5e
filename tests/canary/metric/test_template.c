#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "canary/metric/template.h"
#include "template_cases.h"

static struct template_facts facts_of(struct arena *mem)
{
    return (struct template_facts){
        .name = "podinfo",
        .ns = "test",
        .target = "podinfo-app",
        .service = "svc",
        .ingress = "ing",
        .route = "rt",
        .interval = "1m",
        .variables = value_of(mem, "{a: alpha, b-c: beta, empty: '', re: '^5..', "
                                   "quote: 'say \"hi\"'}"),
    };
}

static void it_does_as_go_does(void **state)
{
    const struct template_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct template_facts facts = facts_of(mem);
    const char *made = NULL;
    SCOPED(err_free) struct err *e = template_render(mem, row->text, &facts, &made);
    assert_string_equal(e ? err_text(e) : made, row->result);
    assert_int_equal(!e, row->is_good);
}

/* What Go accepts and we do not, and the other way round. */
static const struct own_case {
    const char *text, *result;
} own_cases[] = {
    { "{{ define \"x\" }}{{ end }}",
      "template parsing failed: template: tmpl:1: {{define}} is not supported" },
    { "{{ template \"x\" }}",
      "template parsing failed: template: tmpl:1: {{template}} is not supported" },
    { "{{ block \"x\" . }}{{ end }}",
      "template parsing failed: template: tmpl:1: {{block}} is not supported" },
    { "{{ 1i }}",
      "template parsing failed: template: tmpl:1: complex numbers are not supported: 1i" },
    { "{{ 0x1p4 }}",
      "template parsing failed: template: tmpl:1: hexadecimal floats are not supported: 0x1p4" },
    { "{{ 18446744073709551615 }}",
      "template parsing failed: template: tmpl:1: 18446744073709551615 overflows int" },
    { "{{ len nil }}",
      "template excution failed: template: tmpl:1:3: executing \"tmpl\" at <len nil>: "
      "error calling len: len of nil pointer" },
    { "{{ call name }}",
      "template parsing failed: template: tmpl:1: function \"call\" not defined" },
    { "{{ \"a\\x00b\" }}",
      "template excution failed: template: tmpl: the text holds a NUL character" },
};

static void it_is_refused(void **state)
{
    const struct own_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct template_facts facts = facts_of(mem);
    const char *made = NULL;
    SCOPED(err_free) struct err *e = template_render(mem, row->text, &facts, &made);
    assert_string_equal(err_text(e), row->result);
}

static void no_variables_are_an_empty_map(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct template_facts facts = facts_of(mem);
    const char *made = NULL;
    facts.variables = NULL;
    SCOPED(err_free)
    struct err *missing = template_render(mem, "{{ variables.a }}", &facts, &made);
    assert_string_equal(err_text(missing),
                        "template excution failed: template: tmpl:1:3: executing \"tmpl\" at "
                        "<variables>: map has no entry for key \"a\"");
    assert_null(template_render(mem, "{{ if variables }}a{{ end }}{{ index variables \"a\" }}.",
                                &facts, &made));
    assert_string_equal(made, ".");
}

/* -- bounds -------------------------------------------------------------------------------------------------------- */

/* `before`, `times` times `piece`, `behind`. */
static const char *repeat(struct arena *mem, const char *before, const char *piece, size_t times,
                          const char *behind)
{
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, before);
    for (size_t i = 0; i < times; i++)
        sbuf_add(&text, piece);
    sbuf_add(&text, behind);
    return arena_strdup(mem, sbuf_text(&text));
}

static const struct bound_case {
    const char *name, *before, *piece;
    size_t times;
    const char *behind;
    enum err_kind kind;
    const char *text; /* part of the error */
} bound_cases[] = {
    { "a long template", "", "x", TEMPLATE_MAX + 1, "", ERR_LIMIT, "it is 65537 bytes long" },
    { "a long text", "{{ range 70000 }}x{{ end }}", "", 0, "", ERR_LIMIT,
      "the text is longer than 65536 bytes" },
    { "a long text of a function", "{{ printf \"%70000d\" 1 }}", "", 0, "", ERR_LIMIT,
      "a text is longer than 65536 bytes" },
    { "a loop that does not end", "{{ range 1000000000000 }}{{ end }}", "", 0, "", ERR_LIMIT,
      "makes too much work" },
    { "loops in loops", "", "{{ range 1000 }}", 8,
      "{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}"
      "{{ end }}{{ end }}{{ end }}",
      ERR_LIMIT, "makes too much work" },
    { "long texts compared over and over",
      "{{ $x := printf \"%60000d\" 1 }}{{ range 100000 }}{{ $y := eq $x $x }}{{ end }}", "", 0, "",
      ERR_LIMIT, "makes too much work" },
    { "long texts made over and over",
      "{{ range 100000 }}{{ $x := printf \"%60000d\" 1 }}{{ end }}", "", 0, "", ERR_LIMIT,
      "makes too much work" },
    { "many parentheses", "{{ ", "(", 70, "", ERR_INVALID, "max expression depth exceeded" },
    { "many blocks", "", "{{ if true }}", 70, "", ERR_INVALID, "blocks are nested more than 64" },
    { "a chain of else if as long", "{{ if false }}", "{{ else if false }}", 70, "{{ end }}",
      ERR_INVALID, "blocks are nested more than 64" },
};

static void it_is_bounded(void **state)
{
    const struct bound_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct template_facts facts = facts_of(mem);
    const char *made = NULL;
    const char *text = repeat(mem, row->before, row->piece, row->times, row->behind);
    SCOPED(err_free) struct err *e = template_render(mem, text, &facts, &made);
    assert_true(err_is(e, row->kind));
    if (!strstr(err_text(e), row->text))
        fail_msg("%s", err_text(e));
}

/* As much as the bounds allow is done: nothing here is slow, nothing aborts. */
static void the_most_there_may_be_is_fine(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct template_facts facts = facts_of(mem);
    const char *made = NULL;
    assert_null(
        template_render(mem, repeat(mem, "", "{{name}}", TEMPLATE_MAX / 8, ""), &facts, &made));
    assert_int_equal(strlen(made), TEMPLATE_MAX / 8 * strlen("podinfo"));
    assert_null(
        template_render(mem, repeat(mem, "", "{{$x := name}}", 4000, "{{$x}}"), &facts, &made));
    assert_string_equal(made, "podinfo");
    assert_null(
        template_render(mem, repeat(mem, "{{name | ", "print | ", 3000, "len}}"), &facts, &made));
    assert_string_equal(made, "7");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(no_variables_are_an_empty_map),
        SINGLE(the_most_there_may_be_is_fine),
        ROWS_BY(template_cases, text, it_does_as_go_does),
        ROWS_BY(own_cases, text, it_is_refused),
        ROWS(bound_cases, it_is_bounded),
    };
    return rows_run("canary_metric_template", tests, ARRAY_LEN(tests));
}
