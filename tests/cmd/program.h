/* Runs the real program, and a daemon that says what a script tells it to.
 * The script is lines of: METHOD PATH?QUERY STATUS BODY. A request takes the first line that is for it and was not taken yet
 * (`*METHOD`: a line for any number of requests); one that has none is answered with 500. `> BODY` after a line is what
 * the request has to hold, wholly or, as `> ...PART`, in part. */
#ifndef TESTS_CMD_PROGRAM_H
#define TESTS_CMD_PROGRAM_H

#include "base/arena.h"

struct program_result {
    int status; /* 128 + n when killed by signal n */
    const char *out, *err;
};

struct program_run {
    const char *program;     /* NULL: serin */
    const char *const *argv; /* argv[0] is the name it is called by */
    const char *const *
        env; /* NAME=value, NULL-terminated, added to PATH, HOME and TMPDIR (an empty directory); may be NULL */
    const char *cwd; /* NULL: unchanged */
};

void program_run(struct arena *mem, const struct program_run *how, struct program_result *out);

struct program_daemon;
struct program_daemon *program_daemon_start(const char *script);
int program_daemon_port(const struct program_daemon *daemon);
/* What was left over of the script, or went wrong; "" when all was asked. Ends the daemon. */
const char *program_daemon_end(struct arena *mem, struct program_daemon *daemon);

#endif
