/* kube/status.h - what the API server means when it says no.
 * Effects:   none (pure).
 * Ownership: the error is the caller's.
 * Reference: api-server.md 6 (a 500 "failed to create typed patch object" is the manifest's fault). */
#ifndef SERIN_KUBE_STATUS_H
#define SERIN_KUBE_STATUS_H

#include "base/err.h"
#include "doc/val.h"

enum kube_refusal {
    KUBE_REFUSED_OTHER,
    KUBE_REFUSED_MANIFEST,              /* wrong field, type, value: wait for another manifest */
    KUBE_REFUSED_NAMESPACE_MISSING,     /* again when it exists */
    KUBE_REFUSED_NAMESPACE_TERMINATING, /* again when it is gone */
    KUBE_REFUSED_KIND_UNKNOWN,          /* again when its CRD exists */
    KUBE_REFUSED_OBJECT_MISSING,
    KUBE_REFUSED_CONFLICT, /* resourceVersion */
    KUBE_REFUSED_ALREADY_EXISTS,
    KUBE_REFUSED_FIELD_CONFLICT, /* apply without force */
    KUBE_REFUSED_EXPIRED,        /* 410 */
    KUBE_REFUSED_UNAUTHORIZED,
    KUBE_REFUSED_FORBIDDEN,
    KUBE_REFUSED_THROTTLED,
    KUBE_REFUSED_SERVER, /* its own trouble: back off */
};

/* NULL for 2xx. The text is the Status' message (or the first 500 bytes of what came instead), then "(STATUS reason)".
 * details.retryAfterSeconds is the error's retry_after. */
MUST_USE struct err *kube_status_error(int status, const char *body, size_t len,
                                       enum kube_refusal *out);

/* The same for a Status that is already a value: the object of an ERROR event of a watch. Never NULL. */
MUST_USE struct err *kube_status_error_of(const struct val *status_object, enum kube_refusal *out);

/* Whether it is the server (or the way to it) that is in trouble rather than the request. */
bool kube_refusal_is_servers(enum kube_refusal refusal);

#endif
