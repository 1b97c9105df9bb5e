/* git/hostkeys.h - the keys an SSH server shows as its identity, and what a person has to do about an unknown one.
 * Effects:   hostkeys_scan runs ssh-keyscan (network). The rest is pure.
 * Ownership: texts are in the caller's arena.
 * Units:     milliseconds, on the monotonic clock of stream_now_ms.
 * Nothing here trusts a key: a scan tells what is on offer, whoever answers. */
#ifndef SERIN_GIT_HOSTKEYS_H
#define SERIN_GIT_HOSTKEYS_H

#include "base/arena.h"
#include "base/err.h"

struct hostkey {
    const char *host;        /* as known_hosts names it: name, or [name]:port */
    const char *type;        /* ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256, … */
    const char *key;         /* base64 */
    const char *fingerprint; /* SHA256:… as ssh prints it */
};
struct hostkeys {
    struct hostkey *at;
    size_t len, cap;
};

/* Lines `host type key`; comments, and lines that are none, are skipped. At most 32 keys. */
void hostkeys_parse(struct arena *mem, const char *text, size_t len, struct hostkeys *out);

struct hostkeys_question {
    const char *host, *port; /* port NULL: 22 */
    const char *const *env;  /* of ssh-keyscan; NULL: ours */
    int64_t deadline_ms;
};
/* ERR_NOT_FOUND when the server offers none that ssh-keyscan knows. */
MUST_USE struct err *hostkeys_scan(struct arena *mem, const struct hostkeys_question *question,
                                   struct hostkeys *out);

/* Types and fingerprints, then the lines to add to `file` (NULL: known_hosts). Ends with a newline. */
const char *hostkeys_advice(struct arena *mem, const struct hostkeys *keys, const char *file);

#endif
