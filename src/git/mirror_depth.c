#include <string.h>
#include <sys/stat.h>

#include "git/mirror_internal.h"
#include "io/stream.h"

bool mirror_is_shallow(const struct mirror *mirror)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct stat info;
    return !stat(arena_printf(mem, "%s/shallow", mirror->opts.dir), &info) && info.st_size > 0;
}

bool mirror_is_cut(const git_commit *commit)
{
    return !git_commit_parentcount(commit) && strstr(git_commit_raw_header(commit), "\nparent ");
}

bool mirror_is_root(const git_commit *commit)
{
    return !git_commit_parentcount(commit) && !mirror_is_cut(commit);
}

MUST_USE static int start_walk(git_repository *repo, const struct mirror_search *search,
                               git_revwalk **out)
{
    int code = git_revwalk_new(out, repo);
    for (size_t i = 0; !code && i < search->count; i++)
        code = git_revwalk_push(*out, &search->tips[i]);
    if (!code && search->hidden)
        code = git_revwalk_hide(*out, search->hidden);
    return code;
}

struct err *mirror_search(struct mirror_repo *repo, const struct mirror_search *search, bool *out)
{
    SCOPED(git_revwalk_free) git_revwalk *walk = NULL;
    git_oid oid;
    *out = false;
    int code = start_walk(repo->at, search, &walk);
    while (!code && !*out && !(code = git_revwalk_next(&oid, walk))) {
        SCOPED(git_commit_free) git_commit *commit = NULL;
        code = git_commit_lookup(&commit, repo->at, &oid);
        *out = !code && search->is_wanted(commit);
    }
    return code && code != GIT_ITEROVER ? mirror_git_failed(repo->mirror, code, "read the log")
                                        : NULL;
}

struct err *mirror_deepen(struct mirror_repo *repo)
{
    struct mirror *mirror = repo->mirror;
    struct err *e = NULL;
    mirror_repo_close(repo);
    (void)pthread_mutex_lock(&mirror->writing);
    if (mirror_is_shallow(mirror))
        e = mirror_fetch_history(mirror, stream_now_ms() + mirror->opts.history_ms);
    (void)pthread_mutex_unlock(&mirror->writing);
    if (e) { /* ERR_NOT_FOUND would say that there is no such commit */
        struct err *told =
            err_new(ERR_TRANSIENT,
                    "the commits before those that were cloned cannot be fetched: %s", err_text(e));
        err_free(e);
        return told;
    }
    return mirror_repo_open(mirror, repo);
}

struct err *mirror_commit_seek(struct mirror_repo *repo, const char *rev, git_oid *out)
{
    struct err *e = mirror_commit_find(repo, rev, out);
    if (!err_is(e, ERR_NOT_FOUND) || !mirror_is_shallow(repo->mirror))
        return e;
    err_free(e);
    TRY(mirror_deepen(repo));
    return mirror_commit_find(repo, rev, out);
}
