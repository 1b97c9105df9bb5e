#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct err {
    enum err_kind kind;
    int64_t retry_after_ms;
    char *text;
};

/* Errors become events and JSON: what is no UTF-8, in names of files or where a precision cut a character, is a ? for each byte. */
PRINTF(1, 0) static char *format(const char *fmt, va_list args)
{
    char *text = NULL;
    ASSERT(vasprintf(&text, fmt, args) >= 0);
    for (size_t at = 0, len = strlen(text); (at += utf8_find_bad(text + at, len - at)) < len;)
        text[at] = '?';
    return text;
}

static struct err *make(enum err_kind kind, char *text)
{
    struct err *e = base_alloc(sizeof(*e));
    *e = (struct err){ .kind = kind, .retry_after_ms = -1, .text = text };
    return e;
}

struct err *err_new(enum err_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    return make(kind, text);
}

struct err *err_errno(enum err_kind kind, int errnum, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    char buffer[128];
    const char *why = strerror_r(errnum, buffer, sizeof(buffer));
    struct err *e = err_new(kind, "%s: %s", text, why);
    free(text);
    return e;
}

struct err *err_wrap(struct err *cause, const char *fmt, ...)
{
    if (!cause)
        return NULL;
    va_list args;
    va_start(args, fmt);
    char *context = format(fmt, args);
    va_end(args);
    char *text = NULL;
    ASSERT(asprintf(&text, "%s: %s", context, cause->text) >= 0);
    free(context);
    free(cause->text);
    cause->text = text;
    return cause;
}

struct err *err_copy(const struct err *e)
{
    if (!e)
        return NULL;
    struct err *copy = make(e->kind, base_copy_text(e->text));
    copy->retry_after_ms = e->retry_after_ms;
    return copy;
}

struct err *err_with_retry_after(struct err *e, int64_t after_ms)
{
    if (e)
        e->retry_after_ms = after_ms;
    return e;
}

enum err_kind err_kind(const struct err *e)
{
    ASSERT(e);
    return e->kind;
}

bool err_is(const struct err *e, enum err_kind kind)
{
    return e && e->kind == kind;
}

const char *err_text(const struct err *e)
{
    return e ? e->text : "";
}

int64_t err_retry_after_ms(const struct err *e)
{
    return e ? e->retry_after_ms : -1;
}

const char *err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_TRANSIENT: return "transient";
    case ERR_CONFLICT: return "conflict";
    case ERR_NOT_FOUND: return "not found";
    case ERR_DENIED: return "denied";
    case ERR_INVALID: return "invalid";
    case ERR_LIMIT: return "limit";
    case ERR_CANCELED: return "canceled";
    }
    return "unknown";
}

void err_free(struct err *e)
{
    if (!e)
        return;
    free(e->text);
    free(e);
}
