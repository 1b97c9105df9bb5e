#include <stdlib.h>

#include "cmd/daemon.h"
#include "cmd/run_config.h"
#include "cmd/run_daemon.h"
#include "cmd/run_flags.h"
#include "cmd/stderr_log.h"

static const char *const about =
    "Runs the daemon: fetches the repository, applies every commit, heals drift, and answers\n"
    "fluxctl and serin's own commands. Takes every flag of fluxd.";

static const struct daemon_words words = {
    .name = "run",
    .about = "serin run keeps a cluster what a git repository declares.\n",
    .tables = run_flags_tables,
    .count = RUN_FLAGS_TABLES,
    .before_error = "Error: ",
    .after_error = "\n\n",
};

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
    int code;
    struct flags *flags = flags_new(call->mem, run_flags_tables, RUN_FLAGS_TABLES);
    SCOPED(err_free) struct err *e = flags_parse(flags, argc - 1, argv + 1);
    command_tell(call, "%s", flags_notices(flags));
    if (e)
        return daemon_refuse(call, &words, err_text(e));
    if (daemon_answers(call, &words, flags, &code))
        return code;
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
