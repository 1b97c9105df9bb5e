#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "doc/json.h"
#include "doc/object.h"
#include "sync/event.h"
#include "sync/run.h"

#define MARKER_ANNOTATION "flux.weave.works/sync-hwm" /* gitops.md 2.5 */
#define NOTE_FAILURES_MAX 200
#define NOTE_BYTES        ((size_t)256 << 10)

/* -- events ------------------------------------------------------------------------------------------------------- */

void sync_report_object(struct sync *sync, const struct inventory_object *object, bool is_warning,
                        const char *reason, const char *message)
{
    if (!sync->opts.events)
        return;
    kube_event_record(sync->opts.events,
                      &(struct kube_event){ .api_version = object->api_version,
                                            .kind = object->kind,
                                            .ns = object->ns,
                                            .name = object->name,
                                            .uid = object->uid ? object->uid : "",
                                            .resource_version = "",
                                            .is_warning = is_warning,
                                            .reason = reason,
                                            .message = message });
}

static const char *event_text(struct sync_run *run)
{
    struct sync *sync = run->sync;
    VEC(const char *) commits = { 0 };
    VEC(const char *) ids = { 0 };
    for (size_t i = 0; i < run->list->commits.len; i++)
        *vec_push(run->mem, &commits) = run->list->commits.at[i].sha;
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        if (object->is_changed && (object->body || object->outcome == SYNC_SKIPPED))
            *vec_push(run->mem, &ids) = object->id;
    }
    return sync_event_text(run->mem,
                           &(struct sync_event){ commits.at, commits.len, ids.at, ids.len });
}

static void tell_changed(const struct sync_run *run, const struct inventory_object *object)
{
    const struct sync_opts *opts = &run->sync->opts;
    struct sync_object_status status;
    sync_show(object, &status);
    if (opts->on_changed)
        opts->on_changed(opts->ctx, run->rev, &status);
}

void sync_report_commit(struct sync_run *run)
{
    struct sync *sync = run->sync;
    if (run->list && run->list->commits.len) {
        const char *text = event_text(run);
        log_info(sync->opts.log, F("component", "daemon"), F("event", text),
                 FB("logupstream", false));
        if (sync->opts.events)
            kube_event_record(sync->opts.events,
                              &(struct kube_event){ .api_version = "v1",
                                                    .kind = "Secret",
                                                    .ns = sync->opts.own_ns,
                                                    .name = sync->opts.secret_name,
                                                    .uid = "",
                                                    .resource_version = "",
                                                    .is_warning = run->failed > 0,
                                                    .reason = run->failed ? "SyncFailed" : "Synced",
                                                    .message = text });
        for (size_t i = 0; i < run->list->release_events.len; i++)
            log_info(sync->opts.log, F("component", "daemon"),
                     F("event", run->list->release_events.at[i]), FB("logupstream", false));
    }
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        if (object->is_changed && object->body)
            tell_changed(run, object);
        object->is_changed = false;
    }
}

/* -- the note ------------------------------------------------------------------------------------------------------ */

static struct val *failure_list(struct sync_run *run)
{
    struct arena *mem = run->mem;
    struct val *list = val_new_list(mem);
    void *value;
    for (size_t at = 0; map_next(run->sync->inventory.objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        if ((object->outcome != SYNC_FAILED && object->outcome != SYNC_UNKNOWN_KIND) ||
            val_len(list) == NOTE_FAILURES_MAX)
            continue;
        struct val *one = val_new_map(mem);
        val_set_text(mem, one, "id", object->id);
        val_set_text(mem, one, "path", object->path);
        val_set_text(mem, one, "error", object->message ? object->message : "");
        val_append(mem, list, one);
    }
    const char *text, *path;
    for (size_t at = 0; at < NOTE_FAILURES_MAX && (text = sync_problem_at(run->sync, at, &path));
         at++) {
        struct val *one = val_new_map(mem);
        val_set_text(mem, one, "error", text);
        val_append(mem, list, one);
    }
    return list;
}

/* {"serin":"0.1.0","revision":…,"synced":time,"objects":N,"failed":[…],"deleted":[…]} */
static const char *note_text(struct sync_run *run)
{
    struct arena *mem = run->mem;
    char now[TIME_TEXT_BYTES];
    time_format_seconds(loop_wall_ms(run->sync->opts.loop), now);
    struct val *note = val_new_map(mem), *deleted = val_new_list(mem);
    for (size_t i = 0; i < run->deleted_ids.len; i++)
        val_append(mem, deleted, val_new_text(mem, run->deleted_ids.at[i]));
    val_set_text(mem, note, "serin", SERIN_VERSION);
    val_set_text(mem, note, "revision", run->rev);
    val_set_text(mem, note, "synced", now);
    val_set(mem, note, "objects", val_new_int(mem, (int64_t)map_len(run->sync->inventory.objects)));
    val_set(mem, note, "failed", failure_list(run));
    val_set(mem, note, "deleted", deleted);
    SBUF(text, NOTE_BYTES);
    val_format_json(note, &text);
    return text.is_over ? NULL : arena_strndup(mem, sbuf_text(&text), text.len);
}

/* -- the marker ---------------------------------------------------------------------------------------------------- */

static void set_marker(struct sync_run *run)
{
    struct sync *sync = run->sync;
    const char *state = sync->opts.state_mode == SYNC_STATE_GIT
                            ? arena_printf(run->mem, "tag %s", sync->opts.sync_tag)
                            : arena_printf(run->mem, "kubernetes %s:secret/%s", sync->opts.own_ns,
                                           sync->opts.secret_name);
    log_info(sync->opts.log, F("component", "sync-loop"), F("state", state), F("old", sync->marker),
             F("new", run->rev));
    memcpy(sync->marker, run->rev, sizeof(sync->marker));
    sync_next(run, NULL);
}

struct mark_job {
    struct sync_run *run;
    struct mirror_marker marker;
};

static struct err *mark_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    return mirror_mark(mirror, &((struct mark_job *)job)->marker, deadline_ms);
}

static void on_marked(void *job, struct err *e)
{
    struct sync_run *run = ((struct mark_job *)job)->run;
    if (e)
        sync_next(run, e);
    else
        set_marker(run);
}

static void mark_in_git(struct sync_run *run)
{
    struct mark_job *job = arena_alloc(run->mem, sizeof(*job));
    *job = (struct mark_job){ run, { .rev = run->rev, .moves_tag = true } };
    if (run->sync->opts.write_notes)
        job->marker.note = note_text(run);
    source_run(run->sync->opts.source, &(struct source_job){ mark_work, on_marked }, job);
}

static const char *secret_path(const struct sync *sync, struct arena *mem)
{
    return arena_printf(mem, "/api/v1/namespaces/%s/secrets/%s", sync->opts.own_ns,
                        sync->opts.secret_name);
}

static void on_secret_written(void *ctx, const struct kube_result *result)
{
    struct sync_run *run = ctx;
    if (result->err)
        sync_next(run, err_wrap(err_copy(result->err), "writing the sync marker to %s:secret/%s",
                                run->sync->opts.own_ns, run->sync->opts.secret_name));
    else
        set_marker(run);
}

static void mark_in_secret(struct sync_run *run)
{
    const char *body = arena_printf(run->mem, "{\"metadata\":{\"annotations\":{\"%s\":\"%s\"}}}",
                                    MARKER_ANNOTATION, run->rev);
    kube_start(run->sync->opts.kube,
               &(struct kube_request){ .method = "PATCH",
                                       .path = secret_path(run->sync, run->mem),
                                       .content_type = "application/merge-patch+json",
                                       .body = body,
                                       .body_len = strlen(body),
                                       .accept = KUBE_METADATA },
               on_secret_written, run);
}

void sync_stage_mark(struct sync_run *run)
{
    struct sync *sync = run->sync;
    sync_report_commit(run);
    if (!strcmp(sync->marker, run->rev))
        sync_next(run, NULL);
    else if (sync->opts.state_mode == SYNC_STATE_SECRET)
        mark_in_secret(run);
    else
        mark_in_git(run);
}

/* -- reading it ------------------------------------------------------------------------------------------------------ */

static struct err *take_marker(struct sync *sync, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *secret = NULL;
    TRY(err_copy(result->err));
    TRY(doc_json_parse(mem, result->body, result->body_len, &secret));
    const char *marker = object_annotation(secret, MARKER_ANNOTATION);
    sync->has_marker = true;
    if (marker && strlen(marker) == MIRROR_SHA_BYTES - 1) {
        memcpy(sync->marker, marker, MIRROR_SHA_BYTES);
        source_set_marker(sync->opts.source, sync->marker);
    }
    return NULL;
}

static void on_secret_read(void *ctx, const struct kube_result *result)
{
    struct sync *sync = ctx;
    sync->marker_read = 0;
    struct err *e = err_wrap(take_marker(sync, result), "reading the sync marker of %s:secret/%s",
                             sync->opts.own_ns, sync->opts.secret_name);
    sync->on_marker(sync, e);
}

void sync_read_marker(struct sync *sync, void (*done)(struct sync *sync, struct err *e))
{
    sync->on_marker = done; /* a read that is on its way answers the newest question */
    if (sync->marker_read)
        return;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    sync->marker_read =
        kube_start(sync->opts.kube,
                   &(struct kube_request){
                       .method = "GET", .path = secret_path(sync, mem), .accept = KUBE_METADATA },
                   on_secret_read, sync);
}
