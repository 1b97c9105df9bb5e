#include "cmd/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "cmd/fluxctl.h"

#define TEXT_MAX_BYTES   ((size_t)256 << 10)
#define SUGGEST_DISTANCE 2
#define SHOWN_BYTES      6 /* of what stands for one byte, at the most */

static const char *const serin_about =
    "serin keeps a Kubernetes cluster what a git repository declares: it applies every commit,\n"
    "heals what drifts, removes what was removed, and writes to git what it did.";

static const char *const fluxctl_about = "fluxctl asks the daemon and tells it what to do.";

static const struct command *const commands[] = {
    &cmd_automate,   &cmd_canary,  &cmd_completion, &cmd_deautomate,  &cmd_diff,
    &cmd_identity,   &cmd_install, &cmd_lint,       &cmd_list_images, &cmd_list_workloads,
    &cmd_loadtester, &cmd_lock,    &cmd_policy,     &cmd_release,     &cmd_run,
    &cmd_save,       &cmd_status,  &cmd_sync,       &cmd_unlock,      &cmd_version,
    &cmd_why,
};

/* clang-format off */
static const struct flags_spec root_flags[] = {
    { .name = "version", .type = FLAGS_BOOL, .usage = "print the version" },
};

static const struct flags_spec daemon_flags[] = {
    { .name = "url", .type = FLAGS_TEXT, .shorthand = 'u',
      .usage = "base `URL` of the daemon's API; else FLUX_URL, else http://127.0.0.1:3030/api/flux unless --k8s-fwd-ns says where else" },
    { .name = "token", .type = FLAGS_TEXT, .shorthand = 't',
      .usage = "token to send with each request; else FLUX_SERVICE_TOKEN" },
    { .name = "timeout", .type = FLAGS_DURATION, .initial = "60s",
      .usage = "how long to wait; else FLUX_TIMEOUT" },
    { .name = "k8s-fwd-ns", .type = FLAGS_TEXT, .initial = "serin",
      .usage = "look for the daemon's pod in this namespace of the cluster; else FLUX_FORWARD_NAMESPACE" },
    { .name = "k8s-fwd-labels", .type = FLAGS_MAP, .initial = "app=serin",
      .usage = "labels of the daemon's pod; else FLUX_FORWARD_LABELS" },
    { .name = "api-secret", .type = FLAGS_TEXT, .initial = "serin-api",
      .usage = "`Secret` beside that pod that has its token, as the daemon's --api-secret; else SERIN_API_SECRET" },
};

static const struct flags_spec cluster_flags[] = {
    { .name = "kubeconfig", .type = FLAGS_TEXT,
      .usage = "kubeconfig `file`; else KUBECONFIG, else ~/.kube/config, else the service account" },
    { .name = "context", .type = FLAGS_TEXT, .usage = "context of the kubeconfig file" },
    { .name = "k8s-allow-exec", .type = FLAGS_BOOL,
      .usage = "run the credential plugin that the kubeconfig file names" },
};

const struct flags_spec command_output_flags[COMMAND_OUTPUT_FLAGS] = {
    { .name = "output", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "text",
      .usage = "`format` of the answer: text or json" },
};
/* clang-format on */

/* Every shared flag: what may stand before the command. */
static const struct flags_table serin_shared[] = {
    { .at = daemon_flags, .len = ARRAY_LEN(daemon_flags) },
    { .at = cluster_flags, .len = ARRAY_LEN(cluster_flags) },
};
static const struct flags_table fluxctl_shared[] = {
    { .at = fluxctl_globals, .len = FLUXCTL_GLOBALS },
};

const struct command *command_at(enum command_face face, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i]->faces & (unsigned)face && at-- == 0)
            return commands[i];
    }
    return NULL;
}

static const struct command *find(enum command_face face, const char *name)
{
    const struct command *found = NULL;
    for (size_t i = 0; (found = command_at(face, i)); i++) {
        if (!strcmp(found->name, name) || (found->alias && !strcmp(found->alias, name)))
            break;
    }
    return found;
}

/* --help of one command, as a table of its own: its usage names the command. */
static struct flags_table help_table(struct arena *mem, const char *of)
{
    struct flags_spec *spec = arena_alloc(mem, sizeof(*spec));
    *spec = (struct flags_spec){ .name = "help", .type = FLAGS_BOOL, .shorthand = 'h' };
    spec->usage = arena_printf(mem, "help for %s", of);
    return (struct flags_table){ .at = spec, .len = 1 };
}

size_t command_tables(struct arena *mem, const struct command_call *call,
                      const struct command *command, struct flags_table out[COMMAND_TABLES_MAX])
{
    size_t count = 0;
    out[count++] = help_table(mem, command ? command->name : call->program);
    if (command && command->flags.len)
        out[count++] = command->flags;
    for (size_t i = 0; command && i < command->more_count; i++)
        out[count++] = command->more[i];
    if (!command && call->face == COMMAND_SERIN)
        out[count++] = FLAGS_TABLE(NULL, root_flags);
    if (call->face == COMMAND_FLUXCTL)
        out[count++] = fluxctl_shared[0];
    if (call->face == COMMAND_SERIN && command && command->asks & COMMAND_ASKS_DAEMON)
        out[count++] = serin_shared[0];
    if (call->face == COMMAND_SERIN && command && command->asks)
        out[count++] = serin_shared[1];
    ASSERT(count <= COMMAND_TABLES_MAX);
    return count;
}

/* Lines and columns are ours; what else a terminal could take for an order is not, wherever it comes from. */
PRINTF(3, 0)
static void say(const struct command_call *call, FILE *to, const char *fmt, va_list args)
{
    const char *text = arena_vprintf(call->mem, fmt, args);
    size_t len = strlen(text);
    SBUF(shown, len * SHOWN_BYTES + 1);
    for (size_t i = 0; i < len;) {
        bool is_ours = text[i] == '\n' || text[i] == '\t';
        if (is_ours)
            sbuf_add_char(&shown, text[i++]);
        else
            i += sbuf_add_visible(&shown, text + i, len - i);
    }
    (void)fputs(sbuf_text(&shown), to);
}

void command_print(const struct command_call *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(call, call->out, fmt, args);
    va_end(args);
}

void command_tell(const struct command_call *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(call, call->err, fmt, args);
    va_end(args);
}

struct err *command_mistake(struct command_call *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(call->mem, fmt, args);
    va_end(args);
    call->is_usage_mistake = true;
    return err_new(ERR_INVALID, "%s", text);
}

struct err *command_no_args(struct command_call *call)
{
    if (!flags_arg_count(call->flags))
        return NULL;
    if (call->face == COMMAND_FLUXCTL)
        return command_mistake(call, "expected no (non-flag) arguments");
    return command_mistake(call, "unexpected argument \"%.200s\": %s takes flags only",
                           flags_arg(call->flags, 0), call->command->name);
}

bool command_as_json(const struct command_call *call)
{
    return !strcmp(flags_text(call->flags, "output"), "json");
}

struct err *command_check_output(struct command_call *call)
{
    if (!command_as_json(call) && strcmp(flags_text(call->flags, "output"), "text") != 0)
        return command_mistake(call, "invalid output format specified: it is text or json");
    return NULL;
}

/* -- help -------------------------------------------------------------------------------------- */

static void add_commands(const struct command_call *call, struct sbuf *out)
{
    const struct command *command = NULL;
    int widest = 11;
    for (size_t i = 0; (command = command_at(call->face, i)); i++)
        widest = MAX_OF(widest, (int)strlen(command->name));
    sbuf_add(out, "\nAvailable Commands:\n");
    for (size_t i = 0; (command = command_at(call->face, i)); i++)
        sbuf_addf(out, "  %-*s %s\n", widest, command->name, command->summary);
    sbuf_addf(out, "  %-*s %s\n", widest, "help", "Help about any command");
}

/* Examples are written for serin: they name the program that was called. */
static void add_examples(const struct command_call *call, const char *text, struct sbuf *out)
{
    const char *own = "serin";
    sbuf_add(out, "\nExamples:\n");
    for (const char *at; (at = strstr(text, own)); text = at + strlen(own)) {
        sbuf_add_bytes(out, text, (size_t)(at - text));
        sbuf_add(out, call->program);
    }
    sbuf_addf(out, "%s\n", text);
}

/* Of fluxctl the exit status is another one: 0, or 1 for any error. */
static void add_about(const struct command_call *call, struct sbuf *out)
{
    const struct command *command = call->command;
    const char *about = call->face == COMMAND_FLUXCTL ? fluxctl_about : serin_about;
    if (command)
        about = command->about ? command->about : command->summary;
    const char *status = strstr(about, "\nExit status: ");
    if (status && call->face == COMMAND_FLUXCTL)
        sbuf_add_bytes(out, about, (size_t)(status - about));
    else
        sbuf_add(out, about);
}

static void add_use(const struct command_call *call, struct sbuf *out)
{
    const struct command *command = call->command;
    sbuf_add(out, "\n\nUsage:\n");
    if (!command) {
        sbuf_addf(out, "  %s [command]\n", call->program);
        add_commands(call, out);
        return;
    }
    sbuf_addf(out, "  %s %s%s%s [flags]\n", call->program, command->name, command->args ? " " : "",
              command->args ? command->args : "");
    if (command->alias)
        sbuf_addf(out, "\nAliases:\n  %s, %s\n", command->name, command->alias);
    if (command->examples)
        add_examples(call, command->examples, out);
}

void command_help(struct command_call *call)
{
    SBUF(text, TEXT_MAX_BYTES);
    struct flags_table tables[COMMAND_TABLES_MAX];
    size_t count = command_tables(call->mem, call, call->command, tables);
    size_t own = call->face == COMMAND_FLUXCTL && call->command ? count - 1 : count;
    add_about(call, &text);
    add_use(call, &text);
    sbuf_add(&text, "\nFlags:\n");
    flags_usage_all(tables, own, &text);
    if (own < count) {
        sbuf_add(&text, "\nGlobal Flags:\n");
        flags_usage_all(tables + own, count - own, &text);
    }
    if (!call->command)
        sbuf_addf(&text, "\nUse \"%s [command] --help\" for more information about a command.\n",
                  call->program);
    command_print(call, "%s", sbuf_text(&text));
}

/* -- errors ------------------------------------------------------------------------------------ */

static int report(struct command_call *call, struct err *e, int status)
{
    if (!e)
        return status;
    bool is_fluxctl = call->face == COMMAND_FLUXCTL;
    const char *command = call->command ? call->command->name : "";
    if (is_fluxctl && call->help) {
        command_tell(call, "== Error ==\n\n%s\n", call->help);
    } else {
        command_tell(call, "Error: %s\n", err_text(e));
        if (is_fluxctl || call->is_usage_mistake)
            command_tell(call, "Run '%s%s%s --help' for usage.\n", call->program,
                         *command ? " " : "", command);
    }
    err_free(e);
    return is_fluxctl ? COMMAND_NO : COMMAND_UNKNOWN;
}

static struct err *unknown_command(struct command_call *call, const char *name)
{
    SBUF(text, TEXT_MAX_BYTES);
    const struct command *command = NULL;
    for (size_t i = 0; (command = command_at(call->face, i)); i++) {
        size_t len = strlen(name);
        bool is_prefix = !strncmp(command->name, name, len);
        if (is_prefix || flags_distance(name, len, command->name) <= SUGGEST_DISTANCE)
            sbuf_addf(&text, "%s\t%s\n", text.len ? "" : "\n\nDid you mean this?\n", command->name);
    }
    SBUF(quoted, TEXT_MAX_BYTES);
    flags_quote(&quoted, name);
    return command_mistake(call, "unknown command %s for \"%s\"%s", sbuf_text(&quoted),
                           call->program, sbuf_text(&text));
}

/* -- the command line ---------------------------------------------------------------------------
 */

/* Where the command stands: the first word that is neither a flag nor the value of one; argc if
 * there is none. */
static int find_word(const struct command_call *call, int argc, const char *const *argv)
{
    const struct flags_table *shared =
        call->face == COMMAND_FLUXCTL ? fluxctl_shared : serin_shared;
    size_t count =
        call->face == COMMAND_FLUXCTL ? ARRAY_LEN(fluxctl_shared) : ARRAY_LEN(serin_shared);
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        const struct flags_spec *spec = NULL;
        if (!strcmp(word, "--"))
            return argc;
        if (word[0] != '-' || !word[1])
            return at;
        if (word[1] == '-')
            spec = flags_find(shared, count, word + 2, strlen(word + 2));
        else if (!word[2])
            spec = flags_find_short(shared, count, word[1]);
        at += spec && !flags_stands_alone(spec);
    }
    return argc;
}

static struct err *parse(struct command_call *call, int argc, const char *const *argv)
{
    struct flags_table *tables = arena_alloc(call->mem, COMMAND_TABLES_MAX * sizeof(*tables));
    size_t count = command_tables(call->mem, call, call->command, tables);
    call->flags = flags_new(call->mem, tables, count);
    struct err *e = flags_parse(call->flags, argc, argv);
    command_tell(call, "%s", flags_notices(call->flags));
    call->is_usage_mistake = e;
    return e;
}

static struct err *run_parsed(struct command_call *call, int *status)
{
    bool is_version =
        !call->command && call->face == COMMAND_SERIN && flags_bool(call->flags, "version");
    if (is_version)
        command_print(call, "%s\n", SERIN_VERSION);
    else if (!call->command || flags_bool(call->flags, "help"))
        command_help(call);
    else
        return call->command->run(call, status);
    return NULL;
}

static int run(struct command_call *call, int argc, const char *const *argv)
{
    int status = COMMAND_YES;
    struct err *e = parse(call, argc, argv);
    if (!e)
        e = run_parsed(call, &status);
    return report(call, e, status);
}

/* `serin help [COMMAND]` */
static int run_help(struct command_call *call, int argc, const char *const *argv)
{
    const char *name = argc > 0 ? argv[0] : NULL;
    call->command = name ? find(call->face, name) : NULL;
    if (name && !call->command)
        return report(call, unknown_command(call, name), COMMAND_YES);
    if (call->command && call->command->run_words)
        return call->command->run_words(call, 2, (const char *const[]){ name, "--help" });
    command_help(call);
    return COMMAND_YES;
}

/* The words without the one at `without`. */
static const char *const *other_words(struct arena *mem, int argc, const char *const *argv,
                                      int without)
{
    const char **words = arena_alloc(mem, (size_t)argc * sizeof(*words));
    for (int i = 0, to = 0; i < argc; i++) {
        if (i != without)
            words[to++] = argv[i];
    }
    return words;
}

static struct command_call new_call(struct arena *mem, const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    bool is_fluxctl = !strcmp(slash ? slash + 1 : argv0, "fluxctl");
    return (struct command_call){
        .mem = mem,
        .program = is_fluxctl ? "fluxctl" : "serin",
        .face = is_fluxctl ? COMMAND_FLUXCTL : COMMAND_SERIN,
        .out = stdout,
        .err = stderr,
    };
}

static int run_what_is_asked(struct command_call *call, int argc, const char *const *argv)
{
    int at = find_word(call, argc, argv);
    if (at == argc)
        return run(call, argc, argv);
    if (!strcmp(argv[at], "help"))
        return run_help(call, argc - at - 1, argv + at + 1);
    call->command = find(call->face, argv[at]);
    if (!call->command)
        return report(call, unknown_command(call, argv[at]), COMMAND_YES);
    if (call->command->run_words)
        return call->command->run_words(call, argc - at, argv + at);
    return run(call, argc - 1, other_words(call->mem, argc, argv, at));
}

/* Who reads has seen enough (`| head`): others end then by this signal, without a word. */
static void end_with_reader(FILE *out)
{
    struct pollfd reader = { .fd = fileno(out) };
    if (poll(&reader, 1, 0) <= 0 || !(reader.revents & POLLERR))
        return;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
}

int command_main(struct arena *mem, int argc, const char *const *argv)
{
    struct command_call call = new_call(mem, argc > 0 ? argv[0] : "serin");
    int status = run_what_is_asked(&call, MAX_OF(argc - 1, 0), argv + 1);
    if (fflush(call.out) || ferror(call.out)) {
        end_with_reader(call.out);
        struct err *e = err_errno(ERR_TRANSIENT, errno, "write to standard output");
        call.is_usage_mistake = false;
        status = report(&call, e, status);
    }
    return status;
}
