#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "doc/keyed.h"
#include "doc/merge.h"
#include "doc/shape.h"

/* Two maps that differ, and the patch for them, which its parent holds already. */
struct job {
    struct val *out;
    const struct val *from, *to;
    enum shape shape;
    bool keeps_named_keys;
};

struct differ {
    struct arena *mem;
    VEC(struct job) todo;
};

struct change { /* of one item of a list */
    struct val *patch;
    size_t place; /* in the new list */
    size_t nth;   /* found: keeps apart what has the same place */
};

/* Results share parts with their inputs; both are frozen, so nobody writes through this. */
static struct val *shared(const struct val *v)
{
    return (struct val *)v;
}

static struct val *later(struct differ *d, const struct job *job)
{
    struct val *out = val_new_map(d->mem);
    *vec_push(d->mem, &d->todo) = *job;
    d->todo.at[d->todo.len - 1].out = out;
    return out;
}

static void set_directive(struct differ *d, struct val *out, const char *directive, const char *key,
                          struct val *value)
{
    if (val_len(value))
        val_set(d->mem, out, arena_printf(d->mem, "%s%s", directive, key), value);
}

/* ---- lists of maps ---- */

static int by_place(const void *a, const void *b)
{
    const struct change *one = a, *two = b;
    if (one->place != two->place)
        return one->place < two->place ? -1 : 1;
    return one->nth < two->nth ? -1 : one->nth > two->nth;
}

static struct val *deletion(struct differ *d, const char *merge_key, const struct val *item)
{
    struct val *out = val_new_map(d->mem);
    val_set_text(d->mem, out, "$patch", "delete");
    val_set(d->mem, out, merge_key, val_get(item, merge_key));
    return out;
}

/* The patch of an item that is on both sides; NULL if nothing changed. */
static struct val *item_change(struct differ *d, const struct shape_field *field,
                               const struct val *from, const struct val *to)
{
    if (val_equal(from, to))
        return NULL;
    struct val *out = later(d, &(struct job){ .from = from,
                                              .to = to,
                                              .shape = field->inside,
                                              .keeps_named_keys = field->keeps_named_keys });
    val_set(d->mem, out, field->merge_key, val_get(to, field->merge_key));
    return out;
}

/* Items with the same key pair up from the last one on: what the servers' tools do. */
static struct keyed_list reverse_equals(struct arena *mem, const struct keyed_list *from)
{
    struct keyed_list copy = { .at = arena_copy(mem, from->at, from->len * sizeof(*from->at)),
                               .len = from->len };
    struct keyed_list *list = &copy;
    for (size_t begin = 0, end = 0; begin < list->len; begin = end) {
        for (end = begin + 1; end < list->len && !strcmp(list->at[begin].text, list->at[end].text);)
            end++;
        for (size_t low = begin, high = end; low + 1 < high; low++) {
            struct keyed first = list->at[low];
            list->at[low] = list->at[--high];
            list->at[high] = first;
        }
    }
    return copy;
}

/* Both lists are walked in the order of their keys. */
static struct val *changes_of_maps(struct differ *d, const struct shape_field *field,
                                   const struct keyed_list *from, const struct keyed_list *to)
{
    struct keyed_list old = reverse_equals(d->mem, from), new = reverse_equals(d->mem, to);
    VEC(struct change) changes = { 0 };
    struct val *deletions = val_new_list(d->mem);
    for (size_t i = 0, k = 0; i < old.len || k < new.len;) {
        int order = i == old.len ? 1 : k == new.len ? -1 : strcmp(old.at[i].text, new.at[k].text);
        if (order < 0) {
            val_append(d->mem, deletions, deletion(d, field->merge_key, old.at[i++].item));
            continue;
        }
        struct val *change =
            order > 0 ? new.at[k].item : item_change(d, field, old.at[i].item, new.at[k].item);
        if (change)
            *vec_push(d->mem, &changes) = (struct change){
                .patch = change, .place = keyed_find(to, new.at[k].text)->place, .nth = k
            };
        i += order == 0;
        k++;
    }
    if (changes.len)
        qsort(changes.at, changes.len, sizeof(*changes.at), by_place);
    struct val *out = val_new_list(d->mem);
    for (size_t i = 0; i < changes.len; i++)
        val_append(d->mem, out, changes.at[i].patch);
    for (size_t i = 0; i < deletions->len; i++)
        val_append(d->mem, out, deletions->items[i]);
    return out;
}

static struct val *keys_only(struct differ *d, const char *merge_key, const struct val *list)
{
    struct val *out = val_new_list(d->mem);
    for (size_t i = 0; i < list->len; i++) {
        struct val *item = val_new_map(d->mem);
        val_set(d->mem, item, merge_key, val_get(list->items[i], merge_key));
        val_append(d->mem, out, item);
    }
    return out;
}

/* ---- lists of texts and numbers ---- */

/* The items of `list` that `other` lacks, each once, in the order of the list, or by their text. */
static struct val *missing_from(struct differ *d, const struct keyed_list *list,
                                const struct keyed_list *other)
{
    struct val *out = val_new_list(d->mem);
    for (size_t i = 0; i < list->len; i++) {
        bool is_again = i > 0 && !strcmp(list->at[i].text, list->at[i - 1].text);
        if (!is_again && !keyed_find(other, list->at[i].text))
            val_append(d->mem, out, list->at[i].item);
    }
    return out;
}

static struct val *in_order_of(struct differ *d, const struct val *items,
                               const struct keyed_list *order)
{
    VEC(struct change) changes = { 0 };
    for (size_t i = 0; i < items->len; i++)
        *vec_push(d->mem, &changes) =
            (struct change){ .patch = items->items[i],
                             .place = keyed_find(order, keyed_text(items->items[i]))->place };
    if (changes.len)
        qsort(changes.at, changes.len, sizeof(*changes.at), by_place);
    struct val *out = val_new_list(d->mem);
    for (size_t i = 0; i < changes.len; i++)
        val_append(d->mem, out, changes.at[i].patch);
    return out;
}

/* ---- fields ---- */

/* A list that is merged item by item. Lists that cannot be are replaced. */
static void diff_list(struct differ *d, const struct job *job, const struct shape_field *field,
                      const char *key)
{
    const struct val *from = val_get(job->from, key), *to = val_get(job->to, key);
    bool are_maps = val_is_map(val_item(from, 0));
    const char *merge_key = are_maps ? field->merge_key : NULL;
    struct keyed_list old, new;
    bool are_mergeable = from->len && (!are_maps || merge_key) &&
                         keyed_by(d->mem, from, merge_key, &old) &&
                         keyed_by(d->mem, to, merge_key, &new);
    if (!are_mergeable) {
        val_set(d->mem, job->out, key, shared(to));
        return;
    }
    struct val *changes = are_maps ? changes_of_maps(d, field, &old, &new)
                                   : in_order_of(d, missing_from(d, &new, &old), &new);
    if (changes->len)
        val_set(d->mem, job->out, key, changes);
    if (!are_maps)
        set_directive(d, job->out, "$deleteFromPrimitiveList/", key, missing_from(d, &old, &new));
    set_directive(d, job->out, "$setElementOrder/", key,
                  are_maps ? keys_only(d, merge_key, to) : shared(to));
}

/* A field that is on both sides and differs. */
static void diff_field(struct differ *d, const struct job *job, const char *key)
{
    const struct val *from = val_get(job->from, key), *to = val_get(job->to, key);
    const struct shape_field *field = shape_of_field(job->shape, key);
    if (val_is_list(from) && val_is_list(to) && field->is_merged_list) {
        diff_list(d, job, field, key);
        return;
    }
    bool are_maps = val_is_map(from) && val_is_map(to) && !field->is_replaced;
    struct job inside = {
        .from = from, .to = to, .shape = field->inside, .keeps_named_keys = field->keeps_named_keys
    };
    val_set(d->mem, job->out, key, are_maps ? later(d, &inside) : shared(to));
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(struct val *const *)a)->text, (*(struct val *const *)b)->text);
}

static void retain_keys(struct differ *d, const struct job *job)
{
    struct val *keys = val_new_list(d->mem);
    for (size_t i = 0; i < job->to->len; i++) {
        if (!val_is_null(job->to->pairs[i].value))
            val_append(d->mem, keys, val_new_text(d->mem, job->to->pairs[i].key));
    }
    if (!keys->len)
        return;
    qsort(keys->items, keys->len, sizeof(*keys->items), by_text);
    val_set(d->mem, job->out, "$retainKeys", keys);
}

static void diff_level(struct differ *d, const struct job *job)
{
    for (size_t i = 0; i < job->to->len; i++) {
        const struct val_pair *pair = &job->to->pairs[i];
        const struct val *before = val_get(job->from, pair->key);
        if (!before)
            val_set(d->mem, job->out, pair->key, pair->value);
        else if (!val_equal(before, pair->value))
            diff_field(d, job, pair->key);
    }
    for (size_t i = 0; i < job->from->len; i++) {
        const char *key = job->from->pairs[i].key;
        if (!val_get(job->to, key))
            val_set(d->mem, job->out, key, val_new(d->mem, VAL_NULL));
    }
    if (job->keeps_named_keys)
        retain_keys(d, job);
}

struct val *doc_strategic_diff(struct arena *mem, const char *api_version, const char *kind,
                               const struct val *from, const struct val *to)
{
    enum shape shape;
    bool is_known = shape_of_kind(api_version, kind, &shape);
    if (val_equal(from, to))
        return NULL;
    if (!is_known || !val_is_map(from) || !val_is_map(to))
        return doc_merge_diff(mem, from, to);
    struct differ d = { .mem = mem };
    struct val *root = later(&d, &(struct job){ .from = from, .to = to, .shape = shape });
    for (size_t i = 0; i < d.todo.len; i++) {
        struct job job = d.todo.at[i];
        diff_level(&d, &job);
    }
    return root;
}
