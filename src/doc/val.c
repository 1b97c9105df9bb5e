#include "doc/val.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define SMALL 16 /* maps up to this many keys are searched from the front */

/* Where `key` stands in map->order, or where it would have to. */
static size_t order_place(const struct val *map, const char *key, bool *is_there)
{
    size_t low = 0, high = map->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(map->pairs[map->order[middle]].key, key);
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = false;
    return low;
}

static struct val_pair *find(const struct val *map, const char *key)
{
    if (map->order) {
        bool is_there;
        size_t place = order_place(map, key, &is_there);
        return is_there ? &map->pairs[map->order[place]] : NULL;
    }
    for (size_t i = 0; i < map->len; i++) {
        if (!strcmp(map->pairs[i].key, key))
            return &map->pairs[i];
    }
    return NULL;
}

struct val *val_get(const struct val *map, const char *key)
{
    const struct val_pair *pair = val_is_map(map) ? find(map, key) : NULL;
    return pair ? pair->value : NULL;
}

struct val *val_path(const struct val *v, const char *const *path)
{
    struct val *at = val_get(v, path[0]);
    for (size_t i = 1; at && path[i]; i++)
        at = val_get(at, path[i]);
    return at;
}

struct val *val_item(const struct val *list, size_t index)
{
    return val_is_list(list) && index < list->len ? list->items[index] : NULL;
}

const char *val_text(const struct val *v)
{
    return v && v->type == VAL_STRING ? v->text : NULL;
}

const char *val_text_or(const struct val *v, const char *otherwise)
{
    const char *text = val_text(v);
    return text ? text : otherwise;
}

bool val_int(const struct val *v, int64_t *out)
{
    if (!v || v->type != VAL_NUMBER)
        return false;
    bool is_negative = v->text[0] == '-';
    int64_t sum = 0;
    for (const char *at = v->text + is_negative; *at; at++) {
        int64_t digit = *at - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, digit,
                                   &sum)) /* counted downwards: there is one more below zero */
            return false;
    }
    return is_negative ? (*out = sum, true) : !__builtin_sub_overflow(0, sum, out);
}

bool val_is_true(const struct val *v)
{
    return v && v->type == VAL_BOOL && v->boolean;
}

bool val_is_map(const struct val *v)
{
    return v && v->type == VAL_MAP;
}

bool val_is_list(const struct val *v)
{
    return v && v->type == VAL_LIST;
}

bool val_is_null(const struct val *v)
{
    return !v || v->type == VAL_NULL;
}

size_t val_len(const struct val *v)
{
    return val_is_map(v) || val_is_list(v) ? v->len : 0;
}

const char *val_type_name(enum val_type type)
{
    switch (type) {
    case VAL_NULL: return "null";
    case VAL_BOOL: return "a boolean";
    case VAL_NUMBER: return "a number";
    case VAL_STRING: return "a string";
    case VAL_LIST: return "a list";
    case VAL_MAP: return "a map";
    }
    return "nothing known";
}

struct val *val_new(struct arena *mem, enum val_type type)
{
    struct val *v = arena_alloc(mem, sizeof(*v));
    v->type = type;
    if (type == VAL_STRING)
        v->text = "";
    if (type == VAL_NUMBER) {
        v->text = "0";
        v->len = 1;
    }
    return v;
}

struct val *val_new_bytes(struct arena *mem, const char *bytes, size_t len)
{
    struct val *v = val_new(mem, VAL_STRING);
    v->text = arena_strndup(mem, bytes, len);
    v->len = len;
    return v;
}

struct val *val_new_text(struct arena *mem, const char *text)
{
    return val_new_bytes(mem, text, strlen(text));
}

static struct val *new_number(struct arena *mem, const char *text)
{
    struct val *v = val_new_text(mem, text);
    v->type = VAL_NUMBER;
    return v;
}

struct val *val_new_int(struct arena *mem, int64_t number)
{
    char text[NUMBER_TEXT_BYTES];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    return new_number(mem, text);
}

struct val *val_new_double(struct arena *mem, double number)
{
    char text[NUMBER_TEXT_BYTES];
    number_format_json(number, text);
    return new_number(mem, text);
}

struct val *val_new_bool(struct arena *mem, bool boolean)
{
    struct val *v = val_new(mem, VAL_BOOL);
    v->boolean = boolean;
    return v;
}

/* Room for one more item of `size` bytes. */
static void *grow(struct arena *mem, void *at, struct val *v, size_t size)
{
    size_t cap = v->cap ? v->cap * 2 : 4;
    void *moved = arena_alloc(mem, cap * size);
    if (v->len)
        memcpy(moved, at, v->len * size);
    return moved;
}

static void append_pair(struct arena *mem, struct val *map, const char *key, struct val *value)
{
    ASSERT(val_is_map(map) && map->len < UINT32_MAX);
    if (map->len == map->cap) {
        map->pairs = grow(mem, map->pairs, map, sizeof(*map->pairs));
        if (map->order)
            map->order = grow(mem, map->order, map, sizeof(*map->order));
        map->cap = map->cap ? map->cap * 2 : 4;
    }
    map->pairs[map->len] = (struct val_pair){ .key = key, .value = value };
}

static int by_key(const void *a, const void *b, void *pairs)
{
    const struct val_pair *all = pairs;
    return strcmp(all[*(const uint32_t *)a].key, all[*(const uint32_t *)b].key);
}

static void sort_order(struct val *map)
{
    for (size_t i = 0; i < map->len; i++)
        map->order[i] = (uint32_t)i;
    qsort_r(map->order, map->len, sizeof(*map->order), by_key, map->pairs);
}

void val_add(struct arena *mem, struct val *map, const char *key, struct val *value)
{
    map->order = NULL;
    append_pair(mem, map, key, value);
    map->len++;
}

void val_seal(struct arena *mem, struct val *map)
{
    ASSERT(val_is_map(map) && map->len < UINT32_MAX);
    if (map->order || map->len <= SMALL)
        return;
    map->order = arena_alloc(mem, MAX_OF(map->cap, map->len) * sizeof(*map->order));
    sort_order(map);
}

void val_set(struct arena *mem, struct val *map, const char *key, struct val *value)
{
    ASSERT(val_is_map(map));
    val_seal(mem, map);
    struct val_pair *pair = find(map, key);
    if (pair) {
        pair->value = value;
        return;
    }
    append_pair(mem, map, arena_strdup(mem, key), value);
    if (map->order) {
        bool is_there;
        size_t place = order_place(map, key, &is_there);
        memmove(&map->order[place + 1], &map->order[place],
                (map->len - place) * sizeof(*map->order));
        map->order[place] = (uint32_t)map->len;
    }
    map->len++;
}

void val_set_text(struct arena *mem, struct val *map, const char *key, const char *text)
{
    val_set(mem, map, key, val_new_text(mem, text));
}

void val_append(struct arena *mem, struct val *list, struct val *item)
{
    ASSERT(val_is_list(list));
    if (list->len == list->cap) {
        list->items = grow(mem, list->items, list, sizeof(*list->items));
        list->cap = list->cap ? list->cap * 2 : 4;
    }
    list->items[list->len++] = item;
}

bool val_remove(struct val *map, const char *key)
{
    struct val_pair *pair = val_is_map(map) ? find(map, key) : NULL;
    if (!pair)
        return false;
    size_t place = (size_t)(pair - map->pairs);
    map->len--;
    memmove(pair, pair + 1, (map->len - place) * sizeof(*pair));
    if (map->len <= SMALL)
        map->order = NULL;
    if (map->order)
        sort_order(map);
    return true;
}

struct val *val_need_map(struct arena *mem, struct val *map, const char *key)
{
    struct val *there = val_get(map, key);
    if (!val_is_null(there))
        return val_is_map(there) ? there : NULL;
    struct val *made = val_new_map(mem);
    val_set(mem, map, key, made);
    return made;
}

struct val_walk val_walk(const struct val *v)
{
    return (struct val_walk){ .root = v };
}

static bool enter(struct val_walk *w, const struct val *v, const char *key, size_t index)
{
    w->v = v;
    w->key = key;
    w->index = index;
    w->is_leaving = false;
    return true;
}

bool val_walk_next(struct val_walk *w)
{
    if (w->root) {
        const struct val *root = w->root;
        w->root = NULL;
        return enter(w, root, NULL, 0);
    }
    if (!w->is_leaving && (val_is_map(w->v) || val_is_list(w->v))) {
        ASSERT(w->depth < ARRAY_LEN(w->stack));
        w->stack[w->depth++] = (struct val_frame){ .v = w->v };
    }
    if (!w->depth)
        return false;
    struct val_frame *top = &w->stack[w->depth - 1];
    const struct val *in = top->v;
    if (top->next < in->len) {
        size_t at = top->next++;
        bool is_map = in->type == VAL_MAP;
        return enter(w, is_map ? in->pairs[at].value : in->items[at],
                     is_map ? in->pairs[at].key : NULL, at);
    }
    w->depth--;
    const struct val_frame *parent = w->depth ? &w->stack[w->depth - 1] : NULL;
    size_t index = parent ? parent->next - 1 : 0;
    bool is_in_map = parent && parent->v->type == VAL_MAP;
    enter(w, in, is_in_map ? parent->v->pairs[index].key : NULL, index);
    w->is_leaving = true;
    return true;
}

/* A copy whose items or pairs still have to be filled in. */
static struct val *copy_shell(struct arena *mem, const struct val *v, bool shares_texts)
{
    struct val *copy = arena_copy(mem, v, sizeof(*v));
    switch (v->type) {
    case VAL_NULL:
    case VAL_BOOL: break;
    case VAL_NUMBER:
    case VAL_STRING:
        copy->text = shares_texts ? v->text : arena_strndup(mem, v->text, v->len);
        break;
    case VAL_LIST:
        copy->items = arena_alloc(mem, v->len * sizeof(struct val *));
        copy->cap = v->len;
        break;
    case VAL_MAP:
        copy->pairs = arena_alloc(mem, v->len * sizeof(struct val_pair));
        copy->order = v->order ? arena_copy(mem, v->order, v->len * sizeof(*v->order)) : NULL;
        copy->cap = v->len;
        break;
    }
    return copy;
}

static struct val *copy_all(struct arena *mem, const struct val *v, bool shares_texts)
{
    struct val *copies[VAL_DEPTH_MAX + 1] = { NULL }; /* of the list or map at each depth */
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        if (w.is_leaving)
            continue;
        struct val *copy = copy_shell(mem, w.v, shares_texts);
        copies[w.depth] = copy;
        if (!w.depth)
            continue;
        struct val *parent = copies[w.depth - 1];
        if (parent->type == VAL_LIST)
            parent->items[w.index] = copy;
        else
            parent->pairs[w.index] =
                (struct val_pair){ .key = shares_texts ? w.key : arena_strdup(mem, w.key),
                                   .value = copy };
    }
    return copies[0];
}

struct val *val_copy(struct arena *mem, const struct val *v)
{
    return v ? copy_all(mem, v, false) : NULL;
}

struct val *val_copy_sharing(struct arena *mem, const struct val *v)
{
    return v ? copy_all(mem, v, true) : NULL;
}

static int by_pair_key(const void *a, const void *b)
{
    return strcmp(((const struct val_pair *)a)->key, ((const struct val_pair *)b)->key);
}

void val_sort_keys(struct val *v)
{
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        if (w.is_leaving || !val_is_map(w.v))
            continue;
        struct val *map = (struct val *)w.v; /* all of it was given to us to change */
        if (map->len == 0)
            continue; /* no pairs: NULL, which qsort does not take */
        qsort(map->pairs, map->len, sizeof(*map->pairs), by_pair_key);
        for (size_t i = 0; map->order && i < map->len; i++)
            map->order[i] = (uint32_t)i;
    }
}

void val_drop_nulls(struct val *v)
{
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        if (w.is_leaving || !val_is_map(w.v))
            continue;
        struct val *map = (struct val *)w.v; /* all of it was given to us to change */
        size_t kept = 0;
        for (size_t i = 0; i < map->len; i++) {
            if (!val_is_null(map->pairs[i].value))
                map->pairs[kept++] = map->pairs[i];
        }
        bool has_changed = kept < map->len;
        map->len = kept;
        if (kept <= SMALL)
            map->order = NULL;
        else if (map->order && has_changed)
            sort_order(map);
    }
}

static bool same_number(const struct val *a, const struct val *b)
{
    if (!strcmp(a->text, b->text))
        return true;
    bool are_whole =
        !strpbrk(a->text, ".eE") && !strpbrk(b->text, ".eE") && strtod(a->text, NULL) != 0;
    return !are_whole && strtod(a->text, NULL) == strtod(b->text, NULL);
}

/* All but the contents of lists and maps. */
static bool same_shell(const struct val *a, const struct val *b)
{
    if (!a || !b)
        return val_is_null(a) && val_is_null(b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VAL_NULL: return true;
    case VAL_BOOL: return a->boolean == b->boolean;
    case VAL_NUMBER: return same_number(a, b);
    case VAL_STRING: return a->len == b->len && !memcmp(a->text, b->text, a->len);
    case VAL_LIST:
    case VAL_MAP: return a->len == b->len;
    }
    return false;
}

/* What stands in `in` where a value with this key and index stands on the other side; false if nothing does. */
static bool counterpart(const struct val *in, const char *key, size_t index, const struct val **out)
{
    if (!key) {
        *out = in->items[index];
        return true;
    }
    const struct val_pair *pair = &in->pairs[index]; /* mostly both have the same order */
    if (strcmp(pair->key, key) != 0)
        pair = find(in, key);
    *out = pair ? pair->value : NULL;
    return pair != NULL;
}

bool val_equal(const struct val *a, const struct val *b)
{
    if (!a || !b)
        return val_is_null(a) && val_is_null(b);
    const struct val *others[VAL_DEPTH_MAX + 1] = { NULL }; /* b's list or map at each depth */
    for (struct val_walk w = val_walk(a); val_walk_next(&w);) {
        if (w.is_leaving)
            continue;
        const struct val *other = b;
        if (w.depth && !counterpart(others[w.depth - 1], w.key, w.index, &other))
            return false;
        if (!same_shell(w.v, other))
            return false;
        others[w.depth] = other;
    }
    return true;
}

static void add_leaf(struct sbuf *out, const struct val *v)
{
    if (val_is_null(v))
        sbuf_add(out, "null");
    else if (v->type == VAL_BOOL)
        sbuf_add(out, v->boolean ? "true" : "false");
    else if (v->type == VAL_NUMBER)
        sbuf_add_bytes(out, v->text, v->len);
    else if (v->type == VAL_STRING)
        sbuf_add_json(out, v->text, v->len);
}

void val_format_json(const struct val *v, struct sbuf *out)
{
    if (!v)
        add_leaf(out, v);
    for (struct val_walk w = val_walk(v); val_walk_next(&w);) {
        bool is_map = val_is_map(w.v), is_list = val_is_list(w.v);
        if (!w.is_leaving && w.depth && w.index)
            sbuf_add_char(out, ',');
        if (!w.is_leaving && w.key) {
            sbuf_add_json(out, w.key, strlen(w.key));
            sbuf_add_char(out, ':');
        }
        if (is_map)
            sbuf_add_char(out, w.is_leaving ? '}' : '{');
        else if (is_list)
            sbuf_add_char(out, w.is_leaving ? ']' : '[');
        else
            add_leaf(out, w.v);
    }
}

const char *val_json(struct arena *mem, const struct val *v, size_t *out_len)
{
    SBUF(buf, ARENA_LIMIT_BYTES);
    val_format_json(v, &buf);
    if (out_len)
        *out_len = buf.len;
    return arena_strndup(mem, sbuf_text(&buf), buf.len);
}
