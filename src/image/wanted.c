#include "image/wanted.h"

#include <string.h>

#include "base/map.h"

#define MEMORY_BYTES ((size_t)64 << 20)

void wanted_fini(struct wanted *wanted)
{
    map_free(wanted->seen);
    arena_free(wanted->mem);
    *wanted = (struct wanted){ .mem = NULL };
}

static const char *text_or(const char *text)
{
    return text ? text : "";
}

/* False: it was noted before. */
static bool note(struct wanted *wanted, const char *key)
{
    if (map_get(wanted->seen, key))
        return false;
    map_set(wanted->seen, key, wanted->seen);
    return true;
}

static const char *pattern_key(struct arena *mem, const char *text)
{
    return arena_printf(mem, "pattern %s", text);
}

/* Lengths keep ("a", "bc") and ("ab", "c") apart. */
static const char *source_key(struct arena *mem, const struct creds_source *source)
{
    const char *key = arena_printf(mem, "source %zu:%s %zu:%s", strlen(source->ns), source->ns,
                                   strlen(source->service_account), source->service_account);
    for (const char *const *name = source->secrets; name && *name; name++)
        key = arena_printf(mem, "%s %zu:%s", key, strlen(*name), *name);
    return key;
}

static void add_source(struct wanted *wanted, struct arena *scratch, const struct image_wish *wish)
{
    const struct creds_source source = { text_or(wish->ns), text_or(wish->pull.service_account),
                                         wish->pull.secrets };
    bool has_secrets = source.secrets && *source.secrets;
    if (!*source.ns || (!*source.service_account && !has_secrets) ||
        !note(wanted, source_key(scratch, &source)))
        return;
    *vec_push(wanted->mem, &wanted->sources) = (struct creds_source){
        .ns = arena_strdup(wanted->mem, source.ns),
        .service_account = arena_strdup(wanted->mem, source.service_account),
        .secrets = arena_copy_texts(wanted->mem, source.secrets),
    };
}

void wanted_add(struct wanted *wanted, const struct image_wish *wish)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(MEMORY_BYTES);
    if (!wanted->mem) {
        wanted->mem = arena_new(MEMORY_BYTES);
        wanted->seen = map_new(NULL);
    }
    wanted->is_all |= wish->patterns == NULL;
    for (const char *const *at = wish->patterns; at && *at; at++) {
        if (note(wanted, pattern_key(scratch, *at)))
            *vec_push(wanted->mem, &wanted->patterns) = arena_strdup(wanted->mem, *at);
    }
    add_source(wanted, scratch, wish);
}

bool wanted_is_covered(const struct wanted *now, const struct wanted *before)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(MEMORY_BYTES);
    for (size_t i = 0; i < now->patterns.len; i++) {
        if (!map_get(before->seen, pattern_key(scratch, now->patterns.at[i])))
            return false;
    }
    return (before->is_all || !now->is_all) && now->sources.len <= before->sources.len;
}
