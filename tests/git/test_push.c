#include "lab.h"

#include <string.h>

#include "io/stream.h"

#define DEADLINE_MS 20000

static struct err *mark(struct mirror *mirror, const char *rev, const char *note)
{
    struct mirror_marker marker = { .rev = rev, .note = note, .moves_tag = true };
    return mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS));
}

static void install_hook(struct lab *lab, const char *name, const char *script)
{
    lab_write(lab, arena_printf(lab->mem, "repo.git/hooks/%s", name),
              arena_printf(lab->mem, "#!/bin/sh\n%s\n", script));
    lab_sh(lab, "chmod +x repo.git/hooks/%s", name);
}

static void marking_moves_the_tag_and_writes_the_note_in_one_push(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "pre-receive", "cat >> pushes; echo -- >> pushes");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", "{\"jobID\":\"1\"}"));
    assert_string_equal(lab_sh(lab, "grep -c -- -- repo.git/pushes"), "1");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"),
                        lab_sh(lab, "git -C work rev-parse HEAD"));
    assert_string_equal(lab_sh(lab, "git -C repo.git cat-file tag flux-sync | sed 's/> .*/>/'"),
                        arena_printf(lab->mem,
                                     "object %s\ntype commit\ntag flux-sync\n"
                                     "tagger Weave Flux <support@weave.works>\n\nSync pointer",
                                     lab_sh(lab, "git -C work rev-parse HEAD")));
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"),
                        "{\"jobID\":\"1\"}");
    const char *note;
    assert_ok(mirror_note_read(mirror, lab->mem, "flux", "master", &note));
    assert_string_equal(note, "{\"jobID\":\"1\"}\n");
    assert_ok(mirror_note_read(mirror, lab->mem, "refs/notes/other", "master", &note));
    assert_null(note);
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_string_equal(fetched.tag, fetched.head);
    assert_false(fetched.has_changed);
    assert_string_equal(lab_sh(lab, "git -C mirror for-each-ref --format='%%(refname)'"),
                        "refs/heads/master\nrefs/notes/flux\nrefs/tags/flux-sync");
    lab_sh(lab, "git -C repo.git fsck --strict");
}

static void what_is_there_is_not_written_again(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", "first"));
    install_hook(lab, "pre-receive",
                 "echo no; exit 1"); /* nothing is pushed, so nothing is refused */
    assert_ok(mark(mirror, "master", "second"));
    assert_ok(mark(mirror, "master", NULL));
    const char *next =
        lab_sh(lab, "rm repo.git/hooks/pre-receive; cd work; echo 2 > a.yaml; "
                    "git commit -qam 2; git push -q origin master; git rev-parse HEAD");
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_ok(mark(mirror, next, "next"));
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux list | wc -l"), "2");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master~1"), "first");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"), next);
}

static void the_tag_goes_back_when_history_does(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", NULL));
    lab_sh(lab, "cd work && git push -qf origin HEAD~1:master");
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_ok(mark(mirror, fetched.head, NULL));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"), fetched.head);
}

static void notes_of_another_writer_are_kept(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", "ours"));
    lab_sh(lab, "cd work && git fetch -q origin refs/notes/flux:refs/notes/flux && "
                "git notes --ref flux add -m theirs HEAD~1 && git push -q origin refs/notes/flux");
    const char *next = lab_commit(lab, "c.yaml", "c: 2\n");
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    lab_sh(lab, "cd work && git notes --ref flux append -m more HEAD~2 && git push -q origin "
                "refs/notes/flux");
    assert_ok(mark(mirror, next, "ours too")); /* somebody was faster: fetched, then tried again */
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "ours too");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master~1"), "ours");
    assert_string_equal(
        lab_sh(lab, "git -C repo.git notes --ref flux show master~2 | tr '\\n' ' '"),
        "theirs  more ");
}

static void a_refused_tag_is_told_in_the_remote_s_words(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "update",
                 "case $1 in refs/tags/*) echo \"tag $1 is protected\" >&2; exit 1;; esac");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    SCOPED(err_free) struct err *e = mark(mirror, "master", "a note");
    assert_true(err_is(e, ERR_DENIED));
    assert_string_equal(
        err_text(e),
        arena_printf(lab->mem,
                     "pushing tag to origin: failed to push some refs to 'file://%s/repo.git', "
                     "full output:\n"
                     " remote: tag refs/tags/flux-sync is protected        \n"
                     "remote: error: hook declined to update refs/tags/flux-sync        \n"
                     "To file://%s/repo.git\n"
                     " * [new reference]   refs/notes/flux -> refs/notes/flux\n"
                     " ! [remote rejected] flux-sync -> flux-sync (hook declined)\n"
                     "error: failed to push some refs to 'file://%s/repo.git'\n",
                     lab->dir, lab->dir, lab->dir));
    /* The half that was taken is known, so that only the other is tried again. */
    assert_string_equal(lab_sh(lab, "git -C mirror for-each-ref --format='%%(refname)'"),
                        "refs/heads/master\nrefs/notes/flux");
    lab_sh(lab, "rm repo.git/hooks/update");
    assert_ok(mark(mirror, "master", "a note"));
}

/* As when a push of ours that was killed half-way is still being worked off over there. */
static void a_tag_that_is_locked_just_now_is_tried_again(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "update",
                 "[ \"$1\" = refs/tags/flux-sync ] || exit 0\n"
                 "if [ -e was-locked ]; then rm -f refs/tags/flux-sync.lock; else "
                 "touch was-locked; mkdir -p refs/tags; touch refs/tags/flux-sync.lock; fi");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", "a note"));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"),
                        lab_sh(lab, "git -C work rev-parse HEAD"));
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "a note");
    lab_sh(lab, "test -e repo.git/was-locked");
}

static void the_write_check_leaves_nothing_behind(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "pre-receive", "cat >> pushes");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mirror_write_check(mirror, "master", lab_soon(DEADLINE_MS)));
    assert_string_equal(lab_sh(lab, "git -C repo.git for-each-ref --format='%%(refname)'"),
                        "refs/heads/master");
    assert_string_equal(
        lab_sh(lab, "grep -cE ' refs/tags/flux-write-check-[0-9a-f]{10}$' repo.git/pushes"), "2");
    assert_string_equal(lab_sh(lab, "git -C mirror for-each-ref --format='%%(refname)'"),
                        "refs/heads/master");
}

static void a_refused_write_check_says_so_as_git_does(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "pre-receive", "echo 'this repository is read only'; exit 1");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    SCOPED(err_free) struct err *e = mirror_write_check(mirror, "master", lab_soon(DEADLINE_MS));
    assert_true(err_is(e, ERR_DENIED));
    lab_write(lab, "said", err_text(e));
    assert_string_equal(
        lab_sh(lab, "sed 's/check-[0-9a-f]*/check-N/g; s,file://[^ ]*repo.git,URL,' said"),
        "attempt to push tag: failed to push some refs to 'URL', full output:\n"
        " remote: this repository is read only        \n"
        "To URL\n ! [remote rejected] flux-write-check-N -> flux-write-check-N (pre-receive hook "
        "declined)\n"
        "error: failed to push some refs to 'URL'");
}

static void what_a_hook_says_is_bounded_and_harmless(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(
        lab, "pre-receive",
        "printf 'red \\033[31m bell \\007\\n'; head -c 1000000 /dev/zero | tr '\\0' x; exit 1");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    SCOPED(err_free) struct err *e = mirror_write_check(mirror, "master", lab_soon(DEADLINE_MS));
    assert_true(strlen(err_text(e)) < 70000);
    assert_non_null(strstr(err_text(e), "remote: red [31m bell"));
    assert_null(strpbrk(err_text(e), "\033\007"));
    assert_non_null(strstr(err_text(e), "(pre-receive hook declined)"));
}

static void hooks_after_a_push_are_waited_for(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "post-receive", "sleep 0.5; echo done > after");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", NULL));
    assert_string_equal(lab_sh(lab, "cat repo.git/after"), "done");
}

static void a_hook_that_hangs_hits_the_deadline(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    install_hook(lab, "pre-receive", "sleep 60");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    struct mirror_marker marker = { .rev = "master", .moves_tag = true };
    assert_fails(mirror_mark(mirror, &marker, lab_soon(400)), ERR_TRANSIENT,
                 "context deadline exceeded");
}

static void nothing_is_pushed_where_nothing_is_wanted(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    opts.sync_tag = "";
    opts.notes_ref = "";
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_ok(mark(mirror, "master", "note"));
    assert_string_equal(lab_sh(lab, "git -C repo.git for-each-ref --format='%%(refname)'"),
                        "refs/heads/master");
}

static void a_revision_that_is_not_there_cannot_be_marked(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    assert_fails(mark(mirror, "1111111111111111111111111111111111111111", NULL), ERR_NOT_FOUND,
                 "fatal: bad revision");
}

static void many_notes_are_read_and_written_in_git_s_layout(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab,
           "cd work && git fast-import --quiet <<END\n"
           "$(for i in $(seq 600); do echo \"commit refs/heads/many\"; echo \"mark :$i\"; "
           "echo 'committer A <a@example.org> 1700000000 +0000'; echo 'data 2'; echo \"x\"; done)\n"
           "commit refs/notes/flux\ncommitter A <a@example.org> 1700000000 +0000\ndata 2\nn\n"
           "$(for i in $(seq 599); do echo \"N inline :$i\"; echo \"data <<E\"; echo \"note $i\"; "
           "echo E; done)\n"
           "END\ngit push -qf origin many:master refs/notes/flux");
    lab_sh(lab, "git -C work ls-tree refs/notes/flux | grep -q ' tree '"); /* it has fanned out */
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    const char *note;
    assert_ok(mirror_note_read(mirror, lab->mem, "flux", "master~1", &note));
    assert_string_equal(note, "note 599\n");
    assert_ok(mirror_note_read(mirror, lab->mem, "flux", "master", &note));
    assert_null(note);
    assert_ok(mark(mirror, "master", "note 600"));
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "note 600");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux list | wc -l"), "600");
}

/* Who may push may write notes, too. */
static void a_note_that_nobody_can_mean_is_not_read(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "head -c 5000000 /dev/zero | tr '\\0' x >big && cd work && "
                "git notes --ref flux add -F ../big HEAD && git push -q origin refs/notes/flux");
    struct mirror_opts opts = lab_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched_as(&opts);
    const char *note = "";
    size_t before = arena_used(lab->mem);
    assert_ok(mirror_note_read(mirror, lab->mem, "flux", "master", &note));
    assert_null(note);
    assert_true(arena_used(lab->mem) - before < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(marking_moves_the_tag_and_writes_the_note_in_one_push),
        lab_test(what_is_there_is_not_written_again),
        lab_test(the_tag_goes_back_when_history_does),
        lab_test(notes_of_another_writer_are_kept),
        lab_test(a_refused_tag_is_told_in_the_remote_s_words),
        lab_test(a_tag_that_is_locked_just_now_is_tried_again),
        lab_test(the_write_check_leaves_nothing_behind),
        lab_test(a_refused_write_check_says_so_as_git_does),
        lab_test(what_a_hook_says_is_bounded_and_harmless),
        lab_test(hooks_after_a_push_are_waited_for),
        lab_test(a_hook_that_hangs_hits_the_deadline),
        lab_test(nothing_is_pushed_where_nothing_is_wanted),
        lab_test(a_revision_that_is_not_there_cannot_be_marked),
        lab_test(many_notes_are_read_and_written_in_git_s_layout),
        lab_test(a_note_that_nobody_can_mean_is_not_read),
    };
    return cmocka_run_group_tests_name("git_push", tests, NULL, NULL);
}
