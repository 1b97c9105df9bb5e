/* image/scans.h - keeps what is known of repositories of images: those that policies name, as they change; any other when a command
 * asks. The one place that talks to registries.
 * Effects:   network, through io/http; reads Secrets and ServiceAccounts through kube; runs credential helpers.
 * Ownership: borrows all of its options until image_scans_free. An image_repo is borrowed until the next turn of the loop.
 * Units:     milliseconds.
 * Errors:    of a scan: in image_repo.error, without credentials. A registry that is down, slow or lies holds up nothing else.
 * Limits:    --registry-rps and -burst per host, obedience to 429 and Retry-After; IMAGE_SCANS_BYTES of memory for tags (the
 *            repositories least lately asked for go first, those of policies last).
 * Reference: gitops.md 5.5. */
#ifndef SERIN_IMAGE_SCANS_H
#define SERIN_IMAGE_SCANS_H

#include "base/log.h"
#include "base/metrics.h"
#include "image/info.h"
#include "image/place.h"
#include "io/http.h"
#include "kube/client.h"

#define IMAGE_SCANS_BYTES ((size_t)16 << 20)

struct image_scans;

struct image_scans_opts {
    struct loop *loop;
    struct http *http;
    struct kube *kube; /* NULL: no pull secrets */
    const struct log *log;
    struct metrics *
        metrics; /* flux_registry_fetch_duration_seconds, flux_client_fetch_duration_seconds, serin_registry_… */
    bool is_disabled;          /* --registry-disable-scanning: everything asked is refused */
    const char *docker_config; /* text of --docker-config; NULL: none */
    double rps;
    int burst;
    int64_t interval_ms; /* of repositories that policies name */
    const char *const *insecure_hosts,
        *const *exclude, *const *include, *const *use_labels; /* NULL or NULL-terminated */
    const char *const *ecr_regions, *const *ecr_include_ids, *const *ecr_exclude_ids;
    const char *const *platforms; /* of the cluster's nodes; NULL: linux/amd64, linux/arm64 */
    bool trace;
    /* A repository that a policy names has tags, or images of tags, that were not known before (also after its first complete list). As
     * soon as all patterns of versions can be decided, and once all that match the others are known (image/scan_plan.h): not while a scan
     * fails to find that out, but after the next one that does not. */
    void (*on_news)(void *ctx, const char *name);
    void *ctx;
};

struct image_scans *image_scans_new(const struct image_scans_opts *opts);
void image_scans_free(struct image_scans *scans); /* no callback comes any more */
DEFINE_SCOPED(struct image_scans, image_scans_free)

/* Of one image somewhere: which repository, what of it, and by whose credentials. */
struct image_wish {
    struct image_ref ref;
    /* Metadata of the tags that these patterns (texts) need: of versions the newest one that is of use, of the others all that match; of no
     * tag: an empty list; NULL: of every tag (for a command: while it waits). */
    const char *const *patterns;
    const char *ns; /* of the workload; "" */
    struct image_pull pull;
};

/* What policies want from now on, in place of what they wanted before. Copied. */
void image_scans_want(struct image_scans *scans, const struct image_wish *wishes, size_t count);

#define IMAGE_SCANS_ANEW ((int64_t)-1) /* an age: images that are known are looked at again, too */

/* Brings up to date what is wished for, listed `max_age_ms` ago at most, then calls back, in a later turn, with errors where they belong
 * (in each repo). After `timeout_ms` with what is there. */
ticket image_scans_ask(struct image_scans *scans, const struct image_wish *wishes, size_t count,
                       int64_t max_age_ms, int64_t timeout_ms, void (*done)(void *ctx), void *ctx);
void image_scans_cancel(struct image_scans *scans, ticket ask);

/* NULL: never asked for, excluded or thrown out (one of a policy's stays: empty, and its error says so). By canonical name. */
const struct image_repo *image_scans_find(struct image_scans *scans, const char *name);
/* Why nothing will ever be known of it: excluded, scanning disabled; NULL. */
const char *image_scans_why_not(const struct image_scans *scans, const char *name);

/* Somebody says that it changed: scanned next, if it is known. False if it is not. */
bool image_scans_notify(struct image_scans *scans, const char *name);

#endif
