#include "canary/notify/hook.h"

#include <stdlib.h>
#include <string.h>

#include "canary/notify/outbox.h"
#include "canary/notify/verdict.h"

#define REPORT_LEAD "error sending event to webhook: "

/* A hook that somebody waits for. */
struct gate {
    struct hooks *hooks;
    ticket id;
    struct gate *next, **at;
    struct post_request request;
    struct post *post;
    ticket timer; /* it failed before it began */
    char *fault;
    hook_done done;
    void *ctx;
};

struct hooks {
    struct loop *loop;
    struct http *http;
    char *event_url;
    int64_t delay_ms;
    struct gate *gates;
    ticket last_id;
    struct outbox *outbox;
};

/* -- gates -------------------------------------------------------------------------------------- */

static void gate_free(struct gate *gate)
{
    *gate->at = gate->next;
    if (gate->next)
        gate->next->at = gate->at;
    post_cancel(gate->post);
    loop_cancel(gate->hooks->loop, gate->timer);
    post_fini(&gate->request);
    free(gate->fault);
    free(gate);
}

static struct gate *gate_new(struct hooks *hooks, hook_done done, void *ctx)
{
    struct gate *gate = base_alloc(sizeof(*gate));
    *gate = (struct gate){ .hooks = hooks,
                           .id = ++hooks->last_id,
                           .next = hooks->gates,
                           .at = &hooks->gates,
                           .done = done,
                           .ctx = ctx };
    if (gate->next)
        gate->next->at = &gate->next;
    hooks->gates = gate;
    return gate;
}

static void on_gate(void *ctx, const char *fault)
{
    struct gate *gate = ctx;
    gate->post = NULL;
    hook_done done = gate->done;
    void *done_ctx = gate->ctx;
    char *text = base_copy_text(fault);
    gate_free(gate);
    done(done_ctx, &(struct canary_outcome){
                       .is_ok = !text, .severity = CANARY_WARN, .text = text ? text : "" });
    free(text);
}

static void on_late_fault(void *ctx)
{
    struct gate *gate = ctx;
    gate->timer = 0;
    on_gate(gate, gate->fault);
}

static struct post_request request_of(const struct hooks *hooks, const struct canary_hook *hook,
                                      const char *body, int64_t timeout_ms)
{
    return (struct post_request){
        .rules = POST_HOOK,
        .url = hook->url,
        .body = body,
        .token = "",
        .is_insecure = hook->disable_tls,
        .timeout_ms = timeout_ms,
        .retries = hook->retries,
        .delay_ms = hooks->delay_ms,
    };
}

ticket hook_start(struct hooks *hooks, const struct canary *canary, size_t index, const char *phase,
                  hook_done done, void *ctx)
{
    const struct canary_hook *hook = &canary->analysis.hooks[index];
    struct gate *gate = gate_new(hooks, done, ctx);
    int64_t timeout_ms;
    SCOPED(err_free) struct err *e = notify_hook_timeout(hook->timeout, &timeout_ms);
    if (e) {
        gate->fault = base_copy_text(err_text(e));
        gate->timer = loop_after(hooks->loop, 0, on_late_fault, gate);
        return gate->id;
    }
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *body = notify_hook_body(mem, canary, phase, hook->metadata, NULL);
    struct post_request request = request_of(hooks, hook, body, timeout_ms);
    gate->request = post_copy(&request);
    gate->post = post_start(hooks->loop, hooks->http, &gate->request, on_gate, gate);
    return gate->id;
}

void hook_cancel(struct hooks *hooks, ticket hook)
{
    for (struct gate *gate = hooks->gates; gate; gate = gate->next) {
        if (gate->id == hook) {
            gate_free(gate);
            return;
        }
    }
}

/* -- reports ------------------------------------------------------------------------------------ */

static void put_report(struct hooks *hooks, struct arena *mem, const struct canary *canary,
                       struct post_request post)
{
    post.rules = POST_REPORT;
    const char *title = arena_printf(mem, "%s.%s", canary->name, canary->ns);
    outbox_put(hooks->outbox, &(struct outbox_letter){
                                  .key = arena_printf(mem, "%s\n%s", title, post.url),
                                  .from = title,
                                  .lead = REPORT_LEAD,
                                  .post = post,
                              });
}

/* Events of a hook whose timeout is none go out with the usual one: nobody would learn of the fault otherwise. */
static int64_t report_timeout(const struct canary_hook *hook)
{
    int64_t timeout_ms = 0;
    SCOPED(err_free) struct err *e = notify_hook_timeout(hook->timeout, &timeout_ms);
    return e ? VERDICT_TIMEOUT_MS : timeout_ms;
}

void hook_report(struct hooks *hooks, const struct canary *canary, const char *phase,
                 const struct hook_event *event)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    bool has_own = false;
    for (size_t i = 0; i < canary->analysis.hooks_len; i++) {
        const struct canary_hook *hook = &canary->analysis.hooks[i];
        if (hook->type != CANARY_HOOK_EVENT)
            continue;
        has_own = true;
        const char *body = notify_hook_body(mem, canary, phase, hook->metadata, event);
        struct post_request post = request_of(hooks, hook, body, report_timeout(hook));
        put_report(hooks, mem, canary, post);
    }
    if (has_own || !*hooks->event_url)
        return;
    struct canary_hook global = { .url = hooks->event_url };
    const char *body = notify_hook_body(mem, canary, phase, NULL, event);
    struct post_request post = request_of(hooks, &global, body, VERDICT_TIMEOUT_MS);
    put_report(hooks, mem, canary, post);
}

size_t hooks_waiting(const struct hooks *hooks)
{
    return outbox_waiting(hooks->outbox);
}

/* -- all of them -------------------------------------------------------------------------------- */

struct hooks *hooks_new(const struct hooks_opts *opts)
{
    struct hooks *hooks = base_alloc(sizeof(*hooks));
    *hooks = (struct hooks){
        .loop = opts->loop,
        .http = opts->http,
        .event_url = base_copy_text(opts->event_url ? opts->event_url : ""),
        .delay_ms = opts->delay_ms > 0 ? opts->delay_ms : VERDICT_DELAY_MS,
        .outbox = outbox_new(&(struct outbox_opts){
            .loop = opts->loop, .http = opts->http, .log = opts->log, .what = "events" }),
    };
    return hooks;
}

void hooks_free(struct hooks *hooks)
{
    if (!hooks)
        return;
    while (hooks->gates)
        gate_free(hooks->gates);
    outbox_free(hooks->outbox);
    free(hooks->event_url);
    free(hooks);
}
