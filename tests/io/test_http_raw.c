#include "../rows.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_peer.h"
#include "io/http.h"
#include "peer.h"

/* Requests to counterparts that do not behave. */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* --- one answer, sent as it stands, then the end */

static const struct answer_case {
    const char *name, *answer;
    int status;
    enum err_kind kind;
    const char *expect; /* the body, or in the error */
    bool stays_open;    /* the server sends nothing more and does not close */
    enum http_cause cause;
} answer_cases[] = {
    { "an answer without a length ends with the connection", OK_HEAD "\r\nall", 200,
      HTTP_PEER_NO_ERROR, "all", false, HTTP_OTHER },
    { "an answer of its length is complete without an end", OK_HEAD "Content-Length: 3\r\n\r\nall",
      200, HTTP_PEER_NO_ERROR, "all", true, HTTP_OTHER },
    { "chunks are put together",
      OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nal\r\n1;x=y\r\nl\r\n0\r\n\r\n", 200,
      HTTP_PEER_NO_ERROR, "all", true, HTTP_OTHER },
    { "trailers are no headers",
      OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\nContent-Encoding: gzip\r\n\r\n",
      200, HTTP_PEER_NO_ERROR, "all", true, HTTP_OTHER },
    { "early hints are not the answer",
      "HTTP/1.1 103 Early Hints\r\nContent-Encoding: x\r\n\r\n" OK_HEAD
      "Content-Length: 3\r\n\r\nall",
      200, HTTP_PEER_NO_ERROR, "all", true, HTTP_OTHER },
    { "100 Continue is not the answer",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404,
      HTTP_PEER_NO_ERROR, "no", true, HTTP_OTHER },
    { "204 has no body whatever follows", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 x\r\n\r\n",
      204, HTTP_PEER_NO_ERROR, "", false, HTTP_OTHER },
    { "lines may end without a carriage return", "HTTP/1.1 200 OK\nContent-Length: 3\n\nall", 200,
      HTTP_PEER_NO_ERROR, "all", true, HTTP_OTHER },
    { "a server error is an answer", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", 503,
      HTTP_PEER_NO_ERROR, "busy", true, HTTP_OTHER },
    { "a body cut short is transient", OK_HEAD "Content-Length: 100\r\n\r\nhalf", 200,
      ERR_TRANSIENT, "96 bytes ", false, HTTP_CLOSED },
    { "the body of a refusal may be cut short",
      "HTTP/1.1 429 Wait\r\nContent-Length: 100\r\n\r\nhalf", 429, HTTP_PEER_NO_ERROR, "half",
      false, HTTP_OTHER },
    { "chunks cut short are transient", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf", 200,
      ERR_TRANSIENT, "", false, HTTP_CLOSED },
    { "chunks without the last are transient",
      OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n", 200, ERR_TRANSIENT, "", false,
      HTTP_CLOSED },
    { "a chunk of no length is transient", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nall",
      200, ERR_TRANSIENT, "", false, HTTP_OTHER },
    { "no answer at all is transient", "", 0, ERR_TRANSIENT, "mpty reply", false, HTTP_CLOSED },
    { "half a head is transient", "HTTP/1.1 200 OK\r\nContent-Le", 0, ERR_TRANSIENT, "", false,
      HTTP_CLOSED },
    { "what is not HTTP is refused", "SSH-2.0-OpenSSH_9.2\r\n", 0, ERR_TRANSIENT, "", false,
      HTTP_OTHER },
    { "HTTP/0.9 is refused", "<html>hello</html>", 0, ERR_TRANSIENT, "", false, HTTP_OTHER },
    { "a negative length is refused", OK_HEAD "Content-Length: -5\r\n\r\nall", 0, ERR_TRANSIENT, "",
      false, HTTP_OTHER },
    { "a length that is none is refused", OK_HEAD "Content-Length: x\r\n\r\nall", 0, ERR_TRANSIENT,
      "", false, HTTP_OTHER },
    { "silence in the body ends at the idle bound", OK_HEAD "Content-Length: 100\r\n\r\nhalf", 200,
      ERR_TRANSIENT, "nothing came for 0.4 s", true, HTTP_TIMED_OUT },
    { "silence after half a head ends at the idle bound", "HTTP/1.1 200 OK\r\nContent-Le", 0,
      ERR_TRANSIENT, "nothing came for 0.4 s", true, HTTP_TIMED_OUT },
    { "silence ends at the idle bound", "", 0, ERR_TRANSIENT, "nothing came for 0.4 s", true,
      HTTP_TIMED_OUT },
    { "what is not gzip is refused",
      OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip", 200, ERR_TRANSIENT, "",
      false, HTTP_OTHER },
};

static _Atomic(const struct answer_case *) current_case;

static void serve_case(struct peer_raw *raw, int fd, const char *head)
{
    (void)head;
    const struct answer_case *row = current_case;
    peer_send(fd, row->answer);
    if (row->stays_open)
        (void)peer_raw_sleep(raw, 60000);
}

static void an_answer_is_taken_for_what_it_is(void **state)
{
    const struct answer_case *row = *state;
    current_case = row;
    struct peer_raw *raw = peer_raw_new(serve_case);
    struct loop *loop = loop_new();
    struct http *http = http_new(loop, NULL);
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(raw), "/some/path?token=s3cret");
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .idle_ms = 400, .wants_gzip = true
    };
    struct answer *answer = http_peer_ask(loop, http, &request);
    assert_int_equal(answer->kind, row->kind);
    if (row->kind == HTTP_PEER_NO_ERROR) {
        assert_string_equal(answer->body, row->expect);
        assert_string_equal(answer->encoding, "");
    } else {
        assert_non_null(strstr(answer->error, row->expect));
        assert_non_null(strstr(answer->error, "GET http://127.0.0.1:"));
        const char *why = strstr(answer->error, "/some/path: ");
        assert_non_null(why);
        assert_string_equal(answer->why, why + strlen("/some/path: "));
        assert_int_equal(answer->cause, row->cause);
        assert_null(strstr(answer->error, "s3cret"));
    }
    if (row->status)
        assert_int_equal(answer->status, row->status);
    http_peer_free(answer);
    free(url);
    http_free(http);
    loop_free(loop);
    peer_raw_free(raw);
}

/* --- servers with a habit, by path */

static void serve_habit(struct peer_raw *raw, int fd, const char *head)
{
    if (strncmp(head, "GET /endless ", 13) == 0) {
        char piece[4097];
        memset(piece, 'e', 4096);
        piece[4096] = '\0';
        peer_send(fd, OK_HEAD "\r\n");
        for (int i = 0; i < 100000 && peer_raw_sleep(raw, 0); i++) {
            struct pollfd gone = { .fd = fd, .events = POLLIN };
            if (poll(&gone, 1, 0) > 0)
                return;
            peer_send(fd, piece);
        }
    } else if (strncmp(head, "GET /headers ", 13) == 0) {
        peer_send(fd, OK_HEAD);
        for (int i = 0; i < 20000 && peer_raw_sleep(raw, 0); i++)
            peer_send(fd,
                      "X-Filler: "
                      "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
    } else if (strncmp(head, "GET /drip ", 10) == 0) {
        peer_send(fd, OK_HEAD "Content-Length: 1000\r\n\r\n");
        while (peer_raw_sleep(raw, 50))
            peer_send(fd, "d");
    } else if (strncmp(head, "GET /silent ", 12) == 0) {
        (void)peer_raw_sleep(raw, 60000);
    } else if (strncmp(head, "GET /events ", 12) == 0) {
        peer_send(fd, OK_HEAD "\r\n");
        for (int i = 0; i < 5 && peer_raw_sleep(raw, 20); i++)
            peer_send(fd, "event\n");
        (void)peer_raw_sleep(raw, 60000);
    } else if (strncmp(head, "GET /keep ", 10) == 0) {
        peer_send(fd,
                  OK_HEAD "Content-Length: 4\r\n\r\nkept"); /* and closes, though nobody said so */
        (void)peer_raw_sleep(raw, 50);
    } else if (strncmp(head, "GET /soon ", 10) == 0 || strncmp(head, "GET /pause ", 11) == 0) {
        (void)peer_raw_sleep(raw, head[5] == 's' ? 40 : 100);
        peer_send(fd, OK_HEAD "Content-Length: 2\r\n\r\nok");
    } else if (strncmp(head, "GET /gone ", 10) == 0) {
        peer_send(fd, "HTTP/1.1 410 Gone\r\nContent-Length: 8\r\n\r\ntoo late");
    } else {
        peer_send(fd, OK_HEAD "Content-Length: 2\r\n\r\nok");
    }
}

struct world {
    struct peer_raw *raw;
    struct loop *loop;
    struct http *http;
};

static int set_up(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    world->raw = peer_raw_new(serve_habit);
    world->loop = loop_new();
    world->http =
        http_new(world->loop, &(struct http_opts){ .connections = 4, .connections_per_host = 2 });
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    http_free(world->http);
    loop_free(world->loop);
    peer_raw_free(world->raw);
    free(world);
    return 0;
}

static struct answer *ask(struct world *world, const char *path, struct http_request request)
{
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(world->raw), path);
    request.method = "GET";
    request.url = url;
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    free(url);
    return answer;
}

static void an_endless_body_ends_at_the_limit(void **state)
{
    struct world *world = *state;
    struct answer *answer =
        ask(world, "/endless", (struct http_request){ .timeout_ms = 20000, .limit_bytes = 100000 });
    assert_int_equal(answer->kind, ERR_LIMIT);
    http_peer_free(answer);
}

static void endless_headers_end_at_the_limit(void **state)
{
    struct world *world = *state;
    struct answer *answer = ask(world, "/headers", (struct http_request){ .timeout_ms = 20000 });
    assert_true(answer->kind == ERR_LIMIT ||
                answer->kind == ERR_TRANSIENT); /* ours, or libcurl's own */
    assert_int_equal(answer->body_len, 0);
    http_peer_free(answer);
}

static void a_drip_is_not_idle_but_has_a_deadline(void **state)
{
    struct world *world = *state;
    int64_t before = loop_now_ms(world->loop);
    struct answer *answer =
        ask(world, "/drip", (struct http_request){ .timeout_ms = 700, .idle_ms = 300 });
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    assert_non_null(strstr(answer->error, "no complete answer within 0.7 s"));
    assert_in_range(loop_now_ms(world->loop) - before, 600, 10000);
    http_peer_free(answer);
}

static void silence_ends_at_the_deadline(void **state)
{
    struct world *world = *state;
    struct answer *answer = ask(world, "/silent", (struct http_request){ .timeout_ms = 200 });
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    assert_int_equal(answer->status, 0);
    http_peer_free(answer);
}

struct stall {
    struct loop *loop;
    int64_t began_ms;
};

static void on_stall(void *ctx, const struct http_result *result)
{
    struct stall *stall = ctx;
    assert_int_equal(result->status, 200);
    stall->began_ms = loop_now_ms(stall->loop);
    usleep(400000);
}

/* The loop is busy with another answer when this one comes and its deadline passes. On a machine so slow that the other
 * answer does not come first there is nothing to be seen, and it is tried again. */
static void an_answer_that_waits_is_not_late(void **state)
{
    struct world *world = *state;
    for (int good = 0, tries = 0; good < 2 && tries < 20; tries++) {
        char *soon = http_peer_url("http://127.0.0.1", peer_raw_port(world->raw), "/soon");
        struct http_request request = { .method = "GET", .url = soon, .timeout_ms = 20000 };
        struct stall stall = { .loop = world->loop };
        int64_t began_ms = loop_now_ms(world->loop);
        http_start(world->http, &request, on_stall, &stall);
        struct answer *answer = ask(world, "/pause", (struct http_request){ .timeout_ms = 180 });
        if (stall.began_ms && stall.began_ms - began_ms < 90) {
            assert_string_equal(answer->body, "ok");
            good++;
        }
        while (!stall.began_ms)
            loop_turn(world->loop, 1000);
        http_peer_free(answer);
        free(soon);
    }
}

static void a_connection_closed_meanwhile_is_made_anew(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 3; i++) {
        struct answer *answer = ask(world, "/keep", (struct http_request){ .timeout_ms = 20000 });
        assert_string_equal(answer->body, "kept");
        http_peer_free(answer);
        usleep(100000);
    }
    assert_int_equal(peer_raw_accepted(world->raw), 3);
}

static void nobody_there_is_transient(void **state)
{
    struct world *world = *state;
    struct http_request request = { .method = "GET",
                                    .url =
                                        "http://user:s3cret@127.0.0.1:1/a/path?token=s3cret#s3cret",
                                    .timeout_ms = 20000 };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    assert_non_null(strstr(answer->error, "GET http://127.0.0.1:1/a/path: "));
    assert_null(strstr(answer->error, "s3cret"));
    http_peer_free(answer);
}

/* --- requests that are none */

static const struct bad_case {
    const char *name, *method, *url, *header, *proxy;
} bad_cases[] = {
    { "no scheme", "GET", "127.0.0.1/s3cret", NULL, NULL },
    { "a scheme that is not ours", "GET", "file:///etc/s3cret", NULL, NULL },
    { "an empty URL", "GET", "", NULL, NULL },
    { "no host", "GET", "http://", NULL, NULL },
    { "a port that is none", "GET", "http://me:s3cret@host:99999/", NULL, NULL },
    { "a space in the URL", "GET", "http://host/a b?s3cret", NULL, NULL },
    { "a line break in the URL", "GET", "http://host/\r\nX-Evil: s3cret", NULL, NULL },
    { "a line break in a header", "GET", "http://127.0.0.1:1/", "X: y\r\nX-Evil: s3cret", NULL },
    { "a method that is two words", "GET /s3cret HTTP/1.1", "http://127.0.0.1:1/", NULL, NULL },
    { "no method", "", "http://127.0.0.1:1/", NULL, NULL },
};

static void a_request_that_is_none_is_told_later(void **state)
{
    const struct bad_case *row = *state;
    struct loop *loop = loop_new();
    struct http *http = http_new(loop, NULL);
    const char *headers[] = { row->header, NULL };
    struct http_request request = {
        .method = row->method, .url = row->url, .headers = headers, .proxy = row->proxy
    };
    struct answer answer = { 0 };
    http_peer_start(http, &request, &answer); /* checks that it is not yet done */
    http_peer_wait(loop, &answer, 1);
    assert_int_equal(answer.kind, ERR_INVALID);
    assert_int_equal(answer.status, 0);
    assert_null(strstr(answer.error, "s3cret"));
    http_peer_fini(&answer);
    http_free(http);
    loop_free(loop);
}

static void a_huge_url_is_refused(void **state)
{
    struct world *world = *state;
    size_t len = 9000000;
    char *url = base_alloc(len + 1);
    memset(url, 'a', len);
    memcpy(url, "http://127.0.0.1:1/", 19);
    struct http_request request = { .method = "GET", .url = url };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_INVALID);
    http_peer_free(answer);
    free(url);
}

/* --- proxies */

static void serve_proxy(struct peer_raw *raw, int fd, const char *head)
{
    peer_raw_count(raw);
    if (strncmp(head, "GET http://target.example/x?q=1 HTTP/1.1\r\n", 42) == 0)
        peer_send(fd, OK_HEAD "Content-Length: 7\r\n\r\nproxied");
    else if (strncmp(head, "CONNECT target.example:443 HTTP/1.1\r\n", 37) == 0)
        peer_send(fd,
                  "HTTP/1.1 407 Who are you\r\nContent-Encoding: no\r\nContent-Length: 0\r\n\r\n");
    else
        peer_send(fd, "HTTP/1.1 500 Not a proxy request\r\nContent-Length: 0\r\n\r\n");
}

static void a_proxy_is_asked_with_the_whole_url(void **state)
{
    struct world *world = *state;
    struct peer_raw *proxy = peer_raw_new(serve_proxy);
    char *at = http_peer_url("http://127.0.0.1", peer_raw_port(proxy), "");
    assert_int_equal(setenv("no_proxy", "target.example", 1),
                     0); /* what is configured goes before the environment */
    struct http_request request = {
        .method = "GET", .url = "http://target.example/x?q=1", .proxy = at, .timeout_ms = 20000
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_string_equal(answer->body, "proxied");
    http_peer_free(answer);
    assert_int_equal(unsetenv("no_proxy"), 0);
    free(at);
    peer_raw_free(proxy);
}

static void a_proxy_that_refuses_is_no_answer(void **state)
{
    struct world *world = *state;
    struct peer_raw *proxy = peer_raw_new(serve_proxy);
    char *at = http_peer_url("http://me:s3cret@127.0.0.1", peer_raw_port(proxy), "");
    struct http_request request = {
        .method = "GET", .url = "https://target.example/x", .proxy = at, .timeout_ms = 20000
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    assert_int_equal(answer->status, 0);
    assert_non_null(strstr(answer->error, "407"));
    assert_null(strstr(answer->error, "s3cret"));
    assert_string_equal(answer->encoding, "");
    http_peer_free(answer);
    request.proxy = "bad://me:s3cret@127.0.0.1:1";
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_not_equal(answer->kind, HTTP_PEER_NO_ERROR);
    assert_null(strstr(answer->error, "s3cret"));
    http_peer_free(answer);
    free(at);
    peer_raw_free(proxy);
}

static void the_environment_names_a_proxy_unless_told_otherwise(void **state)
{
    struct world *world = *state;
    struct peer_raw *proxy = peer_raw_new(serve_proxy);
    char *at = http_peer_url("http://127.0.0.1", peer_raw_port(proxy), "");
    assert_int_equal(setenv("http_proxy", at, 1), 0);
    struct answer *answer = ask(world, "/x", (struct http_request){ .timeout_ms = 20000 });
    assert_int_equal(answer->status, 500);
    assert_int_equal(peer_raw_counted(proxy), 1);
    http_peer_free(answer);
    answer = ask(world, "/x", (struct http_request){ .timeout_ms = 20000, .proxy = "" });
    assert_int_equal(answer->status, 200);
    assert_int_equal(peer_raw_counted(proxy), 1);
    http_peer_free(answer);
    assert_int_equal(unsetenv("http_proxy"), 0);
    free(at);
    peer_raw_free(proxy);
}

/* --- caps */

static _Atomic int open_now, open_most;

static void serve_slowly(struct peer_raw *raw, int fd, const char *head)
{
    (void)head;
    int now = ++open_now, most = open_most;
    while (now > most && !atomic_compare_exchange_weak(&open_most, &most, now))
        ;
    (void)peer_raw_sleep(raw, 20);
    open_now--; /* before the client can know */
    peer_send(fd, OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nok");
}

static void connections_are_capped_and_all_requests_served(void **state)
{
    (void)state;
    static const struct http_opts caps[] = { { .connections_per_host = 3, .connections = 32 },
                                             { .connections_per_host = 32, .connections = 3 } };
    for (size_t c = 0; c < ARRAY_LEN(caps); c++) {
        open_now = open_most = 0;
        struct peer_raw *raw = peer_raw_new(serve_slowly);
        SCOPED(loop_free) struct loop *loop = loop_new();
        struct http *http = http_new(loop, &caps[c]);
        char *url = http_peer_url("http://127.0.0.1", peer_raw_port(raw), "/");
        struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000 };
        struct answer answers[30] = { 0 };
        for (size_t i = 0; i < ARRAY_LEN(answers); i++)
            http_peer_start(http, &request, &answers[i]);
        http_peer_wait(loop, answers, ARRAY_LEN(answers));
        for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
            assert_string_equal(answers[i].body, "ok");
            http_peer_fini(&answers[i]);
        }
        free(url);
        http_free(http);
        peer_raw_free(raw);
        assert_int_equal(open_most, 3);
    }
}

/* --- streams */

struct watch {
    struct world *world;
    ticket id, other;
    int heads, status, bytes, limit; /* limit: ends itself after so many; 0: never */
    bool cancels_itself, starts_another;
    struct answer end, another;
};

static void on_watch_head(void *ctx, int status)
{
    struct watch *watch = ctx;
    assert_int_equal(watch->bytes, 0);
    watch->heads++;
    watch->status = status;
}

static bool on_watch_bytes(void *ctx, const char *bytes, size_t len)
{
    struct watch *watch = ctx;
    (void)bytes;
    assert_int_equal(watch->heads, 1);
    watch->bytes += (int)len;
    http_cancel(watch->world->http, watch->other);
    if (watch->starts_another) {
        char *url = http_peer_url("http://127.0.0.1", peer_raw_port(watch->world->raw), "/x");
        struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000 };
        http_peer_start(watch->world->http, &request, &watch->another);
        free(url);
        watch->starts_another = false;
    }
    if (watch->cancels_itself)
        http_cancel(watch->world->http, watch->id);
    return watch->limit == 0 || watch->bytes < watch->limit;
}

static void start_watch(struct watch *watch, const char *path)
{
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(watch->world->raw), path);
    struct http_request request = { .method = "GET",
                                    .url = url,
                                    .own_connection = true,
                                    .on_bytes = on_watch_bytes,
                                    .on_headers = on_watch_head,
                                    .stream_ctx = watch };
    watch->id = http_peer_start(watch->world->http, &request, &watch->end);
    free(url);
}

static void a_stream_is_told_byte_by_byte_until_it_has_enough(void **state)
{
    struct watch watch = { .world = *state, .limit = 30 };
    start_watch(&watch, "/events");
    http_peer_wait(watch.world->loop, &watch.end, 1);
    assert_int_equal(watch.heads, 1);
    assert_int_equal(watch.status, 200);
    assert_int_equal(watch.bytes, 30);
    assert_int_equal(watch.end.kind, ERR_CANCELED);
    assert_string_equal(watch.end.body, "");
    http_peer_fini(&watch.end);
}

static void a_stream_that_is_refused_has_a_body(void **state)
{
    struct watch watch = { .world = *state };
    start_watch(&watch, "/gone");
    http_peer_wait(watch.world->loop, &watch.end, 1);
    assert_int_equal(watch.heads, 1);
    assert_int_equal(watch.status, 410);
    assert_int_equal(watch.bytes, 0);
    assert_string_equal(watch.end.body, "too late");
    http_peer_fini(&watch.end);
}

static void a_stream_may_cancel_itself_from_its_bytes(void **state)
{
    struct watch watch = { .world = *state, .cancels_itself = true };
    start_watch(&watch, "/events");
    while (watch.bytes == 0)
        loop_turn(watch.world->loop, 20000);
    for (int i = 0; i < 5; i++)
        loop_turn(watch.world->loop, 30);
    assert_int_equal(watch.bytes, 6);
    assert_false(watch.end.is_done);
    assert_int_equal(http_in_flight(watch.world->http), 0);
}

static void a_stream_may_start_and_cancel_others_from_its_bytes(void **state)
{
    struct world *world = *state;
    struct watch silent = { .world = world };
    struct watch watch = { .world = world, .starts_another = true, .limit = 12 };
    start_watch(&silent, "/silent");
    loop_turn(world->loop, 20);
    watch.other = silent.id;
    start_watch(&watch, "/events");
    http_peer_wait(world->loop, &watch.end, 1);
    http_peer_wait(world->loop, &watch.another, 1);
    assert_string_equal(watch.another.body, "ok");
    assert_false(silent.end.is_done);
    assert_int_equal(http_in_flight(world->http), 0);
    http_peer_fini(&watch.end);
    http_peer_fini(&watch.another);
}

static void forty_silent_streams_do_not_starve_requests(void **state)
{
    struct world *world = *state; /* two connections to a host, four in all */
    struct watch watches[40] = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
        watches[i].world = world;
        start_watch(&watches[i], "/events");
    }
    struct answer *answer = ask(world, "/x", (struct http_request){ .timeout_ms = 20000 });
    assert_string_equal(answer->body, "ok");
    http_peer_free(answer);
    for (size_t i = 0; i < ARRAY_LEN(watches); i++) { /* nor each other */
        while (watches[i].bytes == 0)
            assert_true(loop_turn(world->loop, 20000));
    }
    assert_int_equal(http_in_flight(world->http), 40);
}

static void a_stream_without_bytes_ends_at_its_idle_bound(void **state)
{
    struct world *world = *state;
    struct watch watch = { .world = world };
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(world->raw), "/events");
    struct http_request request = { .method = "GET",
                                    .url = url,
                                    .own_connection = true,
                                    .on_bytes = on_watch_bytes,
                                    .on_headers = on_watch_head,
                                    .stream_ctx = &watch,
                                    .idle_ms = 300 };
    http_peer_start(world->http, &request, &watch.end);
    http_peer_wait(world->loop, &watch.end, 1);
    assert_int_equal(watch.bytes, 30);
    assert_int_equal(watch.end.kind, ERR_TRANSIENT);
    assert_non_null(strstr(watch.end.error, "nothing came for 0.3 s"));
    http_peer_fini(&watch.end);
    free(url);
}

#define IN_WORLD(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        ROWS(answer_cases, an_answer_is_taken_for_what_it_is),
        ROWS(bad_cases, a_request_that_is_none_is_told_later),
        IN_WORLD(an_endless_body_ends_at_the_limit),
        IN_WORLD(endless_headers_end_at_the_limit),
        IN_WORLD(a_drip_is_not_idle_but_has_a_deadline),
        IN_WORLD(silence_ends_at_the_deadline),
        IN_WORLD(an_answer_that_waits_is_not_late),
        IN_WORLD(a_connection_closed_meanwhile_is_made_anew),
        IN_WORLD(nobody_there_is_transient),
        IN_WORLD(a_huge_url_is_refused),
        IN_WORLD(a_proxy_is_asked_with_the_whole_url),
        IN_WORLD(a_proxy_that_refuses_is_no_answer),
        IN_WORLD(the_environment_names_a_proxy_unless_told_otherwise),
        IN_WORLD(a_stream_is_told_byte_by_byte_until_it_has_enough),
        IN_WORLD(a_stream_that_is_refused_has_a_body),
        IN_WORLD(a_stream_may_cancel_itself_from_its_bytes),
        IN_WORLD(a_stream_may_start_and_cancel_others_from_its_bytes),
        IN_WORLD(forty_silent_streams_do_not_starve_requests),
        IN_WORLD(a_stream_without_bytes_ends_at_its_idle_bound),
        SINGLE(connections_are_capped_and_all_requests_served),
    };
    return rows_run("io/http habits", tests, ARRAY_LEN(tests));
}
