/* io/easy.h - one outgoing request on one handle of libcurl: what http.c and stream.c have in common. For io/ only.
 * Effects:   none of its own; the handle does them where it is driven.
 * Ownership: the easy owns its handle and copies what it is given, but for the TLS settings (kept by the caller until
 *            easy_end). easy_init once, then easy_prepare and easy_end for every request, then easy_fini.
 * Units:     bytes, milliseconds.
 * Errors:    as io/http.h. Texts are "METHOD scheme://host/path: why", without user, query or header. */
#ifndef SERIN_IO_EASY_H
#define SERIN_IO_EASY_H

#include <curl/curl.h>

#include "io/http.h"

#define EASY_REDIRECTS  5
#define EASY_HEAD_BYTES ((size_t)256 << 10) /* of one answer */

struct http_headers {
    char *bytes; /* name NUL value NUL ... */
    size_t len, cap;
};

struct easy_url {
    char *full;  /* without user, password and fragment */
    char *shown; /* for people: without the query, too */
    char *host, *port;
    char *user, *password; /* NULL: none */
    bool is_https, is_default_port;
};

struct easy {
    CURL *curl;
    char *method;
    struct easy_url url;
    const struct http_tls *tls;
    struct http_tls foreign_tls; /* what is left of it after a redirect to another host */
    struct curl_slist *headers, *connect_to;
    void *body;
    size_t body_len;
    int redirects; /* followed so far */
    bool follows;
    struct http_headers head; /* of the answer */
    bool is_head_done;
    int status;
    char problem[CURL_ERROR_SIZE];
};

struct easy_spec {
    const struct http_request *request;
    const char *user_agent;
    const char *user, *password; /* basic authentication; NULL: what the URL holds */
};

void easy_init(struct easy *easy);
void easy_fini(struct easy *easy);
/* After an error, too, easy_end ends the request. The caller sets the callbacks of the handle afterwards. */
MUST_USE struct err *easy_prepare(struct easy *easy, const struct easy_spec *spec);
void easy_end(struct easy *easy);

/* For CURLOPT_HEADERFUNCTION: keeps one line of the head. */
enum easy_head { EASY_HEAD_MORE, EASY_HEAD_DONE, EASY_HEAD_TOO_BIG };
enum easy_head easy_take_header(struct easy *easy, const char *line, size_t len);
const char *easy_find_header(const struct http_headers *headers, const char *name);

/* Is the answer whose head is there a redirect to be followed? Then easy_redirect points the handle to where it leads: never
 * from https to http, and to another host without credentials. */
bool easy_is_redirect(const struct easy *easy);
MUST_USE struct err *easy_redirect(struct easy *easy);

/* How a transfer that is over went. */
MUST_USE struct err *easy_error(const struct easy *easy, CURLcode code); /* NULL: it is whole */
MUST_USE struct err *easy_fail(const struct easy *easy, enum err_kind kind, const char *why);

#endif
