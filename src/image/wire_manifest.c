#include <string.h>
#include <strings.h>

#include "base/sbuf.h"
#include "base/time.h"
#include "doc/json.h"
#include "image/wire.h"

#define DIGEST_PREFIX   "sha256:"
#define DIGEST_HEX      64
#define LABEL_BYTES_MAX ((size_t)64) /* a time is no longer */
#define VALUES_MAX      ((size_t)100000)

static bool is_hex(const char *text)
{
    return strlen(text) == DIGEST_HEX && strspn(text, "0123456789abcdef") == DIGEST_HEX;
}

static bool is_digest(const char *text)
{
    return text && strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0 &&
           is_hex(text + strlen(DIGEST_PREFIX));
}

/* Before the text is taken apart: values take many times its room. */
static struct err *parse(struct arena *mem, const char *what, const char *body, size_t len,
                         struct val **out)
{
    size_t commas = 0;
    if (len > IMAGE_MANIFEST_MAX)
        return err_new(ERR_LIMIT, "%s: of over %zu bytes", what, IMAGE_MANIFEST_MAX);
    for (const char *at = body; (at = memchr(at, ',', len - (size_t)(at - body))); at++)
        commas++;
    if (commas > VALUES_MAX)
        return err_new(ERR_LIMIT, "%s: of more than %zu values", what, VALUES_MAX);
    TRY(err_wrap(doc_json_parse(mem, body, len, out), "%s", what));
    return val_is_map(*out) ? NULL : err_new(ERR_INVALID, "%s: not an object", what);
}

/* -- the configuration */

static struct image_info empty_info(void)
{
    return (struct image_info){ .tag = "",
                                .why_excluded = "",
                                .digest = "",
                                .image_id = "",
                                .label_created = "",
                                .label_build_date = "" };
}

static bool is_time(const char *text, int64_t *out)
{
    if (!text || strlen(text) > LABEL_BYTES_MAX)
        return false;
    SCOPED(err_free) struct err *e = time_parse(text, out);
    return !e;
}

static const char *read_label(const struct val *root, const char *name)
{
    static const char *const places[] = { "config", "container_config" };
    int64_t ns;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *text = val_text(VAL_PATH(root, places[i], "Labels", name));
        if (is_time(text, &ns))
            return text;
    }
    return "";
}

/* Go's zero time stands for none. */
static void read_config(const struct val *root, struct image_info *out)
{
    const char *created = val_text(val_get(root, "created"));
    out->has_created =
        is_time(created, &out->created_ns) && strncmp(created, "0001-01-01T00:00:00", 19) != 0;
    if (!out->has_created)
        out->created_ns = 0;
    out->label_created = read_label(root, "org.opencontainers.image.created");
    out->label_build_date = read_label(root, "org.label-schema.build-date");
    out->is_known = true;
}

struct err *image_wire_config(struct arena *mem, const char *body, size_t len,
                              struct image_info *out)
{
    *out = empty_info();
    struct val *root = NULL;
    TRY(parse(mem, "image configuration", body, len, &root));
    read_config(root, out);
    return NULL;
}

/* -- which kind */

static const struct media_type {
    const char *name;
    enum image_manifest_kind kind;
} media_types[] = {
    { "application/vnd.docker.distribution.manifest.v2+json", IMAGE_MANIFEST_CONFIG },
    { "application/vnd.oci.image.manifest.v1+json", IMAGE_MANIFEST_CONFIG },
    { "application/vnd.docker.distribution.manifest.list.v2+json", IMAGE_MANIFEST_INDEX },
    { "application/vnd.oci.image.index.v1+json", IMAGE_MANIFEST_INDEX },
    { "application/vnd.docker.distribution.manifest.v1+json", IMAGE_MANIFEST_V1 },
    { "application/vnd.docker.distribution.manifest.v1+prettyjws", IMAGE_MANIFEST_V1 },
};

static const struct media_type *find_type(const char *text)
{
    if (!text)
        return NULL;
    size_t len = strcspn(text, "; \t");
    for (size_t i = 0; i < ARRAY_LEN(media_types); i++) {
        if (len == strlen(media_types[i].name) && strncasecmp(media_types[i].name, text, len) == 0)
            return &media_types[i];
    }
    return NULL;
}

/* By what it says itself and what its header says, which must agree; else by its looks. */
static struct err *find_kind(const struct val *root, const char *content_type,
                             enum image_manifest_kind *out)
{
    const struct media_type *inner = find_type(val_text(val_get(root, "mediaType")));
    const struct media_type *outer = find_type(content_type);
    int64_t version = 0;
    bool has_list = val_is_list(val_get(root, "manifests"));
    bool has_config = val_is_map(val_get(root, "config"));
    if (inner && outer && inner->kind != outer->kind)
        return err_new(ERR_INVALID, "manifest: sent as %s, but says it is %s", outer->name,
                       inner->name);
    if (inner || outer)
        *out = inner ? inner->kind : outer->kind;
    else if (has_list && has_config)
        return err_new(ERR_INVALID, "manifest: has both manifests and a config, and no type");
    else if (has_list || has_config)
        *out = has_list ? IMAGE_MANIFEST_INDEX : IMAGE_MANIFEST_CONFIG;
    else if (val_int(val_get(root, "schemaVersion"), &version) && version == 1)
        *out = IMAGE_MANIFEST_V1;
    else
        return err_new(ERR_INVALID, "manifest: of no kind that serin knows");
    return NULL;
}

/* -- schema 1: a whole configuration as a text */

static struct err *read_v1(struct arena *mem, const struct val *root, struct image_manifest *out)
{
    const struct val *text = val_get(val_item(val_get(root, "history"), 0), "v1Compatibility");
    struct val *config = NULL;
    if (!val_text(text))
        return err_new(ERR_INVALID, "manifest: history[0].v1Compatibility is missing");
    TRY(parse(mem, "manifest: history[0].v1Compatibility", text->text, text->len, &config));
    read_config(config, &out->info);
    const char *id = val_text(val_get(config, "id"));
    if (id && is_hex(id))
        out->info.image_id = id;
    return NULL;
}

/* -- lists and indexes */

struct platform {
    const char *os, *architecture, *variant; /* not NUL-terminated */
    size_t os_len, architecture_len, variant_len;
};

static struct platform split_platform(const char *text)
{
    struct platform p = { .os = text, .os_len = strcspn(text, "/") };
    p.architecture = text + p.os_len + (text[p.os_len] == '/');
    p.architecture_len = strcspn(p.architecture, "/");
    p.variant = p.architecture + p.architecture_len + (p.architecture[p.architecture_len] == '/');
    p.variant_len = strlen(p.variant);
    return p;
}

static bool is_text(const struct val *v, const char *text, size_t len)
{
    const char *have = val_text_or(v, "");
    return strlen(have) == len && memcmp(have, text, len) == 0;
}

/* Nothing said about the variant is as good as any; `is_exact` wants the very one. */
static bool is_platform(const struct val *entry, const struct platform *p, bool is_exact)
{
    const struct val *have = val_get(entry, "platform");
    if (!is_text(val_get(have, "os"), p->os, p->os_len) ||
        !is_text(val_get(have, "architecture"), p->architecture, p->architecture_len))
        return false;
    const char *variant = val_text_or(val_get(have, "variant"), "");
    if (is_text(val_get(have, "variant"), p->variant, p->variant_len))
        return true;
    return !is_exact && (*variant == '\0' || p->variant_len == 0);
}

/* What says who made an image stands in the same list, as an image for no platform. */
static bool is_attestation(const struct val *entry)
{
    static const char *const reference[] = { "annotations", "vnd.docker.reference.type", NULL };
    return val_path(entry, reference) ||
           strcmp(val_text_or(VAL_PATH(entry, "platform", "os"), ""), "unknown") == 0;
}

static const struct val *find_child(const struct val *list, const char *const *platforms)
{
    for (const char *const *at = platforms; *at; at++) {
        const struct platform p = split_platform(*at);
        for (int is_exact = 1; is_exact >= 0; is_exact--) {
            for (size_t i = 0; i < val_len(list); i++) {
                const struct val *entry = val_item(list, i);
                if (!is_attestation(entry) && is_platform(entry, &p, is_exact))
                    return entry;
            }
        }
    }
    return NULL;
}

/* An index whose entries say nothing of platforms: its first one. */
static const struct val *find_plain(const struct val *list)
{
    const struct val *first = NULL;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *entry = val_item(list, i);
        if (!val_is_null(val_get(entry, "platform")))
            return NULL;
        if (!first && !is_attestation(entry))
            first = entry;
    }
    return first;
}

/* In Flux's words: "linux amd64". */
static const char *explain(struct arena *mem, const char *const *platforms)
{
    SBUF(text, 4096);
    for (const char *const *at = platforms; *at; at++) {
        sbuf_add(&text, at == platforms ? "" : ", ");
        for (const char *c = *at; *c; c++)
            sbuf_add_char(&text, *c == '/' ? ' ' : *c);
    }
    return arena_printf(mem, "no suitable manifest (%s) in manifestlist", sbuf_text(&text));
}

static struct err *read_index(struct arena *mem, const struct val *root,
                              const char *const *platforms, struct image_manifest *out)
{
    const struct val *list = val_get(root, "manifests");
    if (!val_is_list(list))
        return err_new(ERR_INVALID, "manifest list: \"manifests\" is no list");
    const struct val *child = find_child(list, platforms);
    if (!child)
        child = find_plain(list);
    if (!child) {
        out->why = explain(mem, platforms);
        return NULL;
    }
    out->child_digest = val_text(val_get(child, "digest"));
    if (!is_digest(out->child_digest))
        return err_new(ERR_INVALID, "manifest list: an entry has no sha256 digest");
    return NULL;
}

struct err *image_wire_manifest(struct arena *mem, const char *body, size_t len,
                                const char *content_type, const char *const *platforms,
                                struct image_manifest *out)
{
    *out = (struct image_manifest){ .info = empty_info() };
    struct val *root = NULL;
    TRY(parse(mem, "manifest", body, len, &root));
    TRY(find_kind(root, content_type, &out->kind));
    switch (out->kind) {
    case IMAGE_MANIFEST_V1: return read_v1(mem, root, out);
    case IMAGE_MANIFEST_INDEX: return read_index(mem, root, platforms, out);
    case IMAGE_MANIFEST_CONFIG: break;
    }
    out->config_digest = val_text(VAL_PATH(root, "config", "digest"));
    if (!is_digest(out->config_digest))
        return err_new(ERR_INVALID, "manifest: its config has no sha256 digest");
    return NULL;
}
