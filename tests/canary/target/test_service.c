#include "../../rows.h"

#include "lab.h"

#define CANARY                                                                                   \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop, namespace: prod,"    \
    " uid: c-1}, spec: {targetRef: {apiVersion: v1, kind: Service, name: web}, service: {port: " \
    "80}}}"
#define KNATIVE                                                                                   \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop, namespace: prod,"     \
    " uid: c-1}, spec: {provider: knative, targetRef: {apiVersion: serving.knative.dev/v1, kind:" \
    " Service, name: web}}}"
#define MARK "flagger.app/primary-revision"

static void begin(struct lab *lab, struct arena *mem, const char *canary, const char *objects)
{
    lab_begin(lab, mem, value_of(mem, canary), value_of(mem, objects));
}

/* -- Services ---------------------------------------------------------------------------------- */

static const struct copy_case {
    const char *name;
    const char *target, *live,
        *copy; /* spec of the target, of <t>-canary before and after; NULL none */
} copy_cases[] = {
    { "addresses are not copied",
      "{type: NodePort, clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], selector: {app: web}, ports:"
      " [{name: http, protocol: TCP, port: 80, nodePort: 30001}]}",
      NULL,
      "{type: NodePort, selector: {app: web}, ports: [{name: http, protocol: TCP, port: 80}]}" },
    { "headless stays headless",
      "{type: ClusterIP, clusterIP: None, clusterIPs: [None], selector: {app: web}}", NULL,
      "{type: ClusterIP, clusterIP: None, clusterIPs: [None], selector: {app: web}}" },
    { "a copy keeps its own addresses",
      "{type: NodePort, clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], selector: {app: two}, ports:"
      " [{name: http, protocol: TCP, port: 80, nodePort: 30001}, {name: new, protocol: TCP, port: "
      "81,"
      " nodePort: 30002}]}",
      "{type: NodePort, clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9], selector: {app: one}, ports:"
      " [{name: http, protocol: TCP, port: 80, nodePort: 30009}]}",
      "{type: NodePort, clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9], selector: {app: two}, ports:"
      " [{name: http, protocol: TCP, port: 80, nodePort: 30009}, {name: new, protocol: TCP, port:"
      " 81}]}" },
    { "a copy of what has no address has none", "{type: ExternalName, externalName: a.example.com}",
      "{type: ClusterIP, clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9]}",
      "{type: ExternalName, externalName: a.example.com}" },
    { "an address that the target lost stays with the copy",
      "{type: ClusterIP, clusterIP: None, clusterIPs: [None]}",
      "{type: ClusterIP, clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9]}",
      "{type: ClusterIP, clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9]}" },
};

static void add_service(struct lab *lab, const char *name, const char *spec)
{
    struct arena *mem = lab->mem;
    struct val *object =
        value_of(mem, "{apiVersion: v1, kind: Service, metadata: {labels: {a: b}, annotations: {c:"
                      " d, kubectl.kubernetes.io/last-applied-configuration: x}}}");
    val_set_text(mem, val_get(object, "metadata"), "name", name);
    val_set(mem, object, "spec", value_of(mem, spec));
    lab_store(lab, object);
}

static void the_canary_is_a_copy_of_the_target(void **state)
{
    const struct copy_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, CANARY, "[]");
    add_service(&lab, "web", c->target);
    if (c->live)
        add_service(&lab, "web-canary", c->live);
    lab_do(&lab, "primary");
    const struct val *copy = lab_object(&lab, "Service", "web-canary");
    assert_same_value(mem, val_get(copy, "spec"), value_of(mem, c->copy));
    assert_same_value(mem, VAL_PATH(copy, "metadata", "labels"), value_of(mem, "{a: b}"));
    assert_same_value(mem, VAL_PATH(copy, "metadata", "annotations"), value_of(mem, "{c: d}"));
    assert_int_equal(val_len(VAL_PATH(copy, "metadata", "ownerReferences")), 1);
    assert_true(lab_kind(&lab)->is_promoted(&lab.view));
}

static void only_a_promotion_changes_the_primary_service(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, CANARY, "[]");
    add_service(&lab, "web", "{type: ClusterIP, selector: {v: one}}");
    lab_look(&lab);
    assert_false(lab.view.target.has_primary);
    lab_do(&lab, "primary");
    assert_true(lab.view.target.has_primary);
    const char *revision = lab.view.target.revision;
    lab_store(&lab, doc_merge_apply(mem, lab_object(&lab, "Service", "web"),
                                    value_of(mem, "{spec: {selector: {v: two}}}")));
    lab_do(&lab, "primary");
    const struct val *primary = lab_object(&lab, "Service", "web-primary");
    assert_string_not_equal(lab.view.target.revision, revision);
    assert_int_equal(lab.view.target.canary.state, READY_YES);
    assert_same_value(mem, VAL_PATH(primary, "spec", "selector"), value_of(mem, "{v: one}"));
    assert_false(lab_kind(&lab)->is_promoted(&lab.view));
    lab_do(&lab, "promote");
    primary = lab_object(&lab, "Service", "web-primary");
    assert_same_value(mem, VAL_PATH(primary, "spec", "selector"), value_of(mem, "{v: two}"));
    lab_look(&lab);
    assert_true(lab_kind(&lab)->is_promoted(&lab.view));
    assert_int_equal(lab.requests.len, 4);
    assert_string_equal(lab.requests.at[0], "create Service/web-canary");
    assert_string_equal(lab.requests.at[1], "create Service/web-primary");
    assert_string_equal(lab.requests.at[2], "update Service/web-canary");
    assert_string_equal(lab.requests.at[3], "update Service/web-primary");
}

static void copies_are_distributed_as_configured(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct val *canary = value_of(mem, CANARY);
    val_set_text(mem, VAL_PATH(canary, "spec", "service"), "trafficDistribution", "PreferClose");
    lab_begin(&lab, mem, canary, value_of(mem, "[]"));
    add_service(&lab, "web", "{type: ClusterIP, selector: {v: one}}");
    lab_do(&lab, "primary");
    assert_same_value(mem, val_get(lab_object(&lab, "Service", "web-primary"), "spec"),
                      value_of(mem, "{type: ClusterIP, selector: {v: one}, trafficDistribution:"
                                    " PreferClose}"));
}

static void faults_of_services_are_told(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, CANARY, "[]");
    SCOPED(err_free) struct err *e = lab_plan(&lab, "primary", &effects);
    assert_string_equal(err_text(e),
                        "service web-primary.prod get query error: services \"web\" not found");
    assert_string_equal(lab.view.target.fault, err_text(e));
    add_service(&lab, "web", "{type: ClusterIP, selector: {v: one}}");
    SCOPED(err_free) struct err *create = lab_plan(&lab, "primary", &effects);
    assert_null(create);
    assert_string_equal(effects.list.at[0].before,
                        "reconcileCanaryService failed: creating service shop.prod query error: ");
    assert_string_equal(effects.list.at[1].before,
                        "reconcilePrimaryService failed: creating service shop.prod query error: ");
    assert_string_equal(effects.list.at[0].log, "Service web-canary.prod created");
    add_service(&lab, "web-primary", "{type: ClusterIP, selector: {v: two}}");
    SCOPED(err_free) struct err *promote = lab_plan(&lab, "promote", &effects);
    assert_null(promote);
    assert_string_equal(effects.list.at[0].before,
                        "updating service web-primary.prod spec failed: ");
}

/* -- Knative ----------------------------------------------------------------------------------- */

#define KSVC(annotations, traffic, latest)                                                    \
    "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: web, annotations: " \
    "{" annotations "}}, spec: {template: {}, traffic: [" traffic "]}, status: "              \
    "{latestCreatedRevisionName: '" latest "'}}"
#define REVISION(name, ready)                                                                   \
    "{apiVersion: serving.knative.dev/v1, kind: Revision, metadata: {name: " name "}, status: " \
    "{conditions: [{type: Active, status: 'True'}, {type: Ready, status: '" ready "'}]}}"

static const struct knative_case {
    const char *name, *phase, *objects;
    const char *fault; /* NULL none */
    const char *primary, *canary;
} knative_cases[] = {
    { "no Knative Service", "", "[]",
      "Knative Service web.prod get query error: services.serving.knative.dev \"web\" not found",
      NULL, NULL },
    { "no revision", "", "[" KSVC("", "", "") "]", "Knative Service web.prod has no revision yet",
      NULL, NULL },
    { "a first revision", "", "[" KSVC("", "", "web-1") ", " REVISION("web-1", "True") "]", NULL,
      "", "" },
    { "a first revision that is missing", "", "[" KSVC("", "", "web-1") "]", NULL,
      "Knative Revision web-1.prod get query error: revisions.serving.knative.dev \"web-1\" not "
      "found",
      "Knative Revision web-1.prod get query error: revisions.serving.knative.dev \"web-1\" not "
      "found" },
    { "a second revision that is not ready", "Progressing",
      "[" KSVC(MARK ": web-1", "",
               "web-2") ", " REVISION("web-1", "True") ", " REVISION("web-2", "Unknown") "]",
      NULL, "", "Knative Revision web-2.prod is not ready" },
    { "a mark that is gone", "Progressing",
      "[" KSVC("", "", "web-2") ", " REVISION("web-2", "True") "]", NULL,
      "Knative Service web.prod primary revision annotation not found", "" },
};

static void knative_revisions_are_observed(void **state)
{
    const struct knative_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct val *canary = value_of(mem, KNATIVE), *status = val_new_map(mem);
    val_set_text(mem, status, "phase", c->phase);
    val_set(mem, canary, "status", status);
    lab_begin(&lab, mem, canary, value_of(mem, c->objects));
    lab_look(&lab);
    const struct target_seen *seen = &lab.view.target;
    assert_string_equal(seen->fault ? seen->fault : "", c->fault ? c->fault : "");
    if (c->fault)
        return;
    assert_string_equal(seen->primary.text, c->primary);
    assert_string_equal(seen->canary.text, c->canary);
    assert_int_equal(seen->canary.state, *c->canary ? READY_LATER : READY_YES);
    assert_true(canary_hash_is_ours(seen->revision));
}

static void a_knative_service_is_marked_moved_on_and_given_back(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, KNATIVE, "[" KSVC("a: b", "", "web-1") "]");
    lab_do(&lab, "primary");
    const struct val *target = lab_object(&lab, "Service", "web");
    assert_same_value(mem, VAL_PATH(target, "metadata", "annotations"),
                      value_of(mem, "{a: b, " MARK ": web-1}"));
    assert_same_value(mem, VAL_PATH(target, "spec", "traffic"),
                      value_of(mem, "[{latestRevision: true, percent: 0}, {revisionName: web-1,"
                                    " percent: 100}]"));
    lab_store(&lab, doc_merge_apply(mem, target,
                                    value_of(mem, "{status: {latestCreatedRevisionName: web-2}}")));
    lab.canary.status.phase = CANARY_PROGRESSING;
    lab_do(&lab, "primary"); /* nothing, once it is bootstrapped */
    lab_do(&lab, "up");
    lab_do(&lab, "promote");
    lab_do(&lab, "down");
    assert_same_value(mem, VAL_PATH(lab_object(&lab, "Service", "web"), "metadata", "annotations"),
                      value_of(mem, "{a: b, " MARK ": web-2}"));
    assert_true(lab_kind(&lab)->is_promoted(&lab.view));
    lab_do(&lab, "revert");
    target = lab_object(&lab, "Service", "web");
    assert_same_value(mem, VAL_PATH(target, "metadata", "annotations"), value_of(mem, "{a: b}"));
    assert_int_equal(val_len(VAL_PATH(target, "spec", "traffic")), 2);
    assert_int_equal(lab.requests.len, 3);
}

static void an_update_of_a_knative_service_that_fails_is_told_as_flagger_tells_it(void **state)
{
    (void)state;
    static const struct {
        const char *act, *before;
        enum canary_phase phase;
    } cases[] = {
        { "primary", "Knative Service web.prod update query error ", CANARY_NONE },
        { "promote", "Knative Service web.prod update query error ", CANARY_PROGRESSING },
        { "revert", "Knative Service web.prod update query error: ", CANARY_PROGRESSING },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct lab lab;
        struct effects effects;
        begin(&lab, mem, KNATIVE, "[" KSVC(MARK ": web-1", "", "web-2") "]");
        lab.canary.status.phase = cases[i].phase;
        assert_null(lab_plan(&lab, cases[i].act, &effects));
        assert_int_equal(effects.list.len, 1);
        assert_string_equal(effects.list.at[0].before, cases[i].before);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(copy_cases, the_canary_is_a_copy_of_the_target),
        ROWS(knative_cases, knative_revisions_are_observed),
        SINGLE(only_a_promotion_changes_the_primary_service),
        SINGLE(copies_are_distributed_as_configured),
        SINGLE(faults_of_services_are_told),
        SINGLE(a_knative_service_is_marked_moved_on_and_given_back),
        SINGLE(an_update_of_a_knative_service_that_fails_is_told_as_flagger_tells_it),
    };
    return rows_run("canary_target_service", tests, ARRAY_LEN(tests));
}
