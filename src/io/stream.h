/* io/stream.h - one HTTP request for a worker thread, which reads its answer as it comes. Blocks; never on the loop.
 * Effects:   network.
 * Ownership: the stream copies its request but the TLS settings, which the caller keeps until stream_free, and owns its
 *            connection until then.
 * Units:     bytes, milliseconds; deadline_ms is on the monotonic clock.
 * Errors:    as io/http.h; a status other than 2xx is an error too: 401 and 403 ERR_DENIED, 404 ERR_NOT_FOUND, 429 and 5xx
 *            ERR_TRANSIENT, the rest ERR_INVALID. Texts hold no credentials. A 429 or 503 says in err_retry_after_ms when
 *            the server wants to be asked again, if it does. */
#ifndef SERIN_IO_STREAM_H
#define SERIN_IO_STREAM_H

#include "base/err.h"
#include "io/http.h"

struct stream;

struct stream_request {
    const char *method, *url; /* without credentials */
    const char *const *headers;
    const char *user, *password; /* basic authentication, or NULL */
    const char *bearer;          /* or NULL */
    const void *body;
    size_t body_len;
    const struct http_tls *tls;
    const char *proxy;   /* as http_request */
    int64_t deadline_ms; /* 0: none */
    size_t limit_bytes;  /* of the body, decoded; 0: 16 MiB */
    bool follow_redirects;
};

/* Returns when the headers are there. */
MUST_USE struct err *stream_open(const struct stream_request *request, struct stream **out);
MUST_USE struct err *stream_read(struct stream *stream, void *buffer, size_t size,
                                 size_t *out_len); /* 0: the end */
const char *stream_content_type(const struct stream *stream);
const char *stream_url(const struct stream *stream); /* after redirects */
void stream_free(struct stream *stream);
DEFINE_SCOPED(struct stream, stream_free)

/* Monotonic, for deadlines on worker threads. */
int64_t stream_now_ms(void);

#endif
