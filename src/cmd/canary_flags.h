/* cmd/canary_flags.h - the flags about canaries: Flagger's, of which `serin run` takes those that do not concern the process.
 * Effects:   none.
 * Ownership: static.
 * Units:     none.
 * Reference: canary.md 12.3; docs/reference-flags.md, which a test compares with these tables. */
#ifndef SERIN_CMD_CANARY_FLAGS_H
#define SERIN_CMD_CANARY_FLAGS_H

#include "cmd/flags.h"

enum canary_flags_table {
    CANARY_FLAGS_OWN,
    CANARY_FLAGS_PROCESS,
    CANARY_FLAGS_ANALYSIS,
    CANARY_FLAGS_TABLES
};

/* Those of ANALYSIS, for the tables of `serin run`. */
#define CANARY_FLAGS_ANALYSIS_LEN 18
extern const struct flags_spec canary_flags_analysis[CANARY_FLAGS_ANALYSIS_LEN];

extern const struct flags_table canary_flags_tables[CANARY_FLAGS_TABLES];

#endif
