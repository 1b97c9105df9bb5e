#include "cmd/cluster.h"

#include "cmd/home.h"
#include "io/http.h"

#define USER_AGENT "serin/" SERIN_VERSION

/* What one request, or the discovery, comes to. */
struct asking {
    struct arena *mem;
    struct cluster_answer *out;
    struct err *err;
    bool is_done;
};

static void write_log(void *ctx, const char *line, size_t len)
{
    (void)fwrite(line, 1, len, ctx);
}

static int64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

struct err *cluster_open(struct cluster *cluster, const struct command_call *call)
{
    TRY(home_kube_config(call, &cluster->config));
    TRY(kube_config_refresh(cluster->config));
    cluster->loop = loop_new();
    cluster->http = http_new(cluster->loop, &(struct http_opts){ .user_agent = USER_AGENT });
    cluster->log = (struct log){
        .least = LOG_ERROR, .write = write_log, .wall_ns = no_clock, .ctx = call->err
    };
    cluster->kube = kube_new(&(struct kube_opts){ .loop = cluster->loop,
                                                  .http = cluster->http,
                                                  .log = &cluster->log,
                                                  .config = cluster->config,
                                                  .user_agent = USER_AGENT });
    return NULL;
}

void cluster_close(struct cluster *cluster)
{
    kube_discovery_free(cluster->discovery);
    kube_free(cluster->kube);
    http_free(cluster->http);
    loop_free(cluster->loop);
    kube_config_free(cluster->config);
    *cluster = (struct cluster){ 0 };
}

static void wait(const struct cluster *cluster, const struct asking *asking)
{
    while (!asking->is_done && loop_turn(cluster->loop, 1000))
        continue;
    ASSERT(asking->is_done);
}

static void on_discovered(void *ctx, const struct err *err)
{
    struct asking *asking = ctx;
    asking->is_done = true;
    asking->err = err_copy(err);
}

struct err *cluster_discover(struct cluster *cluster)
{
    struct asking asking = { 0 };
    cluster->discovery = kube_discovery_new(cluster->kube, &cluster->log);
    kube_discovery_refresh(cluster->discovery, on_discovered, &asking);
    wait(cluster, &asking);
    return kube_config_explain(cluster->config, loop_wall_ms(cluster->loop), asking.err);
}

static void on_answer(void *ctx, const struct kube_result *result)
{
    struct asking *asking = ctx;
    asking->is_done = true;
    asking->err = result->status ? NULL : err_copy(result->err);
    *asking->out = (struct cluster_answer){ .status = result->status, .len = result->body_len };
    asking->out->body =
        arena_strndup(asking->mem, result->body ? result->body : "", result->body_len);
}

struct err *cluster_ask(struct cluster *cluster, struct arena *mem,
                        const struct kube_request *request, struct cluster_answer *out)
{
    struct asking asking = { .mem = mem, .out = out };
    kube_start(cluster->kube, request, on_answer, &asking);
    wait(cluster, &asking);
    return asking.err;
}
