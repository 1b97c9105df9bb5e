#include "release/hoststatus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vec.h"
#include "io/server.h"

#define SHA   "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"
#define TOKEN "s3cret-token"

/* What is said to one request after the other; the last is said again and again. */
struct reply {
    int status; /* 0: it hangs */
    const char *body;
    const char *headers[4];
};

struct got {
    const char *line, *authorization, *type, *body;
    int64_t at_ms;
};

/* A git host on loopback, and a log that is kept. */
struct world {
    struct loop *loop;
    struct http *http;
    struct server *server;
    struct metrics *metrics;
    struct arena *mem;
    struct log log;
    struct sbuf lines;
    const struct reply *replies;
    size_t replies_len;
    VEC(struct got) got;
    VEC(struct server_request *) hanging;
    char token_file[512];
    struct hoststatus *status;
};

static void reply_with(struct server_request *request, const struct reply *reply)
{
    server_reply(request,
                 &(struct server_answer){ .status = reply->status,
                                          .body = reply->body ? reply->body : "",
                                          .body_len = reply->body ? strlen(reply->body) : 0,
                                          .headers = reply->headers });
}

static const char *header(struct world *world, const struct server_request *request,
                          const char *name)
{
    const char *value = server_header(request, name);
    return arena_strdup(world->mem, value ? value : "");
}

static void on_request(void *ctx, struct server_request *request)
{
    static const struct reply fine = { .status = 201, .body = "{}" };
    struct world *world = ctx;
    size_t len = 0, at = world->got.len;
    const char *body = server_body(request, &len);
    *vec_push(world->mem, &world->got) = (struct got){
        .line = arena_printf(world->mem, "%s %s", server_method(request), server_path(request)),
        .authorization = header(world, request, "Authorization"),
        .type = header(world, request, "Content-Type"),
        .body = arena_strndup(world->mem, body ? body : "", len),
        .at_ms = loop_now_ms(world->loop),
    };
    const struct reply *reply =
        world->replies_len ? &world->replies[MIN_OF(at, world->replies_len - 1)] : &fine;
    if (reply->status)
        reply_with(request, reply);
    else
        *vec_push(world->mem, &world->hanging) = request;
}

static void let_go(struct world *world, int status)
{
    const struct reply reply = { .status = status };
    for (size_t i = 0; i < world->hanging.len; i++)
        reply_with(world->hanging.at[i], &reply);
    world->hanging.len = 0;
}

static void keep_line(void *ctx, const char *line, size_t len)
{
    sbuf_add_bytes(&((struct world *)ctx)->lines, line, len);
}

static int64_t wall_ns(void *ctx)
{
    return loop_wall_ns(((struct world *)ctx)->loop);
}

static void write_token(struct world *world, const char *token)
{
    FILE *file = fopen(world->token_file, "w");
    assert_non_null(file);
    assert_true(fputs(token, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    world->mem = arena_new(ARENA_LIMIT_BYTES);
    world->loop = loop_new();
    world->http = http_new(world->loop, NULL);
    world->metrics = metrics_new();
    world->log =
        (struct log){ .least = LOG_INFO, .write = keep_line, .wall_ns = wall_ns, .ctx = world };
    sbuf_init(&world->lines, SBUF_MAX);
    struct server_limits limits = server_default_limits();
    struct server_receiver to = { on_request, world };
    assert_null(server_new_limited(world->loop, "127.0.0.1:0", &limits, &to, &world->server));
    const char *base = getenv("TMPDIR");
    (void)snprintf(world->token_file, sizeof(world->token_file), "%s/serin-token-XXXXXX",
                   base && *base ? base : "/tmp");
    int fd = mkstemp(world->token_file);
    assert_true(fd >= 0);
    (void)close(fd);
    write_token(world, TOKEN "\n");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    hoststatus_free(world->status);
    let_go(world, 201);
    http_free(world->http);
    server_free(world->server);
    loop_free(world->loop);
    metrics_free(world->metrics);
    sbuf_fini(&world->lines);
    arena_free(world->mem);
    (void)unlink(world->token_file);
    free(world);
    return 0;
}

static struct hoststatus_opts opts_of(struct world *world)
{
    return (struct hoststatus_opts){
        .loop = world->loop,
        .http = world->http,
        .log = &world->log,
        .metrics = world->metrics,
        .provider = HOSTSTATUS_GITEA,
        .git_url = "git@git.example.com:jane/shop.git",
        .branch = "main",
        .api = arena_printf(world->mem, "http://127.0.0.1:%d", server_port(world->server)),
        .token_file = world->token_file,
        .denied_ms = 200,
    };
}

static void start(struct world *world, const struct reply *replies, size_t len)
{
    struct hoststatus_opts opts = opts_of(world);
    world->replies = replies;
    world->replies_len = len;
    assert_null(hoststatus_new(&opts, &world->status));
}

#define UNTIL(world, claim)                                   \
    do {                                                      \
        int64_t end_ms = loop_now_ms((world)->loop) + 30000;  \
        while (!(claim)) {                                    \
            assert_true(loop_now_ms((world)->loop) < end_ms); \
            loop_turn((world)->loop, 50);                     \
        }                                                     \
    } while (0)

static void run_for(struct world *world, int64_t ms)
{
    int64_t end_ms = loop_now_ms(world->loop) + ms;
    while (loop_now_ms(world->loop) < end_ms)
        loop_turn(world->loop, 20);
}

static void set(struct world *world, const char *context, enum hoststatus_state state,
                const char *said)
{
    hoststatus_set(world->status, SHA, context, state, said);
}

static double counted(const struct world *world, const char *result)
{
    const struct metric *results = metrics_declare(
        world->metrics, &(struct metric_spec){ .name = "serin_host_statuses_total" });
    return metric_value(results, (const char *const[]){ result });
}

static size_t lines_with(const struct world *world, const char *part)
{
    size_t count = 0;
    for (const char *at = sbuf_text(&world->lines); (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void no_secret_is_told(const struct world *world)
{
    assert_null(strstr(sbuf_text(&world->lines), TOKEN));
}

/* -- what is sent --------------------------------------------------------------------------------- */

static void a_status_reaches_the_host(void **state)
{
    struct world *world = *state;
    start(world, NULL, 0);
    const char *context = hoststatus_context(world->mem, "shop:deployment/web");
    set(world, context, HOSTSTATUS_PROGRESSING, "canary at 30 %");
    hoststatus_set(world->status, OTHER, HOSTSTATUS_SYNC, HOSTSTATUS_APPLIED, "12 objects");
    assert_int_equal(hoststatus_waiting(world->status), 2);
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 2);
    const struct got *got = &world->got.at[0];
    assert_string_equal(got->line, "POST /api/v1/repos/jane/shop/statuses/" SHA);
    assert_string_equal(got->authorization, "token " TOKEN);
    assert_string_equal(got->type, "application/json");
    assert_string_equal(got->body,
                        "{\"state\":\"pending\",\"context\":\"serin/shop:deployment/web\","
                        "\"description\":\"canary at 30 %\"}");
    assert_string_equal(world->got.at[1].line, "POST /api/v1/repos/jane/shop/statuses/" OTHER);
    assert_string_equal(
        world->got.at[1].body,
        "{\"state\":\"success\",\"context\":\"serin/sync\",\"description\":\"12 objects\"}");
    assert_true(counted(world, "sent") == 2);
    assert_string_equal(sbuf_text(&world->lines), "");
}

static void only_the_last_state_is_sent(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 0 }, { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_PROGRESSING, "10 %");
    UNTIL(world, world->got.len == 1);
    set(world, "a", HOSTSTATUS_PROGRESSING, "10 %"); /* on its way already */
    assert_int_equal(hoststatus_waiting(world->status), 1);
    set(world, "a", HOSTSTATUS_PROGRESSING, "20 %");
    set(world, "a", HOSTSTATUS_PROGRESSING, "30 %");
    set(world, "a", HOSTSTATUS_PROMOTED, "");
    let_go(world, 201);
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 2);
    assert_non_null(strstr(world->got.at[0].body, "10 %"));
    assert_string_equal(world->got.at[1].body, "{\"state\":\"success\",\"context\":\"a\"}");
    assert_true(counted(world, "superseded") == 2);
    set(world, "a", HOSTSTATUS_PROMOTED, ""); /* the host knows */
    assert_int_equal(hoststatus_waiting(world->status), 0);
    set(world, "a", HOSTSTATUS_PROGRESSING,
        "10 %"); /* it was so, but is no longer what was last said */
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 3);
}

static void what_failed_does_not_overtake_what_is_newer(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 0 }, { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_PROGRESSING, "old");
    UNTIL(world, world->got.len == 1);
    set(world, "a", HOSTSTATUS_ROLLED_BACK, "new");
    let_go(world, 500);
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 2);
    assert_non_null(strstr(world->got.at[1].body, "\"failure\""));
    assert_true(counted(world, "failed") == 1);
}

static void the_oldest_make_room(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 0 }, { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "first", HOSTSTATUS_APPLIED, "");
    UNTIL(world, world->got.len == 1);
    for (int i = 0; i < HOSTSTATUS_WAITING_MAX + 200; i++)
        set(world, arena_printf(world->mem, "c%d", i), HOSTSTATUS_APPLIED, "");
    assert_int_equal(hoststatus_waiting(world->status), HOSTSTATUS_WAITING_MAX + 1);
    assert_true(counted(world, "dropped") == 200);
    assert_int_equal(lines_with(world, "too many statuses of commits wait"), 1);
    let_go(world, 201);
    UNTIL(world, world->got.len == 2);
    assert_non_null(strstr(world->got.at[1].body, "\"c200\""));
}

static void what_is_no_commit_is_left_out(void **state)
{
    struct world *world = *state;
    start(world, NULL, 0);
    hoststatus_set(world->status, "", HOSTSTATUS_SYNC, HOSTSTATUS_APPLIED, "");
    hoststatus_set(world->status, "main", HOSTSTATUS_SYNC, HOSTSTATUS_APPLIED, "");
    hoststatus_set(world->status, "../../../x", HOSTSTATUS_SYNC, HOSTSTATUS_APPLIED, "");
    hoststatus_set(world->status, SHA, "", HOSTSTATUS_APPLIED, "");
    assert_int_equal(hoststatus_waiting(world->status), 0);
}

/* -- when it is not taken ------------------------------------------------------------------------- */

static void a_busy_host_is_left_alone_for_a_while(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = {
        { .status = 429, .headers = { "Retry-After: 1" } },
        { .status = 503, .body = "<html>" },
        { .status = 403,
          .body = "{}",
          .headers = { "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1" } },
        { .status = 201 },
    };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 4);
    assert_true(world->got.at[1].at_ms - world->got.at[0].at_ms >= 950);
    assert_true(world->got.at[2].at_ms - world->got.at[1].at_ms >= 450);
    assert_true(world->got.at[3].at_ms - world->got.at[2].at_ms >= 950);
    assert_true(counted(world, "failed") == 3);
    assert_true(counted(world, "sent") == 1);
    assert_string_equal(sbuf_text(&world->lines), ""); /* nobody has to do anything */
}

static void what_is_left_of_the_limit_is_obeyed(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = {
        { .status = 201, .headers = { "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1" } },
        { .status = 201 },
    };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    set(world, "b", HOSTSTATUS_APPLIED, "");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_true(world->got.at[1].at_ms - world->got.at[0].at_ms >= 950);
}

static void a_host_that_is_away_is_waited_for(void **state)
{
    struct world *world = *state;
    struct hoststatus_opts opts = opts_of(world);
    opts.api = "http://127.0.0.1:1";
    assert_null(hoststatus_new(&opts, &world->status));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, counted(world, "failed") >= 2);
    assert_int_equal(hoststatus_waiting(world->status), 1);
    assert_string_equal(sbuf_text(&world->lines), "");
}

static void a_bad_token_is_told_once_and_read_again(void **state)
{
    struct world *world = *state;
    static const struct reply no = { .status = 401, .body = "{\"message\":\"token is required\"}" };
    const struct reply replies[] = { no, no, no, { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    for (int i = 0; i < 3; i++)
        set(world, arena_printf(world->mem, "c%d", i), HOSTSTATUS_APPLIED, "");
    UNTIL(world, world->got.len == 2);
    write_token(world, "  another-token\n");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 6);
    assert_string_equal(world->got.at[0].authorization, "token " TOKEN);
    assert_string_equal(world->got.at[5].authorization, "token another-token");
    assert_int_equal(lines_with(world, "the token is not accepted"), 1);
    assert_int_equal(lines_with(world, "takes statuses of commits again"), 1);
    assert_true(counted(world, "denied") == 3);
    assert_true(counted(world, "sent") == 3);
    no_secret_is_told(world);
}

static void an_unknown_commit_does_not_hold_up_others(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 404, .body = "{\"message\":\"nope\"}" },
                                            { .status = 404 },
                                            { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    for (int i = 0; i < 3; i++)
        set(world, arena_printf(world->mem, "c%d", i), HOSTSTATUS_APPLIED, "");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 3);
    assert_non_null(strstr(world->got.at[2].body, "\"c2\""));
    assert_int_equal(lines_with(world, "no jane/shop there, or not this commit"), 1);
}

static void what_will_never_be_taken_is_given_up(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 422, .body = "{\"message\":\"too many\"}" },
                                            { .status = 201 } };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    set(world, "b", HOSTSTATUS_APPLIED, "");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 2);
    assert_int_equal(lines_with(world, "answers 422: too many"), 1);
    set(world, "a", HOSTSTATUS_APPLIED, ""); /* it would be refused again */
    assert_int_equal(hoststatus_waiting(world->status), 0);
}

static void a_redirect_is_not_followed(void **state)
{
    struct world *world = *state;
    const struct reply replies[] = {
        { .status = 307,
          .headers = { arena_printf(world->mem, "Location: http://localhost:%d/elsewhere",
                                    server_port(world->server)) } },
        { .status = 0 },
    };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, world->got.len == 2);
    assert_string_equal(world->got.at[1].line, world->got.at[0].line);
    assert_int_equal(lines_with(world, "leads on to http://localhost:"), 1);
    assert_int_equal(lines_with(world, "elsewhere"), 0);
    no_secret_is_told(world);
}

static void a_host_that_repeats_the_token_is_not_quoted(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = {
        { .status = 401, .body = "{\"message\":\"bad token " TOKEN "\"}" }, { .status = 0 }
    };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, world->got.len == 2);
    assert_int_equal(lines_with(world, "answers 401: the token is not accepted"), 1);
    no_secret_is_told(world);
}

static void without_its_file_the_token_is_waited_for(void **state)
{
    struct world *world = *state;
    start(world, NULL, 0);
    assert_int_equal(unlink(world->token_file), 0);
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, counted(world, "denied") >= 2);
    assert_int_equal(lines_with(world, "--git-host-token-file"), 1);
    write_token(world, "bad\001token");
    run_for(world, 300);
    assert_int_equal(world->got.len, 0);
    write_token(world, TOKEN);
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_int_equal(world->got.len, 1);
    no_secret_is_told(world);
}

static void it_can_end_at_any_time(void **state)
{
    struct world *world = *state;
    static const struct reply replies[] = { { .status = 0 } };
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    hoststatus_free(STEAL(world->status)); /* before the first request */
    start(world, replies, ARRAY_LEN(replies));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    set(world, "b", HOSTSTATUS_APPLIED, "");
    UNTIL(world, world->got.len == 1);
    hoststatus_free(STEAL(world->status)); /* with one on its way, one behind it */
}

/* -- settings --------------------------------------------------------------------------------------- */

static void settings_that_cannot_work_are_refused(void **state)
{
    struct world *world = *state;
    const struct hoststatus_opts good = opts_of(world);
    struct hoststatus_opts bad[6] = { good, good, good, good, good, good };
    static const char *const words[] = { "--git-host-token-file or SERIN_GIT_HOST_TOKEN",
                                         "the git host's token",
                                         "--git-host-url is no link",
                                         "--git-host-url is no link",
                                         "give --git-host-status=",
                                         "--git-host-api is no address" };
    bad[0].token_file = "";
    bad[1].token_file = NULL;
    bad[1].token = "two words\nand " TOKEN;
    bad[2].target_url = "javascript:alert(1)";
    bad[3].target_url = "https://x y";
    bad[4].provider = HOSTSTATUS_AUTO;
    bad[4].api = NULL;
    bad[5].api = "127.0.0.1";
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        SCOPED(err_free) struct err *e = hoststatus_new(&bad[i], &world->status);
        assert_true(err_is(e, ERR_INVALID));
        assert_non_null(strstr(err_text(e), words[i]));
        assert_null(strstr(err_text(e), TOKEN));
        assert_null(world->status);
    }
    struct hoststatus_opts by_variable = good;
    by_variable.token_file = NULL;
    by_variable.token = "from-the-environment";
    assert_null(hoststatus_new(&by_variable, &world->status));
    set(world, "a", HOSTSTATUS_APPLIED, "");
    UNTIL(world, !hoststatus_waiting(world->status));
    assert_string_equal(world->got.at[0].authorization, "token from-the-environment");
    assert_string_equal(hoststatus_place(world->status)->repo, "jane/shop");
}

int main(void)
{
#define world_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        world_test(a_status_reaches_the_host),
        world_test(only_the_last_state_is_sent),
        world_test(what_failed_does_not_overtake_what_is_newer),
        world_test(the_oldest_make_room),
        world_test(what_is_no_commit_is_left_out),
        world_test(a_busy_host_is_left_alone_for_a_while),
        world_test(what_is_left_of_the_limit_is_obeyed),
        world_test(a_host_that_is_away_is_waited_for),
        world_test(a_bad_token_is_told_once_and_read_again),
        world_test(an_unknown_commit_does_not_hold_up_others),
        world_test(what_will_never_be_taken_is_given_up),
        world_test(a_redirect_is_not_followed),
        world_test(a_host_that_repeats_the_token_is_not_quoted),
        world_test(without_its_file_the_token_is_waited_for),
        world_test(it_can_end_at_any_time),
        world_test(settings_that_cannot_work_are_refused),
    };
    return cmocka_run_group_tests_name("release_hoststatus", tests, NULL, NULL);
}
