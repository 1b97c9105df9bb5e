/* cmd/goflags.h - command lines of programs that use Go's own flag package, for cmd/flags.h to read.
 * Effects:   none; goflags_log writes to stderr.
 * Ownership: words are in the arena, or borrowed from the arguments.
 * Reference: canary.md 12.3, 15.
 *
 * There one dash is as good as two, a flag's value may begin with a dash, booleans take a value only after =, and the first word
 * that is no flag ends the flags. */
#ifndef SERIN_CMD_GOFLAGS_H
#define SERIN_CMD_GOFLAGS_H

#include "base/log.h"
#include "cmd/flags.h"

struct goflags {
    const char **at;
    int len;
};

/* The same words with two dashes and every value after =. `out` begins with the words; -h and -help become --help. ERR_INVALID
 * with Go's text for a flag that no table has, or that lacks its value. */
MUST_USE struct err *goflags_spell_out(struct arena *mem, const struct flags_table *tables,
                                       size_t count, struct goflags *words);

/* The log that --log-level and --zap-encoding ask for. Any other level means info, as does Flagger's "warning"; fatal and panic
 * are for what serin never says. Reference: canary.md 9.3. */
struct log goflags_log(const struct flags *flags);

#endif
