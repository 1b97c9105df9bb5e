/* What holds for every router and every form of a Canary: what was written is read, stays, and is repaired without touching the
 * traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../value.h"
#include "bench.h"
#include "canary/router/route.h"

#define TARGET   "targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}\n"
#define WEIGHTED "analysis: {interval: 15s, threshold: 5, stepWeight: 10}\n"
#define BOTH_COOKIES                                                            \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: " \
    "{cookieName: canary.ck, primaryCookieName: primary-ck, maxAge: 300, path: /app}}\n"
#define ONE_COOKIE                                                              \
    "analysis: {interval: 15s, threshold: 5, stepWeight: 10, sessionAffinity: " \
    "{cookieName: ck}}\n"
#define AUDIENCE                                                                \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, match: [{headers: " \
    "{x-user: {exact: insider}, b: {regex: c.*}}}, {headers: {cookie: {exact: always}}}]}\n"
#define MIRRORED \
    "analysis: {interval: 15s, threshold: 5, iterations: 3, mirror: true, mirrorWeight: 30}\n"

#define RICH                                                                           \
    "  retries: {attempts: 3, perTryTimeout: 1s, retryOn: 5xx}\n"                      \
    "  timeout: 15s\n"                                                                 \
    "  rewrite: {uri: /}\n"                                                            \
    "  headers: {request: {add: {x-b: '1', x-a: '2'}, remove: [x-c]}, "                \
    "response: {set: {x-d: '3'}, add: {x-e: '4'}}}\n"                                  \
    "  corsPolicy: {allowOrigin: [example.com], allowMethods: [GET], maxAge: 24h}\n"   \
    "  match: [{uri: {prefix: /cart}, headers: {x-z: {exact: z}, x-y: {regex: yy}}}, " \
    "{method: {exact: GET}}]\n"                                                        \
    "  apex: {labels: {team: shop}, annotations: {note: here}}\n"
#define ISTIO "provider: istio\n" TARGET "service:\n  port: 80\n"
#define ROUTE1                         \
    "provider: gatewayapi:v1\n" TARGET \
    "service:\n  port: 80\n  gatewayRefs: [{name: public, namespace: infra}]\n"
#define ROUTEB                              \
    "provider: gatewayapi:v1beta1\n" TARGET \
    "service:\n  port: 80\n  gatewayRefs: [{name: public, group: core, kind: Service}]\n"
#define NGINX                                                                     \
    "provider: nginx\n" TARGET                                                    \
    "ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: shop}\n" \
    "service: {port: 80}\n"

enum modes {
    SHIFTS = 1,  /* any weights */
    TESTS = 2,   /* all or nothing */
    MIRRORS = 4, /* with all traffic at the primary */
};

static const struct form {
    const char *name, *spec, *kind, *object;
    unsigned modes;
} forms[] = {
    { "istio", ISTIO WEIGHTED, "VirtualService", "podinfo", SHIFTS | MIRRORS },
    { "istio, rich", ISTIO RICH WEIGHTED, "VirtualService", "podinfo", SHIFTS | MIRRORS },
    { "istio behind a gateway",
      ISTIO "  portDiscovery: true\n  gateways: [a/b]\n  hosts: [c, '*']\n" WEIGHTED,
      "VirtualService", "podinfo", SHIFTS | MIRRORS },
    { "istio delegate", ISTIO "  delegation: true\n" WEIGHTED, "VirtualService", "podinfo",
      SHIFTS | MIRRORS },
    { "istio, one cookie", ISTIO ONE_COOKIE, "VirtualService", "podinfo", SHIFTS | MIRRORS },
    { "istio, one cookie, rich", ISTIO RICH ONE_COOKIE, "VirtualService", "podinfo",
      SHIFTS | MIRRORS },
    { "istio, both cookies, rich", ISTIO RICH BOTH_COOKIES, "VirtualService", "podinfo",
      SHIFTS | MIRRORS },
    { "istio, audience", ISTIO AUDIENCE, "VirtualService", "podinfo", TESTS },
    { "istio, audience, rich", ISTIO RICH AUDIENCE, "VirtualService", "podinfo", TESTS },
    { "istio, blue/green", ISTIO MIRRORED, "VirtualService", "podinfo", TESTS | MIRRORS },
    { "istio, tcp", ISTIO "  appProtocol: tcp\n  match: [{port: 80}, {uri: {exact: a}}]\n" WEIGHTED,
      "VirtualService", "podinfo", SHIFTS },
    { "gateway api", ROUTE1 WEIGHTED, "HTTPRoute", "podinfo", SHIFTS },
    { "gateway api, rich", ROUTE1 RICH WEIGHTED, "HTTPRoute", "podinfo", SHIFTS },
    { "gateway api, one cookie", ROUTE1 ONE_COOKIE, "HTTPRoute", "podinfo", SHIFTS },
    { "gateway api, both cookies, rich", ROUTE1 RICH BOTH_COOKIES, "HTTPRoute", "podinfo", SHIFTS },
    { "gateway api, audience, rich", ROUTE1 RICH AUDIENCE, "HTTPRoute", "podinfo", TESTS },
    { "gateway api, blue/green, rich", ROUTE1 RICH MIRRORED, "HTTPRoute", "podinfo",
      TESTS | MIRRORS },
    { "gateway api, mirrors of its own",
      ROUTE1 "  mirror: [{backendRef: {name: podinfo-canary, port: 80}}]\n" MIRRORED, "HTTPRoute",
      "podinfo", TESTS | MIRRORS },
    { "gateway api v1beta1", ROUTEB WEIGHTED, "HTTPRoute", "podinfo", SHIFTS },
    { "gateway api v1beta1, both cookies, rich", ROUTEB RICH BOTH_COOKIES, "HTTPRoute", "podinfo",
      SHIFTS },
    { "nginx", NGINX WEIGHTED, "Ingress", "shop-canary", SHIFTS },
    { "nginx, audience", NGINX AUDIENCE, "Ingress", "shop-canary", TESTS },
    { "linkerd", "provider: linkerd\n" TARGET "service: {port: 80}\n" WEIGHTED, "TrafficSplit",
      "podinfo", SHIFTS },
    { "osm", "provider: osm\n" TARGET "service: {port: 80, hosts: [a]}\n" WEIGHTED, "TrafficSplit",
      "podinfo", SHIFTS },
    { "smi v1alpha3", "provider: smi:v1alpha3\n" TARGET "service: {port: 80}\n" WEIGHTED,
      "TrafficSplit", "podinfo", SHIFTS },
};

static void set_up(struct bench *bench, struct arena *mem, const struct form *form)
{
    bench_init(bench, mem, form->spec);
    bench_put_yaml(bench,
                   "apiVersion: networking.k8s.io/v1\n"
                   "kind: Ingress\n"
                   "metadata: {name: shop, annotations: {a: b}, labels: {c: d}}\n"
                   "spec:\n"
                   "  ingressClassName: nginx\n"
                   "  rules:\n"
                   "  - {host: a.example.com}\n"
                   "  - host: b.example.com\n"
                   "    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: "
                   "podinfo, port: {number: 80}}}}]}\n");
}

/* Everything that the form can be set to, in an order in which one comes after very different ones. */
static size_t splits_of(const struct form *form, struct split *out)
{
    size_t len = 0;
    for (int64_t step = 0; step <= 100; step += 2) {
        int64_t canary = step == 100 ? 100 : step * 37 % 101;
        if ((form->modes & SHIFTS) || canary % 100 == 0)
            out[len++] = (struct split){ 100 - canary, canary, false };
        if ((form->modes & MIRRORS) && step % 20 == 0)
            out[len++] = (struct split){ 100, 0, true };
    }
    return len;
}
#define SPLITS_MAX 128

static void what_is_written_is_read_and_stays(void **state)
{
    const struct form *form = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct split splits[SPLITS_MAX];
    struct bench bench;
    set_up(&bench, mem, form);
    assert_true(bench_reconcile(&bench) > 0);
    assert_int_equal(bench_reconcile(&bench), 0);
    bench_assert_split(bench_read(&bench), 100, 0, false);
    for (size_t i = 0, len = splits_of(form, splits); i < len; i++) {
        bench_write(&bench, splits[i].primary, splits[i].canary, splits[i].mirrored);
        bench_assert_split(bench_read(&bench), splits[i].primary, splits[i].canary,
                           splits[i].mirrored);
        assert_int_equal(bench_reconcile(&bench), 0);
        assert_int_equal(
            bench_write(&bench, splits[i].primary, splits[i].canary, splits[i].mirrored), 0);
    }
}

/* -- damage ----------------------------------------------------------------------------------- */

/* What the live object alone knows: damage to it cannot be undone, but has to end somewhere. */
static bool is_live_only(const char *key)
{
    static const char *const keys[] = { "weight", "mirror", "mirrorPercentage", "requestMirror" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (key && strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

enum damage { CHANGED, REMOVED, ADDED, RETYPED, DAMAGES };

/* A value of another type than it should be; which one goes round. */
static struct val *retyped(struct arena *mem, const struct val *v, size_t nth)
{
    static const char *const values[] = { "foreign", "7",    "[foreign]", "{foreign: x}",
                                          "null",    "true", "[]" };
    struct val *other = value_of(mem, values[nth % ARRAY_LEN(values)]);
    return other->type == v->type ? value_of(mem, values[(nth + 1) % ARRAY_LEN(values)]) : other;
}

static bool can_have(const struct val *v, const char *key, enum damage damage)
{
    bool is_changeable =
        v->type == VAL_STRING || v->type == VAL_NUMBER || (v->type == VAL_LIST && v->len > 0);
    return damage == REMOVED ? key != NULL
           : damage == ADDED ? v->type == VAL_MAP
                             : damage == RETYPED || is_changeable;
}

/* Of the value at a place of the walk, which is in a copy of our own. */
static void do_damage(struct arena *mem, struct val *parent, const struct val_walk *w,
                      enum damage damage, size_t nth)
{
    struct val *v = (struct val *)w->v;
    if (damage == REMOVED)
        val_remove(parent, w->key);
    else if (damage == RETYPED)
        *v = *retyped(mem, v, nth);
    else if (damage == ADDED)
        val_set_text(mem, v, "subset", "foreign");
    else if (v->type == VAL_LIST)
        v->len--;
    else
        *v = v->type == VAL_STRING ? *val_new_text(mem, "foreign") : *val_new_int(mem, 7);
}

/* A copy of the object with damage to the nth value of its spec that can have it; NULL when there are not so many. */
static struct val *damaged(struct arena *mem, const struct val *object, size_t nth,
                           enum damage damage, bool *spares_live_only)
{
    struct val *copy = val_copy(mem, object), *parents[VAL_DEPTH_MAX] = { NULL };
    size_t seen = 0, live_only_depth = SIZE_MAX;
    struct val *spec = val_get(copy, "spec");
    for (struct val_walk w = val_walk(spec); val_walk_next(&w);) {
        struct val *v = (struct val *)w.v;
        if (w.is_leaving) {
            live_only_depth = w.depth <= live_only_depth ? SIZE_MAX : live_only_depth;
            continue;
        }
        parents[w.depth] = v;
        if (is_live_only(w.key) && w.depth < live_only_depth)
            live_only_depth = v->type == VAL_MAP ? w.depth : live_only_depth;
        *spares_live_only = live_only_depth == SIZE_MAX && !is_live_only(w.key);
        if (w.depth == 0 || !can_have(v, w.key, damage) || seen++ != nth)
            continue;
        do_damage(mem, parents[w.depth - 1], &w, damage, nth);
        return copy;
    }
    return NULL;
}

static size_t count(struct arena *mem, const struct val *v, const char *text)
{
    size_t found = 0;
    for (const char *at = strstr(val_json(mem, v, NULL), text); at; at = strstr(at + 1, text))
        found++;
    return found;
}

/* Weights and mirrors of a list that was cut are gone with it; so is the only place that names a retired cookie. And a backend
 * alone, whose weight is 0, tells nothing of another one. */
static bool is_all_there(struct arena *mem, const struct val *before, const struct val *after,
                         bool counts_names)
{
    static const char *const texts[] = { "\"weight\"", "\"mirror\"",      "RequestMirror",
                                         "Max-Age=-1", "podinfo-primary", "podinfo-canary" };
    for (size_t i = 0; i < ARRAY_LEN(texts) - (counts_names ? 0 : 2); i++)
        if (count(mem, before, texts[i]) != count(mem, after, texts[i]))
            return false;
    return true;
}

static void assert_repaired(struct bench *bench, const struct form *form, const struct val *before,
                            bool is_whole)
{
    bench_reconcile(bench);
    const struct val *after = bench_live(bench, form->kind, form->object);
    if (is_whole && !route_is_same(bench->mem, val_get(after, "spec"), val_get(before, "spec")))
        assert_same_value(bench->mem, val_get(after, "spec"), val_get(before, "spec"));
    assert_int_equal(bench_plan(bench).list.len, 0);
}

/* One after the other, a kind of damage to every second value of what was written, beginning with the first or second one. */
static void damage_with(struct bench *bench, const struct form *form, const struct split *to,
                        enum damage damage, size_t first)
{
    for (size_t nth = first;; nth += 2) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct bench one = *bench;
        bool spares_live_only = false;
        one.mem = mem;
        one.objects.at =
            arena_copy(mem, bench->objects.at, bench->objects.len * sizeof(*bench->objects.at));
        one.objects.cap = one.objects.len;
        const struct val *before = bench_live(&one, form->kind, form->object);
        const struct val *worse = damaged(mem, before, nth, damage, &spares_live_only);
        if (!worse)
            break;
        bench_put(&one, worse);
        assert_repaired(&one, form, before,
                        spares_live_only && is_all_there(mem, before, worse, to->canary == 100));
    }
}

static void damage_is_repaired_and_the_traffic_stays(void **state)
{
    const struct form *form = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, form);
    bench_reconcile(&bench);
    const struct split steps[] = { { 100, 0, form->modes & MIRRORS },
                                   form->modes & SHIFTS ? (struct split){ 70, 30, false }
                                                        : (struct split){ 0, 100, false },
                                   { 100, 0, false } };
    for (size_t step = 0; step < ARRAY_LEN(steps); step++) {
        size_t writes =
            bench_write(&bench, steps[step].primary, steps[step].canary, steps[step].mirrored);
        for (enum damage damage = 0; writes > 0 && damage < (step == 1 ? DAMAGES : RETYPED);
             damage++)
            damage_with(&bench, form, &steps[step], damage, step % 2);
    }
}

/* Whatever a schema has let through: a plan or an error, and no more requests than one for each object. */
static void a_service_of_any_form_comes_to_an_end(void **state)
{
    const struct form *form = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, form);
    bench_reconcile(&bench);
    bench_write(&bench, 100, 0, form->modes & MIRRORS);
    struct val *wrapped = val_new_map(mem);
    val_set(mem, wrapped, "spec", val_copy(mem, bench.canary.service));
    for (size_t nth = 0;; nth++) {
        bool spares_live_only = false;
        struct effects effects = { .mem = mem };
        struct split split = { .primary = 90, .canary = 10 };
        const struct val *service = damaged(mem, wrapped, nth, RETYPED, &spares_live_only);
        if (!service)
            break;
        bench.canary.service = val_get(service, "spec");
        SCOPED(err_free) struct err *first = bench.router->reconcile(bench_view(&bench), &effects);
        SCOPED(err_free)
        struct err *second = bench.router->write(bench_view(&bench), &split, &effects);
        SCOPED(err_free) struct err *third = bench.router->read(bench_view(&bench), &split);
        assert_null(third);
        assert_true(effects.list.len <= 4);
    }
}

int main(void)
{
    struct CMUnitTest tests[3 * ARRAY_LEN(forms)];
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        tests[3 * i] = (struct CMUnitTest){ .name = forms[i].name,
                                            .test_func = what_is_written_is_read_and_stays,
                                            .initial_state = (void *)&forms[i] };
        tests[3 * i + 1] =
            (struct CMUnitTest){ .name = forms[i].name,
                                 .test_func = damage_is_repaired_and_the_traffic_stays,
                                 .initial_state = (void *)&forms[i] };
        tests[3 * i + 2] = (struct CMUnitTest){ .name = forms[i].name,
                                                .test_func = a_service_of_any_form_comes_to_an_end,
                                                .initial_state = (void *)&forms[i] };
    }
    return cmocka_run_group_tests_name("router_laws", tests, NULL, NULL);
}
