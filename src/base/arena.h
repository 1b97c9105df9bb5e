/* base/arena.h - memory for the values of one run, given back at once.
 * Effects:   none.
 * Ownership: what an arena returns is borrowed from it and ends with arena_free or arena_reset. No arena pointer enters a
 *            longer-lived struct.
 * Units:     bytes. A run that passes the arena's limit is a bug (parsers bound themselves before), so it aborts.
 * With ARENA_DEBUG each allocation is a malloc of its own, so that AddressSanitizer sees use after reset. */
#ifndef SERIN_BASE_ARENA_H
#define SERIN_BASE_ARENA_H

#include <stdarg.h>

#include "base/base.h"

struct arena;

#define ARENA_LIMIT_BYTES ((size_t)1 << 30) /* for runs with no tighter bound of their own */

struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *mem);  /* NULL is fine */
void arena_reset(struct arena *mem); /* keeps its first chunk */
DEFINE_SCOPED(struct arena, arena_free)

void *arena_alloc(struct arena *mem, size_t size); /* zeroed, aligned for anything */
void *arena_copy(struct arena *mem, const void *bytes, size_t len);
char *arena_strdup(struct arena *mem, const char *text); /* NULL stays NULL */
char *arena_strndup(struct arena *mem, const char *bytes,
                    size_t len); /* NUL-terminated copy of len bytes */
/* A NULL-terminated list and its texts; NULL for NULL and for a list without any. */
const char *const *arena_copy_texts(struct arena *mem, const char *const *list);
char *arena_printf(struct arena *mem, const char *fmt, ...) PRINTF(2, 3);
char *arena_vprintf(struct arena *mem, const char *fmt, va_list args) PRINTF(2, 0);
/* Calls fn(object) at reset or free, last in first out: ties a foreign object to the arena. */
void arena_defer(struct arena *mem, void (*fn)(void *), void *object);
size_t arena_used(const struct arena *mem);

#endif
