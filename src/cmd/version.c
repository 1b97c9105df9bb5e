#include "cmd/command.h"

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    TRY(command_no_args(call));
    command_print(call, "%s\n", SERIN_VERSION);
    return NULL;
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Print the version",
    .about = "Prints the version of this program. No daemon is asked: `serin status` tells the "
             "daemon's.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .run = run,
};
