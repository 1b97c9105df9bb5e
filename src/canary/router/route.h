/* canary/router/route.h - what routers share: finding, comparing and planning routing objects, their metadata, matches, cookies.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Units:     weights in percent.
 * Errors:    ERR_NOT_FOUND with the server's own words for an object or a kind that is not there.
 * Reference: traffic-and-metrics.md 2.
 *
 * A router works out the whole spec of its object from the Canary and from what only the live object knows (weights, mirror,
 * cookies), and route_plan writes it if the live one differs. So a repair keeps the traffic as it is, and what a router has
 * written is what it finds right. */
#ifndef SERIN_CANARY_ROUTER_ROUTE_H
#define SERIN_CANARY_ROUTER_ROUTE_H

#include "canary/view.h"

/* What the API server puts in where nothing is said: of each map at `path` ("rules.*.matches.*.path"; * is each item), the last
 * key. In order: an earlier one may make the map of a later one. */
struct route_default {
    const char *path, *json;
};

struct route_kind {
    const char *api_version, *kind;
    const char *resource; /* as the server names it: virtualservices.networking.istio.io */
    bool is_mesh;         /* lives on the API server of the mesh */
    bool is_cluster;      /* has no namespace, and so no Canary for an owner */
    const char *const
        *keys; /* of the spec: the router's; others are left alone. NULL-terminated; NULL: all */
    const struct route_default *defaults; /* of the spec; ends with a path of NULL; NULL none */
};

const char *route_primary(const struct canary_view *view); /* NAME-primary */
const char *route_canary(const struct canary_view *view);

/* Finding. */
void route_want(const struct canary_view *view, const struct route_kind *kind, const char *name,
                struct live_wants *out);
/* NULL when it is absent. An error begins with `before`. */
MUST_USE struct err *route_find(const struct canary_view *view, const struct route_kind *kind,
                                const char *name, const char *before, const struct val **out);
/* The same, but absence is an error, too. */
MUST_USE struct err *route_need(const struct canary_view *view, const struct route_kind *kind,
                                const char *name, const char *before, const struct val **out);

/* Comparing. Nulls and empty lists in maps count as absent. */
bool route_is_same(struct arena *mem, const struct val *a, const struct val *b);
/* Whether the kind's keys say the same in both specs once defaults are filled in. */
bool route_fits(struct arena *mem, const struct route_kind *kind, const struct val *spec,
                const struct val *live_spec);
/* Whether a Canary of this name is its controller. */
bool route_is_owned(const struct canary_view *view, const struct val *object);

/* Planning. */
struct route_form {
    const char *name;
    const struct val *live; /* NULL: to be created */
    const struct val *spec; /* keys of the kind that it lacks are removed */
    /* Exactly these, unless a repository declares the object, too; NULL: none when created, never touched after. */
    const struct val *labels, *annotations;
    bool keeps_annotations; /* those of others stay */
};
/* A POST or a PUT that makes it so; NULL if it is so already. The caller sets the texts. */
struct effect *route_plan(const struct canary_view *view, const struct route_kind *kind,
                          const struct route_form *form, struct effects *out);
/* "<wrap><title> create error: ", "... update error: "; "<title> created", "... updated". `effect` may be NULL. */
void route_say(struct arena *mem, struct effect *effect, const char *wrap, const char *title);
/* KIND NAME.NAMESPACE, or KIND NAME */
const char *route_title(const struct canary_view *view, const struct route_kind *kind,
                        const char *name);

/* Metadata (2.3). The labels have the selector's key where spec.service.apex is present. */
struct val *route_labels(const struct canary_view *view);
struct val *route_annotations(const struct canary_view *view); /* with the Flux pair */
/* Labels or annotations for a copy of an object: without the marks of sync, which say what a repository declares. */
struct val *route_copied_texts(struct arena *mem, const struct val *texts);

/* Spec. */
int64_t route_weight(const struct val *backend, int64_t otherwise); /* its `weight` */
/* What weights to go on with when a route is repaired: those of its backends. One that is not there (-1) has the rest of 100, and
 * where that cannot be told it is 100:0. */
struct split route_split(int64_t primary, int64_t canary);
struct val *route_spec(struct arena *mem,
                       const struct val *object); /* a copy, empty if it has none */
struct val *route_sorted(struct arena *mem, const struct val *map); /* a copy, keys in order */
const char *route_literal(struct arena *mem, const char *text);     /* as a pattern matches it */
/* Copies those of `keys` (NULL-terminated) that say something: no null, false, "", empty list or map. */
struct val *route_pick(struct arena *mem, const struct val *from, const char *const *keys);
/* Each condition with each base: a copy of the base with those of `keys` that the condition has. An empty list: the other. */
struct val *route_merge(struct arena *mem, const struct val *conditions, const struct val *bases,
                        const char *const *keys);

/* Session affinity (2.6). Cookies are name=value, "" none. */
struct route_cookies {
    const char *canary, *primary; /* while the canary has weight */
    const char *previous;         /* to be deleted, once it has none */
};
/* Which cookies the rules are to have with this weight: as they are. All "" without session affinity. `has_primary`: the router
 * knows primary cookies. */
void route_cookies_keep(const struct canary_view *view, int64_t canary_weight, bool has_primary,
                        const struct route_cookies *live, struct route_cookies *out);
/* The same when the weight is being set: new ones are chosen, the old one is retired; told to `effects`. */
void route_cookies_next(const struct canary_view *view, int64_t canary_weight, bool has_primary,
                        const struct route_cookies *live, struct route_cookies *out,
                        struct effects *effects);
/* Values of Set-Cookie: of the canary's, of the primary's (lives for one interval), of one to be deleted. */
const char *route_cookie_set(const struct canary_view *view, const char *cookie);
MUST_USE struct err *route_cookie_set_primary(const struct canary_view *view, const char *cookie,
                                              const char **out);
const char *route_cookie_delete(const struct canary_view *view, const char *cookie);
/* Whether a rule's Set-Cookie (NULL none) is one of those. */
bool route_cookie_is_deleted(const struct canary_view *view, const char *set_cookie);
/* name=value of a Set-Cookie. */
const char *route_cookie_of(struct arena *mem, const char *set_cookie);
/* The pattern of the request header that has it: ".*<name>.*<value>.*", both as literal text. */
const char *route_cookie_pattern(struct arena *mem, const char *cookie);
/* Whether a pattern (NULL none) for the header Cookie is one of those: it names one of our cookies. None is in A/B testing. */
bool route_cookie_is_sticky(const struct canary_view *view, const char *pattern);

#endif
