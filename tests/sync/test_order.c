#include <stdlib.h>

#include "../rows.h"

#include "sync/order.h"

static const struct rank_case {
    const char *name, *kind;
    int rank;
} rank_cases[] = {
    { "namespaces come first", "Namespace", 0 },
    { "definitions come before what they define", "CustomResourceDefinition", 1 },
    { "service accounts come before pods", "ServiceAccount", 1 },
    { "services come before what is behind them", "Service", 1 },
    { "roles come before their bindings", "ClusterRole", 1 },
    { "bindings come after roles", "RoleBinding", 2 },
    { "config maps come before what mounts them", "ConfigMap", 2 },
    { "ingresses come after services", "Ingress", 2 },
    { "workloads come late", "Deployment", 3 },
    { "cron jobs are workloads", "CronJob", 3 },
    { "bare pods come last", "Pod", 4 },
    { "custom kinds come last", "HelmRelease", 4 },
    { "autoscalers come after what they scale", "HorizontalPodAutoscaler", 4 },
    { "case does not matter", "nAMESPACE", 0 },
};

static void ranks(void **state)
{
    const struct rank_case *c = *state;
    assert_int_equal(order_rank(c->kind), c->rank);
}

static void only_namespaces_and_definitions_are_awaited(void **state)
{
    (void)state;
    assert_int_equal(order_wait("v1", "Namespace"), ORDER_WAIT_NAMESPACE);
    assert_int_equal(order_wait("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
                     ORDER_WAIT_CRD);
    assert_int_equal(order_wait("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"),
                     ORDER_WAIT_CRD);
    assert_int_equal(order_wait("apps/v1", "Deployment"), ORDER_WAIT_NO);
    assert_int_equal(order_wait("example.org/v1", "Namespace"), ORDER_WAIT_NO);
}

static int by_key(const void *a, const void *b)
{
    return order_compare(a, b);
}

static void rank_then_name_then_id_decide(void **state)
{
    (void)state;
    struct order_key keys[] = { { 3, "a", "x:deployment/a" },
                                { 0, "z", "<cluster>:namespace/z" },
                                { 2, "b", "y:secret/b" },
                                { 2, "b", "x:configmap/b" },
                                { 2, "a", "z:configmap/a" } };
    qsort(keys, ARRAY_LEN(keys), sizeof(*keys), by_key);
    const char *const expected[] = { "<cluster>:namespace/z", "z:configmap/a", "x:configmap/b",
                                     "y:secret/b", "x:deployment/a" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_string_equal(keys[i].id, expected[i]);
    assert_int_equal(order_compare(&keys[0], &keys[0]), 0);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(rank_cases, ranks),
        SINGLE(only_namespaces_and_definitions_are_awaited),
        SINGLE(rank_then_name_then_id_decide),
    };
    return rows_run("sync_order", tests, ARRAY_LEN(tests));
}
