#include "api/call.h"

#include <stdlib.h>
#include <string.h>

#define CALL_LIMIT_BYTES ((size_t)256 << 20)

/* Nothing here is for a browser to guess at or to keep. */
static const char *const headers[] = { "X-Content-Type-Options: nosniff", "Cache-Control: no-store",
                                       NULL };

struct api_call *api_call_new(struct api *api, struct server_request *request)
{
    struct api_call *call = base_alloc(sizeof(*call));
    call->api = api;
    call->request = request;
    call->mem = arena_new(CALL_LIMIT_BYTES);
    call->path = server_path(request);
    call->accept = server_header(request, "Accept");
    call->next = api->calls;
    call->at = &api->calls;
    if (call->next)
        call->next->at = &call->next;
    api->calls = call;
    return call;
}

static void end_call(struct api_call *call)
{
    struct api *api = call->api;
    if (call->cancel)
        call->cancel(call);
    loop_cancel(api->opts.loop, call->timer);
    for (struct api_wait *wait = api->waits; wait; wait = wait->next) {
        if (wait->call == call)
            wait->call = NULL;
    }
    *call->at = call->next;
    if (call->next)
        call->next->at = call->at;
    arena_free(call->mem);
    free(call);
}

void api_call_reply(struct api_call *call, const struct api_answer *answer)
{
    const struct server_answer reply = { .status = answer->status,
                                         .content_type = answer->content_type,
                                         .body = answer->body ? answer->body : "",
                                         .body_len = answer->len,
                                         .headers = headers };
    server_reply(call->request, &reply);
    end_call(call);
}

void api_call_empty(struct api_call *call, int status)
{
    struct api_answer answer;
    api_answer_empty(status, &answer);
    api_call_reply(call, &answer);
}

void api_call_json(struct api_call *call, int status, const struct val *value)
{
    struct api_answer answer;
    api_answer_json(call->mem, status, value, &answer);
    api_call_reply(call, &answer);
}

void api_call_error(struct api_call *call, const struct api_error *error)
{
    struct api_answer answer;
    api_answer_error(call->mem, call->accept, error, &answer);
    api_call_reply(call, &answer);
}

void api_call_fail(struct api_call *call, const struct err *e)
{
    struct api_error error = api_error_user(call->mem, err_text(e));
    api_call_error(call, &error);
}

void api_call_fail_server(struct api_call *call, const struct err *e)
{
    log_warn(call->api->opts.log, F("component", "api"), F("path", server_path(call->request)),
             F("err", err_text(e)));
    struct api_error error = api_error_server(call->mem, err_text(e));
    api_call_error(call, &error);
}

void api_call_undecodable(struct api_call *call, const struct err *e, int64_t offset)
{
    struct api_answer answer;
    api_answer_undecodable(call->mem, call->accept, offset, err_text(e), &answer);
    api_call_reply(call, &answer);
}

const char *api_call_body(const struct api_call *call, size_t *len)
{
    return server_body(call->request, len);
}

const char *api_call_query(const struct api_call *call, const char *name)
{
    const char *value = server_query(call->request, name);
    return value ? value : "";
}

void api_wait_start(struct api_wait *wait, struct api *api, struct api_call *call)
{
    wait->api = api;
    wait->call = call;
    wait->next = api->waits;
    wait->at = &api->waits;
    if (wait->next)
        wait->next->at = &wait->next;
    api->waits = wait;
}

void api_wait_end(struct api_wait *wait)
{
    *wait->at = wait->next;
    if (wait->next)
        wait->next->at = wait->at;
    wait->free(wait);
}

/* One question: on a worker it sees its arena and its facts, nothing of the API. */
struct git_ask {
    struct api_wait wait;
    const struct api_git_how *how;
    struct arena *mem;
    void *facts;
};

static void free_ask(struct api_wait *wait)
{
    struct git_ask *ask = (struct git_ask *)wait;
    arena_free(ask->mem);
    free(ask);
}

static struct err *work_on_ask(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct git_ask *ask = job;
    return ask->how->work(mirror, ask->mem, ask->facts, deadline_ms);
}

static void on_ask_answered(void *job, struct err *e)
{
    SCOPED(err_free) struct err *failure = e;
    struct git_ask *ask = job;
    if (ask->wait.call)
        ask->how->done(ask->wait.call, ask->facts, failure);
    api_wait_end(&ask->wait);
}

static const struct source_job git_ask_job = { .work = work_on_ask, .done = on_ask_answered };

void api_git_ask(struct api_call *call, const struct api_git_how *how, struct arena *mem,
                 void *facts)
{
    struct git_ask *ask = base_alloc(sizeof(*ask));
    ask->wait.free = free_ask;
    ask->how = how;
    ask->mem = mem;
    ask->facts = facts;
    api_wait_start(&ask->wait, call->api, call);
    source_run(call->api->opts.source, &git_ask_job, ask);
}

bool api_has_repository(const struct api *api)
{
    return source_state(api->opts.source) != SOURCE_UNCONFIGURED;
}

const char *api_git_url(const struct api *api)
{
    const struct giturl *url = source_url(api->opts.source);
    return url ? url->safe : "file:";
}

const char *api_git_ref(const struct api_call *call)
{
    const char *ref = api_call_query(call, "ref"), *head = source_head(call->api->opts.source);
    bool is_head = *ref == '\0' || strcmp(ref, "HEAD") == 0;
    return is_head && *head ? head : ref;
}
