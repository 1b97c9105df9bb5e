/* api/route.h - which handler answers which request.
 * Effects:   none (pure).
 * Ownership: tables are static; a found route is borrowed from its table.
 * A path that exists with another method, or without a parameter it needs, is not found: as in Flux (gitops.md 8.1). */
#ifndef SERIN_API_ROUTE_H
#define SERIN_API_ROUTE_H

#include "base/base.h"

struct api_call; /* one request, api/call.h */

struct api_route {
    const char *method; /* "GET" does not answer HEAD */
    const char *path;   /* below the table's base */
    const char *needs;  /* a query parameter that must be there (it may be empty); NULL: none */
    void (*handler)(struct api_call *call);
    bool is_public; /* answered to whoever asks */
};

struct api_route_ask {
    const char *method, *path;
    bool (*has_query)(const void *ctx, const char *name);
    const void *ctx;
};

const struct api_route *api_route_find(const struct api_route *routes, size_t count,
                                       const struct api_route_ask *ask);

/* Below /v1/ to /v5/: answered 410. */
bool api_route_is_deprecated(const char *path);

#endif
