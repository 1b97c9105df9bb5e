#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cluster.h"

#include "base/hash.h"
#include "doc/json.h"
#include "sync/identity.h"

#define WAIT_MS 20000
#define SECRET  "flux-git-deploy"

struct world {
    struct lab *lab;
    struct loop *loop;
    struct workers *workers;
    struct log log;
    struct sbuf lines;
    struct identity_opts opts;
    struct identity *identity;
    bool is_done;
    enum err_kind kind;
    char error[2048]; /* "" after success */
};

static void on_line(void *ctx, const char *line, size_t len)
{
    sbuf_add_bytes(&((struct world *)ctx)->lines, line, len);
}

static int64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

/* On a loop of its own, or on that of a client of the API server. */
static void open_world(struct world *world, struct loop *loop)
{
    struct lab *lab = lab_new();
    *world = (struct world){ .lab = lab, .loop = loop };
    world->workers = worker_new(loop, 1, (size_t)4 << 20);
    sbuf_init(&world->lines, SBUF_MAX);
    world->log =
        (struct log){ .least = LOG_INFO, .write = on_line, .wall_ns = no_clock, .ctx = world };
    world->opts = (struct identity_opts){ .loop = loop,
                                          .workers = world->workers,
                                          .log = &world->log,
                                          .dir = lab_path(lab, "keys"),
                                          .name = "identity" };
}

static void close_world(struct world *world)
{
    worker_free(world->workers);
    identity_free(world->identity);
    sbuf_fini(&world->lines);
    lab_free(world->lab);
}

static int setup(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    open_world(world, loop_new());
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    struct loop *loop = world->loop;
    close_world(world);
    loop_free(loop);
    free(world);
    return 0;
}

static void on_done(void *ctx, const struct err *e)
{
    struct world *world = ctx;
    assert_false(world->is_done); /* once */
    world->is_done = true;
    world->kind = e ? err_kind(e) : ERR_TRANSIENT;
    (void)snprintf(world->error, sizeof(world->error), "%s", err_text(e));
}

static void wait_for(struct world *world)
{
    int64_t until = lab_soon(WAIT_MS);
    while (!world->is_done && lab_soon(0) < until)
        (void)loop_turn(world->loop, 100);
    assert_true(world->is_done);
}

static void start(struct world *world)
{
    identity_free(world->identity);
    world->identity = identity_new(&world->opts);
    world->is_done = false;
    identity_start(world->identity, on_done, world);
    wait_for(world);
}

static void regenerate(struct world *world)
{
    world->is_done = false;
    identity_regenerate(world->identity, on_done, world);
    wait_for(world);
}

/* The public half that ssh would show with the file it is given. */
static const char *shown_to_host(struct world *world)
{
    return lab_sh(world->lab, "ssh-keygen -y -P '' -f %s", identity_file(world->identity));
}

static const char *public_line(struct world *world)
{
    struct deploykey key;
    assert_true(identity_key(world->identity, &key));
    return arena_strndup(world->lab->mem, key.public_line, strcspn(key.public_line, "\n"));
}

static bool has_logged(const struct world *world, const char *text)
{
    return strstr(sbuf_text(&world->lines), text) != NULL;
}

/* -- outside a cluster ----------------------------------------------------------------------------- */

static void a_key_is_made_once_and_kept(void **state)
{
    struct world *world = *state;
    struct deploykey key;
    world->identity = identity_new(&world->opts);
    assert_false(identity_key(world->identity, &key));
    start(world);
    assert_string_equal(world->error, "");
    const char *first = public_line(world);
    assert_string_equal(shown_to_host(world), first);
    assert_true(has_logged(world, arena_printf(world->lab->mem,
                                               "component=cluster identity=%s/keys/identity\n",
                                               world->lab->dir)));
    assert_true(has_logged(
        world, arena_printf(world->lab->mem, "component=cluster identity.pub=\"%s\"\n", first)));
    start(world); /* again: the same key */
    assert_string_equal(public_line(world), first);
    lab_sh(world->lab,
           "test \"$(cat keys/identity.pub)\" = '%s'; test $(stat -c %%a keys/identity) = 400",
           first);
}

static void another_key_takes_its_place_under_the_same_path(void **state)
{
    struct world *world = *state;
    world->opts.name = "deploy";
    world->opts.keygen = (struct deploykey_opts){ .type = "ecdsa", .comment = "my cluster" };
    start(world);
    const char *first = public_line(world);
    const char *file = identity_file(world->identity);
    regenerate(world);
    assert_string_equal(world->error, "");
    assert_string_not_equal(public_line(world), first);
    assert_ptr_equal(identity_file(world->identity), file);
    assert_string_equal(shown_to_host(world), public_line(world));
    assert_non_null(strstr(first, "ecdsa-sha2-nistp256 "));
    assert_non_null(strstr(first, " my cluster"));
    assert_string_equal(lab_sh(world->lab, "ls -A keys"), ".serin-identity\ndeploy\ndeploy.pub");
}

static void who_asks_at_the_same_time_gets_the_same_key(void **state)
{
    struct world *world = *state;
    start(world);
    bool others[2] = { false, false };
    world->is_done = false;
    struct world second = { .is_done = false }, third = { .is_done = false };
    identity_regenerate(world->identity, on_done, world);
    identity_regenerate(world->identity, on_done, &second);
    identity_regenerate(world->identity, on_done, &third);
    wait_for(world);
    others[0] = second.is_done;
    others[1] = third.is_done;
    assert_true(others[0] && others[1]);
    assert_string_equal(lab_sh(world->lab, "ls keys"), "identity\nidentity.pub");
}

static void a_directory_that_cannot_be_written_is_named(void **state)
{
    struct world *world = *state;
    lab_write(world->lab, "file", "");
    world->opts.dir = lab_path(world->lab, "file/below");
    start(world);
    assert_int_equal(world->kind, ERR_DENIED);
    assert_non_null(strstr(world->error, "file/below"));
    assert_true(has_logged(world, "") && !has_logged(world, "identity.pub"));
}

static void what_is_no_key_is_not_replaced(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "mkdir keys && echo topsecret > keys/identity");
    start(world);
    assert_int_equal(world->kind, ERR_INVALID);
    assert_null(strstr(world->error, "topsecret"));
    assert_string_equal(lab_sh(world->lab, "cat keys/identity"), "topsecret");
}

static void a_mounted_key_is_used_where_it_is(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "mkdir -p mnt/..data && cd mnt && ssh-keygen -q -t ed25519 -N '' -C mounted "
                       "-f ..data/identity && "
                       "chmod 400 ..data/identity && ln -s ..data/identity identity");
    world->opts.mounted = lab_path(world->lab, "mnt/identity");
    start(world);
    assert_string_equal(world->error, "");
    assert_non_null(strstr(public_line(world), " mounted"));
    assert_string_equal(shown_to_host(world), public_line(world));
    assert_true(has_logged(
        world, arena_printf(world->lab->mem, "identity=%s/mnt/identity\n", world->lab->dir)));
    /* kubelet puts another key into the volume: ssh gets that one. */
    lab_sh(world->lab,
           "cd mnt && mkdir ..new && ssh-keygen -q -t ed25519 -N '' -C later -f ..new/identity && "
           "rm identity && ln -s ..new/identity identity");
    assert_non_null(strstr(shown_to_host(world), " later"));
    const char *mounted = lab_sh(world->lab, "cat mnt/identity");
    regenerate(world);
    assert_non_null(strstr(shown_to_host(world), " flux"));
    assert_string_equal(lab_sh(world->lab, "cat mnt/identity"), mounted);
}

static void a_mounted_key_is_enough_where_nothing_can_be_written(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "mkdir mnt && ssh-keygen -q -t ed25519 -N '' -C mounted -f mnt/identity && "
                       "chmod 400 mnt/identity");
    world->opts.mounted = lab_path(world->lab, "mnt/identity");
    world->opts.dir = "/proc"; /* nobody can write there */
    world->opts.link_dir = lab_path(world->lab, "state/key");
    start(world);
    assert_string_equal(world->error, "");
    assert_string_equal(shown_to_host(world), public_line(world));
    regenerate(world);
    assert_int_equal(world->kind, ERR_DENIED);
    assert_non_null(strstr(world->error, "--ssh-keygen-dir"));
    assert_non_null(strstr(public_line(world), " mounted")); /* and the old one stays */
}

/* -- a Secret ----------------------------------------------------------------------------------------- */

struct answers {
    int get_status, patch_status;
    const char *secret;  /* body of the answer to GET */
    char patched[16384]; /* what came */
};

static void serve(void *ctx, const struct scripted_request *request)
{
    struct answers *answers = ctx;
    bool is_patch = !strcmp(request->method, "PATCH");
    int status = is_patch ? answers->patch_status : answers->get_status;
    scripted_lock(request->server);
    if (is_patch && request->body_len < sizeof(answers->patched)) {
        memcpy(answers->patched, request->body, request->body_len);
        answers->patched[request->body_len] = 0;
    }
    scripted_unlock(request->server);
    scripted_reply(request, status, NULL, status == 200 && !is_patch ? answers->secret : "{}");
}

struct clustered {
    struct world world;
    struct answers answers;
    struct bench *bench;
};

static int setup_cluster(void **state)
{
    struct clustered *clustered = base_alloc(sizeof(*clustered));
    clustered->answers = (struct answers){ 200, 200, "{}", "" };
    clustered->bench = bench_new(serve, &clustered->answers, NULL);
    open_world(&clustered->world, clustered->bench->loop);
    clustered->world.opts.kube = clustered->bench->kube;
    clustered->world.opts.ns = "flux";
    clustered->world.opts.secret_name = SECRET;
    clustered->world.opts.mounted = lab_path(clustered->world.lab, "mnt/identity");
    *state = clustered;
    return 0;
}

static int teardown_cluster(void **state)
{
    struct clustered *clustered = *state;
    close_world(&clustered->world);
    bench_free(clustered->bench);
    free(clustered);
    return 0;
}

static const char *decoded(struct arena *mem, const struct val *data, const char *name)
{
    const char *text = val_text(val_get(data, name));
    unsigned char *bytes = NULL;
    size_t len = 0;
    assert_non_null(text);
    assert_ok(hash_base64_parse(mem, text, strlen(text), &bytes, &len));
    return arena_strndup(mem, (const char *)bytes, len);
}

static void a_new_key_is_in_the_secret_before_it_is_used(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    start(world);
    assert_string_equal(world->error, "");
    char *log = scripted_log(clustered->bench->server);
    assert_string_equal(log,
                        "GET /api/v1/namespaces/flux/secrets/" SECRET "\n"
                        "PATCH /api/v1/namespaces/flux/secrets/" SECRET "?fieldManager=serin\n");
    free(log);
    struct val *patch = NULL;
    assert_ok(doc_json_parse(world->lab->mem, clustered->answers.patched,
                             strlen(clustered->answers.patched), &patch));
    const struct val *data = val_get(patch, "data");
    assert_int_equal(val_len(data), 2);
    lab_write(world->lab, "sent", decoded(world->lab->mem, data, "identity"));
    lab_sh(world->lab, "cmp sent keys/identity");
    assert_string_equal(decoded(world->lab->mem, data, "identity.pub"),
                        arena_printf(world->lab->mem, "%s\n", public_line(world)));
}

static void a_key_that_the_secret_holds_is_taken_from_it(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    lab_sh(world->lab, "ssh-keygen -q -t ed25519 -N '' -C stored -f stored");
    const char *text = arena_printf(world->lab->mem, "%s\n", lab_sh(world->lab, "cat stored"));
    clustered->answers.secret =
        arena_printf(world->lab->mem, "{\"kind\":\"Secret\",\"data\":{\"identity\":\"%s\"}}",
                     hash_base64(world->lab->mem, text, strlen(text)));
    start(world);
    assert_string_equal(world->error, "");
    assert_non_null(strstr(public_line(world), " stored"));
    assert_string_equal(shown_to_host(world), public_line(world));
    assert_int_equal(scripted_count(clustered->bench->server, "PATCH"), 0);
    lab_sh(world->lab, "test $(stat -c %%a keys/identity) = 400");
}

static void a_mounted_key_asks_nobody(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    lab_sh(world->lab, "mkdir mnt && ssh-keygen -q -t ed25519 -N '' -f mnt/identity");
    start(world);
    assert_string_equal(world->error, "");
    assert_int_equal(scripted_count(clustered->bench->server, "secrets"), 0);
    regenerate(world);
    assert_string_equal(world->error, "");
    assert_int_equal(scripted_count(clustered->bench->server, "PATCH"), 1);
    assert_int_equal(scripted_count(clustered->bench->server, "GET"), 0);
}

static void without_the_secret_there_is_no_key_and_a_hint(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    clustered->answers.get_status = 404;
    start(world);
    assert_int_equal(world->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(world->error, "kubectl -n flux create secret generic " SECRET));
    assert_string_equal(lab_sh(world->lab, "find keys 2>/dev/null || true"), "");
}

static void a_key_that_cannot_be_stored_is_not_used(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    struct deploykey key;
    clustered->answers.get_status = 403; /* may write, perhaps, but not read */
    clustered->answers.patch_status = 403;
    start(world);
    assert_int_equal(world->kind, ERR_DENIED);
    assert_non_null(strstr(world->error, "store the deploy key in Secret flux/" SECRET));
    assert_false(identity_key(world->identity, &key));
    assert_string_equal(lab_sh(world->lab, "ls -A keys"), ""); /* nor does it lie around */
    clustered->answers.patch_status = 200;
    start(world);
    assert_string_equal(world->error, "");
    const char *first = public_line(world);
    clustered->answers.patch_status = 403;
    regenerate(world);
    assert_int_equal(world->kind, ERR_DENIED);
    assert_string_equal(public_line(world), first);
    assert_string_equal(shown_to_host(world), first);
}

static void freed_in_the_middle_it_calls_nobody(void **state)
{
    struct clustered *clustered = *state;
    struct world *world = &clustered->world;
    world->identity = identity_new(&world->opts);
    identity_start(world->identity, on_done, world);
    while (!scripted_count(clustered->bench->server, "GET"))
        (void)loop_turn(world->loop, 10);
    worker_free(
        STEAL(world->workers)); /* the answer may have come already, and a key be in the making */
    identity_free(STEAL(world->identity));
    for (int i = 0; i < 5; i++)
        (void)loop_turn(world->loop, 10);
    assert_false(world->is_done);
}

/* -- a real API server ---------------------------------------------------------------------------------- */

static void a_real_secret_keeps_the_key(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new();
    if (!cluster)
        skip();
    struct cluster_bench *cb = cluster_bench_new(cluster);
    struct world world;
    open_world(&world, cb->bench->loop);
    world.opts.kube = cb->bench->kube;
    world.opts.ns = cb->ns;
    world.opts.secret_name = SECRET;
    start(&world);
    assert_int_equal(world.kind, ERR_NOT_FOUND);
    const char *path = cluster_printf(cb, "/api/v1/namespaces/%s/secrets", cb->ns);
    (void)cluster_create(
        cb, path, "test",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"" SECRET "\"},"
        "\"data\":{\"other\":\"b3RoZXI=\"}}");
    start(&world);
    assert_string_equal(world.error, "");
    const struct val *data = val_get(cluster_get(cb, "%s/" SECRET, path), "data");
    assert_string_equal(decoded(world.lab->mem, data, "other"), "other"); /* left alone */
    const char *first = public_line(&world);
    lab_sh(world.lab, "rm -r keys"); /* a new pod, without the volume */
    start(&world);
    assert_string_equal(public_line(&world), first);
    regenerate(&world);
    data = val_get(cluster_get(cb, "%s/" SECRET, path), "data");
    assert_string_equal(decoded(world.lab->mem, data, "identity.pub"),
                        arena_printf(world.lab->mem, "%s\n", public_line(&world)));
    close_world(&world);
    cluster_bench_free(cb);
    cluster_free(cluster);
}

#define world_test(fn)   cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define cluster_test(fn) cmocka_unit_test_setup_teardown(fn, setup_cluster, teardown_cluster)

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_key_is_made_once_and_kept),
        world_test(another_key_takes_its_place_under_the_same_path),
        world_test(who_asks_at_the_same_time_gets_the_same_key),
        world_test(a_directory_that_cannot_be_written_is_named),
        world_test(what_is_no_key_is_not_replaced),
        world_test(a_mounted_key_is_used_where_it_is),
        world_test(a_mounted_key_is_enough_where_nothing_can_be_written),
        cluster_test(a_new_key_is_in_the_secret_before_it_is_used),
        cluster_test(a_key_that_the_secret_holds_is_taken_from_it),
        cluster_test(a_mounted_key_asks_nobody),
        cluster_test(without_the_secret_there_is_no_key_and_a_hint),
        cluster_test(a_key_that_cannot_be_stored_is_not_used),
        cluster_test(freed_in_the_middle_it_calls_nobody),
        cmocka_unit_test(a_real_secret_keeps_the_key),
    };
    return cmocka_run_group_tests_name("sync_identity", tests, NULL, NULL);
}
