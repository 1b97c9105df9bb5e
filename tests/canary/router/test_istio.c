#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define ISTIO    "provider: istio\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define SERVICE  ISTIO "service:\n  port: 80\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define AFFINITY(cookies) \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: {" cookies "}}\n"
#define KUBECTL  "kubectl.kubernetes.io/last-applied-configuration"
#define ORIGINAL "flagger.kubernetes.io/original-configuration"
#define THEIRS                                  \
    "apiVersion: networking.istio.io/v1beta1\n" \
    "kind: VirtualService\n"

static void assert_http(const struct bench *bench, const char *yaml)
{
    const struct val *live = bench_live(bench, "VirtualService", "podinfo");
    assert_same_value(bench->mem, VAL_PATH(live, "spec", "http"), value_of(bench->mem, yaml));
}

static void set_http(struct bench *bench, const char *yaml)
{
    struct val *live = val_copy(bench->mem, bench_live(bench, "VirtualService", "podinfo"));
    val_set(bench->mem, val_get(live, "spec"), "http", value_of(bench->mem, yaml));
    bench_put(bench, live);
}

/* -- what is generated ------------------------------------------------------------------------ */

static const struct made_case {
    const char *name, *spec, *expected; /* of the VirtualService */
} made_cases[] = {
    { "hosts get the apex, gateways the mesh", SERVICE WEIGHTED,
      "{hosts: [podinfo], gateways: [mesh], http: [{route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}]}" },
    { "gateways that are given stay as they are, and so does a host that has the apex in it",
      SERVICE "  gateways: [a/b]\n  hosts: [podinfo, c]\n" WEIGHTED,
      "{hosts: [podinfo, c], gateways: [a/b], http: [{route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}]}" },
    { "ports are named behind a gateway only",
      SERVICE "  portDiscovery: true\n  gateways: [mesh, a/b]\n" WEIGHTED,
      "{hosts: [podinfo], gateways: [mesh, a/b], http: [{route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}]}" },
    { "a delegate has empty hosts and no gateways, and ports where they are discovered",
      SERVICE "  portDiscovery: true\n  delegation: true\n" WEIGHTED,
      "{hosts: [], http: [{route: ["
      "{destination: {host: podinfo-primary, port: {number: 80}}, weight: 100}, "
      "{destination: {host: podinfo-canary, port: {number: 80}}, weight: 0}]}]}" },
    { "a rule has what the service says of it",
      SERVICE "  rewrite: {uri: /, authority: b, type: ReplacePrefixMatch}\n  timeout: 15s\n"
              "  retries: {retryOn: 5xx}\n  headers: {request: {add: {a: b}}}\n"
              "  corsPolicy: {allowOrigin: [c], allowCredentials: false, maxAge: 1h}\n"
              "  backendTimeout: 3s\n" WEIGHTED,
      "{hosts: [podinfo], gateways: [mesh], http: [{rewrite: {uri: /, authority: b}, timeout: 15s, "
      "retries: {attempts: 0, retryOn: 5xx}, headers: {request: {add: {a: b}}}, "
      "corsPolicy: {allowOrigin: [c], maxAge: 1h}, route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}]}" },
    { "an audience is looked for within what the service matches",
      SERVICE "  match: [{uri: {prefix: /podinfo}, method: {exact: GET}, "
              "headers: {x-old: {exact: a}}}]\n"
              "analysis: {interval: 15s, threshold: 5, iterations: 3, match: ["
              "{headers: {x-user-type: {exact: test}, x-auth-test: {exact: b}}}, "
              "{headers: {x-session-id: {exact: c}}, sourceLabels: {d: e}, "
              "queryParams: {f: {exact: g}}}]}\n",
      "{hosts: [podinfo], gateways: [mesh], http: [{match: ["
      "{uri: {prefix: /podinfo}, method: {exact: GET}, "
      "headers: {x-user-type: {exact: test}, x-auth-test: {exact: b}}}, "
      "{uri: {prefix: /podinfo}, method: {exact: GET}, headers: {x-session-id: {exact: c}}, "
      "sourceLabels: {d: e}}], route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}, "
      "{match: [{uri: {prefix: /podinfo}, method: {exact: GET}, headers: {x-old: {exact: a}}}], "
      "route: [{destination: {host: podinfo-primary}, weight: 100}]}]}" },
    { "without a match of the service the audience is as given",
      SERVICE "analysis: {interval: 15s, threshold: 5, iterations: 3, match: ["
              "{queryParams: {f: {exact: g}}}]}\n",
      "{hosts: [podinfo], gateways: [mesh], http: [{match: [{queryParams: {f: {exact: g}}}], "
      "route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}, "
      "{route: [{destination: {host: podinfo-primary}, weight: 100}]}]}" },
    { "tcp has ports of matches and no audience",
      SERVICE "  appProtocol: TCP\n  match: [{port: 80, uri: {exact: a}}]\n"
              "analysis: {interval: 15s, threshold: 5, iterations: 3, match: ["
              "{headers: {a: {exact: b}}}]}\n",
      "{hosts: [podinfo], gateways: [mesh], tcp: [{match: [{port: 80}], route: ["
      "{destination: {host: podinfo-primary}, weight: 100}, "
      "{destination: {host: podinfo-canary}, weight: 0}]}]}" },
};

static void it_is_made(void **state)
{
    const struct made_case *made = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, made->spec);
    assert_int_equal(bench_reconcile(&bench), 3);
    bench_assert_part(&bench, "VirtualService", "podinfo", "spec", made->expected);
}

static void a_new_service_has_owner_labels_and_annotations(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE "  apex: {labels: {a: b}, annotations: {c: d}}\n" WEIGHTED);
    bench_reconcile(&bench);
    bench_assert_part(&bench, "VirtualService", "podinfo", "metadata",
                      "{name: podinfo, namespace: test, generation: 1, resourceVersion: '3', "
                      "labels: {a: b, app: podinfo}, annotations: {c: d, " BENCH_OPT_OUT
                      "}, ownerReferences: ["
                      "{apiVersion: flagger.app/v1beta1, kind: Canary, name: podinfo, uid: u-1, "
                      "controller: true, blockOwnerDeletion: true}]}");
    bench_assert_part(&bench, "DestinationRule", "podinfo-canary", "metadata",
                      "{name: podinfo-canary, namespace: test, generation: 1, "
                      "resourceVersion: '1', ownerReferences: ["
                      "{apiVersion: flagger.app/v1beta1, kind: Canary, name: podinfo, uid: u-1, "
                      "controller: true, blockOwnerDeletion: true}]}");
}

static void on_another_api_server_nothing_has_an_owner(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench.settings.mesh_is_elsewhere = true;
    struct effects effects = bench_plan(&bench);
    assert_int_equal(effects.list.len, 3);
    for (size_t i = 0; i < effects.list.len; i++) {
        assert_null(VAL_PATH(effects.list.at[i].body, "metadata", "ownerReferences"));
        assert_true(effects.list.at[i].is_mesh);
    }
}

/* -- repairs ---------------------------------------------------------------------------------- */

static void a_foreign_gateway_goes(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench_reconcile(&bench);
    bench_write(&bench, 60, 40, false);
    struct val *live = val_copy(bench.mem, bench_live(&bench, "VirtualService", "podinfo"));
    val_append(bench.mem, VAL_PATH(live, "spec", "gateways"), val_new_text(bench.mem, "a/b"));
    val_set(bench.mem, val_get(live, "spec"), "exportTo", value_of(bench.mem, "[a]"));
    bench_put(&bench, live);
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "VirtualService", "podinfo", "spec",
                      "{hosts: [podinfo], gateways: [mesh], exportTo: [a], http: [{route: ["
                      "{destination: {host: podinfo-primary}, weight: 60}, "
                      "{destination: {host: podinfo-canary}, weight: 40}]}]}");
}

static void foreign_labels_and_annotations_go(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE "  apex: {annotations: {a: b}}\n" WEIGHTED);
    bench_reconcile(&bench);
    struct val *live = val_copy(bench.mem, bench_live(&bench, "VirtualService", "podinfo"));
    val_set_text(bench.mem, VAL_PATH(live, "metadata", "labels"), "foreign", "x");
    val_set_text(bench.mem, VAL_PATH(live, "metadata", "annotations"), "foreign", "x");
    val_set_text(bench.mem, VAL_PATH(live, "metadata", "annotations"), "a", "x");
    bench_put(&bench, live);
    assert_int_equal(bench_reconcile(&bench), 1);
    live = val_get(bench_live(&bench, "VirtualService", "podinfo"), "metadata");
    assert_same_value(bench.mem, val_get(live, "labels"), value_of(bench.mem, "{app: podinfo}"));
    assert_same_value(bench.mem, val_get(live, "annotations"),
                      value_of(bench.mem, "{a: b, " BENCH_OPT_OUT "}"));
}

/* Or sync would put them back, and so on. */
static void what_a_repository_declares_keeps_its_metadata(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE "  apex: {labels: {a: b}}\n" WEIGHTED);
    bench_put_yaml(&bench, THEIRS "metadata: {name: podinfo, labels: "
                                  "{fluxcd.io/sync-gc-mark: sha256.x, team: c, a: d}, "
                                  "annotations: {fluxcd.io/sync-checksum: e}}\n"
                                  "spec: {hosts: [f]}\n");
    assert_int_equal(bench_reconcile(&bench), 3);
    const struct val *metadata =
        val_get(bench_live(&bench, "VirtualService", "podinfo"), "metadata");
    const struct val *annotations = val_get(metadata, "annotations");
    assert_same_value(
        bench.mem, val_get(metadata, "labels"),
        value_of(bench.mem, "{fluxcd.io/sync-gc-mark: sha256.x, team: c, a: b, app: podinfo}"));
    assert_string_equal(val_text(val_get(annotations, "fluxcd.io/sync-checksum")), "e");
    assert_non_null(val_get(annotations, ORIGINAL));
    assert_int_equal(bench_reconcile(&bench), 0);
}

static void a_destination_rule_is_repaired(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE
               "  trafficPolicy: {tls: {mode: DISABLE}, connectionPool: {http: {}}}\n" WEIGHTED);
    bench_reconcile(&bench);
    bench_put_yaml(&bench, "apiVersion: networking.istio.io/v1beta1\n"
                           "kind: DestinationRule\n"
                           "metadata: {name: podinfo-primary, resourceVersion: '9'}\n"
                           "spec: {host: foreign, subsets: [{name: a}], exportTo: [b]}\n");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "DestinationRule", "podinfo-primary", "spec",
                      "{host: podinfo-primary, exportTo: [b], "
                      "trafficPolicy: {tls: {mode: DISABLE}, connectionPool: {http: {}}}}");
    bench_edit(&bench, SERVICE WEIGHTED);
    assert_int_equal(bench_reconcile(&bench), 2);
    bench_assert_part(&bench, "DestinationRule", "podinfo-primary", "spec",
                      "{host: podinfo-primary, exportTo: [b]}");
}

static void a_new_audience_keeps_the_weights(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench_reconcile(&bench);
    bench_write(&bench, 70, 30, false);
    bench_edit(&bench, SERVICE "analysis: {interval: 15s, threshold: 5, iterations: 3, match: ["
                               "{headers: {a: {exact: b}}}]}\n");
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 70, 30, false);
    bench_edit(&bench, SERVICE WEIGHTED);
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 70, 30, false);
}

static void a_mirror_of_somebody_else_stays(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench_reconcile(&bench);
    set_http(&bench, "[{timeout: 3s, mirror: {host: audit}, mirrorPercentage: {value: 5}, route: ["
                     "{destination: {host: podinfo-primary}, weight: 100}, "
                     "{destination: {host: podinfo-canary}, weight: 0}]}]");
    assert_int_equal(bench_reconcile(&bench), 1);
    assert_http(&bench, "[{mirror: {host: audit}, mirrorPercentage: {value: 5}, route: ["
                        "{destination: {host: podinfo-primary}, weight: 100}, "
                        "{destination: {host: podinfo-canary}, weight: 0}]}]");
    bench_assert_split(bench_read(&bench), 100, 0, true);
}

/* -- taking over, and giving back ------------------------------------------------------------- */

static const char *annotation(const struct bench *bench, const char *key)
{
    return object_annotation(bench_live(bench, "VirtualService", "podinfo"), key);
}

static size_t finalize(struct bench *bench, struct effects *effects)
{
    *effects = (struct effects){ .mem = bench->mem };
    SCOPED(err_free) struct err *e = bench->router->finalize(bench_view(bench), effects);
    assert_null(e);
    bench_carry_out(bench, effects);
    return effects->list.len;
}

static void what_was_there_first_comes_back(void **state)
{
    static const char original[] =
        "{hosts: [a], tls: [{b: c}], http: [{route: [{destination: {host: podinfo}}]}]}";
    struct bench bench;
    struct effects effects;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    struct val *theirs = value_of(bench.mem, THEIRS "metadata: {name: podinfo, labels: {a: b}, "
                                                    "annotations: {c: d}}\n");
    val_set(bench.mem, theirs, "spec", value_of(bench.mem, original));
    bench_put(&bench, theirs);
    assert_int_equal(bench_reconcile(&bench), 3);
    assert_null(
        VAL_PATH(bench_live(&bench, "VirtualService", "podinfo"), "metadata", "ownerReferences"));
    assert_null(annotation(&bench, "c"));
    assert_same_value(bench.mem, value_of(bench.mem, annotation(&bench, ORIGINAL)),
                      value_of(bench.mem, original));
    assert_int_equal(bench_reconcile(&bench), 0);
    /* Later repairs do not store what the operator itself has written. */
    set_http(&bench, "[]");
    assert_int_equal(bench_reconcile(&bench), 1);
    assert_int_equal(finalize(&bench, &effects), 1);
    bench_assert_part(&bench, "VirtualService", "podinfo", "spec", original);
    assert_int_equal(finalize(&bench, &effects), 0);
}

static void what_kubectl_applied_comes_back(void **state)
{
    struct bench bench;
    struct effects effects;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench_put_yaml(&bench, THEIRS "metadata: {name: podinfo, annotations: {" KUBECTL
                                  ": '{\"spec\":{\"hosts\":[\"k\"]}}', " ORIGINAL
                                  ": '{\"hosts\":[\"o\"]}'}}\n"
                                  "spec: {hosts: [a]}\n");
    assert_int_equal(bench_reconcile(&bench), 3);
    assert_string_equal(annotation(&bench, KUBECTL), "{\"spec\":{\"hosts\":[\"k\"]}}");
    assert_string_equal(annotation(&bench, ORIGINAL), "{\"hosts\":[\"o\"]}");
    assert_int_equal(finalize(&bench, &effects), 1);
    bench_assert_part(&bench, "VirtualService", "podinfo", "spec", "{hosts: [k]}");
}

static void what_the_operator_made_is_no_original(void **state)
{
    for (int is_elsewhere = 0; is_elsewhere < 2; is_elsewhere++) {
        struct bench bench;
        struct effects effects;
        bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
        bench.settings.mesh_is_elsewhere = is_elsewhere;
        bench_reconcile(&bench);
        set_http(&bench, "[]");
        assert_int_equal(bench_reconcile(&bench), 1);
        assert_null(annotation(&bench, ORIGINAL));
        assert_int_equal(finalize(&bench, &effects), 0);
        assert_int_equal(effects.warnings.len, 1);
        assert_string_equal(effects.warnings.at[0],
                            "VirtualService podinfo.test original configuration not found, "
                            "unable to revert");
    }
}

static void what_cannot_be_read_does_not_come_back(void **state)
{
    static const char *const broken[] = { "'{'", "'[]'", "'{\"spec\":1}'" };
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct bench bench;
        bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
        bench_put_yaml(&bench,
                       arena_printf(bench.mem,
                                    THEIRS "metadata: {name: podinfo, annotations: {" KUBECTL
                                           ": %s}}\nspec: {hosts: [a]}\n",
                                    broken[i]));
        struct effects effects = { .mem = bench.mem };
        bench_assert_error(bench.router->finalize(bench_view(&bench), &effects),
                           "VirtualService podinfo.test failed to unMarshal annotation " KUBECTL);
        assert_int_equal(effects.list.len, 0);
    }
}

/* -- session affinity ------------------------------------------------------------------------- */

#define BACKENDS(p, c)                                        \
    "{destination: {host: podinfo-primary}, weight: " p "}, " \
    "{destination: {host: podinfo-canary}, weight: " c "}"

static void cookies_come_and_go_with_the_canary(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE AFFINITY("cookieName: canary-ck, primaryCookieName: primary-ck"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    assert_http(
        &bench,
        "[{match: [{headers: {Cookie: {regex: .*canary-ck.*CanaryABCD.*}}}], route: [" BACKENDS(
            "0",
            "100") "]}, "
                   "{match: [{headers: {Cookie: {regex: .*primary-ck.*PrimaryABC.*}}}], route: "
                   "[" BACKENDS(
                       "100",
                       "0") "]}, "
                            "{route: [{destination: {host: podinfo-primary}, weight: 90, headers: "
                            "{response: {add: {Set-Cookie: primary-ck=PrimaryABC; Max-Age=15}}}}, "
                            "{destination: {host: podinfo-canary}, weight: 10, headers: "
                            "{response: {add: {Set-Cookie: canary-ck=CanaryABCD; "
                            "Max-Age=86400}}}}]}]");
    bench.view.letters[0] = bench.view.letters[1] = "Another---";
    bench_write(&bench, 50, 50, false);
    assert_string_equal(bench.canary.status.cookie, "canary-ck=CanaryABCD");
    assert_string_equal(bench.canary.status.primary_cookie, "primary-ck=PrimaryABC");
    bench_write(&bench, 100, 0, false);
    assert_http(
        &bench,
        "[{match: [{headers: {Cookie: {regex: .*canary-ck.*CanaryABCD.*}}}], route: [" BACKENDS(
            "100", "0") "], headers: {response: {add: "
                        "{Set-Cookie: canary-ck=CanaryABCD; Max-Age=-1}}}}, "
                        "{route: [" BACKENDS("100", "0") "]}]");
    assert_string_equal(bench.canary.status.cookie, "");
    assert_string_equal(bench.canary.status.previous_cookie, "canary-ck=CanaryABCD");
    assert_int_equal(bench_write(&bench, 100, 0, false), 0);
    bench_write(&bench, 90, 10, false);
    assert_string_equal(bench.canary.status.cookie, "canary-ck=Another---");
    assert_string_equal(bench.canary.status.primary_cookie, "primary-ck=PrimaryABC");
}

static void without_a_cookie_there_is_one_rule(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE AFFINITY("cookieName: ck"));
    bench_reconcile(&bench);
    assert_int_equal(bench_write(&bench, 100, 0, false), 0);
    bench_write(&bench, 90, 10, false);
    assert_string_equal(bench.canary.status.primary_cookie, "");
}

static void cookies_outlive_a_lost_status(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE AFFINITY("cookieName: ck, primaryCookieName: pk, path: /a"));
    struct canary_status lost = bench.canary.status;
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench.canary.status = lost;
    bench.view.letters[0] = bench.view.letters[1] = "Another---";
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_write(&bench, 80, 20, false);
    assert_string_equal(bench.canary.status.cookie, "ck=CanaryABCD");
    assert_string_equal(bench.canary.status.primary_cookie, "pk=PrimaryABC");
    bench.canary.status = lost;
    bench_write(&bench, 100, 0, false);
    assert_string_equal(bench.canary.status.previous_cookie, "ck=CanaryABCD");
    bench.canary.status = lost;
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* Rules share nothing: a header for those who lose their cookie is not for everybody. */
static void only_the_first_rule_deletes(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE "  headers: {response: {add: {a: b}}}\n" AFFINITY("cookieName: ck"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench_write(&bench, 100, 0, false);
    assert_http(
        &bench,
        "[{match: [{headers: {Cookie: {regex: .*ck.*CanaryABCD.*}}}], headers: "
        "{response: {add: {a: b, Set-Cookie: ck=CanaryABCD; Max-Age=-1}}}, route: [" BACKENDS(
            "100", "0") "]}, "
                        "{headers: {response: {add: {a: b}}}, route: [" BACKENDS("100", "0") "]}]");
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* With one cookie and a match of the service, no rule counts as sticky but the one that is. */
static void changes_reach_the_rules_in_mid_run(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state),
               SERVICE "  match: [{uri: {prefix: /a}}]\n" AFFINITY("cookieName: ck"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench_edit(&bench, SERVICE
               "  match: [{uri: {prefix: /b}}]\n  timeout: 3s\n" AFFINITY("cookieName: ck"));
    assert_int_equal(bench_reconcile(&bench), 1);
    assert_http(
        &bench,
        "[{match: [{uri: {prefix: /b}, headers: {Cookie: "
        "{regex: .*ck.*CanaryABCD.*}}}], timeout: 3s, route: [" BACKENDS(
            "0", "100") "]}, {match: [{uri: {prefix: /b}}], timeout: 3s, route: ["
                        "{destination: {host: podinfo-primary}, weight: 90}, "
                        "{destination: {host: podinfo-canary}, weight: 10, headers: "
                        "{response: {add: {Set-Cookie: ck=CanaryABCD; Max-Age=86400}}}}]}]");
}

/* The mirror is where traffic is, and where it is read. */
static void a_mirror_is_beside_the_cookies(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE AFFINITY("cookieName: ck"));
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench_write(&bench, 100, 0, true);
    bench_assert_split(bench_read(&bench), 100, 0, true);
    const struct val *rules =
        VAL_PATH(bench_live(&bench, "VirtualService", "podinfo"), "spec", "http");
    assert_int_equal(val_len(rules), 2);
    assert_non_null(val_get(val_item(rules, 1), "mirror"));
}

static void a_life_of_a_primary_cookie_needs_an_interval(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE AFFINITY("cookieName: ck, primaryCookieName: pk"));
    bench_reconcile(&bench);
    bench.canary.analysis.interval_text = "often";
    struct effects effects = { .mem = bench.mem };
    bench_assert_error(
        bench.router->write(bench_view(&bench), &(struct split){ 90, 10, false }, &effects),
        "failed to parse canary interval: time: invalid duration \"often\"");
}

/* -- mirrors ---------------------------------------------------------------------------------- */

static void a_mirror_has_the_percentage_of_the_canary(void **state)
{
    static const struct {
        const char *mirror_weight, *expected;
    } cases[] = { { "0", "{}" }, { "10", "{value: 10}" }, { "50", "{value: 50}" } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        bench_init(&bench, bench_mem(state),
                   arena_printf(bench_mem(state),
                                SERVICE "analysis: {interval: 15s, threshold: 5, stepWeight: 10, "
                                        "mirror: true, mirrorWeight: %s}\n",
                                cases[i].mirror_weight));
        bench_reconcile(&bench);
        bench_assert_split(bench_read(&bench), 100, 0, false);
        bench_write(&bench, 100, 0, true);
        const struct val *rule =
            val_item(VAL_PATH(bench_live(&bench, "VirtualService", "podinfo"), "spec", "http"), 0);
        assert_same_value(bench.mem, val_get(rule, "mirror"),
                          value_of(bench.mem, "{host: podinfo-canary}"));
        if (val_get(rule, "mirrorPercentage"))
            assert_same_value(bench.mem, val_get(rule, "mirrorPercentage"),
                              value_of(bench.mem, cases[i].expected));
        else
            assert_string_equal(cases[i].expected, "{}");
    }
}

/* -- errors ----------------------------------------------------------------------------------- */

static void a_service_that_is_gone_cannot_be_read_or_written(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    struct effects effects = { .mem = bench.mem };
    struct split split = { 90, 10, false };
    static const char gone[] = "VirtualService podinfo.test get query error "
                               "virtualservices.networking.istio.io \"podinfo\" not found";
    bench_assert_error(bench.router->read(bench_view(&bench), &split), gone);
    bench_assert_error(bench.router->write(bench_view(&bench), &split, &effects), gone);
    bench_assert_error(bench.router->finalize(bench_view(&bench), &effects),
                       "VirtualService podinfo.test get query error: "
                       "virtualservices.networking.istio.io \"podinfo\" not found");
}

static void a_kind_that_is_not_there_is_told(void **state)
{
    struct bench bench;
    struct effects effects = { .mem = bench_mem(state) };
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    bench.no_kind = "VirtualService";
    bench_assert_error(
        bench.router->reconcile(bench_view(&bench), &effects),
        "reconcileVirtualService failed: VirtualService podinfo.test get query error "
        "the server could not find the requested resource (get "
        "virtualservices.networking.istio.io podinfo)");
    bench.no_kind = "DestinationRule";
    bench_assert_error(
        bench.router->reconcile(bench_view(&bench), &effects),
        "reconcileDestinationRule failed: DestinationRule podinfo-canary.test get query error: "
        "the server could not find the requested resource (get "
        "destinationrules.networking.istio.io podinfo-canary)");
}

static void a_delegate_has_no_hosts_of_its_own(void **state)
{
    static const char *const own[] = { "  hosts: [a]\n", "  gateways: [a]\n" };
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        struct bench bench;
        struct effects effects = { .mem = bench_mem(state) };
        bench_init(
            &bench, bench_mem(state),
            arena_printf(bench_mem(state), SERVICE "  delegation: true\n%s" WEIGHTED, own[i]));
        bench_assert_error(
            bench.router->reconcile(bench_view(&bench), &effects),
            "reconcileVirtualService failed: VirtualService podinfo.test cannot have "
            "hosts and gateways when delegation enabled");
    }
}

static void weights_have_to_be_there(void **state)
{
    static const char *const without[] = {
        "[]",
        "[{route: [{destination: {host: podinfo-primary}, weight: 100}]}]",
        "[{route: [" BACKENDS("0", "0") "]}]",
        "[{route: [{destination: {host: podinfo-primary}}, {destination: {host: "
        "podinfo-canary}}]}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        struct bench bench;
        struct split split;
        bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
        bench_reconcile(&bench);
        set_http(&bench, without[i]);
        bench_assert_error(
            bench.router->read(bench_view(&bench), &split),
            "VirtualService podinfo.test does not contain routes for podinfo-primary "
            "and podinfo-canary");
    }
}

static void requests_have_their_words(void **state)
{
    struct bench bench;
    bench_init(&bench, bench_mem(state), SERVICE WEIGHTED);
    struct effects effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before,
                        "reconcileDestinationRule failed: DestinationRule "
                        "podinfo-canary.test create error: ");
    assert_string_equal(effects.list.at[2].before, "reconcileVirtualService failed: VirtualService "
                                                   "podinfo.test create error: ");
    assert_string_equal(effects.list.at[2].log, "VirtualService podinfo.test created");
    bench_carry_out(&bench, &effects);
    set_http(&bench, "[]");
    effects = bench_plan(&bench);
    assert_string_equal(effects.list.at[0].before, "reconcileVirtualService failed: VirtualService "
                                                   "podinfo.test update error: ");
    assert_string_equal(effects.list.at[0].log, "VirtualService podinfo.test updated");
    effects = (struct effects){ .mem = bench.mem };
    assert_null(
        bench.router->write(bench_view(&bench), &(struct split){ 90, 10, false }, &effects));
    assert_string_equal(effects.list.at[0].before, "VirtualService podinfo.test update failed: ");
    assert_null(effects.list.at[0].log);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(made_cases, it_is_made),
        BENCH_TEST(a_new_service_has_owner_labels_and_annotations),
        BENCH_TEST(on_another_api_server_nothing_has_an_owner),
        BENCH_TEST(a_foreign_gateway_goes),
        BENCH_TEST(foreign_labels_and_annotations_go),
        BENCH_TEST(what_a_repository_declares_keeps_its_metadata),
        BENCH_TEST(a_destination_rule_is_repaired),
        BENCH_TEST(a_new_audience_keeps_the_weights),
        BENCH_TEST(a_mirror_of_somebody_else_stays),
        BENCH_TEST(what_was_there_first_comes_back),
        BENCH_TEST(what_kubectl_applied_comes_back),
        BENCH_TEST(what_the_operator_made_is_no_original),
        BENCH_TEST(what_cannot_be_read_does_not_come_back),
        BENCH_TEST(cookies_come_and_go_with_the_canary),
        BENCH_TEST(without_a_cookie_there_is_one_rule),
        BENCH_TEST(cookies_outlive_a_lost_status),
        BENCH_TEST(only_the_first_rule_deletes),
        BENCH_TEST(changes_reach_the_rules_in_mid_run),
        BENCH_TEST(a_mirror_is_beside_the_cookies),
        BENCH_TEST(a_life_of_a_primary_cookie_needs_an_interval),
        BENCH_TEST(a_mirror_has_the_percentage_of_the_canary),
        BENCH_TEST(a_service_that_is_gone_cannot_be_read_or_written),
        BENCH_TEST(a_kind_that_is_not_there_is_told),
        BENCH_TEST(a_delegate_has_no_hosts_of_its_own),
        BENCH_TEST(weights_have_to_be_there),
        BENCH_TEST(requests_have_their_words),
    };
    return rows_run("istio", tests, ARRAY_LEN(tests));
}
