/* io/http.h - every outgoing request of the loop: libcurl's multi interface on libuv.
 * Effects:   network.
 * Ownership: http_start copies all it is given but the TLS settings, which the caller keeps until done. A result is borrowed
 *            for the callback. After http_cancel the callback is not called.
 * Units:     milliseconds, bytes.
 * libcurl's global set-up: curl_global_init once in main, or left to libcurl's first handle (safe with threads since 7.84).
 * Completion comes exactly once, in a later turn, failures included. Nothing re-enters its caller.
 * Errors:    ERR_TRANSIENT (no connection, timeout, cut), ERR_LIMIT (body over limit), ERR_DENIED (TLS verification),
 *            ERR_INVALID (URL, method, header). An HTTP status is never an error here, and an answer of 400 and more has come
 *            even if its body is cut. Texts are "METHOD scheme://host/path: why", without user, query and headers.
 * HTTP/2:    a server that answers before it has read the body may have its answer lost by libcurl 7: ERR_TRANSIENT. */
#ifndef SERIN_IO_HTTP_H
#define SERIN_IO_HTTP_H

#include "base/base.h"
#include "base/err.h"
#include "base/log.h"
#include "io/loop.h"

struct http;

struct http_opts {
    int connections_per_host; /* default 10 */
    int connections;          /* default 32 */
    const char *user_agent;
};

struct http *http_new(struct loop *loop, const struct http_opts *opts);
void http_free(struct http *http); /* cancels what runs; not from a callback of a request */
DEFINE_SCOPED(struct http, http_free)

struct http_tls {
    const char *ca_pem;             /* NULL: the system's */
    const char *cert_pem, *key_pem; /* client certificate, or NULL */
    const char *server_name;        /* for SNI and verification, or NULL */
    bool is_insecure;
};

struct http_request {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_len;
    int64_t timeout_ms; /* for the whole request; 0: none (streams) */
    int64_t idle_ms;    /* fails after so long without a byte; 0: none */
    int64_t connect_ms; /* default 10 s */
    size_t limit_bytes; /* of the body kept; default 16 MiB */
    const struct http_tls *tls;
    const char *proxy;     /* NULL: from the environment (curl's rules); "": none */
    bool follow_redirects; /* at most 5, same scheme or better; off by default */
    bool wants_gzip;
    bool own_connection; /* a stream: not on a connection that requests share */
    /* Streams: called for every piece of a 2xx body instead of keeping it; returning false ends the request with
     * ERR_CANCELED. Bodies of other statuses are kept as usual. Both may start and cancel requests, this one too. */
    bool (*on_bytes)(void *ctx, const char *bytes, size_t len);
    void (*on_headers)(void *ctx, int status); /* once, before the first byte; may be NULL */
    void *stream_ctx;
};

/* What an error was, for those who say it in words of their own. */
enum http_cause {
    HTTP_OTHER,
    HTTP_TIMED_OUT,    /* one of the request's own bounds */
    HTTP_NO_SUCH_HOST, /* its name leads nowhere */
    HTTP_CLOSED,       /* the peer closed the connection before its answer was whole */
};

struct http_result {
    struct err *err; /* borrowed; NULL when an answer came */
    enum http_cause cause;
    const char *why; /* the text of err without "METHOD scheme://host/path: "; "" */
    int status; /* 0: no head of an answer came; with an error: of the answer that was not completed */
    const char *body; /* NUL-terminated */
    size_t body_len;
    const struct http_headers *headers;
    int http_version; /* 1 or 2 */
    int os_error; /* with err: errno of the connection that could not be made; 0: there is none */
};

/* The value of a header (any case), NULL if absent; the first of several. */
const char *http_header(const struct http_result *result, const char *name);

typedef void (*http_done_fn)(void *ctx, const struct http_result *result);

ticket http_start(struct http *http, const struct http_request *request, http_done_fn done,
                  void *ctx);
void http_cancel(struct http *http, ticket request);
size_t http_in_flight(const struct http *http);

#endif
