#include "kube/watch_line.h"

#include <string.h>

#include "doc/json.h"
#include "doc/object.h"

#define PARTIAL_KEEP ((size_t)64 << 10) /* a buffer that grew past this is given back */

/* -- lines --------------------------------------------------------------------------------------------------------- */

void kube_lines_init(struct kube_lines *lines, size_t limit_bytes)
{
    sbuf_init(&lines->partial, limit_bytes);
}

void kube_lines_fini(struct kube_lines *lines)
{
    sbuf_fini(&lines->partial);
}

void kube_lines_reset(struct kube_lines *lines)
{
    if (lines->partial.cap > PARTIAL_KEEP)
        sbuf_fini(&lines->partial);
    else
        sbuf_reset(&lines->partial);
}

static struct err *add_partial(struct kube_lines *lines, const char *bytes, size_t len)
{
    sbuf_add_bytes(&lines->partial, bytes, len);
    if (lines->partial.is_over)
        return err_new(ERR_LIMIT, "a line over %zu bytes", lines->partial.max);
    return NULL;
}

static bool hand_on(const char *line, size_t len, bool (*on_line)(void *, const char *, size_t),
                    void *ctx)
{
    if (len > 0 && line[len - 1] == '\r')
        len--;
    return len == 0 || on_line(ctx, line, len);
}

struct err *kube_lines_feed(struct kube_lines *lines, const char *bytes, size_t len,
                            bool (*on_line)(void *ctx, const char *line, size_t len), void *ctx)
{
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t piece = end ? (size_t)(end - bytes) : len;
        if (!end)
            return add_partial(lines, bytes, piece);
        bool goes_on;
        if (lines->partial.len > 0) {
            TRY(add_partial(lines, bytes, piece));
            goes_on = hand_on(sbuf_text(&lines->partial), lines->partial.len, on_line, ctx);
            if (goes_on)
                kube_lines_reset(lines);
        } else if (piece > lines->partial.max) {
            return err_new(ERR_LIMIT, "a line over %zu bytes", lines->partial.max);
        } else {
            goes_on = hand_on(bytes, piece, on_line, ctx);
        }
        if (!goes_on)
            return NULL;
        bytes += piece + 1;
        len -= piece + 1;
    }
    return NULL;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static bool type_of(const char *text, enum kube_line_type *out)
{
    static const struct {
        const char *text;
        enum kube_line_type type;
    } types[] = { { "ADDED", KUBE_LINE_ADDED },
                  { "MODIFIED", KUBE_LINE_MODIFIED },
                  { "DELETED", KUBE_LINE_DELETED },
                  { "BOOKMARK", KUBE_LINE_BOOKMARK },
                  { "ERROR", KUBE_LINE_ERROR } };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!strcmp(text, types[i].text)) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

struct err *kube_watch_line_parse(struct arena *mem, const char *line, size_t len,
                                  struct kube_watch_line *out)
{
    *out = (struct kube_watch_line){ .resource_version = "" };
    struct val *root;
    TRY(err_wrap(doc_json_parse(mem, line, len, &root), "watch event"));
    const char *type = val_text_or(val_get(root, "type"), "");
    if (!type_of(type, &out->type))
        return err_new(ERR_INVALID, "watch event of unknown type \"%.32s\"", type);
    out->object = val_get(root, "object");
    if (!val_is_map(out->object))
        return err_new(ERR_INVALID, "watch event %s without an object", type);
    if (out->type == KUBE_LINE_ERROR)
        return NULL;
    out->resource_version = object_resource_version(out->object);
    if (!*out->resource_version)
        return err_new(ERR_INVALID, "watch event %s without metadata.resourceVersion", type);
    if (out->type != KUBE_LINE_BOOKMARK && !*object_name(out->object))
        return err_new(ERR_INVALID, "watch event %s without metadata.name", type);
    const char *mark = object_annotation(out->object, "k8s.io/initial-events-end");
    out->ends_initial = out->type == KUBE_LINE_BOOKMARK && mark && !strcmp(mark, "true");
    return NULL;
}

/* -- pages --------------------------------------------------------------------------------------------------------- */

/* Reads along a JSON text without making values. What it lets pass that is no JSON is found when the parts are parsed. */
struct scan {
    const char *at, *end;
};

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    skip_blanks(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* From after the opening quote to after the closing one. */
static bool skip_text(struct scan *scan)
{
    while (scan->at < scan->end) {
        char c = *scan->at++;
        if (c == '"')
            return true;
        if (c == '\\' && scan->at < scan->end)
            scan->at++;
    }
    return false;
}

static bool skip_nested(struct scan *scan)
{
    for (size_t depth = 0; scan->at < scan->end;) {
        char c = *scan->at++;
        if (c == '"' && !skip_text(scan))
            return false;
        depth += c == '{' || c == '[';
        if ((c == '}' || c == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_value(struct scan *scan)
{
    skip_blanks(scan);
    if (scan->at == scan->end)
        return false;
    if (*scan->at == '{' || *scan->at == '[')
        return skip_nested(scan);
    if (take(scan, '"'))
        return skip_text(scan);
    const char *start = scan->at;
    while (scan->at < scan->end && !memchr(" \t\r\n,:]}", *scan->at, 8))
        scan->at++;
    return scan->at > start;
}

/* "key": of the next member of a map. */
static bool take_key(struct scan *scan, struct kube_slice *key)
{
    if (!take(scan, '"'))
        return false;
    key->bytes = scan->at;
    if (!skip_text(scan))
        return false;
    key->len = (size_t)(scan->at - key->bytes) - 1;
    return take(scan, ':');
}

static bool scan_items(struct arena *mem, struct scan *scan, struct kube_page *out)
{
    if (!take(scan, '['))
        return skip_value(scan); /* null: Go's empty list */
    if (take(scan, ']'))
        return true;
    do {
        skip_blanks(scan);
        const char *start = scan->at;
        if (!skip_value(scan))
            return false;
        *vec_push(mem, &out->items) = (struct kube_slice){ start, (size_t)(scan->at - start) };
    } while (take(scan, ','));
    return take(scan, ']');
}

/* Finds the items of a list; `cut` is where their array stands. */
static bool scan_page(struct arena *mem, const char *text, size_t len, struct kube_page *out,
                      struct kube_slice *cut)
{
    struct scan scan = { text, text + len };
    if (!take(&scan, '{'))
        return false;
    do {
        struct kube_slice key;
        if (!take_key(&scan, &key))
            return false;
        bool is_items = key.len == 5 && !memcmp(key.bytes, "items", 5);
        skip_blanks(&scan);
        const char *start = scan.at;
        if (is_items && cut->bytes)
            return false;
        if (!(is_items ? scan_items(mem, &scan, out) : skip_value(&scan)))
            return false;
        if (is_items)
            *cut = (struct kube_slice){ start, (size_t)(scan.at - start) };
    } while (take(&scan, ','));
    return cut->bytes && take(&scan, '}');
}

struct err *kube_page_parse(struct arena *mem, const char *text, size_t len, struct kube_page *out)
{
    *out = (struct kube_page){ .resource_version = "", .next = "" };
    struct kube_slice cut = { NULL, 0 };
    if (!scan_page(mem, text, len, out, &cut))
        return err_new(ERR_INVALID, "not a list of objects");
    SBUF(rest, SBUF_MAX);
    size_t before = (size_t)(cut.bytes - text);
    sbuf_add_bytes(&rest, text, before);
    sbuf_add(&rest, "[]");
    sbuf_add_bytes(&rest, cut.bytes + cut.len, len - before - cut.len);
    struct val *root;
    TRY(err_wrap(doc_json_parse(mem, sbuf_text(&rest), rest.len, &root), "list"));
    out->resource_version = val_text_or(VAL_PATH(root, "metadata", "resourceVersion"), "");
    out->next = val_text_or(VAL_PATH(root, "metadata", "continue"), "");
    return NULL;
}
