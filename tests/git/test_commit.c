#include "lab.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sbuf.h"

#define DEADLINE_MS 60000

/* A mirror as the daemon has it: notes on applied commits under one ref, on its own commits under another. */
static struct mirror_opts daemon_opts(struct lab *lab)
{
    struct mirror_opts opts = lab_opts(lab);
    opts.notes_ref = "serin";
    opts.commit_notes_ref = "flux";
    opts.user_name = "Robo Committer";
    opts.user_email = "robo@example.org";
    return opts;
}

static struct mirror_fetched fetch(struct mirror *mirror)
{
    struct mirror_fetched fetched;
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    return fetched;
}

static struct mirror *fetched_mirror(const struct mirror_opts *opts)
{
    struct mirror *mirror = lab_mirror(opts);
    (void)fetch(mirror);
    return mirror;
}

/* A change of a.yaml on top of what the mirror has, with a note. */
static struct err *commit_text(struct lab *lab, struct mirror *mirror, const char *text,
                               struct mirror_committed *out)
{
    const struct mirror_file file = { "a.yaml", text, strlen(text) };
    const struct mirror_commit_request request = { .parent = "master",
                                                   .files = &file,
                                                   .count = 1,
                                                   .message = "Change a",
                                                   .notes_ref = "flux",
                                                   .note = "{\"jobID\":\"1\"}" };
    return mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), out);
}

/* The same of any files, without a note. */
static struct err *commit_files(struct lab *lab, struct mirror *mirror,
                                const struct mirror_file *files, size_t count)
{
    struct mirror_committed committed;
    const struct mirror_commit_request request = {
        .parent = "master", .files = files, .count = count, .message = "Change files"
    };
    return mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed);
}

static struct err *commit_path(struct lab *lab, struct mirror *mirror, const char *path,
                               const char *text)
{
    const struct mirror_file file = { path, text, strlen(text) };
    return commit_files(lab, mirror, &file, 1);
}

static void install_hook(struct lab *lab, const char *name, const char *script)
{
    lab_write(lab, arena_printf(lab->mem, "repo.git/hooks/%s", name),
              arena_printf(lab->mem, "#!/bin/sh\n%s\n", script));
    lab_sh(lab, "chmod +x repo.git/hooks/%s", name);
}

static const char *refs_of(struct lab *lab, const char *repo)
{
    return lab_sh(lab, "git -C %s for-each-ref --format='%%(refname)'", repo);
}

/* -- what a commit is ------------------------------------------------------------------------------ */

static void a_commit_reaches_the_branch_and_then_its_note(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    install_hook(lab, "pre-receive", "cut -d' ' -f3 >> pushes; echo -- >> pushes");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const char *before = lab_sh(lab, "git -C work rev-parse HEAD");
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_null(committed.note_refused);
    assert_string_equal(lab_sh(lab, "cat repo.git/pushes"),
                        "refs/heads/master\n--\nrefs/notes/flux\n--");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), committed.sha);
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master^@"), before);
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:a.yaml"), "a: 2");
    assert_string_equal(lab_sh(lab, "git -C repo.git diff-tree --name-status -r %s master", before),
                        "M\ta.yaml");
    assert_string_equal(
        lab_sh(lab, "git -C repo.git log -1 --format='%%an <%%ae>|%%cn <%%ce>|%%B|%%G?' master"),
        "Robo Committer <robo@example.org>|Robo Committer <robo@example.org>|Change a\n|N");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"),
                        "{\"jobID\":\"1\"}");
    lab_sh(lab, "git -C repo.git fsck --strict && git -C mirror fsck --strict");
    /* Here it is as it is there, and the next fetch brings nothing new. */
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master\nrefs/notes/flux");
    struct mirror_fetched fetched = fetch(mirror);
    assert_string_equal(fetched.head, committed.sha);
    assert_false(fetched.has_changed);
}

static void commits_and_marks_go_on_from_each_other(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    for (int i = 0; i < 4; i++) {
        assert_ok(commit_text(lab, mirror, arena_printf(lab->mem, "a: %d\n", i + 10), &committed));
        assert_null(committed.note_refused);
        struct mirror_marker marker = { .rev = committed.sha,
                                        .note = "applied",
                                        .moves_tag = true };
        assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
        (void)lab_sh(lab, "cd work && git pull -q --rebase origin master");
        (void)lab_commit(lab, "c.yaml", arena_printf(lab->mem, "c: %d\n", i));
        (void)fetch(mirror);
    }
    assert_string_equal(lab_sh(lab, "git -C repo.git log --format=%%an:%%s master | sort | uniq -c "
                                    "| sed 's/^ *//'"),
                        "4 Jane Doe:Change c.yaml\n1 Jane Doe:Initial commit\n"
                        "4 Robo Committer:Change a");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux list | wc -l"), "4");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref serin list | wc -l"), "4");
    lab_sh(lab, "git -C repo.git fsck --strict && git -C mirror fsck --strict");
}

// clang-format off
static const struct author_case {
    const char *author, *wanted;
} author_cases[] = {
    { "Ann <ann@example.org>",        "Ann <ann@example.org>" },
    { "Ann Lee <ann@example.org>",    "Ann Lee <ann@example.org>" },
    { "  Ann  <ann@example.org>",     "Ann <ann@example.org>" },
    { "Zoë Über <zoe@example.org>",   "Zoë Über <zoe@example.org>" },
    { NULL,                           "Robo Committer <robo@example.org>" },
    { "",                             "Robo Committer <robo@example.org>" },
    { "no mail",                      "Robo Committer <robo@example.org>" },
    { "<ann@example.org>",            "Robo Committer <robo@example.org>" },
    { "  <ann@example.org>",          "Robo Committer <robo@example.org>" },
    { ",; <ann@example.org>",         "Robo Committer <robo@example.org>" },
    { "Ann <ann@example.org",         "Robo Committer <robo@example.org>" },
    { "Ann ann@example.org>",         "Robo Committer <robo@example.org>" },
    { "Ann <ann@example.org> x",      "Robo Committer <robo@example.org>" },
    { "Ann <>",                       "Robo Committer <robo@example.org>" },
    { "Ann <a b@example.org>",        "Robo Committer <robo@example.org>" },
    { "Ann <a@x.org> <b@x.org>",      "Robo Committer <robo@example.org>" },
    { "A>nn <ann@example.org>",       "Robo Committer <robo@example.org>" },
    { "Ann\ncommitter X <x@x.org>",   "Robo Committer <robo@example.org>" },
    { "Ann\xff <ann@example.org>",    "Robo Committer <robo@example.org>" },
};
// clang-format on

static void the_author_is_who_is_named_properly(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    for (size_t i = 0; i < ARRAY_LEN(author_cases); i++) {
        const char *text = arena_printf(lab->mem, "a: %zu\n", i + 100);
        const struct mirror_file file = { "a.yaml", text, strlen(text) };
        const struct mirror_commit_request request = { .parent = "master",
                                                       .files = &file,
                                                       .count = 1,
                                                       .message = "x",
                                                       .author = author_cases[i].author };
        struct mirror_committed committed;
        assert_ok(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed));
        assert_string_equal(lab_sh(lab, "git -C repo.git log -1 --format='%%an <%%ae>' master"),
                            author_cases[i].wanted);
        assert_string_equal(lab_sh(lab, "git -C repo.git log -1 --format='%%cn <%%ce>' master"),
                            "Robo Committer <robo@example.org>");
    }
    lab_sh(lab, "git -C repo.git fsck --strict");
}

static void the_message_is_cleaned_as_git_does(void **state)
{
    struct lab *lab = *state;
    static const char *const messages[] = {
        "A message\n\nof several lines\n\n[ci skip]\n",
        "  # no comment\n\n\n\ntrailing  \nümlaut\n\n",
        "no line break at the end",
    };
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    struct mirror_commit_request request = { .parent = "master", .count = 1 };
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        const char *text = arena_printf(lab->mem, "a: %zu\n", i + 50);
        const struct mirror_file file = { "a.yaml", text, strlen(text) };
        request.files = &file;
        request.message = messages[i];
        assert_ok(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed));
        lab_write(lab, "wanted", messages[i]);
        lab_sh(lab, "git stripspace < wanted > clean; "
                    "git -C repo.git cat-file commit master | sed '1,/^$/d' | cmp - clean");
    }
    const struct mirror_file file = { "a.yaml", "other", 5 };
    request.files = &file;
    request.message = " \n\n";
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_INVALID, "git commit: Aborting commit due to empty commit message.");
}

static void without_a_change_there_is_no_commit(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    install_hook(lab, "pre-receive", "exit 1"); /* nothing is pushed */
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    assert_fails(commit_text(lab, mirror, "a: 1\n", &committed), ERR_INVALID,
                 "no changes made in repo");
    struct mirror_commit_request request = { .parent = "master", .message = "x" };
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_INVALID, "no changes made in repo");
    request.may_be_empty = true;
    request.note = "note";
    request.notes_ref = "flux";
    assert_ok(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed));
    assert_string_equal(committed.sha, "");
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
}

/* -- files --------------------------------------------------------------------------------------------- */

static void modes_are_kept_and_links_followed(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && echo x > run.sh && chmod +x run.sh && ln -s dir/b.yaml link.yaml && "
                "ln -s dir folder && mkdir deep && ln -s ../link.yaml deep/again.yaml && "
                "ln -s new/made.yaml dangling && git add -A && git commit -qm links && "
                "git push -q origin HEAD:master");
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    static const struct mirror_file files[] = {
        { "run.sh", "y\n", 2 },
        { "deep/again.yaml", "b: 2\n", 5 },
        { "folder/new.yaml", "n: 1\n", 5 },
        { "dangling", "m: 1\n", 5 },
        { "./x//y/z.yaml", "z: 1\n", 5 },
    };
    assert_ok(commit_files(lab, mirror, files, ARRAY_LEN(files)));
    assert_string_equal(lab_sh(lab, "git -C repo.git diff-tree -r master~ master | "
                                    "cut -d' ' -f1,2,5 | tr -d :"),
                        "100644 100644 M\tdir/b.yaml\n000000 100644 A\tdir/new.yaml\n"
                        "000000 100644 A\tnew/made.yaml\n100755 100755 M\trun.sh\n"
                        "000000 100644 A\tx/y/z.yaml");
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:dir/b.yaml"), "b: 2");
    assert_string_equal(lab_sh(lab, "git -C repo.git ls-tree -r master | grep -c ^120000"), "4");
    lab_sh(lab, "git -C repo.git fsck --strict");
}

// clang-format off
static const struct path_case {
    const char *path;
    enum err_kind kind;
    const char *words;
} path_cases[] = {
    { "../out.yaml",      ERR_INVALID,   "leads out of the repository" },
    { "/etc/passwd",      ERR_INVALID,   "not relative to the root" },
    { "dir",              ERR_INVALID,   "dir is a directory" },
    { "",                 ERR_INVALID,   "is a directory" },
    { "a.yaml/x",         ERR_NOT_FOUND, "a.yaml/x does not exist" },
    { ".git/config",      ERR_INVALID,   "no file can have the path .git/config" },
    { "new/.GIT/config",  ERR_INVALID,   "no file can have the path" },
    { "outside",          ERR_INVALID,   "leads out of the repository" },
    { "folder/outside",   ERR_INVALID,   "leads out of the repository" },
    { "loop",             ERR_INVALID,   "too many symbolic links" },
    { "nowhere",          ERR_INVALID,   "leads out of the repository" },
    { "tofolder",         ERR_INVALID,   "tofolder is a directory" },
    { "module/x",         ERR_TRANSIENT, "write a tree" },
};
// clang-format on

static void paths_that_cannot_be_written_are_named(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && ln -s ../../x outside && ln -s /etc dir/absolute && ln -s .. folder && "
                "ln -s loop loop && ln -s missing/../a.yaml nowhere && ln -s dir tofolder && "
                "git add -A && git update-index --add --cacheinfo 160000,$(git rev-parse "
                "HEAD),module && git commit -qm links && git push -q origin HEAD:master");
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const char *before = lab_sh(lab, "git -C repo.git rev-parse master");
    for (size_t i = 0; i < ARRAY_LEN(path_cases); i++)
        assert_fails(commit_path(lab, mirror, path_cases[i].path, "x"), path_cases[i].kind,
                     path_cases[i].words);
    static const struct mirror_file twice[] = { { "link", "1", 1 }, { "link", "2", 1 } };
    static const struct mirror_file inside[] = { { "n", "1", 1 },
                                                 { "n-", "2", 1 },
                                                 { "n/x", "2", 1 } };
    assert_fails(commit_files(lab, mirror, twice, 2), ERR_INVALID, "two texts for one file, link");
    assert_fails(commit_files(lab, mirror, inside, 3), ERR_INVALID,
                 "n is a file, and the directory of n/x");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), before);
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
}

static void thousands_of_files_are_one_commit(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    static struct mirror_file files[3000];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *text = arena_printf(lab->mem, "n: %zu\n", i);
        const char *path = arena_printf(lab->mem, "t%zu/apps/group-%zu/%zu.yaml", i % 7, i % 50, i);
        files[i] = (struct mirror_file){ path, text, strlen(text) };
    }
    assert_ok(commit_files(lab, mirror, files, ARRAY_LEN(files)));
    assert_string_equal(lab_sh(lab, "git -C repo.git ls-tree -r master | wc -l"), "3002");
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:t2/apps/group-49/2599.yaml"),
                        "n: 2599");
    lab_sh(lab, "git -C repo.git fsck --strict");
    static struct mirror_file many[20001]; /* counted before any is looked at */
    const struct mirror_commit_request request = { .files = many, .count = ARRAY_LEN(many) };
    struct mirror_committed committed;
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_LIMIT, "more than 20000 files");
}

/* -- refusals -------------------------------------------------------------------------------------------- */

static void a_refused_branch_leaves_nothing_behind(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    install_hook(lab, "update",
                 "case $1 in refs/heads/*) echo \"branch $1 is protected\" >&2; exit 1;; esac");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const char *before = lab_sh(lab, "git -C work rev-parse HEAD");
    struct mirror_committed committed;
    SCOPED(err_free) struct err *e = commit_text(lab, mirror, "a: 2\n", &committed);
    assert_true(err_is(e, ERR_DENIED));
    assert_string_equal(committed.sha, "");
    lab_write(lab, "said", err_text(e));
    assert_string_equal(
        lab_sh(lab, "sed 's,file://[^ ]*repo.git,URL,g' said"),
        "git push URL [master refs/notes/flux]: failed to push some refs to 'URL', full output:\n"
        " remote: branch refs/heads/master is protected        \n"
        "remote: error: hook declined to update refs/heads/master        \n"
        "To URL\n ! [remote rejected] master -> master (hook declined)\n"
        "error: failed to push some refs to 'URL'");
    assert_string_equal(refs_of(lab, "repo.git"), "refs/heads/master");
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
    assert_string_equal(lab_sh(lab, "git -C mirror rev-parse master"), before);
    lab_sh(lab, "rm repo.git/hooks/update");
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_null(committed.note_refused);
}

static void a_refused_note_is_told_beside_the_commit(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    install_hook(lab, "update", "case $1 in refs/notes/*) echo 'no notes' >&2; exit 1;; esac");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), committed.sha);
    assert_non_null(strstr(committed.note_refused, "repo.git [refs/notes/flux]: failed to push"));
    assert_non_null(
        strstr(committed.note_refused,
               " ! [remote rejected] refs/notes/flux -> refs/notes/flux (hook declined)"));
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
    lab_sh(lab, "rm repo.git/hooks/update");
    assert_ok(commit_text(lab, mirror, "a: 3\n", &committed));
    assert_null(committed.note_refused);
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux list | wc -l"), "1");
}

static void notes_of_another_writer_are_kept(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    lab_sh(lab, "cd work && git notes --ref flux add -m theirs HEAD && "
                "git push -q origin refs/notes/flux");
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed)); /* fetched, then tried again */
    assert_null(committed.note_refused);
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master~"), "theirs");
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"),
                        "{\"jobID\":\"1\"}");
}

static void a_branch_that_went_on_is_not_pushed_to(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const char *theirs = lab_commit(lab, "c.yaml", "c: 1\n");
    struct mirror_committed committed;
    SCOPED(err_free) struct err *e = commit_text(lab, mirror, "a: 2\n", &committed);
    assert_true(err_is(e, ERR_CONFLICT));
    lab_write(lab, "said", err_text(e));
    assert_string_equal(
        lab_sh(lab, "sed 's,file://[^ ]*repo.git,URL,g' said"),
        "git push URL [master refs/notes/flux]: failed to push some refs to 'URL', full output:\n"
        " To URL\n ! [rejected]        master -> master (fetch first)\n"
        "error: failed to push some refs to 'URL'");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), theirs);
    assert_string_equal(refs_of(lab, "repo.git"), "refs/heads/master");
    (void)fetch(mirror);
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master~"), theirs);
}

/* The remote's answer to "where is the branch" was true; then somebody else's push was taken first. */
static void a_push_that_comes_second_by_a_hair_loses(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    const char *theirs = lab_sh(lab, "cd work && echo 1 > c.yaml && git add -A && git commit -qm c "
                                     "&& git push -q origin HEAD:side && git rev-parse HEAD");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    install_hook(lab, "pre-receive",
                 "env -u GIT_QUARANTINE_PATH git update-ref refs/heads/master refs/heads/side");
    struct mirror_committed committed;
    assert_fails(commit_text(lab, mirror, "a: 2\n", &committed), ERR_CONFLICT, "[remote rejected]");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), theirs);
    assert_string_equal(refs_of(lab, "repo.git"), "refs/heads/master\nrefs/heads/side");
    lab_sh(lab, "rm repo.git/hooks/pre-receive");
    (void)fetch(mirror);
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
}

static void a_branch_that_went_back_or_away_is_left_alone(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    (void)lab_commit(lab, "secret.yaml", "withdrawn: 1\n");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    lab_sh(lab, "cd work && git push -qf origin HEAD~:master");
    struct mirror_committed committed;
    assert_fails(commit_text(lab, mirror, "a: 2\n", &committed), ERR_CONFLICT,
                 " ! [rejected]        master -> master (stale info)");
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-list master | wc -l"), "1");
    lab_sh(lab, "git -C repo.git update-ref -d refs/heads/master");
    assert_fails(commit_text(lab, mirror, "a: 2\n", &committed), ERR_CONFLICT, "(stale info)");
    assert_string_equal(refs_of(lab, "repo.git"), "");
}

static void a_parent_that_is_not_here_is_a_conflict(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const struct mirror_file file = { "a.yaml", "x", 1 };
    struct mirror_commit_request request = { .parent = "1111111111111111111111111111111111111111",
                                             .files = &file,
                                             .count = 1,
                                             .message = "x" };
    struct mirror_committed committed;
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_CONFLICT, "not in the mirror any more");
    /* One that is here, and is the head no longer. */
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    (void)fetch(mirror);
    request.parent = "master~1";
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_CONFLICT, "(stale info)");
    request.parent = "master";
    request.notes_ref = "elsewhere";
    request.note = "x";
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(DEADLINE_MS), &committed),
                 ERR_INVALID, "refs/notes/elsewhere is not among the refs that are fetched");
}

static void a_remote_that_does_not_answer_is_given_up(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    install_hook(lab, "pre-receive", "sleep 60");
    const struct mirror_file file = { "a.yaml", "x", 1 };
    const struct mirror_commit_request request = {
        .parent = "master", .files = &file, .count = 1, .message = "x"
    };
    struct mirror_committed committed;
    assert_fails(mirror_commit(mirror, lab->mem, &request, lab_soon(400), &committed),
                 ERR_TRANSIENT, "context deadline exceeded");
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
}

/* -- over the network ---------------------------------------------------------------------------------------- */

static void commits_go_over_ssh_and_not_with_a_key_that_may_only_read(void **state)
{
    struct lab *lab = *state;
    lab_sshd(lab, "ed25519");
    struct mirror_opts opts = daemon_opts(lab);
    opts.url = lab_ssh_url(lab);
    opts.ssh_command = arena_printf(lab->mem, "ssh -F %s/ssh/config", lab->dir);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_null(committed.note_refused);
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"),
                        "{\"jobID\":\"1\"}");
    lab_sh(lab, "cd ssh && echo \"command=\\\"case \\$SSH_ORIGINAL_COMMAND in git-receive*) echo "
                "'ERROR: The key you are authenticating with has been marked as read only.' >&2; "
                "exit 1;; *) eval \\$SSH_ORIGINAL_COMMAND;; esac\\\" $(cat identity.pub)\" > "
                "authorized_keys");
    assert_fails(commit_text(lab, mirror, "a: 3\n", &committed), ERR_DENIED,
                 "The key you are authenticating with has been marked as read only.");
    assert_string_equal(fetch(mirror).head, lab_sh(lab, "git -C repo.git rev-parse master"));
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:a.yaml"), "a: 2");
}

static struct mirror_opts web_opts(struct lab *lab, const char *option, const char *value)
{
    const char *const argv[] = { "python3", TEST_DATA "/http_backend.py", lab->dir, option, value,
                                 NULL };
    struct mirror_opts opts = daemon_opts(lab);
    opts.url =
        arena_printf(lab->mem, "http://jane:s3cret@127.0.0.1:%d/repo.git", lab_serve(lab, argv));
    return opts;
}

static void commits_go_over_http(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = web_opts(lab, "--log", lab_path(lab, "log"));
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    struct mirror_committed committed;
    SBUF(large, (size_t)4 << 20); /* more than is sent in one piece */
    for (int i = 0; i < 60000; i++)
        sbuf_addf(&large, "key-%08x: %d\n", (unsigned)i * 2654435761u, i);
    const struct mirror_file file = { "large.yaml", sbuf_text(&large), large.len };
    assert_ok(commit_files(lab, mirror, &file, 1));
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_null(committed.note_refused);
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse master"), committed.sha);
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:large.yaml | wc -c"),
                        arena_printf(lab->mem, "%zu", large.len));
    assert_false(fetch(mirror).has_changed);
    lab_sh(lab, "git -C repo.git fsck --strict");
}

static void a_web_server_may_forbid_to_write(void **state)
{
    struct lab *lab = *state;
    static const char *const denied[] = { "GET /repo.git/info/refs?service=git-receive-pack",
                                          "POST /repo.git/git-receive-pack" };
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        struct mirror_opts opts = web_opts(lab, "--deny", denied[i]);
        opts.dir = lab_path(lab, i ? "mirror1" : "mirror0");
        SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
        struct mirror_committed committed;
        SCOPED(err_free) struct err *e = commit_text(lab, mirror, "a: 2\n", &committed);
        assert_true(err_is(e, ERR_DENIED));
        assert_non_null(strstr(err_text(e), "403"));
        assert_null(strstr(err_text(e), "s3cret"));
        assert_string_equal(refs_of(lab, "repo.git"), "refs/heads/master");
    }
}

/* -- signatures ---------------------------------------------------------------------------------------------- */

static void commits_are_signed_with_the_key_given(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "mkdir -m 700 gnupg && gpg --batch -q --pinentry-mode loopback --passphrase '' "
                "--quick-gen-key 'Robo <robo@example.org>' ed25519 sign never 2>/dev/null");
    struct mirror_opts opts = daemon_opts(lab);
    opts.gnupg_home = lab_path(lab, "gnupg");
    opts.signing_key = "robo@example.org";
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    const char *before = lab_sh(lab, "git -C repo.git rev-parse master");
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    lab_sh(lab, "cd repo.git && git verify-commit master 2>/dev/null && git fsck --strict");
    assert_string_equal(lab_sh(lab, "git -C repo.git log -1 --format=%%G?:%%B master"),
                        "G:Change a\n");
    struct mirror_verified verified;
    assert_ok(
        mirror_check_signatures(mirror, lab->mem, MIRROR_VERIFY_ALL, "", committed.sha, &verified));
    assert_string_equal(verified.invalid, before); /* the first commit is not signed */
    mirror_free(STEAL(mirror));
    opts.signing_key = "nobody@example.org";
    mirror = fetched_mirror(&opts);
    assert_fails(commit_text(lab, mirror, "a: 3\n", &committed), ERR_DENIED,
                 "git commit: gpg failed to sign the data with key nobody@example.org");
    assert_string_equal(lab_sh(lab, "git -C repo.git show master:a.yaml"), "a: 2");
}

/* -- death ---------------------------------------------------------------------------------------------------- */

/* In a process of its own, which is killed once it waits for the remote to take the note. */
static void die_at_the_note(struct lab *lab, const struct mirror_opts *opts)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        struct mirror *mirror = NULL;
        struct mirror_fetched fetched;
        struct mirror_committed committed;
        struct err *e = mirror_new(opts, &mirror);
        if (!e)
            e = mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched);
        if (!e)
            e = commit_text(lab, mirror, "a: 2\n", &committed);
        _exit(e ? 2 : 3);
    }
    lab_sh(lab, "for i in $(seq 200); do [ -e repo.git/waiting ] && break; sleep 0.05; done; "
                "test -e repo.git/waiting");
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    assert_true(WIFSIGNALED(status));
}

static void killed_between_branch_and_note_the_commit_stays_whole(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    install_hook(lab, "pre-receive",
                 "grep -q refs/notes || exit 0\n"
                 "touch waiting; while [ -e waiting ]; do sleep 0.05; done; exit 1");
    die_at_the_note(lab, &opts);
    lab_sh(lab, "rm repo.git/hooks/pre-receive repo.git/waiting");
    assert_string_equal(refs_of(lab, "repo.git"), "refs/heads/master");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    assert_string_equal(refs_of(lab, "mirror"), "refs/heads/master");
    assert_string_equal(lab_sh(lab, "git -C repo.git log -1 --format=%%s master"), "Change a");
    struct mirror_committed committed;
    assert_fails(commit_text(lab, mirror, "a: 2\n", &committed), ERR_INVALID,
                 "no changes made in repo"); /* the same change again: it is there */
    assert_ok(commit_text(lab, mirror, "a: 3\n", &committed));
    assert_null(committed.note_refused);
    lab_sh(lab, "git -C repo.git fsck --strict && git -C mirror fsck --strict");
}

/* -- reading notes ---------------------------------------------------------------------------------------------- */

struct seen {
    struct lab *lab;
    struct sbuf text;
    const char *until;
};

static bool on_note(void *ctx, const char *sha, const char *note)
{
    struct seen *seen = ctx;
    sbuf_addf(&seen->text, "%s %s", lab_sh(seen->lab, "git -C mirror log -1 --format=%%s %s", sha),
              note);
    return seen->until && !strcmp(note, seen->until);
}

static const char *notes_seen(struct lab *lab, struct mirror *mirror, size_t limit,
                              const char *until)
{
    struct seen seen = { .lab = lab, .until = until };
    sbuf_init(&seen.text, 65536);
    assert_ok(mirror_notes_each(mirror, "flux", "master", limit, on_note, &seen));
    const char *all = arena_strdup(lab->mem, sbuf_text(&seen.text));
    sbuf_fini(&seen.text);
    return all;
}

static void notes_are_read_from_the_newest_commit_on(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && for i in 1 2 3 4 5 6; do echo $i > a.yaml; "
                "GIT_COMMITTER_DATE=\"170000000$i +0000\" git commit -qam c$i; done; "
                "git checkout -q -b side HEAD~3 && git commit -q --allow-empty -m aside; "
                "git notes --ref flux add -m 'not reachable'; git checkout -q master; "
                "for i in 0 1 3; do git notes --ref flux add -m \"note $i\" HEAD~$i; done; "
                "head -c 1100000 /dev/zero | tr '\\0' x > large; "
                "git notes --ref flux add -F large HEAD~2; git push -q origin master "
                "refs/notes/flux");
    struct mirror_opts opts = daemon_opts(lab);
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    assert_string_equal(notes_seen(lab, mirror, 100, NULL),
                        "c6 note 0\nc5 note 1\nc3 note 3\n"); /* the large one is passed over */
    assert_string_equal(notes_seen(lab, mirror, 100, "note 1\n"), "c6 note 0\nc5 note 1\n");
    assert_string_equal(notes_seen(lab, mirror, 1, NULL), "c6 note 0\n");
    assert_string_equal(notes_seen(lab, mirror, 0, NULL), "");
    struct mirror_committed committed;
    assert_ok(commit_text(lab, mirror, "a: 2\n", &committed));
    assert_string_equal(notes_seen(lab, mirror, 2, NULL),
                        "Change a {\"jobID\":\"1\"}\nc6 note 0\n");
    struct seen seen = { .lab = lab };
    assert_fails(mirror_notes_each(mirror, "flux", "nowhere", 9, on_note, &seen), ERR_NOT_FOUND,
                 "fatal: bad revision 'nowhere'");
    assert_ok(mirror_notes_each(mirror, "none", "master", 9, on_note, &seen));
    assert_int_equal(seen.text.len, 0);
}

static void a_tree_of_notes_may_hold_anything(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = daemon_opts(lab);
    /* Names that are none, a fan-out as git makes it, and a tree that holds itself many times over. */
    lab_sh(lab,
           "cd work && sha=$(git rev-parse HEAD) && blob=$(echo fanned | git hash-object -w "
           "--stdin) && two=$(echo $sha | cut -c1-2) && rest=$(echo $sha | cut -c3-) && "
           "tree=$(printf \"100644 blob $blob\\t$rest\\n\" | git mktree) && "
           "bomb=$(printf \"100644 blob $blob\\tx\\n\" | git mktree) && "
           "for i in $(seq 24); do bomb=$(for n in 0 1 2 3 4 5 6 7 8 9; do printf \"040000 "
           "tree $bomb\\t$n\\n\"; done | git mktree); done && "
           "printf \"100644 blob $blob\\treadme\\n100644 blob $blob\\t${sha}00\\n040000 tree "
           "$tree\\t$two\\n$extra\" > entries && git update-ref refs/notes/flux $(git "
           "commit-tree -m n $(git mktree < entries)) && git push -q origin refs/notes/flux && "
           "printf \"040000 tree $bomb\\tzz\\n\" >> entries && git update-ref refs/notes/flux "
           "$(git commit-tree -m n $(git mktree < entries))");
    SCOPED(mirror_free) struct mirror *mirror = fetched_mirror(&opts);
    assert_string_equal(notes_seen(lab, mirror, 9, NULL), "Initial commit fanned\n");
    lab_sh(lab, "cd work && git push -qf origin refs/notes/flux");
    (void)fetch(mirror);
    struct seen seen = { .lab = lab };
    assert_fails(mirror_notes_each(mirror, "refs/notes/flux", "master", 9, on_note, &seen),
                 ERR_LIMIT, "refs/notes/flux holds more than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_commit_reaches_the_branch_and_then_its_note),
        lab_test(commits_and_marks_go_on_from_each_other),
        lab_test(the_author_is_who_is_named_properly),
        lab_test(the_message_is_cleaned_as_git_does),
        lab_test(without_a_change_there_is_no_commit),
        lab_test(modes_are_kept_and_links_followed),
        lab_test(paths_that_cannot_be_written_are_named),
        lab_test(thousands_of_files_are_one_commit),
        lab_test(a_refused_branch_leaves_nothing_behind),
        lab_test(a_refused_note_is_told_beside_the_commit),
        lab_test(notes_of_another_writer_are_kept),
        lab_test(a_branch_that_went_on_is_not_pushed_to),
        lab_test(a_push_that_comes_second_by_a_hair_loses),
        lab_test(a_branch_that_went_back_or_away_is_left_alone),
        lab_test(a_parent_that_is_not_here_is_a_conflict),
        lab_test(a_remote_that_does_not_answer_is_given_up),
        lab_test(commits_go_over_ssh_and_not_with_a_key_that_may_only_read),
        lab_test(commits_go_over_http),
        lab_test(a_web_server_may_forbid_to_write),
        lab_test(commits_are_signed_with_the_key_given),
        lab_test(killed_between_branch_and_note_the_commit_stays_whole),
        lab_test(notes_are_read_from_the_newest_commit_on),
        lab_test(a_tree_of_notes_may_hold_anything),
    };
    return cmocka_run_group_tests_name("git_commit", tests, NULL, NULL);
}
