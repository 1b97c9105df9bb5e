#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "cmd/diff.h"
#include "doc/object.h"
#include "sync/mark.h"

#define VALUE_SHOWN_BYTES  160
#define VALUE_FORMAT_BYTES ((size_t)4 << 20)
#define MASK               "***"

static const char *action_name(enum diff_action action)
{
    switch (action) {
    case DIFF_NONE: return "none";
    case DIFF_CREATE: return "create";
    case DIFF_UPDATE: return "update";
    case DIFF_DELETE: return "delete";
    case DIFF_SKIP: return "skip";
    case DIFF_ERROR: return "error";
    }
    return "";
}

/* -- what is not worth a line --------------------------------------------------------------------- */

/* Written by the server, or by us for our own use; last-applied-configuration holds a Secret's data in clear. */
static const char *const unshown_metadata[] = {
    "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink",
};

static void drop_keys(struct val *map, const char *const *keys, size_t count)
{
    for (size_t i = 0; val_is_map(map) && i < count; i++)
        val_remove(map, keys[i]);
}

static struct val *comparable(struct arena *mem, const struct val *object)
{
    static const char *const marks[] = { MARK_LABEL, MARK_CHECKSUM,
                                         "kubectl.kubernetes.io/last-applied-configuration" };
    struct val *copy = val_copy(mem, object);
    struct val *metadata = val_get(copy, "metadata");
    val_remove(copy, "status");
    drop_keys(metadata, unshown_metadata, ARRAY_LEN(unshown_metadata));
    static const char *const maps[] = { "labels", "annotations" };
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        struct val *map = val_get(metadata, maps[i]);
        drop_keys(map, marks, ARRAY_LEN(marks));
        if (val_is_map(map) && !val_len(map))
            val_remove(metadata, maps[i]);
    }
    return copy;
}

static bool is_secret_value(const char *path)
{
    static const char *const maps[] = { ".data", ".stringData" };
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        size_t len = strlen(maps[i]);
        if (!strncmp(path, maps[i], len) && (path[len] == '.' || path[len] == '[' || !path[len]))
            return true;
    }
    return false;
}

static const struct val *mask(struct arena *mem, const struct val *value)
{
    return value ? val_new_text(mem, MASK) : NULL;
}

static bool is_full_map(const struct val *value)
{
    return val_is_map(value) && val_len(value) > 0;
}

/* A map that came or went as a whole, field by field. What it puts at the end of the list is looked at in its turn. */
static void expand(struct arena *mem, const struct doc_changes *from, struct doc_changes *out)
{
    const struct val *empty = val_new_map(mem);
    struct doc_changes todo = *from;
    for (size_t i = 0; i < todo.len; i++) {
        struct doc_change change = todo.at[i];
        bool came = !change.from && is_full_map(change.to),
             went = !change.to && is_full_map(change.from);
        if (!came && !went) {
            *vec_push(mem, out) = change;
            continue;
        }
        size_t first = todo.len;
        doc_diff(mem, came ? empty : change.from, came ? change.to : empty, &todo);
        for (size_t k = first; k < todo.len; k++)
            todo.at[k].path = arena_printf(mem, "%s%s", change.path, todo.at[k].path);
    }
}

/* The end of [name=x], [port=80,protocol=TCP] or ["a.b"], which begins here: past the bracket. `value`: what follows the first
 * equals sign that nothing quotes; NULL for a key. */
static const char *end_of_step(const char *at, const char **value)
{
    bool is_quoted = false;
    *value = NULL;
    for (; *at; at++) {
        if (is_quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            is_quoted = !is_quoted;
        else if (*at == '=' && !is_quoted && !*value)
            *value = at + 1;
        else if (*at == ']' && !is_quoted)
            return at + 1;
    }
    return at;
}

/* Items of lists are called by values of theirs: .env[name=x]. Keys of maps stay. */
static const char *mask_path(struct arena *mem, const char *path)
{
    SBUF(out, SBUF_MAX);
    while (*path) {
        const char *value = NULL;
        const char *end = *path == '[' ? end_of_step(path, &value) : path + 1;
        sbuf_add_bytes(&out, path, (size_t)((value ? value : end) - path));
        sbuf_add(&out, value ? MASK "]" : "");
        path = end;
    }
    return arena_strdup(mem, sbuf_text(&out));
}

void diff_mask(struct arena *mem, struct doc_changes *changes)
{
    for (size_t i = 0; i < changes->len; i++) {
        struct doc_change *change = &changes->at[i];
        change->path = mask_path(mem, change->path);
        change->from = mask(mem, change->from);
        change->to = mask(mem, change->to);
    }
}

void diff_changes(struct arena *mem, const struct val *live, const struct val *applied,
                  struct doc_changes *out)
{
    bool is_secret =
        !strcmp(object_kind(applied), "Secret") && !strcmp(object_api_version(applied), "v1");
    struct doc_changes whole = { 0 };
    const struct diff_pair pair = { live, applied, comparable(mem, live) };
    doc_diff(mem, pair.shown_live, comparable(mem, applied), &whole);
    diff_takeover_changes(mem, &pair, &whole);
    expand(mem, &whole, out);
    for (size_t i = 0; is_secret && i < out->len; i++) {
        struct doc_change *change = &out->at[i];
        if (!is_secret_value(change->path))
            continue;
        change->from = mask(mem, change->from);
        change->to = mask(mem, change->to);
    }
}

/* -- text ---------------------------------------------------------------------------------------- */

static void add_value(struct sbuf *out, const struct val *value)
{
    if (value->type == VAL_STRING && !strcmp(value->text, MASK)) {
        sbuf_add(out, MASK);
        return;
    }
    SBUF(text, VALUE_FORMAT_BYTES);
    val_format_json(value, &text);
    size_t len = utf8_fit(sbuf_text(&text), VALUE_SHOWN_BYTES);
    sbuf_add_bytes(out, sbuf_text(&text), len);
    if (len < text.len)
        sbuf_addf(out, "... (%zu bytes)", text.len);
}

static void add_change(struct sbuf *out, const struct doc_change *change)
{
    const char *sign = !change->from ? "+" : !change->to ? "-" : "~";
    sbuf_addf(out, "  %s ", sign);
    sbuf_add_shown(out, change->path);
    sbuf_add(out, ": ");
    if (change->from)
        add_value(out, change->from);
    if (change->from && change->to)
        sbuf_add(out, " -> ");
    if (change->to)
        add_value(out, change->to);
    sbuf_add_char(out, '\n');
}

/* demo/deployment/web (web.yaml:3), clusterrole/reader */
static void add_id(struct sbuf *out, const struct diff_object *object)
{
    SBUF(id, SBUF_MAX);
    if (*object->ns)
        sbuf_addf(&id, "%s/", object->ns);
    for (const char *c = object->kind; *c; c++)
        sbuf_add_char(&id, (char)tolower((unsigned char)*c));
    sbuf_addf(&id, "/%s", object->name);
    if (*object->path)
        sbuf_addf(&id, " (%s:%u)", object->path, object->line);
    sbuf_add_shown(out, sbuf_text(&id));
}

static void add_object(struct sbuf *out, const struct diff_object *object)
{
    static const char *const words[] = { [DIFF_NONE] = "",          [DIFF_CREATE] = ": created",
                                         [DIFF_UPDATE] = "",        [DIFF_DELETE] = ": deleted",
                                         [DIFF_SKIP] = ": skipped", [DIFF_ERROR] = ": error" };
    if (object->action == DIFF_NONE)
        return;
    add_id(out, object);
    sbuf_add(out, words[object->action]);
    sbuf_add(out, *object->note ? ": " : "");
    sbuf_add_shown(out, object->note);
    sbuf_add_char(out, '\n');
    for (size_t i = 0; i < object->changes.len; i++)
        add_change(out, &object->changes.at[i]);
}

static void count_all(const struct diff_objects *objects, size_t counts[DIFF_ERROR + 1])
{
    memset(counts, 0, (DIFF_ERROR + 1) * sizeof(*counts));
    for (size_t i = 0; i < objects->len; i++)
        counts[objects->at[i].action]++;
}

void diff_print(const struct diff_objects *objects, struct sbuf *out)
{
    size_t counts[DIFF_ERROR + 1];
    count_all(objects, counts);
    for (size_t i = 0; i < objects->len; i++)
        add_object(out, &objects->at[i]);
    sbuf_addf(out, "%zu created, %zu changed, %zu deleted, %zu the same", counts[DIFF_CREATE],
              counts[DIFF_UPDATE], counts[DIFF_DELETE], counts[DIFF_NONE]);
    if (counts[DIFF_SKIP])
        sbuf_addf(out, ", %zu skipped", counts[DIFF_SKIP]);
    if (counts[DIFF_ERROR])
        sbuf_addf(out, ", %zu in error", counts[DIFF_ERROR]);
    sbuf_add_char(out, '\n');
}

/* -- JSON ----------------------------------------------------------------------------------------- */

static struct val *change_json(struct arena *mem, const struct doc_change *change)
{
    struct val *one = val_new_map(mem);
    val_set_text(mem, one, "path", change->path);
    if (change->from)
        val_set(mem, one, "from", val_copy(mem, change->from));
    if (change->to)
        val_set(mem, one, "to", val_copy(mem, change->to));
    return one;
}

static struct val *object_json(struct arena *mem, const struct diff_object *object)
{
    struct val *one = val_new_map(mem);
    struct val *changes = val_new_list(mem);
    val_set_text(mem, one, "namespace", object->ns);
    val_set_text(mem, one, "apiVersion", object->api_version);
    val_set_text(mem, one, "kind", object->kind);
    val_set_text(mem, one, "name", object->name);
    val_set_text(mem, one, "path", object->path);
    val_set(mem, one, "line", val_new_int(mem, object->line));
    val_set_text(mem, one, "action", action_name(object->action));
    if (*object->note)
        val_set_text(mem, one, "message", object->note);
    for (size_t i = 0; i < object->changes.len; i++)
        val_append(mem, changes, change_json(mem, &object->changes.at[i]));
    val_set(mem, one, "changes", changes);
    return one;
}

void diff_print_json(struct arena *mem, const struct diff_objects *objects, struct sbuf *out)
{
    size_t counts[DIFF_ERROR + 1];
    struct val *all = val_new_map(mem), *list = val_new_list(mem), *summary = val_new_map(mem);
    count_all(objects, counts);
    for (size_t i = 0; i < objects->len; i++) {
        if (objects->at[i].action != DIFF_NONE)
            val_append(mem, list, object_json(mem, &objects->at[i]));
    }
    for (enum diff_action action = DIFF_NONE; action <= DIFF_ERROR; action++)
        val_set(mem, summary, action_name(action), val_new_int(mem, (int64_t)counts[action]));
    val_set(mem, all, "objects", list);
    val_set(mem, all, "summary", summary);
    val_format_json(all, out);
    sbuf_add_char(out, '\n');
}
