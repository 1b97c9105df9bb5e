#include "sync/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "doc/object.h"
#include "kube/apply.h"
#include "sync/mark.h"

/* So many unseen objects of one kind are asked for one by one (by who applies them); more are worth a list. */
#define FEW_OBJECTS 20
/* The server sends bookmarks about once a minute: after two without one the watch is begun again. */
#define SILENCE_MS        130000
#define EVENT_ARENA_BYTES ((size_t)64 << 20)

struct kind;

/* One watch: of a whole kind, or of a kind in one namespace. */
struct feed {
    struct kind *kind;
    char *ns; /* NULL: all */
    struct kube_watch *watch;
    uint32_t generation; /* of the full picture being received or received last */
    bool is_settled;     /* synced once, or in trouble */
    bool may_retry;      /* in trouble that time may mend */
};

struct kind {
    struct picture *picture;
    char *key, *group, *api_version, *name; /* "apps/Deployment" … */
    VEC(struct feed *) feeds;
    bool was_listed;
    ticket list;
};

struct sweep {
    struct picture *picture;
    char *api_version, *kind;
    ticket list;
    bool may_retry; /* it failed for a reason that time may mend */
};

struct picture {
    struct picture_opts opts;
    struct map *kinds;       /* key -> struct kind */
    struct map *strays;      /* ID -> struct picture_stray */
    struct arena *mem;       /* of one event */
    struct feed definitions; /* the watch on CustomResourceDefinitions; its kind is NULL */
    bool has_definitions, is_observing, wants_sweep, was_swept, wants_resweep;
    size_t lists_running;
    VEC(struct sweep *) sweeps;
    uint32_t generations;
    ticket turn;
    void (*done)(void *ctx);
    void *done_ctx;
};

static void check_settled(struct picture *picture);

static void free_stray(void *at)
{
    struct picture_stray *stray = at;
    char *const texts[] = { stray->id,   stray->api_version, stray->kind,
                            stray->ns,   stray->name,        stray->uid,
                            stray->mark, stray->checksum,    stray->kind_key };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(stray);
}

static void free_kind(void *at)
{
    struct kind *kind = at;
    for (size_t i = 0; i < kind->feeds.len; i++) {
        kube_watch_stop(kind->feeds.at[i]->watch);
        free(kind->feeds.at[i]->ns);
        free(kind->feeds.at[i]);
    }
    vec_fini(&kind->feeds);
    kube_list_cancel(kind->picture->opts.kube, kind->list);
    free(kind->key);
    free(kind->group);
    free(kind->api_version);
    free(kind->name);
    free(kind);
}

static void free_sweeps(struct picture *picture)
{
    for (size_t i = 0; i < picture->sweeps.len; i++) {
        struct sweep *sweep = picture->sweeps.at[i];
        kube_list_cancel(picture->opts.kube, sweep->list);
        free(sweep->api_version);
        free(sweep->kind);
        free(sweep);
    }
    vec_fini(&picture->sweeps);
}

struct picture *picture_new(const struct picture_opts *opts)
{
    struct picture *picture = base_alloc(sizeof(*picture));
    *picture = (struct picture){ .opts = *opts,
                                 .kinds = map_new(free_kind),
                                 .strays = map_new(free_stray),
                                 .mem = arena_new(EVENT_ARENA_BYTES) };
    return picture;
}

void picture_free(struct picture *picture)
{
    if (!picture)
        return;
    loop_cancel(picture->opts.loop, picture->turn);
    kube_watch_stop(picture->definitions.watch);
    free_sweeps(picture);
    map_free(picture->kinds);
    map_free(picture->strays);
    arena_free(picture->mem);
    free(picture);
}

/* -- what was seen ------------------------------------------------------------------------------------------- */

void picture_read(const struct val *live, enum drift_event event, struct drift_seen *out)
{
    *out = (struct drift_seen){
        .event = event,
        .mark = object_label(live, MARK_LABEL),
        .checksum = object_annotation(live, MARK_CHECKSUM),
        .ignore = mark_ignore(live),
        .has_owner = val_len(VAL_PATH(live, "metadata", "ownerReferences")) > 0,
        .is_deleting = val_text(VAL_PATH(live, "metadata", "deletionTimestamp")) != NULL,
        .version = drift_version_parse(object_resource_version(live)),
        .generation = object_generation(live),
    };
    out->has_print = kube_apply_fingerprint(live, KUBE_FIELD_MANAGER, out->print);
}

void picture_note(struct arena *mem, struct inventory_object *object, const struct val *live,
                  struct drift_seen *out)
{
    picture_read(live, DRIFT_SEEN, out);
    object->live = INVENTORY_PRESENT;
    object->live_ignore = out->ignore;
    object->has_mark = out->mark && object->mark && !strcmp(out->mark, object->mark);
    object->needs_takeover = kube_apply_takeover_patch(mem, live, KUBE_FIELD_MANAGER, NULL) != NULL;
    object->has_seen_print = out->has_print;
    memcpy(object->seen_print, out->print, sizeof(object->seen_print));
    object->owns_replicas = kube_apply_owns(live, KUBE_FIELD_MANAGER,
                                            (const char *const[]){ "f:spec", "f:replicas", NULL });
    if (!object->was_applied && !object->is_busy && out->checksum && object->checksum &&
        !strcmp(out->checksum, object->checksum))
        object->is_changed = false; /* applied by us before a restart, or by who marked it so */
    free(object->uid);
    object->uid = base_copy_text(object_uid(live));
}

static struct picture_stray *new_stray(const char *id, const char *kind_key)
{
    struct picture_stray *stray = base_alloc(sizeof(*stray));
    stray->id = base_copy_text(id);
    stray->kind_key = base_copy_text(kind_key);
    return stray;
}

static void note_stray(struct picture *picture, const struct feed *feed, const char *id,
                       const struct val *live)
{
    struct drift_seen seen;
    picture_read(live, DRIFT_SEEN, &seen);
    if (!seen.mark || strcmp(seen.mark, mark_of(picture->mem, picture->opts.set_name, id))) {
        map_remove(picture->strays, id);
        return;
    }
    struct picture_stray *stray = new_stray(id, feed->kind->key);
    stray->api_version = base_copy_text(feed->kind->api_version);
    stray->kind = base_copy_text(feed->kind->name);
    stray->ns = base_copy_text(object_namespace(live));
    stray->name = base_copy_text(object_name(live));
    stray->uid = base_copy_text(object_uid(live));
    stray->mark = base_copy_text(seen.mark);
    stray->checksum = base_copy_text(seen.checksum ? seen.checksum : "");
    stray->ignore = seen.ignore;
    stray->has_owner = seen.has_owner;
    stray->is_deleting = seen.is_deleting;
    stray->is_cluster_scoped = !*object_namespace(live);
    stray->seen = feed->generation;
    map_set(picture->strays, id, stray);
}

/* IDs do not name the API group (gitops.md 0.2): an object of another group is not the declared one. */
static struct inventory_object *find_declared(struct picture *picture, const struct kind *kind,
                                              const char *id)
{
    struct inventory_object *object = inventory_find(picture->opts.inventory, id);
    if (!object)
        return NULL;
    const char *group, *version;
    object_split_api_version(picture->mem, object->api_version, &group, &version);
    return strcmp(group, kind->group) ? NULL : object;
}

static void on_event(void *ctx, enum kube_watch_event event, const struct val *live)
{
    struct feed *feed = ctx;
    struct picture *picture = feed->kind->picture;
    const char *id =
        object_id(picture->mem, object_namespace(live), feed->kind->name, object_name(live));
    struct inventory_object *object = find_declared(picture, feed->kind, id);
    struct drift_seen seen;
    if (!object && event == KUBE_DELETED) {
        map_remove(picture->strays, id);
    } else if (!object) {
        note_stray(picture, feed, id, live);
    } else if (event == KUBE_DELETED) {
        picture_read(live, DRIFT_REMOVED, &seen);
        picture->opts.on_seen(picture->opts.ctx, object, &seen);
    } else {
        object->seen = feed->generation;
        picture_note(picture->mem, object, live, &seen);
        picture->opts.on_seen(picture->opts.ctx, object, &seen);
    }
    arena_reset(picture->mem);
}

static void on_restart(void *ctx)
{
    struct feed *feed = ctx;
    feed->generation = ++feed->kind->picture->generations;
}

static bool shows(const struct feed *feed, const char *ns)
{
    return !feed->ns || !strcmp(feed->ns, ns);
}

static bool belongs_to(struct picture *picture, const struct feed *feed,
                       const struct inventory_object *object)
{
    const struct kind *kind = feed->kind;
    return !strcmp(object->kind, kind->name) && shows(feed, object->ns) &&
           find_declared(picture, kind, object->id) == object;
}

/* After a restart of a watch: what it did not see again is gone. */
static void forget_unseen(struct picture *picture, struct feed *feed)
{
    void *value;
    const char *id;
    for (size_t at = 0; map_next(picture->opts.inventory->objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        bool was_marked = object->seen && object->seen != feed->generation;
        if (was_marked && object->live == INVENTORY_PRESENT && !object->is_busy &&
            belongs_to(picture, feed, object))
            picture->opts.on_seen(picture->opts.ctx, object,
                                  &(struct drift_seen){ .event = DRIFT_ABSENT });
    }
    for (size_t at = 0; map_next(picture->strays, &at, &id, &value);) {
        const struct picture_stray *stray = value;
        if (stray->seen != feed->generation && shows(feed, stray->ns) &&
            !strcmp(stray->kind_key, feed->kind->key))
            map_remove(picture->strays, id);
    }
    arena_reset(picture->mem);
}

static void on_synced(void *ctx)
{
    struct feed *feed = ctx;
    struct picture *picture = feed->kind->picture;
    forget_unseen(picture, feed);
    feed->is_settled = true;
    feed->may_retry = false;
    check_settled(picture);
}

/* What a person has to change first, or what is no more. */
static bool is_lasting(const struct err *e)
{
    return err_is(e, ERR_DENIED) || err_is(e, ERR_NOT_FOUND);
}

static void on_trouble(void *ctx, const struct err *e)
{
    struct feed *feed = ctx;
    struct picture *picture = feed->kind->picture;
    log_warn(picture->opts.log, F("component", "watch"), F("kind", feed->kind->key),
             F("warning", "cannot watch"), F("err", err_text(e)));
    feed->may_retry = (feed->may_retry || !feed->is_settled) && !is_lasting(e);
    feed->is_settled = true;
    check_settled(picture);
}

/* -- which kinds --------------------------------------------------------------------------------------------- */

static void start_feed(struct picture *picture, struct kind *kind,
                       const struct kube_resource *resource, const char *ns)
{
    struct feed *feed = base_alloc(sizeof(*feed));
    feed->kind = kind;
    feed->ns = base_copy_text(ns);
    feed->generation = ++picture->generations;
    *vec_push(NULL, &kind->feeds) = feed;
    struct kube_watch_handler handler = { .on_event = on_event,
                                          .on_restart = on_restart,
                                          .on_synced = on_synced,
                                          .on_trouble = on_trouble,
                                          .ctx = feed };
    feed->watch = kube_watch_start(picture->opts.kube, resource,
                                   &(struct kube_watch_opts){ .ns = ns,
                                                              .label_selector = MARK_LABEL,
                                                              .is_metadata_only = true,
                                                              .silence_ms = SILENCE_MS },
                                   &handler);
}

static const char *key_of(struct arena *mem, const char *api_version, const char *kind)
{
    const char *group, *version;
    object_split_api_version(mem, api_version, &group, &version);
    return arena_printf(mem, "%s/%s", group, kind);
}

static struct kind *need_kind(struct picture *picture, const char *api_version, const char *name)
{
    const char *key = key_of(picture->mem, api_version, name);
    struct kind *kind = map_get(picture->kinds, key);
    const struct kube_resource *resource =
        kube_discovery_find(picture->opts.discovery, api_version, name);
    if (kind || !resource)
        return kind;
    kind = base_alloc(sizeof(*kind));
    *kind = (struct kind){ .picture = picture,
                           .key = base_copy_text(key),
                           .group = base_copy_text(resource->group),
                           .api_version = base_copy_text(api_version),
                           .name = base_copy_text(name) };
    map_set(picture->kinds, key, kind);
    const char *const *namespaces = resource->is_namespaced ? picture->opts.allowed_ns : NULL;
    if ((resource->verbs & (KUBE_LIST | KUBE_WATCH)) != (KUBE_LIST | KUBE_WATCH))
        return kind;
    if (!namespaces)
        start_feed(picture, kind, resource, NULL);
    for (; namespaces && *namespaces; namespaces++)
        start_feed(picture, kind, resource, *namespaces);
    return kind;
}

static void on_definition(void *ctx, enum kube_watch_event event, const struct val *seen)
{
    struct picture *picture = ctx;
    (void)event;
    (void)seen;
    if (picture->definitions.is_settled)
        picture->opts.on_kinds_changed(picture->opts.ctx);
}

static void on_definitions_synced(void *ctx)
{
    struct picture *picture = ctx;
    picture->definitions.is_settled = true;
}

static void watch_definitions(struct picture *picture)
{
    const struct kube_resource *resource = kube_discovery_find(
        picture->opts.discovery, "apiextensions.k8s.io/v1", "CustomResourceDefinition");
    if (picture->has_definitions || !resource)
        return;
    picture->has_definitions = true;
    struct kube_watch_handler handler = { .on_event = on_definition,
                                          .on_synced = on_definitions_synced,
                                          .ctx = picture };
    picture->definitions.watch = kube_watch_start(
        picture->opts.kube, resource,
        &(struct kube_watch_opts){ .is_metadata_only = true, .silence_ms = SILENCE_MS }, &handler);
}

/* -- lists: what is declared but unmarked -------------------------------------------------------------------- */

static void on_listed_object(void *ctx, const struct val *seen)
{
    struct kind *kind = ctx;
    struct picture *picture = kind->picture;
    const char *id = object_id(picture->mem, object_namespace(seen), kind->name, object_name(seen));
    struct inventory_object *object = find_declared(picture, kind, id);
    struct drift_seen read;
    if (object && object->live == INVENTORY_UNSEEN)
        picture_note(picture->mem, object, seen, &read);
    arena_reset(picture->mem);
}

static void on_listed(void *ctx, const struct err *e, const char *resource_version)
{
    struct kind *kind = ctx;
    struct picture *picture = kind->picture;
    (void)resource_version;
    kind->list = 0;
    void *value;
    for (size_t at = 0; !e && map_next(picture->opts.inventory->objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        if (object->live == INVENTORY_UNSEEN && !strcmp(object->kind, kind->name) &&
            find_declared(picture, kind, object->id))
            object->live = INVENTORY_ABSENT;
    }
    if (e) /* asked for one by one instead */
        log_warn(picture->opts.log, F("component", "watch"), F("kind", kind->key),
                 F("warning", "cannot list"), F("err", err_text(e)));
    arena_reset(picture->mem);
    picture->lists_running--;
    check_settled(picture);
}

static void list_kind(struct picture *picture, struct kind *kind)
{
    const struct kube_resource *resource =
        kube_discovery_find(picture->opts.discovery, kind->api_version, kind->name);
    kind->was_listed = true;
    if (!resource || !(resource->verbs & KUBE_LIST) ||
        (resource->is_namespaced && picture->opts.allowed_ns))
        return;
    picture->lists_running++;
    kind->list = kube_list_start(picture->opts.kube, resource,
                                 &(struct kube_watch_opts){ .is_metadata_only = true },
                                 on_listed_object, on_listed, kind);
}

static void list_unseen(struct picture *picture)
{
    SCOPED(map_free) struct map *counts = map_new(free);
    void *value;
    for (size_t at = 0; map_next(picture->opts.inventory->objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        if (object->live != INVENTORY_UNSEEN || !object->is_dirty)
            continue;
        const char *key = key_of(picture->mem, object->api_version, object->kind);
        size_t *count = map_get(counts, key);
        if (!count) {
            count = base_alloc(sizeof(*count));
            map_set(counts, key, count);
        }
        ++*count;
    }
    const char *key;
    for (size_t at = 0; map_next(counts, &at, &key, &value);) {
        struct kind *kind = map_get(picture->kinds, key);
        if (kind && !kind->was_listed && *(size_t *)value > FEW_OBJECTS)
            list_kind(picture, kind);
    }
    arena_reset(picture->mem);
}

/* -- the sweep: marked objects of kinds that nothing declares ------------------------------------------------ */

static bool is_excluded(const struct picture *picture, const struct kube_resource *resource)
{
    static const char *const never[] = { "v1/Event", "events.k8s.io/v1/Event", "v1/ComponentStatus",
                                         "v1/Endpoints" };
    char name[512];
    snprintf(name, sizeof(name), "%s/%s", resource->api_version, resource->kind);
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        if (!strcmp(never[i], name))
            return true;
    }
    for (const char *const *glob = picture->opts.excluded_kinds; glob && *glob; glob++) {
        if (glob_matches(*glob, name))
            return true;
    }
    return false;
}

static void on_swept_object(void *ctx, const struct val *seen)
{
    struct sweep *sweep = ctx;
    (void)seen;
    need_kind(sweep->picture, sweep->api_version, sweep->kind); /* its watch brings the object */
    arena_reset(sweep->picture->mem);
}

static void on_swept(void *ctx, const struct err *e, const char *resource_version)
{
    struct sweep *sweep = ctx;
    struct picture *picture = sweep->picture;
    (void)resource_version;
    sweep->may_retry = e && !is_lasting(e);
    if (sweep->may_retry)
        log_warn(picture->opts.log, F("component", "watch"), F("kind", sweep->kind),
                 F("warning", "cannot look for objects to be collected"), F("err", err_text(e)));
    sweep->list = 0;
    picture->lists_running--;
    check_settled(picture);
}

static void start_sweep(struct sweep *sweep, const struct kube_resource *resource)
{
    struct picture *picture = sweep->picture;
    picture->lists_running++;
    sweep->may_retry = false;
    sweep->list = kube_list_start(
        picture->opts.kube, resource,
        &(struct kube_watch_opts){ .label_selector = MARK_LABEL, .is_metadata_only = true },
        on_swept_object, on_swept, sweep);
}

/* The kinds that could not be listed the last time. */
static void sweep_again(struct picture *picture)
{
    picture->wants_resweep = false;
    for (size_t i = 0; i < picture->sweeps.len; i++) {
        struct sweep *sweep = picture->sweeps.at[i];
        const struct kube_resource *resource =
            kube_discovery_find(picture->opts.discovery, sweep->api_version, sweep->kind);
        if (sweep->may_retry && resource)
            start_sweep(sweep, resource);
        else
            sweep->may_retry = false;
    }
}

static void sweep_kinds(struct picture *picture)
{
    picture->was_swept = true;
    for (size_t i = 0; i < kube_discovery_len(picture->opts.discovery); i++) {
        const struct kube_resource *resource = kube_discovery_at(picture->opts.discovery, i);
        bool is_known = map_get(picture->kinds, key_of(picture->mem, resource->api_version,
                                                       resource->kind)) != NULL;
        unsigned needed = KUBE_LIST | KUBE_WATCH | KUBE_DELETE;
        if (is_known || !resource->is_preferred || (resource->verbs & needed) != needed ||
            is_excluded(picture, resource))
            continue;
        if (resource->is_namespaced &&
            picture->opts.allowed_ns) { /* a cluster-wide list may be forbidden: watch at once */
            need_kind(picture, resource->api_version, resource->kind);
            continue;
        }
        struct sweep *sweep = base_alloc(sizeof(*sweep));
        *sweep = (struct sweep){ .picture = picture,
                                 .api_version = base_copy_text(resource->api_version),
                                 .kind = base_copy_text(resource->kind) };
        *vec_push(NULL, &picture->sweeps) = sweep;
        start_sweep(sweep, resource);
    }
    arena_reset(picture->mem);
}

/* -- observe ------------------------------------------------------------------------------------------------- */

static bool are_feeds_settled(const struct picture *picture)
{
    void *value;
    for (size_t at = 0; map_next(picture->kinds, &at, NULL, &value);) {
        const struct kind *kind = value;
        for (size_t i = 0; i < kind->feeds.len; i++) {
            if (!kind->feeds.at[i]->is_settled)
                return false;
        }
    }
    return true;
}

static void check_settled(struct picture *picture)
{
    if (!picture->is_observing || picture->lists_running || !are_feeds_settled(picture))
        return;
    if (picture->wants_sweep && !picture->was_swept)
        sweep_kinds(picture);
    else if (picture->wants_resweep)
        sweep_again(picture);
    if (!picture->lists_running && are_feeds_settled(picture))
        list_unseen(picture);
    if (picture->lists_running || !are_feeds_settled(picture))
        return;
    picture->is_observing = false;
    picture->done(picture->done_ctx);
}

static void on_turn(void *ctx)
{
    struct picture *picture = ctx;
    picture->turn = 0;
    check_settled(picture);
}

/* A kind that is served in another version now (its definition, or the server, was upgraded) gets another watch, when it is
 * declared or found; one that is not served at all has none. */
static void drop_unserved(struct picture *picture)
{
    const char *key;
    void *value;
    for (size_t at = 0; map_next(picture->kinds, &at, &key, &value);) {
        const struct kind *kind = value;
        if (!kube_discovery_find(picture->opts.discovery, kind->api_version, kind->name))
            map_remove(picture->kinds, key);
    }
}

void picture_observe(struct picture *picture, bool all_kinds, void (*done)(void *ctx), void *ctx)
{
    ASSERT(!picture->is_observing);
    picture->is_observing = true;
    picture->wants_sweep = picture->wants_sweep || all_kinds;
    picture->wants_resweep = all_kinds && picture->was_swept;
    picture->done = done;
    picture->done_ctx = ctx;
    watch_definitions(picture);
    drop_unserved(picture);
    void *value;
    for (size_t at = 0; map_next(picture->opts.inventory->kinds, &at, NULL, &value);) {
        const struct inventory_kind *kind = value;
        if (kind->count)
            need_kind(picture, kind->api_version, kind->kind);
        arena_reset(picture->mem);
    }
    picture->turn = loop_after(picture->opts.loop, 0, on_turn, picture);
}

bool picture_may_retry(const struct picture *picture)
{
    bool may_retry = false;
    void *value;
    for (size_t at = 0; map_next(picture->kinds, &at, NULL, &value);) {
        const struct kind *kind = value;
        for (size_t i = 0; i < kind->feeds.len; i++)
            may_retry = may_retry || kind->feeds.at[i]->may_retry;
    }
    for (size_t i = 0; i < picture->sweeps.len; i++)
        may_retry = may_retry || picture->sweeps.at[i]->may_retry;
    return may_retry;
}

static bool is_seen(const struct kind *kind)
{
    for (size_t i = 0; i < kind->feeds.len; i++) {
        const struct feed *feed = kind->feeds.at[i];
        if (feed->is_settled && !kube_watch_is_synced(feed->watch))
            return false;
    }
    return true;
}

bool picture_next_unseen(const struct picture *picture, size_t *at, const char **kind)
{
    void *value;
    while (map_next(picture->kinds, at, kind, &value))
        if (!is_seen(value))
            return true;
    return false;
}

/* -- strays -------------------------------------------------------------------------------------------------- */

size_t picture_stray_count(const struct picture *picture)
{
    return map_len(picture->strays);
}

bool picture_next_stray(const struct picture *picture, size_t *at, const struct picture_stray **out)
{
    void *value;
    if (!map_next(picture->strays, at, NULL, &value))
        return false;
    *out = value;
    return true;
}

void picture_add_stray(struct picture *picture, const struct inventory_object *object,
                       const char *mark)
{
    if (object->live != INVENTORY_PRESENT || !object->has_mark)
        return;
    struct picture_stray *stray =
        new_stray(object->id, key_of(picture->mem, object->api_version, object->kind));
    stray->api_version = base_copy_text(object->api_version);
    stray->kind = base_copy_text(object->kind);
    stray->ns = base_copy_text(object->ns);
    stray->name = base_copy_text(object->name);
    stray->uid = base_copy_text(object->uid ? object->uid : "");
    stray->mark = base_copy_text(mark);
    stray->checksum = base_copy_text(object->checksum);
    stray->ignore = object->live_ignore;
    stray->is_cluster_scoped = object->is_cluster_scoped;
    stray->seen = object->seen;
    map_set(picture->strays, object->id, stray);
    arena_reset(picture->mem);
}

void picture_drop_stray(struct picture *picture, const char *id, const char *uid)
{
    const struct picture_stray *stray = map_get(picture->strays, id);
    if (stray && !strcmp(stray->uid, uid))
        map_remove(picture->strays, id);
}

void picture_drop_declared(struct picture *picture, const struct inventory_file *file)
{
    for (size_t i = 0; i < file->objects.len; i++) {
        struct inventory_object *object = file->objects.at[i];
        const struct picture_stray *stray = map_get(picture->strays, object->id);
        if (stray &&
            !strcmp(stray->kind_key, key_of(picture->mem, object->api_version, object->kind)))
            object->seen = stray->seen; /* by a watch that has nothing more to say of it */
        map_remove(picture->strays, object->id);
        arena_reset(picture->mem);
    }
}
