#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "git/mirror_internal.h"

#define NOTE_MAX    ((size_t)1 << 20)
#define ENTRIES_MAX ((size_t)1 << 20)                   /* of the tree of notes */
#define FANOUT_MAX  (GIT_OID_HEXSZ + GIT_OID_HEXSZ / 2) /* ab/cd/ef…/ */

/* -- one note -------------------------------------------------------------------------------------------- */

bool mirror_note_exists(const struct mirror_session *session)
{
    SCOPED(git_note_free) git_note *note = NULL;
    return !git_note_read(&note, session->repo, session->notes_ref, &session->rev);
}

struct err *mirror_note_write(struct mirror_session *session, const char *note, git_oid *out)
{
    struct mirror *mirror = session->mirror;
    SCOPED(git_signature_free) git_signature *author = NULL;
    SCOPED(git_commit_free) git_commit *parent = NULL;
    git_oid tip;
    size_t len = strlen(note);
    if (len > NOTE_MAX)
        return err_new(ERR_LIMIT, "a note of %zu bytes is too large", len);
    TRY(mirror_committer(mirror, &author));
    int code = 0;
    if (!git_reference_name_to_id(&tip, session->repo, session->notes_ref))
        code = git_commit_lookup(&parent, session->repo, &tip);
    const char *ending = len && note[len - 1] == '\n' ? "" : "\n";
    const char *text = arena_printf(session->mem, "%s%s", note, ending);
    if (!code)
        code = git_note_commit_create(out, NULL, session->repo, parent, author, author,
                                      &session->rev, text, 0);
    return code ? mirror_git_failed(mirror, code, "write a note") : NULL;
}

/* As git expands --ref. */
const char *mirror_notes_ref(struct arena *mem, const char *name)
{
    bool is_full = !strncmp(name, "refs/notes/", strlen("refs/notes/"));
    bool is_partial = !strncmp(name, "notes/", strlen("notes/"));
    return is_full ? name : arena_printf(mem, is_partial ? "refs/%s" : "refs/notes/%s", name);
}

/* "abcd…", "ab/cd…", "ab/cd/…": as far as the tree has fanned out. */
static bool find_note(const git_tree *notes, const git_oid *commit, git_oid *out)
{
    char hex[MIRROR_SHA_BYTES], path[FANOUT_MAX + 1];
    (void)git_oid_tostr(hex, sizeof(hex), commit);
    for (size_t folders = 0; folders < GIT_OID_HEXSZ / 2; folders++) {
        SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
        size_t len = 0;
        for (size_t i = 0; i < GIT_OID_HEXSZ; i++) {
            if (i && i % 2 == 0 && i / 2 <= folders)
                path[len++] = '/';
            path[len++] = hex[i];
        }
        path[len] = '\0';
        if (!git_tree_entry_bypath(&entry, notes, path) &&
            git_tree_entry_type(entry) == GIT_OBJECT_BLOB) {
            git_oid_cpy(out, git_tree_entry_id(entry));
            return true;
        }
    }
    return false;
}

/* The tree of notes; NULL: there are none. */
MUST_USE static struct err *open_notes(struct mirror_repo *repo, const char *ref, git_tree **out)
{
    SCOPED(git_commit_free) git_commit *commit = NULL;
    git_oid tip;
    *out = NULL;
    if (!mirror_ref_commit(repo->at, ref, &tip))
        return NULL;
    int code = git_commit_lookup(&commit, repo->at, &tip);
    if (!code)
        code = git_commit_tree(out, commit);
    return code ? mirror_git_failed(repo->mirror, code, "read the notes") : NULL;
}

/* Its size is known before it is read; one that nobody can mean is as good as none. */
MUST_USE static struct err *read_text(struct mirror_repo *repo, struct arena *mem,
                                      const git_oid *blob, const char **out)
{
    char hex[MIRROR_SHA_BYTES];
    struct mirror_contents contents = { .limit = NOTE_MAX };
    *out = NULL;
    struct err *e = mirror_blob_read(repo, mem, git_oid_tostr(hex, sizeof(hex), blob), &contents);
    if (err_is(e, ERR_LIMIT)) {
        err_free(e);
        return NULL;
    }
    *out = contents.bytes;
    return e;
}

struct err *mirror_note_read(struct mirror *mirror, struct arena *mem, const char *ref,
                             const char *rev, const char **out)
{
    *out = NULL;
    MIRROR_REPO(repo);
    SCOPED(git_tree_free) git_tree *notes = NULL;
    git_oid oid, blob;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_find(&repo, rev, &oid));
    TRY(open_notes(&repo, mirror_notes_ref(mem, ref), &notes));
    return notes && find_note(notes, &oid, &blob) ? read_text(&repo, mem, &blob, out) : NULL;
}

/* -- many notes -------------------------------------------------------------------------------------------- */

struct noted {
    git_oid commit, text;
};

struct reading {
    struct mirror_repo *repo;
    struct arena *mem;
    VEC(struct noted) notes; /* by commit */
    size_t entries;          /* of trees, seen so far */
    bool (*visit)(void *ctx, const char *sha, const char *note);
    void *ctx;
};

/* "ab/cd…" is the note on the commit abcd…: false for any other file. */
static bool read_name(const char *folder, const char *name, git_oid *out)
{
    char hex[GIT_OID_HEXSZ + 1];
    size_t len = 0;
    const char *const parts[] = { folder, name };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *c = parts[i]; *c; c++) {
            if (*c == '/')
                continue;
            if (len == GIT_OID_HEXSZ)
                return false;
            hex[len++] = *c;
        }
    hex[len] = 0;
    return len == GIT_OID_HEXSZ && !git_oid_fromstr(out, hex);
}

static int on_entry(const char *folder, const git_tree_entry *entry, void *payload)
{
    struct reading *reading = payload;
    struct noted noted;
    if (++reading->entries > ENTRIES_MAX)
        return GIT_EUSER;
    if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) /* positive: its entries are left out */
        return strlen(folder) + strlen(git_tree_entry_name(entry)) > FANOUT_MAX;
    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB ||
        !read_name(folder, git_tree_entry_name(entry), &noted.commit))
        return 0;
    git_oid_cpy(&noted.text, git_tree_entry_id(entry));
    *vec_push(reading->mem, &reading->notes) = noted;
    return 0;
}

static int compare_noted(const void *a, const void *b)
{
    return git_oid_cmp(&((const struct noted *)a)->commit, &((const struct noted *)b)->commit);
}

MUST_USE static struct err *read_notes(struct reading *reading, const char *ref)
{
    SCOPED(git_tree_free) git_tree *tree = NULL;
    TRY(open_notes(reading->repo, ref, &tree));
    if (!tree)
        return NULL;
    int code = git_tree_walk(tree, GIT_TREEWALK_PRE, on_entry, reading);
    if (reading->entries > ENTRIES_MAX)
        return err_new(ERR_LIMIT, "%s holds more than %zu notes", ref, ENTRIES_MAX);
    if (code)
        return mirror_git_failed(reading->repo->mirror, code, "read the notes");
    if (reading->notes.len)
        qsort(reading->notes.at, reading->notes.len, sizeof(*reading->notes.at), compare_noted);
    return NULL;
}

/* `is_done`: the visitor has seen enough. */
MUST_USE static struct err *show(struct reading *reading, const git_oid *commit, bool *is_done)
{
    const struct noted key = { .commit = *commit };
    const struct noted *noted = reading->notes.len
                                    ? bsearch(&key, reading->notes.at, reading->notes.len,
                                              sizeof(*reading->notes.at), compare_noted)
                                    : NULL;
    if (!noted)
        return NULL;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char sha[MIRROR_SHA_BYTES];
    const char *text;
    (void)git_oid_tostr(sha, sizeof(sha), commit);
    TRY(err_wrap(read_text(reading->repo, mem, &noted->text, &text), "note on %s", sha));
    *is_done = text && reading->visit(reading->ctx, sha, text);
    return NULL;
}

MUST_USE static struct err *walk(struct reading *reading, const git_oid *to, size_t limit)
{
    SCOPED(git_revwalk_free) git_revwalk *commits = NULL;
    int code = git_revwalk_new(&commits, reading->repo->at);
    if (!code) /* unsorted is by date, without reading what is not looked at */
        code = git_revwalk_push(commits, to);
    git_oid oid;
    bool is_done = false;
    while (!code && !is_done && limit-- && !(code = git_revwalk_next(&oid, commits)))
        TRY(show(reading, &oid, &is_done));
    return !code || code == GIT_ITEROVER
               ? NULL
               : mirror_git_failed(reading->repo->mirror, code, "read the log");
}

/* Of notes on commits that are not here nobody knows how far back they are. */
MUST_USE static struct err *find_commits(struct reading *reading)
{
    SCOPED(git_odb_free) git_odb *odb = NULL;
    bool are_all_here = true;
    if (!mirror_is_shallow(reading->repo->mirror))
        return NULL;
    int code = git_repository_odb(&odb, reading->repo->at);
    if (code)
        return mirror_git_failed(reading->repo->mirror, code, "read the notes");
    for (size_t i = 0; are_all_here && i < reading->notes.len; i++)
        are_all_here = git_odb_exists(odb, &reading->notes.at[i].commit);
    return are_all_here ? NULL : mirror_deepen(reading->repo);
}

// NOLINTNEXTLINE(readability-function-size): what is read, and who is told
struct err *mirror_notes_each(struct mirror *mirror, const char *ref, const char *to, size_t limit,
                              bool (*visit)(void *ctx, const char *sha, const char *note),
                              void *ctx)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    MIRROR_REPO(repo);
    git_oid oid;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_commit_seek(&repo, to, &oid));
    struct reading reading = { .repo = &repo, .mem = mem, .visit = visit, .ctx = ctx };
    TRY(read_notes(&reading, mirror_notes_ref(mem, ref)));
    TRY(find_commits(&reading));
    return reading.notes.len ? walk(&reading, &oid, limit) : NULL;
}
