/* Figures of this room, on a control plane that runs (kubeconfig as the only argument):
 *
 *     kube_measure KUBECONFIG [APPS]
 *
 * creates APPS (1,000) apps of four objects by server-side apply, eight in flight; applies them again (no change); lists and
 * watches their metadata. Prints seconds, requests a second, CPU of this process, resident memory. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "doc/object.h"
#include "kube/apply.h"
#include "kube/watch.h"

struct measure {
    struct loop *loop;
    struct http *http;
    struct log log;
    struct kube_config *config;
    struct kube *kube;
    struct kube_discovery *discovery;
    char ns[64];
    size_t apps, left, created, failed, events, bytes;
    bool is_done;
};

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* VmRSS or VmHWM in KiB. */
static long memory_kib(const char *field)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, field, strlen(field)))
            kib = strtol(line + strlen(field) + 1, NULL, 10);
    }
    if (file)
        (void)fclose(file);
    return kib;
}

static void write_log(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    (void)fwrite(line, 1, len, stderr);
}

static int64_t wall_ns(void *ctx)
{
    (void)ctx;
    return now_ms(CLOCK_REALTIME) * 1000000;
}

static void must(struct err *e)
{
    if (!e)
        return;
    fprintf(stderr, "%s\n", err_text(e));
    exit(1);
}

static void run_until_done(struct measure *m)
{
    m->is_done = false;
    while (!m->is_done)
        (void)loop_turn(m->loop, 1000);
}

struct span {
    int64_t wall, cpu;
};

static struct span begin(void)
{
    return (struct span){ now_ms(CLOCK_MONOTONIC), now_ms(CLOCK_PROCESS_CPUTIME_ID) };
}

static void report(const char *what, struct span from, size_t count)
{
    int64_t wall = now_ms(CLOCK_MONOTONIC) - from.wall;
    int64_t cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - from.cpu;
    printf(
        "%-28s %6zu in %6lld ms, %6.0f/s, CPU %5lld ms (%.3f ms each), RSS %ld KiB, peak %ld KiB\n",
        what, count, (long long)wall, (double)count * 1000 / (double)MAX_OF(wall, (int64_t)1),
        (long long)cpu, (double)cpu / (double)MAX_OF(count, (size_t)1), memory_kib("VmRSS:"),
        memory_kib("VmHWM:"));
}

/* -- applying ------------------------------------------------------------------------------------------------------ */

static void on_applied(void *ctx, const struct kube_apply_result *result)
{
    struct measure *m = ctx;
    if (result->err && m->failed++ == 0)
        fprintf(stderr, "%s\n", err_text(result->err));
    m->created += result->was_created;
    m->is_done = --m->left == 0;
}

static void apply(struct measure *m, const char *api_version, const char *kind, size_t app,
                  const char *body)
{
    const struct kube_resource *resource = kube_discovery_find(m->discovery, api_version, kind);
    char name[32];
    snprintf(name, sizeof(name), "app-%zu", app);
    char *json = NULL;
    if (asprintf(
            &json,
            "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"namespace\":"
            "\"%s\",\"labels\":{\"app.kubernetes.io/name\":\"%s\",\"serin/measure\":\"yes\"}}%s}",
            api_version, kind, name, m->ns, name, body) < 0)
        abort();
    m->left++;
    kube_apply_start(m->kube, resource, m->ns, name, json, NULL, on_applied, m);
    free(json);
}

static void apply_all(struct measure *m, const char *what)
{
    static char data[1100];
    snprintf(data, sizeof(data), ",\"data\":{\"text\":\"%01000d\"}", 0);
    struct span span = begin();
    m->created = m->failed = 0;
    for (size_t i = 0; i < m->apps; i++) {
        apply(m, "v1", "ServiceAccount", i, "");
        apply(m, "v1", "ConfigMap", i, data);
        apply(
            m, "apps/v1", "Deployment", i,
            ",\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":{\"app\":\"x\"}},\"template\":"
            "{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
            "\"image\":\"i:1\",\"ports\":[{\"containerPort\":80}]}]}}}");
        apply(m, "v1", "Service", i,
              ",\"spec\":{\"selector\":{\"app\":\"x\"},\"ports\":[{\"port\":80}]}");
    }
    size_t count = m->left;
    run_until_done(m);
    report(what, span, count);
    printf("%28s %6zu created, %zu failed\n", "", m->created, m->failed);
}

/* -- watching ------------------------------------------------------------------------------------------------------ */

static void on_event(void *ctx, enum kube_watch_event event, const struct val *object)
{
    struct measure *m = ctx;
    unsigned char print[16];
    (void)event;
    m->events++;
    m->bytes += kube_apply_fingerprint(object, KUBE_FIELD_MANAGER, print);
}

static void on_synced(void *ctx)
{
    struct measure *m = ctx;
    m->is_done = --m->left == 0;
}

static const char *const kinds[][2] = { { "v1", "ServiceAccount" },
                                        { "v1", "ConfigMap" },
                                        { "apps/v1", "Deployment" },
                                        { "v1", "Service" } };

static void watch_all(struct measure *m, bool is_metadata_only, const char *what)
{
    struct kube_watch *watches[ARRAY_LEN(kinds)];
    struct kube_watch_handler handler = { .on_event = on_event, .on_synced = on_synced, .ctx = m };
    struct kube_watch_opts opts = { .label_selector = "serin/measure=yes",
                                    .is_metadata_only = is_metadata_only };
    struct span span = begin();
    m->events = m->bytes = 0;
    m->left = ARRAY_LEN(kinds);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        watches[i] = kube_watch_start(
            m->kube, kube_discovery_find(m->discovery, kinds[i][0], kinds[i][1]), &opts, &handler);
    run_until_done(m);
    report(what, span, m->events);
    printf("%28s %6zu with an entry of ours\n", "", m->bytes);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        kube_watch_stop(watches[i]);
}

static void on_object(void *ctx, const struct val *object)
{
    on_event(ctx, KUBE_ADDED, object);
}

static void on_listed(void *ctx, const struct err *e, const char *version)
{
    (void)version;
    must(err_copy(e));
    on_synced(ctx);
}

static void list_all(struct measure *m, const char *what)
{
    struct kube_watch_opts opts = { .label_selector = "serin/measure=yes",
                                    .is_metadata_only = true };
    struct span span = begin();
    m->events = 0;
    m->left = ARRAY_LEN(kinds);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        kube_list_start(m->kube, kube_discovery_find(m->discovery, kinds[i][0], kinds[i][1]), &opts,
                        on_object, on_listed, m);
    run_until_done(m);
    report(what, span, m->events);
}

/* -- main ---------------------------------------------------------------------------------------------------------- */

static void on_discovered(void *ctx, const struct err *e)
{
    must(err_copy(e));
    ((struct measure *)ctx)->is_done = true;
}

static void on_answer(void *ctx, const struct kube_result *result)
{
    must(err_copy(result->err));
    ((struct measure *)ctx)->is_done = true;
}

static void ask(struct measure *m, const char *method, const char *path, const char *body)
{
    kube_start(
        m->kube,
        &(struct kube_request){
            .method = method, .path = path, .body = body, .body_len = body ? strlen(body) : 0 },
        on_answer, m);
    run_until_done(m);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: kube_measure KUBECONFIG [APPS]\n");
        return 2;
    }
    struct measure m = { .apps = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000 };
    m.log = (struct log){ .least = LOG_WARN, .write = write_log, .wall_ns = wall_ns };
    must(kube_config_load(&(struct kube_config_opts){ .kubeconfig = argv[1] }, &m.config));
    m.loop = loop_new();
    m.http = http_new(m.loop, NULL);
    m.kube = kube_new(
        &(struct kube_opts){ .loop = m.loop, .http = m.http, .log = &m.log, .config = m.config });
    m.discovery = kube_discovery_new(m.kube, &m.log);
    struct span span = begin();
    kube_discovery_refresh(m.discovery, on_discovered, &m);
    run_until_done(&m);
    report("discovery (resources)", span, kube_discovery_len(m.discovery));
    snprintf(m.ns, sizeof(m.ns), "measure-%d", getpid());
    char text[256];
    snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"%s\"}}", m.ns);
    ask(&m, "POST", "/api/v1/namespaces", text);
    apply_all(&m, "apply, creating");
    apply_all(&m, "apply, no change");
    malloc_trim(0);
    list_all(&m, "list, metadata");
    watch_all(&m, true, "initial events, metadata");
    watch_all(&m, false, "initial events, full");
    snprintf(text, sizeof(text), "/api/v1/namespaces/%s", m.ns);
    ask(&m, "DELETE", text, NULL);
    kube_discovery_free(m.discovery);
    kube_free(m.kube);
    http_free(m.http);
    loop_free(m.loop);
    kube_config_free(m.config);
    return m.failed > 0;
}
