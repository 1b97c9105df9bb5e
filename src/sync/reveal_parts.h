/* sync/reveal_parts.h - inside decryption: what its programs share. Only reveal*.c include this.
 * Effects:   processes, a temporary directory. Blocks: worker threads only.
 * Ownership: everything is in the arena of the run. */
#ifndef SERIN_SYNC_REVEAL_PARTS_H
#define SERIN_SYNC_REVEAL_PARTS_H

#include "base/map.h"
#include "io/child.h"
#include "sync/reveal.h"

/* What came of one file that git-secret keeps. */
struct reveal_kept {
    const char *text;
    size_t len;
    enum err_kind kind; /* with `why` only */
    const char *why;    /* NULL: it is in clear */
};

struct reveal {
    struct arena *mem;
    struct reveal_settings settings; /* all false: nothing is decrypted */
    struct reveal_source source;
    struct map *revealed;  /* path -> struct reveal_kept, of git-secret */
    struct map *decrypted; /* id of a blob -> struct reveal_kept, of sops */
    size_t kept[2];        /* bytes in the two */
    int64_t limit_ms;      /* of the next program: half of it after each that gave no answer */
};
#define REVEAL_GIT_BYTES  ((size_t)64 << 20)
#define REVEAL_SOPS_BYTES ((size_t)16 << 20)

/* Runs a program to its end, in a cage. A failing exit status is an error, too: its text is what the program said. */
struct reveal_program {
    const char *name; /* for errors */
    const char *const *argv, *const *env;
    const char *cwd;
    const char *input;
    size_t input_len;
    bool needs_network;
};
MUST_USE struct err *reveal_execute(struct reveal *reveal, struct arena *mem,
                                    const struct reveal_program *program, struct child_output *out);

/* reveal_git.c: fills reveal->revealed for these files, all of which git-secret keeps. */
void reveal_git_run(struct reveal *reveal, const struct files_list *files);

#endif
