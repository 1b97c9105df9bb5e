#include "canary/metric/talk.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "canary/metric/url.h"
#include "doc/json.h"

#define SHOWN_BYTES ((size_t)1000) /* of a body in a message */

/* -- the source ---------------------------------------------------------------------------------------------------- */

void talk_hide(struct metric_talk *talk, const char *text)
{
    if (text && *text)
        *vec_push(talk->mem, &talk->hidden) = text;
}

struct err *talk_key(struct metric_talk *talk, const char *key, bool is_secret, const char **out,
                     bool *has)
{
    const struct val *value = val_get(talk->question->source.secret, key);
    const char *text = val_text_or(value, "");
    unsigned char *bytes = NULL;
    size_t len = 0;
    *has = value != NULL;
    *out = "";
    if (!value)
        return NULL;
    struct err *e = hash_base64_parse(talk->mem, text, strlen(text), &bytes, &len);
    if (!e && memchr(bytes, '\0', len))
        e = err_new(ERR_INVALID, "it holds a NUL character");
    if (e)
        return err_wrap(e, "%s credentials: key %s", talk->question->source.type, key);
    *out = arena_strndup(talk->mem, (const char *)bytes, len);
    if (is_secret)
        talk_hide(talk, *out);
    return NULL;
}

struct err *talk_need_key(struct metric_talk *talk, const char *key, bool is_secret,
                          const char *what, const char **out)
{
    bool has;
    TRY(talk_key(talk, key, is_secret, out, &has));
    return has ? NULL
               : err_new(ERR_INVALID, "%s credentials does not contain %s",
                         talk->question->source.type, what);
}

struct err *talk_need_url(struct metric_talk *talk, const char *otherwise, struct url *out)
{
    const struct metric_source *source = &talk->question->source;
    const char *address = otherwise && !*source->address ? otherwise : source->address;
    return url_parse(talk->mem, address, out)
               ? NULL
               : err_new(ERR_INVALID, "%s address %s is not a valid URL", source->type,
                         url_shown(talk->mem, address));
}

const char *talk_env(const struct metric_talk *talk, const char *name)
{
    size_t len = strlen(name);
    for (const char *const *at = talk->question->environ_list; at && *at; at++) {
        if (!strncmp(*at, name, len) && (*at)[len] == '=' && (*at)[len + 1])
            return *at + len + 1;
    }
    return NULL;
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

struct metric_request *talk_ask(struct metric_turn *turn, const char *url)
{
    *turn = (struct metric_turn){ .kind = METRIC_TURN_ASK,
                                  .request = { .way = METRIC_WAY_HTTP,
                                               .method = "GET",
                                               .url = url,
                                               .timeout_ms = METRIC_HTTP_MS } };
    return &turn->request;
}

const char *const *talk_header_list(struct metric_talk *talk, const char *const *lines, size_t len)
{
    const char **list = arena_alloc(talk->scratch, (len + 1) * sizeof(*list));
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (lines[i])
            list[used++] = lines[i];
    }
    return list;
}

const char *talk_basic(struct metric_talk *talk, const char *user, const char *password)
{
    const char *pair = arena_printf(talk->scratch, "%s:%s", user, password);
    const char *login = hash_base64(talk->mem, pair, strlen(pair));
    talk_hide(talk, login);
    return arena_printf(talk->scratch, "Authorization: Basic %s", login);
}

const char *talk_collapse(struct arena *mem, const char *query)
{
    char *text = arena_alloc(mem, strlen(query) + 1);
    size_t used = 0;
    for (const char *at = query; *at;) {
        size_t blanks = strspn(at, " \t\n\f\r");
        text[used++] = blanks ? ' ' : *at;
        at += blanks ? blanks : 1;
    }
    return text;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

/* Stars in place of everything that is hidden. */
static const char *without_secrets(const struct metric_talk *talk, const char *text)
{
    for (size_t i = 0; i < talk->hidden.len; i++) {
        const char *secret = talk->hidden.at[i];
        if (!strstr(text, secret))
            continue;
        SBUF(buf, SBUF_MAX);
        const char *found;
        while ((found = strstr(text, secret))) {
            sbuf_add_bytes(&buf, text, (size_t)(found - text));
            sbuf_add(&buf, "***");
            text = found + strlen(secret);
        }
        sbuf_add(&buf, text);
        text = arena_strdup(talk->scratch, sbuf_text(&buf));
    }
    return text;
}

static void end_turn(struct metric_talk *talk, struct metric_turn *turn, bool has_no_values,
                     const char *text)
{
    *turn = (struct metric_turn){ .kind = METRIC_TURN_FAILED,
                                  .text = without_secrets(talk, text),
                                  .has_no_values = has_no_values };
}

void talk_fail(struct metric_talk *talk, struct metric_turn *turn, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(talk->scratch, fmt, args);
    va_end(args);
    end_turn(talk, turn, false, text);
}

void talk_no_values(struct metric_talk *talk, struct metric_turn *turn, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(talk->scratch, fmt, args);
    va_end(args);
    end_turn(talk, turn, true, text);
}

void talk_value(struct metric_turn *turn, double value)
{
    *turn = (struct metric_turn){ .kind = METRIC_TURN_VALUE, .value = value };
}

bool talk_has_failed(struct metric_talk *talk, const struct metric_answer *answer,
                     struct metric_turn *turn)
{
    if (!answer->failure)
        return false;
    talk_fail(talk, turn, "%s: %s", answer->is_cut ? "error reading body" : "request failed",
              answer->failure);
    return true;
}

const char *talk_body(struct metric_talk *talk, const struct metric_answer *answer)
{
    SBUF(buf, 4 * SHOWN_BYTES);
    size_t at = 0;
    while (at < answer->len && at < SHOWN_BYTES) {
        size_t width = utf8_decode(answer->body + at, answer->len - at, NULL);
        bool is_plain = width && answer->body[at];
        if (is_plain)
            sbuf_add_bytes(&buf, answer->body + at, width);
        else
            sbuf_add(&buf, "\xef\xbf\xbd");
        at += width ? width : 1;
    }
    return arena_printf(talk->scratch, "%s%s", sbuf_text(&buf), at < answer->len ? "..." : "");
}

const char *talk_status(struct metric_talk *talk, int status)
{
    static const struct reason {
        int status;
        const char *text;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 413, "Request Entity Too Large" },
        { 414, "Request URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Entity" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return arena_printf(talk->scratch, "%d %s", status, reasons[i].text);
    }
    return arena_printf(talk->scratch, "%d", status);
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

/* Go's words for the two mistakes that are met in practice: no text at all, and a page of HTML. */
static const char *go_json_fault(struct arena *mem, const struct metric_answer *answer,
                                 const struct err *e)
{
    size_t blanks = strspn(answer->body, " \t\r\n");
    char first = answer->body[blanks];
    if (blanks == answer->len)
        return "unexpected end of JSON input";
    if (!first || !strchr("{[\"-0123456789tfn", first)) {
        unsigned char c = (unsigned char)first;
        return arena_printf(mem,
                            c > ' ' && c < 0x7f && c != '\''
                                ? "invalid character '%c' looking for beginning of value"
                                : "invalid character '\\x%02x' looking for beginning of value",
                            c);
    }
    return arena_strdup(mem, err_text(e));
}

const struct val *talk_json(struct metric_talk *talk, const struct metric_answer *answer,
                            struct metric_turn *turn)
{
    struct val *v = NULL;
    SCOPED(err_free)
    struct err *e = doc_json_parse(talk->scratch, answer->body, answer->len, &v);
    if (!e)
        return v;
    talk_fail(talk, turn, "error unmarshaling result: %s, '%s'",
              go_json_fault(talk->scratch, answer, e), talk_body(talk, answer));
    return NULL;
}

void talk_misshapen(struct metric_talk *talk, const struct metric_answer *answer,
                    struct metric_turn *turn, const char *what)
{
    talk_fail(talk, turn, "error unmarshaling result: json: %s, '%s'", what,
              talk_body(talk, answer));
}

bool talk_number(const struct val *v, double *out)
{
    if (!v || v->type != VAL_NUMBER)
        return false;
    *out = strtod(v->text, NULL);
    return true;
}

void talk_take(struct metric_talk *talk, const struct metric_answer *answer,
               struct metric_turn *turn, const struct val *number, const char *what)
{
    double value = 0;
    if (!number)
        talk_no_values(talk, turn, "invalid response: %s: " METRIC_NO_VALUES,
                       talk_body(talk, answer));
    else if (!val_is_null(number) && !talk_number(number, &value))
        talk_misshapen(talk, answer, turn, what);
    else
        talk_value(turn, value);
}

struct err *talk_parse_number(const char *text, double *out)
{
    static const char *const words[] = { "nan", "inf", "infinity" };
    const char *at = text + (*text == '+' || *text == '-');
    char *end = NULL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcasecmp(at, words[i]) && (i || at == text)) {
            *out = !i ? NAN : *text == '-' ? -INFINITY : INFINITY;
            return NULL;
        }
    }
    bool is_plain = (*at >= '0' && *at <= '9') || *at == '.';
    errno = 0;
    *out = is_plain ? strtod(text, &end) : 0;
    if (!end || *end || end == text)
        return err_new(ERR_INVALID, "strconv.ParseFloat: parsing \"%.100s\": invalid syntax", text);
    if (errno == ERANGE && isinf(*out))
        return err_new(ERR_INVALID, "strconv.ParseFloat: parsing \"%.100s\": value out of range",
                       text);
    return NULL;
}
