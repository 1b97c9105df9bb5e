/* base/utf8.h - the one place that knows how UTF-8 is put together.
 * Effects:   none.
 * Ownership: none.
 * Units:     bytes and code points. */
#ifndef SERIN_BASE_UTF8_H
#define SERIN_BASE_UTF8_H

#include "base/base.h"

/* Bytes of the sequence at `bytes` (len > 0) and its code point; 0 if it is none: cut short, overlong, a surrogate,
 * beyond U+10FFFF. `out_point` may be NULL. */
size_t utf8_decode(const char *bytes, size_t len, uint32_t *out_point);
/* Writes at most four bytes, returns how many. Points that do not exist become U+FFFD. */
size_t utf8_encode(uint32_t point, char out[4]);
/* The offset of the first byte that is not UTF-8; len if all is well. */
size_t utf8_find_bad(const char *bytes, size_t len);
/* What a terminal may take for an order: the control characters below U+0020, and U+007F to U+009F. */
bool utf8_is_order(uint32_t point);
/* The bytes of `text` that fit into `max` without a part of a character at their end; all of them if they do. */
size_t utf8_fit(const char *text, size_t max);

#endif
