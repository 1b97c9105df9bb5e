#include "doc/edit_patch.h"

#include <stdlib.h>
#include <string.h>

#include "doc/edit_scalar.h"

#define TEXT_MAX_BYTES SBUF_MAX

struct patcher {
    struct arena *mem;
    const struct edit_tree *tree;
    struct edit_document *document;
    struct edit_patches *out;
};

static void add(struct patcher *p, size_t from, size_t to, const char *text)
{
    struct edit_patch patch = { .from = from, .to = to, .text = text, .order = p->out->len };
    *vec_push(p->mem, p->out) = patch;
}

/* Ends the buffer; a text too long is cut, and the proof of the result fails. */
static const char *finish(struct patcher *p, struct sbuf *text)
{
    return arena_strndup(p->mem, sbuf_text(text), text->len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_all_blank(const struct patcher *p, size_t from, size_t to)
{
    while (from < to && is_blank(p->tree->text[from]))
        from++;
    return from >= to;
}

/* ---- settling ---- */

static bool is_emptied(const struct edit_node *map)
{
    if (map->extras && val_len(map->extras))
        return false;
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (!key->is_removed)
            return false;
    }
    return true;
}

/* Aliases of a node that changes, or of what is around it, are to keep what they stand for. */
static void spell_aliases(struct edit_node *node)
{
    for (struct edit_node *at = node; at; at = at->parent) {
        for (struct edit_node *alias = at->aliases; alias; alias = alias->other_alias)
            alias->is_spelled = true;
    }
}

static void spell_below(struct edit_node *key)
{
    struct edit_node *behind = edit_tree_next(key, true);
    for (struct edit_node *at = key; at && at != behind; at = edit_tree_next(at, false)) {
        for (struct edit_node *alias = at->aliases; alias; alias = alias->other_alias)
            alias->is_spelled = true;
    }
}

static bool is_reduced(const struct edit_node *map)
{
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (key->is_removed)
            return true;
    }
    return false;
}

static void settle(struct edit_document *document)
{
    for (struct edit_node *at = document->root; at; at = edit_tree_next(at, false)) {
        bool becomes_nothing = (at->was_reduced || at->extras) && is_emptied(at);
        if (becomes_nothing && at->key)
            at->key->is_removed = true;
    }
    for (struct edit_node *at = document->root; at; at = edit_tree_next(at, at->is_removed)) {
        if (at->is_removed)
            spell_below(at);
        if (at->want || (at->extras && val_len(at->extras)) || is_reduced(at))
            spell_aliases(at);
    }
}

/* ---- places ---- */

/* Where an entry begins: at its key, or at the ? before it. */
static size_t entry_begin(const struct patcher *p, const struct edit_node *key)
{
    size_t at = key->begin;
    while (at && is_blank(p->tree->text[at - 1]))
        at--;
    bool is_complex = at && at < key->begin && p->tree->text[at - 1] == '?';
    return is_complex ? at - 1 : key->begin;
}

static size_t entry_end(const struct edit_node *key)
{
    return MAX_OF(key->end, key->value->end);
}

/* The blanks at the front of a line before an offset; false: there is more than blanks. */
static bool find_line(const struct patcher *p, size_t at, size_t *begin)
{
    while (at && is_blank(p->tree->text[at - 1]))
        at--;
    *begin = at;
    return !at || edit_tree_break_before(p->tree, at) > 0;
}

static bool is_first_on_line(const struct patcher *p, size_t at)
{
    size_t unused;
    return find_line(p, at, &unused);
}

/* In characters, from 0. */
static size_t column_of(const struct patcher *p, size_t at)
{
    size_t column = 0, from = edit_tree_line_begin(p->tree, at);
    if (!from && p->tree->len >= 3 && !memcmp(p->tree->text, "\xef\xbb\xbf", 3))
        from = 3;
    for (; from < at; from++)
        column += ((unsigned char)p->tree->text[from] & 0xc0) != 0x80;
    return column;
}

static size_t map_column(const struct patcher *p, const struct edit_node *map)
{
    return map->first ? column_of(p, entry_begin(p, map->first)) : 0;
}

/* How much further in the maps inside of a map stand: as its neighbours do, as it does itself. */
static size_t step_of(const struct patcher *p, const struct edit_node *map)
{
    size_t column = map_column(p, map);
    for (const struct edit_node *key = map->first; key; key = key->next) {
        const struct edit_node *value = key->value;
        bool is_block = value->kind == EDIT_MAP && !value->is_flow && value->first;
        if (is_block && map_column(p, value) > column)
            return map_column(p, value) - column;
    }
    const struct edit_node *around = map->key ? map->parent : NULL;
    size_t outer = around ? map_column(p, around) : 0;
    return around && column > outer ? column - outer : 2;
}

/* How lines end here; "\n" in a text of one line. */
static const char *break_at(const struct patcher *p, size_t at)
{
    size_t end = edit_tree_line_end(p->tree, at);
    if (end == p->tree->len)
        end = edit_tree_line_end(p->tree, 0);
    size_t width = edit_tree_break(p->tree, end);
    bool is_usual = width && strchr("\r\n", p->tree->text[end]);
    return is_usual ? arena_strndup(p->mem, p->tree->text + end, width) : "\n";
}

/* ---- new entries in block maps ---- */

struct block {
    size_t column, step;
    const char *line_end;
    bool is_last_gone; /* the line above is taken away */
};

/* Entries line by line, without the end of the last one. `is_inside`: the first begins where the text already stands. */
static void write_block(struct sbuf *out, const struct val *extras, const struct block *block,
                        bool is_inside)
{
    struct edit_manner manner = { .style = EDIT_PLAIN };
    bool is_first = true;
    for (struct val_walk w = val_walk(extras); val_walk_next(&w);) {
        if (w.is_leaving || !w.key)
            continue;
        if (!is_first)
            sbuf_add(out, block->line_end);
        size_t indent = block->column + (w.depth - 1) * block->step;
        for (size_t i = 0; i < indent && !(is_first && is_inside); i++)
            sbuf_add_char(out, ' ');
        is_first = false;
        edit_scalar_write(out, w.key, &manner);
        sbuf_add_char(out, ':');
        if (!val_text(w.v))
            continue;
        sbuf_add_char(out, ' ');
        edit_scalar_write(out, val_text(w.v), &manner);
    }
}

/* New lines below the line of an offset. */
static void add_lines(struct patcher *p, size_t at, const struct val *extras,
                      const struct block *block)
{
    SBUF(text, TEXT_MAX_BYTES);
    bool at_line_begin = edit_tree_break_before(p->tree, at) > 0;
    size_t end = at_line_begin ? at : edit_tree_line_end(p->tree, at);
    size_t width = at_line_begin ? 0 : edit_tree_break(p->tree, end);
    bool is_open_line = !at_line_begin && !width; /* the last one, without an end */
    if (is_open_line && !block->is_last_gone)
        sbuf_add(&text, block->line_end);
    write_block(&text, extras, block, false);
    if (!is_open_line)
        sbuf_add(&text, block->line_end);
    add(p, end + width, end + width, finish(p, &text));
}

static struct block block_of(const struct patcher *p, const struct edit_node *map)
{
    return (struct block){ .column = map_column(p, map),
                           .step = step_of(p, map),
                           .line_end = break_at(p, map->end) };
}

/* ---- entries taken out of block maps ---- */

static void remove_lines(struct patcher *p, size_t from, size_t to)
{
    const struct edit_tree *tree = p->tree;
    bool at_line_begin = edit_tree_break_before(tree, to) > 0;
    size_t begin = edit_tree_line_begin(tree, from);
    size_t end = at_line_begin ? to : edit_tree_line_end(tree, to);
    end += at_line_begin ? 0 : edit_tree_break(tree, end);
    add(p, begin, end, "");
}

static void remove_from_block(struct patcher *p, const struct edit_node *map)
{
    const struct edit_node *key = map->first;
    size_t begin = entry_begin(p, key);
    if (key->is_removed && !is_first_on_line(p, begin)) {
        while (key->is_removed) /* behind a dash: the next one that stays takes the place */
            key = key->next;
        add(p, begin, entry_begin(p, key), "");
    }
    for (; key; key = key->next) {
        if (key->is_removed)
            remove_lines(p, entry_begin(p, key), entry_end(key));
    }
}

static bool has_survivors(const struct edit_node *map)
{
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (!key->is_removed)
            return true;
    }
    return false;
}

static void patch_block_map(struct patcher *p, const struct edit_node *map)
{
    struct block block = block_of(p, map);
    block.is_last_gone = map->last->is_removed;
    bool has_extras = map->extras && val_len(map->extras);
    if (has_survivors(map) || (has_extras && is_first_on_line(p, entry_begin(p, map->first)))) {
        remove_from_block(p, map);
        if (has_extras)
            add_lines(p, map->end, map->extras, &block);
        return;
    }
    SBUF(text, TEXT_MAX_BYTES);
    if (has_extras)
        write_block(&text, map->extras, &block, true);
    else
        sbuf_add(&text, "{}");
    size_t end = map->end;
    if (edit_tree_break_before(p->tree, end)) /* blank lines that were content */
        sbuf_add(&text, block.line_end);
    add(p, entry_begin(p, map->first), end, finish(p, &text));
}

/* ---- maps in brackets ---- */

/* The blanks before an offset from the last break on; "": there is text on its line. */
static const char *line_before(const struct patcher *p, size_t at)
{
    size_t begin;
    if (!find_line(p, at, &begin) || !begin)
        return "";
    const char *line = p->tree->text + begin;
    const char *line_end = begin >= 2 && !memcmp(line - 2, "\r\n", 2) ? "\r\n"
                           : line[-1] == '\r'                         ? "\r"
                                                                      : "\n";
    return arena_printf(p->mem, "%s%.*s", line_end, (int)(at - begin), line);
}

static bool has_quoted_keys(const struct edit_node *map)
{
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (key->style != EDIT_DOUBLE || key->kind != EDIT_SCALAR)
            return false;
    }
    return map->first != NULL;
}

static bool is_json_map(const struct patcher *p, const struct edit_node *map)
{
    return p->document->is_json || (map->kind == EDIT_MAP && has_quoted_keys(map));
}

/* Whether the neighbours have their values right behind the colon. */
static bool is_tight(const struct patcher *p, const struct edit_node *map)
{
    const struct edit_node *key = map->kind == EDIT_MAP && map->first ? map->first : map->key;
    return key && key->value && key->value->begin == key->end + 1 && p->tree->text[key->end] == ':';
}

/* What closes a map stands on a line of its own, less far in than the entries: the difference. */
static const char *unit_of(const struct patcher *p, const struct edit_node *map, const char *line)
{
    const char *closing = line_before(p, map->end - 1);
    size_t len = strlen(closing);
    bool is_prefix = len && len < strlen(line) && !strncmp(line, closing, len);
    return is_prefix ? line + len : "";
}

static struct edit_flow flow_of(const struct patcher *p, const struct edit_node *map)
{
    bool is_json = is_json_map(p, map), tight = is_json && is_tight(p, map);
    struct edit_flow flow = { .is_json = is_json,
                              .comma = tight ? "," : ", ",
                              .colon = tight ? ":" : ": ",
                              .line = "",
                              .unit = "" };
    const char *line = map->kind == EDIT_MAP && map->last ? line_before(p, map->last->begin) : "";
    const char *unit = *line ? unit_of(p, map, line) : "";
    if (*unit) {
        flow.line = line;
        flow.unit = unit;
    }
    return flow;
}

static void write_entries(struct sbuf *out, const struct edit_node *map, const char *line,
                          bool has_some, const struct edit_flow *flow)
{
    struct edit_manner manner = { .in_flow = true, .is_json = flow->is_json };
    for (size_t i = 0; i < map->extras->len; i++) {
        if (i || has_some)
            sbuf_add(out, *line ? "," : flow->comma);
        if (i || has_some)
            sbuf_add(out, line);
        edit_scalar_write(out, map->extras->pairs[i].key, &manner);
        sbuf_add(out, flow->colon);
        edit_scalar_flow(out, map->extras->pairs[i].value, flow);
    }
}

/* Between a colon without a value and the comma or bracket behind it. */
static const char *gap_behind(const struct edit_node *key)
{
    const struct edit_node *value = key->value;
    return value->begin == value->end && !value->has_no_colon ? " " : "";
}

static void remove_from_flow(struct patcher *p, const struct edit_node *map)
{
    const struct edit_node *before = NULL; /* the last one that stays */
    for (const struct edit_node *key = map->first; key; key = key->next) {
        if (!key->is_removed)
            before = key;
        else if (before)
            add(p, entry_end(before), entry_end(key), gap_behind(before));
        else
            add(p, entry_begin(p, key), entry_begin(p, key->next), "");
        if (key->is_removed && before)
            before = key;
    }
}

/* Behind the comma after a last entry; where there is none, the offset itself. */
static size_t behind_comma(const struct patcher *p, size_t at)
{
    const struct edit_tree *tree = p->tree;
    size_t comma = at;
    while (comma < tree->len && strchr(" \t\r\n", tree->text[comma]))
        comma++;
    return comma < tree->len && tree->text[comma] == ',' ? comma + 1 : at;
}

static void patch_flow_map(struct patcher *p, const struct edit_node *map)
{
    if (p->tree->text[map->body] != '{')
        return; /* [a: b]: no place for more; the proof says so */
    SBUF(text, TEXT_MAX_BYTES);
    struct edit_flow flow = flow_of(p, map);
    const char *line = map->last ? line_before(p, map->last->begin) : "";
    bool survives = has_survivors(map);
    if (survives && map->extras)
        sbuf_add(&text, gap_behind(map->last));
    if (map->extras)
        write_entries(&text, map, line, survives, &flow);
    if (survives) {
        remove_from_flow(p, map);
        add(p, entry_end(map->last), entry_end(map->last), finish(p, &text));
        return;
    }
    size_t from = map->first ? entry_begin(p, map->first) : map->body + 1;
    size_t to = map->first ? behind_comma(p, entry_end(map->last)) : map->end - 1;
    bool is_bare = map->first || is_all_blank(p, from, to); /* { # why */
    add(p, from, is_bare ? to : from, finish(p, &text));
}

/* ---- scalars ---- */

static size_t word_len(const char *at, const char *end)
{
    size_t len = 0;
    while (at + len < end && !strchr(" \t\r\n", at[len]))
        len++;
    return len;
}

/* What stays of the properties of a node: its anchor, its tag. */
static void write_properties(const struct patcher *p, struct sbuf *out,
                             const struct edit_node *node, char which)
{
    const char *at = p->tree->text + node->begin, *end = p->tree->text + node->body;
    bool is_in_comment = false;
    for (size_t len = 0; at < end; at += MAX_OF(len, (size_t)1)) {
        len = word_len(at, end);
        is_in_comment = (is_in_comment || *at == '#') && *at != '\n' && *at != '\r';
        if (is_in_comment || !len || *at != which)
            continue;
        sbuf_add_bytes(out, at, len);
        sbuf_add_char(out, ' ');
    }
}

static bool is_one_line(const struct patcher *p, size_t from, size_t to)
{
    return edit_tree_line_end(p->tree, from) >= to;
}

/* "? key", or {key}, has no place for a value yet. A key over several lines needs its ? before a colon. */
static void write_colon(struct patcher *p, struct sbuf *out, const struct edit_node *node)
{
    const struct edit_node *key = node->key;
    if (!node->has_no_colon)
        return;
    if (!node->in_flow) {
        sbuf_add(out, break_at(p, node->begin));
        for (size_t i = column_of(p, entry_begin(p, key)); i > 0; i--)
            sbuf_add_char(out, ' ');
    } else if (entry_begin(p, key) == key->begin && !is_one_line(p, key->begin, key->end)) {
        add(p, key->begin, key->begin, "? ");
    }
    bool is_name =
        key->kind == EDIT_ALIAS || key->body == key->end; /* a colon would be part of it */
    sbuf_add(out, is_name && node->in_flow ? " :" : ":");
}

static bool is_json_value(const struct patcher *p, const struct edit_node *node)
{
    return p->document->is_json || (node->in_flow && node->key && is_json_map(p, node->parent));
}

static void write_wanted(struct patcher *p, struct sbuf *out, const struct edit_node *node)
{
    struct edit_manner manner = { .style = node->kind == EDIT_SCALAR ? node->style : EDIT_PLAIN,
                                  .in_flow = node->in_flow,
                                  .has_text_tag = node->has_text_tag };
    bool is_bare = node->kind == EDIT_SCALAR && !node->is_text && node->style == EDIT_PLAIN;
    manner.is_json = is_bare && is_json_value(p, node);
    edit_scalar_write(out, node->want, &manner);
}

/* The lines of a block scalar go; its text comes where | stood, before the comment that may be there. */
static void patch_block_scalar(struct patcher *p, const struct edit_node *node, const char *text,
                               size_t from)
{
    size_t head, end = edit_tree_block_end(p->tree, node, &head);
    bool is_close =
        head < p->tree->len && p->tree->text[head] == '#'; /* |# is a comment, x# is none */
    add(p, from, head, is_close ? arena_printf(p->mem, "%s ", text) : text);
    size_t line = edit_tree_line_end(p->tree, head);
    if (end > line)
        add(p, line, end, "");
}

static void patch_scalar(struct patcher *p, const struct edit_node *node)
{
    SBUF(text, TEXT_MAX_BYTES);
    bool is_empty = node->body == node->end, drops = node->has_wrong_tag;
    write_colon(p, &text, node);
    bool is_close = node->body > node->begin && !strchr(" \t\r\n", p->tree->text[node->body - 1]);
    if (!drops && (is_empty || is_close)) /* &a:b is an anchor and a text */
        sbuf_add_char(&text, ' ');
    if (drops)
        write_properties(p, &text, node, '&');
    write_wanted(p, &text, node);
    size_t from = drops ? node->begin : node->body;
    if (node->style == EDIT_BLOCK)
        patch_block_scalar(p, node, finish(p, &text), from);
    else
        add(p, from, node->end, finish(p, &text));
}

/* ---- aliases ---- */

/* What a scalar is, written at another place. */
static void write_scalar_again(struct patcher *p, struct sbuf *out, const struct edit_node *from,
                               bool in_flow)
{
    bool is_quoted = from->style == EDIT_SINGLE || from->style == EDIT_DOUBLE;
    bool as_is = (is_quoted || !from->is_text) && from->style != EDIT_BLOCK &&
                 is_one_line(p, from->body, from->end);
    write_properties(p, out, from, '!');
    if (as_is && from->body == from->end)
        sbuf_add(out, from->has_text_tag || from->has_wrong_tag ? "" : "null");
    else if (as_is)
        sbuf_add_bytes(out, p->tree->text + from->body, from->end - from->body);
    else
        edit_scalar_write(out, from->text,
                          &(struct edit_manner){ .in_flow = in_flow,
                                                 .style = from->style,
                                                 .has_text_tag = from->has_text_tag });
}

static void patch_alias(struct patcher *p, const struct edit_node *node)
{
    static const struct edit_flow flow = { .comma = ", ", .colon = ": ", .line = "", .unit = "" };
    const struct edit_node *target = node->target;
    bool is_same = node->want && target->want && !strcmp(node->want, target->want);
    if (is_same && !target->is_removed)
        return; /* both become the same: the alias may stay */
    SBUF(text, TEXT_MAX_BYTES);
    if (node->want)
        write_wanted(p, &text, node);
    else if (target->kind == EDIT_SCALAR)
        write_scalar_again(p, &text, target, node->in_flow);
    else if (target->old)
        edit_scalar_flow(&text, target->old, &flow);
    else
        return; /* not known what it stood for; the proof fails */
    add(p, node->begin, node->end, finish(p, &text));
}

/* ---- a null that becomes a map ---- */

static void replace_null(struct patcher *p, const struct edit_node *node)
{
    SBUF(text, TEXT_MAX_BYTES);
    struct edit_flow flow = flow_of(p, node->parent ? node->parent : node);
    bool is_json = is_json_value(p, node);
    flow.is_json = is_json;
    write_colon(p, &text, node);
    if (node->body == node->end)
        sbuf_add_char(&text, ' ');
    write_properties(p, &text, node, '&');
    edit_scalar_flow(&text, node->extras, &flow);
    add(p, node->begin, node->end, finish(p, &text));
}

/* From the colon on, if nothing but white space stands between. */
static size_t behind_colon(const struct patcher *p, const struct edit_node *node)
{
    size_t at = node->begin;
    while (at && strchr(" \t\r\n", p->tree->text[at - 1]) && p->tree->text[at - 1])
        at--;
    return at && p->tree->text[at - 1] == ':' ? at : node->begin;
}

static void patch_null(struct patcher *p, const struct edit_node *node)
{
    bool in_block_map = node->key && !node->in_flow && !node->has_no_colon;
    if (!in_block_map) {
        replace_null(p, node);
        return;
    }
    SBUF(kept, TEXT_MAX_BYTES);
    if (node->end > node->begin) {
        write_properties(p, &kept, node, '&');
        const char *anchor = finish(p, &kept);
        size_t len = strlen(anchor);
        add(p, behind_colon(p, node), node->end,
            len ? arena_printf(p->mem, " %.*s", (int)len - 1, anchor) : "");
    }
    struct block block = block_of(p, node->parent);
    block.column += block.step;
    add_lines(p, node->end, node->extras, &block);
}

/* ---- all ---- */

static void patch_node(struct patcher *p, const struct edit_node *node)
{
    bool has_extras = node->extras && val_len(node->extras);
    switch (node->kind) {
    case EDIT_SCALAR:
        if (has_extras)
            patch_null(p, node);
        else if (node->want)
            patch_scalar(p, node);
        return;
    case EDIT_ALIAS:
        if (node->want || node->is_spelled)
            patch_alias(p, node);
        return;
    case EDIT_MAP:
        if ((has_extras || is_reduced(node)) && node->is_flow)
            patch_flow_map(p, node);
        else if (has_extras || is_reduced(node))
            patch_block_map(p, node);
        return;
    case EDIT_LIST: return;
    }
}

void edit_patch_document(struct arena *mem, const struct edit_tree *tree,
                         struct edit_document *document, struct edit_patches *out)
{
    struct patcher p = { .mem = mem, .tree = tree, .document = document, .out = out };
    settle(document);
    for (struct edit_node *at = document->root; at; at = edit_tree_next(at, at->is_removed)) {
        if (!at->is_removed)
            patch_node(&p, at);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct edit_patch *one = a, *two = b;
    bool one_inserts = one->from == one->to, two_inserts = two->from == two->to;
    if (one->from != two->from)
        return one->from < two->from ? -1 : 1;
    if (one_inserts != two_inserts)
        return one_inserts ? -1 : 1;
    return one->order > two->order ? -1 : one->order < two->order; /* what is inside came later */
}

static bool ends_open(const char *text, size_t len)
{
    return len && text[len - 1] != '\n' && text[len - 1] != '\r';
}

bool edit_patch_apply(const struct edit_tree *tree, struct edit_patches *patches, struct sbuf *out)
{
    size_t at = 0;
    if (patches->len)
        qsort(patches->at, patches->len, sizeof(*patches->at), by_place);
    for (size_t i = 0; i < patches->len; i++) {
        const struct edit_patch *patch = &patches->at[i];
        if (patch->from < at)
            return false;
        sbuf_add_bytes(out, tree->text + at, patch->from - at);
        sbuf_add(out, patch->text);
        at = patch->to;
    }
    sbuf_add_bytes(out, tree->text + at, tree->len - at);
    bool lost_last_line = patches->len && at == tree->len && ends_open(tree->text, tree->len);
    while (lost_last_line && out->len && !ends_open(out->bytes, out->len))
        out->len--;
    return !out->is_over;
}
