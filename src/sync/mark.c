#include "sync/mark.h"

#include <string.h>

#include "base/hash.h"
#include "doc/object.h"
#include "doc/yaml.h"

const char *mark_set_name(struct arena *mem, const char *safe_url, const char *branch,
                          const char *const *git_paths)
{
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, safe_url);
    sbuf_add(&text, branch);
    for (size_t i = 0; git_paths && git_paths[i]; i++)
        sbuf_add(&text, git_paths[i]);
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(sbuf_text(&text), text.len, digest);
    return hash_base64url(mem, digest, sizeof(digest));
}

const char *mark_of(struct arena *mem, const char *set_name, const char *id)
{
    const char *text = arena_printf(mem, "%s%s", set_name, id);
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(text, strlen(text), digest);
    return arena_printf(mem, "sha256.%s", hash_base64url(mem, digest, sizeof(digest)));
}

const char *mark_checksum(struct arena *mem, const struct val *object)
{
    SBUF(text, SBUF_MAX);
    doc_yaml_emit(object, &text);
    unsigned char digest[HASH_SHA1_BYTES];
    hash_sha1(sbuf_text(&text), text.len, digest);
    return hash_hex(mem, digest, sizeof(digest));
}

enum mark_ignore mark_ignore(const struct val *object)
{
    static const char *const keys[] = { "fluxcd.io/ignore", "flux.weave.works/ignore",
                                        "filter.fluxcd.io/ignore" };
    enum mark_ignore result = MARK_IGNORE_NO;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *value = object_annotation(object, keys[i]);
        if (value && strcmp(value, "true") == 0)
            return MARK_IGNORE_YES;
        if (value && strcmp(value, "sync_only") == 0)
            result = MARK_IGNORE_SYNC_ONLY;
    }
    return result;
}
