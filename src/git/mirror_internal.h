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
    const char *branch_ref, *tag_ref, *notes_ref; /* refs/…; "" where none is wanted */
    struct transport_settings carrier;

    pthread_mutex_t writing; /* one fetch or push at a time */
    int lock_fd;      /* of DIR.lock, held from the first fetch on; -1 before. Under `writing` */
    bool has_fetched; /* once in this process. Under `writing` */
    bool is_ours;     /* the directory is a mirror of our URL. Atomic */
    git_repository *idle; /* one handle kept open between calls; taken and put back atomically */
};

/* -- handles ---------------------------------------------------------------------------------------------------- */

struct mirror_repo {
    struct mirror *mirror;
    git_repository *at;
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

/* -- paths ----------------------------------------------------------------------------------------- */

/* For a message: what would break a line or a terminal is shown as ?. */
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

/* -- talking to the remote -------------------------------------------------------------------------------------------- */

void mirror_talk_start(struct mirror *mirror, struct transport_talk *talk, struct arena *mem,
                       int64_t deadline_ms);
MUST_USE struct err *mirror_remote_new(struct mirror *mirror, git_repository *repo,
                                       git_remote **out);
/* Under `writing`. */
MUST_USE struct err *mirror_fetch_locked(struct mirror *mirror, int64_t deadline_ms,
                                         struct mirror_fetched *out);
struct signature_ring mirror_ring(const struct mirror *mirror, int64_t deadline_ms);

#endif
