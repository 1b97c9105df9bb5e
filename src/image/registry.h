/* image/registry.h - requests about one repository, to the API of its registry.
 * Effects:   network, through io/http.
 * Ownership: hosts borrow their options. A registry copies all it is given; it and a call may be freed in a call's callback, and no callback
 *            comes after that. Answers are borrowed for the callback.
 * Units:     milliseconds, bytes.
 * Errors:    all but 2xx: ERR_NOT_FOUND, ERR_DENIED (401, 403), ERR_LIMIT, ERR_TRANSIENT (429 with what it asked us to wait, 5xx, no answer),
 *            ERR_INVALID. Texts hold no credentials.
 * Safety:    credentials go to the registry, by https unless it is named insecure, and to the realm that it names, if that is https
 *            (or the registry is insecure itself and the realm is on its host, or named insecure, too). Redirects to another host take no
 *            credentials with them.
 * Reference: gitops.md 5.5; the token authentication of the Docker Registry API. */
#ifndef SERIN_IMAGE_REGISTRY_H
#define SERIN_IMAGE_REGISTRY_H

#include "base/log.h"
#include "base/metrics.h"
#include "image/pace.h"
#include "image/wire.h"
#include "io/http.h"

struct registry_hosts_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics *metrics;     /* may be NULL */
    const char *const *insecure; /* with or without port; NULL: none */
    double rps;
    int burst;
    bool trace;
};

struct registry_hosts;
struct registry_hosts *registry_hosts_new(const struct registry_hosts_opts *opts);
void registry_hosts_free(struct registry_hosts *hosts); /* after all registries */
DEFINE_SCOPED(struct registry_hosts, registry_hosts_free)
/* A scan of this host has gone through. */
void registry_hosts_recover(struct registry_hosts *hosts, const char *host);

struct registry;
/* `login` may be NULL. */
struct registry *registry_new(struct registry_hosts *hosts, const char *host, const char *path,
                              const struct image_login *login);
void registry_free(struct registry *registry);
DEFINE_SCOPED(struct registry, registry_free)

struct registry_request {
    const char *method;
    const char *path; /* below /v2/<repository>/ */
    const char *url;  /* in place of it: a next page, on the same host */
    const char *accept;
    size_t limit_bytes;
    int64_t timeout_ms;
};

struct registry_answer {
    const struct err *err; /* NULL: 2xx */
    bool is_throttled;     /* 429 */
    const char *url;       /* that was asked */
    const struct http_result *http;
};

typedef void (*registry_done)(void *ctx, const struct registry_answer *answer);

/* Done comes once, in a later turn. What runs ends with the registry. */
void registry_start(struct registry *registry, const struct registry_request *request,
                    registry_done done, void *ctx);

#endif
