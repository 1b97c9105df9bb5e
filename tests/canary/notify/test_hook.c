#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "canary/notify/hook.h"
#include "canary/notify/verdict.h"
#include "http_world.h"
#include "receiver.h"

#define LATE "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"

struct outcome {
    bool is_done, is_ok;
    char *text;
};

static void on_outcome(void *ctx, const struct canary_outcome *outcome)
{
    struct outcome *out = ctx;
    assert_false(out->is_done);
    *out = (struct outcome){ true, outcome->is_ok, base_copy_text(outcome->text) };
}

static struct canary canary_with(const struct canary_hook *hook)
{
    return (struct canary){ .name = "shop",
                            .ns = "prod",
                            .status = { .last_applied = "" },
                            .analysis = { .hooks = hook, .hooks_len = 1 } };
}

static struct hooks *hooks_of(struct receiver *receiver)
{
    return hooks_new(&(struct hooks_opts){
        .loop = receiver->loop, .http = receiver->http, .log = &receiver->log, .delay_ms = 20 });
}

/* One hook from start to end; the text is in the receiver's arena. */
static struct outcome ask(struct receiver *receiver, const struct canary_hook *hook)
{
    struct hooks *hooks = hooks_of(receiver);
    struct canary canary = canary_with(hook);
    struct outcome out = { 0 };
    ticket id = hook_start(hooks, &canary, 0, "Progressing", on_outcome, &out);
    assert_true(id != 0 && !out.is_done);
    RECEIVER_UNTIL(receiver, out.is_done);
    hooks_free(hooks);
    char *text = arena_strdup(receiver->mem, out.text);
    free(out.text);
    out.text = text;
    return out;
}

static void assert_fails(struct receiver *receiver, const struct canary_hook *hook,
                         const char *text)
{
    struct outcome out = ask(receiver, hook);
    assert_false(out.is_ok);
    assert_string_equal(out.text, text);
}

/* -- the request --------------------------------------------------------------------------------- */

static void a_hook_is_posted(void **state)
{
    struct receiver *receiver = *state;
    struct canary_hook hook = { .name = "h",
                                .url = receiver_url(receiver, "/gate"),
                                .timeout = "" };
    struct outcome out = ask(receiver, &hook);
    assert_true(out.is_ok);
    assert_string_equal(out.text, "");
    assert_int_equal(receiver->got.len, 1);
    assert_string_equal(receiver->got.at[0].line, "POST /gate");
    assert_string_equal(receiver->got.at[0].type, "application/json");
    assert_string_equal(receiver->got.at[0].authorization, "");
    assert_string_equal(receiver->got.at[0].body,
                        "{\"name\":\"shop\",\"namespace\":\"prod\",\"phase\":\"Progressing\","
                        "\"checksum\":\"758df7c9fc\"}");
}

static const struct reply statuses[] = {
    { "/200", 200, "fine", NULL, 0 },  { "/202", 202, "", NULL, 0 },
    { "/203", 203, "so so", NULL, 0 }, { "/204", 204, NULL, NULL, 0 },
    { "/302", 302, "", NULL, 0 },      { "/403", 403, "not <good> enough", NULL, 0 },
    { "/501", 501, "never", NULL, 0 },
};

static void the_status_is_the_verdict(void **state)
{
    struct receiver *receiver = *state;
    receiver_script(receiver, statuses, ARRAY_LEN(statuses));
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct canary_hook hook = { .name = "h",
                                    .url = receiver_url(receiver, statuses[i].path),
                                    .timeout = "5s",
                                    .retries = 2 };
        struct outcome out = ask(receiver, &hook);
        assert_int_equal(out.is_ok, statuses[i].status <= 202);
        if (!out.is_ok)
            assert_string_equal(out.text, statuses[i].body ? statuses[i].body : "");
    }
    assert_int_equal(receiver->got.len, ARRAY_LEN(statuses)); /* none was tried twice */
}

/* -- attempts ------------------------------------------------------------------------------------ */

static void a_hook_survives_as_many_errors_as_it_has_retries(void **state)
{
    static const struct reply replies[] = { { "/x", 500, "no", NULL, 0 },
                                            { "/x", 429, "wait", NULL, 0 },
                                            { "/x", 200, "", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct canary_hook hook = {
        .name = "h", .url = receiver_url(receiver, "/x"), .timeout = "5s", .retries = 2
    };
    int64_t before = loop_now_ms(receiver->loop);
    assert_true(ask(receiver, &hook).is_ok);
    assert_true(loop_now_ms(receiver->loop) - before >= 20 + 40); /* one delay, and twice that */
    assert_int_equal(receiver->got.len, 3);
    assert_string_equal(receiver->got.at[2].body, receiver->got.at[0].body);
}

static void errors_beyond_the_retries_are_counted(void **state)
{
    static const struct reply replies[] = { { "/x", 503, "busy", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    const char *url = receiver_url(receiver, "/x?token=1");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "5s", .retries = 1 };
    assert_fails(receiver, &hook,
                 arena_printf(receiver->mem, "POST %s giving up after 2 attempt(s)", url));
    hook.retries = 0;
    assert_fails(receiver, &hook,
                 arena_printf(receiver->mem, "POST %s giving up after 1 attempt(s)", url));
    assert_int_equal(receiver->got.len, 3);
}

static void a_receiver_that_asks_for_time_gets_it(void **state)
{
    static const struct reply replies[] = { { "/x", 503, "busy", "Retry-After: 1", 0 },
                                            { "/x", 200, "", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct canary_hook hook = {
        .name = "h", .url = receiver_url(receiver, "/x"), .timeout = "5s", .retries = 1
    };
    int64_t before = loop_now_ms(receiver->loop);
    assert_true(ask(receiver, &hook).is_ok);
    assert_true(loop_now_ms(receiver->loop) - before >= 1000);
}

static void the_timeout_is_that_of_each_attempt(void **state)
{
    static const struct reply replies[] = { { "/x", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    const char *url = receiver_url(receiver, "/x");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "200ms", .retries = 1 };
    int64_t before = loop_now_ms(receiver->loop);
    assert_fails(receiver, &hook,
                 arena_printf(receiver->mem,
                              "POST %s giving up after 2 attempt(s): Post \"%s\": " LATE, url,
                              url));
    assert_true(loop_now_ms(receiver->loop) - before >= 400);
    assert_int_equal(receiver->got.len, 2);
}

static void a_timeout_that_is_none_fails_without_a_request(void **state)
{
    struct receiver *receiver = *state;
    struct canary_hook hook = {
        .name = "h", .url = receiver_url(receiver, "/x"), .timeout = "5sx", .retries = 3
    };
    assert_fails(receiver, &hook, "time: unknown unit \"sx\" in duration \"5sx\"");
    assert_int_equal(receiver->got.len, 0);
}

/* -- counterparts that do not behave ------------------------------------------------------------- */

static void nobody_there_is_told_as_go_tells_it(void **state)
{
    struct canary_hook hook = { .name = "h", .url = "http://127.0.0.1:1/x", .timeout = "5s" };
    assert_fails(*state, &hook,
                 "POST http://127.0.0.1:1/x giving up after 1 attempt(s): Post "
                 "\"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused");
    hook.url = "http://me:s3cret@127.0.0.1:1/x";
    hook.retries = 2;
    assert_fails(*state, &hook,
                 "POST http://me:xxxxx@127.0.0.1:1/x giving up after 3 attempt(s): Post "
                 "\"http://me:***@127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection "
                 "refused");
}

static void a_bad_address_is_not_tried_again(void **state)
{
    struct canary_hook hook = {
        .name = "h", .url = "gopher://x/", .timeout = "5s", .retries = 100
    };
    struct outcome out = ask(*state, &hook);
    assert_false(out.is_ok);
    static const char start[] =
        "POST gopher://x/ giving up after 1 attempt(s): Post \"gopher://x/\": ";
    assert_memory_equal(out.text, start, sizeof(start) - 1);
}

static void ten_megabytes_of_refusal_are_cut(void **state)
{
    static const struct reply replies[] = { { "/no", 403, "no: ", NULL, (size_t)10 << 20 },
                                            { "/yes", 200, "yes: ", NULL, (size_t)10 << 20 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct canary_hook hook = {
        .name = "h", .url = receiver_url(receiver, "/no"), .timeout = "20s", .retries = 5
    };
    struct outcome out = ask(receiver, &hook);
    assert_false(out.is_ok);
    assert_int_equal(strlen(out.text), VERDICT_BODY_BYTES);
    assert_memory_equal(out.text, "no: xxxx", 8);
    hook.url = receiver_url(receiver, "/yes");
    assert_true(ask(receiver, &hook).is_ok);
    assert_int_equal(receiver->got.len, 2);
}

static void a_redirect_is_followed(void **state)
{
    static const struct reply replies[] = { { "/moved", 307, "", "Location: /here", 0 },
                                            { "/found", 302, "", "Location: /there", 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct canary_hook hook = { .name = "h",
                                .url = receiver_url(receiver, "/moved"),
                                .timeout = "5s" };
    assert_true(ask(receiver, &hook).is_ok);
    assert_string_equal(receiver->got.at[1].line, "POST /here");
    assert_string_equal(receiver->got.at[1].body, receiver->got.at[0].body);
    hook.url = receiver_url(receiver, "/found");
    assert_true(ask(receiver, &hook).is_ok);
    assert_string_equal(receiver->got.at[3].line, "GET /there");
    assert_string_equal(receiver->got.at[3].body, "");
}

static void a_redirect_without_end_is_not_tried_again(void **state)
{
    static const struct reply replies[] = { { "/loop", 302, "", "Location: /loop", 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    const char *url = receiver_url(receiver, "/loop");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "5s", .retries = 3 };
    assert_fails(receiver, &hook,
                 arena_printf(receiver->mem,
                              "POST %s giving up after 1 attempt(s): Post \"%s\": more than 5 "
                              "redirects",
                              url, url));
    assert_int_equal(receiver->got.len, 6);
}

static void serve_nothing(struct peer_raw *raw, int fd, const char *head)
{
    (void)fd;
    (void)head;
    peer_raw_count(raw);
}

static void a_closed_connection_is_tried_again(void **state)
{
    struct receiver *receiver = *state;
    struct peer_raw *raw = peer_raw_new(serve_nothing);
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(raw), "/x");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "5s", .retries = 1 };
    assert_fails(receiver, &hook,
                 arena_printf(receiver->mem,
                              "POST %s giving up after 2 attempt(s): Post \"%s\": EOF", url, url));
    assert_true(peer_raw_counted(raw) >= 2);
    free(url);
    peer_raw_free(raw);
}

static void serve_half(struct peer_raw *raw, int fd, const char *head)
{
    (void)head;
    peer_raw_count(raw);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void half_an_answer_is_none(void **state)
{
    struct receiver *receiver = *state;
    struct peer_raw *raw = peer_raw_new(serve_half);
    char *url = http_peer_url("http://127.0.0.1", peer_raw_port(raw), "/x");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "5s", .retries = 1 };
    assert_fails(receiver, &hook, "error reading body: unexpected EOF");
    assert_int_equal(peer_raw_counted(raw), 1);
    free(url);
    peer_raw_free(raw);
}

/* -- TLS ----------------------------------------------------------------------------------------- */

static void a_certificate_counts_unless_told_otherwise(void **state)
{
    struct receiver *receiver = *state;
    char *dir = peer_dir_new();
    peer_certs(dir); /* signed by a CA that nobody knows */
    struct peer_nginx *nginx = peer_nginx_new(dir, server_port(receiver->server));
    char *url = http_peer_url("https://localhost", nginx->https, "/up/gate");
    struct canary_hook hook = { .name = "h", .url = url, .timeout = "5s", .retries = 3 };
    struct outcome out = ask(receiver, &hook);
    assert_false(out.is_ok);
    const char *start = arena_printf(receiver->mem,
                                     "POST %s giving up after 1 attempt(s): Post \"%s\": tls: "
                                     "failed to verify certificate: ",
                                     url, url);
    assert_memory_equal(out.text, start, strlen(start));
    assert_int_equal(receiver->got.len, 0);
    hook.disable_tls = true;
    assert_true(ask(receiver, &hook).is_ok);
    assert_int_equal(receiver->got.len, 1);
    free(url);
    peer_nginx_free(nginx);
    peer_dir_free(dir);
}

/* -- many of them -------------------------------------------------------------------------------- */

static void hooks_do_not_wait_for_each_other(void **state)
{
    static const struct reply replies[] = { { "/slow", 0, NULL, NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver);
    struct canary_hook slow = { .name = "s",
                                .url = receiver_url(receiver, "/slow"),
                                .timeout = "1m" };
    struct canary_hook quick = { .name = "q",
                                 .url = receiver_url(receiver, "/quick"),
                                 .timeout = "5s" };
    struct canary waiting = canary_with(&slow), going = canary_with(&quick);
    struct outcome outcomes[60] = { 0 }, out = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
        hook_start(hooks, &waiting, 0, "Progressing", on_outcome, &outcomes[i]);
    receiver_wait_got(receiver, ARRAY_LEN(outcomes));
    hook_start(hooks, &going, 0, "Progressing", on_outcome, &out);
    RECEIVER_UNTIL(receiver, out.is_done);
    assert_true(out.is_ok);
    free(out.text);
    receiver_let_go(receiver);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        RECEIVER_UNTIL(receiver, outcomes[i].is_done);
        assert_true(outcomes[i].is_ok);
        free(outcomes[i].text);
    }
    hooks_free(hooks);
}

static void a_cancelled_hook_says_nothing(void **state)
{
    static const struct reply replies[] = { { "/slow", 0, NULL, NULL, 0 },
                                            { "/again", 500, "", NULL, 0 } };
    struct receiver *receiver = *state;
    receiver_script(receiver, replies, ARRAY_LEN(replies));
    struct hooks *hooks = hooks_of(receiver);
    struct canary_hook list[] = {
        { .name = "s", .url = receiver_url(receiver, "/slow"), .timeout = "1m" },
        { .name = "a", .url = receiver_url(receiver, "/again"), .timeout = "5s", .retries = 9999 },
        { .name = "t", .url = receiver_url(receiver, "/never"), .timeout = "bad" },
        { .name = "f", .url = receiver_url(receiver, "/slow"), .timeout = "1m" },
    };
    struct canary canary = canary_with(list);
    canary.analysis.hooks_len = ARRAY_LEN(list);
    struct outcome outcomes[ARRAY_LEN(list)] = { 0 };
    ticket ids[ARRAY_LEN(list)];
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        ids[i] = hook_start(hooks, &canary, i, "Progressing", on_outcome, &outcomes[i]);
    hook_cancel(hooks, ids[2]);
    receiver_wait_got(receiver, 3);
    loop_turn(receiver->loop, 10);
    hook_cancel(hooks, ids[0]);
    hook_cancel(hooks, ids[1]);
    hook_cancel(hooks, ids[1]); /* is gone: harmless */
    hook_cancel(hooks, 0);
    size_t before = receiver->got.len;
    for (int i = 0; i < 20; i++)
        loop_turn(receiver->loop, 10);
    assert_int_equal(receiver->got.len, before);
    hooks_free(hooks); /* one runs still */
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        assert_false(outcomes[i].is_done);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, receiver_setup, receiver_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_hook_is_posted),
        TEST(the_status_is_the_verdict),
        TEST(a_hook_survives_as_many_errors_as_it_has_retries),
        TEST(errors_beyond_the_retries_are_counted),
        TEST(a_receiver_that_asks_for_time_gets_it),
        TEST(the_timeout_is_that_of_each_attempt),
        TEST(a_timeout_that_is_none_fails_without_a_request),
        TEST(nobody_there_is_told_as_go_tells_it),
        TEST(a_bad_address_is_not_tried_again),
        TEST(ten_megabytes_of_refusal_are_cut),
        TEST(a_redirect_is_followed),
        TEST(a_redirect_without_end_is_not_tried_again),
        TEST(a_closed_connection_is_tried_again),
        TEST(half_an_answer_is_none),
        TEST(a_certificate_counts_unless_told_otherwise),
        TEST(hooks_do_not_wait_for_each_other),
        TEST(a_cancelled_hook_says_nothing),
    };
    return cmocka_run_group_tests_name("canary_hook", tests, NULL, NULL);
}
