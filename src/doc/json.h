/* doc/json.h - JSON text to values, over jansson.
 * Effects:   none.
 * Ownership: values are in the caller's arena.
 * Errors:    ERR_INVALID with line and column in the text; ERR_LIMIT for depth over DOC_DEPTH_MAX (checked before jansson,
 *            which recurses, sees the text). Integers beyond 64 bits become floats. */
#ifndef SERIN_DOC_JSON_H
#define SERIN_DOC_JSON_H

#include "doc/val.h"

MUST_USE struct err *doc_json_parse(struct arena *mem, const char *text, size_t len, struct val **out);

#endif
