#include "lab.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 20000

static struct mirror_fetched fetch(struct mirror *mirror)
{
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    return fetched;
}

static const char *head_of(struct lab *lab, const char *branch)
{
    return lab_sh(lab, "git -C repo.git rev-parse refs/heads/%s", branch);
}

static void a_clone_has_the_head_and_nothing_is_fetched_twice(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched = fetch(mirror);
    assert_true(fetched.was_clone);
    assert_true(fetched.has_changed);
    assert_string_equal(fetched.head, head_of(lab, "master"));
    assert_string_equal(fetched.tag, "");
    fetched = fetch(mirror);
    assert_false(fetched.was_clone);
    assert_false(fetched.has_changed);
    assert_string_equal(lab_sh(lab, "ls mirror/objects/pack/*.pack | wc -l"), "1");
    const char *second = lab_commit(lab, "c.yaml", "c: 1\n");
    fetched = fetch(mirror);
    assert_true(fetched.has_changed);
    assert_string_equal(fetched.head, second);
    lab_sh(lab, "git -C mirror fsck --strict");
}

static void only_the_branch_the_tag_and_the_notes_are_fetched(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git tag v1 && git tag -am x flux-sync && git notes --ref flux add -m n "
                "&& git notes --ref other add -m o && git checkout -q -b side && echo x > x && "
                "git add x && git commit -qm x && git push -q origin side v1 flux-sync "
                "refs/notes/flux refs/notes/other");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched = fetch(mirror);
    assert_string_equal(fetched.tag, fetched.head);
    assert_string_equal(lab_sh(lab, "git -C mirror for-each-ref --format='%%(refname)'"),
                        "refs/heads/master\nrefs/notes/flux\nrefs/tags/flux-sync");
    lab_sh(lab, "! git -C mirror cat-file -e $(git -C work rev-parse side) 2>/dev/null");
}

static void a_restart_takes_the_mirror_up_again(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    mirror_free(mirror);
    lab_sh(lab, "touch mirror/refs/heads/master.lock mirror/objects/pack/pack_git2_abcdef");
    const char *second = lab_commit(lab, "c.yaml", "c: 1\n");
    mirror = lab_mirror(&opts);
    char sha[MIRROR_SHA_BYTES];
    assert_ok(mirror_resolve(mirror, "master", sha)); /* readable before the first fetch */
    struct mirror_fetched fetched = fetch(mirror);
    mirror_free(mirror);
    assert_false(fetched.was_clone);
    assert_string_equal(fetched.head, second);
    lab_sh(lab, "test ! -e mirror/objects/pack/pack_git2_abcdef");
}

static void a_mirror_of_another_url_is_replaced(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    mirror_free(mirror);
    lab_sh(lab, "git clone -q --bare repo.git second.git 2>/dev/null");
    opts.url = arena_printf(lab->mem, "file://%s/second.git", lab->dir);
    mirror = lab_mirror(&opts);
    char sha[MIRROR_SHA_BYTES];
    assert_fails(mirror_resolve(mirror, "master", sha), ERR_NOT_FOUND, "has not been cloned yet");
    struct mirror_fetched fetched = fetch(mirror);
    mirror_free(mirror);
    assert_true(fetched.was_clone);
    assert_string_equal(lab_sh(lab, "ls -d mirror*"), "mirror\nmirror.lock");
}

static void a_foreign_directory_is_moved_not_removed(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "mkdir mirror && echo precious > mirror/file");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    assert_true(fetch(mirror).was_clone);
    assert_string_equal(lab_sh(lab, "cat mirror.aside-1/file"), "precious");
}

static struct mirror *restart(struct mirror *mirror, const struct mirror_opts *opts)
{
    mirror_free(mirror);
    return lab_mirror(opts);
}

static void a_damaged_mirror_is_cloned_anew(void **state)
{
    struct lab *lab = *state;
    static const char *const damages[] = {
        "for f in objects/pack/*; do chmod u+w $f; : > $f; done", /* power was lost */
        "for f in objects/pack/*.pack; do chmod u+w $f; printf 0000000000 > $f; done",
        "rm objects/pack/*",
        "rm HEAD",
        ": > config && echo '[core' > config",
        ": > refs/heads/master",
    };
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        lab_sh(lab, "cd mirror; %s", damages[i]);
        mirror = restart(mirror, &opts);
        assert_string_equal(fetch(mirror).head, head_of(lab, "master"));
        lab_sh(lab, "git -C mirror fsck --strict");
    }
    mirror_free(mirror);
    assert_string_equal(lab_sh(lab, "ls -d mirror*"), "mirror\nmirror.lock");
}

static void a_lost_file_is_noticed_by_its_reader_and_healed_by_the_next_fetch(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    lab_sh(lab, "cd mirror && mv objects/pack/*.pack ../p && rm -f objects/pack/* && "
                "git unpack-objects -q < ../p && rm objects/$(git rev-parse master:a.yaml | "
                "sed 's,^..,&/,')");
    mirror = restart(mirror, &opts);
    const char *text = NULL;
    size_t len;
    assert_fails(mirror_read_path(mirror, lab->mem, "master", "a.yaml", 100, &text, &len),
                 ERR_NOT_FOUND, "a.yaml");
    (void)fetch(mirror);
    assert_ok(mirror_read_path(mirror, lab->mem, "master", "a.yaml", 100, &text, &len));
    assert_string_equal(text, "a: 1\n");
    mirror_free(mirror);
}

static void two_processes_do_not_share_a_mirror(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts), *other = lab_mirror(&opts);
    struct mirror_fetched fetched;
    (void)fetch(mirror);
    assert_fails(mirror_fetch(other, lab_soon(DEADLINE_MS), &fetched), ERR_CONFLICT,
                 "in use by another process");
}

static void a_forced_push_is_followed_and_the_tag_keeps_the_old_history(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git tag -am x flux-sync && git push -q origin flux-sync");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched before = fetch(mirror);
    lab_sh(lab,
           "cd work && git checkout -q --orphan fresh && git rm -qrf . && echo new > n.yaml && "
           "git add n.yaml && git commit -qm unrelated && git push -qf origin HEAD:master");
    struct mirror_fetched after = fetch(mirror);
    assert_string_equal(after.head, head_of(lab, "master"));
    assert_string_not_equal(after.head, before.head);
    assert_string_equal(after.tag, before.tag);
    bool is_ancestor = true;
    assert_ok(mirror_is_ancestor(mirror, after.tag, after.head, &is_ancestor));
    assert_false(is_ancestor);
    struct mirror_commits commits;
    assert_ok(mirror_log(mirror, lab->mem, after.tag, after.head, NULL, 10, false, &commits));
    assert_int_equal(commits.len, 1);
    assert_string_equal(commits.at[0].subject, "unrelated");
}

static void a_missing_branch_is_no_error_and_a_deleted_one_keeps_its_head(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    opts.branch = "production";
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched = fetch(mirror);
    assert_true(fetched.was_clone);
    assert_string_equal(fetched.head, "");
    lab_sh(lab, "cd work && git push -q origin master:production");
    fetched = fetch(mirror);
    assert_false(fetched.was_clone);
    assert_string_equal(fetched.head, head_of(lab, "production"));
    lab_sh(lab, "cd work && git push -q origin --delete production");
    fetched = fetch(mirror);
    assert_false(fetched.has_changed);
    assert_string_equal(fetched.head, head_of(lab, "master"));
}

static void a_deleted_sync_tag_is_gone_here_too(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git tag -am x flux-sync && git push -q origin flux-sync");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    assert_string_equal(fetch(mirror).tag, head_of(lab, "master"));
    lab_sh(lab, "cd work && git push -q origin --delete flux-sync");
    struct mirror_fetched fetched = fetch(mirror);
    assert_string_equal(fetched.tag, "");
    assert_true(fetched.has_changed);
}

static void an_empty_repository_has_no_head(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "git init -q --bare empty.git");
    struct mirror_opts opts = lab_opts(lab);
    opts.url = arena_printf(lab->mem, "file://%s/empty.git", lab->dir);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    assert_string_equal(fetch(mirror).head, "");
    assert_string_equal(fetch(mirror).head, "");
}

static void another_branch_leaves_no_ref_of_the_first(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git push -q origin master:master2 && git push -q origin master:prod");
    struct mirror_opts opts = lab_opts(lab);
    struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    mirror_free(mirror);
    opts.branch = "prod";
    mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    char sha[MIRROR_SHA_BYTES];
    assert_ok(mirror_resolve(mirror, "HEAD", sha));
    mirror_free(mirror);
    assert_string_equal(lab_sh(lab, "git -C mirror for-each-ref --format='%%(refname)'"),
                        "refs/heads/prod");
}

static void a_missing_repository_is_told_in_git_s_words(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    opts.url = "file:///no/such/repository.git";
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    SCOPED(err_free)
    struct err *e = mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_string_equal(
        err_text(e),
        arena_printf(
            lab->mem,
            "git clone --mirror: fatal: '/no/such/repository.git' does not appear to be a "
            "git repository, full output:\n Cloning into bare repository '%s/mirror'...\n"
            "fatal: '/no/such/repository.git' does not appear to be a git repository\n"
            "fatal: Could not read from remote repository.\n\nPlease make sure you have the "
            "correct access rights\nand the repository exists.\n",
            lab->dir));
}

static void a_pack_over_the_limit_is_refused(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab,
           "cd work && head -c 3000000 /dev/urandom > big && git add big && git commit -qm big "
           "&& git push -q origin master");
    struct mirror_opts opts = lab_opts(lab);
    opts.limit_bytes = (size_t)1 << 20;
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    assert_fails(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched), ERR_LIMIT,
                 "the remote sends more than 1 MiB of objects");
}

static void a_remote_that_says_nothing_hits_the_deadline(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "mkdir bin && printf '#!/bin/sh\\nsleep 60\\n' > bin/git-upload-pack && "
                "chmod +x bin/git-upload-pack");
    const char *env[8] = { 0 };
    for (size_t i = 0; lab->env[i]; i++)
        env[i] = lab->env[i];
    env[1] = arena_printf(lab->mem, "PATH=%s/bin:%s", lab->dir, getenv("PATH"));
    struct mirror_opts opts = lab_opts(lab);
    opts.env = env;
    opts.ssh_command = "sh -c 'exec git-upload-pack'";
    opts.url = "ssh://nobody@nowhere/x";
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    assert_fails(mirror_fetch(mirror, lab_soon(300), &fetched), ERR_TRANSIENT,
                 "context deadline exceeded");
}

static void many_fetches_do_not_leave_many_packs(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    (void)fetch(mirror);
    lab_sh(lab, "cd work && for i in $(seq 45); do echo $i > a.yaml; git commit -qam $i; done");
    for (int i = 44; i >= 0; i--) {
        lab_sh(lab, "cd work && git push -q origin HEAD~%d:master", i);
        (void)fetch(mirror);
    }
    struct mirror_commits commits;
    assert_ok(mirror_log(mirror, lab->mem, NULL, "master", NULL, 100, false, &commits));
    assert_int_equal(commits.len, 46);
    lab_sh(lab,
           "git -C mirror fsck --strict; test $(ls mirror/objects/pack/*.pack | wc -l) -lt 15");
}

/* In a process of its own, which is killed after so many microseconds. */
static void work_and_die(const struct mirror_opts *opts, useconds_t after_us)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        struct mirror *mirror = NULL;
        struct mirror_fetched fetched;
        struct mirror_marker marker = { .rev = "master", .note = "a note", .moves_tag = true };
        struct err *e = mirror_new(opts, &mirror);
        if (!e)
            e = mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched);
        if (!e)
            e = mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS));
        _exit(e ? 1 : 0);
    }
    (void)usleep(after_us);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void killed_at_any_moment_it_goes_on_from_there(void **state)
{
    struct lab *lab = *state;
    lab_sh(
        lab,
        "cd work && for i in $(seq 300); do head -c 2000 /dev/urandom > f$i; done && git add -A && "
        "git commit -qm many && git push -q origin HEAD:master");
    struct mirror_opts opts = lab_opts(lab);
    for (useconds_t ms = 0; ms < 90; ms += 6) {
        if (ms % 18 == 0) /* when nobody works off a push any more */
            lab_sh(lab, "while pgrep -f \"git.*-pack.*$PWD/repo[.]git\" >/dev/null; do sleep 0.05; "
                        "done; rm -rf mirror; git -C repo.git update-ref -d refs/tags/flux-sync; "
                        "git -C repo.git update-ref -d refs/notes/flux");
        (void)lab_commit(lab, "c.yaml", arena_printf(lab->mem, "c: %u\n", (unsigned)ms));
        work_and_die(&opts, ms * 1000);
        SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
        struct mirror_fetched fetched = fetch(mirror);
        struct mirror_marker marker = { .rev = "master", .note = "a note", .moves_tag = true };
        assert_string_equal(fetched.head, head_of(lab, "master"));
        assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
        assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "a note");
        assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"),
                            fetched.head);
        lab_sh(lab, "git -C mirror fsck --strict 2>/dev/null; ! find mirror | grep -e _git2_ -e "
                    "'\\.lock$'");
    }
}

static void insteadof_is_obeyed_and_not_shown(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab,
           "git config --file home/.gitconfig url.file://%s/.insteadOf https://git.example/ && "
           "git config --file home/.gitconfig url.file:///nowhere/.insteadOf https://git.",
           lab->dir);
    struct mirror_opts opts = lab_opts(lab);
    opts.url = "https://git.example/repo.git";
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    assert_string_equal(fetch(mirror).head, head_of(lab, "master"));
    assert_string_equal(mirror_url(mirror)->safe, "https://git.example/repo.git");
}

static void settings_that_cannot_work_are_refused(void **state)
{
    struct lab *lab = *state;
    struct mirror *mirror = NULL;
    struct mirror_opts opts = lab_opts(lab);
    opts.branch = "a..b";
    assert_fails(mirror_new(&opts, &mirror), ERR_INVALID, "'a..b' is not a valid name");
    opts = lab_opts(lab);
    opts.url = "git://host/x";
    assert_fails(mirror_new(&opts, &mirror), ERR_INVALID, "use https or ssh");
    opts.url = "ftp://user:secret@host/x";
    assert_fails(mirror_new(&opts, &mirror), ERR_INVALID, "<unparseable: host/x>");
    assert_null(mirror);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_clone_has_the_head_and_nothing_is_fetched_twice),
        lab_test(only_the_branch_the_tag_and_the_notes_are_fetched),
        lab_test(a_restart_takes_the_mirror_up_again),
        lab_test(a_mirror_of_another_url_is_replaced),
        lab_test(a_foreign_directory_is_moved_not_removed),
        lab_test(a_damaged_mirror_is_cloned_anew),
        lab_test(a_lost_file_is_noticed_by_its_reader_and_healed_by_the_next_fetch),
        lab_test(two_processes_do_not_share_a_mirror),
        lab_test(a_forced_push_is_followed_and_the_tag_keeps_the_old_history),
        lab_test(a_missing_branch_is_no_error_and_a_deleted_one_keeps_its_head),
        lab_test(a_deleted_sync_tag_is_gone_here_too),
        lab_test(an_empty_repository_has_no_head),
        lab_test(another_branch_leaves_no_ref_of_the_first),
        lab_test(a_missing_repository_is_told_in_git_s_words),
        lab_test(a_pack_over_the_limit_is_refused),
        lab_test(a_remote_that_says_nothing_hits_the_deadline),
        lab_test(many_fetches_do_not_leave_many_packs),
        lab_test(killed_at_any_moment_it_goes_on_from_there),
        lab_test(insteadof_is_obeyed_and_not_shown),
        lab_test(settings_that_cannot_work_are_refused),
    };
    return cmocka_run_group_tests_name("git_mirror", tests, NULL, NULL);
}
