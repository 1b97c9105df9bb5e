/* doc/yaml.h - YAML to values with the typing of go-yaml v2 as sigs.k8s.io/yaml applies it, and back.
 * Effects:   none.
 * Ownership: values are in the caller's arena; the text is borrowed for the call.
 * Units:     bytes, lines and columns from 1 (columns in characters).
 * Reference: gitops.md 3.3 (typing, YAML 1.1 booleans, keys turned to text). */
#ifndef SERIN_DOC_YAML_H
#define SERIN_DOC_YAML_H

#include "base/vec.h"
#include "doc/val.h"

struct doc_yaml_limits {
    size_t bytes;  /* of the whole text */
    size_t scalar; /* bytes of one scalar */
    size_t nodes;  /* values after aliases are expanded: what an alias bomb runs into */
    size_t depth;  /* at most DOC_DEPTH_MAX */
    size_t documents;
};

/* 16 MiB, 3 MiB, 1,000,000 nodes, DOC_DEPTH_MAX, 10,000 documents. */
extern const struct doc_yaml_limits doc_yaml_default_limits;

struct doc_yaml_doc {
    struct val *root; /* NULL for an empty document */
    uint32_t line;    /* where it begins */
};

struct doc_yaml_list {
    struct doc_yaml_doc *at; /* grown with vec_push */
    size_t len, cap;
};

struct doc_pos {
    uint32_t line, column;
};

/* All documents of a stream. On failure the documents before the broken one are in `out` already, `at` (may be NULL) is
 * where it broke and the text is libyaml's problem alone ("did not find expected ',' or '}'"), without the position.
 * ERR_INVALID: syntax, bad UTF-8, duplicate keys (`key "x" already set in map`), merge keys that merge no map, unknown
 * anchors. ERR_LIMIT: one of the limits, named. */
MUST_USE struct err *doc_yaml_load(struct arena *mem, const char *text, size_t len,
                                   const struct doc_yaml_limits *limits, struct doc_yaml_list *out,
                                   struct doc_pos *at);

/* One document as go-yaml v2.4's Marshal writes it (keys in its natural order, block style, two columns, text folded
 * beyond column 80), no leading ---. Reference: gitops.md 3.3 "stored bytes", checksum vector in 15.1. */
void doc_yaml_emit(const struct val *v, struct sbuf *out);

#endif
