#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_world.h"

/* Requests to a well-behaved counterpart: connections, methods, sizes, turns. */

/* --- connections */

static void eight_requests_share_one_http2_connection(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct answer answers[8] = { 0 };
    for (size_t i = 0; i < 8; i++)
        http_peer_start(world->http, &request, &answers[i]);
    assert_int_equal(http_in_flight(world->http), 8);
    http_peer_wait(world->loop, answers, 8);
    assert_int_equal(http_in_flight(world->http), 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(answers[i].status, 200);
        assert_int_equal(answers[i].http_version, 2);
        assert_non_null(strstr(answers[i].body, "proto=HTTP/2.0"));
        assert_int_equal(http_peer_number(&answers[i], "conn="),
                         http_peer_number(&answers[0], "conn="));
    }
    for (size_t i = 0; i < 8; i++)
        http_peer_fini(&answers[i]);
    free(url);
}

static void later_requests_use_the_connection_again(void **state)
{
    struct world *world = *state;
    int first = 0;
    for (int i = 0; i < 5; i++) {
        struct answer *answer = http_world_get(world, "/who");
        int conn = http_peer_number(answer, "conn=");
        assert_true(conn > 0);
        first = first ? first : conn;
        assert_int_equal(conn, first);
        http_peer_free(answer);
    }
}

static void plain_http_speaks_one_one(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("http://127.0.0.1", world->nginx->http, "/who");
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000 };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->http_version, 1);
    assert_non_null(strstr(answer->body, "proto=HTTP/1.1"));
    http_peer_free(answer);
    free(url);
}

static void a_stream_never_shares_with_requests_but_with_streams(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct answer answers[6] = { 0 };
    for (size_t i = 0; i < 6; i++) {
        request.own_connection = i >= 3;
        http_peer_start(world->http, &request, &answers[i]);
    }
    http_peer_wait(world->loop, answers, 6);
    int requests = http_peer_number(&answers[0], "conn="),
        streams = http_peer_number(&answers[3], "conn=");
    assert_int_not_equal(requests, streams);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(http_peer_number(&answers[i], "conn="), i < 3 ? requests : streams);
        http_peer_fini(&answers[i]);
    }
    free(url);
}

/* nginx is stopped as a machine that hangs: its kernel still acknowledges. When it goes on, requests are not put on the
 * connection that was silent for a whole request. */
static void a_connection_that_hung_is_not_used_again(void **state)
{
    struct world *world = *state;
    struct answer *answer = http_world_get(world, "/who");
    int before = http_peer_number(answer, "conn=");
    http_peer_free(answer);
    assert_int_equal(kill(-world->nginx->pid, SIGSTOP), 0);
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 300, .tls = &world->tls
    };
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(kill(-world->nginx->pid, SIGCONT), 0);
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    assert_non_null(strstr(answer->error, "no complete answer within 0.3 s"));
    http_peer_free(answer);
    answer = http_world_get(world, "/who");
    assert_int_equal(answer->status, 200);
    assert_int_not_equal(http_peer_number(answer, "conn="), before);
    http_peer_free(answer);
    free(url);
}

static void a_slow_answer_does_not_cost_the_others_their_connection(void **state)
{
    struct world *world = *state;
    char *slow = http_peer_url("https://localhost", world->nginx->https, "/slow/big.txt");
    struct answer *answer = http_world_get(world, "/who");
    int before = http_peer_number(answer, "conn=");
    http_peer_free(answer);
    struct http_request request = {
        .method = "GET", .url = slow, .timeout_ms = 400, .tls = &world->tls
    };
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    http_peer_free(answer);
    answer = http_world_get(world, "/who");
    assert_int_equal(http_peer_number(answer, "conn="), before);
    http_peer_free(answer);
    free(slow);
}

/* --- methods and bodies, through HTTP/2 to our own server */

static const struct method_case {
    const char *name, *method, *body, *header, *expected;
} method_cases[] = {
    { "GET has no body and no type", "GET", "", NULL, "GET /x type=none len=0\n" },
    { "POST sends its body as it is", "POST", "a=1", NULL, "POST /x type=none len=3\na=1" },
    { "POST without a body has length 0", "POST", "", NULL, "POST /x type=none len=0\n" },
    { "PATCH keeps its content type", "PATCH", "{}", "Content-Type: application/apply-patch+yaml",
      "PATCH /x type=application/apply-patch+yaml len=2\n{}" },
    { "PUT sends a body", "PUT", "new", NULL, "PUT /x type=none len=3\nnew" },
    { "DELETE may have a body", "DELETE", "{\"a\":1}", "Content-Type: application/json",
      "DELETE /x type=application/json len=7\n{\"a\":1}" },
    { "DELETE may have none", "DELETE", "", NULL, "DELETE /x type=none len=0\n" },
    { "HEAD has an answer without a body", "HEAD", "", NULL, "" },
};

static void a_method_arrives_as_sent(void **state)
{
    struct world *world = http_world_of(state);
    const struct method_case *row = http_world_row(state);
    struct http *http = http_new(world->loop, NULL);
    char *url = http_peer_url("https://localhost", world->nginx->https, "/up/x");
    const char *headers[] = { row->header, NULL };
    struct http_request request = { .method = row->method,
                                    .url = url,
                                    .headers = headers,
                                    .body = row->body,
                                    .body_len = strlen(row->body),
                                    .timeout_ms = 20000,
                                    .tls = &world->tls };
    struct answer *answer = http_peer_ask(world->loop, http, &request);
    assert_int_equal(answer->status, 200);
    assert_int_equal(answer->http_version, 2);
    assert_string_equal(answer->body, row->expected);
    http_peer_free(answer);
    free(url);
    http_free(http);
}

static void a_large_body_arrives_whole(void **state)
{
    struct world *world = *state;
    size_t len = 900000;
    char *body = base_alloc(len + 1);
    memset(body, 'b', len);
    char *url = http_peer_url("https://localhost", world->nginx->https, "/up/large");
    struct http_request request = { .method = "PATCH",
                                    .url = url,
                                    .body = body,
                                    .body_len = len,
                                    .timeout_ms = 20000,
                                    .tls = &world->tls };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->status, 200);
    const char *echoed = strchr(answer->body, '\n') + 1;
    assert_int_equal(strlen(echoed), len);
    assert_string_equal(echoed, body);
    http_peer_free(answer);
    free(url);
    free(body);
}

static void headers_are_found_in_any_case(void **state)
{
    struct world *world = *state;
    struct answer *answer = http_world_get(world, "/who");
    assert_string_equal(answer->content_type, "text/plain");
    http_peer_free(answer);
    answer = http_world_get(world, "/status?code=404");
    assert_int_equal(answer->status, 404);
    assert_int_equal(answer->kind, HTTP_PEER_NO_ERROR);
    assert_string_equal(answer->body, "not here");
    http_peer_free(answer);
    answer = http_world_get(world, "/status");
    assert_int_equal(answer->status, 204);
    assert_string_equal(answer->body, "");
    http_peer_free(answer);
}

static void who_asks_is_said(void **state)
{
    struct world *world = *state;
    SCOPED(http_free)
    struct http *http = http_new(world->loop, &(struct http_opts){ .user_agent = "a-test/1" });
    char *url = http_peer_url("http://us%40er:pa%3Ass@127.0.0.1", world->nginx->http, "/who");
    const char *headers[] = { "X-Token: t0ken", "Accept: application/json", NULL };
    struct http_request request = {
        .method = "GET", .url = url, .headers = headers, .timeout_ms = 20000
    };
    struct answer *answer = http_peer_ask(world->loop, http, &request);
    assert_non_null(strstr(answer->body, "agent=a-test/1"));
    assert_non_null(strstr(answer->body, "token=t0ken"));
    assert_non_null(strstr(answer->body, "accept=application/json"));
    assert_non_null(strstr(answer->body, "auth=Basic dXNAZXI6cGE6c3M=")); /* us@er:pa:ss */
    http_peer_free(answer);
    free(url);
}

/* --- size */

static void gzip_is_asked_for_and_unpacked(void **state)
{
    struct world *world = *state;
    char *text = base_alloc(100001);
    memset(text, 'z', 100000);
    peer_write(world->dir, "zeros.txt", text);
    char *url = http_peer_url("https://localhost", world->nginx->https, "/files/zeros.txt");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls, .wants_gzip = true
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_string_equal(answer->encoding, "gzip");
    assert_string_equal(answer->body, text);
    http_peer_free(answer);
    request.limit_bytes = 50000; /* far more than it takes packed */
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_LIMIT);
    http_peer_free(answer);
    request.wants_gzip = false;
    request.limit_bytes = 0;
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_string_equal(answer->encoding, "");
    assert_string_equal(answer->body, text);
    http_peer_free(answer);
    free(url);
    free(text);
}

static void a_body_at_the_limit_passes_and_one_over_it_does_not(void **state)
{
    struct world *world = *state;
    peer_write(world->dir, "ten.txt", "0123456789");
    char *url =
        http_peer_url("https://localhost", world->nginx->https, "/files/ten.txt?token=s3cret");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls, .limit_bytes = 10
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_string_equal(answer->body, "0123456789");
    http_peer_free(answer);
    request.limit_bytes = 9;
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_LIMIT);
    assert_non_null(strstr(answer->error, "/files/ten.txt: the answer is over 9 bytes"));
    assert_null(strstr(answer->error, "s3cret"));
    http_peer_free(answer);
    free(url);
}

/* --- turns */

struct chain {
    struct world *world;
    struct http_request request;
    int left;
    bool is_starting;
};

static void on_chain(void *ctx, const struct http_result *result)
{
    struct chain *chain = ctx;
    assert_false(chain->is_starting); /* never from within http_start */
    assert_int_equal(result->status, 200);
    if (--chain->left == 0)
        return;
    chain->is_starting = true;
    http_start(chain->world->http, &chain->request, on_chain, chain);
    chain->is_starting = false;
}

static void a_done_request_may_start_the_next(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct chain chain = { .world = world, .left = 30 };
    chain.request = (struct http_request){
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    http_start(world->http, &chain.request, on_chain, &chain);
    while (chain.left > 0)
        assert_true(loop_turn(world->loop, 20000));
    free(url);
}

struct canceller {
    struct world *world;
    ticket tickets[8];
    int done;
};

static void on_cancel_rest(void *ctx, const struct http_result *result)
{
    (void)result;
    struct canceller *canceller = ctx;
    canceller->done++;
    for (size_t i = 0; i < 8; i++)
        http_cancel(canceller->world->http, canceller->tickets[i]);
}

static void a_done_request_may_cancel_the_others(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct canceller canceller = { .world = world };
    for (size_t i = 0; i < 8; i++)
        canceller.tickets[i] = http_start(world->http, &request, on_cancel_rest, &canceller);
    while (canceller.done == 0)
        assert_true(loop_turn(world->loop, 20000));
    assert_int_equal(http_in_flight(world->http), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(world->loop, 20);
    assert_int_equal(canceller.done, 1);
    struct answer *answer = http_world_get(world, "/who"); /* and the client works on */
    assert_int_equal(answer->status, 200);
    http_peer_free(answer);
    free(url);
}

static void a_cancelled_request_is_not_answered(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct answer answers[3] = { 0 };
    ticket first = http_peer_start(world->http, &request, &answers[0]);
    http_cancel(world->http, first);
    request.url = "bad url";
    ticket second = http_peer_start(world->http, &request, &answers[1]);
    http_cancel(world->http, second);
    http_cancel(world->http, second);
    request.url = url;
    ticket third = http_peer_start(world->http, &request, &answers[2]);
    loop_turn(world->loop, 100); /* under way */
    http_cancel(world->http, third);
    http_cancel(world->http, 0);
    assert_int_equal(http_in_flight(world->http), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(world->loop, 20);
    for (size_t i = 0; i < 3; i++)
        assert_false(answers[i].is_done);
    free(url);
}

static void freeing_the_client_ends_what_runs(void **state)
{
    struct world *world = *state;
    struct http *http = http_new(world->loop, NULL);
    char *url = http_peer_url("https://localhost", world->nginx->https, "/slow/big.txt");
    struct http_request request = { .method = "GET", .url = url, .tls = &world->tls };
    struct answer answers[10] = { 0 };
    for (size_t i = 0; i < 10; i++) {
        request.own_connection = i % 2;
        request.url = i < 8 ? url : "nonsense";
        http_peer_start(http, &request, &answers[i]);
        loop_turn(world->loop, i < 6 ? 10 : 0);
        if (i == 5)
            loop_turn(world->loop, 50);
    }
    http_free(http);
    loop_turn(world->loop, 10);
    for (size_t i = 0; i < 8; i++)
        assert_false(answers[i].is_done);
    for (size_t i = 0; i < 10; i++)
        http_peer_fini(&answers[i]);
    free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HTTP(eight_requests_share_one_http2_connection),
        WITH_HTTP(later_requests_use_the_connection_again),
        WITH_HTTP(plain_http_speaks_one_one),
        WITH_HTTP(a_stream_never_shares_with_requests_but_with_streams),
        WITH_HTTP(a_connection_that_hung_is_not_used_again),
        WITH_HTTP(a_slow_answer_does_not_cost_the_others_their_connection),
        WITH_HTTP(a_large_body_arrives_whole),
        WITH_HTTP(headers_are_found_in_any_case),
        WITH_HTTP(who_asks_is_said),
        WITH_HTTP(gzip_is_asked_for_and_unpacked),
        WITH_HTTP(a_body_at_the_limit_passes_and_one_over_it_does_not),
        WITH_HTTP(a_done_request_may_start_the_next),
        WITH_HTTP(a_done_request_may_cancel_the_others),
        WITH_HTTP(a_cancelled_request_is_not_answered),
        WITH_HTTP(freeing_the_client_ends_what_runs),
    };
    struct CMUnitTest row_tests[ARRAY_LEN(method_cases)];
    struct row rows[ARRAY_LEN(method_cases)];
    struct world *world = http_world_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i] = (struct row){ world, &method_cases[i] };
        row_tests[i] = (struct CMUnitTest){ .name = method_cases[i].name,
                                            .test_func = a_method_arrives_as_sent,
                                            .initial_state = &rows[i] };
    }
    int failed = cmocka_run_group_tests_name("io/http methods", row_tests, NULL, NULL);
    http_world_free(world);
    return cmocka_run_group_tests_name("io/http", tests, http_world_set_up, http_world_tear_down) +
           failed;
}
