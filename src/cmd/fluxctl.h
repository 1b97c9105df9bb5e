/* cmd/fluxctl.h - what is there only when the program is called fluxctl.
 * Effects:   none.
 * Ownership: static.
 * Units:     none.
 * Reference: gitops.md 7.1, 7.2. */
#ifndef SERIN_CMD_FLUXCTL_H
#define SERIN_CMD_FLUXCTL_H

#include "cmd/command.h"

#define FLUXCTL_GLOBALS 6
extern const struct flags_spec fluxctl_globals[FLUXCTL_GLOBALS];

#endif
