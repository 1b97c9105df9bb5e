#include "lab.h"

#include <string.h>

struct question {
    const char *from, *to;
    const char *const *paths;
    bool first_parent;
};

/* The subjects, newest first, in one line. */
static const char *subjects(struct lab *lab, struct mirror *mirror, const struct question *question)
{
    struct mirror_commits commits;
    assert_ok(mirror_log(mirror, lab->mem, question->from, question->to, question->paths, 100,
                         question->first_parent, &commits));
    const char *text = "";
    for (size_t i = 0; i < commits.len; i++)
        text = arena_printf(lab->mem, "%s%s%s", text, i ? " " : "", commits.at[i].subject);
    return text;
}

static const char *const make_history =
    "cd work && n=0 && c() { n=$((n+1)); export GIT_COMMITTER_DATE=\"2024-01-01T00:00:$(printf "
    "%02d $n)Z\"; "
    "mkdir -p $(dirname $2); echo $1 >> $2; git add -A; git commit -qm $1; } && "
    "c two apps/x && c three dir/b.yaml && git checkout -q -b side && c side1 apps/x && c side2 "
    "other && "
    "git checkout -q master && c four other2 && GIT_COMMITTER_DATE=2024-01-01T00:01:00Z "
    "git merge -q -m merge side && c five apps/y && git push -q origin master";

static void a_log_is_git_s_own(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "%s", make_history);
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    static const char *const apps[] = { "apps", NULL }, *const two[] = { "dir", "other", NULL },
                             *const none[] = { "nowhere", NULL };
    static const struct question questions[] = {
        { NULL, "master", NULL, false },       { "", "master", NULL, true },
        { "master~2", "master", NULL, false }, { "master~2", "master", NULL, true },
        { NULL, "master", apps, false },       { NULL, "master", apps, true },
        { NULL, "HEAD~1", two, false },        { NULL, "master", none, false },
        { "master~4", "master", apps, false }, { "master", "master", NULL, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        const struct question *at = &questions[i];
        const char *paths = "";
        for (size_t p = 0; at->paths && at->paths[p]; p++)
            paths = arena_printf(lab->mem, "%s %s", paths, at->paths[p]);
        bool is_range = at->from && *at->from;
        const char *wanted = lab_sh(lab,
                                    "cd work && git log --date-order --format=%%s %s %s%s%s --%s | "
                                    "tr '\\n' ' ' | sed 's/ $//'",
                                    at->first_parent ? "--first-parent" : "",
                                    is_range ? at->from : "", is_range ? ".." : "", at->to, paths);
        assert_string_equal(subjects(lab, mirror, at), wanted);
    }
}

static void a_commit_is_told_in_full(void **state)
{
    struct lab *lab = *state;
    const char *sha = lab_sh(
        lab, "cd work && echo 2 > a.yaml && GIT_COMMITTER_DATE=2024-05-06T07:08:09Z git commit -q "
             "--author 'A U Thor <thor@example.org>' -am 'Subject line\n\nBody of it.\n' && "
             "git push -q origin master && git rev-parse HEAD");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_commits commits;
    assert_ok(mirror_log(mirror, lab->mem, NULL, "master", NULL, 1, false, &commits));
    assert_int_equal(commits.len, 1);
    assert_string_equal(commits.at[0].sha, sha);
    assert_string_equal(commits.at[0].subject, "Subject line");
    assert_string_equal(commits.at[0].message, "Subject line\n\nBody of it.\n");
    assert_string_equal(commits.at[0].author, "A U Thor");
    assert_string_equal(commits.at[0].author_email, "thor@example.org");
    assert_int_equal(commits.at[0].unix_s, 1714979289);
}

static void revisions_are_what_git_says(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && git tag -am x flux-sync && git push -q origin flux-sync");
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    const char *head = lab_sh(lab, "git -C work rev-parse HEAD");
    const char *short_head = lab_sh(lab, "git -C work rev-parse --short HEAD");
    const char *const names[] = { "master",       "HEAD", "refs/heads/master",
                                  "heads/master", head,   short_head };
    char sha[MIRROR_SHA_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_ok(mirror_resolve(mirror, names[i], sha));
        assert_string_equal(sha, head);
    }
    assert_ok(mirror_resolve(mirror, "flux-sync", sha));
    assert_string_equal(sha, lab_sh(lab, "git -C work rev-parse HEAD~1"));
    assert_ok(mirror_resolve(mirror, "master~1", sha));
    assert_string_equal(sha, lab_sh(lab, "git -C work rev-parse HEAD~1"));
}

static void what_is_no_revision_is_refused(void **state)
{
    struct lab *lab = *state;
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    static const char *const bad[] = {
        "",
        "nonsense",
        "1234567",
        "0000000000000000000000000000000000000000",
        "master:a.yaml",
        ":/Initial",
        "HEAD^{/Initial}",
        "a b",
        "--all",
        "master..master",
        "HEAD^{tree}",
        "HEAD~100",
    };
    char sha[MIRROR_SHA_BYTES];
    struct mirror_commits commits;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_fails(mirror_resolve(mirror, bad[i], sha), ERR_NOT_FOUND,
                     arena_printf(lab->mem, "fatal: bad revision '%s'", bad[i]));
    assert_fails(mirror_log(mirror, lab->mem, "nonsense", "master", NULL, 9, false, &commits),
                 ERR_NOT_FOUND, "fatal: bad revision 'nonsense..master'");
    const char *head = lab_sh(lab, "git -C work rev-parse HEAD");
    const char *gone = "1111111111111111111111111111111111111111";
    assert_fails(mirror_log(mirror, lab->mem, gone, head, NULL, 9, false, &commits), ERR_NOT_FOUND,
                 arena_printf(lab->mem, "fatal: Invalid revision range %s..%s", gone, head));
}

static void ancestors_are_known(void **state)
{
    struct lab *lab = *state;
    (void)lab_commit(lab, "c.yaml", "c: 1\n");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    bool is_ancestor = false;
    assert_ok(mirror_is_ancestor(mirror, "master~1", "master", &is_ancestor));
    assert_true(is_ancestor);
    assert_ok(mirror_is_ancestor(mirror, "master", "master", &is_ancestor));
    assert_true(is_ancestor);
    assert_ok(mirror_is_ancestor(mirror, "master", "master~1", &is_ancestor));
    assert_false(is_ancestor);
}

/* Who may push may write as much as he likes, into thousands of commits. */
static void long_texts_are_cut_between_two_characters(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "cd work && (printf x; printf '\\303\\274%%.0s' $(seq 5000)) > ../message && "
                "git -c user.name=\"$(printf 'n%%.0s' $(seq 999))\" commit -q --allow-empty "
                "-F ../message && git push -q origin HEAD:master");
    SCOPED(mirror_free) struct mirror *mirror = lab_fetched(lab);
    struct mirror_commits commits;
    assert_ok(mirror_log(mirror, lab->mem, NULL, "master", NULL, 1, false, &commits));
    assert_int_equal(strlen(commits.at[0].message), 4095);
    assert_int_equal(strlen(commits.at[0].subject), 4095);
    assert_int_equal(strlen(commits.at[0].author), 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_log_is_git_s_own),
        lab_test(long_texts_are_cut_between_two_characters),
        lab_test(a_commit_is_told_in_full),
        lab_test(revisions_are_what_git_says),
        lab_test(what_is_no_revision_is_refused),
        lab_test(ancestors_are_known),
    };
    return cmocka_run_group_tests_name("git_log", tests, NULL, NULL);
}
