#include "cmd/daemon.h"

#define USAGE_MAX_BYTES ((size_t)256 << 10)
#define URGENT_MORE     2 /* of kube/client: beyond what may be in flight */

/* What it is, then the flags, its own last. */
static void add_usage(const struct daemon_words *words, struct sbuf *text)
{
    sbuf_addf(text, "DESCRIPTION\n  %s", words->about);
    for (size_t i = 0; i < words->count; i++) {
        sbuf_addf(text, "\n%s\n", words->tables[i].title);
        flags_usage(&words->tables[i], text);
    }
}

int daemon_refuse(struct command_call *call, const struct daemon_words *words, const char *text)
{
    SBUF(usage, USAGE_MAX_BYTES);
    add_usage(words, &usage);
    command_tell(call, "%s%s%s%s", words->before_error, text, words->after_error,
                 sbuf_text(&usage));
    return COMMAND_UNKNOWN;
}

bool daemon_answers(struct command_call *call, const struct daemon_words *words,
                    const struct flags *flags, int *code)
{
    *code = COMMAND_YES;
    if (flags_wants_help(flags)) {
        SBUF(usage, USAGE_MAX_BYTES);
        add_usage(words, &usage);
        command_print(call, "%s", sbuf_text(&usage));
        return true;
    }
    if (flags_bool(flags, "version")) {
        command_print(call, "%s\n", SERIN_VERSION);
        return true;
    }
    if (!flags_arg_count(flags))
        return false;
    *code = daemon_refuse(call, words,
                          arena_printf(call->mem, "serin %s takes flags only", words->name));
    return true;
}

struct kube *daemon_connect(struct kube_opts *opts, const struct flags *flags)
{
    opts->in_flight = (int)flags_int(flags, "kube-in-flight");
    opts->http = http_new(
        opts->loop, &(struct http_opts){ .connections_per_host = opts->in_flight + URGENT_MORE,
                                         .user_agent = opts->user_agent });
    return kube_new(opts);
}
