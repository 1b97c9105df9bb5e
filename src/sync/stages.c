#include <string.h>

#include "sync/run.h"

#define OWNER_POLL_MS 50
#define OWNER_WAIT_MS 30000

/* -- list: which files the revision has, which commits are new --------------------------------------------------- */

static bool is_loaded(const struct sync *sync, const struct sync_run *run)
{
    return !strcmp(sync->loaded, run->rev);
}

static void on_listed(void *job, struct err *e)
{
    const struct load_list *list = job;
    struct sync_run *run = list->ctx;
    if (list->marker_is_lost)
        log_warn(run->sync->opts.log, F("component", "sync-loop"), F("marker", list->marker),
                 F("warning", "the repository does not have the revision of the sync marker (any "
                              "more); syncing as if there were none"));
    sync_next(run, e);
}

static void list_files(struct sync_run *run)
{
    struct sync *sync = run->sync;
    run->list = load_list_new(&sync->settings, run->rev, sync->marker);
    run->list->wants_log = strcmp(run->rev, sync->marker) != 0;
    run->list->ctx = run;
    load_list_base(run->list, sync->loaded);
    const char *path;
    void *value;
    for (size_t at = 0; map_next(sync->inventory.links, &at, &path, &value);) {
        const struct inventory_file *link = value;
        load_list_add_link(run->list, &(struct files_entry){ path, link->oid, link->mode });
    }
    source_run(sync->opts.source, &(struct source_job){ load_list_work, on_listed }, run->list);
}

static void on_marker(struct sync *sync, struct err *e)
{
    if (e)
        sync_next(sync->run, e);
    else
        list_files(sync->run);
}

void sync_stage_list(struct sync_run *run)
{
    struct sync *sync = run->sync;
    if (is_loaded(sync, run) && !strcmp(run->rev, sync->marker))
        sync_next(run, NULL);
    else if (sync->has_marker || sync->opts.state_mode == SYNC_STATE_GIT)
        list_files(run);
    else
        sync_read_marker(sync, on_marker);
}

/* -- read: what is not known yet ---------------------------------------------------------------------------------- */

static bool has_unknown_kind(const struct inventory_file *file,
                             const struct kube_discovery *discovery)
{
    for (size_t i = 0; i < file->objects.len; i++) {
        const struct inventory_object *object = file->objects.at[i];
        if (object->outcome == SYNC_UNKNOWN_KIND && !object->body &&
            kube_discovery_find(discovery, object->api_version, object->kind))
            return true;
    }
    return false;
}

/* What changed since the revision that is loaded. */
static void choose_changed(struct sync_run *run)
{
    const struct load_list *list = run->list;
    for (size_t i = 0; i < list->files.len; i++)
        load_read_add(run->read, &list->files.at[i]);
    for (size_t i = 0; i < list->gone.len; i++)
        *vec_push(run->mem, &run->gone) = list->gone.at[i];
}

/* Of all files of the revision those that are not known as they are. */
static void choose_listed(struct sync_run *run)
{
    const struct inventory *inv = &run->sync->inventory;
    for (size_t i = 0; i < run->list->files.len; i++) {
        const struct files_entry *entry = &run->list->files.at[i];
        const struct inventory_file *known = map_get(inv->files, entry->path);
        bool is_same = known && !strcmp(known->oid, entry->oid) && known->mode == entry->mode &&
                       !known->is_hidden && !has_unknown_kind(known, run->sync->opts.discovery);
        if (!is_same)
            load_read_add(run->read, entry);
    }
    run->read->list = run->list;
}

/* What is known and not listed is gone; what generators made is listed when they were run. */
static void find_gone(struct sync_run *run)
{
    const struct load_list *list = run->list;
    const char *path;
    SCOPED(map_free) struct map *listed = map_new(NULL);
    for (size_t i = 0; i < list->files.len; i++)
        map_set(listed, list->files.at[i].path, run);
    for (size_t i = 0; i < run->read->files.len; i++)
        map_set(listed, run->read->files.at[i]->path, run);
    for (size_t at = 0; map_next(run->sync->inventory.files, &at, &path, NULL);) {
        if (!map_get(listed, path))
            *vec_push(run->mem, &run->gone) = arena_strdup(run->mem, path);
    }
}

/* What was read before and is the same, but could not be decrypted, or has kinds that have become known since. What generators
 * made is made again with the next revision. */
static void choose_unknown(struct sync_run *run)
{
    const struct sync *sync = run->sync;
    const char *path;
    void *value;
    SCOPED(map_free) struct map *chosen = map_new(NULL);
    for (size_t i = 0; i < run->read->entries.len; i++)
        map_set(chosen, run->read->entries.at[i].path, run);
    for (size_t i = 0; i < run->gone.len; i++)
        map_set(chosen, run->gone.at[i], run);
    for (size_t at = 0; map_next(sync->inventory.files, &at, &path, &value);) {
        const struct inventory_file *file = value;
        bool is_due =
            (file->is_hidden && !run->has_reread) || has_unknown_kind(file, sync->opts.discovery);
        if (*file->oid && is_due && !map_get(chosen, path))
            load_read_add(run->read, &(struct files_entry){ path, file->oid, file->mode });
    }
}

static void on_gone(void *ctx, const struct inventory_object *object)
{
    const struct sync_run *run = ctx;
    if (object->mark)
        picture_add_stray(run->sync->picture, object, object->mark);
}

static void log_problems(const struct sync *sync, const struct load_read *read)
{
    for (size_t i = 0; i < read->files.len; i++) {
        const struct inventory_file *file = read->files.at[i];
        for (size_t k = 0; k < file->problems.len; k++)
            log_error(sync->opts.log, F("component", "sync"), F("err", file->problems.at[k]));
        for (size_t k = 0; k < file->objects.len; k++) {
            const struct inventory_object *object = file->objects.at[k];
            if (object->outcome == SYNC_UNKNOWN_KIND)
                log_warn(sync->opts.log, F("component", "sync"), F("warning", object->message),
                         F("impact",
                           "resource will be excluded from sync until the cluster knows its kind"),
                         F("resource", object->id), F("path", file->path));
            else if (object->outcome == SYNC_SKIPPED)
                log_info(sync->opts.log, F("component", "sync"), F("info", object->message),
                         F("resource", object->id));
        }
    }
}

/* Claims on one object are found when all files are together; each is logged when it comes up. */
static void on_duplicate(void *ctx, const struct inventory_object *object)
{
    const struct sync_run *run = ctx;
    log_error(run->sync->opts.log, F("component", "sync"), F("err", object->message));
}

/* Files may have left the commit although none has to be read. */
static void take_files(struct sync_run *run)
{
    struct sync *sync = run->sync;
    struct load_read *read = run->read;
    if (read->list)
        find_gone(run);
    log_problems(sync, read);
    sync->is_sorted = sync->is_sorted && !read->files.len && !run->gone.len;
    inventory_update(&sync->inventory,
                     &(struct inventory_update){ .files = read->files.at,
                                                 .count = read->files.len,
                                                 .gone = run->gone.at,
                                                 .gone_count = run->gone.len,
                                                 .on_gone = on_gone,
                                                 .on_duplicate = on_duplicate,
                                                 .ctx = run,
                                                 .now_ms = loop_wall_ms(sync->opts.loop) });
    for (size_t i = 0; i < read->files.len; i++)
        picture_drop_declared(sync->picture, read->files.at[i]);
    read->files.len = 0;
    run->gone.len = 0;
    memcpy(sync->loaded, run->rev, sizeof(sync->loaded));
}

static void on_read(void *job, struct err *e)
{
    struct load_read *read = job;
    struct sync_run *run = read->ctx;
    if (!e)
        take_files(run);
    load_read_free(STEAL(run->read));
    sync_next(run, e);
}

static void read_files(struct sync_run *run)
{
    struct sync *sync = run->sync;
    run->read = load_read_new(&sync->settings, run->rev, sync->opts.discovery);
    run->read->ctx = run;
    bool is_listed = run->list && !run->has_reread;
    if (is_listed && !run->list->is_delta)
        choose_listed(run);
    if (is_listed && run->list->is_delta)
        choose_changed(run);
    if (!run->read->list)
        choose_unknown(run);
    bool has_work = run->read->entries.len || run->read->list;
    if (has_work) {
        source_run(sync->opts.source, &(struct source_job){ load_read_work, on_read }, run->read);
        return;
    }
    take_files(run);
    load_read_free(STEAL(run->read));
    sync_next(run, NULL);
}

static void on_first_discovery(void *ctx, const struct err *e)
{
    struct sync *sync = ctx;
    if (sync->run && e)
        sync_next(sync->run, err_copy(e));
    else if (sync->run)
        read_files(sync->run);
}

void sync_stage_read(struct sync_run *run)
{
    struct sync *sync = run->sync;
    if (kube_discovery_is_ready(sync->opts.discovery))
        read_files(run);
    else
        kube_discovery_refresh(sync->opts.discovery, on_first_discovery, sync);
}

/* -- discover: kinds that were not known when the manifests were read ---------------------------------------------- */

static bool has_unknown(const struct sync *sync)
{
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        if (object->outcome == SYNC_UNKNOWN_KIND && !object->body)
            return true;
    }
    return false;
}

static void on_discovered(void *ctx, const struct err *e)
{
    struct sync *sync = ctx;
    struct sync_run *run = sync->run;
    if (!run)
        return;
    if (e)
        log_warn(sync->opts.log, F("component", "sync"),
                 F("warning", "cannot ask the cluster for its kinds"), F("err", err_text(e)));
    run->has_reread = true;
    run->stage--; /* the read stage ends by coming here again */
    read_files(run);
}

void sync_stage_discover(struct sync_run *run)
{
    if (run->has_reread || !has_unknown(run->sync)) {
        sync_next(run, NULL);
        return;
    }
    kube_discovery_refresh(run->sync->opts.discovery, on_discovered, run->sync);
}

/* -- observe, apply ------------------------------------------------------------------------------------------------- */

static void on_observed(void *ctx)
{
    struct sync *sync = ctx;
    sync_next(sync->run, NULL);
}

/* A watch that shows something decides on it at once, so this comes before the watches. */
static void wait_for_owner(void *ctx)
{
    struct sync *sync = ctx;
    const struct sync_owner *owner = sync->opts.owner;
    bool is_late = loop_now_ms(sync->opts.loop) - sync->run->started_ms > OWNER_WAIT_MS;
    sync->owner_wait = 0;
    if (owner && !sync->owner_is_known && !owner->is_known(owner->ctx) && !is_late) {
        sync->owner_wait = loop_after(sync->opts.loop, OWNER_POLL_MS, wait_for_owner, sync);
        return;
    }
    if (owner && !sync->owner_is_known && is_late)
        log_warn(sync->opts.log, F("component", "sync"),
                 F("warning", "the canaries could not be read; going on without regard to them"));
    sync->owner_is_known = true;
    picture_observe(sync->picture, false, on_observed, sync);
}

void sync_stage_observe(struct sync_run *run)
{
    wait_for_owner(run->sync);
}

void sync_stage_apply(struct sync_run *run)
{
    applier_run(run->sync->applier);
}
