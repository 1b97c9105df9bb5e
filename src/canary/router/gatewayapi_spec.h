/* canary/router/gatewayapi_spec.h - what an HTTPRoute is to be: the spec of a Canary's route.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Units:     weights in percent.
 * Errors:    ERR_INVALID with the event's text for matches that the Gateway API cannot say.
 * Reference: traffic-and-metrics.md 8.2 to 8.6. */
#ifndef SERIN_CANARY_ROUTER_GATEWAYAPI_SPEC_H
#define SERIN_CANARY_ROUTER_GATEWAYAPI_SPEC_H

#include "canary/router/route.h"

#define GATEWAYAPI_COOKIE     "Cookie"
#define GATEWAYAPI_SET_COOKIE "Set-Cookie"

/* What a version of the API can say, and whether its routes are waited for. */
struct gatewayapi_version {
    struct route_kind kind;
    bool has_timeouts, has_cors, has_primary_cookie;
    bool waits_for_parents; /* to have accepted what was written */
};

/* What only the live route knows. */
struct gatewayapi_traffic {
    struct split split;
    struct route_cookies cookies;
};

MUST_USE struct err *gatewayapi_spec_new(const struct canary_view *view,
                                         const struct gatewayapi_version *version,
                                         const struct gatewayapi_traffic *traffic,
                                         struct val **out);

#endif
