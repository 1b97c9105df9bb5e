/* api/receiver.h - the listener for webhooks: a port of its own, which may be open to the world.
 * Effects:   reads the configuration and its keys at start; listens.
 * Ownership: borrows loop, log and http; what it is given is copied. A change is borrowed for on_change.
 * Units:     none.
 * Errors:    ERR_INVALID, ERR_NOT_FOUND, ERR_DENIED for the configuration, ERR_TRANSIENT for an address that is taken.
 * Reference: gitops.md 10.2, whose configuration files it reads.
 * An answer does not wait for what follows from the hook: 200 says that it was taken. Only POST to an endpoint's path and GET /health
 * are there. */
#ifndef SERIN_API_RECEIVER_H
#define SERIN_API_RECEIVER_H

#include "api/receive.h"
#include "base/log.h"
#include "io/http.h"
#include "io/loop.h"

struct receiver;

struct receiver_opts {
    struct loop *loop;
    const struct log *log;
    struct http *http;         /* for tokens of Google's registry */
    const char *tokeninfo_url; /* who is asked about those; NULL: Google */
    const char *listen;        /* ":8080" */
    const char *config_file;   /* keys in it are named from its directory */
    void (*on_change)(void *ctx, const struct api_change *change);
    void *ctx;
};

MUST_USE struct err *receiver_new(const struct receiver_opts *opts, struct receiver **out);
void receiver_free(struct receiver *receiver); /* NULL is fine */
DEFINE_SCOPED(struct receiver, receiver_free)
int receiver_port(const struct receiver *receiver);

#endif
