#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "git/mirror_internal.h"
#include "io/stream.h"

#define GPG_MS    20000
#define IMPORT_MS 60000
#define PGP_BEGIN "-----BEGIN PGP SIGNATURE-----"

struct paths {
    const char **at;
    size_t len, cap;
};

/* -- one object ------------------------------------------------------------------------------------- */

/* Good means good as git's %G? says it: by a key that is known to be whose it says it is. */
MUST_USE static struct err *judge(struct mirror_repo *repo, struct arena *mem,
                                  const char *signature, struct signature_text payload,
                                  struct signature_verdict *out)
{
    struct signature_ring ring = mirror_ring(repo->mirror, stream_now_ms() + GPG_MS);
    if (strncmp(signature, PGP_BEGIN, strlen(PGP_BEGIN)) != 0) { /* of ssh, of X.509 */
        *out = (struct signature_verdict){ .letter = 'E', .key = "" };
        return NULL;
    }
    return signature_check(mem, &ring, signature, payload, out);
}

MUST_USE static struct err *judge_commit(struct mirror_repo *repo, struct arena *mem, git_oid *oid,
                                         struct signature_verdict *out)
{
    git_buf signature = { 0 }, payload = { 0 };
    struct err *e = NULL;
    int code = git_commit_extract_signature(&signature, &payload, repo->at, oid, NULL);
    *out = (struct signature_verdict){ .letter = 'N', .key = "" };
    if (!code)
        e = judge(repo, mem, arena_strndup(mem, signature.ptr, signature.size),
                  (struct signature_text){ payload.ptr, payload.size }, out);
    else if (code != GIT_ENOTFOUND)
        e = mirror_git_failed(repo->mirror, code, "read a commit");
    git_buf_dispose(&signature);
    git_buf_dispose(&payload);
    return e;
}

/* Where the signature begins in the text of a tag: the last line that opens one. */
static size_t find_signature(const char *text, size_t len)
{
    size_t found = len;
    for (size_t at = 0; at < len;) {
        if (len - at >= strlen(PGP_BEGIN) && !memcmp(text + at, PGP_BEGIN, strlen(PGP_BEGIN)))
            found = at;
        const char *newline = memchr(text + at, '\n', len - at);
        at = newline ? (size_t)(newline - text) + 1 : len;
    }
    return found;
}

MUST_USE static struct err *judge_tag(struct mirror_repo *repo, struct arena *mem,
                                      struct signature_verdict *out)
{
    SCOPED(git_odb_free) git_odb *odb = NULL;
    SCOPED(git_odb_object_free) git_odb_object *object = NULL;
    git_oid oid;
    *out = (struct signature_verdict){ .letter = 'N', .key = "" };
    int code = git_reference_name_to_id(&oid, repo->at, repo->mirror->tag_ref);
    if (!code)
        code = git_repository_odb(&odb, repo->at);
    if (!code)
        code = git_odb_read(&object, odb, &oid);
    if (code)
        return mirror_git_failed(repo->mirror, code, "read the tag");
    size_t len = git_odb_object_size(object);
    const char *text = arena_strndup(mem, git_odb_object_data(object), len);
    /* A good signature under another tag says nothing about this one. */
    const char *name = strstr(text, "\ntag ");
    const char *wanted = arena_printf(mem, "\ntag %s\n", repo->mirror->opts.sync_tag);
    size_t at = find_signature(text, len);
    if (git_odb_object_type(object) != GIT_OBJECT_TAG || at == len || !name ||
        strncmp(name, wanted, strlen(wanted)) != 0)
        return NULL;
    return judge(repo, mem, text + at, (struct signature_text){ text, at }, out);
}

struct err *mirror_check_tag(struct mirror *mirror)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    MIRROR_REPO(repo);
    struct signature_verdict verdict;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(err_wrap(judge_tag(&repo, mem, &verdict), "verifying tag %s", mirror->opts.sync_tag));
    if (verdict.letter == 'G')
        return NULL;
    return err_new(ERR_DENIED, "verifying tag %s: its signature is %s", mirror->opts.sync_tag,
                   verdict.letter == 'N' ? "missing" : "not a good one by a key of the ring");
}

/* -- a run of commits ---------------------------------------------------------------------------------- */

struct commits {
    git_oid *at;
    size_t len, cap;
};

MUST_USE static struct err *list_commits(struct mirror_repo *repo, struct arena *mem,
                                         const git_oid ends[2], bool first_parent,
                                         struct commits *out)
{
    SCOPED(git_revwalk_free) git_revwalk *walk = NULL;
    int code = git_revwalk_new(&walk, repo->at);
    if (!code)
        code = git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME | GIT_SORT_REVERSE);
    if (!code)
        code = git_revwalk_push(walk, &ends[1]);
    if (!code && !git_oid_is_zero(&ends[0]))
        code = git_revwalk_hide(walk, &ends[0]);
    if (!code && first_parent)
        code = git_revwalk_simplify_first_parent(walk);
    git_oid oid;
    while (!code && !(code = git_revwalk_next(&oid, walk)))
        *vec_push(mem, out) = oid;
    return code == GIT_ITEROVER ? NULL : mirror_git_failed(repo->mirror, code, "read the log");
}

MUST_USE static struct err *check_marker(struct mirror_repo *repo, git_oid *marker)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct signature_verdict verdict;
    char sha[MIRROR_SHA_BYTES];
    TRY(judge_commit(repo, mem, marker, &verdict));
    if (verdict.letter == 'G')
        return NULL;
    return err_new(
        ERR_DENIED,
        "failed to verify signature of last sync'ed revision: failed to verify commit %s",
        git_oid_tostr(sha, sizeof(sha), marker));
}

MUST_USE static struct err *check_run(struct mirror_repo *repo, struct arena *mem,
                                      const struct commits *commits, struct mirror_verified *out)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < commits->len; i++) {
        struct signature_verdict verdict;
        TRY(judge_commit(repo, scratch, &commits->at[i], &verdict));
        if (verdict.letter != 'G') {
            (void)git_oid_tostr(out->invalid, sizeof(out->invalid), &commits->at[i]);
            out->key = arena_strdup(mem, verdict.key);
            return NULL;
        }
        (void)git_oid_tostr(out->head, sizeof(out->head), &commits->at[i]);
        arena_reset(scratch);
    }
    return NULL;
}

// NOLINTNEXTLINE(readability-function-size): what goes in and what comes out, no options among it
struct err *mirror_check_signatures(struct mirror *mirror, struct arena *mem,
                                    enum mirror_verify mode, const char *marker, const char *head,
                                    struct mirror_verified *out)
{
    *out = (struct mirror_verified){ .key = "" };
    MIRROR_REPO(repo);
    git_oid ends[2] = { 0 };
    bool has_marker = marker && *marker;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_find(&repo, head, &ends[1]));
    if (has_marker)
        TRY(mirror_commit_find(&repo, marker, &ends[0]));
    (void)git_oid_tostr(out->head, sizeof(out->head), &ends[1]);
    if (mode == MIRROR_VERIFY_NONE)
        return NULL;
    if (mirror_is_shallow(mirror))
        return err_new(ERR_TRANSIENT, "the commits to be verified are not all here: fetch first");
    out->head[0] = 0;
    if (has_marker) {
        TRY(check_marker(&repo, &ends[0]));
        (void)git_oid_tostr(out->head, sizeof(out->head), &ends[0]);
    }
    struct commits commits = { 0 };
    TRY(list_commits(&repo, mem, ends, mode == MIRROR_VERIFY_FIRST_PARENT, &commits));
    return check_run(&repo, mem, &commits, out);
}

/* -- keys ------------------------------------------------------------------------------------------------ */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The regular files of a directory, links to them included, in order of name; a file stands for itself. */
MUST_USE static struct err *find_files(struct arena *mem, const char *path, struct paths *out)
{
    struct stat info;
    if (stat(path, &info))
        return err_errno(ERR_NOT_FOUND, errno, "read %s", path);
    if (!S_ISDIR(info.st_mode)) {
        *vec_push(mem, out) = path;
        return NULL;
    }
    DIR *dir = opendir(path);
    if (!dir)
        return err_errno(ERR_DENIED, errno, "read %s", path);
    size_t first = out->len;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *file = arena_printf(mem, "%s/%s", path, entry->d_name);
        if (!stat(file, &info) && S_ISREG(info.st_mode))
            *vec_push(mem, out) = file;
    }
    (void)closedir(dir);
    if (out->len > first)
        qsort(out->at + first, out->len - first, sizeof(*out->at), compare_paths);
    return NULL;
}

/* The first error counts, the rest goes on: one broken file does not lock out the good keys. */
static void keep_first(struct err **first, struct err *e)
{
    if (*first)
        err_free(e);
    else
        *first = e;
}

struct err *mirror_import_keys(struct mirror *mirror, const char *const *paths, bool trust,
                               size_t *count)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct signature_ring ring = mirror_ring(mirror, stream_now_ms() + IMPORT_MS);
    struct err *first = NULL;
    struct paths files = { 0 };
    *count = 0;
    for (; paths && *paths; paths++)
        keep_first(&first, find_files(mem, *paths, &files));
    for (size_t i = 0; i < files.len; i++) {
        size_t came = 0;
        keep_first(&first, signature_import(&ring, files.at[i], &came));
        *count += came;
    }
    if (trust)
        keep_first(&first, signature_trust_all(&ring));
    return first;
}
