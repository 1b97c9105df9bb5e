#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "http_peer.h"
#include "io/address.h"
#include "io/http.h"
#include "io/server.h"
#include "peer.h"

/* Our server on the loop; its clients are our own and bare sockets. */
struct world {
    struct loop *loop;
    struct server *server;
    struct http *http;
    int handled;
    struct server_request *kept[4]; /* of /keep: replied to later */
    int kept_count;
    const char *path, *query; /* of the last request, when it is /echo */
};

static void reply(struct server_request *request, int status, const char *text)
{
    server_reply(request, &(struct server_answer){ .status = status,
                                                   .content_type = "text/plain",
                                                   .body = text,
                                                   .body_len = strlen(text) });
}

static void reply_echo(struct server_request *request)
{
    size_t len = 0;
    const char *body = server_body(request, &len);
    SBUF(text, SBUF_MAX);
    assert_true(server_is_local(request));
    sbuf_addf(&text, "%s %s", server_method(request), server_path(request));
    for (size_t i = 0; server_query_at(request, "q", i); i++)
        sbuf_addf(&text, " q=[%s]", server_query_at(request, "q", i));
    if (server_header(request, "x-token"))
        sbuf_addf(&text, " token=[%s]", server_header(request, "x-token"));
    sbuf_addf(&text, " len=%zu nul=%d\n", len, body[len] == '\0');
    const char *const headers[] = { "X-Seen: yes", "Cache-Control:no-store", NULL };
    server_reply(request, &(struct server_answer){ .status = 200,
                                                   .content_type = "text/plain",
                                                   .body = text.bytes,
                                                   .body_len = text.len,
                                                   .headers = headers });
}

static void on_request(void *ctx, struct server_request *request)
{
    struct world *world = ctx;
    world->handled++;
    if (strcmp(server_path(request), "/keep") == 0) {
        assert_true(world->kept_count < 4);
        world->kept[world->kept_count++] = request;
    } else if (strcmp(server_path(request), "/big") == 0) {
        char *big = base_alloc(3000000);
        memset(big, 'b', 3000000);
        server_reply(request,
                     &(struct server_answer){ .status = 200, .body = big, .body_len = 3000000 });
        free(big);
    } else if (strcmp(server_path(request), "/empty") == 0) {
        server_reply(request, &(struct server_answer){ .status = 204 });
    } else {
        reply_echo(request);
    }
}

static struct world *make_world(const struct server_limits *limits)
{
    struct world *world = base_alloc(sizeof(*world));
    world->loop = loop_new();
    assert_null(server_new_limited(world->loop, "127.0.0.1:0", limits,
                                   &(struct server_receiver){ on_request, world }, &world->server));
    world->http = http_new(world->loop, NULL);
    return world;
}

static int set_up(void **state)
{
    struct server_limits limits = server_default_limits();
    *state = make_world(&limits);
    return 0;
}

static int set_up_impatient(void **state)
{
    struct server_limits limits = server_default_limits();
    limits.idle_ms = 1000;
    limits.request_ms = 1500;
    limits.connections = 4;
    *state = make_world(&limits);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    http_free(world->http);
    server_free(world->server);
    loop_free(world->loop);
    free(world);
    return 0;
}

/* --- clients */

static int connect_to(struct world *world)
{
    return peer_connect(server_port(world->server));
}

/* All that comes while the loop turns: until the connection ends, `until` has come, or ms have passed. */
static char *receive(struct world *world, int fd, const char *until, int64_t ms)
{
    size_t cap = (size_t)4 << 20, len = 0;
    char *text = base_alloc(cap);
    int64_t end = loop_now_ms(world->loop) + ms;
    while (loop_now_ms(world->loop) < end && !(until && strstr(text, until))) {
        loop_turn(world->loop, 5);
        ssize_t got = recv(fd, text + len, cap - 1 - len, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        len += got > 0 ? (size_t)got : 0;
        text[len] = '\0';
    }
    return text;
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static char *talk(struct world *world, const char *text, const char *until)
{
    int fd = connect_to(world);
    peer_send(fd, text);
    char *answer = receive(world, fd, until, 20000);
    close(fd);
    return answer;
}

static struct answer *ask(struct world *world, const char *path)
{
    char *url = http_peer_url("http://127.0.0.1", server_port(world->server), path);
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000 };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    free(url);
    return answer;
}

/* Works as ever: asked after each misbehaviour. */
static void is_well(struct world *world)
{
    struct answer *answer = ask(world, "/well");
    assert_string_equal(answer->body, "GET /well len=0 nul=1\n");
    http_peer_free(answer);
}

/* --- what the handler sees: one row each */

static const struct request_case {
    const char *name, *request, *expect;
} request_cases[] = {
    { "a request line", "GET /a/b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b len=0 nul=1\n" },
    { "escapes in a path are decoded", "GET /a%20b%2Fc%c3%a9 HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /a b/c\xc3\xa9 len=0 nul=1\n" },
    { "a path cannot end early", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /a%00b len=0 nul=1\n" },
    { "half an escape stays", "GET /100%25%zz% HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /100%%zz% len=0 nul=1\n" },
    { "a plus in a path is a plus", "GET /a+b HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /a+b len=0 nul=1\n" },
    { "a query is decoded", "GET /e?q=a%26b+c HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /e q=[a&b c] len=0 nul=1\n" },
    { "a repeated parameter keeps its order", "GET /e?q=1&r=x&q=2&q= HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /e q=[1] q=[2] q=[] len=0 nul=1\n" },
    { "a parameter without a value is empty", "GET /e?q HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /e q=[] len=0 nul=1\n" },
    { "headers are found in any case", "GET /e HTTP/1.1\r\nHost: x\r\nX-TOKEN:  t \r\n\r\n",
      "GET /e token=[t] len=0 nul=1\n" },
    { "a body of its length", "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
      "POST /e len=5 nul=1\n" },
    { "a body in chunks",
      "PUT /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      "PUT /e len=5 nul=1\n" },
    { "a method of its own", "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", "BREW /pot len=0 nul=1\n" },
    { "HTTP/1.0", "GET /old HTTP/1.0\r\n\r\n", "GET /old len=0 nul=1\n" },
    { "a form is a body, not a query",
      "POST /e HTTP/1.1\r\nHost: x\r\nContent-Type: "
      "application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nq=1",
      "POST /e len=3 nul=1\n" },
};

static void a_request_is_seen_as_sent(void **state)
{
    const struct request_case *row = *state;
    struct server_limits limits = server_default_limits();
    void *world = make_world(&limits);
    char *answer = talk(world, row->request, "nul=1\n");
    assert_int_equal(strncmp(answer, "HTTP/1.", 7), 0);
    assert_non_null(strstr(answer, " 200 OK\r\n"));
    assert_non_null(strstr(answer, "X-Seen: yes\r\n"));
    assert_non_null(strstr(answer, "Cache-Control: no-store\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, row->expect);
    free(answer);
    tear_down(&world);
}

/* --- what never reaches the handler */

static const struct refused_case {
    const char *name, *request, *status; /* NULL: the connection just ends */
} refused_cases[] = {
    { "what is not HTTP", "SSH-2.0-x\r\n\r\n", "" },
    { "binary garbage", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", "" },
    { "a length that is no number", "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
      " 400 " },
    { "a length over the limit, for who waits to send",
      "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n",
      " 413 " },
    { "a length far over the limit",
      "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", " 413 " },
    { "a length beyond numbers",
      "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
      " 413 " },
    { "no host in HTTP/1.1", "GET /e HTTP/1.1\r\n\r\n", " 400 " },
};

static void a_bad_request_is_refused(void **state)
{
    const struct refused_case *row = *state;
    struct server_limits limits = server_default_limits();
    void *world = make_world(&limits);
    int fd = connect_to(world);
    peer_send(fd, row->request);
    shutdown(fd, SHUT_WR);
    char *answer = receive(world, fd, NULL, 20000);
    assert_true(is_closed(fd));
    close(fd);
    assert_non_null(strstr(answer, row->status));
    assert_int_equal(((struct world *)world)->handled, 0);
    is_well(world);
    free(answer);
    tear_down(&world);
}

static void post(struct world *world, size_t len, bool in_chunks, char **out)
{
    int fd = connect_to(world);
    char head[200];
    if (in_chunks)
        snprintf(head, sizeof(head),
                 "POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
    else
        snprintf(head, sizeof(head), "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 len);
    peer_send(fd, head);
    char piece[8192];
    memset(piece, 'p', sizeof(piece));
    while (len > 0) {
        ssize_t sent = send(fd, piece, MIN_OF(len, sizeof(piece)), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            break;
        len -= sent > 0 ? (size_t)sent : 0;
        loop_turn(world->loop, 0);
    }
    if (in_chunks)
        peer_send(fd, "\r\n0\r\n\r\n");
    *out = receive(world, fd, "\n", 20000);
    if (!strstr(*out, "\r\n\r\n") || !strchr(strstr(*out, "\r\n\r\n") + 4, '\n')) {
        char *rest = receive(world, fd, "\n", 300);
        strcat(*out, rest);
        free(rest);
    }
    close(fd);
}

static void a_body_over_the_limit_is_413(void **state)
{
    struct world *world = *state;
    const size_t limit = (size_t)1 << 20;
    for (int in_chunks = 0; in_chunks < 2; in_chunks++) {
        char *answer;
        post(world, limit, in_chunks, &answer);
        assert_non_null(strstr(answer, "200 OK"));
        assert_non_null(strstr(answer, "len=1048576 nul=1"));
        free(answer);
        post(world, limit + 1, in_chunks, &answer);
        assert_non_null(strstr(answer, " 413 "));
        free(answer);
        int handled = world->handled;
        post(world, 20 * limit, in_chunks, &answer); /* refused at once, or cut off on the way */
        assert_null(strstr(answer, "200 OK"));
        assert_int_equal(world->handled, handled);
        free(answer);
    }
    is_well(world);
}

static char *with_headers(size_t bytes)
{
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "GET /e HTTP/1.1\r\nHost: x\r\n");
    while (bytes > 1000) {
        sbuf_addf(&text, "X-Filler-%zu: ", bytes);
        for (int i = 0; i < 970; i++)
            sbuf_add_char(&text, 'f');
        sbuf_add(&text, "\r\n");
        bytes -= 1000;
    }
    sbuf_add(&text, "\r\n");
    return base_copy_text(sbuf_text(&text));
}

static void headers_over_the_limit_are_431(void **state)
{
    struct world *world = *state;
    static const struct {
        size_t bytes;
        const char *status;
    } rows[] = {
        { 1000, " 200 OK" }, { 60000, " 200 OK" }, { 70000, " 431 " }, { 300000, " 431 " }
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = with_headers(rows[i].bytes);
        char *answer = talk(world, text, "\r\n\r\n");
        assert_non_null(strstr(answer, rows[i].status));
        free(answer);
        free(text);
    }
    assert_int_equal(world->handled, 2);
    is_well(world);
}

/* --- connections */

static void requests_in_one_packet_are_answered_in_order(void **state)
{
    struct world *world = *state;
    char *answer = talk(
        world,
        "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET /two HTTP/1.1\r\nHost: "
        "x\r\n\r\n"
        "GET /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /four HTTP/1.1\r\n\r\n",
        NULL);
    const char *one = strstr(answer, "POST /one len=2"), *two = strstr(answer, "GET /two"),
               *three = strstr(answer, "GET /three");
    assert_true(one && two && three && one < two && two < three);
    assert_null(strstr(answer, "/four"));
    assert_int_equal(world->handled, 3);
    free(answer);
}

static void a_connection_is_kept_for_the_next_request(void **state)
{
    struct world *world = *state;
    int fd = connect_to(world);
    for (int i = 0; i < 50; i++) {
        peer_send(fd, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
        char *answer = receive(world, fd, "nul=1\n", 20000);
        assert_non_null(strstr(answer, "GET /again"));
        free(answer);
    }
    assert_false(is_closed(fd));
    close(fd);
}

static void a_request_in_single_bytes_is_understood(void **state)
{
    struct world *world = *state;
    int fd = connect_to(world);
    for (const char *at = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"; *at; at++) {
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
        loop_turn(world->loop, 1);
    }
    char *answer = receive(world, fd, "nul=1\n", 20000);
    assert_non_null(strstr(answer, "POST /b len=2"));
    free(answer);
    close(fd);
}

static void head_has_no_body(void **state)
{
    struct world *world = *state;
    char *answer = talk(world, "HEAD /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(answer, "200 OK"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
    answer = talk(world, "GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    assert_non_null(strstr(answer, "204 No Content"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
}

static void a_large_answer_arrives_whole(void **state)
{
    struct world *world = *state;
    struct answer *answer = ask(world, "/big");
    assert_int_equal(answer->body_len, 3000000);
    assert_int_equal(strspn(answer->body, "b"), 3000000);
    http_peer_free(answer);
}

static void a_hundred_clients_at_once_are_served(void **state)
{
    struct world *world = *state;
    int fds[100];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = connect_to(world);
        peer_send(fds[i], "GET /e HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        char *answer = receive(world, fds[i], "nul=1\n", 20000);
        assert_non_null(strstr(answer, "200 OK"));
        free(answer);
        close(fds[i]);
    }
}

/* --- deferred replies */

static void a_reply_may_come_later(void **state)
{
    struct world *world = *state;
    int fd = connect_to(world);
    peer_send(fd, "GET /keep?q=v HTTP/1.1\r\nHost: x\r\nX-Token: t\r\n\r\n");
    char *answer = receive(world, fd, "HTTP", 150);
    assert_string_equal(answer, "");
    free(answer);
    is_well(world); /* others are served meanwhile */
    assert_int_equal(world->kept_count, 1);
    assert_string_equal(server_path(world->kept[0]), "/keep");
    assert_string_equal(server_query(world->kept[0], "q"), "v");
    assert_string_equal(server_header(world->kept[0], "X-Token"), "t");
    reply(world->kept[0], 202, "at last");
    answer = receive(world, fd, "at last", 20000);
    assert_non_null(strstr(answer, "202 Accepted"));
    free(answer);
    peer_send(fd, "GET /e HTTP/1.1\r\nHost: x\r\n\r\n"); /* the connection goes on */
    answer = receive(world, fd, "nul=1\n", 20000);
    assert_non_null(strstr(answer, "200 OK"));
    free(answer);
    close(fd);
}

static void a_client_may_be_gone_by_then(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 3; i++) {
        int fd = connect_to(world);
        peer_send(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
        while (world->kept_count <= i)
            loop_turn(world->loop, 20);
        struct linger reset = { .l_onoff = 1 };
        if (i == 1) /* one goes rudely */
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        close(fd);
        for (int j = 0; j < 5; j++)
            loop_turn(world->loop, 5);
        reply(world->kept[i], 200, "hello?");
        for (int j = 0; j < 5; j++)
            loop_turn(world->loop, 5);
    }
    is_well(world);
}

static void the_server_may_be_gone_by_then(void **state)
{
    (void)state;
    struct server_limits limits = server_default_limits();
    void *made = make_world(&limits);
    struct world *world = made;
    int fd = connect_to(world), other = connect_to(world);
    peer_send(fd, "POST /keep?q=v HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    peer_send(other, "POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\nab");
    while (world->kept_count == 0)
        loop_turn(world->loop, 20);
    server_free(world->server);
    world->server = NULL;
    loop_turn(world->loop, 5);
    assert_true(is_closed(fd));
    assert_true(is_closed(other));
    assert_string_equal(server_query(world->kept[0], "q"), "v"); /* still readable */
    size_t len = 0;
    assert_string_equal(server_body(world->kept[0], &len), "ab");
    reply(world->kept[0], 200, "nobody hears this");
    close(fd);
    close(other);
    tear_down(&made);
}

/* --- clients that take their time: idle 1 s, a request within 1.5 s, four connections */

static void a_silent_client_is_cut_off(void **state)
{
    struct world *world = *state;
    int silent = connect_to(world), half = connect_to(world);
    peer_send(half, "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    is_well(world);
    int64_t before = loop_now_ms(world->loop);
    free(receive(world, silent, NULL, 10000));
    free(receive(world, half, NULL, 10000));
    assert_true(is_closed(silent));
    assert_true(is_closed(half));
    assert_in_range(loop_now_ms(world->loop) - before, 0, 5000);
    assert_int_equal(world->handled, 1);
    close(silent);
    close(half);
}

static void a_client_that_drips_is_cut_off(void **state)
{
    struct world *world = *state;
    int fd = connect_to(world);
    peer_send(fd, "GET /e HTTP/1.1\r\nHost: x\r\n");
    int64_t before = loop_now_ms(world->loop), turns = 0;
    while (!is_closed(fd) && loop_now_ms(world->loop) - before < 10000) {
        if (turns++ % 10 == 0)
            peer_send(fd, "X: y\r\n");
        loop_turn(world->loop, 10);
    }
    assert_in_range(loop_now_ms(world->loop) - before, 1300, 5000);
    close(fd);
    is_well(world);
}

static void a_slow_handler_is_no_slow_client(void **state)
{
    struct world *world = *state;
    int fd = connect_to(world);
    peer_send(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    free(receive(world, fd, NULL, 2500)); /* over all bounds */
    assert_false(is_closed(fd));
    reply(world->kept[0], 200, "patience");
    char *answer = receive(world, fd, "patience", 5000);
    assert_non_null(strstr(answer, "200 OK"));
    free(answer);
    close(fd);
}

static void connections_over_the_limit_wait_for_a_place(void **state)
{
    struct world *world = *state;
    int fds[6];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = connect_to(world);
        peer_send(fds[i], "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (int i = 0; i < 30; i++)
        loop_turn(world->loop, 10);
    assert_int_equal(world->kept_count, 4);
    for (int i = 0; i < 4; i++)
        reply(world->kept[i], 200, "done");
    world->kept_count = 0;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) { /* the two that waited come when others leave */
        if (i == 4)
            while (world->kept_count < 2)
                loop_turn(world->loop, 20);
        if (i >= 4)
            reply(world->kept[i - 4], 200, "done");
        char *answer = receive(world, fds[i], "done", 10000);
        assert_non_null(strstr(answer, "200 OK"));
        free(answer);
        close(fds[i]);
        loop_turn(world->loop, 5);
    }
}

/* --- addresses */

static const struct address_case {
    const char *name, *text, *host, *port; /* host NULL: refused, and port is part of the reason */
} address_cases[] = {
    { "a port alone means everywhere", ":3030", "", "3030" },
    { "an IPv4 address", "127.0.0.1:80", "127.0.0.1", "80" },
    { "an IPv6 address in brackets", "[::1]:65535", "::1", "65535" },
    { "an IPv6 address with its zone", "[fe80::1%eth0]:1", "fe80::1%eth0", "1" },
    { "a name", "local-host.example:0", "local-host.example", "0" },
    { "no port", "127.0.0.1", NULL, "no port" },
    { "an empty port", "127.0.0.1:", NULL, "the port" },
    { "a port that is a name", "localhost:http", NULL, "the port" },
    { "a port too large", ":65536", NULL, "the port" },
    { "a port with a sign", ":+80", NULL, "the port" },
    { "an IPv6 address without brackets", "::1:80", NULL, "brackets" },
    { "an open bracket", "[::1:80", NULL, "bracket" },
    { "empty brackets", "[]:80", NULL, "bracket" },
    { "nothing", "", NULL, "no port" },
    { "a URL", "http://localhost:80", NULL, "" },
    { "a space", "local host:80", NULL, "not a name" },
};

static void an_address_is_parsed(void **state)
{
    const struct address_case *row = *state;
    struct address address;
    SCOPED(err_free) struct err *e = address_parse(row->text, &address);
    if (row->host) {
        assert_null(e);
        assert_string_equal(address.host, row->host);
        assert_string_equal(address.port, row->port);
    } else {
        assert_true(err_is(e, ERR_INVALID));
        assert_non_null(strstr(err_text(e), row->port));
        assert_non_null(strstr(err_text(e), row->text));
    }
}

static void it_listens_where_told(void **state)
{
    (void)state;
    static const char *const rows[][2] = { { "127.0.0.1:0", "http://127.0.0.1" },
                                           { "localhost:0", "http://127.0.0.1" },
                                           { ":0", "http://127.0.0.1" },
                                           { "[::1]:0", "http://[::1]" },
                                           { ":0", "http://[::1]" } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world = { .loop = loop_new() };
        assert_null(server_new(world.loop, rows[i][0], on_request, &world, &world.server));
        struct http *http = http_new(world.loop, NULL);
        char *url = http_peer_url(rows[i][1], server_port(world.server), "/e");
        struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000 };
        struct answer *answer = http_peer_ask(world.loop, http, &request);
        assert_int_equal(answer->status, 200);
        http_peer_free(answer);
        free(url);
        http_free(http);
        server_free(world.server);
        loop_free(world.loop);
    }
}

static const struct loopback_case {
    const char *name;
    int family;
    const char *address;
    bool is_loopback;
} loopback_cases[] = {
    { "127.0.0.1 is this machine", AF_INET, "127.0.0.1", true },
    { "so is all of 127.0.0.0/8", AF_INET, "127.255.3.4", true },
    { "128.0.0.1 is another one", AF_INET, "128.0.0.1", false },
    { "10.127.0.1 is another one", AF_INET, "10.127.0.1", false },
    { "::1 is this machine", AF_INET6, "::1", true },
    { "::ffff:127.0.0.1 is this machine", AF_INET6, "::ffff:127.0.0.1", true },
    { "::ffff:10.0.0.1 is another one", AF_INET6, "::ffff:10.0.0.1", false },
    { "::127.0.0.1 is another one", AF_INET6, "::127.0.0.1", false },
    { "fd00::1 is another one", AF_INET6, "fd00::1", false },
    { "a socket's path is none", AF_UNIX, "", false },
};

static void an_address_is_of_this_machine_or_not(void **state)
{
    const struct loopback_case *row = *state;
    struct sockaddr_in v4 = { .sin_family = (sa_family_t)row->family };
    struct sockaddr_in6 v6 = { .sin6_family = (sa_family_t)row->family };
    bool is_v6 = row->family == AF_INET6;
    const struct sockaddr *address = is_v6 ? (const void *)&v6 : (const void *)&v4;
    if (*row->address)
        assert_int_equal(inet_pton(row->family, row->address,
                                   is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr),
                         1);
    assert_int_equal(address_is_loopback(address), row->is_loopback);
}

/* An IPv4 address of this machine that others may know, too. */
static bool find_own(struct sockaddr_in *out)
{
    struct ifaddrs *all = NULL;
    bool is_found = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *at = all; at && !is_found; at = at->ifa_next) {
        is_found = at->ifa_addr && at->ifa_addr->sa_family == AF_INET &&
                   !address_is_loopback(at->ifa_addr);
        if (is_found)
            memcpy(out, at->ifa_addr, sizeof(*out));
    }
    freeifaddrs(all);
    out->sin_port = 0;
    return is_found;
}

/* What the kernel says of a socket with these ends; a datagram's does as well. */
static bool is_within(struct sockaddr_in own, struct sockaddr_in peer)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    peer.sin_port = htons(9);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&peer, sizeof(peer)), 0);
    bool is = address_is_within(fd);
    close(fd);
    return is;
}

/* A proxy in our pod comes from a loopback address, to the one that others know. */
static void both_ends_have_to_be_of_this_machine(void **state)
{
    (void)state;
    struct sockaddr_in known = { 0 };
    struct sockaddr_in one = { .sin_family = AF_INET }, other = one;
    one.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 5);
    assert_true(is_within(one, other));
    assert_false(address_is_within(-1));
    if (!find_own(&known))
        skip();
    assert_false(is_within(known, other));
    assert_false(is_within(known, known));
}

static void an_address_in_use_is_an_error(void **state)
{
    struct world *world = *state;
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", server_port(world->server));
    struct server *second = NULL;
    SCOPED(err_free) struct err *e = server_new(world->loop, address, on_request, world, &second);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_non_null(strstr(err_text(e), address));
    assert_non_null(strstr(err_text(e), "in use"));
    SCOPED(err_free)
    struct err *other = server_new(world->loop, "192.0.2.1:0", on_request, world, &second);
    assert_true(err_is(other, ERR_TRANSIENT));
    assert_null(second);
}

#define IN_WORLD(fn)  cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define IMPATIENT(fn) cmocka_unit_test_setup_teardown(fn, set_up_impatient, tear_down)

static struct CMUnitTest row_test(const char *name, CMUnitTestFunction fn, const void *row)
{
    return (struct CMUnitTest){ .name = name,
                                .test_func = fn,
                                .initial_state = (void *)(uintptr_t)row };
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_body_over_the_limit_is_413),
        IN_WORLD(headers_over_the_limit_are_431),
        IN_WORLD(requests_in_one_packet_are_answered_in_order),
        IN_WORLD(a_connection_is_kept_for_the_next_request),
        IN_WORLD(a_request_in_single_bytes_is_understood),
        IN_WORLD(head_has_no_body),
        IN_WORLD(a_large_answer_arrives_whole),
        IN_WORLD(a_hundred_clients_at_once_are_served),
        IN_WORLD(a_reply_may_come_later),
        IN_WORLD(a_client_may_be_gone_by_then),
        IN_WORLD(an_address_in_use_is_an_error),
        IMPATIENT(a_silent_client_is_cut_off),
        IMPATIENT(a_client_that_drips_is_cut_off),
        IMPATIENT(a_slow_handler_is_no_slow_client),
        IMPATIENT(connections_over_the_limit_wait_for_a_place),
        cmocka_unit_test(the_server_may_be_gone_by_then),
        cmocka_unit_test(both_ends_have_to_be_of_this_machine),
        cmocka_unit_test(it_listens_where_told),
    };
    struct CMUnitTest rows[ARRAY_LEN(request_cases) + ARRAY_LEN(refused_cases) +
                           ARRAY_LEN(address_cases) + ARRAY_LEN(loopback_cases)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(request_cases); i++)
        rows[count++] =
            row_test(request_cases[i].name, a_request_is_seen_as_sent, &request_cases[i]);
    for (size_t i = 0; i < ARRAY_LEN(refused_cases); i++)
        rows[count++] =
            row_test(refused_cases[i].name, a_bad_request_is_refused, &refused_cases[i]);
    for (size_t i = 0; i < ARRAY_LEN(loopback_cases); i++)
        rows[count++] = row_test(loopback_cases[i].name, an_address_is_of_this_machine_or_not,
                                 &loopback_cases[i]);
    for (size_t i = 0; i < ARRAY_LEN(address_cases); i++)
        rows[count++] = row_test(address_cases[i].name, an_address_is_parsed, &address_cases[i]);
    int failed = cmocka_run_group_tests_name("io/server rows", rows, NULL, NULL);
    return cmocka_run_group_tests_name("io/server", tests, NULL, NULL) + failed;
}
