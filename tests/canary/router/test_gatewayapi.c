#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define PARENT   "{group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: infra}"
#define REFS     "service:\n  port: 80\n  gatewayRefs: [" PARENT "]\n"
#define V1       "provider: gatewayapi:v1\n" TARGET REFS
#define V1BETA1  "provider: gatewayapi:v1beta1\n" TARGET REFS
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define MIRRORED "analysis: {interval: 15s, threshold: 5, iterations: 5, mirror: true}\n"
#define AUDIENCE(match) \
    "analysis: {interval: 15s, threshold: 5, iterations: 5, match: [" match "]}\n"
#define AFFINITY(cookies) \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: {" cookies "}}\n"

#define EVERYTHING "matches: [{path: {type: PathPrefix, value: /}}], "
#define PRIMARY(weight) \
    "{group: '', kind: Service, name: podinfo-primary, port: 80, weight: " weight "}"
#define CANARY(weight) \
    "{group: '', kind: Service, name: podinfo-canary, port: 80, weight: " weight "}"
#define BACKENDS(p, c) "backendRefs: [" PRIMARY(p) ", " CANARY(c) "]"
#define MIRROR                                                                      \
    "{type: RequestMirror, requestMirror: {backendRef: {group: '', kind: Service, " \
    "name: podinfo-canary, port: 80}}}"

static void assert_rules(const struct bench *bench, const char *yaml)
{
    const struct val *live = bench_live(bench, "HTTPRoute", "podinfo");
    assert_same_value(bench->mem, VAL_PATH(live, "spec", "rules"), value_of(bench->mem, yaml));
}

static void set_part(struct bench *bench, const char *part, const char *key, const char *yaml)
{
    struct val *live = val_copy(bench->mem, bench_live(bench, "HTTPRoute", "podinfo"));
    val_set(bench->mem, val_need_map(bench->mem, live, part), key, value_of(bench->mem, yaml));
    bench_put(bench, live);
}

/* -- what is generated ------------------------------------------------------------------------ */

static const struct made_case {
    const char *name, *spec,
        *expected; /* of the HTTPRoute, before the server has put in defaults */
} made_cases[] = {
    { "a service without matches is for every path", V1 WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING BACKENDS("100", "0") "}]}" },
    { "a match without a path is for every path, and one that says nothing is left out",
      V1
      "  match: [{headers: {x-b: {exact: b}, x-a: {regex: a}}}, {sourceLabels: {c: d}}]\n" WEIGHTED,
      "{parentRefs: [" PARENT
      "], rules: [{matches: [{path: {type: PathPrefix, value: /}, headers: ["
      "{name: x-a, type: RegularExpression, value: a}, {name: x-b, type: Exact, value: "
      "b}]}], " BACKENDS("100", "0") "}]}" },
    { "paths are regular before exact before prefixes",
      V1
      "  match: [{uri: {regex: a, exact: b, prefix: c}}, {uri: {exact: b, prefix: c}}]\n" WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{matches: [{path: {type: RegularExpression, value: a}}, "
      "{path: {type: Exact, value: b}}], " BACKENDS("100", "0") "}]}" },
    { "timeouts each on their own", V1 "  backendTimeout: 2s\n  hosts: [a, b]\n" WEIGHTED,
      "{parentRefs: [" PARENT "], hostnames: [a, b], rules: [{" EVERYTHING BACKENDS(
          "100", "0") ", timeouts: {backendRequest: 2s}}]}" },
    { "an audience is looked for within what the service matches",
      V1 "  match: [{uri: {prefix: /a}, headers: {x-old: {exact: b}}}]\n" AUDIENCE(
          "{headers: {x-canary: {exact: insider}}}, {queryParams: {q: {regex: r}}}"),
      "{parentRefs: [" PARENT "], rules: [{matches: ["
      "{path: {type: PathPrefix, value: /a}, headers: "
      "[{name: x-canary, type: Exact, value: insider}]}, "
      "{path: {type: PathPrefix, value: /a}, headers: [{name: x-old, type: Exact, value: b}], "
      "queryParams: [{name: q, type: RegularExpression, value: r}]}], " BACKENDS(
          "100",
          "0") "}, "
               "{matches: [{path: {type: PathPrefix, value: /a}, headers: "
               "[{name: x-old, type: Exact, value: b}]}], backendRefs: [" PRIMARY("100") "]}]}" },
    { "filters stand in their order, headers by name",
      V1 "  headers: {request: {add: {b: '1', a: '2'}, set: {c: '3'}, remove: [d]}, "
         "response: {add: {f: '4', e: '5'}}}\n"
         "  rewrite: {uri: /x, authority: h}\n"
         "  mirror: [{backendRef: {name: audit, namespace: z, port: 81}}]\n"
         "  corsPolicy: {allowOrigin: [o], allowMethods: [GET], allowCredentials: true, "
         "maxAge: 24h}\n" WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING "filters: ["
      "{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: a, value: '2'}, "
      "{name: b, value: '1'}], set: [{name: c, value: '3'}], remove: [d]}}, "
      "{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: e, value: '5'}, "
      "{name: f, value: '4'}]}}, "
      "{type: URLRewrite, urlRewrite: {hostname: h, path: {type: ReplaceFullPath, "
      "replaceFullPath: /x}}}, "
      "{type: RequestMirror, requestMirror: {backendRef: {namespace: z, name: audit, port: 81}}}, "
      "{type: CORS, cors: {allowOrigins: [o], allowMethods: [GET], allowCredentials: true, "
      "maxAge: 86400}}], " BACKENDS("100", "0") "}]}" },
    { "a prefix is rewritten when asked for",
      V1 "  rewrite: {uri: /x, type: ReplacePrefixMatch}\n" WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING "filters: ["
      "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "
      "/x}}}], " BACKENDS("100", "0") "}]}" },
    { "an age that is no duration is left to the server",
      V1 "  corsPolicy: {allowOrigin: [o], allowCredentials: false, maxAge: 1d}\n" WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING "filters: ["
      "{type: CORS, cors: {allowOrigins: [o]}}], " BACKENDS("100", "0") "}]}" },
    { "v1beta1 has no timeouts and no cors",
      V1BETA1 "  timeout: 2s\n  corsPolicy: {allowOrigin: [o]}\n" WEIGHTED,
      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING BACKENDS("100", "0") "}]}" },
};

static void it_is_made(void **state)
{
    const struct made_case *made = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, made->spec);
    struct effects effects = bench_plan(&bench);
    assert_int_equal(effects.list.len, 1);
    assert_same_value(mem, val_get(effects.list.at[0].body, "spec"), value_of(mem, made->expected));
}

/* -- repairs ---------------------------------------------------------------------------------- */

static void annotations_of_others_stay_and_labels_go(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               V1 "  apex: {labels: {a: b}, annotations: {c: d}}\n" WEIGHTED);
    bench_reconcile(&bench);
    set_part(&bench, "metadata", "annotations", "{foreign: x, c: x}");
    set_part(&bench, "metadata", "labels", "{foreign: x}");
    assert_int_equal(bench_reconcile(&bench), 1);
    const struct val *metadata = val_get(bench_live(&bench, "HTTPRoute", "podinfo"), "metadata");
    assert_same_value(bench.mem, val_get(metadata, "annotations"),
                      value_of(bench.mem, "{foreign: x, c: d, " BENCH_OPT_OUT "}"));
    assert_same_value(bench.mem, val_get(metadata, "labels"),
                      value_of(bench.mem, "{a: b, app: podinfo}"));
    assert_int_equal(bench_reconcile(&bench), 0);
}

static void a_route_of_flagger_is_right_as_it_is(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               V1 "  match: [{headers: {a: {exact: b}}}]\n"
                  "  corsPolicy: {allowOrigin: [o]}\n" AFFINITY("cookieName: ck"));
    bench.canary.status.cookie = "ck=xyz";
    bench_put_yaml(
        &bench,
        "apiVersion: gateway.networking.k8s.io/v1\n"
        "kind: HTTPRoute\n"
        "metadata: {name: podinfo, annotations: {" BENCH_OPT_OUT "}}\n"
        "spec: {parentRefs: [" PARENT "], rules: ["
        "{matches: [{headers: [{type: RegularExpression, name: Cookie, value: .*ck.*xyz.*}]}], "
        "filters: [{type: CORS, cors: {allowOrigins: [o]}}], " BACKENDS(
            "0",
            "100") "}, "
                   "{matches: [{headers: [{type: Exact, name: a, value: b}]}], "
                   "filters: [{type: CORS, cors: {allowOrigins: [o]}}], backendRefs: [" PRIMARY(
                       "80") ", "
                             "{group: '', kind: Service, name: podinfo-canary, port: 80, weight: "
                             "20, filters: "
                             "[{type: ResponseHeaderModifier, responseHeaderModifier: {add: "
                             "[{name: Set-Cookie, value: ck=xyz; Max-Age=86400}]}}]}]}]}\n");
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_assert_split(bench_read(&bench), 80, 20, false);
}

static void what_was_taken_over_starts_at_the_primary(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1 WEIGHTED);
    bench_put_yaml(&bench, "apiVersion: gateway.networking.k8s.io/v1\n"
                           "kind: HTTPRoute\n"
                           "metadata: {name: podinfo}\n"
                           "spec: {parentRefs: [{name: old}], hostnames: [a], "
                           "rules: [{backendRefs: [{name: podinfo, port: 80}]}]}\n");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "HTTPRoute", "podinfo", "spec",
                      "{parentRefs: [" PARENT "], rules: [{" EVERYTHING BACKENDS("100", "0") "}]}");
    assert_null(val_get(val_get(bench_live(&bench, "HTTPRoute", "podinfo"), "metadata"),
                        "ownerReferences"));
}

/* -- mirrors ---------------------------------------------------------------------------------- */

static void a_mirror_lasts_for_the_run(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1 MIRRORED);
    bench_reconcile(&bench);
    bench_write(&bench, 100, 0, true);
    assert_rules(&bench, "[{" EVERYTHING "filters: [" MIRROR "], " BACKENDS("100", "0") "}]");
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_assert_split(bench_read(&bench), 100, 0, true);
    bench_write(&bench, 100, 0, false);
    assert_rules(&bench, "[{" EVERYTHING BACKENDS("100", "0") "}]");
    bench_write(&bench, 100, 0, true);
    bench.canary.status.phase = CANARY_SUCCEEDED;
    assert_int_equal(bench_reconcile(&bench), 1);
    assert_rules(&bench, "[{" EVERYTHING BACKENDS("100", "0") "}]");
}

static void without_iterations_there_is_no_mirror(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1 WEIGHTED);
    bench_reconcile(&bench);
    assert_int_equal(bench_write(&bench, 100, 0, true), 0);
    bench_assert_split(bench_read(&bench), 100, 0, false);
}

/* -- session affinity ------------------------------------------------------------------------- */

#define COOKIE(pattern)                                        \
    "matches: [{path: {type: PathPrefix, value: /}, headers: " \
    "[{type: RegularExpression, name: Cookie, value: '" pattern "'}]}], "
#define SETS(cookie)                                                           \
    "filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [" \
    "{name: Set-Cookie, value: '" cookie "'}]}}]"

static void cookies_come_and_go_with_the_canary(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               V1 AFFINITY("cookieName: ck, primaryCookieName: pk, domain: d, maxAge: 300"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    assert_rules(
        &bench,
        "[{" COOKIE(".*ck.*CanaryABCD.*") BACKENDS(
            "0", "100") "}, "
                        "{" COOKIE(".*pk.*PrimaryABC.*") BACKENDS(
                            "100",
                            "0") "}, "
                                 "{" EVERYTHING "backendRefs: ["
                                 "{group: '', kind: Service, name: podinfo-primary, port: 80, "
                                 "weight: 90, " SETS(
                                     "pk=PrimaryABC; Max-Age=15; Domain=d") "}, "
                                                                            "{group: '', kind: "
                                                                            "Service, name: "
                                                                            "podinfo-canary, port: "
                                                                            "80, weight: 10, " SETS(
                                                                                "ck=CanaryABCD; "
                                                                                "Max-Age=300; "
                                                                                "Domain=d") "}]}]");
    bench_write(&bench, 100, 0, false);
    assert_rules(&bench, "[{" COOKIE(".*ck.*CanaryABCD.*")
                             SETS("ck=CanaryABCD; Max-Age=-1; Domain=d") ", " BACKENDS(
                                 "100", "0") "}, {" EVERYTHING BACKENDS("100", "0") "}]");
    assert_string_equal(bench.canary.status.cookie, "");
    assert_string_equal(bench.canary.status.previous_cookie, "ck=CanaryABCD");
}

/* The API refuses a second filter of the kind. */
static void a_deletion_goes_into_the_filter_that_is_there(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               V1 "  headers: {response: {add: {a: b}}}\n" AFFINITY("cookieName: ck"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench_write(&bench, 100, 0, false);
    assert_rules(
        &bench,
        "[{" COOKIE(".*ck.*CanaryABCD.*") "filters: [{type: ResponseHeaderModifier, "
                                          "responseHeaderModifier: {add: [{name: a, value: b}, "
                                          "{name: Set-Cookie, value: ck=CanaryABCD; "
                                          "Max-Age=-1}]}}], " BACKENDS(
                                              "100",
                                              "0") "}, {" EVERYTHING
                                                   "filters: [{type: ResponseHeaderModifier, "
                                                   "responseHeaderModifier: "
                                                   "{add: [{name: a, value: b}]}}], " BACKENDS(
                                                       "100", "0") "}]");
}

static void v1beta1_knows_no_primary_cookie(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1BETA1 AFFINITY("cookieName: ck, primaryCookieName: pk"));
    bench.canary.status.primary_cookie = "pk=of-another-provider";
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    assert_rules(&bench,
                 "[{" COOKIE(".*ck.*CanaryABCD.*")
                     BACKENDS("0", "100") "}, "
                                          "{" EVERYTHING "backendRefs: [" PRIMARY(
                                              "90") ", "
                                                    "{group: '', kind: Service, name: "
                                                    "podinfo-canary, port: 80, weight: 10, " SETS(
                                                        "ck=CanaryABCD; Max-Age=86400") "}]}]");
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* -- reading ---------------------------------------------------------------------------------- */

static const struct parent_case {
    const char *name, *ref, *conditions, *error; /* NULL: 90:10 is read */
} parent_cases[] = {
    { "a route of which a parent has seen an older generation is waited for", PARENT,
      "[{type: Accepted, status: 'True', observedGeneration: 4}]",
      "HTTPRoute podinfo.test parent public is not ready (status: True, observed generation: 4, "
      "current generation: 5)" },
    { "a route that a parent has refused is waited for", PARENT,
      "[{type: Accepted, status: 'False', observedGeneration: 5}]",
      "HTTPRoute podinfo.test parent public is not ready (status: False, observed generation: 5, "
      "current generation: 5)" },
    { "an accepted route is read", PARENT,
      "[{type: Accepted, status: 'True', observedGeneration: 5}]", NULL },
    { "another condition says nothing", PARENT,
      "[{type: ResolvedRefs, status: 'False', observedGeneration: 4}]", NULL },
    { "a parent of another section says nothing",
      "{group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: infra, "
      "sectionName: web}",
      "[{type: Accepted, status: 'False', observedGeneration: 5}]", NULL },
};

static void parents_are_waited_for(void **state)
{
    const struct parent_case *parent = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct split split = { 0 };
    struct bench bench;
    bench_init(&bench, mem, V1 WEIGHTED);
    bench_reconcile(&bench);
    for (int64_t weight = 7; weight <= 10; weight++)
        bench_write(&bench, 100 - weight, weight, false);
    assert_int_equal(object_generation(bench_live(&bench, "HTTPRoute", "podinfo")), 5);
    set_part(
        &bench, "status", "parents",
        arena_printf(mem, "[{parentRef: %s, conditions: %s}]", parent->ref, parent->conditions));
    if (parent->error)
        bench_assert_error(bench.router->read(bench_view(&bench), &split), parent->error);
    else
        bench_assert_split(bench_read(&bench), 90, 10, false);
}

/* A repair makes a generation that no parent has seen. */
static void a_repair_is_waited_for(void **state)
{
    struct bench bench;
    struct split split;
    bench_init(&bench, bench_mem(state), V1 WEIGHTED);
    bench_reconcile(&bench);
    set_part(&bench, "status", "parents",
             "[{parentRef: " PARENT ", conditions: "
             "[{type: Accepted, status: 'True', observedGeneration: 1}]}]");
    bench_assert_split(bench_read(&bench), 100, 0, false);
    bench_edit(&bench, V1 "  hosts: [a]\n" WEIGHTED);
    struct effects effects = bench_plan(&bench);
    bench_assert_error(router_read_after(bench.router, bench_view(&bench), &effects, &split),
                       "HTTPRoute podinfo.test parent public is not ready (status: True, observed "
                       "generation: 1, current generation: 2)");
}

static void v1beta1_waits_for_nobody(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1BETA1 WEIGHTED);
    bench_reconcile(&bench);
    set_part(&bench, "status", "parents",
             "[{parentRef: " PARENT ", conditions: [{type: Accepted, status: 'False'}]}]");
    bench_assert_split(bench_read(&bench), 100, 0, false);
}

static void weights_have_to_be_there(void **state)
{
    static const char *const without[] = {
        "[]",
        "[{backendRefs: [{name: podinfo, port: 80}]}]",
        "[{backendRefs: [" PRIMARY("100") "]}]",
        "[{" BACKENDS("0", "0") "}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        struct bench bench;
        struct split split;
        bench_init(&bench, bench_mem(state), V1 WEIGHTED);
        bench_reconcile(&bench);
        set_part(&bench, "spec", "rules", without[i]);
        bench_assert_error(bench.router->read(bench_view(&bench), &split),
                           "HTTPRoute podinfo.test does not contain routes for podinfo-primary and "
                           "podinfo-canary");
    }
}

/* -- errors ----------------------------------------------------------------------------------- */

static const struct refused_case {
    const char *name, *spec, *error;
} refused_cases[] = {
    { "parents are needed", "provider: gatewayapi:v1\n" TARGET "service: {port: 80}\n" WEIGHTED,
      "GatewayRefs must be specified when using Gateway API as a provider." },
    { "a path has to have a known form", V1 "  match: [{uri: {suffix: a}}]\n" WEIGHTED,
      "Invalid request matching selectors: Gateway API doesn't support the specified path matching "
      "selector: {\"suffix\":\"a\"}\n" },
    { "a method has to be exact", V1 "  match: [{method: {prefix: G}}]\n" WEIGHTED,
      "Invalid request matching selectors: Gateway API doesn't support the specified header "
      "matching "
      "selector: {}\n" },
    { "a header has to have a known form", V1 "  match: [{headers: {a: {prefix: b}}}]\n" WEIGHTED,
      "Invalid request matching selectors: Gateway API doesn't support the specified header "
      "matching "
      "selector: {\"a\":{\"prefix\":\"b\"}}\n" },
    { "a parameter has to have a known form",
      V1 "  match: [{queryParams: {a: {prefix: b}}}]\n" WEIGHTED,
      "Invalid request matching selectors: Gateway API doesn't support the specified query "
      "matching "
      "selector: {\"a\":{\"prefix\":\"b\"}}\n" },
    { "an audience that cannot be told apart is not everybody",
      V1 AUDIENCE("{headers: {a: {suffix: b}}}"),
      "Invalid request matching selectors: Gateway API doesn't support the specified header "
      "matching "
      "selector: {\"a\":{\"suffix\":\"b\"}}\n" },
    { "an audience of nobody is not everybody", V1 AUDIENCE("{sourceLabels: {a: b}}"),
      "Invalid request matching selectors: analysis.match has no headers and no queryParams" },
};

static void it_is_refused(void **state)
{
    const struct refused_case *refused = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct effects effects = { .mem = mem };
    struct bench bench;
    bench_init(&bench, mem, refused->spec);
    bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects), refused->error);
    assert_int_equal(effects.list.len, 0);
}

static void a_route_that_is_gone_cannot_be_read_or_written(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), V1 WEIGHTED);
    struct effects effects = { .mem = bench.mem };
    struct split split = { 90, 10, false };
    static const char gone[] = "HTTPRoute podinfo.test get error: "
                               "httproutes.gateway.networking.k8s.io \"podinfo\" not found";
    bench_assert_error(bench.router->read(bench_view(&bench), &split), gone);
    bench_assert_error(bench.router->write(bench_view(&bench), &split, &effects), gone);
    bench.no_kind = "HTTPRoute";
    bench_assert_error(bench.router->reconcile(bench_view(&bench), &effects),
                       "HTTPRoute podinfo.test get error: the server could not find the requested "
                       "resource (get httproutes.gateway.networking.k8s.io podinfo)");
}

static void requests_have_their_words(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               V1 "  corsPolicy: {allowOrigins: [{exact: a}]}\n" WEIGHTED);
    struct effects effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "HTTPRoute podinfo.test create error: ");
    assert_string_equal(effects.list.at[0].after, "");
    assert_string_equal(effects.list.at[0].log, "HTTPRoute podinfo.test created");
    assert_int_equal(effects.warnings.len, 1);
    assert_string_equal(effects.warnings.at[0],
                        "'corsPolicy.allowOrigins' is not supported by Gateway API, use "
                        "'corsPolicy.allowOrigin' instead");
    bench_carry_out(&bench, &effects);
    set_part(&bench, "spec", "hostnames", "[foreign]");
    effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "HTTPRoute podinfo.test update error: ");
    assert_string_equal(effects.list.at[0].after, " while reconciling");
    bench_carry_out(&bench, &effects);
    assert_int_equal(bench_plan(&bench).warnings.len, 0);
    effects = (struct effects){ .mem = bench.mem };
    assert_null(
        bench.router->write(bench_view(&bench), &(struct split){ 90, 10, false }, &effects));
    assert_string_equal(effects.list.at[0].before, "HTTPRoute podinfo.test update error: ");
    assert_string_equal(effects.list.at[0].after, " while setting weights");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(made_cases, it_is_made),
        ROWS(parent_cases, parents_are_waited_for),
        ROWS(refused_cases, it_is_refused),
        BENCH_TEST(annotations_of_others_stay_and_labels_go),
        BENCH_TEST(a_route_of_flagger_is_right_as_it_is),
        BENCH_TEST(what_was_taken_over_starts_at_the_primary),
        BENCH_TEST(a_mirror_lasts_for_the_run),
        BENCH_TEST(without_iterations_there_is_no_mirror),
        BENCH_TEST(cookies_come_and_go_with_the_canary),
        BENCH_TEST(a_deletion_goes_into_the_filter_that_is_there),
        BENCH_TEST(v1beta1_knows_no_primary_cookie),
        BENCH_TEST(a_repair_is_waited_for),
        BENCH_TEST(v1beta1_waits_for_nobody),
        BENCH_TEST(weights_have_to_be_there),
        BENCH_TEST(a_route_that_is_gone_cannot_be_read_or_written),
        BENCH_TEST(requests_have_their_words),
    };
    return rows_run("gatewayapi", tests, ARRAY_LEN(tests));
}
