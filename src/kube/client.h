/* kube/client.h - requests to the API server: credentials, a bound on what is in flight, retries, errors it can explain.
 * Effects:   network; may run the credential plugin again after a 401.
 * Ownership: the client borrows loop, http, log and config until kube_free. Requests are copied. Results are borrowed for
 *            the callback.
 * Units:     milliseconds, bytes.
 * Retries:   429 and 503 after Retry-After (or jittered back-off), 500/502/504 and lost connections for methods that may be
 *            repeated (GET, apply, DELETE), at most `attempts`; 401 once after reading the credentials again.
 * Reference: api-server.md 4 and 6. */
#ifndef SERIN_KUBE_CLIENT_H
#define SERIN_KUBE_CLIENT_H

#include "base/log.h"
#include "base/metrics.h"
#include "doc/val.h"
#include "io/http.h"
#include "io/loop.h"
#include "kube/config.h"

struct kube;

struct kube_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics *metrics; /* may be NULL: serin_kube_requests_total{verb,code}, serin_kube_in_flight */
    struct kube_config *config;
    const char *user_agent;
    int in_flight; /* default 8; watches are not counted */
    int attempts;  /* default 5 */
};

struct kube *kube_new(const struct kube_opts *opts);
void kube_free(struct kube *kube); /* cancels what runs: their callbacks are not called */
DEFINE_SCOPED(struct kube, kube_free)

const struct kube_config *kube_config_of(const struct kube *kube);

enum kube_accept {
    KUBE_FULL,          /* application/json */
    KUBE_METADATA,      /* PartialObjectMetadata */
    KUBE_METADATA_LIST, /* PartialObjectMetadataList */
};

struct kube_request {
    const char *method;        /* GET, POST, PUT, PATCH, DELETE */
    const char *path;          /* /apis/apps/v1/namespaces/… */
    const char *query;         /* encoded, without ?; may be NULL */
    const char *content_type;  /* of the body; NULL: application/json */
    const char *body;
    size_t body_len;
    enum kube_accept accept;
    int64_t timeout_ms;        /* default 60 s, all attempts together */
    size_t limit_bytes;        /* default 64 MiB */
    bool is_urgent;            /* before what waits (lease, events stay behind) */
};

struct kube_result {
    struct err *err;    /* borrowed; from status or connection: see kube/status.h */
    int status;         /* 0 when no answer came */
    const char *body;
    size_t body_len;
    const char *warning; /* text of a Warning header, or NULL */
};

typedef void (*kube_done_fn)(void *ctx, const struct kube_result *result);

ticket kube_start(struct kube *kube, const struct kube_request *request, kube_done_fn done, void *ctx);
void kube_cancel(struct kube *kube, ticket request);

/* What a shared client may be asked about itself: for serin's own /healthz. */
int64_t kube_last_answer_ms(const struct kube *kube); /* loop time of the last answer of any status; -1: none yet */

#endif
