#include "loadtester/loadtester.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/process.h"
#include "cmd/command.h"
#include "cmd/goflags.h"

#define USAGE_MAX_BYTES ((size_t)64 << 10)
#define USER_AGENT      "serin-loadtester/" SERIN_VERSION

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "port", .type = FLAGS_TEXT, .initial = "9090", .usage = "`port` to listen on" },
    { .name = "listen", .type = FLAGS_TEXT, .usage = "`address` to listen on, in place of --port on all interfaces: 127.0.0.1:9090" },
    { .name = "timeout", .type = FLAGS_DURATION, .initial = "1h0m0s", .usage = "how long a task may run" },
    { .name = "namespace-regexp", .type = FLAGS_TEXT, .usage = "`expression` that the namespace of a canary has to match; empty: all are served" },
    { .name = "log-level", .type = FLAGS_TEXT, .initial = "debug", .usage = "least level to log: debug, info, warn, error, fatal, panic" },
    { .name = "zap-encoding", .type = FLAGS_TEXT, .initial = "json", .usage = "log as json or console" },
    { .name = "zap-replace-globals", .type = FLAGS_BOOL, .has_no_effect = true, .usage = "no effect" },
};
static const struct flags_table tables[] = { { .title = "FLAGS", .at = own, .len = ARRAY_LEN(own) } };
/* clang-format on */

/* In the order in which things are made; they are unmade the other way round. */
struct daemon {
    struct loop *loop;
    struct metrics *metrics;
    struct api_process *process;
    struct http *http;
    struct regex *namespaces;
    struct loadtester *tester;
};

static void free_daemon(struct daemon *daemon)
{
    loadtester_free(daemon->tester);
    regex_free(daemon->namespaces);
    http_free(daemon->http);
    api_process_free(daemon->process);
    metrics_free(daemon->metrics);
    loop_free(daemon->loop);
}

static void on_signal(void *ctx, int number)
{
    struct daemon *daemon = ctx;
    (void)number;
    loop_stop(daemon->loop);
}

static void measure(void *ctx)
{
    api_process_measure(((struct daemon *)ctx)->process);
}

static const char *listen_address(struct arena *mem, const struct flags *flags)
{
    const char *listen = flags_text(flags, "listen");
    return *listen ? listen : arena_printf(mem, ":%s", flags_text(flags, "port"));
}

static struct err *start(struct daemon *daemon, struct arena *mem, const struct flags *flags,
                         const struct log *log)
{
    const char *pattern = flags_text(flags, "namespace-regexp");
    if (*pattern)
        TRY(err_wrap(regex_new(pattern, &daemon->namespaces), "--namespace-regexp"));
    daemon->loop = loop_new();
    daemon->metrics = metrics_new();
    daemon->process = api_process_new(daemon->metrics);
    daemon->http = http_new(daemon->loop, &(struct http_opts){ .user_agent = USER_AGENT });
    const struct loadtester_opts opts = { .loop = daemon->loop,
                                          .http = daemon->http,
                                          .log = log,
                                          .metrics = daemon->metrics,
                                          .before_metrics = measure,
                                          .ctx = daemon,
                                          .listen = listen_address(mem, flags),
                                          .timeout_ms = flags_ms(flags, "timeout"),
                                          .namespaces = daemon->namespaces };
    TRY(loadtester_new(&opts, &daemon->tester));
    loop_on_signal(daemon->loop, SIGINT, on_signal, daemon);
    loop_on_signal(daemon->loop, SIGTERM, on_signal, daemon);
    return NULL;
}

static int serve(struct command_call *call, const struct flags *flags)
{
    struct log log = goflags_log(flags);
    struct daemon daemon = { 0 };
    SCOPED(err_free) struct err *e = start(&daemon, call->mem, flags, &log);
    if (e) {
        log_error(&log, F("msg", err_text(e)));
    } else {
        log_info(&log, F("msg", arena_printf(call->mem, "Starting load tester %s on %s",
                                             SERIN_VERSION, listen_address(call->mem, flags))));
        loop_run(daemon.loop);
        log_info(&log, F("msg", "Stopping load tester"));
    }
    free_daemon(&daemon);
    return e ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_words(struct command_call *call, int argc, const char *const *argv)
{
    struct flags *flags = flags_new(call->mem, tables, ARRAY_LEN(tables));
    struct goflags words = { .at = (const char **)argv + 1, .len = argc - 1 }; /* read only */
    SBUF(usage, USAGE_MAX_BYTES);
    sbuf_add(&usage, "Answers the webhooks of canaries: gates, tests, load.\n\nFLAGS\n");
    flags_usage(&tables[0], &usage);
    SCOPED(err_free)
    struct err *e = goflags_spell_out(call->mem, tables, ARRAY_LEN(tables), &words);
    if (!e)
        e = flags_parse(flags, words.len, words.at);
    if (!e && flags_arg_count(flags))
        e = err_new(ERR_INVALID, "serin loadtester takes flags only");
    if (!e && flags_ms(flags, "timeout") <= 0)
        e = err_new(ERR_INVALID, "-timeout has to be more than 0");
    if (e) {
        command_tell(call, "%s\n%s", err_text(e), sbuf_text(&usage));
        return COMMAND_UNKNOWN;
    }
    if (flags_wants_help(flags)) {
        command_print(call, "%s", sbuf_text(&usage));
        return COMMAND_YES;
    }
    return serve(call, flags);
}

const struct command cmd_loadtester = {
    .name = "loadtester",
    .summary = "Answer the webhooks of canaries: gates, tests, load",
    .about =
        "Answers the webhooks of canaries: gates that people open, tests that have to pass, load\n"
        "that runs behind. Commands come from the Canary resources and run with the rights of\n"
        "this process: run it in a namespace of its own, with a service account that may do\n"
        "nothing else, and name the namespaces it serves.",
    .faces = COMMAND_SERIN,
    .run_words = run_words,
    .more = tables,
    .more_count = ARRAY_LEN(tables),
};
