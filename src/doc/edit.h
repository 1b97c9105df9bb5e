/* doc/edit.h - YAML (and JSON) changed in place: the bytes of a changed scalar change, every other byte stays.
 * Effects:   none.
 * Ownership: everything is in the caller's arena; the text is borrowed until the last call.
 * Units:     bytes; documents from 0 in the order of doc_yaml_load, empty ones counted as it counts them.
 * Comments, order, quotes, indentation, line endings (LF or CRLF), a byte order mark, a missing final newline stay. libyaml's marks
 * count characters: offsets here are bytes.
 * Reference: gitops.md 5.9.
 *
 *     doc_edit_new ──► doc_edit_set, doc_edit_put, doc_edit_remove … ──► doc_edit_finish
 *
 * Every edit names places of the text as it was given; two edits of one place: the later one wins. */
#ifndef SERIN_DOC_EDIT_H
#define SERIN_DOC_EDIT_H

#include "doc/yaml.h"

/* One way down: into a map by key, or into a list by index. The last step of a path has key NULL and index DOC_EDIT_END. */
struct doc_step {
    const char *key; /* NULL: index counts */
    size_t index;
};
#define DOC_EDIT_END  ((size_t)-1)
#define DOC_KEY(name) ((struct doc_step){ .key = (name) })
#define DOC_AT(at)    ((struct doc_step){ .index = (at) })
#define DOC_END       ((struct doc_step){ .index = DOC_EDIT_END })

struct doc_edit;

/* Errors as doc_yaml_load's; ERR_INVALID for text that is not UTF-8 (UTF-16 can be read, but is not edited). */
MUST_USE struct err *doc_edit_new(struct arena *mem, const char *text, size_t len,
                                  const struct doc_yaml_limits *limits, struct doc_edit **out,
                                  struct doc_pos *at);

/* The scalar at a path becomes this text (a string for every YAML reader: quoted where it would read as something else). It
 * keeps the style it has where that can say the new text: plain, 'single', "double"; a folded or literal block becomes a scalar
 * on its line. Flow and block, JSON, items of Lists. An anchor on the scalar stays, and so do its aliases' values: an alias
 * elsewhere that would change with it is spelled out with the old value; a scalar that is itself an alias is replaced at this
 * place alone. What comes through a merge key (<<) cannot be set.
 * ERR_NOT_FOUND: there is no such path (the first missing step is named: "spec.image"); ERR_INVALID: it is a list or a map, or it
 * comes from a merge key or from an alias of a whole map. Equal text changes nothing. */
MUST_USE struct err *doc_edit_set(struct doc_edit *edit, size_t document,
                                  const struct doc_step *path, const char *text);

/* The entry `key` of the map at a path gets this text: set if it is there, else added as the last one, in the manner of its
 * neighbours (their indentation; in flow maps ", key: text"; in JSON quoted). Maps of the path that are missing are made on the
 * way (an empty or null value takes the map's place). ERR_INVALID: what should be a map is none. */
MUST_USE struct err *doc_edit_put(struct doc_edit *edit, size_t document,
                                  const struct doc_step *path, const char *key, const char *text);

/* Takes an entry out with the line (the comment at its end included) it stands on; the map at the path goes with its own key
 * when it gets empty, unless it is the document. False: it was not there. */
bool doc_edit_remove(struct doc_edit *edit, size_t document, const struct doc_step *path,
                     const char *key);

/* The text with all edits. It is read again, and must be the old documents with exactly those edits: else ERR_INVALID that names the
 * document, and nothing was changed. `is_changed` false: byte for byte as it was. */
MUST_USE struct err *doc_edit_finish(struct doc_edit *edit, const char **out, size_t *out_len,
                                     bool *is_changed);

#endif
