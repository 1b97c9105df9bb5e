#include "image/workload.h"

#include <string.h>

#include "base/vec.h"
#include "doc/object.h"
#include "image/place.h"
#include "image/policy.h"

#define SYSTEM_NS  "kube-system"
#define ANTECEDENT "helm.fluxcd.io/antecedent"

static bool label_is(const struct val *object, const char *label, const char *value)
{
    const char *found = object_label(object, label);
    return found && strcmp(found, value) == 0;
}

bool image_workload_is_hidden(const struct val *object)
{
    return strcmp(object_namespace(object), SYSTEM_NS) == 0 &&
           (label_is(object, "kubernetes.io/cluster-service", "true") ||
            label_is(object, "addonmanager.kubernetes.io/mode", "EnsureExists") ||
            label_is(object, "addonmanager.kubernetes.io/mode", "Reconcile"));
}

/* A number of the object, 0 where it is absent: the API server leaves zeros out. */
static int64_t number(const struct val *map, const char *key)
{
    int64_t n = 0;
    return val_int(val_get(map, key), &n) ? n : 0;
}

static const char *condition_is(const struct val *condition, const char *type, const char *status)
{
    const char *found_type = val_text_or(val_get(condition, "type"), "");
    const char *found_status = val_text_or(val_get(condition, "status"), "");
    if (strcmp(found_type, type) != 0 || strcmp(found_status, status) != 0)
        return NULL;
    return val_text_or(val_get(condition, "message"), "");
}

static struct val *deployment_messages(struct arena *mem, const struct val *status)
{
    struct val *messages = NULL;
    const struct val *conditions = val_get(status, "conditions");
    for (size_t i = 0; i < val_len(conditions); i++) {
        const struct val *condition = val_item(conditions, i);
        const char *message = condition_is(condition, "Progressing", "False");
        if (!message)
            message = condition_is(condition, "ReplicaFailure", "True");
        if (!message)
            continue;
        if (!messages)
            messages = val_new_list(mem);
        val_append(mem, messages, val_new_text(mem, message));
    }
    return messages;
}

static bool read_deployment(struct arena *mem, const struct val *object, struct image_workload *out)
{
    const struct val *status = val_get(object, "status");
    out->rollout.desired = number(val_get(object, "spec"), "replicas");
    out->rollout.updated = number(status, "updatedReplicas");
    out->rollout.ready = number(status, "readyReplicas");
    out->rollout.available = number(status, "availableReplicas");
    out->rollout.outdated = number(status, "replicas") - out->rollout.updated;
    out->rollout.messages = deployment_messages(mem, status);
    return out->rollout.updated == out->rollout.desired &&
           out->rollout.available == out->rollout.desired && out->rollout.outdated == 0;
}

static bool read_daemon_set(struct arena *mem, const struct val *object, struct image_workload *out)
{
    (void)mem;
    const struct val *status = val_get(object, "status");
    out->rollout.desired = number(status, "desiredNumberScheduled");
    out->rollout.updated = number(status, "updatedNumberScheduled");
    out->rollout.ready = number(status, "numberReady");
    out->rollout.available = number(status, "numberAvailable");
    out->rollout.outdated = number(status, "currentNumberScheduled") - out->rollout.updated;
    return out->rollout.updated == out->rollout.desired &&
           out->rollout.available == out->rollout.desired && out->rollout.outdated == 0;
}

static bool read_stateful_set(struct arena *mem, const struct val *object,
                              struct image_workload *out)
{
    (void)mem;
    const struct val *spec = val_get(object, "spec"), *status = val_get(object, "status");
    const struct val *strategy = val_get(spec, "updateStrategy");
    int64_t replicas = number(spec, "replicas");
    out->rollout.desired = replicas;
    if (strcmp(val_text_or(val_get(strategy, "type"), ""), "RollingUpdate") == 0)
        out->rollout.desired =
            MAX_OF(0, replicas - number(val_get(strategy, "rollingUpdate"), "partition"));
    bool is_updating = strcmp(val_text_or(val_get(status, "currentRevision"), ""),
                              val_text_or(val_get(status, "updateRevision"), "")) != 0;
    out->rollout.updated = number(status, is_updating ? "updatedReplicas" : "currentReplicas");
    out->rollout.ready = number(status, "readyReplicas");
    out->rollout.available = out->rollout.ready;
    out->rollout.outdated = out->rollout.desired - out->rollout.updated;
    return out->rollout.updated == out->rollout.desired && out->rollout.ready == replicas &&
           out->rollout.outdated == 0;
}

/* How far the rollout of a kind is: true when it is complete. */
static const struct progress {
    const char *kind;
    bool (*read)(struct arena *mem, const struct val *object, struct image_workload *out);
} progress[] = {
    { "DaemonSet", read_daemon_set },
    { "Deployment", read_deployment },
    { "StatefulSet", read_stateful_set },
};

static bool is_helm_release(const char *kind)
{
    return strcmp(kind, "HelmRelease") == 0;
}

static const char *read_status(struct arena *mem, const char *kind, const struct val *object,
                               struct image_workload *out)
{
    if (is_helm_release(kind)) {
        const struct val *status = VAL_PATH(object, "status", "releaseStatus");
        return arena_strdup(mem, val_text_or(status, ""));
    }
    for (size_t i = 0; i < ARRAY_LEN(progress); i++) {
        if (strcmp(progress[i].kind, kind) != 0)
            continue;
        bool is_complete = progress[i].read(mem, object, out);
        if (number(val_get(object, "status"), "observedGeneration") < object_generation(object))
            return "started";
        if (out->rollout.messages)
            return "error";
        return is_complete ? "ready" : "updating";
    }
    return "ready"; /* a CronJob rolls nothing out */
}

/* Of pods all or none: one image that cannot be parsed, and none is shown. Of a HelmRelease those that can. */
static void read_containers(struct arena *mem, const char *kind, const struct val *object,
                            struct image_workload *out)
{
    struct image_places places;
    size_t bad = 0;
    image_places_read_kind(mem, kind, object, &places, &bad);
    if (bad > 0 && !is_helm_release(kind))
        return;
    for (size_t i = 0; i < places.len; i++)
        *vec_push(mem, &out->containers) = (struct image_container){
            .name = arena_strdup(mem, places.at[i].container),
            .image = image_ref_format(mem, &places.at[i].ref),
        };
}

void image_workload_read(struct arena *mem, const char *kind, const struct val *object,
                         struct image_workload *out)
{
    const struct val *labels = VAL_PATH(object, "metadata", "labels");
    const char *antecedent = object_annotation(object, ANTECEDENT);
    *out = (struct image_workload){
        .id = object_id(mem, object_namespace(object), kind, object_name(object)),
        .ns = arena_strdup(mem, object_namespace(object)),
        .antecedent = arena_strdup(mem, antecedent ? antecedent : ""),
    };
    out->status = read_status(mem, kind, object, out);
    read_containers(mem, kind, object, out);
    if (val_len(labels) > 0) {
        out->labels = val_copy(mem, labels);
        val_sort_keys(out->labels);
    }
}

const char *image_workload_read_only(const struct image_workload *workload,
                                     const struct image_workload_source *source)
{
    if (!source->is_configured)
        return "NoRepo";
    if (!source->is_ready)
        return "NotReady";
    if (!source->is_in_repo)
        return "NotInRepo";
    if (source->is_readonly)
        return "ReadOnlyMode";
    return strcmp(workload->ns, SYSTEM_NS) == 0 ? "System" : "";
}

static struct val *image_json(struct arena *mem, const char *image)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "ID", image);
    val_set(mem, value, "Labels", val_new_map(mem));
    return value;
}

static struct val *containers_json(struct arena *mem, const struct image_workload *workload)
{
    if (workload->containers.len == 0)
        return val_new(mem, VAL_NULL);
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < workload->containers.len; i++) {
        struct val *value = val_new_map(mem);
        val_set_text(mem, value, "Name", workload->containers.at[i].name);
        val_set(mem, value, "Current", image_json(mem, workload->containers.at[i].image));
        val_set(mem, value, "LatestFiltered", image_json(mem, ""));
        val_append(mem, list, value);
    }
    return list;
}

static struct val *rollout_json(struct arena *mem, const struct image_workload *workload)
{
    struct val *value = val_new_map(mem);
    val_set(mem, value, "Desired", val_new_int(mem, workload->rollout.desired));
    val_set(mem, value, "Updated", val_new_int(mem, workload->rollout.updated));
    val_set(mem, value, "Ready", val_new_int(mem, workload->rollout.ready));
    val_set(mem, value, "Available", val_new_int(mem, workload->rollout.available));
    val_set(mem, value, "Outdated", val_new_int(mem, workload->rollout.outdated));
    val_set(mem, value, "Messages",
            workload->rollout.messages ? workload->rollout.messages : val_new(mem, VAL_NULL));
    return value;
}

struct val *image_workload_json(struct arena *mem, const struct image_workload *workload,
                                const struct image_workload_source *source)
{
    struct val *policies = image_policy_read(mem, source->annotations);
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "ID", workload->id);
    val_set(mem, value, "Containers", containers_json(mem, workload));
    val_set_text(mem, value, "ReadOnly", image_workload_read_only(workload, source));
    val_set_text(mem, value, "Status", workload->status);
    val_set(mem, value, "Rollout", rollout_json(mem, workload));
    val_set_text(mem, value, "SyncError", source->sync_error);
    val_set_text(mem, value, "Antecedent", workload->antecedent);
    val_set(mem, value, "Labels", workload->labels ? workload->labels : val_new(mem, VAL_NULL));
    val_set(mem, value, "Automated", val_new_bool(mem, image_policy_is_on(policies, "automated")));
    val_set(mem, value, "Locked", val_new_bool(mem, image_policy_is_on(policies, "locked")));
    val_set(mem, value, "Ignore", val_new_bool(mem, image_policy_is_on(policies, "ignore")));
    val_set(mem, value, "Policies", policies);
    return value;
}
