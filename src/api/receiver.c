#include "api/receiver.h"

#include <stdlib.h>
#include <string.h>

#include "api/answer.h"
#include "io/server.h"
#include "kube/smallfile.h"

#define CONFIG_BYTES   ((size_t)64 << 10)
#define REQUEST_BYTES  ((size_t)256 << 20) /* of memory: a payload has 1 MiB at most */
#define DELIVERY_BYTES 256
#define TOKEN_INFO     "https://oauth2.googleapis.com/tokeninfo"
#define TOKEN_MS       10000
#define TOKEN_MAX      ((size_t)64 << 10) /* of an URL, of an answer */
#define WAITING_MAX    32

/* A hook whose token somebody else has to look at. */
struct waiting {
    struct receiver *receiver;
    struct server_request *request;
    const struct receive_endpoint *endpoint;
    struct arena *mem; /* of the verdict */
    struct receive_verdict verdict;
    ticket token;
    bool is_used;
};

struct receiver {
    struct arena *mem; /* of the configuration */
    struct loop *loop;
    const struct log *log;
    struct server *server;
    struct receive_config config;
    struct receive_seen seen;
    struct http *http;
    const char *tokeninfo_url;
    struct waiting waiting[WAITING_MAX];
    void (*on_change)(void *ctx, const struct api_change *change);
    void *ctx;
};

/* -- requests --------------------------------------------------------------------------------------- */

static void reply(struct server_request *request, int status, const char *text)
{
    const char *line = *text ? text : "OK";
    const struct server_answer answer = {
        .status = status, .content_type = API_TYPE_TEXT, .body = line, .body_len = strlen(line)
    };
    server_reply(request, &answer);
}

static const char *find_header(const void *ctx, const char *name)
{
    return server_header(ctx, name);
}

static bool is_repeated(struct receiver *receiver, const struct receive_endpoint *endpoint,
                        const struct receive_verdict *verdict)
{
    return verdict->len && verdict->delivery && *verdict->delivery &&
           strlen(verdict->delivery) <= DELIVERY_BYTES &&
           receive_seen_before(&receiver->seen, endpoint->path, verdict->delivery,
                               loop_now_ms(receiver->loop));
}

/* The text may quote the payload: it goes to the sender, who knows it, and not into the log. */
static void tell(const struct receiver *receiver, const struct receive_endpoint *endpoint,
                 const struct receive_verdict *verdict, bool is_again)
{
    const char *name = receive_source_name(endpoint->source);
    if (verdict->status != 200)
        log_warn(receiver->log, F("component", "hooks"), F("warning", "webhook refused"),
                 F("source", name), FI("status", verdict->status));
    else
        log_info(receiver->log, F("component", "hooks"),
                 F("info", is_again ? "webhook repeated" : "webhook"), F("source", name),
                 FI("changes", verdict->len));
}

static void finish(struct receiver *receiver, const struct receive_endpoint *endpoint,
                   const struct receive_verdict *verdict, struct server_request *request)
{
    bool is_again = verdict->status == 200 && is_repeated(receiver, endpoint, verdict);
    tell(receiver, endpoint, verdict, is_again);
    for (size_t i = 0; !is_again && i < verdict->len; i++)
        receiver->on_change(receiver->ctx, &verdict->changes[i]);
    reply(request, verdict->status, verdict->text);
}

static void on_token(void *ctx, const struct http_result *result)
{
    struct waiting *waiting = ctx;
    SCOPED(arena_free) struct arena *mem = waiting->mem;
    struct receive_verdict verdict = waiting->verdict;
    bool is_claimed =
        !result->err && result->status == 200 &&
        receive_is_claimed(mem, result->body, result->body_len, waiting->endpoint->audience);
    if (!is_claimed)
        verdict = (struct receive_verdict){ .status = result->err ? 503 : 401,
                                            .text = result->err ? "the token could not be verified"
                                                                : "the token is not for this" };
    waiting->is_used = false;
    finish(waiting->receiver, waiting->endpoint, &verdict, waiting->request);
}

static struct waiting *free_place(struct receiver *receiver)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (!receiver->waiting[i].is_used)
            return &receiver->waiting[i];
    }
    return NULL;
}

/* Takes the arena. */
static void ask_issuer(struct waiting *waiting)
{
    struct receiver *receiver = waiting->receiver;
    SBUF(url, TOKEN_MAX);
    sbuf_addf(&url, "%s?id_token=", receiver->tokeninfo_url);
    sbuf_add_url(&url, waiting->verdict.id_token);
    const struct http_request request = {
        .method = "GET", .url = sbuf_text(&url), .timeout_ms = TOKEN_MS, .limit_bytes = TOKEN_MAX
    };
    waiting->token = http_start(receiver->http, &request, on_token, waiting);
}

static void take(struct receiver *receiver, const struct receive_endpoint *endpoint,
                 struct server_request *request)
{
    SCOPED(arena_free) struct arena *mem = arena_new(REQUEST_BYTES);
    struct receive_verdict verdict;
    struct receive_request hook = { .endpoint = endpoint, .header = find_header, .ctx = request };
    hook.body = server_body(request, &hook.len);
    receive_judge(mem, &hook, &verdict);
    if (!verdict.id_token) {
        finish(receiver, endpoint, &verdict, request);
        return;
    }
    struct waiting *waiting = free_place(receiver);
    if (!waiting) {
        reply(request, 503, "too many wait already");
        return;
    }
    *waiting = (struct waiting){ .receiver = receiver,
                                 .request = request,
                                 .endpoint = endpoint,
                                 .mem = STEAL(mem),
                                 .verdict = verdict,
                                 .is_used = true };
    ask_issuer(waiting);
}

static void give_up(struct waiting *waiting)
{
    if (!waiting->is_used)
        return;
    http_cancel(waiting->receiver->http, waiting->token);
    reply(waiting->request, 503, "shutting down");
    arena_free(waiting->mem);
}

static void on_request(void *ctx, struct server_request *request)
{
    struct receiver *receiver = ctx;
    const char *method = server_method(request), *path = server_path(request);
    const struct receive_endpoint *endpoint = receive_find(&receiver->config, path);
    if (!strcmp(path, "/health") && (!strcmp(method, "GET") || !strcmp(method, "HEAD")))
        reply(request, 200, "OK");
    else if (endpoint && !strcmp(method, "POST"))
        take(receiver, endpoint, request);
    else
        reply(request, 404, "not found");
}

/* -- start ------------------------------------------------------------------------------------------- */

static void free_text(void *text)
{
    free(text);
}

static struct err *read_file(struct arena *mem, const char *path, size_t max, char **out,
                             size_t *len)
{
    *out = NULL;
    TRY(smallfile_read(path, max, out, len));
    arena_defer(mem, free_text, *out);
    return NULL;
}

static const char *beside(struct arena *mem, const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');
    if (*name == '/' || !slash)
        return name;
    return arena_printf(mem, "%.*s/%s", (int)(slash - file), file, name);
}

/* The path is told, for it is what has to be typed in at the source. */
static struct err *read_key(struct receiver *receiver, const char *file,
                            struct receive_endpoint *endpoint)
{
    char *bytes;
    size_t len;
    const char *path = beside(receiver->mem, file, endpoint->key_path);
    TRY(read_file(receiver->mem, path, RECEIVE_KEY_BYTES_MAX + 1, &bytes, &len));
    TRY(err_wrap(receive_set_key(receiver->mem, bytes, len, endpoint), "%s", path));
    log_info(receiver->log, F("component", "hooks"),
             F("source", receive_source_name(endpoint->source)), F("path", endpoint->path));
    return NULL;
}

static struct err *read_config(struct receiver *receiver, const char *file)
{
    char *text;
    size_t len;
    TRY(read_file(receiver->mem, file, CONFIG_BYTES, &text, &len));
    TRY(err_wrap(receive_config_parse(receiver->mem, text, len, &receiver->config), "%s", file));
    for (size_t i = 0; i < receiver->config.len; i++)
        TRY(read_key(receiver, file, &receiver->config.at[i]));
    return NULL;
}

struct err *receiver_new(const struct receiver_opts *opts, struct receiver **out)
{
    SCOPED(receiver_free) struct receiver *receiver = base_alloc(sizeof(*receiver));
    receiver->mem = arena_new(ARENA_LIMIT_BYTES);
    receiver->loop = opts->loop;
    receiver->log = opts->log;
    receiver->http = opts->http;
    receiver->tokeninfo_url =
        arena_strdup(receiver->mem, opts->tokeninfo_url ? opts->tokeninfo_url : TOKEN_INFO);
    receiver->on_change = opts->on_change;
    receiver->ctx = opts->ctx;
    TRY(err_wrap(read_config(receiver, opts->config_file), "webhooks"));
    TRY(err_wrap(server_new(opts->loop, opts->listen, on_request, receiver, &receiver->server),
                 "webhooks"));
    *out = STEAL(receiver);
    return NULL;
}

void receiver_free(struct receiver *receiver)
{
    if (!receiver)
        return;
    for (size_t i = 0; i < WAITING_MAX; i++)
        give_up(&receiver->waiting[i]);
    server_free(receiver->server);
    arena_free(receiver->mem);
    free(receiver);
}

int receiver_port(const struct receiver *receiver)
{
    return server_port(receiver->server);
}
