/* What `kubectl apply` or Flux v1 applied and the manifest no longer has. A sync takes their fields over before it applies, so
 * these go; a dry run of the apply alone does not show it. */
#include <string.h>

#include "base/vec.h"
#include "cmd/diff.h"
#include "doc/json.h"
#include "doc/object.h"
#include "kube/apply.h"

#define MANAGERS_MAX 16 /* of one object; with more, nothing is said */

/* Sets of fields as managedFields spells them: f:name, k:{"name":"x"}, v:"value", and . for the item itself. */
struct takeover {
    struct arena *mem;
    const struct val *live, *declared;
    const struct val
        *kept[MANAGERS_MAX]; /* what stays owned: our fields after the apply, everybody else's */
    size_t kept_count;
    struct doc_changes *out;
};

/* One level of the walk over the fields that become ours. */
struct level {
    const struct val *fields, *live;
    const struct val
        *declared; /* the same place in what was applied; defaults of the server are not there */
    const struct val *kept[MANAGERS_MAX]; /* the same place in each set; NULL: not in it */
    const char *path;
    size_t next;
};

static bool is_ours(const struct val *entry)
{
    return !strcmp(val_text_or(val_get(entry, "manager"), ""), KUBE_FIELD_MANAGER) &&
           !strcmp(val_text_or(val_get(entry, "operation"), ""), "Apply");
}

static const struct val *our_fields(const struct val *entries)
{
    for (size_t i = 0; i < val_len(entries); i++) {
        if (is_ours(val_item(entries, i)))
            return val_get(val_item(entries, i), "fieldsV1");
    }
    return NULL;
}

/* The item of a list with these keys: {"containerPort":80,"protocol":"TCP"}. One that lacks a key is taken to have it by default. */
static const struct val *find_item(const struct val *list, const struct val *keys)
{
    for (size_t i = 0; i < val_len(list); i++) {
        size_t same = 0, other = 0;
        for (size_t k = 0; k < val_len(keys); k++) {
            const struct val *value = val_get(val_item(list, i), keys->pairs[k].key);
            same += value && val_equal(value, keys->pairs[k].value);
            other += value && !val_equal(value, keys->pairs[k].value);
        }
        if (same && !other)
            return val_item(list, i);
    }
    return NULL;
}

/* {"port":80} of k:{"port":80}; NULL for other steps. */
static const struct val *keys_of(struct arena *mem, const char *step)
{
    struct val *keys = NULL;
    SCOPED(err_free) struct err *e = NULL;
    if (!strncmp(step, "k:", 2))
        e = doc_json_parse(mem, step + 2, strlen(step + 2), &keys);
    return e ? NULL : keys;
}

/* How people write a step: .name, ["a.b"], [port=80]. */
static const char *show_step(struct arena *mem, const char *step, const struct val *keys)
{
    const char *text = "";
    if (!keys)
        return doc_diff_key(mem, step + 2);
    for (size_t i = 0; i < val_len(keys); i++) {
        const struct val *value = keys->pairs[i].value;
        const char *word =
            val_text(value) ? doc_diff_word(mem, val_text(value)) : val_json(mem, value, NULL);
        text = arena_printf(mem, "%s%s%s=%s", text, i ? "," : "",
                            doc_diff_word(mem, keys->pairs[i].key), word);
    }
    return arena_printf(mem, "[%s]", text);
}

/* Where a step leads; NULL if nowhere, and for v: and . which name no field of their own. */
static const struct val *follow(const struct val *from, const char *step, const struct val *keys)
{
    if (keys)
        return find_item(from, keys);
    return strncmp(step, "f:", 2) ? NULL : val_get(from, step + 2);
}

static bool has_steps(const struct val *fields)
{
    for (size_t i = 0; i < val_len(fields); i++) {
        if (strcmp(fields->pairs[i].key, ".") != 0)
            return true;
    }
    return false;
}

/* Looks at one step; true when the walk has to go below it. */
static bool look_at(struct takeover *takeover, const struct level *top, const struct val_pair *pair,
                    struct level *below)
{
    const struct val *keys = keys_of(takeover->mem, pair->key);
    bool is_kept = false;
    *below = (struct level){ .fields = pair->value,
                             .live = follow(top->live, pair->key, keys),
                             .declared = follow(top->declared, pair->key, keys) };
    if (!below->live || !below->declared)
        return false;
    below->path =
        arena_printf(takeover->mem, "%s%s", top->path, show_step(takeover->mem, pair->key, keys));
    for (size_t i = 0; i < takeover->kept_count; i++) {
        below->kept[i] = val_get(top->kept[i], pair->key);
        is_kept = is_kept || below->kept[i];
    }
    if (has_steps(pair->value))
        return true;
    if (!is_kept)
        *vec_push(takeover->mem, takeover->out) =
            (struct doc_change){ .path = below->path, .from = below->live };
    return false;
}

static void walk(struct takeover *takeover, const struct val *taken)
{
    struct level stack[DOC_DEPTH_MAX + 1] = { 0 };
    stack[0] = (struct level){
        .fields = taken, .live = takeover->live, .declared = takeover->declared, .path = ""
    };
    memcpy(stack[0].kept, takeover->kept, sizeof(takeover->kept));
    for (size_t depth = 1; depth > 0;) {
        struct level *top = &stack[depth - 1];
        if (!top->fields || top->next >= val_len(top->fields) || depth > DOC_DEPTH_MAX) {
            depth--;
            continue;
        }
        const struct val_pair *pair = &top->fields->pairs[top->next++];
        depth += look_at(takeover, top, pair, &stack[depth]);
    }
}

/* What kubectl noted that it applied; NULL if that cannot be read. */
static const struct val *declared_by(struct arena *mem, const struct val *live)
{
    struct val *declared = NULL;
    const char *text = object_annotation(live, "kubectl.kubernetes.io/last-applied-configuration");
    SCOPED(err_free)
    struct err *e = text ? doc_json_parse(mem, text, strlen(text), &declared) : NULL;
    return e ? NULL : declared;
}

void diff_takeover_changes(struct arena *mem, const struct diff_pair *pair, struct doc_changes *out)
{
    size_t len = 0;
    struct val *patch = NULL;
    const char *text = kube_apply_takeover_patch(mem, pair->live, KUBE_FIELD_MANAGER, &len);
    if (!text)
        return;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, len, &patch);
    ASSERT(!e); /* it was made just now */
    const struct val *entries = val_get(val_item(patch, 0), "value");
    struct takeover takeover = { .mem = mem, .live = pair->shown_live, .out = out };
    takeover.declared = declared_by(mem, pair->live);
    takeover.kept[takeover.kept_count++] =
        our_fields(VAL_PATH(pair->applied, "metadata", "managedFields"));
    if (val_len(entries) > MANAGERS_MAX)
        return;
    for (size_t i = 0; i < val_len(entries); i++) {
        if (!is_ours(val_item(entries, i)))
            takeover.kept[takeover.kept_count++] = val_get(val_item(entries, i), "fieldsV1");
    }
    walk(&takeover, our_fields(entries));
}
