#include "canary/target/configs.h"

#include <string.h>

#include "canary/target/meta.h"
#include "doc/object.h"

#define SWITCH_ANNOTATION "flagger.app/config-tracking"

/* A config is named "configmap/NAME" or "secret/NAME", as in trackedConfigs. */
enum config_kind { CONFIG_MAP, CONFIG_SECRET };

static const struct {
    const char *kind, *noun, *prefix;
} config_kinds[] = {
    [CONFIG_MAP] = { "ConfigMap", "configmap", "configmap/" },
    [CONFIG_SECRET] = { "Secret", "secret", "secret/" },
};

/* Where a map says a name: { KEY: { FIELD: name, optional: … } }. */
struct place {
    const char *key, *field;
    enum config_kind kind;
};
static const struct place volume_places[] = { { "configMap", "name", CONFIG_MAP },
                                              { "secret", "secretName", CONFIG_SECRET } };
static const struct place projected_places[] = { { "configMap", "name", CONFIG_MAP },
                                                 { "secret", "name", CONFIG_SECRET } };
static const struct place env_places[] = { { "configMapKeyRef", "name", CONFIG_MAP },
                                           { "secretKeyRef", "name", CONFIG_SECRET } };
static const struct place env_from_places[] = { { "configMapRef", "name", CONFIG_MAP },
                                                { "secretRef", "name", CONFIG_SECRET } };

static const char *const secret_types[] = { "Opaque", "kubernetes.io/basic-auth",
                                            "kubernetes.io/ssh-auth", "kubernetes.io/tls" };

/* Called with the map that holds a name at `field`. */
typedef void (*reference_fn)(void *ctx, enum config_kind kind, struct val *holder,
                             const char *field);

struct visit {
    reference_fn fn;
    void *ctx;
};

static void visit_places(const struct visit *visit, const struct val *map,
                         const struct place places[2])
{
    for (size_t i = 0; i < 2; i++) {
        struct val *holder = val_get(map, places[i].key);
        const char *name = val_text(val_get(holder, places[i].field));
        if (name && *name)
            visit->fn(visit->ctx, places[i].kind, holder, places[i].field);
    }
}

static void visit_containers(const struct visit *visit, const struct val *containers)
{
    for (size_t i = 0; i < val_len(containers); i++) {
        const struct val *container = val_item(containers, i);
        const struct val *env = val_get(container, "env"), *from = val_get(container, "envFrom");
        for (size_t k = 0; k < val_len(env); k++)
            visit_places(visit, val_get(val_item(env, k), "valueFrom"), env_places);
        for (size_t k = 0; k < val_len(from); k++)
            visit_places(visit, val_item(from, k), env_from_places);
    }
}

/* Every reference of 6.1, in the order in which the last one decides. */
static void visit_references(const struct val *pod_spec, reference_fn fn, void *ctx)
{
    const struct visit visit = { fn, ctx };
    const struct val *volumes = val_get(pod_spec, "volumes");
    for (size_t i = 0; i < val_len(volumes); i++) {
        const struct val *volume = val_item(volumes, i);
        visit_places(&visit, volume, volume_places);
        const struct val *sources = VAL_PATH(volume, "projected", "sources");
        for (size_t k = 0; k < val_len(sources); k++)
            visit_places(&visit, val_item(sources, k), projected_places);
    }
    visit_containers(&visit, val_get(pod_spec, "containers"));
    visit_containers(&visit, val_get(pod_spec, "initContainers"));
}

/* -- what is tracked ------------------------------------------------------------------------- */

struct collect {
    struct arena *mem;
    struct val *names; /* "configmap/NAME" -> is mandatory */
};

static void collect_name(void *ctx, enum config_kind kind, struct val *holder, const char *field)
{
    struct collect *c = ctx;
    const char *key =
        arena_printf(c->mem, "%s%s", config_kinds[kind].prefix, val_text(val_get(holder, field)));
    val_set(c->mem, c->names, key, val_new_bool(c->mem, !val_is_true(val_get(holder, "optional"))));
}

/* Sorted, so that of several faults always the same one is told. */
static struct val *referenced(const struct canary_view *view, const struct val *pod_spec)
{
    struct collect c = { view->mem, val_new_map(view->mem) };
    if (view->settings->tracks_configs)
        visit_references(pod_spec, collect_name, &c);
    val_sort_keys(c.names);
    return c.names;
}

static enum config_kind split_key(const char *key, const char **name)
{
    enum config_kind kind = key[0] == 's' ? CONFIG_SECRET : CONFIG_MAP;
    *name = key + strlen(config_kinds[kind].prefix);
    return kind;
}

static bool is_tracked(const struct val *config, enum config_kind kind)
{
    const char *value = object_annotation(config, SWITCH_ANNOTATION);
    if (value && strncmp(value, "disable", strlen("disable")) == 0)
        return false;
    if (kind == CONFIG_MAP)
        return true;
    const char *type = val_text_or(val_get(config, "type"), "");
    for (size_t i = 0; i < ARRAY_LEN(secret_types); i++)
        if (strcmp(type, secret_types[i]) == 0)
            return true;
    return false;
}

/* "configmap/NAME" -> checksum of what is there and tracked; `missing` (may be NULL): the first mandatory key that is not. */
static struct val *tracked(const struct canary_view *view, const struct val *pod_spec,
                           const char **missing)
{
    struct val *names = referenced(view, pod_spec), *out = val_new_map(view->mem);
    for (size_t i = 0; i < names->len; i++) {
        const char *key = names->pairs[i].key, *name;
        enum config_kind kind = split_key(key, &name);
        const struct val *config = view_find(view, "v1", config_kinds[kind].kind, name);
        if (config && is_tracked(config, kind)) {
            const char *checksum =
                live_checksum(view->live, config_kinds[kind].kind, view->canary->ns, name);
            val_set_text(view->mem, out, key, checksum ? checksum : "");
        } else if (!config && missing && !*missing && val_is_true(names->pairs[i].value)) {
            *missing = key;
        }
    }
    return out;
}

static struct err *tracked_or_err(const struct canary_view *view, const struct val *pod_spec,
                                  struct val **out)
{
    const char *missing = NULL, *name;
    *out = tracked(view, pod_spec, &missing);
    if (!missing)
        return NULL;
    enum config_kind kind = split_key(missing, &name);
    const char *noun = config_kinds[kind].noun, *ns = view->canary->ns;
    return err_new(ERR_NOT_FOUND,
                   "GetTargetConfigs failed: %s %s.%s get query error: %s %s.%s get query error: "
                   "%s",
                   noun, name, ns, noun, name, ns,
                   meta_absent(view, "v1", config_kinds[kind].kind, name));
}

/* -- public: reading ------------------------------------------------------------------------- */

static void want_config(const struct canary_view *view, struct live_wants *out,
                        enum config_kind kind, const char *name, bool is_source)
{
    struct live_key key = {
        .api_version = "v1",
        .kind = config_kinds[kind].kind,
        .ns = view->canary->ns,
        .name = name,
        .form = LIVE_CHECKSUM,
        .is_source = is_source,
    };
    live_want(out, &key);
}

void configs_want(const struct canary_view *view, const struct val *pod_spec,
                  struct live_wants *out)
{
    const struct val *names = referenced(view, pod_spec);
    for (size_t i = 0; i < names->len; i++) {
        const char *name;
        enum config_kind kind = split_key(names->pairs[i].key, &name);
        want_config(view, out, kind, name, true);
        want_config(view, out, kind, meta_primary_name(view, name), false);
    }
}

struct err *configs_observe(const struct canary_view *view, const struct val *pod_spec,
                            struct val **out)
{
    *out = NULL;
    return view->settings->tracks_configs ? tracked_or_err(view, pod_spec, out) : NULL;
}

bool configs_changed(struct arena *mem, const struct val *stored, const struct val *now,
                     const char **what)
{
    *what = NULL;
    if (!now || (now->len == 0 && !stored))
        return false;
    if (!stored || val_len(stored) != now->len)
        return true;
    for (size_t i = 0; i < now->len; i++) {
        const struct val_pair *pair = &now->pairs[i];
        if (val_equal(val_get(stored, pair->key), pair->value))
            continue;
        const char *name;
        enum config_kind kind = split_key(pair->key, &name);
        *what = arena_printf(mem, "%s %s", config_kinds[kind].noun, name);
        return true;
    }
    return false;
}

/* -- public: the primary's ------------------------------------------------------------------- */

struct rename {
    const struct canary_view *view;
    const struct val *tracked;
};

static void rename_one(void *ctx, enum config_kind kind, struct val *holder, const char *field)
{
    struct rename *r = ctx;
    struct arena *mem = r->view->mem;
    const char *name = val_text(val_get(holder, field));
    if (val_get(r->tracked, arena_printf(mem, "%s%s", config_kinds[kind].prefix, name)))
        val_set_text(mem, holder, field, meta_primary_name(r->view, name));
}

struct val *configs_rename(const struct canary_view *view, const struct val *pod_spec)
{
    struct val *copy = meta_copy_map(view, pod_spec);
    struct rename r = { view, tracked(view, pod_spec, NULL) };
    visit_references(copy, rename_one, &r);
    return copy;
}

/* This Canary, and whoever else shares the copy, as a mere owner. */
static void add_owners(const struct canary_view *view, struct val *body, const struct val *copy)
{
    struct val *owners = VAL_PATH(body, "metadata", "ownerReferences");
    const struct val *old = VAL_PATH(copy, "metadata", "ownerReferences");
    for (size_t i = 0; i < val_len(old); i++) {
        const struct val *owner = val_item(old, i);
        bool is_canary = strcmp(val_text_or(val_get(owner, "kind"), ""), "Canary") == 0;
        if (!val_is_map(owner) ||
            (is_canary && strcmp(val_text_or(val_get(owner, "name"), ""), view->canary->name) == 0))
            continue;
        struct val *kept = val_copy(view->mem, owner);
        val_set(view->mem, kept, "controller", val_new_bool(view->mem, false));
        val_append(view->mem, owners, kept);
    }
}

/* The metadata of a copy to be, with the type of a Secret. */
static struct val *copy_of(const struct canary_view *view, enum config_kind kind, const char *name,
                           const struct val *copy)
{
    const struct val *source = view_find(view, "v1", config_kinds[kind].kind, name);
    struct val *body =
        view_new_object(view, "v1", config_kinds[kind].kind, meta_primary_name(view, name));
    meta_put(view, body, "labels", meta_included(view, VAL_PATH(source, "metadata", "labels")));
    add_owners(view, body, copy);
    return body;
}

static bool same_metadata(const struct val *body, const struct val *copy, const char *field)
{
    const struct val *one = VAL_PATH(body, "metadata", field),
                     *other = VAL_PATH(copy, "metadata", field);
    return (val_len(one) == 0 && val_len(other) == 0) || val_equal(one, other);
}

static bool is_synced(const struct canary_view *view, const struct val *body,
                      const struct val *copy, const char *checksum)
{
    const char *now =
        live_checksum(view->live, object_kind(body), view->canary->ns, object_name(body));
    const struct val *source_type = val_get(body, "type"), *type = val_get(copy, "type");
    return copy && now && checksum && strcmp(now, checksum) == 0 && val_equal(source_type, type) &&
           same_metadata(body, copy, "labels") && same_metadata(body, copy, "annotations") &&
           same_metadata(body, copy, "ownerReferences");
}

static void copy_one(const struct canary_view *view, const struct val_pair *config,
                     struct effects *out)
{
    struct arena *mem = out->mem;
    const char *name, *ns = view->canary->ns;
    enum config_kind kind = split_key(config->key, &name);
    const char *noun = config_kinds[kind].noun;
    const struct val *source = view_find(view, "v1", config_kinds[kind].kind, name);
    const struct val *copy =
        view_find(view, "v1", config_kinds[kind].kind, meta_primary_name(view, name));
    struct val *body = copy_of(view, kind, name, copy);
    if (kind == CONFIG_SECRET)
        val_set(mem, body, "type", val_copy(mem, val_get(source, "type")));
    if (is_synced(view, body, copy, val_text(config->value)))
        return;
    struct effect *effect = effect_add(out, EFFECT_COPY_CONFIG, body);
    effect->source = name;
    effect->source_before = arena_printf(
        mem, "CreatePrimaryConfigs failed: %s %s.%s get query failed : ", noun, name, ns);
    effect->before = arena_printf(mem, "CreatePrimaryConfigs failed: %s %s %s-primary.%s failed: ",
                                  copy ? "updating" : "creating", noun, name, ns);
    effect->log = arena_printf(mem, "%s %s-primary synced", config_kinds[kind].kind, name);
}

struct err *configs_copy(const struct canary_view *view, const struct val *pod_spec,
                         struct effects *out)
{
    struct val *configs;
    TRY(tracked_or_err(view, pod_spec, &configs));
    for (size_t i = 0; i < configs->len; i++)
        copy_one(view, &configs->pairs[i], out);
    return NULL;
}

/* -- public: values -------------------------------------------------------------------------- */

static const char *const contents[] = { "data", "binaryData", "type" };

struct val *configs_fill(struct arena *mem, const struct val *body, const struct val *source)
{
    struct val *filled = val_copy(mem, body);
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        const struct val *content = val_get(source, contents[i]);
        if (!val_is_null(content))
            val_set(mem, filled, contents[i], val_copy(mem, content));
    }
    return filled;
}
