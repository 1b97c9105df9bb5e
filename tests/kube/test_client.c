#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../rows.h"

#include "bench.h"
#include "kube/discovery.h"

#define OK_BODY "{\"ok\":true}"
#define GET(at) (&(struct kube_request){ .method = "GET", .path = (at) })

/* -- what is sent and what comes back ------------------------------------------------------------------------------ */

static void serve_echo(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    char body[3000];
    snprintf(body, sizeof(body),
             "{\"query\":\"%s\",\"accept\":\"%s\",\"type\":\"%s\",\"agent\":"
             "\"%s\",\"auth\":\"%s\",\"user\":\"%s\",\"got\":\"%.*s\"}",
             request->query, scripted_header(request, "Accept"),
             scripted_header(request, "Content-Type"), scripted_header(request, "User-Agent"),
             scripted_header(request, "Authorization"),
             scripted_header(request, "Impersonate-User"), (int)request->body_len, request->body);
    scripted_reply(request, 201, "Warning: 299 - \"line 12: key \\\"data\\\" already set\"\r\n",
                   body);
}

static void tune_agent(struct kube_opts *opts)
{
    opts->user_agent = "serin/test";
    opts->config->token = base_copy_text("sekret");
    opts->config->impersonate_headers = base_alloc(2 * sizeof(char *));
    opts->config->impersonate_headers[0] = base_copy_text("Impersonate-User: bob");
}

static void a_request_carries_what_it_should(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_echo, NULL, tune_agent);
    struct bench_answer got;
    bench_ask(bench,
              &(struct kube_request){ .method = "POST",
                                      .path = "/api/v1/x",
                                      .query = "dryRun=All",
                                      .body = "hello",
                                      .body_len = 5 },
              &got);
    assert_int_equal(got.status, 201);
    assert_string_equal(got.error, "");
    assert_string_equal(got.body,
                        "{\"query\":\"dryRun=All\",\"accept\":\"application/json\",\"type\":"
                        "\"application/json\",\"agent\":\"serin/test\",\"auth\":\"Bearer sekret\","
                        "\"user\":\"bob\",\"got\":\"hello\"}");
    assert_string_equal(got.warning, "line 12: key \"data\" already set");
    bench_ask(bench,
              &(struct kube_request){ .method = "PATCH",
                                      .path = "/x",
                                      .body = "{}",
                                      .body_len = 2,
                                      .content_type = "application/merge-patch+json",
                                      .accept = KUBE_METADATA },
              &got);
    assert_non_null(strstr(got.body, "\"accept\":\"application/json;as=PartialObjectMetadata;g="
                                     "meta.k8s.io;v=v1,application/json\",\"type\":"
                                     "\"application/merge-patch+json\""));
    assert_null(strstr(bench_log(bench), "sekret"));
    bench_free(bench);
}

static void tune_password(struct kube_opts *opts)
{
    opts->config->user = base_copy_text("me");
    opts->config->password = base_copy_text("p:w");
}

static void a_password_is_sent_as_basic_authentication(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_echo, NULL, tune_password);
    struct bench_answer got;
    bench_ask(bench, GET("/x"), &got);
    assert_non_null(strstr(got.body, "\"auth\":\"Basic bWU6cDp3\""));
    bench_free(bench);
}

/* Answers by the path: /500/x is a 500 and so on; /name/... further down. */
static void serve_status(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    int status = atoi(request->path + 1);
    char body[256];
    snprintf(body, sizeof(body), "{\"kind\":\"Status\",\"message\":\"no %d\",\"code\":%d}", status,
             status);
    scripted_reply(request, status, NULL, status < 300 ? OK_BODY : body);
}

static void an_error_says_what_was_asked_unless_it_names_its_object(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_status, NULL, NULL);
    struct bench_answer got;
    bench_ask(bench, GET("/410/x"), &got);
    assert_string_equal(got.error, "GET /410/x: no 410 (410)");
    assert_int_equal(got.refusal, KUBE_REFUSED_EXPIRED);
    assert_int_equal(got.kind, ERR_CONFLICT);
    bench_ask(bench, GET("/422/x"), &got);
    assert_string_equal(got.error, "no 422 (422)");
    assert_non_null(strstr(got.body, "\"message\":\"no 422\""));
    bench_free(bench);
}

static void a_name_too_long_for_a_path_is_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_status, NULL, NULL);
    struct bench_answer got;
    bench_ask(bench, GET(""), &got);
    assert_int_equal(got.kind, ERR_INVALID);
    assert_int_equal(got.status, 0);
    bench_free(bench);
}

static void serve_much(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_begin(request);
    for (int i = 0; i < 100; i++)
        scripted_piece(request, "%01000d", i);
    scripted_end(request);
}

static void an_answer_has_a_limit(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_much, NULL, NULL);
    struct bench_answer got;
    bench_ask(bench, &(struct kube_request){ .method = "GET", .path = "/x", .limit_bytes = 50000 },
              &got);
    assert_int_equal(got.kind, ERR_LIMIT);
    assert_int_equal(scripted_count(bench->server, "/x"), 1);
    bench_free(bench);
}

/* -- how many at a time -------------------------------------------------------------------------------------------- */

#define MANY 40

static bool all_done(void *ctx)
{
    const struct bench_answer *answers = ctx;
    for (size_t i = 0; i < MANY; i++) {
        if (!answers[i].is_done)
            return false;
    }
    return true;
}

static void start_many(struct bench *bench, const char *path, struct bench_answer *answers)
{
    memset(answers, 0, MANY * sizeof(*answers));
    for (size_t i = 0; i < MANY; i++)
        kube_start(bench->kube, GET(path), bench_on_answer, &answers[i]);
}

static void serve_slowly(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    (void)scripted_wait(request, 10);
    scripted_reply(request, 200, NULL, OK_BODY);
}

static void tune_four(struct kube_opts *opts)
{
    opts->in_flight = 4;
}

static void no_more_than_the_bound_is_in_flight(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_slowly, NULL, tune_four);
    static struct bench_answer answers[MANY];
    start_many(bench, "/x", answers);
    assert_int_equal(kube_waiting(bench->kube), MANY);
    assert_true(bench_until(bench, all_done, answers));
    assert_int_equal(kube_waiting(bench->kube), 0);
    assert_int_equal(scripted_most_at_once(bench->server), 4);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].status, 200);
    bench_free(bench);
}

static void an_urgent_request_overtakes_what_waits(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_slowly, NULL, tune_four);
    static struct bench_answer answers[MANY];
    start_many(bench, "/x", answers);
    bench_turn_for(bench, 5);
    struct bench_answer urgent;
    bench_ask(bench,
              &(struct kube_request){ .method = "GET", .path = "/urgent", .is_urgent = true },
              &urgent);
    size_t done = 0;
    for (size_t i = 0; i < MANY; i++)
        done += answers[i].is_done;
    assert_in_range(done, 0, 12);
    assert_true(bench_until(bench, all_done, answers));
    bench_free(bench);
}

/* -- repeating ----------------------------------------------------------------------------------------------------- */

/* One row: the first answers are `status` (or a cut), `times` of them; later ones are 200. */
struct repeat_case {
    const char *name, *method, *content_type;
    int status; /* 0: the connection is cut; -1: in the middle of the answer */
    size_t times;
    const char *headers;
    size_t asked; /* requests that the server is to see */
    int last;     /* status in the end */
};

static void serve_repeat(void *ctx, const struct scripted_request *request)
{
    const struct repeat_case *row = ctx;
    if (request->count >= row->times) {
        scripted_reply(request, 200, NULL, OK_BODY);
    } else if (row->status > 0) {
        scripted_reply(request, row->status, row->headers,
                       "{\"kind\":\"Status\",\"message\":\"no\"}");
    } else {
        if (row->status < 0)
            scripted_send(request, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"half", 45);
        *request->is_cut = true;
    }
}

#define APPLY "application/apply-patch+yaml"

static const struct repeat_case repeats[] = {
    { "500 for a GET", "GET", NULL, 500, 2, NULL, 3, 200 },
    { "500 for an apply", "PATCH", APPLY, 500, 1, NULL, 2, 200 },
    { "502 for a DELETE", "DELETE", NULL, 502, 1, NULL, 2, 200 },
    { "500 for a POST is final", "POST", NULL, 500, 1, NULL, 1, 500 },
    { "504 for a patch is final", "PATCH", "application/json-patch+json", 504, 1, NULL, 1, 504 },
    { "503 for a POST", "POST", NULL, 503, 1, NULL, 2, 200 },
    { "429 for a PUT", "PUT", NULL, 429, 3, "Retry-After: 0\r\n", 4, 200 },
    { "five attempts and no more", "GET", NULL, 503, 9, NULL, 5, 503 },
    { "404 is an answer", "GET", NULL, 404, 9, NULL, 1, 404 },
    { "409 is an answer", "PATCH", APPLY, 409, 9, NULL, 1, 409 },
    { "a wait past the deadline is not begun", "GET", NULL, 429, 9, "Retry-After: 3600\r\n", 1,
      429 },
    { "a cut for a GET", "GET", NULL, 0, 2, NULL, 3, 200 },
    { "a cut in the middle of an answer for an apply", "PATCH", APPLY, -1, 1, NULL, 2, 200 },
    { "a cut in the middle of an answer for a POST is final", "POST", NULL, -1, 1, NULL, 1, 0 },
};

static void request_is_repeated(void **state)
{
    struct repeat_case row = *(const struct repeat_case *)*state;
    struct bench *bench = bench_new(serve_repeat, &row, NULL);
    struct bench_answer got;
    bench_ask(bench,
              &(struct kube_request){ .method = row.method,
                                      .path = "/x",
                                      .content_type = row.content_type,
                                      .body = row.content_type ? "{}" : NULL,
                                      .body_len = row.content_type ? 2 : 0,
                                      .timeout_ms = 5000 },
              &got);
    assert_int_equal(got.status, row.last);
    assert_int_equal(scripted_count(bench->server, "/x"), row.asked);
    if (row.last == 0)
        assert_int_equal(got.kind, ERR_TRANSIENT);
    bench_free(bench);
}

static void serve_untypable(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    scripted_reply(request, 500, NULL,
                   "{\"kind\":\"Status\",\"message\":\"failed to create typed patch object (a/b; "
                   "apps/v1, Kind=Deployment): .spec.replica: field not declared in schema\"}");
}

static void a_manifests_fault_is_not_repeated(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_untypable, NULL, NULL);
    struct bench_answer got;
    bench_ask(
        bench,
        &(struct kube_request){
            .method = "PATCH", .path = "/x", .content_type = APPLY, .body = "{}", .body_len = 2 },
        &got);
    assert_int_equal(got.refusal, KUBE_REFUSED_MANIFEST);
    assert_int_equal(scripted_count(bench->server, "/x"), 1);
    bench_free(bench);
}

static void serve_busy(void *ctx, const struct scripted_request *request)
{
    int64_t *busy_ms = ctx; /* [0] when the 429 was sent, [1] when the next request came */
    bool is_first = request->count == 0 && !strcmp(request->path, "/first");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    scripted_lock(request->server);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (is_first)
        busy_ms[0] = now_ms;
    else if (!busy_ms[1])
        busy_ms[1] = now_ms;
    scripted_unlock(request->server);
    scripted_reply(request, is_first ? 429 : 200, is_first ? "Retry-After: 1\r\n" : NULL,
                   is_first ? "slow down" : OK_BODY);
}

static void retry_after_holds_back_what_waits(void **state)
{
    (void)state;
    int64_t busy_ms[2] = { 0, 0 };
    struct bench *bench = bench_new(serve_busy, busy_ms, NULL);
    struct bench_answer first = { 0 };
    kube_start(bench->kube, GET("/first"), bench_on_answer, &first);
    while (!scripted_count(bench->server, "/first"))
        bench_turn_for(bench, 5);
    bench_turn_for(bench, 50); /* the 429 is known */
    static struct bench_answer answers[MANY];
    start_many(bench, "/x", answers);
    assert_true(bench_until(bench, all_done, answers));
    assert_true(bench_until(bench, bench_is_done, &first));
    assert_int_equal(first.status, 200);
    assert_true(busy_ms[1] - busy_ms[0] >= 1000);
    bench_free(bench);
}

/* -- no server ----------------------------------------------------------------------------------------------------- */

static void when_the_server_is_gone_what_waits_fails_together(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_slowly, NULL, tune_four);
    struct bench_answer got;
    bench_ask(bench, GET("/x"), &got);
    scripted_go_away(bench->server);
    bench_turn_for(bench, 5);
    static struct bench_answer answers[MANY];
    int64_t start_ms = loop_now_ms(bench->loop);
    start_many(bench, "/y", answers);
    assert_true(bench_until(bench, all_done, answers));
    assert_true(loop_now_ms(bench->loop) - start_ms < 5000);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(answers[i].status, 0);
        assert_int_equal(answers[i].kind, ERR_TRANSIENT);
        assert_int_equal(answers[i].refusal, KUBE_REFUSED_SERVER);
        assert_non_null(strstr(answers[i].error, "127.0.0.1"));
        assert_int_equal(answers[i].times, 1);
    }
    bench_free(bench);
}

static void serve_silence(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    while (scripted_wait(request, 1000))
        ;
}

static void a_server_that_says_nothing_times_out(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_silence, NULL, NULL);
    struct bench_answer got;
    int64_t start_ms = loop_now_ms(bench->loop);
    bench_ask(bench, &(struct kube_request){ .method = "GET", .path = "/x", .timeout_ms = 200 },
              &got);
    assert_int_equal(got.kind, ERR_TRANSIENT);
    assert_in_range(loop_now_ms(bench->loop) - start_ms, 150, 2000);
    assert_int_equal(kube_last_answer_ms(bench->kube), -1);
    bench_free(bench);
}

/* The first request of each kind is never answered. */
static void serve_at_last(void *ctx, const struct scripted_request *request)
{
    if (request->count == 0)
        serve_silence(ctx, request);
    else
        scripted_reply(request, 200, NULL, OK_BODY);
}

static void an_attempt_that_hangs_is_repeated(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_at_last, NULL, NULL);
    struct bench_answer got;
    int64_t start_ms = loop_now_ms(bench->loop);
    struct kube_request request = { .method = "GET", .path = "/x", .attempt_ms = 100 };
    bench_ask(bench, &request, &got);
    assert_int_equal(got.status, 200);
    assert_in_range(loop_now_ms(bench->loop) - start_ms, 100, 5000);
    request = (struct kube_request){
        .method = "POST", .path = "/y", .body = "{}", .body_len = 2, .attempt_ms = 100
    };
    request.timeout_ms = 300; /* what may have happened is not done twice, nor given up early */
    start_ms = loop_now_ms(bench->loop);
    bench_ask(bench, &request, &got);
    assert_int_equal(got.kind, ERR_TRANSIENT);
    assert_in_range(loop_now_ms(bench->loop) - start_ms, 250, 5000);
    assert_int_equal(scripted_count(bench->server, "/x"), 2);
    assert_int_equal(scripted_count(bench->server, "/y"), 1);
    bench_free(bench);
}

/* -- cancelling ---------------------------------------------------------------------------------------------------- */

static void count_cancel(void *ctx)
{
    ((struct bench_answer *)ctx)->times += 100;
}

static void a_cancelled_request_is_never_answered(void **state)
{
    (void)state;
    struct repeat_case busy = { .status = 503, .times = 99 };
    struct bench *bench = bench_new(serve_repeat, &busy, tune_four);
    static struct bench_answer answers[MANY];
    static ticket tickets[MANY];
    memset(answers, 0, sizeof(answers));
    for (size_t i = 0; i < MANY; i++)
        tickets[i] = kube_start(
            bench->kube,
            &(struct kube_request){ .method = "GET", .path = "/x", .on_cancel = count_cancel },
            bench_on_answer, &answers[i]);
    bench_turn_for(bench, 30); /* some wait, some fly, some are backing off */
    for (size_t i = 0; i < MANY; i++) {
        kube_cancel(bench->kube, tickets[i]);
        kube_cancel(bench->kube, tickets[i]);
    }
    kube_cancel(bench->kube, 0);
    bench_turn_for(bench, 100);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].times, 100);
    assert_int_equal(kube_waiting(bench->kube), 0);
    assert_int_equal(
        (int)metric_value(metrics_declare(bench->metrics,
                                          &(struct metric_spec){ .name = "serin_kube_in_flight" }),
                          NULL),
        0);
    bench_free(bench);
}

static void freeing_the_client_cancels_what_runs(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_silence, NULL, NULL);
    static struct bench_answer answers[MANY];
    memset(answers, 0, sizeof(answers));
    for (size_t i = 0; i < MANY; i++)
        kube_start(
            bench->kube,
            &(struct kube_request){ .method = "GET", .path = "/x", .on_cancel = count_cancel },
            bench_on_answer, &answers[i]);
    bench_turn_for(bench, 20);
    kube_free(bench->kube);
    bench->kube = NULL;
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].times, 100);
    bench_free(bench);
}

struct chain {
    struct bench *bench;
    ticket id;
    int steps, cancels;
    bool is_done;
};

static void on_chain_cancel(void *ctx)
{
    ((struct chain *)ctx)->cancels++;
}

static void on_chain(void *ctx, const struct kube_result *result)
{
    struct chain *chain = ctx;
    (void)result;
    if (++chain->steps < 3)
        kube_go_on(
            chain->bench->kube, chain->id,
            &(struct kube_request){ .method = "GET", .path = "/x", .on_cancel = on_chain_cancel },
            on_chain, chain);
    else
        chain->is_done = true;
}

static bool chain_is_done(void *ctx)
{
    return ((struct chain *)ctx)->is_done;
}

static bool chain_is_under_way(void *ctx)
{
    return ((struct chain *)ctx)->steps == 2;
}

static void a_flow_goes_by_one_ticket(void **state)
{
    (void)state;
    struct bench *bench = bench_new(serve_slowly, NULL, NULL);
    struct kube_request none = { .on_cancel = on_chain_cancel };
    struct chain chain = { .bench = bench };
    chain.id = kube_start(bench->kube, &none, on_chain, &chain);
    assert_int_equal(chain.steps, 0);
    assert_true(bench_until(bench, chain_is_done, &chain));
    assert_int_equal(scripted_count(bench->server, "/x"), 2);
    struct chain other = { .bench = bench };
    other.id = kube_start(bench->kube, &none, on_chain, &other);
    assert_true(bench_until(bench, chain_is_under_way, &other));
    kube_cancel(bench->kube, other.id);
    bench_turn_for(bench, 50);
    assert_int_equal(other.steps, 2);
    assert_int_equal(other.cancels, 1);
    assert_int_equal(chain.cancels, 0);
    bench_free(bench);
}

/* -- metrics ------------------------------------------------------------------------------------------------------- */

static void requests_are_counted_by_verb_and_code(void **state)
{
    (void)state;
    struct repeat_case row = { .status = 503, .times = 2 };
    struct bench *bench = bench_new(serve_repeat, &row, NULL);
    struct bench_answer got;
    bench_ask(
        bench,
        &(struct kube_request){
            .method = "PATCH", .path = "/x", .content_type = APPLY, .body = "{}", .body_len = 2 },
        &got);
    bench_ask(bench, GET("/x"), &got);
    SBUF(text, SBUF_MAX);
    metrics_format(bench->metrics, &text);
    assert_non_null(
        strstr(sbuf_text(&text), "serin_kube_requests_total{verb=\"apply\",code=\"503\"} 2\n"));
    assert_non_null(
        strstr(sbuf_text(&text), "serin_kube_requests_total{verb=\"apply\",code=\"200\"} 1\n"));
    assert_non_null(
        strstr(sbuf_text(&text), "serin_kube_requests_total{verb=\"get\",code=\"200\"} 1\n"));
    assert_true(kube_last_answer_ms(bench->kube) >= 0);
    bench_free(bench);
}

/* -- what the version of a server tells ---------------------------------------------------------------------------- */

static const struct scale_case {
    const char *name, *version;
    bool tracks;
} scales[] = {
    { "1.20 notes no scale", "v1.20.15", false },
    { "the last that notes none", "v1.21.14-gke.18", false },
    { "the first that notes it", "v1.22.0-beta.2", true },
    { "today's", "v1.34.4+k3s1", true },
    { "what is no version", "v2", true },
};

static void serve_version(void *ctx, const struct scripted_request *request)
{
    const struct scale_case *c = ctx;
    char version[100];
    snprintf(version, sizeof(version), "{\"gitVersion\":\"%s\"}", c->version);
    scripted_reply(request, 200, NULL,
                   !strcmp(request->path, "/version") ? version
                   : !strcmp(request->path, "/api")   ? "{\"kind\":\"APIVersions\",\"versions\":[]}"
                                                    : "{\"kind\":\"APIGroupList\",\"groups\":[]}");
}

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

static void version_tells_of_scales(void **state)
{
    const struct scale_case *c = *state;
    struct bench *bench = bench_new(serve_version, (void *)c, NULL);
    struct kube_discovery *discovery = kube_discovery_new(bench->kube, &bench->log);
    bool is_done = false;
    assert_true(kube_discovery_tracks_scale(discovery));
    kube_discovery_refresh(discovery, on_discovered, &is_done);
    assert_true(bench_until(bench, is_set, &is_done));
    assert_string_equal(kube_discovery_server_version(discovery), c->version);
    assert_int_equal(kube_discovery_tracks_scale(discovery), c->tracks);
    kube_discovery_free(discovery);
    bench_free(bench);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_request_carries_what_it_should),
        SINGLE(a_password_is_sent_as_basic_authentication),
        SINGLE(an_error_says_what_was_asked_unless_it_names_its_object),
        SINGLE(a_name_too_long_for_a_path_is_refused),
        SINGLE(an_answer_has_a_limit),
        SINGLE(no_more_than_the_bound_is_in_flight),
        SINGLE(an_urgent_request_overtakes_what_waits),
        SINGLE(a_manifests_fault_is_not_repeated),
        SINGLE(retry_after_holds_back_what_waits),
        SINGLE(when_the_server_is_gone_what_waits_fails_together),
        SINGLE(a_server_that_says_nothing_times_out),
        SINGLE(an_attempt_that_hangs_is_repeated),
        SINGLE(a_cancelled_request_is_never_answered),
        SINGLE(freeing_the_client_cancels_what_runs),
        SINGLE(a_flow_goes_by_one_ticket),
        SINGLE(requests_are_counted_by_verb_and_code),
        ROWS(repeats, request_is_repeated),
        ROWS(scales, version_tells_of_scales),
    };
    return rows_run("kube_client", tests, ARRAY_LEN(tests));
}
