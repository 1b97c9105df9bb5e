#include "canary/metric/template.h"

#include <string.h>

#include "canary/metric/template_code.h"

#define SCRATCH_BYTES ((size_t)256 << 20) /* far beyond what the limits let a template take */

MUST_USE static struct err *render(struct arena *scratch, const char *text,
                                   const struct template_facts *facts, struct sbuf *out)
{
    struct template_tokens tokens = { 0 };
    struct template_program program;
    size_t len = strlen(text);
    if (len > TEMPLATE_MAX)
        return err_new(ERR_LIMIT,
                       "template parsing failed: template: tmpl: it is %zu bytes long, %zu are "
                       "the most",
                       len, TEMPLATE_MAX);
    template_lex(scratch, text, len, &tokens);
    TRY(err_wrap(template_compile(scratch, text, &tokens, &program), "template parsing failed"));
    return err_wrap(template_run(scratch, &program, facts, out), "template excution failed");
}

struct err *template_render(struct arena *mem, const char *text, const struct template_facts *facts,
                            const char **out)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(SCRATCH_BYTES);
    SBUF(made, TEMPLATE_OUTPUT_MAX);
    TRY(render(scratch, text, facts, &made));
    if (made.len && memchr(made.bytes, '\0', made.len))
        return err_new(ERR_INVALID, "template excution failed: template: tmpl: the text holds a "
                                    "NUL character");
    return sbuf_finish(&made, mem, out, NULL);
}
