#include "image/ref.h"

#include <string.h>

#define DIGEST_MARK "@sha256:"
#define HUB         "index.docker.io"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A colon and nothing but digits behind it: no tag has a path behind it, so this is a port. */
static bool ends_with_port(const char *text, size_t len)
{
    size_t digits = 0;
    while (digits < len && text[len - digits - 1] >= '0' && text[len - digits - 1] <= '9')
        digits++;
    return digits > 0 && digits + 1 < len && text[len - digits - 1] == ':';
}

/* Does the first of two parts name a host? Where "localhost" or two words joined by a dot are found in it, or a port. */
static bool is_domain(const char *text, size_t len)
{
    if (memmem(text, len, "localhost", strlen("localhost")) || ends_with_port(text, len))
        return true;
    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] == '.' && is_alnum(text[i - 1]) && is_alnum(text[i + 1]))
            return true;
    }
    return false;
}

/* Where the path begins: behind the domain, if there is one. */
static const char *find_path(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return text;
    if (strchr(slash + 1, '/'))
        return slash + 1; /* three parts or more: the first is the domain, whatever it looks like */
    return is_domain(text, (size_t)(slash - text)) ? slash + 1 : text;
}

#define MALFORMED "expected image name as either <image>:<tag> or just <image>: invalid image ID"

static struct err *malformed(const char *text)
{
    return err_new(ERR_INVALID, "parsing \"%.200s\": " MALFORMED, text);
}

/* Nothing but letters, digits and these: what else there is was meant to be something else, as {{ .image }}. */
static bool is_made_of(const char *bytes, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(bytes[i]) && (bytes[i] == '\0' || !strchr(others, bytes[i])))
            return false;
    }
    return true;
}

/* No element of a path is empty, "." or "..": each begins with a letter or a digit. */
static bool has_bad_element(const char *path, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((i == 0 || path[i - 1] == '/') && !is_alnum(path[i]))
            return true;
    }
    return false;
}

static bool is_bad_tag(const char *tag, size_t len)
{
    return !is_made_of(tag, len, "._-") || (!is_alnum(tag[0]) && tag[0] != '_');
}

/* The path as it stands to its parts. */
static struct err *split_path(struct arena *mem, const char *text, const char *path,
                              struct image_ref *out)
{
    const char *digest = strstr(path, DIGEST_MARK);
    const char *hex = digest ? digest + strlen(DIGEST_MARK) : "";
    const char *end = digest ? digest : path + strlen(path);
    const char *tag = memchr(path, ':', (size_t)(end - path));
    if (tag && memchr(tag + 1, ':', (size_t)(end - tag - 1)))
        return err_new(ERR_INVALID, "%s", MALFORMED);
    const char *path_end = tag ? tag : end;
    if (path == path_end || (tag && tag + 1 == end) || (digest && *hex == '\0'))
        return malformed(text);
    if (!is_made_of(path, (size_t)(path_end - path), "._-/") ||
        has_bad_element(path, (size_t)(path_end - path)) || !is_made_of(hex, strlen(hex), "") ||
        (tag && is_bad_tag(tag + 1, (size_t)(end - tag - 1))))
        return malformed(text);
    out->path = arena_strndup(mem, path, (size_t)(path_end - path));
    out->tag = tag ? arena_strndup(mem, tag + 1, (size_t)(end - tag - 1)) : "";
    out->digest = arena_strdup(mem, hex);
    return NULL;
}

struct err *image_ref_parse(struct arena *mem, const char *text, struct image_ref *out)
{
    size_t len = strlen(text);
    *out = (struct image_ref){ .domain = "", .path = "", .tag = "", .digest = "" };
    if (len == 0)
        return err_new(ERR_INVALID, "parsing \"\": blank image name: invalid image ID");
    if (len > IMAGE_REF_BYTES_MAX)
        return err_new(ERR_LIMIT, "parsing \"%.60s…\": an image name of over %zu bytes", text,
                       IMAGE_REF_BYTES_MAX);
    if (text[0] == '/' || text[len - 1] == '/')
        return malformed(text);
    const char *path = find_path(text);
    if (!is_made_of(text, (size_t)(path - text), "._-:/[]"))
        return malformed(text);
    TRY(split_path(mem, text, path, out));
    if (path != text)
        out->domain = arena_strndup(mem, text, (size_t)(path - text - 1));
    return NULL;
}

const char *image_ref_name(struct arena *mem, const struct image_ref *ref)
{
    return *ref->domain ? arena_printf(mem, "%s/%s", ref->domain, ref->path)
                        : arena_strdup(mem, ref->path);
}

const char *image_ref_format(struct arena *mem, const struct image_ref *ref)
{
    const char *name = image_ref_name(mem, ref);
    if (*ref->digest)
        return arena_printf(mem, "%s" DIGEST_MARK "%s", name, ref->digest);
    return *ref->tag ? arena_printf(mem, "%s:%s", name, ref->tag) : name;
}

const char *image_ref_write(struct arena *mem, const struct image_ref *ref)
{
    const char *name = image_ref_name(mem, ref);
    return arena_printf(mem, "%s%s%s%s%s", name, *ref->tag ? ":" : "", ref->tag,
                        *ref->digest ? DIGEST_MARK : "", ref->digest);
}

const char *image_ref_host(const struct image_ref *ref)
{
    return *ref->domain == '\0' || strcmp(ref->domain, "docker.io") == 0 ? HUB : ref->domain;
}

const char *image_ref_canonical_path(struct arena *mem, const struct image_ref *ref)
{
    bool is_official = strcmp(image_ref_host(ref), HUB) == 0 && !strchr(ref->path, '/');
    return is_official ? arena_printf(mem, "library/%s", ref->path) : arena_strdup(mem, ref->path);
}

const char *image_ref_canonical_name(struct arena *mem, const struct image_ref *ref)
{
    return arena_printf(mem, "%s/%s", image_ref_host(ref), image_ref_canonical_path(mem, ref));
}

/* The hex of "sha256:hex", or of hex alone; "" for every other kind. */
static const char *digest_hex(const char *digest)
{
    static const char kind[] = "sha256:";
    if (strncmp(digest, kind, strlen(kind)) == 0)
        digest += strlen(kind);
    return strchr(digest, ':') ? "" : digest;
}

struct image_ref image_ref_with_tag(const struct image_ref *ref, const char *tag,
                                    const char *digest)
{
    struct image_ref other = *ref;
    const char *hex = digest_hex(digest);
    if (*ref->digest && *hex == '\0')
        return other;
    other.tag = tag;
    if (*ref->digest)
        other.digest = hex;
    return other;
}
