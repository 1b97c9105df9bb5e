#include <string.h>

#include "../../rows.h"

#include "canary/notify/verdict.h"

#define URL   "http://gate/x"
#define CAUSE "Post \"http://gate/x\": EOF"

static const struct verdict_case {
    const char *name;
    struct attempt attempt;
    int64_t made, allowed;
    enum verdict_kind kind;
    int64_t wait_ms;
    const char *text;
} verdict_cases[] = {
    { "200 passes", { .status = 200, .retry_after_ms = -1 }, 1, 0, VERDICT_PASSED, 0, NULL },
    { "202 passes", { .status = 202, .retry_after_ms = -1 }, 1, 0, VERDICT_PASSED, 0, NULL },
    { "203 fails with its body",
      { .status = 203, .body = "hm", .retry_after_ms = -1 },
      1,
      3,
      VERDICT_FAILED,
      0,
      "hm" },
    { "204 fails with nothing to say",
      { .status = 204, .body = "", .retry_after_ms = -1 },
      1,
      3,
      VERDICT_FAILED,
      0,
      "" },
    { "301 that leads nowhere fails",
      { .status = 301, .body = "", .retry_after_ms = -1 },
      1,
      3,
      VERDICT_FAILED,
      0,
      "" },
    { "403 is not tried again",
      { .status = 403, .body = "no <way>", .retry_after_ms = -1 },
      1,
      3,
      VERDICT_FAILED,
      0,
      "no <way>" },
    { "501 is not tried again",
      { .status = 501, .body = "never", .retry_after_ms = -1 },
      1,
      3,
      VERDICT_FAILED,
      0,
      "never" },
    { "500 is given up at once without retries",
      { .status = 500, .body = "lost", .retry_after_ms = -1 },
      1,
      0,
      VERDICT_FAILED,
      0,
      "POST http://gate/x giving up after 1 attempt(s)" },
    { "429 is given up after its retries",
      { .status = 429, .body = "x", .retry_after_ms = -1 },
      3,
      2,
      VERDICT_FAILED,
      0,
      "POST http://gate/x giving up after 3 attempt(s)" },
    { "502 is tried again after a second",
      { .status = 502, .retry_after_ms = -1 },
      1,
      2,
      VERDICT_AGAIN,
      1000,
      NULL },
    { "the second wait is two seconds",
      { .status = 502, .retry_after_ms = -1 },
      2,
      2,
      VERDICT_AGAIN,
      2000,
      NULL },
    { "the third wait is four seconds",
      { .status = 502, .retry_after_ms = -1 },
      3,
      9,
      VERDICT_AGAIN,
      4000,
      NULL },
    { "no wait is over thirty seconds",
      { .status = 502, .retry_after_ms = -1 },
      6,
      9,
      VERDICT_AGAIN,
      30000,
      NULL },
    { "nor is the thousandth",
      { .status = 502, .retry_after_ms = -1 },
      1000,
      9999,
      VERDICT_AGAIN,
      30000,
      NULL },
    { "503 may ask for a wait",
      { .status = 503, .retry_after_ms = 7000 },
      1,
      1,
      VERDICT_AGAIN,
      7000,
      NULL },
    { "429 may ask for none",
      { .status = 429, .retry_after_ms = 0 },
      3,
      3,
      VERDICT_AGAIN,
      0,
      NULL },
    { "a wait has an end",
      { .status = 429, .retry_after_ms = 86400000 },
      1,
      1,
      VERDICT_AGAIN,
      300000,
      NULL },
    { "500 may not ask for a wait",
      { .status = 500, .retry_after_ms = 7000 },
      1,
      1,
      VERDICT_AGAIN,
      1000,
      NULL },
    { "no answer is tried again",
      { .cause = CAUSE, .retry_after_ms = -1 },
      1,
      1,
      VERDICT_AGAIN,
      1000,
      NULL },
    { "no answer is given up with its cause",
      { .cause = CAUSE, .retry_after_ms = -1 },
      2,
      1,
      VERDICT_FAILED,
      0,
      "POST http://gate/x giving up after 2 attempt(s): " CAUSE },
    { "what cannot be mended is not tried again",
      { .cause = CAUSE, .is_final = true, .retry_after_ms = -1 },
      1,
      5,
      VERDICT_FAILED,
      0,
      "POST http://gate/x giving up after 1 attempt(s): " CAUSE },
    { "an answer that breaks off fails",
      { .status = 200, .broken = "unexpected EOF", .retry_after_ms = -1 },
      1,
      5,
      VERDICT_FAILED,
      0,
      "error reading body: unexpected EOF" },
    { "negative retries are none",
      { .status = 500, .retry_after_ms = -1 },
      1,
      -4,
      VERDICT_FAILED,
      0,
      "POST http://gate/x giving up after 1 attempt(s)" },
};

static void verdict_is(void **state)
{
    const struct verdict_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hook_tries tries = { URL, row->made, row->allowed, VERDICT_DELAY_MS };
    struct verdict got = notify_hook_verdict(mem, &tries, &row->attempt);
    assert_int_equal(got.kind, row->kind);
    assert_int_equal(got.wait_ms, row->wait_ms);
    assert_int_equal(got.text != NULL, row->text != NULL);
    if (row->text)
        assert_string_equal(got.text, row->text);
}

static void a_long_answer_is_cut_between_two_characters(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *body = arena_alloc(mem, VERDICT_BODY_BYTES + 10);
    memset(body, 'a', VERDICT_BODY_BYTES + 9);
    memcpy(body + VERDICT_BODY_BYTES - 1, "\xe2\x82\xac", 3); /* begins in the last byte */
    struct hook_tries tries = { URL, 1, 0, VERDICT_DELAY_MS };
    struct attempt attempt = { .status = 400, .body = body, .retry_after_ms = -1 };
    struct verdict got = notify_hook_verdict(mem, &tries, &attempt);
    assert_int_equal(strlen(got.text), VERDICT_BODY_BYTES - 1);
    assert_int_equal(got.text[VERDICT_BODY_BYTES - 2], 'a');
}

/* -- timeouts ------------------------------------------------------------------------------------ */

static const struct timeout_case {
    const char *name, *text;
    int64_t ms;
    const char *error;
} timeout_cases[] = {
    { "no timeout is ten seconds", "", 10000, NULL },
    { "a single character is ten seconds", "5", 10000, NULL },
    { "a timeout of minutes", "2m", 120000, NULL },
    { "a composed timeout", "1m30s", 90000, NULL },
    { "milliseconds", "500ms", 500, NULL },
    { "no end at all is ten seconds", "0s", 10000, NULL },
    { "what the schema lets pass but is no duration", "5sx", 0,
      "time: unknown unit \"sx\" in duration \"5sx\"" },
    { "a number without a unit", "15", 0, "time: missing unit in duration \"15\"" },
};

static void timeout_is(void **state)
{
    const struct timeout_case *row = *state;
    int64_t ms = 0;
    SCOPED(err_free) struct err *e = notify_hook_timeout(row->text, &ms);
    assert_string_equal(err_text(e), row->error ? row->error : "");
    if (!row->error)
        assert_int_equal(ms, row->ms);
}

/* -- chats --------------------------------------------------------------------------------------- */

#define ADDRESS "https://hooks.example.com/services/T000/B000"
#define FAILED  "postMessage failed: "

static const struct fault_case {
    const char *name;
    struct attempt attempt;
    const char *fault;
} fault_cases[] = {
    { "a chat may say 200", { .status = 200, .body = "" }, NULL },
    { "a chat may say 204", { .status = 204, .body = "" }, NULL },
    { "a chat may not say 302",
      { .status = 302, .body = "" },
      FAILED "sending notification bad response 302: " },
    { "a refusal is shown",
      { .status = 403, .body = "invalid_token" },
      FAILED "sending notification bad response 403: invalid_token" },
    { "a refusal that repeats the address is not",
      { .status = 404, .body = "no " ADDRESS },
      FAILED "sending notification bad response 404: (not shown: it repeats the address or the "
             "token)" },
    { "nor one that repeats its path",
      { .status = 404, .body = "/services/T000/B000 is gone" },
      FAILED "sending notification bad response 404: (not shown: it repeats the address or the "
             "token)" },
    { "nor one that repeats the token",
      { .status = 401, .body = "bad xoxb-1" },
      FAILED "sending notification bad response 401: (not shown: it repeats the address or the "
             "token)" },
    { "no answer has a cause", { .cause = "EOF" }, FAILED "EOF" },
};

static void fault_is(void **state)
{
    const struct fault_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *const secrets[] = { ADDRESS, "xoxb-1", NULL };
    const char *fault = notify_alert_fault(mem, &row->attempt, secrets);
    assert_int_equal(fault != NULL, row->fault != NULL);
    if (fault)
        assert_string_equal(fault, row->fault);
}

static void an_address_without_a_path_hides_nothing_else(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *const secrets[] = { "http://x/", "", NULL };
    struct attempt attempt = { .status = 500, .body = "a/b" };
    assert_string_equal(notify_alert_fault(mem, &attempt, secrets),
                        FAILED "sending notification bad response 500: a/b");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(verdict_cases, verdict_is),
        ROWS(timeout_cases, timeout_is),
        ROWS(fault_cases, fault_is),
        SINGLE(a_long_answer_is_cut_between_two_characters),
        SINGLE(an_address_without_a_path_hides_nothing_else),
    };
    return rows_run("canary_verdict", tests, ARRAY_LEN(tests));
}
