#include "loadtester/loadtester.h"

#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "io/server.h"
#include "loadtester/gates.h"
#include "loadtester/tasks.h"

#define METRICS_BYTES ((size_t)4 << 20)

struct loadtester {
    struct loadtester_opts opts;
    struct server *server;
    struct gates *gates;
    struct tasks *tasks;
    struct metric *requests;
};

/* What a webhook sends, as far as it is of interest. */
struct payload {
    const char *name, *ns;
    const struct val *metadata;
};

struct call {
    struct loadtester *tester;
    struct server_request *request;
    struct arena *mem;
    struct payload payload;
};

static void reply(struct call *call, int status, const char *body)
{
    SCOPED(arena_free) struct arena *mem = call->mem;
    metric_add(call->tester->requests, (const char *const[]){ arena_printf(mem, "%d", status) }, 1);
    const struct server_answer answer = { .status = status,
                                          .content_type = "text/plain; charset=utf-8",
                                          .body = body,
                                          .body_len = strlen(body) };
    server_reply(call->request, &answer);
}

/* -- routes --------------------------------------------------------------------------------------------- */

static void say_ok(struct call *call)
{
    reply(call, 200, "OK");
}

static void say_forbidden(struct call *call)
{
    reply(call, 403, "Forbidden");
}

static void show_metrics(struct call *call)
{
    const struct loadtester_opts *opts = &call->tester->opts;
    SBUF(text, METRICS_BYTES);
    if (opts->before_metrics)
        opts->before_metrics(opts->ctx);
    metrics_format(opts->metrics, &text);
    reply(call, 200, sbuf_text(&text));
}

static const char *gate_key(struct call *call, const char *family)
{
    return arena_printf(call->mem, "%s%s.%s", family, call->payload.name, call->payload.ns);
}

static void log_gate(struct call *call, const char *key, const char *text)
{
    log_info(call->tester->opts.log, F("msg", arena_printf(call->mem, "%s %s", key, text)));
}

static void check(struct call *call, const char *family, const char *door)
{
    const char *key = gate_key(call, family);
    bool is_open = gates_is_open(call->tester->gates, key);
    log_gate(call, key,
             arena_printf(call->mem, "%s check: approved %s", door, is_open ? "true" : "false"));
    reply(call, is_open ? 200 : 403, is_open ? "Approved" : "Forbidden");
}

static void turn(struct call *call, const char *family, const char *door, bool opens)
{
    const char *key = gate_key(call, family);
    SCOPED(err_free) struct err *e = gates_set(call->tester->gates, key, opens);
    if (e) {
        reply(call, 503, arena_strdup(call->mem, err_text(e)));
        return;
    }
    log_gate(call, key, arena_printf(call->mem, "%s %s", door, opens ? "opened" : "closed"));
    reply(call, 202, "");
}

#define ROLLBACK "rollback." /* before the key */

static void check_gate(struct call *call)
{
    check(call, "", "gate");
}

static void open_gate(struct call *call)
{
    turn(call, "", "gate", true);
}

static void close_gate(struct call *call)
{
    turn(call, "", "gate", false);
}

static void check_rollback(struct call *call)
{
    check(call, ROLLBACK, "rollback");
}

static void open_rollback(struct call *call)
{
    turn(call, ROLLBACK, "rollback", true);
}

static void close_rollback(struct call *call)
{
    turn(call, ROLLBACK, "rollback", false);
}

static void on_task_answer(void *ctx, const struct tasks_answer *answer)
{
    struct call *call = ctx;
    reply(call, answer->status, answer->body);
}

static void take_task(struct call *call)
{
    const char *canary = arena_printf(call->mem, "%s.%s", call->payload.name, call->payload.ns);
    tasks_take(call->tester->tasks, canary, call->payload.metadata, on_task_answer, call);
}

static const struct route {
    const char *path;
    bool reads_payload;
    void (*answer)(struct call *call);
} routes[] = {
    { "/healthz", false, say_ok },
    { "/metrics", false, show_metrics },
    { "/gate/approve", false, say_ok },
    { "/gate/halt", false, say_forbidden },
    { "/gate/check", true, check_gate },
    { "/gate/open", true, open_gate },
    { "/gate/close", true, close_gate },
    { "/rollback/check", true, check_rollback },
    { "/rollback/open", true, open_rollback },
    { "/rollback/close", true, close_rollback },
};
static const struct route every_other = { "", true, take_task };

/* -- requests ------------------------------------------------------------------------------------------- */

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return &every_other;
}

static bool read_payload(struct call *call)
{
    size_t len;
    const char *body = server_body(call->request, &len);
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(call->mem, body, len, &v);
    if (e || !val_is_map(v))
        return false;
    call->payload = (struct payload){ .name = val_text_or(val_get(v, "name"), ""),
                                      .ns = val_text_or(val_get(v, "namespace"), ""),
                                      .metadata = val_get(v, "metadata") };
    return true;
}

static void on_request(void *ctx, struct server_request *request)
{
    struct loadtester *tester = ctx;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct call *call = arena_alloc(mem, sizeof(*call));
    *call = (struct call){ .tester = tester, .request = request, .mem = mem };
    const struct route *route = find_route(server_path(request));
    const struct regex *allowed = tester->opts.namespaces;
    if (route->reads_payload && !read_payload(call))
        reply(call, 400, "");
    else if (route->reads_payload && allowed && !regex_matches(allowed, call->payload.ns))
        reply(call, 403, "Forbidden");
    else
        route->answer(call);
}

struct err *loadtester_new(const struct loadtester_opts *opts, struct loadtester **out)
{
    SCOPED(loadtester_free) struct loadtester *tester = base_alloc(sizeof(*tester));
    tester->opts = *opts;
    tester->gates = gates_new();
    tester->tasks = tasks_new(&(struct tasks_opts){ .loop = opts->loop,
                                                    .http = opts->http,
                                                    .log = opts->log,
                                                    .metrics = opts->metrics,
                                                    .timeout_ms = opts->timeout_ms });
    tester->requests = metrics_declare(
        opts->metrics, &(struct metric_spec){ .name = "serin_loadtester_requests_total",
                                              .help = "Requests answered, by status.",
                                              .type = METRIC_COUNTER,
                                              .labels = { "status" } });
    TRY(server_new(opts->loop, opts->listen, on_request, tester, &tester->server));
    *out = STEAL(tester);
    return NULL;
}

void loadtester_free(struct loadtester *tester)
{
    if (!tester)
        return;
    tasks_free(tester->tasks);
    server_free(tester->server);
    gates_free(tester->gates);
    free(tester);
}

int loadtester_port(const struct loadtester *tester)
{
    return server_port(tester->server);
}
