#include "kube/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "kube/catalog.h"

#define ACCEPT                                                              \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
#define LIMIT_BYTES ((size_t)32 << 20)
/* Nothing starts before the kinds are known: an answer that got lost on the way is not waited for to the end. */
#define ATTEMPT_MS          10000
#define SCALE_TRACKED_MINOR 22

struct waiter {
    kube_discovery_done done;
    void *ctx;
};

/* Those who wait for one refresh. It outlives the discovery when a callback of it frees that one. */
struct waiters {
    bool is_abandoned;
    VEC(struct waiter) all;
};

/* One request of a refresh. */
struct part {
    struct kube_discovery *discovery;
    ticket ticket;
    enum { PART_VERSION, PART_CORE, PART_GROUPS, PART_GV } what;
    size_t gv; /* PART_GV: its index in the catalog being made */
    struct part *next, **at;
};

struct kube_discovery {
    struct kube *kube;
    const struct log *log;
    struct kube_catalog *catalog; /* NULL before the first refresh */
    struct kube_catalog *next;    /* being made; NULL: no refresh runs */
    char *version;
    struct part *parts; /* requests of the refresh that runs */
    int roots_left;     /* of /api and /apis */
    size_t read;        /* documents read by this refresh */
    struct err *failed; /* the first failure of this refresh */
    struct waiters *waiters;
    struct waiters *telling; /* being called */
    struct map *reported;    /* group versions known to be broken: api_version -> itself */
};

struct kube_discovery *kube_discovery_new(struct kube *kube, const struct log *log)
{
    struct kube_discovery *discovery = base_alloc(sizeof(*discovery));
    discovery->kube = kube;
    discovery->log = log;
    discovery->version = base_copy_text("");
    discovery->reported = map_new(free);
    return discovery;
}

static void waiters_free(struct waiters *waiters)
{
    if (!waiters)
        return;
    vec_fini(&waiters->all);
    free(waiters);
}

void kube_discovery_free(struct kube_discovery *discovery)
{
    if (!discovery)
        return;
    while (discovery->parts)
        kube_cancel(discovery->kube, discovery->parts->ticket);
    if (discovery->telling)
        discovery->telling->is_abandoned = true;
    waiters_free(discovery->waiters);
    kube_catalog_free(discovery->catalog);
    kube_catalog_free(discovery->next);
    map_free(discovery->reported);
    err_free(discovery->failed);
    free(discovery->version);
    free(discovery);
}

/* -- the end of a refresh ------------------------------------------------------------------------------------------ */

/* A broken group is reported when it breaks, and again only after it was well. */
static void report_broken(struct kube_discovery *discovery)
{
    for (size_t i = 0; i < kube_catalog_gv_len(discovery->next); i++) {
        const struct kube_gv *gv = kube_catalog_gv_at(discovery->next, i);
        if (gv->state != KUBE_GV_BROKEN) {
            (void)map_remove(discovery->reported, gv->api_version);
        } else if (!map_get(discovery->reported, gv->api_version)) {
            map_set(discovery->reported, gv->api_version, base_copy_text(gv->api_version));
            log_warn(discovery->log, F("component", "kube"), F("event", "group not discovered"),
                     F("group", gv->api_version), F("err", err_text(discovery->failed)));
        }
    }
}

static void tell(struct waiters *waiters, const struct err *e)
{
    for (size_t i = 0; i < waiters->all.len && !waiters->is_abandoned; i++) {
        struct waiter one = waiters->all.at[i];
        if (one.done)
            one.done(one.ctx, e);
    }
}

static void end_refresh(struct kube_discovery *discovery)
{
    SCOPED(err_free) struct err *failed = STEAL(discovery->failed);
    bool is_empty = discovery->read == 0;
    if (is_empty) {
        kube_catalog_free(STEAL(discovery->next));
    } else {
        discovery->failed = failed;
        report_broken(discovery);
        discovery->failed = NULL;
        kube_catalog_finish(discovery->next);
        kube_catalog_free(discovery->catalog);
        discovery->catalog = STEAL(discovery->next);
    }
    struct waiters *waiters = STEAL(discovery->waiters);
    discovery->telling = waiters;
    tell(waiters, is_empty ? failed : NULL);
    if (!waiters->is_abandoned)
        discovery->telling = NULL;
    waiters_free(waiters);
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

static void part_free(void *ctx)
{
    struct part *part = ctx;
    *part->at = part->next;
    if (part->next)
        part->next->at = part->at;
    free(part);
}

static void on_part(void *ctx, const struct kube_result *result);

static void start_part(struct kube_discovery *discovery, const struct part *what, const char *path)
{
    struct part *part = base_alloc(sizeof(*part));
    *part = *what;
    part->discovery = discovery;
    part->next = discovery->parts;
    part->at = &discovery->parts;
    if (part->next)
        part->next->at = &part->next;
    discovery->parts = part;
    struct kube_request request = {
        .method = "GET",
        .path = path,
        .accept_text = ACCEPT,
        .limit_bytes = LIMIT_BYTES,
        .attempt_ms = ATTEMPT_MS,
        .on_cancel = part_free,
    };
    part->ticket = kube_start(discovery->kube, &request, on_part, part);
}

static void start_version(struct kube_discovery *discovery, size_t gv)
{
    const struct kube_gv *about = kube_catalog_gv_at(discovery->next, gv);
    SBUF(path, SBUF_MAX);
    sbuf_add(&path, *about->group ? "/apis/" : "/api/");
    sbuf_add_url(&path, about->group);
    sbuf_add(&path, *about->group ? "/" : "");
    sbuf_add_url(&path, about->version);
    start_part(discovery, &(struct part){ .what = PART_GV, .gv = gv }, sbuf_text(&path));
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

static void keep_failure(struct kube_discovery *discovery, struct err *e)
{
    if (discovery->failed)
        err_free(e);
    else
        discovery->failed = e;
}

static void take_version(struct kube_discovery *discovery, const struct kube_result *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *root = NULL;
    struct err *e = err_copy(result->err);
    if (!e)
        e = err_wrap(doc_json_parse(mem, result->body, result->body_len, &root), "GET /version");
    const char *version = val_text(val_get(root, "gitVersion"));
    if (version) {
        free(discovery->version);
        discovery->version = base_copy_text(version);
    }
    if (e)
        keep_failure(discovery, e);
}

static void take_root(struct kube_discovery *discovery, const struct part *part,
                      const struct kube_result *result)
{
    bool is_core = part->what == PART_CORE;
    struct err *e = err_copy(result->err);
    if (!e)
        e = err_wrap(kube_catalog_read(discovery->next, result->body, result->body_len), "GET %s",
                     is_core ? "/api" : "/apis");
    discovery->roots_left--;
    if (e) {
        keep_failure(discovery, e);
        kube_catalog_keep_all(discovery->next, discovery->catalog, is_core);
    } else {
        discovery->read++;
    }
    if (discovery->roots_left > 0)
        return;
    for (size_t i = 0; i < kube_catalog_gv_len(discovery->next); i++) {
        enum kube_gv_state state = kube_catalog_gv_at(discovery->next, i)->state;
        if (state == KUBE_GV_UNREAD)
            start_version(discovery, i);
        else if (state == KUBE_GV_BROKEN)
            kube_catalog_keep(discovery->next, i, discovery->catalog);
    }
}

static void take_group(struct kube_discovery *discovery, size_t gv,
                       const struct kube_result *result)
{
    struct err *e = err_copy(result->err);
    if (!e)
        e = kube_catalog_read_version(discovery->next, gv, result->body, result->body_len);
    if (!e)
        return;
    keep_failure(discovery, e);
    kube_catalog_keep(discovery->next, gv, discovery->catalog);
}

static void on_part(void *ctx, const struct kube_result *result)
{
    struct part part = *(struct part *)ctx;
    struct kube_discovery *discovery = part.discovery;
    part_free(ctx);
    switch (part.what) {
    case PART_VERSION: take_version(discovery, result); break;
    case PART_CORE:
    case PART_GROUPS: take_root(discovery, &part, result); break;
    case PART_GV: take_group(discovery, part.gv, result); break;
    }
    if (!discovery->parts)
        end_refresh(discovery);
}

/* -- the interface ------------------------------------------------------------------------------------------------- */

void kube_discovery_refresh(struct kube_discovery *discovery, kube_discovery_done done, void *ctx)
{
    if (!discovery->waiters)
        discovery->waiters = base_alloc(sizeof(*discovery->waiters));
    *vec_push(NULL, &discovery->waiters->all) = (struct waiter){ done, ctx };
    if (discovery->next)
        return;
    discovery->next = kube_catalog_new();
    discovery->roots_left = 2;
    discovery->read = 0;
    start_part(discovery, &(struct part){ .what = PART_VERSION }, "/version");
    start_part(discovery, &(struct part){ .what = PART_CORE }, "/api");
    start_part(discovery, &(struct part){ .what = PART_GROUPS }, "/apis");
}

bool kube_discovery_is_ready(const struct kube_discovery *discovery)
{
    return discovery->catalog != NULL;
}

const struct kube_resource *kube_discovery_find(const struct kube_discovery *discovery,
                                                const char *api_version, const char *kind)
{
    return discovery->catalog ? kube_catalog_find(discovery->catalog, api_version, kind) : NULL;
}

bool kube_discovery_knows_group(const struct kube_discovery *discovery, const char *api_version)
{
    return discovery->catalog && kube_catalog_gv_find(discovery->catalog, api_version);
}

const struct kube_resource *kube_discovery_find_kind(const struct kube_discovery *discovery,
                                                     const char *lower_kind)
{
    return discovery->catalog ? kube_catalog_find_kind(discovery->catalog, lower_kind) : NULL;
}

size_t kube_discovery_len(const struct kube_discovery *discovery)
{
    return discovery->catalog ? kube_catalog_len(discovery->catalog) : 0;
}

const struct kube_resource *kube_discovery_at(const struct kube_discovery *discovery, size_t index)
{
    return discovery->catalog ? kube_catalog_at(discovery->catalog, index) : NULL;
}

const char *kube_discovery_server_version(const struct kube_discovery *discovery)
{
    return discovery->version;
}

bool kube_discovery_tracks_scale(const struct kube_discovery *discovery)
{
    const char *minor = discovery->version;
    if (strncmp(minor, "v1.", 3) != 0)
        return true;
    return strtol(minor + 3, NULL, 10) >= SCALE_TRACKED_MINOR;
}
