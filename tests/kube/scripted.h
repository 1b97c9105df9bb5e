/* tests/kube/scripted.h - an API server without manners: answers as a test tells it to, byte by byte if need be.
 * Effects:   a socket on loopback, a thread for each connection. HTTP/1.1 only.
 * Ownership: scripted_free cuts what is open and waits for the threads. Requests are borrowed by `serve`, which runs on a
 *            thread of the server's: what it shares with the test it guards with scripted_lock.
 * Units:     milliseconds. */
#ifndef SERIN_TESTS_KUBE_SCRIPTED_H
#define SERIN_TESTS_KUBE_SCRIPTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

struct scripted;

struct scripted_request {
    const char *method, *path, *query; /* as they came, not decoded; query "" if none */
    const char *head;                  /* all header lines */
    const char *body;
    size_t body_len;
    size_t count; /* of requests with this method and path before this one */
    int fd;       /* of the connection */
    bool *is_cut; /* the connection ends when `serve` returns */
    struct scripted *server;
};

typedef void (*scripted_serve)(void *ctx, const struct scripted_request *request);

struct scripted *scripted_new(scripted_serve serve, void *ctx);
void scripted_free(struct scripted *server);
int scripted_port(const struct scripted *server);
/* "METHOD path?query" of each request so far, one a line; to be freed. */
char *scripted_log(struct scripted *server);
/* Lines of the log with this text in them. */
size_t scripted_count(struct scripted *server, const char *part);
size_t scripted_most_at_once(struct scripted *server); /* requests being served at the same time */
void scripted_lock(struct scripted *server);
void scripted_unlock(struct scripted *server);
/* Stops listening and cuts all connections; later ones are refused. */
void scripted_go_away(struct scripted *server);

/* -- for `serve` --------------------------------------------------------------------------------------------------- */

/* A whole answer of JSON (text for a body that does not begin with a brace); `headers`: lines with \r\n, or NULL. */
void scripted_reply(const struct scripted_request *request, int status, const char *headers,
                    const char *body);
/* A stream: its head, pieces, its end. Without scripted_end the connection is cut when `serve` returns. */
void scripted_begin(const struct scripted_request *request);
void scripted_piece(const struct scripted_request *request, const char *fmt, ...) PRINTF(2, 3);
void scripted_end(const struct scripted_request *request);
void scripted_send(const struct scripted_request *request, const char *bytes, size_t len); /* raw */
/* Waits; false as soon as the other side or the server is gone. */
bool scripted_wait(const struct scripted_request *request, int ms);
/* The value of a header in an arena of the server's, "" if absent. */
const char *scripted_header(const struct scripted_request *request, const char *name);

#endif
