/* Lists workloads: what is in the cluster now, with what git says of it. Of each object only its line of the answer is kept. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/object.h"
#include "image/live.h"

#define ANSWER_LIMIT_BYTES SBUF_MAX

struct row {
    const char *id, *json;
};

struct services {
    struct api_call *call;
    struct image_live *live; /* NULL once it has ended */
    VEC(struct row) rows;
    struct arena *scratch;
    bool is_ready; /* git */
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->id, ((const struct row *)b)->id);
}

static void answer_rows(struct services *services)
{
    struct api_call *call = services->call;
    if (services->rows.len == 0) {
        api_call_json(call, 200, val_new(call->mem, VAL_NULL));
        return;
    }
    qsort(services->rows.at, services->rows.len, sizeof(*services->rows.at), by_id);
    SBUF(text, ANSWER_LIMIT_BYTES);
    for (size_t i = 0; i < services->rows.len; i++) {
        sbuf_add_char(&text, i ? ',' : '[');
        sbuf_add(&text, services->rows.at[i].json);
    }
    sbuf_add_char(&text, ']');
    if (text.is_over) {
        SCOPED(err_free)
        struct err *e = err_new(ERR_LIMIT, "the list is over %zu MiB: ask for one namespace",
                                ANSWER_LIMIT_BYTES >> 20);
        api_call_fail(call, e);
        return;
    }
    const struct api_answer answer = {
        .status = 200, .content_type = API_TYPE_JSON, .body = sbuf_text(&text), .len = text.len
    };
    api_call_reply(call, &answer);
}

/* What the manifest says; NULL if it cannot be told. An ignored object has no body: that it is ignored is all we know. */
static const struct val *read_annotations(struct services *services,
                                          const struct sync_object_status *object)
{
    const char *body = sync_object_body(services->call->api->opts.sync, object->id);
    struct val *manifest = NULL;
    if (!body && object->outcome == SYNC_SKIPPED) {
        struct val *annotations = val_new_map(services->scratch);
        val_set_text(services->scratch, annotations, "fluxcd.io/ignore", "true");
        return annotations;
    }
    if (body)
        err_free(doc_json_parse(services->scratch, body, strlen(body), &manifest));
    return VAL_PATH(manifest, "metadata", "annotations");
}

static void read_source(struct services *services, const char *id,
                        struct image_workload_source *out)
{
    const struct api *api = services->call->api;
    struct sync_object_status object;
    *out = (struct image_workload_source){ .is_configured = api_has_repository(api),
                                           .is_ready = services->is_ready,
                                           .is_readonly = api->opts.is_readonly,
                                           .sync_error = "" };
    if (!sync_object_find(api->opts.sync, id, &object))
        return;
    out->is_in_repo = true;
    out->annotations = read_annotations(services, &object);
    if (object.outcome == SYNC_FAILED || object.outcome == SYNC_UNKNOWN_KIND)
        out->sync_error = object.message;
}

static void on_workload(void *ctx, const struct val *object, const struct image_workload *workload)
{
    struct services *services = ctx;
    (void)object;
    arena_reset(services->scratch);
    struct image_workload_source source;
    read_source(services, workload->id, &source);
    struct arena *mem = services->call->mem;
    *vec_push(mem, &services->rows) = (struct row){
        .id = arena_strdup(mem, workload->id),
        .json = arena_strdup(
            mem, val_json(services->scratch,
                          image_workload_json(services->scratch, workload, &source), NULL)),
    };
}

static void on_workloads(void *ctx, const struct err *e)
{
    struct services *services = ctx;
    services->live = NULL;
    if (e)
        api_call_fail_server(services->call, e);
    else
        answer_rows(services);
}

static void cancel_services(struct api_call *call)
{
    image_live_cancel(((struct services *)call->state)->live);
}

static void free_scratch(void *scratch)
{
    arena_free(scratch);
}

static void list(struct api_call *call, const char *ns, const char *const *ids)
{
    const struct api_opts *opts = &call->api->opts;
    struct services *services = arena_alloc(call->mem, sizeof(*services));
    services->call = call;
    services->scratch = arena_new(ARENA_LIMIT_BYTES);
    arena_defer(call->mem, free_scratch, services->scratch);
    services->is_ready = source_state(opts->source) == SOURCE_READY;
    call->state = services;
    call->cancel = cancel_services;
    services->live = image_live_start(&(struct image_live_opts){ .loop = opts->loop,
                                                                 .kube = opts->kube,
                                                                 .discovery = opts->discovery,
                                                                 .log = opts->log,
                                                                 .ns = ns,
                                                                 .ids = ids,
                                                                 .allowed_ns = opts->allowed_ns },
                                      on_workload, on_workloads, services);
}

struct err *api_services_read_ids(struct arena *mem, const char *list, const char *const **out)
{
    VEC(const char *) ids = { 0 };
    while (*list) {
        size_t len = strcspn(list, ",");
        const char *text = arena_strndup(mem, list, len);
        struct object_id id;
        SCOPED(err_free) struct err *e = object_id_parse(mem, text, &id);
        if (e)
            return err_wrap(STEAL(e), "parsing service spec \"%.200s\"", text);
        *vec_push(mem, &ids) = object_id(mem, id.ns, id.kind, id.name);
        list += len + (list[len] == ',');
    }
    *vec_push(mem, &ids) = NULL;
    *out = ids.at;
    return NULL;
}

void api_services_list(struct api_call *call)
{
    const char *ns = api_call_query(call, "namespace");
    const char *services = api_call_query(call, "services");
    if (*ns && *services) {
        struct api_error error = api_error_user(
            call->mem, "cannot filter by 'namespace' and 'workloads' at the same time");
        api_call_error(call, &error);
        return;
    }
    const char *const *ids = NULL;
    SCOPED(err_free) struct err *e = api_services_read_ids(call->mem, services, &ids);
    if (e)
        api_call_undecodable(call, e, 0);
    else
        list(call, *ns ? ns : NULL, *services ? ids : NULL);
}
