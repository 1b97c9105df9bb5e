#include <stdint.h>
#include <string.h>

#include "canary/metric/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text is rendered within its bounds or refused, and the same way twice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *variables = val_new_map(mem);
    val_set_text(mem, variables, "a", "alpha");
    val_set_text(mem, variables, "b-c", "^5..");
    struct template_facts facts = { "podinfo", "test", "app", "svc", "in", "ro", "1m", variables };
    const char *text = arena_strndup(mem, (const char *)data, size), *made = "", *again = "";
    SCOPED(err_free) struct err *e = template_render(mem, text, &facts, &made);
    SCOPED(err_free) struct err *second = template_render(mem, text, &facts, &again);
    ASSERT(!e == !second && strlen(made) <= TEMPLATE_OUTPUT_MAX);
    ASSERT(strcmp(e ? err_text(e) : made, second ? err_text(second) : again) == 0);
    return 0;
}
