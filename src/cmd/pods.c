#include "cmd/pods.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/home.h"
#include "doc/json.h"
#include "doc/object.h"
#include "kube/status.h"

#define QUERY_MAX_BYTES ((size_t)64 << 10)
#define OLD_SELECTOR    "name in (flux,fluxd,weave-flux-agent)"

static void from_env(struct flags *flags, const char *flag, const char *name, struct err **e)
{
    const char *value = home_env(name);
    if (!*e && value && !flags_given(flags, flag))
        *e = err_wrap(flags_assign(flags, flag, value), "%s", name);
}

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

/* "a=b,c=d", in order. */
static const char *label_selector(struct arena *mem, const struct flags *flags)
{
    size_t len = 0;
    const char *const *labels = flags_list(flags, "k8s-fwd-labels", &len);
    const char **sorted = arena_copy(mem, labels, (len + 1) * sizeof(*labels));
    const char *text = "";
    qsort(sorted, len, sizeof(*sorted), by_text);
    for (size_t i = 0; i < len; i++)
        text = arena_printf(mem, "%s%s%s", text, i ? "," : "", sorted[i]);
    return text;
}

struct search {
    struct arena *mem;
    struct cluster *cluster;
    enum command_face face;
    const char *ns;
};

static struct err *several_found(const struct search *search, const char *selector)
{
    if (search->face == COMMAND_SERIN)
        return err_new(ERR_INVALID,
                       "more than one pod with %s runs in namespace \"%s\": say which is the "
                       "daemon's with --k8s-fwd-labels",
                       selector, search->ns);
    return err_new(ERR_INVALID,
                   "Could not create a dialer: Could not get pod name: Ambiguous pod: found more "
                   "than one pod for selector: labels \"%s\"",
                   selector);
}

/* The name of the one running pod; NULL when there is none. */
static struct err *find_pod(const struct search *search, const char *selector, const char **out)
{
    struct cluster_answer answer;
    struct val *list = NULL;
    SBUF(path, QUERY_MAX_BYTES);
    SBUF(query, QUERY_MAX_BYTES);
    sbuf_add(&path, "/api/v1/namespaces/");
    sbuf_add_url(&path, search->ns);
    sbuf_add(&path, "/pods");
    sbuf_add(&query, "fieldSelector=status.phase%3DRunning&labelSelector=");
    sbuf_add_url(&query, selector);
    const struct kube_request request = { .method = "GET",
                                          .path = sbuf_text(&path),
                                          .query = sbuf_text(&query) };
    enum kube_refusal refusal;
    TRY(cluster_ask(search->cluster, search->mem, &request, &answer));
    TRY(kube_status_error(answer.status, answer.body, answer.len, &refusal));
    TRY(doc_json_parse(search->mem, answer.body, answer.len, &list));
    const struct val *items = val_get(list, "items");
    if (val_len(items) > 1)
        return several_found(search, selector);
    *out = val_len(items) ? object_name(val_item(items, 0)) : NULL;
    return NULL;
}

static struct err *nothing_found(const struct search *search, const char *selector)
{
    const char *ns = search->ns;
    if (search->face == COMMAND_SERIN)
        return err_new(
            ERR_NOT_FOUND,
            "no pod of a daemon runs in namespace \"%s\": none with %s, none with " OLD_SELECTOR
            " (--k8s-fwd-ns, --k8s-fwd-labels)",
            ns, selector);
    return err_new(
        ERR_NOT_FOUND,
        "No pod found in namespace \"%s\" using the following selectors:\n  %s\n  " OLD_SELECTOR
        "\n\nMake sure Flux is running in namespace \"%s\".\nIf Flux is running in another "
        "different namespace, "
        "please supply it to --k8s-fwd-ns.",
        ns, selector, ns);
}

struct err *pods_find_daemon(struct command_call *call, struct cluster *cluster, const char **out)
{
    struct err *e = NULL;
    const char *name = NULL;
    from_env(call->flags, "k8s-fwd-ns", "FLUX_FORWARD_NAMESPACE", &e);
    from_env(call->flags, "k8s-fwd-labels", "FLUX_FORWARD_LABELS", &e);
    TRY(e);
    const struct search search = { call->mem, cluster, call->face,
                                   flags_text(call->flags, "k8s-fwd-ns") };
    const char *selector = label_selector(call->mem, call->flags);
    TRY(find_pod(&search, selector, &name));
    if (!name)
        TRY(find_pod(&search, OLD_SELECTOR, &name));
    if (!name)
        return nothing_found(&search, selector);
    SBUF(path, QUERY_MAX_BYTES);
    sbuf_add(&path, "/api/v1/namespaces/");
    sbuf_add_url(&path, search.ns);
    sbuf_addf(&path, "/pods/%s:3030/proxy", name);
    return sbuf_finish(&path, call->mem, out, NULL);
}
