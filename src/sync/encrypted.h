/* sync/encrypted.h - which files of a repository are encrypted, by which program, and what may be said of them in clear.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena.
 * Units:     none.
 * Reference: gitops.md 2.2, 3.3. */
#ifndef SERIN_SYNC_ENCRYPTED_H
#define SERIN_SYNC_ENCRYPTED_H

#include "sync/files.h"
#include "sync/manifest.h"

/* Of a files_entry: what git-secret reveals. Its path is that of the file in clear, its oid that of what is encrypted (path +
 * ENCRYPTED_SUFFIX; ENCRYPTED_MISSING if that is not in the tree). git has no such mode. */
#define ENCRYPTED_MODE    0100600u
#define ENCRYPTED_MISSING "0000000000000000000000000000000000000000"
#define ENCRYPTED_SUFFIX  ".secret"
#define ENCRYPTED_DIR     ".gitsecret"
#define ENCRYPTED_MAPPING ENCRYPTED_DIR "/paths/mapping.cfg"

/* Does any document have what sops writes: a map `sops` at its top, with a mac or the time of the last change? */
bool encrypted_is_sops(const char *text, size_t len);
bool encrypted_is_sops_document(const struct val *root);

/* Takes out the manifests that are encrypted documents, and reports each: `why` is the text. Ciphertext is never applied. */
void encrypted_refuse(struct arena *mem, struct manifest_list *manifests,
                      struct manifest_problems *problems, const char *why);

struct encrypted_paths {
    const char **at;
    size_t len, cap;
};
/* Files in clear that a mapping of git-secret (lines PATH:HASH) names. ERR_INVALID: a path that leads out of the repository, or
 * that git-secret itself could not take (a colon, a control character, a leading dash). */
MUST_USE struct err *encrypted_read_mapping(struct arena *mem, const char *text, size_t len,
                                            struct encrypted_paths *out);
/* Whether a change of this path may change what git-secret reveals. */
bool encrypted_is_of_git_secret(const char *path);

/* A text about an object in clear, its quoted values hidden ("***") but those in `kept` (NULL-terminated). */
const char *encrypted_mask(struct arena *mem, const char *text, const char *const *kept);
/* What a program said, in one line of at most 900 bytes, without what looks like a private key. */
const char *encrypted_brief(struct arena *mem, const char *said);

#endif
