/* doc/json.h - JSON text to values, over jansson.
 * Effects:   none.
 * Ownership: values are in the caller's arena; the text is borrowed for the call.
 * Errors:    ERR_INVALID with line and column in the text; ERR_LIMIT for depth over DOC_DEPTH_MAX (seen before jansson, which
 *            recurses, has the text) or more than DOC_JSON_NODES_MAX values.
 * Of a key that comes twice the last value stays. Integers beyond 64 bits make all numbers of the text floats; floats are
 * written as Go writes them. Values carry no position. */
#ifndef SERIN_DOC_JSON_H
#define SERIN_DOC_JSON_H

#include "doc/val.h"

#define DOC_JSON_NODES_MAX 4000000

MUST_USE struct err *doc_json_parse(struct arena *mem, const char *text, size_t len,
                                    struct val **out);

#endif
