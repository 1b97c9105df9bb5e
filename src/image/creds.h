/* image/creds.h - who we are to a registry.
 * Effects:   reads ServiceAccounts and Secrets through kube, a file, the metadata server of a machine; runs credential helpers.
 * Ownership: borrows its options; questions are copied. A login is borrowed for the callback. What was found is kept for a minute
 *            (logins of helpers for an hour, failures for ten minutes) and wiped then.
 * Units:     milliseconds.
 * Errors:    are logged, without credentials; the answer is then that there is no login.
 * Reference: gitops.md 5.5.
 *
 *     secrets of the service account < pull secrets of the pod < ECR's own; else --docker-config; else what the cloud gives */
#ifndef SERIN_IMAGE_CREDS_H
#define SERIN_IMAGE_CREDS_H

#include "base/log.h"
#include "image/wire.h"
#include "io/http.h"
#include "io/process.h"
#include "kube/client.h"

struct creds;

struct creds_opts {
    struct loop *loop;
    struct http *http;
    struct processes *processes;
    struct kube *kube; /* NULL: no pull secrets */
    const struct log *log;
    const char
        *docker_config; /* text; NULL: none. Its helpers are run, those that Secrets name are not */
    const char *metadata_url;       /* NULL: Google's */
    const char *azure_file;         /* NULL: /etc/kubernetes/azure.json */
    const char *azure_metadata_url; /* scheme and host; NULL: Azure's */
    const char *acr_url;            /* the same of a registry of Azure; NULL: its own */
};

struct creds *creds_new(const struct creds_opts *opts);
void creds_free(struct creds *creds);
DEFINE_SCOPED(struct creds, creds_free)

struct creds_source {
    const char *ns, *service_account; /* "": none */
    const char *const *secrets;       /* NULL-terminated; NULL: none */
};

/* NULL: there is none. */
typedef void (*creds_done)(void *ctx, const struct image_login *login);

/* Done comes once, in a later turn. */
struct creds_ask;
struct creds_ask *creds_start(struct creds *creds, const char *host,
                              const struct creds_source *sources, size_t count, creds_done done,
                              void *ctx);
void creds_cancel(struct creds_ask *ask); /* not after done; NULL is fine */
/* What is kept was refused: asked for again next time. */
void creds_forget(struct creds *creds);

/* <account>.dkr.ecr.<region>.amazonaws.com[.cn]: its parts, in the arena. */
bool creds_split_ecr(struct arena *mem, const char *host, const char **account,
                     const char **region);

#endif
