#include "canary/target/meta.h"

#include <ctype.h>
#include <string.h>

#include "doc/object.h"

#define FLUX_KEYS "toolkit.fluxcd.io" /* anywhere in a key */
#define SYNC_KEYS "fluxcd.io/sync-"   /* how keys of sync's marks begin */

const char *meta_primary_name(const struct canary_view *view, const char *name)
{
    return arena_printf(view->mem, "%s-primary", name);
}

struct val *meta_copy_map(const struct canary_view *view, const struct val *map)
{
    return val_is_map(map) ? val_copy(view->mem, map) : val_new_map(view->mem);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_of_gitops(const char *key)
{
    return strstr(key, FLUX_KEYS) || begins_with(key, SYNC_KEYS);
}

static bool is_included(const struct canary_view *view, const char *key)
{
    const char *const *prefix = view->settings->include_label_prefixes;
    for (; prefix && *prefix; prefix++)
        if (strcmp(*prefix, "*") == 0 || begins_with(key, *prefix))
            return true;
    return false;
}

static struct val *filter(const struct canary_view *view, const struct val *map, bool is_by_prefix)
{
    struct val *kept = val_new_map(view->mem);
    for (size_t i = 0; val_is_map(map) && i < map->len; i++) {
        const struct val_pair *pair = &map->pairs[i];
        if (!is_of_gitops(pair->key) && (!is_by_prefix || is_included(view, pair->key)))
            val_set(view->mem, kept, pair->key, val_copy(view->mem, pair->value));
    }
    return kept->len > 0 ? kept : NULL;
}

struct val *meta_included(const struct canary_view *view, const struct val *map)
{
    return filter(view, map, true);
}

struct val *meta_copied(const struct canary_view *view, const struct val *map)
{
    return filter(view, map, false);
}

void meta_put(const struct canary_view *view, struct val *object, const char *field,
              struct val *map)
{
    struct val *metadata = val_need_map(view->mem, object, "metadata");
    if (metadata && val_len(map) > 0)
        val_set(view->mem, metadata, field, map);
    else if (metadata)
        (void)val_remove(metadata, field);
}

bool meta_is_owned(const struct val *object, const char *name)
{
    const struct val *owners = VAL_PATH(object, "metadata", "ownerReferences");
    for (size_t i = 0; val_is_list(owners) && i < owners->len; i++) {
        const struct val *owner = owners->items[i];
        if (val_is_true(val_get(owner, "controller")) &&
            strcmp(val_text_or(val_get(owner, "kind"), ""), "Canary") == 0)
            return !name || strcmp(val_text_or(val_get(owner, "name"), ""), name) == 0;
    }
    return false;
}

const char *meta_absent(const struct canary_view *view, const char *api_version, const char *kind,
                        const char *name)
{
    struct arena *mem = view->mem;
    const char *group, *version;
    object_split_api_version(mem, api_version, &group, &version);
    char *resource = arena_printf(mem, "%ss%s%s", kind, *group ? "." : "", group);
    for (char *c = resource; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (live_state(view->live, api_version, kind, view->canary->ns, name) == LIVE_NO_KIND)
        return arena_printf(mem, "the server could not find the requested resource (get %s %s)",
                            resource, name);
    return arena_printf(mem, "%s \"%s\" not found", resource, name);
}

static const char *port_name(const struct val *port)
{
    return val_text_or(val_get(port, "name"), "");
}

const struct val *meta_find_port(const struct val *ports, const struct val *like)
{
    for (size_t i = 0; i < val_len(ports); i++)
        if (strcmp(port_name(val_item(ports, i)), port_name(like)) == 0)
            return val_item(ports, i);
    return NULL;
}

void meta_want(const struct canary_view *view, struct live_wants *out, const char *api_version,
               const char *kind, const char *name)
{
    const struct canary *canary = view->canary;
    struct live_key key = {
        .api_version = api_version,
        .kind = kind,
        .ns = view->canary->ns,
        .name = name,
        .form = LIVE_FULL,
        .is_source = strcmp(name, canary->target.name) == 0 || strcmp(name, canary->apex) == 0 ||
                     strcmp(name, canary->scaler.name) == 0,
    };
    live_want(out, &key);
}

struct effect *meta_update(struct effects *out, const struct val *object, const char *before)
{
    struct effect *effect = effect_add(out, EFFECT_UPDATE, object);
    effect->before = before;
    effect->retries_conflicts = true;
    return effect;
}

void meta_prefix(struct effects *out, size_t first, const char *prefix)
{
    for (size_t i = first; i < out->list.len; i++) {
        struct effect *effect = &out->list.at[i];
        effect->before = arena_printf(out->mem, "%s%s", prefix, effect->before);
        if (effect->source_before)
            effect->source_before = arena_printf(out->mem, "%s%s", prefix, effect->source_before);
    }
}
