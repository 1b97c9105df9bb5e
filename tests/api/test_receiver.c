/* The listener for webhooks, over real connections: what it takes, what it refuses, and what it never says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/receiver.h"
#include "base/hash.h"
#include "io/http.h"
#include "io/server.h"

#define KEY     "0123456789abcdef"
#define CONFIG  "fluxRecvVersion: 1\nendpoints:\n- {source: GitLab, keyPath: gitlab.key}\n"
#define PUSH    "{\"ref\":\"refs/heads/main\",\"project\":{\"git_ssh_url\":\"git@h:a/b.git\"}}"
#define HEADERS "X-Gitlab-Token: " KEY, "X-Gitlab-Event: Push Hook"

#define GOOGLE                                                                                  \
    "fluxRecvVersion: 1\nendpoints:\n- {source: GoogleContainerRegistry, keyPath: gitlab.key, " \
    "gcr: {audience: us}}\n"
/* {"action":"INSERT","tag":"gcr.io/p/x:1"} */
#define INSERTED                                                                           \
    "{\"message\":{\"data\":\"eyJhY3Rpb24iOiJJTlNFUlQiLCJ0YWciOiJnY3IuaW8vcC94OjEifQ==\"," \
    "\"messageId\":"                                                                       \
    "\"7\"}}"

struct lab {
    struct arena *mem;
    struct loop *loop;
    struct http *http;
    struct sbuf said; /* the log */
    struct log log;
    char *folder;
    struct receiver *receiver;
    struct server *issuer; /* in Google's place */
    const char *claims;    /* what it says; NULL: nothing, ever */
    struct server_request *unanswered;
    char changes[256];
    int status;
    const char *body;
    bool is_answered;
};

static void on_line(void *ctx, const char *line, size_t len)
{
    struct lab *lab = ctx;
    sbuf_add_bytes(&lab->said, line, len);
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static void on_change(void *ctx, const struct api_change *change)
{
    struct lab *lab = ctx;
    size_t len = strlen(lab->changes);
    bool is_git = change->kind == API_CHANGE_GIT;
    (void)snprintf(lab->changes + len, sizeof(lab->changes) - len, "%s %s;",
                   is_git ? change->url : change->domain, is_git ? change->branch : change->image);
}

static void write_file(struct lab *lab, const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(lab->mem, "%s/%s", lab->folder, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void on_issuer(void *ctx, struct server_request *request)
{
    struct lab *lab = ctx;
    assert_string_equal(server_query(request, "id_token"), "a.b&c");
    if (!lab->claims) {
        lab->unanswered = request;
        return;
    }
    const struct server_answer answer = { .status = 200,
                                          .content_type = "application/json",
                                          .body = lab->claims,
                                          .body_len = strlen(lab->claims) };
    server_reply(request, &answer);
}

static struct err *start(struct lab *lab, const char *config)
{
    write_file(lab, "hooks.yaml", config);
    assert_null(server_new(lab->loop, "127.0.0.1:0", on_issuer, lab, &lab->issuer));
    return receiver_new(
        &(struct receiver_opts){
            .loop = lab->loop,
            .log = &lab->log,
            .listen = "127.0.0.1:0",
            .config_file = arena_printf(lab->mem, "%s/hooks.yaml", lab->folder),
            .http = lab->http,
            .tokeninfo_url =
                arena_printf(lab->mem, "http://127.0.0.1:%d/tokeninfo", server_port(lab->issuer)),
            .on_change = on_change,
            .ctx = lab },
        &lab->receiver);
}

static int setup(void **state)
{
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->mem = arena_new(ARENA_LIMIT_BYTES);
    lab->loop = loop_new();
    lab->http = http_new(lab->loop, &(struct http_opts){ .user_agent = "test" });
    lab->log = (struct log){ .least = LOG_DEBUG, .write = on_line, .wall_ns = no_time, .ctx = lab };
    sbuf_init(&lab->said, SBUF_MAX);
    const char *tmp = getenv("TMPDIR");
    lab->folder = arena_printf(lab->mem, "%s/serin-receiver-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(lab->folder));
    write_file(lab, "gitlab.key", KEY "\n");
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    assert_null(strstr(sbuf_text(&lab->said), KEY)); /* whatever happened */
    (void)unlink(arena_printf(lab->mem, "%s/hooks.yaml", lab->folder));
    (void)unlink(arena_printf(lab->mem, "%s/gitlab.key", lab->folder));
    assert_int_equal(rmdir(lab->folder), 0);
    receiver_free(lab->receiver);
    server_free(lab->issuer);
    http_free(lab->http);
    loop_free(lab->loop);
    sbuf_fini(&lab->said);
    arena_free(lab->mem);
    free(lab);
    return 0;
}

static void on_answer(void *ctx, const struct http_result *result)
{
    struct lab *lab = ctx;
    lab->is_answered = true;
    lab->status = result->status;
    lab->body = arena_strndup(lab->mem, result->body ? result->body : "", result->body_len);
}

static const char *path_of_key(struct lab *lab)
{
    unsigned char out[HASH_SHA256_BYTES];
    hash_sha256(KEY "\n", strlen(KEY "\n"), out);
    return arena_printf(lab->mem, "/hook/%s", hash_hex(lab->mem, out, sizeof(out)));
}

static int ask(struct lab *lab, const char *method, const char *path, const char *const *headers,
               const char *body)
{
    const struct http_request request = {
        .method = method,
        .url = arena_printf(lab->mem, "http://127.0.0.1:%d%s", receiver_port(lab->receiver), path),
        .headers = headers,
        .body = body,
        .body_len = strlen(body),
        .timeout_ms = 20000,
        .limit_bytes = (size_t)1 << 20,
    };
    lab->is_answered = false;
    http_start(lab->http, &request, on_answer, lab);
    while (!lab->is_answered)
        assert_true(loop_turn(lab->loop, 1000));
    return lab->status;
}
#define ASK(lab, method, path, body, ...) \
    ask((lab), (method), (path), (const char *const[]){ __VA_ARGS__, NULL }, (body))

static void a_push_is_told_once(void **state)
{
    struct lab *lab = *state;
    assert_null(start(lab, CONFIG));
    const char *path = path_of_key(lab);
    assert_int_equal(ASK(lab, "POST", path, PUSH, HEADERS, "X-Gitlab-Event-UUID: 1"), 200);
    assert_string_equal(lab->body, "OK");
    assert_string_equal(lab->changes, "git@h:a/b.git main;");
    assert_int_equal(ASK(lab, "POST", path, PUSH, HEADERS, "X-Gitlab-Event-UUID: 1"), 200);
    assert_string_equal(lab->changes, "git@h:a/b.git main;");
    assert_non_null(strstr(sbuf_text(&lab->said), "webhook repeated"));
    assert_int_equal(ASK(lab, "POST", path, PUSH, HEADERS, "X-Gitlab-Event-UUID: 2"), 200);
    assert_int_equal(ASK(lab, "POST", path, PUSH, HEADERS), 200);
    assert_string_equal(lab->changes, "git@h:a/b.git main;git@h:a/b.git main;git@h:a/b.git main;");
}

static void what_is_refused_changes_nothing(void **state)
{
    struct lab *lab = *state;
    assert_null(start(lab, CONFIG));
    const char *path = path_of_key(lab);
    assert_int_equal(ASK(lab, "POST", path, PUSH, "X-Gitlab-Token: no", "X-Gitlab-Event: Push Hook",
                         "X-Gitlab-Event-UUID: 1"),
                     401);
    assert_int_equal(ASK(lab, "POST", path, "{", HEADERS), 400);
    assert_int_equal(ASK(lab, "POST", "/hook/00", PUSH, HEADERS), 404);
    assert_int_equal(ASK(lab, "POST", "/", PUSH, HEADERS), 404);
    assert_int_equal(ASK(lab, "PUT", path, PUSH, HEADERS), 404);
    assert_int_equal(ASK(lab, "GET", path, "", HEADERS), 404);
    assert_int_equal(ASK(lab, "POST", "/api/flux/v11/notify", "{}", HEADERS), 404);
    char *large = base_alloc(((size_t)2 << 20) + 1);
    memset(large, ' ', (size_t)2 << 20);
    assert_int_equal(ASK(lab, "POST", path, large, HEADERS), 413);
    free(large);
    assert_string_equal(lab->changes, "");
    /* The refused delivery was not remembered: repeated with its proof it counts. */
    assert_int_equal(ASK(lab, "POST", path, PUSH, HEADERS, "X-Gitlab-Event-UUID: 1"), 200);
    assert_string_equal(lab->changes, "git@h:a/b.git main;");
}

static void health_is_public(void **state)
{
    struct lab *lab = *state;
    assert_null(start(lab, CONFIG));
    assert_int_equal(ASK(lab, "GET", "/health", "", "Accept: text/plain"), 200);
    assert_string_equal(lab->body, "OK");
    assert_non_null(strstr(sbuf_text(&lab->said), path_of_key(lab)));
}

static void a_token_is_shown_to_its_issuer(void **state)
{
    struct lab *lab = *state;
    assert_null(start(lab, GOOGLE));
    const char *path = path_of_key(lab);
    assert_int_equal(ASK(lab, "POST", path, INSERTED, "Accept: */*"), 401);
    lab->claims = "{\"iss\":\"accounts.google.com\",\"aud\":\"them\"}";
    assert_int_equal(ASK(lab, "POST", path, INSERTED, "Authorization: Bearer a.b&c"), 401);
    assert_string_equal(lab->changes, "");
    lab->claims = "{\"iss\":\"accounts.google.com\",\"aud\":\"us\"}";
    assert_int_equal(ASK(lab, "POST", path, INSERTED, "Authorization: Bearer a.b&c"), 200);
    assert_string_equal(lab->changes, "gcr.io p/x;");
    assert_null(strstr(sbuf_text(&lab->said), "a.b"));
}

static void an_issuer_that_hangs_does_not_hold_up_the_end(void **state)
{
    struct lab *lab = *state;
    assert_null(start(lab, GOOGLE));
    static const char *const headers[] = { "Authorization: Bearer a.b&c", NULL };
    const struct http_request request = {
        .method = "POST",
        .url = arena_printf(lab->mem, "http://127.0.0.1:%d%s", receiver_port(lab->receiver),
                            path_of_key(lab)),
        .headers = headers,
        .body = INSERTED,
        .body_len = strlen(INSERTED),
        .timeout_ms = 20000,
    };
    http_start(lab->http, &request, on_answer, lab);
    while (!lab->unanswered)
        assert_true(loop_turn(lab->loop, 1000));
    receiver_free(lab->receiver);
    lab->receiver = NULL;
    server_reply(lab->unanswered, &(struct server_answer){ .status = 200 });
    while (!lab->is_answered)
        assert_true(loop_turn(lab->loop, 1000));
    assert_string_equal(lab->changes, "");
}

static void a_bad_start_says_why(void **state)
{
    struct lab *lab = *state;
    static const struct {
        const char *config, *error;
    } rows[] = {
        { "fluxRecvVersion: 1\nendpoints:\n- {source: GitLab, keyPath: none.key}\n", "none.key" },
        { "fluxRecvVersion: 1\nendpoints:\n- {source: GitLap, keyPath: gitlab.key}\n",
          "hooks.yaml: endpoint 1 (line 3): unknown source \"GitLap\"" },
        { "endpoints: {\n", "hooks.yaml: line " },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SCOPED(err_free) struct err *e = start(lab, rows[i].config);
        server_free(STEAL(lab->issuer));
        assert_non_null(e);
        if (!strstr(err_text(e), rows[i].error))
            fail_msg("%s", err_text(e));
    }
    write_file(lab, "gitlab.key", "short\n");
    SCOPED(err_free) struct err *e = start(lab, CONFIG);
    assert_non_null(strstr(err_text(e), "is no secret"));
    assert_null(strstr(err_text(e), "short"));
}

#define IN_LAB(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LAB(a_push_is_told_once),
        IN_LAB(what_is_refused_changes_nothing),
        IN_LAB(health_is_public),
        IN_LAB(a_token_is_shown_to_its_issuer),
        IN_LAB(an_issuer_that_hangs_does_not_hold_up_the_end),
        IN_LAB(a_bad_start_says_why),
    };
    return cmocka_run_group_tests_name("api_receiver", tests, NULL, NULL);
}
