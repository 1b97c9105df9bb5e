#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read survives being written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    int64_t ms = 0, again = 0;
    SCOPED(err_free)
    struct err *e = duration_parse(arena_strndup(mem, (const char *)data, size), &ms);
    if (e)
        return 0;
    char text[DURATION_TEXT_BYTES];
    duration_format(ms, text);
    SCOPED(err_free) struct err *second = duration_parse(text, &again);
    ASSERT(second ? ms > 9223372036854 || ms < -9223372036854
                  : again == ms); /* rounding may lead beyond Go's range */
    return 0;
}
