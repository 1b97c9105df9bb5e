#include "lab.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All paths, one a line. */
static const char *listed(struct lab *lab, struct mirror *mirror, const char *const *paths)
{
    struct mirror_entries entries;
    assert_ok(mirror_list(mirror, lab->mem, "master", paths, &entries));
    const char *text = "";
    for (size_t i = 0; i < entries.len; i++)
        text = arena_printf(lab->mem, "%s%s\n", text, entries.at[i].path);
    return text;
}

static void files_come_in_byte_order_and_with_their_modes(void **state)
{
    struct lab *lab = *state;
    lab_sh(
        lab,
        "cd work && mkdir a a/z 'with space' && echo 1 > a/z/f && echo 2 > a-b && echo 3 > a0 && "
        "echo 4 > 'with space/x y' && chmod +x a0 && ln -s a.yaml link && git add -A && "
        "git commit -qm more && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    assert_string_equal(listed(lab, mirror, NULL),
                        "a-b\na.yaml\na/z/f\na0\ndir/b.yaml\nlink\nwith space/x y\n");
    struct mirror_entries entries;
    assert_ok(mirror_list(mirror, lab->mem, "master", NULL, &entries));
    assert_int_equal(entries.at[0].mode, 0100644);
    assert_int_equal(entries.at[3].mode, 0100755);
    assert_int_equal(entries.at[5].mode, 0120000);
    assert_string_equal(entries.at[0].oid, lab_sh(lab, "git -C work rev-parse HEAD:a-b"));
}

static void paths_choose_directories_and_files(void **state)
{
    struct lab *lab = *state;
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    const char *const dir[] = { "./dir//", NULL };
    const char *const file[] = { "a.yaml", "dir/b.yaml", NULL };
    const char *const root[] = { ".", NULL };
    assert_string_equal(listed(lab, mirror, dir), "dir/b.yaml\n");
    assert_string_equal(listed(lab, mirror, file), "a.yaml\ndir/b.yaml\n");
    assert_string_equal(listed(lab, mirror, root), "a.yaml\ndir/b.yaml\n");
}

static void a_path_that_is_missing_or_leaves_the_tree_is_named(void **state)
{
    struct lab *lab = *state;
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_entries entries;
    const char *const missing[] = { "dir", "apps", NULL };
    assert_fails(mirror_list(mirror, lab->mem, "master", missing, &entries), ERR_NOT_FOUND,
                 "unable to read root path \"apps\": no such file or directory at master");
    static const char *const bad[] = { "../x", "dir/../../etc", "/etc", ".." };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const paths[] = { bad[i], NULL };
        const char *text;
        size_t len;
        assert_fails(mirror_list(mirror, lab->mem, "master", paths, &entries), ERR_INVALID, bad[i]);
        assert_fails(mirror_read_path(mirror, lab->mem, "master", bad[i], 10, &text, &len),
                     ERR_INVALID, bad[i]);
    }
    char deep[5000];
    memset(deep, 0x61, sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    const char *const endless[] = { deep, NULL };
    assert_fails(mirror_list(mirror, lab->mem, "master", endless, &entries), ERR_LIMIT, "");
    deep[4094] = 0;
    assert_fails(mirror_list(mirror, lab->mem, "master", endless, &entries), ERR_NOT_FOUND, "aaa");
    const char *const under_file[] = { "a.yaml/x", NULL };
    assert_fails(mirror_list(mirror, lab->mem, "master", under_file, &entries), ERR_NOT_FOUND,
                 "a.yaml/x");
}

static void names_are_bytes(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && printf 1 > \"$(printf 'new\\nline')\" && printf 2 > \"$(printf "
                "'caf\\351')\" && "
                "git add -A && git commit -qm odd && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    assert_string_equal(listed(lab, mirror, NULL), "a.yaml\ncaf\351\ndir/b.yaml\nnew\nline\n");
    const char *text;
    size_t len;
    assert_ok(mirror_read_path(mirror, lab->mem, "master", "new\nline", 10, &text, &len));
    assert_string_equal(text, "1");
    assert_ok(mirror_read_path(mirror, lab->mem, "master", "caf\351", 10, &text, &len));
    assert_string_equal(text, "2");
    assert_fails(mirror_read_path(mirror, lab->mem, "master", "no\nfile", 10, &text, &len),
                 ERR_NOT_FOUND, "no\\nfile");
}

static void a_file_over_the_limit_is_refused(void **state)
{
    struct lab *lab = *state;
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    const char *text;
    size_t len;
    assert_ok(mirror_read_path(mirror, lab->mem, "HEAD", "a.yaml", 5, &text, &len));
    assert_int_equal(len, 5);
    assert_fails(mirror_read_path(mirror, lab->mem, "HEAD", "a.yaml", 4, &text, &len), ERR_LIMIT,
                 "a.yaml: larger than 4 bytes");
}

struct link_case {
    const char *name, *path;
    const char *text; /* what is read; NULL: an error */
    enum err_kind kind;
    const char *part;
};

// clang-format off
static const struct link_case link_cases[] = {
    { "a link to a file beside it is read", "plain", "a: 1\n", 0, NULL },
    { "a link up and down again is read", "dir/up", "a: 1\n", 0, NULL },
    { "a link to a link is read", "twice", "a: 1\n", 0, NULL },
    { "a link through a linked directory is read", "through", "b: 1\n", 0, NULL },
    { "dots and doubled slashes in a link are fine", "dotted", "b: 1\n", 0, NULL },
    { "an absolute link leaves the tree", "absolute", NULL, ERR_INVALID, "absolute is a symbolic link that leads out" },
    { "a link above the root leaves the tree", "above", NULL, ERR_INVALID, "above is a symbolic link that leads out" },
    { "a link that leaves and returns leaves the tree", "dir/around", NULL, ERR_INVALID, "leads out" },
    { "a link that leaves through another link leaves the tree", "sly", NULL, ERR_INVALID, "leads out" },
    { "a loop of links ends", "loop", NULL, ERR_INVALID, "loop" },
    { "a link to nothing is not found", "dangling", NULL, ERR_NOT_FOUND, "dangling is a symbolic link to nothing" },
    { "a link to a directory is not followed", "folder", NULL, ERR_NOT_FOUND, "folder is a symbolic link to a directory" },
    { "a link to the root is a directory", "root", NULL, ERR_NOT_FOUND, "is a symbolic link to a directory" },
    { "a link below a file is not found", "below", NULL, ERR_NOT_FOUND, "below is a symbolic link to nothing" },
};
// clang-format on

static const char *const make_links =
    "cd work && mkdir deep deep/er && echo x > deep/er/x && cd dir && ln -s ../a.yaml up && "
    "ln -s ../../work/a.yaml around && cd .. && ln -s a.yaml plain && ln -s plain twice && "
    "ln -s dir folder && ln -s folder/b.yaml through && ln -s ./dir/..//dir/./b.yaml dotted && "
    "ln -s /etc/passwd absolute && ln -s ../../etc/passwd above && ln -s deep/er hop && "
    "ln -s hop/../../../etc/passwd sly && ln -s loop2 loop && ln -s loop loop2 && "
    "ln -s nothing dangling && ln -s . root && ln -s a.yaml/x below && "
    "git add -A && git commit -qm links && git push -q origin HEAD:master";

static void a_link_is_read_as_its_case_says(void **state)
{
    const struct link_case *at = *state;
    SCOPED(lab_free) struct lab *lab = lab_new();
    lab_sh(lab, "%s", make_links);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_entry entry = { .path = at->path, .mode = 0120000 };
    entry.oid = lab_sh(lab, "git -C work rev-parse HEAD:%s", at->path);
    const char *text = NULL;
    size_t len = 0;
    struct err *e = mirror_read(mirror, lab->mem, "master", &entry, 100, &text, &len);
    if (at->text) {
        assert_ok(e);
        assert_string_equal(text, at->text);
    } else {
        assert_fails(e, at->kind, at->part);
    }
}

static void an_export_holds_the_files_and_no_link_out(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab,
           "%s && mkdir ../out && chmod +x a.yaml && git commit -qam mode && git push -q origin "
           "HEAD:master",
           make_links);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    assert_ok(mirror_export(mirror, "master", lab_path(lab, "out")));
    assert_string_equal(lab_sh(lab, "cd out && find . -type f | sort"),
                        "./a.yaml\n./deep/er/x\n./dir/b.yaml");
    assert_string_equal(lab_sh(lab, "cd out && find . -type l | sort"),
                        "./dir/up\n./dotted\n./folder\n./hop\n./plain\n./root\n./through\n./twice");
    lab_sh(lab,
           "test -x out/a.yaml && test ! -x out/dir/b.yaml && cmp out/through work/dir/b.yaml");
}

/* Trees that git does not write. */
static const char *const hostile_tree =
    "cd work && blob=$(git rev-parse HEAD:a.yaml) && raw=$(echo $blob | sed 's/../\\\\x&/g') && "
    "tree=$(bash -c \"printf '100644 $name\\0$raw'\" | git hash-object -t tree --literally -w "
    "--stdin) && "
    "commit=$(git commit-tree -m bad $tree) && "
    "git -c transfer.fsckObjects=false push -qf origin $commit:refs/heads/master";

static void a_tree_with_hostile_names_is_refused(void **state)
{
    struct lab *lab = *state;
    static const char *const names[] = { "..", ".", ".git", "x/../../y" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        lab_sh(lab, "name=%s; %s", names[i], hostile_tree);
        lab_sh(lab, "rm -rf mirror out && mkdir out");
        SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
        struct mirror_entries entries;
        assert_fails(mirror_list(mirror, lab->mem, "master", NULL, &entries), ERR_INVALID,
                     names[i]);
        assert_fails(mirror_export(mirror, "master", lab_path(lab, "out")), ERR_INVALID, names[i]);
        assert_string_equal(lab_sh(lab, "find out -mindepth 1"), "");
    }
}

static void directories_nested_too_deep_are_refused(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && tree=$(git rev-parse HEAD^{tree}) && for i in $(seq 200); do "
                "tree=$(printf '040000 tree %%s\\td\\n' $tree | git mktree); done && "
                "git push -q origin $(git commit-tree -m deep $tree -p HEAD):refs/heads/master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_entries entries;
    assert_fails(mirror_list(mirror, lab->mem, "master", NULL, &entries), ERR_LIMIT,
                 "nested more than");
}

/* $1 times: a tree that holds $2 times the one before, under names of $3 letters. */
static const char *const make_bomb =
    "cd work && bomb() { for i in $(seq $1); do tree=$(for n in $(seq $2); do "
    "printf \"040000 tree $tree\\t%0$3d\\n\" $n; done | git mktree); done; } && "
    "push() { git push -qf origin $(git commit-tree -m bomb -p HEAD $tree):refs/heads/master; } "
    "&& ";

/* A few small objects, and no end of directories, or of paths. */
static void what_is_small_but_unfolds_without_end_is_refused(void **state)
{
    struct lab *lab = *state;
    static const struct {
        const char *script, *words;
    } bombs[] = {
        { "tree=$(git mktree </dev/null) && bomb 30 30 1 && push", "files and directories" },
        { "tree=$(printf '100644 blob %s\\ta.yaml\\n' $(git rev-parse HEAD:a.yaml) | git mktree) "
          "&& bomb 3 30 200 && bomb 15 1 200 && push",
          "longer than 64 MiB" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        lab_sh(lab, "%s%s", make_bomb, bombs[i].script);
        SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
        struct mirror_entries entries;
        assert_fails(mirror_list(mirror, lab->mem, "master", NULL, &entries), ERR_LIMIT,
                     bombs[i].words);
        assert_fails(mirror_export(mirror, "master", lab_path(lab, "work")), ERR_LIMIT,
                     bombs[i].words);
    }
}

/* Link after link, each as long as a link can be, for every one of many files. */
static void a_way_through_links_has_an_end(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && long=$(printf 'dir/../%%.0s' $(seq 500)) && ln -s a.yaml l0 && "
                "for i in $(seq 30); do ln -s ${long}l$((i-1)) l$i; done && git add -A && "
                "git commit -qm links && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    char oid[MIRROR_SHA_BYTES];
    assert_ok(mirror_file_id(mirror, lab->mem, "master", "l1", oid));
    size_t before = arena_used(lab->mem);
    assert_fails(mirror_file_id(mirror, lab->mem, "master", "l30", oid), ERR_INVALID,
                 "l30: the path through symbolic links is too long");
    assert_true(arena_used(lab->mem) - before < 4096);
}

static void a_submodule_is_left_out(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub && "
                "git commit -qm sub && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    const char *const sub[] = { "sub", NULL };
    assert_string_equal(listed(lab, mirror, NULL), "a.yaml\ndir/b.yaml\n");
    assert_string_equal(listed(lab, mirror, sub), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(files_come_in_byte_order_and_with_their_modes),
        lab_test(paths_choose_directories_and_files),
        lab_test(a_path_that_is_missing_or_leaves_the_tree_is_named),
        lab_test(names_are_bytes),
        lab_test(a_file_over_the_limit_is_refused),
        lab_test(an_export_holds_the_files_and_no_link_out),
        lab_test(a_tree_with_hostile_names_is_refused),
        lab_test(directories_nested_too_deep_are_refused),
        lab_test(what_is_small_but_unfolds_without_end_is_refused),
        lab_test(a_way_through_links_has_an_end),
        lab_test(a_submodule_is_left_out),
    };
    struct CMUnitTest links[ARRAY_LEN(link_cases)];
    for (size_t i = 0; i < ARRAY_LEN(link_cases); i++)
        links[i] = (struct CMUnitTest){ .name = link_cases[i].name,
                                        .test_func = a_link_is_read_as_its_case_says,
                                        .initial_state = (void *)(uintptr_t)&link_cases[i] };
    int failed = cmocka_run_group_tests_name("git_tree", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("git_tree_links", links, NULL, NULL);
}
