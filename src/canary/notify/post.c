#include "canary/notify/post.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "canary/cause.h"
#include "canary/notify/verdict.h"

#define ANSWER_BYTES ((size_t)64 << 10) /* read of an answer; what is behind does not change it */

struct post {
    struct loop *loop;
    struct http *http;
    const struct post_request *request;
    int64_t made; /* attempts */
    ticket running, timer;
    post_done done;
    void *ctx;
};

struct post_request post_copy(const struct post_request *request)
{
    struct post_request copy = *request;
    copy.url = base_copy_text(request->url);
    copy.body = base_copy_text(request->body);
    copy.token = base_copy_text(request->token);
    copy.proxy = base_copy_text(request->proxy);
    return copy;
}

void post_fini(struct post_request *copy)
{
    const char *const texts[] = { copy->url, copy->body, copy->token, copy->proxy };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free((char *)texts[i]); /* copies made by post_copy */
    *copy = (struct post_request){ 0 };
}

/* -- what came of an attempt -------------------------------------------------------------------- */

static const char *shown_url(const struct post *post, struct arena *mem)
{
    const char *url = post->request->url;
    size_t len = post->request->rules == POST_REPORT ? strcspn(url, "?#") : strlen(url);
    return arena_strndup(mem, url, len);
}

/* Redirected to where it may not go, or too often: the status that is there is not the answer. */
static bool is_lost_on_the_way(const struct http_result *result)
{
    return result->status >= 301 && result->status <= 308 && http_header(result, "Location");
}

static void judge_failure(const struct post *post, struct arena *mem,
                          const struct http_result *result, struct attempt *out)
{
    bool is_alert = post->request->rules == POST_ALERT;
    const char *url = is_alert ? NULL : shown_url(post, mem);
    if (result->status && !is_lost_on_the_way(result)) {
        bool is_long = err_is(result->err, ERR_LIMIT); /* the beginning is enough */
        out->broken = is_long ? NULL : cause_reason(mem, url, result);
        return;
    }
    out->status = 0;
    out->is_final = !err_is(result->err, ERR_TRANSIENT);
    out->cause = is_alert ? cause_reason(mem, NULL, result) : cause_text(mem, "POST", url, result);
}

static struct attempt attempt_of(const struct post *post, struct arena *mem,
                                 const struct http_result *result)
{
    const char *wait = http_header(result, "Retry-After");
    struct attempt attempt = {
        .status = result->status,
        .body = result->body,
        .retry_after_ms = wait ? time_parse_retry_after(wait, loop_wall_ms(post->loop)) : -1,
    };
    if (result->err)
        judge_failure(post, mem, result, &attempt);
    return attempt;
}

/* -- attempts ----------------------------------------------------------------------------------- */

static void start_attempt(struct post *post);

static void finish(struct post *post, const char *fault)
{
    post_done done = post->done;
    void *ctx = post->ctx;
    free(post);
    done(ctx, fault);
}

static void on_wait_over(void *ctx)
{
    struct post *post = ctx;
    post->timer = 0;
    start_attempt(post);
}

static void judge_hook(struct post *post, struct arena *mem, const struct attempt *attempt)
{
    struct hook_tries tries = {
        .url = cause_url(mem, shown_url(post, mem), "xxxxx"),
        .made = post->made,
        .allowed = post->request->retries,
        .delay_ms = post->request->delay_ms,
    };
    struct verdict verdict = notify_hook_verdict(mem, &tries, attempt);
    switch (verdict.kind) {
    case VERDICT_PASSED: finish(post, NULL); break;
    case VERDICT_FAILED: finish(post, verdict.text); break;
    case VERDICT_AGAIN:
        post->timer = loop_after(post->loop, verdict.wait_ms, on_wait_over, post);
        break;
    }
}

static void on_answer(void *ctx, const struct http_result *result)
{
    struct post *post = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct attempt attempt = attempt_of(post, mem, result);
    post->running = 0;
    if (post->request->rules != POST_ALERT) {
        judge_hook(post, mem, &attempt);
        return;
    }
    const char *const secrets[] = { post->request->url, post->request->token, NULL };
    finish(post, notify_alert_fault(mem, &attempt, secrets));
}

static void start_attempt(struct post *post)
{
    static const struct http_tls any_certificate = { .is_insecure = true };
    const struct post_request *request = post->request;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *headers[] = { "Content-Type: application/json", NULL, NULL };
    if (*request->token)
        headers[1] = arena_printf(mem, "Authorization: Bearer %s", request->token);
    post->made++;
    post->running = http_start(post->http,
                               &(struct http_request){
                                   .method = "POST",
                                   .url = request->url,
                                   .headers = headers,
                                   .body = request->body,
                                   .body_len = strlen(request->body),
                                   .timeout_ms = request->timeout_ms,
                                   .connect_ms = request->timeout_ms,
                                   .limit_bytes = ANSWER_BYTES,
                                   .tls = request->is_insecure ? &any_certificate : NULL,
                                   .proxy = request->is_insecure ? "" : request->proxy,
                                   .follow_redirects = true,
                                   .own_connection = true,
                               },
                               on_answer, post);
}

struct post *post_start(struct loop *loop, struct http *http, const struct post_request *request,
                        post_done done, void *ctx)
{
    struct post *post = base_alloc(sizeof(*post));
    *post =
        (struct post){ .loop = loop, .http = http, .request = request, .done = done, .ctx = ctx };
    start_attempt(post);
    return post;
}

void post_cancel(struct post *post)
{
    if (!post)
        return;
    http_cancel(post->http, post->running);
    loop_cancel(post->loop, post->timer);
    free(post);
}
