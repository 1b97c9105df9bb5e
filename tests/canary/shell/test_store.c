/* The store against an API server in memory: what it asks for, what it knows, whom it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "canary/hash.h"
#include "canary/store.h"
#include "doc/object.h"
#include "fake.h"
#include "kube/discovery.h"

/* -- a store and what it tells, as a text --------------------------------------------------------------------------- */

struct lab {
    struct fake *fake;
    struct bench *bench;
    struct kube_discovery *discovery;
    struct store *store;
    struct sbuf told; /* synced, "change web", "canary a/web", "gone a/web", one a line */
    struct live_wants wants;
    const char *wanted;
    bool is_ready;
};

static void tell(struct lab *lab, const char *what, const char *a, const char *b)
{
    sbuf_addf(&lab->told, "%s%s%s%s\n", what, a, *b ? "/" : "", b);
}

static void on_change(void *ctx, const char *owner)
{
    tell(ctx, "change ", owner, "");
}

static void on_canary(void *ctx, const char *ns, const char *name, bool is_gone)
{
    tell(ctx, is_gone ? "gone " : "canary ", ns, name);
}

static void on_synced(void *ctx)
{
    tell(ctx, "synced", "", "");
}

static void on_discovered(void *ctx, const struct err *e)
{
    assert_null(e);
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

static struct lab *lab_new_in(const char *const *namespaces)
{
    struct lab *lab = base_alloc(sizeof(*lab));
    lab->fake = fake_new();
    lab->bench = bench_new(fake_serve, lab->fake, NULL);
    lab->discovery = kube_discovery_new(lab->bench->kube, &lab->bench->log);
    kube_discovery_refresh(lab->discovery, on_discovered, &lab->is_ready);
    assert_true(bench_until(lab->bench, is_set, &lab->is_ready));
    sbuf_init(&lab->told, SBUF_MAX);
    lab->wants.mem = lab->bench->mem;
    lab->store = store_new(&(struct store_opts){ .loop = lab->bench->loop,
                                                 .log = &lab->bench->log,
                                                 .kube = lab->bench->kube,
                                                 .discovery = lab->discovery,
                                                 .namespaces = namespaces,
                                                 .poll_ms = 300,
                                                 .on_change = on_change,
                                                 .on_canary = on_canary,
                                                 .on_synced = on_synced,
                                                 .ctx = lab });
    return lab;
}

static struct lab *lab_new(void)
{
    return lab_new_in(NULL);
}

/* With a store that was started on these objects. */
static struct lab *lab_with(const char *const *yaml)
{
    struct lab *lab = lab_new();
    for (; *yaml; yaml++)
        fake_put(lab->fake, *yaml);
    store_start(lab->store);
    return lab;
}

#define LAB_WITH(...) lab_with((const char *const[]){ __VA_ARGS__, NULL })

static void lab_free(struct lab *lab)
{
    store_free(lab->store);
    kube_discovery_free(lab->discovery);
    bench_free(lab->bench);
    fake_free(lab->fake);
    sbuf_fini(&lab->told);
    free(lab);
}

static bool has_told(void *ctx)
{
    const struct lab *lab = ctx;
    return strstr(sbuf_text(&lab->told), lab->wanted) != NULL;
}

/* Waits until this was told, and forgets all that was. */
static void wait_told(struct lab *lab, const char *what)
{
    lab->wanted = what;
    if (!bench_until(lab->bench, has_told, lab))
        fail_msg("not told %s but:\n%s\n%s", what, sbuf_text(&lab->told), bench_log(lab->bench));
    sbuf_reset(&lab->told);
}

static void want(struct lab *lab, const char *api_version, const char *kind, const char *name,
                 enum live_form form)
{
    live_want(
        &lab->wants,
        &(struct live_key){
            .api_version = api_version, .kind = kind, .ns = "a", .name = name, .form = form });
    store_want(lab->store, "web.a", &lab->wants);
}

static void want_deployment(struct lab *lab, const char *name)
{
    want(lab, "apps/v1", "Deployment", name, LIVE_FULL);
}

static bool is_known(void *ctx)
{
    struct lab *lab = ctx;
    return store_look(lab->store, lab->bench->mem, &lab->wants, live_new(lab->bench->mem));
}

static struct live *look(struct lab *lab)
{
    struct live *live = live_new(lab->bench->mem);
    if (!bench_until(lab->bench, is_known, lab))
        fail_msg("%s", bench_log(lab->bench));
    assert_true(store_look(lab->store, lab->bench->mem, &lab->wants, live));
    return live;
}

/* Lets the pictures come in, and forgets what was told of them. */
static void settle(struct lab *lab)
{
    (void)look(lab);
    bench_turn_for(lab->bench, 50);
    sbuf_reset(&lab->told);
}

static size_t count(struct lab *lab, const char *part)
{
    return scripted_count(lab->bench->server, part);
}

#define DEPLOYMENTS "/apis/apps/v1/deployments"
#define WEB_PATH    "/apis/apps/v1/namespaces/a/deployments/web"
#define WEB(replicas)                                                                             \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: a, managedFields: " \
    "[{manager: x}]}, spec: {replicas: " replicas "}}"
#define OTHER                                                                               \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: a}, spec: " \
    "{replicas: 1}}"
#define CANARY(name, ns, weight)                                                                \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: " name ", namespace: " ns \
    "}, spec: {weight: " weight "}}"
#define CONFIG(color)                                                                  \
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: a}, data: " \
    "{color: " color "}}"

static int64_t replicas_of(struct live *live, const char *name)
{
    int64_t replicas = -1;
    (void)val_int(VAL_PATH(live_find(live, "apps/v1", "Deployment", "a", name), "spec", "replicas"),
                  &replicas);
    return replicas;
}

static enum live_state state_of(struct live *live, const char *name)
{
    return live_state(live, "apps/v1", "Deployment", "a", name);
}

/* One that has seen the Deployment web. */
static struct lab *lab_of_web(void)
{
    struct lab *lab = LAB_WITH(WEB("3"));
    want_deployment(lab, "web");
    (void)look(lab);
    return lab;
}

/* -- canaries ------------------------------------------------------------------------------------------------------- */

static void canaries_come_change_and_go(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(CANARY("web", "a", "1"));
    lab->wanted = "synced";
    assert_true(bench_until(lab->bench, has_told, lab));
    assert_string_equal(sbuf_text(&lab->told), "canary a/web\nsynced\n");
    sbuf_reset(&lab->told);
    assert_true(store_has_canaries(lab->store));
    fake_put(lab->fake, CANARY("api", "b", "1"));
    wait_told(lab, "canary b/api\n");
    fake_put(lab->fake, CANARY("web", "a", "2"));
    wait_told(lab, "canary a/web\n");
    const struct val *canary = store_canary(lab->store, lab->bench->mem, "a", "web");
    int64_t weight = 0;
    assert_true(val_int(VAL_PATH(canary, "spec", "weight"), &weight));
    assert_int_equal(weight, 2);
    assert_true(*object_resource_version(canary));
    fake_delete(lab->fake, "Canary", "a", "web");
    wait_told(lab, "gone a/web\n");
    assert_null(store_canary(lab->store, lab->bench->mem, "a", "web"));
    lab_free(lab);
}

static void one_namespace_is_watched_and_no_other(void **state)
{
    (void)state;
    static const char *const namespaces[] = { "a", NULL };
    struct lab *lab = lab_new_in(namespaces);
    fake_put(lab->fake, CANARY("web", "a", "1"));
    fake_put(lab->fake, CANARY("api", "b", "1"));
    store_start(lab->store);
    lab->wanted = "synced";
    assert_true(bench_until(lab->bench, has_told, lab));
    assert_string_equal(sbuf_text(&lab->told), "canary a/web\nsynced\n");
    assert_int_equal(count(lab, "/namespaces/a/canaries?watch"), 1);
    assert_int_equal(count(lab, "v1beta1/canaries"), 0);
    lab_free(lab);
}

static bool has_four(void *ctx)
{
    struct lab *lab = ctx;
    struct live *live = live_new(lab->bench->mem);
    return store_look(lab->store, lab->bench->mem, &lab->wants, live) &&
           replicas_of(live, "web") == 4;
}

/* Of a Deployment that is not watched, while nobody looks, as when a Canary is at rest. */
static void assert_change_is_told_unasked(struct lab *lab)
{
    settle(lab);
    fake_put(lab->fake, WEB("4"));
    wait_told(lab, "change web.a\n");
    assert_true(bench_until(lab->bench, has_four, lab));
}

/* Templates of other namespaces are not found then; other objects are, by themselves. */
static void what_is_outside_of_the_namespace_is_read_by_itself(void **state)
{
    (void)state;
    static const char *const namespaces[] = { "b", NULL };
    struct lab *lab = lab_new_in(namespaces);
    fake_put(lab->fake, WEB("3"));
    fake_put(lab->fake, "{apiVersion: flagger.app/v1beta1, kind: MetricTemplate, metadata: {name: "
                        "rate, namespace: a}}");
    store_start(lab->store);
    want_deployment(lab, "web");
    want(lab, "flagger.app/v1beta1", "MetricTemplate", "rate", LIVE_FULL);
    struct live *live = look(lab);
    assert_int_equal(replicas_of(live, "web"), 3);
    assert_int_equal(live_state(live, "flagger.app/v1beta1", "MetricTemplate", "a", "rate"),
                     LIVE_ABSENT);
    assert_change_is_told_unasked(lab);
    lab_free(lab);
}

/* -- wants ----------------------------------------------------------------------------------------------------------- */

static void what_is_wanted_from_the_start_costs_no_request_but_the_watch(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"), OTHER);
    want_deployment(lab, "web");
    want_deployment(lab, "web-primary");
    struct live *live = look(lab);
    assert_int_equal(replicas_of(live, "web"), 3);
    assert_int_equal(state_of(live, "web"), LIVE_HERE);
    assert_int_equal(state_of(live, "web-primary"), LIVE_ABSENT);
    const struct val *web = live_find(live, "apps/v1", "Deployment", "a", "web");
    assert_null(VAL_PATH(web, "metadata", "managedFields"));
    assert_true(*object_resource_version(web));
    assert_int_equal(count(lab, DEPLOYMENTS "?watch"), 1);
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces"), 0);
    lab_free(lab);
}

static void what_is_wanted_later_is_read_once_if_it_is_there(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"), OTHER);
    want_deployment(lab, "web");
    (void)look(lab);
    want_deployment(lab, "other");
    want_deployment(lab, "none");
    struct live *live = look(lab);
    assert_int_equal(state_of(live, "other"), LIVE_HERE);
    assert_int_equal(state_of(live, "none"), LIVE_ABSENT);
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces/a/deployments/other"), 1);
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces/a/deployments/none"), 0);
    lab_free(lab);
}

static void changes_are_told_once_a_turn_to_those_who_want_the_object(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"));
    want_deployment(lab, "web");
    want_deployment(lab, "new");
    settle(lab);
    fake_put(lab->fake, OTHER);
    fake_put(lab->fake, WEB("4"));
    wait_told(lab, "change web.a\n");
    assert_int_equal(replicas_of(look(lab), "web"), 4);
    fake_put(lab->fake, WEB("4")); /* a new version with nothing new in it */
    fake_put(lab->fake, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: new, namespace: "
                        "a}, spec: {replicas: 7}}");
    wait_told(lab, "change web.a\n");
    assert_int_equal(replicas_of(look(lab), "new"), 7);
    fake_delete(lab->fake, "Deployment", "a", "web");
    wait_told(lab, "change web.a\n");
    assert_int_equal(state_of(look(lab), "web"), LIVE_ABSENT);
    lab_free(lab);
}

static void a_version_without_news_is_not_told(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"));
    want_deployment(lab, "web");
    want_deployment(lab, "mark");
    settle(lab);
    const char *version =
        object_resource_version(live_find(look(lab), "apps/v1", "Deployment", "a", "web"));
    fake_put(lab->fake, WEB("3"));
    bench_turn_for(lab->bench, 100);
    assert_string_equal(sbuf_text(&lab->told), "");
    const struct val *web = live_find(look(lab), "apps/v1", "Deployment", "a", "web");
    assert_string_not_equal(object_resource_version(web), version);
    lab_free(lab);
}

static void what_nobody_wants_any_more_is_a_name_again(void **state)
{
    (void)state;
    struct lab *lab = lab_of_web();
    struct store_figures before, after;
    store_figures(lab->store, &before);
    assert_true(before.bytes > 0);
    store_forget(lab->store, "web.a");
    store_figures(lab->store, &after);
    assert_int_equal(after.bytes, 0);
    assert_int_equal(after.objects, before.objects - 1);
    store_want(lab->store, "web.a", &lab->wants);
    assert_int_equal(replicas_of(look(lab), "web"), 3);
    assert_int_equal(count(lab, "GET " WEB_PATH), 1);
    lab_free(lab);
}

/* A name that came while the picture was being received, before somebody wanted it. */
static void what_is_wanted_while_the_picture_comes_is_read(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(CONFIG("red"));
    want(lab, "v1", "ConfigMap", "none", LIVE_CHECKSUM);
    fake_hold(lab->fake, "GET /api/v1/namespaces/a/configmaps/colors");
    bench_turn_for(lab->bench, 100);
    want(lab, "v1", "ConfigMap", "colors", LIVE_CHECKSUM);
    bench_turn_for(lab->bench, 50);
    store_want(lab->store, "web.a", &(struct live_wants){ .mem = lab->bench->mem });
    store_want_more(lab->store, "web.a", &lab->wants);
    fake_hold(lab->fake, NULL);
    assert_string_equal(live_checksum(look(lab), "ConfigMap", "a", "colors"), "241889ca0604e333");
    lab_free(lab);
}

static void wanting_more_drops_nothing(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"), OTHER);
    want_deployment(lab, "web");
    (void)look(lab);
    struct live_wants more = { .mem = lab->bench->mem };
    live_want(&more,
              &(struct live_key){
                  .api_version = "apps/v1", .kind = "Deployment", .ns = "a", .name = "other" });
    store_want_more(lab->store, "web.a", &more);
    live_want(&lab->wants, &more.keys.at[0]);
    assert_int_equal(state_of(look(lab), "other"), LIVE_HERE);
    assert_int_equal(count(lab, "GET " WEB_PATH), 0);
    lab_free(lab);
}

static void an_object_of_two_owners_stays_until_both_are_gone(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"));
    want_deployment(lab, "web");
    store_want(lab->store, "api.a", &lab->wants);
    settle(lab);
    fake_put(lab->fake, WEB("4"));
    wait_told(lab, "change web.a\nchange api.a\n");
    store_want(lab->store, "web.a", &(struct live_wants){ .mem = lab->bench->mem });
    fake_put(lab->fake, WEB("5"));
    wait_told(lab, "change api.a\n");
    assert_int_equal(replicas_of(look(lab), "web"), 5);
    assert_int_equal(count(lab, "GET " WEB_PATH), 0);
    lab_free(lab);
}

/* -- configs and secrets ---------------------------------------------------------------------------------------------- */

static void configs_are_known_by_checksum_and_read_when_they_change(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(CONFIG("red"));
    want(lab, "v1", "ConfigMap", "colors", LIVE_CHECKSUM);
    struct live *live = look(lab);
    assert_string_equal(live_checksum(live, "ConfigMap", "a", "colors"), "241889ca0604e333");
    assert_null(val_get(live_find(live, "v1", "ConfigMap", "a", "colors"), "data"));
    assert_int_equal(count(lab, "GET /api/v1/configmaps?watch"), 1);
    settle(lab);
    fake_put(lab->fake, CONFIG("blue"));
    wait_told(lab, "change web.a\n");
    assert_string_not_equal(live_checksum(look(lab), "ConfigMap", "a", "colors"),
                            "241889ca0604e333");
    assert_int_equal(count(lab, "GET /api/v1/namespaces/a/configmaps/colors"), 2);
    fake_delete(lab->fake, "ConfigMap", "a", "colors");
    wait_told(lab, "change web.a\n");
    assert_int_equal(live_state(look(lab), "v1", "ConfigMap", "a", "colors"), LIVE_ABSENT);
    lab_free(lab);
}

static void binary_data_counts(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: a}, "
                        "binaryData: {logo: AAAA}}");
    fake_put(lab->fake, "{apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: a}, "
                        "binaryData: {logo: BBBB}}");
    store_start(lab->store);
    want(lab, "v1", "ConfigMap", "one", LIVE_CHECKSUM);
    want(lab, "v1", "ConfigMap", "two", LIVE_CHECKSUM);
    struct live *live = look(lab);
    assert_string_not_equal(live_checksum(live, "ConfigMap", "a", "one"),
                            live_checksum(live, "ConfigMap", "a", "two"));
    assert_string_not_equal(live_checksum(live, "ConfigMap", "a", "one"), "74234e98afe7498f");
    lab_free(lab);
}

static void data_of_secrets_is_kept_only_where_it_is_wanted(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, "{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: key, "
                        "namespace: a}, data: {token: czNjcjN0}}");
    store_start(lab->store);
    want(lab, "v1", "Secret", "key", LIVE_CHECKSUM);
    const struct val *secret = live_find(look(lab), "v1", "Secret", "a", "key");
    assert_string_equal(val_text(val_get(secret, "type")), "Opaque");
    assert_null(val_get(secret, "data"));
    want(lab, "v1", "Secret", "key", LIVE_SECRET);
    secret = live_find(look(lab), "v1", "Secret", "a", "key");
    assert_string_equal(val_text(VAL_PATH(secret, "data", "token")), "czNjcjN0");
    assert_null(strstr(bench_log(lab->bench), "czNjcjN0"));
    lab_free(lab);
}

/* -- our own writes ---------------------------------------------------------------------------------------------------- */

static const struct live_key web_key = {
    .api_version = "apps/v1", .kind = "Deployment", .ns = "a", .name = "web"
};

static struct val *answer(struct lab *lab, const char *version, int64_t replicas)
{
    struct arena *mem = lab->bench->mem;
    struct val *web = val_new_map(mem);
    val_set_text(mem, web, "apiVersion", "apps/v1");
    val_set_text(mem, web, "kind", "Deployment");
    struct val *metadata = val_need_map(mem, web, "metadata");
    val_set_text(mem, metadata, "name", "web");
    val_set_text(mem, metadata, "namespace", "a");
    val_set_text(mem, metadata, "resourceVersion", version);
    val_set(mem, val_need_map(mem, web, "spec"), "replicas", val_new_int(mem, replicas));
    return web;
}

static void the_answer_of_a_write_counts_until_the_watch_has_something_newer(void **state)
{
    (void)state;
    struct lab *lab = lab_of_web();
    settle(lab);
    store_note(lab->store, &web_key, answer(lab, "1000", 9));
    assert_int_equal(replicas_of(look(lab), "web"), 9);
    fake_put(lab->fake, WEB("4")); /* older than what was noted */
    bench_turn_for(lab->bench, 100);
    assert_int_equal(replicas_of(look(lab), "web"), 9);
    assert_string_equal(sbuf_text(&lab->told), "");
    store_note(lab->store, &web_key, answer(lab, "50", 1));
    assert_int_equal(replicas_of(look(lab), "web"), 9);
    store_note_gone(lab->store, &web_key);
    assert_int_equal(state_of(look(lab), "web"), LIVE_ABSENT);
    store_note(lab->store, &web_key, answer(lab, "1001", 2));
    assert_int_equal(replicas_of(look(lab), "web"), 2);
    lab_free(lab);
}

static void what_was_found_stale_is_unknown_until_it_was_read(void **state)
{
    (void)state;
    struct lab *lab = lab_of_web();
    struct live *live = live_new(lab->bench->mem);
    struct store_lack lack;
    assert_false(store_lacks(lab->store, lab->bench->mem, &lab->wants, &lack));
    fake_hold(lab->fake, "GET " WEB_PATH);
    store_refresh(lab->store, &web_key);
    assert_false(store_look(lab->store, lab->bench->mem, &lab->wants, live));
    assert_true(store_lacks(lab->store, lab->bench->mem, &lab->wants, &lack));
    assert_string_equal(lack.key, "Deployment web.a");
    assert_null(lack.why);
    sbuf_reset(&lab->told);
    fake_hold(lab->fake, NULL);
    wait_told(lab, "change web.a\n");
    assert_int_equal(replicas_of(look(lab), "web"), 3);
    lab_free(lab);
}

static void a_read_that_fails_is_repeated_and_says_why(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    struct store_lack lack;
    fake_put(lab->fake, CONFIG("red"));
    fake_refuse(lab->fake, "GET /api/v1/namespaces/a/configmaps/colors", 403, "not for you", 1);
    store_start(lab->store);
    want(lab, "v1", "ConfigMap", "colors", LIVE_CHECKSUM);
    wait_told(lab, "change web.a\n");
    assert_true(store_lacks(lab->store, lab->bench->mem, &lab->wants, &lack));
    assert_string_equal(lack.key, "ConfigMap colors.a");
    assert_non_null(strstr(lack.why, "not for you"));
    assert_string_equal(live_checksum(look(lab), "ConfigMap", "a", "colors"), "241889ca0604e333");
    lab_free(lab);
}

/* -- watches that break ------------------------------------------------------------------------------------------------ */

static void what_went_while_nobody_watched_is_gone(void **state)
{
    (void)state;
    struct lab *lab = LAB_WITH(WEB("3"), OTHER, CANARY("web", "a", "1"));
    want_deployment(lab, "web");
    settle(lab);
    fake_expire(lab->fake);
    fake_delete(lab->fake, "Deployment", "a", "web");
    fake_delete(lab->fake, "Deployment", "a", "other");
    fake_delete(lab->fake, "Canary", "a", "web");
    lab->wanted = "gone a/web\n";
    assert_true(bench_until(lab->bench, has_told, lab));
    wait_told(lab, "change web.a\n");
    want_deployment(lab, "other");
    struct live *live = look(lab);
    assert_int_equal(state_of(live, "web"), LIVE_ABSENT);
    assert_int_equal(state_of(live, "other"), LIVE_ABSENT);
    assert_int_equal(count(lab, "GET /apis/apps/v1/namespaces"), 0);
    lab_free(lab);
}

static void a_kind_that_may_not_be_watched_is_read_key_by_key(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_put(lab->fake, WEB("3"));
    fake_refuse(lab->fake, "WATCH " DEPLOYMENTS, 403, "no watching", 1000);
    store_start(lab->store);
    want_deployment(lab, "web");
    want_deployment(lab, "none");
    struct live *live = look(lab);
    assert_int_equal(replicas_of(live, "web"), 3);
    assert_int_equal(state_of(live, "none"), LIVE_ABSENT);
    assert_non_null(strstr(bench_log(lab->bench), "cannot watch"));
    assert_change_is_told_unasked(lab);
    lab_free(lab);
}

/* -- kinds that come and go -------------------------------------------------------------------------------------------- */

static bool is_routed(void *ctx)
{
    struct lab *lab = ctx;
    struct live *live = live_new(lab->bench->mem);
    return store_look(lab->store, lab->bench->mem, &lab->wants, live) &&
           live_state(live, "example.com/v1", "Route", "a", "web") == LIVE_HERE;
}

static bool is_without_kind(void *ctx)
{
    struct lab *lab = ctx;
    struct live *live = live_new(lab->bench->mem);
    return store_look(lab->store, lab->bench->mem, &lab->wants, live) &&
           live_state(live, "example.com/v1", "Route", "a", "web") == LIVE_NO_KIND;
}

static void a_kind_is_found_when_its_definition_comes_and_lost_with_it(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    store_start(lab->store);
    want(lab, "example.com/v1", "Route", "web", LIVE_FULL);
    assert_true(is_without_kind(lab));
    fake_add_kind(lab->fake, "example.com/v1", "Route", "routes");
    fake_put(lab->fake,
             "{apiVersion: example.com/v1, kind: Route, metadata: {name: web, namespace: a}}");
    assert_true(bench_until(lab->bench, is_routed, lab));
    sbuf_reset(&lab->told);
    fake_remove_kind(lab->fake, "example.com/v1", "Route");
    wait_told(lab, "change web.a\n");
    assert_true(bench_until(lab->bench, is_without_kind, lab));
    lab_free(lab);
}

static bool has_canaries(void *ctx)
{
    return store_has_canaries(((struct lab *)ctx)->store);
}

static void canaries_may_be_defined_later(void **state)
{
    (void)state;
    struct lab *lab = lab_new();
    fake_remove_kind(lab->fake, "flagger.app/v1beta1", "Canary");
    lab->is_ready = false;
    kube_discovery_refresh(lab->discovery, on_discovered, &lab->is_ready);
    assert_true(bench_until(lab->bench, is_set, &lab->is_ready));
    store_start(lab->store);
    assert_false(store_has_canaries(lab->store));
    wait_told(lab, "synced\n");
    fake_add_kind(lab->fake, "flagger.app/v1beta1", "Canary", "canaries");
    fake_put(lab->fake, CANARY("web", "a", "1"));
    wait_told(lab, "canary a/web\n");
    fake_remove_kind(lab->fake, "flagger.app/v1beta1", "Canary");
    wait_told(lab, "gone a/web\n");
    assert_false(has_canaries(lab));
    lab_free(lab);
}

/* -- many -------------------------------------------------------------------------------------------------------------- */

static void many_reads_share_eight_places(void **state)
{
    (void)state;
    enum { CONFIGS = 200 };
    struct lab *lab = lab_new();
    char yaml[256];
    for (int i = 0; i < CONFIGS; i++) {
        snprintf(yaml, sizeof(yaml),
                 "{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d, namespace: a}}", i);
        fake_put(lab->fake, yaml);
    }
    store_start(lab->store);
    for (int i = 0; i < CONFIGS; i++) {
        snprintf(yaml, sizeof(yaml), "c%d", i);
        live_want(&lab->wants, &(struct live_key){ .api_version = "v1",
                                                   .kind = "ConfigMap",
                                                   .ns = "a",
                                                   .name = arena_strdup(lab->bench->mem, yaml),
                                                   .form = LIVE_CHECKSUM });
    }
    store_want(lab->store, "web.a", &lab->wants);
    (void)look(lab);
    assert_int_equal(count(lab, "GET /api/v1/namespaces/a/configmaps/"), CONFIGS);
    assert_true(scripted_most_at_once(lab->bench->server) <= 8 + 3); /* and the watches */
    store_forget(lab->store, "web.a");
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canaries_come_change_and_go),
        cmocka_unit_test(one_namespace_is_watched_and_no_other),
        cmocka_unit_test(what_is_outside_of_the_namespace_is_read_by_itself),
        cmocka_unit_test(what_is_wanted_from_the_start_costs_no_request_but_the_watch),
        cmocka_unit_test(what_is_wanted_later_is_read_once_if_it_is_there),
        cmocka_unit_test(changes_are_told_once_a_turn_to_those_who_want_the_object),
        cmocka_unit_test(a_version_without_news_is_not_told),
        cmocka_unit_test(what_nobody_wants_any_more_is_a_name_again),
        cmocka_unit_test(what_is_wanted_while_the_picture_comes_is_read),
        cmocka_unit_test(wanting_more_drops_nothing),
        cmocka_unit_test(an_object_of_two_owners_stays_until_both_are_gone),
        cmocka_unit_test(configs_are_known_by_checksum_and_read_when_they_change),
        cmocka_unit_test(binary_data_counts),
        cmocka_unit_test(data_of_secrets_is_kept_only_where_it_is_wanted),
        cmocka_unit_test(the_answer_of_a_write_counts_until_the_watch_has_something_newer),
        cmocka_unit_test(what_was_found_stale_is_unknown_until_it_was_read),
        cmocka_unit_test(a_read_that_fails_is_repeated_and_says_why),
        cmocka_unit_test(what_went_while_nobody_watched_is_gone),
        cmocka_unit_test(a_kind_that_may_not_be_watched_is_read_key_by_key),
        cmocka_unit_test(a_kind_is_found_when_its_definition_comes_and_lost_with_it),
        cmocka_unit_test(canaries_may_be_defined_later),
        cmocka_unit_test(many_reads_share_eight_places),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
