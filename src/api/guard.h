/* api/guard.h - who may ask what: requests from elsewhere need the token, and none may come from a page of somebody else.
 * Effects:   none (pure).
 * Ownership: the refusal is in the caller's arena.
 * A page whose name is made to resolve to 127.0.0.1 sends its own name as Host; a page that posts to us sends its Origin. */
#ifndef SERIN_API_GUARD_H
#define SERIN_API_GUARD_H

#include "base/arena.h"
#include "base/base.h"

/* "127.0.0.1:3030", "[::1]:3030", "localhost:3030": an address only this machine can reach. */
bool api_guard_is_loopback(const char *listen_address);

struct api_guard {
    bool is_loopback;  /* of the listener */
    bool is_local;     /* the client is on this machine, or came through a forwarded port */
    bool is_open;      /* --listen-unauthenticated */
    bool is_public;    /* of the route: health, the public key */
    const char *token; /* ours; NULL: none */
    const char *method;
    const char *host, *origin, *authorization, *own_header; /* headers, NULL if absent */
};

/* `Authorization: Bearer T`, `Authorization: Scope-Probe token=T` (as fluxctl sends it), `X-Serin-Token: T` (the API server's
 * proxy keeps Authorization for itself); NULL: none. Borrowed from the headers. */
#define API_GUARD_HEADER "X-Serin-Token"
const char *api_guard_token(const struct api_guard *request);

enum api_guard_kind {
    API_GUARD_FINE,
    API_GUARD_PAGE, /* 403: of a browser */
    API_GUARD_TOKEN /* 401: without the token, or with another one */
};
/* `why` is set when it is refused. */
enum api_guard_kind api_guard_judge(struct arena *mem, const struct api_guard *request,
                                    const char **why);

#endif
