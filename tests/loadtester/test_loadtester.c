/* Real requests to a real listener, real commands; nGrinder and Concord are played by a server of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/server.h"
#include "loadtester/loadtester.h"

struct lab {
    struct loop *loop;
    struct http *http;
    struct metrics *metrics;
    struct log log;
    struct regex *namespaces;
    struct loadtester *tester;
    char said[65536];
    int status, answers;
    char body[8192];
    struct server *remote; /* plays nGrinder or Concord */
    int remote_calls;
    char remote_said[4096];
    const char *remote_states[4];
};

static void keep_line(void *ctx, const char *line, size_t len)
{
    struct lab *lab = ctx;
    size_t used = strlen(lab->said);
    snprintf(lab->said + used, sizeof(lab->said) - used, "%.*s", (int)len, line);
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static void begin(struct lab *lab, int64_t timeout_ms)
{
    const struct loadtester_opts opts = { .loop = lab->loop,
                                          .http = lab->http,
                                          .log = &lab->log,
                                          .metrics = lab->metrics,
                                          .listen = "127.0.0.1:0",
                                          .timeout_ms = timeout_ms,
                                          .namespaces = lab->namespaces };
    assert_null(loadtester_new(&opts, &lab->tester));
}

static int set_up(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    lab->loop = loop_new();
    lab->http = http_new(lab->loop, &(struct http_opts){ .user_agent = "test" });
    lab->metrics = metrics_new();
    lab->log = (struct log){ .write = keep_line, .wall_ns = no_time, .ctx = lab };
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    loadtester_free(lab->tester);
    server_free(lab->remote);
    http_free(lab->http);
    metrics_free(lab->metrics);
    regex_free(lab->namespaces);
    loop_free(lab->loop);
    free(lab);
    return 0;
}

static void on_answer(void *ctx, const struct http_result *result)
{
    struct lab *lab = ctx;
    assert_null(result->err);
    lab->answers++;
    lab->status = result->status;
    snprintf(lab->body, sizeof(lab->body), "%s", result->body);
}

static void send_off(struct lab *lab, const char *path, const char *body)
{
    char url[256];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", loadtester_port(lab->tester), path);
    const struct http_request request = { .method = "POST",
                                          .url = url,
                                          .body = body,
                                          .body_len = strlen(body),
                                          .timeout_ms = 20000,
                                          .proxy = "" };
    http_start(lab->http, &request, on_answer, lab);
}

static void turn_until(struct lab *lab, bool (*is_so)(struct lab *lab))
{
    int64_t until = loop_now_ms(lab->loop) + 20000;
    while (!is_so(lab) && loop_now_ms(lab->loop) < until)
        (void)loop_turn(lab->loop, 50);
    assert_true(is_so(lab));
}

static bool is_answered(struct lab *lab)
{
    return lab->answers > 0;
}

static void expect(struct lab *lab, const char *path, const char *payload, int status,
                   const char *body)
{
    lab->answers = 0;
    send_off(lab, path, payload);
    turn_until(lab, is_answered);
    if (lab->status != status || strcmp(lab->body, body) != 0)
        print_error("%s %s: %d %s\n", path, payload, lab->status, lab->body);
    assert_int_equal(lab->status, status);
    assert_string_equal(lab->body, body);
}

#define WHO "\"name\":\"podinfo\",\"namespace\":\"test\""

static void gates_are_closed_until_they_are_opened(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    expect(lab, "/gate/approve", "", 200, "OK");
    expect(lab, "/gate/halt", "", 403, "Forbidden");
    expect(lab, "/gate/check", "{" WHO "}", 403, "Forbidden");
    expect(lab, "/gate/open", "{" WHO "}", 202, "");
    expect(lab, "/gate/check", "{" WHO ",\"phase\":\"Waiting\"}", 200, "Approved");
    expect(lab, "/gate/check", "{\"name\":\"podinfo\",\"namespace\":\"other\"}", 403, "Forbidden");
    expect(lab, "/rollback/check", "{" WHO "}", 403, "Forbidden");
    expect(lab, "/rollback/open", "{" WHO "}", 202, "");
    expect(lab, "/rollback/check", "{" WHO "}", 200, "Approved");
    expect(lab, "/gate/close", "{" WHO "}", 202, "");
    expect(lab, "/gate/check", "{" WHO "}", 403, "Forbidden");
    expect(lab, "/rollback/check", "{" WHO "}", 200, "Approved");
    expect(lab, "/rollback/close", "{" WHO "}", 202, "");
    expect(lab, "/rollback/check", "{" WHO "}", 403, "Forbidden");
    assert_non_null(strstr(lab->said, "msg=\"podinfo.test gate opened\""));
    assert_non_null(
        strstr(lab->said, "msg=\"rollback.podinfo.test rollback check: approved true\""));
}

static void what_is_no_payload_is_refused(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    expect(lab, "/gate/check", "", 400, "");
    expect(lab, "/", "", 400, "");
    expect(lab, "/", "[1]", 400, "");
    expect(lab, "/", "{" WHO ",", 400, "");
    expect(lab, "/", "{" WHO "}", 400, "metadata not found in payload");
    expect(lab, "/", "{" WHO ",\"metadata\":{\"a\":\"b\"}}", 400, "cmd not found in metadata");
    expect(lab, "/any/path", "{" WHO ",\"metadata\":{\"type\":\"dance\",\"cmd\":\"true\"}}", 400,
           "unknown task type dance");
    expect(lab, "/healthz", "", 200, "OK");
}

static void only_namespaces_that_match_are_served(void **state)
{
    struct lab *lab = *state;
    assert_null(regex_new("^(test|qa)$", &lab->namespaces));
    begin(lab, 60000);
    expect(lab, "/gate/open", "{" WHO "}", 202, "");
    expect(lab, "/gate/open", "{\"name\":\"podinfo\",\"namespace\":\"prod\"}", 403, "Forbidden");
    expect(lab, "/", "{\"name\":\"p\",\"namespace\":\"prod\",\"metadata\":{\"cmd\":\"true\"}}", 403,
           "Forbidden");
}

static void a_bash_task_is_waited_for(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    expect(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"exit 0\"}}", 200, "");
    expect(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"echo a; echo b >&2\"}}",
           200, "");
    expect(lab, "/",
           "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"echo a; echo b "
           ">&2\",\"returnCmdOutput\":\"true\"}}",
           200, "a\nb\n");
    expect(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"false\"}}", 500,
           "command false failed: : exit status 1");
    expect(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"echo why; exit 7\"}}", 500,
           "command echo why; exit 7 failed: why\n: exit status 7");
}

static void a_task_that_takes_too_long_is_killed(void **state)
{
    struct lab *lab = *state;
    begin(lab, 200);
    expect(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"sleep 100\"}}", 500,
           "command sleep 100 failed: : it ran for more than 0.2 s and was killed");
}

static bool has_run_twice(struct lab *lab)
{
    const char *first = strstr(lab->said, "command finished");
    return first && strstr(first + 1, "command finished");
}

static int count(const char *text, const char *piece)
{
    int found = 0;
    for (; (text = strstr(text, piece)); text++)
        found++;
    return found;
}

static void the_same_command_runs_once_at_a_time(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    const char *task = "{" WHO ",\"metadata\":{\"cmd\":\"sleep 1\",\"type\":\"cmd\"}}";
    const char *other =
        "{\"name\":\"other\",\"namespace\":\"test\",\"metadata\":{\"cmd\":\"sleep 1\"}}";
    expect(lab, "/", task, 202, "");
    expect(lab, "/", task, 202, "");
    expect(lab, "/", other, 202, "");
    for (int64_t until = loop_now_ms(lab->loop) + 400; loop_now_ms(lab->loop) < until;)
        (void)loop_turn(lab->loop, 50);
    assert_int_equal(count(lab->said, "task starting sleep 1"), 2);
    expect(lab, "/", task, 202, "");
    turn_until(lab, has_run_twice);
    assert_int_equal(count(lab->said, "task starting sleep 1"), 2);
    assert_int_equal(count(lab->said, "command skipped sleep 1 is already running"), 1);
}

static bool has_failed(struct lab *lab)
{
    return strstr(lab->said, "command failed") != NULL;
}

static void a_queued_command_that_fails_is_logged_with_what_it_said(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    expect(lab, "/",
           "{" WHO ",\"metadata\":{\"cmd\":\"echo noise; exit 2\",\"logCmdOutput\":\"true\"}}", 202,
           "");
    turn_until(lab, has_failed);
    assert_non_null(strstr(lab->said, "noise"));
    assert_non_null(strstr(lab->said, "exit status 2"));
    expect(lab, "/healthz", "", 200, "OK");
    lab->answers = 0;
    send_off(lab, "/metrics", "");
    turn_until(lab, is_answered);
    assert_non_null(
        strstr(lab->body, "serin_loadtester_tasks_total{type=\"cmd\",result=\"failure\"} 1"));
}

static void whoever_waits_is_told_of_the_end(void **state)
{
    struct lab *lab = *state;
    begin(lab, 60000);
    send_off(lab, "/", "{" WHO ",\"metadata\":{\"type\":\"bash\",\"cmd\":\"sleep 100\"}}");
    for (int i = 0; i < 6; i++)
        (void)loop_turn(lab->loop, 50);
    assert_int_equal(lab->answers, 0);
    loadtester_free(lab->tester);
    lab->tester = NULL;
}

static void play_remote(void *ctx, struct server_request *request)
{
    struct lab *lab = ctx;
    size_t len, used = strlen(lab->remote_said);
    snprintf(lab->remote_said + used, sizeof(lab->remote_said) - used, "%s %s %s %s\n%s\n",
             server_method(request), server_path(request),
             server_header(request, "Authorization") ? server_header(request, "Authorization") : "",
             server_query(request, "action") ? server_query(request, "action") : "",
             server_body(request, &len));
    int call = lab->remote_calls++;
    char body[128];
    if (call == 0)
        snprintf(body, sizeof(body), "{\"id\":42,\"instanceId\":\"ab-c\"}");
    else
        snprintf(body, sizeof(body), "{\"status\":%s}", lab->remote_states[MIN_OF(call - 1, 3)]);
    const struct server_answer answer = { .status = 200, .body = body, .body_len = strlen(body) };
    server_reply(request, &answer);
}

/* A payload of the type, with `more` in its metadata, for a server of ours that begins to listen. */
static const char *remote_payload(struct lab *lab, const char *type, const char *more)
{
    static char text[1024];
    assert_null(server_new(lab->loop, "127.0.0.1:0", play_remote, lab, &lab->remote));
    snprintf(text, sizeof(text),
             "{" WHO ",\"metadata\":{\"type\":\"%s\",\"server\":\"http://127.0.0.1:%d\",%s}}", type,
             server_port(lab->remote), more);
    return text;
}

#define NGRINDER \
    "\"clone\":\"7\",\"username\":\"me\",\"passwd\":\"c2VjcmV0\",\"pollInterval\":\"100ms\""

static bool has_finished(struct lab *lab)
{
    return strstr(lab->said, "command finished") || strstr(lab->said, "command failed");
}

static void an_ngrinder_test_is_started_and_followed(void **state)
{
    struct lab *lab = *state;
    lab->remote_states[0] = "{\"name\":\"TESTING\"}";
    lab->remote_states[1] = "[{\"status_id\":\"FINISHED\"}]";
    begin(lab, 60000);
    const char *payload = remote_payload(lab, "ngrinder", NGRINDER);
    expect(lab, "/", payload, 202, "");
    turn_until(lab, has_finished);
    assert_non_null(strstr(lab->said, "command finished 7"));
    assert_non_null(
        strstr(lab->remote_said, "POST /perftest/api/7/clone_and_start Basic bWU6c2VjcmV0"));
    assert_non_null(strstr(lab->remote_said, "GET /perftest/api/42/status"));
    assert_int_equal(lab->remote_calls, 3);
    assert_null(strstr(lab->said, "secret"));
}

static void an_ngrinder_test_that_lasts_too_long_is_stopped(void **state)
{
    struct lab *lab = *state;
    for (int i = 0; i < 4; i++)
        lab->remote_states[i] = "\"TESTING\"";
    begin(lab, 600);
    const char *payload = remote_payload(lab, "ngrinder", NGRINDER);
    expect(lab, "/", payload, 202, "");
    turn_until(lab, has_failed);
    assert_non_null(strstr(lab->remote_said, "PUT /perftest/api/42"));
    assert_non_null(strstr(lab->remote_said, "stop\n"));
}

static void a_concord_process_is_waited_for(void **state)
{
    struct lab *lab = *state;
    char file[512];
    snprintf(file, sizeof(file), "%s/serin-loadtester-key-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    int fd = mkstemp(file);
    assert_int_equal(write(fd, "the-key\n", 8), 8);
    close(fd);
    lab->remote_states[0] = "\"FAILED\"";
    begin(lab, 60000);
    char more[1024];
    snprintf(
        more, sizeof(more),
        "\"org\":\"o\",\"project\":\"p\",\"repo\":\"r\",\"entrypoint\":\"e\",\"endpoint\":\"x\","
        "\"pollInterval\":\"1\",\"arguments.color\":\"red\",\"apiKeyPath\":\"%s\"",
        file);
    expect(lab, "/", remote_payload(lab, "concord", more), 500, "process ab-c failed");
    unlink(file);
    assert_non_null(strstr(lab->remote_said, "POST /api/v1/process the-key"));
    assert_non_null(strstr(lab->remote_said, "name=\"entryPoint\"\r\n\r\ne\r\n"));
    assert_non_null(strstr(lab->remote_said, "name=\"arguments.color\"\r\n\r\nred\r\n"));
    assert_non_null(strstr(lab->remote_said, "GET /api/v1/process/ab-c the-key"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gates_are_closed_until_they_are_opened),
        TEST(what_is_no_payload_is_refused),
        TEST(only_namespaces_that_match_are_served),
        TEST(a_bash_task_is_waited_for),
        TEST(a_task_that_takes_too_long_is_killed),
        TEST(the_same_command_runs_once_at_a_time),
        TEST(a_queued_command_that_fails_is_logged_with_what_it_said),
        TEST(whoever_waits_is_told_of_the_end),
        TEST(an_ngrinder_test_is_started_and_followed),
        TEST(an_ngrinder_test_that_lasts_too_long_is_stopped),
        TEST(a_concord_process_is_waited_for),
    };
    return cmocka_run_group_tests_name("loadtester", tests, NULL, NULL);
}
