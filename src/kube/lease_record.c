#include "kube/lease_record.h"

#include <string.h>

#include "base/time.h"

const char *kube_lease_holder_of(const struct val *lease)
{
    return val_text_or(VAL_PATH(lease, "spec", "holderIdentity"), "");
}

/* How long the holder asked to be left alone. */
static int64_t duration_of(const struct kube_lease_view *view)
{
    int64_t seconds;
    bool is_said = val_int(VAL_PATH(view->lease, "spec", "leaseDurationSeconds"), &seconds) &&
                   seconds > 0 && seconds < INT32_MAX;
    return is_said ? seconds * 1000 : view->duration_ms;
}

enum kube_lease_deed kube_lease_decide(const struct kube_lease_view *view)
{
    if (!view->lease)
        return KUBE_LEASE_CREATE;
    const char *holder = kube_lease_holder_of(view->lease);
    if (!strcmp(holder, view->identity))
        return KUBE_LEASE_RENEW;
    if (!*holder || view->observed_ms + duration_of(view) <= view->now_ms)
        return KUBE_LEASE_TAKE;
    return KUBE_LEASE_WAIT;
}

static struct val *new_lease(struct arena *mem, const struct kube_lease_words *words)
{
    struct val *lease = val_new_map(mem);
    val_set_text(mem, lease, "apiVersion", "coordination.k8s.io/v1");
    val_set_text(mem, lease, "kind", "Lease");
    struct val *metadata = val_need_map(mem, lease, "metadata");
    val_set_text(mem, metadata, "name", words->name);
    val_set_text(mem, metadata, "namespace", words->ns);
    return lease;
}

static int64_t transitions_of(const struct val *lease)
{
    int64_t transitions = 0;
    bool is_said = val_int(VAL_PATH(lease, "spec", "leaseTransitions"), &transitions);
    return is_said && transitions >= 0 && transitions < INT32_MAX ? transitions : 0;
}

const char *kube_lease_write(struct arena *mem, const struct val *lease, enum kube_lease_deed deed,
                             const struct kube_lease_words *words, size_t *out_len)
{
    bool gives_back = !*words->identity;
    int64_t transitions = transitions_of(lease) + (deed == KUBE_LEASE_TAKE && !gives_back);
    struct val *next = lease ? val_copy(mem, lease) : new_lease(mem, words);
    struct val *metadata = val_need_map(mem, next, "metadata");
    if (metadata)
        (void)val_remove(metadata,
                         "managedFields"); /* the server keeps them; nobody needs them back */
    struct val *spec = val_need_map(mem, next, "spec");
    if (!spec) { /* a lease whose spec is no map: put one there */
        spec = val_new_map(mem);
        val_set(mem, next, "spec", spec);
    }
    char now[TIME_TEXT_BYTES];
    time_format_micros(words->now_ns, now);
    int64_t seconds = gives_back ? 1 : (words->duration_ms + 999) / 1000;
    val_set_text(mem, spec, "holderIdentity", words->identity);
    val_set(mem, spec, "leaseDurationSeconds", val_new_int(mem, seconds));
    if (deed != KUBE_LEASE_RENEW || gives_back || !val_text(val_get(spec, "acquireTime")))
        val_set_text(mem, spec, "acquireTime", now);
    val_set_text(mem, spec, "renewTime", now);
    val_set(mem, spec, "leaseTransitions", val_new_int(mem, transitions));
    return val_json(mem, next, out_len);
}
