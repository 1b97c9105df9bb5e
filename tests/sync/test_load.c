#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "sync/load.h"

/* What a revision's manifests are, found in two ways: from its whole tree, and from what changed since another one. */
struct world {
    struct lab *lab;
    struct mirror *mirror;
    struct load_settings settings;
};

static int setup(void **state)
{
    struct lab *lab = lab_new();
    struct world *world = arena_alloc(lab->mem, sizeof(*world));
    struct mirror_opts opts = lab_opts(lab);
    struct mirror_fetched fetched;
    world->lab = lab;
    world->mirror = lab_mirror(&opts);
    assert_ok(mirror_fetch(world->mirror, lab_soon(20000), &fetched));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    mirror_free(world->mirror);
    lab_free(world->lab);
    return 0;
}

/* Runs a script in a clone, commits and fetches what came of it: the new head. */
static const char *commit(struct world *world, const char *script)
{
    struct mirror_fetched fetched;
    const char *head = lab_sh(world->lab,
                              "cd work && { %s; } && git add -A && git commit -q --allow-empty "
                              "-m change && git push -q -f origin HEAD:master && "
                              "git rev-parse HEAD",
                              script);
    assert_ok(mirror_fetch(world->mirror, lab_soon(20000), &fetched));
    assert_string_equal(fetched.head, head);
    return head;
}

static void keep(struct world *world, struct map *files, const struct files_entry *entry)
{
    map_set(files, entry->path, arena_printf(world->lab->mem, "%06o %s", entry->mode, entry->oid));
}

/* path -> "mode oid" of everything. */
static struct map *whole(struct world *world, const char *rev)
{
    struct load_list *list = load_list_new(&world->settings, rev, "");
    assert_ok(load_list_work(world->mirror, list, lab_soon(20000)));
    assert_false(list->is_delta);
    struct map *files = map_new(NULL);
    for (size_t i = 0; i < list->files.len; i++)
        keep(world, files, &list->files.at[i]);
    load_list_free(list);
    return files;
}

static struct load_list *delta_of(struct world *world, const char *base, const char *rev,
                                  const struct map *files)
{
    struct load_list *list = load_list_new(&world->settings, rev, "");
    const char *path;
    void *text;
    load_list_base(list, base);
    for (size_t at = 0; map_next(files, &at, &path, &text);)
        if (!strncmp(text, "120000 ", 7))
            load_list_add_link(list,
                               &(struct files_entry){ path, (const char *)text + 7, 0120000 });
    return list;
}

static void assert_same(const struct map *ours, const struct map *expected)
{
    const char *path;
    void *text;
    for (size_t at = 0; map_next(expected, &at, &path, &text);) {
        assert_non_null(map_get(ours, path));
        assert_string_equal(map_get(ours, path), text);
    }
    assert_int_equal(map_len(ours), map_len(expected));
}

/* The manifests of `base`, brought up to `rev` by what is told to have changed. */
static void check_step(struct world *world, const char *base, const char *rev, bool is_delta)
{
    SCOPED(map_free) struct map *files = whole(world, base);
    SCOPED(map_free) struct map *expected = whole(world, rev);
    struct load_list *list = delta_of(world, base, rev, files);
    assert_ok(load_list_work(world->mirror, list, lab_soon(20000)));
    assert_int_equal(list->is_delta, is_delta);
    for (size_t i = 0; list->is_delta && i < list->files.len; i++)
        keep(world, files, &list->files.at[i]);
    for (size_t i = 0; list->is_delta && i < list->gone.len; i++)
        (void)map_remove(files, list->gone.at[i]);
    if (list->is_delta)
        assert_same(files, expected);
    load_list_free(list);
}

static const struct step {
    const char *name, *script;
    bool is_delta;
} steps[] = {
    { "a file changes", "echo 2 > a.yaml", true },
    { "files come", "mkdir -p apps/web && echo 1 > apps/web/x.yaml && echo 1 > apps/y.yml", true },
    { "what is no manifest comes", "echo words > README.md && echo x > apps/web/run.sh", true },
    { "nothing changes", "true", true },
    { "a link comes", "ln -s ../dir/b.yaml apps/link.yaml", true },
    { "what a link leads to changes", "echo 'changed: 1' > dir/b.yaml", true },
    { "what a link leads to goes", "git rm -q dir/b.yaml", true },
    { "what a link leads to comes back", "mkdir -p dir && echo 'back: 1' > dir/b.yaml", true },
    { "a link becomes a file", "rm apps/link.yaml && echo 1 > apps/link.yaml", true },
    { "a file becomes a directory",
      "git rm -q apps/y.yml && mkdir apps/y.yml && "
      "echo 1 > apps/y.yml/in.yaml",
      true },
    { "a chart comes and hides its directory",
      "mkdir -p apps/chart/templates && "
      "echo 1 > apps/chart/Chart.yaml && "
      "echo 1 > apps/chart/values.yaml && "
      "echo 1 > apps/chart/templates/t.yaml",
      false },
    { "a file in a chart changes", "echo 2 > apps/chart/templates/t.yaml", true },
    { "a file in a chart comes", "echo 2 > apps/chart/templates/u.yaml", true },
    { "the values of a chart change", "echo 2 > apps/chart/values.yaml", true },
    { "a chart ends", "git rm -q apps/chart/Chart.yaml", false },
    { "files move", "git mv apps/web apps/moved", true },
    { "files go", "git rm -rq apps/moved", true },
    { "more changes than are worth it",
      "mkdir many && for i in $(seq 2100); do echo $i > many/$i.yaml; "
      "done",
      false },
};

static void follow_all(struct world *world)
{
    const char *revs[ARRAY_LEN(steps) + 1];
    revs[0] = commit(world, "mkdir apps && echo 1 > apps/first.yaml && echo words > dir/notes");
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        revs[i + 1] = commit(world, steps[i].script);
        check_step(world, revs[i], revs[i + 1], steps[i].is_delta);
    }
    /* Many at once, and back, as after a forced push: whatever way is taken, the end is the same. */
    SCOPED(map_free) struct map *first = whole(world, revs[0]);
    for (size_t i = 1; i < ARRAY_LEN(revs); i++) {
        struct load_list *list = delta_of(world, revs[0], revs[i], first);
        assert_ok(load_list_work(world->mirror, list, lab_soon(20000)));
        bool is_delta = list->is_delta;
        load_list_free(list);
        check_step(world, revs[0], revs[i], is_delta);
        check_step(world, revs[i], revs[0], is_delta);
    }
}

static void changes_lead_to_what_the_tree_says(void **state)
{
    follow_all(*state);
}

static void changes_lead_to_what_the_tree_says_below_git_paths(void **state)
{
    struct world *world = *state;
    world->settings.git_paths = (const char *const[]){ "./apps/", "dir", NULL };
    follow_all(world);
}

static void a_git_path_that_goes_is_an_error_again(void **state)
{
    struct world *world = *state;
    world->settings.git_paths = (const char *const[]){ "apps", NULL };
    const char *base = commit(world, "mkdir apps && echo 1 > apps/a.yaml");
    const char *rev = commit(world, "git rm -rq apps");
    SCOPED(map_free) struct map *files = whole(world, base);
    struct load_list *list = delta_of(world, base, rev, files);
    assert_fails(load_list_work(world->mirror, list, lab_soon(20000)), ERR_NOT_FOUND,
                 "unable to read root path \"apps\"");
    load_list_free(list);
}

static void a_base_that_is_not_here_any_more_is_as_good_as_none(void **state)
{
    struct world *world = *state;
    const char *rev = commit(world, "echo 2 > a.yaml");
    SCOPED(map_free) struct map *none = map_new(NULL);
    struct load_list *list = delta_of(world, "0123456789012345678901234567890123456789", rev, none);
    assert_ok(load_list_work(world->mirror, list, lab_soon(20000)));
    assert_false(list->is_delta);
    assert_int_equal(list->files.len, 2);
    load_list_free(list);
}

static const char *whole_note(struct arena *mem, const char *note)
{
    return arena_strdup(mem, note);
}

/* Whoever may push writes notes and makes directories: a thousand of either take no memory to speak of. */
static void notes_and_deep_paths_take_little_memory(void **state)
{
    struct world *world = *state;
    const char *base = lab_sh(world->lab, "git -C work rev-parse HEAD");
    (void)lab_sh(world->lab,
                 "{ printf x; yes \xc3\xa9 | tr -d '\\n' | head -c 900000; } >big && cd work && "
                 "for i in 1 2 3; do "
                 "git commit -q --allow-empty -m $i && git notes --ref flux add -F ../big HEAD; "
                 "done && git push -q origin HEAD:master refs/notes/flux");
    const char *rev = commit(world, "for i in $(seq 20); do mkdir -p $(printf \"$i%.0s/\" $(seq "
                                    "60)) && echo 1 >$(printf \"$i%.0s/\" $(seq 60))a.yaml; done");
    world->settings.release_notes_ref = "flux";
    world->settings.release_event = whole_note;
    struct load_list *list = load_list_new(&world->settings, rev, base);
    load_list_base(list, base);
    list->wants_log = true;
    assert_ok(load_list_work(world->mirror, list, lab_soon(20000)));
    assert_true(list->is_delta);
    assert_int_equal(list->files.len, 20);
    assert_int_equal(list->release_events.len, 3);
    assert_int_equal(strlen(list->release_events.at[0]),
                     4095); /* the next character has two bytes */
    assert_in_range(arena_used(list->mem), 0, 60000);
    load_list_free(list);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(changes_lead_to_what_the_tree_says),
        EACH(changes_lead_to_what_the_tree_says_below_git_paths),
        EACH(a_git_path_that_goes_is_an_error_again),
        EACH(a_base_that_is_not_here_any_more_is_as_good_as_none),
        EACH(notes_and_deep_paths_take_little_memory),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
