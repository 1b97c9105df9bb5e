#include "base/sbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void sbuf_init(struct sbuf *buf, size_t max)
{
    *buf = (struct sbuf){ .max = max };
}

void sbuf_fini(struct sbuf *buf)
{
    free(buf->bytes);
    *buf = (struct sbuf){ .max = buf->max };
}

void sbuf_reset(struct sbuf *buf)
{
    buf->len = 0;
    buf->is_over = false;
    if (buf->bytes)
        buf->bytes[0] = '\0';
}

/* Room for len more bytes and a NUL; false, for good, when that passes the maximum. */
static bool reserve(struct sbuf *buf, size_t len)
{
    if (buf->is_over || len > buf->max - buf->len) {
        buf->is_over = true;
        return false;
    }
    size_t wanted = buf->len + len + 1;
    if (wanted > buf->cap) {
        buf->cap = MAX_OF(wanted, buf->cap * 2);
        buf->cap = MAX_OF(buf->cap, (size_t)64);
        buf->bytes = base_realloc(buf->bytes, buf->cap);
    }
    return true;
}

void sbuf_add_bytes(struct sbuf *buf, const void *bytes, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->bytes + buf->len, bytes, len);
    buf->len += len;
    buf->bytes[buf->len] = '\0';
}

void sbuf_add(struct sbuf *buf, const char *text)
{
    sbuf_add_bytes(buf, text, strlen(text));
}

void sbuf_add_char(struct sbuf *buf, char c)
{
    sbuf_add_bytes(buf, &c, 1);
}

void sbuf_addf(struct sbuf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    if (!reserve(buf, (size_t)len))
        return;
    va_start(args, fmt);
    vsnprintf(buf->bytes + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
}

static void add_json_escape(struct sbuf *buf, unsigned char c)
{
    static const char names[] = "\"\"\\\\\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof(names); i += 2) {
        if (c == (unsigned char)names[i]) {
            sbuf_add_char(buf, '\\');
            sbuf_add_char(buf, names[i + 1]);
            return;
        }
    }
    sbuf_addf(buf, "\\u%04x", c);
}

/* Bytes at the front that stand for themselves. */
static size_t plain_len(const char *bytes, size_t len)
{
    size_t plain = 0;
    for (; plain < len; plain++) {
        unsigned char c = (unsigned char)bytes[plain];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&')
            break;
    }
    return plain;
}

void sbuf_add_json(struct sbuf *buf, const char *bytes, size_t len)
{
    sbuf_add_char(buf, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = plain_len(bytes + i, len - i);
        sbuf_add_bytes(buf, bytes + i, plain);
        i += plain;
        if (i == len)
            break;
        const unsigned char *at = (const unsigned char *)bytes + i;
        size_t width = utf8_decode(bytes + i, len - i, NULL);
        bool is_line_separator =
            width == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8;
        if (width == 0)
            sbuf_add(buf, "\\ufffd");
        else if (is_line_separator)
            sbuf_add(buf, at[2] == 0xa8 ? "\\u2028" : "\\u2029");
        else if (width == 1)
            add_json_escape(buf, at[0]);
        else
            sbuf_add_bytes(buf, at, width);
        i += width ? width : 1;
    }
    sbuf_add_char(buf, '"');
}

/* The letter that follows the backslash; 0 where there is none. */
static char letter_of(uint32_t point)
{
    return point == '\n' ? 'n' : point == '\r' ? 'r' : point == '\t' ? 't' : '\0';
}

size_t sbuf_add_visible(struct sbuf *buf, const char *bytes, size_t len)
{
    uint32_t point = 0;
    size_t width = utf8_decode(bytes, len, &point);
    if (!width)
        sbuf_add(buf, "\\ufffd");
    else if (letter_of(point))
        sbuf_addf(buf, "\\%c", letter_of(point));
    else if (utf8_is_order(point))
        sbuf_addf(buf, "\\u%04x", point);
    else
        sbuf_add_bytes(buf, bytes, width);
    return MAX_OF(width, (size_t)1);
}

void sbuf_add_shown(struct sbuf *buf, const char *text)
{
    for (size_t i = 0, len = strlen(text); i < len;)
        i += sbuf_add_visible(buf, text + i, len - i);
}

const char *sbuf_shown(struct arena *mem, const char *text)
{
    SBUF(shown, SBUF_MAX);
    sbuf_add_shown(&shown, text);
    return arena_strdup(mem, sbuf_text(&shown));
}

void sbuf_add_url(struct sbuf *buf, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool is_plain = (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
                        (*at >= '0' && *at <= '9') || (*at && memchr("-._~", *at, 4));
        if (is_plain)
            sbuf_add_char(buf, (char)*at);
        else
            sbuf_addf(buf, "%%%02X", *at);
    }
}

const char *sbuf_text(const struct sbuf *buf)
{
    return buf->bytes ? buf->bytes : "";
}

struct err *sbuf_finish(struct sbuf *buf, struct arena *mem, const char **out, size_t *out_len)
{
    if (buf->is_over) {
        size_t max = buf->max;
        sbuf_fini(buf);
        return err_new(ERR_LIMIT, "text over %zu bytes", max);
    }
    *out = arena_strndup(mem, sbuf_text(buf), buf->len);
    if (out_len)
        *out_len = buf->len;
    sbuf_fini(buf);
    return NULL;
}
