#include "laws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../value.h"
#include "bench.h"
#include "canary/router/route.h"

#define FORMS_MAX    64
#define REQUESTS_MAX 7 /* of reconcile and write together */

/* What a test is about. */
struct law_case {
    const struct law_form *form;
    const char *objects;
};

static void set_up(struct bench *bench, struct arena *mem, const struct law_case *law)
{
    bench_init(bench, mem, law->form->spec);
    const struct val *objects = value_of(mem, law->objects);
    for (size_t i = 0; i < val_len(objects); i++)
        bench_put(bench, val_item(objects, i));
}

/* Everything that the form can be set to, in an order in which one comes after very different ones. */
static size_t splits_of(const struct law_form *form, struct split *out)
{
    size_t len = 0;
    for (int64_t step = 0; step <= 100; step += 2) {
        int64_t canary = step == 100 ? 100 : step * 37 % 101;
        if ((form->modes & LAW_SHIFTS) || canary % 100 == 0)
            out[len++] = (struct split){ 100 - canary, canary, false };
        if ((form->modes & LAW_MIRRORS) && step % 20 == 0)
            out[len++] = (struct split){ 100, 0, true };
    }
    return len;
}
#define SPLITS_MAX 128

static void what_is_written_is_read_and_stays(void **state)
{
    const struct law_case *law = *state;
    const struct law_form *form = law->form;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct split splits[SPLITS_MAX];
    struct bench bench;
    set_up(&bench, mem, law);
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

/* A map in which others may have a word: what they add stays. */
static bool is_open(const char *key)
{
    return key && (strcmp(key, "weighted") == 0 || strcmp(key, "conf") == 0);
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
        *spares_live_only = live_only_depth == SIZE_MAX && !is_live_only(w.key) &&
                            !(damage == ADDED && is_open(w.key));
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

static void assert_repaired(struct bench *bench, const struct law_form *form,
                            const struct val *before, bool is_whole)
{
    bench_reconcile(bench);
    const struct val *after = bench_live(bench, form->kind, form->object);
    if (is_whole && !route_is_same(bench->mem, val_get(after, "spec"), val_get(before, "spec")))
        assert_same_value(bench->mem, val_get(after, "spec"), val_get(before, "spec"));
    struct effects again = bench_plan(bench);
    if (again.list.len > 0)
        fail_msg("repaired to %s,\nand again to %s", val_json(bench->mem, after, NULL),
                 val_json(bench->mem, again.list.at[0].body, NULL));
}

/* One after the other, a kind of damage to every second value of what was written, beginning with the first or second one. */
static void damage_with(struct bench *bench, const struct law_form *form, const struct split *to,
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
    const struct law_case *law = *state;
    const struct law_form *form = law->form;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    if (form->modes & LAW_STAYS)
        return;
    set_up(&bench, mem, law);
    bench_reconcile(&bench);
    const struct split steps[] = { { 100, 0, form->modes & LAW_MIRRORS },
                                   form->modes & LAW_SHIFTS ? (struct split){ 70, 30, false }
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
    const struct law_case *law = *state;
    const struct law_form *form = law->form;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct bench bench;
    set_up(&bench, mem, law);
    if (!bench.canary.service)
        return;
    bench_reconcile(&bench);
    bench_write(&bench, 100, 0, form->modes & LAW_MIRRORS);
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
        assert_true(effects.list.len <= REQUESTS_MAX);
    }
}

int laws_hold(const char *group, const struct law_form *forms, size_t len, const char *objects)
{
    static const CMUnitTestFunction laws[] = { what_is_written_is_read_and_stays,
                                               damage_is_repaired_and_the_traffic_stays,
                                               a_service_of_any_form_comes_to_an_end };
    struct law_case cases[FORMS_MAX];
    struct CMUnitTest tests[FORMS_MAX * ARRAY_LEN(laws)];
    assert_true(len <= FORMS_MAX);
    for (size_t i = 0; i < len; i++)
        cases[i] = (struct law_case){ &forms[i], objects };
    for (size_t l = 0; l < ARRAY_LEN(laws); l++)
        for (size_t i = 0; i < len; i++)
            tests[l * len + i] = (struct CMUnitTest){ .name = forms[i].name,
                                                      .test_func = laws[l],
                                                      .initial_state = &cases[i] };
    return _cmocka_run_group_tests(group, tests, len * ARRAY_LEN(laws), NULL, NULL);
}
