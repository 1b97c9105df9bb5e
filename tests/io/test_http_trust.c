#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "http_world.h"

/* Whom a request trusts, and with what: TLS, redirects, a tunnel. */

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
    struct world *world = http_world_of(state);
    const struct tls_case *row = http_world_row(state);
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
    struct world *world = http_world_of(state);
    const struct redirect_case *row = http_world_row(state);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HTTP(a_client_certificate_is_shown),
        WITH_HTTP(a_login_in_the_url_does_not_follow_to_another_host),
        WITH_HTTP(https_goes_through_a_tunnel),
    };
    enum { ROWS = ARRAY_LEN(tls_cases) + ARRAY_LEN(redirect_cases) };
    struct CMUnitTest row_tests[ROWS];
    struct row rows[ROWS];
    struct world *world = http_world_new();
    for (size_t i = 0; i < ROWS; i++) {
        bool is_tls = i < ARRAY_LEN(tls_cases);
        size_t at = is_tls ? i : i - ARRAY_LEN(tls_cases);
        rows[i] =
            (struct row){ world, is_tls ? (const void *)&tls_cases[at] : &redirect_cases[at] };
        row_tests[i] =
            (struct CMUnitTest){ .name = is_tls ? tls_cases[at].name : redirect_cases[at].name,
                                 .test_func =
                                     is_tls ? trust_is_as_configured : redirects_follow_the_rules,
                                 .initial_state = &rows[i] };
    }
    int failed = cmocka_run_group_tests_name("io/http trust rows", row_tests, NULL, NULL);
    http_world_free(world);
    return cmocka_run_group_tests_name("io/http trust", tests, http_world_set_up,
                                       http_world_tear_down) +
           failed;
}
