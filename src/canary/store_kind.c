#include <stdlib.h>
#include <string.h>

#include "canary/store_parts.h"
#include "doc/object.h"

/* The server sends bookmarks about once a minute: after two without one the watch is begun again. */
#define SILENCE_MS 130000
#define CRD_KIND   "CustomResourceDefinition"
#define CRD_API    "apiextensions.k8s.io/v1"

/* After a change of the definitions the kinds are looked at so often: a server serves a new kind a moment later. */
static const int64_t look_after_ms[] = { 200, 1000, 5000 };

static const struct kind_traits {
    const char *api_version, *kind;
    bool is_metadata, keeps_all, drops_status;
} traits[] = {
    { "flagger.app/v1beta1", "Canary", .keeps_all = true },
    { "v1", "ConfigMap", .is_metadata = true },
    { "v1", "Secret", .is_metadata = true },
    { "v1", "Service", .drops_status = true },
    { "autoscaling/v2", "HorizontalPodAutoscaler", .drops_status = true },
    { "keda.sh/v1alpha1", "ScaledObject", .drops_status = true },
    { "networking.k8s.io/v1", "Ingress", .drops_status = true },
};

/* -- what the watch tells ------------------------------------------------------------------------------------------ */

static void note_name(struct store_feed *feed, const char *key, bool is_gone)
{
    void (*change)(struct store_present * set, const char *name) =
        is_gone ? store_present_remove : store_present_add;
    change(&feed->present, key);
    if (feed->is_receiving)
        change(&feed->next, key);
}

static void on_metadata(struct store_object *object, uint64_t version)
{
    object->is_present = true;
    bool is_known = object->state == LIVE_HERE && !object->is_stale;
    if (!version || version > object->version || (version == object->version && !is_known))
        store_read(object);
}

static void on_gone(struct store_object *object, uint64_t version)
{
    struct store_kind *kind = object->kind;
    if (object->read)
        store_read(object); /* again: the answer may be from before */
    store_take_gone(object, version, false);
    if (!kind->keeps_all || object->state != LIVE_ABSENT)
        return;
    store_tell_canary(object, true);
    (void)map_take(kind->objects, store_key(kind->store->mem, object->ns, object->name));
    store_object_free(object);
}

static void on_event(void *ctx, enum kube_watch_event event, const struct val *seen)
{
    struct store_feed *feed = ctx;
    struct store_kind *kind = feed->kind;
    struct arena *mem = kind->store->mem;
    const char *key = store_key(mem, object_namespace(seen), object_name(seen));
    struct store_object *object = map_get(kind->objects, key);
    uint64_t version = store_version_parse(object_resource_version(seen));
    bool is_gone = event == KUBE_DELETED;
    if (!object && kind->keeps_all && !is_gone)
        object = store_object_new(kind, object_namespace(seen), object_name(seen));
    if (object)
        object->seen = feed->generation;
    if (!object)
        note_name(feed, key, is_gone);
    else if (is_gone)
        on_gone(object, version);
    else if (kind->is_metadata)
        on_metadata(object, version);
    else
        store_take(object, seen, false);
    arena_reset(mem);
}

static void on_restart(void *ctx)
{
    struct store_feed *feed = ctx;
    feed->generation++;
    feed->is_receiving = true;
    store_present_fini(&feed->next);
}

static void check_synced(struct store *store)
{
    const struct store_kind *kind = store->canaries;
    if (store->was_synced || !kind)
        return;
    for (size_t i = 0; i < kind->feeds.len; i++) {
        if (!kind->feeds.at[i]->is_synced)
            return;
    }
    store->was_synced = true;
    store->opts.on_synced(store->opts.ctx);
}

/* What a full picture did not have is gone. */
static void forget_unseen(struct store_feed *feed)
{
    struct store_kind *kind = feed->kind;
    void *value;
    for (size_t at = 0; map_next(kind->objects, &at, NULL, &value);) {
        struct store_object *object = value;
        if (object->feed == feed && object->seen != feed->generation)
            on_gone(object, 0);
    }
    arena_reset(kind->store->mem);
}

static void on_synced(void *ctx)
{
    struct store_feed *feed = ctx;
    store_present_fini(&feed->present);
    feed->present = feed->next;
    feed->next = (struct store_present){ 0 };
    feed->is_receiving = feed->is_refused = false;
    feed->is_synced = true;
    forget_unseen(feed);
    check_synced(feed->kind->store);
}

static void look_soon(struct store_side *side);

static void on_trouble(void *ctx, const struct err *e)
{
    struct store_feed *feed = ctx;
    struct store_kind *kind = feed->kind;
    void *value;
    log_warn(kind->store->opts.log, F("component", "canary"), F("event", "cannot watch"),
             F("kind", kind->name), F("err", err_text(e)));
    if (err_is(e, ERR_NOT_FOUND))
        look_soon(kind->side);
    if (!err_is(e, ERR_DENIED))
        return;
    feed->is_refused = true;
    for (size_t at = 0; map_next(kind->objects, &at, NULL, &value);) {
        struct store_object *object = value;
        if (object->feed == feed && object->state == LIVE_UNKNOWN)
            store_read(object);
    }
}

/* -- feeds --------------------------------------------------------------------------------------------------------- */

struct store_feed *store_feed_of(const struct store_kind *kind, const char *ns)
{
    for (size_t i = 0; i < kind->feeds.len; i++) {
        struct store_feed *feed = kind->feeds.at[i];
        if (!feed->ns || !strcmp(feed->ns, ns))
            return feed;
    }
    return NULL;
}

static void start_feed(struct store_kind *kind, const struct kube_resource *resource,
                       const char *ns)
{
    const unsigned needs = KUBE_LIST | KUBE_WATCH;
    struct store_feed *feed = base_alloc(sizeof(*feed));
    feed->kind = kind;
    feed->ns = base_copy_text(ns);
    feed->generation = 1;
    *vec_push(NULL, &kind->feeds) = feed;
    feed->is_refused = (resource->verbs & needs) != needs;
    if (feed->is_refused)
        return;
    const struct kube_watch_handler handler = { .on_event = on_event,
                                                .on_restart = on_restart,
                                                .on_synced = on_synced,
                                                .on_trouble = on_trouble,
                                                .ctx = feed };
    const struct kube_watch_opts opts = { .ns = ns,
                                          .is_metadata_only = kind->is_metadata,
                                          .silence_ms = SILENCE_MS };
    feed->watch = kube_watch_start(kind->side->kube, resource, &opts, &handler);
}

static void start_feeds(struct store_kind *kind, const struct kube_resource *resource)
{
    const char *const *ns = kind->store->opts.namespaces;
    kind->is_namespaced = resource->is_namespaced;
    if (!ns || !resource->is_namespaced)
        start_feed(kind, resource, NULL);
    for (; ns && *ns && resource->is_namespaced; ns++)
        start_feed(kind, resource, *ns);
}

static void stop_feeds(struct store_kind *kind)
{
    for (size_t i = 0; i < kind->feeds.len; i++) {
        struct store_feed *feed = kind->feeds.at[i];
        kube_watch_stop(feed->watch);
        store_present_fini(&feed->present);
        store_present_fini(&feed->next);
        free(feed->ns);
        free(feed);
    }
    vec_fini(&kind->feeds);
}

/* -- kinds that come and go ------------------------------------------------------------------------------------------ */

static void set_feed(struct store_object *object)
{
    object->feed = store_feed_of(object->kind, object->ns);
    object->seen = 0;
    object->is_present = false;
    if (object->feed && object->feed->is_refused)
        store_read(object);
}

static void kind_found(struct store_kind *kind, const struct kube_resource *resource)
{
    void *value;
    kind->is_missing = false;
    start_feeds(kind, resource);
    for (size_t at = 0; map_next(kind->objects, &at, NULL, &value);)
        set_feed(value);
}

static void kind_lost(struct store_kind *kind)
{
    void *value;
    kind->is_missing = true;
    for (size_t at = 0; map_next(kind->objects, &at, NULL, &value);) {
        struct store_object *object = value;
        store_read_stop(object);
        object->feed = NULL;
        on_gone(object, 0);
        if (!kind->keeps_all) {
            object->state = LIVE_UNKNOWN;
            store_tell(object);
        }
    }
    stop_feeds(kind);
    arena_reset(kind->store->mem);
}

static void look_later(struct store_side *side, int64_t after_ms);

/* Changes are told while the definitions may be watched; where they may not, kinds that are missing are looked for. */
static void look_again(struct store_side *side)
{
    bool is_any_missing = false;
    void *value;
    for (size_t at = 0; map_next(side->store->kinds, &at, NULL, &value);) {
        const struct store_kind *kind = value;
        is_any_missing = is_any_missing || (kind->side == side && kind->is_missing);
    }
    if (++side->looks < ARRAY_LEN(look_after_ms))
        look_later(side, look_after_ms[side->looks]);
    else if (is_any_missing && !side->is_definitions_synced)
        look_later(side, side->store->opts.poll_ms);
}

static void on_looked(void *ctx, const struct err *err)
{
    struct store_side *side = ctx;
    void *value;
    for (size_t at = 0; !err && map_next(side->store->kinds, &at, NULL, &value);) {
        struct store_kind *kind = value;
        const struct kube_resource *resource =
            kube_discovery_find(side->discovery, kind->api_version, kind->name);
        if (kind->side != side)
            continue;
        if (kind->is_missing && resource)
            kind_found(kind, resource);
        else if (!kind->is_missing && !resource)
            kind_lost(kind);
    }
    look_again(side);
}

static void on_look(void *ctx)
{
    struct store_side *side = ctx;
    side->timer = 0;
    kube_discovery_refresh(side->discovery, on_looked, side);
}

static void look_later(struct store_side *side, int64_t after_ms)
{
    if (!side->timer)
        side->timer = loop_after(side->store->opts.loop, after_ms, on_look, side);
}

static void look_soon(struct store_side *side)
{
    side->looks = 0;
    loop_cancel(side->store->opts.loop, side->timer);
    side->timer = 0;
    look_later(side, look_after_ms[0]);
}

static void on_definition(void *ctx, enum kube_watch_event event, const struct val *seen)
{
    struct store_side *side = ctx;
    (void)event;
    (void)seen;
    if (side->is_definitions_synced)
        look_soon(side);
}

/* What came while nobody watched shows now, to one look. */
static void on_definitions_synced(void *ctx)
{
    struct store_side *side = ctx;
    side->is_definitions_synced = true;
    look_soon(side);
    side->looks = ARRAY_LEN(look_after_ms) - 1;
}

static void watch_definitions(struct store_side *side)
{
    const struct kube_resource *resource = kube_discovery_find(side->discovery, CRD_API, CRD_KIND);
    look_later(side, side->store->opts.poll_ms);
    if (side->definitions || !resource)
        return;
    const struct kube_watch_handler handler = { .on_event = on_definition,
                                                .on_synced = on_definitions_synced,
                                                .ctx = side };
    side->definitions = kube_watch_start(
        side->kube, resource,
        &(struct kube_watch_opts){ .is_metadata_only = true, .silence_ms = SILENCE_MS }, &handler);
}

void store_side_stop(struct store_side *side)
{
    loop_cancel(side->store->opts.loop, side->timer);
    kube_watch_stop(side->definitions);
    side->timer = 0;
    side->definitions = NULL;
}

/* -- kinds ---------------------------------------------------------------------------------------------------------- */

static void set_traits(struct store_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(traits); i++) {
        if (strcmp(traits[i].api_version, kind->api_version) != 0 ||
            strcmp(traits[i].kind, kind->name) != 0)
            continue;
        kind->is_metadata = traits[i].is_metadata;
        kind->keeps_all = traits[i].keeps_all;
        kind->drops_status = traits[i].drops_status;
    }
}

struct store_kind *store_kind_need(struct store *store, bool is_mesh, const char *api_version,
                                   const char *name)
{
    const char *key =
        arena_printf(store->mem, "%s%s/%s", is_mesh ? "mesh " : "", api_version, name);
    struct store_kind *kind = map_get(store->kinds, key);
    if (kind)
        return kind;
    kind = base_alloc(sizeof(*kind));
    *kind = (struct store_kind){ .store = store,
                                 .side = &store->sides[is_mesh],
                                 .api_version = base_copy_text(api_version),
                                 .name = base_copy_text(name) };
    kind->objects = map_new(NULL);
    set_traits(kind);
    map_set(store->kinds, key, kind);
    const struct kube_resource *resource =
        kube_discovery_find(kind->side->discovery, api_version, name);
    kind->is_missing = !resource;
    if (resource)
        start_feeds(kind, resource);
    else
        watch_definitions(kind->side);
    return kind;
}

void store_kind_free(void *at)
{
    struct store_kind *kind = at;
    void *value;
    for (size_t i = 0; map_next(kind->objects, &i, NULL, &value);)
        store_object_free(value);
    stop_feeds(kind);
    map_free(kind->objects);
    free(kind->api_version);
    free(kind->name);
    free(kind);
}
