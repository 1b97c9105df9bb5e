#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* Entries stand in order of insertion; slots hold 1 + index of an entry, 0 for empty, linear probing. A removed entry
 * keeps its place (key NULL) until the next rebuild, so iteration may remove. */
struct entry {
    char *key;
    void *value;
    uint32_t hash;
};

struct map {
    void (*free_value)(void *);
    struct entry *entries;
    uint32_t *slots;
    size_t used, alive, cap, slot_count;
};

static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        hash = (hash ^ *at) * 16777619u;
    return hash;
}

struct map *map_new(void (*free_value)(void *))
{
    struct map *map = base_alloc(sizeof(*map));
    map->free_value = free_value;
    return map;
}

static void drop(struct map *map, struct entry *entry)
{
    if (map->free_value && entry->value)
        map->free_value(entry->value);
    free(entry->key);
    *entry = (struct entry){ 0 };
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].key)
            drop(map, &map->entries[i]);
    }
    free(map->entries);
    free(map->slots);
    *map = (struct map){ .free_value = map->free_value };
}

void map_free(struct map *map)
{
    if (!map)
        return;
    map_clear(map);
    free(map);
}

static void free_deferred(void *map)
{
    map_free(map);
}

struct map *map_new_in(struct arena *mem)
{
    struct map *map = map_new(NULL);
    arena_defer(mem, free_deferred, map);
    return map;
}

static struct entry *find(const struct map *map, const char *key, uint32_t hash)
{
    if (!map->slot_count)
        return NULL;
    for (size_t slot = hash & (map->slot_count - 1);; slot = (slot + 1) & (map->slot_count - 1)) {
        uint32_t index = map->slots[slot];
        if (!index)
            return NULL;
        struct entry *entry = &map->entries[index - 1];
        if (entry->key && entry->hash == hash && !strcmp(entry->key, key))
            return entry;
    }
}

static void place(struct map *map, size_t index)
{
    size_t slot = map->entries[index].hash & (map->slot_count - 1);
    while (map->slots[slot])
        slot = (slot + 1) & (map->slot_count - 1);
    map->slots[slot] = (uint32_t)index + 1;
}

/* Drops removed entries and makes room: slots stay at most half full. */
static void rebuild(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].key)
            map->entries[kept++] = map->entries[i];
    }
    map->used = kept;
    map->cap = MAX_OF((size_t)8, kept * 2);
    map->slot_count = map->cap * 2;
    while (map->slot_count & (map->slot_count - 1))
        map->slot_count += map->slot_count & -map->slot_count;
    map->entries = base_realloc(map->entries, map->cap * sizeof(*map->entries));
    free(map->slots);
    map->slots = base_alloc(map->slot_count * sizeof(*map->slots));
    for (size_t i = 0; i < map->used; i++)
        place(map, i);
}

void *map_get(const struct map *map, const char *key)
{
    struct entry *entry = find(map, key, hash_text(key));
    return entry ? entry->value : NULL;
}

void map_set(struct map *map, const char *key, void *value)
{
    ASSERT(value);
    uint32_t hash = hash_text(key);
    struct entry *entry = find(map, key, hash);
    if (entry) {
        void *old = entry->value;
        entry->value = value;
        if (map->free_value && old != value)
            map->free_value(old);
        return;
    }
    if (map->used == map->cap)
        rebuild(map);
    map->entries[map->used] =
        (struct entry){ .key = base_copy_text(key), .value = value, .hash = hash };
    place(map, map->used++);
    map->alive++;
}

void *map_take(struct map *map, const char *key)
{
    struct entry *entry = find(map, key, hash_text(key));
    if (!entry)
        return NULL;
    void *value = entry->value;
    entry->value = NULL;
    drop(map, entry);
    map->alive--;
    return value;
}

bool map_remove(struct map *map, const char *key)
{
    struct entry *entry = find(map, key, hash_text(key));
    if (!entry)
        return false;
    drop(map, entry);
    map->alive--;
    return true;
}

size_t map_len(const struct map *map)
{
    return map->alive;
}

bool map_next(const struct map *map, size_t *at, const char **key, void **value)
{
    for (; *at < map->used; ++*at) {
        const struct entry *entry = &map->entries[*at];
        if (!entry->key)
            continue;
        if (key)
            *key = entry->key;
        if (value)
            *value = entry->value;
        ++*at;
        return true;
    }
    return false;
}
