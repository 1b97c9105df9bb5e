#include "doc/diff.h"

#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "doc/keyed.h"

#define KEY_MAX_BYTES 100 /* of one key in a path */

/* Two values that differ. Done in the order in which they stand: a stack, last one first. NULL is absent. */
struct job {
    const char *path;
    const struct val *from, *to;
};

struct differ {
    struct arena *mem;
    struct doc_changes *out;
    VEC(struct job) stack;
};

static bool is_word(const char *key)
{
    if (!*key || strnlen(key, KEY_MAX_BYTES + 1) > KEY_MAX_BYTES)
        return false;
    for (const char *c = key; *c; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || *c == '_' || *c == '-';
        if (!is_plain)
            return false;
    }
    return true;
}

static const char *quoted(struct arena *mem, const char *text)
{
    SBUF(buf, SBUF_MAX);
    size_t len = utf8_fit(text, KEY_MAX_BYTES);
    sbuf_add_json(&buf, text, len);
    return arena_printf(mem, "%s%s", sbuf_text(&buf), text[len] ? "..." : "");
}

const char *doc_diff_word(struct arena *mem, const char *text)
{
    return is_word(text) ? text : quoted(mem, text);
}

const char *doc_diff_key(struct arena *mem, const char *key)
{
    return is_word(key) ? arena_printf(mem, ".%s", key)
                        : arena_printf(mem, "[%s]", quoted(mem, key));
}

static const char *path_of_key(struct arena *mem, const char *path, const char *key)
{
    return arena_printf(mem, "%s%s", path, doc_diff_key(mem, key));
}

static void compare(struct differ *d, const char *path, const struct val *from,
                    const struct val *to)
{
    if (from && to && val_equal(from, to))
        return;
    if (d->stack.len + d->out->len < DOC_DIFF_MAX)
        *vec_push(d->mem, &d->stack) = (struct job){ .path = path, .from = from, .to = to };
    else
        d->out->is_cut = true;
}

static void compare_maps(struct differ *d, const struct job *job)
{
    for (size_t i = 0; i < job->from->len; i++) {
        const struct val_pair *pair = &job->from->pairs[i];
        compare(d, path_of_key(d->mem, job->path, pair->key), pair->value,
                val_get(job->to, pair->key));
    }
    for (size_t i = 0; i < job->to->len; i++) {
        const struct val_pair *pair = &job->to->pairs[i];
        if (!val_get(job->from, pair->key))
            compare(d, path_of_key(d->mem, job->path, pair->key), NULL, pair->value);
    }
}

/* All items are maps with a text `name`, and no two have the same. */
static bool has_names(struct arena *mem, const struct val *list, struct keyed_list *out)
{
    if (!keyed_by(mem, list, "name", out))
        return false;
    for (size_t i = 0; i < out->len; i++) {
        bool is_again = i > 0 && !strcmp(out->at[i].text, out->at[i - 1].text);
        if (is_again || !val_text(val_get(out->at[i].item, "name")))
            return false;
    }
    return true;
}

static const char *path_of_name(struct arena *mem, const char *path, const char *name)
{
    return arena_printf(mem, "%s[name=%s]", path, doc_diff_word(mem, name));
}

static void compare_lists(struct differ *d, const struct job *job)
{
    struct keyed_list old, new;
    bool by_name = has_names(d->mem, job->from, &old) && has_names(d->mem, job->to, &new);
    size_t most = MAX_OF(job->from->len, job->to->len);
    for (size_t i = 0; !by_name && i < most; i++)
        compare(d, arena_printf(d->mem, "%s[%zu]", job->path, i), val_item(job->from, i),
                val_item(job->to, i));
    for (size_t i = 0; by_name && i < job->from->len; i++) {
        const char *name = val_text(val_get(job->from->items[i], "name"));
        const struct keyed *other = keyed_find(&new, name);
        compare(d, path_of_name(d->mem, job->path, name), job->from->items[i],
                other ? other->item : NULL);
    }
    for (size_t i = 0; by_name && i < job->to->len; i++) {
        const char *name = val_text(val_get(job->to->items[i], "name"));
        if (!keyed_find(&old, name))
            compare(d, path_of_name(d->mem, job->path, name), NULL, job->to->items[i]);
    }
}

void doc_diff(struct arena *mem, const struct val *from, const struct val *to,
              struct doc_changes *out)
{
    struct differ d = { .mem = mem, .out = out };
    compare(&d, "", from, to);
    while (d.stack.len) {
        struct job job = d.stack.at[--d.stack.len];
        size_t begin = d.stack.len;
        if (val_is_map(job.from) && val_is_map(job.to))
            compare_maps(&d, &job);
        else if (val_is_list(job.from) && val_is_list(job.to))
            compare_lists(&d, &job);
        else
            *vec_push(mem, out) =
                (struct doc_change){ .path = job.path, .from = job.from, .to = job.to };
        for (size_t low = begin, high = d.stack.len; low + 1 < high; low++) { /* first one on top */
            struct job first = d.stack.at[low];
            d.stack.at[low] = d.stack.at[--high];
            d.stack.at[high] = first;
        }
    }
}
