#include <stdint.h>
#include <string.h>

#include "doc/diff.h"
#include "doc/json.h"
#include "doc/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_null(const struct val *v)
{
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        if (w.v->type == VAL_NULL)
            return true;
    }
    return false;
}

static void try_strategic(struct arena *mem, const char *kind, const struct val *from,
                          const struct val *to)
{
    struct val *merged = NULL;
    SCOPED(err_free) struct err *e = doc_strategic_apply(mem, "v1", kind, from, to, &merged);
    ASSERT(!e || err_is(e, ERR_INVALID) || err_is(e, ERR_LIMIT));
    struct val *patch = doc_strategic_diff(mem, "v1", kind, from, to);
    if (!val_is_map(patch) || !val_is_map(from))
        return;
    SCOPED(err_free)
    struct err *second = doc_strategic_apply(mem, "v1", kind, from, patch, &merged);
    ASSERT(!second || err_is(second, ERR_INVALID) || err_is(second, ERR_LIMIT));
}

/* Two documents, a line break between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    size_t first = (size_t)(end - data);
    struct val *from = NULL, *to = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, (const char *)data, first, &from);
    if (e)
        return 0;
    SCOPED(err_free)
    struct err *second = doc_json_parse(mem, (const char *)end + 1, size - first - 1, &to);
    if (second)
        return 0;
    struct val *patch = doc_merge_diff(mem, from, to);
    ASSERT(!patch == val_equal(from, to));
    if (!has_null(to))
        ASSERT(!patch || val_equal(doc_merge_apply(mem, from, patch), to));
    (void)doc_merge_apply(mem, from, to);
    struct doc_changes changes = { 0 };
    doc_diff(mem, from, to, &changes);
    ASSERT(!changes.len == val_equal(from, to));
    try_strategic(mem, "Pod", from, to);
    try_strategic(mem, "Service", from, to);
    return 0;
}
