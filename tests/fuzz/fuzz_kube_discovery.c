/* Discovery documents: the input as /api and /apis, and as the list of each version that is left. */
#include <stdint.h>
#include <string.h>

#include "kube/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kube_catalog *read(const char *text, size_t len, const struct kube_catalog *old)
{
    struct kube_catalog *catalog = kube_catalog_new();
    err_free(kube_catalog_read(catalog, text, len));
    if (old)
        kube_catalog_keep_all(catalog, old, false);
    for (size_t i = 0; i < kube_catalog_gv_len(catalog); i++) {
        struct err *e = kube_catalog_read_version(catalog, i, text, len);
        if (e)
            kube_catalog_keep(catalog, i, old);
        err_free(e);
    }
    kube_catalog_finish(catalog);
    return catalog;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_catalog *old = read((const char *)data, size, NULL);
    struct kube_catalog *catalog = read((const char *)data, size, old);
    kube_catalog_free(old);
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < kube_catalog_len(catalog); i++) {
        const struct kube_resource *one = kube_catalog_at(catalog, i);
        const struct kube_resource *found = kube_catalog_find(catalog, one->api_version, one->kind);
        ASSERT(found && !strcmp(found->kind, one->kind));
        const char *path = kube_path(mem, one, "ns", "name", NULL);
        ASSERT(!*path || *path == '/');
    }
    arena_free(mem);
    kube_catalog_free(catalog);
    return 0;
}
