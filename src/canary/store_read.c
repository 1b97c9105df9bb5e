#include <stdlib.h>

#include "canary/store_parts.h"
#include "doc/json.h"
#include "doc/object.h"

#define AT_ONCE      8 /* so that other requests find a place, too */
#define RETRY_MS     1000
#define RETRY_MAX_MS 30000

static void pump(struct store *store);

static void forget_reads(struct store *store)
{
    if (store->queue_at == store->queue.len)
        store->queue_at = store->queue.len = 0;
}

void store_read(struct store_object *object)
{
    struct store *store = object->kind->store;
    loop_cancel(store->opts.loop, object->retry);
    object->retry = 0;
    object->is_asked_again = object->read != 0;
    if (object->read || object->is_queued)
        return;
    object->is_queued = true;
    *vec_push(NULL, &store->queue) = object;
    pump(store);
}

void store_read_stop(struct store_object *object)
{
    struct store *store = object->kind->store;
    loop_cancel(store->opts.loop, object->retry);
    object->retry = 0;
    bool was_read = object->read != 0;
    if (was_read) {
        kube_cancel(object->kind->side->kube, object->read);
        object->read = 0;
        store->reading--;
    }
    for (size_t i = store->queue_at; object->is_queued && i < store->queue.len; i++) {
        if (store->queue.at[i] == object)
            store->queue.at[i] = NULL;
    }
    object->is_queued = object->is_asked_again = false;
    if (was_read)
        pump(store); /* its place is free */
}

static void on_retry(void *ctx)
{
    struct store_object *object = ctx;
    object->retry = 0;
    store_read(object);
}

static void read_later(struct store_object *object)
{
    int64_t after_ms = RETRY_MS;
    for (int i = 0; i < object->failures && after_ms < RETRY_MAX_MS; i++)
        after_ms *= 2;
    object->failures++;
    object->retry = loop_after(object->kind->store->opts.loop,
                               MIN_OF(after_ms, (int64_t)RETRY_MAX_MS), on_retry, object);
}

/* A key that somebody waits for is tried until it is known; those who wait may want to know why it takes so long. */
static void on_failed(struct store_object *object, const char *text)
{
    const struct store *store = object->kind->store;
    bool is_needed = object->state == LIVE_UNKNOWN || object->is_stale;
    if (!object->trouble)
        log_warn(store->opts.log, F("component", "canary"), F("event", "cannot read"),
                 F("kind", object->kind->name), F("namespace", object->ns), F("name", object->name),
                 F("err", text));
    free(object->trouble);
    object->trouble = base_copy_text(text);
    read_later(object);
    if (is_needed)
        store_tell(object);
}

/* What is not watched is good for a while. Looked for or not: whoever is at rest waits for a change of it. */
static void read_again(struct store_object *object)
{
    const struct store_opts *opts = &object->kind->store->opts;
    if (!object->feed || object->feed->is_refused)
        object->retry = loop_after(opts->loop, opts->poll_ms, on_retry, object);
}

static void take_answer(struct store_object *object, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    if (result->refusal == KUBE_REFUSED_OBJECT_MISSING && result->err) {
        store_take_gone(object, 0, false);
        read_again(object);
        return;
    }
    SCOPED(err_free)
    struct err *e = result->err ? err_copy(result->err)
                                : doc_json_parse(mem, result->body, result->body_len, &v);
    if (!e && !val_is_map(val_get(v, "metadata")))
        e = err_new(ERR_TRANSIENT, "the answer is no object");
    if (e) {
        on_failed(object, err_text(e));
        return;
    }
    store_take(object, v, false);
    if (object->state == LIVE_UNKNOWN || object->is_stale)
        read_later(object); /* it is older than what the watch has told already */
    else
        read_again(object);
}

static void on_read(void *ctx, const struct kube_result *result)
{
    struct store_object *object = ctx;
    struct store *store = object->kind->store;
    bool is_asked_again = object->is_asked_again;
    object->read = 0;
    object->is_asked_again = false;
    store->reading--;
    /* Something happened since: an answer from before it says nothing of absence, and an object may be newer. */
    if (is_asked_again)
        store_read(object);
    else
        take_answer(object, result);
    pump(store);
}

static void start_read(struct store_object *object)
{
    const struct store_kind *kind = object->kind;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct kube_resource *resource =
        kube_discovery_find(kind->side->discovery, kind->api_version, kind->name);
    if (!resource) { /* gone with a refresh that somebody else asked for: ours will see it, too */
        read_later(object);
        return;
    }
    const struct kube_request request = {
        .method = "GET",
        .path = kube_path(mem, resource, object->ns, object->name, NULL),
    };
    kind->store->reading++;
    object->read = kube_start(kind->side->kube, &request, on_read, object);
}

static void pump(struct store *store)
{
    while (!store->is_ending && store->reading < AT_ONCE && store->queue_at < store->queue.len) {
        struct store_object *object = store->queue.at[store->queue_at++];
        if (!object)
            continue;
        object->is_queued = false;
        start_read(object);
    }
    forget_reads(store);
}
