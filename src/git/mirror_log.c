#include <ctype.h>
#include <string.h>

#include "base/map.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "git/mirror_internal.h"

#define REV_MAX     1024
#define MESSAGE_MAX ((size_t)4 << 10) /* of a commit; anybody who may push writes it */
#define AUTHOR_MAX  ((size_t)256)

/* -- revisions ------------------------------------------------------------------------------------------------------- */

bool mirror_ref_commit(git_repository *repo, const char *ref, git_oid *out)
{
    git_oid oid;
    git_object *object = NULL, *commit = NULL;
    bool found = *ref && !git_reference_name_to_id(&oid, repo, ref) &&
                 !git_object_lookup(&object, repo, &oid, GIT_OBJECT_ANY) &&
                 !git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (found)
        git_oid_cpy(out, git_object_id(commit));
    git_object_free(commit);
    git_object_free(object);
    return found;
}

/* Names, abbreviations, ~ and ^ as git has them; no searches through messages, no reflogs, no paths. */
static bool is_askable(const char *rev)
{
    if (!*rev || strlen(rev) > REV_MAX || *rev == '-' || strstr(rev, "..") || strstr(rev, "{/"))
        return false;
    for (const char *c = rev; *c; c++)
        if (iscntrl((unsigned char)*c) || strchr(": *?[\\", *c))
            return false;
    return true;
}

struct err *mirror_commit_find(struct mirror_repo *repo, const char *rev, git_oid *out)
{
    git_object *found = NULL, *commit = NULL;
    int code = is_askable(rev) ? git_revparse_single(&found, repo->at, rev) : GIT_ENOTFOUND;
    if (!code)
        code = git_object_peel(&commit, found, GIT_OBJECT_COMMIT);
    if (!code)
        git_oid_cpy(out, git_object_id(commit));
    git_object_free(commit);
    git_object_free(found);
    if (!code)
        return NULL;
    return err_new(code == GIT_EAMBIGUOUS ? ERR_INVALID : ERR_NOT_FOUND,
                   "fatal: bad revision '%.*s'", (int)strnlen(rev, 200), rev);
}

struct err *mirror_resolve(struct mirror *mirror, const char *rev, char out[MIRROR_SHA_BYTES])
{
    MIRROR_REPO(repo);
    git_oid oid;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_seek(&repo, rev, &oid));
    (void)git_oid_tostr(out, MIRROR_SHA_BYTES, &oid);
    return NULL;
}

MUST_USE static struct err *is_before(struct mirror_repo *repo, const git_oid *older,
                                      const git_oid *newer, bool *out)
{
    int code = git_oid_equal(older, newer) ? 1 : git_graph_descendant_of(repo->at, newer, older);
    *out = code == 1;
    return code < 0 ? mirror_git_failed(repo->mirror, code, "compare revisions") : NULL;
}

struct err *mirror_is_ancestor(struct mirror *mirror, const char *ancestor, const char *of,
                               bool *out)
{
    MIRROR_REPO(repo);
    git_oid older;
    bool is_cut = false;
    struct mirror_search search = { .count = 1, .hidden = &older, .is_wanted = mirror_is_cut };
    *out = false;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_seek(&repo, ancestor, &older));
    TRY(mirror_commit_seek(&repo, of, &search.tips[0]));
    TRY(is_before(&repo, &older, &search.tips[0], out));
    if (!*out && mirror_is_shallow(mirror))
        TRY(mirror_search(&repo, &search, &is_cut));
    if (!is_cut)
        return NULL;
    TRY(mirror_deepen(&repo));
    return is_before(&repo, &older, &search.tips[0], out);
}

/* -- what a commit touches ---------------------------------------------------------------------------------------------- */

/* History as `git log -- PATHS` simplifies it: of a commit that equals one of its parents in these paths only that parent is
 * followed, and it is not shown itself. */
struct walk {
    struct mirror_repo *repo;
    const char *const *paths; /* NULL: every commit is shown */
    bool first_parent;
    struct map *wanted; /* commits that are reached; only with paths */
    bool is_cut;        /* what was seen so far is not all that was asked for */
};

MUST_USE static struct err *tree_of(struct walk *walk, const git_oid *commit_id, git_tree **out)
{
    SCOPED(git_commit_free) git_commit *commit = NULL;
    int code = git_commit_lookup(&commit, walk->repo->at, commit_id);
    if (!code)
        code = git_commit_tree(out, commit);
    return code ? mirror_git_failed(walk->repo->mirror, code, "read a commit") : NULL;
}

/* The object at a path; the zero id where there is none. */
MUST_USE static struct err *find_path(struct walk *walk, const git_tree *tree, const char *path,
                                      git_oid *out)
{
    *out = (git_oid){ { 0 } };
    SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
    int code = tree ? git_tree_entry_bypath(&entry, tree, path) : GIT_ENOTFOUND;
    if (code == GIT_ENOTFOUND)
        return NULL;
    if (code)
        return mirror_git_failed(walk->repo->mirror, code, "read a tree");
    git_oid_cpy(out, git_tree_entry_id(entry));
    return NULL;
}

MUST_USE static struct err *same_paths(struct walk *walk, const git_tree *a, const git_tree *b,
                                       bool *out)
{
    *out = true;
    for (const char *const *path = walk->paths; *path && *out; path++) {
        git_oid left, right;
        TRY(find_path(walk, a, *path, &left));
        TRY(find_path(walk, b, *path, &right));
        *out = git_oid_equal(&left, &right);
    }
    return NULL;
}

static void want(struct walk *walk, const git_oid *oid)
{
    char sha[MIRROR_SHA_BYTES];
    map_set(walk->wanted, git_oid_tostr(sha, sizeof(sha), oid), walk);
}

/* The first parent that has the same in these paths, by its place; -1: none has. */
MUST_USE static struct err *find_same(struct walk *walk, git_commit *commit, unsigned parents,
                                      int *out)
{
    SCOPED(git_tree_free) git_tree *tree = NULL;
    *out = -1;
    TRY(tree_of(walk, git_commit_id(commit), &tree));
    for (unsigned i = 0; *out < 0 && i < parents; i++) {
        SCOPED(git_tree_free) git_tree *before = NULL;
        bool is_same;
        TRY(tree_of(walk, git_commit_parent_id(commit, i), &before));
        TRY(same_paths(walk, tree, before, &is_same));
        *out = is_same ? (int)i : -1;
    }
    return NULL;
}

/* Is there anything at these paths? Of a commit without parents. */
MUST_USE static struct err *has_paths(struct walk *walk, git_commit *commit, bool *out)
{
    SCOPED(git_tree_free) git_tree *tree = NULL;
    TRY(tree_of(walk, git_commit_id(commit), &tree));
    TRY(same_paths(walk, tree, NULL, out));
    *out = !*out;
    return NULL;
}

/* Decides whether the commit is shown, and which of its parents the walk goes on to. */
MUST_USE static struct err *consider(struct walk *walk, git_commit *commit, bool *out_shown)
{
    char sha[MIRROR_SHA_BYTES];
    *out_shown = !walk->paths;
    (void)git_oid_tostr(sha, sizeof(sha), git_commit_id(commit));
    if (!walk->paths || !map_remove(walk->wanted, sha))
        return NULL;
    unsigned parents = git_commit_parentcount(commit);
    if (!parents)
        return has_paths(walk, commit, out_shown);
    int same = -1;
    TRY(find_same(walk, commit, walk->first_parent ? 1 : parents, &same));
    *out_shown = same < 0;
    for (unsigned i = 0; i < parents; i++)
        if (same < 0 || same == (int)i)
            want(walk, git_commit_parent_id(commit, i));
    return NULL;
}

/* -- the log ------------------------------------------------------------------------------------------------------------ */

/* What is longer ends between two characters. */
static const char *cut(struct arena *mem, const char *text, size_t max)
{
    return text ? arena_strndup(mem, text, utf8_fit(text, max)) : "";
}

static void add_commit(struct arena *mem, git_commit *commit, struct mirror_commits *out)
{
    char sha[MIRROR_SHA_BYTES];
    const git_signature *author = git_commit_author(commit);
    *vec_push(mem, out) = (struct mirror_commit){
        .sha = arena_strdup(mem, git_oid_tostr(sha, sizeof(sha), git_commit_id(commit))),
        .subject = cut(mem, git_commit_summary(commit), MESSAGE_MAX),
        .message = cut(mem, git_commit_message(commit), MESSAGE_MAX),
        .author = cut(mem, author ? author->name : NULL, AUTHOR_MAX),
        .author_email = cut(mem, author ? author->email : NULL, AUTHOR_MAX),
        .unix_s = (int64_t)git_commit_time(commit),
    };
}

MUST_USE static struct err *open_walk(struct walk *walk, const git_oid *from, const git_oid *to,
                                      git_revwalk **out)
{
    int code = git_revwalk_new(out, walk->repo->at);
    if (!code)
        code = git_revwalk_sorting(*out, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    if (!code)
        code = git_revwalk_push(*out, to);
    if (!code && from)
        code = git_revwalk_hide(*out, from);
    if (!code && walk->first_parent)
        code = git_revwalk_simplify_first_parent(*out);
    return code ? mirror_git_failed(walk->repo->mirror, code, "read the log") : NULL;
}

MUST_USE static struct err *collect(struct walk *walk, git_revwalk *revisions, struct arena *mem,
                                    size_t limit, struct mirror_commits *out)
{
    git_oid oid;
    int code = 0;
    while (out->len < limit && !walk->is_cut && !(code = git_revwalk_next(&oid, revisions))) {
        SCOPED(git_commit_free) git_commit *commit = NULL;
        code = git_commit_lookup(&commit, walk->repo->at, &oid);
        if (code)
            break;
        bool is_shown;
        TRY(consider(walk, commit, &is_shown));
        if (is_shown)
            add_commit(mem, commit, out);
        walk->is_cut = mirror_is_cut(commit) && (walk->paths || out->len < limit);
    }
    return code && code != GIT_ITEROVER
               ? mirror_git_failed(walk->repo->mirror, code, "read the log")
               : NULL;
}

/* git's words for either end that is not there. */
MUST_USE static struct err *find_range(struct mirror_repo *repo, const char *from, const char *to,
                                       git_oid ends[2])
{
    struct err *e = from ? mirror_commit_seek(repo, from, &ends[0]) : NULL;
    if (!e)
        e = mirror_commit_seek(repo, to, &ends[1]);
    if (!e || !from)
        return e;
    enum err_kind kind = err_kind(e);
    bool are_ids = strlen(from) == GIT_OID_HEXSZ && strlen(to) == GIT_OID_HEXSZ;
    err_free(e);
    if (are_ids)
        return err_new(kind, "fatal: Invalid revision range %s..%s", from, to);
    return err_new(kind, "fatal: bad revision '%.*s..%.*s'", (int)strnlen(from, 200), from,
                   (int)strnlen(to, 200), to);
}

MUST_USE static struct err *walk_range(struct walk *walk, const git_oid *from, const git_oid *to,
                                       struct arena *mem, size_t limit, struct mirror_commits *out)
{
    SCOPED(map_free) struct map *wanted = map_new(NULL);
    SCOPED(git_revwalk_free) git_revwalk *revisions = NULL;
    *out = (struct mirror_commits){ 0 };
    walk->is_cut = false;
    walk->wanted = wanted;
    want(walk, to);
    TRY(open_walk(walk, from, to, &revisions));
    return collect(walk, revisions, mem, limit, out);
}

// NOLINTNEXTLINE(readability-function-size): a question with as many parts, asked of git's log
struct err *mirror_log(struct mirror *mirror, struct arena *mem, const char *from, const char *to,
                       const char *const *paths, size_t limit, bool first_parent,
                       struct mirror_commits *out)
{
    *out = (struct mirror_commits){ 0 };
    bool is_range = from && *from;
    MIRROR_REPO(repo);
    git_oid ends[2];
    struct walk walk = { .repo = &repo,
                         .paths = paths && *paths ? paths : NULL,
                         .first_parent = first_parent };
    TRY(mirror_repo_open(mirror, &repo));
    TRY(find_range(&repo, is_range ? from : NULL, to, ends));
    const git_oid *hidden = is_range ? &ends[0] : NULL;
    TRY(walk_range(&walk, hidden, &ends[1], mem, limit, out));
    if (!walk.is_cut)
        return NULL;
    TRY(mirror_deepen(&repo));
    return walk_range(&walk, hidden, &ends[1], mem, limit, out);
}
