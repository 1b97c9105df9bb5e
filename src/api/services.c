/* Lists workloads: what is in the cluster now, with what git says of it. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/rows.h"
#include "doc/json.h"
#include "doc/object.h"
#include "image/live.h"

struct services {
    struct api_call *call;
    struct image_live *live; /* NULL once it has ended */
    struct api_rows rows;
    bool is_ready; /* git */
};

/* An ignored object has no body: that it is ignored is all we know. */
const struct val *api_services_annotations(const struct api *api, struct arena *mem, const char *id)
{
    struct sync_object_status object;
    const char *body = sync_object_body(api->opts.sync, id);
    struct val *manifest = NULL;
    if (!body && sync_object_find(api->opts.sync, id, &object) && object.outcome == SYNC_SKIPPED) {
        struct val *annotations = val_new_map(mem);
        val_set_text(mem, annotations, "fluxcd.io/ignore", "true");
        return annotations;
    }
    if (body)
        err_free(doc_json_parse(mem, body, strlen(body), &manifest));
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
    out->annotations = api_services_annotations(api, services->rows.scratch, id);
    if (object.outcome == SYNC_FAILED || object.outcome == SYNC_UNKNOWN_KIND)
        out->sync_error = object.message;
}

static void on_workload(void *ctx, const struct val *object, const struct image_workload *workload)
{
    struct services *services = ctx;
    struct image_workload_source source;
    (void)object;
    arena_reset(services->rows.scratch);
    read_source(services, workload->id, &source);
    api_rows_add(&services->rows, services->call, workload->id,
                 image_workload_json(services->rows.scratch, workload, &source));
}

static void on_workloads(void *ctx, const struct err *e)
{
    struct services *services = ctx;
    services->live = NULL;
    if (e)
        api_call_fail_server(services->call, e);
    else
        api_rows_answer(&services->rows, services->call);
}

static void cancel_services(struct api_call *call)
{
    image_live_cancel(((struct services *)call->state)->live);
}

static void list(struct api_call *call, const char *ns, const char *const *ids)
{
    const struct api_opts *opts = &call->api->opts;
    struct services *services = arena_alloc(call->mem, sizeof(*services));
    services->call = call;
    api_rows_init(&services->rows, call);
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
