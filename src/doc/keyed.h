/* doc/keyed.h - the items of a list by the text of their merge key, or of themselves.
 * Effects:   none.
 * Ownership: in the caller's arena, borrowing from the list.
 * Units:     places count from 0. Building costs n log n, finding log n. */
#ifndef SERIN_DOC_KEYED_H
#define SERIN_DOC_KEYED_H

#include "doc/val.h"

struct keyed {
    const char *text; /* of the key */
    struct val *item;
    size_t place; /* in the list */
};

struct keyed_list {
    struct keyed *at; /* by text, then by place */
    size_t len;
};

/* False if an item is no map or has no such key; with key NULL, if one is a list or map. A NULL list is an empty one. */
bool keyed_by(struct arena *mem, const struct val *list, const char *key, struct keyed_list *out);
/* The first one in the list with this text; NULL if there is none. */
const struct keyed *keyed_find(const struct keyed_list *list, const char *text);
/* The text of a scalar as a key. */
const char *keyed_text(const struct val *scalar);
/* The text of an item of a list that keyed_by has taken. */
const char *keyed_item_text(const struct val *item, const char *key);

#endif
