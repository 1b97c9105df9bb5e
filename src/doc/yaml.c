#include "doc/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "base/utf8.h"
#include "doc/build.h"
#include "doc/scalar.h"

#define ANCHORS_MAX     10000 /* of one document */
#define SHOWN_MAX_BYTES 100   /* of a value in a message */

const struct doc_yaml_limits doc_yaml_default_limits = {
    .bytes = (size_t)16 << 20,
    .scalar = (size_t)3 << 20,
    .nodes = 1000000,
    .depth = DOC_DEPTH_MAX,
    .documents = 10000,
};

struct anchor {
    const struct val *v; /* NULL while it is being read */
    size_t nodes, bytes; /* what another copy of it costs */
};

/* A list or map being read, beside its frame in the builder. */
struct frame {
    struct anchor *anchor; /* its own, or NULL */
    size_t nodes, bytes;   /* counted before it began */
    bool has_key, is_merge;
    struct build_entry entry; /* while has_key */
};

struct loader {
    struct arena *mem;
    const struct doc_yaml_limits *limits;
    yaml_parser_t parser;
    struct build build;
    struct frame frames[DOC_DEPTH_MAX];
    struct map *anchors;
    size_t nodes, bytes; /* of all values so far; bytes of scalars */
    struct doc_pos at;   /* of the event in hand, or where it broke */
    uint32_t doc_line;   /* where the document begins */
};

static void loader_fini_at(struct loader *l)
{
    yaml_parser_delete(&l->parser);
    build_fini(&l->build);
    map_free(l->anchors);
}

static struct frame *top(struct loader *l)
{
    return &l->frames[l->build.depth - 1];
}

MUST_USE static struct err *count(struct loader *l, size_t nodes, size_t bytes)
{
    l->nodes += nodes;
    l->bytes += bytes;
    if (l->nodes > l->limits->nodes)
        return err_new(ERR_LIMIT, "more than %zu values (aliases expanded)", l->limits->nodes);
    if (l->bytes > 2 * l->limits->bytes)
        return err_new(ERR_LIMIT, "more than %zu bytes of values (aliases expanded)",
                       2 * l->limits->bytes);
    return NULL;
}

/* ---- scalars ---- */

static const char *short_tag(const char *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    bool is_known = tag && !strncmp(tag, prefix, strlen(prefix));
    return is_known ? tag + strlen(prefix) : NULL;
}

static void set_text(struct loader *l, struct val *v, const char *bytes, size_t len)
{
    v->type = VAL_STRING;
    v->text = arena_strndup(l->mem, bytes, len);
    v->len = len;
}

/* Bytes that are no UTF-8 become U+FFFD: what JSON would make of them. */
MUST_USE static struct err *set_binary(struct loader *l, struct val *v, const char *base64,
                                       size_t len)
{
    unsigned char *bytes = NULL;
    size_t bytes_len = 0;
    SCOPED(err_free) struct err *e = hash_base64_parse(l->mem, base64, len, &bytes, &bytes_len);
    if (e)
        return err_new(ERR_INVALID, "!!binary value contains invalid base64 data");
    SBUF(text, SBUF_MAX);
    for (size_t i = 0; i < bytes_len;) {
        size_t width = utf8_decode((const char *)bytes + i, bytes_len - i, NULL);
        sbuf_add_bytes(&text, width ? (const char *)bytes + i : "\xef\xbf\xbd", width ? width : 3);
        i += width ? width : 1;
    }
    set_text(l, v, sbuf_text(&text), text.len);
    return NULL;
}

MUST_USE static struct err *set_float(struct loader *l, struct val *v, double number)
{
    char text[NUMBER_TEXT_BYTES];
    if (isfinite(number))
        number_format_json(number, text);
    else /* a key may be one: it becomes text. A value may not, and is refused where it is placed. */
        snprintf(text, sizeof(text), "%s", isnan(number) ? ".nan" : number > 0 ? ".inf" : "-.inf");
    set_text(l, v, text, strlen(text));
    v->type = VAL_NUMBER;
    v->cap = 1;
    return NULL;
}

MUST_USE static struct err *set_resolved(struct loader *l, struct val *v, const struct scalar *s,
                                         const yaml_event_t *event)
{
    char digits[NUMBER_TEXT_BYTES];
    const char *text = (const char *)event->data.scalar.value;
    switch (s->kind) {
    case SCALAR_NULL: v->type = VAL_NULL; return NULL;
    case SCALAR_BOOL:
        v->type = VAL_BOOL;
        v->boolean = s->boolean;
        return NULL;
    case SCALAR_INT:
        snprintf(digits, sizeof(digits), "%s%llu", s->is_negative && s->size ? "-" : "",
                 (unsigned long long)s->size);
        set_text(l, v, digits, strlen(digits));
        v->type = VAL_NUMBER;
        return NULL;
    case SCALAR_FLOAT: return set_float(l, v, s->number);
    case SCALAR_TIME:
    case SCALAR_TEXT: set_text(l, v, text, event->data.scalar.length); return NULL;
    }
    return NULL;
}

/* For messages: on one line, and not too long. */
static const char *shown(struct arena *mem, const char *text)
{
    size_t len = strnlen(text, SHOWN_MAX_BYTES + 1);
    while (len > SHOWN_MAX_BYTES || (len && ((unsigned char)text[len] & 0xc0) == 0x80))
        len--; /* whole characters only */
    char *copy = arena_strndup(mem, text, len);
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)copy[i] < ' ' ? ' ' : copy[i];
    return copy;
}

/* A scalar with one of YAML's own tags, which has to agree with what the text looks like. */
MUST_USE static struct err *set_tagged(struct loader *l, struct val *v, const char *tag,
                                       const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct scalar s = scalar_resolve(text, event->data.scalar.length, !strcmp(tag, "timestamp"));
    if (!strcmp(tag, "float") && s.kind == SCALAR_INT)
        return set_float(l, v, s.is_negative && s.size ? -(double)s.size : (double)s.size);
    if (strcmp(tag, scalar_kind_name(s.kind)) != 0)
        return err_new(ERR_INVALID, "cannot decode !!%s `%s` as a !!%s", scalar_kind_name(s.kind),
                       shown(l->mem, text), tag);
    return set_resolved(l, v, &s, event);
}

MUST_USE static struct err *set_scalar(struct loader *l, struct val *v, const yaml_event_t *event)
{
    static const char checked[] = " bool int float null timestamp ";
    const char *text = (const char *)event->data.scalar.value,
               *full_tag = (const char *)event->data.scalar.tag;
    size_t len = event->data.scalar.length;
    const char *tag = short_tag(full_tag);
    if (tag && !strcmp(tag, "binary"))
        return set_binary(l, v, text, len);
    char padded[16];
    bool is_short = tag && strlen(tag) < sizeof(padded) - 2;
    snprintf(padded, sizeof(padded), " %s ", is_short ? tag : "");
    if (is_short && strstr(checked, padded))
        return set_tagged(l, v, tag, event);
    if (full_tag || !event->data.scalar.plain_implicit) {
        set_text(l, v, text, len);
        return NULL;
    }
    struct scalar s = scalar_resolve(text, len, true);
    return set_resolved(l, v, &s, event);
}

/* ---- placing finished values ---- */

static bool is_finite(const struct val *v)
{
    return v->type != VAL_NUMBER || !v->cap || !strpbrk(v->text, "ni");
}

/* The text a value becomes as a key of a JSON map. */
MUST_USE static struct err *key_of(struct loader *l, const struct val *v, const char **out)
{
    char text[NUMBER_TEXT_BYTES];
    bool is_beyond = v->type == VAL_NUMBER && !v->cap && v->text[0] != '-' &&
                     strtoull(v->text, NULL, 10) > INT64_MAX;
    if (v->type == VAL_LIST || v->type == VAL_MAP)
        return err_new(ERR_INVALID, "invalid map key: %s", val_type_name(v->type));
    if (v->type == VAL_NULL || is_beyond)
        return err_new(ERR_INVALID, "unsupported map key: %s", is_beyond ? v->text : "null");
    if (v->type == VAL_BOOL) {
        *out = v->boolean ? "true" : "false";
    } else if (v->type == VAL_NUMBER && v->cap && is_finite(v)) {
        number_format_g32(strtod(v->text, NULL), text);
        *out = !strcmp(text, "+Inf")   ? ".inf"
               : !strcmp(text, "-Inf") ? "-.inf"
                                       : arena_strdup(l->mem, text);
    } else {
        *out = v->text;
    }
    bool has_nul = v->type == VAL_STRING && memchr(v->text, '\0', v->len);
    return has_nul ? err_new(ERR_INVALID, "a map key with a NUL character") : NULL;
}

MUST_USE static struct err *merge_map(struct loader *l, const struct val *from)
{
    if (!val_is_map(from))
        return err_new(ERR_INVALID, "map merge requires map or sequence of maps as the value");
    for (size_t i = 0; i < from->len; i++) {
        struct build_entry entry = top(l)->entry;
        entry.key = from->pairs[i].key;
        entry.value = from->pairs[i].value;
        entry.is_weak = true;
        build_pair(&l->build, &entry);
    }
    return NULL;
}

/* `<<: v`. Of several maps the first has the last word, so it comes last. */
MUST_USE static struct err *merge(struct loader *l, const struct val *v, bool is_alias)
{
    if (!val_is_list(v) || is_alias)
        return merge_map(l, v);
    for (size_t i = v->len; i > 0; i--)
        TRY(merge_map(l, v->items[i - 1]));
    return NULL;
}

struct source { /* of a finished value */
    struct doc_pos at;
    bool is_merge_key, is_alias;
};

MUST_USE static struct err *place(struct loader *l, struct val *v, const struct source *from)
{
    if (!val_is_map(build_top(&l->build))) {
        build_item(&l->build, v);
        return is_finite(v) ? NULL
                            : err_new(ERR_INVALID, "%s is a number JSON cannot hold", v->text);
    }
    struct frame *frame = top(l);
    if (!frame->has_key) {
        frame->entry = (struct build_entry){ .line = from->at.line, .column = from->at.column };
        frame->has_key = true;
        frame->is_merge = from->is_merge_key;
        return frame->is_merge ? NULL : key_of(l, v, &frame->entry.key);
    }
    frame->has_key = false;
    if (frame->is_merge)
        return merge(l, v, from->is_alias);
    frame->entry.value = v;
    build_pair(&l->build, &frame->entry);
    return is_finite(v) ? NULL : err_new(ERR_INVALID, "%s is a number JSON cannot hold", v->text);
}

/* ---- events ---- */

static struct doc_pos pos_of(const yaml_mark_t *mark)
{
    return (struct doc_pos){ .line = (uint32_t)mark->line + 1,
                             .column = (uint32_t)mark->column + 1 };
}

static struct val *new_val(struct loader *l, enum val_type type)
{
    struct val *v = val_new(l->mem, type);
    v->line = l->at.line;
    v->column = l->at.column;
    return v;
}

/* NULL without a name. A name used again means the newer value from then on. */
MUST_USE static struct err *new_anchor(struct loader *l, const yaml_char_t *name,
                                       struct anchor **out)
{
    *out = NULL;
    if (!name)
        return NULL;
    if (map_len(l->anchors) >= ANCHORS_MAX)
        return err_new(ERR_LIMIT, "more than %d anchors", ANCHORS_MAX);
    *out = arena_alloc(l->mem, sizeof(**out));
    map_set(l->anchors, (const char *)name, *out);
    return NULL;
}

MUST_USE static struct err *on_scalar(struct loader *l, const yaml_event_t *event)
{
    size_t len = event->data.scalar.length;
    if (len > l->limits->scalar)
        return err_new(ERR_LIMIT, "a value of more than %zu bytes", l->limits->scalar);
    TRY(count(l, 1, len));
    struct anchor *anchor;
    TRY(new_anchor(l, event->data.scalar.anchor, &anchor));
    bool is_nothing =
        !len && !anchor && !event->data.scalar.tag && event->data.scalar.plain_implicit;
    if (is_nothing && !l->build.depth)
        return NULL; /* an empty document */
    struct val *v = new_val(l, VAL_NULL);
    TRY(set_scalar(l, v, event));
    if (anchor)
        *anchor = (struct anchor){ .v = v, .nodes = 1, .bytes = len };
    const char *tag = short_tag((const char *)event->data.scalar.tag);
    bool is_merge_key = len == 2 && !memcmp(event->data.scalar.value, "<<", 2) &&
                        (event->data.scalar.plain_implicit || (tag && !strcmp(tag, "merge")));
    return place(l, v, &(struct source){ .at = l->at, .is_merge_key = is_merge_key });
}

MUST_USE static struct err *on_alias(struct loader *l, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = map_get(l->anchors, name);
    if (!anchor)
        return err_new(ERR_INVALID, "unknown anchor '%s' referenced", shown(l->mem, name));
    if (!anchor->v)
        return err_new(ERR_INVALID, "anchor '%s' value contains itself", shown(l->mem, name));
    TRY(count(l, anchor->nodes, anchor->bytes));
    for (struct val_walk w = val_walk(anchor->v); val_walk_next(&w);) {
        bool is_container = val_is_map(w.v) || val_is_list(w.v);
        if (is_container && l->build.depth + w.depth >= l->limits->depth)
            return err_new(ERR_LIMIT, "nested more than %zu levels deep", l->limits->depth);
    }
    return place(l, val_copy_sharing(l->mem, anchor->v),
                 &(struct source){ .at = l->at, .is_alias = true });
}

MUST_USE static struct err *on_open(struct loader *l, enum val_type type,
                                    const yaml_char_t *anchor_name)
{
    if (l->build.depth >= l->limits->depth)
        return err_new(ERR_LIMIT, "nested more than %zu levels deep", l->limits->depth);
    struct frame frame = { .nodes = l->nodes, .bytes = l->bytes };
    TRY(count(l, 1, 0));
    TRY(new_anchor(l, anchor_name, &frame.anchor));
    l->frames[l->build.depth] = frame;
    build_open(&l->build, new_val(l, type));
    return NULL;
}

MUST_USE static struct err *on_close(struct loader *l)
{
    struct frame *frame = top(l);
    struct val *closed;
    struct build_entry twice;
    if (!build_close(&l->build, &closed, &twice)) {
        l->at = (struct doc_pos){ .line = twice.line, .column = twice.column };
        SBUF(quoted, 1024);
        const char *key = shown(l->mem, twice.key);
        sbuf_add_json(&quoted, key, strlen(key));
        return err_new(ERR_INVALID, "key %s already set in map", sbuf_text(&quoted));
    }
    if (frame->anchor)
        *frame->anchor = (struct anchor){ .v = closed,
                                          .nodes = l->nodes - frame->nodes,
                                          .bytes = l->bytes - frame->bytes };
    l->at = (struct doc_pos){ .line = closed->line, .column = closed->column };
    return place(l, closed, &(struct source){ .at = l->at });
}

MUST_USE static struct err *on_document(struct loader *l, const yaml_event_t *event,
                                        struct doc_yaml_list *out)
{
    if (event->type == YAML_DOCUMENT_START_EVENT) {
        if (out->len >= l->limits->documents)
            return err_new(ERR_LIMIT, "more than %zu documents", l->limits->documents);
        map_clear(l->anchors);
        l->build.root = NULL;
        l->doc_line = l->at.line;
        return NULL;
    }
    *vec_push(l->mem, out) = (struct doc_yaml_doc){ .root = l->build.root, .line = l->doc_line };
    return NULL;
}

MUST_USE static struct err *on_event(struct loader *l, const yaml_event_t *event,
                                     struct doc_yaml_list *out)
{
    bool is_end = event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
    if (!is_end)
        l->at = pos_of(&event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT: return on_document(l, event, out);
    case YAML_ALIAS_EVENT: return on_alias(l, event);
    case YAML_SCALAR_EVENT: return on_scalar(l, event);
    case YAML_SEQUENCE_START_EVENT: return on_open(l, VAL_LIST, event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT: return on_open(l, VAL_MAP, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_close(l);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT: break;
    }
    return NULL;
}

/* ---- the stream ---- */

static struct doc_pos pos_at(const char *text, size_t offset)
{
    struct doc_pos at = { .line = 1, .column = 1 };
    for (size_t i = 0; i < offset; i++) {
        at.column += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (text[i] == '\n')
            at = (struct doc_pos){ .line = at.line + 1, .column = 1 };
    }
    return at;
}

MUST_USE static struct err *syntax_error(struct loader *l, const char *text)
{
    const yaml_parser_t *parser = &l->parser;
    ASSERT(parser->error != YAML_MEMORY_ERROR);
    const char *problem =
        parser->problem ? parser->problem : "unknown problem parsing YAML content";
    bool is_reader = parser->error == YAML_READER_ERROR; /* it has no mark, but an offset */
    l->at = is_reader ? pos_at(text, parser->problem_offset) : pos_of(&parser->problem_mark);
    return err_new(ERR_INVALID, "%s", problem);
}

MUST_USE static struct err *check_text(struct loader *l, const char *text, size_t len)
{
    if (len > l->limits->bytes)
        return err_new(ERR_LIMIT, "more than %zu bytes", l->limits->bytes);
    size_t bad = utf8_find_bad(text, len);
    if (bad == len)
        return NULL;
    l->at = pos_at(text, bad);
    bool is_utf16 = len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
    if (is_utf16)
        return err_new(ERR_INVALID, "the text is UTF-16; save it as UTF-8");
    return err_new(ERR_INVALID, "byte 0x%02x is no UTF-8", (unsigned char)text[bad]);
}

MUST_USE static struct err *load(struct loader *l, const char *text, size_t len,
                                 struct doc_yaml_list *out)
{
    TRY(check_text(l, text, len));
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)text, len);
    for (bool is_end = false; !is_end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&l->parser, &event))
            return syntax_error(l, text);
        is_end = event.type == YAML_STREAM_END_EVENT;
        struct err *e = on_event(l, &event, out);
        yaml_event_delete(&event);
        TRY(e);
    }
    return NULL;
}

struct err *doc_yaml_load(struct arena *mem, const char *text, size_t len,
                          const struct doc_yaml_limits *limits, struct doc_yaml_list *out,
                          struct doc_pos *at)
{
    ASSERT(limits->depth <= DOC_DEPTH_MAX);
    __attribute__((cleanup(loader_fini_at))) struct loader l = { .mem = mem,
                                                                 .limits = limits,
                                                                 .build = { .mem = mem },
                                                                 .anchors = map_new(NULL),
                                                                 .at = { 1, 1 } };
    ASSERT(yaml_parser_initialize(&l.parser));
    struct err *e = load(&l, text, len, out);
    if (e && at)
        *at = l.at;
    return e;
}
