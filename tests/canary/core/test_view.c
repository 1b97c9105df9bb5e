#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../value.h"
#include "canary/view.h"

static const struct canary canary = { .name = "shop", .ns = "prod", .uid = "u-1" };

static void a_new_object_belongs_to_the_canary(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct canary_view view = { .mem = mem, .canary = &canary };
    assert_same_value(mem, view_new_object(&view, "v1", "Service", "cart-canary"),
                      value_of(mem, "apiVersion: v1\n"
                                    "kind: Service\n"
                                    "metadata:\n"
                                    "  name: cart-canary\n"
                                    "  namespace: prod\n"
                                    "  ownerReferences:\n"
                                    "  - apiVersion: flagger.app/v1beta1\n"
                                    "    kind: Canary\n"
                                    "    name: shop\n"
                                    "    uid: u-1\n"
                                    "    controller: true\n"
                                    "    blockOwnerDeletion: true\n"));
    assert_string_equal(view_title(&view), "shop.prod");
}

static void objects_are_looked_for_beside_the_canary(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    struct canary_view view = { .mem = mem, .canary = &canary, .live = live };
    struct val *object = val_new_map(mem);
    live_put(
        live,
        &(struct live_key){ .api_version = "v1", .kind = "Service", .ns = "prod", .name = "x" },
        LIVE_HERE, object, NULL);
    live_put(
        live,
        &(struct live_key){ .api_version = "v1", .kind = "Service", .ns = "test", .name = "y" },
        LIVE_HERE, object, NULL);
    assert_ptr_equal(view_find(&view, "v1", "Service", "x"), object);
    assert_null(view_find(&view, "v1", "Service", "y"));
}

static void the_pair_keeps_other_annotations(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *annotations =
        value_of(mem, "{a: b, kustomize.toolkit.fluxcd.io/reconcile: enabled}");
    view_add_flux_pair(mem, annotations);
    assert_same_value(mem, annotations,
                      value_of(mem, "{a: b, kustomize.toolkit.fluxcd.io/reconcile: disabled,"
                                    "helm.toolkit.fluxcd.io/driftDetection: disabled}"));
}

static void an_effect_is_about_its_object(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object =
        value_of(mem, "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: b}}");
    struct effects effects = { .mem = mem };
    struct effect *create = effect_add(&effects, EFFECT_CREATE, object);
    assert_string_equal(create->api_version, "v1");
    assert_string_equal(create->kind, "Service");
    assert_string_equal(create->ns, "b");
    assert_string_equal(create->name, "a");
    assert_ptr_equal(create->body, object);
    assert_string_equal(create->before, "");
    assert_string_equal(create->after, "");
    assert_null(create->log);
    assert_null(effect_add(&effects, EFFECT_DELETE, object)->body);
    assert_int_equal(effects.list.len, 2);
    assert_int_equal(effects.list.at[0].verb, EFFECT_CREATE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_object_belongs_to_the_canary),
        cmocka_unit_test(objects_are_looked_for_beside_the_canary),
        cmocka_unit_test(the_pair_keeps_other_annotations),
        cmocka_unit_test(an_effect_is_about_its_object),
    };
    return cmocka_run_group_tests_name("canary_view", tests, NULL, NULL);
}
