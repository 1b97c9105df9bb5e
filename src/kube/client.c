#include "kube/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "kube/identity.h"
#include "kube/retry.h"

#define IN_FLIGHT 8
#define URGENT_MORE \
    2 /* places beyond the bound, so that a lease is renewed while all others wait for their answers */
#define ATTEMPTS     5
#define BACKOFF_MS   250
#define TIMEOUT_MS   60000
#define LIMIT_BYTES  ((size_t)64 << 20)
#define ACCEPT_BYTES 512

enum call_state {
    CALL_QUEUED,  /* for a place, or for credentials */
    CALL_FLYING,  /* with io/http */
    CALL_BACKING, /* off, until its timer fires */
    CALL_LOCAL,   /* no request at all: a timer of the next turn */
};

/* queues: what is QUEUED, each in the order it is sent; all calls are in `all`, too. */
enum queue_name { QUEUE_STREAMS, QUEUE_URGENT, QUEUE_NORMAL, QUEUES };

struct call {
    struct kube *kube;
    struct call *next, **at;             /* in kube->all */
    struct call *queue_next, **queue_at; /* in its queue; queue_at NULL: in none */
    enum call_state state;
    enum queue_name queue;
    ticket id, http, timer;
    char *method, *url, *path, *content_type, *accept, *more_header, *body;
    size_t body_len, limit_bytes;
    int64_t timeout_ms, attempt_ms; /* attempt_ms: of the next attempt; 0: no bound of its own */
    int64_t first_ms;               /* when it was sent first; -1: not yet */
    bool (*on_bytes)(void *ctx, const char *bytes, size_t len);
    void (*on_headers)(void *ctx, int status);
    kube_done_fn done;
    void (*on_cancel)(void *ctx);
    void *ctx;
    struct kube_identity *identity; /* it was sent with */
    int tried;
    bool was_refreshed;
    struct err *doom; /* fails with this in place of being sent */
};

struct queue {
    struct call *first, **last;
};

struct kube {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metric *requests, *flying;
    struct kube_config *config;
    struct kube_identities *identities;
    char *user_agent;
    int in_flight_max, attempts;
    int64_t backoff_ms;
    struct call *all;
    struct queue queues[QUEUES];
    int in_flight;
    size_t waiting;
    ticket last_id, pump_timer;
    int64_t pump_at_ms, paused_until_ms, last_answer_ms;
};

static void pump(struct kube *kube);
static void on_pump(void *ctx);

/* -- queues -------------------------------------------------------------------------------------------------------- */

static void queue_add(struct kube *kube, struct call *call, bool in_front)
{
    struct queue *queue = &kube->queues[call->queue];
    struct call **at = in_front ? &queue->first : queue->last;
    call->state = CALL_QUEUED;
    call->queue_next = *at;
    call->queue_at = at;
    if (call->queue_next)
        call->queue_next->queue_at = &call->queue_next;
    else
        queue->last = &call->queue_next;
    *at = call;
}

static void queue_remove(struct kube *kube, struct call *call)
{
    if (!call->queue_at)
        return;
    *call->queue_at = call->queue_next;
    if (call->queue_next)
        call->queue_next->queue_at = call->queue_at;
    else
        kube->queues[call->queue].last = call->queue_at;
    call->queue_at = NULL;
    call->queue_next = NULL;
}

/* -- the life of a call -------------------------------------------------------------------------------------------- */

static const char *accept_of(const struct kube_request *request)
{
    if (request->accept_text)
        return request->accept_text;
    /* Plain JSON last: for a server that cannot leave out the rest (a full object has metadata, too). */
    switch (request->accept) {
    case KUBE_FULL: return "application/json";
    case KUBE_METADATA:
        return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
    case KUBE_METADATA_LIST:
        return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    }
    return "application/json";
}

static char *url_of(const struct kube *kube, const struct kube_request *request)
{
    size_t server = strlen(kube->config->server), path = strlen(request->path);
    size_t query = request->query ? strlen(request->query) : 0;
    char *url = base_alloc(server + path + query + 2);
    memcpy(url, kube->config->server, server);
    memcpy(url + server, request->path, path);
    if (query > 0) {
        url[server + path] = '?';
        memcpy(url + server + path + 1, request->query, query);
    }
    return url;
}

static struct call *call_new(struct kube *kube, kube_done_fn done, void *ctx)
{
    struct call *call = base_alloc(sizeof(*call));
    *call = (struct call){ .kube = kube,
                           .next = kube->all,
                           .at = &kube->all,
                           .state = CALL_LOCAL,
                           .first_ms = -1,
                           .done = done,
                           .ctx = ctx };
    if (call->next)
        call->next->at = &call->next;
    kube->all = call;
    return call;
}

static void call_fill(struct call *call, const struct kube_request *request)
{
    struct kube *kube = call->kube;
    call->method = base_copy_text(request->method);
    call->path = base_copy_text(request->path);
    call->url = url_of(kube, request);
    call->accept = base_copy_text(accept_of(request));
    call->more_header = request->more_header ? base_copy_text(request->more_header) : NULL;
    if (request->body) {
        const char *type = request->content_type;
        call->content_type = base_copy_text(type ? type : "application/json");
        call->body = base_alloc(request->body_len + 1);
        memcpy(call->body, request->body, request->body_len);
        call->body_len = request->body_len;
    }
    call->limit_bytes = request->limit_bytes ? request->limit_bytes : LIMIT_BYTES;
    call->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS;
    if (kube_may_repeat(call->method, call->content_type))
        call->attempt_ms = request->attempt_ms;
    call->on_bytes = request->on_bytes;
    call->on_headers = request->on_headers;
    call->queue = request->is_urgent ? QUEUE_URGENT : QUEUE_NORMAL;
    if (request->on_bytes)
        call->queue = QUEUE_STREAMS;
    else
        kube->waiting++;
}

static void count_flying(struct kube *kube, int by)
{
    kube->in_flight += by;
    if (kube->flying)
        metric_set(kube->flying, NULL, kube->in_flight);
}

/* Out of the air: its place is free again. */
static void land(struct call *call)
{
    if (call->state == CALL_FLYING && call->queue != QUEUE_STREAMS)
        count_flying(call->kube, -1);
    kube_identity_drop(call->identity);
    call->identity = NULL;
    call->http = 0;
}

static void call_free(struct call *call)
{
    struct kube *kube = call->kube;
    land(call);
    queue_remove(kube, call);
    loop_cancel(kube->loop, call->timer);
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    if (call->method && call->queue != QUEUE_STREAMS)
        kube->waiting--;
    free(call->method);
    free(call->url);
    free(call->path);
    free(call->content_type);
    free(call->accept);
    free(call->more_header);
    free(call->body);
    err_free(call->doom);
    free(call);
}

/* Tells whoever asked; the call is gone before, so that the callback may do as it likes. */
static void call_end(struct call *call, const struct kube_result *result)
{
    kube_done_fn done = call->done;
    void *ctx = call->ctx;
    call_free(call);
    done(ctx, result);
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

static const char *verb_of(const struct call *call)
{
    if (call->queue == QUEUE_STREAMS)
        return "watch";
    if (!strcmp(call->method, "PATCH") && kube_may_repeat(call->method, call->content_type))
        return "apply";
    static const char *const verbs[][2] = { { "GET", "get" },
                                            { "POST", "post" },
                                            { "PUT", "put" },
                                            { "PATCH", "patch" },
                                            { "DELETE", "delete" } };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!strcmp(call->method, verbs[i][0]))
            return verbs[i][1];
    }
    return "other";
}

static void count_answer(const struct call *call, int status)
{
    if (!call->kube->requests)
        return;
    char code[16] = "none";
    if (status > 0)
        snprintf(code, sizeof(code), "%d", status);
    metric_add(call->kube->requests, (const char *const[]){ verb_of(call), code }, 1);
}

/* The text in quotes of `299 - "text"`, in a buffer that the caller frees; NULL: no such header. */
static char *warning_of(const struct http_result *answer)
{
    const char *header = http_header(answer, "Warning");
    const char *start = header ? strchr(header, '"') : NULL;
    if (!start)
        return NULL;
    char *text = base_alloc(strlen(start) + 1), *to = text;
    for (const char *at = start + 1; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        *to++ = *at;
    }
    return text;
}

/* Refusals that name the object themselves need no path before them. */
static bool needs_path(enum kube_refusal refusal)
{
    switch (refusal) {
    case KUBE_REFUSED_MANIFEST:
    case KUBE_REFUSED_NAMESPACE_MISSING:
    case KUBE_REFUSED_NAMESPACE_TERMINATING:
    case KUBE_REFUSED_OBJECT_MISSING:
    case KUBE_REFUSED_CONFLICT:
    case KUBE_REFUSED_ALREADY_EXISTS:
    case KUBE_REFUSED_FIELD_CONFLICT:
    case KUBE_REFUSED_FORBIDDEN: return false;
    case KUBE_REFUSED_OTHER:
    case KUBE_REFUSED_KIND_UNKNOWN:
    case KUBE_REFUSED_EXPIRED:
    case KUBE_REFUSED_UNAUTHORIZED:
    case KUBE_REFUSED_THROTTLED:
    case KUBE_REFUSED_SERVER: return true;
    }
    return true;
}

static struct err *error_of(const struct call *call, const struct http_result *answer,
                            enum kube_refusal *out)
{
    if (answer->err) {
        *out = err_is(answer->err, ERR_TRANSIENT) ? KUBE_REFUSED_SERVER : KUBE_REFUSED_OTHER;
        return err_copy(answer->err);
    }
    struct err *e = kube_status_error(answer->status, answer->body, answer->body_len, out);
    if (!e)
        return NULL;
    int64_t after_ms =
        time_parse_retry_after(http_header(answer, "Retry-After"), loop_wall_ms(call->kube->loop));
    if (after_ms >= 0)
        e = err_with_retry_after(e, after_ms);
    return needs_path(*out) ? err_wrap(e, "%s %s", call->method, call->path) : e;
}

/* -- what comes after an answer ------------------------------------------------------------------------------------ */

static void on_backed_off(void *ctx)
{
    struct call *call = ctx;
    call->timer = 0;
    queue_add(call->kube, call, true);
    pump(call->kube);
}

static bool goes_again(struct call *call, const struct kube_result *result)
{
    struct kube *kube = call->kube;
    int64_t now = loop_now_ms(kube->loop);
    struct kube_retry_view view = {
        .status = result->status,
        .refusal = result->refusal,
        .is_lost = result->status == 0 && err_is(result->err, ERR_TRANSIENT),
        .may_repeat = kube_may_repeat(call->method, call->content_type),
        .tried = call->tried,
        .attempts = kube->attempts,
        .retry_after_ms = err_retry_after_ms(result->err),
        .left_ms = call->first_ms + call->timeout_ms - now,
        .base_ms = kube->backoff_ms,
        .random = loop_random(kube->loop),
    };
    struct kube_retry retry = kube_retry_decide(&view);
    if (retry.after_ms < 0)
        return false;
    if (retry.pauses_all)
        kube->paused_until_ms = MAX_OF(kube->paused_until_ms, now + retry.after_ms);
    log_debug(kube->log, F("component", "kube"), F("event", "again"), FMS("after", retry.after_ms),
              F("err", err_text(result->err)));
    call->state = CALL_BACKING;
    call->timer = loop_after(kube->loop, retry.after_ms, on_backed_off, call);
    return true;
}

/* A 401 is no refusal yet while there may be newer credentials. */
static bool goes_with_new_identity(struct call *call, const struct kube_result *result,
                                   struct kube_identity *sent_with)
{
    struct kube *kube = call->kube;
    bool may = result->refusal == KUBE_REFUSED_UNAUTHORIZED && result->status == 401 &&
               !call->was_refreshed && kube_identities_can_change(kube->identities);
    if (!may)
        return false;
    call->was_refreshed = true;
    kube_identities_doubt(kube->identities, sent_with);
    queue_add(kube, call, true);
    return true;
}

/* Nothing was heard from the server since this call was first sent, and it gave up: what waits need not find out one by
 * one. */
static void doom_waiting(struct kube *kube, const struct call *lost, const struct err *e)
{
    if (kube->last_answer_ms >= lost->first_ms)
        return;
    for (size_t name = QUEUE_URGENT; name < QUEUES; name++) {
        for (struct call *call = kube->queues[name].first; call; call = call->queue_next) {
            if (!call->doom)
                call->doom = err_new(ERR_TRANSIENT, "%s %s: not sent: %s", call->method, call->path,
                                     err_text(e));
        }
    }
}

static void on_answer(void *ctx, const struct http_result *answer)
{
    struct call *call = ctx;
    struct kube *kube = call->kube;
    struct kube_identity *sent_with = kube_identity_ref(call->identity);
    land(call);
    call->state = CALL_QUEUED;
    int status = answer->err ? 0 : answer->status;
    count_answer(call, status);
    if (status > 0)
        kube->last_answer_ms = loop_now_ms(kube->loop);
    struct kube_result result = { .status = status };
    SCOPED(err_free) struct err *e = error_of(call, answer, &result.refusal);
    result.err = e;
    bool goes_on = e && goes_with_new_identity(call, &result, sent_with);
    kube_identity_drop(sent_with);
    goes_on = goes_on || (e && call->queue != QUEUE_STREAMS && goes_again(call, &result));
    if (!goes_on) {
        if (status == 0 && call->queue != QUEUE_STREAMS && err_is(e, ERR_TRANSIENT))
            doom_waiting(kube, call, e);
        result.body = answer->body;
        result.body_len = answer->body_len;
        char *warning = warning_of(answer);
        result.warning = warning;
        call_end(call, &result);
        free(warning);
    }
    pump(kube);
}

/* -- sending ------------------------------------------------------------------------------------------------------- */

#define HEADERS_MAX 64

/* How long this attempt may take. */
static int64_t take_time(struct call *call, int64_t now_ms)
{
    int64_t left_ms = MAX_OF(call->first_ms + call->timeout_ms - now_ms, (int64_t)1);
    if (call->attempt_ms <= 0)
        return left_ms;
    left_ms = MIN_OF(left_ms, call->attempt_ms);
    call->attempt_ms = MIN_OF(call->attempt_ms, call->timeout_ms) * 2;
    return left_ms;
}

static void send_call(struct call *call, struct kube_identity *identity)
{
    struct kube *kube = call->kube;
    const char *headers[HEADERS_MAX];
    size_t len = 0;
    char accept[ACCEPT_BYTES], type[ACCEPT_BYTES], agent[ACCEPT_BYTES];
    snprintf(accept, sizeof(accept), "Accept: %s", call->accept);
    headers[len++] = accept;
    if (call->content_type) {
        snprintf(type, sizeof(type), "Content-Type: %s", call->content_type);
        headers[len++] = type;
    }
    if (kube->user_agent) {
        snprintf(agent, sizeof(agent), "User-Agent: %s", kube->user_agent);
        headers[len++] = agent;
    }
    if (call->more_header)
        headers[len++] = call->more_header;
    const char *const *own = kube_identity_headers(identity);
    while (own && *own && len < HEADERS_MAX - 1)
        headers[len++] = *own++;
    headers[len] = NULL;
    bool is_stream = call->queue == QUEUE_STREAMS;
    int64_t now = loop_now_ms(kube->loop);
    if (call->first_ms < 0)
        call->first_ms = now;
    struct http_request request = {
        .method = call->method,
        .url = call->url,
        .headers = headers,
        .body = call->body,
        .body_len = call->body_len,
        .timeout_ms = is_stream ? 0 : take_time(call, now),
        .limit_bytes = call->limit_bytes,
        .tls = kube_identity_tls(identity),
        .proxy = kube->config->proxy,
        .wants_gzip = !is_stream && !strcmp(call->method, "GET"),
        .own_connection = is_stream,
        .on_bytes = call->on_bytes,
        .on_headers = call->on_headers,
        .stream_ctx = call->ctx,
    };
    call->tried++;
    call->state = CALL_FLYING;
    call->identity = kube_identity_ref(identity);
    if (!is_stream)
        count_flying(kube, 1);
    call->http = http_start(kube->http, &request, on_answer, call);
}

/* When to look again although nothing will call: the end of a pause. */
static void pump_later(struct kube *kube, int64_t after_ms)
{
    int64_t at_ms = loop_now_ms(kube->loop) + after_ms;
    if (kube->pump_timer && kube->pump_at_ms <= at_ms)
        return;
    loop_cancel(kube->loop, kube->pump_timer);
    kube->pump_at_ms = at_ms;
    kube->pump_timer = loop_after(kube->loop, after_ms, on_pump, kube);
}

static struct call *next_call(struct kube *kube)
{
    struct call *urgent = kube->queues[QUEUE_URGENT].first;
    struct call *normal = kube->queues[QUEUE_NORMAL].first;
    if (kube->queues[QUEUE_STREAMS].first)
        return kube->queues[QUEUE_STREAMS].first;
    if (urgent && kube->in_flight < kube->in_flight_max + URGENT_MORE)
        return urgent;
    if (!normal || kube->in_flight >= kube->in_flight_max)
        return NULL;
    int64_t wait_ms = kube->paused_until_ms - loop_now_ms(kube->loop);
    if (wait_ms <= 0 || normal->doom)
        return normal;
    pump_later(kube, wait_ms);
    return NULL;
}

static void fail_call(struct call *call, struct err *e, enum kube_refusal refusal)
{
    SCOPED(err_free) struct err *owned = e;
    struct kube_result result = { .err = owned, .refusal = refusal };
    call_end(call, &result);
}

/* Sends what may be sent. Ends calls that are doomed, so never called from within kube_start. */
static void pump(struct kube *kube)
{
    struct call *call;
    while ((call = next_call(kube))) {
        if (call->doom) {
            bool is_servers = err_is(call->doom, ERR_TRANSIENT);
            fail_call(call, STEAL(call->doom),
                      is_servers ? KUBE_REFUSED_SERVER : KUBE_REFUSED_OTHER);
            continue;
        }
        struct kube_identity *identity;
        struct err *e = NULL;
        switch (kube_identities_get(kube->identities, &identity, &e)) {
        case KUBE_IDENTITY_READY:
            queue_remove(kube, call);
            send_call(call, identity);
            break;
        case KUBE_IDENTITY_COMING: return; /* calls on_identity */
        case KUBE_IDENTITY_FAILED: fail_call(call, e, KUBE_REFUSED_UNAUTHORIZED); break;
        }
    }
}

static void on_pump(void *ctx)
{
    struct kube *kube = ctx;
    kube->pump_timer = 0;
    pump(kube);
}

static void on_identity(void *ctx)
{
    pump(ctx);
}

/* -- the interface ------------------------------------------------------------------------------------------------- */

static void declare_metrics(struct kube *kube, struct metrics *metrics)
{
    if (!metrics)
        return;
    kube->requests = metrics_declare(
        metrics, &(struct metric_spec){
                     .name = "serin_kube_requests_total",
                     .help = "Requests sent to the API server, repetitions included, by verb and "
                             "status code of the answer (none: there was no answer).",
                     .type = METRIC_COUNTER,
                     .labels = { "verb", "code" } });
    kube->flying = metrics_declare(
        metrics, &(struct metric_spec){ .name = "serin_kube_in_flight",
                                        .help = "Requests to the API server that wait for their "
                                                "answer, watches aside.",
                                        .type = METRIC_GAUGE });
    metric_set(kube->flying, NULL, 0);
}

struct kube *kube_new(const struct kube_opts *opts)
{
    struct kube *kube = base_alloc(sizeof(*kube));
    kube->loop = opts->loop;
    kube->http = opts->http;
    kube->log = opts->log;
    kube->config = opts->config;
    kube->user_agent = base_copy_text(opts->user_agent);
    kube->in_flight_max = opts->in_flight > 0 ? opts->in_flight : IN_FLIGHT;
    kube->attempts = opts->attempts > 0 ? opts->attempts : ATTEMPTS;
    kube->backoff_ms = opts->backoff_ms > 0 ? opts->backoff_ms : BACKOFF_MS;
    kube->last_answer_ms = -1;
    for (size_t i = 0; i < QUEUES; i++)
        kube->queues[i].last = &kube->queues[i].first;
    kube->identities = kube_identities_new(opts->loop, opts->log, opts->config, on_identity, kube);
    declare_metrics(kube, opts->metrics);
    return kube;
}

static void cancel(struct call *call)
{
    void (*on_cancel)(void *ctx) = call->on_cancel;
    void *ctx = call->ctx;
    http_cancel(call->kube->http, call->http);
    call_free(call);
    if (on_cancel)
        on_cancel(ctx);
}

void kube_free(struct kube *kube)
{
    if (!kube)
        return;
    while (kube->all)
        cancel(kube->all);
    loop_cancel(kube->loop, kube->pump_timer);
    kube_identities_free(kube->identities);
    free(kube->user_agent);
    free(kube);
}

const struct kube_config *kube_config_of(const struct kube *kube)
{
    return kube->config;
}

static void on_local(void *ctx)
{
    struct call *call = ctx;
    call->timer = 0;
    call_end(call, &(struct kube_result){ .err = NULL });
}

static struct call *start(struct kube *kube, const struct kube_request *request, kube_done_fn done,
                          void *ctx)
{
    struct call *call = call_new(kube, done, ctx);
    call->on_cancel = request->on_cancel;
    if (!request->method) {
        call->timer = loop_after(kube->loop, 0, on_local, call);
        return call;
    }
    call_fill(call, request);
    if (*call->path != '/')
        call->doom = err_new(ERR_INVALID, "a name is too long for a path of the API server");
    queue_add(kube, call, false);
    pump_later(kube, 0);
    return call;
}

ticket kube_start(struct kube *kube, const struct kube_request *request, kube_done_fn done,
                  void *ctx)
{
    struct call *call = start(kube, request, done, ctx);
    call->id = ++kube->last_id;
    return call->id;
}

void kube_go_on(struct kube *kube, ticket flow, const struct kube_request *request,
                kube_done_fn done, void *ctx)
{
    start(kube, request, done, ctx)->id = flow;
}

void kube_cancel(struct kube *kube, ticket request)
{
    struct call *call = request ? kube->all : NULL;
    while (call && call->id != request)
        call = call->next;
    if (!call)
        return;
    bool was_flying = call->state == CALL_FLYING;
    cancel(call);
    if (was_flying)
        pump_later(kube, 0);
}

int64_t kube_last_answer_ms(const struct kube *kube)
{
    return kube->last_answer_ms;
}

size_t kube_waiting(const struct kube *kube)
{
    return kube->waiting;
}

struct loop *kube_loop(const struct kube *kube)
{
    return kube->loop;
}

const struct log *kube_log(const struct kube *kube)
{
    return kube->log;
}

int64_t kube_backoff_base_ms(const struct kube *kube)
{
    return kube->backoff_ms;
}
