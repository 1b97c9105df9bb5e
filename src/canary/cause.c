#include "canary/cause.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define URL_SHOWN_BYTES 2048

/* Where the authority of a URL begins, and its length. */
static const char *authority_of(const char *url, size_t *len)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    *len = strcspn(start, "/?#");
    return start;
}

const char *cause_url(struct arena *mem, const char *url, const char *mask)
{
    size_t len;
    const char *authority = authority_of(url, &len);
    const char *at = memrchr(authority, '@', len);
    const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (!colon)
        return arena_strndup(mem, url, strnlen(url, URL_SHOWN_BYTES));
    return arena_printf(mem, "%.*s:%s%.*s", (int)MIN_OF(colon - url, URL_SHOWN_BYTES), url, mask,
                        URL_SHOWN_BYTES, at);
}

/* "gate:80": what is dialled. */
static const char *peer_of(struct arena *mem, const char *url, bool with_port)
{
    size_t len;
    const char *host = authority_of(url, &len), *at = memrchr(host, '@', len);
    if (at) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    const char *colon = memrchr(host, ':', len), *bracket = memrchr(host, ']', len);
    bool has_port = colon && (!bracket || colon > bracket);
    if (!with_port)
        return arena_strndup(mem, host, has_port ? (size_t)(colon - host) : len);
    return arena_printf(mem, "%.*s%s", (int)MIN_OF(len, (size_t)URL_SHOWN_BYTES), host,
                        has_port                               ? ""
                        : strncasecmp(url, "https://", 8) == 0 ? ":443"
                                                               : ":80");
}

/* "connection refused": errno's words in lower case. */
static const char *errno_text(struct arena *mem, int number)
{
    char text[200];
    const char *reason = strerror_r(number, text, sizeof(text));
    return arena_printf(mem, "%c%s", tolower((unsigned char)reason[0]), reason + 1);
}

const char *cause_reason(struct arena *mem, const char *url, const struct http_result *result)
{
    switch (result->cause) {
    case HTTP_TIMED_OUT:
        return result->status
                   ? "context deadline exceeded (Client.Timeout or context cancellation while "
                     "reading body)"
                   : "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    case HTTP_NO_SUCH_HOST:
        return url ? arena_printf(mem, "dial tcp: lookup %s: no such host",
                                  peer_of(mem, url, false))
                   : "dial tcp: no such host";
    case HTTP_CLOSED: return result->status ? "unexpected EOF" : "EOF";
    case HTTP_OTHER: break;
    }
    if (result->os_error && !result->status) /* else it is of an address tried before */
        return arena_printf(mem, "dial tcp%s%s: connect: %s", url ? " " : "",
                            url ? peer_of(mem, url, true) : "", errno_text(mem, result->os_error));
    bool is_denied = err_is(result->err, ERR_DENIED);
    const char *lead = is_denied ? "tls: failed to verify certificate" : "";
    if (!url)
        return is_denied ? lead : "the request failed";
    return arena_printf(mem, "%s%s%s", lead, is_denied ? ": " : "", result->why);
}

const char *cause_text(struct arena *mem, const char *method, const char *url,
                       const struct http_result *result)
{
    char *word = arena_strdup(mem, method);
    for (char *at = word; at[0] && at[1]; at++)
        at[1] = (char)tolower((unsigned char)at[1]);
    return arena_printf(mem, "%s \"%s\": %s", word, cause_url(mem, url, "***"),
                        cause_reason(mem, url, result));
}
