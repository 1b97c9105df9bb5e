/* base/sbuf.h - text built piece by piece, with a maximum that is never passed.
 * Effects:   none.
 * Ownership: the buffer owns its bytes; sbuf_fini gives them back, sbuf_finish copies them into an arena and does too.
 * Units:     bytes. Passing the maximum is sticky: later additions are dropped and sbuf_finish says ERR_LIMIT. */
#ifndef SERIN_BASE_SBUF_H
#define SERIN_BASE_SBUF_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"

struct sbuf {
    char *bytes; /* NUL-terminated once anything was added; NULL before */
    size_t len, cap, max;
    bool is_over;
};

#define SBUF_MAX ((size_t)64 << 20)

void sbuf_init(struct sbuf *buf, size_t max);
void sbuf_fini(struct sbuf *buf);
void sbuf_reset(struct sbuf *buf); /* empty again, memory kept */

void sbuf_add(struct sbuf *buf, const char *text);
void sbuf_add_bytes(struct sbuf *buf, const void *bytes, size_t len);
void sbuf_add_char(struct sbuf *buf, char c);
void sbuf_addf(struct sbuf *buf, const char *fmt, ...) PRINTF(2, 3);
/* A JSON string with its quotes, as Go writes it: <, >, & become \u003c, \u003e, \u0026; bad UTF-8 becomes \ufffd. */
void sbuf_add_json(struct sbuf *buf, const char *bytes, size_t len);
/* The character that `bytes` (len > 0) begin with, or what stands for it where it could be taken for an order: \n, \t, \u001b;
 * \ufffd for what is no UTF-8. How many of the bytes that was. */
size_t sbuf_add_visible(struct sbuf *buf, const char *bytes, size_t len);
/* Percent-encodes everything but A-Z a-z 0-9 - . _ ~ */
void sbuf_add_url(struct sbuf *buf, const char *text);

const char *sbuf_text(const struct sbuf *buf); /* borrowed; "" while empty */
/* The text in the arena, and the buffer given back; ERR_LIMIT if it passed its maximum. `out_len` may be NULL. */
MUST_USE struct err *sbuf_finish(struct sbuf *buf, struct arena *mem, const char **out,
                                 size_t *out_len);

static inline void sbuf_fini_at(struct sbuf *buf)
{
    sbuf_fini(buf);
}
/* A text of somebody else's as part of a line that people read: every character as sbuf_add_visible has it. */
void sbuf_add_shown(struct sbuf *buf, const char *text);
const char *sbuf_shown(struct arena *mem, const char *text);
/* SBUF(name, max): an initialised buffer that ends with its scope. */
#define SBUF(name, max_bytes) \
    __attribute__((cleanup(sbuf_fini_at))) struct sbuf name = { .max = (max_bytes) }

#endif
