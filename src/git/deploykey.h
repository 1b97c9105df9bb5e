/* git/deploykey.h - the SSH key serin shows at the git host. Blocks (runs ssh-keygen): workers and start-up only.
 * Effects:   disk, the ssh-keygen program.
 * Ownership: texts are in the caller's arena. The private key never appears in an error or a log.
 * Reference: gitops.md 2.7. */
#ifndef SERIN_GIT_DEPLOYKEY_H
#define SERIN_GIT_DEPLOYKEY_H

#include "base/arena.h"
#include "base/err.h"

struct deploykey_opts {
    const char *type;    /* -t; NULL: ed25519 */
    const char *bits;    /* -b; NULL: ssh-keygen's own */
    const char *format;  /* -m; NULL: ssh-keygen's own */
    const char *comment; /* NULL: flux */
};

/* A new pair in `dir` (files identity and identity.pub, mode 0400 and 0444), put in place by rename. */
MUST_USE struct err *deploykey_generate(const char *dir, const struct deploykey_opts *opts);

struct deploykey {
    const char *public_line; /* with its newline */
    const char *md5_hash, *md5_art, *sha256_hash, *sha256_art;
};
/* What `ssh-keygen -y` and `-lv` say of a private key file. ERR_NOT_FOUND if there is none; ERR_DENIED if it is our
 * user's, its mode is too open and cannot be made 0400. */
MUST_USE struct err *deploykey_read(struct arena *mem, const char *file, struct deploykey *out);

#endif
