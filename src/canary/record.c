#include <string.h>

#include "canary/canaries_parts.h"
#include "doc/json.h"
#include "doc/object.h"

#define ATTEMPTS 4

static const int64_t wait_ms[ATTEMPTS - 1] = { 10, 50, 250 };

/* -- what is written ------------------------------------------------------------------------------------------------------ */

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* From the newest status, whatever the tick began with: only what changes is put into it. */
static struct err *make_status(struct tick *tick, const struct val *object, struct val *out)
{
    struct scene *scene = tick->scene;
    struct arena *mem = scene->mem;
    struct canary newest;
    TRY(canary_parse(mem, object, &newest));
    struct canary_status before = newest.status;
    before.cookie = text_or(tick->cookie, before.cookie);
    before.primary_cookie = text_or(tick->primary_cookie, before.primary_cookie);
    before.previous_cookie = text_or(tick->previous_cookie, before.previous_cookie);
    struct canary_status next =
        canary_status_next(mem, &newest, &before, &tick->action.change, &scene->facts.revision,
                           loop_wall_ms(tick->all->opts.loop));
    val_set(mem, out, "status", canary_status_val(mem, &next, val_get(object, "status")));
    return NULL;
}

/* Exactly ours is put in or taken out. */
static struct err *make_finalizers(struct tick *tick, const struct val *object, struct val *out)
{
    struct arena *mem = tick->scene->mem;
    const struct val *had = VAL_PATH(object, "metadata", "finalizers");
    struct val *list = val_new_list(mem);
    for (size_t i = 0; i < val_len(had); i++) {
        if (strcmp(val_text_or(val_item(had, i), ""), CANARY_FINALIZER) != 0)
            val_append(mem, list, val_copy(mem, val_item(had, i)));
    }
    if (tick->action.act == CANARY_DO_ADD_FINALIZER)
        val_append(mem, list, val_new_text(mem, CANARY_FINALIZER));
    val_set(mem, val_need_map(mem, out, "metadata"), "finalizers", list);
    return NULL;
}

/* The text of a failure: "<before><c>.<ns><after><err>". */
static const struct form {
    enum canary_act act;
    const char *subresource, *before, *after;
    struct err *(*make)(struct tick *tick, const struct val *object, struct val *out);
} forms[] = {
    { CANARY_DO_STATUS, "status", "failed after retries: updating canary ",
      " status failed: ", make_status },
    { CANARY_DO_ADD_FINALIZER, NULL, "adding finalizer to canary ", " failed: ", make_finalizers },
    { CANARY_DO_DROP_FINALIZER, NULL, "removing finalizer of canary ",
      " failed: ", make_finalizers },
};

static const struct form *form_of(const struct tick *tick)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (forms[i].act == tick->action.act)
            return &forms[i];
    }
    return NULL;
}

/* -- how -------------------------------------------------------------------------------------------------------------------- */

static void send_canary(struct tick *tick);

static struct live_key key_of(const struct tick *tick)
{
    return (struct live_key){ .api_version = CANARY_API_VERSION,
                              .kind = "Canary",
                              .ns = tick->unit->ns,
                              .name = tick->unit->name };
}

static const char *failure(const struct tick *tick, const char *text)
{
    const struct form *form = form_of(tick);
    return arena_printf(tick->scene->mem, "%s%s%s%s", form->before, tick->unit->owner, form->after,
                        text);
}

static void fail(struct tick *tick, const struct kube_result *result)
{
    struct live_key key = key_of(tick);
    store_refresh(tick->all->store, &key);
    write_end(tick, failure(tick, write_refusal(tick->scene->mem, result)),
              write_is_missing(result));
}

/* One that cannot be read back is read by the store. */
static void note(struct tick *tick, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live_key key = key_of(tick);
    struct val *object = NULL;
    struct canary canary;
    SCOPED(err_free)
    struct err *e = doc_json_parse(mem, result->body, result->body_len, &object);
    if (!e)
        e = canary_parse(mem, object, &canary);
    if (e) {
        store_refresh(tick->all->store, &key);
        return;
    }
    store_note(tick->all->store, &key, object);
    canaries_show(tick->unit, &canary);
}

static void on_written(void *ctx, const struct kube_result *result);

static void on_read_again(void *ctx, const struct kube_result *result)
{
    struct tick *tick = ctx;
    tick->request = 0;
    if (result->err) {
        fail(tick, result);
        return;
    }
    note(tick, result);
    send_canary(tick);
}

static const char *path_of(const struct tick *tick, const char *subresource)
{
    const struct kube_resource *resource =
        kube_discovery_find(tick->all->opts.discovery, CANARY_API_VERSION, "Canary");
    return resource ? kube_path(tick->scene->mem, resource, tick->unit->ns, tick->unit->name,
                                subresource)
                    : NULL;
}

static void on_waited(void *ctx)
{
    struct tick *tick = ctx;
    const char *path = path_of(tick, NULL);
    tick->timer = 0;
    if (path)
        write_send(tick, tick->all->opts.kube,
                   &(struct kube_request){ .method = "GET", .path = path }, on_read_again);
    else
        write_end(tick, failure(tick, "the server has no Canaries"), true);
}

static void on_written(void *ctx, const struct kube_result *result)
{
    struct tick *tick = ctx;
    bool is_status = tick->action.act == CANARY_DO_STATUS;
    tick->request = 0;
    if (result->refusal == KUBE_REFUSED_CONFLICT && result->err && tick->attempts < ATTEMPTS - 1) {
        int64_t ms = wait_ms[tick->attempts++];
        int64_t jitter_ms = ms / 10 > 0 ? loop_random(tick->all->opts.loop) % (ms / 10 + 1) : 0;
        tick->timer = loop_after(tick->all->opts.loop, ms + jitter_ms, on_waited, tick);
        return;
    }
    bool is_let_go = tick->action.act == CANARY_DO_DROP_FINALIZER && write_is_missing(result);
    if (result->err && !is_let_go) {
        fail(tick, result);
        return;
    }
    if (!result->err)
        note(tick, result);
    if (is_status)
        tick->cookie = tick->primary_cookie = tick->previous_cookie = NULL;
    tick->work.has_written_status = tick->work.has_written_status || is_status;
    write_end(tick, NULL, false);
}

static void send_canary(struct tick *tick)
{
    const struct form *form = form_of(tick);
    struct arena *mem = tick->scene->mem;
    const struct val *object =
        store_canary(tick->all->store, mem, tick->unit->ns, tick->unit->name);
    const char *path = path_of(tick, form->subresource);
    if (!object || !path) {
        write_end(tick, failure(tick, "it is gone"), true);
        return;
    }
    struct val *body = val_copy_sharing(mem, object);
    SCOPED(err_free) struct err *e = form->make(tick, object, body);
    if (e) {
        write_end(tick, failure(tick, err_text(e)), false);
        return;
    }
    size_t len;
    const char *json = val_json(mem, body, &len);
    write_send(
        tick, tick->all->opts.kube,
        &(struct kube_request){
            .method = "PUT", .path = path, .query = WRITE_QUERY, .body = json, .body_len = len },
        on_written);
}

bool record_start(struct tick *tick)
{
    if (!form_of(tick))
        return false;
    send_canary(tick);
    return true;
}
