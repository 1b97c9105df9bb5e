#include "sync/order.h"

#include <string.h>
#include <strings.h>

enum { LAST_RANK = ORDER_RANKS - 1 };

/* Kinds in lower case. What is not here goes last. */
static const struct {
    const char *kind;
    int rank;
} ranks[] = {
    { "namespace", 0 },
    { "customresourcedefinition", 1 },
    { "serviceaccount", 1 },
    { "clusterrole", 1 },
    { "role", 1 },
    { "persistentvolume", 1 },
    { "service", 1 },
    { "resourcequota", 2 },
    { "limitrange", 2 },
    { "secret", 2 },
    { "configmap", 2 },
    { "rolebinding", 2 },
    { "clusterrolebinding", 2 },
    { "persistentvolumeclaim", 2 },
    { "ingress", 2 },
    { "daemonset", 3 },
    { "deployment", 3 },
    { "replicationcontroller", 3 },
    { "replicaset", 3 },
    { "job", 3 },
    { "cronjob", 3 },
    { "statefulset", 3 },
};

int order_rank(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(ranks); i++)
        if (strcasecmp(kind, ranks[i].kind) == 0)
            return ranks[i].rank;
    return LAST_RANK;
}

enum order_wait order_wait(const char *api_version, const char *kind)
{
    if (strcmp(api_version, "v1") == 0 && strcmp(kind, "Namespace") == 0)
        return ORDER_WAIT_NAMESPACE;
    if (strncmp(api_version, "apiextensions.k8s.io/", strlen("apiextensions.k8s.io/")) == 0 &&
        strcmp(kind, "CustomResourceDefinition") == 0)
        return ORDER_WAIT_CRD;
    return ORDER_WAIT_NO;
}

int order_compare(const struct order_key *a, const struct order_key *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    int by_name = strcmp(a->name, b->name);
    return by_name ? by_name : strcmp(a->id, b->id);
}
