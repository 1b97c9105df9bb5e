/* api/guard.h - which requests a browser may have been tricked into sending.
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
    bool is_loopback; /* of the listener */
    const char *method;
    const char *host, *origin; /* headers, NULL if absent */
};

/* Why the request is refused, NULL if it is not. */
const char *api_guard_refusal(struct arena *mem, const struct api_guard *request);

#endif
