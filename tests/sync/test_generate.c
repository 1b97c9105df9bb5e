#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/child.h"
#include "io/stream.h"
#include "sync/generate.h"

/* A real repository, a real mirror of it, and real generators. */
struct world {
    struct arena *mem;
    char dir[64]; /* holds work/ (the clone we commit in), mirror/, tmp/ */
    struct mirror *mirror;
    struct mirror_fetched head;
    struct files_list tree;
    struct generate_result got;
};

static void shell(struct world *w, const char *script)
{
    const char *line =
        arena_printf(w->mem,
                     "set -e; export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t "
                     "GIT_AUTHOR_EMAIL=t@example.org "
                     "GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.org; cd '%s'; %s",
                     w->dir, script);
    struct child_spec spec = { .argv = (const char *const[]){ "/bin/sh", "-c", line, NULL } };
    struct child_io io = { .out_limit = 1 << 20, .err_limit = 1 << 16 };
    struct child_output out;
    struct err *e = child_run(w->mem, &spec, &io, &out);
    if (e)
        fail_msg("%s", err_text(e));
    if (out.exit_status)
        fail_msg("%s: %s", script, out.err);
}

static int setup(void **state)
{
    struct world *w = base_alloc(sizeof(*w));
    w->mem = arena_new(ARENA_LIMIT_BYTES);
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof(w->dir), "%s/serin-test-XXXXXX",
             tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    shell(w, "git init -q -b master work; mkdir tmp");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    shell(w, "test -z \"$(ls tmp)\""); /* nothing is left behind, whatever happened */
    mirror_free(w->mirror);
    shell(w, "chmod -R u+rwx .; rm -rf ./*");
    assert_int_equal(rmdir(w->dir), 0);
    arena_free(w->mem);
    free(w);
    return 0;
}

static void put(struct world *w, const char *path, const char *text)
{
    const char *slash = strrchr(path, '/');
    if (slash)
        shell(w, arena_printf(w->mem, "mkdir -p work/%.*s", (int)(slash - path), path));
    FILE *file = fopen(arena_printf(w->mem, "%s/work/%s", w->dir, path), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void no_error(struct err *e)
{
    if (e)
        fail_msg("%s", err_text(e));
}

static void commit(struct world *w)
{
    shell(w, "cd work; git add -A; git commit -q -m x");
    const char *url = arena_printf(w->mem, "file://%s/work", w->dir);
    const char *dir = arena_printf(w->mem, "%s/mirror", w->dir);
    no_error(mirror_new(&(struct mirror_opts){ .url = url,
                                               .dir = dir,
                                               .branch = "master",
                                               .sync_tag = "",
                                               .notes_ref = "",
                                               .user_name = "t",
                                               .user_email = "t@example.org" },
                        &w->mirror));
    no_error(mirror_fetch(w->mirror, stream_now_ms() + 60000, &w->head));
    struct mirror_entries entries = { 0 };
    no_error(mirror_list(w->mirror, w->mem, w->head.head, NULL, &entries));
    for (size_t i = 0; i < entries.len; i++)
        *vec_push(w->mem, &w->tree) =
            (struct files_entry){ entries.at[i].path, entries.at[i].oid, entries.at[i].mode };
}

static struct err *try_generate(struct world *w, const char *const *git_paths)
{
    commit(w);
    struct generate_opts opts = { .mirror = w->mirror,
                                  .rev = w->head.head,
                                  .entries = w->tree.at,
                                  .entry_count = w->tree.len,
                                  .git_paths = git_paths,
                                  .tmp_dir = arena_printf(w->mem, "%s/tmp", w->dir),
                                  .default_timeout_ms = 20000 };
    return generate_run(w->mem, &opts, &w->got);
}

static void generate(struct world *w, const char *const *git_paths)
{
    no_error(try_generate(w, git_paths));
}

#define PATHS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }
#define CONFIG(command) "version: 1\ncommandUpdated:\n  generators:\n  - command: " command "\n"

static void assert_manifests(const struct world *w, const char *expected)
{
    char joined[512] = "";
    for (size_t i = 0; i < w->got.manifests.len; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s/%s", i ? " " : "",
                 w->got.manifests.at[i].kind, w->got.manifests.at[i].name);
    if (strcmp(joined, expected) != 0)
        fail_msg("\"%s\" was made: %s", joined,
                 w->got.problems.len ? w->got.problems.at[0].text : "no problem");
}

static void assert_problem(const struct world *w, const char *part)
{
    assert_int_equal(w->got.problems.len, 1);
    if (!strstr(w->got.problems.at[0].text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, w->got.problems.at[0].text);
    assert_int_equal(w->got.problems.at[0].severity, MANIFEST_ERROR);
}

static const char namespace_yaml[] = "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}\n";

/* -- the tests ------------------------------------------------------------------------------- */

static void generators_run_in_the_git_path_with_the_configuration_above_it(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml",
        "version: 1\ncommandUpdated:\n  generators:\n  - command: cat ../base/*.yaml\n"
        "  - command: sed s/NAME/$(cat name.txt)/ template.txt\n    timeout: 10s\n");
    put(w, "base/ns.yaml", namespace_yaml);
    put(w, "staging/name.txt", "web\n");
    put(w, "staging/template.txt",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, namespace: demo}\n");
    put(w, "plain/.flux.yaml", "version: 1\nscanForFiles: {}\n");
    put(w, "plain/map.yaml",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: demo}}\n");
    generate(w, PATHS("staging", "./staging/", "plain"));
    assert_manifests(w, "Namespace/demo ConfigMap/web");
    assert_int_equal(w->got.problems.len, 0);
    assert_string_equal(w->got.manifests.at[1].path, "staging/../.flux.yaml");
    assert_true(w->got.manifests.at[1].is_generated);
    assert_int_equal(w->got.config_count, 1);
    assert_int_equal(w->got.plain_count, 1);
    assert_string_equal(w->got.plain_paths[0], "plain");
    assert_null(w->got.plain_paths[1]);
}

static void without_a_configuration_everything_is_plain(void **state)
{
    struct world *w = *state;
    put(w, "a/ns.yaml", namespace_yaml);
    generate(w, NULL);
    assert_manifests(w, "");
    assert_int_equal(w->got.config_count, 0);
    assert_string_equal(w->got.plain_paths[0], "");
}

static void a_failing_generator_is_a_problem_of_its_path_only(void **state)
{
    struct world *w = *state;
    put(w, "bad/.flux.yaml",
        "version: 1\ncommandUpdated:\n  generators:\n  - command: cat ../good/ns.yaml\n"
        "  - command: echo \"oops\" >&2; exit 3\n  - command: cat ../good/ns.yaml\n");
    put(w, "good/.flux.yaml", CONFIG("cat ns.yaml"));
    put(w, "good/ns.yaml", namespace_yaml);
    generate(w, PATHS("bad", "good"));
    assert_int_equal(w->got.manifests.len, 1);
    assert_string_equal(w->got.manifests.at[0].path, "good/.flux.yaml");
    assert_problem(w, "error executing generator command \"echo \\\"oops\\\" >&2; exit 3\" from "
                      "file \".flux.yaml\": exit "
                      "status 3; error output: oops");
    assert_string_equal(w->got.problems.at[0].path, "bad/.flux.yaml");
}

static void a_configuration_that_says_nothing_is_a_problem(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", "version: 1\n");
    generate(w, NULL);
    assert_problem(w, "cannot parse config file: config file is not valid: ");
    assert_string_equal(w->got.problems.at[0].path, "./.flux.yaml");
    assert_int_equal(w->got.plain_count, 0);
}

static void broken_output_is_told_of_with_its_line(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", CONFIG("cat broken.txt ns.txt"));
    put(w, "broken.txt", "a: [\n---\n");
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_int_equal(w->got.manifests.len, 1);
    assert_problem(w, "yaml: line 2: ");
}

static void a_timeout_ends_the_generator_and_what_it_started(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml",
        "version: 1\ncommandUpdated:\n  generators:\n"
        "  - command: flock ../../../lock sleep 61 & sleep 62\n    timeout: 1s\n");
    int64_t before = stream_now_ms();
    generate(w, NULL);
    assert_problem(w, "killed after 1000 ms");
    assert_true(stream_now_ms() - before < 20000);
    shell(w, "flock -w 20 lock true; rm lock"); /* nobody holds it any more */
}

static void the_environment_is_the_generators_own(void **state)
{
    struct world *w = *state;
    assert_int_equal(setenv("SERIN_TEST_SECRET", "hunter2", 1), 0);
    put(w, ".flux.yaml",
        CONFIG(
            "env | cut -d= -f1 | sort | grep -v '^PWD$\\|^SHLVL$\\|^OLDPWD$\\|^_$' | tr '\\n' ' ' "
            "> $HOME/x; "
            "test \"$(cat $HOME/x)\" = 'HOME LANG PATH TMPDIR ' || { cat $HOME/x >&2; exit 1; }; "
            "touch $TMPDIR/y; read line && exit 2; cat ns.txt"));
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_int_equal(unsetenv("SERIN_TEST_SECRET"), 0);
    assert_manifests(w, "Namespace/demo");
}

static void there_is_no_network(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml",
        CONFIG("if command -v python3 >/dev/null; then python3 -c 'import socket;"
               " socket.create_connection((\"127.0.0.1\", 9), 2)' 2>&1 | grep -q -i "
               "'permission\\|unreachable\\|"
               "not permitted\\|protocol not supported\\|refused' || exit 5; fi; cat ns.txt"));
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_manifests(w, "Namespace/demo");
}

static void what_a_generator_leaves_behind_goes_away(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml",
        CONFIG("mkdir -p d/e; touch d/e/f; chmod 0 d/e d; ln -s / root; cat ns.txt"));
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_manifests(w, "Namespace/demo");
    shell(w, "test -d /tmp"); /* the link was not followed; teardown looks for leftovers */
}

static void too_much_output_is_a_problem(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", CONFIG("head -c 20000000 /dev/zero"));
    generate(w, NULL);
    assert_problem(w, "error executing generator command");
    assert_manifests(w, "");
}

#define PATCHED                                                                                \
    "version: 1\npatchUpdated:\n  generators:\n  - command: cat web.txt ns.txt\n  patchFile: " \
    "sub/flux-patch.yaml\n"
static const char web_yaml[] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, "
                               "namespace: demo}\nspec:\n  template:\n    spec:\n"
                               "      containers:\n      - {name: app, image: \"a:1\"}\n      - "
                               "{name: twin, image: \"a:1\"}\n---\n";

static void patches_change_what_was_generated(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", PATCHED);
    put(w, "web.txt", web_yaml);
    put(w, "ns.txt", namespace_yaml);
    put(w, "sub/flux-patch.yaml",
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n"
        "    fluxcd.io/automated: \"true\"\n  name: web\n  namespace: demo\nspec:\n  template:\n"
        "    spec:\n      $setElementOrder/containers:\n      - name: app\n      - name: twin\n"
        "      containers:\n      - image: a:2\n        name: app\n");
    generate(w, NULL);
    assert_manifests(w, "Namespace/demo Deployment/web"); /* sorted by ID */
    const struct val *containers =
        VAL_PATH(w->got.manifests.at[1].object, "spec", "template", "spec", "containers");
    assert_string_equal(val_text(val_get(val_item(containers, 0), "image")), "a:2");
    assert_string_equal(val_text(val_get(val_item(containers, 1), "image")), "a:1");
}

static void a_patch_file_that_is_not_there_yet_is_fine(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", PATCHED);
    put(w, "web.txt", web_yaml);
    put(w, "ns.txt", namespace_yaml);
    put(w, "sub/readme", "");
    generate(w, NULL);
    assert_manifests(w, "Deployment/web Namespace/demo");
}

static void a_patch_file_in_no_directory_is_a_problem(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml", PATCHED);
    put(w, "web.txt", web_yaml);
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_problem(
        w, "base directory (\"sub\") of patchFile (\"sub/flux-patch.yaml\") does not exist");
    assert_manifests(w, "");
}

static void a_patch_file_outside_of_the_tree_is_a_problem(void **state)
{
    struct world *w = *state;
    put(w, ".flux.yaml",
        "version: 1\npatchUpdated:\n  generators: [{command: cat ns.txt}]\n  patchFile: "
        "../../etc/x\n");
    put(w, "ns.txt", namespace_yaml);
    generate(w, NULL);
    assert_problem(w, "outside of base directory");
}

static void a_missing_git_path_is_an_error(void **state)
{
    struct world *w = *state;
    put(w, "a/ns.yaml", namespace_yaml);
    SCOPED(err_free) struct err *e = try_generate(w, PATHS("a", "b"));
    assert_true(err_is(e, ERR_NOT_FOUND));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sandbox-exec") == 0) /* the sandbox runs its own program */
        return child_sandbox_main(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(generators_run_in_the_git_path_with_the_configuration_above_it),
        TEST(without_a_configuration_everything_is_plain),
        TEST(a_failing_generator_is_a_problem_of_its_path_only),
        TEST(a_configuration_that_says_nothing_is_a_problem),
        TEST(broken_output_is_told_of_with_its_line),
        TEST(a_timeout_ends_the_generator_and_what_it_started),
        TEST(the_environment_is_the_generators_own),
        TEST(there_is_no_network),
        TEST(what_a_generator_leaves_behind_goes_away),
        TEST(too_much_output_is_a_problem),
        TEST(patches_change_what_was_generated),
        TEST(a_patch_file_that_is_not_there_yet_is_fine),
        TEST(a_patch_file_in_no_directory_is_a_problem),
        TEST(a_patch_file_outside_of_the_tree_is_a_problem),
        TEST(a_missing_git_path_is_an_error),
    };
    return cmocka_run_group_tests_name("sync_generate", tests, NULL, NULL);
}
