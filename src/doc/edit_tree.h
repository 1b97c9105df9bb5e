/* doc/edit_tree.h - where everything of a YAML text stands: its documents as trees of nodes with offsets.
 * Effects:   none.
 * Ownership: nodes are in the caller's arena; the text is borrowed.
 * Units:     bytes.
 * The text has been loaded by doc_yaml_load: syntax, depth, anchors and keys are good. What is wanted of a node is written
 * into it by edit.c and read by edit_patch.c. */
#ifndef SERIN_DOC_EDIT_TREE_H
#define SERIN_DOC_EDIT_TREE_H

#include "doc/yaml.h"

enum edit_kind { EDIT_SCALAR, EDIT_LIST, EDIT_MAP, EDIT_ALIAS };
enum edit_style { EDIT_PLAIN, EDIT_SINGLE, EDIT_DOUBLE, EDIT_BLOCK };

/* Of a map, `first` and `next` go over the keys, and each key has its value:
 *
 *     map ─first─► key ─next─► key ─next─► NULL
 *                   │ value     │ value
 *                   ▼           ▼
 *                  node        node          parent of all four: map */
struct edit_node {
    enum edit_kind kind;
    enum edit_style style; /* of a scalar */
    bool is_flow;          /* a list or map in brackets */
    bool in_flow;          /* it stands in brackets */
    bool is_key;
    bool is_text;            /* a scalar that reads as a string */
    bool has_text_tag;       /* !!str, !mine: a string whatever it looks like */
    bool has_wrong_tag;      /* !!int, !!binary: a string would not be read as one */
    bool has_no_colon;       /* the value of "? key" without ": " */
    size_t begin, body, end; /* its properties (&a !!str); itself; behind it, without blank lines */
    const char *text;        /* of a scalar */
    const char *name;        /* of a key: its text in JSON; NULL: not known */
    struct edit_node *parent, *first, *last, *next;
    struct edit_node *key, *value;           /* of a value, of a key */
    struct edit_node *target;                /* of an alias */
    struct edit_node *aliases, *other_alias; /* those of an anchor: the first; the next one */
    const struct val *old; /* of lists and maps; NULL: a merge key is in the way */
    /* What is wanted. */
    const char *want;   /* this text */
    struct val *extras; /* these entries too; the node is a map, or a null that becomes one */
    bool is_removed;    /* of a key: the entry goes */
    bool was_reduced;   /* of a map: entries were taken away by name */
    bool is_spelled;    /* of an alias: what it stood for, in its place */
};

struct edit_document {
    struct edit_node *root;
    const struct val *old; /* NULL: empty */
    struct val *want;      /* NULL: nothing is asked of it */
    bool is_json;
    uint32_t line;
};

struct edit_tree {
    const char *text;
    size_t len;
    VEC(struct edit_document) documents;
};

void edit_tree_read(struct arena *mem, const char *text, size_t len,
                    const struct doc_yaml_list *docs, struct edit_tree *out);

/* The next node of a document, keys before their values; `skip`: without what is below (a key's value included). */
struct edit_node *edit_tree_next(const struct edit_node *node, bool skip);
/* The entry of a map, by the text its key has in JSON; NULL: none, or it comes through a merge key. */
struct edit_node *edit_tree_entry(const struct edit_node *map, const char *key);

/* Bytes of the line break at an offset, and of the one that ends there; 0: there is none. */
size_t edit_tree_break(const struct edit_tree *tree, size_t at);
size_t edit_tree_break_before(const struct edit_tree *tree, size_t at);
/* Where the line of an offset begins; where its text ends, before the break. */
size_t edit_tree_line_begin(const struct edit_tree *tree, size_t at);
size_t edit_tree_line_end(const struct edit_tree *tree, size_t at);
/* Where the content of a block scalar ends, blank lines behind it left out; `head` is behind |+2. */
size_t edit_tree_block_end(const struct edit_tree *tree, const struct edit_node *node,
                           size_t *head);

#endif
