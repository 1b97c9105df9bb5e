#include "cmd/command.h"

static struct err *run(struct command_call *call, int *status)
{
    (void)status;
    TRY(command_no_args(call));
    fputs(SERIN_VERSION "\n", call->out);
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
