/* Bodies of requests: whatever comes is read or refused, and what was read means the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct arena *mem, const char *text, size_t len)
{
    struct val *first = NULL, *again = NULL;
    int64_t offset = -1;
    SCOPED(err_free) struct err *e = api_body_value(mem, text, len, &first, &offset);
    ASSERT(offset >= 0 && (size_t)offset <= len);
    if (e)
        return;
    size_t json_len;
    const char *json = val_json(mem, first, &json_len);
    SCOPED(err_free) struct err *refused = api_body_value(mem, json, json_len, &again, NULL);
    ASSERT(!refused && val_equal(first, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = arena_strndup(mem, (const char *)data, size);
    struct api_change change;
    bool is;
    check_value(mem, text, size);
    err_free(api_body_change(mem, text, size, &change, NULL));
    err_free(api_body_bool(mem, text, size, &is, NULL));
    return 0;
}
