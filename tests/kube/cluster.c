#include "cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "doc/json.h"
#include "files.h"
#include "io/child.h"
#include "io/stream.h"

#define START_MS 90000

struct cluster {
    struct files *files;
    struct child *child;
    char *kubeconfig;
};

/* The first line that the control plane prints: its kubeconfig. */
static char *read_line(struct child *child)
{
    struct sbuf line;
    sbuf_init(&line, 4096);
    char c = '\0';
    size_t len = 1;
    while (c != '\n' && len == 1) {
        struct err *e = child_read(child, &c, 1, &len);
        if (e)
            fail_msg("the control plane does not start: %s", err_text(e));
        if (len == 1 && c != '\n')
            sbuf_add_char(&line, c);
    }
    char *copy = base_copy_text(sbuf_text(&line));
    sbuf_fini(&line);
    return copy;
}

struct cluster *cluster_new(void)
{
    const char *kubeconfig = getenv("SERIN_TEST_KUBECONFIG");
    const char *program = getenv("SERIN_CONTROLPLANE");
    bool has_one = kubeconfig && *kubeconfig;
    if (!has_one && (!program || !*program)) {
        fprintf(stderr, "skipped: neither SERIN_TEST_KUBECONFIG nor SERIN_CONTROLPLANE is set\n");
        return NULL;
    }
    struct cluster *cluster = base_alloc(sizeof(*cluster));
    if (has_one) {
        cluster->kubeconfig = base_copy_text(kubeconfig);
        return cluster;
    }
    cluster->files = files_new();
    const char *const argv[] = { program, "up", "--dir", files_dir(cluster->files), NULL };
    struct err *e = child_open(&(struct child_spec){ .argv = argv }, &cluster->child);
    if (e) {
        fprintf(stderr, "%s\n", err_text(e));
        abort();
    }
    cluster->kubeconfig = read_line(cluster->child);
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster)
        return;
    child_free(cluster->child);
    if (cluster->files)
        files_free(cluster->files);
    free(cluster->kubeconfig);
    free(cluster);
}

const char *cluster_kubeconfig(const struct cluster *cluster)
{
    return cluster->kubeconfig;
}

/* -- one client ---------------------------------------------------------------------------------------------------- */

static void on_discovered(void *ctx, const struct err *e)
{
    if (e)
        fail_msg("%s", err_text(e));
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

struct cluster_bench *cluster_bench_new(const struct cluster *cluster)
{
    struct cluster_bench *cb = base_alloc(sizeof(*cb));
    struct kube_config *config = NULL;
    struct err *e = kube_config_load(
        &(struct kube_config_opts){ .kubeconfig = cluster->kubeconfig, .allow_exec = true },
        &config);
    if (e)
        fail_msg("%s", err_text(e));
    if (!config->proxy)
        config->proxy = base_copy_text("");
    cb->bench = bench_new_for(config, NULL);
    cb->discovery = kube_discovery_new(cb->bench->kube, &cb->bench->log);
    bool is_done = false;
    kube_discovery_refresh(cb->discovery, on_discovered, &is_done);
    assert_true(bench_until(cb->bench, is_set, &is_done));
    cb->ns = cluster_printf(cb, "kube-%d-%u", getpid(), loop_random(cb->bench->loop));
    (void)cluster_create(cb, "/api/v1/namespaces", "tests",
                         cluster_printf(cb, "{\"metadata\":{\"name\":\"%s\"}}", cb->ns));
    return cb;
}

void cluster_bench_free(struct cluster_bench *cb)
{
    (void)cluster_ask(
        cb, &(struct kube_request){ .method = "DELETE",
                                    .path = cluster_printf(cb, "/api/v1/namespaces/%s", cb->ns) });
    kube_discovery_free(cb->discovery);
    bench_free(cb->bench);
    free(cb);
}

const struct kube_resource *cluster_resource(struct cluster_bench *cb, const char *api_version,
                                             const char *kind)
{
    const struct kube_resource *found = kube_discovery_find(cb->discovery, api_version, kind);
    assert_non_null(found);
    return found;
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

struct asked {
    struct arena *mem;
    struct val *answer;
    bool is_done;
};

static void on_asked(void *ctx, const struct kube_result *result)
{
    struct asked *asked = ctx;
    asked->is_done = true;
    if (result->err)
        fail_msg("%s", err_text(result->err));
    struct err *e = doc_json_parse(asked->mem, result->body, result->body_len, &asked->answer);
    if (e)
        fail_msg("%s", err_text(e));
}

static bool is_asked(void *ctx)
{
    return ((struct asked *)ctx)->is_done;
}

struct val *cluster_ask(struct cluster_bench *cb, const struct kube_request *request)
{
    struct asked asked = { .mem = cb->bench->mem };
    kube_start(cb->bench->kube, request, on_asked, &asked);
    assert_true(bench_until(cb->bench, is_asked, &asked));
    return asked.answer;
}

const char *cluster_printf(struct cluster_bench *cb, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(cb->bench->mem, fmt, args);
    va_end(args);
    return text;
}

struct val *cluster_get(struct cluster_bench *cb, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *path = arena_vprintf(cb->bench->mem, fmt, args);
    va_end(args);
    return cluster_ask(cb, &(struct kube_request){ .method = "GET", .path = path });
}

struct val *cluster_create(struct cluster_bench *cb, const char *path, const char *manager,
                           const char *json)
{
    return cluster_ask(
        cb, &(struct kube_request){ .method = "POST",
                                    .path = path,
                                    .query = cluster_printf(cb, "fieldManager=%s", manager),
                                    .body = json,
                                    .body_len = strlen(json) });
}

struct val *cluster_patch(struct cluster_bench *cb, const char *path, const char *manager,
                          const char *json)
{
    return cluster_ask(
        cb, &(struct kube_request){ .method = "PATCH",
                                    .path = path,
                                    .query = cluster_printf(cb, "fieldManager=%s", manager),
                                    .content_type = "application/merge-patch+json",
                                    .body = json,
                                    .body_len = strlen(json) });
}
