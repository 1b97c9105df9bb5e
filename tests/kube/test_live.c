/* Watches, lists, events and the lease against a real API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "cluster.h"
#include "doc/object.h"
#include "kube/apply.h"
#include "kube/event.h"
#include "kube/lease.h"
#include "kube/watch.h"

static struct cluster *shared; /* of all tests: set once, in main */

static int set_up(void **state)
{
    *state = cluster_bench_new(shared);
    return 0;
}

static int tear_down(void **state)
{
    cluster_bench_free(*state);
    return 0;
}

static void create_map(struct cluster_bench *cb, const char *name, const char *label)
{
    (void)cluster_create(cb, cluster_printf(cb, "/api/v1/namespaces/%s/configmaps", cb->ns),
                         "tests",
                         cluster_printf(cb,
                                        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"l\":\"%s\"}},"
                                        "\"data\":{\"k\":\"v\"}}",
                                        name, label));
}

static const char *map_path(struct cluster_bench *cb, const char *name)
{
    return cluster_printf(cb, "/api/v1/namespaces/%s/configmaps/%s", cb->ns, name);
}

static void delete (struct cluster_bench *cb, const char *path)
{
    (void)cluster_ask(cb, &(struct kube_request){ .method = "DELETE", .path = path });
}

/* -- watches ------------------------------------------------------------------------------------------------------- */

struct seen {
    struct map *names; /* name -> its kind, as last told */
    int restarts, synced, modified, deleted, data;
    bool was_synced_early;
    size_t wanted;
};

static void on_event(void *ctx, enum kube_watch_event event, const struct val *object)
{
    struct seen *seen = ctx;
    seen->data += val_get(object, "data") != NULL;
    seen->modified += event == KUBE_MODIFIED;
    seen->deleted += event == KUBE_DELETED;
    if (event == KUBE_DELETED)
        assert_true(map_remove(seen->names, object_name(object)));
    else
        map_set(seen->names, object_name(object), base_copy_text(object_kind(object)));
}

static void on_restart(void *ctx)
{
    ((struct seen *)ctx)->restarts++;
}

static void on_synced(void *ctx)
{
    struct seen *seen = ctx;
    seen->synced++;
    seen->was_synced_early = map_len(seen->names) < seen->wanted;
}

static bool is_synced(void *ctx)
{
    return ((struct seen *)ctx)->synced > 0;
}

static bool has_wanted(void *ctx)
{
    const struct seen *seen = ctx;
    return map_len(seen->names) == seen->wanted;
}

static bool has_modified(void *ctx)
{
    return ((struct seen *)ctx)->modified > 0;
}

static const struct kube_watch_handler handler = { .on_event = on_event,
                                                   .on_restart = on_restart,
                                                   .on_synced = on_synced };

static void watch_a_map(struct cluster_bench *cb, bool is_metadata_only)
{
    create_map(cb, "a", "x");
    create_map(cb, "b", "x");
    create_map(cb, "c", "other");
    struct seen seen = { .names = map_new(free), .wanted = 2 };
    struct kube_watch_handler mine = handler;
    mine.ctx = &seen;
    struct kube_watch *watch = kube_watch_start(
        cb->bench->kube, cluster_resource(cb, "v1", "ConfigMap"),
        &(struct kube_watch_opts){
            .ns = cb->ns, .label_selector = "l=x", .is_metadata_only = is_metadata_only },
        &mine);
    assert_true(bench_until(cb->bench, is_synced, &seen));
    assert_false(seen.was_synced_early);
    assert_int_equal(map_len(seen.names), 2);
    assert_string_equal(map_get(seen.names, "a"),
                        is_metadata_only ? "PartialObjectMetadata" : "ConfigMap");
    assert_int_equal(seen.data > 0, !is_metadata_only);
    create_map(cb, "d", "x");
    seen.wanted = 3;
    assert_true(bench_until(cb->bench, has_wanted, &seen));
    (void)cluster_patch(cb, map_path(cb, "a"), "tests", "{\"data\":{\"k\":\"w\"}}");
    assert_true(bench_until(cb->bench, has_modified, &seen));
    delete (cb, map_path(cb, "b"));
    (void)cluster_patch(cb, map_path(cb, "d"), "tests",
                        "{\"metadata\":{\"labels\":{\"l\":\"gone\"}}}");
    seen.wanted = 1;
    assert_true(bench_until(cb->bench, has_wanted, &seen));
    assert_in_range(seen.restarts, 1, 2); /* 2: a server that does not offer initial events */
    assert_int_equal(seen.synced, 1);
    assert_int_equal(seen.deleted, 2);
    assert_true(kube_watch_is_synced(watch));
    kube_watch_stop(watch);
    map_free(seen.names);
}

static void a_watch_shows_the_picture_and_its_changes(void **state)
{
    watch_a_map(*state, false);
}

static void a_watch_of_metadata_alone_does_too(void **state)
{
    watch_a_map(*state, true);
}

static void an_empty_kind_is_synced(void **state)
{
    struct cluster_bench *cb = *state;
    struct seen seen = { .names = map_new(free) };
    struct kube_watch_handler mine = handler;
    mine.ctx = &seen;
    struct kube_watch *watch =
        kube_watch_start(cb->bench->kube, cluster_resource(cb, "apps/v1", "StatefulSet"),
                         &(struct kube_watch_opts){ .ns = cb->ns }, &mine);
    assert_true(bench_until(cb->bench, is_synced, &seen));
    assert_int_equal(map_len(seen.names), 0);
    kube_watch_stop(watch);
    map_free(seen.names);
}

/* The label is taken off an object of ours: the event's object still has it, and the full entry (api-server.md 1.3). */
static void a_watch_with_a_selector_tells_what_left_it_as_it_was(void **state)
{
    struct cluster_bench *cb = *state;
    create_map(cb, "a", "x");
    struct seen seen = { .names = map_new(free), .wanted = 0 };
    struct kube_watch_handler mine = handler;
    mine.ctx = &seen;
    struct kube_watch *watch =
        kube_watch_start(cb->bench->kube, cluster_resource(cb, "v1", "ConfigMap"),
                         &(struct kube_watch_opts){ .ns = cb->ns, .label_selector = "l=x" }, &mine);
    assert_true(bench_until(cb->bench, is_synced, &seen));
    assert_int_equal(map_len(seen.names), 1);
    (void)cluster_patch(cb, map_path(cb, "a"), "tests", "{\"metadata\":{\"labels\":null}}");
    assert_true(bench_until(cb->bench, has_wanted, &seen));
    assert_int_equal(seen.deleted, 1);
    kube_watch_stop(watch);
    map_free(seen.names);
}

/* -- lists --------------------------------------------------------------------------------------------------------- */

#define LISTED 620

struct listed {
    struct map *names;
    size_t objects;
    bool is_done;
    char version[64];
};

static void on_listed_object(void *ctx, const struct val *object)
{
    struct listed *listed = ctx;
    listed->objects++;
    map_set(listed->names, object_name(object), base_copy_text(object_kind(object)));
}

static void on_listed(void *ctx, const struct err *e, const char *version)
{
    struct listed *listed = ctx;
    if (e)
        fail_msg("%s", err_text(e));
    listed->is_done = true;
    snprintf(listed->version, sizeof(listed->version), "%s", version);
}

static bool is_listed(void *ctx)
{
    return ((struct listed *)ctx)->is_done;
}

static bool is_idle(void *ctx)
{
    return kube_waiting(ctx) == 0;
}

static void on_created(void *ctx, const struct kube_apply_result *result)
{
    if (result->err)
        fail_msg("%s", err_text(result->err));
    *(int *)ctx += result->was_created;
}

static void a_list_of_several_pages_is_whole(void **state)
{
    struct cluster_bench *cb = *state;
    const struct kube_resource *maps = cluster_resource(cb, "v1", "ConfigMap");
    int created = 0;
    for (int i = 0; i < LISTED; i++) {
        const char *name = cluster_printf(cb, "m-%d", i);
        kube_apply_start(cb->bench->kube, maps, cb->ns, name,
                         cluster_printf(cb,
                                        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                                        "\"metadata\":{\"name\":\"%s\",\"labels\":{\"l\":\"x\"}}}",
                                        name),
                         NULL, on_created, &created);
    }
    assert_true(bench_until(cb->bench, is_idle, cb->bench->kube));
    assert_int_equal(created, LISTED);
    for (int is_metadata_only = 0; is_metadata_only < 2; is_metadata_only++) {
        struct listed listed = { .names = map_new(free) };
        kube_list_start(cb->bench->kube, maps,
                        &(struct kube_watch_opts){ .ns = cb->ns,
                                                   .label_selector = "l=x",
                                                   .is_metadata_only = is_metadata_only },
                        on_listed_object, on_listed, &listed);
        assert_true(bench_until(cb->bench, is_listed, &listed));
        assert_int_equal(listed.objects, LISTED);
        assert_int_equal(map_len(listed.names), LISTED);
        assert_true(strtoul(listed.version, NULL, 10) > 0);
        assert_string_equal(map_get(listed.names, "m-7"),
                            is_metadata_only ? "PartialObjectMetadata" : "ConfigMap");
        map_free(listed.names);
    }
}

/* -- other requests ------------------------------------------------------------------------------------------------ */

static void objects_go_with_their_owners_or_stay(void **state)
{
    struct cluster_bench *cb = *state;
    create_map(cb, "owner", "x");
    const struct val *owner = cluster_get(cb, "%s", map_path(cb, "owner"));
    create_map(cb, "owned", "x");
    (void)cluster_patch(cb, map_path(cb, "owned"), "tests",
                        cluster_printf(cb,
                                       "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":"
                                       "\"v1\",\"kind\":\"ConfigMap\",\"name\":\"owner\","
                                       "\"uid\":\"%s\"}]}}",
                                       object_uid(owner)));
    (void)cluster_ask(cb, &(struct kube_request){ .method = "DELETE",
                                                  .path = map_path(cb, "owner"),
                                                  .query = "propagationPolicy=Orphan" });
    bench_turn_for(cb->bench, 200);
    assert_string_equal(object_name(cluster_get(cb, "%s", map_path(cb, "owned"))), "owned");
}

static void a_subresource_is_patched(void **state)
{
    struct cluster_bench *cb = *state;
    (void)cluster_create(
        cb, cluster_printf(cb, "/apis/apps/v1/namespaces/%s/deployments", cb->ns), "tests",
        "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":"
        "{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":"
        "{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
    const char *path = kube_path(cb->bench->mem, cluster_resource(cb, "apps/v1", "Deployment"),
                                 cb->ns, "d", "scale");
    const struct val *scale = cluster_patch(cb, path, "tests", "{\"spec\":{\"replicas\":0}}");
    assert_string_equal(object_kind(scale), "Scale");
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static bool no_events_wait(void *ctx)
{
    return kube_events_waiting(ctx) == 0;
}

static void events_are_counted_and_combined(void **state)
{
    struct cluster_bench *cb = *state;
    create_map(cb, "a", "x");
    const struct val *object = cluster_get(cb, "%s", map_path(cb, "a"));
    SCOPED(kube_events_free)
    struct kube_events *events =
        kube_events_new(&(struct kube_events_opts){ .kube = cb->bench->kube,
                                                    .loop = cb->bench->loop,
                                                    .log = &cb->bench->log,
                                                    .component = "serin",
                                                    .host = "" });
    struct kube_event event = { .api_version = "v1",
                                .kind = "ConfigMap",
                                .ns = cb->ns,
                                .name = "a",
                                .uid = object_uid(object),
                                .resource_version = "",
                                .reason = "Tested",
                                .message = "the same" };
    for (int i = 0; i < 3; i++)
        kube_event_record(events, &event);
    for (int i = 1; i <= 10; i++) {
        event.message = cluster_printf(cb, "another, %d", i);
        kube_event_record(events, &event);
    }
    assert_true(bench_until(cb->bench, no_events_wait, events));
    const struct val *items =
        val_get(cluster_get(cb, "/api/v1/namespaces/%s/events?fieldSelector=reason=Tested", cb->ns),
                "items");
    int64_t count = 0, same = 0;
    size_t combined = 0;
    for (size_t i = 0; i < val_len(items); i++) {
        const struct val *one = val_item(items, i);
        const char *message = val_text(val_get(one, "message"));
        assert_string_equal(val_text(val_get(one, "reportingComponent")), "serin");
        assert_true(val_int(val_get(one, "count"), &count));
        if (!strcmp(message, "the same"))
            same = count;
        if (!strcmp(message, "(combined from similar events): another, 10"))
            combined = (size_t)count;
    }
    assert_int_equal(same, 3);
    assert_int_equal(combined, 2); /* of 11 messages nine stand alone */
    assert_int_equal(val_len(items), 10);
    assert_null(strstr(bench_log(cb->bench), "not written"));
}

/* -- the lease ----------------------------------------------------------------------------------------------------- */

static void set_true(void *ctx)
{
    *(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
    return *(bool *)ctx;
}

static struct kube_lease *candidate(struct cluster_bench *cb, const char *identity, bool *is_leader)
{
    return kube_lease_start(&(struct kube_lease_opts){ .kube = cb->bench->kube,
                                                       .loop = cb->bench->loop,
                                                       .log = &cb->bench->log,
                                                       .ns = cb->ns,
                                                       .name = "serin",
                                                       .identity = identity,
                                                       .retry_ms = 100,
                                                       .on_acquired = set_true,
                                                       .ctx = is_leader });
}

static void a_lease_is_taken_renewed_and_handed_over(void **state)
{
    struct cluster_bench *cb = *state;
    bool one_leads = false, two_leads = false, is_released = false;
    SCOPED(kube_lease_free) struct kube_lease *one = candidate(cb, "one", &one_leads);
    assert_true(bench_until(cb->bench, is_true, &one_leads));
    SCOPED(kube_lease_free) struct kube_lease *two = candidate(cb, "two", &two_leads);
    bench_turn_for(cb->bench, 500);
    assert_false(two_leads);
    const char *path =
        cluster_printf(cb, "/apis/coordination.k8s.io/v1/namespaces/%s/leases/serin", cb->ns);
    const struct val *spec = val_get(cluster_get(cb, "%s", path), "spec");
    assert_string_equal(val_text(val_get(spec, "holderIdentity")), "one");
    assert_string_not_equal(val_text(val_get(spec, "acquireTime")),
                            val_text(val_get(spec, "renewTime")));
    kube_lease_release(one, set_true, &is_released);
    assert_true(bench_until(cb->bench, is_true, &is_released));
    assert_true(bench_until(cb->bench, is_true, &two_leads));
    assert_true(kube_lease_is_held(two));
    spec = val_get(cluster_get(cb, "%s", path), "spec");
    assert_string_equal(val_text(val_get(spec, "holderIdentity")), "two");
    int64_t number = 0;
    assert_true(val_int(val_get(spec, "leaseTransitions"), &number));
    assert_int_equal(number, 1);
    assert_true(val_int(val_get(spec, "leaseDurationSeconds"), &number));
    assert_int_equal(number, 15);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_shows_the_picture_and_its_changes),
        TEST(a_watch_of_metadata_alone_does_too),
        TEST(an_empty_kind_is_synced),
        TEST(a_watch_with_a_selector_tells_what_left_it_as_it_was),
        TEST(a_list_of_several_pages_is_whole),
        TEST(objects_go_with_their_owners_or_stay),
        TEST(a_subresource_is_patched),
        TEST(events_are_counted_and_combined),
        TEST(a_lease_is_taken_renewed_and_handed_over),
    };
    shared = cluster_new();
    if (!shared)
        return 77;
    int failed = cmocka_run_group_tests_name("kube_live", tests, NULL, NULL);
    cluster_free(shared);
    return failed;
}
