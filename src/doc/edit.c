#include "doc/edit.h"

#include <string.h>

#include "base/utf8.h"
#include "doc/edit_patch.h"
#include "doc/edit_tree.h"

#define SHOWN_MAX_BYTES 300 /* of a path in a message */

struct doc_edit {
    struct arena *mem;
    struct doc_yaml_limits limits;
    struct edit_tree tree;
};

struct err *doc_edit_new(struct arena *mem, const char *text, size_t len,
                         const struct doc_yaml_limits *limits, struct doc_edit **out,
                         struct doc_pos *at)
{
    struct doc_yaml_list docs = { 0 };
    TRY(doc_yaml_load(mem, text, len, limits, &docs, at));
    struct doc_edit *edit = arena_alloc(mem, sizeof(*edit));
    edit->mem = mem;
    edit->limits = *limits;
    edit_tree_read(mem, text, len, &docs, &edit->tree);
    *out = edit;
    return NULL;
}

/* ---- paths ---- */

static bool is_end(const struct doc_step *step)
{
    return !step->key && step->index == DOC_EDIT_END;
}

/* "spec.containers[0].image", as far as `count` steps; on one line. */
static const char *shown(struct doc_edit *edit, const struct doc_step *path, size_t count,
                         const char *key)
{
    SBUF(text, (size_t)1 << 20);
    for (size_t i = 0; i < count && !is_end(&path[i]); i++) {
        if (path[i].key)
            sbuf_addf(&text, "%s%s", i ? "." : "", path[i].key);
        else
            sbuf_addf(&text, "[%zu]", path[i].index);
    }
    if (key)
        sbuf_addf(&text, "%s%s", text.len ? "." : "", key);
    const char *whole = sbuf_text(&text);
    char *copy = arena_strndup(edit->mem, whole, utf8_fit(whole, SHOWN_MAX_BYTES));
    for (char *c = copy; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
    return *copy ? copy : "the document";
}

static struct val *val_step(const struct val *v, const struct doc_step *step)
{
    return step->key ? val_get(v, step->key) : val_item(v, step->index);
}

static struct edit_node *node_step(const struct edit_node *node, const struct doc_step *step)
{
    if (step->key) {
        struct edit_node *key = node->kind == EDIT_MAP ? edit_tree_entry(node, step->key) : NULL;
        return key ? key->value : NULL;
    }
    struct edit_node *item = node->kind == EDIT_LIST ? node->first : NULL;
    for (size_t i = 0; item && i < step->index; i++)
        item = item->next;
    return item;
}

/* The document with a copy of its value, on which the edits are carried out too: what the text must read as in the end. */
MUST_USE static struct err *open_document(struct doc_edit *edit, size_t at,
                                          struct edit_document **out)
{
    if (at >= edit->tree.documents.len || !edit->tree.documents.at[at].old)
        return err_new(ERR_NOT_FOUND, "there is no document %zu, or it is empty", at + 1);
    *out = &edit->tree.documents.at[at];
    if (!(*out)->want)
        (*out)->want = val_copy(edit->mem, (*out)->old);
    return NULL;
}

MUST_USE static struct err *check_text(const char *text, const char *what)
{
    size_t len = strlen(text);
    return utf8_find_bad(text, len) == len ? NULL : err_new(ERR_INVALID, "%s is not UTF-8", what);
}

MUST_USE static struct err *alias_error(const char *path)
{
    return err_new(ERR_INVALID,
                   "%s is an alias of something that stands elsewhere: write it out to change it",
                   path);
}

MUST_USE static struct err *merged_error(const char *path)
{
    return err_new(ERR_INVALID, "%s comes from a merge key (<<): write it out to change it", path);
}

/* ---- set ---- */

/* The node and the value at a path, which must be there. */
MUST_USE static struct err *find(struct doc_edit *edit, const struct edit_document *document,
                                 const struct doc_step *path, struct edit_node **node,
                                 struct val **value)
{
    *node = document->root;
    *value = document->want;
    for (size_t i = 0; !is_end(&path[i]); i++) {
        bool is_alias = (*node)->kind == EDIT_ALIAS;
        *value = val_step(*value, &path[i]);
        if (!*value)
            return err_new(ERR_NOT_FOUND, "there is no %s", shown(edit, path, i + 1, NULL));
        if (is_alias)
            return alias_error(shown(edit, path, i, NULL));
        *node = node_step(*node, &path[i]);
        if (!*node)
            return merged_error(shown(edit, path, i + 1, NULL));
    }
    return NULL;
}

static void want_text(struct doc_edit *edit, struct edit_node *node, struct val *value,
                      const char *text)
{
    bool is_old = node->kind == EDIT_SCALAR && node->is_text && !strcmp(node->text, text);
    node->want = is_old ? NULL : arena_strdup(edit->mem, text);
    *value = *val_new_text(edit->mem, text);
}

static bool has_text(const struct val *v, const char *text)
{
    return val_text(v) && v->len == strlen(text) && !strcmp(v->text, text);
}

struct err *doc_edit_set(struct doc_edit *edit, size_t document, const struct doc_step *path,
                         const char *text)
{
    struct edit_document *in;
    struct edit_node *node;
    struct val *value;
    TRY(check_text(text, "the new text"));
    TRY(open_document(edit, document, &in));
    TRY(find(edit, in, path, &node, &value));
    if (val_is_list(value) || val_is_map(value))
        return err_new(ERR_INVALID, "%s is %s, not a text", shown(edit, path, SIZE_MAX, NULL),
                       val_type_name(value->type));
    if (!has_text(value, text))
        want_text(edit, node, value, text);
    return NULL;
}

/* ---- put ---- */

static struct val *need_extras(struct doc_edit *edit, struct edit_node *node)
{
    if (!node->extras)
        node->extras = val_new_map(edit->mem);
    return node->extras;
}

/* A place in the maps of a document: in the text, and in what it is to become. */
struct cursor {
    struct edit_node *node; /* NULL: not in the text yet */
    struct val *extras;     /* then: here */
    struct val *value;
};

/* An entry that was removed comes back without anything in it. */
static void restore_empty(struct edit_node *key)
{
    key->is_removed = false;
    for (struct edit_node *at = key->value->first; at; at = at->next)
        at->is_removed = true;
    key->value->extras = NULL;
}

/* One step down for put, over maps that are not there yet. */
MUST_USE static struct err *step_down(struct doc_edit *edit, struct cursor *cursor,
                                      const struct doc_step *path, size_t i)
{
    const struct doc_step *step = &path[i];
    struct edit_node *from = cursor->node;
    struct edit_node *to = from ? node_step(from, step) : NULL;
    struct val *old = val_step(cursor->value, step);
    if (from && from->kind == EDIT_ALIAS)
        return alias_error(shown(edit, path, i, NULL));
    if (!step->key) {
        if (!old || !to)
            return err_new(ERR_NOT_FOUND, "there is no %s", shown(edit, path, i + 1, NULL));
        if (val_is_null(old))
            old->type = VAL_MAP; /* it becomes one: nothing else is put into it */
        *cursor = (struct cursor){ .node = to, .value = old };
        return NULL;
    }
    if (from && !to && old && !val_get(from->extras, step->key))
        return merged_error(shown(edit, path, i + 1, NULL));
    if (to && to->kind == EDIT_ALIAS)
        return alias_error(shown(edit, path, i + 1, NULL));
    if (to && to->kind == EDIT_LIST && to->key->is_removed)
        return err_new(ERR_INVALID, "%s was a list: it cannot become a map",
                       shown(edit, path, i + 1, NULL));
    if (to && to->key->is_removed)
        restore_empty(to->key);
    bool is_other = old && !val_is_null(old) && !val_is_list(old) && !val_is_map(old);
    struct val *value =
        is_other || val_is_list(old) ? old : val_need_map(edit->mem, cursor->value, step->key);
    if (is_other || !value)
        return err_new(ERR_INVALID, "%s is %s, not a map",
                       shown(edit, path, is_other ? i + 1 : i, NULL),
                       val_type_name(is_other ? old->type : cursor->value->type));
    struct val *extras = NULL;
    if (!to)
        extras =
            val_need_map(edit->mem, from ? need_extras(edit, from) : cursor->extras, step->key);
    *cursor = (struct cursor){ .node = to, .extras = extras, .value = value };
    return NULL;
}

MUST_USE static struct err *put_entry(struct doc_edit *edit, const struct cursor *at,
                                      const char *key, const char *text, const char *path)
{
    struct edit_node *entry =
        at->node && at->node->kind == EDIT_MAP ? edit_tree_entry(at->node, key) : NULL;
    struct val *old = val_get(at->value, key);
    if (val_is_list(old) || val_is_map(old))
        return err_new(ERR_INVALID, "%s is %s, not a text", path, val_type_name(old->type));
    if (entry && (val_is_map(entry->value->old) || val_is_list(entry->value->old)))
        return err_new(ERR_INVALID, "%s was a list or a map: it cannot become a text", path);
    if (entry && (!has_text(old, text) || entry->is_removed)) {
        entry->is_removed = false;
        val_set_text(edit->mem, at->value, key, text);
        want_text(edit, entry->value, val_get(at->value, key), text);
        return NULL;
    }
    if (entry || (old && has_text(old, text)))
        return NULL;
    val_set_text(edit->mem, at->node ? need_extras(edit, at->node) : at->extras, key, text);
    val_set_text(edit->mem, at->value, key, text);
    return NULL;
}

struct err *doc_edit_put(struct doc_edit *edit, size_t document, const struct doc_step *path,
                         const char *key, const char *text)
{
    struct edit_document *in;
    TRY(check_text(text, "the new text"));
    TRY(check_text(key, "the key"));
    TRY(open_document(edit, document, &in));
    size_t depth = 0;
    while (!is_end(&path[depth])) {
        if (++depth > DOC_DEPTH_MAX - 2)
            return err_new(ERR_LIMIT, "a path of more than %d steps", DOC_DEPTH_MAX - 2);
    }
    struct cursor cursor = { .node = in->root, .value = in->want };
    for (size_t i = 0; i < depth; i++)
        TRY(step_down(edit, &cursor, path, i));
    if (cursor.node && cursor.node->kind == EDIT_ALIAS)
        return alias_error(shown(edit, path, depth, NULL));
    if (!val_is_map(cursor.value))
        return err_new(ERR_INVALID, "%s is %s, not a map", shown(edit, path, depth, NULL),
                       val_type_name(cursor.value->type));
    return put_entry(edit, &cursor, key, text, shown(edit, path, depth, key));
}

/* ---- remove ---- */

/* Takes the entry out of the text: from the node it stands in, or from what was to be added there. */
static void remove_text(struct edit_node *root, const struct doc_step *path, const char *key)
{
    struct edit_node *node = root;
    size_t i = 0;
    for (; !is_end(&path[i]); i++) {
        struct edit_node *next = node_step(node, &path[i]);
        if (!next)
            break;
        node = next;
    }
    struct val *extras = node->extras, *around = NULL;
    for (; !is_end(&path[i]); i++) {
        around = extras;
        extras = val_step(extras, &path[i]);
    }
    bool was_extra = val_remove(extras, key);
    if (around && was_extra && !val_len(extras))
        val_remove(around, path[i - 1].key);
    struct edit_node *entry = !around && node->kind == EDIT_MAP ? edit_tree_entry(node, key) : NULL;
    node->was_reduced = node->was_reduced || (!around && (entry || was_extra));
    if (entry)
        entry->is_removed = true;
}

bool doc_edit_remove(struct doc_edit *edit, size_t document, const struct doc_step *path,
                     const char *key)
{
    struct edit_document *in;
    SCOPED(err_free) struct err *e = open_document(edit, document, &in);
    if (e)
        return false;
    struct val *around = NULL, *value = in->want;
    const struct doc_step *step = path;
    for (; value && !is_end(step); step++) {
        around = value;
        value = val_step(value, step);
    }
    if (!val_is_map(value) || !val_remove(value, key))
        return false;
    if (around && !val_len(value) && step[-1].key)
        val_remove(around, step[-1].key);
    remove_text(in->root, path, key);
    return true;
}

/* ---- finish ---- */

static bool is_same(const struct val *a, const struct val *b)
{
    return a && b ? val_equal(a, b) : a == b;
}

MUST_USE static struct err *prove(struct doc_edit *edit, const char *text, size_t len)
{
    const struct edit_tree *tree = &edit->tree;
    struct doc_yaml_list docs = { 0 };
    struct doc_pos at = { 0 };
    struct doc_yaml_limits limits = edit->limits;
    limits.bytes = SBUF_MAX; /* what was short enough may grow by its edits */
    struct err *e = doc_yaml_load(edit->mem, text, len, &limits, &docs, &at);
    for (size_t i = 0; i < tree->documents.len; i++) {
        const struct edit_document *document = &tree->documents.at[i];
        const struct val *want = document->want ? document->want : document->old;
        if (i < docs.len && is_same(want, docs.at[i].root))
            continue;
        err_free(e);
        return err_new(ERR_INVALID,
                       "document %zu (line %u) cannot be edited the way it is written: aliases, "
                       "merge keys (<<), \"? \" or tabs stand in the way",
                       i + 1, document->line);
    }
    return err_wrap(e, "the edited text cannot be read");
}

struct err *doc_edit_finish(struct doc_edit *edit, const char **out, size_t *out_len,
                            bool *is_changed)
{
    struct edit_patches patches = { 0 };
    struct edit_tree *tree = &edit->tree;
    *out = tree->text;
    *out_len = tree->len;
    *is_changed = false;
    for (size_t i = 0; i < tree->documents.len; i++) {
        if (tree->documents.at[i].want)
            edit_patch_document(edit->mem, tree, &tree->documents.at[i], &patches);
    }
    SBUF(text, SBUF_MAX);
    if (!edit_patch_apply(tree, &patches, &text))
        return err_new(ERR_INVALID, "the edits are in each other's way, or the text gets too long");
    TRY(prove(edit, sbuf_text(&text), text.len));
    bool is_other = text.len != tree->len || memcmp(sbuf_text(&text), tree->text, text.len) != 0;
    if (is_other)
        TRY(sbuf_finish(&text, edit->mem, out, out_len));
    *is_changed = is_other;
    return NULL;
}
