#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define FORM                                                                                 \
    "provider: skipper\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n"            \
    "service: {port: 80}\nanalysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define WEIGHTS       "zalando.org/backend-weights"
#define PREDICATE     "zalando.org/skipper-predicate"
#define PATH(service) "{path: /, backend: {service: {name: " service ", port: {number: 80}}}}"
#define RULE(paths)   "{host: a.example.com, http: {paths: [" paths "]}}"
#define SOURCE(annots, rules)                                                             \
    "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, labels: "   \
    "{team: shop, fluxcd.io/sync-gc-mark: m, kustomize.toolkit.fluxcd.io/name: n}" annots \
    "}, spec: {rules: [" rules "]}}"

static const char *annotation(const struct bench *bench, const char *key)
{
    const char *text = object_annotation(bench_live(bench, "Ingress", "shop-canary"), key);
    return text ? text : "";
}

static const struct spec_case {
    const char *name, *source, *made; /* rules */
} spec_cases[] = {
    { "the canary stands behind other paths", RULE(PATH("podinfo") ", " PATH("other")),
      RULE(PATH("podinfo-primary") ", " PATH("other") ", " PATH("podinfo-canary")) },
    { "each path of the Service", RULE(PATH("podinfo") ", " PATH("podinfo")),
      RULE(PATH("podinfo-primary") ", " PATH("podinfo-primary") ", " PATH(
          "podinfo-canary") ", " PATH("podinfo-canary")) },
    { "each rule", RULE(PATH("podinfo")) ", {host: b}, " RULE(PATH("podinfo")),
      RULE(PATH("podinfo-primary") ", " PATH("podinfo-canary")) ", {host: b}, " RULE(
          PATH("podinfo-primary") ", " PATH("podinfo-canary")) },
    { "a backend that is no Service", RULE("{backend: {resource: {name: x}}}, " PATH("podinfo")),
      RULE("{backend: {resource: {name: x}}}, " PATH("podinfo-primary") ", " PATH(
          "podinfo-canary")) },
};

static void the_source_is_doubled(void **state)
{
    const struct spec_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put(&bench, value_of(mem, arena_printf(mem, SOURCE("", "%s"), one->source)));
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_part(&bench, "Ingress", "shop-canary", "spec",
                      arena_printf(mem, "{rules: [%s]}", one->made));
    bench_assert_part(&bench, "Ingress", "shop", "spec",
                      arena_printf(mem, "{rules: [%s]}", one->source));
}

static const struct predicate_case {
    const char *name, *source, *idle, *busy; /* of the source; with no weight; with some */
} predicate_cases[] = {
    { "none", "", "False()", "Weight(100)" },
    { "one", "Method(\"GET\")", "False() && Method(\"GET\")", "Weight(100) && Method(\"GET\")" },
    { "some, not ours, and blanks", " Host(/a/)&&Weight(100) &&  && Path(\"/a\")&& False() ",
      "False() && Host(/a/) && Path(\"/a\")", "Weight(100) && Host(/a/) && Path(\"/a\")" },
};

static void predicates_stay_behind_ours(void **state)
{
    const struct predicate_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put(&bench, value_of(mem, arena_printf(mem,
                                                 SOURCE(", annotations: {" PREDICATE ": '%s'}",
                                                        RULE(PATH("podinfo"))),
                                                 one->source)));
    bench_reconcile(&bench);
    assert_string_equal(annotation(&bench, PREDICATE), one->busy);
    assert_string_equal(annotation(&bench, WEIGHTS),
                        "{\"podinfo-canary\":0,\"podinfo-primary\":100}");
    bench_write(&bench, 70, 30, false);
    assert_string_equal(annotation(&bench, PREDICATE), one->busy);
    assert_string_equal(annotation(&bench, WEIGHTS),
                        "{\"podinfo-canary\":30,\"podinfo-primary\":70}");
    bench_write(&bench, 100, 0, false);
    assert_string_equal(annotation(&bench, PREDICATE), one->idle);
}

static void metadata_is_copied_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, SOURCE(", annotations: {a: b, "
                                  "kubectl.kubernetes.io/last-applied-configuration: x}",
                                  RULE(PATH("podinfo"))));
    bench_reconcile(&bench);
    const struct val *metadata = val_get(bench_live(&bench, "Ingress", "shop-canary"), "metadata");
    assert_same_value(mem, val_get(metadata, "labels"),
                      value_of(mem, "{team: shop, kustomize.toolkit.fluxcd.io/name: n}"));
    assert_int_equal(val_len(val_get(metadata, "annotations")), 3);
    assert_string_equal(annotation(&bench, "a"), "b");
    bench_put_yaml(&bench, SOURCE(", annotations: {a: c}", RULE(PATH("podinfo"))));
    assert_int_equal(bench_reconcile(&bench), 0);
}

/* With a new spec come the annotations of the source; what the traffic is stays. */
static void a_repair_keeps_the_traffic(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, SOURCE("", RULE(PATH("podinfo"))));
    bench_reconcile(&bench);
    const struct {
        int64_t canary;
        const char *source, *predicate;
    } steps[] = {
        { 30, SOURCE(", annotations: {a: b}", RULE(PATH("podinfo") ", " PATH("other"))),
          "Weight(100)" },
        { 0, SOURCE("", RULE(PATH("other") ", " PATH("podinfo"))), "False()" },
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        bench_write(&bench, 100 - steps[i].canary, steps[i].canary, false);
        bench_put_yaml(&bench, steps[i].source);
        assert_int_equal(bench_reconcile(&bench), 1);
        bench_assert_split(bench_read(&bench), 100 - steps[i].canary, steps[i].canary, false);
        assert_string_equal(annotation(&bench, PREDICATE), steps[i].predicate);
        assert_string_equal(annotation(&bench, "a"), i == 0 ? "b" : "");
        assert_string_equal(annotation(&bench, "kustomize.toolkit.fluxcd.io/reconcile"),
                            "disabled");
        assert_int_equal(bench_reconcile(&bench), 0);
    }
}

static void in_the_end_it_is_removed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, SOURCE("", RULE(PATH("podinfo"))));
    bench_reconcile(&bench);
    for (size_t round = 0; round < 2; round++) {
        struct effects effects = { .mem = mem };
        assert_null(bench.router->finalize(bench_view(&bench), &effects));
        assert_int_equal(effects.list.len, 1 - round);
        bench_carry_out(&bench, &effects);
        assert_null(bench_live(&bench, "Ingress", "shop-canary"));
        if (round == 0)
            assert_string_equal(effects.list.at[0].before,
                                "ingress shop-canary.test unable to remove canary ingress: ");
    }
    assert_non_null(bench_live(&bench, "Ingress", "shop"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(spec_cases, the_source_is_doubled), ROWS(predicate_cases, predicates_stay_behind_ours),
        SINGLE(metadata_is_copied_once),         SINGLE(a_repair_keeps_the_traffic),
        SINGLE(in_the_end_it_is_removed),
    };
    return rows_run("skipper", tests, ARRAY_LEN(tests));
}
