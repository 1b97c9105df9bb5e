#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "cmd/tree.h"
#include "program.h"

#define FILES_MAX 8
#define MAP(name) "{apiVersion: v1, kind: ConfigMap, metadata: {name: " name "}}\n"

struct tree_file {
    const char *path, *text, *link; /* link: the target of a symbolic link, in place of a text */
};

/* Files below a directory, what is asked for, and "name@path" of each manifest, then "! problem". */
static const struct tree_case {
    const char *name;
    struct tree_file files[FILES_MAX];
    const char *below; /* NULL: the directory itself */
    const char *git_paths[3];
    const char *expected;
} tree_cases[] = {
    /* clang-format off */
    { "an empty directory has nothing", { { 0 } }, NULL, { NULL }, "" },
    { "files come in the order of their paths", { { "b.yaml", MAP("b"), NULL }, { "a/z.yml", MAP("z"), NULL }, { "a.yaml", MAP("a"), NULL } },
      NULL, { NULL }, "a@a.yaml z@a/z.yml b@b.yaml " },
    { "only YAML by name is read", { { "a.json", "{}", NULL }, { "b.YAML", "[", NULL }, { "c.yaml", MAP("c"), NULL }, { "README", "[", NULL } },
      NULL, { NULL }, "c@c.yaml " },
    { "hidden directories are read, git's own is not", { { ".hidden/a.yaml", MAP("a"), NULL }, { ".git/b.yaml", MAP("b"), NULL } },
      NULL, { NULL }, "a@.hidden/a.yaml " },
    { "charts are left out with everything below", { { "c/Chart.yaml", "a: 1", NULL }, { "c/values.yaml", "a: 1", NULL },
      { "c/templates/x.yaml", "{{ }}", NULL }, { "d/Chart.yaml", MAP("d"), NULL } }, NULL, { NULL }, "d@d/Chart.yaml " },
    { "a link inside is followed", { { "a.yaml", MAP("a"), NULL }, { "sub/b.yaml", NULL, "../a.yaml" } }, NULL, { NULL },
      "a@a.yaml a@sub/b.yaml " },
    { "a link that leaves is a problem", { { "b.yaml", NULL, "/etc/hostname" } }, NULL, { NULL },
      "! b.yaml: the symbolic link leads out of .\n" },
    { "a link that leads nowhere is a problem", { { "b.yaml", NULL, "none" } }, NULL, { NULL },
      "! b.yaml: the symbolic link leads nowhere: No such file or directory\n" },
    { "a link to a directory is a problem, not a way", { { "d/a.yaml", MAP("a"), NULL }, { "l.yaml", NULL, "d" } }, NULL, { NULL },
      "a@d/a.yaml ! l.yaml: is not a regular file\n" },
    { "a loop of links ends", { { "a.yaml", NULL, "b.yaml" }, { "b.yaml", NULL, "a.yaml" } }, NULL, { NULL },
      "! a.yaml: the symbolic link leads nowhere: Too many levels of symbolic links\n"
      "! b.yaml: the symbolic link leads nowhere: Too many levels of symbolic links\n" },
    { "one file may have any name", { { "manifest", MAP("a"), NULL } }, "manifest", { NULL }, "a@manifest " },
    { "a directory below is named in the paths", { { "x/a.yaml", MAP("a"), NULL }, { "y/b.yaml", MAP("b"), NULL } }, "x", { NULL },
      "a@x/a.yaml " },
    { "git paths choose", { { "x/a.yaml", MAP("a"), NULL }, { "y/b.yaml", MAP("b"), NULL }, { "z/c.yaml", MAP("c"), NULL } }, NULL,
      { "y", "z/c.yaml" }, "b@y/b.yaml c@z/c.yaml " },
    { "a broken file leaves the others", { { "a.yaml", "a: [", NULL }, { "b.yaml", MAP("b"), NULL } }, NULL, { NULL },
      "b@b.yaml ! a.yaml:1:5: yaml: line 1: did not find expected node content\n" },
    /* clang-format on */
};

static void make_parents(struct arena *mem, const char *path)
{
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
        (void)mkdir(arena_strndup(mem, path, (size_t)(at - path)), 0755);
}

static void make_file(struct arena *mem, const struct tree_file *file)
{
    make_parents(mem, file->path);
    if (file->link) {
        assert_int_equal(symlink(file->link, file->path), 0);
        return;
    }
    FILE *out = fopen(file->path, "w");
    assert_non_null(out);
    assert_true(fputs(file->text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static char *enter(struct arena *mem)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(mem, "%s/serin-tree-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    return dir;
}

static void leave(struct arena *mem, char *dir)
{
    struct program_result result;
    const char *argv[] = { "rm", "-r", dir, NULL };
    assert_int_equal(chdir("/"), 0);
    program_run(mem, &(struct program_run){ .program = "/bin/rm", .argv = argv }, &result);
    assert_int_equal(result.status, 0);
}

static const char *describe(struct arena *mem, const struct tree *tree)
{
    SBUF(text, 1 << 16);
    for (size_t i = 0; i < tree->manifests.len; i++)
        sbuf_addf(&text, "%s@%s ", tree->manifests.at[i].name, tree->manifests.at[i].path);
    for (size_t i = 0; i < tree->problems.len; i++)
        sbuf_addf(&text, "! %s\n", manifest_problem_format(mem, &tree->problems.at[i]));
    return arena_strdup(mem, sbuf_text(&text));
}

static void tree_is_read(void **state)
{
    const struct tree_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    char *dir = enter(mem);
    for (size_t i = 0; i < FILES_MAX && row->files[i].path; i++)
        make_file(mem, &row->files[i]);
    struct err *e = tree_read(mem, row->below ? row->below : ".",
                              &(struct tree_opts){ .git_paths = row->git_paths }, &tree);
    assert_string_equal(err_text(e), "");
    assert_string_equal(describe(mem, &tree), row->expected);
    leave(mem, dir);
}

static void what_is_not_there_is_an_error(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    SCOPED(err_free)
    struct err *e = tree_read(mem, "/no/such/place", &(struct tree_opts){ 0 }, &tree);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_string_equal(err_text(e), "cannot read /no/such/place: No such file or directory");
}

static void a_git_path_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    char *dir = enter(mem);
    struct err *e = tree_read(
        mem, ".", &(struct tree_opts){ .git_paths = (const char *const[]){ "apps", NULL } }, &tree);
    assert_true(err_is(e, ERR_NOT_FOUND));
    err_free(e);
    leave(mem, dir);
}

static void a_file_that_is_too_large_is_a_problem(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    char *dir = enter(mem);
    make_file(mem, &(struct tree_file){ "big.yaml", "a", NULL });
    assert_int_equal(truncate("big.yaml", (off_t)1 << 30), 0);
    struct err *e = tree_read(mem, ".", &(struct tree_opts){ 0 }, &tree);
    assert_null(e);
    assert_string_equal(describe(mem, &tree), "! big.yaml: is larger than 16777216 bytes\n");
    leave(mem, dir);
}

static void what_is_encrypted_is_not_taken_for_a_manifest(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    char *dir = enter(mem);
    make_file(mem, &(struct tree_file){ "db.yaml",
                                        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
                                        "stringData: {password: x}\nsops: {mac: y}\n",
                                        NULL });
    const struct tree_opts opts = { .reveal = reveal_new(mem, NULL, &(struct reveal_source){ 0 }) };
    struct err *e = tree_read(mem, ".", &opts, &tree);
    assert_null(e);
    assert_string_equal(describe(mem, &tree),
                        "! db.yaml: encrypted with SOPS: start serin with --sops\n");
    leave(mem, dir);
}

static void a_pipe_is_not_waited_for(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    struct tree tree = { 0 };
    char *dir = enter(mem);
    assert_int_equal(mkfifo("pipe.yaml", 0600), 0);
    assert_int_equal(symlink("pipe.yaml", "link.yaml"), 0);
    struct err *e = tree_read(mem, ".", &(struct tree_opts){ 0 }, &tree);
    assert_null(e);
    assert_string_equal(describe(mem, &tree), "! link.yaml: is not a regular file\n");
    leave(mem, dir);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(what_is_not_there_is_an_error),
        SINGLE(a_git_path_that_is_not_there_is_an_error),
        SINGLE(a_file_that_is_too_large_is_a_problem),
        SINGLE(a_pipe_is_not_waited_for),
        SINGLE(what_is_encrypted_is_not_taken_for_a_manifest),
        ROWS(tree_cases, tree_is_read),
    };
    return rows_run("tree", tests, ARRAY_LEN(tests));
}
