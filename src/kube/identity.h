/* kube/identity.h - who we are for the next request: headers and client certificate, renewed when they are old.
 * Effects:   reads the files of token and client certificate again when they are a minute old; runs the exec plugin on a thread of its own.
 * Ownership: an identity is counted: whoever sends with it holds it until the request is over, since the HTTP client borrows
 *            its certificate that long. The identities borrow loop, log and config.
 * Units:     milliseconds. */
#ifndef SERIN_KUBE_IDENTITY_H
#define SERIN_KUBE_IDENTITY_H

#include "base/log.h"
#include "io/http.h"
#include "io/loop.h"
#include "kube/config.h"

struct kube_identity;
struct kube_identity *kube_identity_ref(struct kube_identity *identity);
void kube_identity_drop(struct kube_identity *identity); /* NULL is fine */
const char *const *
kube_identity_headers(const struct kube_identity *identity); /* NULL-terminated */
const struct http_tls *kube_identity_tls(const struct kube_identity *identity);

enum kube_identity_state {
    KUBE_IDENTITY_READY,  /* *out is set, borrowed until the next turn: kube_identity_ref it */
    KUBE_IDENTITY_COMING, /* a plugin runs: on_ready will be called */
    KUBE_IDENTITY_FAILED, /* *out_err is set, the caller's */
};

struct kube_identities;
struct kube_identities *kube_identities_new(struct loop *loop, const struct log *log,
                                            struct kube_config *config, void (*on_ready)(void *ctx),
                                            void *ctx);
void kube_identities_free(struct kube_identities *all); /* waits for a plugin that runs */

enum kube_identity_state kube_identities_get(struct kube_identities *all,
                                             struct kube_identity **out, struct err **out_err);

/* The server did not take this one: it is read again before the next request, if it is still the current one. */
void kube_identities_doubt(struct kube_identities *all, const struct kube_identity *refused);
bool kube_identities_can_change(const struct kube_identities *all);

#endif
