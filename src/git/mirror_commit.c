#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "git/mirror_internal.h"

#define FILES_MAX  20000
#define BYTES_MAX  ((size_t)256 << 20)
#define AUTHOR_MAX 512
#define NEW_MODE   0100644u

struct change {
    const char *path; /* that is written, behind symbolic links */
    const struct mirror_file *file;
    unsigned mode;
    git_oid oid;
    bool is_needed; /* there is another text, or none */
};

struct commit {
    struct mirror_repo repo;
    const struct mirror_commit_request *request;
    struct mirror_session session;
    git_oid parent_id;
    git_commit *parent;
    git_tree *root;
    VEC(struct change) changes;
};

/* -- files -------------------------------------------------------------------------------------------- */

static int compare_changes(const void *a, const void *b)
{
    return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

MUST_USE static struct err *check_bounds(const struct mirror_commit_request *request)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request->count; i++)
        bytes += request->files[i].len;
    if (request->count > FILES_MAX)
        return err_new(ERR_LIMIT, "git commit: more than %d files", FILES_MAX);
    if (bytes > BYTES_MAX)
        return err_new(ERR_LIMIT, "git commit: more than %zu MiB of files", BYTES_MAX >> 20);
    return NULL;
}

MUST_USE static struct err *add_change(struct commit *commit, const struct mirror_file *file)
{
    struct mirror_target target;
    struct change change = { .file = file };
    struct mirror_repo *repo = &commit->repo;
    struct arena *mem = commit->session.mem;
    TRY(mirror_target_find(repo, mem, commit->root, file->path, &target));
    int code = git_blob_create_from_buffer(&change.oid, repo->at, file->text, file->len);
    if (code)
        return mirror_git_failed(repo->mirror, code, "write a file");
    change.path = target.path;
    change.mode = target.mode ? target.mode : NEW_MODE;
    change.is_needed = !target.mode || !git_oid_equal(&change.oid, &target.oid);
    *vec_push(mem, &commit->changes) = change;
    return NULL;
}

/* By two names the same file can be meant: then the same text has to be. */
MUST_USE static struct err *join_equals(struct commit *commit)
{
    size_t kept = 0;
    struct change *at = commit->changes.at;
    for (size_t i = 0; i < commit->changes.len; i++) {
        bool is_same = kept && !strcmp(at[kept - 1].path, at[i].path);
        if (is_same && !git_oid_equal(&at[kept - 1].oid, &at[i].oid))
            return err_new(ERR_INVALID, "two texts for one file, %s",
                           mirror_shown_path(commit->session.mem, at[i].path));
        if (!is_same)
            at[kept++] = at[i];
    }
    commit->changes.len = kept;
    return NULL;
}

/* A new file cannot be the directory of another one. */
MUST_USE static struct err *check_parents(const struct commit *commit, const struct change *change)
{
    struct arena *mem = commit->session.mem;
    for (const char *slash = strchr(change->path, '/'); slash; slash = strchr(slash + 1, '/')) {
        const struct change key = { .path = arena_strndup(mem, change->path,
                                                          (size_t)(slash - change->path)) };
        if (bsearch(&key, commit->changes.at, commit->changes.len, sizeof(key), compare_changes))
            return err_new(ERR_INVALID, "%s is a file, and the directory of %s",
                           mirror_shown_path(mem, key.path), mirror_shown_path(mem, change->path));
    }
    return NULL;
}

MUST_USE static struct err *find_changes(struct commit *commit)
{
    const struct mirror_commit_request *request = commit->request;
    for (size_t i = 0; i < request->count; i++)
        TRY(add_change(commit, &request->files[i]));
    if (!commit->changes.len)
        return NULL;
    qsort(commit->changes.at, commit->changes.len, sizeof(*commit->changes.at), compare_changes);
    TRY(join_equals(commit));
    for (size_t i = 0; i < commit->changes.len; i++)
        TRY(check_parents(commit, &commit->changes.at[i]));
    return NULL;
}

/* `count` 0: nothing is another than it was. */
MUST_USE static struct err *write_tree(struct commit *commit, git_oid *out, size_t *count)
{
    size_t len = commit->changes.len;
    git_tree_update *updates = arena_alloc(commit->session.mem, (len + 1) * sizeof(*updates));
    *count = 0;
    for (size_t i = 0; i < len; i++) {
        const struct change *change = &commit->changes.at[i];
        if (change->is_needed)
            updates[(*count)++] = (git_tree_update){ GIT_TREE_UPDATE_UPSERT, change->oid,
                                                     (git_filemode_t)change->mode, change->path };
    }
    if (!*count)
        return NULL;
    int code = git_tree_create_updated(out, commit->repo.at, commit->root, *count, updates);
    return code ? mirror_git_failed(commit->repo.mirror, code, "write a tree") : NULL;
}

/* -- people --------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    size_t len = strnlen(text, AUTHOR_MAX + 1);
    if (len > AUTHOR_MAX || utf8_find_bad(text, len) < len)
        return false;
    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            return false;
    return true;
}

/* "Name <mail>" and nothing else: what git takes for --author. */
static bool split_author(struct arena *mem, const char *text, const char **name, const char **mail)
{
    if (!text || !is_plain(text))
        return false;
    const char *open = strchr(text, '<');
    size_t len = open ? strcspn(open + 1, "<> ") : 0;
    if (!len || strcmp(open + 1 + len, ">") != 0 || memchr(text, '>', (size_t)(open - text)))
        return false;
    *name = arena_strndup(mem, text, (size_t)(open - text));
    *mail = arena_strndup(mem, open + 1, len);
    return (*name)[strspn(*name, " ")] != 0;
}

/* Of another form, or of nothing but what git strips from names: the committer. */
MUST_USE static struct err *find_author(const struct commit *commit, const git_signature *committer,
                                        git_signature **out)
{
    const char *name, *mail;
    const git_time when = committer->when;
    if (split_author(commit->session.mem, commit->request->author, &name, &mail) &&
        !git_signature_new(out, name, mail, when.time, when.offset))
        return NULL;
    int code = git_signature_dup(out, committer);
    return code ? mirror_git_failed(commit->repo.mirror, code, "use the committer as author")
                : NULL;
}

/* -- the commit ------------------------------------------------------------------------------------------- */

/* As git has it: no blanks at the ends of lines, one empty line where there are several, a line break at the end. */
MUST_USE static struct err *check_message(struct arena *mem, const char *message, const char **out)
{
    git_buf clean = { 0 };
    bool is_clean = message && git_message_prettify(&clean, message, 0, '#') == 0;
    *out = is_clean ? arena_strdup(mem, clean.ptr ? clean.ptr : "") : "";
    git_buf_dispose(&clean);
    return **out ? NULL
                 : err_new(ERR_INVALID, "git commit: Aborting commit due to empty commit message.");
}

/* The object without a signature. */
MUST_USE static struct err *write_text(struct commit *commit, const git_oid *tree_id, git_buf *out)
{
    SCOPED(git_signature_free) git_signature *author = NULL, *committer = NULL;
    SCOPED(git_tree_free) git_tree *tree = NULL;
    const char *message = NULL;
    const git_commit *parents[] = { commit->parent };
    TRY(check_message(commit->session.mem, commit->request->message, &message));
    TRY(mirror_committer(commit->repo.mirror, &committer));
    TRY(find_author(commit, committer, &author));
    int code = git_tree_lookup(&tree, commit->repo.at, tree_id);
    if (!code)
        code = git_commit_create_buffer(out, commit->repo.at, author, committer, NULL, message,
                                        tree, 1, parents);
    return code ? mirror_git_failed(commit->repo.mirror, code, "git commit") : NULL;
}

MUST_USE static struct err *write_object(struct commit *commit, const char *text,
                                         const char *signature)
{
    const char *header = NULL;
    if (signature) { /* its lines become lines of a header: the last one without a break */
        size_t len = strlen(signature);
        while (len && signature[len - 1] == '\n')
            len--;
        header = arena_strndup(commit->session.mem, signature, len);
    }
    int code =
        git_commit_create_with_signature(&commit->session.rev, commit->repo.at, text, header, NULL);
    return code ? mirror_git_failed(commit->repo.mirror, code, "git commit") : NULL;
}

MUST_USE static struct err *write_commit(struct commit *commit, const git_oid *tree)
{
    git_buf text = { 0 };
    const char *signature = NULL;
    struct err *e = write_text(commit, tree, &text);
    const struct signature_text payload = { text.ptr, text.size };
    if (!e)
        e = err_wrap(mirror_sign(commit->repo.mirror, commit->session.mem, payload, &signature),
                     "git commit");
    if (!e)
        e = write_object(commit, text.ptr, signature);
    git_buf_dispose(&text);
    return e;
}

/* -- the push ----------------------------------------------------------------------------------------------- */

/* A conversation that ended well says what became of the ref. */
MUST_USE static struct err *push_branch(struct commit *commit)
{
    struct mirror_session *session = &commit->session;
    struct mirror *mirror = session->mirror;
    struct mirror_push push = { .count = 1 };
    push.updates[0] = (struct mirror_update){ .from = MIRROR_PRIVATE_HEAD,
                                              .to = mirror->branch_ref,
                                              .expected = &commit->parent_id,
                                              .after = session->rev };
    const char *what =
        arena_printf(session->mem, "git push %s [%s%s%s]", mirror->shown_url, mirror->opts.branch,
                     *session->notes_ref ? " " : "", session->notes_ref);
    TRY(mirror_ref_place(session, MIRROR_PRIVATE_HEAD, &session->rev));
    struct err *e = mirror_push_run(session, &push, what);
    err_free(mirror_push_keep(session, &push)); /* the next fetch mends it */
    mirror_push_clean(session->repo);
    if (!e && !push.updates[0].is_answered)
        e = err_new(ERR_TRANSIENT, "%s: the remote did not say whether it took the commit", what);
    return e;
}

MUST_USE static struct err *open_parent(struct commit *commit)
{
    struct mirror *mirror = commit->session.mirror;
    const char *parent = commit->request->parent;
    TRY(mirror_repo_open(mirror, &commit->repo));
    commit->session.repo = commit->repo.at;
    struct err *e = mirror_commit_find(&commit->repo, parent, &commit->parent_id);
    if (err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        return err_new(ERR_CONFLICT, "git commit: the parent %.*s is not in the mirror any more",
                       (int)strnlen(parent, 200), parent);
    }
    TRY(e);
    int code = git_commit_lookup(&commit->parent, commit->repo.at, &commit->parent_id);
    if (!code)
        code = git_commit_tree(&commit->root, commit->parent);
    return code ? mirror_git_failed(mirror, code, "read a commit") : NULL;
}

static void close_parent(struct commit *commit)
{
    git_tree_free(commit->root);
    git_commit_free(commit->parent);
    mirror_repo_close(&commit->repo);
}

MUST_USE static struct err *commit_files(struct commit *commit, bool *is_pushed)
{
    git_oid tree;
    size_t count = 0;
    TRY(open_parent(commit));
    TRY(find_changes(commit));
    TRY(write_tree(commit, &tree, &count));
    if (!count)
        return commit->request->may_be_empty ? NULL
                                             : err_new(ERR_INVALID, "no changes made in repo");
    TRY(write_commit(commit, &tree));
    TRY(push_branch(commit));
    *is_pushed = true;
    return NULL;
}

/* The commit is there, whatever becomes of its note. */
static void push_note(struct commit *commit, struct mirror_committed *out)
{
    const struct mirror_marker marker = { .rev = out->sha, .note = commit->request->note };
    if (!*commit->session.notes_ref)
        return;
    SCOPED(err_free) struct err *e = mirror_mark_locked(&commit->session, &marker);
    if (e)
        out->note_refused = arena_strdup(commit->session.mem, err_text(e));
}

/* Notes whose ref is not fetched could never be added to. */
MUST_USE static struct err *find_notes_ref(struct commit *commit)
{
    const struct mirror_commit_request *request = commit->request;
    const struct mirror *mirror = commit->session.mirror;
    commit->session.notes_ref = "";
    if (!request->note || !request->notes_ref || !*request->notes_ref)
        return NULL;
    const char *ref = mirror_notes_ref(commit->session.mem, request->notes_ref);
    if (strcmp(ref, mirror->commit_notes_ref) != 0 && strcmp(ref, mirror->notes_ref) != 0)
        return err_new(ERR_INVALID, "git commit: %s is not among the refs that are fetched", ref);
    commit->session.notes_ref = ref;
    return NULL;
}

struct err *mirror_commit(struct mirror *mirror, struct arena *mem,
                          const struct mirror_commit_request *request, int64_t deadline_ms,
                          struct mirror_committed *out)
{
    *out = (struct mirror_committed){ 0 };
    struct commit commit = {
        .request = request, .session = { .mirror = mirror, .mem = mem, .deadline_ms = deadline_ms }
    };
    bool is_pushed = false;
    TRY(check_bounds(request));
    TRY(find_notes_ref(&commit));
    (void)pthread_mutex_lock(&mirror->writing);
    struct err *e = commit_files(&commit, &is_pushed);
    close_parent(&commit);
    if (is_pushed) {
        (void)git_oid_tostr(out->sha, sizeof(out->sha), &commit.session.rev);
        push_note(&commit, out);
    }
    (void)pthread_mutex_unlock(&mirror->writing);
    return e;
}
