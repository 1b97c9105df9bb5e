#include "image/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/time.h"
#include "doc/json.h"

#define TOKEN_MS        ((int64_t)30 * 1000)
#define TOKEN_BYTES_MAX ((size_t)64 << 10)
#define MEMORY_BYTES    ((size_t)16 << 20)
#define AUTHS_MAX       3                    /* of one call */
#define PATIENCE_MS     ((int64_t)60 * 1000) /* a call that would wait longer for its turn fails */
#define SAID_MAX        200                  /* of what a registry says about its errors */

struct host {
    char *name;
    struct pace pace;
    bool is_insecure, is_plain; /* is_plain: it does not speak TLS, as we found out */
};

struct registry_hosts {
    struct registry_hosts_opts opts;
    struct map *hosts;
    struct metric *requests;
};

struct call {
    struct registry *registry;
    struct call *next, **at;
    struct arena *mem;
    struct registry_request request;
    const char *url;
    registry_done done;
    void *ctx;
    ticket timer, http;
    int64_t asked_ms;
    int auths;
    unsigned generation; /* of the header it was sent with */
    bool is_waiting;     /* for a token */
    struct err *late;    /* told in a later turn */
};

struct registry {
    struct registry_hosts *hosts;
    struct host *host;
    struct arena *mem;
    const char *path;
    struct image_login login;
    bool has_login, was_throttled;
    struct call *calls;
    char *header; /* Authorization; NULL: none */
    unsigned generation;
    ticket token; /* the request for one that runs */
    const char *realm;
};

static const struct http_tls insecure_tls = { .is_insecure = true };

/* -- hosts */

static void host_free(void *at)
{
    struct host *host = at;
    free(host->name);
    free(host);
}

static size_t name_len(const char *host)
{
    const char *colon = strrchr(host, ':');
    return colon && strspn(colon + 1, "0123456789") == strlen(colon + 1) ? (size_t)(colon - host)
                                                                         : strlen(host);
}

/* An entry without port names all ports. */
static bool is_insecure(const struct registry_hosts *hosts, const char *host)
{
    for (const char *const *at = hosts->opts.insecure; at && *at; at++) {
        if (strcasecmp(*at, host) == 0)
            return true;
        if (name_len(*at) == strlen(*at) && name_len(host) == strlen(*at) &&
            strncasecmp(*at, host, strlen(*at)) == 0)
            return true;
    }
    return false;
}

static struct host *find_host(struct registry_hosts *hosts, const char *name)
{
    struct host *host = map_get(hosts->hosts, name);
    if (host)
        return host;
    host = base_alloc(sizeof(*host));
    host->name = base_copy_text(name);
    host->is_insecure = is_insecure(hosts, name);
    host->pace = pace_of(hosts->opts.rps, hosts->opts.burst, loop_now_ms(hosts->opts.loop));
    map_set(hosts->hosts, name, host);
    return host;
}

struct registry_hosts *registry_hosts_new(const struct registry_hosts_opts *opts)
{
    struct registry_hosts *hosts = base_alloc(sizeof(*hosts));
    hosts->opts = *opts;
    hosts->hosts = map_new(host_free);
    if (opts->metrics)
        hosts->requests = metrics_declare(
            opts->metrics,
            &(struct metric_spec){ .name = "serin_registry_requests_total",
                                   .help = "Requests to registries of images, by host and status "
                                           "(none: no answer came).",
                                   .type = METRIC_COUNTER,
                                   .labels = { "host", "code" } });
    return hosts;
}

void registry_hosts_free(struct registry_hosts *hosts)
{
    if (!hosts)
        return;
    map_free(hosts->hosts);
    free(hosts);
}

void registry_hosts_recover(struct registry_hosts *hosts, const char *host)
{
    pace_recover(&find_host(hosts, host)->pace, loop_now_ms(hosts->opts.loop));
}

/* -- calls */

static void call_free(struct call *call)
{
    const struct registry_hosts_opts *opts = &call->registry->hosts->opts;
    loop_cancel(opts->loop, call->timer);
    http_cancel(opts->http, call->http);
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    err_free(call->late);
    arena_free(call->mem);
    free(call);
}

/* Nothing of the registry may be touched behind it: its owner may have freed it. */
static void finish(struct call *call, const struct registry_answer *answer)
{
    registry_done done = call->done;
    void *ctx = call->ctx;
    struct registry_answer copy = *answer;
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    copy.url = arena_strdup(mem, call->url);
    call_free(call);
    done(ctx, &copy);
}

static void fail(struct call *call, struct err *e, bool is_throttled)
{
    SCOPED(err_free) struct err *owned = e;
    finish(call, &(struct registry_answer){ .err = owned, .is_throttled = is_throttled });
}

static void on_late_failure(void *ctx)
{
    struct call *call = ctx;
    call->timer = 0;
    fail(call, STEAL(call->late), false);
}

static void fail_later(struct call *call, struct err *e)
{
    call->is_waiting = false;
    call->late = e;
    call->timer = loop_after(call->registry->hosts->opts.loop, 0, on_late_failure, call);
}

static void on_turn(void *ctx);

static void send_later(struct call *call)
{
    call->is_waiting = false;
    call->timer = loop_after(call->registry->hosts->opts.loop, 0, on_turn, call);
}

/* -- who we are */

static void set_header(struct registry *registry, const char *scheme, const char *text)
{
    if (registry->header)
        explicit_bzero(registry->header, strlen(registry->header));
    free(registry->header);
    registry->header = NULL;
    registry->generation++;
    size_t len = strlen(scheme) + strlen(text) + strlen("Authorization:  ") + 1;
    registry->header = base_alloc(len);
    (void)snprintf(registry->header, len, "Authorization: %s %s", scheme, text);
}

static const char *basic_text(struct arena *mem, const struct image_login *login)
{
    const char *pair = arena_printf(mem, "%s:%s", login->user, login->password);
    return hash_base64(mem, pair, strlen(pair));
}

/* Those that wait for a token go on, or fail all with the same error (taken). */
static void wake(struct registry *registry, struct err *e)
{
    for (struct call *call = registry->calls; call; call = call->next) {
        if (!call->is_waiting)
            continue;
        if (e)
            fail_later(call, err_copy(e));
        else
            send_later(call);
    }
    err_free(e);
}

static bool is_header_text(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 127)
            return false;
    }
    return true;
}

static struct err *read_token(struct registry *registry, const struct http_result *result)
{
    if (result->err)
        return err_wrap(err_copy(result->err), "token");
    if (result->status == 401 || result->status == 403)
        return err_new(ERR_DENIED, "the token server %s refuses %s: status %d", registry->realm,
                       registry->has_login ? "the credentials" : "to give one without credentials",
                       result->status);
    if (result->status != 200)
        return err_with_retry_after(
            err_new(ERR_TRANSIENT, "the token server %s answers with status %d", registry->realm,
                    result->status),
            time_parse_retry_after(http_header(result, "Retry-After"),
                                   loop_wall_ms(registry->hosts->opts.loop)));
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    struct val *root = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, result->body, result->body_len, &root);
    const char *token = val_text_or(val_get(root, "token"), "");
    if (*token == '\0')
        token = val_text_or(val_get(root, "access_token"), "");
    if (e || *token == '\0' || !is_header_text(token))
        return err_new(ERR_INVALID, "the token server %s gave no token", registry->realm);
    set_header(registry, "Bearer", token);
    return NULL;
}

static void count(const struct registry *registry, const struct http_result *result)
{
    char code[16] = "none";
    if (result->status > 0)
        (void)snprintf(code, sizeof(code), "%d", result->status);
    const char *const labels[] = { registry->host->name, code };
    if (registry->hosts->requests)
        metric_add(registry->hosts->requests, labels, 1);
}

static void on_token(void *ctx, const struct http_result *result)
{
    struct registry *registry = ctx;
    registry->token = 0;
    count(registry, result);
    wake(registry, read_token(registry, result));
}

/* Scheme, host and path of a URL, to be shown; and its host. */
static const char *shown_url(struct arena *mem, const char *url)
{
    return arena_strndup(mem, url, MIN_OF(strcspn(url, "?#"), 200));
}

static const char *host_of(struct arena *mem, const char *url)
{
    const char *at = strstr(url, "://");
    at = at ? at + 3 : url;
    return arena_strndup(mem, at, strcspn(at, "/?#"));
}

/* Why no token is asked for there; NULL: it is fine. */
static struct err *check_realm(const struct registry *registry, struct arena *mem,
                               const char *realm)
{
    const char *host = host_of(mem, realm);
    const struct host *own = registry->host;
    if (strchr(host, '@') || *host == '\0' || !is_header_text(realm))
        return err_new(ERR_INVALID, "the registry names no valid address for tokens");
    if (strncasecmp(realm, "https://", 8) == 0)
        return NULL;
    bool is_own =
        name_len(host) == name_len(own->name) && strncasecmp(host, own->name, name_len(host)) == 0;
    bool is_http = strncasecmp(realm, "http://", 7) == 0;
    if (is_http && own->is_plain && (is_own || is_insecure(registry->hosts, host)))
        return NULL;
    return err_new(ERR_DENIED,
                   "the registry sends us for a token to %s, which is not encrypted: refused",
                   shown_url(mem, realm));
}

static void add_param(struct sbuf *out, const char *name, const char *value)
{
    if (*value == '\0')
        return;
    sbuf_add(out, out->len > 0 ? "&" : "");
    sbuf_addf(out, "%s=", name);
    sbuf_add_url(out, value);
}

static void start_token(struct registry *registry, struct arena *mem,
                        const struct image_challenge *challenge)
{
    const struct image_login *login = &registry->login;
    bool is_refresh = registry->has_login && *login->token;
    const char *scope = *challenge->scope ? challenge->scope
                                          : arena_printf(mem, "repository:%s:pull", registry->path);
    SBUF(form, TOKEN_BYTES_MAX);
    add_param(&form, "service", challenge->service);
    add_param(&form, "scope", scope);
    if (is_refresh) {
        add_param(&form, "grant_type", "refresh_token");
        add_param(&form, "client_id", "serin");
        add_param(&form, "refresh_token", login->token);
    }
    const char *mark = strchr(challenge->realm, '?') ? "&" : "?";
    const char *url = is_refresh
                          ? challenge->realm
                          : arena_printf(mem, "%s%s%s", challenge->realm, mark, sbuf_text(&form));
    const char *headers[] = {
        is_refresh ? "Content-Type: application/x-www-form-urlencoded" : "Accept: application/json",
        registry->has_login && *login->user && !is_refresh
            ? arena_printf(mem, "Authorization: Basic %s", basic_text(mem, login))
            : NULL,
        NULL
    };
    bool trusts_all = is_insecure(registry->hosts, host_of(mem, challenge->realm));
    registry->realm = arena_strdup(registry->mem, shown_url(mem, challenge->realm));
    registry->token = http_start(registry->hosts->opts.http,
                                 &(struct http_request){ .method = is_refresh ? "POST" : "GET",
                                                         .url = url,
                                                         .headers = headers,
                                                         .body = is_refresh ? form.bytes : NULL,
                                                         .body_len = is_refresh ? form.len : 0,
                                                         .timeout_ms = TOKEN_MS,
                                                         .limit_bytes = TOKEN_BYTES_MAX,
                                                         .tls = trusts_all ? &insecure_tls : NULL,
                                                         .follow_redirects = !is_refresh },
                                 on_token, registry);
    if (form.bytes)
        explicit_bzero(form.bytes, form.len);
}

/* After a 401. An error ends the call; else it waits, or goes on at once. */
static struct err *answer_challenge(struct call *call, const struct image_challenge *challenge)
{
    struct registry *registry = call->registry;
    const struct image_login *login = &registry->login;
    bool was_basic = registry->header && strncmp(registry->header, "Authorization: Basic", 20) == 0;
    switch (challenge->kind) {
    case IMAGE_AUTH_NONE:
        return err_new(ERR_DENIED, "the registry wants credentials of a kind that serin has not");
    case IMAGE_AUTH_BASIC:
        if (!registry->has_login || *login->user == '\0')
            return err_new(ERR_DENIED,
                           "the registry wants credentials, and there are none for %s "
                           "(imagePullSecrets, --docker-config)",
                           registry->host->name);
        if (was_basic)
            return err_new(ERR_DENIED, "the registry refuses the credentials for %s",
                           registry->host->name);
        set_header(registry, "Basic", basic_text(call->mem, login));
        send_later(call);
        return NULL;
    case IMAGE_AUTH_BEARER: break;
    }
    TRY(check_realm(registry, call->mem, challenge->realm));
    if (registry->has_login && login->is_bearer && !registry->header) {
        set_header(registry, "Bearer", login->token);
        send_later(call);
        return NULL;
    }
    call->is_waiting = true;
    start_token(registry, call->mem, challenge);
    return NULL;
}

static void on_challenge(struct call *call, const struct http_result *result)
{
    struct registry *registry = call->registry;
    struct image_challenge challenge;
    if (call->generation != registry->generation && registry->header) {
        send_later(call); /* another call has got a newer one meanwhile */
        return;
    }
    if (registry->token) {
        call->is_waiting = true;
        return;
    }
    if (++call->auths > AUTHS_MAX) {
        fail(call, err_new(ERR_DENIED, "the registry refuses its own tokens"), false);
        return;
    }
    image_wire_challenge(call->mem, http_header(result, "WWW-Authenticate"), &challenge);
    struct err *e = answer_challenge(call, &challenge);
    if (e)
        fail(call, e, false);
}

/* -- answers */

/* What the body says of it, if it is as the API has it: `CODE: message`. */
static const char *said(struct arena *mem, const struct http_result *result)
{
    struct val *root = NULL;
    if (result->body_len > TOKEN_BYTES_MAX)
        return "";
    SCOPED(err_free) struct err *e = doc_json_parse(mem, result->body, result->body_len, &root);
    const struct val *first = val_item(val_get(root, "errors"), 0);
    if (e || !first)
        return "";
    char *text = arena_printf(mem, " %s: %s", val_text_or(val_get(first, "code"), "error"),
                              val_text_or(val_get(first, "message"), ""));
    if (strlen(text) > SAID_MAX)
        text[SAID_MAX] = '\0';
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 127)
            *c = '?';
    }
    return text;
}

static enum err_kind kind_of(int status)
{
    if (status == 401 || status == 403)
        return ERR_DENIED;
    if (status == 404)
        return ERR_NOT_FOUND;
    return status == 429 || status == 408 || status >= 500 ? ERR_TRANSIENT : ERR_INVALID;
}

static void on_refused(struct call *call, const struct http_result *result)
{
    struct registry *registry = call->registry;
    const struct registry_hosts_opts *opts = &registry->hosts->opts;
    const char *words = said(call->mem, result);
    int64_t after_ms =
        time_parse_retry_after(http_header(result, "Retry-After"), loop_wall_ms(opts->loop));
    bool is_throttled = result->status == 429 || strncmp(words, " TOOMANYREQUESTS:", 17) == 0;
    if (is_throttled || (result->status == 503 && after_ms >= 0)) {
        pace_refused(&registry->host->pace, loop_now_ms(opts->loop), after_ms,
                     is_throttled && !registry->was_throttled);
        registry->was_throttled |= is_throttled;
    }
    struct err *e =
        err_new(is_throttled ? ERR_TRANSIENT : kind_of(result->status), "%s %s: status %d%s",
                call->request.method, shown_url(call->mem, call->url), result->status, words);
    fail(call, err_with_retry_after(e, after_ms), is_throttled);
}

static void trace(const struct call *call, const struct http_result *result)
{
    const struct registry_hosts_opts *opts = &call->registry->hosts->opts;
    if (opts->trace)
        log_info(opts->log, F("component", "registry"), F("method", call->request.method),
                 F("url", shown_url(call->mem, call->url)), FI("status", result->status),
                 FMS("took", loop_now_ms(opts->loop) - call->asked_ms),
                 F("err", result->err ? result->why : ""));
}

/* An insecure host that does not speak TLS is asked again without. */
static bool may_fall_back(const struct call *call, const struct http_result *result)
{
    const struct host *host = call->registry->host;
    return result->err && result->status == 0 && host->is_insecure &&
           result->cause != HTTP_TIMED_OUT && result->cause != HTTP_NO_SUCH_HOST &&
           strncmp(call->url, "https:", 6) == 0 && !call->request.url;
}

static void on_answer(void *ctx, const struct http_result *result)
{
    struct call *call = ctx;
    call->http = 0;
    count(call->registry, result);
    trace(call, result);
    if (may_fall_back(call, result)) {
        call->registry->host->is_plain = true;
        send_later(call);
        return;
    }
    if (result->err) {
        call->registry->host->is_plain = false; /* it may have learned TLS since */
        fail(call, err_copy(result->err), false);
    } else if (result->status == 401)
        on_challenge(call, result);
    else if (result->status < 200 || result->status > 299)
        on_refused(call, result);
    else
        finish(call, &(struct registry_answer){ .http = result });
}

/* -- questions */

static void send_call(struct call *call)
{
    const struct registry *registry = call->registry;
    const struct host *host = registry->host;
    const char *headers[] = { call->request.accept ? call->request.accept : "Accept: */*",
                              registry->header, NULL };
    call->url = call->request.url
                    ? call->request.url
                    : arena_printf(call->mem, "%s://%s/v2/%s/%s", host->is_plain ? "http" : "https",
                                   host->name, registry->path, call->request.path);
    call->generation = registry->generation;
    call->asked_ms = loop_now_ms(registry->hosts->opts.loop);
    call->http = http_start(registry->hosts->opts.http,
                            &(struct http_request){ .method = call->request.method,
                                                    .url = call->url,
                                                    .headers = headers,
                                                    .timeout_ms = call->request.timeout_ms,
                                                    .limit_bytes = call->request.limit_bytes,
                                                    .tls = host->is_insecure ? &insecure_tls : NULL,
                                                    .follow_redirects = true,
                                                    .wants_gzip = true },
                            on_answer, call);
}

static void on_turn(void *ctx)
{
    struct call *call = ctx;
    struct registry *registry = call->registry;
    struct loop *loop = registry->hosts->opts.loop;
    call->timer = 0;
    int64_t wait_ms = pace_take(&registry->host->pace, loop_now_ms(loop));
    if (wait_ms == 0) {
        send_call(call);
    } else if (wait_ms > PATIENCE_MS) {
        struct err *e = err_new(ERR_TRANSIENT, "%s has asked not to be asked for another %lld s",
                                registry->host->name, (long long)(wait_ms / 1000));
        fail(call, err_with_retry_after(e, wait_ms), true);
    } else {
        call->timer = loop_after(loop, wait_ms, on_turn, call);
    }
}

void registry_start(struct registry *registry, const struct registry_request *request,
                    registry_done done, void *ctx)
{
    struct call *call = base_alloc(sizeof(*call));
    struct arena *mem = arena_new(MEMORY_BYTES);
    *call = (struct call){ .registry = registry,
                           .mem = mem,
                           .request = { .method = arena_strdup(mem, request->method),
                                        .path = arena_strdup(mem, request->path),
                                        .url = arena_strdup(mem, request->url),
                                        .accept = arena_strdup(mem, request->accept),
                                        .limit_bytes = request->limit_bytes,
                                        .timeout_ms = request->timeout_ms },
                           .url = "",
                           .done = done,
                           .ctx = ctx,
                           .next = registry->calls,
                           .at = &registry->calls };
    if (call->next)
        call->next->at = &call->next;
    registry->calls = call;
    send_later(call);
}

struct registry *registry_new(struct registry_hosts *hosts, const char *host, const char *path,
                              const struct image_login *login)
{
    struct registry *registry = base_alloc(sizeof(*registry));
    registry->hosts = hosts;
    registry->host = find_host(hosts, host);
    registry->mem = arena_new(MEMORY_BYTES);
    registry->path = arena_strdup(registry->mem, path);
    registry->realm = "";
    registry->has_login = login != NULL;
    if (login)
        registry->login =
            (struct image_login){ .user = arena_strdup(registry->mem, login->user),
                                  .password = arena_strdup(registry->mem, login->password),
                                  .token = arena_strdup(registry->mem, login->token),
                                  .is_bearer = login->is_bearer };
    return registry;
}

static void wipe(const char *text)
{
    if (text && *text)
        explicit_bzero((char *)(uintptr_t)text, strlen(text)); /* of our own arena */
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    while (registry->calls)
        call_free(registry->calls);
    http_cancel(registry->hosts->opts.http, registry->token);
    wipe(registry->login.password);
    wipe(registry->login.token);
    wipe(registry->header);
    free(registry->header);
    arena_free(registry->mem);
    free(registry);
}
