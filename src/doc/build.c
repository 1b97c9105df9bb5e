#include "doc/build.h"

#include <stdlib.h>
#include <string.h>

#define FEW 8 /* entries compared pair by pair */

void build_fini(struct build *b)
{
    vec_fini(&b->items);
    vec_fini(&b->entries);
}

const struct val *build_top(const struct build *b)
{
    return b->depth ? b->frames[b->depth - 1].v : NULL;
}

void build_open(struct build *b, struct val *container)
{
    ASSERT(b->depth < DOC_DEPTH_MAX);
    size_t first = container->type == VAL_LIST ? b->items.len : b->entries.len;
    b->frames[b->depth++] = (struct build_frame){ .v = container, .first = first };
}

void build_item(struct build *b, struct val *v)
{
    if (!b->depth)
        b->root = v;
    else
        *vec_push(NULL, &b->items) = v;
}

void build_pair(struct build *b, const struct build_entry *entry)
{
    *vec_push(NULL, &b->entries) = *entry;
}

static int by_key_and_place(const void *a, const void *b, void *all)
{
    const struct build_entry *entries = all;
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    int order = strcmp(entries[one].key, entries[two].key);
    return order ? order : one < two ? -1 : one > two;
}

/* Folds `later` into `earlier`, which has the same key; false if both are strong. */
static bool fold(struct build_entry *earlier, struct build_entry *later)
{
    if (!earlier->is_weak && !later->is_weak)
        return false;
    earlier->value = later->value;
    earlier->is_weak = earlier->is_weak && later->is_weak;
    later->key = NULL; /* dropped */
    return true;
}

/* Leaves each key once, at the place it came first. NULL, or the entry that may not be. */
static struct build_entry *unite_few(struct build_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            bool is_same = entries[k].key && !strcmp(entries[k].key, entries[i].key);
            if (is_same && !fold(&entries[k], &entries[i]))
                return &entries[i];
            if (is_same)
                break;
        }
    }
    return NULL;
}

static struct build_entry *unite_many(struct build_entry *entries, size_t count)
{
    uint32_t *order = base_alloc(count * sizeof(*order));
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, count, sizeof(*order), by_key_and_place, entries);
    struct build_entry *first = &entries[order[0]], *bad = NULL;
    for (size_t i = 1; i < count; i++) {
        struct build_entry *next = &entries[order[i]];
        if (strcmp(first->key, next->key) != 0)
            first = next;
        else if (!fold(first, next) && (!bad || next < bad))
            bad = next; /* the first in the text is the one to report */
    }
    free(order);
    return bad;
}

static void fill_map(struct build *b, struct val *map, const struct build_entry *entries,
                     size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += entries[i].key != NULL;
    map->pairs = arena_alloc(b->mem, kept * sizeof(*map->pairs));
    map->cap = kept;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].key)
            map->pairs[map->len++] =
                (struct val_pair){ .key = entries[i].key, .value = entries[i].value };
    }
    val_seal(b->mem, map);
}

bool build_close(struct build *b, struct val **closed, struct build_entry *out)
{
    ASSERT(b->depth);
    struct build_frame *frame = &b->frames[--b->depth];
    struct val *v = frame->v;
    *closed = v;
    if (v->type == VAL_LIST) {
        v->len = v->cap = b->items.len - frame->first;
        if (v->len)
            v->items =
                arena_copy(b->mem, &b->items.at[frame->first], v->len * sizeof(struct val *));
        b->items.len = frame->first;
        return true;
    }
    size_t count = b->entries.len - frame->first;
    if (!count)
        return true;
    struct build_entry *entries = &b->entries.at[frame->first];
    struct build_entry *bad = count <= FEW ? unite_few(entries, count) : unite_many(entries, count);
    if (bad) {
        *out = *bad;
        return false;
    }
    fill_map(b, v, entries, count);
    b->entries.len = frame->first;
    return true;
}
