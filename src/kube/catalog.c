#include "kube/catalog.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"

struct version {
    struct kube_gv gv;
    size_t rank; /* order within its group: the preferred one first */
    VEC(struct kube_resource) resources;
};

struct kube_catalog {
    struct arena *mem;
    VEC(struct version *) versions;
    size_t resource_count;
    VEC(struct kube_resource) all; /* after finish */
    struct map *by_gv;             /* api_version -> struct version */
    struct map *by_kind;           /* "api_version kind" -> struct kube_resource */
    struct map *by_lower_kind;     /* kind in lower case -> struct kube_resource */
};

struct kube_catalog *kube_catalog_new(void)
{
    struct kube_catalog *catalog = base_alloc(sizeof(*catalog));
    catalog->mem = arena_new(ARENA_LIMIT_BYTES);
    catalog->by_gv = map_new(NULL);
    catalog->by_kind = map_new(NULL);
    catalog->by_lower_kind = map_new(NULL);
    return catalog;
}

void kube_catalog_free(struct kube_catalog *catalog)
{
    if (!catalog)
        return;
    map_free(catalog->by_gv);
    map_free(catalog->by_kind);
    map_free(catalog->by_lower_kind);
    arena_free(catalog->mem);
    free(catalog);
}

static struct err *need_version(struct kube_catalog *catalog, const char *group,
                                const char *version, struct version **out)
{
    const char *api_version = *group ? arena_printf(catalog->mem, "%s/%s", group, version)
                                     : arena_strdup(catalog->mem, version);
    *out = map_get(catalog->by_gv, api_version);
    if (*out)
        return NULL;
    if (catalog->versions.len == KUBE_GROUP_VERSIONS_MAX)
        return err_new(ERR_LIMIT, "the API server has more than %zu group versions",
                       KUBE_GROUP_VERSIONS_MAX);
    struct version *made = arena_alloc(catalog->mem, sizeof(*made));
    made->gv = (struct kube_gv){ .group = arena_strdup(catalog->mem, group),
                                 .version = arena_strdup(catalog->mem, version),
                                 .api_version = api_version };
    made->rank = catalog->versions.len + 1;
    *vec_push(catalog->mem, &catalog->versions) = made;
    map_set(catalog->by_gv, api_version, made);
    *out = made;
    return NULL;
}

static struct err *add_resource(struct kube_catalog *catalog, struct version *version,
                                const struct kube_resource *resource)
{
    if (catalog->resource_count == KUBE_RESOURCES_MAX)
        return err_new(ERR_LIMIT, "the API server has more than %zu resources", KUBE_RESOURCES_MAX);
    catalog->resource_count++;
    *vec_push(catalog->mem, &version->resources) = (struct kube_resource){
        .group = version->gv.group,
        .version = version->gv.version,
        .api_version = version->gv.api_version,
        .kind = arena_strdup(catalog->mem, resource->kind),
        .plural = arena_strdup(catalog->mem, resource->plural),
        .is_namespaced = resource->is_namespaced,
        .verbs = resource->verbs,
    };
    return NULL;
}

static unsigned verbs_of(const struct val *list)
{
    static const struct {
        const char *name;
        enum kube_verb verb;
    } names[] = { { "get", KUBE_GET },       { "list", KUBE_LIST },     { "watch", KUBE_WATCH },
                  { "create", KUBE_CREATE }, { "patch", KUBE_PATCH },   { "delete", KUBE_DELETE },
                  { "update", KUBE_UPDATE }, { "replace", KUBE_UPDATE } };
    unsigned verbs = 0;
    for (size_t i = 0; i < val_len(list); i++) {
        const char *name = val_text_or(val_item(list, i), "");
        for (size_t n = 0; n < ARRAY_LEN(names); n++)
            verbs |= strcmp(name, names[n].name) ? 0 : (unsigned)names[n].verb;
    }
    return verbs;
}

/* -- aggregated discovery ------------------------------------------------------------------------------------------ */

static struct err *add_discovered(struct kube_catalog *catalog, struct version *version,
                                  const struct val *item)
{
    const char *kind = val_text(VAL_PATH(item, "responseKind", "kind"));
    const char *plural = val_text(val_get(item, "resource"));
    if (!kind || !*kind || !plural || !*plural)
        return NULL; /* only subresources below it */
    struct kube_resource resource = {
        .kind = kind,
        .plural = plural,
        .is_namespaced = !strcmp(val_text_or(val_get(item, "scope"), ""), "Namespaced"),
        .verbs = verbs_of(val_get(item, "verbs")),
    };
    return add_resource(catalog, version, &resource);
}

static struct err *read_discovered_group(struct kube_catalog *catalog, const struct val *item)
{
    const char *group = val_text_or(VAL_PATH(item, "metadata", "name"), "");
    const struct val *versions = val_get(item, "versions");
    for (size_t i = 0; i < val_len(versions); i++) {
        const struct val *one = val_item(versions, i);
        const char *name = val_text_or(val_get(one, "version"), "");
        if (!*name)
            return err_new(ERR_INVALID, "discovery: a version of group \"%s\" has no name", group);
        struct version *version;
        TRY(need_version(catalog, group, name, &version));
        bool is_stale = !strcmp(val_text_or(val_get(one, "freshness"), ""), "Stale");
        version->gv.state = is_stale ? KUBE_GV_BROKEN : KUBE_GV_READ;
        version->resources.len = 0;
        const struct val *resources = val_get(one, "resources");
        for (size_t k = 0; k < val_len(resources); k++)
            TRY(add_discovered(catalog, version, val_item(resources, k)));
    }
    return NULL;
}

/* -- plain discovery ----------------------------------------------------------------------------------------------- */

static struct err *read_core_versions(struct kube_catalog *catalog, const struct val *root)
{
    const struct val *versions = val_get(root, "versions");
    for (size_t i = 0; i < val_len(versions); i++) {
        const char *name = val_text_or(val_item(versions, i), "");
        struct version *version;
        if (*name)
            TRY(need_version(catalog, "", name, &version));
    }
    return NULL;
}

static struct err *read_listed_group(struct kube_catalog *catalog, const struct val *item)
{
    const char *group = val_text_or(val_get(item, "name"), "");
    if (!*group)
        return err_new(ERR_INVALID, "discovery: a group has no name");
    const char *preferred = val_text_or(VAL_PATH(item, "preferredVersion", "version"), "");
    struct version *version;
    if (*preferred)
        TRY(need_version(catalog, group, preferred, &version));
    const struct val *versions = val_get(item, "versions");
    for (size_t i = 0; i < val_len(versions); i++) {
        const char *name = val_text_or(val_get(val_item(versions, i), "version"), "");
        if (*name)
            TRY(need_version(catalog, group, name, &version));
    }
    return NULL;
}

static struct err *read_each(struct kube_catalog *catalog, const struct val *list,
                             struct err *(*read)(struct kube_catalog *, const struct val *))
{
    for (size_t i = 0; i < val_len(list); i++)
        TRY(read(catalog, val_item(list, i)));
    return NULL;
}

struct err *kube_catalog_read(struct kube_catalog *catalog, const char *body, size_t len)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *root;
    TRY(err_wrap(doc_json_parse(mem, body, len, &root), "discovery document"));
    const char *kind = val_text_or(val_get(root, "kind"), "");
    if (!strcmp(kind, "APIGroupDiscoveryList"))
        return read_each(catalog, val_get(root, "items"), read_discovered_group);
    if (!strcmp(kind, "APIGroupList"))
        return read_each(catalog, val_get(root, "groups"), read_listed_group);
    if (!strcmp(kind, "APIVersions"))
        return read_core_versions(catalog, root);
    return err_new(ERR_INVALID, "discovery: not a document of an API server (kind \"%.64s\")",
                   kind);
}

struct err *kube_catalog_read_version(struct kube_catalog *catalog, size_t gv, const char *body,
                                      size_t len)
{
    struct version *version = catalog->versions.at[gv];
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *root;
    TRY(err_wrap(doc_json_parse(mem, body, len, &root), "discovery of %s",
                 version->gv.api_version));
    const struct val *list = val_get(root, "resources");
    if (strcmp(val_text_or(val_get(root, "kind"), ""), "APIResourceList") != 0)
        return err_new(ERR_INVALID, "discovery of %s: not a list of resources",
                       version->gv.api_version);
    version->resources.len = 0;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *item = val_item(list, i);
        struct kube_resource resource = {
            .kind = val_text_or(val_get(item, "kind"), ""),
            .plural = val_text_or(val_get(item, "name"), ""),
            .is_namespaced = val_is_true(val_get(item, "namespaced")),
            .verbs = verbs_of(val_get(item, "verbs")),
        };
        bool is_subresource = strchr(resource.plural, '/');
        if (*resource.kind && *resource.plural && !is_subresource)
            TRY(add_resource(catalog, version, &resource));
    }
    version->gv.state = KUBE_GV_READ;
    return NULL;
}

/* -- what was known before ----------------------------------------------------------------------------------------- */

static void copy_resources(struct kube_catalog *catalog, struct version *into,
                           const struct version *from)
{
    into->resources.len = 0;
    for (size_t i = 0; i < from->resources.len; i++) {
        struct err *full = add_resource(catalog, into, &from->resources.at[i]);
        if (full) { /* both catalogs are within the limit, so this is the end of a very large one */
            err_free(full);
            return;
        }
    }
}

void kube_catalog_keep(struct kube_catalog *catalog, size_t gv, const struct kube_catalog *old)
{
    struct version *version = catalog->versions.at[gv];
    version->gv.state = KUBE_GV_BROKEN;
    const struct version *before = old ? map_get(old->by_gv, version->gv.api_version) : NULL;
    if (before && before->resources.len > 0)
        copy_resources(catalog, version, before);
}

void kube_catalog_keep_all(struct kube_catalog *catalog, const struct kube_catalog *old,
                           bool is_core)
{
    for (size_t i = 0; old && i < old->versions.len; i++) {
        const struct version *before = old->versions.at[i];
        if (is_core != !*before->gv.group)
            continue;
        struct version *version;
        struct err *full = need_version(catalog, before->gv.group, before->gv.version, &version);
        if (full) {
            err_free(full);
            return;
        }
        version->gv.state = KUBE_GV_BROKEN;
        copy_resources(catalog, version, before);
    }
}

/* -- order and look-ups -------------------------------------------------------------------------------------------- */

static int compare_versions(const void *a, const void *b)
{
    const struct version *left = *(const struct version *const *)a;
    const struct version *right = *(const struct version *const *)b;
    int by_group = strcmp(left->gv.group, right->gv.group); /* "" of core sorts first */
    return by_group ? by_group : (left->rank > right->rank) - (left->rank < right->rank);
}

static void set_once(struct map *map, const char *key, struct kube_resource *resource)
{
    if (!map_get(map, key))
        map_set(map, key, resource);
}

/* "apps/v1 Deployment" in the buffer; borrowed until it changes. */
static const char *kind_key(struct sbuf *key, const char *group_or_version, const char *kind)
{
    sbuf_reset(key);
    sbuf_add(key, group_or_version);
    sbuf_add_char(key, ' ');
    sbuf_add(key, kind);
    return sbuf_text(key);
}

static void index_resource(struct kube_catalog *catalog, struct map *seen,
                           struct kube_resource *resource)
{
    SBUF(key, SBUF_MAX);
    const char *in_group = kind_key(&key, resource->group, resource->kind);
    const struct kube_resource *first = map_get(seen, in_group);
    resource->is_preferred = !first || !strcmp(first->api_version, resource->api_version);
    set_once(seen, in_group, resource);
    set_once(catalog->by_kind, kind_key(&key, resource->api_version, resource->kind), resource);
    if (!resource->is_preferred)
        return;
    sbuf_reset(&key);
    for (const char *at = resource->kind; *at; at++)
        sbuf_add_char(&key, (char)tolower((unsigned char)*at));
    set_once(catalog->by_lower_kind, sbuf_text(&key), resource);
}

void kube_catalog_finish(struct kube_catalog *catalog)
{
    if (catalog->versions.len > 1)
        qsort(catalog->versions.at, catalog->versions.len, sizeof(*catalog->versions.at),
              compare_versions);
    for (size_t i = 0; i < catalog->versions.len; i++) {
        const struct version *version = catalog->versions.at[i];
        for (size_t k = 0; k < version->resources.len; k++)
            *vec_push(catalog->mem, &catalog->all) = version->resources.at[k];
    }
    SCOPED(map_free) struct map *seen = map_new(NULL);
    for (size_t i = 0; i < catalog->all.len; i++)
        index_resource(catalog, seen, &catalog->all.at[i]);
}

size_t kube_catalog_gv_len(const struct kube_catalog *catalog)
{
    return catalog->versions.len;
}

const struct kube_gv *kube_catalog_gv_at(const struct kube_catalog *catalog, size_t gv)
{
    return &catalog->versions.at[gv]->gv;
}

const struct kube_gv *kube_catalog_gv_find(const struct kube_catalog *catalog,
                                           const char *api_version)
{
    const struct version *version = map_get(catalog->by_gv, api_version);
    return version ? &version->gv : NULL;
}

size_t kube_catalog_len(const struct kube_catalog *catalog)
{
    return catalog->all.len;
}

const struct kube_resource *kube_catalog_at(const struct kube_catalog *catalog, size_t index)
{
    return index < catalog->all.len ? &catalog->all.at[index] : NULL;
}

const struct kube_resource *kube_catalog_find(const struct kube_catalog *catalog,
                                              const char *api_version, const char *kind)
{
    SBUF(key, SBUF_MAX);
    return map_get(catalog->by_kind, kind_key(&key, api_version, kind));
}

const struct kube_resource *kube_catalog_find_kind(const struct kube_catalog *catalog,
                                                   const char *lower_kind)
{
    return map_get(catalog->by_lower_kind, lower_kind);
}
