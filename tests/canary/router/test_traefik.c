#include "../../rows.h"

#include "../value.h"
#include "bench.h"

#define FORM                                                                                 \
    "provider: traefik\ntargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n" \
    "service: {port: 80}\nanalysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define SERVICE(name, weight) \
    "{name: podinfo-" name ", namespace: test, port: 80, weight: " weight "}"

static void put_services(struct bench *bench, const char *services)
{
    bench_put_yaml(bench, arena_printf(bench->mem,
                                       "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, "
                                       "metadata: {name: podinfo}, spec: {weighted: %s}}",
                                       services));
}

static const struct written_case {
    const char *name;
    int64_t canary;
    const char *services;
} written_cases[] = {
    { "nothing for the canary", 0, "[" SERVICE("primary", "100") "]" },
    { "something for both", 40, "[" SERVICE("primary", "60") ", " SERVICE("canary", "40") "]" },
    { "nothing for the primary", 100,
      "[" SERVICE("primary", "0") ", " SERVICE("canary", "100") "]" },
};

/* Traefik takes a service without a weight for one of weight 1, so that 0 has to be said. */
static void weights_are_written(void **state)
{
    const struct written_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_reconcile(&bench);
    bench_write(&bench, 100 - one->canary, one->canary, false);
    bench_assert_part(&bench, "TraefikService", "podinfo", "spec",
                      arena_printf(mem, "{weighted: {services: %s}}", one->services));
}

static const struct repair_case {
    const char *name, *live; /* spec.weighted */
    int64_t canary;          /* that goes on */
} repair_cases[] = {
    { "as Flagger writes 60:40",
      "{services: [" SERVICE("primary", "60") ", " SERVICE("canary", "40") "]}", 40 },
    { "as Flagger writes 0:100",
      "{services: [{name: podinfo-primary, namespace: test, port: 80}, " SERVICE("canary",
                                                                                 "100") "]}",
      100 },
    { "a port of others",
      "{services: [{name: podinfo-primary, weight: 70, port: 8}, "
      "{name: podinfo-canary, weight: 30}]}",
      30 },
    { "the canary is gone", "{services: [" SERVICE("primary", "70") "]}", 30 },
    { "the canary has no weight",
      "{services: [" SERVICE("primary", "70") ", {name: podinfo-canary}]}", 30 },
    { "the primary is gone", "{services: [" SERVICE("canary", "30") "]}", 30 },
    { "services of others", "{services: [{name: podinfo, port: 80}]}", 0 },
    { "no services", "{}", 0 },
    { "nothing at all", "null", 0 },
    { "nobody has weight", "{services: [{name: podinfo-primary}, {name: podinfo-canary}]}", 0 },
};

static void a_repair_keeps_the_weights(void **state)
{
    const struct repair_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    put_services(&bench, one->live);
    assert_int_equal(bench_reconcile(&bench), 1);
    bench_assert_split(bench_read(&bench), 100 - one->canary, one->canary, false);
    const struct val *spec = val_get(bench_live(&bench, "TraefikService", "podinfo"), "spec");
    bench_write(&bench, 50, 50, false);
    bench_write(&bench, 100 - one->canary, one->canary, false);
    assert_same_value(mem, val_get(bench_live(&bench, "TraefikService", "podinfo"), "spec"), spec);
}

static void what_others_want_of_the_service_stays(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    put_services(&bench, "{sticky: {cookie: {name: c}}, services: [{name: podinfo}]}");
    bench_reconcile(&bench);
    bench_write(&bench, 90, 10, false);
    bench_assert_part(&bench, "TraefikService", "podinfo", "spec",
                      "{weighted: {sticky: {cookie: {name: c}}, services: [" SERVICE(
                          "primary", "90") ", " SERVICE("canary", "10") "]}}");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(written_cases, weights_are_written),
        ROWS(repair_cases, a_repair_keeps_the_weights),
        SINGLE(what_others_want_of_the_service_stays),
    };
    return rows_run("traefik", tests, ARRAY_LEN(tests));
}
