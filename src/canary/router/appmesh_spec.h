/* canary/router/appmesh_spec.h - what both versions of App Mesh's API share: routes, and what a Canary says of them.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Units:     weights in percent.
 * Errors:    ERR_INVALID with the event's text.
 * Reference: traffic-and-metrics.md 12. */
#ifndef SERIN_CANARY_ROUTER_APPMESH_SPEC_H
#define SERIN_CANARY_ROUTER_APPMESH_SPEC_H

#include "canary/router/spec.h"

#define APPMESH_GRPC "grpc"

/* How a version writes a route. */
struct appmesh_form {
    const char *http,
        *grpc; /* the field of a route for each protocol; the same where there is only one */
    const char *const *node_path; /* of a weighted target: the name of its VirtualNode */
    void (*put_policies)(const struct canary_view *view, struct val *route); /* retries, timeouts */
};

const char *appmesh_protocol(const struct canary_view *view);                   /* http or grpc */
struct val *appmesh_port_mapping(const struct canary_view *view, int64_t port); /* of a listener */
struct val *appmesh_logging(const struct canary_view *view);                    /* NULL none */
struct val *appmesh_labels(const struct canary_view *view);  /* of VirtualNodes */
struct val *appmesh_gateway(const struct canary_view *view); /* annotations; empty without hosts */

/* Of spec.service.retries, which is there. */
int64_t appmesh_attempts(const struct canary_view *view);
int64_t appmesh_retry_ms(const struct canary_view *view);
struct val *appmesh_retry_on(const struct canary_view *view);

/* The routes of the apex: one, or that of the audience and that of the others. */
MUST_USE struct err *appmesh_routes(const struct canary_view *view, const struct appmesh_form *form,
                                    const struct split *to, struct val **out);
/* The only route of the canary's own name: all traffic to it. */
struct val *appmesh_canary_routes(const struct canary_view *view, const struct appmesh_form *form);
/* Of the first of live routes, by whatever protocol it goes. */
struct split appmesh_kept(const struct canary_view *view, const struct val *routes,
                          const struct appmesh_form *form);
/* `title`: that of the object, `place`: as the text has it that says the route is not there. */
MUST_USE struct err *appmesh_read(const struct canary_view *view, const struct val *routes,
                                  const struct appmesh_form *form, const char *title,
                                  const char *place, struct split *out);
/* The texts of an effect, which may be NULL: nodes have theirs, routers and services theirs. */
void appmesh_say_node(const struct canary_view *view, struct effect *effect);
void appmesh_say(const struct canary_view *view, struct effect *effect, const char *wrap);

#endif
