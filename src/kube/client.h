/* kube/client.h - requests to the API server: credentials, a bound on what is in flight, retries, errors it can explain.
 * Effects:   network; reads the files of a token or client certificate again; may run the credential plugin again (on a thread of its own).
 * Ownership: the client borrows loop, http, log, metrics and config until kube_free. Requests are copied. Results are
 *            borrowed for the callback.
 * Units:     milliseconds, bytes.
 * Retries:   429 and 503 after Retry-After (or jittered back-off), 500/502/504 and lost connections for methods that may be
 *            repeated (GET, apply, DELETE), at most `attempts`; 401 once after reading the credentials again. A 429, a 503
 *            that says when, and a lost connection hold back what waits, too. When the server cannot be reached for all
 *            attempts of one request, what waits in the queue by then fails with it.
 * Errors:    of the API server: kube/status.h, with "METHOD path: " before all that do not name their object themselves.
 *            Without an answer: those of io/http.h.
 * Reference: api-server.md 4 and 6. */
#ifndef SERIN_KUBE_CLIENT_H
#define SERIN_KUBE_CLIENT_H

#include "base/log.h"
#include "base/metrics.h"
#include "doc/val.h"
#include "io/http.h"
#include "io/loop.h"
#include "kube/config.h"
#include "kube/status.h"

struct kube;

struct kube_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics
        *metrics; /* may be NULL: serin_kube_requests_total{verb,code}, serin_kube_in_flight */
    struct kube_config *config; /* the client reads its credentials again when they are old */
    const char *user_agent;     /* NULL: that of http */
    int in_flight; /* default 8; watches are not counted, urgent requests may take two places more */
    int attempts;  /* default 5 */
    int64_t
        backoff_ms; /* wait before the first repetition, doubled for each later one; default 250 */
};

struct kube *kube_new(const struct kube_opts *opts);
/* Cancels what runs: their callbacks are not called. Not from within a callback. Waits for a plugin that runs. */
void kube_free(struct kube *kube);
DEFINE_SCOPED(struct kube, kube_free)

const struct kube_config *kube_config_of(const struct kube *kube);

enum kube_accept {
    KUBE_FULL,          /* application/json */
    KUBE_METADATA,      /* PartialObjectMetadata */
    KUBE_METADATA_LIST, /* PartialObjectMetadataList */
};

struct kube_request {
    const char *
        method; /* GET, POST, PUT, PATCH, DELETE; NULL: nothing is sent, done comes with an empty result */
    const char *path;         /* /apis/apps/v1/namespaces/… */
    const char *query;        /* encoded, without ?; may be NULL */
    const char *content_type; /* of the body; NULL: application/json */
    const char *body;
    size_t body_len;
    enum kube_accept accept;
    const char *accept_text; /* the whole header instead of `accept`; NULL: none */
    const char
        *more_header;   /* "Name: value", for what stands behind the server's proxy; NULL: none */
    int64_t timeout_ms; /* default 60 s, all attempts together, from the first one on */
    /* For the first attempt alone, of what may be repeated; twice as long for each later one. Default: all there is. */
    int64_t attempt_ms;
    size_t limit_bytes; /* default 64 MiB */
    bool is_urgent;     /* before what waits (lease, events stay behind) */
    /* Called in place of `done` when the request is cancelled, by kube_free too; may be NULL. */
    void (*on_cancel)(void *ctx);
    /* A stream (a watch): not counted, no time limit, sent once more after a 401 and else never again. Bytes of a 2xx answer
     * are handed on as they come; returning false ends it with ERR_CANCELED. */
    bool (*on_bytes)(void *ctx, const char *bytes, size_t len);
    void (*on_headers)(void *ctx, int status);
};

struct kube_result {
    struct err *err;           /* borrowed; from status or connection: see kube/status.h */
    enum kube_refusal refusal; /* with err: KUBE_REFUSED_SERVER when no answer came */
    int status;                /* 0 when no answer came */
    const char *body;
    size_t body_len;
    const char *warning; /* text of a Warning header, or NULL */
};

typedef void (*kube_done_fn)(void *ctx, const struct kube_result *result);

/* Completion comes exactly once, in a later turn, failures included. */
ticket kube_start(struct kube *kube, const struct kube_request *request, kube_done_fn done,
                  void *ctx);
void kube_cancel(struct kube *kube, ticket request); /* harmless for one that is done */

/* For flows of several requests, called in the callback of the one before: the next one goes by the same ticket, so that
 * whoever holds it can cancel the flow. A flow may begin with a request without a method. */
void kube_go_on(struct kube *kube, ticket flow, const struct kube_request *request,
                kube_done_fn done, void *ctx);

/* What a shared client may be asked about itself: for serin's own /healthz. */
int64_t kube_last_answer_ms(
    const struct kube *kube); /* loop time of the last answer of any status; -1: none yet */
size_t kube_waiting(
    const struct kube *kube); /* requests not answered yet, those in flight included; no streams */

/* What it was made with, for the other files of kube/. */
struct loop *kube_loop(const struct kube *kube);
const struct log *kube_log(const struct kube *kube);
int64_t kube_backoff_base_ms(const struct kube *kube);

#endif
