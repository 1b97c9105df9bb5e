#include "../../rows.h"

#include "../value.h"
#include "canary/router/route.h"

#define WITH(spec)                                      \
    "apiVersion: flagger.app/v1beta1\nkind: Canary\n"   \
    "metadata: {name: cart, namespace: shop, uid: u}\n" \
    "spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}, " spec "}\n"

/* -- comparing -------------------------------------------------------------------------------- */

static const struct same_case {
    const char *name, *a, *b;
    bool is_same;
} same_cases[] = {
    { "order of keys does not matter", "{a: 1, b: [2]}", "{b: [2], a: 1.0}", true },
    { "order of items does", "[a, b]", "[b, a]", false },
    { "nulls and empty lists are absent", "{a: 1, b: null, c: []}", "{a: 1, d: []}", true },
    { "also at the top", "[]", "null", true },
    { "empty maps are not", "{a: {}}", "{}", false },
    { "items are not, whatever they are", "[[]]", "[]", false },
    { "deep down, too", "{a: [{b: [], c: {d: null}}]}", "{a: [{c: {}}]}", true },
    { "another value differs", "{a: {b: x}}", "{a: {b: 'y'}}", false },
    { "another key differs", "{a: {b: x}}", "{a: {c: x}}", false },
    { "one key more differs", "{a: x}", "{a: x, b: 'y'}", false },
    { "a text is no number", "{a: '1'}", "{a: 1}", false },
    { "a list is no map", "{a: [b]}", "{a: {b: c}}", false },
};

static void it_is_compared(void **state)
{
    const struct same_case *same = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *a = value_of(mem, same->a), *b = value_of(mem, same->b);
    assert_int_equal(route_is_same(mem, a, b), same->is_same);
    assert_int_equal(route_is_same(mem, b, a), same->is_same);
}

static void keys_of_the_kind_count_with_their_defaults(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct route_default defaults[] = {
        { "list.*.map", "{}" }, { "list.*.map.number", "5" }, { "text", "\"x\"" }, { NULL, NULL }
    };
    const struct route_kind kind = { .keys = (const char *const[]){ "list", "text", NULL },
                                     .defaults = defaults };
    const struct val *spec = value_of(mem, "{list: [{a: b}, {map: {number: 6}}], foreign: z}");
    static const struct {
        const char *live;
        bool fits;
    } cases[] = {
        { "{list: [{a: b, map: {number: 5}}, {map: {number: 6}}], text: x, other: z}", true },
        { "{list: [{a: b}, {map: {number: 6}}]}", true },
        { "{list: [{a: b, map: {number: 6}}, {map: {number: 6}}]}", false },
        { "{list: [{a: b}, {map: {}}]}", false },
        { "{list: [{a: b}, {map: {number: 6}}], text: z}", false },
        { "{list: not-a-list}", false },
        { "null", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(route_fits(mem, &kind, spec, value_of(mem, cases[i].live)), cases[i].fits);
    const struct route_kind whole = { .api_version = "v1" };
    assert_false(route_fits(mem, &whole, spec, value_of(mem, "{list: [{a: b}]}")));
    assert_true(route_fits(mem, &whole, spec, spec));
}

/* -- weights and matches ---------------------------------------------------------------------- */

static void a_lost_weight_is_the_rest_where_that_can_be_told(void **state)
{
    (void)state;
    static const struct {
        int64_t primary, canary;
        struct split kept;
    } cases[] = {
        { 70, 30, { 70, 30, false } },  { 60, 30, { 60, 30, false } },
        { 0, 0, { 0, 0, false } },      { -1, -1, { 100, 0, false } },
        { 70, -1, { 70, 30, false } },  { -1, 30, { 70, 30, false } },
        { 100, -1, { 100, 0, false } }, { 0, -1, { 100, 0, false } },
        { -1, 0, { 100, 0, false } },   { -1, 100, { 0, 100, false } },
        { 400, -1, { 100, 0, false } }, { -1, 400, { 100, 0, false } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct split kept = route_split(cases[i].primary, cases[i].canary);
        assert_int_equal(kept.primary, cases[i].kept.primary);
        assert_int_equal(kept.canary, cases[i].kept.canary);
    }
}

static const struct merge_case {
    const char *name, *conditions, *bases, *merged;
} merge_cases[] = {
    { "each with each, conditions first", "[{h: {a: 1}}, {h: {b: 2}}]",
      "[{u: x}, {h: {c: 3}, u: z}]",
      "[{u: x, h: {a: 1}}, {u: z, h: {a: 1}}, {u: x, h: {b: 2}}, {u: z, h: {b: 2}}]" },
    { "other keys of conditions are lost", "[{h: {a: 1}, q: {b: 2}}]", "[{u: x}]",
      "[{u: x, h: {a: 1}}]" },
    { "empty ones replace nothing", "[{h: {}}]", "[{h: {c: 3}}]", "[{h: {c: 3}}]" },
    { "without bases, conditions", "[{q: {b: 2}}]", "[]", "[{q: {b: 2}}]" },
    { "without conditions, bases", "null", "[{u: x}]", "[{u: x}]" },
    { "what is no list is none", "{a: b}", "null", "[]" },
    { "what is no map is empty", "[x]", "[z]", "[{}]" },
};

static void matches_are_merged(void **state)
{
    const struct merge_case *merge = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_same_value(mem,
                      route_merge(mem, value_of(mem, merge->conditions),
                                  value_of(mem, merge->bases), (const char *const[]){ "h", NULL }),
                      value_of(mem, merge->merged));
}

static void what_says_nothing_is_not_picked(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *from = value_of(
        mem, "{a: null, b: '', c: [], d: {}, e: false, f: 0, g: x, h: true, i: [1], z: 1}");
    assert_same_value(
        mem,
        route_pick(mem, from,
                   (const char *const[]){ "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", NULL }),
        value_of(mem, "{f: 0, g: x, h: true, i: [1]}"));
}

/* -- metadata --------------------------------------------------------------------------------- */

static const struct label_case {
    const char *name, *service, *key, *labels, *annotations;
} label_cases[] = {
    { "none without an apex", "{port: 80}", "app", "{}", "{}" },
    { "the selector's with one", "{port: 80, apex: {}}", "app", "{app: cart}", "{}" },
    { "beside its own", "{port: 80, name: c, apex: {labels: {a: b, app: x}, annotations: {d: e}}}",
      "app", "{a: b, app: c}", "{d: e}" },
    { "but for kinds without pods", "{port: 80, apex: {labels: {a: b}}}", "", "{a: b}", "{}" },
    { "Flux is kept away for good",
      "{port: 80, apex: {annotations: {kustomize.toolkit.fluxcd.io/reconcile: enabled}}}", "app",
      "{app: cart}", "{}" },
};

static void metadata_is_that_of_the_apex(void **state)
{
    const struct label_case *label = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, arena_printf(mem, WITH("service: %s"), label->service));
    struct canary_view view = { .mem = mem,
                                .canary = &canary,
                                .target = { .selector_key = label->key } };
    struct val *annotations = value_of(mem, label->annotations);
    view_add_flux_pair(mem, annotations);
    assert_same_value(mem, route_labels(&view), value_of(mem, label->labels));
    assert_same_value(mem, route_annotations(&view), annotations);
}

static void an_owner_is_a_canary_of_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *owners;
        bool is_owned;
    } cases[] = {
        { "[]", false },
        { "[{kind: Canary, name: cart, controller: true, uid: other}]", true },
        { "[{kind: Canary, name: cart}]", false },
        { "[{kind: Canary, name: other, controller: true}]", false },
        { "[{kind: Deployment, name: cart, controller: true}]", false },
        { "[{kind: A, name: b}, {kind: Canary, name: cart, controller: true}]", true },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, WITH("service: {port: 80}"));
    struct canary_view view = { .mem = mem, .canary = &canary };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(
            route_is_owned(&view,
                           value_of(mem, arena_printf(mem, "{metadata: {ownerReferences: %s}}",
                                                      cases[i].owners))),
            cases[i].is_owned);
}

/* -- cookies ---------------------------------------------------------------------------------- */

#define AFFINITY(text) \
    WITH("service: {port: 80}, analysis: {interval: 90s, sessionAffinity: {" text "}}")

static void a_cookie_has_its_attributes_in_order(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(
        mem,
        AFFINITY("cookieName: flagger-cookie, maxAge: 300, domain: flagger.app, httpOnly: true, "
                 "partitioned: true, path: /app, sameSite: Strict, secure: true"));
    struct canary_view view = { .mem = mem, .canary = &canary };
    const char *primary = NULL;
    assert_string_equal(route_cookie_set(&view, "flagger-cookie=XXXXXXXXXX"),
                        "flagger-cookie=XXXXXXXXXX; Max-Age=300; Domain=flagger.app; HttpOnly; "
                        "Partitioned; Path=/app; SameSite=Strict; Secure");
    assert_string_equal(route_cookie_delete(&view, "flagger-cookie=X"),
                        "flagger-cookie=X; Max-Age=-1; Domain=flagger.app; HttpOnly; Partitioned; "
                        "Path=/app; SameSite=Strict; Secure");
    assert_null(route_cookie_set_primary(&view, "p=X", &primary));
    assert_string_equal(primary, "p=X; Max-Age=90; Domain=flagger.app; HttpOnly; Partitioned; "
                                 "Path=/app; SameSite=Strict; Secure");
    assert_string_equal(route_cookie_of(mem, primary), "p=X");
}

static void a_cookie_without_attributes_lives_a_day(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, AFFINITY("cookieName: ck"));
    struct canary_view view = { .mem = mem, .canary = &canary };
    assert_string_equal(route_cookie_set(&view, "ck=X"), "ck=X; Max-Age=86400");
    assert_string_equal(route_cookie_delete(&view, "ck=X"), "ck=X; Max-Age=-1");
}

static void names_of_cookies_are_no_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *cookie, *pattern;
    } cases[] = {
        { "canary-ck=QhTbxLoWez", ".*canary-ck.*QhTbxLoWez.*" },
        { "my.ck[0]=abc", ".*my\\.ck\\[0\\].*abc.*" },
        { "a=b=abc", ".*a=b.*abc.*" },
        { "none", ".*none.*.*" },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(route_cookie_pattern(mem, cases[i].cookie), cases[i].pattern);
}

static void a_pattern_is_sticky_if_it_names_a_cookie_of_ours(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool is_sticky;
    } cases[] = {
        { ".*my\\.ck.*abc.*", true }, /* as it is written */
        { ".*my.ck.*abc.*", true },   /* as Flagger writes it */
        { ".*before.*abc.*", true },  /* of a run that began with another name */
        { "^(.*?;)?(user=test)(;.*)?$", false },
        { ".*", false },
        { NULL, false },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(mem, AFFINITY("cookieName: my.ck"));
    struct canary_view view = { .mem = mem, .canary = &canary };
    canary.status.cookie = "before=abc";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(route_cookie_is_sticky(&view, cases[i].pattern), cases[i].is_sticky);
    canary.analysis.match = value_of(mem, "[{headers: {Cookie: {regex: .*before.*}}}]");
    assert_false(route_cookie_is_sticky(&view, ".*before.*abc.*"));
    canary.analysis.match = NULL;
    canary.analysis.affinity = NULL;
    assert_false(route_cookie_is_sticky(&view, ".*before.*abc.*"));
}

static void a_deletion_is_not_what_the_service_says_itself(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary canary = canary_of(
        mem, WITH("service: {port: 80, headers: {response: {add: {Set-Cookie: x=; Max-Age=-1}}}}"));
    struct canary_view view = { .mem = mem, .canary = &canary };
    assert_true(route_cookie_is_deleted(&view, "ck=a; Max-Age=-1; Path=/"));
    assert_false(route_cookie_is_deleted(&view, "x=; Max-Age=-1"));
    assert_false(route_cookie_is_deleted(&view, "ck=a; Max-Age=60"));
    assert_false(route_cookie_is_deleted(&view, NULL));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(same_cases, it_is_compared),
        ROWS(merge_cases, matches_are_merged),
        ROWS(label_cases, metadata_is_that_of_the_apex),
        SINGLE(keys_of_the_kind_count_with_their_defaults),
        SINGLE(a_lost_weight_is_the_rest_where_that_can_be_told),
        SINGLE(what_says_nothing_is_not_picked),
        SINGLE(an_owner_is_a_canary_of_the_name),
        SINGLE(a_cookie_has_its_attributes_in_order),
        SINGLE(a_cookie_without_attributes_lives_a_day),
        SINGLE(names_of_cookies_are_no_patterns),
        SINGLE(a_pattern_is_sticky_if_it_names_a_cookie_of_ours),
        SINGLE(a_deletion_is_not_what_the_service_says_itself),
    };
    return rows_run("route", tests, ARRAY_LEN(tests));
}
