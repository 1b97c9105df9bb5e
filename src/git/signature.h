/* git/signature.h - GPG signatures over bytes. Blocks (runs gpg): workers and start-up only.
 * Effects:   the gpg program, its key ring, a temporary file for a signature to check. signature_parse_status is pure.
 * Ownership: texts are in the caller's arena.
 * Units:     milliseconds, on the monotonic clock of stream_now_ms.
 * Errors:    ERR_DENIED: gpg has no such secret key or may not use it; ERR_NOT_FOUND: no gpg. A bad signature is a
 *            verdict, not an error.
 * Reference: gitops.md 2.8. */
#ifndef SERIN_GIT_SIGNATURE_H
#define SERIN_GIT_SIGNATURE_H

#include "base/arena.h"
#include "base/err.h"

struct signature_ring {
    const char *home;       /* --homedir; NULL: gpg's own choice */
    const char *const *env; /* NULL: ours */
    const char *scratch;    /* directory for temporary files */
    int64_t deadline_ms;
};

struct signature_text {
    const char *bytes;
    size_t len;
};

/* A detached, armoured signature by `key`. */
MUST_USE struct err *signature_make(struct arena *mem, const struct signature_ring *ring,
                                    const char *key, struct signature_text payload,
                                    const char **out);

struct signature_verdict {
    char
        letter; /* as git's %G?: G good, U good but by a key of unknown validity, B bad, E cannot be checked,
                      * X, Y, R expired signature, expired key, revoked key, N none */
    const char *key; /* ID of the key, "" if gpg named none */
};

MUST_USE struct err *signature_check(struct arena *mem, const struct signature_ring *ring,
                                     const char *signature, struct signature_text payload,
                                     struct signature_verdict *out);
/* The verdict that lines of `gpg --status-fd` amount to. Two verdicts in one output are none: E. */
void signature_parse_status(struct arena *mem, const char *text, size_t len,
                            struct signature_verdict *out);

/* gpg --import of one file; `count` keys were in it. */
MUST_USE struct err *signature_import(const struct signature_ring *ring, const char *file,
                                      size_t *count);
/* Ownertrust 6 for every key of the ring: what is signed by one of them is then G, not U. */
MUST_USE struct err *signature_trust_all(const struct signature_ring *ring);

#endif
