/* canary/router/spec.h - what several routers read off a Canary (spec.service, spec.analysis.match) and off lists of backends.
 * Effects:   none.
 * Ownership: in the view's arena.
 * Units:     weights in percent.
 * Errors:    ERR_INVALID with the event's text.
 * Reference: traffic-and-metrics.md 2.5, 10 to 16. */
#ifndef SERIN_CANARY_ROUTER_SPEC_H
#define SERIN_CANARY_ROUTER_SPEC_H

#include "canary/router/route.h"

int64_t spec_port(const struct canary_view *view);       /* of the Service; 0 unless a number */
const char *spec_prefix(const struct canary_view *view); /* of paths: the first match's, or / */
/* A text of spec.service, "" if there is none. */
const char *spec_text(const struct canary_view *view, const char *key);
/* spec.service.retries, NULL without; its attempts. */
const struct val *spec_retries(const struct canary_view *view);
int64_t spec_attempts(const struct canary_view *view);
/* What retryOn lists between commas, as it stands there; empty parts are left out. */
struct val *spec_retry_on(const struct canary_view *view);

/* A header that requests of the test's audience have. */
struct spec_header {
    size_t entry; /* of spec.analysis.match */
    const char *name;
    const struct val *match; /* exact, prefix, suffix, regex */
};
struct spec_headers {
    const struct spec_header *at; /* by entry, then by name */
    size_t len;
};
struct spec_headers spec_headers(const struct canary_view *view);
bool spec_has_audience(const struct canary_view *view);

/* Labels or annotations for a copy of an object: without the marks of sync and of kubectl, which speak of that object. */
struct val *spec_copied(const struct canary_view *view, const struct val *texts);

/* The item of a list whose text at `path` (NULL-terminated keys) is `name`; NULL if none is. */
const struct val *spec_find(const struct val *list, const char *const *path, const char *name);
/* The weights of two live backends (NULL: not there) to go on with: nothing for nobody is no split, and 100:0 instead. */
struct split spec_kept(const struct val *primary, const struct val *canary);
/* Writes a weight as Go leaves it out where it is 0. */
void spec_put_weight(struct arena *mem, struct val *backend, int64_t weight);
/* Where the weight of the primary tells that of the canary. */
struct split spec_rest(int64_t primary);
/* "<title> update failed: no valid weights" for 0:0. */
MUST_USE struct err *spec_check_weights(const struct split *to, const char *title);
/* The title that most routers give it. */
const char *spec_rule_title(const struct canary_view *view);

#endif
