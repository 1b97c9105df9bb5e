#include "cmd/canary_daemon.h"
#include "cmd/canary_flags.h"
#include "cmd/daemon.h"
#include "cmd/goflags.h"

static const char *const about =
    "Runs the canary operator alone: what Flagger does, with its flags, resources, events and\n"
    "metrics. serin run does the same beside the sync of a git repository.";

static const struct daemon_words words = {
    .name = "canary",
    .about = "serin canary moves traffic to new revisions step by step, and back.\n",
    .tables = canary_flags_tables,
    .count = CANARY_FLAGS_TABLES,
    .before_error = "",
    .after_error = "\n",
};

static struct err *check_values(const struct flags *flags)
{
    int64_t in_flight = flags_int(flags, "kube-in-flight");
    if (in_flight < 1 || in_flight > 256)
        return err_new(ERR_INVALID, "-kube-in-flight has to be 1 to 256");
    return NULL;
}

static int run_words(struct command_call *call, int argc, const char *const *argv)
{
    int code;
    struct flags *flags = flags_new(call->mem, canary_flags_tables, CANARY_FLAGS_TABLES);
    struct goflags given = { .at = (const char **)argv + 1, .len = argc - 1 }; /* read only */
    SCOPED(err_free)
    struct err *e = goflags_spell_out(call->mem, canary_flags_tables, CANARY_FLAGS_TABLES, &given);
    if (!e)
        e = flags_parse(flags, given.len, given.at);
    if (!e && !flags_wants_help(flags))
        e = check_values(flags);
    if (e)
        return daemon_refuse(call, &words, err_text(e));
    if (daemon_answers(call, &words, flags, &code))
        return code;
    struct log log = goflags_log(flags);
    return canary_daemon(call->mem, flags, &log);
}

const struct command cmd_canary = {
    .name = "canary",
    .summary = "Run the canary operator alone",
    .about = about,
    .faces = COMMAND_SERIN,
    .run_words = run_words,
    .more = canary_flags_tables,
    .more_count = CANARY_FLAGS_TABLES,
};
