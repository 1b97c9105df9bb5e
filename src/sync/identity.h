/* sync/identity.h - the deploy key: found or made once, kept in a Secret, renewed on request.
 * Effects:   the ssh-keygen program and files (on workers), one Secret through kube.
 * Ownership: borrows loop, workers, log and kube; options are copied. Free it after worker_free, or when it is idle: a job of
 *            it may run until then. Texts are borrowed until the next turn.
 * Units:     none.
 * Errors:    ERR_NOT_FOUND (no such Secret), ERR_DENIED (RBAC, a directory that cannot be written, a key others may read),
 *            ERR_INVALID (what is there is no key). The private key is never in a text.
 * Reference: gitops.md 1.4, 1.5, 2.7.
 *
 * Where a key is looked for, first match wins: the file mounted from the Secret; the file of an earlier start; the Secret
 * itself (in a cluster). A new key is in the Secret before it is used, so a restart cannot lose one that was announced. */
#ifndef SERIN_SYNC_IDENTITY_H
#define SERIN_SYNC_IDENTITY_H

#include "base/log.h"
#include "git/deploykey.h"
#include "io/worker.h"
#include "kube/client.h"

struct identity;

struct identity_opts {
    struct loop *loop;
    struct workers *workers;
    const struct log *log;
    struct kube *kube;            /* NULL: outside a cluster; the key is a file only */
    const char *ns, *secret_name; /* with kube */
    const char *mounted; /* the Secret's volume: private key file, may be missing; NULL: none */
    const char *dir,
        *name; /* where a key is put that was made or came from the Secret: DIR/NAME, DIR/NAME.pub */
    /* A directory of ours that can be written: where the path that ssh is told lies. NULL: dir. */
    const char *link_dir;
    struct deploykey_opts keygen;
};

typedef void (*identity_done)(void *ctx, const struct err *e); /* the error is borrowed */

struct identity *identity_new(const struct identity_opts *opts);
void identity_free(struct identity *identity);
DEFINE_SCOPED(struct identity, identity_free)

/* Finds the key or makes one; `done` comes once, in a later turn. */
void identity_start(struct identity *identity, identity_done done, void *ctx);
/* Makes another key in its place; whoever asks while one is being made gets that one. */
void identity_regenerate(struct identity *identity, identity_done done, void *ctx);

/* Until what is being looked for or made is there, or cannot be: `done` comes once, in a later turn. False: nothing is, and it never
 * comes. */
bool identity_await(struct identity *identity, identity_done done, void *ctx);

/* The file to give to ssh (mirror_opts.ssh_identity): from the beginning the same path, which leads to the key in use once there
 * is one. */
const char *identity_file(const struct identity *identity);
/* False before there is a key. */
bool identity_key(const struct identity *identity, struct deploykey *out);

#endif
