#include "../../rows.h"

#include "lab.h"

#define CANARY                                                                                \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: shop, namespace: prod," \
    " uid: c-1}, spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web},"       \
    " service: {name: cart, port: 80, targetPort: http}}}"
#define TARGET                                                                            \
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1,"  \
    " selector: {matchLabels: {app: cart-api}}, template: {spec: {containers: [{name: c," \
    " ports: [{name: http, containerPort: 9898}, {name: metrics, containerPort: 9797}]}]}}}}"
#define PAIR                                           \
    "kustomize.toolkit.fluxcd.io/reconcile: disabled," \
    " helm.toolkit.fluxcd.io/driftDetection: disabled"
#define OWNER                                                                                 \
    "{apiVersion: flagger.app/v1beta1, kind: Canary, name: shop, uid: c-1, controller: true," \
    " blockOwnerDeletion: true}"

/* spec.service after a merge patch, and objects besides the target (a list); both as YAML. */
static void begin(struct lab *lab, struct arena *mem, const char *service, const char *others)
{
    struct val *objects = value_of(mem, others), *patch = val_new_map(mem);
    struct val *spec = val_need_map(mem, patch, "spec");
    val_set(mem, spec, "service", value_of(mem, service));
    val_append(mem, objects, value_of(mem, TARGET));
    lab_begin(lab, mem, doc_merge_apply(mem, value_of(mem, CANARY), patch), objects);
}

static void check(struct lab *lab, const char *name, const char *expected)
{
    const struct val *object = lab_object(lab, "Service", name);
    assert_non_null(object);
    struct val *got = val_copy(lab->mem, object), *metadata = val_get(got, "metadata");
    static const char *const fields[] = { "resourceVersion", "namespace", "name" };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        (void)val_remove(metadata, fields[i]);
    (void)val_remove(got, "apiVersion");
    (void)val_remove(got, "kind");
    assert_same_value(lab->mem, got, value_of(lab->mem, expected));
}

static void names_come_from_the_apex_and_selectors_from_the_target(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem,
          "{canary: {labels: {team: a, app: mine}, annotations: {note: b}}, portDiscovery: true,"
          " appProtocol: grpc, trafficDistribution: PreferClose, headless: true}",
          "[]");
    lab_do(&lab, "services");
    lab_do(&lab, "apex");
    assert_int_equal(lab.requests.len, 3);
    assert_string_equal(lab.requests.at[0], "create Service/cart-canary");
    assert_string_equal(lab.requests.at[1], "create Service/cart-primary");
    assert_string_equal(lab.requests.at[2], "create Service/cart");
#define SPEC(value)                                                                          \
    "spec: {type: ClusterIP, clusterIP: None, trafficDistribution: PreferClose, selector: "  \
    "{app: " value                                                                           \
    "}, ports: [{name: http, protocol: TCP, port: 80, targetPort: http, appProtocol: grpc}," \
    " {name: metrics, protocol: TCP, port: 9797, targetPort: 9797}]}"
    check(&lab, "cart-canary",
          "{metadata: {labels: {team: a, app: cart-canary}, annotations: {note: b, " PAIR
          "}, ownerReferences: [" OWNER "]}, " SPEC("cart-api") "}");
    check(&lab, "cart-primary",
          "{metadata: {labels: {app: cart-primary}, annotations: {" PAIR
          "}, ownerReferences: [" OWNER "]}, " SPEC("cart-api-primary") "}");
    check(&lab, "cart",
          "{metadata: {labels: {app: cart}, annotations: {" PAIR "}, ownerReferences: [" OWNER
          "]}, " SPEC("cart-api-primary") "}");
}

static const struct port_case {
    const char *name, *service, *port;
} port_cases[] = {
    { "a target port by name", "{}", "{name: http, protocol: TCP, port: 80, targetPort: http}" },
    { "a target port by number", "{targetPort: 9898}",
      "{name: http, protocol: TCP, port: 80, targetPort: 9898}" },
    { "no target port", "{targetPort: null}",
      "{name: http, protocol: TCP, port: 80, targetPort: 80}" },
    { "target port 0", "{targetPort: 0}", "{name: http, protocol: TCP, port: 80, targetPort: 80}" },
    { "target port \"0\"", "{targetPort: '0'}",
      "{name: http, protocol: TCP, port: 80, targetPort: 80}" },
    { "a name for the port", "{portName: web}",
      "{name: web, protocol: TCP, port: 80, targetPort: http}" },
};

static void the_first_port_is_as_configured(void **state)
{
    const struct port_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, c->service, "[]");
    lab_do(&lab, "apex");
    const struct val *ports = VAL_PATH(lab_object(&lab, "Service", "cart"), "spec", "ports");
    assert_int_equal(val_len(ports), 1);
    assert_same_value(mem, val_item(ports, 0), value_of(mem, c->port));
}

/* -- Services that are there ------------------------------------------------------------------- */

static const struct repair_case {
    const char *name, *service, *live, *expected; /* NULL: no request */
} repair_cases[] = {
    { "nothing to repair, whatever the order of ports", "{portDiscovery: true}",
      "{metadata: {}, spec: {type: NodePort, clusterIP: 10.0.0.1, selector: {app: "
      "cart-api-primary},"
      " ports: [{name: metrics, protocol: TCP, port: 9797, targetPort: 9797, nodePort: 30001},"
      " {name: http, protocol: TCP, port: 80, targetPort: http, nodePort: 30002}]}}",
      NULL },
    { "a Service of somebody else is pointed to the primary and keeps the rest", "{}",
      "{metadata: {labels: {app: theirs}, annotations: {note: theirs}}, spec: {type: NodePort,"
      " clusterIP: 10.0.0.1, sessionAffinity: ClientIP, selector: {app: cart-api, tier: x}, ports:"
      " [{name: http, protocol: TCP, port: 80, targetPort: http, nodePort: 30002}]}}",
      "{metadata: {labels: {app: theirs}, annotations: {note: theirs, " PAIR
      "}}, spec: {type: NodePort, clusterIP: 10.0.0.1, sessionAffinity: ClientIP, selector: {app:"
      " cart-api-primary}, ports: [{name: http, protocol: TCP, port: 80, targetPort: http, "
      "nodePort:"
      " 30002}]}}" },
    { "ports of a Service of somebody else are repaired", "{portName: web}",
      "{metadata: {}, spec: {selector: {app: cart-api-primary}, ports: [{name: http, protocol: TCP,"
      " port: 81, targetPort: http}]}}",
      "{metadata: {annotations: {" PAIR
      "}}, spec: {selector: {app: cart-api-primary}, ports: [{name:"
      " web, protocol: TCP, port: 80, targetPort: http}]}}" },
    { "labels and annotations of ours are repaired",
      "{apex: {labels: {team: a}, annotations: {note: b}}}",
      "{metadata: {labels: {app: cart, other: x}, annotations: {other: y, " PAIR
      "}, ownerReferences: [" OWNER "]}, spec: {selector: {app: cart-api-primary}, ports: [{name:"
      " http, protocol: TCP, port: 80, targetPort: http}]}}",
      "{metadata: {labels: {app: cart, team: a}, annotations: {note: b, " PAIR
      "}, ownerReferences: [" OWNER "]}, spec: {selector: {app: cart-api-primary}, ports: [{name:"
      " http, protocol: TCP, port: 80, targetPort: http}]}}" },
    { "unmanaged labels and annotations of ours survive",
      "{apex: {labels: {team: a}}, unmanagedMetadata: {labels: [free, none], annotations: [open]}}",
      "{metadata: {labels: {app: cart, free: x, other: x}, annotations: {open: y, " PAIR
      "}, ownerReferences: [" OWNER "]}, spec: {selector: {app: cart-api-primary}, ports: [{name:"
      " http, protocol: TCP, port: 80, targetPort: http}]}}",
      "{metadata: {labels: {app: cart, team: a, free: x}, annotations: {open: y, " PAIR
      "}, ownerReferences: [" OWNER "]}, spec: {selector: {app: cart-api-primary}, ports: [{name:"
      " http, protocol: TCP, port: 80, targetPort: http}]}}" },
    { "a controller of another kind is not us", "{}",
      "{metadata: {labels: {x: y}, ownerReferences: [{kind: Deployment, name: shop, controller:"
      " true}]}, spec: {selector: {app: cart-api-primary}, ports: [{name: http, protocol: TCP, "
      "port:"
      " 80, targetPort: http}]}}",
      NULL },
    { "a controller of another name is not us", "{}",
      "{metadata: {labels: {x: y}, ownerReferences: [{kind: Canary, name: other, controller: "
      "true}]},"
      " spec: {selector: {app: cart-api-primary}, ports: [{name: http, protocol: TCP, port: 80,"
      " targetPort: http}]}}",
      NULL },
    { "type, headless and distribution stay as they are",
      "{headless: true, trafficDistribution: PreferClose}",
      "{metadata: {}, spec: {type: LoadBalancer, selector: {app: cart-api-primary}, ports: [{name:"
      " http, protocol: TCP, port: 80, targetPort: http}]}}",
      NULL },
};

static void a_live_service_is_repaired(void **state)
{
    const struct repair_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    begin(&lab, mem, c->service, "[]");
    struct val *live = value_of(mem, c->live);
    val_set_text(mem, live, "apiVersion", "v1");
    val_set_text(mem, live, "kind", "Service");
    val_set_text(mem, val_get(live, "metadata"), "name", "cart");
    lab_store(&lab, live);
    struct effects effects;
    SCOPED(err_free) struct err *e = lab_plan(&lab, "apex", &effects);
    assert_null(e);
    assert_int_equal(effects.list.len, c->expected ? 1 : 0);
    if (!c->expected)
        return;
    assert_string_equal(effects.list.at[0].before,
                        "reconcileService failed: service cart update error: ");
    assert_string_equal(effects.list.at[0].log, "Service cart updated");
    lab_do(&lab, "apex");
    check(&lab, "cart", c->expected);
}

/* -- giving back ------------------------------------------------------------------------------- */

#define APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static const struct revert_case {
    const char *name, *live; /* NULL: none */
    const char *selector;    /* NULL: no request */
    const char *error;       /* NULL: none */
} revert_cases[] = {
    { "a Service of ours goes with the Canary",
      "{metadata: {ownerReferences: [{kind: Canary, name: other, controller: true}]}, spec:"
      " {selector: {app: cart-api-primary}}}",
      NULL, NULL },
    { "the selector that was applied comes back",
      "{metadata: {annotations: {" APPLIED ": '{\"spec\":{\"selector\":{\"tier\":\"x\"}}}'}}, spec:"
      " {selector: {app: cart-api-primary}}}",
      "{tier: x}", NULL },
    { "a selector that was not applied goes",
      "{metadata: {annotations: {" APPLIED ": '{\"spec\":{}}'}}, spec: {selector: {app: x}}}",
      "null", NULL },
    { "nobody knows what was applied", "{metadata: {annotations: {" APPLIED ": 'x{'}}, spec: {}}",
      NULL, "router cart.prod failed to unMarshal annotation " APPLIED },
    { "the target's pods come back",
      "{metadata: {}, spec: {selector: {app: cart-api-primary}, ports: [{name: http, protocol: TCP,"
      " port: 80, targetPort: http}]}}",
      "{app: cart-api}", NULL },
    { "there is no Service", NULL, NULL,
      "service cart.prod get query error: services \"cart\" not found" },
};

static void the_apex_is_given_back(void **state)
{
    const struct revert_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, "{}", "[]");
    if (c->live) {
        struct val *live = value_of(mem, c->live);
        val_set_text(mem, live, "apiVersion", "v1");
        val_set_text(mem, live, "kind", "Service");
        val_set_text(mem, val_get(live, "metadata"), "name", "cart");
        lab_store(&lab, live);
    }
    SCOPED(err_free) struct err *e = lab_plan(&lab, "revert-apex", &effects);
    assert_string_equal(err_text(e), c->error ? c->error : "");
    assert_int_equal(effects.list.len, c->selector ? 1 : 0);
    if (!c->selector)
        return;
    lab_do(&lab, "revert-apex");
    assert_same_value(mem, VAL_PATH(lab_object(&lab, "Service", "cart"), "spec", "selector"),
                      value_of(mem, c->selector));
}

/* What it selected is not known then. */
static void without_a_target_the_apex_is_left_alone(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    lab_begin(&lab, mem, value_of(mem, CANARY),
              value_of(mem, "[{apiVersion: v1, kind: Service, metadata: {name: cart}, spec: {}}]"));
    lab_do(&lab, "revert-apex");
    assert_int_equal(lab.requests.len, 0);
}

static void a_service_as_target_needs_none(void **state)
{
    (void)state;
    static const char *const acts[] = { "services", "apex", "revert-apex" };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    lab_begin(
        &lab, mem,
        doc_merge_apply(mem, value_of(mem, CANARY),
                        value_of(mem, "{spec: {targetRef: {apiVersion: v1, kind: Service}}}")),
        value_of(mem, "[{apiVersion: v1, kind: Service, metadata: {name: web}}]"));
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        lab_do(&lab, acts[i]);
    assert_int_equal(lab.requests.len, 0);
}

static void a_refused_service_is_explained(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct lab lab;
    struct effects effects;
    begin(&lab, mem, "{}", "[]");
    SCOPED(err_free) struct err *e = lab_plan(&lab, "services", &effects);
    assert_null(e);
    assert_string_equal(effects.list.at[0].before,
                        "reconcileService failed: service cart-canary.prod create error: ");
    assert_string_equal(effects.list.at[0].log, "Service cart-canary.prod created");
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(port_cases, the_first_port_is_as_configured),
        ROWS(repair_cases, a_live_service_is_repaired),
        ROWS(revert_cases, the_apex_is_given_back),
        SINGLE(names_come_from_the_apex_and_selectors_from_the_target),
        SINGLE(a_service_as_target_needs_none),
        SINGLE(without_a_target_the_apex_is_left_alone),
        SINGLE(a_refused_service_is_explained),
    };
    return rows_run("canary_target_services", tests, ARRAY_LEN(tests));
}
