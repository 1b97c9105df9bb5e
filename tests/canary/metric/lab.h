/* canary/metric/lab.h - a metric lab beside a server that answers as its path says. Include after cmocka.h.
 * Effects:   a scripted server on loopback, a loop, clients. */
#ifndef SERIN_TESTS_CANARY_METRIC_LAB_H
#define SERIN_TESTS_CANARY_METRIC_LAB_H

#include <stdio.h>

#include "../value.h"
#include "base/hash.h"
#include "bench.h"
#include "canary/metric/check.h"

struct lab {
    struct bench *bench;
    struct metric_lab *metric;
    struct arena *mem;
    struct live *live;
    struct canary canary;
    struct canary_settings settings;
    /* what the last check came to */
    int told;
    bool is_ok, has_value;
    enum canary_severity severity;
    char text[4096];
    double value;
};

UNUSED static struct lab *lab_new(scripted_serve serve, const char *const *environ_list)
{
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->bench = bench_new(serve, lab, NULL);
    lab->mem = lab->bench->mem;
    lab->live = live_new(lab->mem);
    lab->settings = (struct canary_settings){ .mesh_provider = "istio" };
    lab->metric = metric_lab_new(&(struct metric_lab_opts){ .loop = lab->bench->loop,
                                                            .http = lab->bench->http,
                                                            .kube = lab->bench->kube,
                                                            .log = &lab->bench->log,
                                                            .environ_list = environ_list });
    return lab;
}

UNUSED static void lab_free(struct lab *lab)
{
    metric_lab_free(lab->metric);
    bench_free(lab->bench);
    free(lab);
}

/* PORT in a text is the server's. */
UNUSED static const char *lab_text(struct lab *lab, const char *text)
{
    SBUF(made, SBUF_MAX);
    for (const char *at; (at = strstr(text, "PORT")); text = at + 4)
        sbuf_addf(&made, "%.*s%d", (int)(at - text), text, scripted_port(lab->bench->server));
    sbuf_add(&made, text);
    return arena_strdup(lab->mem, sbuf_text(&made));
}

/* A canary of podinfo in test with these metrics; its server is http://127.0.0.1:PORT/<server>. */
UNUSED static void lab_canary(struct lab *lab, const char *server, const char *provider,
                              const char *metrics)
{
    const char *yaml =
        arena_printf(lab->mem,
                     "apiVersion: flagger.app/v1beta1\n"
                     "kind: Canary\n"
                     "metadata: {name: podinfo, namespace: test}\n"
                     "spec:\n"
                     "  provider: %s\n"
                     "  metricsServer: http://127.0.0.1:PORT/%s\n"
                     "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}\n"
                     "  service: {port: 80}\n"
                     "  analysis: {interval: 10s, threshold: 1, iterations: 1, metrics: [%s]}\n",
                     provider, server, metrics);
    lab->canary = canary_of(lab->mem, lab_text(lab, yaml));
}

UNUSED static void lab_put(struct lab *lab, const char *api_version, const char *kind,
                           const char *ns, const char *name, const char *yaml)
{
    bool is_secret = !strcmp(kind, "Secret");
    struct live_key key = { .api_version = api_version,
                            .kind = kind,
                            .ns = ns,
                            .name = name,
                            .form = is_secret ? LIVE_SECRET : LIVE_FULL };
    live_put(lab->live, &key, yaml ? LIVE_HERE : LIVE_ABSENT,
             yaml ? value_of(lab->mem, lab_text(lab, yaml)) : NULL, NULL);
}

UNUSED static void lab_on_told(void *ctx, const struct metric_verdict *verdict)
{
    struct lab *lab = ctx;
    lab->told++;
    lab->is_ok = verdict->outcome.is_ok;
    lab->severity = verdict->outcome.severity;
    lab->has_value = verdict->has_value;
    lab->value = verdict->value;
    snprintf(lab->text, sizeof(lab->text), "%s", verdict->outcome.text);
}

UNUSED static bool lab_is_told(void *ctx)
{
    return ((struct lab *)ctx)->told > 0;
}

/* Told once, in a later turn. */
UNUSED static void lab_wait(struct lab *lab)
{
    assert_int_equal(lab->told, 0);
    assert_true(bench_until(lab->bench, lab_is_told, lab));
    assert_int_equal(lab->told, 1);
    lab->told = 0;
}

UNUSED static void lab_check(struct lab *lab, enum metric_part part)
{
    struct metric_check check = {
        .canary = &lab->canary, .settings = &lab->settings, .live = lab->live, .part = part
    };
    assert_int_not_equal(metric_check_start(lab->metric, &check, lab_on_told, lab), 0);
    lab_wait(lab);
}

UNUSED static void lab_probe(struct lab *lab)
{
    struct metric_check check = { .canary = &lab->canary,
                                  .settings = &lab->settings,
                                  .live = lab->live };
    assert_int_not_equal(metric_probe_start(lab->metric, &check, lab_on_told, lab), 0);
    lab_wait(lab);
}

#endif
