#include "../rows.h"

#include "kube/retry.h"

/* One row: an answer, and whether (and when, without jitter) it is asked for again. */
static const struct retry_case {
    const char *name;
    struct kube_retry_view view;
    int64_t after_ms;
    bool pauses_all;
} retries[] = {
    { "429 waits as long as it was told and holds back the rest",
      { .status = 429, .refusal = KUBE_REFUSED_THROTTLED, .tried = 1, .retry_after_ms = 3000 },
      3000,
      true },
    { "429 without a time backs off",
      { .status = 429, .refusal = KUBE_REFUSED_THROTTLED, .tried = 2, .retry_after_ms = -1 },
      200,
      true },
    { "503 repeats what may not be repeated otherwise",
      { .status = 503, .refusal = KUBE_REFUSED_SERVER, .tried = 1, .retry_after_ms = -1 },
      100,
      false },
    { "503 with a time holds back the rest",
      { .status = 503, .refusal = KUBE_REFUSED_SERVER, .tried = 1, .retry_after_ms = 1000 },
      1000,
      true },
    { "500 repeats an apply",
      { .status = 500,
        .refusal = KUBE_REFUSED_SERVER,
        .may_repeat = true,
        .tried = 3,
        .retry_after_ms = -1 },
      400,
      false },
    { "500 does not repeat a POST",
      { .status = 500, .refusal = KUBE_REFUSED_SERVER, .tried = 1, .retry_after_ms = -1 },
      -1,
      false },
    { "a 500 that is the manifest's fault is final",
      { .status = 500,
        .refusal = KUBE_REFUSED_MANIFEST,
        .may_repeat = true,
        .tried = 1,
        .retry_after_ms = -1 },
      -1,
      false },
    { "504 obeys Retry-After",
      { .status = 504,
        .refusal = KUBE_REFUSED_SERVER,
        .may_repeat = true,
        .tried = 1,
        .retry_after_ms = 1000 },
      1000,
      false },
    { "a lost connection repeats a GET and holds back the rest",
      { .is_lost = true,
        .refusal = KUBE_REFUSED_SERVER,
        .may_repeat = true,
        .tried = 1,
        .retry_after_ms = -1 },
      100,
      true },
    { "a lost connection does not repeat a POST",
      { .is_lost = true, .refusal = KUBE_REFUSED_SERVER, .tried = 1, .retry_after_ms = -1 },
      -1,
      false },
    { "the last attempt was the last",
      { .status = 429, .refusal = KUBE_REFUSED_THROTTLED, .tried = 5, .retry_after_ms = 1 },
      -1,
      false },
    { "no wait past the deadline",
      { .status = 429, .refusal = KUBE_REFUSED_THROTTLED, .tried = 1, .retry_after_ms = 60000 },
      -1,
      false },
    { "a conflict is an answer",
      { .status = 409,
        .refusal = KUBE_REFUSED_CONFLICT,
        .may_repeat = true,
        .tried = 1,
        .retry_after_ms = -1 },
      -1,
      false },
    { "so is a 410",
      { .status = 410,
        .refusal = KUBE_REFUSED_EXPIRED,
        .may_repeat = true,
        .tried = 1,
        .retry_after_ms = -1 },
      -1,
      false },
};

static void retry_is_decided(void **state)
{
    const struct retry_case *row = *state;
    struct kube_retry_view view = row->view;
    view.attempts = 5;
    view.left_ms = 60000;
    view.base_ms = 100;
    struct kube_retry got = kube_retry_decide(&view);
    assert_int_equal(got.after_ms, row->after_ms);
    assert_int_equal(got.pauses_all, row->pauses_all);
}

static void back_off_doubles_is_bounded_and_jitters(void **state)
{
    (void)state;
    assert_int_equal(kube_backoff_ms(1, 250, 0), 250);
    assert_int_equal(kube_backoff_ms(2, 250, 0), 500);
    assert_int_equal(kube_backoff_ms(5, 250, 0), 4000);
    assert_int_equal(kube_backoff_ms(8, 250, 0), 32000);
    assert_int_equal(kube_backoff_ms(1000, 250, 0), 32000);
    assert_int_equal(kube_backoff_ms(1, 250, 125), 125);
    for (uint32_t random = 0; random < 10000; random += 7) {
        int64_t got = kube_backoff_ms(3, 250, random * 429496);
        assert_in_range(got, 500, 1000);
    }
}

static void only_what_may_be_done_twice_is_repeated(void **state)
{
    (void)state;
    assert_true(kube_may_repeat("GET", NULL));
    assert_true(kube_may_repeat("DELETE", NULL));
    assert_true(kube_may_repeat("PATCH", "application/apply-patch+yaml"));
    assert_false(kube_may_repeat("PATCH", "application/json-patch+json"));
    assert_false(kube_may_repeat("PATCH", NULL));
    assert_false(kube_may_repeat("POST", "application/json"));
    assert_false(kube_may_repeat("PUT", "application/json"));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(back_off_doubles_is_bounded_and_jitters),
        SINGLE(only_what_may_be_done_twice_is_repeated),
        ROWS(retries, retry_is_decided),
    };
    return rows_run("kube_retry", tests, ARRAY_LEN(tests));
}
