#include "lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "sync/load.h"
#include "sync/reveal.h"

/* A real repository and git-secret with a real gpg. A script stands for sops where it is to misbehave; the real one, if it is
 * installed, decrypts what it encrypted. Nothing is left in tmp/, whatever happened. */
struct world {
    struct lab *lab;
    struct mirror *mirror;
    struct mirror_fetched head;
    struct reveal_settings settings;
    struct load_settings load;
    const char *path; /* PATH before the test changed it */
};

static int setup(void **state)
{
    struct lab *lab = lab_new();
    struct world *w = arena_alloc(lab->mem, sizeof(*w));
    struct mirror_opts opts = lab_opts(lab);
    lab_sh(lab, "mkdir bin tmp");
    w->lab = lab;
    w->mirror = lab_mirror(&opts);
    w->path = arena_strdup(lab->mem, getenv("PATH"));
    w->settings = (struct reveal_settings){ .sops = true,
                                            .git_secret = true,
                                            .path = w->path,
                                            .home = lab_path(lab, "home"),
                                            .gnupg_home = lab_path(lab, "gnupg"),
                                            .tmp_dir = lab_path(lab, "tmp"),
                                            .timeout_ms = 30000 };
    w->load.reveal = &w->settings;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    lab_sh(w->lab, "test -z \"$(ls tmp)\"");
    assert_int_equal(setenv("PATH", w->path, 1), 0);
    mirror_free(w->mirror);
    lab_free(w->lab);
    return 0;
}

/* Runs a script in the clone, commits what came of it, fetches. */
static const char *commit(struct world *w, const char *script)
{
    lab_sh(w->lab,
           "cd work && { %s; } && git add -A && git commit -q --allow-empty -m change && "
           "git push -q -f origin HEAD:master",
           script);
    assert_ok(mirror_fetch(w->mirror, lab_soon(20000), &w->head));
    return w->head.head;
}

static struct reveal *reveal_of(struct world *w, const struct reveal_settings *settings)
{
    return reveal_new(w->lab->mem, settings, &(struct reveal_source){ w->mirror, w->head.head });
}

/* All manifests of the head, as a sync lists them. */
static struct load_list *list_of(struct world *w, const char *base)
{
    struct load_list *list = load_list_new(&w->load, w->head.head, "");
    load_list_base(list, base);
    assert_ok(load_list_work(w->mirror, list, lab_soon(20000)));
    return list;
}

static const struct files_entry *entry_of(const struct load_list *list, const char *path)
{
    for (size_t i = 0; i < list->files.len; i++) {
        if (!strcmp(list->files.at[i].path, path))
            return &list->files.at[i];
    }
    return NULL;
}

static struct err *read_one(struct world *w, struct reveal *reveal, const char *path,
                            struct reveal_text *out)
{
    struct load_list *list = list_of(w, "");
    const struct files_entry *found = entry_of(list, path);
    assert_non_null(found);
    struct files_entry entry = { path, arena_strdup(w->lab->mem, found->oid), found->mode };
    load_list_free(list);
    return reveal_read(reveal, w->lab->mem, &entry, out);
}

/* -- SOPS, by a script ------------------------------------------------------------------------------- */

#define METADATA "sops:\n    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[x]\n"

static void put_sops(struct world *w, const char *script)
{
    lab_write(w->lab, "bin/sops", arena_printf(w->lab->mem, "#!/bin/sh\n%s\n", script));
    lab_sh(w->lab, "chmod 755 bin/sops");
    assert_int_equal(
        setenv("PATH", arena_printf(w->lab->mem, "%s:%s", lab_path(w->lab, "bin"), w->path), 1), 0);
}

static void a_file_is_decrypted_once_for_each_blob(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    put_sops(w, arena_printf(w->lab->mem, "echo \"$@\" >>%s; sed '/^sops:/,$d; s/ENC.*/hunter2/'",
                             lab_path(w->lab, "calls")));
    commit(w, "printf 'a: ENC[1]\\n" METADATA
              "' >a.yaml; cp a.yaml same.yaml; echo 'sops: on' >plain.yaml");
    struct reveal *reveal = reveal_of(w, &w->settings);
    for (int i = 0; i < 2; i++) {
        assert_ok(read_one(w, reveal, i ? "same.yaml" : "a.yaml", &text));
        assert_string_equal(text.text, "a: hunter2\n");
        assert_true(text.was_encrypted);
    }
    assert_ok(read_one(w, reveal, "plain.yaml", &text));
    assert_string_equal(text.text, "sops: on\n");
    assert_false(text.was_encrypted);
    assert_string_equal(lab_sh(w->lab, "cat calls"),
                        "--decrypt --input-type yaml --output-type yaml /dev/stdin");
}

static void without_the_flag_ciphertext_is_an_error(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    struct reveal_settings off = { .git_secret = true };
    put_sops(w, "echo 'a: 1'");
    commit(w, "printf 'a: ENC[1]\\n" METADATA "' >a.yaml");
    const struct reveal_settings *const settings[] = { NULL, &off };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        assert_fails(read_one(w, reveal_of(w, settings[i]), "a.yaml", &text), ERR_INVALID,
                     "encrypted with SOPS: start serin with --sops");
}

static const struct failure {
    const char *name, *script;
    enum err_kind kind;
    const char *part;
} failures[] = {
    { "no answer", "sleep 60", ERR_TRANSIENT, "sops gave no answer in 700 ms" },
    { "no key", "echo 'no key for you' >&2; exit 128", ERR_TRANSIENT,
      "sops failed with exit status 128: no key for you" },
    { "a file that was tampered with", "echo 'MAC mismatch' >&2; exit 51", ERR_INVALID,
      "MAC mismatch" },
    { "another failure", "exit 1", ERR_DENIED, "exit status 1: it did not say why" },
    { "a key on stderr", "echo 'bad: AGE-SECRET-KEY-1XYZ' >&2; exit 3", ERR_DENIED,
      "exit status 3: bad: ***" },
    { "no end of output", "yes 'a: 1'", ERR_LIMIT, "its output is over" },
    { "nothing at all", "exit 0", ERR_INVALID, "sops made nothing of it" },
    { "its end by a signal", "kill -9 $$", ERR_DENIED, "exit status 137" },
};

static void a_failing_sops_is_told_of(void **state)
{
    struct world *w = *state;
    commit(w, "printf 'a: ENC[1]\\n" METADATA "' >a.yaml");
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct reveal_text text;
        struct reveal_settings settings = w->settings;
        if (failures[i].kind == ERR_TRANSIENT && strstr(failures[i].script, "sleep"))
            settings.timeout_ms = 700;
        put_sops(w, failures[i].script);
        struct err *e = read_one(w, reveal_of(w, &settings), "a.yaml", &text);
        if (!err_is(e, failures[i].kind) || !strstr(err_text(e), failures[i].part) ||
            !strstr(err_text(e), "encrypted with SOPS, and cannot be decrypted: "))
            fail_msg("%s: %s", failures[i].name, err_text(e));
        err_free(e);
    }
}

static void without_sops_its_installation_is_asked_for(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    commit(w, "printf 'a: ENC[1]\\n" METADATA "' >a.yaml");
    assert_int_equal(setenv("PATH", lab_path(w->lab, "bin"), 1), 0);
    struct reveal *reveal = reveal_of(w, &w->settings);
    struct load_list *list = list_of(w, "");
    struct err *e = reveal_read(reveal, w->lab->mem, entry_of(list, "a.yaml"), &text);
    assert_int_equal(setenv("PATH", w->path, 1), 0);
    load_list_free(list);
    assert_fails(e, ERR_NOT_FOUND,
                 "there is no program sops on the PATH of serin: install it beside serin");
}

/* -- SOPS itself, if there is one --------------------------------------------------------------------- */

static void make_key(struct world *w, const char *home)
{
    lab_sh(w->lab,
           "mkdir -m 700 %s && export GNUPGHOME=$PWD/%s && "
           "key='gpg --batch -q --pinentry-mode loopback --passphrase '; "
           "$key '' --quick-gen-key 'Jane <jane@example.org>' ed25519 default never 2>/dev/null; "
           "$key '' --quick-add-key $(gpg --batch --with-colons -K | sed -n 's/^fpr:*//p' | "
           "head -1 | tr -d :) cv25519 encr never",
           home, home);
}

static bool is_installed(const struct world *w, const char *program)
{
    struct arena *mem = w->lab->mem;
    for (const char *at = w->path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        const char *file = arena_printf(mem, "%.*s/%s", (int)strcspn(at, ":"), at, program);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

static void the_real_sops_decrypts_what_it_encrypted(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    if (!is_installed(w, "sops"))
        skip();
    make_key(w, "gnupg");
    commit(
        w,
        "printf 'kind: Secret\\nstringData:\\n    password: hunter2\\n---\\nkind: ConfigMap\\n' "
        ">a.yaml; "
        "sops --encrypt --in-place --pgp $(gpg --batch --with-colons -K | sed -n 's/^fpr:*//p' | "
        "head -1 | tr -d :) a.yaml; sed 's/Secret/Sekret/' a.yaml >bad.yaml");
    assert_int_equal(setenv("GNUPGHOME", w->settings.gnupg_home, 1), 0);
    struct reveal *reveal = reveal_of(w, &w->settings);
    assert_ok(read_one(w, reveal, "a.yaml", &text));
    assert_non_null(strstr(text.text, "password: hunter2\n"));
    assert_non_null(strstr(text.text, "kind: ConfigMap\n"));
    assert_null(strstr(text.text, "sops"));
    assert_int_equal(setenv("GNUPGHOME", lab_path(w->lab, "tmp"), 1), 0);
    assert_fails(read_one(w, reveal_of(w, &w->settings), "a.yaml", &text), ERR_TRANSIENT,
                 "sops failed with exit status 128: Failed to get the data key");
    assert_int_equal(unsetenv("GNUPGHOME"), 0);
    lab_sh(w->lab, "gpgconf --homedir $PWD/tmp --kill all; rm -rf tmp/* tmp/.[!.]*");
}

/* -- git-secret ---------------------------------------------------------------------------------------- */

#define HIDE "git secret hide >/dev/null && rm -f a/db.yaml b.yaml deep/c.txt"

static void init_git_secret(struct world *w)
{
    make_key(w, "gnupg");
    commit(w,
           "{ git secret init && git secret tell jane@example.org; } >/dev/null 2>&1; "
           "mkdir -p a deep; echo 'password: hunter2' >a/db.yaml; echo 'b: in clear' >b.yaml; "
           "echo words >deep/c.txt; git secret add a/db.yaml b.yaml deep/c.txt >/dev/null; " HIDE);
}

static struct reveal *prepared(struct world *w, const struct reveal_settings *settings)
{
    struct load_list *list = list_of(w, "");
    struct reveal *reveal = reveal_of(w, settings);
    struct files_list files = { 0 };
    for (size_t i = 0; i < list->files.len; i++)
        *vec_push(w->lab->mem, &files) =
            (struct files_entry){ arena_strdup(w->lab->mem, list->files.at[i].path),
                                  arena_strdup(w->lab->mem, list->files.at[i].oid),
                                  list->files.at[i].mode };
    load_list_free(list);
    reveal_prepare(reveal, &files);
    return reveal;
}

static void hidden_files_stand_in_the_tree(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    if (!is_installed(w, "git-secret"))
        skip();
    init_git_secret(w);
    struct load_list *list = list_of(w, "");
    assert_int_equal(list->files.len, 4); /* a.yaml, dir/b.yaml beside the two */
    assert_int_equal(entry_of(list, "a/db.yaml")->mode, ENCRYPTED_MODE);
    assert_string_equal(entry_of(list, "a/db.yaml")->oid,
                        lab_sh(w->lab, "git -C work rev-parse HEAD:a/db.yaml.secret"));
    load_list_free(list);
    struct reveal *reveal = prepared(w, &w->settings);
    assert_ok(read_one(w, reveal, "a/db.yaml", &text));
    assert_string_equal(text.text, "password: hunter2\n");
    assert_true(text.was_encrypted);
    assert_ok(read_one(w, reveal, "b.yaml", &text));
    assert_string_equal(text.text, "b: in clear\n");
    assert_ok(read_one(w, reveal, "dir/b.yaml", &text));
    assert_false(text.was_encrypted);

    /* Without the flag the folder means nothing. */
    struct reveal_settings off = { .sops = true };
    w->load.reveal = &off;
    list = list_of(w, "");
    assert_int_equal(list->files.len, 2);
    load_list_free(list);
}

static void one_that_cannot_be_revealed_stops_no_other(void **state)
{
    struct world *w = *state;
    struct reveal_text text;
    if (!is_installed(w, "git-secret"))
        skip();
    init_git_secret(w);
    commit(w, "echo garbage >b.yaml.secret; echo 'gone.yaml:12' >>.gitsecret/paths/mapping.cfg");
    struct reveal *reveal = prepared(w, &w->settings);
    assert_ok(read_one(w, reveal, "a/db.yaml", &text));
    assert_string_equal(text.text, "password: hunter2\n");
    struct err *e = read_one(w, reveal, "b.yaml", &text);
    assert_null(strstr(err_text(e), lab_path(w->lab, "tmp")));
    assert_fails(e, ERR_DENIED,
                 "encrypted with git-secret, and cannot be revealed: git-secret failed");
    assert_true(text.was_encrypted);
    assert_fails(read_one(w, reveal, "gone.yaml", &text), ERR_INVALID,
                 "gone.yaml.secret is not in the repository");

    struct reveal_settings stranger = w->settings;
    stranger.gnupg_home = lab_path(w->lab, "stranger");
    lab_sh(w->lab, "mkdir -m 700 stranger");
    assert_fails(read_one(w, prepared(w, &stranger), "a/db.yaml", &text), ERR_DENIED,
                 "No secret key");
    lab_sh(w->lab, "gpgconf --homedir $PWD/stranger --kill all");
}

/* Changes that have nothing to do with it are looked at alone; those that have are not. */
static void changes_of_hidden_files_are_seen(void **state)
{
    struct world *w = *state;
    if (!is_installed(w, "git-secret"))
        skip();
    init_git_secret(w);
    const struct {
        const char *script;
        bool is_delta;
        size_t files;
    } steps[] = {
        { "echo 2 >a.yaml", true, 1 },
        { "echo 'plain text' >b.yaml; git add -f b.yaml", false, 4 },
        { "git secret reveal -f >/dev/null; echo 2 >>a/db.yaml; " HIDE, false, 4 },
        { "sed -i /^b.yaml/d .gitsecret/paths/mapping.cfg; git rm -q b.yaml.secret", false, 3 },
        { "git rm -rq .gitsecret", false, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const char *base = arena_strdup(w->lab->mem, w->head.head);
        commit(w, steps[i].script);
        struct load_list *list = list_of(w, base);
        if (list->is_delta != steps[i].is_delta)
            fail_msg("%s", steps[i].script);
        assert_int_equal(list->files.len, steps[i].files);
        load_list_free(list);
    }
}

static void a_mapping_that_cannot_be_read_stops_the_sync(void **state)
{
    struct world *w = *state;
    const char *const scripts[] = {
        "mkdir -p .gitsecret/paths; echo '../../x.yaml:1' >.gitsecret/paths/mapping.cfg",
        "git rm -qf .gitsecret/paths/mapping.cfg; mkdir .gitsecret; echo 1 >.gitsecret/x",
    };
    const char *const parts[] = { "has a \"..\"", "which files git-secret hides is not known" };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        commit(w, scripts[i]);
        struct load_list *list = load_list_new(&w->load, w->head.head, "");
        assert_fails(load_list_work(w->mirror, list, lab_soon(20000)), ERR_INVALID, parts[i]);
        load_list_free(list);
    }
}

/* -- what a killed process leaves ------------------------------------------------------------------------ */

static void what_nobody_lives_in_is_removed_at_start(void **state)
{
    struct world *w = *state;
    lab_sh(w->lab,
           "mkdir -p tmp/serin-reveal-dead00/tree/a tmp/serin-reveal-alive0 tmp/other; "
           "echo secret >tmp/serin-reveal-dead00/tree/a/x; ln -s other tmp/serin-reveal-link00");
    int fd = open(lab_path(w->lab, "tmp/serin-reveal-alive0"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    reveal_clean(&w->settings);
    assert_string_equal(lab_sh(w->lab, "echo $(ls tmp)"),
                        "other serin-reveal-alive0 serin-reveal-link00");
    assert_int_equal(close(fd), 0);
    reveal_clean(&w->settings);
    assert_string_equal(lab_sh(w->lab, "echo $(ls tmp); rm -r tmp/*"), "other serin-reveal-link00");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sandbox-exec") == 0) /* the sandbox runs its own program */
        return child_sandbox_main(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_decrypted_once_for_each_blob),
        TEST(without_the_flag_ciphertext_is_an_error),
        TEST(a_failing_sops_is_told_of),
        TEST(without_sops_its_installation_is_asked_for),
        TEST(the_real_sops_decrypts_what_it_encrypted),
        TEST(hidden_files_stand_in_the_tree),
        TEST(one_that_cannot_be_revealed_stops_no_other),
        TEST(changes_of_hidden_files_are_seen),
        TEST(a_mapping_that_cannot_be_read_stops_the_sync),
        TEST(what_nobody_lives_in_is_removed_at_start),
    };
    return cmocka_run_group_tests_name("sync_reveal", tests, NULL, NULL);
}
