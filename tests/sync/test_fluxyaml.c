#include <string.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "sync/fluxyaml.h"

#define INVALID "cannot parse config file: config file is not valid: \n"
#define ONE_OF  INVALID "(root): Must validate one and only one schema (oneOf)\n"

static const struct bad_case {
    const char *name, *text, *error;
} bad_cases[] = {
    { "a file that says nothing", "version: 1\n", ONE_OF "(root): commandUpdated is required" },
    { "a misspelt patchFile",
      "version: 1\npatchUpdated:\n  generators: [{command: cat}]\n  patchfile: wrong.yaml\n",
      ONE_OF "patchUpdated: patchFile is required\npatchUpdated: Additional property patchfile is "
             "not allowed" },
    { "an empty file", "", INVALID "(root): Invalid type. Expected: object, given: null" },
    { "a list", "- version: 1\n", INVALID "(root): Invalid type. Expected: object, given: array" },
    { "another version", "version: 2\ncommandUpdated: {generators: []}\n",
      ONE_OF "version: version does not match: 1" },
    { "a version in quotes", "version: \"1\"\ncommandUpdated: {generators: []}\n",
      ONE_OF "version: version does not match: 1" },
    { "no version", "commandUpdated: {generators: []}\n", ONE_OF "(root): version is required" },
    { "no generators", "version: 1\ncommandUpdated: {}\n",
      ONE_OF "commandUpdated: generators is required" },
    { "generators that are a map", "version: 1\ncommandUpdated: {generators: {command: x}}\n",
      ONE_OF "commandUpdated.generators: Invalid type. Expected: array, given: object" },
    { "a generator that is a text", "version: 1\npatchUpdated: {generators: [cat], patchFile: p}\n",
      ONE_OF "patchUpdated.generators.0: Invalid type. Expected: object, given: string" },
    { "a generator without a command",
      "version: 1\ncommandUpdated: {generators: [{timeout: 5s}]}\n",
      ONE_OF "commandUpdated.generators.0: command is required" },
    { "a command that is a number", "version: 1\ncommandUpdated: {generators: [{command: 7}]}\n",
      ONE_OF
      "commandUpdated.generators.0.command: Invalid type. Expected: string, given: integer" },
    { "an unknown key of a command",
      "version: 1\ncommandUpdated: {generators: [{command: x, dir: y}]}\n",
      ONE_OF "commandUpdated.generators.0: Additional property dir is not allowed" },
    { "a timeout that is none",
      "version: 1\ncommandUpdated: {generators: [{command: x, timeout: often}]}\n",
      ONE_OF "commandUpdated.generators.0.timeout: time: invalid duration \"often\"" },
    { "a patchFile with commandUpdated",
      "version: 1\ncommandUpdated: {generators: [], patchFile: p}\n",
      ONE_OF "commandUpdated: Additional property patchFile is not allowed" },
    { "an unknown updater",
      "version: 1\ncommandUpdated: {generators: [], updaters: [{image: {command: x}}]}\n",
      ONE_OF "commandUpdated.updaters.0: Additional property image is not allowed" },
    { "an updater without a command",
      "version: 1\ncommandUpdated: {generators: [], updaters: [{policy: {}}]}\n",
      ONE_OF "commandUpdated.updaters.0.policy: command is required" },
    { "commandUpdated that is null", "version: 1\ncommandUpdated:\n",
      ONE_OF "commandUpdated: Invalid type. Expected: object, given: null" },
    { "both forms at once",
      "version: 1\ncommandUpdated: {generators: []}\npatchUpdated: {generators: [], patchFile: "
      "p}\n",
      ONE_OF "(root): commandUpdated and patchUpdated exclude each other" },
    { "scanForFiles with something in it", "version: 1\nscanForFiles: {a: b}\n",
      ONE_OF "scanForFiles: Additional property a is not allowed" },
    { "scanForFiles with something beside it", "version: 1\nscanForFiles: {}\nfiles: {}\n",
      ONE_OF "(root): Additional property files is not allowed" },
};

static void refuses(void **state)
{
    const struct bad_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct fluxyaml config;
    SCOPED(err_free) struct err *e = fluxyaml_parse(mem, c->text, strlen(c->text), &config);
    assert_true(err_is(e, ERR_INVALID));
    assert_string_equal(err_text(e), c->error);
}

static struct fluxyaml parse(struct arena *mem, const char *text)
{
    struct fluxyaml config;
    SCOPED(err_free) struct err *e = fluxyaml_parse(mem, text, strlen(text), &config);
    if (e)
        fail_msg("%s", err_text(e));
    return config;
}

static void command_updated_has_generators_and_updaters(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct fluxyaml config =
        parse(mem, "---\nversion: 1\ncommandUpdated:\n"
                   "  generators:\n  - command: kustomize build .\n    timeout: 1m30s\n"
                   "  - {command: cat x, timeout: 500ms}\n  - {command: cat y}\n"
                   "  updaters:\n  - containerImage: {command: img, timeout: 2s}\n"
                   "    policy: {command: pol}\n  - policy: {command: other}\n");
    assert_int_equal(config.mode, FLUXYAML_COMMAND);
    assert_int_equal(config.generator_count, 3);
    assert_string_equal(config.generators[0].command, "kustomize build .");
    assert_int_equal(config.generators[0].timeout_ms, 90000);
    assert_int_equal(config.generators[1].timeout_ms, 0); /* under a second: the default holds */
    assert_int_equal(config.generators[2].timeout_ms, 0);
    assert_int_equal(config.updater_count, 2);
    assert_string_equal(config.updaters[0].image.command, "img");
    assert_int_equal(config.updaters[0].image.timeout_ms, 2000);
    assert_string_equal(config.updaters[0].policy.command, "pol");
    assert_null(config.updaters[1].image.command);
}

static void patch_updated_has_a_patch_file(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct fluxyaml config = parse(
        mem, "version: 1\npatchUpdated:\n  generators: [{command: a}]\n  patchFile: p.yaml\n");
    assert_int_equal(config.mode, FLUXYAML_PATCH);
    assert_int_equal(config.generator_count, 1);
    assert_string_equal(config.patch_file, "p.yaml");
}

static void scan_for_files_takes_a_map_or_nothing(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_int_equal(parse(mem, "version: 1\nscanForFiles: {}\n").mode, FLUXYAML_SCAN);
    assert_int_equal(parse(mem, "version: 1\nscanForFiles:\n").mode, FLUXYAML_SCAN);
}

static void broken_yaml_names_its_line(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct fluxyaml config;
    static const char text[] = "version: 1\n\tx: y\n";
    SCOPED(err_free) struct err *e = fluxyaml_parse(mem, text, sizeof(text) - 1, &config);
    assert_true(err_is(e, ERR_INVALID));
    assert_non_null(strstr(err_text(e), "cannot parse config file: yaml: line 2: "));
}

static void commands_without_end_are_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "version: 1\ncommandUpdated:\n  generators:\n");
    for (int i = 0; i < 101; i++)
        sbuf_add(&text, "  - command: x\n");
    struct fluxyaml config;
    SCOPED(err_free) struct err *e = fluxyaml_parse(mem, sbuf_text(&text), text.len, &config);
    assert_true(err_is(e, ERR_INVALID));
    assert_non_null(strstr(err_text(e), "at most 100 items"));
}

/* -- places ---------------------------------------------------------------------------------- */

static const char *const tree[] = { ".flux.yaml",       "base/a.yaml",       "deep/er/.flux.yaml",
                                    "deep/er/x/y.yaml", "other/file.txt",    "plain/.flux.yaml",
                                    "plain/map.yaml",   "staging/image.txt", "trap/.flux.yaml/x" };

static const struct find_case {
    const char *name, *git_path;
    struct fluxyaml_place expected;
} find_cases[] = {
    { "the root has its own", "", { ".flux.yaml", "", ".flux.yaml", "./.flux.yaml" } },
    { "a path without one looks upwards, and runs where it is",
      "staging",
      { ".flux.yaml", "staging", "../.flux.yaml", "staging/../.flux.yaml" } },
    { "a path's own comes first",
      "plain",
      { "plain/.flux.yaml", "plain", ".flux.yaml", "plain/.flux.yaml" } },
    { "the nearest above wins",
      "deep/er/x/",
      { "deep/er/.flux.yaml", "deep/er/x", "../.flux.yaml", "deep/er/x/../.flux.yaml" } },
    { "two levels up are two steps",
      "deep",
      { ".flux.yaml", "deep", "../.flux.yaml", "deep/../.flux.yaml" } },
    { "the file itself may be the path",
      "plain/.flux.yaml",
      { "plain/.flux.yaml", "plain", ".flux.yaml", "plain/.flux.yaml" } },
    { "another file as path has none", "plain/map.yaml", { NULL, "plain", NULL, NULL } },
    { "a directory of that name is none",
      "trap",
      { ".flux.yaml", "trap", "../.flux.yaml", "trap/../.flux.yaml" } },
};

static void assert_text(const char *got, const char *expected)
{
    assert_int_equal(got == NULL, expected == NULL);
    if (expected)
        assert_string_equal(got, expected);
}

static size_t make_tree(struct files_entry *entries, size_t from)
{
    for (size_t i = from; i < ARRAY_LEN(tree); i++)
        entries[i - from] = (struct files_entry){ tree[i], "1f3c", 0100644 };
    return ARRAY_LEN(tree) - from;
}

static void finds(void **state)
{
    const struct find_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct files_entry entries[ARRAY_LEN(tree)];
    struct fluxyaml_place place;
    struct err *e = fluxyaml_find(mem, entries, make_tree(entries, 0), c->git_path, &place);
    assert_null(e);
    assert_text(place.config, c->expected.config);
    assert_text(place.work_dir, c->expected.work_dir);
    assert_text(place.relative, c->expected.relative);
    assert_text(place.name, c->expected.name);
}

static void no_configuration_up_to_the_root_means_plain_files(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct files_entry entries[ARRAY_LEN(tree)];
    struct fluxyaml_place place;
    size_t count = make_tree(entries, 1); /* without the one of the root */
    assert_null(fluxyaml_find(mem, entries, count, "staging", &place));
    assert_null(place.config);
    SCOPED(err_free) struct err *missing = fluxyaml_find(mem, entries, count, "nowhere", &place);
    assert_true(err_is(missing, ERR_NOT_FOUND));
    assert_non_null(
        strstr(err_text(missing), "error finding a config file starting at path \"nowhere\""));
    SCOPED(err_free) struct err *outside = fluxyaml_find(mem, entries, count, "../x", &place);
    assert_true(err_is(outside, ERR_INVALID));
}

static const struct join_case {
    const char *name, *dir, *relative, *expected;
} join_cases[] = {
    { "a name is below the directory", "a/b", "c.yaml", "a/b/c.yaml" },
    { "below the root it stands alone", "", "c.yaml", "c.yaml" },
    { "steps up are taken", "a/b", "../../c/./d", "c/d" },
    { "up to the root and no further", "a", "../..", NULL },
    { "an absolute path is refused", "a", "/etc/passwd", NULL },
    { "nothing is the directory itself", "a/b", ".", "a/b" },
};

static void joins(void **state)
{
    const struct join_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *path = NULL;
    SCOPED(err_free) struct err *e = fluxyaml_join(mem, c->dir, c->relative, &path);
    assert_int_equal(e != NULL, c->expected == NULL);
    if (c->expected)
        assert_string_equal(path, c->expected);
    else
        assert_non_null(strstr(err_text(e), "outside of base directory"));
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(bad_cases, refuses),
        ROWS(find_cases, finds),
        ROWS(join_cases, joins),
        SINGLE(command_updated_has_generators_and_updaters),
        SINGLE(patch_updated_has_a_patch_file),
        SINGLE(scan_for_files_takes_a_map_or_nothing),
        SINGLE(broken_yaml_names_its_line),
        SINGLE(commands_without_end_are_refused),
        SINGLE(no_configuration_up_to_the_root_means_plain_files),
    };
    return rows_run("sync_fluxyaml", tests, ARRAY_LEN(tests));
}
