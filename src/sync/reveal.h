/* sync/reveal.h - files of a commit in clear: what SOPS or git-secret keep encrypted in the repository is decrypted by the programs
 * themselves, `sops` and `git-secret`, which are looked for on PATH.
 * Effects:   processes in a cage (limits on time, memory, output); for git-secret a directory that nobody else can read, in memory
 *            where there is /dev/shm, which goes away. Blocks: worker threads only.
 * Ownership: one `struct reveal` serves the reads of one run at one revision; it is in the arena it was made with, with what it
 *            keeps (at most 80 MiB): what git-secret revealed, and texts that are asked for again. Nothing outlives the run:
 *            who reads a file keeps what came of it by the id of its blob.
 * Units:     milliseconds, bytes.
 * Errors:    name the file, the program and what the program said; never what is in the file, never a key. ERR_TRANSIENT: time may mend it (no
 *            answer in time, no key could be got); ERR_INVALID: the file has to change, or a flag; ERR_NOT_FOUND: the program is
 *            not installed.
 * Reference: gitops.md 2.2 (git-secret), 3.3 (SOPS). */
#ifndef SERIN_SYNC_REVEAL_H
#define SERIN_SYNC_REVEAL_H

#include "git/mirror.h"
#include "sync/encrypted.h"

#define REVEAL_FILE_BYTES ((size_t)16 << 20) /* of one file, encrypted and in clear */

struct reveal_settings { /* borrowed from who runs the jobs, which outlives them */
    bool sops, git_secret;
    const char *path, *home,
        *gnupg_home; /* PATH, HOME, GNUPGHOME of git-secret; NULL: not set. sops has our own environment */
    const char
        *tmp_dir; /* of the directory for git-secret; NULL: /dev/shm, /tmp where there is none */
    int64_t timeout_ms; /* of one program; <= 0: a minute */
};

/* Removes what a killed process left: to be called at start. Directories in use by another process stay. */
void reveal_clean(const struct reveal_settings *settings);

struct reveal_source { /* NULL mirror: no tree: texts come by reveal_decrypt only */
    struct mirror *mirror;
    const char *rev;
};

struct reveal;
/* `settings` NULL: nothing is to be decrypted, and what is encrypted with SOPS is an error of its file. */
struct reveal *reveal_new(struct arena *mem, const struct reveal_settings *settings,
                          const struct reveal_source *source);

/* With --git-secret and a folder .gitsecret: puts the files in clear that it names into the list of all files of the tree, each once, in
 * place of any file of the same name. An error: the mapping cannot be read; it is of the whole tree, since what is not listed would be
 * taken for deleted. */
MUST_USE struct err *reveal_list(struct reveal *reveal, struct files_list *tree);

/* Runs git-secret for those of the files that it reveals, some at a time: reveal_read has them then. */
void reveal_prepare(struct reveal *reveal, const struct files_list *files);

struct reveal_text {
    const char *oid; /* of the blob it came from; NULL: of none */
    const char *text;
    size_t len;
    bool was_encrypted; /* values are not to be shown */
};
/* A file of the tree in clear: as mirror_read, then decrypted if it has to be. Its error does not name the file. */
MUST_USE struct err *reveal_read(struct reveal *reveal, struct arena *mem,
                                 const struct files_entry *entry, struct reveal_text *out);
/* The same for a text that is at hand, in place. */
MUST_USE struct err *reveal_decrypt(struct reveal *reveal, struct arena *mem,
                                    struct reveal_text *text);

#endif
