/* canary/metric/url.h - addresses of metric servers: taken apart, extended, written with their queries.
 * Effects:   none.
 * Ownership: texts are in the caller's arena.
 * Reference: traffic-and-metrics.md 20.1, 20.5 (Go's net/url). */
#ifndef SERIN_CANARY_METRIC_URL_H
#define SERIN_CANARY_METRIC_URL_H

#include "base/vec.h"

struct url {
    const char *scheme; /* http or https */
    const char *user;   /* as written, the password with it; "" when absent */
    const char *host;   /* with its port, as written */
    const char *path;   /* "" or from its slash on */
    const char *query;  /* without ?; "" when absent */
};

/* False for what is no whole http or https address: no host, a blank, a control character, a bad port. */
bool url_parse(struct arena *mem, const char *text, struct url *out);
/* The address with `path` behind its own, which is cleaned as Go's path.Join does it, and this query ("" none). */
const char *url_join(struct arena *mem, const struct url *base, const char *path,
                     const char *query);
/* For messages: "user:***@" where there is a password. Texts that are no address stay as they are, but for what stands before @. */
const char *url_shown(struct arena *mem, const char *text);

/* As in a form: a blank is +. */
const char *url_escape(struct arena *mem, const char *text);
/* One part of a path: a slash is escaped, too. */
const char *url_escape_part(struct arena *mem, const char *text);

struct url_pair {
    const char *key, *value;
    size_t place; /* in the query it came from */
};
struct url_pairs {
    struct url_pair *at;
    size_t len, cap;
};
/* The pairs of a query, decoded; those that cannot be decoded are left out. */
void url_read_query(struct arena *mem, const char *query, struct url_pairs *out);
void url_add(struct arena *mem, struct url_pairs *pairs, const char *key, const char *value);
/* Replaces all pairs of this key. */
void url_set(struct arena *mem, struct url_pairs *pairs, const char *key, const char *value);
/* Sorted by key, escaped. */
const char *url_query(struct arena *mem, struct url_pairs *pairs);

#endif
