#include "lab.h"

#include <git2.h>
#include <string.h>

#include "../rows.h"

#define DEADLINE_MS 20000
#define LIMIT       100

/* Others clone whole histories: then the answers have to be the same, and nothing is ever shallow. */
#define KNOWS_DEPTH (LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 7)

struct question;
struct world {
    const struct question *question;
    struct lab *lab;
    struct mirror_opts opts;
    struct mirror *mirror;
    const char *shas[4]; /* oldest first; the last is the head that is cloned */
};

static struct mirror_fetched fetch(struct world *world)
{
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(world->mirror, lab_soon(DEADLINE_MS), &fetched));
    return fetched;
}

static const char *head_of(struct lab *lab)
{
    return lab_sh(lab, "git -C repo.git rev-parse master");
}

static void reopen(struct world *world)
{
    mirror_free(world->mirror);
    world->mirror = lab_mirror(&world->opts);
}

static int setup(void **state)
{
    struct lab *lab = lab_new();
    struct world *world = arena_alloc(lab->mem, sizeof(*world));
    *world = (struct world){ .question = *state, .lab = lab, .opts = lab_opts(lab) };
    world->opts.history_ms = DEADLINE_MS;
    world->shas[0] = head_of(lab);
    for (size_t i = 1; i < ARRAY_LEN(world->shas); i++)
        world->shas[i] = lab_commit(lab, i == 2 ? "two.yaml" : "c.yaml", "text: many\n" + i);
    world->mirror = lab_mirror(&world->opts);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    mirror_free(world->mirror);
    lab_free(world->lab);
    return 0;
}

static void assert_shallow(struct world *world, bool is_wanted)
{
    assert_int_equal(mirror_is_shallow(world->mirror), is_wanted && KNOWS_DEPTH);
    lab_sh(world->lab, "git -C mirror fsck --strict --no-dangling");
}

/* "sha sha": newest first, of from..to. */
static const char *log_of(struct world *world, const char *from, const char *path)
{
    struct arena *mem = world->lab->mem;
    struct mirror_commits commits;
    const char *const paths[] = { path, NULL };
    const char *text = "";
    assert_ok(mirror_log(world->mirror, mem, from, "master", path ? paths : NULL, LIMIT, false,
                         &commits));
    for (size_t i = 0; i < commits.len; i++)
        text = arena_printf(mem, "%s%s%s", text, i ? "\n" : "", commits.at[i].sha);
    return text;
}

/* What git says in the remote is what we say. */
static void assert_log(struct world *world, const char *from, const char *path)
{
    const char *wanted =
        lab_sh(world->lab, "git -C repo.git log --topo-order --format=%%H %s%smaster -- %s",
               from ? from : "", from ? ".." : "", path ? path : "");
    assert_string_equal(log_of(world, from, path), wanted);
}

static bool is_ancestor(struct world *world, const char *older, const char *newer)
{
    bool is_it;
    assert_ok(mirror_is_ancestor(world->mirror, older, newer, &is_it));
    return is_it;
}

static void a_new_mirror_has_one_commit_until_somebody_asks_for_more(void **state)
{
    struct world *world = *state;
    struct mirror_commits commits;
    assert_string_equal(fetch(world).head, world->shas[3]);
    assert_shallow(world, true);
    assert_ok(mirror_log(world->mirror, world->lab->mem, NULL, "master", NULL, 1, true, &commits));
    assert_string_equal(commits.at[0].sha, world->shas[3]);
    assert_string_equal(log_of(world, world->shas[3], NULL), "");
    const char *next = lab_commit(world->lab, "d.yaml", "d: 1\n");
    assert_string_equal(fetch(world).head, next);
    assert_log(world, world->shas[3], NULL);
    assert_true(is_ancestor(world, world->shas[3], next));
    assert_false(is_ancestor(world, next, world->shas[3]));
    assert_shallow(world, true);
    assert_log(world, NULL, NULL);
    assert_shallow(world, false);
    assert_false(fetch(world).has_changed);
}

static void log_of_all(struct world *world)
{
    assert_log(world, NULL, NULL);
}

static void log_from_an_old_marker(struct world *world)
{
    assert_log(world, world->shas[1], NULL);
}

static void log_of_a_path(struct world *world)
{
    assert_log(world, NULL, "two.yaml");
}

static void log_of_two(struct world *world)
{
    struct mirror_commits commits;
    assert_ok(mirror_log(world->mirror, world->lab->mem, NULL, "master", NULL, 2, true, &commits));
    assert_int_equal(commits.len, 2);
    assert_string_equal(commits.at[1].sha, world->shas[2]);
}

static void an_old_commit(struct world *world)
{
    char sha[MIRROR_SHA_BYTES];
    assert_ok(
        mirror_resolve(world->mirror, arena_strndup(world->lab->mem, world->shas[0], 12), sha));
    assert_string_equal(sha, world->shas[0]);
}

static void a_commit_counted_from_the_head(struct world *world)
{
    char sha[MIRROR_SHA_BYTES];
    assert_ok(mirror_resolve(world->mirror, "master~2", sha));
    assert_string_equal(sha, world->shas[1]);
}

static void an_old_ancestor(struct world *world)
{
    assert_true(is_ancestor(world, world->shas[0], world->shas[3]));
}

static void a_commit_that_nobody_has(struct world *world)
{
    char sha[MIRROR_SHA_BYTES];
    assert_fails(mirror_resolve(world->mirror, "0123456789012345678901234567890123456789", sha),
                 ERR_NOT_FOUND, "bad revision");
}

static void a_tag_that_was_moved_back(struct world *world)
{
    lab_sh(world->lab, "cd work && git tag -afm x flux-sync %s && git push -qf origin flux-sync",
           world->shas[1]);
    assert_string_equal(fetch(world).tag, world->shas[1]);
    assert_log(world, world->shas[1], NULL);
}

static void a_branch_from_before(struct world *world)
{
    lab_sh(
        world->lab,
        "cd work && git checkout -q -b side %s && echo s > s && git add s && git commit -qm s && "
        "git checkout -q master && git merge -q --no-edit side && git push -q origin master",
        world->shas[0]);
    (void)fetch(world);
    assert_log(world, world->shas[3], NULL);
    assert_true(is_ancestor(world, world->shas[1], head_of(world->lab)));
}

static void a_push_that_takes_commits_back(struct world *world)
{
    lab_sh(world->lab, "cd work && git reset -q --hard %s && git push -qf origin master",
           world->shas[1]);
    assert_string_equal(fetch(world).head, world->shas[1]);
    assert_true(is_ancestor(world, world->shas[1], world->shas[3]));
    assert_false(is_ancestor(world, world->shas[3], world->shas[1]));
}

static void a_push_of_another_history(struct world *world)
{
    lab_sh(world->lab, "cd work && git checkout -q --orphan other && git commit -qm other && "
                       "git push -qf origin other:master");
    assert_string_equal(fetch(world).head, head_of(world->lab));
    assert_false(is_ancestor(world, world->shas[3], head_of(world->lab)));
    assert_log(world, NULL, NULL);
}

static bool count_note(void *ctx, const char *sha, const char *note)
{
    (void)sha;
    assert_string_equal(note, "old\n");
    (*(size_t *)ctx)++;
    return false;
}

static void notes_on_old_commits(struct world *world)
{
    size_t count = 0;
    lab_sh(world->lab,
           "cd work && git notes --ref flux add -m old %s && git push -q origin refs/notes/flux",
           world->shas[1]);
    (void)fetch(world);
    assert_shallow(world, true);
    assert_ok(mirror_notes_each(world->mirror, "flux", "master", LIMIT, count_note, &count));
    assert_int_equal(count, 1);
}

static void signatures_are_to_be_verified(struct world *world)
{
    struct mirror_verified verified;
    if (KNOWS_DEPTH)
        assert_fails(mirror_check_signatures(world->mirror, world->lab->mem, MIRROR_VERIFY_ALL, "",
                                             world->shas[3], &verified),
                     ERR_TRANSIENT, "fetch first");
    world->opts.history_ms = 0;
    reopen(world);
    assert_false(fetch(world).has_changed);
}

/* Each asks a fresh clone for something that is not in it. */
static const struct question {
    const char *name;
    void (*ask)(struct world *world);
} questions[] = {
    { "the log of all gets the history", log_of_all },
    { "the log from an old marker gets the history", log_from_an_old_marker },
    { "the log of a path gets the history", log_of_a_path },
    { "the log of two commits gets the history", log_of_two },
    { "the name of an old commit gets the history", an_old_commit },
    { "a commit counted from the head gets the history", a_commit_counted_from_the_head },
    { "an old ancestor gets the history", an_old_ancestor },
    { "the name of no commit gets the history", a_commit_that_nobody_has },
    { "a tag that was moved back gets the history", a_tag_that_was_moved_back },
    { "a merged branch from before gets the history", a_branch_from_before },
    { "a push that takes commits back gets the history", a_push_that_takes_commits_back },
    { "a push of another history gets it", a_push_of_another_history },
    { "notes on old commits get the history", notes_on_old_commits },
    { "signatures to be verified get the history", signatures_are_to_be_verified },
};

static void whoever_needs_the_history_gets_it(void **state)
{
    struct world *world = *state;
    (void)fetch(world);
    assert_shallow(world, true);
    world->question->ask(world);
    assert_shallow(world, false);
}

/* git lists it as cut off. */
static void a_single_commit_is_a_whole_history(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "git -C work push -qf origin %s:master", world->shas[0]);
    assert_string_equal(fetch(world).head, world->shas[0]);
    assert_string_equal(lab_sh(world->lab, "ls mirror/objects/pack/*.pack | wc -l"), "1");
    assert_log(world, NULL, NULL);
    assert_log(world, NULL, "a.yaml");
    lab_sh(world->lab, "git -C work push -qf origin %s:master", world->shas[3]);
    (void)fetch(world);
    assert_log(world, NULL, NULL);
}

static void what_the_remote_has_forgotten_leads_to_a_new_clone(void **state)
{
    struct world *world = *state;
    (void)fetch(world);
    lab_sh(
        world->lab,
        "cd work && git reset -q --hard %s && echo n > n && git add n && git commit -qm n && "
        "git push -qf origin master && cd ../repo.git && git reflog expire --expire=now --all && "
        "git gc -q --prune=now",
        world->shas[1]);
    assert_string_equal(fetch(world).head, head_of(world->lab));
    assert_log(world, world->shas[1], NULL);
    assert_string_equal(lab_sh(world->lab, "ls -d mirror*"), "mirror\nmirror.lock");
}

static void a_sync_tag_elsewhere_and_another_branch_need_the_history(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "cd work && git tag -am x flux-sync %s && git push -q origin flux-sync",
           world->shas[1]);
    assert_string_equal(fetch(world).tag, world->shas[1]);
    assert_shallow(world, false);
    lab_sh(world->lab,
           "rm -rf mirror; cd work && git tag -afm x flux-sync %s && git branch second "
           "%s && git push -qf origin flux-sync second",
           world->shas[3], world->shas[2]);
    reopen(world);
    assert_string_equal(fetch(world).tag, world->shas[3]);
    assert_shallow(world, true);
    world->opts.branch = "second";
    reopen(world);
    assert_string_equal(fetch(world).head, world->shas[2]);
    assert_shallow(world, false);
    world->opts.branch = "master"; /* a history that is here is not cut off */
    reopen(world);
    (void)fetch(world);
    assert_shallow(world, false);
}

static void commits_marks_and_notes_are_pushed_from_a_shallow_mirror(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    struct mirror_committed committed;
    const struct mirror_file file = { .path = "c.yaml", .text = "c: new\n", .len = 7 };
    (void)fetch(world);
    const struct mirror_commit_request request = { .parent = world->shas[3],
                                                   .files = &file,
                                                   .count = 1,
                                                   .message = "automated",
                                                   .notes_ref = "flux",
                                                   .note = "why" };
    assert_ok(mirror_write_check(world->mirror, world->shas[3], lab_soon(DEADLINE_MS)));
    assert_ok(mirror_commit(world->mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed));
    assert_null(committed.note_refused);
    const struct mirror_marker marker = { .rev = committed.sha, .moves_tag = true };
    assert_ok(mirror_mark(world->mirror, &marker, lab_soon(DEADLINE_MS)));
    assert_shallow(world, true);
    assert_string_equal(head_of(lab), committed.sha);
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"), committed.sha);
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "why");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-list --count master"), "5");
    lab_sh(lab, "git -C repo.git fsck --strict --no-dangling");
}

/* The capability is taken out of what git-upload-pack says. */
static void a_remote_that_cannot_is_cloned_whole(void **state)
{
    struct world *world = *state;
    lab_write(world->lab, "mask.py",
              "import os\nwhile said := os.read(0, 65536):\n"
              "    os.write(1, said.replace(b' shallow ', b' xxallow '))\n");
    lab_sh(world->lab,
           "mkdir bin && printf '#!/bin/sh\\nshift $(($# - 1))\\neval \"exec $1\" | "
           "python3 %s/mask.py\\n' > bin/ssh && chmod +x bin/ssh",
           world->lab->dir);
    world->opts.url = arena_printf(world->lab->mem, "ssh://git@host%s/repo.git", world->lab->dir);
    world->opts.ssh_command = lab_path(world->lab, "bin/ssh");
    reopen(world);
    assert_string_equal(fetch(world).head, world->shas[3]);
    assert_shallow(world, false);
    assert_log(world, NULL, NULL);
}

static void a_history_that_cannot_be_fetched_is_told(void **state)
{
    struct world *world = *state;
    char sha[MIRROR_SHA_BYTES];
    (void)fetch(world);
    lab_sh(world->lab, "mv repo.git away.git");
    if (KNOWS_DEPTH)
        assert_fails(mirror_resolve(world->mirror, world->shas[0], sha), ERR_TRANSIENT,
                     "the commits before those that were cloned cannot be fetched: git fetch");
    assert_ok(mirror_resolve(world->mirror, world->shas[3], sha));
    lab_sh(world->lab, "mv away.git repo.git");
    assert_ok(mirror_resolve(world->mirror, world->shas[0], sha));
}

/* Of any libgit2: what a newer one left cut off is not taken for a whole history. */
static void a_shallow_mirror_is_never_misread(void **state)
{
    struct world *world = *state;
    (void)fetch(world);
    mirror_free(world->mirror);
    lab_sh(world->lab, "rm -rf mirror/objects mirror/shallow && git clone -q --bare --depth 1 "
                       "file://$PWD/repo.git s && "
                       "mv s/objects s/shallow mirror");
    world->mirror = lab_mirror(&world->opts);
    struct mirror_fetched fetched = fetch(world);
    assert_string_equal(fetched.head, world->shas[3]);
    assert_int_equal(fetched.was_clone, !KNOWS_DEPTH);
    assert_shallow(world, true);
    assert_log(world, world->shas[0], NULL);
    assert_shallow(world, false);
}

#define DEPTH(fn) SINGLE_IN(fn, setup, teardown)

int main(void)
{
    const struct rows tests[] = {
        { .name = &questions[0].name,
          .at = questions,
          .len = ARRAY_LEN(questions),
          .size = sizeof(questions[0]),
          .run = whoever_needs_the_history_gets_it,
          .set_up = setup,
          .tear_down = teardown },
        DEPTH(a_new_mirror_has_one_commit_until_somebody_asks_for_more),
        DEPTH(a_single_commit_is_a_whole_history),
        DEPTH(what_the_remote_has_forgotten_leads_to_a_new_clone),
        DEPTH(a_sync_tag_elsewhere_and_another_branch_need_the_history),
        DEPTH(commits_marks_and_notes_are_pushed_from_a_shallow_mirror),
        DEPTH(a_remote_that_cannot_is_cloned_whole),
        DEPTH(a_history_that_cannot_be_fetched_is_told),
        DEPTH(a_shallow_mirror_is_never_misread),
    };
    return rows_run("git_depth", tests, ARRAY_LEN(tests));
}
