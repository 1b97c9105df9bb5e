/* cmd/pick.h - the updates of a planned release, to choose from on the terminal.
 * Effects:   reads keys from stdin, writes to the terminal; blocks.
 * Ownership: results are in the arena of the call.
 * Units:     none.
 * Reference: gitops.md 6.6. */
#ifndef SERIN_CMD_PICK_H
#define SERIN_CMD_PICK_H

#include "cmd/command.h"
#include "release/result.h"
#include "release/spec.h"

/* Is there a terminal to ask on? Said before anything is planned. */
MUST_USE struct err *pick_check(struct command_call *call);

/* The rows of the table of that verbosity; updates are chosen to begin with. `count` is 0 when
 * nothing was to be chosen from, nothing was chosen, or the person gave up, which was told. */
MUST_USE struct err *pick_updates(struct command_call *call, const struct release_result *result,
                                  int verbosity, struct release_container_update **out,
                                  size_t *count);

#endif
