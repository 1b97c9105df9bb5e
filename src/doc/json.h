/* doc/json.h - JSON text to values.
 * Effects:   none.
 * Ownership: values are in the caller's arena; the text is borrowed for the call.
 * Errors:    ERR_INVALID with line and column in the text; ERR_LIMIT for depth over DOC_DEPTH_MAX or more than
 *            DOC_JSON_NODES_MAX values.
 * Strict as RFC 8259, and as Go's decoder where that leaves a choice: of a key that comes twice the last value stays, bad
 * UTF-8 and lone surrogates become U+FFFD. Numbers keep their text; integers beyond 64 bits become floats. Values carry
 * no position. Does not recurse. */
#ifndef SERIN_DOC_JSON_H
#define SERIN_DOC_JSON_H

#include "doc/val.h"

#define DOC_JSON_NODES_MAX 4000000

MUST_USE struct err *doc_json_parse(struct arena *mem, const char *text, size_t len,
                                    struct val **out);
/* A number of JSON's grammar: its text as values keep it. False if it is too big for a float. */
bool doc_json_number(struct arena *mem, const char *text, size_t len, struct val *out);

#endif
