/* cmd/canary_daemon.h - the process that Flagger is, put together: made, started, stopped by a signal.
 * Effects:   network; blocks until it is told to stop.
 * Ownership: owns everything it makes.
 * Units:     none.
 * Reference: canary.md 2, 12.2, 12.4. */
#ifndef SERIN_CMD_CANARY_DAEMON_H
#define SERIN_CMD_CANARY_DAEMON_H

#include "base/log.h"
#include "cmd/flags.h"

/* The exit status: 0 after SIGINT or SIGTERM, 1 for what is logged as an error. */
int canary_daemon(struct arena *mem, const struct flags *flags, const struct log *log);

#endif
