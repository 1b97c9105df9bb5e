/* image/ecr.h - --registry-require=ecr: which region of AWS we are in, and whether its registries know us.
 * Effects:   asks the metadata service of EC2 (version 2: for a token first) unless the region is given; runs what logs in to ECR.
 * Ownership: borrows its options until done; the region is borrowed for the callback.
 * Units:     milliseconds.
 * Limits:    a second for the connection, five for each answer of the metadata service.
 * Reference: gitops.md 3 (--registry-require, --registry-ecr-region), 5.5. */
#ifndef SERIN_IMAGE_ECR_H
#define SERIN_IMAGE_ECR_H

#include "io/http.h"
#include "io/process.h"

struct ecr_opts {
    struct loop *loop;
    struct http *http;
    struct processes *processes;
    const char *region;       /* NULL or "": that of the machine */
    const char *account;      /* NULL or "": that of the machine, if that is asked */
    const char *metadata_url; /* scheme and host; NULL: that of EC2 */
};

/* `e` (borrowed): it is not known where we are, or we cannot log in there. */
typedef void (*ecr_done)(void *ctx, const char *region, const struct err *e);

struct ecr;
struct ecr *ecr_start(const struct ecr_opts *opts, ecr_done done,
                      void *ctx); /* done comes once, in a later turn */
void ecr_cancel(struct ecr *ecr); /* not after done; NULL is fine */

#endif
