/* The export: namespaces and workloads as YAML in base64, within the namespaces that are allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "doc/object.h"
#include "doc/yaml.h"
#include "world.h"

#define EXPORT "/api/flux/v6/export"
#define LIST(items)                                                                                \
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":" \
    "[" items "]}"
#define NAMED(ns, name, rest)                                                     \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"" ns                    \
    "\",\"managedFields\":[{\"manager\":\"m\"}],\"uid\":\"u-" name "\"},\"spec\"" \
    ":{\"replicas\":1" rest "}}"
#define SPACE(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define FORBIDDEN \
    "{\"kind\":\"Status\",\"message\":\"forbidden\",\"reason\":\"Forbidden\",\"code\":403}"

static const char *const paths[] = { "/api/v1/namespaces", "/apis/batch/v1/cronjobs",
                                     "/apis/apps/v1/daemonsets", "/apis/apps/v1/deployments",
                                     "/apis/apps/v1/statefulsets" };

static int setup(void **state)
{
    *state = world_new(&(struct world_opts){ 0 });
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        world_serve(*state, paths[i], 200, LIST(""));
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static struct doc_yaml_list documents(struct arena *mem, const struct world_answer *answer)
{
    struct doc_yaml_list found = { 0 };
    struct doc_pos at;
    unsigned char *yaml = NULL;
    size_t len = 0;
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->content_type, "application/json; charset=utf-8");
    const char *text = val_text(answer->json);
    assert_non_null(text);
    assert_null(hash_base64_parse(mem, text, strlen(text), &yaml, &len));
    assert_null(doc_yaml_load(mem, (char *)yaml, len, &doc_yaml_default_limits, &found, &at));
    return found;
}

/* "apiVersion Kind ns/name" of all documents, joined with commas. */
static void check(const struct world_answer *answer, const char *expected)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list found = documents(mem, answer);
    SBUF(names, 4096);
    for (size_t i = 0; i < found.len; i++) {
        const struct val *one = found.at[i].root;
        sbuf_addf(&names, "%s%s %s %s/%s", i ? "," : "", object_api_version(one), object_kind(one),
                  object_namespace(one), object_name(one));
    }
    assert_string_equal(sbuf_text(&names), expected);
}

static void an_empty_cluster_has_an_empty_export(void **state)
{
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "\"\"");
}

static void all_namespaces_is_a_list(void **state)
{
    world_serve(*state, "/api/v1/namespaces", 200, LIST(SPACE("a") "," SPACE("bb")));
    world_serve(*state, "/apis/apps/v1/deployments", 200,
                LIST(NAMED("a", "web", "") "," NAMED("bb", "api", ",\"x\":\"\\u00fc\"")));
    world_serve(*state, "/apis/helm.fluxcd.io/v1/helmreleases", 200, LIST(NAMED("a", "chart", "")));
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    check(&answer,
          "v1 Namespace /a,v1 Namespace /bb,apps/v1 Deployment a/web,apps/v1 Deployment bb/api,"
          "helm.fluxcd.io/v1 HelmRelease a/chart");
}

static void who_set_which_field_is_left_out(void **state)
{
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(NAMED("a", "web", "")));
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *one = documents(mem, &answer).at[0].root;
    assert_null(VAL_PATH(one, "metadata", "managedFields"));
    assert_string_equal(object_uid(one), "u-web");
}

/* Lengths that are no multiple of three, one after the other: the base64 has to go on without a seam. */
static void many_objects_are_one_text(void **state)
{
    SBUF(items, (size_t)1 << 20);
    SBUF(expected, (size_t)1 << 20);
    for (int i = 0; i < 300; i++) {
        sbuf_addf(&items, "%s" NAMED("a", "w%d", ",\"pad\":\"%.*s\""), i ? "," : "", i, i, i % 7,
                  "pppppppp");
        sbuf_addf(&expected, "%sapps/v1 Deployment a/w%d", i ? "," : "", i);
    }
    SBUF(list, (size_t)1 << 20);
    sbuf_addf(&list,
              "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},"
              "\"items\":[%s]}",
              sbuf_text(&items));
    world_serve(*state, "/apis/apps/v1/deployments", 200, sbuf_text(&list));
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list found = documents(mem, &answer);
    assert_int_equal(found.len, 300);
    for (size_t i = 0; i < found.len; i++)
        assert_int_equal(strlen(val_text(VAL_PATH(found.at[i].root, "spec", "pad"))), i % 7);
}

static void only_allowed_namespaces_are_exported(void **state)
{
    static const char *const allowed[] = { "mine", NULL };
    world_free(*state);
    *state = world_new(&(struct world_opts){ .allowed_ns = allowed });
    world_serve(*state, "/api/v1/namespaces?fieldSelector=metadata.name=mine", 200,
                LIST(SPACE("mine")));
    world_serve(*state, "/apis/apps/v1/namespaces/mine/deployments", 200,
                LIST(NAMED("mine", "web", "")));
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(NAMED("other", "web", "")));
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    check(&answer, "v1 Namespace /mine,apps/v1 Deployment mine/web");
}

static void what_may_not_be_listed_is_left_out(void **state)
{
    world_serve(*state, "/api/v1/namespaces", 403, FORBIDDEN);
    world_serve(*state, "/apis/apps/v1/deployments", 200, LIST(NAMED("a", "web", "")));
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    check(&answer, "apps/v1 Deployment a/web");
}

static void when_nothing_may_be_listed_that_is_an_error(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        world_serve(*state, paths[i], 403, FORBIDDEN);
    world_serve(*state, "/apis/helm.fluxcd.io/v1/helmreleases", 403, FORBIDDEN);
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    assert_int_equal(answer.status, 500);
}

static void an_api_server_in_trouble_is_an_error(void **state)
{
    world_serve(*state, "/apis/apps/v1/statefulsets", 500,
                "{\"kind\":\"Status\",\"message\":\"etcd is "
                "gone\",\"reason\":\"InternalError\",\"code\":500}");
    struct world_answer answer = world_ask(*state, "GET", EXPORT, NULL);
    assert_int_equal(answer.status, 500);
}

static void head_is_answered_too(void **state)
{
    struct world_answer answer = world_ask(*state, "HEAD", EXPORT, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, 0);
}

static void stop(struct world *world)
{
    api_stop(world_api(world));
}

static void an_export_that_hangs_ends_with_the_server(void **state)
{
    world_hang(*state, "/apis/apps/v1/deployments");
    struct world_answer answer = world_ask_while(*state, EXPORT, stop);
    assert_int_equal(answer.status, 503);
}

#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_empty_cluster_has_an_empty_export),
        IN_WORLD(all_namespaces_is_a_list),
        IN_WORLD(who_set_which_field_is_left_out),
        IN_WORLD(many_objects_are_one_text),
        IN_WORLD(only_allowed_namespaces_are_exported),
        IN_WORLD(what_may_not_be_listed_is_left_out),
        IN_WORLD(when_nothing_may_be_listed_that_is_an_error),
        IN_WORLD(an_api_server_in_trouble_is_an_error),
        IN_WORLD(head_is_answered_too),
        IN_WORLD(an_export_that_hangs_ends_with_the_server),
    };
    return cmocka_run_group_tests_name("api_export", tests, NULL, NULL);
}
