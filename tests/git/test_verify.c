#include "lab.h"

#include <string.h>

#define DEADLINE_MS 20000

/* A key ring with a key of Jane's; its fingerprint. A second key is Mallory's and not in the ring. */
static const char *make_keys(struct lab *lab)
{
    lab_sh(lab,
           "mkdir -m 700 gnupg other && for who in gnupg:Jane other:Mallory; do "
           "GNUPGHOME=$PWD/${who%%%%:*} gpg --batch -q --pinentry-mode loopback --passphrase '' "
           "--quick-gen-key \"${who##*:} <x@example.org>\" ed25519 sign never 2>/dev/null; done; "
           "GNUPGHOME=$PWD/other gpg --batch --armor --export > mallory.asc; "
           "gpg --batch --armor --export > jane.asc; "
           "cd work && git config user.signingKey $(gpg --batch --with-colons -K | sed -n "
           "'s/^fpr:*//p' | "
           "head -1 | tr -d :)");
    return lab_sh(lab, "git -C work config user.signingKey");
}

static void stop_other_agent(struct lab *lab)
{
    lab_sh(lab, "gpgconf --homedir $PWD/other --kill all");
}

/* Commits: s signed by Jane, u unsigned, m signed by Mallory, b signed and then altered. The last head. */
static const char *commit_all(struct lab *lab, const char *kinds)
{
    for (; *kinds; kinds++) {
        lab_sh(lab, "echo '%c' >> work/a.yaml", *kinds);
        if (*kinds == 's')
            lab_sh(lab, "cd work && git commit -qaS -m signed");
        else if (*kinds == 'u')
            lab_sh(lab, "cd work && git commit -qa -m unsigned");
        else if (*kinds == 'm')
            lab_sh(lab, "cd work && GNUPGHOME=$PWD/../other git commit -qa -SMallory -m mallory");
        else
            lab_sh(lab, "cd work && git commit -qaS -m before && git reset -q --soft $(git "
                        "cat-file commit HEAD | "
                        "sed 's/^before/after/' | git hash-object -t commit -w --stdin)");
    }
    return lab_sh(lab, "cd work && git push -qf origin HEAD:master && git rev-parse HEAD");
}

struct verify_case {
    const char *name;
    const char *commits; /* on top of the unsigned first one */
    int marker;          /* how many of them the marker is behind; -1: no marker */
    int valid;           /* of them; -1: none, not even the first */
    bool fails;
};

// clang-format off
static const struct verify_case verify_cases[] = {
    { "all commits after a signed marker are good",         "sss",  1, 3, false },
    { "an unsigned commit stops the run before it",         "ssus", 1, 2, false },
    { "an unsigned commit right after the marker stops it there", "sus", 1, 1, false },
    { "a signature of a key that is not in the ring does not count", "sms", 1, 1, false },
    { "an altered commit does not count",                   "sbs",  1, 1, false },
    { "a marker at the head has nothing behind it",         "ss",   2, 2, false },
    { "a marker that is not signed is an error",            "us",   1, 0, true },
    { "without a marker the first commit must be signed",   "ss",  -1, -1, false },
};
// clang-format on

static const char *ancestor(struct lab *lab, const char *commits, int count)
{
    return lab_sh(lab, "git -C work rev-parse HEAD~%d", (int)strlen(commits) - count);
}

static void a_run_of_commits_is_verified(void **state)
{
    const struct verify_case *at = *state;
    SCOPED(lab_free) struct lab *lab = lab_new();
    (void)make_keys(lab);
    const char *head = commit_all(lab, at->commits);
    stop_other_agent(lab);
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    const char *marker = at->marker < 0 ? "" : ancestor(lab, at->commits, at->marker);
    struct mirror_verified verified;
    struct err *e =
        mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_ALL, marker, head, &verified);
    if (at->fails) {
        assert_fails(
            e, ERR_DENIED,
            "failed to verify signature of last sync'ed revision: failed to verify commit");
        return;
    }
    assert_ok(e);
    assert_string_equal(verified.head, at->valid < 0 ? "" : ancestor(lab, at->commits, at->valid));
    bool is_whole = at->valid == (int)strlen(at->commits);
    assert_string_equal(verified.invalid,
                        is_whole ? "" : ancestor(lab, at->commits, at->valid + 1));
}

static void only_the_first_parents_count_in_that_mode(void **state)
{
    struct lab *lab = *state;
    (void)make_keys(lab);
    (void)commit_all(lab, "s");
    const char *marker = lab_sh(lab, "git -C work rev-parse HEAD");
    lab_sh(lab, "cd work && git checkout -q -b side && echo x > x && git add x && git commit -qm "
                "unsigned && "
                "git checkout -q master && git merge -q --no-ff -S -m merge side");
    const char *head = commit_all(lab, "s");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    struct mirror_verified verified;
    assert_ok(mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_FIRST_PARENT, marker, head,
                                      &verified));
    assert_string_equal(verified.head, head);
    assert_ok(
        mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_ALL, marker, head, &verified));
    assert_string_equal(verified.head, marker);
    assert_string_equal(verified.invalid, lab_sh(lab, "git -C work rev-parse side"));
    assert_string_equal(verified.key, "");
    assert_ok(
        mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_NONE, marker, head, &verified));
    assert_string_equal(verified.head, head);
}

static void a_key_that_nobody_vouches_for_does_not_count(void **state)
{
    struct lab *lab = *state;
    (void)make_keys(lab);
    const char *head = commit_all(lab, "m");
    stop_other_agent(lab);
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    const char *const paths[] = { lab_path(lab, "mallory.asc"), NULL };
    struct mirror_verified verified;
    size_t count = 0;
    assert_ok(mirror_import_keys(mirror, paths, false, &count));
    assert_int_equal(count, 1);
    assert_fails(
        mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_ALL, head, head, &verified),
        ERR_DENIED, head);
    assert_ok(mirror_import_keys(mirror, paths, true, &count)); /* ownertrust for the whole ring */
    assert_ok(mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_ALL, head, head, &verified));
    assert_string_equal(lab_sh(lab, "cd work && git log -1 --format=%%G?"), "G");
}

static void keys_come_from_files_and_directories(void **state)
{
    struct lab *lab = *state;
    (void)make_keys(lab);
    stop_other_agent(lab);
    lab_sh(lab, "mkdir keys keys/below fresh && chmod 700 fresh && cp jane.asc keys && ln -s "
                "../mallory.asc keys/m && "
                "cp jane.asc keys/below && echo rubbish > keys/zzz");
    struct mirror_opts opts = lab_opts(lab);
    opts.gnupg_home = lab_path(lab, "fresh");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    const char *const paths[] = { lab_path(lab, "keys"), lab_path(lab, "nowhere"), NULL };
    size_t count = 0;
    assert_fails(mirror_import_keys(mirror, paths, true, &count), ERR_NOT_FOUND, "nowhere");
    assert_int_equal(count, 2);
    const char *const good[] = { lab_path(lab, "jane.asc"), NULL };
    assert_ok(mirror_import_keys(mirror, good, true, &count));
    assert_string_equal(
        lab_sh(lab, "gpg --homedir fresh --batch --export-ownertrust 2>/dev/null | grep -c ':6:'; "
                    "gpgconf --homedir $PWD/fresh --kill all"),
        "2");
}

static void the_sync_tag_is_signed_and_must_verify(void **state)
{
    struct lab *lab = *state;
    const char *key = make_keys(lab);
    stop_other_agent(lab);
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_fetched_as(&opts);
    assert_fails(mirror_check_tag(mirror), ERR_NOT_FOUND, "verifying tag flux-sync");
    struct mirror_marker marker = { .rev = "master", .moves_tag = true };
    assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
    assert_fails(mirror_check_tag(mirror), ERR_DENIED,
                 "verifying tag flux-sync: its signature is missing");
    mirror_free(mirror);
    (void)commit_all(lab, "s");
    opts.signing_key = key;
    mirror = lab_fetched_as(&opts);
    assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
    assert_ok(mirror_check_tag(mirror));
    lab_sh(lab, "cd repo.git && git verify-tag flux-sync 2>/dev/null");
    /* A good signature, of another tag. */
    lab_sh(lab, "cd work && git tag -sm release v1 && git push -qf origin v1:refs/tags/flux-sync");
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_fails(mirror_check_tag(mirror), ERR_DENIED, "verifying tag flux-sync");
    mirror_free(mirror);
}

static void a_signing_key_that_is_not_there_is_named(void **state)
{
    struct lab *lab = *state;
    (void)make_keys(lab);
    stop_other_agent(lab);
    struct mirror_opts opts = lab_opts(lab);
    opts.signing_key = "nobody@example.org";
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    struct mirror_marker marker = { .rev = "master", .moves_tag = true };
    assert_fails(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)), ERR_DENIED,
                 "moving tag flux-sync: gpg failed to sign the data with key nobody@example.org");
    assert_string_equal(lab_sh(lab, "git -C repo.git for-each-ref --format='%%(refname)'"),
                        "refs/heads/master");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(only_the_first_parents_count_in_that_mode),
        lab_test(a_key_that_nobody_vouches_for_does_not_count),
        lab_test(keys_come_from_files_and_directories),
        lab_test(the_sync_tag_is_signed_and_must_verify),
        lab_test(a_signing_key_that_is_not_there_is_named),
    };
    struct CMUnitTest runs[ARRAY_LEN(verify_cases)];
    for (size_t i = 0; i < ARRAY_LEN(verify_cases); i++)
        runs[i] = (struct CMUnitTest){ .name = verify_cases[i].name,
                                       .test_func = a_run_of_commits_is_verified,
                                       .initial_state = (void *)(uintptr_t)&verify_cases[i] };
    int failed = cmocka_run_group_tests_name("git_verify", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("git_verify_runs", runs, NULL, NULL);
}
