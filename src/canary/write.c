#include <string.h>

#include "canary/canaries_parts.h"
#include "canary/target/configs.h"
#include "canary/target/scaler.h"
#include "canary/target/services.h"
#include "doc/json.h"

#define CONFLICTS_MAX 5

/* -- plans ------------------------------------------------------------------------------------------------------------- */

typedef struct err *(*plan_fn)(const struct tick *tick, struct effects *out);

static struct err *plan_services(const struct tick *tick, struct effects *out)
{
    return services_initialize(&tick->scene->view, out);
}

static struct err *plan_primary(const struct tick *tick, struct effects *out)
{
    return tick->scene->kind->create_primary(&tick->scene->view, out);
}

static struct err *plan_promote(const struct tick *tick, struct effects *out)
{
    return tick->scene->kind->promote(&tick->scene->view, out);
}

static struct err *plan_scaler(const struct tick *tick, struct effects *out)
{
    return scaler_reconcile(&tick->scene->view, tick->action.act == CANARY_DO_SCALER, out);
}

static struct err *plan_pause(const struct tick *tick, struct effects *out)
{
    return scaler_pause(&tick->scene->view, out);
}

static struct err *plan_resume(const struct tick *tick, struct effects *out)
{
    return scaler_resume(&tick->scene->view, out);
}

static struct err *plan_apex(const struct tick *tick, struct effects *out)
{
    return services_reconcile(&tick->scene->view, out);
}

static struct err *plan_scale_down(const struct tick *tick, struct effects *out)
{
    return tick->scene->kind->scale_to_zero(&tick->scene->view, out);
}

static struct err *plan_scale_up(const struct tick *tick, struct effects *out)
{
    return tick->scene->kind->scale_from_zero(&tick->scene->view, out);
}

static struct err *plan_routes(const struct tick *tick, struct effects *out)
{
    return tick->scene->router->reconcile(&tick->scene->view, out);
}

static struct err *plan_weights(const struct tick *tick, struct effects *out)
{
    return tick->scene->router->write(&tick->scene->view, &tick->action.split, out);
}

static struct err *plan_revert_target(const struct tick *tick, struct effects *out)
{
    return tick->scene->kind->revert(&tick->scene->view, out);
}

static struct err *plan_revert_apex(const struct tick *tick, struct effects *out)
{
    return services_finalize(&tick->scene->view, out);
}

static struct err *plan_revert_routes(const struct tick *tick, struct effects *out)
{
    const struct router *router = tick->scene->router;
    return router->finalize ? router->finalize(&tick->scene->view, out) : NULL;
}

static const plan_fn plans[CANARY_ACTS] = {
    [CANARY_DO_SERVICES] = plan_services,
    [CANARY_DO_PRIMARY] = plan_primary,
    [CANARY_DO_PROMOTE] = plan_promote,
    [CANARY_DO_SCALER] = plan_scaler,
    [CANARY_DO_SCALER_UPDATE] = plan_scaler,
    [CANARY_DO_PAUSE] = plan_pause,
    [CANARY_DO_RESUME] = plan_resume,
    [CANARY_DO_APEX] = plan_apex,
    [CANARY_DO_SCALE_DOWN] = plan_scale_down,
    [CANARY_DO_SCALE_UP] = plan_scale_up,
    [CANARY_DO_ROUTES] = plan_routes,
    [CANARY_DO_WEIGHTS] = plan_weights,
    [CANARY_DO_REVERT_TARGET] = plan_revert_target,
    [CANARY_DO_REVERT_APEX] = plan_revert_apex,
    [CANARY_DO_REVERT_ROUTES] = plan_revert_routes,
};

/* -- the answer --------------------------------------------------------------------------------------------------------- */

void write_end(struct tick *tick, const char *why_not, bool is_missing)
{
    tick->answer = (struct canary_outcome){
        .is_ok = !why_not, .is_missing = is_missing, .severity = CANARY_WARN, .text = why_not
    };
    tick->is_answered = true;
    tick_go_on(tick);
}

void write_send(struct tick *tick, struct kube *kube, const struct kube_request *request,
                kube_done_fn done)
{
    tick->asked = kube;
    tick->request = kube_start(kube, request, done, tick);
}

bool write_is_missing(const struct kube_result *result)
{
    return result->refusal == KUBE_REFUSED_OBJECT_MISSING ||
           result->refusal == KUBE_REFUSED_NAMESPACE_MISSING ||
           result->refusal == KUBE_REFUSED_KIND_UNKNOWN;
}

const char *write_refusal(struct arena *mem, const struct kube_result *result)
{
    struct val *status = NULL;
    const char *message = NULL;
    if (result->body_len && result->body[0] == '{') {
        SCOPED(err_free)
        struct err *e = doc_json_parse(mem, result->body, result->body_len, &status);
        message = e ? NULL : val_text(val_get(status, "message"));
    }
    return message && *message ? message : arena_strdup(mem, err_text(result->err));
}

/* -- one effect ---------------------------------------------------------------------------------------------------------- */

static struct effect *current(struct tick *tick)
{
    return &tick->effects.list.at[tick->effect_at];
}

static bool is_elsewhere(const struct tick *tick, const struct effect *effect)
{
    return effect->is_mesh && tick->all->opts.mesh_kube;
}

static struct kube *kube_of(const struct tick *tick, const struct effect *effect)
{
    return is_elsewhere(tick, effect) ? tick->all->opts.mesh_kube : tick->all->opts.kube;
}

static const struct kube_resource *resource_of(const struct tick *tick, const struct effect *effect)
{
    const struct canaries_opts *opts = &tick->all->opts;
    return kube_discovery_find(is_elsewhere(tick, effect) ? opts->mesh_discovery : opts->discovery,
                               effect->api_version, effect->kind);
}

static struct live_key key_of(const struct effect *effect, const char *name)
{
    return (struct live_key){ .api_version = effect->api_version,
                              .kind = effect->kind,
                              .ns = effect->ns,
                              .name = name,
                              .is_mesh = effect->is_mesh };
}

static void send_effect(struct tick *tick);
static void plan(struct tick *tick);

static void fail(struct tick *tick, const char *before, const struct kube_result *result)
{
    const struct effect *effect = current(tick);
    struct arena *mem = tick->scene->mem;
    struct live_key key = key_of(effect, effect->name);
    store_refresh(tick->all->store, &key);
    write_end(tick,
              arena_printf(mem, "%s%s%s", before ? before : "", write_refusal(mem, result),
                           effect->after),
              write_is_missing(result));
}

/* What the API server says it is now, for what is planned next and for the next tick. */
static void note(struct tick *tick, const struct live_key *key, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    SCOPED(err_free)
    struct err *e = doc_json_parse(mem, result->body, result->body_len, &object);
    if (e || !val_is_map(val_get(object, "metadata"))) {
        store_refresh(tick->all->store, key);
        return;
    }
    store_note(tick->all->store, key, object);
    scene_refresh(tick->all, tick->scene, key);
}

static void note_gone(struct tick *tick, const struct live_key *key)
{
    store_note_gone(tick->all->store, key);
    scene_refresh(tick->all, tick->scene, key);
}

static void next_effect(struct tick *tick)
{
    const struct effect *effect = current(tick);
    if (effect->log)
        report_log(tick->all, tick->unit, CANARY_INFO, effect->log);
    tick->work.has_written = true;
    tick->source = NULL;
    tick->is_copy_missing = false;
    tick->effect_at++;
    send_effect(tick);
}

static void on_read_again(void *ctx, const struct kube_result *result)
{
    struct tick *tick = ctx;
    const struct effect *effect = current(tick);
    struct live_key key = key_of(effect, effect->name);
    tick->request = 0;
    if (result->err && !write_is_missing(result)) {
        fail(tick, effect->before, result);
        return;
    }
    if (result->err)
        note_gone(tick, &key);
    else
        note(tick, &key, result);
    plan(tick);
}

static void read_again(struct tick *tick, const struct kube_resource *resource)
{
    const struct effect *effect = current(tick);
    const struct kube_request request = {
        .method = "GET",
        .path = kube_path(tick->scene->mem, resource, effect->ns, effect->name, NULL),
    };
    write_send(tick, kube_of(tick, effect), &request, on_read_again);
}

static void on_written(void *ctx, const struct kube_result *result)
{
    struct tick *tick = ctx;
    const struct effect *effect = current(tick);
    struct live_key key = key_of(effect, effect->name);
    bool is_missing = write_is_missing(result);
    const struct kube_resource *resource = resource_of(tick, effect);
    tick->request = 0;
    if (!result->err && effect->verb != EFFECT_DELETE) {
        note(tick, &key, result);
        next_effect(tick);
    } else if (effect->verb == EFFECT_DELETE && (!result->err || is_missing)) {
        note_gone(tick, &key);
        next_effect(tick);
    } else if (effect->verb == EFFECT_COPY_CONFIG && is_missing && !tick->is_copy_missing) {
        tick->is_copy_missing = true;
        send_effect(tick);
    } else if (result->err && result->refusal == KUBE_REFUSED_CONFLICT && resource &&
               effect->retries_conflicts && ++tick->attempts < CONFLICTS_MAX) {
        read_again(tick, resource);
    } else {
        fail(tick, effect->before, result);
    }
}

static void on_source(void *ctx, const struct kube_result *result)
{
    struct tick *tick = ctx;
    const struct effect *effect = current(tick);
    struct val *source = NULL;
    tick->request = 0;
    if (result->err) {
        fail(tick, effect->source_before, result);
        return;
    }
    SCOPED(err_free)
    struct err *e = doc_json_parse(tick->scene->mem, result->body, result->body_len, &source);
    if (e) {
        write_end(tick, arena_strdup(tick->scene->mem, err_text(e)), false);
        return;
    }
    tick->source = source;
    send_effect(tick);
}

/* How each verb is sent. */
static const struct verb {
    const char *method, *content_type;
    bool is_named;
} verbs[] = {
    [EFFECT_CREATE] = { "POST", NULL, false },
    [EFFECT_UPDATE] = { "PUT", NULL, true },
    [EFFECT_MERGE] = { "PATCH", "application/merge-patch+json", true },
    [EFFECT_DELETE] = { "DELETE", NULL, true },
    [EFFECT_COPY_CONFIG] = { "PUT", NULL, true },
};

static void send_to(struct tick *tick, const struct kube_resource *resource)
{
    const struct effect *effect = current(tick);
    struct arena *mem = tick->scene->mem;
    bool is_copy = effect->verb == EFFECT_COPY_CONFIG;
    if (is_copy && !tick->source) {
        const char *path = kube_path(mem, resource, effect->ns, effect->source, NULL);
        write_send(tick, kube_of(tick, effect),
                   &(struct kube_request){ .method = "GET", .path = path }, on_source);
        return;
    }
    const struct verb *verb = &verbs[tick->is_copy_missing ? EFFECT_CREATE : effect->verb];
    const struct val *body = is_copy ? configs_fill(mem, effect->body, tick->source) : effect->body;
    size_t len = 0;
    const char *json = body ? val_json(mem, body, &len) : NULL;
    const struct kube_request request = {
        .method = verb->method,
        .path = kube_path(mem, resource, effect->ns, verb->is_named ? effect->name : NULL, NULL),
        .query = WRITE_QUERY,
        .content_type = verb->content_type,
        .body = json,
        .body_len = len,
    };
    write_send(tick, kube_of(tick, effect), &request, on_written);
}

static void keep_cookies(struct tick *tick)
{
    const struct effects *effects = &tick->effects;
    if (effects->cookie)
        tick->cookie = effects->cookie;
    if (effects->primary_cookie)
        tick->primary_cookie = effects->primary_cookie;
    if (effects->previous_cookie)
        tick->previous_cookie = effects->previous_cookie;
}

static void send_effect(struct tick *tick)
{
    if (tick->effect_at == tick->effects.list.len) {
        keep_cookies(tick);
        write_end(tick, NULL, false);
        return;
    }
    const struct effect *effect = current(tick);
    const struct kube_resource *resource = resource_of(tick, effect);
    if (resource)
        send_to(tick, resource);
    else
        write_end(tick,
                  arena_printf(tick->scene->mem,
                               "%sthe server could not find the requested resource%s",
                               effect->before, effect->after),
                  true);
}

/* -- one action ----------------------------------------------------------------------------------------------------------- */

static void plan(struct tick *tick)
{
    struct arena *mem = tick->scene->mem;
    plan_fn make = plans[tick->action.act];
    ASSERT(make);
    tick->effects = (struct effects){ .mem = mem };
    tick->effect_at = 0;
    tick->source = NULL;
    tick->is_copy_missing = false;
    SCOPED(err_free) struct err *e = make(tick, &tick->effects);
    for (size_t i = 0; i < tick->effects.warnings.len; i++)
        report_log(tick->all, tick->unit, CANARY_WARN, tick->effects.warnings.at[i]);
    if (e)
        write_end(tick, arena_strdup(mem, err_text(e)), err_is(e, ERR_NOT_FOUND));
    else
        send_effect(tick);
}

void write_start(struct tick *tick)
{
    tick->attempts = 0;
    if (!record_start(tick))
        plan(tick);
}

void write_cancel(struct tick *tick)
{
    if (tick->asked)
        kube_cancel(tick->asked, tick->request);
}
