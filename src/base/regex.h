/* base/regex.h - regular expressions, over PCRE2.
 * Effects:   none.
 * Ownership: a regex owns what it was compiled to.
 * Units:     bytes.
 * Errors:    ERR_INVALID with the place of the mistake; ERR_LIMIT for a pattern over REGEX_PATTERN_MAX.
 * The syntax is PCRE2's, in which the patterns of Go's RE2 mean the same. A match is bounded in steps and memory, whatever the
 * pattern: where going back and forth takes too long, all ways are gone at once. What needs more even so (texts of over 4 KiB, or
 * not of UTF-8; back references) counts as no match. */
#ifndef SERIN_BASE_REGEX_H
#define SERIN_BASE_REGEX_H

#include "base/err.h"

#define REGEX_PATTERN_MAX ((size_t)4096)

struct regex;

MUST_USE struct err *regex_new(const char *pattern, struct regex **out);
void regex_free(struct regex *regex); /* NULL is fine */
DEFINE_SCOPED(struct regex, regex_free)

/* Anywhere in the text. */
bool regex_matches(const struct regex *regex, const char *text);

/* The same where many texts are matched one after the other: what few patterns need is paid for, a third of a microsecond with 1. With
 * nothing left nothing matches any more. */
bool regex_matches_within(const struct regex *regex, const char *text, size_t *budget);

#endif
