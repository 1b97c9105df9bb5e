/* The routing objects of Flagger in its scenarios, and ours with the same weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rows.h"

#include "../value.h"
#include "bench.h"
#include "doc/json.h"
#include "doc/merge.h"
#include "doc/object.h"

#define LAB       FIXTURES "/../differential/"
#define TEXT_MAX  ((size_t)1 << 20)
#define WRITE_MAX 4

/* What is set, one after the other; each has to change the route as the recording says. */
static const struct scenario {
    const char *name, *route; /* which carries the weights; NULL: none is written */
    struct split writes[WRITE_MAX];
    size_t len;
} scenarios[] = {
    { "istio-success", "VirtualService", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "istio-ab", "VirtualService", { { 0, 100, 0 }, { 100, 0, 0 } }, 2 },
    { "istio-mirror", "VirtualService", { { 100, 0, 1 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "istio-tcp", "VirtualService", { { 50, 50, 0 }, { 100, 0, 0 } }, 2 },
    { "istio-delegation", "VirtualService", { { 50, 50, 0 }, { 100, 0, 0 } }, 2 },
    { "istio-details", "VirtualService", { { 50, 50, 0 }, { 100, 0, 0 } }, 2 },
    { "session-affinity", "VirtualService", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "bluegreen-mirror", "VirtualService", { { 100, 0, 1 }, { 0, 100, 0 }, { 100, 0, 0 } }, 3 },
    { "gateway-api", "HTTPRoute", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "gateway-ab", "HTTPRoute", { { 0, 100, 0 }, { 100, 0, 0 } }, 2 },
    { "linkerd-gateway", "HTTPRoute", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "linkerd", "TrafficSplit", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "nginx", "Ingress", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "contour", "HTTPProxy", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "traefik", "TraefikService", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "gloo", "RouteTable", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "skipper", "Ingress", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "kuma", "TrafficRoute", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "apisix", "ApisixRoute", { { 75, 25, 0 }, { 50, 50, 0 }, { 100, 0, 0 } }, 3 },
    { "kubernetes-bluegreen", NULL, { { 0, 100, 0 }, { 100, 0, 0 } }, 2 },
    { "revert-on-deletion", NULL, { { 100, 0, 0 } }, 0 },
};

/* -- files ------------------------------------------------------------------------------------ */

static const char *text_of_file(struct arena *mem, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = arena_alloc(mem, TEXT_MAX + 1);
    size_t len = fread(text, 1, TEXT_MAX, file);
    assert_true(len < TEXT_MAX);
    (void)fclose(file);
    return text;
}

static struct val *recording_of(struct arena *mem, const char *name)
{
    const char *text = text_of_file(mem, arena_printf(mem, LAB "recordings/flagger/%s.json", name));
    struct val *recording = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &recording);
    assert_null(e);
    return recording;
}

/* A file of the laboratory, in which ${ns} stands for the scenario's namespace. */
static struct val *lab_file(struct arena *mem, const char *path, const char *ns)
{
    const char *text = text_of_file(mem, arena_printf(mem, LAB "scenarios/canary/%s", path));
    for (const char *at = strstr(text, "${ns}"); at; at = strstr(text, "${ns}"))
        text = arena_printf(mem, "%.*s%s%s", (int)(at - text), text, ns, at + strlen("${ns}"));
    return value_of(mem, text);
}

/* An object of a scenario: a fixture, one that is changed, or one of its own. */
static struct val *scenario_object(struct arena *mem, const struct scenario *scenario,
                                   const struct val *object)
{
    const char *fixture = val_text_or(object, val_text(val_get(object, "use")));
    if (!fixture)
        return val_copy(mem, object);
    struct val *made =
        lab_file(mem, arena_printf(mem, "fixtures/%s.yaml", fixture), scenario->name);
    return val_get(object, "with")
               ? val_copy(mem, doc_merge_apply(mem, made, val_get(object, "with")))
               : made;
}

/* The Services that the canary has at that point. */
static void put_services(struct bench *bench, struct arena *mem)
{
    static const char *const roles[][2] = { { "podinfo-primary", "podinfo-primary" },
                                            { "podinfo-canary", "podinfo" } };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        bench_put_yaml(bench, arena_printf(mem,
                                           "{apiVersion: v1, kind: Service, metadata: {name: %s}, "
                                           "spec: {selector: {app: %s}}}",
                                           roles[i][0], roles[i][1]));
}

static void add_ref_defaults(struct arena *mem, struct val *canary)
{
    struct val *refs = VAL_PATH(canary, "spec", "service", "gatewayRefs");
    for (size_t i = 0; i < val_len(refs); i++) {
        if (!val_get(val_item(refs, i), "group"))
            val_set_text(mem, val_item(refs, i), "group", "gateway.networking.k8s.io");
        if (!val_get(val_item(refs, i), "kind"))
            val_set_text(mem, val_item(refs, i), "kind", "Gateway");
    }
}

/* Puts the scenario on the bench: its Canary with the CRD's defaults, and what is there before. */
static void set_up(struct bench *bench, struct arena *mem, const struct scenario *scenario)
{
    const struct val *objects = val_get(
        lab_file(mem, arena_printf(mem, "%s.yaml", scenario->name), scenario->name), "objects");
    VEC(struct val *) others = { 0 };
    struct val *canary = NULL;
    for (size_t i = 0; i < val_len(objects); i++) {
        struct val *object = scenario_object(mem, scenario, val_item(objects, i));
        if (strcmp(object_kind(object), "Canary") == 0)
            canary = object;
        else
            *vec_push(mem, &others) = object;
    }
    assert_non_null(canary);
    val_set_text(mem, val_get(canary, "metadata"), "namespace", scenario->name);
    add_ref_defaults(mem, canary);
    bench_init_canary(bench, mem, canary);
    bench->view.letters[0] = "<cookie 1>";
    bench->view.letters[1] = "<cookie 2>";
    for (size_t i = 0; i < others.len; i++)
        bench_put(bench, others.at[i]);
    put_services(bench, mem);
}

/* -- as it is recorded ------------------------------------------------------------------------ */

/* Without what the recorder leaves out, and the owner in its words. */
static struct val *as_recorded(struct arena *mem, const struct val *object)
{
    struct val *copy = val_copy(mem, object), *metadata = val_get(copy, "metadata");
    const struct val *owner = val_item(val_get(metadata, "ownerReferences"), 0);
    val_remove(metadata, "namespace");
    val_remove(metadata, "resourceVersion");
    val_remove(metadata, "generation");
    /* Of the version that the server stores, which need not be the one that was written. */
    val_remove(copy, "apiVersion");
    if (owner) {
        struct val *owners = val_new_list(mem);
        const char *words =
            arena_printf(mem, "%s %s/%s%s%s", object_api_version(owner), object_kind(owner),
                         val_text(val_get(owner, "name")),
                         val_is_true(val_get(owner, "controller")) ? " controller" : "",
                         val_is_true(val_get(owner, "blockOwnerDeletion")) ? " blocking" : "");
        val_append(mem, owners, val_new_text(mem, words));
        val_set(mem, metadata, "ownerReferences", owners);
    }
    return copy;
}

static void set_or_remove(struct arena *mem, struct val *map, const char *key,
                          const struct val *value)
{
    if (val_is_null(value))
        val_remove(map, key);
    else
        val_set(mem, map, key, val_copy(mem, value));
}

/* spec.http[0].route[1].weight, metadata.annotations.KEY */
static void change_path(struct arena *mem, struct val *object, const char *path,
                        const struct val *value)
{
    static const char annotations[] = "metadata.annotations.";
    if (strncmp(path, annotations, strlen(annotations)) == 0) {
        set_or_remove(mem, VAL_PATH(object, "metadata", "annotations"), path + strlen(annotations),
                      value);
        return;
    }
    struct val *at = object;
    size_t len = strcspn(path, ".[");
    while (path[len]) {
        at = val_get(at, arena_strndup(mem, path, len));
        path += len;
        for (; *path == '['; path = strchr(path, ']') + 1)
            at = val_item(at, (size_t)strtoul(path + 1, NULL, 10));
        path += *path == '.';
        len = strcspn(path, ".[");
    }
    set_or_remove(mem, at, path, value);
}

/* Where ours is meant to differ: the deletion names the cookie with all its attributes, or no browser would find it. */
static const struct val *as_accepted(struct arena *mem, const struct val *change)
{
    static const char *const attributes =
        "; Domain=example.com; HttpOnly; Path=/; SameSite=Lax; Secure";
    const char *text = val_json(mem, change, NULL), *end = strstr(text, "; Max-Age=-1");
    struct val *accepted = NULL;
    if (!end)
        return change;
    end += strlen("; Max-Age=-1");
    text = arena_printf(mem, "%.*s%s%s", (int)(end - text), text, attributes, end);
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &accepted);
    assert_null(e);
    return accepted;
}

static void apply_change(struct arena *mem, struct val *object, const struct val *recorded)
{
    const struct val *change = as_accepted(mem, recorded);
    for (size_t i = 0; i < val_len(change); i++)
        change_path(mem, object, change->pairs[i].key, change->pairs[i].value);
}

/* -- tests ------------------------------------------------------------------------------------ */

/* "VirtualService.networking.istio.io/podinfo" */
static const struct val *live_of(const struct bench *bench, struct arena *mem, const char *recorded)
{
    const char *kind = arena_strndup(mem, recorded, strcspn(recorded, "./"));
    return bench_live(bench, kind, strchr(recorded, '/') + 1);
}

static struct val *first_entry(struct arena *mem, const struct val *history)
{
    struct val *first = val_copy(mem, val_item(history, 0));
    val_remove(first, "apiVersion");
    return first;
}

/* The history of the object that carries the weights. */
static const struct val *weights_history(const struct scenario *scenario, const struct val *routes,
                                         const char **key)
{
    const struct val *found = NULL;
    for (size_t i = 0; scenario->route && i < val_len(routes); i++)
        if (strncmp(routes->pairs[i].key, scenario->route, strlen(scenario->route)) == 0) {
            *key = routes->pairs[i].key;
            found = routes->pairs[i].value;
        }
    return found;
}

static void assert_created(struct bench *bench, struct arena *mem, const struct val *routes)
{
    for (size_t i = 0; i < val_len(routes); i++) {
        const struct val *live = live_of(bench, mem, routes->pairs[i].key);
        if (!live)
            fail_msg("%s is not there", routes->pairs[i].key);
        assert_same_value(mem, as_recorded(mem, live), first_entry(mem, routes->pairs[i].value));
    }
}

static void routes_are_as_recorded(void **state)
{
    const struct scenario *scenario = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *routes = val_get(recording_of(mem, scenario->name), "routes");
    const char *key = NULL;
    struct bench bench;
    set_up(&bench, mem, scenario);
    bench_reconcile(&bench);
    assert_created(&bench, mem, routes);
    const struct val *history = weights_history(scenario, routes, &key);
    struct val *expected = history ? first_entry(mem, history) : NULL;
    for (size_t i = 0; i < scenario->len; i++) {
        const struct split *to = &scenario->writes[i];
        assert_int_equal(bench_write(&bench, to->primary, to->canary, to->mirrored),
                         history ? 1 : 0);
        assert_int_equal(bench_reconcile(&bench), 0);
        if (!history)
            continue;
        bench_assert_split(bench_read(&bench), to->primary, to->canary, to->mirrored);
        apply_change(mem, expected, val_item(history, i + 1));
        assert_same_value(mem, as_recorded(mem, live_of(&bench, mem, key)), expected);
    }
    if (history)
        assert_int_equal(val_len(history), scenario->len + 1);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(scenarios, routes_are_as_recorded),
    };
    return rows_run("router_recordings", tests, ARRAY_LEN(tests));
}
