/* cmd/run_flags.h - the flags of `serin run`: fluxd's, Flagger's about canaries, and our own.
 * Effects:   none.
 * Ownership: static.
 * Units:     none.
 * Reference: gitops.md 1.1; docs/reference-flags.md, which a test compares with these tables. */
#ifndef SERIN_CMD_RUN_FLAGS_H
#define SERIN_CMD_RUN_FLAGS_H

#include "cmd/flags.h"

enum run_flags_table { RUN_FLAGS_OWN, RUN_FLAGS_CANARIES, RUN_FLAGS_FLUXD, RUN_FLAGS_TABLES };

/* Our own first: usage texts end with fluxd's table, as fluxd's do. */
extern const struct flags_table run_flags_tables[RUN_FLAGS_TABLES];

#endif
