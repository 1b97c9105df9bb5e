/* An object with managedFields from anyone: the takeover's patch is one that can be read and needs no second one. */
#include <stdint.h>
#include <string.h>

#include "doc/json.h"
#include "kube/managed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The object after the patch. */
static const struct val *patched(struct arena *mem, const struct val *object, const char *patch,
                                 size_t len)
{
    struct val *list;
    struct err *e = doc_json_parse(mem, patch, len, &list);
    ASSERT(!e && val_len(list) == 2);
    struct val *copy = val_copy(mem, object);
    val_set(mem, val_need_map(mem, copy, "metadata"), "managedFields",
            val_copy(mem, val_get(val_item(list, 0), "value")));
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    struct err *e = doc_json_parse(mem, (const char *)data, size, &object);
    unsigned char print[16];
    const char *const path[] = { "f:spec", "f:replicas", NULL };
    if (!e) {
        bool is_ours = kube_apply_fingerprint(object, "serin", print);
        ASSERT(is_ours || !kube_apply_owns(object, "serin", path));
        size_t len;
        const char *patch = kube_apply_takeover_patch(mem, object, "serin", &len);
        if (patch) {
            const struct val *after = patched(mem, object, patch, len);
            ASSERT(kube_apply_fingerprint(after, "serin", print));
            ASSERT(!kube_apply_takeover_patch(mem, after, "serin", &len));
        }
    }
    err_free(e);
    arena_free(mem);
    return 0;
}
