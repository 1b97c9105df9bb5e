/* base/base.h - the few macros every file uses.
 * Effects:   none.
 * Ownership: SCOPED(free_fn) ends a resource with its scope; STEAL(p) moves a pointer out of it.
 * Units:     none. */
#ifndef SERIN_BASE_BASE_H
#define SERIN_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE                    __attribute__((warn_unused_result))
#define PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define NORETURN                    __attribute__((noreturn))
#define UNUSED                      __attribute__((unused))
#define ARRAY_LEN(a)                (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)                ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)                ((a) > (b) ? (a) : (b))

#define STEAL(p)                    \
    (__extension__({                \
        __typeof__(p) stolen = (p); \
        (p) = NULL;                 \
        stolen;                     \
    }))

/* SCOPED(x_free) struct x *p = NULL; needs DEFINE_SCOPED(struct x, x_free) once, beside x_free. */
#define SCOPED(free_fn) __attribute__((cleanup(free_fn##_at)))
#define DEFINE_SCOPED(type, free_fn)                  \
    UNUSED static inline void free_fn##_at(type **at) \
    {                                                 \
        if (*at)                                      \
            free_fn(*at);                             \
    }

/* Returns the error of `expr` unchanged, if there is one. The only macro that hides a return. */
#define TRY(expr)                     \
    do {                              \
        struct err *try_err = (expr); \
        if (try_err)                  \
            return try_err;           \
    } while (0)

/* A broken invariant: prints where and aborts, in release builds too. Bad input must never reach one. */
#define ASSERT(claim) ((claim) ? (void)0 : base_abort(__FILE__, __LINE__, #claim))
NORETURN void base_abort(const char *file, int line, const char *claim);

/* malloc and friends that abort when there is no memory; free() what they return. */
void *base_alloc(size_t size); /* zeroed */
void *base_realloc(void *old, size_t size);
char *base_copy_text(const char *text); /* NULL stays NULL */

#endif
