#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/map.h"
#include "cmd/diff.h"
#include "doc/json.h"
#include "doc/object.h"
#include "kube/apply.h"
#include "kube/watch.h"
#include "sync/encrypted.h"
#include "sync/gc.h"
#include "sync/owner.h"
#include "sync/resolve.h"

#define AT_ONCE          32 /* objects whose live state is held */
#define OBJECT_MEM_BYTES ((size_t)256 << 20)

struct compare {
    struct diff_plan *plan;
    const struct cluster *cluster;
    struct diff_objects *out;
    size_t next, running;
    struct map *declared; /* ID -> struct gc_declared */
    size_t declared_live; /* how many of those there are in the cluster */
    struct map *marked;   /* IDs of what carries the mark and is not declared */
    VEC(struct gc_live) strays;
    struct err *err; /* what ended it all */
};

/* One object on its way: get, then a dry run of the apply. */
struct item {
    struct compare *compare;
    size_t index; /* of resolved, and of the entry in out */
    const struct kube_resource *resource;
    struct arena *mem;
    const struct val *live; /* NULL: there is none */
};

/* -- the plan ------------------------------------------------------------------------------------ */

static enum resolve_scope scope_of(const struct kube_discovery *discovery,
                                   const struct resolve_crds *crds, const struct manifest *manifest)
{
    const struct kube_resource *resource =
        kube_discovery_find(discovery, manifest->api_version, manifest->kind);
    if (resource)
        return resource->is_namespaced ? RESOLVE_NAMESPACED : RESOLVE_CLUSTER;
    const struct resolve_crd *crd = resolve_crd_of(crds, manifest->api_version, manifest->kind);
    return crd ? crd->scope : RESOLVE_UNKNOWN;
}

void diff_plan_resolve(struct diff_plan *plan, const struct kube_discovery *discovery)
{
    struct resolve_crds crds = { 0 };
    size_t count = plan->manifests.len;
    plan->scaled = map_new_in(plan->mem);
    resolve_find_crds(plan->mem, plan->manifests.at, count, &crds);
    for (size_t i = 0; i < count; i++) {
        const struct manifest *manifest = &plan->manifests.at[i];
        const char *ns = *manifest->ns ? manifest->ns : plan->default_ns;
        const char *target = resolve_scale_target(plan->mem, manifest->object, ns);
        if (target)
            map_set(plan->scaled, target, (void *)target);
    }
    const struct resolve_settings settings = {
        .set_name = plan->set_name ? plan->set_name : "",
        .default_ns = plan->default_ns,
        .allowed_ns = plan->allowed_ns,
    };
    plan->resolved = arena_alloc(plan->mem, (count + 1) * sizeof(*plan->resolved));
    for (size_t i = 0; i < count; i++) {
        const struct manifest *manifest = &plan->manifests.at[i];
        resolve_manifest(plan->mem, manifest, scope_of(discovery, &crds, manifest), &settings,
                         &plan->resolved[i]);
    }
    (void)resolve_duplicates(plan->mem, plan->resolved, count, &plan->problems);
}

/* -- one object ---------------------------------------------------------------------------------- */

static void start_some(struct compare *compare);

static struct diff_object *entry_of(const struct item *item)
{
    return &item->compare->out->at[item->index];
}

static void end_item(struct item *item, enum diff_action action, const char *note)
{
    struct compare *compare = item->compare;
    struct diff_object *entry = entry_of(item);
    entry->action = action;
    entry->note = note ? arena_strdup(compare->plan->mem, note) : "";
    arena_free(item->mem);
    free(item);
    compare->running--;
    start_some(compare);
}

static const struct manifest *manifest_of(const struct item *item)
{
    return item->compare->plan->resolved[item->index].manifest;
}

/* The server's words, which may quote what it was sent. */
static const char *unquoted(const struct item *item, const struct err *e)
{
    const struct manifest *manifest = manifest_of(item);
    const char *const kept[] = { manifest->name, manifest->ns, manifest->kind,
                                 manifest->api_version, NULL };
    return manifest->is_encrypted ? encrypted_mask(item->mem, err_text(e), kept) : err_text(e);
}

static const struct val *keep(struct arena *mem, const struct val *value)
{
    return value ? val_copy(mem, value) : NULL;
}

/* The changes leave the item's arena by copy. */
static bool keep_changes(struct item *item, const struct val *applied)
{
    struct arena *mem = item->compare->plan->mem;
    struct doc_changes changes = { 0 };
    diff_changes(item->mem, item->live, applied, &changes);
    if (manifest_of(item)->is_encrypted)
        diff_mask(item->mem, &changes);
    for (size_t i = 0; i < changes.len; i++)
        *vec_push(mem, &entry_of(item)->changes) =
            (struct doc_change){ .path = arena_strdup(mem, changes.at[i].path),
                                 .from = keep(mem, changes.at[i].from),
                                 .to = keep(mem, changes.at[i].to) };
    return changes.len > 0;
}

static bool declares_namespace(const struct diff_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->manifests.len; i++) {
        const struct manifest *manifest = &plan->manifests.at[i];
        if (!strcmp(manifest->kind, "Namespace") && !strcmp(manifest->name, name))
            return true;
    }
    return false;
}

static void on_applied(void *ctx, const struct kube_apply_result *result)
{
    struct item *item = ctx;
    const struct diff_plan *plan = item->compare->plan;
    bool waits_for_namespace = result->err && result->refusal == KUBE_REFUSED_NAMESPACE_MISSING &&
                               declares_namespace(plan, plan->resolved[item->index].ns);
    if (result->err && !waits_for_namespace)
        end_item(item, DIFF_ERROR, unquoted(item, result->err));
    else if (!item->live || result->err)
        end_item(item, DIFF_CREATE, NULL);
    else
        end_item(item, keep_changes(item, result->object) ? DIFF_UPDATE : DIFF_NONE, NULL);
}

/* As a sync sends it: the replicas of what an autoscaler scales are ours on creation, and stay as they are in the cluster as long as
 * we own them, or come to own them by taking over what kubectl applied. */
static const char *body_to_send(const struct item *item, const struct resolved *resolved)
{
    static const char *const replicas[] = { "f:spec", "f:replicas", NULL };
    bool is_scaled = map_get(item->compare->plan->scaled, resolved->id) != NULL;
    if (!is_scaled || !item->live)
        return resolved->body;
    bool is_ours = kube_apply_owns(item->live, KUBE_FIELD_MANAGER, replicas) ||
                   kube_apply_takeover_patch(item->mem, item->live, KUBE_FIELD_MANAGER, NULL);
    return is_ours ? resolve_keep_live(item->mem, resolved->body, item->live, OWNER_REPLICAS)
                   : resolve_drop_replicas(item->mem, resolved->body);
}

static void start_apply(struct item *item)
{
    const struct resolved *resolved = &item->compare->plan->resolved[item->index];
    const struct kube_apply_opts opts = { .dry_run = true, .wants_full = true };
    kube_apply_start(item->compare->cluster->kube, item->resource, resolved->ns, resolved->name,
                     body_to_send(item, resolved), &opts, on_applied, item);
}

static void on_live(void *ctx, const struct kube_result *result)
{
    struct item *item = ctx;
    struct val *live = NULL;
    if (result->status == 404) {
        start_apply(item);
        return;
    }
    if (result->err) {
        end_item(item, DIFF_ERROR, err_text(result->err));
        return;
    }
    SCOPED(err_free)
    struct err *e = doc_json_parse(item->mem, result->body, result->body_len, &live);
    item->live = live;
    item->compare->declared_live++;
    if (e)
        end_item(item, DIFF_ERROR, err_text(e));
    else if (mark_ignore(live) == MARK_IGNORE_YES)
        end_item(item, DIFF_SKIP, "ignore annotation in cluster resource");
    else
        start_apply(item);
}

static void start_item(struct compare *compare, size_t index, const struct kube_resource *resource)
{
    const struct resolved *resolved = &compare->plan->resolved[index];
    struct item *item = base_alloc(sizeof(*item));
    *item = (struct item){ .compare = compare, .index = index, .mem = arena_new(OBJECT_MEM_BYTES) };
    item->resource = resource;
    compare->running++;
    const struct kube_request request = {
        .method = "GET",
        .path = kube_path(item->mem, item->resource, resolved->ns, resolved->name, NULL),
    };
    kube_start(compare->cluster->kube, &request, on_live, item);
}

/* What a sync would not send. */
static enum diff_action action_of(enum resolve_verdict verdict)
{
    switch (verdict) {
    case RESOLVE_APPLY: return DIFF_NONE;
    case RESOLVE_IGNORED:
    case RESOLVE_EXCLUDED:
    case RESOLVE_NO_SCOPE: return DIFF_SKIP;
    case RESOLVE_TOO_LARGE:
    case RESOLVE_DUPLICATE: return DIFF_ERROR;
    }
    return DIFF_ERROR;
}

static void start_some(struct compare *compare)
{
    const struct diff_plan *plan = compare->plan;
    while (compare->next < plan->manifests.len && compare->running < AT_ONCE) {
        const struct resolved *resolved = &plan->resolved[compare->next];
        struct diff_object *entry = &compare->out->at[compare->next];
        const struct kube_resource *resource =
            kube_discovery_find(compare->cluster->discovery, resolved->api_version, resolved->kind);
        entry->action = action_of(resolved->verdict);
        if (resolved->verdict != RESOLVE_APPLY) {
            entry->note = resolved->reason;
        } else if (!resource) {
            entry->action = DIFF_CREATE;
            entry->note = "its kind is defined here";
        } else {
            start_item(compare, compare->next, resource);
        }
        compare->next++;
    }
}

/* -- what would be deleted ------------------------------------------------------------------------ */

/* One kind being listed. Items of a list do not say of which kind they are. */
struct listing {
    struct compare *compare;
    const char *api_version, *kind;
};

static void on_marked(void *ctx, const struct val *object)
{
    const struct listing *listing = ctx;
    struct compare *compare = listing->compare;
    struct arena *mem = compare->plan->mem;
    const char *id = object_id(mem, object_namespace(object), listing->kind, object_name(object));
    if (map_get(compare->declared, id) || map_get(compare->marked, id))
        return;
    map_set(compare->marked, id, (void *)id);
    *vec_push(mem, &compare->strays) = (struct gc_live){
        .id = id,
        .api_version = listing->api_version,
        .kind = listing->kind,
        .ns = arena_strdup(mem, object_namespace(object)),
        .name = arena_strdup(mem, object_name(object)),
        .uid = "",
        .mark = arena_strdup(mem, object_label(object, MARK_LABEL)),
        .ignore = mark_ignore(object),
        .has_owner = val_len(VAL_PATH(object, "metadata", "ownerReferences")) > 0,
        .is_deleting = VAL_PATH(object, "metadata", "deletionTimestamp") != NULL,
    };
}

static void on_listed(void *ctx, const struct err *err, const char *resource_version)
{
    struct compare *compare = ((const struct listing *)ctx)->compare;
    (void)resource_version;
    compare->running--;
    /* A kind that may not be listed has nothing of ours that a sync could delete. */
    if (err && !err_is(err, ERR_DENIED) && !err_is(err, ERR_NOT_FOUND) && !compare->err)
        compare->err = err_wrap(err_copy(err), "list what is marked");
}

static bool is_excluded(struct arena *mem, const char *const *globs,
                        const struct kube_resource *resource)
{
    const char *name = arena_printf(mem, "%s/%s", resource->api_version, resource->kind);
    for (; globs && *globs; globs++) {
        if (glob_matches(*globs, name))
            return true;
    }
    return false;
}

static void start_lists(struct compare *compare)
{
    const struct diff_plan *plan = compare->plan;
    const struct kube_watch_opts opts = { .label_selector = MARK_LABEL, .is_metadata_only = true };
    for (size_t i = 0; i < kube_discovery_len(compare->cluster->discovery); i++) {
        const struct kube_resource *resource = kube_discovery_at(compare->cluster->discovery, i);
        if (!(resource->verbs & KUBE_LIST) || !(resource->verbs & KUBE_DELETE) ||
            !resource->is_preferred || is_excluded(plan->mem, plan->excluded_kinds, resource))
            continue;
        struct listing *listing = arena_alloc(plan->mem, sizeof(*listing));
        *listing = (struct listing){ .compare = compare,
                                     .api_version = resource->api_version,
                                     .kind = resource->kind };
        compare->running++;
        kube_list_start(compare->cluster->kube, resource, &opts, on_marked, on_listed, listing);
    }
}

/* What goes, and what would go if nothing spoke against it, by the rules of a sync. */
static void judge_strays(struct compare *compare)
{
    struct diff_plan *plan = compare->plan;
    const struct gc_view view = {
        .live = compare->strays.at,
        .count = compare->strays.len,
        .declared_live = compare->declared_live,
        .declared = compare->declared,
        .set_name = plan->set_name,
        .allowed_ns = plan->allowed_ns,
        .suspended = plan->problems.len
                         ? "there are problems in the files: what they declare is not known"
                         : NULL,
    };
    struct gc_plan gc;
    gc_decide(plan->mem, &view, &gc);
    for (size_t i = 0; i < view.count; i++) {
        bool goes = gc.verdicts[i] == GC_DELETE;
        if (!goes && gc.verdicts[i] != GC_NEEDED && gc.verdicts[i] != GC_SUSPENDED &&
            gc.verdicts[i] != GC_REFUSED)
            continue;
        *vec_push(plan->mem, compare->out) = (struct diff_object){
            .ns = view.live[i].ns,
            .api_version = view.live[i].api_version,
            .kind = view.live[i].kind,
            .name = view.live[i].name,
            .path = "",
            .note = goes ? "" : gc.reasons[i],
            .action = goes ? DIFF_DELETE : DIFF_SKIP,
        };
    }
}

/* ------------------------------------------------------------------------------------------------- */

static void declare(struct compare *compare, const struct resolved *resolved)
{
    struct gc_declared *declared = arena_alloc(compare->plan->mem, sizeof(*declared));
    *declared = (struct gc_declared){ .api_version = resolved->api_version,
                                      .kind = resolved->kind,
                                      .ns = resolved->ns };
    map_set(compare->declared, resolved->id, declared);
    if (resolved->other_id)
        map_set(compare->declared, resolved->other_id, declared);
}

static void wait(const struct compare *compare)
{
    while (compare->running && loop_turn(compare->cluster->loop, 1000))
        continue;
}

static void add_entries(struct compare *compare)
{
    struct diff_plan *plan = compare->plan;
    for (size_t i = 0; i < plan->manifests.len; i++) {
        const struct resolved *resolved = &plan->resolved[i];
        struct diff_object *entry = vec_push(plan->mem, compare->out);
        *entry = (struct diff_object){
            .api_version = resolved->api_version,
            .ns = resolved->ns,
            .kind = resolved->kind,
            .name = resolved->name,
            .path = resolved->manifest->path,
            .line = resolved->manifest->line,
            .note = "",
        };
        declare(compare, resolved);
    }
}

struct err *diff_compare(struct diff_plan *plan, const struct cluster *cluster,
                         struct diff_objects *out)
{
    struct compare compare = { .plan = plan,
                               .cluster = cluster,
                               .out = out,
                               .declared = map_new_in(plan->mem),
                               .marked = map_new_in(plan->mem) };
    add_entries(&compare);
    start_some(&compare);
    wait(&compare);
    if (plan->prunes && plan->set_name) {
        start_lists(&compare);
        wait(&compare);
        judge_strays(&compare);
    }
    return compare.err;
}
