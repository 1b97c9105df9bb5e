#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../value.h"
#include "canary/live.h"

static const struct live_key service = {
    .api_version = "v1", .kind = "Service", .ns = "prod", .name = "cart", .form = LIVE_FULL
};
static const struct live_key checked = {
    .api_version = "v1", .kind = "Secret", .ns = "prod", .name = "key", .form = LIVE_CHECKSUM
};
static const struct live_key opened = {
    .api_version = "v1", .kind = "Secret", .ns = "prod", .name = "key", .form = LIVE_SECRET
};

static enum live_state state_of(const struct live *live, const struct live_key *key)
{
    return live_state(live, key->api_version, key->kind, key->ns, key->name);
}

static const struct val *find(const struct live *live, const struct live_key *key)
{
    return live_find(live, key->api_version, key->kind, key->ns, key->name);
}

static void what_was_never_put_is_unknown(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    assert_int_equal(state_of(live, &service), LIVE_UNKNOWN);
    assert_null(find(live, &service));
    assert_null(live_checksum(live, "Secret", "prod", "key"));
}

static void an_object_is_found_by_all_of_its_key(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    struct val *object = value_of(mem, "{kind: Service}");
    live_put(live, &service, LIVE_HERE, object, NULL);
    assert_ptr_equal(find(live, &service), object);
    assert_int_equal(state_of(live, &service), LIVE_HERE);
    struct live_key others[] = { service, service, service, service };
    others[0].api_version = "v2";
    others[1].kind = "Secret";
    others[2].ns = "";
    others[3].name = "car";
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(state_of(live, &others[i]), LIVE_UNKNOWN);
}

static void the_last_word_counts(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    live_put(live, &service, LIVE_UNKNOWN, NULL, NULL);
    live_put(live, &service, LIVE_HERE, value_of(mem, "{}"), NULL);
    assert_int_equal(state_of(live, &service), LIVE_HERE);
    live_put(live, &service, LIVE_ABSENT, NULL, NULL);
    assert_int_equal(state_of(live, &service), LIVE_ABSENT);
    assert_null(find(live, &service));
    live_put(live, &service, LIVE_NO_KIND, NULL, NULL);
    assert_int_equal(state_of(live, &service), LIVE_NO_KIND);
}

/* A Secret that the pods refer to may hold the token of an alert provider, too. */
static void one_secret_may_be_there_in_two_forms(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    struct val *meta = value_of(mem, "{metadata: {name: key}}");
    struct val *whole = value_of(mem, "{metadata: {name: key}, data: {token: eA==}}");
    live_put(live, &opened, LIVE_HERE, whole, NULL);
    live_put(live, &checked, LIVE_HERE, meta, "abc");
    assert_ptr_equal(find(live, &opened), whole);
    assert_string_equal(live_checksum(live, "Secret", "prod", "key"), "abc");

    live_put(live, &opened, LIVE_UNKNOWN, NULL, NULL);
    assert_int_equal(state_of(live, &opened), LIVE_UNKNOWN);
    assert_null(find(live, &opened)); /* metadata alone is not what its readers want */
    assert_string_equal(live_checksum(live, "Secret", "prod", "key"), "abc");
}

static void a_config_that_goes_takes_its_checksum_along(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live *live = live_new(mem);
    live_put(live, &checked, LIVE_HERE, value_of(mem, "{metadata: {}}"), "abc");
    assert_non_null(find(live, &checked));
    live_put(live, &checked, LIVE_ABSENT, NULL, NULL);
    assert_null(live_checksum(live, "Secret", "prod", "key"));
    assert_int_equal(state_of(live, &checked), LIVE_ABSENT);
}

static void wants_are_kept_in_order(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct live_wants wants = { .mem = mem };
    live_want(&wants, &service);
    live_want(&wants, &opened);
    assert_int_equal(wants.keys.len, 2);
    assert_string_equal(wants.keys.at[0].name, "cart");
    assert_int_equal(wants.keys.at[1].form, LIVE_SECRET);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_put_is_unknown),
        cmocka_unit_test(an_object_is_found_by_all_of_its_key),
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(one_secret_may_be_there_in_two_forms),
        cmocka_unit_test(a_config_that_goes_takes_its_checksum_along),
        cmocka_unit_test(wants_are_kept_in_order),
    };
    return cmocka_run_group_tests_name("canary_live", tests, NULL, NULL);
}
