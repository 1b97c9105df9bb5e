/* A real Prometheus (Debian's package prometheus) that scrapes a small exporter: built-in queries find what they are meant to find,
 * and its answers are read for what they are. Without the program the tests are skipped. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "lab.h"

#define PROGRAM    "/usr/bin/prometheus"
#define LISTENING  "msg=\"Listening on\" address=127.0.0.1:"
#define PATIENCE_S 20
#define PORT_BYTES 8

struct world {
    struct lab *lab;
    struct files *files;
    pid_t pid;
    char port[PORT_BYTES];
};

/* -- the exporter -------------------------------------------------------------------------------------------------- */

/* Of 100 requests more at each scrape 98 are good; they take 0.2 s, but one in a hundred takes 0.9 s. */
static void add_family(struct sbuf *out, const char *series, const char *labels, const char *bad,
                       const char *good, size_t scrapes)
{
    sbuf_addf(out, "%s{%s,%s} %zu\n%s{%s,%s} %zu\n", series, labels, good, 98 * scrapes, series,
              labels, bad, 2 * scrapes);
}

static void add_buckets(struct sbuf *out, const char *series, const char *labels, double unit,
                        size_t scrapes)
{
    static const struct bucket {
        double limit;
        size_t count;
    } buckets[] = { { 0.1, 0 }, { 0.25, 99 }, { 1, 100 } };
    for (size_t i = 0; i < ARRAY_LEN(buckets); i++)
        sbuf_addf(out, "%s{%s,le=\"%g\"} %zu\n", series, labels, buckets[i].limit * unit,
                  buckets[i].count * scrapes);
    sbuf_addf(out, "%s{%s,le=\"+Inf\"} %zu\n", series, labels, 100 * scrapes);
}

static void serve_metrics(void *ctx, const struct scripted_request *request)
{
    static const char mesh[] = "reporter=\"destination\",destination_workload_namespace=\"test\","
                               "destination_workload=\"app\"";
    static const char pods[] = "kubernetes_namespace=\"test\",kubernetes_pod_name=\"app-5d4f-x2x\"";
    static const char ingress[] = "namespace=\"test\",ingress=\"app\",canary=\"app-canary\"";
    static const char daemon[] = "kubernetes_namespace=\"test\",kubernetes_pod_name=\"agent-q7w\"";
    static const char primary[] =
        "kubernetes_namespace=\"test\",kubernetes_pod_name=\"agent-primary-q7w\"";
    size_t scrapes = request->count + 1;
    SBUF(out, SBUF_MAX);
    (void)ctx;
    add_family(&out, "istio_requests_total", mesh, "response_code=\"503\"", "response_code=\"200\"",
               scrapes);
    add_buckets(&out, "istio_request_duration_milliseconds_bucket", mesh, 1000, scrapes);
    add_family(&out, "http_request_duration_seconds_count", pods, "status=\"500\"",
               "status=\"200\"", scrapes);
    add_buckets(&out, "http_request_duration_seconds_bucket", pods, 1, scrapes);
    add_family(&out, "nginx_ingress_controller_requests", ingress, "status=\"502\"",
               "status=\"200\"", scrapes);
    sbuf_addf(&out, "nginx_ingress_controller_response_duration_seconds_sum{%s} %g\n", ingress,
              0.05 * (double)scrapes);
    sbuf_addf(&out, "nginx_ingress_controller_response_duration_seconds_count{%s} %zu\n", ingress,
              scrapes);
    sbuf_addf(&out, "http_request_duration_seconds_count{%s,status=\"200\"} %zu\n", daemon,
              scrapes);
    sbuf_addf(&out, "http_request_duration_seconds_count{%s,status=\"500\"} %zu\n", primary,
              scrapes);
    scripted_reply(request, 200, NULL, sbuf_text(&out));
}

/* -- the program --------------------------------------------------------------------------------------------------- */

_Noreturn static void run_program(const char *config, const char *data, const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    execl(PROGRAM, "prometheus", config, data, "--web.listen-address=127.0.0.1:0", (char *)NULL);
    _exit(127);
}

/* Port 0 is some free one: the log tells which. */
static bool find_port(struct world *world)
{
    const char *log = files_read(world->files, "log");
    const char *at = strstr(log, LISTENING);
    size_t len = at ? strspn(at + strlen(LISTENING), "0123456789") : 0;
    if (!len || at[strlen(LISTENING) + len] != '\n' || len >= PORT_BYTES)
        return false;
    memcpy(world->port, at + strlen(LISTENING), len);
    world->port[len] = '\0';
    return strcmp(world->port, "0") != 0;
}

static struct world *world_new(void)
{
    struct world *world = base_alloc(sizeof(*world));
    world->lab = lab_new(serve_metrics, NULL);
    world->files = files_new();
    struct arena *mem = world->lab->mem;
    const char *config = files_write(
        world->files, "prometheus.yml",
        lab_text(world->lab, "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
                             "scrape_configs:\n"
                             "- {job_name: x, honor_labels: true, static_configs: [{targets: "
                             "['127.0.0.1:PORT']}]}\n"));
    const char *config_flag = arena_printf(mem, "--config.file=%s", config);
    const char *data_flag =
        arena_printf(mem, "--storage.tsdb.path=%s", files_path(world->files, "data"));
    const char *log = arena_strdup(mem, files_path(world->files, "log"));
    world->pid = fork();
    assert_true(world->pid >= 0);
    if (world->pid == 0)
        run_program(config_flag, data_flag, log);
    for (int i = 0; i < PATIENCE_S * 20 && !find_port(world); i++)
        bench_turn_for(world->lab->bench, 50);
    if (!find_port(world))
        fail_msg("prometheus does not listen: %s", files_read(world->files, "log"));
    return world;
}

static void world_free(struct world *world)
{
    (void)kill(world->pid, SIGKILL);
    (void)waitpid(world->pid, NULL, 0);
    lab_free(world->lab);
    files_free(world->files);
    free(world);
}

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

static void ask(struct world *world, const char *provider, const char *metric,
                enum metric_part part)
{
    struct lab *lab = world->lab;
    lab_canary(lab, "x", provider, metric);
    lab->canary.metrics_server = arena_printf(lab->mem, "http://127.0.0.1:%s", world->port);
    lab_check(lab, part);
}

/* A rate needs two scrapes. */
static void ask_until_there_is_a_value(struct world *world, const char *provider,
                                       const char *metric)
{
    for (int i = 0; i < PATIENCE_S * 5; i++) {
        ask(world, provider, metric, METRIC_BUILTIN);
        if (world->lab->has_value)
            return;
        assert_true(strstr(world->lab->text, "no values found") ||
                    strstr(world->lab->text, "Status 503"));
        bench_turn_for(world->lab->bench, 200);
    }
    fail_msg("%s", world->lab->text);
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

/* It answers 503 until it has read its own files. */
static void it_is_online_soon(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    const char *server = arena_printf(lab->mem, "http://127.0.0.1:%s", world->port);
    for (int i = 0; i < PATIENCE_S * 5; i++) {
        (void)metric_server_probe_start(lab->metric, server, lab_on_told, lab);
        lab_wait(lab);
        if (lab->is_ok)
            break;
        assert_non_null(strstr(lab->text, "error response: Status 503 Service Unavailable: "));
        bench_turn_for(lab->bench, 200);
    }
    assert_string_equal(lab->text,
                        arena_printf(lab->mem, "Connected to metrics server %s", server));
}

static const struct found_case {
    const char *name, *provider, *metric;
    double least, most;
} found_cases[] = {
    { "istio's rate", "istio", "{name: request-success-rate}", 97.9, 98.1 },
    { "istio's duration", "istio", "{name: request-duration, threshold: 1}", 0.2, 0.26 },
    { "the application's rate", "kubernetes", "{name: request-success-rate}", 97.9, 98.1 },
    { "the application's duration", "gatewayapi:v1", "{name: request-duration}", 0.2, 0.26 },
    { "nginx' rate", "nginx", "{name: request-success-rate}", 97.9, 98.1 },
    { "nginx' duration", "nginx", "{name: request-duration}", 0.049, 0.051 },
};

static void values_are_found(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LEN(found_cases); i++) {
        const struct found_case *row = &found_cases[i];
        ask_until_there_is_a_value(world, row->provider, row->metric);
        if (!(world->lab->value >= row->least && world->lab->value <= row->most))
            fail_msg("%s: %f", row->name, world->lab->value);
    }
}

/* Its primary answers with errors alone. */
static void pods_of_a_daemonset_are_not_those_of_its_primary(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    for (int i = 0; i < PATIENCE_S * 5; i++) {
        lab_canary(lab, "x", "kubernetes", "{name: request-success-rate}");
        lab->canary.metrics_server = arena_printf(lab->mem, "http://127.0.0.1:%s", world->port);
        lab->canary.target.kind = "DaemonSet";
        lab->canary.target.name = "agent";
        lab_check(lab, METRIC_BUILTIN);
        if (lab->has_value)
            break;
        bench_turn_for(lab->bench, 200);
    }
    assert_true(lab->has_value && lab->value == 100);
}

static const struct answer_case {
    const char *query;
    bool has_value;
    double value;
    const char *text; /* begins so */
} answer_cases[] = {
    { "vector(1)", true, 1, "" },
    { "vector(1) / vector(0)", true, 1.0 / 0.0, "Halt podinfo.test advancement m +Inf > 0" },
    { "vector(0) / vector(0)", false, 0, "Halt advancement no values found for metric: m" },
    { "nope", false, 0, "Halt advancement no values found for metric: m" },
    { "1", false, 0, "Prometheus query failed for m: error unmarshaling result: json: " },
    { "\"a word\"", false, 0, "Prometheus query failed for m: error unmarshaling result: json: " },
    { "up[1m]", false, 0, "Prometheus query failed for m: query returned multiple values" },
    { "sum(", false, 0,
      "Prometheus query failed for m: error response: Status 400 Bad Request: "
      "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":" },
};

static void its_answers_are_read(void **state)
{
    struct world *world = *state;
    ask_until_there_is_a_value(world, "istio", "{name: request-success-rate}"); /* up is there */
    for (size_t i = 0; i < ARRAY_LEN(answer_cases); i++) {
        const struct answer_case *row = &answer_cases[i];
        ask(world, "istio", arena_printf(world->lab->mem, "{name: m, query: '%s'}", row->query),
            METRIC_QUERY);
        assert_int_equal(world->lab->has_value, row->has_value);
        if (strncmp(world->lab->text, row->text, strlen(row->text)))
            fail_msg("%s: %s", row->query, world->lab->text);
        assert_true(!row->has_value || world->lab->value == row->value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_online_soon),
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(pods_of_a_daemonset_are_not_those_of_its_primary),
        cmocka_unit_test(its_answers_are_read),
    };
    if (access(PROGRAM, X_OK) != 0)
        return 77;
    return cmocka_run_group_tests_name("canary_metric_prometheus", tests, set_up, tear_down);
}
