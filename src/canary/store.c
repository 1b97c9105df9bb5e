#include "canary/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canary/hash.h"
#include "canary/store_parts.h"
#include "doc/json.h"
#include "doc/object.h"

#define EVENT_ARENA_BYTES ((size_t)256 << 20)
#define POLL_MS           10000
#define CANARY_API        "flagger.app/v1beta1"

/* -- names ------------------------------------------------------------------------------------------------------- */

const char *store_key(struct arena *mem, const char *ns, const char *name)
{
    return arena_printf(mem, "%s/%s", ns, name);
}

uint64_t store_version_parse(const char *text)
{
    if (!text || *text < '0' || *text > '9')
        return 0;
    char *end;
    errno = 0;
    unsigned long long version = strtoull(text, &end, 10);
    return errno || *end ? 0 : version;
}

/* -- who is told -------------------------------------------------------------------------------------------------- */

static void on_turn(void *ctx)
{
    struct store *store = ctx;
    store->turn = 0;
    for (size_t i = 0; i < store->due.len; i++) {
        struct store_owner *owner = store->due.at[i];
        if (!owner)
            continue;
        owner->due_at = 0;
        store->due.at[i] = NULL;
        store->opts.on_change(store->opts.ctx, owner->name); /* may forget it */
    }
    store->due.len = 0;
}

void store_tell(struct store_object *object)
{
    struct store *store = object->kind->store;
    for (size_t i = 0; i < object->owners.len; i++) {
        struct store_owner *owner = object->owners.at[i];
        if (owner->due_at)
            continue;
        *vec_push(NULL, &store->due) = owner;
        owner->due_at = store->due.len;
    }
    if (store->due.len && !store->turn)
        store->turn = loop_after(store->opts.loop, 0, on_turn, store);
}

void store_tell_canary(const struct store_object *object, bool is_gone)
{
    struct store *store = object->kind->store;
    if (object->kind->keeps_all)
        store->opts.on_canary(store->opts.ctx, object->ns, object->name, is_gone);
}

/* -- objects ------------------------------------------------------------------------------------------------------ */

struct store_object *store_object_new(struct store_kind *kind, const char *ns, const char *name)
{
    struct store *store = kind->store;
    struct store_object *object = base_alloc(sizeof(*object));
    *object = (struct store_object){ .kind = kind,
                                     .feed = store_feed_of(kind, ns),
                                     .ns = base_copy_text(ns),
                                     .name = base_copy_text(name),
                                     .state = LIVE_UNKNOWN };
    map_set(kind->objects, store_key(store->mem, ns, name), object);
    store->objects++;
    return object;
}

static void forget_content(struct store_object *object)
{
    object->kind->store->bytes -= object->json_len;
    object->json_len = 0;
    free(STEAL(object->json));
    free(STEAL(object->resource_version));
    free(STEAL(object->checksum));
}

void store_object_free(struct store_object *object)
{
    store_read_stop(object);
    forget_content(object);
    object->kind->store->objects--;
    vec_fini(&object->owners);
    free(object->ns);
    free(object->name);
    free(object->trouble);
    free(object);
}

/* Nobody wants it any more: its name stays. */
static void release(struct store_object *object)
{
    struct store_kind *kind = object->kind;
    const char *key = store_key(kind->store->mem, object->ns, object->name);
    if (object->feed && object->is_present) {
        store_present_add(&object->feed->present, key);
        if (object->feed->is_receiving && object->seen == object->feed->generation)
            store_present_add(&object->feed->next, key);
    }
    (void)map_take(kind->objects, key);
    store_object_free(object);
}

/* -- what is kept of an object ------------------------------------------------------------------------------------- */

static bool is_config(const struct store_kind *kind)
{
    return kind->is_metadata;
}

/* binaryData counts when there is any (canary.md 17.2 no. 4). */
static const char *checksum_of(struct arena *mem, const struct val *object)
{
    struct val *data = val_get(object, "data"), *binary = val_get(object, "binaryData");
    if (!val_len(binary))
        return canary_hash_config(mem, data);
    struct val *both = val_new_map(mem);
    val_set(mem, both, "binaryData", binary);
    if (data)
        val_set(mem, both, "data", data);
    return canary_hash_config(mem, both);
}

/* The object without what nobody reads. */
static struct val *strip(struct arena *mem, const struct store_object *at, const struct val *object)
{
    static const char *const data[] = { "data", "binaryData", "stringData" };
    struct val *kept = val_copy_sharing(mem, object);
    struct val *metadata = val_get(kept, "metadata");
    (void)val_remove(metadata, "managedFields");
    (void)val_remove(metadata, "resourceVersion");
    if (at->kind->drops_status)
        (void)val_remove(kept, "status");
    for (size_t i = 0; is_config(at->kind) && !at->keeps_data && i < ARRAY_LEN(data); i++)
        (void)val_remove(kept, data[i]);
    return kept;
}

static bool has_text(const char *have, const char *text)
{
    return have && text ? !strcmp(have, text) : have == text;
}

static bool keep(struct store_object *at, const struct val *object)
{
    struct store *store = at->kind->store;
    SCOPED(arena_free) struct arena *mem = arena_new(EVENT_ARENA_BYTES);
    size_t len;
    const char *json = val_json(mem, strip(mem, at, object), &len);
    const char *checksum = is_config(at->kind) ? checksum_of(mem, object) : NULL;
    bool is_same = at->state == LIVE_HERE && at->json_len == len && !memcmp(at->json, json, len) &&
                   has_text(at->checksum, checksum);
    if (!is_same) {
        forget_content(at);
        at->json = base_alloc(len + 1);
        memcpy(at->json, json, len);
        at->json_len = len;
        store->bytes += len;
        at->checksum = base_copy_text(checksum);
    }
    free(at->resource_version);
    at->resource_version = base_copy_text(object_resource_version(object));
    at->state = LIVE_HERE;
    return !is_same;
}

static void be_known(struct store_object *at)
{
    at->is_stale = false;
    at->failures = 0;
    free(STEAL(at->trouble));
}

void store_take(struct store_object *at, const struct val *object, bool is_ours)
{
    uint64_t version = store_version_parse(object_resource_version(object));
    bool was_unknown = at->state == LIVE_UNKNOWN || at->is_stale;
    if (version && version < at->version)
        return;
    if (version && version == at->version && at->state == LIVE_HERE && !at->is_stale)
        return;
    at->version = MAX_OF(version, at->version);
    at->is_present = true;
    bool has_changed = keep(at, object) || was_unknown;
    be_known(at);
    if (!has_changed || is_ours)
        return;
    store_tell(at);
    store_tell_canary(at, false);
}

void store_take_gone(struct store_object *at, uint64_t version, bool is_ours)
{
    bool was_known_gone = at->state == LIVE_ABSENT && !at->is_stale;
    if (version && version < at->version)
        return;
    at->version = MAX_OF(version, at->version);
    at->state = LIVE_ABSENT;
    at->is_present = false;
    forget_content(at);
    be_known(at);
    if (was_known_gone || is_ours)
        return;
    store_tell(at);
}

/* -- wants -------------------------------------------------------------------------------------------------------- */

static struct store_object *find_object(struct store *store, const struct live_key *key,
                                        struct store_kind **out_kind)
{
    struct store_kind *kind =
        store_kind_need(store, key->is_mesh && store->opts.mesh_kube, key->api_version, key->kind);
    *out_kind = kind;
    return map_get(kind->objects, store_key(store->mem, key->ns, key->name));
}

/* Its name is no longer one that nobody wants: whether it was one. */
static bool take_name(struct store_object *object)
{
    struct store_feed *feed = object->feed;
    const char *key = store_key(object->kind->store->mem, object->ns, object->name);
    bool is_there = store_present_has(&feed->present, key);
    store_present_remove(&feed->present, key);
    if (feed->is_receiving && store_present_has(&feed->next, key)) {
        store_present_remove(&feed->next, key);
        object->seen = feed->generation;
    }
    return is_there;
}

/* What the watch knows already; the rest is read. */
static void find_out(struct store_object *object, bool is_source)
{
    const struct store_kind *kind = object->kind;
    const struct store_feed *feed = object->feed;
    if (kind->is_missing)
        return;
    if (!feed && !strcmp(kind->api_version, CANARY_API)) {
        object->state = LIVE_ABSENT; /* 17.5: outside of --namespace there are none */
        return;
    }
    object->is_present = feed && take_name(object);
    if (!feed || feed->is_refused || object->is_present || (is_source && feed->is_synced))
        store_read(object);
    else if (feed->is_synced)
        object->state = LIVE_ABSENT;
}

static struct store_object *need_object(struct store *store, const struct live_key *key)
{
    struct store_kind *kind;
    struct store_object *object = find_object(store, key, &kind);
    if (!object) {
        object = store_object_new(kind, key->ns, key->name);
        object->keeps_data = key->form == LIVE_SECRET;
        find_out(object, key->is_source);
    } else if (key->form == LIVE_SECRET && !object->keeps_data) {
        object->keeps_data = true;
        object->is_stale = object->state == LIVE_HERE;
        if (object->is_stale)
            store_read(object);
    }
    return object;
}

static void drop_owner(struct store_object *object, const struct store_owner *owner)
{
    for (size_t i = 0; i < object->owners.len; i++) {
        if (object->owners.at[i] == owner) {
            object->owners.at[i] = object->owners.at[--object->owners.len];
            break;
        }
    }
    if (!object->owners.len && !object->kind->keeps_all)
        release(object);
}

static struct store_owner *need_owner(struct store *store, const char *name)
{
    struct store_owner *owner = map_get(store->owners, name);
    if (owner)
        return owner;
    owner = base_alloc(sizeof(*owner));
    owner->name = base_copy_text(name);
    map_set(store->owners, name, owner);
    return owner;
}

void store_want_more(struct store *store, const char *name, const struct live_wants *wants)
{
    struct store_owner *owner = need_owner(store, name);
    uint64_t has = ++store->marks;
    for (size_t i = 0; i < owner->wants.len; i++)
        owner->wants.at[i]->mark = has;
    for (size_t i = 0; i < wants->keys.len; i++) {
        struct store_object *object = need_object(store, &wants->keys.at[i]);
        if (object->mark == has)
            continue;
        object->mark = has;
        *vec_push(NULL, &object->owners) = owner;
        *vec_push(NULL, &owner->wants) = object;
    }
    arena_reset(store->mem);
}

void store_want(struct store *store, const char *name, const struct live_wants *wants)
{
    store_want_more(store, name, wants);
    struct store_owner *owner = need_owner(store, name);
    uint64_t has = ++store->marks;
    for (size_t i = 0; i < wants->keys.len; i++) {
        struct store_kind *kind;
        find_object(store, &wants->keys.at[i], &kind)->mark = has;
    }
    size_t kept = 0;
    for (size_t i = 0; i < owner->wants.len; i++) {
        if (owner->wants.at[i]->mark == has)
            owner->wants.at[kept++] = owner->wants.at[i];
        else
            drop_owner(owner->wants.at[i], owner);
    }
    owner->wants.len = kept;
    arena_reset(store->mem);
}

static void free_owner(void *at)
{
    struct store_owner *owner = at;
    vec_fini(&owner->wants);
    free(owner->name);
    free(owner);
}

void store_forget(struct store *store, const char *name)
{
    struct store_owner *owner = map_take(store->owners, name);
    if (!owner)
        return;
    if (owner->due_at)
        store->due.at[owner->due_at - 1] = NULL;
    for (size_t i = 0; i < owner->wants.len; i++)
        drop_owner(owner->wants.at[i], owner);
    free_owner(owner);
    arena_reset(store->mem);
}

/* -- looking ------------------------------------------------------------------------------------------------------ */

static struct val *parse(struct arena *mem, const struct store_object *object)
{
    struct val *v = NULL;
    struct err *e = doc_json_parse(mem, object->json, object->json_len, &v);
    ASSERT(!e); /* we wrote it */
    struct val *metadata = val_get(v, "metadata");
    if (metadata && *object->resource_version)
        val_set_text(mem, metadata, "resourceVersion", object->resource_version);
    return v;
}

static enum live_state state_of(const struct store_object *object)
{
    if (object->kind->is_missing)
        return LIVE_NO_KIND;
    return object->is_stale ? LIVE_UNKNOWN : object->state;
}

bool store_has_no_canaries(const struct store *store)
{
    return store->canaries && store->canaries->is_missing;
}

bool store_look(struct store *store, struct arena *mem, const struct live_wants *wants,
                struct live *live)
{
    bool is_known = true;
    for (size_t i = 0; i < wants->keys.len; i++) {
        struct store_kind *kind;
        struct store_object *object = find_object(store, &wants->keys.at[i], &kind);
        enum live_state state = object ? state_of(object) : LIVE_UNKNOWN;
        is_known = is_known && state != LIVE_UNKNOWN;
        if (state == LIVE_UNKNOWN)
            continue;
        bool is_here = state == LIVE_HERE;
        live_put(live, &wants->keys.at[i], state, is_here ? parse(mem, object) : NULL,
                 is_here && object->checksum ? arena_strdup(mem, object->checksum) : NULL);
    }
    arena_reset(store->mem);
    return is_known;
}

bool store_lacks(struct store *store, struct arena *mem, const struct live_wants *wants,
                 struct store_lack *out)
{
    bool is_found = false;
    *out = (struct store_lack){ "", NULL };
    for (size_t i = 0; !is_found && i < wants->keys.len; i++) {
        const struct live_key *key = &wants->keys.at[i];
        struct store_kind *kind;
        const struct store_object *object = find_object(store, key, &kind);
        is_found = !object || state_of(object) == LIVE_UNKNOWN;
        if (is_found)
            *out = (struct store_lack){ arena_printf(mem, "%s %s%s%s", key->kind, key->name,
                                                     *key->ns ? "." : "", key->ns),
                                        arena_strdup(mem, object ? object->trouble : NULL) };
    }
    arena_reset(store->mem);
    return is_found;
}

const struct val *store_canary(struct store *store, struct arena *mem, const char *ns,
                               const char *name)
{
    const struct store_object *object =
        map_get(store->canaries->objects, store_key(store->mem, ns, name));
    const struct val *canary = object && object->state == LIVE_HERE ? parse(mem, object) : NULL;
    arena_reset(store->mem);
    return canary;
}

bool store_has_canaries(const struct store *store)
{
    return !store->canaries->is_missing;
}

/* -- our own writes ------------------------------------------------------------------------------------------------ */

void store_note(struct store *store, const struct live_key *key, const struct val *object)
{
    struct store_kind *kind;
    struct store_object *at = find_object(store, key, &kind);
    if (at) {
        store_take(at, object, true);
        at->seen = at->feed ? at->feed->generation : 0; /* a picture begun before may lack it */
    }
    arena_reset(store->mem);
}

void store_note_gone(struct store *store, const struct live_key *key)
{
    struct store_kind *kind;
    struct store_object *at = find_object(store, key, &kind);
    if (at)
        store_take_gone(at, 0, true);
    arena_reset(store->mem);
}

void store_refresh(struct store *store, const struct live_key *key)
{
    struct store_kind *kind;
    struct store_object *at = find_object(store, key, &kind);
    if (at && !kind->is_missing) {
        at->is_stale = true;
        store_read(at);
    }
    arena_reset(store->mem);
}

/* -- the store ----------------------------------------------------------------------------------------------------- */

struct store *store_new(const struct store_opts *opts)
{
    struct store *store = base_alloc(sizeof(*store));
    *store = (struct store){
        .opts = *opts,
        .sides = { { .store = store, .kube = opts->kube, .discovery = opts->discovery },
                   { .store = store, .kube = opts->mesh_kube, .discovery = opts->mesh_discovery } },
        .kinds = map_new(store_kind_free),
        .owners = map_new(free_owner),
        .mem = arena_new(EVENT_ARENA_BYTES),
    };
    if (store->opts.poll_ms <= 0)
        store->opts.poll_ms = POLL_MS;
    return store;
}

static void on_nothing_to_see(void *ctx)
{
    struct store *store = ctx;
    store->start = 0;
    store->was_synced = true;
    store->opts.on_synced(store->opts.ctx);
}

void store_start(struct store *store)
{
    store->canaries = store_kind_need(store, false, CANARY_API, "Canary");
    if (store->canaries->is_missing)
        store->start = loop_after(store->opts.loop, 0, on_nothing_to_see, store);
    arena_reset(store->mem);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    store->is_ending = true;
    loop_cancel(store->opts.loop, store->turn);
    loop_cancel(store->opts.loop, store->start);
    for (size_t i = 0; i < ARRAY_LEN(store->sides); i++)
        store_side_stop(&store->sides[i]);
    map_free(store->kinds);
    map_free(store->owners);
    vec_fini(&store->due);
    vec_fini(&store->queue);
    arena_free(store->mem);
    free(store);
}

void store_figures(const struct store *store, struct store_figures *out)
{
    *out = (struct store_figures){ .canaries = map_len(store->canaries->objects),
                                   .kinds = map_len(store->kinds),
                                   .objects = store->objects,
                                   .bytes = store->bytes };
}
