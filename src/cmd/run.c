#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/run_config.h"
#include "cmd/run_daemon.h"
#include "cmd/run_flags.h"
#include "cmd/stderr_log.h"

#define USAGE_MAX_BYTES ((size_t)256 << 10)

static const char *const about =
    "Runs the daemon: fetches the repository, applies every commit, heals drift, and answers\n"
    "fluxctl and serin's own commands. Takes every flag of fluxd.";

/* fluxd's layout: what it is, then the flags, its own last. */
static void add_usage(struct sbuf *text)
{
    sbuf_add(text, "DESCRIPTION\n"
                   "  serin run keeps a cluster what a git repository declares.\n");
    for (size_t i = 0; i < RUN_FLAGS_TABLES; i++) {
        sbuf_addf(text, "\n%s\n", run_flags_tables[i].title);
        flags_usage(&run_flags_tables[i], text);
    }
}

static int refuse(struct command_call *call, const char *text)
{
    SBUF(usage, USAGE_MAX_BYTES);
    add_usage(&usage);
    command_tell(call, "Error: %s\n\n%s", text, sbuf_text(&usage));
    return COMMAND_UNKNOWN;
}

static int start(struct command_call *call, const struct flags *flags)
{
    struct log log = stderr_log();
    struct run_config config;
    run_config_log(flags, &log);
    log_info(&log, F("version", SERIN_VERSION));
    if (!run_config_read(call->mem, flags, &log, &config))
        return EXIT_FAILURE;
    return run_daemon(call->mem, &config, &log);
}

static int run_words(struct command_call *call, int argc, const char *const *argv)
{
    struct flags *flags = flags_new(call->mem, run_flags_tables, RUN_FLAGS_TABLES);
    SCOPED(err_free) struct err *e = flags_parse(flags, argc - 1, argv + 1);
    command_tell(call, "%s", flags_notices(flags));
    if (e)
        return refuse(call, err_text(e));
    if (flags_wants_help(flags)) {
        SBUF(usage, USAGE_MAX_BYTES);
        add_usage(&usage);
        command_print(call, "%s", sbuf_text(&usage));
        return COMMAND_YES;
    }
    if (flags_bool(flags, "version")) {
        command_print(call, "%s\n", SERIN_VERSION);
        return COMMAND_YES;
    }
    if (flags_arg_count(flags))
        return refuse(call, "serin run takes flags only");
    return start(call, flags);
}

const struct command cmd_run = {
    .name = "run",
    .summary = "Run the daemon",
    .about = about,
    .faces = COMMAND_SERIN,
    .run_words = run_words,
    .more = run_flags_tables,
    .more_count = RUN_FLAGS_TABLES,
};
