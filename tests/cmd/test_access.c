/* The token of the API: from a file, from a Secret, made where the Secret has none; never in the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rows.h"

#include "base/hash.h"
#include "bench.h"
#include "cmd/access.h"
#include "doc/json.h"

#define TOKEN      "0123456789abcdef"
#define AGAIN_MS   200
#define TROUBLE_MS 2500 /* a request is tried several times */

/* One Secret: what a GET says of it, and what came to be written. */
struct secret {
    int get_status, patch_status;
    const char *data;
    char written[4096];
};

static void serve(void *ctx, const struct scripted_request *request)
{
    struct secret *secret = ctx;
    char body[512];
    if (strcmp(request->method, "PATCH") == 0) {
        scripted_lock(request->server);
        snprintf(secret->written, sizeof(secret->written), "%.*s", (int)request->body_len,
                 request->body);
        scripted_unlock(request->server);
        scripted_reply(request, secret->patch_status, NULL, "{\"kind\":\"Secret\"}");
        return;
    }
    snprintf(body, sizeof(body),
             "{\"kind\":\"Secret\",\"metadata\":{\"resourceVersion\":\"7\"},\"data\":%s}",
             secret->data);
    scripted_reply(request, secret->get_status, NULL, secret->get_status == 200 ? body : "{}");
}

static struct access *make(struct bench *bench, const char *file)
{
    struct access *access = NULL;
    struct err *e = access_new(&(struct access_opts){ .loop = bench->loop,
                                                      .log = &bench->log,
                                                      .file = file,
                                                      .kube = file ? NULL : bench->kube,
                                                      .ns = "serin",
                                                      .secret_name = "serin-api",
                                                      .look_again_ms = AGAIN_MS },
                               &access);
    assert_null(e);
    bench_turn_for(bench, 150);
    return access;
}

static const struct secret_case {
    const char *name;
    struct secret secret;
    const char *token;  /* NULL: none */
    const char *logged; /* NULL: nothing */
} secret_cases[] = {
    { "a token in the Secret counts",
      { 200, 500, "{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}", "" },
      TOKEN,
      NULL },
    { "one that is too short counts for nothing",
      { 200, 500, "{\"token\":\"YWJj\"}", "" },
      NULL,
      "a token has 16 to 512 characters, this one has 3" },
    { "one with a line break counts for nothing",
      { 200, 500, "{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZgpY\"}", "" },
      NULL,
      "no control characters" },
    { "without the Secret there is none", { 404, 500, "{}", "" }, NULL, "no token for the API" },
    { "one that cannot be written down is none",
      { 200, 403, "{}", "" },
      NULL,
      "no token for the API" },
};

static void a_secret_gives_this_token(void **state)
{
    const struct secret_case *c = *state;
    struct secret secret = c->secret;
    struct bench *bench = bench_new(serve, &secret, NULL);
    struct access *access = make(bench, NULL);
    if (c->token)
        assert_string_equal(access_token(access), c->token);
    else
        assert_null(access_token(access));
    if (c->logged)
        assert_non_null(strstr(bench_log(bench), c->logged));
    else
        assert_string_equal(bench_log(bench), "");
    access_free(access);
    bench_free(bench);
}

static void an_empty_secret_gets_a_token_that_nobody_else_saw(void **state)
{
    (void)state;
    struct secret secret = { .get_status = 200, .patch_status = 200, .data = "null" };
    struct bench *bench = bench_new(serve, &secret, NULL);
    struct access *access = make(bench, NULL);
    struct val *patch = NULL;
    unsigned char *bytes = NULL;
    size_t len = 0;
    assert_null(doc_json_parse(bench->mem, secret.written, strlen(secret.written), &patch));
    assert_string_equal(val_text(VAL_PATH(patch, "metadata", "resourceVersion")), "7");
    const char *encoded = val_text(VAL_PATH(patch, "data", ACCESS_TOKEN_KEY));
    assert_null(hash_base64_parse(bench->mem, encoded, strlen(encoded), &bytes, &len));
    assert_int_equal(len, 43); /* 32 bytes */
    assert_memory_equal(access_token(access), bytes, len);
    assert_string_equal(bench_log(bench), "");
    access_free(access);
    bench_free(bench);
}

/* Who has no token makes us look again: that must not take it from those who have it while the cluster does not answer. */
static void a_token_outlives_an_api_server_in_trouble(void **state)
{
    (void)state;
    struct secret secret = { 200, 500, "{\"token\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}", "" };
    struct bench *bench = bench_new(serve, &secret, NULL);
    struct access *access = make(bench, NULL);
    access_look_again(access); /* too soon */
    secret.get_status = 500;
    bench_turn_for(bench, AGAIN_MS);
    access_look_again(access);
    bench_turn_for(bench, TROUBLE_MS);
    assert_non_null(strstr(bench_log(bench), "no token for the API"));
    assert_string_equal(access_token(access), TOKEN);
    secret.get_status = 404;
    bench_turn_for(bench, AGAIN_MS);
    access_look_again(access);
    bench_turn_for(bench, 150);
    assert_null(access_token(access));
    access_free(access);
    bench_free(bench);
}

static void a_file_gives_the_token_or_is_an_error(void **state)
{
    (void)state;
    struct secret none = { .get_status = 404 };
    struct bench *bench = bench_new(serve, &none, NULL);
    const char *tmp = getenv("TMPDIR");
    char *path = arena_printf(bench->mem, "%s/serin-token-XXXXXX", tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    assert_int_equal(write(fd, TOKEN "\n", sizeof(TOKEN)), sizeof(TOKEN));
    struct access *access = make(bench, path);
    assert_string_equal(access_token(access), TOKEN);
    access_look_again(access); /* too soon after the last look */
    assert_string_equal(access_token(access), TOKEN);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    unlink(path);
    struct access *other = NULL;
    struct err *e = access_new(
        &(struct access_opts){ .loop = bench->loop, .log = &bench->log, .file = path }, &other);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(e), "--api-token-file"));
    err_free(e);
    access_free(access);
    bench_free(bench);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(an_empty_secret_gets_a_token_that_nobody_else_saw),
        SINGLE(a_token_outlives_an_api_server_in_trouble),
        SINGLE(a_file_gives_the_token_or_is_an_error),
        ROWS(secret_cases, a_secret_gives_this_token),
    };
    return rows_run("access", tests, ARRAY_LEN(tests));
}
