#include "cmd/client.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/guard.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "cmd/access.h"
#include "cmd/home.h"
#include "cmd/pods.h"
#include "doc/json.h"
#include "io/http.h"

#define DEFAULT_BASE   "http://127.0.0.1:3030/api/flux"
#define BASE_SUFFIX    "/api/flux"
#define ANSWER_BYTES   ((size_t)64 << 20)
#define BODY_SHOWN_MAX 2000
#define URL_MAX_BYTES  ((size_t)64 << 10)

struct client {
    struct command_call *call;
    struct loop *loop;
    struct http *http;
    struct cluster cluster; /* when the daemon is asked through the API server */
    const char *proxy_path; /* of its pod there; NULL: it is asked itself */
    const char *base;       /* no trailing slash */
    const char *token;
    const char *no_token; /* why the Secret's could not be had; NULL: it was had, or not wanted */
    int64_t timeout_ms;

    /* The answer that is waited for. */
    bool is_done;
    struct err *err;
    int status, os_error;
    const char *body;
    size_t body_len;
};

static const char *from_env(const char *const *names)
{
    const char *found = NULL;
    for (; *names; names++) {
        const char *value = home_env(*names);
        if (value)
            found = value;
    }
    return found;
}

/* The flag, else the last of the variables that is set. */
static const char *choose(const struct command_call *call, const char *flag,
                          const char *const *names)
{
    const char *value = flags_given(call->flags, flag) ? NULL : from_env(names);
    return value ? value : flags_text(call->flags, flag);
}

static struct err *read_timeout(struct client *client)
{
    struct flags *flags = client->call->flags;
    const char *value = home_env("FLUX_TIMEOUT");
    if (value && !flags_given(flags, "timeout"))
        TRY(err_wrap(flags_assign(flags, "timeout", value), "FLUX_TIMEOUT"));
    client->timeout_ms = flags_ms(flags, "timeout");
    return NULL;
}

/* Go's url.Parse stops at these; what else is wrong shows when it is used. */
static struct err *check_base(const char *base)
{
    const char *colon = strchr(base, ':');
    const char *problem = NULL;
    if (colon == base)
        problem = "missing protocol scheme";
    else if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)
        problem = "it has to begin with http:// or https://";
    else if (strpbrk(base, " \t\r\n"))
        problem = "invalid character in URL";
    if (!problem)
        return NULL;
    SBUF(quoted, URL_MAX_BYTES);
    flags_quote(&quoted, base);
    return err_new(ERR_INVALID, "parsing URL: parse %s: %s", sbuf_text(&quoted), problem);
}

/* fluxctl's way when nobody says where the daemon is. */
static struct err *find_daemon(struct client *client)
{
    client->base = BASE_SUFFIX;
    TRY(cluster_open(&client->cluster, client->call));
    client->loop = client->cluster.loop;
    return pods_find_daemon(client->call, &client->cluster, &client->proxy_path);
}

/* fluxctl always does; serin looks on this machine first unless it is told where in the cluster. */
static bool wants_cluster(const struct command_call *call)
{
    return call->face == COMMAND_FLUXCTL || flags_given(call->flags, "k8s-fwd-ns") ||
           flags_given(call->flags, "k8s-fwd-labels") || home_env("FLUX_FORWARD_NAMESPACE") ||
           home_env("FLUX_FORWARD_LABELS");
}

static struct err *set_up(struct client *client)
{
    static const char *const url_names[] = { "FLUX_URL", NULL };
    static const char *const token_names[] = { "FLUX_SERVICE_TOKEN", "WEAVE_CLOUD_TOKEN", NULL };
    struct command_call *call = client->call;
    const char *base = choose(call, "url", url_names);
    client->token = choose(call, "token", token_names);
    TRY(read_timeout(client));
    if (!*base && wants_cluster(call))
        return find_daemon(client);
    if (!*base)
        base = DEFAULT_BASE;
    TRY(check_base(base));
    size_t len = strlen(base);
    while (len && base[len - 1] == '/')
        len--;
    client->base = arena_strndup(call->mem, base, len);
    client->loop = loop_new();
    client->http =
        http_new(client->loop, &(struct http_opts){ .user_agent = "serin/" SERIN_VERSION });
    return NULL;
}

struct err *client_new(struct command_call *call, struct client **out)
{
    SCOPED(client_free) struct client *client = base_alloc(sizeof(*client));
    client->call = call;
    TRY(set_up(client));
    *out = STEAL(client);
    return NULL;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    http_free(client->http);
    if (client->cluster.loop)
        cluster_close(&client->cluster);
    else
        loop_free(client->loop);
    err_free(client->err);
    free(client);
}

/* -- one question -------------------------------------------------------------------------------- */

static void on_answer(void *ctx, const struct http_result *result)
{
    struct client *client = ctx;
    client->is_done = true;
    client->err = err_copy(result->err);
    client->status = result->status;
    client->os_error = result->os_error;
    client->body =
        arena_strndup(client->call->mem, result->body ? result->body : "", result->body_len);
    client->body_len = result->body_len;
}

/* "127.0.0.1:3030" of a URL, as Go names the peer it dials. */
static const char *peer_of(struct arena *mem, const char *url)
{
    const char *host = strstr(url, "://");
    bool is_https = !strncmp(url, "https", 5);
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?");
    bool has_port = memrchr(host, ':', len) > memrchr(host, ']', len);
    return arena_printf(mem, "%.*s%s", (int)len, host, has_port ? "" : is_https ? ":443" : ":80");
}

/* "connection refused": in lower case, as Go writes it. */
static const char *connect_reason(const struct client *client)
{
    char text[200];
    const char *reason = strerror_r(client->os_error, text, sizeof(text));
    return arena_printf(client->call->mem, "%c%s", tolower((unsigned char)reason[0]), reason + 1);
}

static struct err *nobody(struct client *client, const char *method, const char *url)
{
    struct arena *mem = client->call->mem;
    SCOPED(err_free) struct err *e = STEAL(client->err);
    const char *reason = client->os_error ? connect_reason(client) : arena_strdup(mem, err_text(e));
    if (client->call->face == COMMAND_SERIN)
        return err_new(
            err_kind(e),
            "no answer from %s: %s; is the daemon running there? (--url; --k8s-fwd-ns for one in "
            "the cluster, or kubectl port-forward)",
            client->base, reason);
    /* Go's words, which those who read fluxctl's output know. */
    if (client->os_error)
        reason = arena_printf(mem, "dial tcp %s: connect: %s", peer_of(mem, url), reason);
    return err_new(err_kind(e), "executing HTTP request: executing HTTP request: %s \"%s\": %s",
                   !strcmp(method, "GET") ? "Get" : "Post", url, reason);
}

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = { { 400, " Bad Request" },
                  { 403, " Forbidden" },
                  { 404, " Not Found" },
                  { 405, " Method Not Allowed" },
                  { 410, " Gone" },
                  { 413, " Request Entity Too Large" },
                  { 429, " Too Many Requests" },
                  { 500, " Internal Server Error" },
                  { 502, " Bad Gateway" },
                  { 503, " Service Unavailable" },
                  { 504, " Gateway Timeout" } };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].status == status)
            return known[i].text;
    }
    return "";
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t len = strlen(text), end = strlen(suffix);
    return len >= end && !strcmp(text + len - end, suffix);
}

/* What may be the reason, for those who are asked by serin. */
static const char *advice(const struct client *client)
{
    if (client->call->face != COMMAND_SERIN)
        return "";
    if (client->status == 401)
        return client->no_token ? client->no_token : " (--token, FLUX_SERVICE_TOKEN)";
    if (client->status == 404 && !ends_in(client->base, BASE_SUFFIX))
        return " (the URL of an API ends with " BASE_SUFFIX ")";
    return "";
}

/* An error object of the API, else whatever came. */
static struct err *refused(struct client *client)
{
    struct command_call *call = client->call;
    struct val *object = NULL;
    struct err *e = doc_json_parse(call->mem, client->body, client->body_len, &object);
    err_free(e);
    const char *text = val_text(val_get(object, "error"));
    enum err_kind kind = client->status == 404   ? ERR_NOT_FOUND
                         : client->status >= 500 ? ERR_TRANSIENT
                                                 : ERR_INVALID;
    if (text) {
        call->help = val_text(val_get(object, "help"));
        return err_new(kind, "%s%s", text, advice(client));
    }
    if (client->status == 401)
        return err_new(ERR_DENIED,
                       "the daemon refuses the request (401): the token is missing or wrong; "
                       "give it with --token or FLUX_SERVICE_TOKEN");
    return err_new(kind, "executing HTTP request: %d%s %.*s%s", client->status,
                   status_text(client->status), (int)utf8_fit(client->body, BODY_SHOWN_MAX),
                   client->body, advice(client));
}

static struct err *send_direct(struct client *client, const struct http_request *request)
{
    client->is_done = false;
    http_start(client->http, request, on_answer, client);
    while (!client->is_done && loop_turn(client->loop, 1000))
        continue;
    ASSERT(client->is_done);
    return client->err ? nobody(client, request->method, request->url) : NULL;
}

static struct err *send_through_cluster(struct client *client, const struct http_request *request)
{
    struct arena *mem = client->call->mem;
    struct cluster_answer answer = { 0 };
    const char *query = strchr(request->url, '?');
    const struct kube_request through = {
        .method = request->method,
        .path = arena_printf(mem, "%s%.*s", client->proxy_path, (int)strcspn(request->url, "?"),
                             request->url),
        .query = query ? query + 1 : NULL,
        .body = request->body,
        .body_len = request->body_len,
        .accept_text = "application/json",
        .timeout_ms = request->timeout_ms,
        .more_header =
            *client->token ? arena_printf(mem, API_GUARD_HEADER ": %s", client->token) : NULL,
    };
    TRY(err_wrap(cluster_ask(&client->cluster, mem, &through, &answer), "executing HTTP request"));
    client->status = answer.status;
    client->body = answer.body;
    client->body_len = answer.len;
    return NULL;
}

/* As the daemon's own --api-secret; fluxctl's command line has no such flag. */
static const char *secret_name(const struct command_call *call)
{
    static const char *const names[] = { "SERIN_API_SECRET", NULL };
    if (call->face == COMMAND_SERIN)
        return choose(call, "api-secret", names);
    const char *name = from_env(names);
    return name ? name : ACCESS_SECRET;
}

/* The daemon wants its token, which lies beside it for who may read it. */
static struct err *find_token(struct client *client)
{
    struct arena *mem = client->call->mem;
    struct cluster_answer answer = { 0 };
    struct val *secret = NULL;
    unsigned char *bytes = NULL;
    size_t len = 0;
    const char *ns = flags_text(client->call->flags, "k8s-fwd-ns");
    const char *name = secret_name(client->call);
    SBUF(path, URL_MAX_BYTES);
    sbuf_add(&path, "/api/v1/namespaces/");
    sbuf_add_url(&path, ns);
    sbuf_add(&path, "/secrets/");
    sbuf_add_url(&path, name);
    const struct kube_request request = { .method = "GET", .path = sbuf_text(&path) };
    TRY(err_wrap(cluster_ask(&client->cluster, mem, &request, &answer), "Secret %s/%s", ns, name));
    if (answer.status != 200) { /* what the daemon said tells what to do */
        client->no_token = arena_printf(mem, " (Secret %s/%s: %d%s; --api-secret, --token)", ns,
                                        name, answer.status, status_text(answer.status));
        return NULL;
    }
    TRY(err_wrap(doc_json_parse(mem, answer.body, answer.len, &secret), "Secret %s/%s", ns, name));
    const char *encoded = val_text_or(VAL_PATH(secret, "data", ACCESS_TOKEN_KEY), "");
    TRY(err_wrap(hash_base64_parse(mem, encoded, strlen(encoded), &bytes, &len), "Secret %s/%s", ns,
                 name));
    client->token = arena_strndup(mem, (const char *)bytes, len);
    if (!len)
        client->no_token =
            arena_printf(mem, " (Secret %s/%s has none; --api-secret, --token)", ns, name);
    return NULL;
}

static struct err *send_with_token(struct client *client, const struct http_request *request)
{
    TRY(send_through_cluster(client, request));
    if (client->status != 401 || *client->token)
        return NULL;
    TRY(err_wrap(find_token(client), "the token of the daemon"));
    return *client->token ? send_through_cluster(client, request) : NULL;
}

static struct err *read_answer(struct client *client, const struct val **out)
{
    struct val *parsed = NULL;
    *out = NULL;
    if (client->status < 200 || client->status > 299)
        return refused(client);
    if (!client->body_len)
        return NULL;
    struct err *e = doc_json_parse(client->call->mem, client->body, client->body_len, &parsed);
    *out = parsed;
    return err_wrap(e, "the daemon's answer is not what it should be");
}

/* Of 127.0.0.1:3030 no proxy knows anything, whatever the environment says of proxies: as in Go. */
static bool is_of_this_machine(struct arena *mem, const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?");
    const char *at = memrchr(host, '@', len);
    size_t user = at ? (size_t)(at + 1 - host) : 0;
    return api_guard_is_loopback(arena_strndup(mem, host + user, len - user));
}

static struct err *ask(struct client *client, const char *url, const char *body,
                       const struct val **out)
{
    struct arena *mem = client->call->mem;
    const char *headers[4] = { "Accept: application/json" };
    size_t count = 1;
    if (body)
        headers[count++] = "Content-Type: application/json";
    if (*client->token)
        headers[count++] = arena_printf(mem, "Authorization: Scope-Probe token=%s", client->token);
    const struct http_request request = {
        .method = body ? "POST" : "GET",
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .timeout_ms = client->timeout_ms,
        .limit_bytes = ANSWER_BYTES,
        .proxy = is_of_this_machine(mem, url) ? "" : NULL,
    };
    client->call->help = NULL;
    TRY(client->proxy_path ? send_with_token(client, &request) : send_direct(client, &request));
    return read_answer(client, out);
}

struct err *client_get(struct client *client, const char *path, const struct val **out)
{
    return ask(client, arena_printf(client->call->mem, "%s/%s", client->base, path), NULL, out);
}

struct err *client_post(struct client *client, const char *path, const char *body,
                        const struct val **out)
{
    return ask(client, arena_printf(client->call->mem, "%s/%s", client->base, path), body, out);
}

struct err *client_get_own(struct client *client, const char *path, const struct val **out)
{
    size_t len = strlen(client->base);
    if (ends_in(client->base, BASE_SUFFIX))
        len -= strlen(BASE_SUFFIX);
    const char *url =
        arena_printf(client->call->mem, "%.*s/api/serin/v1/%s", (int)len, client->base, path);
    return ask(client, url, NULL, out);
}

/* -- waiting ------------------------------------------------------------------------------------- */

struct nap {
    struct client *client;
    bool is_over;
};

static void on_nap_over(void *ctx)
{
    struct nap *nap = ctx;
    nap->is_over = true;
}

static void sleep_ms(struct client *client, int64_t ms)
{
    struct nap nap = { .client = client };
    loop_after(client->loop, ms, on_nap_over, &nap);
    while (!nap.is_over && loop_turn(client->loop, ms))
        continue;
}

/* One line that is written over; nothing where nobody looks. */
static void show_progress(const struct client *client, const struct client_poll *poll,
                          int64_t since_ms)
{
    if (!poll->waiting_for || client->call->face == COMMAND_FLUXCTL ||
        !isatty(fileno(client->call->err)))
        return;
    (void)fputs("\r\033[K", client->call->err);
    if (since_ms >= 0)
        command_tell(client->call, "waiting for %s: %lld s", poll->waiting_for,
                     (long long)(since_ms / 1000));
    (void)fflush(client->call->err);
}

struct err *client_poll(struct client *client, const struct client_poll *poll)
{
    int64_t start = loop_now_ms(client->loop);
    int64_t end = start + client->timeout_ms;
    struct err *e = NULL;
    bool is_done = false;
    for (int64_t delay = poll->first_ms; !is_done && !e; delay = MIN_OF(delay * 2, poll->most_ms)) {
        e = poll->ask(client, poll->ctx, &is_done);
        int64_t now = loop_now_ms(client->loop);
        bool is_late = !is_done && !e && !poll->is_endless && now + delay > end;
        if (poll->timed_out)
            *poll->timed_out = is_late;
        if (is_late)
            e = err_new(ERR_TRANSIENT, "timeout");
        if (is_done || e)
            break;
        show_progress(client, poll, now - start);
        sleep_ms(client, delay);
    }
    show_progress(client, poll, -1);
    return e;
}
