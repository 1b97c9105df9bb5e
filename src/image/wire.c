#include "image/wire.h"

#include <string.h>
#include <strings.h>

#include "base/vec.h"
#include "doc/json.h"

#define URL_BYTES_MAX     ((size_t)4096)
#define CHALLENGE_MAX     ((size_t)16 << 10)
#define TAGS_MEMORY_BYTES ((size_t)512 << 20) /* of one page taken apart */

/* -- tags */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_tag(const char *text, size_t len)
{
    if (len == 0 || len > IMAGE_TAG_BYTES_MAX || !is_word(text[0]))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!is_word(text[i]) && text[i] != '.' && text[i] != '-')
            return false;
    }
    return true;
}

/* Before the text is taken apart: values take many times its room. */
static bool has_too_many(const char *body, size_t len)
{
    size_t commas = 0;
    for (const char *at = body; (at = memchr(at, ',', len - (size_t)(at - body))); at++)
        commas++;
    return commas > IMAGE_TAGS_MAX + 100;
}

struct err *image_wire_tags(struct arena *mem, const char *body, size_t len,
                            struct image_tags *tags)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(TAGS_MEMORY_BYTES);
    struct val *root = NULL;
    if (has_too_many(body, len))
        return err_new(ERR_LIMIT, "more than %zu tags", IMAGE_TAGS_MAX);
    TRY(err_wrap(doc_json_parse(scratch, body, len, &root), "list of tags"));
    if (!val_is_map(root))
        return err_new(ERR_INVALID, "list of tags: not an object");
    const struct val *list = val_get(root, "tags");
    if (!val_is_null(list) && !val_is_list(list))
        return err_new(ERR_INVALID, "list of tags: \"tags\" is %s, not a list",
                       val_type_name(list->type));
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *item = val_item(list, i);
        const char *text = val_text(item);
        if (!text || !is_tag(text, item->len)) {
            tags->bad++;
            continue;
        }
        if (tags->len == IMAGE_TAGS_MAX)
            return err_new(ERR_LIMIT, "more than %zu tags", IMAGE_TAGS_MAX);
        *vec_push(mem, tags) = arena_strndup(mem, text, item->len);
    }
    return NULL;
}

/* -- Link (RFC 8288) */

struct url {
    const char *scheme, *host, *path; /* host with its port; path with the query, from the slash */
    size_t scheme_len, host_len;
};

static bool split_url(const char *text, struct url *out)
{
    const char *colon = strstr(text, "://");
    if (!colon || colon == text)
        return false;
    *out = (struct url){ .scheme = text,
                         .scheme_len = (size_t)(colon - text),
                         .host = colon + 3,
                         .host_len = strcspn(colon + 3, "/?#") };
    out->path = out->host + out->host_len;
    return out->host_len > 0 && !memchr(out->host, '@', out->host_len);
}

/* Without the port that the scheme implies. */
static size_t bare_host_len(const struct url *url)
{
    bool is_https = url->scheme_len == strlen("https");
    const char *port = is_https ? ":443" : ":80";
    size_t len = strlen(port);
    bool is_default =
        url->host_len > len && memcmp(url->host + url->host_len - len, port, len) == 0;
    return url->host_len - (is_default ? len : 0);
}

static bool is_same_origin(const struct url *a, const struct url *b)
{
    return a->scheme_len == b->scheme_len &&
           strncasecmp(a->scheme, b->scheme, a->scheme_len) == 0 &&
           bare_host_len(a) == bare_host_len(b) &&
           strncasecmp(a->host, b->host, bare_host_len(a)) == 0;
}

/* Does one of the parameters behind a target say rel="next"? `end` is set behind them: at the comma, or the end. */
static bool has_next(const char *at, const char **end)
{
    bool found = false;
    while (*at == ';' || *at == ' ' || *at == '\t') {
        at += strspn(at, "; \t");
        size_t name_len = strcspn(at, "=;, \t");
        const char *name = at, *value = "";
        size_t value_len = 0;
        at += name_len;
        at += strspn(at, " \t");
        if (*at == '=') {
            at++;
            at += strspn(at, " \t");
            bool is_quoted = *at == '"';
            value = at + is_quoted;
            value_len = strcspn(value, is_quoted ? "\"" : ";, \t");
            at = value + value_len + (is_quoted && value[value_len] == '"');
            at += strspn(at, " \t");
        }
        found |= name_len == 3 && strncasecmp(name, "rel", 3) == 0 && value_len == 4 &&
                 strncasecmp(value, "next", 4) == 0;
    }
    *end = at;
    return found;
}

/* The target of the first link with rel="next"; NULL if there is none. */
static const char *find_next(struct arena *mem, const char *link)
{
    for (const char *at = link; (at = strchr(at, '<'));) {
        const char *target = at + 1, *close = strchr(target, '>');
        if (!close)
            return NULL;
        if (has_next(close + 1, &at))
            return arena_strndup(mem, target, (size_t)(close - target));
    }
    return NULL;
}

static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 127)
            return false;
    }
    return true;
}

static const char *resolve(struct arena *mem, const struct url *base, const char *target)
{
    int origin_len = (int)(base->path - base->scheme);
    if (strncmp(target, "//", 2) == 0)
        return arena_printf(mem, "%.*s:%s", (int)base->scheme_len, base->scheme, target);
    if (target[0] == '/')
        return arena_printf(mem, "%.*s%s", origin_len, base->scheme, target);
    int path_len = (int)strcspn(base->path, "?#");
    if (target[0] == '?')
        return arena_printf(mem, "%.*s%.*s%s", origin_len, base->scheme, path_len, base->path,
                            target);
    while (path_len > 0 && base->path[path_len - 1] != '/')
        path_len--;
    return arena_printf(mem, "%.*s%.*s%s%s", origin_len, base->scheme, path_len, base->path,
                        path_len ? "" : "/", target);
}

struct err *image_wire_next(struct arena *mem, const char *url, const char *link, const char **out)
{
    *out = NULL;
    const char *target = link ? find_next(mem, link) : NULL;
    struct url base, next;
    if (!target || *target == '\0')
        return NULL;
    if (strlen(target) > URL_BYTES_MAX)
        return err_new(ERR_LIMIT, "the next page of tags has an address of over %zu bytes",
                       URL_BYTES_MAX);
    if (!is_plain(target) || !split_url(url, &base))
        return err_new(ERR_INVALID, "the next page of tags has no valid address");
    char *hash = strchr(target, '#');
    if (hash)
        *hash = '\0';
    /* A colon before any slash or question mark: a scheme. */
    bool is_absolute = target[strcspn(target, ":/?")] == ':';
    const char *full = is_absolute ? target : resolve(mem, &base, target);
    if (!split_url(full, &next))
        return err_new(ERR_INVALID, "the next page of tags has no valid address");
    if (!is_same_origin(&base, &next))
        return err_new(ERR_INVALID,
                       "the next page of tags is said to be on another host or by another scheme "
                       "(%.*s://%.*s), which is refused",
                       (int)MIN_OF(next.scheme_len, 20), next.scheme,
                       (int)MIN_OF(next.host_len, 100), next.host);
    *out = full;
    return NULL;
}

/* -- WWW-Authenticate (RFC 9110, 11) */

struct reader {
    struct arena *mem;
    const char *at;
};

static bool is_token_char(char c)
{
    return is_word(c) || (c && strchr("!#$%&'*+-.^`|~", c));
}

static const char *read_token(struct reader *r)
{
    const char *start = r->at;
    while (is_token_char(*r->at))
        r->at++;
    return arena_strndup(r->mem, start, (size_t)(r->at - start));
}

static size_t quoted_len(const char *at)
{
    size_t len = 0;
    while (at[len] && at[len] != '"')
        len += at[len] == '\\' && at[len + 1] ? 2 : 1;
    return len;
}

static const char *read_quoted(struct reader *r)
{
    size_t len = quoted_len(r->at + 1);
    char *text = arena_alloc(r->mem, len + 1), *to = text;
    const char *end = r->at + 1 + len;
    for (r->at++; r->at < end; r->at++) {
        if (*r->at == '\\' && r->at + 1 < end)
            r->at++;
        *to++ = *r->at;
    }
    r->at += *r->at == '"';
    return text;
}

static void skip(struct reader *r, const char *set)
{
    r->at += strspn(r->at, set);
}

/* Parameters up to the next scheme (a word that no "=" follows) or the end. */
static void read_params(struct reader *r, struct image_challenge *out)
{
    for (;;) {
        skip(r, " \t,");
        const char *before = r->at;
        const char *name = read_token(r);
        skip(r, " \t");
        if (*name == '\0' || *r->at != '=') {
            r->at = before;
            return;
        }
        r->at++;
        skip(r, " \t");
        const char *value = *r->at == '"' ? read_quoted(r) : read_token(r);
        if (strcasecmp(name, "realm") == 0)
            out->realm = value;
        else if (strcasecmp(name, "service") == 0)
            out->service = value;
        else if (strcasecmp(name, "scope") == 0)
            out->scope = value;
    }
}

void image_wire_challenge(struct arena *mem, const char *header, struct image_challenge *out)
{
    *out = (struct image_challenge){ .realm = "", .service = "", .scope = "" };
    if (!header || strlen(header) > CHALLENGE_MAX)
        return;
    struct reader r = { .mem = mem, .at = header };
    for (;;) {
        skip(&r, " \t,");
        const char *scheme = read_token(&r);
        if (*scheme == '\0')
            return;
        struct image_challenge one = { .realm = "", .service = "", .scope = "" };
        if (strcasecmp(scheme, "Bearer") == 0)
            one.kind = IMAGE_AUTH_BEARER;
        else if (strcasecmp(scheme, "Basic") == 0)
            one.kind = IMAGE_AUTH_BASIC;
        read_params(&r, &one);
        if (one.kind > out->kind) /* the better one; of equals the first */
            *out = one;
    }
}
