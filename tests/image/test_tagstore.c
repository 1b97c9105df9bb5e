#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "image/tagstore.h"

#define A    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define S    ((int64_t)1000000000)
#define HOUR 3600

static const char *const three[] = { "b", "a", "c", "a" };

static struct image_info info_of(const char *digest, int64_t fetched_s)
{
    return (struct image_info){ .is_known = true,
                                .why_excluded = "",
                                .digest = digest,
                                .image_id = B,
                                .label_created = "",
                                .label_build_date = "",
                                .has_created = true,
                                .created_ns = 42,
                                .fetched_ns = fetched_s * S };
}

static void a_listing_keeps_what_is_known_of_tags_that_stay(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(tagstore_free) struct tagstore *store = tagstore_new();
    struct image_repo view;
    struct image_info info = info_of(A, 10);
    assert_int_equal(tagstore_list(store, three, 4), 3);
    assert_string_equal(tagstore_name(store, 1), "b");
    assert_true(tagstore_learn(store, "b", &info));
    assert_true(tagstore_learn(store, "c", &info));
    assert_false(tagstore_learn(store, "d", &info));
    static const char *const other[] = { "d", "b" };
    assert_int_equal(tagstore_list(store, other, 2), 1);
    tagstore_view(store, mem, false, &view);
    assert_int_equal(view.count, 2);
    assert_string_equal(view.infos[0].tag, "b");
    assert_true(view.infos[0].is_known && view.infos[0].has_created);
    assert_int_equal(view.infos[0].created_ns, 42);
    assert_string_equal(view.infos[0].digest, A);
    assert_string_equal(view.infos[0].image_id, B);
    assert_false(view.infos[1].is_known);
    assert_string_equal(view.infos[1].digest, "");
    assert_int_equal(tagstore_list(store, NULL, 0), 0);
    assert_int_equal(tagstore_len(store), 0);
}

static void texts_come_back_as_they_were(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(tagstore_free) struct tagstore *store = tagstore_new();
    struct image_repo view;
    (void)tagstore_list(store, three, 4);
    size_t before = tagstore_bytes(store);
    struct image_info info = info_of(A, 10);
    info.label_build_date = "2020-01-01T00:00:00Z";
    info.image_id = A + strlen("sha256:"); /* of schema 1 */
    (void)tagstore_learn(store, "a", &info);
    info = (struct image_info){ .is_excluded = true,
                                .why_excluded = "no platform",
                                .digest = "",
                                .image_id = "",
                                .label_created = "",
                                .label_build_date = "" };
    (void)tagstore_learn(store, "b", &info);
    assert_true(tagstore_bytes(store) > before);
    (void)tagstore_list(store, three, 4);
    tagstore_view(store, mem, true, &view);
    assert_string_equal(view.infos[0].label_created, "");
    assert_string_equal(view.infos[0].label_build_date, "2020-01-01T00:00:00Z");
    assert_int_equal(view.infos[0].created_ns, 1577836800 * S); /* labels are trusted here */
    assert_string_equal(view.infos[0].image_id, A + strlen("sha256:"));
    assert_string_equal(view.infos[1].why_excluded, "no platform");
    assert_string_equal(view.infos[1].image_id, "");
}

/* Seconds after a look that the next one is due. */
static int64_t due_after(const struct tagstore *store, int64_t looked_s)
{
    for (int64_t s = 0; s <= 8 * 24 * HOUR; s += 60) {
        if (tagstore_is_due(store, 0, looked_s + s))
            return s;
    }
    return -1;
}

static void what_changes_often_is_looked_at_often(void **state)
{
    (void)state;
    SCOPED(tagstore_free) struct tagstore *store = tagstore_new();
    (void)tagstore_list(store, three, 4);
    assert_true(tagstore_is_due(store, 0, 0));
    struct image_info info = info_of(A, 100);
    (void)tagstore_learn(store, "a", &info);
    assert_int_equal(due_after(store, 100), HOUR);
    tagstore_confirm(store, "a", 200 * S);
    assert_int_equal(due_after(store, 200), 2 * HOUR);
    (void)tagstore_learn(store, "a", &info);
    assert_int_equal(due_after(store, 100), 4 * HOUR);
    info.digest = B;
    (void)tagstore_learn(store, "a", &info);
    assert_int_equal(due_after(store, 100), 2 * HOUR);
    for (int i = 0; i < 40; i++)
        tagstore_confirm(store, "a", 100 * S);
    assert_int_equal(due_after(store, 100), 7 * 24 * HOUR);
    for (int i = 0; i < 40; i++) {
        info.digest = i % 2 ? B : A;
        (void)tagstore_learn(store, "a", &info);
    }
    assert_int_equal(due_after(store, 100), 300);
    info.is_excluded = true;
    (void)tagstore_learn(store, "a", &info);
    assert_int_equal(due_after(store, 100), 24 * HOUR);
    info.digest = ""; /* nobody could read it: an error that may be over soon */
    (void)tagstore_learn(store, "a", &info);
    assert_int_equal(due_after(store, 100), 300);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_listing_keeps_what_is_known_of_tags_that_stay),
        cmocka_unit_test(texts_come_back_as_they_were),
        cmocka_unit_test(what_changes_often_is_looked_at_often),
    };
    return cmocka_run_group_tests_name("image_tagstore", all, NULL, NULL);
}
