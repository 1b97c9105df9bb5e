/* cmd/run_daemon.h - the daemon put together: made, started, stopped by a signal.
 * Effects:   all of serin's; blocks until it is told to stop.
 * Ownership: owns everything it makes.
 * Units:     none.
 * Reference: gitops.md 1.4. */
#ifndef SERIN_CMD_RUN_DAEMON_H
#define SERIN_CMD_RUN_DAEMON_H

#include "cmd/run_config.h"

/* The exit status: 0 after SIGINT or SIGTERM, 1 for what is logged as err. */
int run_daemon(struct arena *mem, struct run_config *config, const struct log *log);

#endif
