/* What registries say, and files of credentials: the first byte chooses the parser. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "image/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_manifest(struct arena *mem, const char *text, size_t len)
{
    static const char *const platforms[] = { "linux/amd64", "linux/arm64/v8", "linux/arm", NULL };
    static const char *const types[] = { NULL, "application/vnd.oci.image.index.v1+json" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct image_manifest manifest;
        struct err *e = image_wire_manifest(mem, text, len, types[i], platforms, &manifest);
        if (!e) {
            ASSERT((manifest.kind == IMAGE_MANIFEST_CONFIG) == (manifest.config_digest != NULL));
            ASSERT((manifest.kind == IMAGE_MANIFEST_INDEX) ==
                   (manifest.child_digest || manifest.why));
        }
        err_free(e);
    }
}

static void try_next(struct arena *mem, const char *text)
{
    static const char url[] = "https://registry.example:5000/v2/a/tags/list?n=10";
    const char *next = NULL;
    struct err *e = image_wire_next(mem, url, text, &next);
    ASSERT(!e || !next);
    ASSERT(!next || strncasecmp(next, url, strlen("https://registry.example")) == 0);
    err_free(e);
}

static void try_docker(struct arena *mem, const char *text, size_t len)
{
    struct image_logins logins = { 0 };
    err_free(image_wire_docker_config(mem, text, len, &logins));
    for (size_t i = 0; i < logins.len; i++) {
        const struct image_login *one = &logins.at[i];
        ASSERT(*one->user || *one->token || *one->helper);
        ASSERT(!strchr(one->host, '/') && !strchr(one->helper, '/'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t len = size - 1;
    const char *text = arena_strndup(mem, (const char *)data + 1, len);
    struct image_tags tags = { 0 };
    struct image_challenge challenge;
    struct image_info info;
    switch (data[0]) {
    case 't': err_free(image_wire_tags(mem, text, len, &tags)); break;
    case 'm': try_manifest(mem, text, len); break;
    case 'c': err_free(image_wire_config(mem, text, len, &info)); break;
    case 'd': try_docker(mem, text, len); break;
    case 'l': try_next(mem, text); break;
    default: image_wire_challenge(mem, text, &challenge); break;
    }
    arena_free(mem);
    return 0;
}
