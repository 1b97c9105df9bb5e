#include "kube/retry.h"

#include <string.h>

int64_t kube_backoff_ms(int failures, int64_t base_ms, uint32_t random)
{
    int64_t wait_ms = base_ms;
    for (int i = 1; i < failures && wait_ms < KUBE_BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    wait_ms = MIN_OF(wait_ms, KUBE_BACKOFF_MAX_MS);
    return wait_ms - (int64_t)(random % (uint32_t)(wait_ms / 2 + 1));
}

bool kube_may_repeat(const char *method, const char *content_type)
{
    if (!strcmp(method, "GET") || !strcmp(method, "DELETE"))
        return true;
    static const char apply[] = "application/apply-patch+yaml";
    return !strcmp(method, "PATCH") && content_type &&
           !strncmp(content_type, apply, sizeof(apply) - 1);
}

static bool is_worth_it(const struct kube_retry_view *view)
{
    if (view->status == 429 || view->status == 503)
        return true; /* not begun: the server says so before it does anything */
    bool is_server = view->status >= 500 && view->refusal == KUBE_REFUSED_SERVER;
    return view->may_repeat && (is_server || view->is_lost);
}

struct kube_retry kube_retry_decide(const struct kube_retry_view *view)
{
    struct kube_retry no = { .after_ms = -1 };
    if (!is_worth_it(view))
        return no;
    int64_t after_ms = view->retry_after_ms;
    if (after_ms < 0)
        after_ms = kube_backoff_ms(view->tried, view->base_ms, view->random);
    else /* not all at the same moment either */
        after_ms += view->random % (uint32_t)(view->base_ms / 2 + 1);
    if (view->tried >= view->attempts || after_ms >= view->left_ms)
        return no;
    bool says_when = view->retry_after_ms >= 0;
    return (struct kube_retry){
        .after_ms = after_ms,
        .pauses_all = view->status == 429 || (view->status == 503 && says_when) || view->is_lost,
    };
}
