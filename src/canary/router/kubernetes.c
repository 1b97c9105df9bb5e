#include "canary/router/routers.h"

/* Blue/green without a mesh: the apex Service always selects the primary, and nothing else is there. */

static void wants(const struct canary_view *view, struct live_wants *out)
{
    (void)view;
    (void)out;
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    (void)view;
    (void)out;
    return NULL;
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    bool is_testing = view->canary->status.iterations > 0;
    *out = (struct split){ .primary = is_testing ? 0 : CANARY_TOTAL,
                           .canary = is_testing ? CANARY_TOTAL : 0 };
    return NULL;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    (void)view;
    (void)to;
    (void)out;
    return NULL;
}

const struct router router_kubernetes = {
    .name = "kubernetes",
    .is_fixed = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
