#include "lab.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 20000

/* Reached by ssh with the configuration in ssh/config. */
static struct mirror_opts ssh_opts(struct lab *lab)
{
    struct mirror_opts opts = lab_opts(lab);
    opts.url = lab_ssh_url(lab);
    opts.ssh_command = arena_printf(lab->mem, "ssh -F %s/ssh/config", lab->dir);
    opts.history_ms = DEADLINE_MS;
    return opts;
}

static struct err *fetch_by(const struct mirror_opts *opts, struct mirror_fetched *out)
{
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(opts);
    return mirror_fetch(mirror, lab_soon(DEADLINE_MS), out);
}

static void a_repository_is_fetched_and_marked_over_ssh(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    struct mirror_opts opts = ssh_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    char sha[MIRROR_SHA_BYTES];
    const char *first = lab_sh(lab, "git -C work rev-parse HEAD");
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_string_equal(fetched.head, lab_sh(lab, "git -C work rev-parse HEAD"));
    struct mirror_marker marker = { .rev = fetched.head, .note = "note", .moves_tag = true };
    assert_ok(mirror_write_check(mirror, fetched.head, lab_soon(DEADLINE_MS)));
    assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"), fetched.head);
    assert_ok(mirror_resolve(mirror, first, sha)); /* from before what was cloned */
    assert_false(mirror_is_shallow(mirror));
}

static void keys_of_every_kind_are_accepted(void **state)
{
    struct lab *lab = *state;
    static const char *const kinds[] = { "-t rsa -b 2048", "-t rsa -b 2048 -m PEM", "-t ecdsa" };
    lab_sshd(lab, "rsa -b 2048"); /* with signatures of SHA-2: today's servers take no other */
    struct mirror_fetched fetched;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        lab_sh(lab,
               "cd ssh && rm -f identity identity.pub && ssh-keygen -q %s -N '' -f identity && "
               "cp identity.pub authorized_keys && rm -rf ../mirror",
               kinds[i]);
        struct mirror_opts opts = ssh_opts(lab);
        assert_ok(fetch_by(&opts, &fetched));
    }
}

static void the_key_and_the_known_hosts_given_are_used(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    struct mirror_opts opts = ssh_opts(lab);
    opts.ssh_command = NULL; /* ssh with an empty home: it knows neither key nor host */
    opts.ssh_identity = lab_path(lab, "ssh/identity");
    lab_sh(lab, "mkdir 'a b' && mv ssh/known_hosts 'a b/known hosts'");
    opts.ssh_known_hosts = lab_path(lab, "a b/known hosts");
    struct mirror_fetched fetched;
    assert_ok(fetch_by(&opts, &fetched));
    opts.ssh_identity = lab_path(lab, "ssh/other");
    assert_fails(fetch_by(&opts, &fetched), ERR_DENIED, "Permission denied (publickey)");
}

static void the_command_of_the_git_configuration_is_run(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab,
           "git config --file home/.gitconfig core.sshCommand 'echo used >> %s/log; ssh -F "
           "%s/ssh/config'",
           lab->dir, lab->dir);
    struct mirror_opts opts = ssh_opts(lab);
    opts.ssh_command = NULL;
    struct mirror_fetched fetched;
    assert_ok(fetch_by(&opts, &fetched));
    assert_string_equal(lab_sh(lab, "cat log"), "used");
}

static void a_path_is_one_word_for_the_shell_of_the_host(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, "git clone -q --bare repo.git \"it's; touch \\$HOME/x !.git\" 2>/dev/null");
    struct mirror_opts opts = ssh_opts(lab);
    opts.url = arena_printf(lab->mem, "ssh://127.0.0.1:%d%s/it's;%%20touch%%20$HOME/x%%20!.git",
                            lab->ssh_port, lab->dir);
    lab_sh(lab, "echo \"  User $(id -un)\" >> ssh/config");
    struct mirror_fetched fetched;
    assert_ok(fetch_by(&opts, &fetched));
    lab_sh(lab, "test ! -e home/x");
}

/* -- host keys ------------------------------------------------------------------------------------ */

static void an_unknown_host_is_refused_with_what_it_offers(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, ": > ssh/known_hosts");
    struct mirror_opts opts = ssh_opts(lab);
    struct mirror_fetched fetched;
    SCOPED(err_free) struct err *e = fetch_by(&opts, &fetched);
    assert_true(err_is(e, ERR_DENIED));
    const char *fingerprint = lab_sh(lab, "ssh-keygen -lf ssh/host_key.pub | cut -d' ' -f2");
    const char *line =
        lab_sh(lab, "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 ssh/host_key.pub)\"", lab->ssh_port);
    assert_non_null(strstr(err_text(e), "Host key verification failed."));
    assert_non_null(
        strstr(err_text(e), arena_printf(lab->mem, "\n  ssh-ed25519 %s\n", fingerprint)));
    assert_non_null(
        strstr(err_text(e), arena_printf(lab->mem, "add its line to %s/ssh/known_hosts:\n  %s\n",
                                         lab->dir, line)));
    lab_sh(lab, "echo '%s' > ssh/known_hosts", line); /* as told: then it works */
    assert_ok(fetch_by(&opts, &fetched));
}

static void a_changed_host_key_is_refused(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, "echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 ssh/other.pub)\" > ssh/known_hosts",
           lab->ssh_port);
    struct mirror_opts opts = ssh_opts(lab);
    struct mirror_fetched fetched;
    SCOPED(err_free) struct err *e = fetch_by(&opts, &fetched);
    assert_true(err_is(e, ERR_DENIED));
    assert_non_null(strstr(err_text(e), "REMOTE HOST IDENTIFICATION HAS CHANGED"));
    assert_non_null(strstr(err_text(e), "The server offers these host keys"));
}

static void any_host_key_on_offer_may_be_the_known_one(void **state)
{
    struct lab *lab = *state;
    static const char *const kinds[] = { "rsa", "ecdsa", "ed25519" };
    lab_sshd(lab, "rsa");
    lab_stop_servers(lab);
    lab_sh(lab,
           "cd ssh && for kind in ecdsa ed25519; do ssh-keygen -q -t $kind -N '' -f key_$kind; "
           "echo \"HostKey $PWD/key_$kind\" >> sshd_config; done; cp host_key.pub key_rsa.pub");
    lab_sshd_start(lab);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        lab_sh(lab,
               "rm -rf mirror; echo \"[127.0.0.1]:%d $(cut -d' ' -f1,2 ssh/key_%s.pub)\" > "
               "ssh/known_hosts",
               lab->ssh_port, kinds[i]);
        struct mirror_fetched fetched;
        struct mirror_opts opts = ssh_opts(lab);
        assert_ok(fetch_by(&opts, &fetched));
    }
}

static void a_configuration_that_trusts_new_hosts_is_obeyed(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, ": > ssh/known_hosts && echo '  StrictHostKeyChecking accept-new' >> ssh/config");
    struct mirror_opts opts = ssh_opts(lab);
    struct mirror_fetched fetched;
    assert_ok(fetch_by(&opts, &fetched));
    lab_sh(lab, "grep -q ed25519 ssh/known_hosts");
}

/* -- what a host answers ---------------------------------------------------------------------------- */

static void a_refused_key_is_told_in_ssh_s_words(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, "cp ssh/other.pub ssh/authorized_keys");
    struct mirror_opts opts = ssh_opts(lab);
    struct mirror_fetched fetched;
    SCOPED(err_free) struct err *e = fetch_by(&opts, &fetched);
    assert_true(err_is(e, ERR_DENIED));
    lab_write(lab, "said", err_text(e));
    assert_string_equal(
        lab_sh(lab, "sed \"s,$PWD,DIR,g; s/^ *[a-z]*@127/USER@127/\" said"),
        "git clone --mirror: fatal: Could not read from remote repository., full output:\n"
        " Cloning into bare repository 'DIR/mirror'...\n"
        "USER@127.0.0.1: Permission denied (publickey).\n"
        "fatal: Could not read from remote repository.\n\n"
        "Please make sure you have the correct access rights\nand the repository exists.");
}

static void a_read_only_key_fetches_and_cannot_push(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    lab_sh(lab, "cd ssh && echo \"restrict,command=\\\"case "
                "\\\\\\\"\\$SSH_ORIGINAL_COMMAND\\\\\\\" in git-upload-pack*) "
                "eval \\\\\\\"\\$SSH_ORIGINAL_COMMAND\\\\\\\";; *) echo ERROR: this key is read "
                "only >&2; exit 1;; esac\\\" "
                "$(cat identity.pub)\" > authorized_keys");
    struct mirror_opts opts = ssh_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    SCOPED(err_free) struct err *e = mirror_write_check(mirror, "master", lab_soon(DEADLINE_MS));
    assert_true(err_is(e, ERR_DENIED));
    assert_string_equal(
        err_text(e),
        "attempt to push tag: fatal: Could not read from remote repository., full output:\n"
        " ERROR: this key is read only\nfatal: Could not read from remote repository.\n\n"
        "Please make sure you have the correct access rights\nand the repository exists.\n");
}

static void a_repository_that_is_not_there_is_not_found(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    struct mirror_opts opts = ssh_opts(lab);
    opts.url = arena_printf(lab->mem, "ssh://127.0.0.1:%d/no/such.git", lab->ssh_port);
    lab_sh(lab, "echo \"  User $(id -un)\" >> ssh/config");
    struct mirror_fetched fetched;
    assert_fails(fetch_by(&opts, &fetched), ERR_NOT_FOUND,
                 "fatal: '/no/such.git' does not appear to be a git repository");
}

static void a_host_that_does_not_resolve_or_listen_is_tried_again(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    struct mirror_fetched fetched;
    opts.url = "git@no-such-host.invalid:a/b.git";
    assert_fails(fetch_by(&opts, &fetched), ERR_TRANSIENT, "Could not resolve hostname");
    assert_true(fetched.host_unknown);
    opts.url = "ssh://git@127.0.0.1:1/a/b.git";
    assert_fails(fetch_by(&opts, &fetched), ERR_TRANSIENT, "onnection refused");
    assert_false(fetched.host_unknown);
}

static void a_missing_program_is_named(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    opts.url = "ssh://git@127.0.0.1:1/a/b.git";
    opts.ssh_command = "no-such-ssh -x";
    struct mirror_fetched fetched;
    assert_fails(fetch_by(&opts, &fetched), ERR_TRANSIENT, "no-such-ssh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_repository_is_fetched_and_marked_over_ssh),
        lab_test(keys_of_every_kind_are_accepted),
        lab_test(the_key_and_the_known_hosts_given_are_used),
        lab_test(the_command_of_the_git_configuration_is_run),
        lab_test(a_path_is_one_word_for_the_shell_of_the_host),
        lab_test(an_unknown_host_is_refused_with_what_it_offers),
        lab_test(a_changed_host_key_is_refused),
        lab_test(any_host_key_on_offer_may_be_the_known_one),
        lab_test(a_configuration_that_trusts_new_hosts_is_obeyed),
        lab_test(a_refused_key_is_told_in_ssh_s_words),
        lab_test(a_read_only_key_fetches_and_cannot_push),
        lab_test(a_repository_that_is_not_there_is_not_found),
        lab_test(a_host_that_does_not_resolve_or_listen_is_tried_again),
        lab_test(a_missing_program_is_named),
    };
    return cmocka_run_group_tests_name("git_ssh", tests, NULL, NULL);
}
