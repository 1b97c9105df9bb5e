/* doc/field.h - fields of a JSON map by name, as Go's decoder finds them: in any case if not in this one; null is as good as absent.
 * Effects:   none.
 * Ownership: results are borrowed from the map.
 * Errors:    ERR_INVALID names the field: "Message is a list, not a text". */
#ifndef SERIN_DOC_FIELD_H
#define SERIN_DOC_FIELD_H

#include "doc/val.h"

const struct val *doc_field(const struct val *map, const char *name); /* NULL if absent or null */
/* Those of one type; absent is "", NULL, NULL, false. */
MUST_USE struct err *doc_field_text(const struct val *map, const char *name, const char **out);
MUST_USE struct err *doc_field_map(const struct val *map, const char *name, const struct val **out);
MUST_USE struct err *doc_field_list(const struct val *map, const char *name,
                                    const struct val **out);
MUST_USE struct err *doc_field_bool(const struct val *map, const char *name, bool *out);

/* "<what> is a list, not <wanted>" */
MUST_USE struct err *doc_field_wrong(const char *what, const struct val *v, const char *wanted);

#endif
