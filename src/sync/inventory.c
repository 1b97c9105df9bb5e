#include "sync/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sync/resolve.h"

#define MODE_LINK 0120000u

static void free_object(struct inventory_object *object)
{
    if (!object)
        return;
    char *const texts[] = { object->id,      object->api_version, object->kind,
                            object->ns,      object->name,        object->path,
                            object->body,    object->checksum,    object->scale_target,
                            object->message, object->uid,         object->mark,
                            object->other_id };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(object);
}

static void free_file(void *file)
{
    inventory_file_free(file);
}

struct inventory_object *inventory_object_new(const char *id)
{
    struct inventory_object *object = base_alloc(sizeof(*object));
    object->id = base_copy_text(id);
    return object;
}

struct inventory_file *inventory_file_new(const char *path, const char *oid, unsigned mode)
{
    struct inventory_file *file = base_alloc(sizeof(*file));
    file->path = base_copy_text(path);
    file->oid = base_copy_text(oid);
    file->mode = mode;
    return file;
}

void inventory_file_free(struct inventory_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->objects.len; i++)
        free_object(file->objects.at[i]);
    for (size_t i = 0; i < file->problems.len; i++)
        free(file->problems.at[i]);
    vec_fini(&file->objects);
    vec_fini(&file->problems);
    free(file->path);
    free(file->oid);
    free(file);
}

static void free_kind(void *at)
{
    struct inventory_kind *kind = at;
    free(kind->api_version);
    free(kind->kind);
    free(kind);
}

void inventory_init(struct inventory *inv)
{
    *inv = (struct inventory){ .files = map_new(free_file),
                               .links = map_new(NULL),
                               .objects = map_new(NULL),
                               .scaled = map_new(NULL),
                               .kinds = map_new(free_kind) };
}

void inventory_fini(struct inventory *inv)
{
    map_free(inv->objects);
    map_free(inv->scaled);
    map_free(inv->kinds);
    map_free(inv->links);
    map_free(inv->files);
    *inv = (struct inventory){ 0 };
}

struct inventory_object *inventory_find(const struct inventory *inv, const char *id)
{
    return map_get(inv->objects, id);
}

bool inventory_has_scaler(const struct inventory *inv, const struct inventory_object *object)
{
    return map_get(inv->scaled, object->id) || (inventory_owned(inv, object) & OWNER_REPLICAS);
}

unsigned inventory_owned(const struct inventory *inv, const struct inventory_object *object)
{
    return owner_fields(inv->owner, object->api_version, object->kind, object->ns, object->name);
}

void inventory_set_outcome(struct inventory_object *object, enum sync_outcome outcome,
                           const char *message, int64_t now_ms)
{
    const char *before = object->message ? object->message : "";
    const char *now = message ? message : "";
    if (object->outcome == outcome && object->since_ms && !strcmp(before, now))
        return;
    char *copy = *now ? base_copy_text(now) : NULL;
    free(object->message);
    object->message = copy;
    object->outcome = outcome;
    object->since_ms = now_ms;
}

/* What was learned of the live object outlives the record that learned it. */
static void carry_over(struct inventory_object *to, struct inventory_object *from)
{
    if (to->body) { /* what a skipped or unknown object came to was said when it was read */
        to->outcome = from->outcome;
        to->since_ms = from->since_ms;
        free(to->message);
        to->message = STEAL(from->message);
    }
    to->uid = STEAL(from->uid);
    to->live = from->live;
    to->live_ignore = from->live_ignore;
    to->has_mark = from->has_mark;
    to->needs_takeover = from->needs_takeover;
    to->owns_replicas = from->owns_replicas;
    to->is_kept = from->is_kept;
    to->live_generation = from->live_generation;
    to->has_print = from->has_print;
    to->was_applied = from->was_applied;
    memcpy(to->live_print, from->live_print, sizeof(to->live_print));
    memcpy(to->applied_print, from->applied_print, sizeof(to->applied_print));
    to->has_seen_print = from->has_seen_print;
    memcpy(to->seen_print, from->seen_print, sizeof(to->seen_print));
    to->has_refused_print = from->has_refused_print;
    memcpy(to->refused_print, from->refused_print, sizeof(to->refused_print));
    to->live_version = from->live_version;
    to->seen = from->seen;
    to->is_dirty = from->is_dirty;
    to->heals = from->heals;
    to->healed_ms = from->healed_ms;
    to->not_before_ms = from->not_before_ms;
    to->is_changed = from->is_changed ||
                     strcmp(from->checksum ? from->checksum : "", to->checksum ? to->checksum : "");
}

/* A file that could not be read to its end keeps what it declared before, where it does not declare it anew. */
static void keep_declared(struct inventory_file *file, struct inventory_file *older)
{
    SCOPED(map_free) struct map *declared = map_new(NULL);
    for (size_t i = 0; i < file->objects.len; i++)
        map_set(declared, file->objects.at[i]->id, declared);
    for (size_t i = 0; i < older->objects.len; i++) {
        if (!map_get(declared, older->objects.at[i]->id))
            *vec_push(NULL, &file->objects) = STEAL(older->objects.at[i]);
    }
}

/* -- claims ---------------------------------------------------------------------------------------------------- */

/* What one update has to do with. */
struct change {
    struct inventory *inv;
    const struct inventory_update *update;
    struct arena *mem; /* of one text */
    VEC(struct inventory_file *) retired;
    struct map *touched; /* ID -> who claimed it first before, or `nobody` */
    bool has_scalers;    /* autoscalers came or went */
};

static const struct inventory_object nobody;

static void touch(struct change *change, const char *id)
{
    if (map_get(change->touched, id))
        return;
    struct inventory_object *first = map_get(change->inv->objects, id);
    /* The cast: a map's values are never const; this one is only compared. */
    map_set(change->touched, id, first ? first : (void *)(uintptr_t)&nobody);
}

/* Only what is to be applied needs a watch of its kind. */
static void count_kind(struct change *change, const struct inventory_object *object, int by)
{
    struct map *kinds = change->inv->kinds;
    if (!object->body)
        return;
    const char *key = arena_printf(change->mem, "%s %s", object->api_version, object->kind);
    struct inventory_kind *kind = map_get(kinds, key);
    if (!kind) {
        kind = base_alloc(sizeof(*kind));
        kind->api_version = base_copy_text(object->api_version);
        kind->kind = base_copy_text(object->kind);
        map_set(kinds, key, kind);
    }
    kind->count += (size_t)by;
    arena_reset(change->mem);
}

/* Behind the first one. There may be as many claims as documents: none is looked for among all others, now or later. */
static void join(struct inventory_object *first, struct inventory_object *object)
{
    object->rival_before = first;
    object->rival = first->rival;
    if (object->rival)
        object->rival->rival_before = object;
    first->rival = object;
}

static void leave(struct inventory_object *object)
{
    if (object->rival_before)
        object->rival_before->rival = object->rival;
    if (object->rival)
        object->rival->rival_before = object->rival_before;
    object->rival = object->rival_before = NULL;
}

static void claim(struct change *change, struct inventory_object *object)
{
    struct inventory *inv = change->inv;
    touch(change, object->id);
    count_kind(change, object, 1);
    change->has_scalers = change->has_scalers || object->scale_target;
    struct inventory_object *first = map_get(inv->objects, object->id);
    if (first)
        join(first, object);
    else
        map_set(inv->objects, object->id, object);
}

static void unclaim(struct change *change, struct inventory_object *object)
{
    struct inventory *inv = change->inv;
    touch(change, object->id);
    count_kind(change, object, -1);
    change->has_scalers = change->has_scalers || object->scale_target;
    if (!object->rival_before && object->rival)
        map_set(inv->objects, object->id, object->rival);
    else if (!object->rival_before)
        (void)map_remove(inv->objects, object->id);
    leave(object);
}

static void retire(struct change *change, const char *path)
{
    struct inventory_file *file = map_take(change->inv->files, path);
    if (!file)
        return;
    (void)map_remove(change->inv->links, path);
    for (size_t i = 0; i < file->objects.len; i++)
        unclaim(change, file->objects.at[i]);
    *vec_push(NULL, &change->retired) = file;
}

static void enter(struct change *change, struct inventory_file *file)
{
    struct inventory *inv = change->inv;
    size_t retired = change->retired.len;
    retire(change, file->path);
    if (file->is_broken && change->retired.len > retired)
        keep_declared(file, change->retired.at[retired]);
    map_set(inv->files, file->path, file);
    if (file->mode == MODE_LINK)
        map_set(inv->links, file->path, file);
    for (size_t i = 0; i < file->objects.len; i++)
        claim(change, file->objects.at[i]);
}

static void find_scalers(struct inventory *inv)
{
    void *value;
    map_clear(inv->scaled);
    for (size_t at = 0; map_next(inv->objects, &at, NULL, &value);) {
        for (const struct inventory_object *one = value; one; one = one->rival) {
            if (one->scale_target)
                map_set(inv->scaled, one->scale_target, one->scale_target);
        }
    }
}

/* -- outcomes -------------------------------------------------------------------------------------------------- */

static void blame_rivals(const struct change *change, struct inventory_object *first)
{
    VEC(struct manifest_source) claims = { 0 };
    for (struct inventory_object *one = first; one; one = one->rival)
        *vec_push(change->mem, &claims) =
            (struct manifest_source){ .path = one->path, .is_generated = one->is_generated };
    const char *text = resolve_duplicate_text(change->mem, first->id, claims.at, claims.len);
    inventory_set_outcome(first, SYNC_FAILED, text, change->update->now_ms);
    for (struct inventory_object *one = first; one; one = one->rival)
        one->is_dirty = false;
    arena_reset(change->mem);
}

static void judge(const struct change *change, struct inventory_object *object)
{
    int64_t now_ms = change->update->now_ms;
    if (object->rival) {
        blame_rivals(change, object);
        if (object->since_ms == now_ms) /* not known as such before */
            change->update->on_duplicate(change->update->ctx, object);
        return;
    }
    if (!object->body)
        return;
    bool is_current = object->was_applied && !memcmp(object->applied_print, object->body_print,
                                                     sizeof(object->body_print));
    if (is_current && !object->is_dirty) {
        inventory_set_outcome(object, SYNC_APPLIED, NULL, now_ms);
        return;
    }
    object->is_dirty = true;
    inventory_set_outcome(object, SYNC_PENDING, NULL, now_ms);
}

static void settle(const struct change *change)
{
    const char *id;
    void *value;
    for (size_t at = 0; map_next(change->touched, &at, &id, &value);) {
        struct inventory_object *then = value, *now = map_get(change->inv->objects, id);
        if (!now) {
            if (then != &nobody)
                change->update->on_gone(change->update->ctx, then);
            continue;
        }
        if (then == &nobody)
            now->is_changed = true;
        else if (then != now)
            carry_over(now, then);
        judge(change, now);
    }
}

void inventory_update(struct inventory *inv, const struct inventory_update *update)
{
    struct change change = {
        .inv = inv, .update = update, .mem = arena_new(ARENA_LIMIT_BYTES), .touched = map_new(NULL)
    };
    for (size_t i = 0; i < update->gone_count; i++)
        retire(&change, update->gone[i]);
    for (size_t i = 0; i < update->count; i++)
        enter(&change, update->files[i]);
    if (change.has_scalers)
        find_scalers(inv);
    settle(&change);
    for (size_t i = 0; i < change.retired.len; i++)
        inventory_file_free(change.retired.at[i]);
    vec_fini(&change.retired);
    map_free(change.touched);
    arena_free(change.mem);
}

bool inventory_may_retry(const struct inventory *inv)
{
    void *value;
    for (size_t at = 0; map_next(inv->files, &at, NULL, &value);) {
        if (((const struct inventory_file *)value)->may_retry)
            return true;
    }
    return false;
}

size_t inventory_problem_count(const struct inventory *inv)
{
    size_t count = 0;
    void *value;
    for (size_t at = 0; map_next(inv->files, &at, NULL, &value);)
        count += ((const struct inventory_file *)value)->problems.len;
    return count;
}
