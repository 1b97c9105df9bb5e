/* Lists workloads: what is in the cluster now, with what git says of it.
 * The lists run one after the other, and of each object only its line of the answer is kept. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/call.h"
#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/object.h"
#include "image/workload.h"
#include "kube/watch.h"

#define ANSWER_LIMIT_BYTES SBUF_MAX
#define NAMESPACE_BYTES    63

/* Kinds that every server has: nothing to discover. */
static const struct kube_resource resources[] = {
    { .group = "batch",
      .version = "v1",
      .api_version = "batch/v1",
      .kind = "CronJob",
      .plural = "cronjobs",
      .is_namespaced = true },
    { .group = "apps",
      .version = "v1",
      .api_version = "apps/v1",
      .kind = "DaemonSet",
      .plural = "daemonsets",
      .is_namespaced = true },
    { .group = "apps",
      .version = "v1",
      .api_version = "apps/v1",
      .kind = "Deployment",
      .plural = "deployments",
      .is_namespaced = true },
    { .group = "apps",
      .version = "v1",
      .api_version = "apps/v1",
      .kind = "StatefulSet",
      .plural = "statefulsets",
      .is_namespaced = true },
};

/* One list to be asked for. */
struct query {
    size_t kind;        /* index into resources */
    const char *ns;     /* NULL: all */
    const char *name;   /* the one object; NULL: all */
    struct map *wanted; /* IDs; NULL: all. Ends with the call */
};

struct row {
    const char *id, *json;
};

struct services {
    struct api_call *call;
    VEC(struct query) queries;
    size_t at; /* of the query that runs */
    ticket list;
    VEC(struct row) rows;
    size_t refused; /* queries that we may not make */
    struct arena *scratch;
    bool is_ready; /* git */
};

static void run_query(struct services *services);

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

static void on_object(void *ctx, const struct val *object)
{
    struct services *services = ctx;
    const struct query *query = &services->queries.at[services->at];
    if (image_workload_is_hidden(object))
        return;
    arena_reset(services->scratch);
    struct image_workload workload;
    struct image_workload_source source;
    image_workload_read(services->scratch, resources[query->kind].kind, object, &workload);
    if (query->wanted && !map_get(query->wanted, workload.id))
        return;
    read_source(services, workload.id, &source);
    struct arena *mem = services->call->mem;
    *vec_push(mem, &services->rows) = (struct row){
        .id = arena_strdup(mem, workload.id),
        .json = arena_strdup(
            mem, val_json(services->scratch,
                          image_workload_json(services->scratch, &workload, &source), NULL)),
    };
}

/* A kind that we may not list, or that the server does not have, is left out; all of them are an error. */
static void on_list_done(void *ctx, const struct err *e, const char *resource_version)
{
    (void)resource_version;
    struct services *services = ctx;
    struct api_call *call = services->call;
    services->list = 0;
    bool is_refusal = err_is(e, ERR_DENIED);
    if (e && !is_refusal && !err_is(e, ERR_NOT_FOUND)) {
        api_call_fail_server(call, e);
        return;
    }
    if (is_refusal && ++services->refused == services->queries.len) {
        api_call_fail_server(call, e);
        return;
    }
    if (is_refusal)
        log_warn(call->api->opts.log, F("component", "api"),
                 F("warning", "not permitted to list resources"), F("err", err_text(e)));
    services->at++;
    run_query(services);
}

static void run_query(struct services *services)
{
    struct api_call *call = services->call;
    if (services->at == services->queries.len) {
        answer_rows(services);
        return;
    }
    const struct query *query = &services->queries.at[services->at];
    const char *selector =
        query->name ? arena_printf(call->mem, "metadata.name=%s", query->name) : NULL;
    services->list =
        kube_list_start(call->api->opts.kube, &resources[query->kind],
                        &(struct kube_watch_opts){ .ns = query->ns, .field_selector = selector },
                        on_object, on_list_done, services);
}

static void cancel_services(struct api_call *call)
{
    struct services *services = call->state;
    if (services->list)
        kube_list_cancel(call->api->opts.kube, services->list);
}

/* --- what is asked for */

static bool is_allowed(const struct api *api, const char *ns)
{
    const char *const *allowed = api->opts.allowed_ns;
    for (size_t i = 0; allowed && allowed[i]; i++) {
        if (strcmp(allowed[i], ns) == 0)
            return true;
    }
    return !allowed;
}

/* It becomes part of a path. What is no name of a namespace has nothing in it. */
static bool is_namespace(const char *ns)
{
    size_t len = strspn(ns, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return ns[len] == '\0' && len > 0 && len <= NAMESPACE_BYTES;
}

static void ask_namespace(struct services *services, const char *ns)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        *vec_push(services->call->mem, &services->queries) = (struct query){ .kind = i, .ns = ns };
}

static void ask_all(struct services *services)
{
    const char *const *allowed = services->call->api->opts.allowed_ns;
    if (!allowed)
        ask_namespace(services, NULL);
    for (size_t i = 0; allowed && allowed[i]; i++)
        ask_namespace(services, allowed[i]);
}

/* By the kind of an ID, in any case; ARRAY_LEN(resources) if it is no workload. */
static size_t find_kind(const char *kind)
{
    size_t i = 0;
    while (i < ARRAY_LEN(resources) && strcasecmp(resources[i].kind, kind) != 0)
        i++;
    return i;
}

static void free_wanted(void *map)
{
    map_free(map);
}

/* One list per kind and namespace, of the one object where only one is wanted. */
static void ask_object(struct services *services, const struct object_id *id, const char *text)
{
    struct arena *mem = services->call->mem;
    size_t kind = find_kind(id->kind);
    if (kind == ARRAY_LEN(resources) || strcmp(id->ns, OBJECT_CLUSTER) == 0 ||
        !is_allowed(services->call->api, id->ns))
        return;
    for (size_t i = 0; i < services->queries.len; i++) {
        struct query *query = &services->queries.at[i];
        if (query->kind != kind || strcmp(query->ns, id->ns) != 0)
            continue;
        query->name = NULL;
        map_set(query->wanted, text, query->wanted);
        return;
    }
    struct map *wanted = map_new(NULL);
    arena_defer(mem, free_wanted, wanted);
    map_set(wanted, text, wanted);
    *vec_push(mem, &services->queries) =
        (struct query){ .kind = kind, .ns = id->ns, .name = id->name, .wanted = wanted };
}

static struct err *ask_objects(struct services *services, const char *list)
{
    struct arena *mem = services->call->mem;
    while (*list) {
        size_t len = strcspn(list, ",");
        const char *text = arena_strndup(mem, list, len);
        struct object_id id;
        SCOPED(err_free) struct err *e = object_id_parse(mem, text, &id);
        if (e)
            return err_wrap(STEAL(e), "parsing service spec \"%.200s\"", text);
        const char *lower = object_id(mem, id.ns, id.kind, id.name);
        ask_object(services, &id, lower);
        list += len + (list[len] == ',');
    }
    return NULL;
}

static struct err *ask(struct services *services)
{
    const char *ns = api_call_query(services->call, "namespace");
    const char *ids = api_call_query(services->call, "services");
    if (*ids)
        return ask_objects(services, ids);
    if (*ns == '\0')
        ask_all(services);
    else if (is_namespace(ns) && is_allowed(services->call->api, ns))
        ask_namespace(services, arena_strdup(services->call->mem, ns));
    return NULL;
}

static void free_scratch(void *scratch)
{
    arena_free(scratch);
}

void api_services_list(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    if (*api_call_query(call, "namespace") && *api_call_query(call, "services")) {
        struct api_error error = api_error_user(
            call->mem, "cannot filter by 'namespace' and 'workloads' at the same time");
        api_call_error(call, &error);
        return;
    }
    struct services *services = arena_alloc(call->mem, sizeof(*services));
    services->call = call;
    services->scratch = arena_new(ARENA_LIMIT_BYTES);
    arena_defer(call->mem, free_scratch, services->scratch);
    services->is_ready = source_state(opts->source) == SOURCE_READY;
    call->state = services;
    call->cancel = cancel_services;
    SCOPED(err_free) struct err *e = ask(services);
    if (e) {
        api_call_undecodable(call, e, 0);
        return;
    }
    run_query(services);
}
