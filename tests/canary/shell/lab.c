#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

struct kube_discovery *lab_discover(struct bench *bench, struct kube *kube)
{
    bool is_ready = false;
    struct kube_discovery *discovery = kube_discovery_new(kube, &bench->log);
    kube_discovery_refresh(discovery, on_discovered, &is_ready);
    assert_true(bench_until(bench, is_set, &is_ready));
    return discovery;
}

struct lab *lab_begin(void)
{
    static const char *const labels[] = { "app", "name", NULL }, *const none[] = { NULL };
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->fake = fake_new();
    fake_roll_out(lab->fake, true);
    lab->bench = bench_new(fake_serve, lab->fake, NULL);
    lab->discovery = lab_discover(lab->bench, lab->bench->kube);
    lab->events = kube_events_new(&(struct kube_events_opts){ .kube = lab->bench->kube,
                                                              .loop = lab->bench->loop,
                                                              .log = &lab->bench->log,
                                                              .component = "flagger" });
    lab->settings = (struct canary_settings){ .mesh_provider = "kubernetes",
                                              .metrics_server = "",
                                              .selector_labels = labels,
                                              .include_label_prefixes = none,
                                              .ingress_prefix = "",
                                              .ingress_class = "",
                                              .cluster_name = "",
                                              .tracks_configs = true };
    return lab;
}

void lab_make(struct lab *lab, int at_once, struct kube *mesh_kube,
              struct kube_discovery *mesh_discovery)
{
    static const char *const none[] = { NULL };
    lab->canaries = canaries_new(&(struct canaries_opts){ .loop = lab->bench->loop,
                                                          .log = &lab->bench->log,
                                                          .metrics = lab->bench->metrics,
                                                          .kube = lab->bench->kube,
                                                          .discovery = lab->discovery,
                                                          .mesh_kube = mesh_kube,
                                                          .mesh_discovery = mesh_discovery,
                                                          .events = lab->events,
                                                          .http = lab->bench->http,
                                                          .settings = &lab->settings,
                                                          .event_webhook = "",
                                                          .environ_list = none,
                                                          .at_once = at_once });
}

struct lab *lab_new(void)
{
    struct lab *lab = lab_begin();
    lab_make(lab, 0, NULL, NULL);
    return lab;
}

void lab_put(struct lab *lab, const char *const *yaml)
{
    for (; *yaml; yaml++)
        fake_put(lab->fake, *yaml);
}

struct lab *lab_with(const char *const *yaml)
{
    struct lab *lab = lab_new();
    lab_put(lab, yaml);
    return lab;
}

struct lab *lab_web(void)
{
    return LAB_WITH(TARGET("web", ""), CANARY("web", ""));
}

struct lab *lab_up(void)
{
    struct lab *lab = lab_web();
    lab_start(lab);
    lab_wait_phase(lab, "web", "Initialized");
    return lab;
}

void lab_free(struct lab *lab)
{
    canaries_free(lab->canaries);
    kube_events_free(lab->events);
    kube_discovery_free(lab->discovery);
    bench_free(lab->bench);
    fake_free(lab->fake);
    free(lab);
}

void lab_start(struct lab *lab)
{
    canaries_start(lab->canaries);
    canaries_act(lab->canaries, true);
}

/* -- looking ----------------------------------------------------------------------------------------------------------- */

const char *lab_phase(struct lab *lab, const char *name)
{
    const struct val *canary = fake_get(lab->fake, lab->bench->mem, "Canary", "a", name);
    return val_text_or(VAL_PATH(canary, "status", "phase"), "");
}

size_t lab_count_logged(struct lab *lab, const char *text)
{
    size_t count = 0;
    for (const char *at = bench_log(lab->bench); (at = strstr(at, text)); at++)
        count++;
    return count;
}

size_t lab_count(struct lab *lab, const char *part)
{
    return scripted_count(lab->bench->server, part);
}

int64_t lab_replicas(struct lab *lab, const char *name)
{
    int64_t replicas = -1;
    const struct val *found = fake_get(lab->fake, lab->bench->mem, "Deployment", "a", name);
    (void)val_int(VAL_PATH(found, "spec", "replicas"), &replicas);
    return replicas;
}

const char *lab_selector(struct lab *lab, const char *service)
{
    const struct val *v = fake_get(lab->fake, lab->bench->mem, "Service", "a", service);
    return val_text_or(VAL_PATH(v, "spec", "selector", "app"), "");
}

/* -- waiting ----------------------------------------------------------------------------------------------------------- */

static bool has_phase(void *ctx)
{
    struct lab *lab = ctx;
    return !strcmp(lab_phase(lab, lab->name), lab->wanted);
}

void lab_wait_phase(struct lab *lab, const char *name, const char *phase)
{
    lab->name = name;
    lab->wanted = phase;
    if (!bench_until(lab->bench, has_phase, lab))
        fail_msg("%s is %s, not %s\n%s", name, lab_phase(lab, name), phase, bench_log(lab->bench));
}

static bool has_logged(void *ctx)
{
    struct lab *lab = ctx;
    return strstr(bench_log(lab->bench), lab->wanted) != NULL;
}

void lab_wait_logged(struct lab *lab, const char *text)
{
    lab->wanted = text;
    if (!bench_until(lab->bench, has_logged, lab))
        fail_msg("not logged: %s\n%s", text, bench_log(lab->bench));
}

static bool has_len(void *ctx)
{
    struct lab *lab = ctx;
    return canaries_len(lab->canaries) == lab->count;
}

void lab_wait_len(struct lab *lab, size_t len)
{
    lab->count = len;
    if (!bench_until(lab->bench, has_len, lab))
        fail_msg("%zu canaries\n%s", canaries_len(lab->canaries), bench_log(lab->bench));
}

static bool has_asked(void *ctx)
{
    struct lab *lab = ctx;
    return lab_count(lab, lab->wanted) >= lab->count;
}

void lab_wait_requests(struct lab *lab, const char *part, size_t count)
{
    lab->wanted = part;
    lab->count = count;
    if (!bench_until(lab->bench, has_asked, lab))
        fail_msg("%zu of %s\n%s", lab_count(lab, part), part, bench_log(lab->bench));
}
