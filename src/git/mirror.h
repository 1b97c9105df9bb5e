/* git/mirror.h - the bare copy of one repository on disk. Blocks: worker threads and start-up only.
 * Effects:   disk, network, the ssh and gpg programs.
 * Ownership: the mirror owns its settings (copied by mirror_new). Every function opens its own handle on the repository, so
 *            several threads may use one mirror. Results are in the caller's arena.
 * Units:     milliseconds; deadline_ms is on the monotonic clock of stream_now_ms.
 * Errors:    texts are worded as git words them where it has words ("fatal: Remote branch … not found"), prefixed with what
 *            was done ("git clone --mirror", "git fetch", "git push"), never hold credentials. ERR_TRANSIENT: try again;
 *            err_retry_after_ms: not before then (a web server said so). ERR_DENIED: key, host key, password; ERR_NOT_FOUND: no such repository, branch, revision, path.
 * Reference: gitops.md 2.2 to 2.10. */
#ifndef SERIN_GIT_MIRROR_H
#define SERIN_GIT_MIRROR_H

#include "base/arena.h"
#include "base/err.h"
#include "git/giturl.h"

#define MIRROR_SHA_BYTES 41 /* 40 hex digits and NUL */

struct mirror;

struct mirror_opts {
    const char *url; /* may hold user and password (http) */
    const char *dir; /* of the copy: made if missing, taken up again if it is one of the same URL */
    const char *branch;
    const char *sync_tag;         /* "" : none wanted */
    const char *notes_ref;        /* refs/notes/NAME without the prefix; "": none wanted */
    const char *commit_notes_ref; /* the same, of notes on the commits we make; NULL or "": none */
    const char *user_name, *user_email; /* committer, tagger */
    const char *signing_key;            /* NULL: unsigned */
    const char *gnupg_home;             /* GNUPGHOME, NULL: gpg's default */
    const char *ca_pem, *proxy;         /* http; NULL: the system's, the environment's */
    bool is_insecure;
    const char *ssh_command;     /* sh syntax; NULL: as git finds it, else ssh */
    const char *ssh_identity;    /* private key file, or NULL: ssh's own choice */
    const char *ssh_known_hosts; /* file, or NULL: ssh's own */
    /* Of the programs, and where HOME is: variables that would redirect git are left out, messages
     * are in English. NULL: ours. */
    const char *const *env;
    size_t limit_bytes; /* of one fetched pack; default 2 GiB */
    /* A new mirror gets one commit of the branch and what comes after it, where libgit2 and the remote know how; who reads asks
     * for older ones, and waits at most so long while all of them are fetched. 0: all are cloned. */
    int64_t history_ms;
};

/* No network, no disk but the git configuration. */
MUST_USE struct err *mirror_new(const struct mirror_opts *opts, struct mirror **out);
void mirror_free(struct mirror *mirror);
DEFINE_SCOPED(struct mirror, mirror_free)
const struct giturl *mirror_url(const struct mirror *mirror);

/* Are older commits left out so far? They come once they matter: mirror_log and others that need them fetch them all, once. */
bool mirror_is_shallow(const struct mirror *mirror);

/* Between calls the repository stays open, with up to 16 MiB of what was unpacked. This closes it: after a run of reads. */
void mirror_rest(struct mirror *mirror);

struct mirror_fetched {
    char head[MIRROR_SHA_BYTES]; /* of the branch; "" if the remote has no such branch */
    char tag[MIRROR_SHA_BYTES];  /* commit the sync tag points at; "" if none */
    bool was_clone, has_changed;
    bool host_unknown; /* set on failure: the name of the host does not resolve */
};

/* Branch, sync tag and notes, forced, pruned; nothing else. The objects we have are never fetched again. A branch deleted in
 * the remote keeps its last head here (gitops.md 2.4) once it was seen. */
MUST_USE struct err *mirror_fetch(struct mirror *mirror, int64_t deadline_ms,
                                  struct mirror_fetched *out);

/* Pushes and deletes a tag flux-write-check-… on `rev`: do we have write access? */
MUST_USE struct err *mirror_write_check(struct mirror *mirror, const char *rev,
                                        int64_t deadline_ms);

/* What "master", "HEAD", a tag, a full or abbreviated sha means here; ERR_NOT_FOUND (fatal: bad revision '…'). */
MUST_USE struct err *mirror_resolve(struct mirror *mirror, const char *rev,
                                    char out[MIRROR_SHA_BYTES]);

struct mirror_entry {
    const char *path; /* from the root, no leading slash */
    const char *oid;  /* hex */
    unsigned mode;    /* 0100644, 0100755, 0120000 */
};
struct mirror_entries {
    struct mirror_entry *at;
    size_t len, cap;
};
/* All files below `paths` (NULL or empty: everything), depth first in byte order; a path that is missing is ERR_NOT_FOUND and
 * names it, one that leaves the tree ERR_INVALID. At most 200,000 entries, 64 MiB of paths, a million entries of trees looked
 * at, empty directories and submodules, too (ERR_LIMIT). */
MUST_USE struct err *mirror_list(struct mirror *mirror, struct arena *mem, const char *rev,
                                 const char *const *paths, struct mirror_entries *out);

enum mirror_change_kind { MIRROR_ADDED, MIRROR_MODIFIED, MIRROR_GONE };
struct mirror_change {
    enum mirror_change_kind kind;
    const char *path;
    const char *oid; /* as it is now; gone: "" */
    unsigned mode;   /* as it is now; gone: 0 */
};
struct mirror_changes {
    struct mirror_change *at;
    size_t len, cap;
};
/* The files that are not the same in two revisions, in byte order of their paths; costs as much as there are of them. A file
 * that a directory takes the place of is gone. ERR_NOT_FOUND: a revision that is not here (any more). At most 200,000; two million
 * entries of trees are compared (ERR_LIMIT). */
MUST_USE struct err *mirror_compare(struct mirror *mirror, struct arena *mem, const char *from,
                                    const char *to, struct mirror_changes *out);

/* Is there something at this path, a file or a directory? */
bool mirror_has(struct mirror *mirror, struct arena *mem, const char *rev, const char *path);
/* Of the file that is read at this path: at the end of the symlinks, if it is one. Errors as mirror_read's. */
MUST_USE struct err *mirror_file_id(struct mirror *mirror, struct arena *mem, const char *rev,
                                    const char *path, char out[MIRROR_SHA_BYTES]);

/* The file an entry stands for: symlinks are followed inside the tree (ERR_INVALID if they leave it or loop, ERR_NOT_FOUND
 * if they dangle or name a directory). Over `limit` bytes is ERR_LIMIT. */
MUST_USE struct err *mirror_read(struct mirror *mirror, struct arena *mem, const char *rev,
                                 const struct mirror_entry *entry, size_t limit, const char **out,
                                 size_t *out_len);
/* The same by path; for one file. */
MUST_USE struct err *mirror_read_path(struct mirror *mirror, struct arena *mem, const char *rev,
                                      const char *path, size_t limit, const char **out,
                                      size_t *out_len);

/* The tree of `rev` as files below `dir` (which exists and is empty): for generators. Symlinks that leave the tree are left
 * out. */
MUST_USE struct err *mirror_export(struct mirror *mirror, const char *rev, const char *dir);

struct mirror_commit {
    const char *sha, *subject, *message, *author, *author_email;
    int64_t unix_s;
};
struct mirror_commits {
    struct mirror_commit *at;
    size_t len, cap;
};
/* Newest first, from..to (from "" or NULL: all up to `to`), those that touch `paths` (NULL: all). At most `limit`. Texts over
 * 4 KiB, names over 256 bytes are cut. */
MUST_USE struct err *mirror_log(struct mirror *mirror, struct arena *mem, const char *from,
                                const char *to, const char *const *paths, size_t limit,
                                bool first_parent, struct mirror_commits *out);
MUST_USE struct err *mirror_is_ancestor(struct mirror *mirror, const char *ancestor, const char *of,
                                        bool *out);

/* One change of the repository, as a commit on the branch. */
struct mirror_file {
    const char *path; /* from the root */
    const char *
        text; /* the whole file; its mode stays (a new file: 0100644). A symlink is followed inside the tree */
    size_t len;
};
struct mirror_commit_request {
    const char *parent; /* the head that the texts were made from */
    const struct mirror_file *files;
    size_t count;
    const char *message;
    const char *author;    /* "Name <mail>" ; NULL, "" or of another form: the committer */
    const char *notes_ref; /* NAME of refs/notes/NAME; NULL: no note */
    const char *note;      /* on the commit */
    bool
        may_be_empty; /* without a change of files nothing is committed: else ERR_INVALID "no changes made in repo" */
};
struct mirror_committed {
    char sha[MIRROR_SHA_BYTES]; /* "" : nothing was to be committed */
    const char *
        note_refused; /* the commit is in the remote, its note is not: why; NULL: it is, or none was wanted */
};
/* Commits, signs (signing_key), pushes the branch, then the note. The local branch moves once the remote has taken it.
 * ERR_CONFLICT: the branch is no longer at `parent` (nothing was pushed: fetch, make the change again); ERR_DENIED: the remote refuses
 * (a hook, a protected branch, a key without write access). Both in git's words: `git push URL [BRANCH refs/notes/NAME]: <first
 * line>, full output: …`. ERR_TRANSIENT after the push was sent may mean that it was taken: fetch and look. A branch that the
 * remote moved between is never overwritten. */
MUST_USE struct err *mirror_commit(struct mirror *mirror, struct arena *mem,
                                   const struct mirror_commit_request *request, int64_t deadline_ms,
                                   struct mirror_committed *out);

/* Notes of refs/notes/NAME on the commits reachable from `to` (newest first, at most `limit` looked at): calls `visit` until it
 * says true. Looked up by commit; the notes tree is read once. */
MUST_USE struct err *mirror_notes_each(struct mirror *mirror, const char *ref, const char *to,
                                       size_t limit,
                                       bool (*visit)(void *ctx, const char *sha, const char *note),
                                       void *ctx);

/* Moves the annotated sync tag ("Sync pointer") to rev and writes the note (NULL: none) on it, in one push. A tag or note that
 * is there already is not written again. */
struct mirror_marker {
    const char *rev;
    const char *note;
    bool moves_tag;
};
MUST_USE struct err *mirror_mark(struct mirror *mirror, const struct mirror_marker *marker,
                                 int64_t deadline_ms);
MUST_USE struct err *mirror_note_read(struct mirror *mirror, struct arena *mem, const char *ref,
                                      const char *rev,
                                      const char **out); /* NULL if none, or over 1 MiB */

enum mirror_verify { MIRROR_VERIFY_NONE, MIRROR_VERIFY_ALL, MIRROR_VERIFY_FIRST_PARENT };
struct mirror_verified {
    char head[MIRROR_SHA_BYTES];    /* last of the unbroken run of valid commits; "" if none */
    char invalid[MIRROR_SHA_BYTES]; /* the first invalid commit, or "" */
    const char *key;                /* who signed it, as gpg names it; "" if unsigned */
};
/* gitops.md 2.8: from the marker (which must verify itself) to head, oldest first. */
MUST_USE struct err *mirror_check_signatures(struct mirror *mirror, struct arena *mem,
                                             enum mirror_verify mode, const char *marker,
                                             const char *head, struct mirror_verified *out);
/* The sync tag itself must be signed by a key of the ring: else ERR_DENIED (verifying tag …). ERR_NOT_FOUND: there is no tag. */
MUST_USE struct err *mirror_check_tag(struct mirror *mirror);
/* gpg --import of files or of the files of directories; `count` keys came. With `trust`, ownertrust 6 for all in the ring. */
MUST_USE struct err *mirror_import_keys(struct mirror *mirror, const char *const *paths, bool trust,
                                        size_t *count);

#endif
