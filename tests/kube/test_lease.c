/* Leader election against a server that keeps one lease, and may fall silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "doc/json.h"
#include "doc/object.h"
#include "kube/lease.h"
#include "kube/lease_record.h"

/* -- a server with one lease --------------------------------------------------------------------------------------- */

/* All under the server's lock. */
struct store {
    char *lease; /* as it was sent, with the version below in it; NULL: none */
    int version;
    bool is_silent;
    int refuse; /* answers so to everything; 0: does not */
};

/* `text` with its resourceVersion set; to be freed. */
static char *with_version(const char *text, size_t len, int version)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v;
    struct err *e = doc_json_parse(mem, text, len, &v);
    if (e)
        fail_msg("%s: %s", err_text(e), text);
    struct val *metadata = val_need_map(mem, v, "metadata");
    val_set_text(mem, metadata, "resourceVersion", arena_printf(mem, "%d", version));
    return base_copy_text(val_json(mem, v, NULL));
}

static int version_in(const char *text, size_t len)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    err_free(doc_json_parse(mem, text, len, &v));
    return atoi(object_resource_version(v));
}

static int answer_with(struct store *store, const struct scripted_request *request)
{
    bool is_write = strcmp(request->method, "GET") != 0;
    bool is_new = !strcmp(request->method, "POST");
    if (store->refuse)
        return store->refuse;
    if (!is_new && !store->lease)
        return 404;
    if (is_new && store->lease)
        return 409;
    if (is_write && !is_new && version_in(request->body, request->body_len) != store->version)
        return 409;
    if (is_write) {
        free(store->lease);
        store->lease = with_version(request->body, request->body_len, ++store->version);
    }
    return 200;
}

static void serve(void *ctx, const struct scripted_request *request)
{
    struct store *store = ctx;
    scripted_lock(request->server);
    bool is_silent = store->is_silent;
    int status = is_silent ? 0 : answer_with(store, request);
    char *lease = base_copy_text(store->lease ? store->lease : "{}");
    scripted_unlock(request->server);
    while (is_silent && scripted_wait(request, 1000))
        ;
    if (status == 404)
        scripted_reply(request, 404, NULL,
                       "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no lease\","
                       "\"details\":{\"name\":\"l\",\"kind\":\"leases\"}}");
    else if (!is_silent)
        scripted_reply(request, status, NULL,
                       status == 200 ? lease : "{\"kind\":\"Status\",\"message\":\"no\"}");
    free(lease);
}

/* -- candidates ---------------------------------------------------------------------------------------------------- */

struct candidate {
    struct kube_lease *lease;
    int acquired, lost;
    bool is_released;
};

struct election {
    struct bench *bench;
    struct store store;
    struct candidate one, two;
};

static void on_acquired(void *ctx)
{
    ((struct candidate *)ctx)->acquired++;
}

static void on_lost(void *ctx)
{
    ((struct candidate *)ctx)->lost++;
}

static void on_released(void *ctx)
{
    ((struct candidate *)ctx)->is_released = true;
}

static int set_up(void **state)
{
    struct election *election = base_alloc(sizeof(*election));
    election->bench = bench_new(serve, &election->store, NULL);
    *state = election;
    return 0;
}

static int tear_down(void **state)
{
    struct election *election = *state;
    kube_lease_free(election->one.lease);
    kube_lease_free(election->two.lease);
    bench_free(election->bench);
    free(election->store.lease);
    free(election);
    return 0;
}

static void run_for(struct election *election, struct candidate *candidate, const char *identity)
{
    candidate->lease = kube_lease_start(&(struct kube_lease_opts){ .kube = election->bench->kube,
                                                                   .loop = election->bench->loop,
                                                                   .log = &election->bench->log,
                                                                   .ns = "flux",
                                                                   .name = "serin",
                                                                   .identity = identity,
                                                                   .duration_ms = 1000,
                                                                   .renew_deadline_ms = 400,
                                                                   .retry_ms = 50,
                                                                   .on_acquired = on_acquired,
                                                                   .on_lost = on_lost,
                                                                   .ctx = candidate });
}

static void set_store(struct election *election, bool is_silent, int refuse)
{
    scripted_lock(election->bench->server);
    election->store.is_silent = is_silent;
    election->store.refuse = refuse;
    scripted_unlock(election->bench->server);
}

static struct val *stored(struct election *election)
{
    struct val *v;
    scripted_lock(election->bench->server);
    const char *text = arena_strdup(election->bench->mem, election->store.lease);
    scripted_unlock(election->bench->server);
    assert_null(doc_json_parse(election->bench->mem, text, strlen(text), &v));
    return v;
}

static int64_t transitions(struct election *election)
{
    int64_t got = -1;
    (void)val_int(VAL_PATH(stored(election), "spec", "leaseTransitions"), &got);
    return got;
}

static bool is_held(void *ctx)
{
    return kube_lease_is_held(((struct candidate *)ctx)->lease);
}

static bool is_lost(void *ctx)
{
    return ((struct candidate *)ctx)->lost > 0;
}

static bool is_released(void *ctx)
{
    return ((struct candidate *)ctx)->is_released;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void the_first_one_gets_it_and_keeps_it(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    run_for(election, &election->two, "two");
    bench_turn_for(election->bench, 1500);
    assert_int_equal(election->one.acquired, 1);
    assert_int_equal(election->one.lost, 0);
    assert_int_equal(election->two.acquired, 0);
    assert_string_equal(kube_lease_holder(election->two.lease), "one");
    assert_string_equal(kube_lease_holder_of(stored(election)), "one");
    assert_int_equal(transitions(election), 0);
    assert_int_equal(scripted_count(election->bench->server,
                                    "POST /apis/coordination.k8s.io/v1/namespaces/flux/leases"),
                     1);
    assert_true(scripted_count(election->bench->server, "PUT") > 10);
}

static void a_holder_that_gives_it_back_is_followed_at_once(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    run_for(election, &election->two, "two");
    bench_turn_for(election->bench, 120);
    int64_t start_ms = loop_now_ms(election->bench->loop);
    kube_lease_release(election->one.lease, on_released, &election->one);
    assert_false(election->one.is_released);
    assert_true(bench_until(election->bench, is_released, &election->one));
    assert_false(kube_lease_is_held(election->one.lease));
    assert_int_equal(election->one.lost, 0);
    assert_true(bench_until(election->bench, is_held, &election->two));
    assert_true(loop_now_ms(election->bench->loop) - start_ms < 900);
    assert_int_equal(transitions(election), 1);
}

static void a_lease_that_was_never_held_is_released_without_a_write(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    run_for(election, &election->two, "two");
    bench_turn_for(election->bench, 120);
    kube_lease_release(election->two.lease, on_released, &election->two);
    assert_true(bench_until(election->bench, is_released, &election->two));
    assert_string_equal(kube_lease_holder_of(stored(election)), "one");
}

static void a_holder_that_died_is_followed_after_its_duration(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    kube_lease_free(STEAL(election->one.lease));
    int64_t start_ms = loop_now_ms(election->bench->loop);
    run_for(election, &election->two, "two");
    assert_true(bench_until(election->bench, is_held, &election->two));
    assert_true(loop_now_ms(election->bench->loop) - start_ms >= 1000);
    assert_int_equal(transitions(election), 1);
}

static void a_holder_that_comes_back_has_it_at_once(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    kube_lease_free(STEAL(election->one.lease));
    run_for(election, &election->one, "one");
    int64_t start_ms = loop_now_ms(election->bench->loop);
    assert_true(bench_until(election->bench, is_held, &election->one));
    assert_true(loop_now_ms(election->bench->loop) - start_ms < 900);
    assert_int_equal(transitions(election), 0);
}

static void a_holder_that_cannot_renew_has_lost_before_others_may_take_it(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    set_store(election, true, 0);
    int64_t start_ms = loop_now_ms(election->bench->loop);
    assert_true(bench_until(election->bench, is_lost, &election->one));
    assert_true(loop_now_ms(election->bench->loop) - start_ms < 900); /* of its 1,000 */
    assert_int_equal(election->one.lost, 1);
    assert_false(kube_lease_is_held(election->one.lease));
    set_store(election, false, 0);
    assert_true(bench_until(election->bench, is_held, &election->one));
    assert_int_equal(election->one.acquired, 2);
    assert_non_null(strstr(bench_log(election->bench), "not renewed"));
}

static void a_lease_taken_by_another_is_lost(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    static const char thief[] = "{\"metadata\":{\"name\":\"serin\"},\"spec\":{\"holderIdentity\":"
                                "\"thief\",\"leaseDurationSeconds\":60,\"leaseTransitions\":1}}";
    scripted_lock(election->bench->server);
    free(election->store.lease);
    election->store.lease = with_version(thief, sizeof(thief) - 1, ++election->store.version);
    scripted_unlock(election->bench->server);
    assert_true(bench_until(election->bench, is_lost, &election->one));
    assert_string_equal(kube_lease_holder(election->one.lease), "thief");
    bench_turn_for(election->bench, 200);
    assert_string_equal(kube_lease_holder_of(stored(election)), "thief");
}

static void a_lease_that_was_deleted_is_made_again_without_a_loss(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    scripted_lock(election->bench->server);
    free(STEAL(election->store.lease));
    scripted_unlock(election->bench->server);
    bench_turn_for(election->bench, 300);
    assert_int_equal(election->one.lost, 0);
    assert_string_equal(kube_lease_holder_of(stored(election)), "one");
}

static void a_change_to_the_lease_by_others_is_kept(void **state)
{
    struct election *election = *state;
    run_for(election, &election->one, "one");
    assert_true(bench_until(election->bench, is_held, &election->one));
    struct val *lease = stored(election);
    val_set_text(election->bench->mem,
                 val_need_map(election->bench->mem,
                              val_need_map(election->bench->mem, lease, "metadata"), "labels"),
                 "team", "a");
    size_t len;
    const char *text = val_json(election->bench->mem, lease, &len);
    scripted_lock(election->bench->server);
    free(election->store.lease);
    election->store.lease = with_version(text, len, ++election->store.version);
    scripted_unlock(election->bench->server);
    bench_turn_for(election->bench, 300);
    assert_int_equal(election->one.lost, 0);
    assert_string_equal(object_label(stored(election), "team"), "a");
}

static void missing_rights_are_said_once(void **state)
{
    struct election *election = *state;
    set_store(election, false, 403);
    run_for(election, &election->one, "one");
    bench_turn_for(election->bench, 400);
    assert_int_equal(election->one.acquired, 0);
    const char *said = strstr(bench_log(election->bench), "not renewed");
    assert_non_null(said);
    assert_null(strstr(said + 1, "not renewed"));
    set_store(election, false, 0);
    assert_true(bench_until(election->bench, is_held, &election->one));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_one_gets_it_and_keeps_it),
        TEST(a_holder_that_gives_it_back_is_followed_at_once),
        TEST(a_lease_that_was_never_held_is_released_without_a_write),
        TEST(a_holder_that_died_is_followed_after_its_duration),
        TEST(a_holder_that_comes_back_has_it_at_once),
        TEST(a_holder_that_cannot_renew_has_lost_before_others_may_take_it),
        TEST(a_lease_taken_by_another_is_lost),
        TEST(a_lease_that_was_deleted_is_made_again_without_a_loss),
        TEST(a_change_to_the_lease_by_others_is_kept),
        TEST(missing_rights_are_said_once),
    };
    return cmocka_run_group_tests_name("kube_lease", tests, NULL, NULL);
}
