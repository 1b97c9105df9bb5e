/* Any YAML as a manifest: every place that is found can be written, and is then read as what was written. */
#include <stdint.h>
#include <string.h>

#include "doc/yaml.h"
#include "image/place.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct val *follow(const struct val *root, const struct doc_step *path)
{
    struct val *v = NULL;
    for (; path->key || path->index != DOC_EDIT_END; path++) {
        v = path->key ? val_get(root, path->key) : val_item(root, path->index);
        root = v;
    }
    return v;
}

/* A place two of whose parts stand at one path cannot be right. */
static bool is_odd(const struct val *root, const struct image_place *place)
{
    const struct val *image = follow(root, place->image);
    const struct val *registry = place->registry ? follow(root, place->registry) : NULL;
    const struct val *tag = place->tag ? follow(root, place->tag) : NULL;
    ASSERT(val_text(image));
    ASSERT(!place->registry || val_text(registry));
    ASSERT(!place->tag || (tag && !val_is_list(tag) && !val_is_map(tag)));
    return image == registry || image == tag || (tag && registry == tag);
}

static const struct image_place *find(const struct image_places *places, const char *container)
{
    for (size_t i = 0; i < places->len; i++) {
        if (strcmp(places->at[i].container, container) == 0)
            return &places->at[i];
    }
    return NULL;
}

static void check_write(struct arena *mem, const struct val *manifest, const char *container,
                        const struct image_ref *ref)
{
    struct val *copy = val_copy(mem, manifest);
    struct image_places places;
    image_places_read(mem, copy, &places, NULL);
    const struct image_place *place = find(&places, container);
    ASSERT(place);
    if (is_odd(copy, place))
        return;
    struct image_write writes[3];
    size_t count = image_place_write(mem, place, ref, writes);
    ASSERT(count >= 1 && count <= ARRAY_LEN(writes));
    for (size_t i = 0; i < count; i++)
        *follow(copy, writes[i].path) = *val_new_text(mem, writes[i].text);
    struct image_places again;
    image_places_read(mem, copy, &again, NULL);
    place = find(&again, container);
    ASSERT(place);
    ASSERT(strcmp(image_ref_write(mem, &place->ref), image_ref_write(mem, ref)) == 0);
}

static void check_place(struct arena *mem, const struct val *manifest,
                        const struct image_place *place)
{
    static const char *const others[] = { "nginx:2", "quay.io/a/b:1.0", "a/b:1@sha256:0123",
                                          "host:5000/a/b@sha256:0123", "docker.io/x" };
    ASSERT(*place->ref.path);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct image_ref ref;
        ASSERT(!image_ref_parse(mem, others[i], &ref));
        check_write(mem, manifest, place->container, &ref);
    }
    struct image_ref next = image_ref_with_tag(&place->ref, "next", "sha256:4567");
    check_write(mem, manifest, place->container, &next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_limits limits = doc_yaml_default_limits;
    limits.nodes = 2000;
    struct doc_yaml_list docs = { .len = 0 };
    /* Of a broken stream the documents before. */
    err_free(doc_yaml_load(mem, (const char *)data, size, &limits, &docs, NULL));
    for (size_t i = 0; i < docs.len; i++) {
        struct image_places places;
        struct image_pull pull;
        size_t bad;
        image_places_read(mem, docs.at[i].root, &places, &bad);
        image_place_pull(mem, docs.at[i].root, &pull);
        ASSERT(pull.secrets && pull.service_account);
        for (size_t j = 0; j < MIN_OF(places.len, 5); j++)
            check_place(mem, docs.at[i].root, &places.at[j]);
    }
    return 0;
}
