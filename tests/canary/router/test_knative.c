#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/object.h"

#define FORM                                                                          \
    "provider: knative\n"                                                             \
    "targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}\n" \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define MARK "flagger.app/primary-revision"
#define SERVICE(annotations, spec, status)                                                     \
    "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: podinfo" annotations \
    "}, spec: " spec ", status: " status "}"
#define MARKED(name) ", annotations: {" MARK ": " name "}"

static const char *mark_of(const struct bench *bench)
{
    const char *mark = object_annotation(bench_live(bench, "Service", "podinfo"), MARK);
    return mark ? mark : "";
}

static const struct read_case {
    const char *name, *traffic; /* of the status */
    int64_t primary, canary;
} read_cases[] = {
    { "in a run",
      "[{latestRevision: true, revisionName: p-2, percent: 30}, {latestRevision: false, "
      "revisionName: p-1, percent: 70}]",
      70, 30 },
    { "in another order",
      "[{revisionName: p-1, percent: 70}, {latestRevision: true, revisionName: p-2, percent: 30}]",
      70, 30 },
    { "both lead to the primary",
      "[{latestRevision: true, revisionName: p-1, percent: 40}, {latestRevision: false, "
      "revisionName: p-1, percent: 60}]",
      60, 40 },
    { "one entry for both", "[{latestRevision: true, revisionName: p-1, percent: 100}]", 100, 0 },
    { "others",
      "[{revisionName: p-0, tag: old, percent: 0}, {latestRevision: true, revisionName: "
      "p-2, percent: 0}, {revisionName: p-1, percent: 100}]",
      100, 0 },
};

static void the_status_is_read(void **state)
{
    const struct read_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put(&bench, value_of(mem, arena_printf(mem, SERVICE(MARKED("p-1"), "{}", "{traffic: %s}"),
                                                 one->traffic)));
    bench_assert_split(bench_read(&bench), one->primary, one->canary, false);
}

static const struct mark_case {
    const char *name, *service, *mark;
} mark_cases[] = {
    { "there already", SERVICE(MARKED("p-1"), "{}", "{latestCreatedRevisionName: p-2}"), "p-1" },
    { "the latest", SERVICE("", "{}", "{latestCreatedRevisionName: p-2}"), "p-2" },
    { "lost in a run: the one that spec.traffic names",
      SERVICE("",
              "{traffic: [{latestRevision: true, percent: 30}, {revisionName: p-1, percent: 70}]}",
              "{latestCreatedRevisionName: p-2}"),
      "p-1" },
    { "a revision that has no traffic is not the primary",
      SERVICE("",
              "{traffic: [{latestRevision: true, percent: 100}, {revisionName: p-1, percent: 0}]}",
              "{latestCreatedRevisionName: p-2}"),
      "p-2" },
    { "no revision yet", SERVICE("", "{}", "{}"), "" },
};

static void the_primary_is_marked(void **state)
{
    const struct mark_case *one = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, one->service);
    struct effects effects = bench_plan(&bench);
    for (size_t i = 0; i < effects.list.len; i++) {
        assert_string_equal(effects.list.at[i].before,
                            "Knative Service podinfo.test update query error: ");
        assert_string_equal(effects.list.at[i].log, "Knative Service podinfo.test updated");
        assert_false(effects.list.at[i].is_mesh);
    }
    bench_carry_out(&bench, &effects);
    assert_string_equal(mark_of(&bench), one->mark);
    assert_int_equal(bench_plan(&bench).list.len, 0);
}

static void traffic_is_asked_for(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, SERVICE(MARKED("p-1"), "{template: {a: b}, traffic: [{tag: x}]}",
                                   "{latestCreatedRevisionName: p-2}"));
    assert_int_equal(bench_write(&bench, 70, 30, false), 1);
    bench_assert_part(&bench, "Service", "podinfo", "spec",
                      "{template: {a: b}, traffic: [{latestRevision: true, percent: 30}, "
                      "{revisionName: p-1, percent: 70}]}");
    bench_assert_split(bench_read(&bench), 70, 30, false);
    assert_int_equal(bench_write(&bench, 70, 30, false), 0);
}

static void in_the_end_the_mark_is_removed(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    bench_init(&bench, mem, FORM);
    bench_put_yaml(&bench, SERVICE(", annotations: {a: b, " MARK ": p-1}",
                                   "{traffic: [{revisionName: p-1, percent: 100}]}", "{}"));
    for (size_t round = 0; round < 2; round++) {
        struct effects effects = { .mem = mem };
        assert_null(bench.router->finalize(bench_view(&bench), &effects));
        assert_int_equal(effects.list.len, 1 - round);
        bench_carry_out(&bench, &effects);
    }
    const struct val *live = bench_live(&bench, "Service", "podinfo");
    assert_same_value(mem, VAL_PATH(live, "metadata", "annotations"), value_of(mem, "{a: b}"));
    bench_assert_part(&bench, "Service", "podinfo", "spec",
                      "{traffic: [{revisionName: p-1, percent: 100}]}");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(read_cases, the_status_is_read),
        ROWS(mark_cases, the_primary_is_marked),
        SINGLE(traffic_is_asked_for),
        SINGLE(in_the_end_the_mark_is_removed),
    };
    return rows_run("knative", tests, ARRAY_LEN(tests));
}
