#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../value.h"
#include "doc/merge.h"
#include "doc/object.h"

static const char *const selector_labels[] = { "app", "name", "app.kubernetes.io/name", NULL };

void bench_init_canary(struct bench *bench, struct arena *mem, const struct val *canary)
{
    *bench = (struct bench){
        .mem = mem,
        .settings = { .mesh_provider = "istio",
                      .selector_labels = selector_labels,
                      .ingress_prefix = "nginx.ingress.kubernetes.io",
                      .ingress_class = "" },
        .view = { .letters = { "CanaryABCD", "PrimaryABC" },
                  .uuid = "5d7a",
                  .target = { .selector_key = "app", .selector_value = "podinfo" } },
    };
    SCOPED(err_free) struct err *e = canary_parse(mem, canary, &bench->canary);
    if (e)
        fail_msg("%s", err_text(e));
    bench->canary.status.phase = CANARY_PROGRESSING;
    bench->router = router_for(&bench->canary, &bench->settings, NULL);
}

static struct val *canary_with(struct arena *mem, const char *spec)
{
    struct val *object = value_of(mem, BENCH_CANARY);
    val_set(mem, object, "spec", value_of(mem, spec));
    return object;
}

int bench_set_up(void **state)
{
    *state = arena_new(ARENA_LIMIT_BYTES);
    return 0;
}

int bench_tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

struct arena *bench_mem(void **state)
{
    return *state;
}

void bench_init(struct bench *bench, struct arena *mem, const char *spec)
{
    bench_init_canary(bench, mem, canary_with(mem, spec));
}

void bench_edit(struct bench *bench, const char *spec)
{
    struct canary_status status = bench->canary.status;
    SCOPED(err_free)
    struct err *e = canary_parse(bench->mem, canary_with(bench->mem, spec), &bench->canary);
    if (e)
        fail_msg("%s", err_text(e));
    bench->canary.status = status;
    bench->router = router_for(&bench->canary, &bench->settings, NULL);
}

/* -- objects ---------------------------------------------------------------------------------- */

static struct val **find_place(const struct bench *bench, const char *kind, const char *name)
{
    for (size_t i = 0; i < bench->objects.len; i++)
        if (bench->objects.at[i] && strcmp(object_kind(bench->objects.at[i]), kind) == 0 &&
            strcmp(object_name(bench->objects.at[i]), name) == 0)
            return &bench->objects.at[i];
    return NULL;
}

const struct val *bench_live(const struct bench *bench, const char *kind, const char *name)
{
    struct val **place = find_place(bench, kind, name);
    return place ? *place : NULL;
}

static void add_default(struct arena *mem, struct val *map, const char *key, const char *yaml)
{
    if (val_is_map(map) && val_is_null(val_get(map, key)))
        val_set(mem, map, key, value_of(mem, yaml));
}

static void add_to_each(struct arena *mem, const struct val *list, const char *key,
                        const char *yaml)
{
    for (size_t i = 0; i < val_len(list); i++)
        add_default(mem, val_item(list, i), key, yaml);
}

static void add_rule_defaults(struct arena *mem, struct val *rule)
{
    const struct val *filters = val_get(rule, "filters"), *backends = val_get(rule, "backendRefs");
    add_default(mem, rule, "matches", "[{path: {type: PathPrefix, value: /}}]");
    const struct val *matches = val_get(rule, "matches");
    add_to_each(mem, matches, "path", "{type: PathPrefix, value: /}");
    for (size_t i = 0; i < val_len(matches); i++) {
        struct val *match = val_item(matches, i);
        add_default(mem, val_get(match, "path"), "type", "PathPrefix");
        add_default(mem, val_get(match, "path"), "value", "/");
        add_to_each(mem, val_get(match, "headers"), "type", "Exact");
        add_to_each(mem, val_get(match, "queryParams"), "type", "Exact");
    }
    for (size_t i = 0; i < val_len(filters); i++) {
        struct val *mirror = VAL_PATH(val_item(filters, i), "requestMirror", "backendRef");
        add_default(mem, mirror, "group", "''");
        add_default(mem, mirror, "kind", "Service");
        add_default(mem, val_get(val_item(filters, i), "cors"), "maxAge", "5");
    }
    add_to_each(mem, backends, "group", "''");
    add_to_each(mem, backends, "kind", "Service");
    add_to_each(mem, backends, "weight", "1");
}

static void add_route_defaults(struct arena *mem, struct val *spec)
{
    const struct val *rules = val_get(spec, "rules");
    add_to_each(mem, val_get(spec, "parentRefs"), "group", "gateway.networking.k8s.io");
    add_to_each(mem, val_get(spec, "parentRefs"), "kind", "Gateway");
    for (size_t i = 0; i < val_len(rules); i++)
        add_rule_defaults(mem, val_item(rules, i));
}

/* What Knative does: the traffic is what was asked for, and each entry says where it leads. */
static void move_traffic(struct arena *mem, struct val *service)
{
    const char *latest = val_text_or(VAL_PATH(service, "status", "latestCreatedRevisionName"), "");
    struct val *traffic = val_copy(mem, VAL_PATH(service, "spec", "traffic"));
    for (size_t i = 0; i < val_len(traffic); i++) {
        bool is_latest = val_is_true(val_get(val_item(traffic, i), "latestRevision"));
        if (is_latest)
            val_set_text(mem, val_item(traffic, i), "revisionName", latest);
        else
            val_set(mem, val_item(traffic, i), "latestRevision", val_new_bool(mem, false));
    }
    if (traffic)
        val_set(mem, val_need_map(mem, service, "status"), "traffic", traffic);
}

/* The generation counts specs, the version everything; a write that changes nothing changes neither. */
static void store(struct bench *bench, const struct val *object)
{
    struct arena *mem = bench->mem;
    struct val *stored = val_copy(mem, object);
    if (strcmp(object_kind(stored), "HTTPRoute") == 0)
        add_route_defaults(mem, val_get(stored, "spec"));
    if (strcmp(object_api_version(stored), "serving.knative.dev/v1") == 0)
        move_traffic(mem, stored);
    struct val **place = find_place(bench, object_kind(object), object_name(object));
    if (place && val_equal(*place, stored))
        return;
    bool is_new_spec = !place || !val_equal(val_get(*place, "spec"), val_get(stored, "spec"));
    int64_t generation = place ? object_generation(*place) : 0;
    struct val *metadata = val_get(stored, "metadata");
    val_set(mem, metadata, "generation", val_new_int(mem, generation + is_new_spec));
    val_set_text(mem, metadata, "resourceVersion",
                 arena_printf(mem, "%lld", (long long)++bench->version));
    if (!place)
        place = vec_push(mem, &bench->objects);
    *place = stored;
}

static bool is_of_cluster(const char *kind)
{
    return strcmp(kind, "TrafficRoute") == 0;
}

void bench_put(struct bench *bench, const struct val *object)
{
    struct val *copy = val_copy(bench->mem, object);
    if (!is_of_cluster(object_kind(object)))
        val_set_text(bench->mem, val_get(copy, "metadata"), "namespace", bench->canary.ns);
    store(bench, copy);
}

void bench_put_yaml(struct bench *bench, const char *yaml)
{
    bench_put(bench, value_of(bench->mem, yaml));
}

void bench_remove(struct bench *bench, const char *kind, const char *name)
{
    struct val **place = find_place(bench, kind, name);
    assert_non_null(place);
    *place = NULL;
}

/* -- planning and carrying out ---------------------------------------------------------------- */

const struct canary_view *bench_view(struct bench *bench)
{
    struct live_wants wants = { .mem = bench->mem };
    struct live *live = live_new(bench->mem);
    bench->view.mem = bench->mem;
    bench->view.canary = &bench->canary;
    bench->view.settings = &bench->settings;
    bench->view.provider = canary_provider(&bench->canary, &bench->settings);
    bench->router->wants(&bench->view, &wants);
    /* The target is wanted by its own kind. */
    live_want(&wants, &(struct live_key){ .api_version = "apps/v1",
                                          .kind = "Deployment",
                                          .ns = bench->canary.ns,
                                          .name = bench->canary.target.name });
    for (size_t i = 0; i < wants.keys.len; i++) {
        const struct live_key *key = &wants.keys.at[i];
        const struct val *object = bench_live(bench, key->kind, key->name);
        bool is_unknown = bench->no_kind && strcmp(bench->no_kind, key->kind) == 0;
        if (object)
            assert_string_equal(object_api_version(object), key->api_version);
        live_put(live, key,
                 is_unknown ? LIVE_NO_KIND
                 : object   ? LIVE_HERE
                            : LIVE_ABSENT,
                 object, NULL);
    }
    bench->view.live = live;
    return &bench->view;
}

static void carry_out(struct bench *bench, const struct effect *effect)
{
    const struct val *live = bench_live(bench, effect->kind, effect->name);
    assert_string_equal(effect->ns, is_of_cluster(effect->kind) ? "" : bench->canary.ns);
    assert_true(*effect->before); /* every request has words for when it is refused */
    assert_int_equal(effect->verb == EFFECT_CREATE, !live);
    switch (effect->verb) {
    case EFFECT_CREATE:
    case EFFECT_UPDATE:
        assert_string_equal(object_resource_version(effect->body),
                            live ? object_resource_version(live) : "");
        store(bench, effect->body);
        break;
    case EFFECT_MERGE: store(bench, doc_merge_apply(bench->mem, live, effect->body)); break;
    case EFFECT_DELETE: bench_remove(bench, effect->kind, effect->name); break;
    case EFFECT_COPY_CONFIG: fail_msg("routers copy no configs"); break;
    }
}

void bench_carry_out(struct bench *bench, const struct effects *effects)
{
    for (size_t i = 0; i < effects->list.len; i++)
        carry_out(bench, &effects->list.at[i]);
    struct canary_status *status = &bench->canary.status;
    if (effects->cookie)
        status->cookie = effects->cookie;
    if (effects->primary_cookie)
        status->primary_cookie = effects->primary_cookie;
    if (effects->previous_cookie)
        status->previous_cookie = effects->previous_cookie;
}

static void assert_no_error(struct err *e)
{
    SCOPED(err_free) struct err *kept = e;
    if (kept)
        fail_msg("%s", err_text(kept));
}

struct effects bench_plan(struct bench *bench)
{
    struct effects effects = { .mem = bench->mem };
    assert_no_error(bench->router->reconcile(bench_view(bench), &effects));
    return effects;
}

/* What is read after the plan is what is read after its effects. */
static void assert_foretold(struct bench *bench, const struct effects *effects)
{
    struct split foretold, read;
    SCOPED(err_free)
    struct err *early = router_read_after(bench->router, bench_view(bench), effects, &foretold);
    bench_carry_out(bench, effects);
    SCOPED(err_free) struct err *late = bench->router->read(bench_view(bench), &read);
    assert_string_equal(err_text(early), err_text(late));
    if (!late)
        bench_assert_split(foretold, read.primary, read.canary, read.mirrored);
}

size_t bench_reconcile(struct bench *bench)
{
    struct effects effects = bench_plan(bench);
    assert_foretold(bench, &effects);
    return effects.list.len;
}

size_t bench_write(struct bench *bench, int64_t primary, int64_t canary, bool is_mirrored)
{
    struct effects effects = { .mem = bench->mem };
    struct split to = { .primary = primary, .canary = canary, .mirrored = is_mirrored };
    assert_no_error(bench->router->write(bench_view(bench), &to, &effects));
    bench_carry_out(bench, &effects);
    return effects.list.len;
}

struct split bench_read(struct bench *bench)
{
    struct split split = { 0 };
    assert_no_error(bench->router->read(bench_view(bench), &split));
    return split;
}

void bench_assert_part(const struct bench *bench, const char *kind, const char *name,
                       const char *part, const char *yaml)
{
    const struct val *live = bench_live(bench, kind, name);
    assert_non_null(live);
    assert_same_value(bench->mem, part ? val_get(live, part) : live, value_of(bench->mem, yaml));
}

void bench_assert_error(struct err *e, const char *text)
{
    SCOPED(err_free) struct err *kept = e;
    assert_non_null(kept);
    assert_string_equal(err_text(kept), text);
}

void bench_assert_split(struct split got, int64_t primary, int64_t canary, bool is_mirrored)
{
    if (got.primary != primary || got.canary != canary || got.mirrored != is_mirrored)
        fail_msg("split is %lld:%lld%s, not %lld:%lld%s", (long long)got.primary,
                 (long long)got.canary, got.mirrored ? " mirrored" : "", (long long)primary,
                 (long long)canary, is_mirrored ? " mirrored" : "");
}
