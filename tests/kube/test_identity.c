#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "bench.h"
#include "files.h"

#define GET(at) (&(struct kube_request){ .method = "GET", .path = (at) })

/* Takes the token `good` (under the lock) and refuses others. */
struct gate {
    const char *good;
};

static void serve_gate(void *ctx, const struct scripted_request *request)
{
    struct gate *gate = ctx;
    char wanted[128];
    scripted_lock(request->server);
    snprintf(wanted, sizeof(wanted), "Bearer %s", gate->good);
    scripted_unlock(request->server);
    bool is_good = !strcmp(scripted_header(request, "Authorization"), wanted);
    scripted_reply(request, is_good ? 200 : 401, NULL,
                   is_good ? "{}"
                           : "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"reason\":"
                             "\"Unauthorized\",\"code\":401}");
}

/* A server behind a gate, files, and a client that logs in as they say. */
struct world {
    struct gate gate;
    struct files *files;
    struct bench *bench;
};

static int set_up(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    world->files = files_new();
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->bench)
        bench_free(world->bench);
    files_free(world->files);
    free(world);
    return 0;
}

/* Begins: the token `good` is let in, the user is what `user` says in YAML. */
static struct bench *log_in(struct world *world, const char *good, const char *user)
{
    world->gate.good = good;
    struct scripted *server = scripted_new(serve_gate, &world->gate);
    char text[4096];
    snprintf(text, sizeof(text),
             "current-context: m\ncontexts: [{name: m, context: {cluster: c, user: u}}]\n"
             "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
             "users: [{name: u, user: {%s}}]\n",
             scripted_port(server), user);
    char out[512];
    snprintf(out, sizeof(out), "OUT=%s", files_dir(world->files));
    const char *const env[] = { "PATH=/usr/bin:/bin", out, NULL };
    struct kube_config *config = NULL;
    struct err *e = kube_config_load(
        &(struct kube_config_opts){ .kubeconfig = files_write(world->files, "config", text),
                                    .allow_exec = true,
                                    .env = env },
        &config);
    if (e)
        fail_msg("%s", err_text(e));
    config->proxy = base_copy_text("");
    world->bench = bench_new_for(config, NULL);
    world->bench->server = server;
    return world->bench;
}

static void set_good(struct world *world, const char *token)
{
    scripted_lock(world->bench->server);
    world->gate.good = token;
    scripted_unlock(world->bench->server);
}

static void a_rotated_token_file_is_read_again_after_a_401(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "token", "first\n");
    struct bench *bench = log_in(world, "first", "tokenFile: token");
    struct bench_answer got;
    bench_ask(bench, GET("/a"), &got);
    assert_int_equal(got.status, 200);
    set_good(world, "second");
    (void)files_write(world->files, "token", "second\n");
    bench_ask(bench,
              &(struct kube_request){ .method = "POST", .path = "/b", .body = "{}", .body_len = 2 },
              &got);
    assert_int_equal(got.status, 200);
    assert_int_equal(scripted_count(bench->server, "/b"), 2);
}

static void a_token_that_stays_wrong_is_refused_after_one_more_try(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "token", "wrong\n");
    struct bench *bench = log_in(world, "right", "tokenFile: token");
    struct bench_answer got;
    bench_ask(bench, GET("/a"), &got);
    assert_int_equal(got.status, 401);
    assert_int_equal(got.kind, ERR_DENIED);
    assert_int_equal(got.refusal, KUBE_REFUSED_UNAUTHORIZED);
    assert_int_equal(scripted_count(bench->server, "/a"), 2);
}

static void a_token_file_that_goes_away_is_reported_and_the_token_kept(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "token", "wrong\n");
    struct bench *bench = log_in(world, "right", "tokenFile: token");
    assert_int_equal(remove(files_path(world->files, "token")), 0);
    struct bench_answer got;
    bench_ask(bench, GET("/a"), &got);
    assert_int_equal(got.status, 401);
    assert_non_null(strstr(bench_log(bench), "credentials not read"));
    assert_null(strstr(bench_log(bench), "wrong"));
}

static void a_token_in_the_kubeconfig_is_not_tried_twice(void **state)
{
    struct world *world = *state;
    struct bench *bench = log_in(world, "right", "token: wrong");
    struct bench_answer got;
    bench_ask(bench, GET("/a"), &got);
    assert_int_equal(got.status, 401);
    assert_int_equal(scripted_count(bench->server, "/a"), 1);
}

/* -- plugins ------------------------------------------------------------------------------------------------------- */

#define PLUGIN                                                                                \
    "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, env: [{name: A, " \
    "value: b}]}"
/* Prints the token that stands in the file `now`, and counts its runs in `runs`. */
#define SCRIPT(more)                                                                               \
    "#!/bin/sh\necho >>\"$OUT/runs\"\nread -r token <\"$OUT/now\"\nprintf '%s' "                   \
    "'{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":" \
    "{\"token\":\"'\"$token\"'\"" more "}}'\n"

static size_t runs_of(struct files *files)
{
    return strlen(files_read(files, "runs"));
}

#define MANY 12

static bool all_done(void *ctx)
{
    struct bench_answer *answers = ctx;
    for (size_t i = 0; i < MANY; i++) {
        if (!answers[i].is_done)
            return false;
    }
    return true;
}

static void ask_many(struct bench *bench, struct bench_answer *answers)
{
    memset(answers, 0, MANY * sizeof(*answers));
    for (size_t i = 0; i < MANY; i++)
        kube_start(bench->kube, GET("/a"), bench_on_answer, &answers[i]);
    assert_true(bench_until(bench, all_done, answers));
}

static void a_plugin_runs_once_for_all_and_again_after_a_401(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "now", "one\n");
    (void)files_write_program(world->files, "plugin", SCRIPT(""));
    struct bench *bench = log_in(world, "one", PLUGIN);
    static struct bench_answer answers[MANY];
    ask_many(bench, answers);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].status, 200);
    assert_int_equal(runs_of(world->files), 1);
    set_good(world, "two");
    (void)files_write(world->files, "now", "two\n");
    ask_many(bench, answers);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].status, 200);
    assert_int_equal(runs_of(world->files), 2);
}

static void a_credential_past_its_end_is_renewed_before_it_is_used(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "now", "one\n");
    (void)files_write_program(world->files, "plugin",
                              SCRIPT(",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""));
    struct bench *bench = log_in(world, "one", PLUGIN);
    struct bench_answer got;
    assert_null(kube_config_refresh(bench->config)); /* as at start-up: over already */
    assert_int_equal(runs_of(world->files), 1);
    (void)files_write_program(world->files, "plugin",
                              SCRIPT(",\"expirationTimestamp\":\"2901-01-01T00:00:00Z\""));
    bench_ask(bench, GET("/a"), &got);
    bench_ask(bench, GET("/a"), &got);
    assert_int_equal(got.status, 200);
    assert_int_equal(runs_of(world->files), 2);
}

static void a_credential_that_is_over_from_the_start_is_tried_all_the_same(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "now", "one\n");
    (void)files_write_program(world->files, "plugin",
                              SCRIPT(",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""));
    struct bench *bench = log_in(world, "one", PLUGIN);
    static struct bench_answer answers[MANY];
    ask_many(bench, answers);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(answers[i].status, 200);
    assert_int_equal(runs_of(world->files), 1);
}

static void a_plugin_that_fails_fails_what_waits_and_is_not_run_at_once_again(void **state)
{
    struct world *world = *state;
    (void)files_write_program(world->files, "plugin",
                              "#!/bin/sh\necho >>\"$OUT/runs\"\necho 'log in first' >&2\nexit 1\n");
    struct bench *bench = log_in(world, "one", PLUGIN);
    static struct bench_answer answers[MANY];
    ask_many(bench, answers);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(answers[i].status, 0);
        assert_int_equal(answers[i].kind, ERR_DENIED);
        assert_non_null(strstr(answers[i].error, "log in first"));
    }
    ask_many(bench, answers);
    assert_int_equal(runs_of(world->files), 1);
    assert_int_equal(scripted_count(bench->server, "/a"), 0);
}

static void the_client_can_go_while_its_plugin_runs(void **state)
{
    struct world *world = *state;
    (void)files_write(world->files, "now", "one\n");
    (void)files_write_program(world->files, "plugin", "#!/bin/sh\nsleep 0.3\n");
    struct bench *bench = log_in(world, "one", PLUGIN);
    struct bench_answer got = { 0 };
    kube_start(bench->kube, GET("/a"), bench_on_answer, &got);
    bench_turn_for(bench, 50);
    bench_free(STEAL(world->bench));
    assert_int_equal(got.times, 0);
}

#define IN_WORLD(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        IN_WORLD(a_rotated_token_file_is_read_again_after_a_401),
        IN_WORLD(a_token_that_stays_wrong_is_refused_after_one_more_try),
        IN_WORLD(a_token_file_that_goes_away_is_reported_and_the_token_kept),
        IN_WORLD(a_token_in_the_kubeconfig_is_not_tried_twice),
        IN_WORLD(a_plugin_runs_once_for_all_and_again_after_a_401),
        IN_WORLD(a_credential_past_its_end_is_renewed_before_it_is_used),
        IN_WORLD(a_credential_that_is_over_from_the_start_is_tried_all_the_same),
        IN_WORLD(a_plugin_that_fails_fails_what_waits_and_is_not_run_at_once_again),
        IN_WORLD(the_client_can_go_while_its_plugin_runs),
    };
    return rows_run("kube_identity", tests, ARRAY_LEN(tests));
}
