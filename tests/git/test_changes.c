#include "lab.h"

#include <string.h>

static const char *changed(struct lab *lab, struct mirror *mirror, const char *from, const char *to)
{
    struct mirror_changes changes;
    assert_ok(mirror_compare(mirror, lab->mem, from, to, &changes));
    const char *text = "";
    for (size_t i = 0; i < changes.len; i++)
        text = arena_printf(lab->mem, "%s%c %s %06o %.7s\n", text, "AMD"[changes.at[i].kind],
                            changes.at[i].path, changes.at[i].mode, changes.at[i].oid);
    return text;
}

/* What git itself says of two revisions, in the same words. */
static const char *told_by_git(struct lab *lab, const char *from, const char *to)
{
    return lab_sh(
        lab,
        "git -C work diff-tree -r --no-renames --abbrev=7 %s %s | "
        "awk -F'[ \\t]' '{ kind = $5 == \"T\" ? \"M\" : $5; path = $6; "
        "print kind, path, kind == \"D\" ? \"000000\" : $2, kind == \"D\" ? \"\" : $4 }' | "
        "LC_ALL=C sort -k2",
        from, to);
}

/* One script for each way in which a tree can change; all of them after one another, and each way back. */
static const char *const scripts[] = {
    "echo 2 > a.yaml",
    "mkdir -p deep/er/still && echo 1 > deep/er/still/new.yaml && echo 1 > deep/b",
    "echo 1 > deep.yaml && echo 1 > deep-er && echo 2 > dir/b.yaml && chmod +x dir/b.yaml",
    "git rm -q a.yaml && ln -s dir/b.yaml a.yaml",
    "git rm -rq dir && echo 'a file now' > dir",
    "git rm -q dir && mkdir dir && echo 3 > dir/b.yaml && echo 3 > dir/c.yaml",
    "git mv deep/er moved",
    "git rm -rq deep moved && seq 300 | while read i; do mkdir -p many/$i && echo $i > many/$i/f; "
    "done",
    "echo changed > many/77/f && git rm -q many/78/f",
    "true",
};

static void it_says_what_git_says(void **state)
{
    struct lab *lab = *state;
    const char *revs[ARRAY_LEN(scripts) + 1] = { lab_sh(lab, "git -C work rev-parse HEAD") };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        revs[i + 1] = lab_sh(lab,
                             "cd work && { %s; } && git add -A && git commit -q --allow-empty "
                             "-m change && git rev-parse HEAD",
                             scripts[i]);
    lab_sh(lab, "git -C work push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    for (size_t from = 0; from < ARRAY_LEN(revs); from++)
        for (size_t to = 0; to < ARRAY_LEN(revs); to++) {
            const char *ours = changed(lab, mirror, revs[from], revs[to]);
            const char *gits = told_by_git(lab, revs[from], revs[to]);
            assert_string_equal(ours, *gits ? arena_printf(lab->mem, "%s\n", gits) : "");
        }
}

static void submodules_are_no_files(void **state)
{
    struct lab *lab = *state;
    const char *before = lab_sh(lab, "git -C work rev-parse HEAD");
    lab_sh(lab, "cd work && git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub && "
                "git commit -qm sub && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    assert_string_equal(changed(lab, mirror, before, "master"), "");
}

static void a_revision_that_is_not_here_is_not_found(void **state)
{
    struct lab *lab = *state;
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_changes changes;
    assert_fails(mirror_compare(mirror, lab->mem, "0123456789012345678901234567890123456789",
                                "master", &changes),
                 ERR_NOT_FOUND, "bad revision");
    assert_fails(mirror_compare(mirror, lab->mem, "master", "nowhere", &changes), ERR_NOT_FOUND,
                 "nowhere");
    /* And the mirror is not taken for damaged: nothing is fetched anew. */
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(20000), &fetched));
    assert_false(fetched.was_clone);
}

static void a_tree_with_hostile_names_is_refused(void **state)
{
    struct lab *lab = *state;
    const char *before = lab_sh(lab, "git -C work rev-parse HEAD");
    lab_sh(lab, "cd work && tree=$(printf '100644 blob %%s\\t..\\n' $(git rev-parse HEAD:a.yaml) | "
                "git mktree) && git push -q -f origin "
                "$(git commit-tree -m evil -p HEAD $tree):refs/heads/master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_changes changes;
    assert_fails(mirror_compare(mirror, lab->mem, before, "master", &changes), ERR_INVALID,
                 "\"..\"");
}

/* A few small objects, and no end of directories. */
static void trees_that_unfold_without_end_are_refused(void **state)
{
    struct lab *lab = *state;
    const char *before = lab_sh(lab, "git -C work rev-parse HEAD");
    lab_sh(lab, "cd work && tree=$(git mktree </dev/null) && for i in $(seq 30); do "
                "tree=$(for n in $(seq 30); do printf \"040000 tree $tree\\t$n\\n\"; done | "
                "git mktree); done && git push -q -f origin "
                "$(git commit-tree -m bomb -p HEAD $tree):refs/heads/master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_changes changes;
    assert_fails(mirror_compare(mirror, lab->mem, before, "master", &changes), ERR_LIMIT,
                 "are to be compared");
}

static void a_path_is_there_or_not_and_links_lead_to_a_file(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && ln -s dir/b.yaml link && ln -s nothing broken && git add -A && "
                "git commit -qm links && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    char oid[MIRROR_SHA_BYTES];
    assert_true(mirror_has(mirror, lab->mem, "master", "dir/b.yaml"));
    assert_true(mirror_has(mirror, lab->mem, "master", "dir"));
    assert_true(mirror_has(mirror, lab->mem, "master", ""));
    assert_false(mirror_has(mirror, lab->mem, "master", "dir/c.yaml"));
    assert_false(mirror_has(mirror, lab->mem, "master", "../dir"));
    assert_ok(mirror_file_id(mirror, lab->mem, "master", "link", oid));
    assert_string_equal(oid, lab_sh(lab, "git -C work rev-parse HEAD:dir/b.yaml"));
    assert_fails(mirror_file_id(mirror, lab->mem, "master", "broken", oid), ERR_NOT_FOUND,
                 "symbolic link to nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(it_says_what_git_says),
        lab_test(submodules_are_no_files),
        lab_test(a_revision_that_is_not_here_is_not_found),
        lab_test(a_tree_with_hostile_names_is_refused),
        lab_test(trees_that_unfold_without_end_are_refused),
        lab_test(a_path_is_there_or_not_and_links_lead_to_a_file),
    };
    return cmocka_run_group_tests_name("git_changes", tests, NULL, NULL);
}
