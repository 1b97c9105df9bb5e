/* image/creds_cloud.h - one login from a credential helper, or from what the cloud of a registry offers.
 * Effects:   runs docker-credential-* and aws; asks the metadata servers of Google and Azure; reads azure.json.
 * Ownership: options are borrowed until done, their texts for the call only. A login is borrowed for the callback.
 * Units:     milliseconds.
 * Reference: gitops.md 5.5; the protocol of docker's credential helpers (get: the host on stdin, {"Username","Secret"}).
 *
 *     ECR: docker-credential-ecr-login, else aws ecr get-login-password
 *     GCR: docker-credential-gcr, else the metadata server;  ACR: azure.json, else docker-credential-acr-env
 *
 * A metadata server is asked where a host or a file says that we are in its cloud, never else. */
#ifndef SERIN_IMAGE_CREDS_CLOUD_H
#define SERIN_IMAGE_CREDS_CLOUD_H

#include "image/wire.h"
#include "io/http.h"
#include "io/process.h"

enum creds_cloud_kind { CREDS_CLOUD_NONE, CREDS_CLOUD_ECR, CREDS_CLOUD_GCR, CREDS_CLOUD_ACR };
enum creds_cloud_kind creds_cloud_kind(const char *host);

struct creds_cloud_opts {
    struct loop *loop;
    struct http *http;
    struct processes *processes;
    const char *host;
    const char *helper; /* this one alone; "": by the cloud of the host */
    const char *metadata_url, *azure_file, *azure_metadata_url, *acr_url;
};

/* No login: `problem` says why, or is NULL where no way to one is there. */
typedef void (*creds_cloud_done)(void *ctx, const struct image_login *login, const char *problem);

struct creds_cloud;
struct creds_cloud *creds_cloud_start(const struct creds_cloud_opts *opts, creds_cloud_done done,
                                      void *ctx);   /* done comes once, in a later turn */
void creds_cloud_cancel(struct creds_cloud *cloud); /* not after done; NULL is fine */

#endif
