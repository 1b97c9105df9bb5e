#include "kube/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/time.h"
#include "doc/val.h"

#define WAITING_MAX   5000
#define AT_A_TIME     4 /* half of what may be in flight */
#define TRIES         12
#define RETRY_MS      10000
#define PATH_BYTES    ((size_t)4096)
#define MESSAGE_BYTES ((size_t)4096)

/* An event that waits, with texts of its own. */
struct waiting {
    struct waiting *next;
    struct kube_event event;
    int64_t now_ns; /* when it was recorded */
};

/* One on its way, correlated: the only one of its object, so that its events stay in order. */
struct sending {
    struct kube_events *events;
    struct waiting *one; /* NULL: free */
    char *path, *body;   /* POST this, if that is what is to be done */
    char *patch_path, *patch;
    int tries;
    ticket request, timer;
};

struct kube_events {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    char *component, *host;
    int64_t retry_ms;
    struct kube_correlator *correlator;
    struct waiting *first, **last;
    size_t waiting;      /* those on their way included */
    bool is_overflowing; /* said so already */
    ticket turn;
    struct sending sending[AT_A_TIME];
};

/* -- the queue ----------------------------------------------------------------------------------------------------- */

static void waiting_free(struct waiting *one)
{
    const struct kube_event *event = &one->event;
    const char *const texts[] = { event->api_version, event->kind,   event->ns,
                                  event->name,        event->uid,    event->resource_version,
                                  event->reason,      event->message };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free((char *)texts[i]); /* copies made by waiting_new */
    free(one);
}

/* Of a long message no more is ever shown. */
static char *copy_message(const char *message)
{
    size_t len = strnlen(message, MESSAGE_BYTES);
    char *copy = base_alloc(len + 1);
    memcpy(copy, message, len);
    return copy;
}

static struct waiting *waiting_new(const struct kube_event *event, int64_t now_ns)
{
    struct waiting *one = base_alloc(sizeof(*one));
    one->now_ns = now_ns;
    one->event = (struct kube_event){
        .api_version = base_copy_text(event->api_version),
        .kind = base_copy_text(event->kind),
        .ns = base_copy_text(event->ns ? event->ns : ""),
        .name = base_copy_text(event->name),
        .uid = base_copy_text(event->uid ? event->uid : ""),
        .resource_version = base_copy_text(event->resource_version ? event->resource_version : ""),
        .is_warning = event->is_warning,
        .reason = base_copy_text(event->reason),
        .message = copy_message(event->message),
    };
    return one;
}

static bool is_of_same_object(const struct kube_event *a, const struct kube_event *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->ns, b->ns) == 0 &&
           strcmp(a->kind, b->kind) == 0;
}

static bool is_held(const struct kube_events *events, const struct waiting *one)
{
    for (size_t i = 0; i < AT_A_TIME; i++) {
        const struct waiting *other = events->sending[i].one;
        if (other && is_of_same_object(&other->event, &one->event))
            return true;
    }
    return false;
}

/* The oldest of an object that has none on its way; NULL: there is none. */
static struct waiting *take(struct kube_events *events)
{
    struct waiting **at = &events->first;
    while (*at && is_held(events, *at))
        at = &(*at)->next;
    struct waiting *one = *at;
    if (!one)
        return NULL;
    *at = one->next;
    if (!*at)
        events->last = at;
    one->next = NULL;
    return one;
}

static void forget_texts(struct sending *sending)
{
    char **const texts[] = { &sending->path, &sending->body, &sending->patch_path,
                             &sending->patch };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(STEAL(*texts[i]));
}

static void drop(struct sending *sending)
{
    struct waiting *one = STEAL(sending->one);
    sending->events->waiting--;
    sending->tries = 0;
    forget_texts(sending);
    waiting_free(one);
}

/* -- bodies -------------------------------------------------------------------------------------------------------- */

static void set_unless_empty(struct arena *mem, struct val *map, const char *key, const char *text)
{
    if (*text)
        val_set_text(mem, map, key, text);
}

static void set_seconds(struct arena *mem, struct val *map, const char *key, int64_t unix_ms)
{
    char text[TIME_TEXT_BYTES];
    time_format_seconds(unix_ms, text);
    val_set_text(mem, map, key, text);
}

static const char *ns_of(const struct kube_event *event)
{
    return *event->ns ? event->ns : "default"; /* of an object without one */
}

static const char *body_of(struct arena *mem, const struct kube_events *events,
                           const struct kube_event *event, const struct kube_correlated *as)
{
    struct val *root = val_new_map(mem);
    val_set_text(mem, root, "kind", "Event");
    val_set_text(mem, root, "apiVersion", "v1");
    struct val *metadata = val_need_map(mem, root, "metadata");
    val_set_text(mem, metadata, "name", as->name);
    val_set_text(mem, metadata, "namespace", ns_of(event));
    struct val *object = val_need_map(mem, root, "involvedObject");
    set_unless_empty(mem, object, "kind", event->kind);
    set_unless_empty(mem, object, "namespace", event->ns);
    set_unless_empty(mem, object, "name", event->name);
    set_unless_empty(mem, object, "uid", event->uid);
    set_unless_empty(mem, object, "apiVersion", event->api_version);
    set_unless_empty(mem, object, "resourceVersion", event->resource_version);
    val_set_text(mem, root, "reason", event->reason);
    val_set_text(mem, root, "message", as->message);
    struct val *source = val_need_map(mem, root, "source");
    val_set_text(mem, source, "component", events->component);
    set_unless_empty(mem, source, "host", events->host);
    set_seconds(mem, root, "firstTimestamp", as->first_ms);
    set_seconds(mem, root, "lastTimestamp", as->last_ms);
    val_set(mem, root, "count", val_new_int(mem, as->count));
    val_set_text(mem, root, "type", event->is_warning ? "Warning" : "Normal");
    val_set(mem, root, "eventTime", val_new(mem, VAL_NULL));
    val_set_text(mem, root, "reportingComponent", events->component);
    val_set_text(mem, root, "reportingInstance", events->host);
    return val_json(mem, root, NULL);
}

static const char *patch_of(struct arena *mem, const struct kube_correlated *as)
{
    struct val *root = val_new_map(mem);
    val_set(mem, root, "count", val_new_int(mem, as->count));
    set_seconds(mem, root, "lastTimestamp", as->last_ms);
    val_set_text(mem, root, "message", as->message);
    return val_json(mem, root, NULL);
}

static char *path_of(const struct kube_event *event, const char *name)
{
    SBUF(path, PATH_BYTES);
    sbuf_add(&path, "/api/v1/namespaces/");
    sbuf_add_url(&path, ns_of(event));
    sbuf_add(&path, "/events");
    if (name) {
        sbuf_add_char(&path, '/');
        sbuf_add_url(&path, name);
    }
    return base_copy_text(path.is_over ? "" : sbuf_text(&path));
}

/* -- sending ------------------------------------------------------------------------------------------------------- */

static void on_turn(void *ctx);
static void send(void *ctx);

static void wake(struct kube_events *events)
{
    if (!events->turn)
        events->turn = loop_after(events->loop, 0, on_turn, events);
}

static void give_up(struct sending *sending, const struct err *e)
{
    const struct kube_event *event = &sending->one->event;
    log_warn(sending->events->log, F("component", "events"), F("event", "not written"),
             F("kind", event->kind), F("namespace", event->ns), F("name", event->name),
             F("reason", event->reason), F("err", err_text(e)));
    drop(sending);
}

static void on_written(void *ctx, const struct kube_result *result)
{
    struct sending *sending = ctx;
    struct kube_events *events = sending->events;
    sending->request = 0;
    bool was_patch = sending->patch != NULL;
    bool is_gone = result->refusal == KUBE_REFUSED_OBJECT_MISSING ||
                   result->refusal == KUBE_REFUSED_KIND_UNKNOWN;
    if (!result->err || result->refusal == KUBE_REFUSED_ALREADY_EXISTS ||
        result->refusal == KUBE_REFUSED_NAMESPACE_TERMINATING) {
        drop(sending);
    } else if (was_patch && is_gone) { /* events live for an hour: begin a new one */
        free(STEAL(sending->patch));
        send(sending);
    } else if (kube_refusal_is_servers(result->refusal) && ++sending->tries < TRIES) {
        sending->timer = loop_after(events->loop, events->retry_ms, send, sending);
    } else {
        give_up(sending, result->err);
    }
    wake(events);
}

/* False if it is one too many of its object. */
static bool correlate(struct sending *sending)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct waiting *one = sending->one;
    struct kube_correlated as;
    kube_correlate(sending->events->correlator, mem, &one->event, one->now_ns, &as);
    if (as.is_dropped)
        return false;
    sending->path = path_of(&one->event, NULL);
    sending->body = base_copy_text(body_of(mem, sending->events, &one->event, &as));
    if (as.is_again) {
        sending->patch_path = path_of(&one->event, as.name);
        sending->patch = base_copy_text(patch_of(mem, &as));
    }
    return true;
}

static void send(void *ctx)
{
    struct sending *sending = ctx;
    sending->timer = 0;
    const char *body = sending->patch ? sending->patch : sending->body;
    struct kube_request request = {
        .method = sending->patch ? "PATCH" : "POST",
        .path = sending->patch ? sending->patch_path : sending->path,
        .content_type = sending->patch ? "application/strategic-merge-patch+json" : NULL,
        .body = body,
        .body_len = strlen(body),
        .accept = KUBE_METADATA,
    };
    sending->request = kube_start(sending->events->kube, &request, on_written, sending);
}

static void on_turn(void *ctx)
{
    struct kube_events *events = ctx;
    events->turn = 0;
    for (size_t i = 0; i < AT_A_TIME; i++) {
        struct sending *sending = &events->sending[i];
        while (!sending->one && (sending->one = take(events))) {
            if (correlate(sending))
                send(sending);
            else
                drop(sending);
        }
    }
}

/* -- the interface ------------------------------------------------------------------------------------------------- */

struct kube_events *kube_events_new(const struct kube_events_opts *opts)
{
    struct kube_events *events = base_alloc(sizeof(*events));
    events->kube = opts->kube;
    events->loop = opts->loop;
    events->log = opts->log;
    events->component = base_copy_text(opts->component);
    events->host = base_copy_text(opts->host ? opts->host : "");
    events->retry_ms = opts->retry_ms > 0 ? opts->retry_ms : RETRY_MS;
    events->correlator = kube_correlator_new();
    events->last = &events->first;
    for (size_t i = 0; i < AT_A_TIME; i++)
        events->sending[i].events = events;
    return events;
}

void kube_events_free(struct kube_events *events)
{
    if (!events)
        return;
    loop_cancel(events->loop, events->turn);
    for (size_t i = 0; i < AT_A_TIME; i++) {
        struct sending *sending = &events->sending[i];
        kube_cancel(events->kube, sending->request);
        loop_cancel(events->loop, sending->timer);
        if (sending->one)
            drop(sending);
    }
    while (events->first)
        waiting_free(take(events));
    kube_correlator_free(events->correlator);
    free(events->component);
    free(events->host);
    free(events);
}

void kube_event_record(struct kube_events *events, const struct kube_event *event)
{
    if (events->waiting >= WAITING_MAX) {
        if (!events->is_overflowing)
            log_warn(events->log, F("component", "events"), F("event", "dropped"),
                     F("err", "too many events wait for the API server"));
        events->is_overflowing = true;
        return;
    }
    events->is_overflowing = events->is_overflowing && events->waiting > WAITING_MAX / 2;
    struct waiting *one = waiting_new(event, loop_wall_ns(events->loop));
    *events->last = one;
    events->last = &one->next;
    events->waiting++;
    wake(events);
}

size_t kube_events_waiting(const struct kube_events *events)
{
    return events->waiting;
}
