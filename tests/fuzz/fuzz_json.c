#include <stdint.h>
#include <string.h>

#include "doc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read survives being written, read again, copied and sorted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL, *again = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, (const char *)data, size, &v);
    if (e)
        return 0;
    size_t len = 0;
    const char *text = val_json(mem, v, &len);
    SCOPED(err_free) struct err *second = doc_json_parse(mem, text, len, &again);
    ASSERT(!second && val_equal(v, again) && !strcmp(val_json(mem, again, NULL), text));
    struct val *copy = val_copy(mem, v);
    val_sort_keys(copy);
    ASSERT(val_equal(v, copy) && val_equal(copy, v));
    val_drop_nulls(copy);
    return 0;
}
