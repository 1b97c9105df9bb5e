#include <string.h>

#include "doc/val.h"
#include "kube/discovery.h"
#include "sync/gc.h"
#include "sync/order.h"
#include "sync/run.h"

/* The collect stage: what nobody declares any more goes, in reverse order of applying, one rank after the other. Each deletion names
 * the object that was judged by its uid: what somebody puts in its place meanwhile is judged by the next sync. */

struct collect {
    struct sync_run *run;
    struct gc_live *live;
    size_t count;
    struct gc_plan plan;
    size_t next, running;
    VEC(ticket) tickets;
};

struct deletion {
    struct collect *collect;
    const struct gc_live *live;
    size_t at; /* in tickets */
};

static void advance(struct collect *collect);

static void list_strays(struct collect *collect)
{
    struct sync_run *run = collect->run;
    collect->live = arena_alloc(run->mem, (picture_stray_count(run->sync->picture) + 1) *
                                              sizeof(*collect->live));
    const struct picture_stray *stray;
    for (size_t at = 0; picture_next_stray(run->sync->picture, &at, &stray);)
        collect->live[collect->count++] =
            (struct gc_live){ .id = arena_strdup(run->mem, stray->id),
                              .api_version = arena_strdup(run->mem, stray->api_version),
                              .kind = arena_strdup(run->mem, stray->kind),
                              .ns = arena_strdup(run->mem, stray->ns),
                              .name = arena_strdup(run->mem, stray->name),
                              .uid = arena_strdup(run->mem, stray->uid),
                              .mark = arena_strdup(run->mem, stray->mark),
                              .checksum = arena_strdup(run->mem, stray->checksum),
                              .ignore = stray->ignore,
                              .has_owner = stray->has_owner,
                              .is_deleting = stray->is_deleting };
}

static void declare(struct map *declared, struct arena *mem, const char *id,
                    const struct inventory_object *object)
{
    struct gc_declared *one = arena_alloc(mem, sizeof(*one));
    *one = (struct gc_declared){ .api_version = object->api_version,
                                 .kind = object->kind,
                                 .ns = object->ns };
    map_set(declared, id, one);
}

static struct map *list_declared(struct sync_run *run, size_t *live)
{
    struct map *declared = map_new(NULL);
    void *value;
    for (size_t at = 0; map_next(run->sync->inventory.objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        declare(declared, run->mem, object->id, object);
        if (object->other_id)
            declare(declared, run->mem, object->other_id, object);
        *live += object->live == INVENTORY_PRESENT;
    }
    return declared;
}

static void decide(struct collect *collect)
{
    struct sync_run *run = collect->run;
    struct sync *sync = run->sync;
    size_t declared_live = 0;
    SCOPED(map_free) struct map *declared = list_declared(run, &declared_live);
    size_t problems = inventory_problem_count(&sync->inventory);
    const char *suspended = NULL;
    if (problems)
        suspended = arena_printf(
            run->mem, "%zu problem%s in the files of this revision: what they declare is not known",
            problems, problems == 1 ? "" : "s");
    const struct gc_view view = { .live = collect->live,
                                  .count = collect->count,
                                  .declared_live = declared_live,
                                  .declared = declared,
                                  .set_name = sync->set_name,
                                  .allowed_ns = sync->opts.allowed_ns,
                                  .suspended = suspended,
                                  .allow_prune_all = sync->opts.allow_prune_all };
    gc_decide(run->mem, &view, &collect->plan);
}

static void log_verdicts(const struct collect *collect)
{
    const struct sync *sync = collect->run->sync;
    bool is_dry = sync->opts.gc_dry;
    for (size_t i = 0; i < collect->count; i++) {
        if (collect->plan.verdicts[i] == GC_DELETE)
            log_info(sync->opts.log, F("component", "sync"),
                     F("info", "cluster resource not in resources to be synced; deleting"),
                     FB("dry-run", is_dry), F("resource", collect->live[i].id));
        else if (*collect->plan.reasons[i])
            log_info(sync->opts.log, F("component", "sync"), F("info", collect->plan.reasons[i]),
                     F("verdict", gc_verdict_name(collect->plan.verdicts[i])),
                     F("resource", collect->live[i].id));
    }
    if (collect->plan.refusal)
        log_error(sync->opts.log, F("component", "sync"), F("err", collect->plan.refusal));
}

static void on_deleted(void *ctx, const struct kube_result *result)
{
    struct deletion *deletion = ctx;
    struct collect *collect = deletion->collect;
    struct sync_run *run = collect->run;
    struct sync *sync = run->sync;
    collect->tickets.at[deletion->at] = 0;
    if (err_is(result->err, ERR_TRANSIENT) || err_is(result->err, ERR_CONFLICT))
        run->has_left_some = true;
    if (result->err && result->status == 409) {
        log_info(sync->opts.log, F("component", "sync"), F("resource", deletion->live->id),
                 F("info", "not deleted: it is another object by now"),
                 F("err", err_text(result->err)));
    } else if (result->err && result->status != 404) {
        run->failed++;
        log_error(sync->opts.log, F("component", "sync"), F("resource", deletion->live->id),
                  F("info", "cannot delete"), F("err", err_text(result->err)));
    } else {
        *vec_push(run->mem, &run->deleted_ids) = deletion->live->id;
        picture_drop_stray(sync->picture, deletion->live->id, deletion->live->uid);
    }
    collect->running--;
    advance(collect);
}

static const char *delete_options(struct arena *mem, const char *uid, size_t *len)
{
    struct val *options = val_new(mem, VAL_MAP);
    val_set_text(mem, options, "apiVersion", "v1");
    val_set_text(mem, options, "kind", "DeleteOptions");
    val_set_text(mem, options, "propagationPolicy", "Background");
    if (*uid)
        val_set_text(mem, val_need_map(mem, options, "preconditions"), "uid", uid);
    return val_json(mem, options, len);
}

static void start_delete(struct collect *collect, const struct gc_live *live)
{
    struct sync_run *run = collect->run;
    const struct kube_resource *resource =
        kube_discovery_find(run->sync->opts.discovery, live->api_version, live->kind);
    if (!resource)
        return;
    struct deletion *deletion = arena_alloc(run->mem, sizeof(*deletion));
    *deletion = (struct deletion){ collect, live, collect->tickets.len };
    struct kube_request request = { .method = "DELETE" };
    request.body = delete_options(run->mem, live->uid, &request.body_len);
    request.path = kube_path(run->mem, resource, live->ns, live->name, NULL);
    collect->running++;
    ticket started = kube_start(run->sync->opts.kube, &request, on_deleted, deletion);
    *vec_push(NULL, &collect->tickets) = started;
}

static void advance(struct collect *collect)
{
    if (collect->running)
        return;
    const struct gc_plan *plan = &collect->plan;
    while (collect->next < plan->delete_count && !collect->running) {
        int rank = order_rank(collect->live[plan->deletes[collect->next]].kind);
        while (collect->next < plan->delete_count &&
               order_rank(collect->live[plan->deletes[collect->next]].kind) == rank)
            start_delete(collect, &collect->live[plan->deletes[collect->next++]]);
    }
    if (!collect->running)
        sync_next(collect->run, NULL);
}

static void on_observed(void *ctx)
{
    struct sync *sync = ctx;
    struct sync_run *run = sync->run;
    run->has_left_some = picture_may_retry(sync->picture);
    if (!picture_stray_count(sync->picture)) {
        sync_next(run, NULL);
        return;
    }
    struct collect *collect = arena_alloc(run->mem, sizeof(*collect));
    run->collect = collect;
    collect->run = run;
    list_strays(collect);
    decide(collect);
    log_verdicts(collect);
    if (sync->opts.gc_dry)
        collect->plan.delete_count = 0;
    advance(collect);
}

/* Kinds that nothing declares are looked at here and not before applying: they hold nothing up. */
void sync_stage_collect(struct sync_run *run)
{
    const struct sync_opts *opts = &run->sync->opts;
    if (opts->gc || opts->gc_dry)
        picture_observe(run->sync->picture, true, on_observed, run->sync);
    else
        sync_next(run, NULL);
}

void sync_collect_free(struct collect *collect)
{
    if (!collect)
        return;
    for (size_t i = 0; i < collect->tickets.len; i++)
        kube_cancel(collect->run->sync->opts.kube, collect->tickets.at[i]);
    vec_fini(&collect->tickets);
}
