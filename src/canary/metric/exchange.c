#include "canary/metric/exchange.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "canary/cause.h"
#include "kube/smallfile.h"

#define MEMORY_BYTES ((size_t)64 << 20) /* what a conversation keeps; bodies are parsed elsewhere */

struct exchange {
    struct exchange_peers peers;
    struct arena *mem;
    struct metric_talk *talk;
    struct metric_turn turn;
    ticket http, kube, timer; /* at most one of them runs */
    struct http_tls tls;
    const char *url; /* as it was asked */
    struct sbuf stream;
    bool has_enough;
    exchange_done done;
    void *ctx;
};

static void go_on(struct exchange *x, const struct metric_answer *answer);

/* -- HTTP ---------------------------------------------------------------------------------------------------------- */

/* An answer began and did not end. A redirect that leads nowhere is none. */
static bool is_cut(const struct http_result *result)
{
    return result->status && !(result->status >= 301 && result->status <= 308);
}

/* A deadline of ours is Go's context's: `Get "http://…": context deadline exceeded`. */
static const char *failure_of(const struct exchange *x, const struct http_result *result)
{
    struct arena *mem = x->mem;
    const char *method = x->turn.request.method;
    if (is_cut(result))
        return result->cause == HTTP_TIMED_OUT ? "context deadline exceeded"
                                               : cause_reason(mem, x->url, result);
    if (result->cause != HTTP_TIMED_OUT)
        return cause_text(mem, method, x->url, result);
    char *word = arena_strdup(mem, method);
    for (char *at = word; at[0] && at[1]; at++)
        at[1] = (char)tolower((unsigned char)at[1]);
    return arena_printf(mem, "%s \"%s\": context deadline exceeded", word,
                        cause_url(mem, x->url, "***"));
}

static void on_http_done(void *ctx, const struct http_result *result)
{
    struct exchange *x = ctx;
    bool is_stream = x->turn.request.is_enough && result->status >= 200 && result->status < 300;
    struct metric_answer answer = { .status = result->status,
                                    .body = is_stream ? sbuf_text(&x->stream) : result->body,
                                    .len = is_stream ? x->stream.len : result->body_len };
    x->http = 0;
    if (result->err && !x->has_enough) {
        answer.failure = x->stream.is_over ? "the answer is over its limit" : failure_of(x, result);
        answer.is_cut = is_cut(result);
    }
    go_on(x, &answer);
}

static bool on_stream_bytes(void *ctx, const char *bytes, size_t len)
{
    struct exchange *x = ctx;
    size_t seen = x->stream.len;
    sbuf_add_bytes(&x->stream, bytes, len);
    if (x->stream.is_over)
        return false;
    x->has_enough = x->turn.request.is_enough(x->stream.bytes, x->stream.len, seen);
    return !x->has_enough;
}

/* How the server is trusted; NULL: as usual. A client certificate of ours goes to nobody. */
static const struct http_tls *tls_of(struct exchange *x, const struct metric_request *request)
{
    if (!request->is_insecure && !request->trusts_cluster)
        return NULL;
    x->tls = (struct http_tls){ .is_insecure = request->is_insecure };
    if (request->trusts_cluster && x->peers.kube) {
        const struct http_tls *cluster = &kube_config_of(x->peers.kube)->tls;
        x->tls.ca_pem = cluster->ca_pem;
        x->tls.server_name = request->is_at_cluster ? cluster->server_name : NULL;
        x->tls.is_insecure |= request->is_at_cluster && cluster->is_insecure;
    }
    return &x->tls;
}

static void ask_http(struct exchange *x, const struct metric_request *request)
{
    const struct kube_config *cluster = x->peers.kube ? kube_config_of(x->peers.kube) : NULL;
    bool is_at_cluster = request->is_at_cluster && cluster;
    x->url = is_at_cluster ? arena_printf(x->mem, "%s%s", cluster->server, request->url)
                           : arena_strdup(x->mem, request->url);
    x->has_enough = false;
    sbuf_reset(&x->stream);
    struct http_request out = {
        .method = request->method,
        .url = x->url,
        .headers = request->headers,
        .body = request->body,
        .body_len = request->body_len,
        .timeout_ms = request->timeout_ms,
        .connect_ms = request->timeout_ms,
        .limit_bytes = METRIC_BODY_MAX,
        .tls = tls_of(x, request),
        .proxy = request->is_local ? ""
                 : is_at_cluster   ? cluster->proxy
                                   : NULL,
        .follow_redirects = !request->is_local && !is_at_cluster,
        .wants_gzip = request->wants_gzip,
        .own_connection = request->is_enough != NULL,
        .on_bytes = request->is_enough ? on_stream_bytes : NULL,
        .stream_ctx = x,
    };
    x->http = http_start(x->peers.http, &out, on_http_done, x);
}

/* -- the API server ------------------------------------------------------------------------------------------------ */

static void on_kube_done(void *ctx, const struct kube_result *result)
{
    struct exchange *x = ctx;
    struct metric_answer answer = { .status = result->status,
                                    .body = result->body ? result->body : "",
                                    .len = result->body_len };
    x->kube = 0;
    if (!result->status)
        answer.failure = err_text(result->err);
    go_on(x, &answer);
}

static void on_no_cluster(void *ctx)
{
    struct exchange *x = ctx;
    x->timer = 0;
    go_on(x, &(struct metric_answer){ .failure = "there is no API server to ask", .body = "" });
}

static void ask_kube(struct exchange *x, const struct metric_request *request)
{
    const char *mark = strchr(request->url, '?');
    struct kube_request out = {
        .method = request->method,
        .path = mark ? arena_strndup(x->mem, request->url, (size_t)(mark - request->url))
                     : request->url,
        .query = mark ? mark + 1 : NULL,
        .body = request->body,
        .body_len = request->body_len,
        .timeout_ms = request->timeout_ms,
        .limit_bytes = METRIC_BODY_MAX,
    };
    if (x->peers.kube)
        x->kube = kube_start(x->peers.kube, &out, on_kube_done, x);
    else
        x->timer = loop_after(x->peers.loop, 0, on_no_cluster, x);
}

/* -- turns --------------------------------------------------------------------------------------------------------- */

static void on_pause_over(void *ctx)
{
    struct exchange *x = ctx;
    x->timer = 0;
    go_on(x, &(struct metric_answer){ .status = 200, .body = "" });
}

/* Credentials are small files on a local disk: read at once, as kube/config.h does. */
static void read_file(struct exchange *x, const char *path, struct metric_answer *out)
{
    char *text = NULL;
    size_t len = 0;
    SCOPED(err_free) struct err *e = smallfile_read(path, SMALLFILE_MAX, &text, &len);
    *out = (struct metric_answer){ .status = e ? 404 : 200, .body = "" };
    if (e && !err_is(e, ERR_NOT_FOUND))
        out->failure = arena_strdup(x->mem, err_text(e));
    if (text) {
        out->body = arena_strndup(x->mem, text, len);
        out->len = len;
    }
    free(text);
}

static void finish(struct exchange *x)
{
    struct exchange_result result = {
        .has_value = x->turn.kind == METRIC_TURN_VALUE,
        .value = x->turn.value,
        .text = x->turn.kind == METRIC_TURN_FAILED ? x->turn.text : "",
        .has_no_values = x->turn.has_no_values,
    };
    x->done(x->ctx, &result); /* which may free the exchange */
}

static void go_on(struct exchange *x, const struct metric_answer *answer)
{
    struct metric_answer file;
    metric_talk_next(x->talk, answer, &x->turn);
    while (x->turn.kind == METRIC_TURN_ASK && x->turn.request.way == METRIC_WAY_FILE) {
        read_file(x, x->turn.request.url, &file);
        metric_talk_next(x->talk, &file, &x->turn);
    }
    const struct metric_request *request = &x->turn.request;
    if (x->turn.kind != METRIC_TURN_ASK)
        finish(x);
    else if (request->way == METRIC_WAY_HTTP)
        ask_http(x, request);
    else if (request->way == METRIC_WAY_KUBE)
        ask_kube(x, request);
    else
        x->timer = loop_after(x->peers.loop, request->timeout_ms, on_pause_over, x);
}

static void on_begin(void *ctx)
{
    struct exchange *x = ctx;
    x->timer = 0;
    go_on(x, NULL);
}

struct err *exchange_start(const struct exchange_peers *peers,
                           const struct metric_question *question, exchange_done done, void *ctx,
                           struct exchange **out)
{
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    struct metric_talk *talk = NULL;
    TRY(metric_talk_new(mem, question, &talk));
    struct exchange *x = base_alloc(sizeof(*x));
    *x = (struct exchange){ .peers = *peers, .talk = talk, .done = done, .ctx = ctx };
    x->mem = STEAL(mem);
    sbuf_init(&x->stream, METRIC_BODY_MAX);
    x->timer = loop_after(peers->loop, 0, on_begin, x);
    *out = x;
    return NULL;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    http_cancel(x->peers.http, x->http);
    if (x->peers.kube)
        kube_cancel(x->peers.kube, x->kube);
    loop_cancel(x->peers.loop, x->timer);
    sbuf_fini(&x->stream);
    arena_free(x->mem);
    free(x);
}
