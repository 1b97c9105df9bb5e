/* io/server.h - incoming HTTP: libmicrohttpd in external-poll mode on the loop.
 * Effects:   network.
 * Ownership: a request lives from the handler's call until server_reply, which may come in a later turn; it is fine if the
 *            client is gone by then. Texts are borrowed from the request.
 * Units:     bytes, milliseconds.
 * Limits:    1 MiB of body (413), 64 KiB of headers (431), 256 connections, 30 s without a byte, 60 s for a request to come.
 * The handler runs outside of libmicrohttpd and may do what it likes but free the server; each request must be replied to. */
#ifndef SERIN_IO_SERVER_H
#define SERIN_IO_SERVER_H

#include "base/err.h"
#include "base/log.h"
#include "io/loop.h"

struct server;
struct server_request;
typedef void (*server_handler)(void *ctx, struct server_request *request);

/* `address`: ":3030", "127.0.0.1:3030", "[::1]:3030", "localhost:3030"; port 0 takes a free one. ERR_INVALID for an address
 * that is none; ERR_TRANSIENT with the reason when it cannot be bound. */
MUST_USE struct err *server_new(struct loop *loop, const char *address, server_handler handler,
                                void *ctx, struct server **out);

struct server_limits {
    size_t body_bytes, header_bytes;
    int connections;
    int64_t idle_ms;    /* without a byte; whole seconds */
    int64_t request_ms; /* for a request to be there in full */
};
struct server_receiver {
    server_handler handler;
    void *ctx;
};
struct server_limits server_default_limits(void);
/* With other limits than those above. */
MUST_USE struct err *server_new_limited(struct loop *loop, const char *address,
                                        const struct server_limits *limits,
                                        const struct server_receiver *receiver,
                                        struct server **out);

/* Cuts its connections. Requests not yet replied to stay readable; their server_reply then only ends them. */
void server_free(struct server *server);
DEFINE_SCOPED(struct server, server_free)
int server_port(const struct server *server);

/* The client came by a loopback address, to a loopback address: it is on this machine (or came through kubectl port-forward). */
bool server_is_local(const struct server_request *request);
const char *server_method(const struct server_request *request);
const char *server_path(const struct server_request *request); /* decoded, without the query */
const char *server_query(const struct server_request *request,
                         const char *name); /* decoded; NULL if absent */
/* The at-th value of a repeated parameter, NULL past the last. */
const char *server_query_at(const struct server_request *request, const char *name, size_t at);
const char *server_header(const struct server_request *request,
                          const char *name);                                /* NULL if absent */
const char *server_body(const struct server_request *request, size_t *len); /* NUL-terminated */

struct server_answer {
    int status;
    const char *content_type; /* NULL: none */
    const void *body;         /* copied */
    size_t body_len;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
};

void server_reply(struct server_request *request,
                  const struct server_answer *answer); /* ends the request */

#endif
