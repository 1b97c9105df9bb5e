#include "image/place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/vec.h"
#include "doc/object.h"

#define CHART_IMAGE "chart-image"
#define STEPS_MAX   (VAL_DEPTH_MAX + 2)

/* A place with what decides between two of one name: the stronger one stays. */
struct found {
    struct image_place place;
    unsigned strength;
};

struct search {
    struct arena *mem;
    size_t bad;
    VEC(struct found) found;
};

/* A way down from the root of a manifest while it is being gone. */
struct way {
    struct doc_step steps[STEPS_MAX];
    size_t len;
};

static void go(struct way *way, const char *key)
{
    ASSERT(way->len + 1 < STEPS_MAX);
    way->steps[way->len++] = DOC_KEY(key);
    way->steps[way->len] = DOC_END;
}

static const struct doc_step *keep_way(struct arena *mem, const struct way *way)
{
    return arena_copy(mem, way->steps, (way->len + 1) * sizeof(way->steps[0]));
}

/* The path of an entry of the map that the way leads to. */
static const struct doc_step *entry_path(struct arena *mem, const struct way *way, const char *key)
{
    struct way further = *way;
    go(&further, key);
    return keep_way(mem, &further);
}

/* Takes the place if its image can be parsed. */
static bool take(struct search *search, struct image_place place, const char *text,
                 unsigned strength)
{
    SCOPED(err_free) struct err *e = image_ref_parse(search->mem, text, &place.ref);
    if (e || search->found.len == IMAGE_PLACES_MAX) {
        search->bad++;
        return false;
    }
    *vec_push(search->mem, &search->found) = (struct found){ place, strength };
    return true;
}

/* -- workloads with pods -- */

static const char *const pod_steps[] = { "spec", "template", "spec", NULL };
static const char *const cron_job_steps[] = { "spec",     "jobTemplate", "spec",
                                              "template", "spec",        NULL };

/* Where a kind has its pods; NULL: it has none, but values. */
static const struct workload_kind {
    const char *name;
    const char *const *pod;
} workload_kinds[] = {
    { "CronJob", cron_job_steps }, { "DaemonSet", pod_steps }, { "Deployment", pod_steps },
    { "StatefulSet", pod_steps },  { "HelmRelease", NULL },
};

static const struct workload_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(workload_kinds); i++) {
        if (strcasecmp(workload_kinds[i].name, name) == 0)
            return &workload_kinds[i];
    }
    return NULL;
}

bool image_place_is_workload(const char *kind)
{
    return find_kind(kind) != NULL;
}

static void find_containers(struct search *search, const struct val *pod, const struct way *way,
                            const char *list)
{
    const struct val *containers = val_get(pod, list);
    for (size_t i = 0; val_is_list(containers) && i < val_len(containers); i++) {
        const struct val *container = val_item(containers, i);
        const char *name = val_text(val_get(container, "name"));
        if (!name || search->found.len == IMAGE_PLACES_MAX) {
            search->bad++;
            continue;
        }
        struct way here = *way;
        go(&here, list);
        here.steps[here.len++] = DOC_AT(i);
        go(&here, "image");
        struct image_place place = { .container = name,
                                     .image = keep_way(search->mem, &here),
                                     .registry_text = "" };
        (void)take(search, place, val_text_or(val_get(container, "image"), ""), 0);
    }
}

static void find_pod_images(struct search *search, const struct val *manifest,
                            const char *const *pod)
{
    struct way way = { .len = 0 };
    for (size_t i = 0; pod[i]; i++)
        go(&way, pod[i]);
    const struct val *spec = val_path(manifest, pod);
    find_containers(search, spec, &way, "containers");
    find_containers(search, spec, &way, "initContainers");
}

/* -- HelmReleases -- */

enum { STRENGTH_ROOT, STRENGTH_KEY, STRENGTH_ALIAS };

/* What a HelmRelease says of one image. */
struct helm_image {
    const char *name; /* of the container */
    const char *image;
    const struct val *registry, *tag; /* NULL: not there */
    const struct doc_step *image_path, *registry_path, *tag_path;
};

static bool is_list_or_map(const struct val *v)
{
    return val_is_list(v) || val_is_map(v);
}

/* [registry/]image[:tag], of which only texts count, and empty ones do not. A tag that is a number, or nothing, still is where the
 * tag is to be written; unless the image brings one of its own. */
static bool take_helm_image(struct search *search, const struct helm_image *said, unsigned strength)
{
    const char *registry = val_text_or(said->registry, "");
    const char *tag = val_text_or(said->tag, "");
    const char *text = arena_printf(search->mem, "%s%s%s%s%s", registry, *registry ? "/" : "",
                                    said->image, *tag ? ":" : "", tag);
    struct image_place place = {
        .container = said->name,
        .image = said->image_path,
        .registry = val_text(said->registry) ? said->registry_path : NULL,
        .registry_text = registry,
        .tag = said->tag && !is_list_or_map(said->tag) ? said->tag_path : NULL,
    };
    if (!take(search, place, text, strength))
        return false;
    struct image_place *taken = &search->found.at[search->found.len - 1].place;
    if (!val_text(said->tag) && (*taken->ref.tag || *taken->ref.digest))
        taken->tag = NULL;
    return true;
}

/* `image` with its neighbours, or a map of the same with `repository`. */
static void find_helm_image(struct search *search, const char *name, const struct val *map,
                            const struct way *way, unsigned strength)
{
    struct way here = *way;
    const char *key = "image";
    if (val_is_map(val_get(map, key))) {
        map = val_get(map, key);
        go(&here, key);
        key = "repository";
    }
    const char *image = val_text(val_get(map, key));
    if (!image)
        return;
    struct helm_image said = {
        .name = name,
        .image = image,
        .registry = val_get(map, "registry"),
        .tag = val_get(map, "tag"),
        .image_path = entry_path(search->mem, &here, key),
        .registry_path = entry_path(search->mem, &here, "registry"),
        .tag_path = entry_path(search->mem, &here, "tag"),
    };
    (void)take_helm_image(search, &said, strength);
}

/* The value at a dotted path below spec.values, and the way there; NULL: there is none. */
static const struct val *find_dotted(struct search *search, const struct val *values,
                                     const char *dotted, const struct doc_step **path)
{
    struct way way = { .len = 0 };
    go(&way, "spec");
    go(&way, "values");
    const struct val *v = values;
    for (const char *rest = dotted; v && rest;) {
        const char *dot = strchr(rest, '.');
        const char *key = dot ? arena_strndup(search->mem, rest, (size_t)(dot - rest))
                              : arena_strdup(search->mem, rest);
        v = val_get(v, key);
        rest = dot ? dot + 1 : NULL;
        if (v)
            go(&way, key);
    }
    *path = v ? keep_way(search->mem, &way) : NULL;
    return v;
}

/* One part of an alias: true if its annotation is absent, or leads to a text. */
static bool find_alias_part(struct search *search, const struct val *manifest, const char *part,
                            const char *alias, const struct val **v, const struct doc_step **path)
{
    const char *key = arena_printf(search->mem, "%s.fluxcd.io/%s", part, alias);
    const char *dotted = object_annotation(manifest, key);
    *v = NULL;
    *path = NULL;
    if (!dotted)
        return true;
    *v = find_dotted(search, VAL_PATH(manifest, "spec", "values"), dotted, path);
    return val_text(*v) != NULL;
}

static void find_alias(struct search *search, const struct val *manifest, const char *alias)
{
    const struct val *image;
    struct helm_image said = { .name = alias };
    if (!find_alias_part(search, manifest, "repository", alias, &image, &said.image_path) ||
        !find_alias_part(search, manifest, "registry", alias, &said.registry,
                         &said.registry_path) ||
        !find_alias_part(search, manifest, "tag", alias, &said.tag, &said.tag_path)) {
        search->bad++;
        return;
    }
    said.image = val_text(image);
    (void)take_helm_image(search, &said, STRENGTH_ALIAS);
}

static void find_aliases(struct search *search, const struct val *manifest)
{
    static const char prefix[] = "repository.fluxcd.io/";
    const struct val *annotations = VAL_PATH(manifest, "metadata", "annotations");
    for (size_t i = 0; val_is_map(annotations) && i < annotations->len; i++) {
        const struct val_pair *pair = &annotations->pairs[i];
        const char *alias = pair->key + strlen(prefix);
        if (strncmp(pair->key, prefix, strlen(prefix)) == 0 && *alias && val_text(pair->value))
            find_alias(search, manifest, alias);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct found *one = a, *other = b;
    bool is_first = strcmp(one->place.container, CHART_IMAGE) == 0;
    bool is_other_first = strcmp(other->place.container, CHART_IMAGE) == 0;
    if (is_first != is_other_first)
        return is_first ? -1 : 1;
    int order = strcmp(one->place.container, other->place.container);
    return order ? order : (int)other->strength - (int)one->strength;
}

/* Sorts, and leaves the strongest of each name. */
static void settle(struct search *search)
{
    size_t kept = 0;
    if (search->found.len == 0)
        return;
    qsort(search->found.at, search->found.len, sizeof(*search->found.at), by_name);
    for (size_t i = 0; i < search->found.len; i++) {
        const struct found *found = &search->found.at[i];
        if (kept > 0 &&
            strcmp(search->found.at[kept - 1].place.container, found->place.container) == 0)
            continue;
        search->found.at[kept++] = *found;
    }
    search->found.len = kept;
}

static void find_helm_images(struct search *search, const struct val *manifest)
{
    const struct val *values = VAL_PATH(manifest, "spec", "values");
    struct way way = { .len = 0 };
    go(&way, "spec");
    go(&way, "values");
    find_helm_image(search, CHART_IMAGE, values, &way, STRENGTH_ROOT);
    for (size_t i = 0; val_is_map(values) && i < values->len; i++) {
        const struct val_pair *pair = &values->pairs[i];
        if (!val_get(pair->value, "image"))
            continue;
        struct way below = way;
        go(&below, pair->key);
        find_helm_image(search, pair->key, pair->value, &below, STRENGTH_KEY);
    }
    find_aliases(search, manifest);
    settle(search);
}

/* -- for all -- */

void image_places_read_kind(struct arena *mem, const char *kind, const struct val *object,
                            struct image_places *out, size_t *bad)
{
    const struct workload_kind *found = find_kind(kind);
    struct search search = { .mem = mem };
    if (found && found->pod)
        find_pod_images(&search, object, found->pod);
    else if (found)
        find_helm_images(&search, object);
    *out = (struct image_places){ .at = NULL };
    for (size_t i = 0; i < search.found.len; i++)
        *vec_push(mem, out) = search.found.at[i].place;
    if (bad)
        *bad = search.bad;
}

void image_places_read(struct arena *mem, const struct val *manifest, struct image_places *out,
                       size_t *bad)
{
    image_places_read_kind(mem, object_kind(manifest), manifest, out, bad);
}

/* What follows the registry in a name, if the name begins with it. */
static const char *behind_registry(const char *name, const char *registry)
{
    size_t len = strlen(registry);
    bool is_below = len > 0 && strncmp(name, registry, len) == 0 && name[len] == '/';
    return is_below && name[len + 1] ? name + len + 1 : NULL;
}

/* What is written of an image beside its name: tag and digest, joined as they are where they stand alone. */
static const char *tail_text(struct arena *mem, const struct image_ref *ref)
{
    bool are_both = *ref->tag && *ref->digest;
    return arena_printf(mem, "%s%s%s", ref->tag, are_both ? "@sha256:" : "", ref->digest);
}

/* image@sha256 beside a tag that is a digest: the colon between them makes it a pinned image. */
static const char *name_before_tag(struct arena *mem, const char *name, const struct image_ref *ref)
{
    bool is_pin_alone = *ref->tag == '\0' && *ref->digest;
    return is_pin_alone ? arena_printf(mem, "%s@sha256", name) : name;
}

size_t image_place_write(struct arena *mem, const struct image_place *place,
                         const struct image_ref *ref, struct image_write out[3])
{
    size_t count = 0;
    const char *name = image_ref_name(mem, ref);
    if (place->registry) {
        const char *rest = behind_registry(name, place->registry_text);
        if (!rest)
            out[count++] = (struct image_write){ place->registry, ref->domain };
        name = rest ? rest : ref->path;
    }
    if (place->tag) {
        out[count++] = (struct image_write){ place->image, name_before_tag(mem, name, ref) };
        out[count++] = (struct image_write){ place->tag, tail_text(mem, ref) };
        return count;
    }
    struct image_ref rest = *ref;
    rest.domain = "";
    rest.path = name;
    out[count++] = (struct image_write){ place->image, image_ref_write(mem, &rest) };
    return count;
}

/* -- pulling -- */

static const char *service_account(const struct val *pod)
{
    const char *name = val_text_or(val_get(pod, "serviceAccountName"), "");
    if (*name == '\0')
        name = val_text_or(val_get(pod, "serviceAccount"), "");
    return *name ? name : "default";
}

void image_place_pull_kind(struct arena *mem, const char *kind, const struct val *object,
                           struct image_pull *out)
{
    static const char *const none[] = { NULL };
    const struct workload_kind *found = find_kind(kind);
    *out = (struct image_pull){ .service_account = "", .secrets = none };
    if (!found || !found->pod)
        return;
    const struct val *pod = val_path(object, found->pod);
    const struct val *secrets = val_get(pod, "imagePullSecrets");
    size_t len = val_is_list(secrets) ? val_len(secrets) : 0, count = 0;
    const char **names = arena_alloc(mem, (len + 1) * sizeof(*names));
    for (size_t i = 0; i < len; i++) {
        const char *name = val_text_or(val_get(val_item(secrets, i), "name"), "");
        if (*name)
            names[count++] = arena_strdup(mem, name);
    }
    out->service_account = arena_strdup(mem, service_account(pod));
    out->secrets = names;
}

void image_place_pull(struct arena *mem, const struct val *manifest, struct image_pull *out)
{
    image_place_pull_kind(mem, object_kind(manifest), manifest, out);
}
