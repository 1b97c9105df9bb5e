/* The lists run one after the other, so that an answer of thousands of objects is in memory one page at a time. */
#include "image/live.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/vec.h"
#include "doc/object.h"
#include "kube/watch.h"

#define NAMESPACE_BYTES 63
#define QUERIES_MAX     20 /* lists of single namespaces and objects; for more, all are listed */

/* Every server has them: nothing to discover, but of the last one. */
static const struct kube_resource kinds[] = {
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
    { .group = "helm.fluxcd.io",
      .version = "v1",
      .api_version = "helm.fluxcd.io/v1",
      .kind = "HelmRelease",
      .plural = "helmreleases",
      .is_namespaced = true },
};
enum { KIND_COUNT = ARRAY_LEN(kinds), KIND_HELM = KIND_COUNT - 1 };

/* One list to be asked for. */
struct query {
    size_t kind;      /* index into kinds */
    const char *ns;   /* NULL: all */
    const char *name; /* the one object; NULL: all */
};

struct image_live {
    struct image_live_opts opts; /* texts in mem */
    image_live_each each;
    image_live_done done;
    void *ctx;
    struct arena *mem, *scratch;
    VEC(struct query) queries;
    size_t at;          /* of the query that runs */
    struct map *wanted; /* IDs; NULL: all */
    ticket list, turn;
    size_t refused; /* queries that we may not make */
};

static void run_query(struct image_live *live);

static void free_live(struct image_live *live)
{
    map_free(live->wanted);
    arena_free(live->scratch);
    arena_free(live->mem);
    free(live);
}

static void end(struct image_live *live, const struct err *e)
{
    image_live_done done = live->done;
    void *ctx = live->ctx;
    SCOPED(err_free) struct err *copy = err_copy(e);
    free_live(live);
    done(ctx, copy);
}

/* NULL where the cluster has no such kind. */
static const struct kube_resource *find_resource(const struct image_live *live, size_t kind)
{
    const struct kube_resource *known = &kinds[kind];
    if (kind != KIND_HELM)
        return known;
    return live->opts.discovery
               ? kube_discovery_find(live->opts.discovery, known->api_version, known->kind)
               : NULL;
}

/* --- the lists */

static void on_object(void *ctx, const struct val *object)
{
    struct image_live *live = ctx;
    const char *kind = kinds[live->queries.at[live->at].kind].kind;
    if (image_workload_is_hidden(object))
        return;
    arena_reset(live->scratch);
    struct image_workload workload;
    image_workload_read(live->scratch, kind, object, &workload);
    if (!live->wanted || map_get(live->wanted, workload.id))
        live->each(live->ctx, object, &workload);
}

/* A kind that we may not list, or that the server does not have, is left out; all of them are an error. */
static void on_list_done(void *ctx, const struct err *e, const char *resource_version)
{
    (void)resource_version;
    struct image_live *live = ctx;
    live->list = 0;
    bool is_refusal = err_is(e, ERR_DENIED);
    bool is_all_refused = is_refusal && ++live->refused == live->queries.len;
    if (is_all_refused || (e && !is_refusal && !err_is(e, ERR_NOT_FOUND))) {
        end(live, e);
        return;
    }
    if (is_refusal && live->opts.log)
        log_warn(live->opts.log, F("component", "image"),
                 F("warning", "not permitted to list resources"), F("err", err_text(e)));
    live->at++;
    run_query(live);
}

static void on_nothing_left(void *ctx)
{
    end(ctx, NULL);
}

static void run_query(struct image_live *live)
{
    const struct kube_resource *resource = NULL;
    while (live->at < live->queries.len &&
           !(resource = find_resource(live, live->queries.at[live->at].kind)))
        live->at++;
    if (!resource) {
        live->turn = loop_after(live->opts.loop, 0, on_nothing_left, live);
        return;
    }
    const struct query *query = &live->queries.at[live->at];
    const char *selector =
        query->name ? arena_printf(live->mem, "metadata.name=%s", query->name) : NULL;
    live->list =
        kube_list_start(live->opts.kube, resource,
                        &(struct kube_watch_opts){ .ns = query->ns, .field_selector = selector },
                        on_object, on_list_done, live);
}

/* --- what is asked for */

static bool is_allowed(const struct image_live *live, const char *ns)
{
    const char *const *allowed = live->opts.allowed_ns;
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

static void ask_namespace(struct image_live *live, const char *ns)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (find_resource(live, i))
            *vec_push(live->mem, &live->queries) = (struct query){ .kind = i, .ns = ns };
    }
}

static void ask_all(struct image_live *live)
{
    const char *const *allowed = live->opts.allowed_ns;
    if (!allowed)
        ask_namespace(live, NULL);
    for (size_t i = 0; allowed && allowed[i]; i++)
        ask_namespace(live, allowed[i]);
}

/* By the kind of an ID, in any case; KIND_COUNT if it is no workload. */
static size_t find_kind(const char *kind)
{
    size_t i = 0;
    while (i < KIND_COUNT && strcasecmp(kinds[i].kind, kind) != 0)
        i++;
    return i;
}

/* One list per kind and namespace, of the one object where only one is wanted. */
static void ask_object(struct image_live *live, const char *text)
{
    struct object_id id;
    SCOPED(err_free) struct err *e = object_id_parse(live->mem, text, &id);
    size_t kind = e ? KIND_COUNT : find_kind(id.kind);
    if (kind == KIND_COUNT || !is_namespace(id.ns) || !is_allowed(live, id.ns) ||
        !find_resource(live, kind))
        return;
    const char *key = object_id(live->mem, id.ns, id.kind, id.name);
    map_set(live->wanted, key, live);
    for (size_t i = 0; i < live->queries.len; i++) {
        struct query *query = &live->queries.at[i];
        if (query->kind != kind || strcmp(query->ns, id.ns) != 0)
            continue;
        if (query->name && strcmp(query->name, id.name) != 0)
            query->name = NULL;
        return;
    }
    *vec_push(live->mem, &live->queries) =
        (struct query){ .kind = kind, .ns = id.ns, .name = id.name };
}

static void ask_objects(struct image_live *live)
{
    live->wanted = map_new(NULL);
    for (const char *const *id = live->opts.ids; *id; id++)
        ask_object(live, *id);
    if (live->opts.allowed_ns || live->queries.len <= QUERIES_MAX)
        return;
    live->queries.len = 0;
    ask_all(live);
}

static void ask(struct image_live *live)
{
    const char *ns = live->opts.ns;
    if (live->opts.ids)
        ask_objects(live);
    else if (!ns)
        ask_all(live);
    else if (is_namespace(ns) && is_allowed(live, ns))
        ask_namespace(live, ns);
}

static const char *const *copy_ids(struct arena *mem, const char *const *ids)
{
    static const char *const none[] = { NULL };
    return ids && !*ids ? none : arena_copy_texts(mem, ids);
}

struct image_live *image_live_start(const struct image_live_opts *opts, image_live_each each,
                                    image_live_done done, void *ctx)
{
    struct image_live *live = base_alloc(sizeof(*live));
    live->mem = arena_new(ARENA_LIMIT_BYTES);
    live->scratch = arena_new(ARENA_LIMIT_BYTES);
    live->opts = *opts;
    live->opts.ns = arena_strdup(live->mem, opts->ns);
    live->opts.ids = copy_ids(live->mem, opts->ids);
    live->opts.allowed_ns = arena_copy_texts(live->mem, opts->allowed_ns);
    live->each = each;
    live->done = done;
    live->ctx = ctx;
    ask(live);
    run_query(live);
    return live;
}

void image_live_cancel(struct image_live *live)
{
    if (!live)
        return;
    if (live->list)
        kube_list_cancel(live->opts.kube, live->list);
    loop_cancel(live->opts.loop, live->turn);
    free_live(live);
}

const struct kube_resource *image_live_kind(size_t index)
{
    return index < KIND_COUNT ? &kinds[index] : NULL;
}
