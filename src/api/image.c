#include "api/image.h"

#include <string.h>

#define DIGEST_MARK "@sha256:"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does the first of two parts name a host? Where "localhost" or two words joined by a dot are found in it. */
static bool is_domain(const char *text, size_t len)
{
    if (memmem(text, len, "localhost", strlen("localhost")))
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

/* Where tag and digest begin (at their : and @; NULL if absent). */
struct parts {
    const char *tag, *digest;
};

static bool parse(const char *text, struct parts *out)
{
    size_t len = strlen(text);
    if (len == 0 || text[0] == '/' || text[len - 1] == '/')
        return false;
    const char *path = find_path(text);
    const char *digest = strstr(path, DIGEST_MARK);
    const char *end = digest ? digest : text + len;
    const char *tag = memchr(path, ':', (size_t)(end - path));
    *out = (struct parts){ .tag = tag, .digest = digest };
    if (path == end || (digest && digest[strlen(DIGEST_MARK)] == '\0'))
        return false;
    if (digest && strchr(digest + strlen(DIGEST_MARK), ':'))
        return false;
    return !tag ||
           (tag != path && tag + 1 != end && !memchr(tag + 1, ':', (size_t)(end - tag - 1)));
}

const char *api_image_format(struct arena *mem, const char *text)
{
    struct parts parts, again;
    if (!parse(text, &parts))
        return NULL;
    if (!parts.tag || !parts.digest)
        return arena_strdup(mem, text);
    /* A tag may hold slashes; what is left without it must still be an image for who reads it. */
    const char *rest = arena_printf(mem, "%.*s%s", (int)(parts.tag - text), text, parts.digest);
    return parse(rest, &again) ? rest : NULL;
}
