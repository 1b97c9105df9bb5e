#include "canary/metric/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/sbuf.h"

#define TEXT_MAX ((size_t)16 << 20) /* of anything made here: far beyond what the callers give */

static const char *finish(struct arena *mem, struct sbuf *buf)
{
    const char *text = "";
    err_free(sbuf_finish(buf, mem, &text, NULL)); /* inputs are bounded by their readers */
    return text;
}

static bool is_bad_host(const char *host)
{
    const char *port = strrchr(host, ':');
    if (!*host || *host == ':' || strpbrk(host, "\"<>\\^`{|}%"))
        return true;
    if (!port || strchr(port, ']'))
        return false;
    return port[1 + strspn(port + 1, "0123456789")] != '\0' || strlen(port) > 6;
}

bool url_parse(struct arena *mem, const char *text, struct url *out)
{
    *out = (struct url){ .scheme = "", .user = "", .host = "", .path = "", .query = "" };
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    }
    if (strncasecmp(text, "http://", 7) && strncasecmp(text, "https://", 8))
        return false;
    const char *host = strstr(text, "://") + 3;
    const char *end = host + strcspn(host, "/?#");
    const char *at_sign = NULL;
    for (const char *at = host; at < end; at++)
        at_sign = *at == '@' ? at : at_sign;
    out->scheme = text[4] == ':' ? "http" : "https";
    if (at_sign) {
        out->user = arena_strndup(mem, host, (size_t)(at_sign - host));
        host = at_sign + 1;
    }
    out->host = arena_strndup(mem, host, (size_t)(end - host));
    size_t path_len = strcspn(end, "?#");
    out->path = arena_strndup(mem, end, path_len);
    if (end[path_len] == '?')
        out->query = arena_strndup(mem, end + path_len + 1, strcspn(end + path_len + 1, "#"));
    return !is_bad_host(out->host);
}

/* Without empty parts, . and ..; from a slash on. */
static void add_clean_path(struct sbuf *buf, const char *path)
{
    size_t first = buf->len;
    while (*path) {
        size_t len = strcspn(path, "/");
        bool is_up = len == 2 && !memcmp(path, "..", 2);
        if (is_up) {
            while (buf->len > first && buf->bytes[buf->len - 1] != '/')
                buf->len--;
            if (buf->len > first)
                buf->len--;
        } else if (len && !(len == 1 && *path == '.')) {
            sbuf_add_char(buf, '/');
            sbuf_add_bytes(buf, path, len);
        }
        path += len + (path[len] == '/');
    }
    if (buf->bytes)
        buf->bytes[buf->len] = '\0';
}

const char *url_join(struct arena *mem, const struct url *base, const char *path, const char *query)
{
    SBUF(buf, TEXT_MAX);
    sbuf_addf(&buf, "%s://%s%s%s", base->scheme, base->user, *base->user ? "@" : "", base->host);
    SBUF(joined, TEXT_MAX);
    sbuf_add(&joined, base->path);
    sbuf_addf(&joined, "/%s", path);
    add_clean_path(&buf, sbuf_text(&joined));
    if (*query) {
        sbuf_add_char(&buf, '?');
        sbuf_add(&buf, query);
    }
    return finish(mem, &buf);
}

const char *url_shown(struct arena *mem, const char *text)
{
    const char *mark = strstr(text, "://");
    const char *from = mark ? mark + 3 : text;
    const char *at_sign = NULL;
    for (const char *at = from; *at && !strchr("/?#", *at); at++)
        at_sign = *at == '@' ? at : at_sign;
    if (!at_sign)
        return arena_strdup(mem, text);
    const char *colon = memchr(from, ':', (size_t)(at_sign - from));
    return arena_printf(mem, "%.*s%s%s", (int)((colon ? colon : at_sign) - text), text,
                        colon ? ":***" : "", at_sign);
}

const char *url_escape(struct arena *mem, const char *text)
{
    SBUF(buf, TEXT_MAX);
    for (; *text; text++) {
        char one[2] = { *text, '\0' };
        if (*text == ' ')
            sbuf_add_char(&buf, '+');
        else
            sbuf_add_url(&buf, one);
    }
    return finish(mem, &buf);
}

const char *url_escape_part(struct arena *mem, const char *text)
{
    SBUF(buf, TEXT_MAX);
    sbuf_add_url(&buf, text);
    return finish(mem, &buf);
}

/* -- queries ------------------------------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* NULL if it cannot be decoded, or holds a NUL. */
static const char *decode(struct arena *mem, const char *bytes, size_t len)
{
    char *text = arena_alloc(mem, len + 1);
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '%') {
            text[used++] = bytes[i] == '+' ? ' ' : bytes[i];
            continue;
        }
        int high = i + 2 < len ? digit_of(bytes[i + 1]) : -1;
        int low = high >= 0 ? digit_of(bytes[i + 2]) : -1;
        if (low < 0 || high + low == 0)
            return NULL;
        text[used++] = (char)(high << 4 | low);
        i += 2;
    }
    return text;
}

void url_add(struct arena *mem, struct url_pairs *pairs, const char *key, const char *value)
{
    struct url_pair pair = { .key = key, .value = value, .place = pairs->len };
    *vec_push(mem, pairs) = pair;
}

void url_read_query(struct arena *mem, const char *query, struct url_pairs *out)
{
    while (*query) {
        size_t len = strcspn(query, "&");
        const char *equals = memchr(query, '=', len);
        size_t key_len = equals ? (size_t)(equals - query) : len;
        const char *key = decode(mem, query, key_len);
        const char *value = equals ? decode(mem, equals + 1, len - key_len - 1) : "";
        if (len && key && value && !memchr(query, ';', len))
            url_add(mem, out, key, value);
        query += len + (query[len] == '&');
    }
}

void url_set(struct arena *mem, struct url_pairs *pairs, const char *key, const char *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < pairs->len; i++) {
        if (strcmp(pairs->at[i].key, key))
            pairs->at[kept++] = pairs->at[i];
    }
    pairs->len = kept;
    url_add(mem, pairs, key, value);
}

static int compare_pairs(const void *left, const void *right)
{
    const struct url_pair *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

const char *url_query(struct arena *mem, struct url_pairs *pairs)
{
    SBUF(buf, TEXT_MAX);
    if (pairs->len)
        qsort(pairs->at, pairs->len, sizeof(*pairs->at), compare_pairs);
    for (size_t i = 0; i < pairs->len; i++)
        sbuf_addf(&buf, "%s%s=%s", i ? "&" : "", url_escape(mem, pairs->at[i].key),
                  url_escape(mem, pairs->at[i].value));
    return finish(mem, &buf);
}
