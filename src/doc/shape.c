#include "doc/shape.h"

#include <string.h>

// clang-format off

/* Groups of the API that a server brings along. */
static const char *const groups[] = {
    "", "admissionregistration.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch",
    "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
    "flowcontrol.apiserver.k8s.io", "imagepolicy.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
    "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
    "storagemigration.k8s.io",
};

/* Kinds that are more than an object with metadata. `api_version` NULL: in any version of any built-in group. */
static const struct kind {
    const char *api_version, *kind;
    enum shape shape;
} kinds[] = {
    { NULL, "Deployment", SHAPE_WORKLOAD },
    { NULL, "DaemonSet", SHAPE_WORKLOAD },
    { NULL, "ReplicaSet", SHAPE_WORKLOAD },
    { NULL, "StatefulSet", SHAPE_WORKLOAD },
    { NULL, "ReplicationController", SHAPE_WORKLOAD },
    { NULL, "Job", SHAPE_WORKLOAD },
    { NULL, "CronJob", SHAPE_CRON_JOB },
    { NULL, "Pod", SHAPE_POD },
    { NULL, "PodTemplate", SHAPE_POD_TEMPLATE },
    { NULL, "Service", SHAPE_SERVICE },
    { NULL, "ServiceAccount", SHAPE_SERVICE_ACCOUNT },
    { NULL, "Node", SHAPE_NODE },
    { NULL, "Namespace", SHAPE_WITH_STATUS },
    { NULL, "PersistentVolumeClaim", SHAPE_WITH_STATUS },
    { "policy/v1", "PodDisruptionBudget", SHAPE_BUDGET },
    { NULL, "PodDisruptionBudget", SHAPE_WITH_STATUS },
    { "autoscaling/v2", "HorizontalPodAutoscaler", SHAPE_WITH_STATUS },
    { NULL, "FlowSchema", SHAPE_WITH_STATUS },
    { NULL, "PriorityLevelConfiguration", SHAPE_WITH_STATUS },
    { NULL, "ServiceCIDR", SHAPE_WITH_STATUS },
    { NULL, "ResourceClaim", SHAPE_WITH_STATUS },
    { NULL, "StorageVersionMigration", SHAPE_WITH_STATUS },
    { NULL, "PodCertificateRequest", SHAPE_WITH_STATUS },
    { NULL, "ComponentStatus", SHAPE_STATUS },
    { NULL, "MutatingWebhookConfiguration", SHAPE_WEBHOOKS },
    { NULL, "ValidatingWebhookConfiguration", SHAPE_WEBHOOKS },
    { NULL, "ValidatingAdmissionPolicy", SHAPE_ADMISSION },
    { NULL, "MutatingAdmissionPolicy", SHAPE_ADMISSION },
    { NULL, "CSINode", SHAPE_CSI_NODE },
};

#define INTO(shape, field, what) { .in = (shape), .name = (field), .inside = (what) }
#define LIST(shape, field, key, what) \
    { .in = (shape), .name = (field), .merge_key = (key), .is_merged_list = true, .inside = (what) }
#define KEEP(shape, field, key, what) \
    { .in = (shape), .name = (field), .merge_key = (key), .is_merged_list = true, .keeps_named_keys = true, .inside = (what) }

static const struct shape_field fields[] = {
    INTO(SHAPE_OBJECT, "metadata", SHAPE_META),
    LIST(SHAPE_META, "ownerReferences", "uid", SHAPE_PLAIN),
    LIST(SHAPE_META, "finalizers", NULL, SHAPE_PLAIN),
    INTO(SHAPE_STATUS, "metadata", SHAPE_META),
    LIST(SHAPE_STATUS, "conditions", "type", SHAPE_PLAIN),
    LIST(SHAPE_STATUS, "addresses", "type", SHAPE_PLAIN), /* of nodes */
    LIST(SHAPE_STATUS, "reservedFor", "uid", SHAPE_PLAIN), /* of resource claims */

    INTO(SHAPE_WORKLOAD, "metadata", SHAPE_META),
    INTO(SHAPE_WORKLOAD, "spec", SHAPE_WORKLOAD_SPEC),
    INTO(SHAPE_WORKLOAD, "status", SHAPE_STATUS),
    INTO(SHAPE_WORKLOAD_SPEC, "template", SHAPE_TEMPLATE),
    { .in = SHAPE_WORKLOAD_SPEC, .name = "strategy", .keeps_named_keys = true }, /* of deployments */
    INTO(SHAPE_TEMPLATE, "metadata", SHAPE_META),
    INTO(SHAPE_TEMPLATE, "spec", SHAPE_POD_SPEC),
    INTO(SHAPE_POD_TEMPLATE, "metadata", SHAPE_META),
    INTO(SHAPE_POD_TEMPLATE, "template", SHAPE_TEMPLATE),
    INTO(SHAPE_CRON_JOB, "metadata", SHAPE_META),
    INTO(SHAPE_CRON_JOB, "spec", SHAPE_CRON_JOB_SPEC),
    INTO(SHAPE_CRON_JOB_SPEC, "jobTemplate", SHAPE_JOB_TEMPLATE),
    INTO(SHAPE_JOB_TEMPLATE, "metadata", SHAPE_META),
    INTO(SHAPE_JOB_TEMPLATE, "spec", SHAPE_WORKLOAD_SPEC),

    INTO(SHAPE_POD, "metadata", SHAPE_META),
    INTO(SHAPE_POD, "spec", SHAPE_POD_SPEC),
    INTO(SHAPE_POD, "status", SHAPE_POD_STATUS),
    LIST(SHAPE_POD_SPEC, "containers", "name", SHAPE_CONTAINER),
    LIST(SHAPE_POD_SPEC, "initContainers", "name", SHAPE_CONTAINER),
    LIST(SHAPE_POD_SPEC, "ephemeralContainers", "name", SHAPE_CONTAINER),
    KEEP(SHAPE_POD_SPEC, "volumes", "name", SHAPE_PLAIN),
    LIST(SHAPE_POD_SPEC, "imagePullSecrets", "name", SHAPE_PLAIN),
    LIST(SHAPE_POD_SPEC, "hostAliases", "ip", SHAPE_PLAIN),
    LIST(SHAPE_POD_SPEC, "topologySpreadConstraints", "topologyKey", SHAPE_PLAIN),
    LIST(SHAPE_POD_SPEC, "schedulingGates", "name", SHAPE_PLAIN),
    KEEP(SHAPE_POD_SPEC, "resourceClaims", "name", SHAPE_PLAIN),
    LIST(SHAPE_CONTAINER, "ports", "containerPort", SHAPE_PLAIN),
    LIST(SHAPE_CONTAINER, "env", "name", SHAPE_PLAIN),
    LIST(SHAPE_CONTAINER, "volumeMounts", "mountPath", SHAPE_PLAIN),
    LIST(SHAPE_CONTAINER, "volumeDevices", "devicePath", SHAPE_PLAIN),
    LIST(SHAPE_POD_STATUS, "conditions", "type", SHAPE_PLAIN),
    LIST(SHAPE_POD_STATUS, "hostIPs", "ip", SHAPE_PLAIN),
    LIST(SHAPE_POD_STATUS, "podIPs", "ip", SHAPE_PLAIN),
    KEEP(SHAPE_POD_STATUS, "resourceClaimStatuses", "name", SHAPE_PLAIN),

    INTO(SHAPE_SERVICE, "metadata", SHAPE_META),
    INTO(SHAPE_SERVICE, "spec", SHAPE_SERVICE_SPEC),
    INTO(SHAPE_SERVICE, "status", SHAPE_STATUS),
    LIST(SHAPE_SERVICE_SPEC, "ports", "port", SHAPE_PLAIN),
    INTO(SHAPE_SERVICE_ACCOUNT, "metadata", SHAPE_META),
    LIST(SHAPE_SERVICE_ACCOUNT, "secrets", "name", SHAPE_PLAIN),
    INTO(SHAPE_NODE, "metadata", SHAPE_META),
    INTO(SHAPE_NODE, "spec", SHAPE_NODE_SPEC),
    INTO(SHAPE_NODE, "status", SHAPE_STATUS),
    LIST(SHAPE_NODE_SPEC, "podCIDRs", NULL, SHAPE_PLAIN),
    INTO(SHAPE_BUDGET, "metadata", SHAPE_META),
    INTO(SHAPE_BUDGET, "spec", SHAPE_BUDGET_SPEC),
    INTO(SHAPE_BUDGET, "status", SHAPE_STATUS),
    { .in = SHAPE_BUDGET_SPEC, .name = "selector", .is_replaced = true },
    INTO(SHAPE_WITH_STATUS, "metadata", SHAPE_META),
    INTO(SHAPE_WITH_STATUS, "status", SHAPE_STATUS),
    INTO(SHAPE_WEBHOOKS, "metadata", SHAPE_META),
    LIST(SHAPE_WEBHOOKS, "webhooks", "name", SHAPE_WEBHOOK),
    LIST(SHAPE_WEBHOOK, "matchConditions", "name", SHAPE_PLAIN),
    INTO(SHAPE_ADMISSION, "metadata", SHAPE_META),
    INTO(SHAPE_ADMISSION, "spec", SHAPE_ADMISSION_SPEC),
    LIST(SHAPE_ADMISSION_SPEC, "matchConditions", "name", SHAPE_PLAIN),
    LIST(SHAPE_ADMISSION_SPEC, "variables", "name", SHAPE_PLAIN),
    INTO(SHAPE_CSI_NODE, "metadata", SHAPE_META),
    INTO(SHAPE_CSI_NODE, "spec", SHAPE_CSI_NODE_SPEC),
    LIST(SHAPE_CSI_NODE_SPEC, "drivers", "name", SHAPE_PLAIN),
};
// clang-format on

bool shape_of_kind(const char *api_version, const char *kind, enum shape *out)
{
    const char *slash = strchr(api_version, '/');
    size_t group_len = slash ? (size_t)(slash - api_version) : 0;
    bool is_built_in = false;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        is_built_in = is_built_in || (strlen(groups[i]) == group_len &&
                                      !memcmp(groups[i], api_version, group_len));
    if (!is_built_in)
        return false;
    *out = SHAPE_OBJECT;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        bool is_version = !kinds[i].api_version || !strcmp(kinds[i].api_version, api_version);
        if (is_version && !strcmp(kinds[i].kind, kind)) {
            *out = kinds[i].shape;
            break;
        }
    }
    return true;
}

const struct shape_field *shape_of_field(enum shape in, const char *name)
{
    static const struct shape_field plain = { .in = SHAPE_PLAIN, .name = "" };
    for (size_t i = 0; in != SHAPE_PLAIN && i < ARRAY_LEN(fields); i++) {
        if (fields[i].in == in && !strcmp(fields[i].name, name))
            return &fields[i];
    }
    return &plain;
}
