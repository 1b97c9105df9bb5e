/* Exports namespaces and workloads as they are in the cluster: YAML documents, in base64, as one JSON text.
 * The lists run one after the other, and each object is encoded as it comes: what is kept is the answer alone. */
#include <string.h>

#include "api/call.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "doc/object.h"
#include "doc/yaml.h"
#include "image/live.h"
#include "kube/watch.h"

#define ANSWER_LIMIT_BYTES SBUF_MAX
#define PIECE_LIMIT_BYTES  ((size_t)16 << 20)
#define BASE64_GROUP       3 /* bytes that become four characters without padding */

static const struct kube_resource namespaces = {
    .group = "", .version = "v1", .api_version = "v1", .kind = "Namespace", .plural = "namespaces"
};

struct export_query {
    const struct kube_resource *resource;
    const char *ns; /* NULL: all */
};

struct export
{
    struct api_call *call;
    VEC(struct export_query) queries;
    size_t at; /* of the query that runs */
    ticket list;
    size_t refused;      /* queries that we may not make */
    struct map *seen;    /* IDs: a list whose version expired begins again */
    struct sbuf answer;  /* the JSON text so far */
    struct sbuf pending; /* YAML that is not yet encoded: less than a group after each object */
    struct arena *scratch;
};

static void run_query(struct export *export);

static void encode(struct export *export, size_t len)
{
    sbuf_add(&export->answer, hash_base64(export->scratch, export->pending.bytes, len));
    size_t rest = export->pending.len - len;
    char kept[BASE64_GROUP] = "";
    if (rest)
        memcpy(kept, export->pending.bytes + len, rest);
    sbuf_reset(&export->pending);
    sbuf_add_bytes(&export->pending, kept, rest);
}

static void fail_too_long(struct export *export)
{
    SCOPED(err_free)
    struct err *e = err_new(ERR_LIMIT,
                            "the export is over %zu MiB: restrict the daemon with "
                            "--k8s-allow-namespace, or use kubectl get -o yaml",
                            ANSWER_LIMIT_BYTES >> 20);
    api_call_fail(export->call, e);
}

static void answer(struct export *export)
{
    if (export->pending.len)
        encode(export, export->pending.len);
    sbuf_add_char(&export->answer, '"');
    if (export->answer.is_over || export->pending.is_over) {
        fail_too_long(export);
        return;
    }
    const struct api_answer reply = { .status = 200,
                                      .content_type = API_TYPE_JSON,
                                      .body = sbuf_text(&export->answer),
                                      .len = export->answer.len };
    api_call_reply(export->call, &reply);
}

/* What the object is, without the book-keeping of who set which field. */
static void add_document(struct export *export, const struct val *object)
{
    struct val *shown = val_copy_sharing(export->scratch, object);
    struct val *meta = val_get(shown, "metadata");
    if (val_is_map(meta))
        val_remove(meta, "managedFields");
    sbuf_add(&export->pending, "---\n");
    doc_yaml_emit(shown, &export->pending);
    if (!export->pending.is_over)
        encode(export, export->pending.len - export->pending.len % BASE64_GROUP);
}

static void on_object(void *ctx, const struct val *object)
{
    struct export *export = ctx;
    bool is_workload = export->queries.at[export->at].resource->is_namespaced;
    if (export->answer.is_over || (is_workload && image_workload_is_hidden(object)))
        return;
    arena_reset(export->scratch);
    const char *id = object_id(export->scratch, object_namespace(object), object_kind(object),
                               object_name(object));
    if (map_get(export->seen, id))
        return;
    map_set(export->seen, id, export->seen);
    add_document(export, object);
}

/* A kind that we may not list, or that the server does not have, is left out; all of them are an error. */
static void on_list_done(void *ctx, const struct err *e, const char *resource_version)
{
    (void)resource_version;
    struct export *export = ctx;
    struct api_call *call = export->call;
    export->list = 0;
    bool is_refusal = err_is(e, ERR_DENIED);
    if (e && !is_refusal && !err_is(e, ERR_NOT_FOUND)) {
        api_call_fail_server(call, e);
        return;
    }
    if (is_refusal && ++export->refused == export->queries.len) {
        api_call_fail_server(call, e);
        return;
    }
    if (is_refusal)
        log_warn(call->api->opts.log, F("component", "api"),
                 F("warning", "not permitted to list resources"), F("err", err_text(e)));
    export->at++;
    run_query(export);
}

static void run_query(struct export *export)
{
    struct api_call *call = export->call;
    if (export->at == export->queries.len) {
        answer(export);
        return;
    }
    const struct export_query *query = &export->queries.at[export->at];
    struct kube_watch_opts opts = { .ns = query->ns };
    if (query->ns && !query->resource->is_namespaced)
        opts = (struct kube_watch_opts){ .field_selector = arena_printf(
                                             call->mem, "metadata.name=%s", query->ns) };
    export->list = kube_list_start(call->api->opts.kube, query->resource, &opts, on_object,
                                   on_list_done, export);
}

static void cancel_export(struct api_call *call)
{
    struct export *export = call->state;
    if (export->list)
        kube_list_cancel(call->api->opts.kube, export->list);
}

static void add_query(struct export *export, const struct kube_resource *resource, const char *ns)
{
    *vec_push(export->call->mem, &export->queries) =
        (struct export_query){ .resource = resource, .ns = ns };
}

/* The answer is in this order. */
static void ask(struct export *export, const char *ns)
{
    const struct kube_resource *kind;
    add_query(export, &namespaces, ns);
    for (size_t i = 0; (kind = image_live_kind(i)); i++)
        add_query(export, kind, ns);
}

static void free_export(void *ctx)
{
    struct export *export = ctx;
    map_free(export->seen);
    sbuf_fini(&export->answer);
    sbuf_fini(&export->pending);
    arena_free(export->scratch);
}

void api_export(struct api_call *call)
{
    const char *const *allowed = call->api->opts.allowed_ns;
    struct export *export = arena_alloc(call->mem, sizeof(*export));
    export->call = call;
    export->seen = map_new(NULL);
    export->scratch = arena_new(ARENA_LIMIT_BYTES);
    sbuf_init(&export->answer, ANSWER_LIMIT_BYTES);
    sbuf_init(&export->pending, PIECE_LIMIT_BYTES);
    arena_defer(call->mem, free_export, export);
    call->state = export;
    call->cancel = cancel_export;
    if (!allowed)
        ask(export, NULL);
    for (size_t i = 0; allowed && allowed[i]; i++)
        ask(export, allowed[i]);
    sbuf_add_char(&export->answer, '"');
    run_query(export);
}
