#include "cmd/client.h"

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "regenerate", .type = FLAGS_BOOL, .shorthand = 'r',
      .usage = "make a new key first; the git host has to be told about it" },
    { .name = "fingerprint", .type = FLAGS_BOOL, .shorthand = 'l', .usage = "show the fingerprint of the key" },
    { .name = "visual", .type = FLAGS_BOOL, .shorthand = 'v',
      .usage = "show the fingerprint with its picture (implies --fingerprint)" },
};
/* clang-format on */

static const struct flags_table output = { .at = command_output_flags,
                                           .len = COMMAND_OUTPUT_FLAGS };

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    TRY(command_no_args(call));
    TRY(command_check_output(call));
    SCOPED(client_free) struct client *client = NULL;
    const struct val *config = NULL;
    bool is_visual = flags_bool(call->flags, "visual");
    TRY(client_new(call, &client));
    TRY(client_post(client, "v9/git-repo-config",
                    flags_bool(call->flags, "regenerate") ? "true" : "false", &config));
    const struct val *key = val_get(config, "publicSSHKey");
    const struct val *md5 = VAL_PATH(key, "fingerprints", "md5");
    if (command_as_json(call)) {
        command_print(call, "%s\n", key ? val_json(call->mem, key, NULL) : "null");
        return NULL;
    }
    if (call->face == COMMAND_SERIN && !*val_text_or(val_get(key, "key"), ""))
        command_tell(call,
                     "The daemon has no deploy key: it reaches its repository (%s) without "
                     "SSH, or knows of none.\n",
                     val_text_or(VAL_PATH(config, "remote", "url"), ""));
    if (!is_visual && !flags_bool(call->flags, "fingerprint")) {
        command_print(call, "%s", val_text_or(val_get(key, "key"), ""));
        return NULL;
    }
    command_print(call, "%s\n", val_text_or(val_get(md5, "hash"), ""));
    if (is_visual)
        command_print(call, "%s", val_text_or(val_get(md5, "randomart"), ""));
    return NULL;
}

const struct command cmd_identity = {
    .name = "identity",
    .summary = "Show the SSH key that the git host has to accept",
    .about =
        "Prints the public part of the daemon's deploy key. Add it to the repository at the git "
        "host,\n"
        "with write access unless the daemon runs with --git-readonly. Nothing is printed for a\n"
        "repository that is not reached by SSH.",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .more = &output,
    .more_count = 1,
    .run = run,
};
