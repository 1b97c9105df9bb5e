#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "sync/inventory.h"

struct world {
    struct inventory inv;
    char gone[256]; /* IDs that became undeclared, each followed by a space */
    const char *dropped;
    int duplicates; /* told of in the last update */
    int64_t now_ms;
};

static int set_up(void **state)
{
    struct world *world = base_alloc(sizeof(*world));
    inventory_init(&world->inv);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    inventory_fini(&world->inv);
    free(world);
    return 0;
}

static void on_gone(void *ctx, const struct inventory_object *object)
{
    struct world *world = ctx;
    size_t len = strlen(world->gone);
    snprintf(world->gone + len, sizeof(world->gone) - len, "%s ", object->id);
}

static void on_duplicate(void *ctx, const struct inventory_object *object)
{
    struct world *world = ctx;
    assert_non_null(object->message);
    world->duplicates++;
}

static struct inventory_object *declare(struct inventory_file *file, const char *id, char version)
{
    struct inventory_object *object = inventory_object_new(id);
    object->path = base_copy_text(file->path);
    object->api_version = base_copy_text("v1");
    object->kind = base_copy_text("ConfigMap");
    object->body = base_copy_text("{}");
    object->checksum = base_copy_text((char[]){ version, '\0' });
    memset(object->body_print, version, sizeof(object->body_print));
    *vec_push(NULL, &file->objects) = object;
    return object;
}

static void update(struct world *world, struct inventory_file *file)
{
    world->gone[0] = '\0';
    world->duplicates = 0;
    inventory_update(&world->inv, &(struct inventory_update){ .files = &file,
                                                              .count = file ? 1 : 0,
                                                              .gone = &world->dropped,
                                                              .gone_count = world->dropped ? 1 : 0,
                                                              .on_gone = on_gone,
                                                              .on_duplicate = on_duplicate,
                                                              .ctx = world,
                                                              .now_ms = ++world->now_ms });
}

static void pretend_applied(struct inventory_object *object)
{
    object->is_dirty = false;
    object->is_changed = false;
    object->was_applied = true;
    object->live = INVENTORY_PRESENT;
    object->live_version = 42;
    memcpy(object->applied_print, object->body_print, sizeof(object->applied_print));
    inventory_set_outcome(object, SYNC_APPLIED, NULL, 5);
}

/* A file declares ConfigMaps: "a1 b2" is a in its version 1 and b in its version 2. */
static void says(struct world *world, const char *path, const char *blob, const char *objects)
{
    struct inventory_file *file = inventory_file_new(path, blob, 0100644);
    for (const char *at = objects; *at; at += strspn(at + 2, " ") + 2) {
        char id[64];
        snprintf(id, sizeof(id), "demo:configmap/%c", at[0]);
        declare(file, id, at[1]);
    }
    update(world, file);
}

static void drop(struct world *world, const char *path)
{
    world->dropped = path;
    update(world, NULL);
}

static struct inventory_object *find(struct world *world, const char *name)
{
    char id[64];
    snprintf(id, sizeof(id), "demo:configmap/%s", name);
    return inventory_find(&world->inv, id);
}

static void new_objects_are_to_be_applied(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1");
    const struct inventory_object *object = find(world, "a");
    assert_true(object->is_dirty);
    assert_true(object->is_changed);
    assert_int_equal(object->outcome, SYNC_PENDING);
}

static void an_unchanged_object_of_a_changed_file_is_left_alone(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1 b1");
    pretend_applied(find(world, "a"));
    pretend_applied(find(world, "b"));

    says(world, "a.yaml", "2", "a1 b2");
    const struct inventory_object *a = find(world, "a");
    const struct inventory_object *b = find(world, "b");
    assert_false(a->is_dirty);
    assert_false(a->is_changed);
    assert_int_equal(a->outcome, SYNC_APPLIED);
    assert_int_equal(a->live_version, 42);
    assert_true(b->is_dirty);
    assert_true(b->is_changed);
    assert_int_equal(b->live_version, 42);
}

static void an_object_that_moves_to_another_file_is_not_gone(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1");
    pretend_applied(find(world, "a"));
    world->dropped = "a.yaml";
    says(world, "b.yaml", "1", "a1");
    assert_string_equal(world->gone, "");
    assert_false(find(world, "a")->is_dirty);
    assert_string_equal(find(world, "a")->path, "b.yaml");
}

static void what_no_file_declares_any_more_is_gone(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1 b1");
    says(world, "a.yaml", "2", "b1");
    assert_string_equal(world->gone, "demo:configmap/a ");
    drop(world, "a.yaml");
    assert_string_equal(world->gone, "demo:configmap/b ");
    assert_int_equal(map_len(world->inv.objects), 0);
}

static void two_claims_on_one_object_apply_neither_and_name_both(void **state)
{
    struct world *world = *state;
    says(world, "web.yaml", "1", "a1");
    pretend_applied(find(world, "a"));
    says(world, "copy.yaml", "1", "a2");
    const struct inventory_object *object = find(world, "a");
    assert_int_equal(object->outcome, SYNC_FAILED);
    assert_string_equal(object->message,
                        "duplicate definition of 'demo:configmap/a' (in copy.yaml and web.yaml)");
    assert_false(object->is_dirty);
    assert_string_equal(world->gone, "");
    assert_int_equal(world->duplicates, 1);
}

static void a_claim_that_is_known_to_be_double_is_told_of_once(void **state)
{
    struct world *world = *state;
    two_claims_on_one_object_apply_neither_and_name_both(state);
    says(world, "copy.yaml", "2", "a3");
    assert_int_equal(world->duplicates, 0);
    assert_int_equal(find(world, "a")->outcome, SYNC_FAILED);
}

static void of_three_claims_the_last_that_stays_stands(void **state)
{
    struct world *world = *state;
    static const char *const paths[] = { "a.yaml", "b.yaml", "c.yaml" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        says(world, paths[i], "1", "a1");
    for (size_t i = 0; i < 2; i++) /* the middle one, then the first */
        drop(world, paths[1 - i]);
    const struct inventory_object *object = find(world, "a");
    assert_string_equal(object->path, "c.yaml");
    assert_null(object->rival);
    assert_true(object->is_dirty);
    drop(world, "c.yaml");
    assert_string_equal(world->gone, "demo:configmap/a ");
}

static void what_no_changed_file_declares_is_not_looked_at(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1");
    struct inventory_object *object = find(world, "a");
    pretend_applied(object);
    inventory_set_outcome(object, SYNC_DRIFTED, "changed by hand", 6);
    says(world, "b.yaml", "1", "b1");
    assert_ptr_equal(find(world, "a"), object);
    assert_int_equal(object->outcome, SYNC_DRIFTED);
}

static size_t count_of(const struct world *world, const char *key)
{
    const struct inventory_kind *kind = map_get(world->inv.kinds, key);
    return kind ? kind->count : 0;
}

static void kinds_are_counted_by_what_is_to_be_applied(void **state)
{
    struct world *world = *state;
    struct inventory_file *file = inventory_file_new("a.yaml", "1", 0100644);
    declare(file, "demo:configmap/a", '1');
    struct inventory_object *skipped = declare(file, "demo:configmap/b", '1');
    free(skipped->body);
    skipped->body = NULL;
    update(world, file);
    assert_int_equal(count_of(world, "v1 ConfigMap"), 1);
    says(world, "a.yaml", "2", "a1 b1");
    assert_int_equal(count_of(world, "v1 ConfigMap"), 2);
    drop(world, "a.yaml");
    assert_int_equal(count_of(world, "v1 ConfigMap"), 0);
}

static void links_are_known_as_such(void **state)
{
    struct world *world = *state;
    update(world, inventory_file_new("a.yaml", "1", 0120000));
    assert_non_null(map_get(world->inv.links, "a.yaml"));
    update(world, inventory_file_new("a.yaml", "1", 0100644));
    assert_null(map_get(world->inv.links, "a.yaml"));
    update(world, inventory_file_new("a.yaml", "1", 0120000));
    drop(world, "a.yaml");
    assert_int_equal(map_len(world->inv.links), 0);
}

static void an_autoscaler_that_goes_leaves_its_target_without_one(void **state)
{
    struct world *world = *state;
    struct inventory_file *file = inventory_file_new("a.yaml", "1", 0100644);
    declare(file, "demo:deployment/web", '1');
    update(world, file);
    static const char *const paths[] = { "b.yaml", "c.yaml" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) { /* two of one target */
        file = inventory_file_new(paths[i], "1", 0100644);
        declare(file, i ? "demo:horizontalpodautoscaler/two" : "demo:horizontalpodautoscaler/one",
                '1')
            ->scale_target = base_copy_text("demo:deployment/web");
        update(world, file);
    }
    const struct inventory_object *web = inventory_find(&world->inv, "demo:deployment/web");
    drop(world, "b.yaml");
    assert_true(inventory_has_scaler(&world->inv, web));
    drop(world, "c.yaml");
    assert_false(inventory_has_scaler(&world->inv, web));
}

static void when_one_of_two_claims_goes_the_other_stands_again(void **state)
{
    struct world *world = *state;
    two_claims_on_one_object_apply_neither_and_name_both(state);
    drop(world, "copy.yaml");
    const struct inventory_object *object = find(world, "a");
    assert_null(object->rival);
    assert_int_equal(object->outcome, SYNC_APPLIED);
    assert_null(object->message);
}

static void two_claims_in_one_file_name_it_once(void **state)
{
    struct world *world = *state;
    says(world, "twice.yaml", "1", "a1 a1");
    assert_string_equal(find(world, "a")->message,
                        "duplicate definition of 'demo:configmap/a' (in twice.yaml)");
}

static void a_file_that_breaks_keeps_what_it_declared(void **state)
{
    struct world *world = *state;
    says(world, "a.yaml", "1", "a1 b1");
    struct inventory_file *file = inventory_file_new("a.yaml", "2", 0100644);
    declare(file, "demo:configmap/a", '2');
    file->is_broken = true;
    *vec_push(NULL, &file->problems) = base_copy_text("a.yaml:4:1: did not find expected key");
    update(world, file);
    assert_string_equal(world->gone, "");
    assert_non_null(find(world, "b"));
    assert_string_equal(find(world, "a")->checksum, "2");
    assert_int_equal(inventory_problem_count(&world->inv), 1);
}

static void what_an_autoscaler_names_has_a_scaler(void **state)
{
    struct world *world = *state;
    struct inventory_file *file = inventory_file_new("a.yaml", "1", 0100644);
    struct inventory_object *web = declare(file, "demo:deployment/web", '1');
    struct inventory_object *other = declare(file, "demo:deployment/other", '1');
    declare(file, "demo:horizontalpodautoscaler/web", '1')->scale_target =
        base_copy_text("demo:deployment/web");
    update(world, file);
    assert_true(inventory_has_scaler(&world->inv, web));
    assert_false(inventory_has_scaler(&world->inv, other));
}

/* A repository may say one thing as often as it has documents: that takes as long as to say as many different things. (Claim
 * by claim compared with all others this would not end before the test is ended.) */
static void a_crowd_of_claims_is_no_more_work_than_as_many_objects(void **state)
{
    enum { CLAIMS = 150000 };
    struct world *world = *state;
    struct inventory_file *file = inventory_file_new("a.yaml", "1", 0100644);
    for (int i = 0; i < CLAIMS; i++)
        declare(file, "demo:configmap/a", '1');
    update(world, file);
    const struct inventory_object *first = find(world, "a");
    assert_int_equal(first->outcome, SYNC_FAILED);
    assert_null(first->rival->message); /* as long as the names of all files, perhaps */
    file = inventory_file_new("a.yaml", "2", 0100644);
    for (int i = 0; i < CLAIMS; i++) {
        char id[64];
        snprintf(id, sizeof(id), "demo:configmap/%d", i);
        declare(file, id, '1');
    }
    update(world, file);
    assert_int_equal(map_len(world->inv.objects), CLAIMS);
    file = inventory_file_new("a.yaml", "3", 0100644);
    file->is_broken = true;
    update(world, file);
    assert_int_equal(map_len(world->inv.objects), CLAIMS);
}

/* The same of as many files, of which the oldest goes first. */
static void a_crowd_of_files_that_claim_one_object_goes_as_fast(void **state)
{
    enum { CLAIMS = 150000 };
    struct world *world = *state;
    struct inventory_file **files = base_alloc(CLAIMS * sizeof(*files));
    const char **paths = base_alloc(CLAIMS * sizeof(*paths));
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct inventory_update change = { .on_gone = on_gone, .on_duplicate = on_duplicate };
    for (int i = 0; i < CLAIMS; i++) {
        paths[i] = arena_printf(mem, "%d.yaml", i);
        files[i] = inventory_file_new(paths[i], "1", 0100644);
        declare(files[i], "demo:configmap/a", '1');
    }
    change.ctx = world;
    change.files = files;
    change.count = CLAIMS;
    inventory_update(&world->inv, &change);
    assert_int_equal(find(world, "a")->outcome, SYNC_FAILED);
    change.count = 0;
    change.gone = paths;
    change.gone_count = CLAIMS - 1;
    inventory_update(&world->inv, &change);
    assert_null(find(world, "a")->rival);
    assert_string_equal(find(world, "a")->path, paths[CLAIMS - 1]);
    free(paths);
    free(files);
}

#define EACH(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        EACH(new_objects_are_to_be_applied),
        EACH(an_unchanged_object_of_a_changed_file_is_left_alone),
        EACH(an_object_that_moves_to_another_file_is_not_gone),
        EACH(what_no_file_declares_any_more_is_gone),
        EACH(two_claims_on_one_object_apply_neither_and_name_both),
        EACH(a_claim_that_is_known_to_be_double_is_told_of_once),
        EACH(of_three_claims_the_last_that_stays_stands),
        EACH(what_no_changed_file_declares_is_not_looked_at),
        EACH(kinds_are_counted_by_what_is_to_be_applied),
        EACH(links_are_known_as_such),
        EACH(an_autoscaler_that_goes_leaves_its_target_without_one),
        EACH(when_one_of_two_claims_goes_the_other_stands_again),
        EACH(two_claims_in_one_file_name_it_once),
        EACH(a_file_that_breaks_keeps_what_it_declared),
        EACH(a_crowd_of_claims_is_no_more_work_than_as_many_objects),
        EACH(a_crowd_of_files_that_claim_one_object_goes_as_fast),
        EACH(what_an_autoscaler_names_has_a_scaler),
    };
    return rows_run("inventory", tests, ARRAY_LEN(tests));
}
