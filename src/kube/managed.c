#include "kube/managed.h"

#include <string.h>

#include "base/hash.h"
#include "doc/object.h"

/* Managers whose Update entries come from `kubectl apply`: kubectl since 1.18, kubectl before (the server took the first
 * part of its user agent; Flux v1's image ran both), and what the server calls the state before the first apply. */
static const char *const client_side[] = { "kubectl-client-side-apply", "kubectl",
                                           "before-first-apply" };

static bool entry_is(const struct val *entry, const char *manager, const char *operation)
{
    return !strcmp(val_text_or(val_get(entry, "manager"), ""), manager) &&
           !strcmp(val_text_or(val_get(entry, "operation"), ""), operation) &&
           !*val_text_or(val_get(entry, "subresource"), "");
}

static const struct val *entries_of(const struct val *object)
{
    return VAL_PATH(object, "metadata", "managedFields");
}

static const struct val *find_ours(const struct val *entries, const char *field_manager)
{
    for (size_t i = 0; i < val_len(entries); i++) {
        const struct val *entry = val_item(entries, i);
        if (entry_is(entry, field_manager, "Apply"))
            return entry;
    }
    return NULL;
}

bool kube_apply_fingerprint(const struct val *object, const char *field_manager,
                            unsigned char out[16])
{
    const struct val *fields = val_get(find_ours(entries_of(object), field_manager), "fieldsV1");
    if (!val_is_map(fields))
        return false;
    /* The server keeps the set as one text with sorted keys, so its compact form is the same in every answer. */
    SBUF(text, SBUF_MAX);
    val_format_json(fields, &text);
    hash_fingerprint(sbuf_text(&text), text.len, out);
    return true;
}

bool kube_apply_owns(const struct val *object, const char *field_manager,
                     const char *const *field_path)
{
    const struct val *fields = val_get(find_ours(entries_of(object), field_manager), "fieldsV1");
    return val_is_map(fields) && val_path(fields, field_path) != NULL;
}

static bool is_to_be_taken(const struct val *entry)
{
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(client_side) && !is_known; i++)
        is_known = entry_is(entry, client_side[i], "Update");
    return is_known && VAL_PATH(entry, "fieldsV1", "f:metadata", "f:annotations",
                                "f:kubectl.kubernetes.io/last-applied-configuration");
}

/* Adds the fields of `from` that `into` lacks. An explicit stack: the documents come from outside. */
static void unite(struct arena *mem, struct val *into, const struct val *from)
{
    struct level {
        struct val *into;
        const struct val *from;
        size_t next;
    } stack[DOC_DEPTH_MAX + 1] = { { into, from, 0 } };
    for (size_t depth = 1; depth > 0;) {
        struct level *top = &stack[depth - 1];
        if (top->next >= top->from->len) {
            depth--;
            continue;
        }
        const struct val_pair *pair = &top->from->pairs[top->next++];
        struct val *there = val_get(top->into, pair->key);
        if (!there)
            val_set(mem, top->into, pair->key, val_copy(mem, pair->value));
        else if (val_is_map(there) && val_is_map(pair->value) && depth < ARRAY_LEN(stack))
            stack[depth++] = (struct level){ there, pair->value, 0 };
    }
}

/* A copy of the entries in which those to be taken over are united in one Apply entry of ours; NULL: none is. */
static struct val *taken_over(struct arena *mem, const struct val *entries,
                              const char *field_manager)
{
    struct val *list = val_new_list(mem), *ours = NULL;
    const struct val *old_ours = find_ours(entries, field_manager);
    if (old_ours)
        ours = val_copy(mem, old_ours);
    bool is_any = false;
    for (size_t i = 0; i < val_len(entries); i++) {
        const struct val *entry = val_item(entries, i);
        if (entry == old_ours) {
            val_append(mem, list, ours);
        } else if (!is_to_be_taken(entry)) {
            val_append(mem, list, val_copy(mem, entry));
        } else if (!ours) {
            is_any = true;
            ours = val_copy(mem, entry);
            val_set_text(mem, ours, "manager", field_manager);
            val_set_text(mem, ours, "operation", "Apply");
            val_append(mem, list, ours);
        } else {
            is_any = true;
            if (!val_is_map(val_get(ours, "fieldsV1"))) /* no server says so */
                val_set(mem, ours, "fieldsV1", val_new_map(mem));
            unite(mem, val_get(ours, "fieldsV1"), val_get(entry, "fieldsV1"));
        }
    }
    return is_any ? list : NULL;
}

static struct val *replace_op(struct arena *mem, const char *path, struct val *value)
{
    struct val *op = val_new_map(mem);
    val_set_text(mem, op, "op", "replace");
    val_set_text(mem, op, "path", path);
    val_set(mem, op, "value", value);
    return op;
}

const char *kube_apply_takeover_patch(struct arena *mem, const struct val *object,
                                      const char *field_manager, size_t *out_len)
{
    const char *version = object_resource_version(object);
    if (!*version)
        return NULL; /* without it there is no guard: never write blindly */
    struct val *entries = taken_over(mem, entries_of(object), field_manager);
    if (!entries)
        return NULL;
    struct val *patch = val_new_list(mem);
    val_append(mem, patch, replace_op(mem, "/metadata/managedFields", entries));
    val_append(mem, patch,
               replace_op(mem, "/metadata/resourceVersion", val_new_text(mem, version)));
    return val_json(mem, patch, out_len);
}
