/* Update specs: whatever comes is read or refused, and what was read means the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "release/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *written(struct arena *mem, const struct release_spec *spec, size_t *len)
{
    return val_json(mem, release_spec_json(mem, spec), len);
}

static void check_again(struct arena *mem, const struct release_spec *spec)
{
    size_t len;
    struct release_spec again;
    struct val *v = NULL;
    const char *first = written(mem, spec, &len);
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, first, len, &v);
    ASSERT(!bad);
    SCOPED(err_free) struct err *refused = release_spec_parse(mem, v, &again);
    ASSERT(!refused);
    ASSERT(strcmp(first, written(mem, &again, NULL)) == 0);
}

static void check_result(struct arena *mem, const struct val *v, const struct release_spec *spec)
{
    struct release_result result;
    SCOPED(err_free) struct err *e = release_result_parse(mem, v, &result);
    if (e)
        return;
    ASSERT(release_result_table(mem, &result, 2));
    ASSERT(release_message_note(mem, "id", spec, &result));
    ASSERT(release_message_commit(mem, spec, &result, "[ci skip]"));
    ASSERT(release_message_event(mem, spec, &result, "0123456789"));
    ASSERT(release_message_applied(mem, spec, &result));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    struct release_spec spec;
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, (const char *)data, size, &v);
    if (bad)
        return 0;
    SCOPED(err_free) struct err *e = release_spec_parse(mem, v, &spec);
    if (e)
        return 0;
    check_again(mem, &spec);
    check_result(mem, val_get(v, "result"), &spec);
    return 0;
}
