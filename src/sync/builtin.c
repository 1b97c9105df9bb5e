#include "sync/builtin.h"

#include <string.h>

/* Kinds of Kubernetes 1.34 and of the versions before it that someone may still declare. */
// clang-format off
static const struct {
    const char *group; /* "": the core one */
    const char *kind;
    enum builtin_scope scope;
} kinds[] = {
    { "", "Binding",                  BUILTIN_NAMESPACED },
    { "", "ComponentStatus",          BUILTIN_CLUSTER },
    { "", "ConfigMap",                BUILTIN_NAMESPACED },
    { "", "Endpoints",                BUILTIN_NAMESPACED },
    { "", "Event",                    BUILTIN_NAMESPACED },
    { "", "LimitRange",               BUILTIN_NAMESPACED },
    { "", "Namespace",                BUILTIN_CLUSTER },
    { "", "Node",                     BUILTIN_CLUSTER },
    { "", "PersistentVolume",         BUILTIN_CLUSTER },
    { "", "PersistentVolumeClaim",    BUILTIN_NAMESPACED },
    { "", "Pod",                      BUILTIN_NAMESPACED },
    { "", "PodTemplate",              BUILTIN_NAMESPACED },
    { "", "ReplicationController",    BUILTIN_NAMESPACED },
    { "", "ResourceQuota",            BUILTIN_NAMESPACED },
    { "", "Secret",                   BUILTIN_NAMESPACED },
    { "", "Service",                  BUILTIN_NAMESPACED },
    { "", "ServiceAccount",           BUILTIN_NAMESPACED },
    { "admissionregistration.k8s.io", "MutatingAdmissionPolicy",          BUILTIN_CLUSTER },
    { "admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding",   BUILTIN_CLUSTER },
    { "admissionregistration.k8s.io", "MutatingWebhookConfiguration",     BUILTIN_CLUSTER },
    { "admissionregistration.k8s.io", "ValidatingAdmissionPolicy",        BUILTIN_CLUSTER },
    { "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", BUILTIN_CLUSTER },
    { "admissionregistration.k8s.io", "ValidatingWebhookConfiguration",   BUILTIN_CLUSTER },
    { "apiextensions.k8s.io", "CustomResourceDefinition", BUILTIN_CLUSTER },
    { "apiregistration.k8s.io", "APIService",   BUILTIN_CLUSTER },
    { "apps", "ControllerRevision",             BUILTIN_NAMESPACED },
    { "apps", "DaemonSet",                      BUILTIN_NAMESPACED },
    { "apps", "Deployment",                     BUILTIN_NAMESPACED },
    { "apps", "ReplicaSet",                     BUILTIN_NAMESPACED },
    { "apps", "StatefulSet",                    BUILTIN_NAMESPACED },
    { "authentication.k8s.io", "SelfSubjectReview", BUILTIN_CLUSTER },
    { "authentication.k8s.io", "TokenReview",       BUILTIN_CLUSTER },
    { "authorization.k8s.io", "LocalSubjectAccessReview", BUILTIN_NAMESPACED },
    { "authorization.k8s.io", "SelfSubjectAccessReview",  BUILTIN_CLUSTER },
    { "authorization.k8s.io", "SelfSubjectRulesReview",   BUILTIN_CLUSTER },
    { "authorization.k8s.io", "SubjectAccessReview",      BUILTIN_CLUSTER },
    { "autoscaling", "HorizontalPodAutoscaler", BUILTIN_NAMESPACED },
    { "batch", "CronJob",                       BUILTIN_NAMESPACED },
    { "batch", "Job",                           BUILTIN_NAMESPACED },
    { "certificates.k8s.io", "CertificateSigningRequest", BUILTIN_CLUSTER },
    { "certificates.k8s.io", "ClusterTrustBundle",        BUILTIN_CLUSTER },
    { "certificates.k8s.io", "PodCertificateRequest",     BUILTIN_NAMESPACED },
    { "coordination.k8s.io", "Lease",           BUILTIN_NAMESPACED },
    { "coordination.k8s.io", "LeaseCandidate",  BUILTIN_NAMESPACED },
    { "discovery.k8s.io", "EndpointSlice",      BUILTIN_NAMESPACED },
    { "events.k8s.io", "Event",                 BUILTIN_NAMESPACED },
    { "extensions", "DaemonSet",                BUILTIN_NAMESPACED },
    { "extensions", "Deployment",               BUILTIN_NAMESPACED },
    { "extensions", "Ingress",                  BUILTIN_NAMESPACED },
    { "extensions", "NetworkPolicy",            BUILTIN_NAMESPACED },
    { "extensions", "PodSecurityPolicy",        BUILTIN_CLUSTER },
    { "extensions", "ReplicaSet",               BUILTIN_NAMESPACED },
    { "flowcontrol.apiserver.k8s.io", "FlowSchema",                 BUILTIN_CLUSTER },
    { "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", BUILTIN_CLUSTER },
    { "internal.apiserver.k8s.io", "StorageVersion",                BUILTIN_CLUSTER },
    { "networking.k8s.io", "IPAddress",         BUILTIN_CLUSTER },
    { "networking.k8s.io", "Ingress",           BUILTIN_NAMESPACED },
    { "networking.k8s.io", "IngressClass",      BUILTIN_CLUSTER },
    { "networking.k8s.io", "NetworkPolicy",     BUILTIN_NAMESPACED },
    { "networking.k8s.io", "ServiceCIDR",       BUILTIN_CLUSTER },
    { "node.k8s.io", "RuntimeClass",            BUILTIN_CLUSTER },
    { "policy", "Eviction",                     BUILTIN_NAMESPACED },
    { "policy", "PodDisruptionBudget",          BUILTIN_NAMESPACED },
    { "policy", "PodSecurityPolicy",            BUILTIN_CLUSTER },
    { "rbac.authorization.k8s.io", "ClusterRole",        BUILTIN_CLUSTER },
    { "rbac.authorization.k8s.io", "ClusterRoleBinding", BUILTIN_CLUSTER },
    { "rbac.authorization.k8s.io", "Role",               BUILTIN_NAMESPACED },
    { "rbac.authorization.k8s.io", "RoleBinding",        BUILTIN_NAMESPACED },
    { "resource.k8s.io", "DeviceClass",           BUILTIN_CLUSTER },
    { "resource.k8s.io", "DeviceTaintRule",       BUILTIN_CLUSTER },
    { "resource.k8s.io", "ResourceClaim",         BUILTIN_NAMESPACED },
    { "resource.k8s.io", "ResourceClaimTemplate", BUILTIN_NAMESPACED },
    { "resource.k8s.io", "ResourceSlice",         BUILTIN_CLUSTER },
    { "scheduling.k8s.io", "PriorityClass",       BUILTIN_CLUSTER },
    { "storage.k8s.io", "CSIDriver",              BUILTIN_CLUSTER },
    { "storage.k8s.io", "CSINode",                BUILTIN_CLUSTER },
    { "storage.k8s.io", "CSIStorageCapacity",     BUILTIN_NAMESPACED },
    { "storage.k8s.io", "StorageClass",           BUILTIN_CLUSTER },
    { "storage.k8s.io", "VolumeAttachment",       BUILTIN_CLUSTER },
    { "storage.k8s.io", "VolumeAttributesClass",  BUILTIN_CLUSTER },
    { "storagemigration.k8s.io", "StorageVersionMigration", BUILTIN_CLUSTER },
};

/* Versions that servers no longer have. An empty kind stands for all kinds of the version. */
static const struct {
    const char *api_version, *kind, *advice;
} gone[] = {
    { "admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration",
      "use admissionregistration.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration",
      "use admissionregistration.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "apiextensions.k8s.io/v1beta1", "", "use apiextensions.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "apiregistration.k8s.io/v1beta1", "", "use apiregistration.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "apps/v1beta1", "", "use apps/v1 (apps/v1beta1 is gone since Kubernetes 1.16)" },
    { "apps/v1beta2", "", "use apps/v1 (apps/v1beta2 is gone since Kubernetes 1.16)" },
    { "autoscaling/v2beta1", "", "use autoscaling/v2 (v2beta1 is gone since Kubernetes 1.25)" },
    { "autoscaling/v2beta2", "", "use autoscaling/v2 (v2beta2 is gone since Kubernetes 1.26)" },
    { "batch/v1beta1", "", "use batch/v1 (batch/v1beta1 is gone since Kubernetes 1.25)" },
    { "batch/v2alpha1", "", "use batch/v1 (batch/v2alpha1 is gone since Kubernetes 1.21)" },
    { "certificates.k8s.io/v1beta1", "CertificateSigningRequest",
      "use certificates.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "coordination.k8s.io/v1beta1", "Lease", "use coordination.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "discovery.k8s.io/v1beta1", "", "use discovery.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.25)" },
    { "events.k8s.io/v1beta1", "", "use events.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.25)" },
    { "extensions/v1beta1", "Ingress",
      "use networking.k8s.io/v1, whose fields differ (extensions/v1beta1 is gone since Kubernetes 1.22)" },
    { "extensions/v1beta1", "NetworkPolicy",
      "use networking.k8s.io/v1 (extensions/v1beta1 is gone since Kubernetes 1.16)" },
    { "extensions/v1beta1", "PodSecurityPolicy", "PodSecurityPolicy is gone since Kubernetes 1.25: use Pod Security Admission" },
    { "extensions/v1beta1", "", "use apps/v1 (extensions/v1beta1 is gone since Kubernetes 1.16)" },
    { "flowcontrol.apiserver.k8s.io/v1beta1", "", "use flowcontrol.apiserver.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.26)" },
    { "flowcontrol.apiserver.k8s.io/v1beta2", "", "use flowcontrol.apiserver.k8s.io/v1 (v1beta2 is gone since Kubernetes 1.29)" },
    { "flowcontrol.apiserver.k8s.io/v1beta3", "", "use flowcontrol.apiserver.k8s.io/v1 (v1beta3 is gone since Kubernetes 1.32)" },
    { "networking.k8s.io/v1beta1", "Ingress",
      "use networking.k8s.io/v1, whose fields differ (v1beta1 is gone since Kubernetes 1.22)" },
    { "networking.k8s.io/v1beta1", "IngressClass", "use networking.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "node.k8s.io/v1beta1", "", "use node.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.25)" },
    { "policy/v1beta1", "PodSecurityPolicy", "PodSecurityPolicy is gone since Kubernetes 1.25: use Pod Security Admission" },
    { "policy/v1beta1", "", "use policy/v1 (policy/v1beta1 is gone since Kubernetes 1.25)" },
    { "rbac.authorization.k8s.io/v1alpha1", "", "use rbac.authorization.k8s.io/v1 (v1alpha1 is gone since Kubernetes 1.22)" },
    { "rbac.authorization.k8s.io/v1beta1", "", "use rbac.authorization.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "scheduling.k8s.io/v1beta1", "", "use scheduling.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "storage.k8s.io/v1beta1", "CSIStorageCapacity", "use storage.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.27)" },
    { "storage.k8s.io/v1beta1", "CSIDriver", "use storage.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "storage.k8s.io/v1beta1", "CSINode", "use storage.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "storage.k8s.io/v1beta1", "StorageClass", "use storage.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
    { "storage.k8s.io/v1beta1", "VolumeAttachment", "use storage.k8s.io/v1 (v1beta1 is gone since Kubernetes 1.22)" },
};

/* Groups without a dot that are Kubernetes' own; the others end in .k8s.io. */
static const char *const plain_groups[] = { "", "apps", "autoscaling", "batch", "extensions", "policy" };

/* *.k8s.io that are custom resources all the same: their names and kinds are not in the table above. */
static const char *const custom_groups[] = { "gateway.networking.k8s.io", "snapshot.storage.k8s.io", "metrics.k8s.io",
                                             "custom.metrics.k8s.io", "external.metrics.k8s.io",
                                             "autoscaling.k8s.io", "policy.networking.k8s.io", "cluster.x-k8s.io",
                                             "kustomize.config.k8s.io", "groupsnapshot.storage.k8s.io" };
// clang-format on

static size_t group_len(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash ? (size_t)(slash - api_version) : 0;
}

static bool is_group(const char *api_version, const char *group)
{
    size_t len = group_len(api_version);
    return strlen(group) == len && strncmp(api_version, group, len) == 0;
}

enum builtin_scope builtin_scope(const char *api_version, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kind, kinds[i].kind) == 0 && is_group(api_version, kinds[i].group))
            return kinds[i].scope;
    return BUILTIN_UNKNOWN;
}

const char *builtin_replacement(const char *api_version, const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        if (strcmp(api_version, gone[i].api_version) == 0 &&
            (!*gone[i].kind || strcmp(kind, gone[i].kind) == 0) &&
            builtin_scope(api_version, kind) != BUILTIN_UNKNOWN)
            return gone[i].advice;
    return NULL;
}

bool builtin_owns_group(const char *api_version)
{
    static const char tail[] = ".k8s.io";
    for (size_t i = 0; i < ARRAY_LEN(plain_groups); i++)
        if (is_group(api_version, plain_groups[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(custom_groups); i++)
        if (is_group(api_version, custom_groups[i]))
            return false;
    size_t len = group_len(api_version), tail_len = sizeof(tail) - 1;
    return len > tail_len && strncmp(api_version + len - tail_len, tail, tail_len) == 0;
}
