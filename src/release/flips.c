#include "release/flips.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"

#define NO_CONTAINER "" /* nothing older than this one is learnt of the whole workload */

struct made {
    char *from, *to;
    bool is_told;
};

/* One for each container that automation ever changed. */
struct release_flips {
    struct map *last; /* "id container" -> struct made */
};

static void free_made(void *at)
{
    struct made *made = at;
    free(made->from);
    free(made->to);
    free(made);
}

struct release_flips *release_flips_new(void)
{
    struct release_flips *flips = base_alloc(sizeof(*flips));
    flips->last = map_new(free_made);
    return flips;
}

void release_flips_free(struct release_flips *flips)
{
    if (!flips)
        return;
    map_free(flips->last);
    free(flips);
}

/* IDs and names of containers have no blanks. */
static const char *key_of(struct arena *mem, const struct release_flip *flip)
{
    return arena_printf(mem, "%s %s", flip->id, flip->container);
}

void release_flips_made(struct release_flips *flips, const struct release_flip *flip)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct made *made = base_alloc(sizeof(*made));
    made->from = base_copy_text(flip->from);
    made->to = base_copy_text(flip->to);
    map_set(flips->last, key_of(mem, flip), made);
}

void release_flips_learn(struct release_flips *flips, const struct release_flip *flip)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct release_flip end = { flip->id, NO_CONTAINER, "", "" };
    if (!map_get(flips->last, key_of(mem, flip)) && !map_get(flips->last, key_of(mem, &end)))
        release_flips_made(flips, flip);
}

void release_flips_learn_end(struct release_flips *flips, const char *id)
{
    release_flips_made(flips, &(struct release_flip){ id, NO_CONTAINER, "", "" });
}

void release_flips_learn_all(struct release_flips *flips, const struct release_flips *earlier)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *key;
    void *value;
    for (size_t at = 0; map_next(earlier->last, &at, &key, &value);) {
        const struct made *made = value;
        size_t len = strcspn(key, " ");
        release_flips_learn(flips, &(struct release_flip){ arena_strndup(mem, key, len),
                                                           key + len + 1, made->from, made->to });
    }
}

void release_flips_forget(struct release_flips *flips, const char *id)
{
    size_t len = strlen(id);
    const char *key;
    void *made;
    for (size_t at = 0; map_next(flips->last, &at, &key, &made);) {
        if (strncmp(key, id, len) == 0 && key[len] == ' ')
            (void)map_remove(flips->last, key);
    }
    release_flips_learn_end(flips, id);
}

enum release_flip_verdict release_flips_look(struct release_flips *flips,
                                             const struct release_flip *flip)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct made *made = map_get(flips->last, key_of(mem, flip));
    if (!made || strcmp(made->from, flip->from) != 0 || strcmp(made->to, flip->to) != 0)
        return RELEASE_FLIP_NEW;
    bool was_told = made->is_told;
    made->is_told = true;
    return was_told ? RELEASE_FLIP_TOLD : RELEASE_FLIP_TAKEN_BACK;
}
