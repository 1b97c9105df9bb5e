#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"

#define NGINX                                                             \
    "provider: nginx\n"                                                   \
    "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "service: {port: 80}\n"
#define REF      "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define AUDIENCE(match) \
    "analysis: {interval: 15s, threshold: 5, iterations: 5, match: [" match "]}\n"
#define INGRESS "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
#define PATH(path, service)                                                 \
    "{path: " path ", pathType: Prefix, backend: {service: {name: " service \
    ", port: {number: 80}}}}"
#define SOURCE                                                                             \
    INGRESS "metadata: {name: shop, labels: {a: b, fluxcd.io/sync-gc-mark: e}, "           \
            "annotations: {c: d, fluxcd.io/sync-checksum: f, "                             \
            "nginx.ingress.kubernetes.io/canary-by-header: x, "                            \
            "kubectl.kubernetes.io/last-applied-configuration: '{}'}}\n"                   \
            "spec: {ingressClassName: nginx, tls: [{hosts: [h]}], rules: [{host: empty}, " \
            "{host: h, http: {paths: [" PATH("/", "podinfo") ", " PATH("/o", "other") "]}}]}\n"
#define PREFIX "nginx.ingress.kubernetes.io/"

static void start(struct bench *bench, void **state, const char *spec)
{
    bench_init(bench, bench_mem(state), spec);
    bench_put_yaml(bench, SOURCE);
    bench_reconcile(bench);
}

static void assert_annotations(const struct bench *bench, const char *yaml)
{
    const struct val *live = bench_live(bench, "Ingress", "shop-canary");
    assert_same_value(bench->mem, VAL_PATH(live, "metadata", "annotations"),
                      value_of(bench->mem, yaml));
}

static void set_annotation(struct bench *bench, const char *key, const char *text)
{
    struct val *live = val_copy(bench->mem, bench_live(bench, "Ingress", "shop-canary"));
    struct val *annotations = val_need_map(bench->mem, val_get(live, "metadata"), "annotations");
    if (text)
        val_set_text(bench->mem, annotations, key, text);
    else
        val_remove(annotations, key);
    bench_put(bench, live);
}

/* -- the canary Ingress ----------------------------------------------------------------------- */

static void the_canary_ingress_is_a_copy(void **state)
{
    struct bench bench;
    start(&bench, state, NGINX REF WEIGHTED);
    bench_assert_part(&bench, "Ingress", "shop-canary", NULL,
                      INGRESS
                      "metadata: {name: shop-canary, namespace: test, generation: 1, "
                      "resourceVersion: '2', labels: {a: b}, annotations: {c: d, " BENCH_OPT_OUT
                      ", " PREFIX "canary: 'true', " PREFIX "canary-weight: '0'}, "
                      "ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, "
                      "name: podinfo, uid: u-1, controller: true, "
                      "blockOwnerDeletion: true}]}\n"
                      "spec: {ingressClassName: nginx, tls: [{hosts: [h]}], rules: "
                      "[{host: empty}, {host: h, http: {paths: [" PATH(
                          "/", "podinfo-canary") ", " PATH("/o", "other") "]}}]}\n");
}

static void a_changed_source_changes_the_copy_but_its_annotations(void **state)
{
    struct bench bench;
    start(&bench, state, NGINX REF WEIGHTED);
    bench_write(&bench, 70, 30, false);
    bench_put_yaml(&bench,
                   INGRESS "metadata: {name: shop, annotations: {new: x}}\n"
                           "spec: {rules: [{http: {paths: [" PATH("/n", "podinfo") "]}}]}\n");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "Ingress", "shop-canary", "spec",
                      "{rules: [{http: {paths: [" PATH("/n", "podinfo-canary") "]}}]}");
    assert_annotations(&bench, "{c: d, " BENCH_OPT_OUT ", " PREFIX "canary: 'true', " PREFIX
                               "canary-weight: '30'}");
    assert_int_equal(bench_reconcile(&bench), 0);
}

static void the_ingress_stays_on_the_main_cluster(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
    bench.settings.mesh_is_elsewhere = true;
    bench_put_yaml(&bench, SOURCE);
    struct effects effects = bench_plan(&bench);
    assert_false(effects.list.at[0].is_mesh);
    assert_non_null(VAL_PATH(effects.list.at[0].body, "metadata", "ownerReferences"));
}

/* -- traffic ---------------------------------------------------------------------------------- */

static void annotations_have_the_prefix_of_the_settings(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
    bench.settings.ingress_prefix = "custom.ingress.kubernetes.io";
    bench_put_yaml(&bench,
                   INGRESS "metadata: {name: shop}\n"
                           "spec: {rules: [{http: {paths: [" PATH("/", "podinfo") "]}}]}\n");
    bench_reconcile(&bench);
    bench_write(&bench, 50, 50, false);
    assert_annotations(&bench, "{" BENCH_OPT_OUT ", custom.ingress.kubernetes.io/canary: 'true', "
                               "custom.ingress.kubernetes.io/canary-weight: '50'}");
    bench_write(&bench, 100, 0, false);
    assert_annotations(&bench, "{" BENCH_OPT_OUT ", custom.ingress.kubernetes.io/canary: 'true', "
                               "custom.ingress.kubernetes.io/canary-weight: '0'}");
}

static const struct audience_case {
    const char *name, *match, *expected;
} audience_cases[] = {
    { "a header with a value", "{headers: {x-user: {exact: insider}}}",
      PREFIX "canary-by-header: x-user, " PREFIX "canary-by-header-value: insider" },
    { "a header with a pattern", "{headers: {x-user: {regex: in.*}}}",
      PREFIX "canary-by-header: x-user, " PREFIX "canary-by-header-pattern: in.*" },
    { "a cookie", "{headers: {cookie: {exact: always}}}", PREFIX "canary-by-cookie: always" },
    { "a Cookie is a header", "{headers: {Cookie: {exact: always}}}",
      PREFIX "canary-by-header: Cookie, " PREFIX "canary-by-header-value: always" },
    { "a header with a prefix has no value", "{headers: {x-user: {prefix: in}}}",
      PREFIX "canary-by-header: x-user" },
    { "of several headers the last by name",
      "{headers: {b: {exact: x}, c: {regex: z}, a: {exact: yy}, cookie: {exact: always}}}",
      PREFIX "canary-by-cookie: always, " PREFIX "canary-by-header: c, " PREFIX
             "canary-by-header-pattern: z" },
    { "of several entries the last", "{headers: {b: {exact: x}}}, {headers: {a: {exact: z}}}",
      PREFIX "canary-by-header: a, " PREFIX "canary-by-header-value: z" },
};

static void an_audience_is_told_by(void **state)
{
    const struct audience_case *audience = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    void *for_start = mem;
    struct bench bench;
    start(&bench, &for_start, arena_printf(mem, NGINX REF AUDIENCE("%s"), audience->match));
    bench_write(&bench, 0, 100, false);
    assert_annotations(&bench, arena_printf(mem,
                                            "{c: d, " BENCH_OPT_OUT ", " PREFIX
                                            "canary: 'true', " PREFIX "canary-weight: '0', %s}",
                                            audience->expected));
    bench_assert_split(bench_read(&bench), 0, 100, false);
    bench_write(&bench, 100, 0, false);
    assert_annotations(&bench, "{c: d, " BENCH_OPT_OUT ", " PREFIX "canary: 'true', " PREFIX
                               "canary-weight: '0'}");
    bench_assert_split(bench_read(&bench), 100, 0, false);
}

static void a_weight_is_read_as_it_is_written(void **state)
{
    static const struct {
        const char *weight;
        int64_t canary;
    } cases[] = { { "0", 0 }, { "30", 30 }, { NULL, 0 }, { "+5", 5 } };
    struct bench bench;
    start(&bench, state, NGINX REF WEIGHTED);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set_annotation(&bench, PREFIX "canary-weight", cases[i].weight);
        bench_assert_split(bench_read(&bench), 100 - cases[i].canary, cases[i].canary, false);
    }
}

static void a_weight_that_is_no_number_is_told(void **state)
{
    static const struct {
        const char *weight, *error;
    } cases[] = {
        { "half", "failed to convert half to int: strconv.Atoi: parsing \"half\": invalid syntax" },
        { "", "failed to convert  to int: strconv.Atoi: parsing \"\": invalid syntax" },
        { " 5", "failed to convert  5 to int: strconv.Atoi: parsing \" 5\": invalid syntax" },
        { "99999999999999999999",
          "failed to convert 99999999999999999999 to int: strconv.Atoi: parsing "
          "\"99999999999999999999\": value out of range" },
    };
    struct bench bench;
    struct split split;
    start(&bench, state, NGINX REF WEIGHTED);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set_annotation(&bench, PREFIX "canary-weight", cases[i].weight);
        bench_assert_error(bench.router->read(bench_view(&bench), &split), cases[i].error);
    }
}

/* -- errors ----------------------------------------------------------------------------------- */

static void the_reference_is_needed(void **state)
{
    struct bench bench;
    struct split split = { 90, 10, false };
    struct effects effects = { .mem = bench_mem(state) };
    static const char none[] = "ingress selector is empty";
    bench_init(&bench, bench_mem(state), NGINX WEIGHTED);
    bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects), none);
    bench_assert_error(bench.router->read(bench_view(&bench), &split), none);
    bench_assert_error(bench.router->write(bench_view(&bench), &split, &effects), none);
}

static void the_source_has_to_be_there(void **state)
{
    struct bench bench;
    struct effects effects = { .mem = bench_mem(state) };
    bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
    bench_assert_error(
        bench.router->reconcile(bench_view(&bench), &effects),
        "ingress shop.test get query error: ingresses.networking.k8s.io \"shop\" not "
        "found");
}

static void the_source_has_to_name_the_service(void **state)
{
    static const char *const specs[] = {
        "{}",
        "{defaultBackend: {service: {name: podinfo}}}",
        "{rules: [{host: a}, {http: {}}, {http: {paths: [{backend: {resource: {name: "
        "podinfo}}}]}}]}",
        "{rules: [{http: {paths: [" PATH("/", "podinfo-v2") "]}}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct bench bench;
        struct effects effects = { .mem = bench_mem(state) };
        bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
        bench_put_yaml(&bench, arena_printf(bench.mem, INGRESS "metadata: {name: shop}\nspec: %s\n",
                                            specs[i]));
        bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects),
                           "backend podinfo not found in ingress shop");
    }
}

static void the_canary_ingress_has_to_be_there(void **state)
{
    struct bench bench;
    struct split split = { 90, 10, false };
    struct effects effects = { .mem = bench_mem(state) };
    static const char gone[] = "ingress shop-canary.test get query error: "
                               "ingresses.networking.k8s.io \"shop-canary\" not found";
    bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
    bench_assert_error(bench.router->read(bench_view(&bench), &split), gone);
    bench_assert_error(bench.router->write(bench_view(&bench), &split, &effects), gone);
}

static void requests_have_their_words(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), NGINX REF WEIGHTED);
    bench_put_yaml(&bench, SOURCE);
    struct effects effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "ingress shop-canary.test create error: ");
    assert_string_equal(effects.list.at[0].log, "Ingress shop-canary.test created");
    bench_carry_out(&bench, &effects);
    bench_put_yaml(&bench,
                   INGRESS "metadata: {name: shop}\n"
                           "spec: {rules: [{http: {paths: [" PATH("/", "podinfo") "]}}]}\n");
    effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "ingress shop-canary.test update error: ");
    assert_string_equal(effects.list.at[0].log, "Ingress shop-canary updated");
    effects = (struct effects){ .mem = bench.mem };
    assert_null(
        bench.router->write(bench_view(&bench), &(struct split){ 90, 10, false }, &effects));
    assert_string_equal(effects.list.at[0].before, "ingress shop-canary.test update error ");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(audience_cases, an_audience_is_told_by),
        BENCH_TEST(the_canary_ingress_is_a_copy),
        BENCH_TEST(a_changed_source_changes_the_copy_but_its_annotations),
        BENCH_TEST(the_ingress_stays_on_the_main_cluster),
        BENCH_TEST(annotations_have_the_prefix_of_the_settings),
        BENCH_TEST(a_weight_is_read_as_it_is_written),
        BENCH_TEST(a_weight_that_is_no_number_is_told),
        BENCH_TEST(the_reference_is_needed),
        BENCH_TEST(the_source_has_to_be_there),
        BENCH_TEST(the_source_has_to_name_the_service),
        BENCH_TEST(the_canary_ingress_has_to_be_there),
        BENCH_TEST(requests_have_their_words),
    };
    return rows_run("nginx", tests, ARRAY_LEN(tests));
}
