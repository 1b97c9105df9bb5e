/* cmd/stderr_log.h - the log of a daemon: lines on stderr.
 * Effects:   writes to stderr, reads the clock.
 * Ownership: none. */
#ifndef SERIN_CMD_STDERR_LOG_H
#define SERIN_CMD_STDERR_LOG_H

#include "base/log.h"

struct log stderr_log(void); /* level and format are the caller's to set */

#endif
