#include <string.h>

#include "base/vec.h"
#include "doc/keyed.h"
#include "doc/merge.h"
#include "doc/shape.h"

#define DIRECTIVE    "$patch"
#define RETAIN_KEYS  "$retainKeys"
#define DELETE_ITEMS "$deleteFromPrimitiveList/"
#define ORDER_ITEMS  "$setElementOrder/"
#define AGAIN_MAX \
    16 /* items of a patch with one and the same key: each costs a copy of what it changes */

/* A map to be filled with `target` and `patch` merged. Jobs are done in the order they were made: what a job reads of
 * another's result, its keys and the merge keys of its lists, is there by then. */
struct job {
    struct val *out;
    const struct val *target, *patch;
    enum shape shape;
    bool has_companions; /* the patch has directives about lists; known once the job is begun */
};

struct merger {
    struct arena *mem;
    VEC(struct job) todo;
};

/* A list being merged. */
struct list_merge {
    const char *name, *key;                   /* of the field; merge key or NULL */
    const struct val *target, *patch, *order; /* any may be NULL */
    enum shape inside;
    const struct val *changes; /* the patch's items that are no directives */
    struct keyed_list gone;    /* the target's items that a directive deletes */
    VEC(struct val *) items;   /* the result */
};

/* Results share parts with their inputs; both are frozen, so nobody writes through this. */
static struct val *shared(const struct val *v)
{
    return (struct val *)v;
}

static bool is_companion(const char *key)
{
    return !strncmp(key, DELETE_ITEMS, strlen(DELETE_ITEMS)) ||
           !strncmp(key, ORDER_ITEMS, strlen(ORDER_ITEMS));
}

static bool is_directive(const char *key)
{
    return !strcmp(key, DIRECTIVE) || !strcmp(key, RETAIN_KEYS) || is_companion(key);
}

static const struct val *companion(struct merger *m, const struct job *job, const char *prefix,
                                   const char *key)
{
    return job->has_companions ? val_get(job->patch, arena_printf(m->mem, "%s%s", prefix, key))
                               : NULL;
}

/* ---- parts of a patch that meet nothing ---- */

static void clean_map(struct val *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->len; i++) {
        const struct val *value = map->pairs[i].value;
        bool is_dropped =
            val_is_null(value) || is_directive(map->pairs[i].key) || val_get(value, DIRECTIVE);
        if (!is_dropped)
            map->pairs[kept++] = map->pairs[i];
    }
    map->len = kept;
    map->order = NULL;
}

static void clean_list(struct val *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->len; i++) {
        if (!val_get(list->items[i], DIRECTIVE))
            list->items[kept++] = list->items[i];
    }
    list->len = kept;
}

/* A value as it is added where there was none: without nulls and directives. NULL if it is a directive itself. */
static struct val *added(struct merger *m, const struct val *patch)
{
    if (val_get(patch, DIRECTIVE))
        return NULL;
    if (!val_is_map(patch) && !val_is_list(patch))
        return shared(patch);
    struct val *copy = val_copy_sharing(m->mem, patch);
    for (struct val_walk w = val_walk(copy); val_walk_next(&w);) {
        struct val *v = (struct val *)w.v; /* of our copy */
        if (w.is_leaving && val_is_map(v))
            val_seal(m->mem, v);
        if (w.is_leaving)
            continue;
        if (val_is_map(v))
            clean_map(v);
        if (val_is_list(v))
            clean_list(v);
    }
    return copy;
}

static struct val *later(struct merger *m, const struct val *target, const struct val *patch,
                         enum shape shape)
{
    struct val *out = val_new_map(m->mem);
    *vec_push(m->mem, &m->todo) =
        (struct job){ .out = out, .target = target, .patch = patch, .shape = shape };
    return out;
}

/* ---- lists of maps ---- */

MUST_USE static struct err *no_key(const struct list_merge *list)
{
    return err_new(ERR_INVALID, "an item of the list %s lacks its merge key %s", list->name,
                   list->key);
}

/* Sorts a patch's items into those to delete, those to merge, and whether the rest of the target goes. */
MUST_USE static struct err *read_directives(struct merger *m, const struct list_merge *list,
                                            struct val *deletions, struct val *changes,
                                            bool *replaces)
{
    for (size_t i = 0; i < val_len(list->patch); i++) {
        struct val *item = list->patch->items[i];
        const struct val *directive = val_get(item, DIRECTIVE);
        const char *what = val_text_or(directive, "");
        if (!val_is_map(item))
            return err_new(ERR_INVALID, "the list %s has an item that is no map", list->name);
        if (!directive)
            val_append(m->mem, changes, item);
        else if (!strcmp(what, "delete"))
            val_append(m->mem, deletions, item);
        else if (!strcmp(what, "replace"))
            *replaces = true;
        else
            return err_new(ERR_INVALID, "unknown patch type \"%s\" in the list %s", what,
                           list->name);
    }
    return NULL;
}

static void merge_item(struct merger *m, struct list_merge *list, size_t place,
                       const struct val *change)
{
    struct val **item = &list->items.at[place];
    struct val *merged = later(m, *item, change, list->inside);
    /* The key is looked for before the item is filled. */
    val_set(m->mem, merged, list->key, val_get(change, list->key));
    *item = merged;
}

/* The items of the target that stay, changed or not, and those of the patch that are new: in list->items. */
MUST_USE static struct err *merge_maps(struct merger *m, struct list_merge *list)
{
    struct val *deletions = val_new_list(m->mem), *changes = val_new_list(m->mem);
    bool replaces = false;
    list->changes = changes;
    TRY(read_directives(m, list, deletions, changes, &replaces));
    const struct val *target = replaces ? NULL : list->target;
    struct keyed_list there, new;
    if (!keyed_by(m->mem, deletions, list->key, &list->gone) ||
        !keyed_by(m->mem, target, list->key, &there) || !keyed_by(m->mem, changes, list->key, &new))
        return no_key(list);
    size_t *place_of = arena_alloc(m->mem, val_len(target) * sizeof(*place_of)); /* in items */
    for (size_t i = 0; i < val_len(target); i++) {
        place_of[i] = list->items.len;
        if (!keyed_find(&list->gone, keyed_item_text(target->items[i], list->key)))
            *vec_push(m->mem, &list->items) = target->items[i];
    }
    size_t *again = arena_alloc(m->mem, changes->len * sizeof(*again));
    size_t *place_of_new = arena_alloc(m->mem, changes->len * sizeof(*place_of_new));
    for (size_t i = 0; i < changes->len; i++) {
        const struct val *change = changes->items[i];
        const char *text = keyed_item_text(change, list->key);
        const struct keyed *match = keyed_find(&list->gone, text) ? NULL : keyed_find(&there, text);
        size_t first =
            keyed_find(&new, text)->place; /* a key that comes again meets its first item */
        if (first < i && !replaces && ++again[first] > AGAIN_MAX)
            return err_new(ERR_LIMIT,
                           "the merge key %s of the list %s is %.100s more than %d times",
                           list->key, list->name, text, AGAIN_MAX);
        if (replaces || (!match && first == i)) {
            place_of_new[i] = list->items.len;
            *vec_push(m->mem, &list->items) = added(m, change);
            continue;
        }
        place_of_new[i] = match ? place_of[match->place] : place_of_new[first];
        merge_item(m, list, place_of_new[i], change);
    }
    return NULL;
}

/* ---- lists of texts and numbers ---- */

MUST_USE static struct err *merge_scalars(struct merger *m, struct list_merge *list)
{
    struct keyed_list there, new;
    list->changes = list->patch;
    if (!keyed_by(m->mem, list->target, NULL, &there) || !keyed_by(m->mem, list->patch, NULL, &new))
        return err_new(ERR_INVALID, "the list %s has items of different types", list->name);
    for (size_t i = 0; i < val_len(list->target); i++) {
        struct val *item = list->target->items[i];
        if (keyed_find(&there, keyed_text(item))->place == i)
            *vec_push(m->mem, &list->items) = item;
    }
    for (size_t i = 0; i < val_len(list->patch); i++) {
        struct val *item = list->patch->items[i];
        const char *text = keyed_text(item);
        if (keyed_find(&new, text)->place == i && !keyed_find(&there, text))
            *vec_push(m->mem, &list->items) = item;
    }
    return NULL;
}

static struct val *without(struct merger *m, const struct val *list, const struct keyed_list *gone)
{
    struct val *out = val_new_list(m->mem);
    for (size_t i = 0; i < val_len(list); i++) {
        if (!keyed_find(gone, keyed_text(list->items[i])))
            val_append(m->mem, out, list->items[i]);
    }
    return out;
}

/* ---- order ---- */

struct placed {
    struct val *item;
    size_t place; /* in the order that is asked for */
    size_t there; /* in the target; SIZE_MAX if new */
};

static void sort_by_place(struct arena *mem, struct placed *items, size_t count)
{
    struct placed *spare = arena_alloc(mem, count * sizeof(*spare));
    for (size_t width = 1; width < count;
         width *= 2) { /* merge sort: stable, and n log n at worst */
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            size_t middle = MIN_OF(begin + width, count), end = MIN_OF(begin + 2 * width, count);
            size_t a = begin, b = middle;
            for (size_t i = begin; i < end; i++) {
                bool takes_a = a < middle && (b >= end || items[a].place <= items[b].place);
                spare[i] = takes_a ? items[a++] : items[b++];
            }
        }
        memcpy(items, spare, count * sizeof(*items));
    }
}

/* Items that `order` names come in its order; the others stay in the target's, each before the first named item that
 * stood behind it. */
MUST_USE static struct err *put_in_order(struct merger *m, const struct list_merge *list,
                                         const struct val *order, struct val *out)
{
    struct keyed_list wanted, there;
    if (!keyed_by(m->mem, order, list->key, &wanted) ||
        !keyed_by(m->mem, list->target, list->key, &there))
        return no_key(list);
    size_t named_count = 0, other_count = 0;
    struct placed *named = arena_alloc(m->mem, list->items.len * sizeof(*named));
    struct placed *others = arena_alloc(m->mem, list->items.len * sizeof(*others));
    for (size_t i = 0; i < list->items.len; i++) {
        const char *text = keyed_item_text(list->items.at[i], list->key);
        const struct keyed *in_order = keyed_find(&wanted, text);
        const struct keyed *before =
            keyed_find(&list->gone, text) ? NULL : keyed_find(&there, text);
        struct placed item = { .item = list->items.at[i],
                               .there = before ? before->place : SIZE_MAX };
        item.place = in_order ? in_order->place : item.there;
        if (in_order)
            named[named_count++] = item;
        else
            others[other_count++] = item;
    }
    sort_by_place(m->mem, named, named_count);
    sort_by_place(m->mem, others, other_count);
    for (size_t i = 0, k = 0; i < other_count || k < named_count;) {
        bool is_new = k < named_count && named[k].there == SIZE_MAX;
        bool takes_other =
            k >= named_count || (i < other_count && !is_new && others[i].there < named[k].there);
        val_append(m->mem, out, takes_other ? others[i++].item : named[k++].item);
    }
    return NULL;
}

/* The patch's own items have to stand in the order that it asks for. */
MUST_USE static struct err *check_order(struct merger *m, const struct list_merge *list)
{
    struct keyed_list wanted;
    if (!val_len(list->order))
        return NULL;
    if (!keyed_by(m->mem, list->order, list->key, &wanted))
        return no_key(list);
    size_t from = 0;
    for (size_t i = 0; i < val_len(list->patch); i++) {
        const struct val *item = list->patch->items[i];
        if (val_get(item, DIRECTIVE))
            continue;
        const struct keyed *at = keyed_find(&wanted, keyed_item_text(item, list->key));
        const struct keyed *end = wanted.at + wanted.len;
        const char *text = at ? at->text : "";
        while (at && at < end && at->place < from && !strcmp(at->text, text))
            at++; /* its next place */
        if (!at || at >= end || strcmp(at->text, text) != 0)
            return err_new(ERR_INVALID,
                           "the order in the patch list %s doesn't match its $setElementOrder",
                           list->name);
        from = at->place + 1;
    }
    return NULL;
}

static bool holds_maps(const struct list_merge *list)
{
    const struct val *first = val_item(val_len(list->target) ? list->target : list->patch, 0);
    return val_is_map(first);
}

MUST_USE static struct err *merge_list(struct merger *m, struct list_merge *list, struct val *out)
{
    if (!val_len(list->target) && !val_len(list->patch))
        return NULL;
    bool are_maps = holds_maps(list);
    if (are_maps && !list->key)
        return err_new(ERR_INVALID, "cannot merge lists without merge key for %s", list->name);
    if (!are_maps)
        list->key = NULL;
    TRY(check_order(m, list));
    TRY(are_maps ? merge_maps(m, list) : merge_scalars(m, list));
    return put_in_order(m, list, list->order ? list->order : list->changes, out);
}

/* ---- fields ---- */

static bool is_same_type(const struct val *a, const struct val *b)
{
    return a && b && a->type == b->type;
}

/* A list that is merged item by item, with its two companions in the patch. */
MUST_USE static struct err *merge_list_field(struct merger *m, const struct job *job,
                                             const struct shape_field *field, const char *key,
                                             struct val **out)
{
    const struct val *there = val_get(job->target, key), *patch = val_get(job->patch, key);
    const struct val *gone = companion(m, job, DELETE_ITEMS, key);
    struct list_merge list = {
        .name = key,
        .key = field->merge_key,
        .inside = field->inside,
        .target = there,
        .patch = patch,
        .order = companion(m, job, ORDER_ITEMS, key),
    };
    bool are_lists = (!there || val_is_list(there)) && (!patch || val_is_list(patch));
    if (!are_lists || (list.order && !val_is_list(list.order)) || (gone && !val_is_list(gone)))
        return err_new(ERR_INVALID, "%s and its directives have to be lists", key);
    struct val *merged = val_new_list(m->mem);
    if (there || list.order)
        TRY(merge_list(m, &list, merged));
    else
        merged = added(m, patch);
    struct keyed_list texts;
    if (gone && !keyed_by(m->mem, gone, NULL, &texts))
        return err_new(ERR_INVALID, "%s%s names something other than texts and numbers",
                       DELETE_ITEMS, key);
    *out = gone ? without(m, merged, &texts) : merged;
    return NULL;
}

/* The new value of a field; NULL if it goes. */
MUST_USE static struct err *merge_field(struct merger *m, const struct job *job, const char *key,
                                        struct val **out)
{
    const struct val *there = val_get(job->target, key), *patch = val_get(job->patch, key);
    const struct shape_field *field = shape_of_field(job->shape, key);
    bool has_companion =
        companion(m, job, DELETE_ITEMS, key) || companion(m, job, ORDER_ITEMS, key);
    *out = shared(there);
    if (patch && val_is_null(patch)) {
        *out = NULL;
        return NULL;
    }
    if (!patch && (!there || !has_companion))
        return NULL;
    bool is_list = val_is_list(patch ? patch : there);
    bool are_lists = is_list && (!there || !patch || is_same_type(there, patch));
    if (are_lists && (has_companion || (there && field->is_merged_list)))
        return merge_list_field(m, job, field, key, out);
    if (!patch)
        return NULL;
    if (!is_same_type(there, patch))
        *out = added(m, patch);
    else if (val_is_map(patch) && !field->is_replaced)
        *out = later(m, there, patch, field->inside);
    else
        *out = shared(patch);
    return NULL;
}

/* ---- maps ---- */

MUST_USE static struct err *check_retained(struct merger *m, const struct val *patch,
                                           struct keyed_list *out)
{
    const struct val *list = val_get(patch, RETAIN_KEYS);
    if (!val_is_list(list) || !keyed_by(m->mem, list, NULL, out))
        return err_new(ERR_INVALID, "invalid patch format of retainKeys");
    for (size_t i = 0; i < patch->len; i++) {
        const struct val_pair *pair = &patch->pairs[i];
        if (!val_is_null(pair->value) && !is_directive(pair->key) && !keyed_find(out, pair->key))
            return err_new(ERR_INVALID, "invalid patch format of retainKeys: it lacks %s",
                           pair->key);
    }
    return NULL;
}

static void add_all_but_directive(struct merger *m, struct val *out, const struct val *patch)
{
    for (size_t i = 0; i < patch->len; i++) {
        if (strcmp(patch->pairs[i].key, DIRECTIVE) != 0)
            val_set(m->mem, out, patch->pairs[i].key, patch->pairs[i].value);
    }
}

/* `$patch` in a map: it is replaced, or emptied. */
MUST_USE static struct err *follow_directive(struct merger *m, const struct job *job)
{
    const char *what = val_text_or(val_get(job->patch, DIRECTIVE), "");
    if (!strcmp(what, "replace"))
        add_all_but_directive(m, job->out, job->patch);
    else if (strcmp(what, "delete") != 0)
        return err_new(ERR_INVALID, "unknown patch type \"%s\"", what);
    return NULL;
}

/* The field a key of a patch is about: itself, or what its directive names. */
static const char *field_of(const char *key)
{
    if (!strncmp(key, DELETE_ITEMS, strlen(DELETE_ITEMS)))
        return key + strlen(DELETE_ITEMS);
    return !strncmp(key, ORDER_ITEMS, strlen(ORDER_ITEMS)) ? key + strlen(ORDER_ITEMS) : key;
}

MUST_USE static struct err *merge_level(struct merger *m, const struct job *job)
{
    if (val_get(job->patch, DIRECTIVE))
        return follow_directive(m, job);
    struct keyed_list retained;
    bool retains = val_get(job->patch, RETAIN_KEYS) != NULL;
    if (retains)
        TRY(check_retained(m, job->patch, &retained));
    for (size_t i = 0; i < val_len(job->target); i++) {
        const char *key = job->target->pairs[i].key;
        struct val *value;
        if (retains && !keyed_find(&retained, key))
            continue;
        TRY(merge_field(m, job, key, &value));
        if (value)
            val_set(m->mem, job->out, key, value);
    }
    for (size_t i = 0; i < job->patch->len; i++) {
        const char *key = field_of(job->patch->pairs[i].key);
        struct val *value;
        if (!strcmp(key, RETAIN_KEYS) || val_get(job->target, key) || !val_get(job->patch, key))
            continue;
        TRY(merge_field(m, job, key, &value));
        if (value)
            val_set(m->mem, job->out, key, value);
    }
    return NULL;
}

bool doc_strategic_knows(const char *api_version, const char *kind)
{
    enum shape unused;
    return shape_of_kind(api_version, kind, &unused);
}

struct err *doc_strategic_apply(struct arena *mem, const char *api_version, const char *kind,
                                const struct val *target, const struct val *patch, struct val **out)
{
    enum shape shape;
    if (!shape_of_kind(api_version, kind, &shape))
        return err_new(ERR_INVALID, "no strategic merge for %s %s: it is not built in", api_version,
                       kind);
    if (!val_is_map(patch) || (target && !val_is_map(target)))
        return err_new(ERR_INVALID, "a strategic merge wants maps, not %s",
                       val_type_name(val_is_map(patch) ? target->type
                                     : patch           ? patch->type
                                                       : VAL_NULL));
    struct merger m = { .mem = mem };
    struct val *root = later(&m, target, patch, shape);
    for (size_t i = 0; i < m.todo.len; i++) {
        struct job job = m.todo.at[i];
        for (size_t k = 0; k < job.patch->len; k++)
            job.has_companions = job.has_companions || is_companion(job.patch->pairs[k].key);
        TRY(merge_level(&m, &job));
    }
    *out = root;
    return NULL;
}
