/* Jobs: what is asked to be changed in the repository, in its present and its older forms, and what became of it. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/call.h"

#define TOO_MANY "too many jobs are waiting: ask again when some are done"

/* --- a dry run is answered when it is done */

struct plan {
    ticket number;
};

static void cancel_plan(struct api_call *call)
{
    releases_cancel_plan(call->api->opts.releases, ((struct plan *)call->state)->number);
}

static void on_planned(void *ctx, const char *id, const struct err *e)
{
    struct api_call *call = ctx;
    call->cancel = NULL;
    if (e)
        api_call_fail(call, e);
    else
        api_call_json(call, 200, val_new_text(call->mem, id));
}

static void plan(struct api_call *call, const struct release_spec *spec)
{
    struct plan *state = arena_alloc(call->mem, sizeof(*state));
    call->state = state;
    call->cancel = cancel_plan;
    state->number = releases_plan(call->api->opts.releases, spec, on_planned, call);
}

/* --- everything else is queued */

static void answer_job(struct api_call *call, const char *id)
{
    if (id) {
        api_call_json(call, 200, val_new_text(call->mem, id));
        return;
    }
    struct api_error error = api_error_user(call->mem, TOO_MANY);
    api_call_error(call, &error);
}

static void submit(struct api_call *call, const struct release_spec *spec)
{
    struct releases *releases = call->api->opts.releases;
    if (spec->type == RELEASE_AUTO) { /* Flux keeps it to itself, too */
        struct api_error error = api_error_user(call->mem, "unknown update type \"auto\"");
        api_call_error(call, &error);
    } else if (spec->is_plan) {
        plan(call, spec);
    } else {
        answer_job(call, releases_submit(releases, spec));
    }
}

static void submit_body(struct api_call *call, const struct val *body)
{
    struct release_spec spec;
    SCOPED(err_free) struct err *e = release_spec_parse(call->mem, body, &spec);
    if (e)
        api_call_undecodable(call, e, 0);
    else
        submit(call, &spec);
}

/* NULL: it is no JSON, and that is answered. */
static struct val *read_body(struct api_call *call)
{
    struct val *root = NULL;
    int64_t offset;
    size_t len;
    const char *body = api_call_body(call, &len);
    SCOPED(err_free) struct err *e = api_body_value(call->mem, body, len, &root, &offset);
    if (e)
        api_call_undecodable(call, e, offset);
    return e ? NULL : root;
}

void api_update_manifests(struct api_call *call)
{
    const struct val *body = read_body(call);
    if (body)
        submit_body(call, body);
}

/* --- older forms: parameters in place of a body */

static struct val *cause_json(struct api_call *call)
{
    struct val *cause = val_new_map(call->mem);
    val_set_text(call->mem, cause, "User", api_call_query(call, "user"));
    val_set_text(call->mem, cause, "Message", api_call_query(call, "message"));
    return cause;
}

static struct val *update_json(struct api_call *call, const char *type, struct val *spec)
{
    struct val *update = val_new_map(call->mem);
    val_set_text(call->mem, update, "type", type);
    val_set(call->mem, update, "cause", cause_json(call));
    val_set(call->mem, update, "spec", spec);
    return update;
}

static struct val *query_list(struct api_call *call, const char *name)
{
    struct val *list = val_new_list(call->mem);
    const char *value;
    for (size_t i = 0; (value = server_query_at(call->request, name, i)); i++)
        val_append(call->mem, list, val_new_text(call->mem, value));
    return list;
}

void api_update_images(struct api_call *call)
{
    struct arena *mem = call->mem;
    struct val *spec = val_new_map(mem), *excludes = query_list(call, "exclude");
    val_set(mem, spec, "ServiceSpecs", query_list(call, "service"));
    val_set_text(mem, spec, "ImageSpec", api_call_query(call, "image"));
    val_set_text(mem, spec, "Kind", api_call_query(call, "kind"));
    val_set(mem, spec, "Excludes", val_len(excludes) ? excludes : val_new(mem, VAL_NULL));
    submit_body(call, update_json(call, "image", spec));
}

void api_update_policies(struct api_call *call)
{
    struct val *body = read_body(call);
    if (body)
        submit_body(call, update_json(call, "policy", body));
}

/* --- what became of a job */

struct lookup {
    struct api_wait wait;
    char *id;
};

static void free_lookup(struct api_wait *wait)
{
    struct lookup *lookup = (struct lookup *)wait;
    free(lookup->id);
    free(lookup);
}

static void on_looked_up(void *ctx, const struct val *status)
{
    struct lookup *lookup = ctx;
    struct api_call *call = lookup->wait.call;
    if (call && status) {
        api_call_json(call, 200, status);
    } else if (call) {
        struct api_error error = api_error_no_job(call->mem, lookup->id);
        api_call_error(call, &error);
    }
    api_wait_end(&lookup->wait);
}

void api_update_status(struct api_call *call)
{
    struct releases *releases = call->api->opts.releases;
    const char *id = api_call_query(call, "id");
    const struct val *status = releases_job(releases, call->mem, id);
    if (status) {
        api_call_json(call, 200, status);
        return;
    }
    struct lookup *lookup = base_alloc(sizeof(*lookup));
    lookup->wait.free = free_lookup;
    lookup->id = base_copy_text(id);
    api_wait_start(&lookup->wait, call->api, call);
    releases_job_from_notes(releases, id, on_looked_up, lookup);
}
