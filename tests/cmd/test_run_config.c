#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rows.h"

#include "cmd/run_config.h"
#include "cmd/run_flags.h"

#define FLAGS_MAX     6
#define LOG_MAX_BYTES ((size_t)64 << 10)

/* Flags, whether the daemon goes on with them, and the part of the log that says why or why not (NULL: nothing of note). */
static const struct config_case {
    const char *name, *flags[FLAGS_MAX];
    bool goes_on;
    const char *logged, *not_logged;
} config_cases[] = {
    /* clang-format off */
    { "no flags are fine", { NULL }, true, NULL, "warning=" },
    { "a path may not be absolute", { "--git-path=a,/b" }, false,
      "err=\"subdirectory given as --git-path should not have leading forward slash\"\n", NULL },
    { "an unknown mode of verification is refused", { "--git-verify-signatures-mode=some" }, false,
      "error=\"'some' is not a valid git-verify-signatures-mode\"\n", NULL },
    { "read-only needs the Secret for its state", { "--git-readonly" }, true,
      "warning=\"--git-readonly prevents use of --sync-state=git. Forcing to --sync-state=secret\"\n", "Configuring" },
    { "read-only with the state in the Secret is fine", { "--git-readonly", "--sync-state=secret" }, true, NULL, "warning=" },
    { "read-only names what has no effect", { "--git-readonly", "--git-user=x", "--git-ci-skip" }, true,
      "warning=\"Configuring any of {git-user, git-ci-skip} has no effect when --git-readonly is set\"\n", NULL },
    { "a label overrides what was given, too", { "--git-label=l", "--git-notes-ref=n" }, true, "overridden=git-notes-ref value=l\n",
      "overridden=git-sync-tag" },
    { "only ecr can be required", { "--registry-require=ecr,quay" }, false,
      "err=\"--registry-require value \\\"quay\\\" is not in possible values {ecr}\"\n", NULL },
    { "ecr can be required", { "--registry-require=ecr" }, true, NULL, "err=" },
    { "a kubeconfig has to be there", { "--kubeconfig=/no/such/file" }, false, "err=\"stat /no/such/file: no such file or directory\"\n",
      NULL },
    { "fluxd's kubeconfig has to be there", { "--kube-config=/no/such/file" }, false,
      "err=\"stat /no/such/file: no such file or directory\"\n", NULL },
    { "fluxd's kubeconfig may be left to the environment", { "--kube-config=" }, true, NULL, "err=" },
    { "an identity has to be there", { "--identity-file=/no/such/file" }, false,
      "err=\"--identity-file /no/such/file: No such file or directory\"\n", NULL },
    { "drift has three modes", { "--sync-drift=maybe" }, false, "err=\"--sync-drift is heal, report or off, not 'maybe'\"\n", NULL },
    { "there are four levels of the log", { "--log-level=verbose" }, false,
      "err=\"--log-level is debug, info, warn or error, not 'verbose'\"\n", NULL },
    { "an interval has to be more than nothing", { "--sync-interval=0" }, false, "err=\"--sync-interval has to be more than 0\"\n", NULL },
    { "a negative interval is refused", { "--git-poll-interval=-5s" }, false, "err=\"--git-poll-interval has to be more than 0\"\n",
      NULL },
    { "workers have bounds", { "--workers=65" }, false, "err=\"--workers has to be 1 to 64\"\n", NULL },
    { "requests in flight have bounds", { "--kube-in-flight=0" }, false, "err=\"--kube-in-flight has to be 1 to 256\"\n", NULL },
    { "a URL that serin cannot fetch is refused", { "--git-url=ftp://example.org/x" }, false, "err=\"--git-url: ", NULL },
    { "the place of a new key is a guess when it is not given", { "--git-url=git@example.org:a/b" }, true,
      "info=\"SSH keygen dir (--ssh-keygen-dir) not provided, so using the deploy key volume "
      "(--k8s-secret-volume-mount-path=/etc/fluxd/ssh); this may cause problems if the deploy key volume is mounted read-only\"\n", NULL },
    { "no key is made for https", { "--git-url=https://example.org/a" }, true, NULL, "SSH keygen dir" },
    { "SOPS without a key is worth a word", { "--sops" }, true,
      "warning=\"--sops is enabled but there is no GPG key(s) provided using --git-gpg-key-import, we assume that the means of "
      "decryption has been provided in another way\"\n", "--git-secret is" },
    { "git-secret without a key is worth a word", { "--git-secret" }, true,
      "warning=\"--git-secret is enabled but there is no GPG key(s) provided using --git-gpg-key-import, we assume you mounted the "
      "keyring directly and continue\"\n", "--sops is" },
    { "with a key it is not", { "--sops", "--git-secret", "--git-gpg-key-import=/keys" }, true, NULL, "is enabled but" },
    /* clang-format on */
};

static void write_log(void *ctx, const char *line, size_t len)
{
    sbuf_add_bytes(ctx, line, len);
}

static int64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static struct flags *parse(struct arena *mem, const char *const *words)
{
    int count = 0;
    while (count < FLAGS_MAX && words[count])
        count++;
    struct flags *flags = flags_new(mem, run_flags_tables, RUN_FLAGS_TABLES);
    SCOPED(err_free) struct err *e = flags_parse(flags, count, words);
    assert_null(e);
    return flags;
}

/* What was read, and the log. The environment holds a TMPDIR and nothing else that matters. */
static bool read_config(struct arena *mem, const char *const *words, struct run_config *out,
                        struct sbuf *logged)
{
    const struct log log = {
        .least = LOG_INFO, .write = write_log, .wall_ns = no_clock, .ctx = logged
    };
    unsetenv("XDG_CACHE_HOME");
    setenv("TMPDIR", "/tmp", 1);
    return run_config_read(mem, parse(mem, words), &log, out);
}

static void flags_are_checked(void **state)
{
    const struct config_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    assert_int_equal(read_config(mem, row->flags, &config, &logged), row->goes_on);
    if (row->logged && !strstr(sbuf_text(&logged), row->logged))
        assert_string_equal(sbuf_text(&logged), row->logged);
    if (row->not_logged)
        assert_null(strstr(sbuf_text(&logged), row->not_logged));
}

static void both_lists_of_namespaces_are_merged(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *flags[FLAGS_MAX] = { "--k8s-allow-namespace=a", "--k8s-namespace-whitelist=b,c" };
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    assert_true(read_config(mem, flags, &config, &logged));
    assert_string_equal(config.allowed_ns[0], "a");
    assert_string_equal(config.allowed_ns[1], "b");
    assert_string_equal(config.allowed_ns[2], "c");
    assert_null(config.allowed_ns[3]);
}

static void signatures_are_verified_by_the_old_flag_unless_the_new_one_says_otherwise(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *old[FLAGS_MAX] = { "--git-verify-signatures" };
    const char *both[FLAGS_MAX] = { "--git-verify-signatures",
                                    "--git-verify-signatures-mode=first-parent" };
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    assert_true(read_config(mem, old, &config, &logged));
    assert_int_equal(config.verify, MIRROR_VERIFY_ALL);
    assert_true(read_config(mem, both, &config, &logged));
    assert_int_equal(config.verify, MIRROR_VERIFY_FIRST_PARENT);
}

static void an_unknown_state_is_found_out_after_the_cluster(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *flags[FLAGS_MAX] = { "--sync-state=nowhere" };
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    const struct log log = {
        .least = LOG_INFO, .write = write_log, .wall_ns = no_clock, .ctx = &logged
    };
    assert_true(read_config(mem, flags, &config, &logged));
    assert_false(run_config_check_state(&config, &log));
    assert_non_null(strstr(sbuf_text(&logged), "error=\"unknown sync state mode\" mode=nowhere\n"));
}

static void flags_without_effect_are_named_in_one_line(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *flags[FLAGS_MAX] = { "--memcached-service=", "--rpc-timeout=3s",
                                     "--kubernetes-kubectl=/no/such/kubectl" };
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    const struct log log = {
        .least = LOG_INFO, .write = write_log, .wall_ns = no_clock, .ctx = &logged
    };
    assert_true(read_config(mem, flags, &config, &logged));
    sbuf_reset(&logged);
    run_config_log_idle(mem, &config, &log);
    assert_non_null(strstr(sbuf_text(&logged),
                           "component=run info=\"flags without effect here\" "
                           "flags=--kubernetes-kubectl,--rpc-timeout,--memcached-service\n"));
}

static void a_password_in_the_url_is_not_logged(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *flags[FLAGS_MAX] = { "--git-url=https://jane:geheim@example.org/a" };
    struct run_config config;
    SBUF(logged, LOG_MAX_BYTES);
    const struct log log = {
        .least = LOG_INFO, .write = write_log, .wall_ns = no_clock, .ctx = &logged
    };
    assert_true(read_config(mem, flags, &config, &logged));
    run_config_log_summary(&config, &log);
    assert_non_null(strstr(sbuf_text(&logged), "example.org/a"));
    assert_null(strstr(sbuf_text(&logged), "geheim"));
}

/* -- the directory ------------------------------------------------------------------------------- */

static void two_branches_do_not_share_a_directory(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *one[FLAGS_MAX] = { "--git-url=file:///a", "--git-branch=main" };
    const char *other[FLAGS_MAX] = { "--git-url=file:///a", "--git-branch=next" };
    struct run_config first, again, second;
    SBUF(logged, LOG_MAX_BYTES);
    assert_true(read_config(mem, one, &first, &logged));
    assert_true(read_config(mem, one, &again, &logged));
    assert_true(read_config(mem, other, &second, &logged));
    assert_string_equal(first.state_dir, again.state_dir);
    assert_string_not_equal(first.state_dir, second.state_dir);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *tmp = getenv("TMPDIR");
    char *root = arena_printf(mem, "%s/serin-state-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(root));
    struct run_config config = { .state_root = root, .state_dir = arena_printf(mem, "%s/x", root) };
    struct err *e = run_config_make_state_dir(mem, &config);
    assert_null(e);
    assert_int_equal(rmdir(config.state_dir), 0);
    assert_int_equal(chmod(root, 0777), 0);
    e = run_config_make_state_dir(mem, &config);
    assert_true(err_is(e, ERR_DENIED));
    err_free(e);
    rmdir(config.state_dir);
    assert_int_equal(rmdir(root), 0);
}

static void a_given_directory_is_made_with_its_parents(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    const char *tmp = getenv("TMPDIR");
    char *root = arena_printf(mem, "%s/serin-state-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(root));
    struct run_config config = { .state_dir = arena_printf(mem, "%s/a/b", root) };
    struct stat st;
    struct err *e = run_config_make_state_dir(mem, &config);
    assert_null(e);
    assert_int_equal(stat(config.state_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    config.state_dir = arena_printf(mem, "%s/a/b/file", root);
    FILE *file = fopen(config.state_dir, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    e = run_config_make_state_dir(mem, &config);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
    unlink(config.state_dir);
    rmdir(arena_printf(mem, "%s/a/b", root));
    rmdir(arena_printf(mem, "%s/a", root));
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(both_lists_of_namespaces_are_merged),
        SINGLE(signatures_are_verified_by_the_old_flag_unless_the_new_one_says_otherwise),
        SINGLE(an_unknown_state_is_found_out_after_the_cluster),
        SINGLE(flags_without_effect_are_named_in_one_line),
        SINGLE(a_password_in_the_url_is_not_logged),
        SINGLE(two_branches_do_not_share_a_directory),
        SINGLE(a_directory_that_others_can_write_is_refused),
        SINGLE(a_given_directory_is_made_with_its_parents),
        ROWS(config_cases, flags_are_checked),
    };
    return rows_run("run_config", tests, ARRAY_LEN(tests));
}
