#include <stdlib.h>
#include <string.h>

#include "sync/run.h"

static void count_outcome(struct sync_status *out, enum sync_outcome outcome)
{
    switch (outcome) {
    case SYNC_FAILED:
    case SYNC_UNKNOWN_KIND: out->failed++; break;
    case SYNC_SKIPPED: out->skipped++; break;
    case SYNC_DRIFTED: out->drifted++; break;
    case SYNC_PENDING:
    case SYNC_APPLIED: break;
    }
}

void sync_status(const struct sync *sync, struct sync_status *out)
{
    *out = (struct sync_status){ .head = sync->head,
                                 .loaded = sync->loaded,
                                 .applied = sync->applied,
                                 .marker = sync->marker,
                                 .is_running = sync->run != NULL,
                                 .last_sync_ms = sync->last_sync_ms,
                                 .last_duration_ms = sync->last_duration_ms,
                                 .error = sync->error ? sync->error : "",
                                 .objects = map_len(sync->inventory.objects),
                                 .healed = sync->healed };
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);)
        count_outcome(out, ((const struct inventory_object *)value)->outcome);
}

void sync_show(const struct inventory_object *object, struct sync_object_status *out)
{
    *out = (struct sync_object_status){ .id = object->id,
                                        .api_version = object->api_version,
                                        .kind = object->kind,
                                        .ns = object->ns,
                                        .name = object->name,
                                        .path = object->path,
                                        .line = object->line,
                                        .outcome = object->outcome,
                                        .message = object->message ? object->message : "",
                                        .since_ms = object->since_ms };
}

static int by_id(const void *a, const void *b)
{
    const struct inventory_object *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* The order is worked out when it is first asked for after a change of the inventory. */
static void sort_objects(struct sync *sync)
{
    sync->sorted.len = 0;
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);)
        *vec_push(NULL, &sync->sorted) = value;
    if (sync->sorted.len)
        qsort(sync->sorted.at, sync->sorted.len, sizeof(*sync->sorted.at), by_id);
    sync->is_sorted = true;
}

bool sync_object_at(struct sync *sync, size_t at, struct sync_object_status *out)
{
    if (!sync->is_sorted)
        sort_objects(sync);
    if (at >= sync->sorted.len)
        return false;
    sync_show(sync->sorted.at[at], out);
    return true;
}

bool sync_object_find(struct sync *sync, const char *id, struct sync_object_status *out)
{
    const struct inventory_object *object = inventory_find(&sync->inventory, id);
    if (object)
        sync_show(object, out);
    return object != NULL;
}

const char *sync_object_body(struct sync *sync, const char *id)
{
    const struct inventory_object *object = inventory_find(&sync->inventory, id);
    return object ? object->body : NULL;
}

bool sync_next_unwatched(const struct sync *sync, size_t *at, const char **kind)
{
    return picture_next_unseen(sync->picture, at, kind);
}

const char *sync_problem_at(const struct sync *sync, size_t wanted, const char **path)
{
    void *value;
    for (size_t at = 0; map_next(sync->inventory.files, &at, NULL, &value);) {
        const struct inventory_file *file = value;
        if (wanted < file->problems.len) {
            *path = file->path;
            return file->problems.at[wanted];
        }
        wanted -= file->problems.len;
    }
    return NULL;
}
