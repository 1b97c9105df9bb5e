#include "../rows.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/sbuf.h"
#include "http_peer.h"
#include "io/stream.h"
#include "peer.h"

/* The pull side of HTTP, as workers use it: nginx for TLS, a bare server for the rest. */
#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define FLOOD   ((size_t)64 << 20)

static _Atomic size_t sent_of_flood;

/* Sends as much as is taken, and counts it. */
static void send_flood(struct peer_raw *raw, int fd)
{
    static const char piece[65536];
    for (size_t sent = 0; sent < FLOOD && peer_raw_sleep(raw, 0);) {
        ssize_t now = send(fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now > 0)
            sent_of_flood = sent += (size_t)now;
        else if (!peer_raw_sleep(raw, 5))
            return;
    }
}

/* The body of the request, as far as it has come with and after the head. */
static void send_echo(int fd, const char *head)
{
    const char *length = strstr(head, "Content-Length: ");
    size_t len = length ? strtoul(length + 16, NULL, 10) : 0,
           have = strlen(strstr(head, "\r\n\r\n") + 4);
    char *body = base_alloc(len + 1);
    memcpy(body, strstr(head, "\r\n\r\n") + 4, MIN_OF(have, len));
    while (have < len) {
        ssize_t got = recv(fd, body + have, len - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    char answer[200];
    snprintf(answer, sizeof(answer),
             OK_HEAD "Content-Type: text/x-echo\r\nContent-Length: %zu\r\n\r\n", len);
    peer_send(fd, answer);
    peer_send(fd, body);
    free(body);
}

static void serve(struct peer_raw *raw, int fd, const char *head)
{
    char answer[600];
    if (strncmp(head, "POST /echo ", 11) == 0) {
        send_echo(fd, head);
    } else if (strncmp(head, "GET /flood ", 11) == 0) {
        snprintf(answer, sizeof(answer), OK_HEAD "Content-Length: %zu\r\n\r\n", FLOOD);
        peer_send(fd, answer);
        send_flood(raw, fd);
    } else if (strncmp(head, "GET /cut ", 9) == 0) {
        peer_send(fd, OK_HEAD "Content-Length: 100\r\n\r\nhalf");
    } else if (strncmp(head, "GET /stuck ", 11) == 0) {
        peer_send(fd, OK_HEAD "Content-Length: 100\r\n\r\nhalf");
        (void)peer_raw_sleep(raw, 60000);
    } else if (strncmp(head, "GET /silent ", 12) == 0) {
        (void)peer_raw_sleep(raw, 60000);
    } else if (strncmp(head, "GET /go ", 8) == 0) {
        peer_send(fd,
                  "HTTP/1.1 302 Found\r\nLocation: /auth?x=1\r\nContent-Length: 5\r\n\r\nmoved");
    } else if (strncmp(head, "GET /loop ", 10) == 0) {
        peer_send(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    } else if (strncmp(head, "GET /auth", 9) == 0) {
        const char *auth = strstr(head, "Authorization: ");
        int len = auth ? (int)strcspn(auth, "\r") : 0;
        snprintf(answer, sizeof(answer), OK_HEAD "Content-Length: %d\r\n\r\n%.*s", len, len,
                 auth ? auth : "");
        peer_send(fd, answer);
    } else if (strncmp(head, "GET /status/", 12) == 0) {
        snprintf(answer, sizeof(answer), "HTTP/1.1 %.3s x\r\nContent-Length: 9\r\n\r\nsorry bad",
                 head + 12);
        peer_send(fd, answer);
        (void)peer_raw_sleep(raw, 60000);
    } else {
        peer_send(fd, OK_HEAD "Content-Length: 0\r\n\r\n");
    }
}

struct world {
    struct peer_raw *raw;
    struct arena *mem;
};

static int set_up(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    world->raw = peer_raw_new(serve);
    world->mem = arena_new((size_t)256 << 20);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    peer_raw_free(world->raw);
    arena_free(world->mem);
    free(world);
    return 0;
}

static const char *url_of(struct world *world, const char *path)
{
    return arena_printf(world->mem, "http://127.0.0.1:%d%s", peer_raw_port(world->raw), path);
}

static struct stream_request request_of(struct world *world, const char *path)
{
    return (struct stream_request){ .method = "GET",
                                    .url = url_of(world, path),
                                    .deadline_ms = stream_now_ms() + 20000 };
}

static struct err *read_all(struct world *world, struct stream *stream, const char **out)
{
    SBUF(text, SBUF_MAX);
    char piece[1000];
    size_t got = 0;
    do {
        TRY(stream_read(stream, piece, sizeof(piece), &got));
        sbuf_add_bytes(&text, piece, got);
    } while (got > 0);
    return sbuf_finish(&text, world->mem, out, NULL);
}

/* --- */

static void a_body_goes_and_comes_back(void **state)
{
    struct world *world = *state;
    size_t len = 3000000;
    char *body = memset(arena_alloc(world->mem, len + 1), 'y', len);
    body[len] = '\0';
    struct stream_request request = request_of(world, "/echo");
    request.method = "POST";
    request.body = body;
    request.body_len = len;
    SCOPED(stream_free) struct stream *stream = NULL;
    assert_null(stream_open(&request, &stream));
    assert_string_equal(stream_content_type(stream), "text/x-echo");
    const char *answer = NULL;
    assert_null(read_all(world, stream, &answer));
    assert_int_equal(strlen(answer), len);
    assert_string_equal(answer, body);
}

/* What nobody reads stays with the server: of 64 MB no more is taken than buffers hold. */
static void the_server_waits_for_the_reader(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/flood");
    request.limit_bytes = FLOOD;
    SCOPED(stream_free) struct stream *stream = NULL;
    sent_of_flood = 0;
    assert_null(stream_open(&request, &stream));
    char *piece = arena_alloc(world->mem, 100000);
    size_t total = 0, got = 0;
    while (total < 4000000) {
        assert_null(stream_read(stream, piece, 100000, &got));
        assert_true(got > 0);
        total += got;
    }
    usleep(300000);
    assert_in_range(sent_of_flood, total,
                    total + ((size_t)24 << 20)); /* the kernel's buffers, and ours */
    do {
        assert_null(stream_read(stream, piece, 100000, &got));
        total += got;
    } while (got > 0);
    assert_int_equal(total, FLOOD);
}

static void a_body_over_the_limit_is_an_error(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/flood");
    request.limit_bytes = 1000000;
    SCOPED(stream_free) struct stream *stream = NULL;
    assert_null(stream_open(&request, &stream));
    const char *answer = NULL;
    SCOPED(err_free) struct err *e = read_all(world, stream, &answer);
    assert_true(err_is(e, ERR_LIMIT));
}

static void a_cut_is_an_error_after_what_came(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/cut");
    SCOPED(stream_free) struct stream *stream = NULL;
    assert_null(stream_open(&request, &stream));
    char piece[10];
    size_t got = 0;
    assert_null(stream_read(stream, piece, sizeof(piece), &got));
    assert_int_equal(got, 4);
    SCOPED(err_free) struct err *e = stream_read(stream, piece, sizeof(piece), &got);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_int_equal(got, 0);
}

static void silence_ends_at_the_deadline(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/silent");
    request.deadline_ms = stream_now_ms() + 300;
    SCOPED(stream_free) struct stream *stream = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &stream);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_null(stream);
    request = request_of(world, "/stuck");
    request.deadline_ms = stream_now_ms() + 300;
    assert_null(stream_open(&request, &stream));
    const char *answer = NULL;
    int64_t before = stream_now_ms();
    SCOPED(err_free) struct err *stuck = read_all(world, stream, &answer);
    assert_true(err_is(stuck, ERR_TRANSIENT));
    assert_in_range(stream_now_ms() - before, 0, 5000);
}

static const struct status_case {
    const char *name;
    int status;
    enum err_kind kind;
} status_cases[] = {
    { "401 is denied", 401, ERR_DENIED },
    { "403 is denied", 403, ERR_DENIED },
    { "404 is not found", 404, ERR_NOT_FOUND },
    { "410 is not found", 410, ERR_NOT_FOUND },
    { "429 is transient", 429, ERR_TRANSIENT },
    { "500 is transient", 500, ERR_TRANSIENT },
    { "503 is transient", 503, ERR_TRANSIENT },
    { "400 is invalid", 400, ERR_INVALID },
    { "302 unless followed is invalid", 302, ERR_INVALID },
};

static void a_status_has_its_kind(void **state)
{
    const struct status_case *row = *state;
    void *made = NULL;
    set_up(&made);
    struct world *world = made;
    struct stream_request request =
        request_of(world, arena_printf(world->mem, "/status/%d?token=s3cret", row->status));
    struct stream *stream = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &stream);
    assert_true(err_is(e, row->kind));
    assert_non_null(strstr(err_text(e), arena_printf(world->mem, "status %d", row->status)));
    assert_null(strstr(err_text(e), "s3cret"));
    assert_null(stream);
    tear_down(&made);
}

static void a_login_is_sent_and_never_told(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/auth");
    request.user = "me";
    request.password = "s3cret";
    SCOPED(stream_free) struct stream *basic = NULL;
    const char *answer = NULL;
    assert_null(stream_open(&request, &basic));
    assert_null(read_all(world, basic, &answer));
    assert_string_equal(answer, "Authorization: Basic bWU6czNjcmV0");
    request.user = request.password = NULL;
    request.bearer = "t0ken";
    SCOPED(stream_free) struct stream *bearer = NULL;
    assert_null(stream_open(&request, &bearer));
    assert_null(read_all(world, bearer, &answer));
    assert_string_equal(answer, "Authorization: Bearer t0ken");
    request.url = "http://127.0.0.1:1/x";
    request.user = "me";
    request.password = "s3cret";
    struct stream *none = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &none);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_null(strstr(err_text(e), "s3cret"));
    assert_null(strstr(err_text(e), "t0ken"));
}

static void a_redirect_is_followed_when_asked(void **state)
{
    struct world *world = *state;
    struct stream_request request = request_of(world, "/go");
    request.user = "me";
    request.password = "pw";
    request.follow_redirects = true;
    SCOPED(stream_free) struct stream *stream = NULL;
    assert_null(stream_open(&request, &stream));
    assert_string_equal(stream_url(stream), url_of(world, "/auth?x=1"));
    const char *answer = NULL;
    assert_null(read_all(world, stream, &answer));
    assert_string_equal(answer, "Authorization: Basic bWU6cHc=");
    request = request_of(world, "/loop");
    request.follow_redirects = true;
    struct stream *none = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &none);
    assert_true(err_is(e, ERR_LIMIT));
}

static void a_bad_url_is_invalid(void **state)
{
    (void)state;
    static const char *const urls[] = { "", "ssh://host/x", "http://me:s3cret@host:99999/",
                                        "http://a b/" };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct stream_request request = { .method = "GET", .url = urls[i] };
        struct stream *stream = NULL;
        SCOPED(err_free) struct err *e = stream_open(&request, &stream);
        assert_true(err_is(e, ERR_INVALID));
        assert_null(strstr(err_text(e), "s3cret"));
    }
}

/* --- several at once, over TLS, as workers do it */

struct fetch {
    const char *url;
    const struct http_tls *tls;
    int good;
};

static void *fetch_many(void *arg)
{
    struct fetch *fetch = arg;
    for (int i = 0; i < 10; i++) {
        struct stream_request request = { .method = "GET",
                                          .url = fetch->url,
                                          .tls = fetch->tls,
                                          .deadline_ms = stream_now_ms() + 60000 };
        SCOPED(stream_free) struct stream *stream = NULL;
        SCOPED(err_free) struct err *e = stream_open(&request, &stream);
        size_t total = 0, got = 1;
        char piece[4096];
        while (!e && got > 0) {
            e = stream_read(stream, piece, sizeof(piece), &got);
            total += got;
        }
        fetch->good += !e && total == 500000;
    }
    return NULL;
}

static void streams_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    char *dir = peer_dir_new();
    peer_certs(dir);
    char *ca = peer_read(dir, "ca.pem");
    char *text = base_alloc(500001);
    memset(text, 't', 500000);
    peer_write(dir, "text", text);
    struct peer_nginx *nginx = peer_nginx_new(dir, 0);
    char *url = http_peer_url("https://localhost", nginx->https, "/files/text");
    struct http_tls tls = { .ca_pem = ca };
    struct fetch fetches[3];
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        fetches[i] = (struct fetch){ .url = url, .tls = &tls };
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_many, &fetches[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(fetches[i].good, 10);
    }
    tls.ca_pem = NULL;
    struct stream_request request = {
        .method = "GET", .url = url, .tls = &tls, .deadline_ms = stream_now_ms() + 60000
    };
    struct stream *stream = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &stream);
    assert_true(err_is(e, ERR_DENIED));
    peer_nginx_free(nginx);
    peer_dir_free(dir);
    free(url);
    free(text);
    free(ca);
}

#define IN_WORLD(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        ROWS(status_cases, a_status_has_its_kind),
        IN_WORLD(a_body_goes_and_comes_back),
        IN_WORLD(the_server_waits_for_the_reader),
        IN_WORLD(a_body_over_the_limit_is_an_error),
        IN_WORLD(a_cut_is_an_error_after_what_came),
        IN_WORLD(silence_ends_at_the_deadline),
        IN_WORLD(a_login_is_sent_and_never_told),
        IN_WORLD(a_redirect_is_followed_when_asked),
        SINGLE(a_bad_url_is_invalid),
        SINGLE(streams_of_several_threads_do_not_mix),
    };
    return rows_run("io/stream", tests, ARRAY_LEN(tests));
}
