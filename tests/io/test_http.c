#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "http_peer.h"
#include "io/http.h"
#include "io/server.h"
#include "peer.h"

/* Requests to a well-behaved counterpart: nginx with HTTP/2 and TLS, our own server behind it. */
struct world {
    char *dir, *ca, *other_ca, *cert, *key;
    struct loop *loop;
    struct server *server; /* echoes */
    struct peer_nginx *nginx;
    struct http *http;
    struct http_tls tls; /* trusts the CA */
};

static void on_echo(void *ctx, struct server_request *request)
{
    (void)ctx;
    size_t len;
    const char *body = server_body(request, &len);
    SBUF(text, SBUF_MAX);
    sbuf_addf(&text, "%s %s type=%s len=%zu\n", server_method(request), server_path(request),
              server_header(request, "Content-Type") ? server_header(request, "Content-Type")
                                                     : "none",
              len);
    sbuf_add_bytes(&text, body, len);
    server_reply(request, &(struct server_answer){
                              .status = 200, .body = text.bytes, .body_len = text.len });
}

static struct world *make_world(void)
{
    struct world *world = base_alloc(sizeof(*world));
    world->dir = peer_dir_new();
    peer_certs(world->dir);
    world->ca = peer_read(world->dir, "ca.pem");
    world->other_ca = peer_read(world->dir, "other-ca.pem");
    world->cert = peer_read(world->dir, "client.pem");
    world->key = peer_read(world->dir, "client.key");
    world->tls = (struct http_tls){ .ca_pem = world->ca };
    world->loop = loop_new();
    struct err *e = server_new(world->loop, "127.0.0.1:0", on_echo, NULL, &world->server);
    ASSERT(!e);
    char big[20001] = "";
    memset(big, 'x', sizeof(big) - 1);
    peer_write(world->dir, "big.txt", big);
    world->nginx = peer_nginx_new(world->dir, server_port(world->server));
    return world;
}

static void free_world(struct world *world)
{
    peer_nginx_free(world->nginx);
    server_free(world->server);
    loop_free(world->loop);
    peer_dir_free(world->dir);
    free(world->ca);
    free(world->other_ca);
    free(world->cert);
    free(world->key);
    free(world);
}

static int set_up(void **state)
{
    *state = make_world();
    return 0;
}

static int tear_down(void **state)
{
    free_world(*state);
    return 0;
}

static int new_http(void **state)
{
    struct world *world = *state;
    world->http = http_new(world->loop, NULL);
    return 0;
}

static int free_http(void **state)
{
    struct world *world = *state;
    http_free(world->http);
    return 0;
}

/* The state of a test that is one row of a table. */
struct row {
    struct world *world;
    const void *at;
};

static struct world *world_of(void **state)
{
    return ((struct row *)*state)->world;
}

static const void *row_of(void **state)
{
    return ((struct row *)*state)->at;
}

static void add_row(struct CMUnitTest *test, struct row *row, const char *name,
                    CMUnitTestFunction fn)
{
    *test = (struct CMUnitTest){ .name = name, .test_func = fn, .initial_state = row };
}

/* GETs a path of nginx over TLS. */
static struct answer *get(struct world *world, const char *path)
{
    char *url = http_peer_url("https://localhost", world->nginx->https, path);
    struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = 20000, .tls = &world->tls
    };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    free(url);
    return answer;
}

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
        struct answer *answer = get(world, "/who");
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
    struct answer *answer = get(world, "/who");
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
    answer = get(world, "/who");
    assert_int_equal(answer->status, 200);
    assert_int_not_equal(http_peer_number(answer, "conn="), before);
    http_peer_free(answer);
    free(url);
}

static void a_slow_answer_does_not_cost_the_others_their_connection(void **state)
{
    struct world *world = *state;
    char *slow = http_peer_url("https://localhost", world->nginx->https, "/slow/big.txt");
    struct answer *answer = get(world, "/who");
    int before = http_peer_number(answer, "conn=");
    http_peer_free(answer);
    struct http_request request = {
        .method = "GET", .url = slow, .timeout_ms = 400, .tls = &world->tls
    };
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_TRANSIENT);
    http_peer_free(answer);
    answer = get(world, "/who");
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
    struct world *world = world_of(state);
    const struct method_case *row = row_of(state);
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
    struct answer *answer = get(world, "/who");
    assert_string_equal(answer->content_type, "text/plain");
    http_peer_free(answer);
    answer = get(world, "/status?code=404");
    assert_int_equal(answer->status, 404);
    assert_int_equal(answer->kind, HTTP_PEER_NO_ERROR);
    assert_string_equal(answer->body, "not here");
    http_peer_free(answer);
    answer = get(world, "/status");
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

/* --- TLS */

static const struct tls_case {
    const char *name;
    const char *host;
    const char *ca, *server_name; /* ca: "ca", "other" or NULL */
    bool is_insecure;
    int status;         /* 0: refused */
    const char *expect; /* in the body, or in the error */
} tls_cases[] = {
    { "a server signed by the CA is trusted", "localhost", "ca", NULL, false, 200,
      "sni=localhost" },
    { "an address in the certificate is trusted", "127.0.0.1", "ca", NULL, false, 200, "conn=" },
    { "another CA refuses the server", "localhost", "other", NULL, false, 0, "certificate" },
    { "the system does not know our CA", "localhost", NULL, NULL, false, 0, "certificate" },
    { "a wrong name is refused", "localhost", "ca", "other.example", false, 0, "other.example" },
    { "a server name is sent and verified in the host's place", "localhost", "ca", "real.example",
      false, 200, "sni=real.example" },
    { "the Host header names the host all the same", "localhost", "ca", "real.example", false, 200,
      "host=localhost:" },
    { "insecure trusts anyone", "localhost", "other", NULL, true, 200, "conn=" },
    { "insecure trusts any name", "localhost", NULL, "other.example", true, 200,
      "sni=other.example" },
    { "a CA that is none is refused", "localhost", "not a certificate", NULL, false, 0, "" },
    { "a server name that is none is refused", "localhost", "ca", "no name/at all", false, 0,
      "server name" },
};

static void trust_is_as_configured(void **state)
{
    struct world *world = world_of(state);
    const struct tls_case *row = row_of(state);
    struct http *http = http_new(world->loop, NULL);
    const char *ca = !row->ca                        ? NULL
                     : strcmp(row->ca, "ca") == 0    ? world->ca
                     : strcmp(row->ca, "other") == 0 ? world->other_ca
                                                     : row->ca;
    struct http_tls tls = { .ca_pem = ca,
                            .server_name = row->server_name,
                            .is_insecure = row->is_insecure };
    char base[64];
    snprintf(base, sizeof(base), "https://%s", row->host);
    char *url = http_peer_url(base, world->nginx->https, "/who");
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000, .tls = &tls };
    struct answer *answer = http_peer_ask(world->loop, http, &request);
    assert_int_equal(answer->status, row->status);
    assert_non_null(strstr(row->status ? answer->body : answer->error, row->expect));
    if (row->status == 0)
        assert_int_equal(answer->kind,
                         strstr(row->expect, "server name") ? ERR_INVALID : ERR_DENIED);
    http_peer_free(answer);
    free(url);
    http_free(http);
}

static void a_client_certificate_is_shown(void **state)
{
    struct world *world = *state;
    char *url = http_peer_url("https://localhost", world->nginx->mutual, "/");
    struct http_tls tls = { .ca_pem = world->ca, .cert_pem = world->cert, .key_pem = world->key };
    struct http_request request = { .method = "GET", .url = url, .timeout_ms = 20000, .tls = &tls };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "client=CN=a-client");
    http_peer_free(answer);
    request.tls = &world->tls; /* the connection that knows the client is not for this one */
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->status, 400);
    http_peer_free(answer);
    struct http_tls bad = { .ca_pem = world->ca,
                            .cert_pem = "nonsense",
                            .key_pem = "secret nonsense" };
    request.tls = &bad;
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->kind, ERR_DENIED);
    assert_null(strstr(answer->error, "nonsense"));
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

/* --- redirects */

struct redirect_case {
    const char *name;
    const char *method,
        *path; /* %H: https of nginx by another name, %P: its plain port, %S: the same */
    bool follows;
    int status;
    enum err_kind kind;
    const char *expect; /* in the body, or in the error */
    bool keeps_secrets; /* what the last one sees of them */
};

static const struct redirect_case redirect_cases[] = {
    { "a redirect is an answer unless asked for", "GET", "/go/?to=/who", false, 302,
      HTTP_PEER_NO_ERROR, "302", true },
    { "a redirect is followed", "GET", "/go/?to=/who", true, 200, HTTP_PEER_NO_ERROR, "uri=/who",
      true },
    { "the same host keeps the credentials", "GET", "/go/?to=%S/who", true, 200, HTTP_PEER_NO_ERROR,
      "uri=/who", true },
    { "another host does not get them", "GET", "/go/?to=%H/who", true, 200, HTTP_PEER_NO_ERROR,
      "host=127.0.0.1", false },
    { "from https to http is refused", "GET", "/go/?to=%P/who", true, 302, ERR_INVALID,
      "from https to http", true },
    { "a loop ends", "GET", "/loop", true, 302, ERR_LIMIT, "more than 5 redirects", true },
    { "another scheme is refused", "GET", "/go/?to=file:///etc/passwd", true, 302, ERR_INVALID,
      "bad URL", true },
    { "a bad target is refused", "GET", "/go/?to=https://:99999/", true, 302, ERR_INVALID,
      "bad URL", true },
    { "301 turns POST into GET", "POST", "/post301", true, 200, HTTP_PEER_NO_ERROR, "method=GET",
      true },
    { "307 repeats POST", "POST", "/post307", true, 200, HTTP_PEER_NO_ERROR, "method=POST", true },
    { "302 repeats PATCH", "PATCH", "/go/?to=/who", true, 200, HTTP_PEER_NO_ERROR, "method=PATCH",
      true },
    { "HEAD stays HEAD", "HEAD", "/go/?to=/who", true, 200, HTTP_PEER_NO_ERROR, "", true },
};

static char *fill_in(const char *path, const struct peer_nginx *nginx)
{
    SBUF(text, 4096);
    for (; *path; path++) {
        if (path[0] != '%') {
            sbuf_add_char(&text, *path);
            continue;
        }
        path++;
        sbuf_addf(&text, "%s:%d",
                  *path == 'H'   ? "https://127.0.0.1"
                  : *path == 'P' ? "http://localhost"
                                 : "https://localhost",
                  *path == 'P' ? nginx->http : nginx->https);
    }
    return base_copy_text(sbuf_text(&text));
}

static void redirects_follow_the_rules(void **state)
{
    struct world *world = world_of(state);
    const struct redirect_case *row = row_of(state);
    struct http *http = http_new(world->loop, NULL);
    char *path = fill_in(row->path, world->nginx);
    char *url = http_peer_url("https://localhost", world->nginx->https, path);
    const char *headers[] = { "Authorization: Bearer s3cret", "X-Token: t0ken",
                              "Content-Type: text/x", NULL };
    struct http_request request = {
        .method = row->method,
        .url = url,
        .headers = headers,
        .body = "body",
        .body_len = strcmp(row->method, "HEAD") && strcmp(row->method, "GET") ? 4 : 0,
        .timeout_ms = 20000,
        .follow_redirects = row->follows,
        .tls = &world->tls
    };
    struct answer *answer = http_peer_ask(world->loop, http, &request);
    assert_int_equal(answer->status, row->status);
    assert_int_equal(answer->kind, row->kind);
    assert_non_null(
        strstr(row->kind == HTTP_PEER_NO_ERROR ? answer->body : answer->error, row->expect));
    if (row->status == 200 && row->expect[0]) {
        assert_int_equal(strstr(answer->body, "s3cret") != NULL, row->keeps_secrets);
        assert_int_equal(strstr(answer->body, "t0ken") != NULL, row->keeps_secrets);
    }
    http_peer_free(answer);
    free(url);
    free(path);
    http_free(http);
}

static void a_login_in_the_url_does_not_follow_to_another_host(void **state)
{
    struct world *world = *state;
    char path[200];
    snprintf(path, sizeof(path), "/go/?to=https://127.0.0.1:%d/who", world->nginx->https);
    char *url = http_peer_url("https://me:s3cret@localhost", world->nginx->https, path);
    struct http_request request = { .method = "GET",
                                    .url = url,
                                    .timeout_ms = 20000,
                                    .tls = &world->tls,
                                    .follow_redirects = true };
    struct answer *answer = http_peer_ask(world->loop, world->http, &request);
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "auth= "));
    http_peer_free(answer);
    free(url);
    url = http_peer_url("https://me:s3cret@localhost", world->nginx->https, "/go/?to=/who");
    request.url = url;
    answer = http_peer_ask(world->loop, world->http, &request);
    assert_non_null(strstr(answer->body, "auth=Basic "));
    http_peer_free(answer);
    free(url);
}

/* --- through a proxy */

static _Atomic int tunnel_to; /* the port of nginx */

/* CONNECT, then bytes in both directions. */
static void serve_tunnel(struct peer_raw *raw, int fd, const char *head)
{
    if (strncmp(head, "CONNECT localhost:", 18) != 0)
        return;
    peer_raw_count(raw);
    int to = peer_connect(tunnel_to);
    peer_send(fd, "HTTP/1.1 200 Go ahead\r\nX-Proxy: yes\r\n\r\n");
    struct pollfd both[2] = { { .fd = fd, .events = POLLIN }, { .fd = to, .events = POLLIN } };
    bool is_open = true;
    while (is_open && peer_raw_sleep(raw, 0)) {
        if (poll(both, 2, 20) <= 0)
            continue;
        for (int i = 0; i < 2 && is_open; i++) {
            char bytes[4096];
            ssize_t got = both[i].revents ? recv(both[i].fd, bytes, sizeof(bytes), 0) : -1;
            is_open = got != 0;
            if (got > 0)
                is_open = send(both[1 - i].fd, bytes, (size_t)got, MSG_NOSIGNAL) == got;
        }
    }
    close(to);
}

static void https_goes_through_a_tunnel(void **state)
{
    struct world *world = *state;
    tunnel_to = world->nginx->https;
    struct peer_raw *proxy = peer_raw_new(serve_tunnel);
    char *at = http_peer_url("http://127.0.0.1", peer_raw_port(proxy), "");
    char *url = http_peer_url("https://localhost", world->nginx->https, "/who");
    struct http_tls tls = { .ca_pem = world->ca, .server_name = "real.example" };
    struct http_request request = {
        .method = "GET", .url = url, .proxy = at, .timeout_ms = 20000, .tls = &world->tls
    };
    for (int i = 0; i < 4; i++) {
        request.tls = i < 3 ? &world->tls : &tls;
        struct answer *answer = http_peer_ask(world->loop, world->http, &request);
        assert_int_equal(answer->status, 200);
        assert_int_equal(answer->http_version, 2);
        assert_non_null(strstr(answer->body, i < 3 ? "sni=localhost" : "sni=real.example"));
        http_peer_free(answer);
    }
    assert_int_equal(peer_raw_counted(proxy), 2); /* one tunnel for each name */
    http_free(world->http);
    world->http = NULL;
    peer_raw_free(proxy);
    free(at);
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
    struct answer *answer = get(world, "/who"); /* and the client works on */
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

#define WITH_HTTP(fn) cmocka_unit_test_setup_teardown(fn, new_http, free_http)

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
        WITH_HTTP(a_client_certificate_is_shown),
        WITH_HTTP(gzip_is_asked_for_and_unpacked),
        WITH_HTTP(a_body_at_the_limit_passes_and_one_over_it_does_not),
        WITH_HTTP(a_login_in_the_url_does_not_follow_to_another_host),
        WITH_HTTP(https_goes_through_a_tunnel),
        WITH_HTTP(a_done_request_may_start_the_next),
        WITH_HTTP(a_done_request_may_cancel_the_others),
        WITH_HTTP(a_cancelled_request_is_not_answered),
        WITH_HTTP(freeing_the_client_ends_what_runs),
    };
    enum { ROWS = ARRAY_LEN(method_cases) + ARRAY_LEN(tls_cases) + ARRAY_LEN(redirect_cases) };
    struct CMUnitTest row_tests[ROWS];
    struct row rows[ROWS] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(method_cases); i++, count++) {
        rows[count].at = &method_cases[i];
        add_row(&row_tests[count], &rows[count], method_cases[i].name, a_method_arrives_as_sent);
    }
    for (size_t i = 0; i < ARRAY_LEN(tls_cases); i++, count++) {
        rows[count].at = &tls_cases[i];
        add_row(&row_tests[count], &rows[count], tls_cases[i].name, trust_is_as_configured);
    }
    for (size_t i = 0; i < ARRAY_LEN(redirect_cases); i++, count++) {
        rows[count].at = &redirect_cases[i];
        add_row(&row_tests[count], &rows[count], redirect_cases[i].name,
                redirects_follow_the_rules);
    }
    int failed = cmocka_run_group_tests_name("io/http", tests, set_up, tear_down);
    struct world *world = make_world();
    for (size_t i = 0; i < count; i++)
        rows[i].world = world;
    failed += cmocka_run_group_tests_name("io/http rows", row_tests, NULL, NULL);
    free_world(world);
    return failed;
}
