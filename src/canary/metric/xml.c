#include "canary/metric/xml.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct reader {
    const char *at, *end;
};

struct path {
    const char *parts[XML_DEPTH_MAX];
    size_t lens[XML_DEPTH_MAX];
    size_t len;
};

static bool begins(const struct reader *r, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(r->end - r->at) >= len && !memcmp(r->at, text, len);
}

/* To behind the text; false if it does not come. */
static bool skip_past(struct reader *r, const char *text)
{
    const char *found = memmem(r->at, (size_t)(r->end - r->at), text, strlen(text));
    if (found)
        r->at = found + strlen(text);
    return found != NULL;
}

/* To behind the > of a tag, quoted attributes passed over; `is_empty` for <a/>. */
static bool skip_tag(struct reader *r, bool *is_empty)
{
    for (char quote = '\0'; r->at < r->end; r->at++) {
        if (quote ? *r->at == quote : *r->at == '"' || *r->at == '\'') {
            quote = quote ? '\0' : *r->at;
        } else if (!quote && *r->at == '>') {
            *is_empty = r->at[-1] == '/';
            r->at++;
            return true;
        }
    }
    return false;
}

static size_t name_len(const struct reader *r)
{
    size_t len = 0;
    while (r->at + len < r->end && !strchr(" \t\r\n/>", r->at[len]))
        len++;
    return len;
}

/* One entity at an &: how many bytes it has; 0 if it is none. */
static size_t read_entity(const char *at, size_t len, uint32_t *point)
{
    static const struct entity {
        const char *name;
        uint32_t point;
    } entities[] = {
        { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&apos;", '\'' }
    };
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        size_t size = strlen(entities[i].name);
        *point = entities[i].point;
        if (len >= size && !memcmp(at, entities[i].name, size))
            return size;
    }
    const char *semicolon = memchr(at, ';', MIN_OF(len, (size_t)12));
    if (!semicolon || len < 4 || at[1] != '#')
        return 0;
    bool is_hex = at[2] == 'x';
    char *end = NULL;
    *point = (uint32_t)strtoul(at + (is_hex ? 3 : 2), &end, is_hex ? 16 : 10);
    return end == semicolon && *point ? (size_t)(semicolon - at) + 1 : 0;
}

static const char *read_text(struct arena *mem, const struct reader *r)
{
    const char *end = memchr(r->at, '<', (size_t)(r->end - r->at));
    size_t len = end ? (size_t)(end - r->at) : 0;
    char *text = arena_alloc(mem, len + 1);
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t size = r->at[i] == '&' ? read_entity(r->at + i, len - i, &point) : 0;
        if (size)
            used += utf8_encode(point, text + used);
        else
            text[used++] = r->at[i];
        i += size ? size : 1;
    }
    return text;
}

static bool split(const char *path, struct path *out)
{
    out->len = 0;
    while (*path) {
        if (out->len == XML_DEPTH_MAX)
            return false;
        size_t len = strcspn(path, "/");
        out->parts[out->len] = path;
        out->lens[out->len++] = len;
        path += len + (path[len] == '/');
    }
    return out->len > 0;
}

/* Reads tags until the path is entered (true) or left again, or the text ends. */
static bool walk(struct reader *r, const struct path *path)
{
    size_t depth = 0, matched = 0;
    while (skip_past(r, "<")) {
        bool is_empty = false;
        if (begins(r, "!--") || begins(r, "?")) {
            if (!skip_past(r, *r->at == '?' ? "?>" : "-->"))
                return false;
            continue;
        }
        if (begins(r, "!"))
            return false;
        bool is_end = begins(r, "/");
        size_t len = name_len(r);
        const char *name = r->at;
        if (!skip_tag(r, &is_empty))
            return false;
        if (is_end) {
            if (!depth || depth == matched)
                return false; /* the first of its name is over */
            depth--;
            continue;
        }
        bool is_next = depth == matched && len == path->lens[matched] &&
                       !memcmp(name, path->parts[matched], len);
        if (is_next && is_empty)
            return false;
        if (is_next && ++matched == path->len)
            return true;
        depth += !is_empty;
        if (depth > XML_DEPTH_MAX)
            return false;
    }
    return false;
}

const char *xml_find(struct arena *mem, const char *text, size_t len, const char *path)
{
    struct reader r = { .at = text, .end = text + len };
    struct path wanted;
    if (!split(path, &wanted) || !walk(&r, &wanted))
        return NULL;
    return read_text(mem, &r);
}
