/* base/map.h - a hash table from text to pointer that remembers the order of insertion.
 * Effects:   none.
 * Ownership: the map copies its keys; values are freed with free_value where one is given.
 * Units:     entries. */
#ifndef SERIN_BASE_MAP_H
#define SERIN_BASE_MAP_H

#include "base/arena.h"
#include "base/base.h"

struct map;

struct map *map_new(void (*free_value)(void *)); /* NULL: values are borrowed */
struct map *map_new_in(struct arena *mem);       /* values are borrowed; it ends with the arena */
void map_free(struct map *map);                  /* NULL is fine */
DEFINE_SCOPED(struct map, map_free)

void *map_get(const struct map *map, const char *key); /* borrowed; NULL if absent */
void map_set(struct map *map, const char *key,
             void *value); /* value is not NULL; frees the one it replaces */
bool map_remove(struct map *map, const char *key); /* frees the value; false if absent */
void *map_take(struct map *map, const char *key);  /* removes, gives the value to the caller */
void map_clear(struct map *map);
size_t map_len(const struct map *map);

/* for (size_t at = 0; map_next(map, &at, &key, &value);): in order of insertion; removing the current entry is fine. */
bool map_next(const struct map *map, size_t *at, const char **key, void **value);

#endif
