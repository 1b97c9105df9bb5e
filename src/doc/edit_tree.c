#include "doc/edit_tree.h"

#include <ctype.h>
#include <string.h>

#include <yaml.h>

#include "base/map.h"
#include "doc/scalar.h"

#define STRIDE 256 /* characters between two known offsets */

/* libyaml counts characters: the offsets of every STRIDEth one. */
struct marks {
    const char *text;
    size_t len;
    VEC(size_t) offsets;
};

struct reader {
    struct arena *mem;
    struct edit_tree *tree;
    struct marks marks;
    struct map *anchors;
    struct edit_document *document;
    struct edit_node *open; /* the list or map being read */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- lines ---- */

static size_t break_in(const char *text, size_t len, size_t at)
{
    size_t left = len - at;
    const char *c = text + at;
    if (left >= 2 && !memcmp(c, "\r\n", 2))
        return 2;
    if (left && (*c == '\n' || *c == '\r'))
        return 1;
    if (left >= 2 && !memcmp(c, "\xc2\x85", 2))
        return 2;
    return left >= 3 && (!memcmp(c, "\xe2\x80\xa8", 3) || !memcmp(c, "\xe2\x80\xa9", 3)) ? 3 : 0;
}

size_t edit_tree_break(const struct edit_tree *tree, size_t at)
{
    return break_in(tree->text, tree->len, at);
}

size_t edit_tree_break_before(const struct edit_tree *tree, size_t at)
{
    if (!at || !strchr("\n\r\x85\xa8\xa9", tree->text[at - 1]))
        return 0;
    for (size_t width = MIN_OF(at, (size_t)3); width > 0; width--) {
        if (edit_tree_break(tree, at - width) == width)
            return width;
    }
    return 0;
}

size_t edit_tree_line_begin(const struct edit_tree *tree, size_t at)
{
    while (at && !edit_tree_break_before(tree, at))
        at--;
    return at;
}

size_t edit_tree_line_end(const struct edit_tree *tree, size_t at)
{
    while (at < tree->len && !edit_tree_break(tree, at))
        at++;
    return at;
}

static bool is_all_blank(const struct edit_tree *tree, size_t from, size_t to)
{
    while (from < to && is_blank(tree->text[from]))
        from++;
    return from >= to;
}

size_t edit_tree_block_end(const struct edit_tree *tree, const struct edit_node *node, size_t *head)
{
    *head = node->body;
    while (*head < tree->len && strchr("|>+-0123456789", tree->text[*head]) && tree->text[*head])
        ++*head;
    size_t end = MAX_OF(node->end, *head);
    for (;;) {
        size_t line = edit_tree_line_begin(tree, end);
        if (line <= node->body)
            return *head;
        if (!is_all_blank(tree, line, end))
            return end;
        end = line - edit_tree_break_before(tree, line);
    }
}

/* ---- offsets ---- */

static void marks_read(struct arena *mem, struct marks *marks)
{
    size_t at = marks->len >= 3 && !memcmp(marks->text, "\xef\xbb\xbf", 3) ? 3 : 0;
    for (size_t index = 0; at < marks->len; at++) {
        if (((unsigned char)marks->text[at] & 0xc0) == 0x80)
            continue;
        if (index++ % STRIDE == 0)
            *vec_push(mem, &marks->offsets) = at;
    }
}

static size_t offset_of(const struct marks *marks, const yaml_mark_t *mark)
{
    size_t stride = mark->index / STRIDE, left = mark->index % STRIDE;
    if (stride >= marks->offsets.len)
        return marks->len;
    size_t at = marks->offsets.at[stride];
    while (left && at < marks->len) {
        at++;
        left -= at == marks->len || ((unsigned char)marks->text[at] & 0xc0) != 0x80;
    }
    return at;
}

/* What libyaml takes for the name of an anchor: what follows need not be a blank. */
static size_t name_len(const char *text, size_t most)
{
    size_t len = 0;
    while (len < most && (isalnum((unsigned char)text[len]) || strchr("-_", text[len])))
        len++;
    return len;
}

/* Behind anchors, tags, and the blanks, breaks and comments that follow them. */
static size_t skip_properties(const struct edit_tree *tree, size_t at, size_t end)
{
    while (at < end) {
        char c = tree->text[at];
        size_t width = edit_tree_break(tree, at);
        if (c == '#') {
            at = edit_tree_line_end(tree, at);
        } else if (c == '&') {
            at += 1 + name_len(tree->text + at + 1, end - at - 1);
        } else if (c == '!') {
            while (at < end && !is_blank(tree->text[at]) && !edit_tree_break(tree, at))
                at++;
        } else if (is_blank(c) || width) {
            at += MAX_OF(width, (size_t)1);
        } else {
            break;
        }
    }
    return MIN_OF(at, end);
}

/* ---- nodes ---- */

static void attach(struct reader *reader, struct edit_node *node)
{
    struct edit_node *parent = reader->open;
    node->parent = parent;
    if (!parent) {
        reader->document->root = node;
        return;
    }
    node->in_flow = parent->is_flow || parent->in_flow;
    bool is_value = parent->kind == EDIT_MAP && parent->last && !parent->last->value;
    if (is_value) {
        node->key = parent->last;
        parent->last->value = node;
        return;
    }
    node->is_key = parent->kind == EDIT_MAP;
    *(parent->last ? &parent->last->next : &parent->first) = node;
    parent->last = node;
}

static struct edit_node *new_node(struct reader *reader, enum edit_kind kind,
                                  const yaml_event_t *event)
{
    struct edit_node *node = arena_alloc(reader->mem, sizeof(*node));
    node->kind = kind;
    node->begin = offset_of(&reader->marks, &event->start_mark);
    node->end = offset_of(&reader->marks, &event->end_mark);
    node->body = skip_properties(reader->tree, node->begin, node->end);
    attach(reader, node);
    return node;
}

static void set_anchor(struct reader *reader, const yaml_char_t *name, struct edit_node *node)
{
    if (name)
        map_set(reader->anchors, (const char *)name, node);
}

static bool is_typed_tag(const char *tag)
{
    static const char *const typed[] = { "bool", "int", "float", "null", "timestamp", "binary" };
    static const char prefix[] = "tag:yaml.org,2002:";
    if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
        if (!strcmp(tag + sizeof(prefix) - 1, typed[i]))
            return true;
    }
    return false;
}

static void set_type(struct edit_node *node, const yaml_event_t *event)
{
    const char *tag = (const char *)event->data.scalar.tag;
    bool is_typed = tag && is_typed_tag(tag);
    node->has_wrong_tag = is_typed;
    node->has_text_tag = tag && !is_typed;
    struct scalar means = scalar_resolve(node->text, event->data.scalar.length, true);
    bool reads_as_text = means.kind == SCALAR_TEXT || means.kind == SCALAR_TIME;
    node->is_text = !is_typed && (tag || !event->data.scalar.plain_implicit || reads_as_text) &&
                    strlen(node->text) == event->data.scalar.length;
}

/* A value that is not there stands behind its colon; without one, behind its key. */
static void place_nothing(const struct edit_tree *tree, struct edit_node *node)
{
    if (!node->key || node->begin != node->end)
        return;
    size_t at = node->key->end, width;
    for (; at < node->begin; at += width) {
        width = tree->text[at] == '#'      ? edit_tree_line_end(tree, at) - at
                : is_blank(tree->text[at]) ? 1
                                           : edit_tree_break(tree, at);
        if (!width)
            break;
    }
    node->has_no_colon = at >= node->begin || tree->text[at] != ':';
    node->begin = node->body = node->end = node->has_no_colon ? node->key->end : at + 1;
}

static void end_block(const struct edit_tree *tree, struct edit_node *node)
{
    size_t head, end = edit_tree_block_end(tree, node, &head);
    bool keeps = memchr(tree->text + node->body, '+', head - node->body) != NULL;
    node->end = keeps ? MAX_OF(node->end, head) : end; /* with + blank lines are content */
}

static bool is_json_scalar(const struct edit_node *node)
{
    if (node->begin != node->body || node->style != EDIT_PLAIN || node->is_key)
        return node->begin == node->body && node->style == EDIT_DOUBLE;
    const char *c = node->text;
    return !strcmp(c, "null") || !strcmp(c, "true") || !strcmp(c, "false") ||
           (!node->is_text && (*c == '-' || (*c >= '0' && *c <= '9')));
}

static void on_scalar(struct reader *reader, const yaml_event_t *event)
{
    static const enum edit_style styles[] = { [YAML_PLAIN_SCALAR_STYLE] = EDIT_PLAIN,
                                              [YAML_SINGLE_QUOTED_SCALAR_STYLE] = EDIT_SINGLE,
                                              [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = EDIT_DOUBLE,
                                              [YAML_LITERAL_SCALAR_STYLE] = EDIT_BLOCK,
                                              [YAML_FOLDED_SCALAR_STYLE] = EDIT_BLOCK };
    struct edit_node *node = new_node(reader, EDIT_SCALAR, event);
    node->style = styles[event->data.scalar.style];
    node->text = arena_strndup(reader->mem, (const char *)event->data.scalar.value,
                               event->data.scalar.length);
    if (node->style == EDIT_PLAIN && !event->data.scalar.length) {
        node->body = node->end;
        place_nothing(reader->tree, node);
    }
    if (node->style == EDIT_BLOCK)
        end_block(reader->tree, node);
    set_type(node, event);
    set_anchor(reader, event->data.scalar.anchor, node);
    reader->document->is_json = reader->document->is_json && is_json_scalar(node);
}

static void on_alias(struct reader *reader, const yaml_event_t *event)
{
    struct edit_node *node = new_node(reader, EDIT_ALIAS, event);
    node->body = node->begin;
    node->target = map_get(reader->anchors, (const char *)event->data.alias.anchor);
    node->other_alias = node->target->aliases;
    node->target->aliases = node;
    reader->document->is_json = false;
}

static void on_open(struct reader *reader, enum edit_kind kind, const yaml_event_t *event)
{
    bool is_map = kind == EDIT_MAP;
    struct edit_node *node = new_node(reader, kind, event);
    node->is_flow = is_map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                           : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    node->body = node->is_flow ? skip_properties(reader->tree, node->begin, reader->tree->len)
                               : node->begin; /* what stands there may belong to its first key */
    set_anchor(reader,
               is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor, node);
    reader->document->is_json =
        reader->document->is_json && node->is_flow && node->body == node->begin;
    reader->open = node;
}

static void on_close(struct reader *reader, const yaml_event_t *event)
{
    struct edit_node *node = reader->open, *last = node->last;
    if (node->is_flow)
        node->end = offset_of(&reader->marks, &event->end_mark);
    else if (last) /* a block ends where its last entry does, not where the next thing begins */
        node->end = last->value ? MAX_OF(last->value->end, last->end) : last->end;
    reader->open = node->parent;
}

static void on_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        map_clear(reader->anchors);
        reader->document = vec_push(reader->mem, &reader->tree->documents);
        reader->document->is_json = true;
        reader->document->line = (uint32_t)event->start_mark.line + 1;
        break;
    case YAML_ALIAS_EVENT: on_alias(reader, event); break;
    case YAML_SCALAR_EVENT: on_scalar(reader, event); break;
    case YAML_SEQUENCE_START_EVENT: on_open(reader, EDIT_LIST, event); break;
    case YAML_MAPPING_START_EVENT: on_open(reader, EDIT_MAP, event); break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: on_close(reader, event); break;
    case YAML_DOCUMENT_END_EVENT:
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT: break;
    }
}

/* ---- values beside nodes ---- */

static bool merges(const struct edit_node *map)
{
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (key->kind == EDIT_SCALAR && !strcmp(key->text, "<<"))
            return true;
    }
    return false;
}

static const struct edit_node *meant_by(const struct edit_node *node)
{
    return node->kind == EDIT_ALIAS ? node->target : node;
}

/* Lists and maps below get their values; entries of maps come in the same order, unless some were merged. */
static void link_values(struct edit_node *node)
{
    bool by_place = node->kind == EDIT_LIST || !merges(node);
    size_t at = 0;
    for (struct edit_node *child = node->first; child; child = child->next, at++) {
        if (node->kind == EDIT_LIST) {
            child->old = val_item(node->old, at);
            continue;
        }
        bool is_known = by_place && val_is_map(node->old) && at < node->old->len;
        const struct edit_node *meant = meant_by(child);
        const char *key = is_known                     ? node->old->pairs[at].key
                          : meant->kind == EDIT_SCALAR ? meant->text
                                                       : NULL;
        child->name = key;
        child->value->old = key ? val_get(node->old, key) : NULL;
    }
}

void edit_tree_read(struct arena *mem, const char *text, size_t len,
                    const struct doc_yaml_list *docs, struct edit_tree *out)
{
    *out = (struct edit_tree){ .text = text, .len = len };
    struct reader reader = {
        .mem = mem, .tree = out, .marks = { .text = text, .len = len }, .anchors = map_new(NULL)
    };
    marks_read(mem, &reader.marks);
    yaml_parser_t parser;
    ASSERT(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    for (bool is_end = false; !is_end;) {
        yaml_event_t event;
        ASSERT(yaml_parser_parse(&parser, &event)); /* doc_yaml_load has read it */
        is_end = event.type == YAML_STREAM_END_EVENT;
        on_event(&reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    map_free(reader.anchors);
    ASSERT(out->documents.len == docs->len);
    for (size_t i = 0; i < docs->len; i++) {
        struct edit_document *document = &out->documents.at[i];
        document->old = docs->at[i].root;
        document->is_json =
            document->is_json && (val_is_map(document->old) || val_is_list(document->old));
        if (document->root)
            document->root->old = document->old;
        for (struct edit_node *node = document->root; node; node = edit_tree_next(node, false)) {
            if (node->kind == EDIT_LIST || node->kind == EDIT_MAP)
                link_values(node);
        }
    }
}

struct edit_node *edit_tree_next(const struct edit_node *node, bool skip)
{
    if (!skip && (node->first || node->is_key))
        return node->first ? node->first : node->value;
    while (node) {
        struct edit_node *next = node->key ? node->key->next : node->next;
        if (next)
            return next;
        node = node->parent;
    }
    return NULL;
}

struct edit_node *edit_tree_entry(const struct edit_node *map, const char *key)
{
    for (struct edit_node *at = map->first; at; at = at->next) {
        if (at->name && !strcmp(at->name, key))
            return at;
    }
    return NULL;
}
