/* git/mirror_internal.h - what the files of the mirror share; nobody else includes it.
 * Effects:   disk.
 * Ownership: a mirror_repo is a handle lent for a scope: MIRROR_REPO(name), then mirror_repo_open.
 * Units:     milliseconds on the monotonic clock of stream_now_ms. */
#ifndef SERIN_GIT_MIRROR_INTERNAL_H
#define SERIN_GIT_MIRROR_INTERNAL_H

#include <git2.h>
#include <pthread.h>

#include "git/mirror.h"
#include "git/signature.h"
#include "git/transport.h"

struct mirror {
    struct arena *mem;       /* of what follows, written once by mirror_new */
    struct mirror_opts opts; /* copied; paths and texts never NULL where "" says the same */
    struct giturl url;       /* as configured: for people */
    struct giturl real;      /* after url.*.insteadOf: what is connected to */
    const char *shown_url;   /* as git prints it in its own messages */
    /* refs/…; "" where none is wanted */
    const char *branch_ref, *tag_ref, *notes_ref, *commit_notes_ref;
    struct transport_settings carrier;

    pthread_mutex_t writing; /* one fetch or push at a time */
    int lock_fd;      /* of DIR.lock, held from the first fetch on; -1 before. Under `writing` */
    bool has_fetched; /* once in this process. Under `writing` */
    bool is_ours;     /* the directory is a mirror of our URL. Atomic */
    git_repository *idle; /* one handle kept open between calls; taken and put back atomically */
    unsigned depth;       /* counts how often history became longer. Atomic */
};

/* -- handles ---------------------------------------------------------------------------------------------------- */

struct mirror_repo {
    struct mirror *mirror;
    git_repository *at;
    unsigned depth; /* the mirror's when it was opened: a handle remembers where history ended */
};
void mirror_repo_close(struct mirror_repo *repo);
#define MIRROR_REPO(name) \
    __attribute__((cleanup(mirror_repo_close))) struct mirror_repo name = { 0 }
/* ERR_NOT_FOUND before the first clone. */
MUST_USE struct err *mirror_repo_open(struct mirror *mirror, struct mirror_repo *out);
/* No handle of the old repository stays behind once it has been replaced. */
void mirror_repo_drop_idle(struct mirror *mirror);

#define MIRROR_FREED(type, name)                   \
    UNUSED static inline void name##_at(type **at) \
    {                                              \
        if (*at)                                   \
            name(*at);                             \
    }
MIRROR_FREED(git_repository, git_repository_free)
MIRROR_FREED(git_tree, git_tree_free)
MIRROR_FREED(git_blob, git_blob_free)
MIRROR_FREED(git_commit, git_commit_free)
MIRROR_FREED(git_tree_entry, git_tree_entry_free)
MIRROR_FREED(git_reference, git_reference_free)
MIRROR_FREED(git_remote, git_remote_free)
MIRROR_FREED(git_revwalk, git_revwalk_free)
MIRROR_FREED(git_odb, git_odb_free)
MIRROR_FREED(git_odb_object, git_odb_object_free)
MIRROR_FREED(git_signature, git_signature_free)
MIRROR_FREED(git_note, git_note_free)
MIRROR_FREED(git_config, git_config_free)
MIRROR_FREED(git_packbuilder, git_packbuilder_free)

/* -- errors ------------------------------------------------------------------------------------------------------ */

/* libgit2's words behind `what`, its code as a kind. To be called right after the failing call. Where the code means that the
 * copy on disk is damaged, the next fetch makes it anew. */
MUST_USE struct err *mirror_git_failed(struct mirror *mirror, int code, const char *what);

/* -- disk ------------------------------------------------------------------------------------------------------- */

/* Under `writing`: takes the directory for this process alone, makes the repository if it is missing, damaged or another's. */
MUST_USE struct err *mirror_disk_prepare(struct mirror *mirror, bool *out_is_new);
bool mirror_disk_is_ours(const struct mirror *mirror);
/* The copy is damaged: mirror_disk_prepare replaces it. */
void mirror_disk_suspect(struct mirror *mirror);
/* Joins what many fetches and commits left behind as small packs and loose objects. */
MUST_USE struct err *mirror_tidy(struct mirror *mirror);

/* -- configuration ------------------------------------------------------------------------------------------------ */

/* What the environment and the user's git configuration say: GIT_SSH_COMMAND or core.sshCommand, or NULL; `url` after
 * url.*.insteadOf. */
struct mirror_config {
    const char *ssh_command, *url;
};
MUST_USE struct err *mirror_config_read(struct arena *mem, const char *const *env, const char *url,
                                        struct mirror_config *out);

/* -- revisions ----------------------------------------------------------------------------------------------------- */

MUST_USE struct err *mirror_commit_find(struct mirror_repo *repo, const char *rev, git_oid *out);
MUST_USE struct err *mirror_root_find(struct mirror_repo *repo, const char *rev, git_tree **out);
/* The commit a ref leads to; false if there is no such ref or it leads to something else. */
bool mirror_ref_commit(git_repository *repo, const char *ref, git_oid *out);

/* -- depth ------------------------------------------------------------------------------------------ */

/* What is shallow ends at a cut: commits that libgit2 shows without the parents they have, listed in DIR/shallow. A fetch keeps this
 * true of a shallow mirror: every way back from the branch and the sync tag leads to the cut. So whatever lies between two of its
 * commits is here, and only who comes to the cut, or asks for a commit that is not here, needs the history. */
#define MIRROR_KNOWS_DEPTH (LIBGIT2_VER_MAJOR > 1 || LIBGIT2_VER_MINOR >= 7)

bool mirror_is_cut(const git_commit *commit);
/* A commit that has no parents at all. */
bool mirror_is_root(const git_commit *commit);
/* Is there such a commit among those that lead to the `tips` and not to `hidden` (NULL: none)? */
struct mirror_search {
    git_oid tips[2];
    size_t count;
    const git_oid *hidden;
    bool (*is_wanted)(const git_commit *commit);
};
MUST_USE struct err *mirror_search(struct mirror_repo *repo, const struct mirror_search *search,
                                   bool *out);
/* Fetches the history unless it is here by now. The handle is another one then: nothing got by it may still be held. */
MUST_USE struct err *mirror_deepen(struct mirror_repo *repo);
/* As mirror_commit_find; what is not here may be in the history. */
MUST_USE struct err *mirror_commit_seek(struct mirror_repo *repo, const char *rev, git_oid *out);

/* -- paths ----------------------------------------------------------------------------------------- */

/* For a message: in one line (sbuf_shown), and not too long. */
const char *mirror_shown_path(struct arena *mem, const char *path);
/* git writes no such names; whoever does means harm to a program that makes files of them. */
bool mirror_is_hostile_name(const char *name);

/* -- files ----------------------------------------------------------------------------------------- */

struct mirror_contents {
    size_t limit; /* asked for */
    const char *bytes;
    size_t len;
};
MUST_USE struct err *mirror_blob_read(struct mirror_repo *repo, struct arena *mem, const char *oid,
                                      struct mirror_contents *out);
/* NULL when the path leads, through whatever symbolic links, to something inside the tree. */
MUST_USE struct err *mirror_link_check(struct mirror_repo *repo, struct arena *mem,
                                       const git_tree *root, const char *path);

/* What writing to a path writes to: the file at the end of its symbolic links. */
struct mirror_target {
    const char *path;
    unsigned mode; /* 0: there is no such file yet */
    git_oid oid;
};
MUST_USE struct err *mirror_target_find(struct mirror_repo *repo, struct arena *mem,
                                        const git_tree *root, const char *path,
                                        struct mirror_target *out);

/* -- talking to the remote -------------------------------------------------------------------------------------------- */

void mirror_talk_start(struct mirror *mirror, struct transport_talk *talk, struct arena *mem,
                       int64_t deadline_ms);
MUST_USE struct err *mirror_remote_new(struct mirror *mirror, git_repository *repo,
                                       git_remote **out);
/* All commits before those of a shallow mirror; no ref moves. Under `writing`. */
MUST_USE struct err *mirror_fetch_history(struct mirror *mirror, int64_t deadline_ms);
/* Under `writing`. */
MUST_USE struct err *mirror_fetch_locked(struct mirror *mirror, int64_t deadline_ms,
                                         struct mirror_fetched *out);

/* -- pushing: under `writing` ---------------------------------------------------------------------- */

/* What is pushed stands under these names until the remote has taken it: a refused push leaves no trace here. */
#define MIRROR_PRIVATE       "refs/serin/"
#define MIRROR_PRIVATE_TAG   MIRROR_PRIVATE "tag"
#define MIRROR_PRIVATE_NOTES MIRROR_PRIVATE "notes"
#define MIRROR_PRIVATE_CHECK MIRROR_PRIVATE "check"
#define MIRROR_PRIVATE_HEAD  MIRROR_PRIVATE "head"

/* One ref to be changed in the remote. */
struct mirror_update {
    const char *from; /* local ref; NULL: the remote's is deleted */
    const char *to;
    bool is_forced;
    const git_oid
        *expected;  /* where the remote must have it, else nothing is pushed; NULL: anywhere */
    git_oid before; /* in the remote; zero: there was none */
    git_oid after;
    bool is_answered;
    const char *refusal; /* the remote's words; NULL: taken */
};

struct mirror_push {
    struct transport_talk talk; /* first: libgit2's callbacks get it */
    struct mirror_update updates[2];
    size_t count;
    bool is_outdated; /* the remote has what we do not: fetch, then try again */
};

struct mirror_session {
    struct mirror *mirror;
    git_repository *repo;
    struct arena *mem;
    int64_t deadline_ms;
    git_oid rev;           /* that is marked, checked, or was committed */
    const char *notes_ref; /* refs/…, of notes on it; "": none wanted */
};

MUST_USE struct err *mirror_ref_place(struct mirror_session *session, const char *ref,
                                      const git_oid *oid);
/* `what` goes before the error. ERR_CONFLICT: is_outdated. */
MUST_USE struct err *mirror_push_run(struct mirror_session *session, struct mirror_push *push,
                                     const char *what);
/* What the remote has taken is so here, too, whatever became of the rest. */
MUST_USE struct err *mirror_push_keep(struct mirror_session *session,
                                      const struct mirror_push *push);
void mirror_push_clean(git_repository *repo); /* removes the private refs */

/* Tag and note; again after a fetch where somebody else was faster. */
MUST_USE struct err *mirror_mark_locked(struct mirror_session *session,
                                        const struct mirror_marker *marker);

const char *mirror_notes_ref(struct arena *mem, const char *name); /* refs/notes/NAME */
bool mirror_note_exists(const struct mirror_session *session);
/* Makes the commit of the notes with one more; places it nowhere. */
MUST_USE struct err *mirror_note_write(struct mirror_session *session, const char *note,
                                       git_oid *out);

/* -- who writes ------------------------------------------------------------------------------------- */

struct signature_ring mirror_ring(const struct mirror *mirror, int64_t deadline_ms);
/* --git-user and --git-email, now. */
MUST_USE struct err *mirror_committer(struct mirror *mirror, git_signature **out);
/* By the key that is configured; NULL if none is. */
MUST_USE struct err *mirror_sign(struct mirror *mirror, struct arena *mem,
                                 struct signature_text payload, const char **out);

#endif
