/* base/err.h - one error value for the whole tree.
 * Effects:   none.
 * Ownership: a function that fails returns a heap error; who ends the run frees it. NULL is success.
 * Units:     retry_after in milliseconds.
 * The kind says what to do, the text tells a person what happened: each layer adds what it was doing with err_wrap.
 * Nobody compares texts. */
#ifndef SERIN_BASE_ERR_H
#define SERIN_BASE_ERR_H

#include <stdarg.h>

#include "base/base.h"

enum err_kind {
    ERR_TRANSIENT, /* back off and repeat: timeout, 5xx, connection refused */
    ERR_CONFLICT,  /* our copy is stale: read again first */
    ERR_NOT_FOUND, /* often an answer rather than a failure */
    ERR_DENIED,    /* credentials or RBAC: a person has to act */
    ERR_INVALID,   /* the input is wrong: wait for another one */
    ERR_LIMIT,     /* input exceeds a documented bound */
    ERR_CANCELED,  /* we asked for it to stop */
};

struct err;

MUST_USE struct err *err_new(enum err_kind kind, const char *fmt, ...) PRINTF(2, 3);
/* err_new with the text of an errno value behind it. */
MUST_USE struct err *err_errno(enum err_kind kind, int errnum, const char *fmt, ...) PRINTF(3, 4);
/* Puts "context: " before the text. Takes `cause` and returns it; NULL stays NULL. */
MUST_USE struct err *err_wrap(struct err *cause, const char *fmt, ...) PRINTF(2, 3);
MUST_USE struct err *err_copy(const struct err *e); /* NULL stays NULL */
/* How long the other side asked us to wait before trying again; -1 if it did not say. */
MUST_USE struct err *err_with_retry_after(struct err *e, int64_t after_ms);

enum err_kind err_kind(const struct err *e);
bool err_is(const struct err *e, enum err_kind kind); /* false for NULL */
const char *err_text(const struct err *e);            /* borrowed; "" for NULL */
int64_t err_retry_after_ms(const struct err *e);
const char *err_kind_name(enum err_kind kind);

void err_free(struct err *e);
DEFINE_SCOPED(struct err, err_free)

#endif
