#include "cmd/command.h"
#include "doc/val.h"

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    TRY(command_check_output(call));
    TRY(command_no_args(call));
    struct val *version = val_new_map(call->mem);
    val_set_text(call->mem, version, "version", SERIN_VERSION);
    command_print(call, "%s\n",
                  command_as_json(call) ? val_json(call->mem, version, NULL) : SERIN_VERSION);
    return NULL;
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Print the version",
    .about = "Prints the version of this program. No daemon is asked: `serin status` tells the "
             "daemon's.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .flags = { .at = command_output_flags, .len = COMMAND_OUTPUT_FLAGS },
    .run = run,
};
