#include <stdint.h>

#include "base/arena.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read survives being written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    int64_t ns = 0, again = 0;
    SCOPED(err_free) struct err *e = time_parse(arena_strndup(mem, (const char *)data, size), &ns);
    if (e)
        return 0;
    char text[TIME_TEXT_BYTES];
    time_format_nanos(ns, text);
    SCOPED(err_free) struct err *second = time_parse(text, &again);
    ASSERT(!second && again == ns);
    return 0;
}
