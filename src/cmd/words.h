/* cmd/words.h - what several commands say alike: objects, commits, ages.
 * Effects:   none. Pure.
 * Ownership: texts are in the caller's arena.
 * Units:     seconds. */
#ifndef SERIN_CMD_WORDS_H
#define SERIN_CMD_WORDS_H

#include "doc/val.h"

#define WORDS_SHA_CHARS 7

const char *words_sha(struct arena *mem, const char *sha); /* the first 7 characters */
const char *words_age(struct arena *mem, int64_t seconds); /* 12 s, 5 min, 3 h, 2 days */
const char *words_commit(struct arena *mem,
                         const struct val *commit); /* 1a2b3c4 "Subject" by Jane, 3 h old */
/* An answer for a text or a table: what it says of names, paths and messages of others as sbuf_shown has it, in one line each. */
const struct val *words_shown(struct arena *mem, const struct val *said);
/* What holds something up, of /api/serin/v1: "demo/deployment/web (web.yaml:3): failed: why", or
 * "web.yaml:3:1: why" for a file, its message as it is. In one line, as commits are. */
const char *words_trouble(struct arena *mem, const struct val *trouble);

#endif
