/* The live side against an API server in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "bench.h"
#include "fake.h"
#include "sync/picture.h"

#define SET "set"

struct world {
    struct fake *fake;
    struct bench *bench;
    struct kube_discovery *discovery;
    struct inventory inventory;
    struct picture *picture;
    struct sbuf told; /* "seen ID", "gone ID", one a line */
    const char *wanted;
    bool is_done;
};

static void on_seen(void *ctx, struct inventory_object *object, const struct drift_seen *seen)
{
    struct world *world = ctx;
    if (seen->event != DRIFT_SEEN)
        object->live = INVENTORY_ABSENT;
    sbuf_addf(&world->told, "%s %s\n", seen->event == DRIFT_SEEN ? "seen" : "gone", object->id);
}

static void on_kinds_changed(void *ctx)
{
    (void)ctx;
}

static void on_done(void *ctx)
{
    ((struct world *)ctx)->is_done = true;
}

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    on_done(ctx);
}

static bool is_done(void *ctx)
{
    return ((struct world *)ctx)->is_done;
}

static void wait_done(struct world *world)
{
    assert_true(bench_until(world->bench, is_done, world));
    world->is_done = false;
}

static void discover(struct world *world)
{
    kube_discovery_refresh(world->discovery, on_discovered, world);
    wait_done(world);
}

static void observe(struct world *world)
{
    picture_observe(world->picture, false, on_done, world);
    wait_done(world);
}

static void sweep(struct world *world)
{
    picture_observe(world->picture, true, on_done, world);
    wait_done(world);
}

static struct world *world_new(const char *const *namespaces)
{
    struct world *world = base_alloc(sizeof(*world));
    world->fake = fake_new();
    world->bench = bench_new(fake_serve, world->fake, NULL);
    world->discovery = kube_discovery_new(world->bench->kube, &world->bench->log);
    discover(world);
    sbuf_init(&world->told, SBUF_MAX);
    inventory_init(&world->inventory);
    world->picture = picture_new(&(struct picture_opts){ .loop = world->bench->loop,
                                                         .log = &world->bench->log,
                                                         .kube = world->bench->kube,
                                                         .discovery = world->discovery,
                                                         .inventory = &world->inventory,
                                                         .allowed_ns = namespaces,
                                                         .set_name = SET,
                                                         .on_seen = on_seen,
                                                         .on_kinds_changed = on_kinds_changed,
                                                         .ctx = world });
    return world;
}

static void world_free(struct world *world)
{
    picture_free(world->picture);
    kube_discovery_free(world->discovery);
    bench_free(world->bench);
    fake_free(world->fake);
    inventory_fini(&world->inventory);
    sbuf_fini(&world->told);
    free(world);
}

static void ignore_object(void *ctx, const struct inventory_object *object)
{
    (void)ctx;
    (void)object;
}

/* One file a object, named after its ID. */
static void declare(struct world *world, const char *api_version, const char *kind, const char *id)
{
    struct inventory_file *file = inventory_file_new(id, api_version, 0100644);
    struct inventory_object *object = inventory_object_new(id);
    object->api_version = base_copy_text(api_version);
    object->kind = base_copy_text(kind);
    object->ns = base_copy_text(arena_strndup(world->bench->mem, id, strcspn(id, ":")));
    object->name = base_copy_text(strchr(id, '/') + 1);
    object->path = base_copy_text(id);
    object->body = base_copy_text("{}");
    *vec_push(NULL, &file->objects) = object;
    inventory_update(&world->inventory, &(struct inventory_update){ .files = &file,
                                                                    .count = 1,
                                                                    .on_gone = ignore_object,
                                                                    .on_duplicate = ignore_object,
                                                                    .ctx = world,
                                                                    .now_ms = 1 });
}

static void put_marked(struct world *world, const char *api_version, const char *kind,
                       const char *id, const char *mark)
{
    struct arena *mem = world->bench->mem;
    fake_put(world->fake,
             arena_printf(mem,
                          "{apiVersion: %s, kind: %s, metadata: {name: %s, namespace: %s, labels: "
                          "{" MARK_LABEL ": '%s'}}}",
                          api_version, kind, strchr(id, '/') + 1,
                          arena_strndup(mem, id, strcspn(id, ":")), mark));
}

/* In the cluster, with our mark. */
static void put(struct world *world, const char *api_version, const char *kind, const char *id)
{
    put_marked(world, api_version, kind, id, mark_of(world->bench->mem, SET, id));
}

static bool was_told(void *ctx)
{
    const struct world *world = ctx;
    return strstr(sbuf_text(&world->told), world->wanted) != NULL;
}

static void wait_told(struct world *world, const char *line)
{
    world->wanted = line;
    if (!bench_until(world->bench, was_told, world))
        fail_msg("not told %s but:\n%s\n%s", line, sbuf_text(&world->told),
                 bench_log(world->bench));
}

static bool has_no_strays(void *ctx)
{
    return picture_stray_count(((struct world *)ctx)->picture) == 0;
}

static const struct gap_case {
    const char *name, *namespaces[4];
    bool is_limited;
} gap_cases[] = {
    { .name = "what went while nobody watched is gone" },
    { "also where one namespace is watched", { "a" }, true },
    { "also where several namespaces are watched one by one", { "a", "b", "c" }, true },
};

static void what_went_unseen_is_gone(void **state)
{
    const struct gap_case *c = *state;
    struct world *world = world_new(c->is_limited ? c->namespaces : NULL);
    declare(world, "v1", "ConfigMap", "a:configmap/goes");
    declare(world, "v1", "ConfigMap", "a:configmap/stays");
    put(world, "v1", "ConfigMap", "a:configmap/goes");
    put(world, "v1", "ConfigMap", "a:configmap/stays");
    put(world, "v1", "ConfigMap", "a:configmap/stray");
    observe(world);
    assert_string_equal(sbuf_text(&world->told), "seen a:configmap/goes\nseen a:configmap/stays\n");
    assert_int_equal(picture_stray_count(world->picture), 1);
    fake_expire(world->fake);
    fake_delete(world->fake, "ConfigMap", "a", "goes");
    fake_delete(world->fake, "ConfigMap", "a", "stray");
    wait_told(world, "gone a:configmap/goes\n");
    assert_true(bench_until(world->bench, has_no_strays, world));
    assert_null(strstr(sbuf_text(&world->told), "gone a:configmap/stays"));
    world_free(world);
}

/* Its definition, or the server, was upgraded, and does not serve the old version any more. */
static void a_kind_is_watched_in_the_version_that_is_served(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    fake_add_kind(world->fake, "example.com/v1", "Route", "routes");
    discover(world);
    declare(world, "example.com/v1", "Route", "a:route/web");
    put(world, "example.com/v1", "Route", "a:route/web");
    observe(world);
    wait_told(world, "seen a:route/web\n");
    fake_remove_kind(world->fake, "example.com/v1", "Route");
    fake_add_kind(world->fake, "example.com/v2", "Route", "routes");
    put(world, "example.com/v2", "Route", "a:route/web");
    discover(world);
    declare(world, "example.com/v2", "Route", "a:route/web");
    sbuf_reset(&world->told);
    observe(world);
    wait_told(world, "seen a:route/web\n");
    fake_delete(world->fake, "Route", "a", "web");
    wait_told(world, "gone a:route/web\n");
    world_free(world);
}

/* The kinds that could not be looked at are asked for again by the next call, and no others. */
static void a_sweep_that_failed_is_made_up_for(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    put(world, "v1", "Secret", "a:secret/stray");
    put(world, "v1", "ConfigMap", "a:configmap/stray");
    fake_refuse(world->fake, "GET /api/v1/secrets", 500, "etcdserver: request timed out", 5);
    sweep(world);
    assert_true(picture_may_retry(world->picture));
    assert_int_equal(picture_stray_count(world->picture), 1);
    sweep(world);
    assert_false(picture_may_retry(world->picture));
    assert_int_equal(picture_stray_count(world->picture), 2);
    world_free(world);
}

/* What a person has to change first is not asked for again and again. */
static void a_sweep_that_is_forbidden_is_done_with(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    put(world, "v1", "Secret", "a:secret/stray");
    fake_refuse(world->fake, "GET /api/v1/secrets", 403, "secrets is forbidden", 1);
    sweep(world);
    assert_false(picture_may_retry(world->picture));
    assert_int_equal(picture_stray_count(world->picture), 0);
    world_free(world);
}

/* Whoever reads the status shall not take "no drift" for an answer. */
static void a_kind_that_may_not_be_watched_is_named(void **state)
{
    (void)state;
    struct world *world = world_new(NULL);
    const char *kind = NULL;
    size_t at = 0;
    declare(world, "v1", "Secret", "a:secret/one");
    declare(world, "v1", "ConfigMap", "a:configmap/one");
    fake_refuse(world->fake, "WATCH /api/v1/secrets", 403, "secrets is forbidden", 1000);
    fake_refuse(world->fake, "GET /api/v1/secrets", 403, "secrets is forbidden", 1000);
    observe(world);
    assert_true(picture_next_unseen(world->picture, &at, &kind));
    assert_string_equal(kind, "/Secret");
    assert_false(picture_next_unseen(world->picture, &at, &kind));
    world_free(world);
}

/* Objects of a commit that is gone: what carries our mark is garbage, whatever came of applying it last. */
static const struct undeclared_case {
    const char *name, *mark; /* NULL: ours */
    size_t strays;
} undeclared_cases[] = {
    { "what was refused last is garbage when it is declared no more", NULL, 1 },
    { "what carries another's mark is not", "sha256.theirs", 0 },
};

static void undeclared_objects_are_garbage(void **state)
{
    const struct undeclared_case *c = *state;
    const char *id = "a:configmap/web";
    struct world *world = world_new(NULL);
    declare(world, "v1", "ConfigMap", id);
    struct inventory_object *object = inventory_find(&world->inventory, id);
    object->mark = base_copy_text(mark_of(world->bench->mem, SET, id));
    put_marked(world, "v1", "ConfigMap", id, c->mark ? c->mark : object->mark);
    observe(world);
    wait_told(world, "seen a:configmap/web\n");
    object->was_applied = c->mark != NULL;
    picture_add_stray(world->picture, object, object->mark);
    assert_int_equal(picture_stray_count(world->picture), c->strays);
    world_free(world);
}

/* Applied as it is there already, it comes by no event. */
static void what_is_declared_again_is_watched_on(void **state)
{
    (void)state;
    const char *id = "a:configmap/again";
    struct world *world = world_new(NULL);
    declare(world, "v1", "ConfigMap", "a:configmap/stays");
    put(world, "v1", "ConfigMap", id);
    observe(world);
    assert_int_equal(picture_stray_count(world->picture), 1);
    declare(world, "v1", "ConfigMap", id);
    picture_drop_declared(world->picture, map_get(world->inventory.files, id));
    assert_int_equal(picture_stray_count(world->picture), 0);
    inventory_find(&world->inventory, id)->live = INVENTORY_PRESENT;
    fake_expire(world->fake);
    fake_delete(world->fake, "ConfigMap", "a", "again");
    wait_told(world, "gone a:configmap/again\n");
    world_free(world);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(gap_cases, what_went_unseen_is_gone),
        SINGLE(a_kind_is_watched_in_the_version_that_is_served),
        ROWS(undeclared_cases, undeclared_objects_are_garbage),
        SINGLE(what_is_declared_again_is_watched_on),
        SINGLE(a_sweep_that_failed_is_made_up_for),
        SINGLE(a_sweep_that_is_forbidden_is_done_with),
        SINGLE(a_kind_that_may_not_be_watched_is_named),
    };
    return rows_run("sync_picture", tests, ARRAY_LEN(tests));
}
