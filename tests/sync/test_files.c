#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "base/arena.h"
#include "sync/files.h"

#define PATHS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/* A tree is its paths; "@" before one makes it a symlink, "!" a submodule. */
static const struct select_case {
    const char *name;
    const char *const *tree;
    const char *const *git_paths;
    const char *expected; /* joined with blanks */
} select_cases[] = {
    { "both extensions are manifests, and no other is",
      PATHS("a.yaml", "b.yml", "c.json", "d.YAML", "e.yaml.txt", "f", "README.md"), NULL,
      "a.yaml b.yml" },
    { "hidden directories and hidden files count",
      PATHS(".flux.yaml", ".github/ci.yml", "a/.b/c.yaml"), NULL,
      ".flux.yaml .github/ci.yml a/.b/c.yaml" },
    { "a file that is called only .yaml is a manifest", PATHS("a/.yaml"), NULL, "a/.yaml" },
    { "everything below a chart is left out",
      PATHS("charts/x/Chart.yaml", "charts/x/crds/crd.yaml", "charts/x/templates/a.yaml",
            "charts/x/values.yaml", "charts/y.yaml"),
      NULL, "charts/y.yaml" },
    { "a directory with one of the two files is no chart", PATHS("a/Chart.yaml", "b/values.yaml"),
      NULL, "a/Chart.yaml b/values.yaml" },
    { "a chart above the git path hides it, since charts are looked for from the root",
      PATHS("c/Chart.yaml", "c/sub/a.yaml", "c/values.yaml"), PATHS("c/sub"), "" },
    { "a chart at the root hides everything", PATHS("Chart.yaml", "a/b.yaml", "values.yaml"), NULL,
      "" },
    { "Chart.yaml and values.yaml of different directories make no chart",
      PATHS("a/Chart.yaml", "a/b/values.yaml"), NULL, "a/Chart.yaml a/b/values.yaml" },
    { "a git path takes what is below it alone", PATHS("a/x.yaml", "ab/x.yaml", "b/x.yaml"),
      PATHS("a"), "a/x.yaml" },
    { "a git path may be one file", PATHS("a/x.yaml", "a/y.yaml"), PATHS("a/y.yaml"), "a/y.yaml" },
    { "a git path that is a file of another name gives nothing", PATHS("a/x.yaml", "a/notes.txt"),
      PATHS("a/notes.txt"), "" },
    { "overlapping git paths give each file once", PATHS("a/b/x.yaml", "a/y.yaml"),
      PATHS("a/b", "a", "a/y.yaml"), "a/b/x.yaml a/y.yaml" },
    { "spellings of a path are one path", PATHS("a/b/x.yaml"), PATHS("./a//b/", "a/./b"),
      "a/b/x.yaml" },
    { "a dot and an empty path are the root", PATHS("a/x.yaml"), PATHS(".", ""), "a/x.yaml" },
    { "symlinked files are candidates, submodules are not", PATHS("@a.yaml", "!b.yaml"), NULL,
      "a.yaml" },
    { "a symlink to a directory as git path is not followed", PATHS("@apps", "real/x.yaml"),
      PATHS("apps"), "" },
    { "the result is in byte order whatever the order of the tree",
      PATHS("b.yaml", "a/z.yaml", "a.yaml"), NULL, "a.yaml a/z.yaml b.yaml" },
    { "an entry that is given twice is chosen once", PATHS("a.yaml", "a.yaml"), NULL, "a.yaml" },
    { "an empty repository has no manifests", PATHS(NULL), NULL, "" },
    { "a name with two dots in it is a name", PATHS("a..b/x.yaml"), PATHS("a..b"), "a..b/x.yaml" },
};

static const struct refuse_case {
    const char *name;
    const char *const *tree;
    const char *const *git_paths;
    enum err_kind kind;
    const char *says;
} refuse_cases[] = {
    { "a git path that is missing is an error that names it", PATHS("a/x.yaml"), PATHS("a", "apps"),
      ERR_NOT_FOUND, "unable to read root path \"apps\"" },
    { "a part of a name is not the path", PATHS("apps/x.yaml"), PATHS("app"), ERR_NOT_FOUND,
      "\"app\"" },
    { "a git path that leaves the repository is refused", PATHS("a/x.yaml"), PATHS("a/../.."),
      ERR_INVALID, "\"..\"" },
    { "a .. is refused even where it would stay inside", PATHS("a/x.yaml"), PATHS("b/../a"),
      ERR_INVALID, "\"..\"" },
    { "an absolute git path is refused", PATHS("a/x.yaml"), PATHS("/a"), ERR_INVALID,
      "leading slash" },
};

static size_t make_tree(const char *const *tree, struct files_entry *entries, size_t max)
{
    size_t count = 0;
    for (; tree[count]; count++) {
        assert_true(count < max);
        const char *path = tree[count];
        unsigned mode = *path == '@' ? 0120000 : *path == '!' ? 0160000 : 0100644;
        entries[count] =
            (struct files_entry){ path + (*path == '@' || *path == '!'), "1f3c", mode };
    }
    return count;
}

static void refuses(void **state)
{
    const struct refuse_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct files_entry entries[16];
    size_t count = make_tree(c->tree, entries, ARRAY_LEN(entries));
    struct files_list chosen;
    SCOPED(err_free) struct err *e = files_select(mem, entries, count, c->git_paths, &chosen);
    assert_true(err_is(e, c->kind));
    assert_non_null(strstr(err_text(e), c->says));
}

static void selects(void **state)
{
    const struct select_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct files_entry entries[16];
    size_t count = make_tree(c->tree, entries, ARRAY_LEN(entries));
    struct files_list chosen;
    SCOPED(err_free) struct err *e = files_select(mem, entries, count, c->git_paths, &chosen);
    assert_null(e);
    char joined[512] = "";
    for (size_t i = 0; i < chosen.len; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", i ? " " : "",
                 chosen.at[i].path);
    assert_string_equal(joined, c->expected);
}

/* What decides on a file is forgotten: a repository may be as deep as it is wide. */
static void deep_trees_take_little_memory(void **state)
{
    (void)state;
    enum { FILES = 500, DEPTH = 100 };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static char paths[FILES][2 * DEPTH + 32];
    struct files_entry entries[FILES + 2] = { { "z/Chart.yaml", "1f3c", 0100644 },
                                              { "z/values.yaml", "1f3c", 0100644 } };
    for (int i = 0; i < FILES; i++) {
        for (int depth = 0; depth < DEPTH; depth++)
            memcpy(&paths[i][2 * depth], "d/", 2);
        snprintf(paths[i] + (size_t)2 * DEPTH, 32, "%d.yaml", i);
        entries[i + 2] = (struct files_entry){ paths[i], "1f3c", 0100644 };
    }
    struct files_list chosen;
    assert_null(files_select(mem, entries, ARRAY_LEN(entries), NULL, &chosen));
    assert_int_equal(chosen.len, FILES);
    assert_true(arena_used(mem) < sizeof(paths) * 4);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(select_cases, selects),
        ROWS(refuse_cases, refuses),
        SINGLE(deep_trees_take_little_memory),
    };
    return rows_run("sync_files", tests, ARRAY_LEN(tests));
}
