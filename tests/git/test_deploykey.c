#include "lab.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "git/deploykey.h"

static struct deploykey read_key(struct lab *lab, const char *file)
{
    struct deploykey key;
    assert_ok(deploykey_read(lab->mem, lab_path(lab, file), &key));
    return key;
}

static void a_new_key_is_ed25519_and_for_its_owner_only(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { 0 };
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    struct deploykey key = read_key(lab, "keys/identity");
    assert_string_equal(lab_sh(lab, "stat -c '%%a %%n' keys/*"),
                        "400 keys/identity\n444 keys/identity.pub");
    assert_string_equal(lab_sh(lab, "ls -A keys"), "identity\nidentity.pub");
    assert_string_equal(key.public_line,
                        arena_printf(lab->mem, "%s\n", lab_sh(lab, "cat keys/identity.pub")));
    assert_int_equal(strncmp(key.public_line, "ssh-ed25519 ", 12), 0);
    assert_non_null(strstr(key.public_line, " flux\n"));
}

static void fingerprints_are_ssh_keygen_s_own(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { .comment = "cluster one" };
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    struct deploykey key = read_key(lab, "keys/identity");
    assert_string_equal(key.md5_hash,
                        lab_sh(lab, "ssh-keygen -lE md5 -f keys/identity.pub | cut -d' ' -f2 | "
                                    "cut -d: -f2-"));
    assert_string_equal(key.sha256_hash,
                        lab_sh(lab, "ssh-keygen -l -f keys/identity.pub | cut -d' ' -f2 | "
                                    "cut -d: -f2"));
    assert_string_equal(key.sha256_art,
                        arena_printf(lab->mem, "%s\n",
                                     lab_sh(lab, "ssh-keygen -lv -f keys/identity.pub | "
                                                 "sed 1d")));
    assert_int_equal(strncmp(key.md5_art, "+--[ED25519 256]--+\n", 20), 0);
}

static void type_bits_and_format_are_passed_on(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { .type = "rsa", .bits = "2048", .format = "PEM" };
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    lab_sh(lab, "head -1 keys/identity | grep -q 'BEGIN RSA PRIVATE KEY'");
    assert_string_equal(lab_sh(lab, "ssh-keygen -l -f keys/identity.pub | cut -d' ' -f1"), "2048");
    assert_int_equal(strncmp(read_key(lab, "keys/identity").public_line, "ssh-rsa ", 8), 0);
    opts.type = "rot13";
    assert_fails(deploykey_generate(lab_path(lab, "keys"), &opts), ERR_INVALID, "rot13");
}

static void a_second_key_takes_the_place_of_the_first(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { 0 };
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    struct deploykey first = read_key(lab, "keys/identity");
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    assert_string_not_equal(first.sha256_hash, read_key(lab, "keys/identity").sha256_hash);
}

static void a_key_that_others_may_read_is_closed(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { 0 };
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    lab_sh(lab, "chmod 644 keys/identity");
    (void)read_key(lab, "keys/identity");
    assert_string_equal(lab_sh(lab, "stat -c %%a keys/identity"), "400");
    lab_sh(lab, "chmod 600 keys/identity"); /* private enough: somebody's own */
    (void)read_key(lab, "keys/identity");
    assert_string_equal(lab_sh(lab, "stat -c %%a keys/identity"), "600");
}

/* As the Secret of the installed manifests is mounted: another's file, which a group may read. Only root can give files away. */
static void a_key_of_another_user_is_taken_as_it_is(void **state)
{
    struct lab *lab = *state;
    struct deploykey_opts opts = { 0 };
    if (geteuid())
        skip();
    assert_ok(deploykey_generate(lab_path(lab, "keys"), &opts));
    lab_sh(lab, "chown 12345:12345 keys/identity; chmod 440 keys/identity");
    (void)read_key(lab, "keys/identity");
    assert_string_equal(lab_sh(lab, "stat -c %%a keys/identity"), "440");
}

static void the_public_half_beside_a_key_is_not_believed(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "mkdir keys && cd keys && ssh-keygen -q -t ed25519 -N '' -f identity && "
                "ssh-keygen -q -t ed25519 -N '' -f other && cp identity.pub right && mv other.pub "
                "identity.pub");
    struct deploykey key = read_key(lab, "keys/identity");
    assert_string_equal(key.sha256_hash,
                        lab_sh(lab, "ssh-keygen -l -f keys/right | cut -d' ' -f2 | cut -d: -f2"));
}

static void what_is_no_usable_key_is_refused_and_never_shown(void **state)
{
    struct lab *lab = *state;
    struct deploykey key;
    assert_fails(deploykey_read(lab->mem, lab_path(lab, "none"), &key), ERR_NOT_FOUND, "none");
    assert_fails(deploykey_read(lab->mem, lab_path(lab, "work"), &key), ERR_INVALID,
                 "not a key file");
    lab_write(lab, "rubbish", "topsecret\n");
    SCOPED(err_free) struct err *e = deploykey_read(lab->mem, lab_path(lab, "rubbish"), &key);
    assert_true(err_is(e, ERR_INVALID));
    assert_null(strstr(err_text(e), "topsecret"));
    lab_sh(lab, "ssh-keygen -q -t ed25519 -N passphrase -f locked");
    assert_fails(deploykey_read(lab->mem, lab_path(lab, "locked"), &key), ERR_INVALID,
                 "passphrase");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_new_key_is_ed25519_and_for_its_owner_only),
        lab_test(fingerprints_are_ssh_keygen_s_own),
        lab_test(type_bits_and_format_are_passed_on),
        lab_test(a_second_key_takes_the_place_of_the_first),
        lab_test(a_key_that_others_may_read_is_closed),
        lab_test(a_key_of_another_user_is_taken_as_it_is),
        lab_test(the_public_half_beside_a_key_is_not_believed),
        lab_test(what_is_no_usable_key_is_refused_and_never_shown),
    };
    return cmocka_run_group_tests_name("git_deploykey", tests, NULL, NULL);
}
