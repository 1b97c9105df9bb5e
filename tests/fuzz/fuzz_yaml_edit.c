#include <stdint.h>
#include <string.h>

#include "doc/edit.h"
#include "doc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct doc_yaml_limits limits = { .bytes = (size_t)1 << 16,
                                               .scalar = (size_t)1 << 14,
                                               .nodes = 2000,
                                               .depth = DOC_DEPTH_MAX - 3,
                                               .documents = 20 };

enum { EDITS_MAX = 24 };

static const char *text_of(uint8_t byte)
{
    static const char *const texts[] = {
        "x", "true", "1.10", "a: b", "it's", "\n", "", "{[", " #"
    };
    return texts[byte % ARRAY_LEN(texts)];
}

/* What the first bytes say is asked of the values in their order, until something cannot be done. */
static bool edit_all(struct doc_edit *edit, size_t document, const struct val *root,
                     const uint8_t *bytes)
{
    struct doc_step path[VAL_DEPTH_MAX + 1];
    size_t count = 0;
    for (struct val_walk w = val_walk(root); count < EDITS_MAX && val_walk_next(&w);) {
        if (w.depth)
            path[w.depth - 1] = w.key ? DOC_KEY(w.key) : DOC_AT(w.index);
        path[w.depth] = DOC_END;
        if (w.is_leaving)
            continue;
        uint8_t what = bytes[count++ % 8];
        SCOPED(err_free) struct err *e = NULL;
        if (what % 4 == 0)
            e = doc_edit_set(edit, document, path, text_of(what / 4));
        else if (what % 4 == 1)
            e = doc_edit_put(edit, document, path, text_of(what / 8), text_of(what / 4));
        else if (what % 4 == 2 && val_is_map(w.v) && w.v->len)
            doc_edit_remove(edit, document, path, w.v->pairs[what / 4 % w.v->len].key);
        if (e)
            return false;
    }
    return true;
}

/* One plain edit, which has to work on whatever can be read, where nothing is shared. */
static void set_last(struct arena *mem, const char *text, size_t len, const struct val *root)
{
    struct doc_step path[VAL_DEPTH_MAX + 1], last[VAL_DEPTH_MAX + 1];
    bool is_found = false;
    for (struct val_walk w = val_walk(root); val_walk_next(&w);) {
        if (w.depth)
            path[w.depth - 1] = w.key ? DOC_KEY(w.key) : DOC_AT(w.index);
        path[w.depth] = DOC_END;
        if (val_is_map(w.v) || val_is_list(w.v))
            continue;
        is_found = true;
        memcpy(last, path, sizeof(path));
    }
    if (!is_found)
        return;
    struct doc_edit *edit;
    const char *out;
    size_t out_len;
    bool is_changed;
    SCOPED(err_free) struct err *e = doc_edit_new(mem, text, len, &limits, &edit, NULL);
    ASSERT(!e);
    SCOPED(err_free) struct err *set = doc_edit_set(edit, 0, last, "x");
    ASSERT(!set);
    SCOPED(err_free) struct err *end = doc_edit_finish(edit, &out, &out_len, &is_changed);
    ASSERT(!end);
}

/* Aliases and merges may be in the way of an edit; tabs are blanks behind plain text alone; libyaml takes | and > where it takes
 * no other text, at the front of lines. */
static bool is_odd(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t before = i;
        while (before && (text[before - 1] == ' ' || text[before - 1] == '\t'))
            before--;
        bool is_first = !before || !strchr("-:", text[before - 1]);
        if (text[i] == '\t' || text[i] == '*' || text[i] == '?' ||
            ((text[i] == '|' || text[i] == '>') && is_first))
            return true;
    }
    return memmem(text, len, "<<", 2) != NULL;
}

static bool is_json(struct arena *mem, const char *text, size_t len)
{
    struct val *root = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, len, &root);
    return !e && (val_is_map(root) || val_is_list(root));
}

/* Of such text whatever was asked for can be done. */
static bool is_simple(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("|>&![#\r", text[i]) || (unsigned char)text[i] >= 0x80)
            return false;
    }
    return !is_odd(text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    const char *text = (const char *)data + 8;
    size_t len = size - 8;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    struct doc_edit *edit;
    SCOPED(err_free) struct err *e = doc_yaml_load(mem, text, len, &limits, &docs, NULL);
    if (e)
        return 0;
    SCOPED(err_free) struct err *bad = doc_edit_new(mem, text, len, &limits, &edit, NULL);
    ASSERT(!bad);
    bool is_done = true;
    for (size_t i = 0; i < docs.len && is_done; i++)
        is_done = !docs.at[i].root || edit_all(edit, i, docs.at[i].root, data);
    const char *out;
    size_t out_len;
    bool is_changed;
    SCOPED(err_free) struct err *end = doc_edit_finish(edit, &out, &out_len, &is_changed);
    ASSERT(end || is_changed == (out_len != len || memcmp(out, text, len) != 0));
    ASSERT(!end || !is_done || !is_simple(text, len));
    ASSERT(end || !is_json(mem, text, len) || is_json(mem, out, out_len));
    if (docs.len && docs.at[0].root && !is_odd(text, len))
        set_last(mem, text, len, docs.at[0].root);
    return 0;
}
