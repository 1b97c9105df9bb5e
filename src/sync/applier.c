#include "sync/applier.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/object.h"
#include "sync/drift.h"
#include "sync/encrypted.h"
#include "sync/order.h"
#include "sync/picture.h"
#include "sync/resolve.h"

/* The client bounds what is in flight on the wire; this bounds the bodies that wait for it. */
#define AT_ONCE         24
#define CRD_POLL_MS     100
#define CRD_POLL_MAX_MS 1000
#define LAST_WAVE       ORDER_RANKS /* kinds that the cluster learns during the run */
#define LEARNING_MS     30000       /* an API server may go by a definition's older self so long */

struct work {
    struct inventory_object *object;
    struct applier *applier;
    int wave;
    ticket ticket;
    bool is_running, was_drift, has_answer; /* has_answer: the object was asked for in this run */
    char *body; /* with what another owns as it is in the cluster; NULL: that of the object */
};

struct definition {
    struct applier *applier;
    char *name;
    ticket ticket;
    bool is_established;
};

struct applier {
    struct applier_opts opts;
    VEC(struct work *) work; /* what has begun, then the rest in order of wave, name */
    size_t next, running;
    int wave;
    bool is_running, is_refreshing, is_advancing;
    ticket turn;
    struct arena *mem;                    /* of one step */
    VEC(struct definition *) definitions; /* CRDs applied in this run */
    size_t asking;                        /* CRDs being asked about */
    struct map *changed; /* name of a CRD that was applied with a change -> loop time, int64_t */
    int64_t crd_deadline_ms, crd_wait_ms;
};

static void advance(struct applier *applier);
static void step(struct work *work);

struct applier *applier_new(const struct applier_opts *opts)
{
    struct applier *applier = base_alloc(sizeof(*applier));
    applier->opts = *opts;
    if (!applier->opts.crd_timeout_ms)
        applier->opts.crd_timeout_ms = 30000;
    applier->mem = arena_new(ARENA_LIMIT_BYTES);
    applier->changed = map_new(free);
    return applier;
}

static void end_run(struct applier *applier)
{
    for (size_t i = 0; i < applier->work.len; i++) {
        struct work *work = applier->work.at[i];
        if (work->is_running)
            kube_cancel(applier->opts.kube, work->ticket);
        work->object->is_busy = work->object->is_listed = false;
        free(work->body);
        free(work);
    }
    vec_fini(&applier->work);
    applier->next = applier->running = 0;
    for (size_t i = 0; i < applier->definitions.len; i++) {
        kube_cancel(applier->opts.kube, applier->definitions.at[i]->ticket);
        free(applier->definitions.at[i]->name);
        free(applier->definitions.at[i]);
    }
    vec_fini(&applier->definitions);
    applier->is_running = false;
}

void applier_free(struct applier *applier)
{
    if (!applier)
        return;
    loop_cancel(applier->opts.loop, applier->turn);
    end_run(applier);
    map_free(applier->changed);
    arena_free(applier->mem);
    free(applier);
}

static int64_t wall_ms(const struct applier *applier)
{
    return loop_wall_ms(applier->opts.loop);
}

static const struct kube_resource *resource_of(const struct applier *applier,
                                               const struct inventory_object *object)
{
    return kube_discovery_find(applier->opts.discovery, object->api_version, object->kind);
}

/* -- one object ---------------------------------------------------------------------------------------------- */

static void end_object(struct work *work, bool has_changed, const struct err *e)
{
    struct applier *applier = work->applier;
    work->is_running = false;
    work->object->is_busy = false;
    applier->running--;
    applier->opts.on_object(applier->opts.ctx,
                            &(struct applier_outcome){ .object = work->object,
                                                       .has_changed = has_changed,
                                                       .was_drift = work->was_drift,
                                                       .err = e });
    advance(applier);
}

static bool may_time_mend(enum kube_refusal refusal, const struct err *e)
{
    switch (refusal) {
    case KUBE_REFUSED_NAMESPACE_MISSING:
    case KUBE_REFUSED_NAMESPACE_TERMINATING:
    case KUBE_REFUSED_KIND_UNKNOWN:
    case KUBE_REFUSED_CONFLICT:
    case KUBE_REFUSED_THROTTLED:
    case KUBE_REFUSED_SERVER: return true;
    case KUBE_REFUSED_MANIFEST:
    case KUBE_REFUSED_OBJECT_MISSING:
    case KUBE_REFUSED_ALREADY_EXISTS:
    case KUBE_REFUSED_FIELD_CONFLICT:
    case KUBE_REFUSED_EXPIRED:
    case KUBE_REFUSED_UNAUTHORIZED:
    case KUBE_REFUSED_FORBIDDEN:
    case KUBE_REFUSED_OTHER: break;
    }
    return err_is(e, ERR_TRANSIENT) || err_is(e, ERR_CONFLICT);
}

/* What a custom object has may be unknown to the server only because it goes by the definition that was there before. */
static bool is_being_learned(const struct applier *applier, struct arena *mem,
                             const struct inventory_object *object)
{
    const struct kube_resource *resource = resource_of(applier, object);
    if (!resource || !*resource->group)
        return false;
    const int64_t *changed_ms =
        map_get(applier->changed, arena_printf(mem, "%s.%s", resource->plural, resource->group));
    return changed_ms && loop_now_ms(applier->opts.loop) - *changed_ms < LEARNING_MS;
}

/* The server's words about an object that is encrypted in the repository. */
static const char *unquoted(struct arena *mem, const struct inventory_object *object,
                            const char *text)
{
    const char *const kept[] = { object->name, object->ns, object->kind, object->api_version,
                                 NULL };
    return object->is_encrypted ? encrypted_mask(mem, text, kept) : text;
}

static void fail(struct work *work, enum kube_refusal refusal, const struct err *failure)
{
    struct inventory_object *object = work->object;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free)
    struct err *e = err_new(err_kind(failure), "%s", unquoted(mem, object, err_text(failure)));
    object->is_dirty = false;
    object->was_applied = false;
    object->has_refused_print = object->has_seen_print;
    memcpy(object->refused_print, object->seen_print, sizeof(object->refused_print));
    object->may_retry = may_time_mend(refusal, e) || is_being_learned(work->applier, mem, object);
    enum sync_outcome outcome =
        refusal == KUBE_REFUSED_KIND_UNKNOWN ? SYNC_UNKNOWN_KIND : SYNC_FAILED;
    inventory_set_outcome(object, outcome, err_text(e), wall_ms(work->applier));
    end_object(work, false, e);
}

/* What a watch showed while the apply was on its way counts if it is newer than the answer. */
static void judge_news(const struct applier *applier, struct inventory_object *object)
{
    if (!object->has_news)
        return;
    object->has_news = false;
    bool is_same = object->news_is_marked && object->news_has_print && object->has_print &&
                   !memcmp(object->news_print, object->live_print, sizeof(object->live_print));
    bool may_be_scaled = object->owns_replicas &&
                         !kube_discovery_tracks_scale(applier->opts.discovery) &&
                         object->news_generation != object->live_generation;
    if (object->news_version > object->live_version && (!is_same || may_be_scaled))
        object->is_dirty = true;
}

static void note_definition(struct applier *applier, const struct inventory_object *object,
                            bool has_changed)
{
    if (order_wait(object->api_version, object->kind) != ORDER_WAIT_CRD)
        return;
    if (has_changed) {
        int64_t *now_ms = base_alloc(sizeof(*now_ms));
        *now_ms = loop_now_ms(applier->opts.loop);
        map_set(applier->changed, object->name, now_ms);
    }
    struct definition *definition = base_alloc(sizeof(*definition));
    *definition = (struct definition){ .applier = applier, .name = base_copy_text(object->name) };
    *vec_push(NULL, &applier->definitions) = definition;
}

static void log_warning(const struct work *work, const char *warning)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (warning)
        log_warn(work->applier->opts.log, F("component", "sync"), F("resource", work->object->id),
                 F("warning", unquoted(mem, work->object, warning)));
}

static bool owns_replicas(const struct val *object)
{
    static const char *const field[] = { "f:spec", "f:replicas", NULL };
    return kube_apply_owns(object, KUBE_FIELD_MANAGER, field);
}

static void on_applied(void *ctx, const struct kube_apply_result *result)
{
    struct work *work = ctx;
    struct inventory_object *object = work->object;
    if (result->err) {
        fail(work, result->refusal, result->err);
        return;
    }
    uint64_t version = drift_version_parse(object_resource_version(result->object));
    bool has_changed = version != object->live_version;
    object->is_dirty = false;
    object->may_retry = false;
    object->live = INVENTORY_PRESENT;
    object->live_version = version;
    object->live_generation = object_generation(result->object);
    object->has_print =
        kube_apply_fingerprint(result->object, KUBE_FIELD_MANAGER, object->live_print);
    object->owns_replicas = owns_replicas(result->object);
    object->was_applied = object->has_mark = true;
    object->is_kept = inventory_owned(work->applier->opts.inventory, object) != 0;
    memcpy(object->applied_print, object->body_print, sizeof(object->applied_print));
    free(object->uid);
    object->uid = base_copy_text(object_uid(result->object));
    inventory_set_outcome(object, SYNC_APPLIED, NULL, wall_ms(work->applier));
    log_warning(work, result->warning);
    note_definition(work->applier, object, has_changed);
    judge_news(work->applier, object);
    end_object(work, has_changed, NULL);
}

/* The replicas of what an autoscaler scales are ours only until it takes them: on creation, and (as they are in the cluster, see
 * keeps_scale) as long as our entry has them (api-server.md 1.3, case 2). */
static const char *body_to_send(struct work *work)
{
    const struct inventory_object *object = work->object;
    bool has_replicas = object->live == INVENTORY_ABSENT || object->owns_replicas;
    if (work->body)
        return work->body;
    if (has_replicas || !inventory_has_scaler(work->applier->opts.inventory, object))
        return object->body;
    return resolve_drop_replicas(work->applier->mem, object->body);
}

static void send(struct work *work)
{
    struct applier *applier = work->applier;
    struct inventory_object *object = work->object;
    const struct kube_resource *resource = resource_of(applier, object);
    work->ticket =
        kube_apply_start(applier->opts.kube, resource, object->ns, object->name, body_to_send(work),
                         &(struct kube_apply_opts){ 0 }, on_applied, work);
    arena_reset(applier->mem);
}

/* The replicas of what an autoscaler scales, as long as our entry has them, or is to have them after a takeover: they are sent as
 * they are in the cluster. Left out they would fall back to one, and git's value would undo what the autoscaler did where a write
 * to the scale leaves no entry (before 1.22). */
static bool keeps_scale(const struct work *work)
{
    const struct inventory_object *object = work->object;
    return (object->live == INVENTORY_UNSEEN || object->owns_replicas || object->needs_takeover) &&
           inventory_has_scaler(work->applier->opts.inventory, object);
}

/* Parts of its spec (enum owner_field) are another's, and stay as they are in the cluster. */
static unsigned keeps_live(const struct work *work)
{
    unsigned owned = inventory_owned(work->applier->opts.inventory, work->object);
    return (owned & (OWNER_SELECTOR | OWNER_ROUTES)) | (keeps_scale(work) ? OWNER_REPLICAS : 0);
}

static void on_taken_over(void *ctx, const struct kube_apply_result *result)
{
    struct work *work = ctx;
    if (result->err) {
        fail(work, result->refusal, result->err);
        return;
    }
    work->object->needs_takeover = false;
    if (result->object)
        work->object->owns_replicas = owns_replicas(result->object);
    if (!keeps_live(work))
        free(STEAL(work->body));
    step(work);
}

static void note_answer(struct work *work, const struct val *seen)
{
    struct inventory_object *object = work->object;
    struct arena *mem = work->applier->mem;
    struct drift_seen read;
    picture_note(mem, object, seen, &read);
    if (keeps_live(work)) {
        free(work->body);
        work->body = base_copy_text(resolve_keep_live(mem, object->body, seen, keeps_live(work)));
    }
    if (!object->needs_takeover || object->live_ignore == MARK_IGNORE_YES) {
        step(work);
        return;
    }
    work->ticket = kube_takeover_start(work->applier->opts.kube, resource_of(work->applier, object),
                                       seen, on_taken_over, work);
}

static void on_asked(void *ctx, const struct kube_result *result)
{
    struct work *work = ctx;
    struct arena *mem = work->applier->mem;
    work->has_answer = true;
    if (result->status == 404) {
        work->object->live = INVENTORY_ABSENT;
        work->object->needs_takeover = false;
        work->object->live_ignore = MARK_IGNORE_NO;
        step(work);
        return;
    }
    if (result->err) {
        enum kube_refusal refusal = KUBE_REFUSED_OTHER;
        SCOPED(err_free)
        struct err *e = result->status ? kube_status_error(result->status, result->body,
                                                           result->body_len, &refusal)
                                       : err_copy(result->err);
        fail(work, refusal, e ? e : result->err);
        return;
    }
    struct val *seen = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, result->body, result->body_len, &seen);
    if (e)
        fail(work, KUBE_REFUSED_SERVER, e);
    else
        note_answer(work, seen);
    arena_reset(mem);
}

static void ask(struct work *work)
{
    struct applier *applier = work->applier;
    const struct inventory_object *object = work->object;
    struct kube_request request = { .method = "GET",
                                    .accept = keeps_live(work) ? KUBE_FULL : KUBE_METADATA };
    request.path =
        kube_path(applier->mem, resource_of(applier, object), object->ns, object->name, NULL);
    work->ticket = kube_start(applier->opts.kube, &request, on_asked, work);
    arena_reset(applier->mem);
}

static void step(struct work *work)
{
    struct inventory_object *object = work->object;
    bool wants_answer =
        object->needs_takeover || (keeps_live(work) && object->live == INVENTORY_PRESENT);
    if (object->live == INVENTORY_UNSEEN || (wants_answer && !work->has_answer)) {
        ask(work);
        return;
    }
    if (object->live_ignore == MARK_IGNORE_YES) {
        object->is_dirty = false;
        inventory_set_outcome(object, SYNC_SKIPPED,
                              "not applying resource; ignore annotation in cluster resource",
                              wall_ms(work->applier));
        end_object(work, false, NULL);
        return;
    }
    send(work);
}

static void begin(struct work *work)
{
    struct applier *applier = work->applier;
    work->is_running = true;
    work->object->is_busy = true;
    work->object->is_listed = false;
    work->object->has_news = false;
    applier->running++;
    if (resource_of(applier, work->object)) {
        step(work);
        return;
    }
    SCOPED(err_free)
    struct err *e = err_new(ERR_NOT_FOUND, "the cluster does not know the kind %s of %s",
                            work->object->kind, work->object->api_version);
    fail(work, KUBE_REFUSED_KIND_UNKNOWN, e);
}

/* -- CRDs that must be established before the last wave -------------------------------------------------------- */

static void on_turn(void *ctx)
{
    struct applier *applier = ctx;
    applier->turn = 0;
    advance(applier);
}

static bool is_established(struct arena *mem, const char *body, size_t len)
{
    struct val *crd = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, body, len, &crd);
    const struct val *conditions = e ? NULL : VAL_PATH(crd, "status", "conditions");
    for (size_t i = 0; i < val_len(conditions); i++) {
        const struct val *one = val_item(conditions, i);
        if (!strcmp(val_text_or(val_get(one, "type"), ""), "Established"))
            return !strcmp(val_text_or(val_get(one, "status"), ""), "True");
    }
    return false;
}

static void on_definition(void *ctx, const struct kube_result *result)
{
    struct definition *definition = ctx;
    struct applier *applier = definition->applier;
    definition->ticket = 0;
    definition->is_established =
        !result->err && is_established(applier->mem, result->body, result->body_len);
    arena_reset(applier->mem);
    if (--applier->asking == 0)
        applier->turn = loop_after(applier->opts.loop, applier->crd_wait_ms, on_turn, applier);
}

/* Asks about those that are not established yet; false when there are none. */
static bool ask_definitions(struct applier *applier)
{
    applier->crd_wait_ms = MIN_OF(applier->crd_wait_ms * 2, (int64_t)CRD_POLL_MAX_MS);
    for (size_t i = 0; i < applier->definitions.len; i++) {
        struct definition *definition = applier->definitions.at[i];
        if (definition->is_established)
            continue;
        applier->asking++;
        const char *path =
            arena_printf(applier->mem, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s",
                         definition->name);
        definition->ticket =
            kube_start(applier->opts.kube, &(struct kube_request){ .method = "GET", .path = path },
                       on_definition, definition);
    }
    arena_reset(applier->mem);
    return applier->asking > 0;
}

static void on_refreshed(void *ctx, const struct err *e)
{
    struct applier *applier = ctx;
    (void)e; /* kinds that are still unknown are reported one by one */
    applier->is_refreshing = false;
    applier->turn = loop_after(applier->opts.loop, 0, on_turn, applier);
}

static bool is_due(const struct inventory_object *object, int64_t now_ms)
{
    return object->is_dirty && object->body && !object->rival && !object->is_busy &&
           !object->is_listed && object->not_before_ms <= now_ms;
}

/* A wait may last as long as half a minute: what has drifted by now does not wait for its end. */
static void begin_drifted(struct applier *applier)
{
    int64_t now_ms = loop_now_ms(applier->opts.loop);
    void *value;
    for (size_t at = 0; applier->running < AT_ONCE &&
                        map_next(applier->opts.inventory->objects, &at, NULL, &value);) {
        if (!is_due(value, now_ms) || !resource_of(applier, value))
            continue;
        struct work *work = base_alloc(sizeof(*work));
        *work = (struct work){
            .object = value, .applier = applier, .wave = applier->wave, .was_drift = true
        };
        *vec_push(NULL, &applier->work) = NULL;
        struct work **next = &applier->work.at[applier->next];
        memmove(next + 1, next, (applier->work.len - applier->next - 1) * sizeof(*next));
        *next = work;
        applier->next++;
        begin(work);
    }
}

/* True when the last wave may begin. */
static bool are_definitions_ready(struct applier *applier)
{
    int64_t now_ms = loop_now_ms(applier->opts.loop);
    if (!applier->crd_deadline_ms) {
        applier->crd_deadline_ms = now_ms + applier->opts.crd_timeout_ms;
        applier->crd_wait_ms = CRD_POLL_MS / 2;
    }
    if (now_ms < applier->crd_deadline_ms && ask_definitions(applier)) {
        begin_drifted(applier);
        return false;
    }
    for (size_t i = 0; i < applier->definitions.len; i++) {
        if (!applier->definitions.at[i]->is_established)
            log_warn(applier->opts.log, F("component", "sync"),
                     F("crd", applier->definitions.at[i]->name),
                     F("warning", "not established; what needs it is tried again later"));
    }
    applier->is_refreshing = true;
    applier->wave = LAST_WAVE;
    kube_discovery_refresh(applier->opts.discovery, on_refreshed, applier);
    return false;
}

/* -- waves ----------------------------------------------------------------------------------------------------- */

/* False when nothing more can begin now. */
static bool begin_next(struct applier *applier)
{
    struct work *work = applier->work.at[applier->next];
    if (work->wave > applier->wave) {
        if (applier->running || (work->wave == LAST_WAVE && !are_definitions_ready(applier)))
            return false;
        applier->wave = work->wave;
    }
    applier->next++;
    begin(work);
    return true;
}

/* Objects that fail at once come back here by way of end_object: is_advancing keeps that flat. */
static void advance(struct applier *applier)
{
    if (!applier->is_running || applier->is_advancing || applier->is_refreshing ||
        applier->asking || applier->turn)
        return;
    applier->is_advancing = true;
    bool goes_on = true;
    while (goes_on && applier->next < applier->work.len && applier->running < AT_ONCE)
        goes_on = begin_next(applier);
    applier->is_advancing = false;
    if (applier->next == applier->work.len && !applier->running) {
        end_run(applier);
        applier->opts.done(applier->opts.ctx);
    }
}

static int compare(const void *a, const void *b)
{
    const struct work *x = *(struct work *const *)a, *y = *(struct work *const *)b;
    if (x->wave != y->wave)
        return x->wave < y->wave ? -1 : 1;
    struct order_key left = { x->object->rank, x->object->name, x->object->id };
    struct order_key right = { y->object->rank, y->object->name, y->object->id };
    return order_compare(&left, &right);
}

void applier_run(struct applier *applier)
{
    ASSERT(!applier->is_running);
    const struct map *objects = applier->opts.inventory->objects;
    int64_t now_ms = loop_now_ms(applier->opts.loop);
    void *value;
    for (size_t at = 0; map_next(objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        if (!is_due(object, now_ms))
            continue;
        struct work *work = base_alloc(sizeof(*work));
        int wave = resource_of(applier, object) ? object->rank : LAST_WAVE;
        *work = (struct work){ .object = object, .applier = applier, .wave = wave };
        *vec_push(NULL, &applier->work) = work;
        object->is_listed = true;
    }
    if (applier->work.len)
        qsort(applier->work.at, applier->work.len, sizeof(*applier->work.at), compare);
    applier->wave = 0;
    applier->crd_deadline_ms = 0;
    applier->is_running = true;
    applier->turn = loop_after(applier->opts.loop, 0, on_turn, applier);
}
