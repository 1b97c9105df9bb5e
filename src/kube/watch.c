#include "kube/watch.h"

#include <stdlib.h>
#include <string.h>

#include "kube/list.h"
#include "kube/retry.h"
#include "kube/watch_line.h"
#include "kube/watch_step.h"

#define SILENCE_MS  ((int64_t)600 * 1000)
#define UNMARKED_MS ((int64_t)10 * 1000)
#define UNMARKED_LONG_MS \
    ((int64_t)300 * 1000) /* objects keep coming: a server that never ends its initial events */
#define OPEN_MS     ((int64_t)60 * 1000) /* a server sends the head of a watch at once */
#define SHORT_MS    1000
#define STEADY_MS   2000 /* a stream that lived so long ends the row of failures before it */
#define RETURN_MS   ((int64_t)8 * 1000) /* a server that comes back is noticed in this time */
#define QUERY_BYTES ((size_t)64 << 10)

/* The request that runs, from its start to the step that follows it. */
struct stream {
    int64_t started_ms, heard_ms, object_ms; /* heard: of any event; object: of the last ADDED */
    bool is_open;                            /* a 2xx came */
    bool has_event;
    bool is_cut; /* by us, for what `end` says */
    enum kube_watch_end end;
    enum kube_refusal refusal;
    struct err *failed;
};

struct kube_watch {
    struct kube *kube;
    struct loop *loop;
    const struct log *log;
    char *path, *selectors, *api_version, *kind;
    bool is_metadata_only;
    int64_t silence_ms, unmarked_ms;
    struct kube_watch_handler handler;

    enum kube_watch_phase phase;
    bool is_streaming_refused, is_synced;
    char *version; /* to resume from; NULL: a full picture is due */
    ticket request, timer;
    struct stream stream;
    struct kube_lines lines;
    struct arena *mem; /* of one event */
    int failures, garbage_runs;
    bool has_trouble;

    /* The handler may stop the watch from any of its callbacks: it is freed when the last function that uses it returns. */
    int depth;
    bool is_stopped, is_in_bytes;
};

static void begin(struct kube_watch *watch);

/* -- its end ------------------------------------------------------------------------------------------------------- */

static void watch_free(struct kube_watch *watch)
{
    free(watch->path);
    free(watch->selectors);
    free(watch->api_version);
    free(watch->kind);
    free(watch->version);
    err_free(watch->stream.failed);
    kube_lines_fini(&watch->lines);
    arena_free(watch->mem);
    free(watch);
}

static void tear_down(struct kube_watch *watch)
{
    loop_cancel(watch->loop, watch->timer);
    watch->timer = 0;
    if (watch->request)
        kube_cancel(watch->kube, watch->request); /* on_dropped frees */
    else
        watch_free(watch);
}

static void on_dropped(void *ctx)
{
    struct kube_watch *watch = ctx;
    watch->request = 0;
    if (watch->is_stopped)
        watch_free(watch);
}

static void enter(struct kube_watch *watch)
{
    watch->depth++;
}

/* The watch may be gone afterwards. */
static void leave(struct kube_watch *watch)
{
    if (--watch->depth == 0 && watch->is_stopped && !watch->is_in_bytes)
        tear_down(watch);
}

void kube_watch_stop(struct kube_watch *watch)
{
    if (!watch)
        return;
    watch->is_stopped = true;
    if (watch->depth == 0 && !watch->is_in_bytes)
        tear_down(watch);
}

/* -- what the handler is told -------------------------------------------------------------------------------------- */

static void tell_event(struct kube_watch *watch, enum kube_watch_event event,
                       const struct val *object)
{
    if (!watch->is_stopped)
        watch->handler.on_event(watch->handler.ctx, event, object);
}

static void tell_restart(struct kube_watch *watch)
{
    watch->is_synced = false;
    if (!watch->is_stopped && watch->handler.on_restart)
        watch->handler.on_restart(watch->handler.ctx);
}

static void tell_synced(struct kube_watch *watch)
{
    watch->is_synced = true;
    watch->has_trouble = false;
    if (!watch->is_stopped && watch->handler.on_synced)
        watch->handler.on_synced(watch->handler.ctx);
}

static void tell_trouble(struct kube_watch *watch, const char *reason)
{
    if (watch->has_trouble || watch->is_stopped)
        return;
    watch->has_trouble = true;
    if (!watch->handler.on_trouble)
        return;
    struct err *cause = STEAL(watch->stream.failed);
    SCOPED(err_free)
    struct err *e = cause ? err_wrap(cause, "watch %s: %s", watch->path, reason)
                          : err_new(ERR_TRANSIENT, "watch %s: %s", watch->path, reason);
    watch->handler.on_trouble(watch->handler.ctx, e);
}

/* -- from one request to the next ---------------------------------------------------------------------------------- */

static void set_version(struct kube_watch *watch, const char *version)
{
    if (watch->version && !strcmp(watch->version, version))
        return;
    free(watch->version);
    watch->version = *version ? base_copy_text(version) : NULL;
}

static void on_due(void *ctx)
{
    struct kube_watch *watch = ctx;
    watch->timer = 0;
    enter(watch);
    begin(watch);
    leave(watch);
}

/* What a person has to change first. */
static bool is_lasting(const struct stream *stream)
{
    return stream->end == KUBE_ENDED_REFUSED && (stream->refusal == KUBE_REFUSED_FORBIDDEN ||
                                                 stream->refusal == KUBE_REFUSED_UNAUTHORIZED ||
                                                 stream->refusal == KUBE_REFUSED_KIND_UNKNOWN);
}

static int64_t wait_ms(struct kube_watch *watch, const struct kube_watch_next *next)
{
    if (!next->is_failure) {
        watch->failures = 0;
        return 0;
    }
    watch->failures++;
    int64_t back_off = kube_backoff_ms(watch->failures, kube_backoff_base_ms(watch->kube),
                                       loop_random(watch->loop));
    if (!is_lasting(&watch->stream))
        back_off = MIN_OF(back_off, RETURN_MS);
    return MAX_OF(back_off, err_retry_after_ms(watch->stream.failed));
}

static bool was_short(const struct kube_watch *watch, int64_t now_ms)
{
    const struct stream *stream = &watch->stream;
    return !stream->is_open || (!stream->has_event && now_ms - stream->started_ms < SHORT_MS);
}

/* The one place where the phase changes, but for the mark after the initial events. */
static void step(struct kube_watch *watch)
{
    int64_t now_ms = loop_now_ms(watch->loop);
    bool was_garbage = watch->stream.end == KUBE_ENDED_GARBAGE;
    watch->garbage_runs = was_garbage ? watch->garbage_runs + 1 : 0;
    if (watch->stream.is_open && now_ms - watch->stream.started_ms >= STEADY_MS)
        watch->failures = 0;
    struct kube_watch_seen seen = {
        .phase = watch->phase,
        .end = watch->stream.end,
        .refusal = watch->stream.refusal,
        .is_streaming_refused = watch->is_streaming_refused,
        .was_short = was_short(watch, now_ms),
        .garbage_runs = watch->garbage_runs,
    };
    struct kube_watch_next next = kube_watch_step(&seen);
    int64_t after_ms = wait_ms(watch, &next);
    log_debug(watch->log, F("component", "kube"), F("event", "watch"), F("path", watch->path),
              F("reason", next.reason), FMS("after", after_ms),
              F("err", err_text(watch->stream.failed)));
    watch->is_streaming_refused = watch->is_streaming_refused || next.refuse_streaming;
    watch->phase = next.phase;
    if (next.begins_anew)
        set_version(watch, "");
    if (next.is_trouble)
        tell_trouble(watch, next.reason);
    err_free(STEAL(watch->stream.failed));
    kube_lines_reset(&watch->lines);
    if (!watch->is_stopped)
        watch->timer = loop_after(watch->loop, after_ms, on_due, watch);
}

/* -- streams ------------------------------------------------------------------------------------------------------- */

/* Ends the stream for a reason of ours. The first one counts. */
static void cut(struct kube_watch *watch, enum kube_watch_end end, struct err *why)
{
    if (watch->stream.is_cut) {
        err_free(why);
        return;
    }
    watch->stream.is_cut = true;
    watch->stream.end = end;
    watch->stream.failed = why;
}

static void take_object(struct kube_watch *watch, const struct kube_watch_line *line)
{
    if (watch->phase == KUBE_WATCH_FOLLOWING)
        set_version(watch, line->resource_version); /* initial events have versions in no order */
    if (line->type == KUBE_LINE_ADDED)
        watch->stream.object_ms = watch->stream.heard_ms;
    tell_event(watch,
               line->type == KUBE_LINE_ADDED     ? KUBE_ADDED
               : line->type == KUBE_LINE_DELETED ? KUBE_DELETED
                                                 : KUBE_MODIFIED,
               line->object);
}

static void take_bookmark(struct kube_watch *watch, const struct kube_watch_line *line)
{
    bool is_mark = watch->phase == KUBE_WATCH_STREAMING && line->ends_initial;
    if (is_mark)
        watch->phase = KUBE_WATCH_FOLLOWING;
    if (watch->phase == KUBE_WATCH_FOLLOWING)
        set_version(watch, line->resource_version);
    if (is_mark)
        tell_synced(watch);
}

static void take_line(struct kube_watch *watch, const struct kube_watch_line *line)
{
    switch (line->type) {
    case KUBE_LINE_ERROR:
        cut(watch, KUBE_ENDED_REFUSED, kube_status_error_of(line->object, &watch->stream.refusal));
        return;
    case KUBE_LINE_BOOKMARK: take_bookmark(watch, line); break;
    case KUBE_LINE_ADDED:
    case KUBE_LINE_MODIFIED:
    case KUBE_LINE_DELETED: take_object(watch, line); break;
    }
    watch->stream.has_event = true;
    if (watch->phase == KUBE_WATCH_FOLLOWING)
        watch->has_trouble = false;
}

static bool on_line(void *ctx, const char *text, size_t len)
{
    struct kube_watch *watch = ctx;
    struct kube_watch_line line;
    struct err *e = kube_watch_line_parse(watch->mem, text, len, &line);
    watch->stream.heard_ms = loop_now_ms(watch->loop);
    if (e)
        cut(watch, KUBE_ENDED_GARBAGE, e);
    else
        take_line(watch, &line);
    arena_reset(watch->mem);
    return !watch->stream.is_cut && !watch->is_stopped;
}

static bool on_bytes(void *ctx, const char *bytes, size_t len)
{
    struct kube_watch *watch = ctx;
    watch->is_in_bytes = true;
    enter(watch);
    struct err *e = kube_lines_feed(&watch->lines, bytes, len, on_line, watch);
    if (e)
        cut(watch, KUBE_ENDED_GARBAGE, e);
    bool goes_on = !watch->stream.is_cut && !watch->is_stopped;
    leave(watch);
    watch->is_in_bytes = false;
    return goes_on; /* if not, on_stream_end follows in a later turn */
}

static void on_headers(void *ctx, int status)
{
    struct kube_watch *watch = ctx;
    watch->stream.is_open = status >= 200 && status <= 299;
    watch->stream.heard_ms = watch->stream.object_ms = loop_now_ms(watch->loop);
}

static void on_stream_end(void *ctx, const struct kube_result *result)
{
    struct kube_watch *watch = ctx;
    struct stream *stream = &watch->stream;
    enter(watch);
    watch->request = 0;
    loop_cancel(watch->loop, watch->timer);
    watch->timer = 0;
    if (!stream->is_cut) {
        stream->end = result->status == 0 ? KUBE_ENDED_CUT : KUBE_ENDED_REFUSED;
        if (!result->err)
            stream->end = KUBE_ENDED_WELL;
        stream->refusal = result->refusal;
        stream->failed = err_copy(result->err);
    }
    if (!watch->is_stopped)
        step(watch);
    leave(watch);
}

/* -- silence ------------------------------------------------------------------------------------------------------- */

/* When the stream is to be given up, should nothing come until then, and how that is called. */
static int64_t patience_ends_ms(const struct kube_watch *watch, enum kube_watch_end *out)
{
    const struct stream *stream = &watch->stream;
    if (!stream->is_open) {
        *out = KUBE_ENDED_CUT;
        return stream->started_ms + OPEN_MS;
    }
    int64_t silent_ms = stream->heard_ms + watch->silence_ms;
    *out = KUBE_ENDED_SILENT;
    if (watch->phase != KUBE_WATCH_STREAMING)
        return silent_ms;
    int64_t unmarked_ms =
        MIN_OF(stream->object_ms + watch->unmarked_ms, stream->started_ms + UNMARKED_LONG_MS);
    if (unmarked_ms < silent_ms)
        *out = KUBE_ENDED_UNMARKED;
    return MIN_OF(unmarked_ms, silent_ms);
}

static void arm(struct kube_watch *watch);

/* Events only note the time; the timer looks at it when it fires. */
static void on_patience(void *ctx)
{
    struct kube_watch *watch = ctx;
    watch->timer = 0;
    enum kube_watch_end end;
    if (loop_now_ms(watch->loop) < patience_ends_ms(watch, &end)) {
        arm(watch);
        return;
    }
    enter(watch);
    cut(watch, end, err_new(ERR_TRANSIENT, "the API server says nothing"));
    kube_cancel(watch->kube, watch->request); /* on_dropped forgets it */
    step(watch);
    leave(watch);
}

static void arm(struct kube_watch *watch)
{
    enum kube_watch_end end;
    int64_t in_ms = patience_ends_ms(watch, &end) - loop_now_ms(watch->loop);
    /* What it waits for may change before that (the stream opens, the mark comes): look as often as the shortest wait. */
    in_ms = MIN_OF(in_ms, watch->silence_ms);
    if (watch->phase == KUBE_WATCH_STREAMING)
        in_ms = MIN_OF(in_ms, watch->unmarked_ms);
    watch->timer = loop_after(watch->loop, MAX_OF(in_ms, (int64_t)1), on_patience, watch);
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

static void begin_stream(struct kube_watch *watch)
{
    SBUF(query, QUERY_BYTES);
    sbuf_add(&query, "watch=1&allowWatchBookmarks=true");
    if (watch->phase == KUBE_WATCH_STREAMING) {
        sbuf_add(&query, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    } else {
        sbuf_add(&query, "&resourceVersion=");
        sbuf_add_url(&query, watch->version ? watch->version : "0");
    }
    sbuf_add(&query, watch->selectors);
    struct kube_request request = {
        .method = "GET",
        .path = watch->path,
        .query = sbuf_text(&query),
        .accept = watch->is_metadata_only ? KUBE_METADATA : KUBE_FULL,
        .limit_bytes = (size_t)1 << 20, /* of a refusal */
        .on_cancel = on_dropped,
        .on_bytes = on_bytes,
        .on_headers = on_headers,
    };
    watch->request = kube_start(watch->kube, &request, on_stream_end, watch);
    arm(watch);
}

static void on_list_object(void *ctx, const struct val *object)
{
    struct kube_watch *watch = ctx;
    enter(watch);
    watch->stream.is_open = watch->stream.has_event = true;
    tell_event(watch, KUBE_ADDED, object);
    leave(watch);
}

static void on_list_end(void *ctx, const struct list_end *end)
{
    struct kube_watch *watch = ctx;
    enter(watch);
    watch->request = 0;
    watch->stream.is_open = !end->err;
    watch->stream.end = end->err ? KUBE_ENDED_REFUSED : KUBE_ENDED_WELL;
    watch->stream.refusal = end->refusal;
    watch->stream.failed = err_copy(end->err);
    if (!end->err) {
        set_version(watch, end->resource_version);
        tell_synced(watch);
    }
    if (!watch->is_stopped)
        step(watch);
    leave(watch);
}

static void begin_list(struct kube_watch *watch)
{
    struct list_spec spec = {
        .path = watch->path,
        .selectors = watch->selectors,
        .api_version = watch->api_version,
        .kind = watch->kind,
        .is_metadata_only = watch->is_metadata_only,
        .on_object = on_list_object,
        .done = on_list_end,
        .on_cancel = on_dropped,
        .ctx = watch,
    };
    watch->request = list_start(watch->kube, &spec);
}

static void begin(struct kube_watch *watch)
{
    int64_t now_ms = loop_now_ms(watch->loop);
    watch->stream =
        (struct stream){ .started_ms = now_ms, .heard_ms = now_ms, .object_ms = now_ms };
    if (watch->phase != KUBE_WATCH_FOLLOWING)
        tell_restart(watch);
    if (watch->is_stopped)
        return;
    if (watch->phase == KUBE_WATCH_LISTING)
        begin_list(watch);
    else
        begin_stream(watch);
}

/* -- the interface ------------------------------------------------------------------------------------------------- */

struct kube_watch *kube_watch_start(struct kube *kube, const struct kube_resource *resource,
                                    const struct kube_watch_opts *opts,
                                    const struct kube_watch_handler *handler)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_watch *watch = base_alloc(sizeof(*watch));
    watch->kube = kube;
    watch->loop = kube_loop(kube);
    watch->log = kube_log(kube);
    watch->path = base_copy_text(kube_path(mem, resource, opts->ns, NULL, NULL));
    watch->selectors = base_copy_text(list_selectors(mem, opts));
    watch->api_version = base_copy_text(resource->api_version);
    watch->kind = base_copy_text(resource->kind);
    watch->is_metadata_only = opts->is_metadata_only;
    watch->silence_ms = opts->silence_ms > 0 ? opts->silence_ms : SILENCE_MS;
    watch->unmarked_ms = opts->unmarked_ms > 0 ? opts->unmarked_ms : UNMARKED_MS;
    watch->handler = *handler;
    watch->phase = kube_watch_first_phase(false);
    kube_lines_init(&watch->lines, KUBE_LINE_MAX);
    watch->mem = arena_new(ARENA_LIMIT_BYTES);
    watch->timer = loop_after(watch->loop, 0, on_due, watch);
    return watch;
}

bool kube_watch_is_synced(const struct kube_watch *watch)
{
    return watch->is_synced;
}
