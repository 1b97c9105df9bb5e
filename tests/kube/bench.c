#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static void write_log(void *ctx, const char *line, size_t len)
{
    struct bench *bench = ctx;
    sbuf_add_bytes(&bench->log_text, line, len);
}

static int64_t wall_ns(void *ctx)
{
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct bench *bench_new_for(struct kube_config *config, void (*tune)(struct kube_opts *opts))
{
    struct bench *bench = base_alloc(sizeof(*bench));
    bench->mem = arena_new(ARENA_LIMIT_BYTES);
    bench->loop = loop_new();
    bench->http = http_new(bench->loop, NULL);
    sbuf_init(&bench->log_text, SBUF_MAX);
    bench->log =
        (struct log){ .least = LOG_DEBUG, .write = write_log, .wall_ns = wall_ns, .ctx = bench };
    bench->metrics = metrics_new();
    bench->config = config;
    struct kube_opts opts = { .loop = bench->loop,
                              .http = bench->http,
                              .log = &bench->log,
                              .metrics = bench->metrics,
                              .config = config,
                              .backoff_ms = 20 };
    if (tune)
        tune(&opts);
    bench->kube = kube_new(&opts);
    return bench;
}

struct bench *bench_new(scripted_serve serve, void *ctx, void (*tune)(struct kube_opts *opts))
{
    struct scripted *server = scripted_new(serve, ctx);
    struct kube_config *config = base_alloc(sizeof(*config));
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", scripted_port(server));
    config->server = base_copy_text(url);
    config->ns = base_copy_text("default");
    config->proxy = base_copy_text("");
    struct bench *bench = bench_new_for(config, tune);
    bench->server = server;
    return bench;
}

void bench_free(struct bench *bench)
{
    if (!bench)
        return;
    kube_free(bench->kube);
    http_free(bench->http);
    scripted_free(bench->server);
    loop_free(bench->loop);
    kube_config_free(bench->config);
    metrics_free(bench->metrics);
    sbuf_fini(&bench->log_text);
    arena_free(bench->mem);
    free(bench);
}

bool bench_until(struct bench *bench, bool (*is_so)(void *ctx), void *ctx)
{
    int64_t end_ms = loop_now_ms(bench->loop) + PATIENCE_MS;
    while (!is_so(ctx)) {
        if (loop_now_ms(bench->loop) >= end_ms)
            return false;
        (void)loop_turn(bench->loop, 20);
    }
    return true;
}

static bool never(void *ctx)
{
    struct bench *bench = ((void **)ctx)[0];
    return loop_now_ms(bench->loop) >= *(int64_t *)((void **)ctx)[1];
}

void bench_turn_for(struct bench *bench, int64_t ms)
{
    int64_t end_ms = loop_now_ms(bench->loop) + ms;
    (void)bench_until(bench, never, (void *[]){ bench, &end_ms });
}

const char *bench_log(const struct bench *bench)
{
    return sbuf_text(&bench->log_text);
}

void bench_on_answer(void *ctx, const struct kube_result *result)
{
    struct bench_answer *answer = ctx;
    answer->is_done = true;
    answer->times++;
    answer->status = result->status;
    answer->refusal = result->refusal;
    answer->kind = result->err ? err_kind(result->err) : ERR_CANCELED;
    snprintf(answer->error, sizeof(answer->error), "%s", err_text(result->err));
    snprintf(answer->body, sizeof(answer->body), "%s", result->body ? result->body : "");
    snprintf(answer->warning, sizeof(answer->warning), "%s",
             result->warning ? result->warning : "");
}

bool bench_is_done(void *ctx)
{
    return ((struct bench_answer *)ctx)->is_done;
}

void bench_ask(struct bench *bench, const struct kube_request *request, struct bench_answer *out)
{
    *out = (struct bench_answer){ 0 };
    assert_int_not_equal(kube_start(bench->kube, request, bench_on_answer, out), 0);
    assert_false(out->is_done);
    assert_true(bench_until(bench, bench_is_done, out));
    assert_int_equal(out->times, 1);
}
