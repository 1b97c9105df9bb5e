/* cmd/cause.h - who asks for a change, and why: --message, --user.
 * Effects:   runs `git config` when --user is not given; blocks.
 * Ownership: texts are in the arena of the call.
 * Units:     none.
 * Reference: gitops.md 7.2. */
#ifndef SERIN_CMD_CAUSE_H
#define SERIN_CMD_CAUSE_H

#include "cmd/command.h"

struct cause {
    const char *user, *message; /* "" where nothing is known */
};

#define CAUSE_FLAGS 2
extern const struct flags_spec cause_flags[CAUSE_FLAGS];

/* The user is --user, else what git calls the one who commits here: `name <mail>`, or the one that
 * is set. Without git, or an identity, it is "". */
void cause_read(const struct command_call *call, struct cause *out);

#endif
