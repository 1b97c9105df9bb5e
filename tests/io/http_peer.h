/* tests/io/http_peer.h - requests of tests and their answers.
 * Effects:   runs the loop.
 * Ownership: answers own copies; http_peer_fini or http_peer_free end them.
 * Units:     none. */
#ifndef SERIN_TESTS_IO_HTTP_PEER_H
#define SERIN_TESTS_IO_HTTP_PEER_H

#include "io/http.h"

#define HTTP_PEER_NO_ERROR ((enum err_kind)99)

struct answer {
    bool is_done;
    int status, http_version;
    enum err_kind kind; /* HTTP_PEER_NO_ERROR: none */
    enum http_cause cause;
    char *error, *why, *body, *content_type, *encoding; /* "" if there is none */
    size_t body_len;
};

char *http_peer_url(const char *base, int port, const char *path);
ticket http_peer_start(struct http *http, const struct http_request *request,
                       struct answer *answer);
void http_peer_wait(struct loop *loop, struct answer *answers,
                    size_t count); /* until all are done */
struct answer *http_peer_ask(struct loop *loop, struct http *http,
                             const struct http_request *request);
int http_peer_number(const struct answer *answer,
                     const char *before); /* the number behind this text; -1 if absent */
void http_peer_fini(struct answer *answer);
void http_peer_free(struct answer *answer);

#endif
