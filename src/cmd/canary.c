#include <stdlib.h>
#include <string.h>

#include "cmd/canary_daemon.h"
#include "cmd/canary_flags.h"
#include "cmd/command.h"
#include "cmd/goflags.h"

#define USAGE_MAX_BYTES ((size_t)256 << 10)

static const char *const about =
    "Runs the canary operator alone: what Flagger does, with its flags, resources, events and\n"
    "metrics. serin run does the same beside the sync of a git repository.";

static void add_usage(struct sbuf *text)
{
    sbuf_add(text, "DESCRIPTION\n"
                   "  serin canary moves traffic to new revisions step by step, and back.\n");
    for (size_t i = 0; i < CANARY_FLAGS_TABLES; i++) {
        sbuf_addf(text, "\n%s\n", canary_flags_tables[i].title);
        flags_usage(&canary_flags_tables[i], text);
    }
}

static int refuse(struct command_call *call, const char *text)
{
    SBUF(usage, USAGE_MAX_BYTES);
    add_usage(&usage);
    command_tell(call, "%s\n%s", text, sbuf_text(&usage));
    return COMMAND_UNKNOWN;
}

static struct err *check_values(const struct flags *flags)
{
    int64_t in_flight = flags_int(flags, "kube-in-flight");
    if (in_flight < 1 || in_flight > 256)
        return err_new(ERR_INVALID, "-kube-in-flight has to be 1 to 256");
    return NULL;
}

static int run_words(struct command_call *call, int argc, const char *const *argv)
{
    struct flags *flags = flags_new(call->mem, canary_flags_tables, CANARY_FLAGS_TABLES);
    struct goflags words = { .at = (const char **)argv + 1, .len = argc - 1 }; /* read only */
    SCOPED(err_free)
    struct err *e = goflags_spell_out(call->mem, canary_flags_tables, CANARY_FLAGS_TABLES, &words);
    if (!e)
        e = flags_parse(flags, words.len, words.at);
    if (!e && !flags_wants_help(flags))
        e = check_values(flags);
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
        return refuse(call, "serin canary takes flags only");
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
