#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "git/hostkeys.h"
#include "git/transport.h"
#include "io/child.h"
#include "io/stream.h"

#define CONFIG_MS    3000
#define CONFIG_LIMIT ((size_t)64 << 10)

/* One program, its stdin and stdout the connection: ssh, or git-upload-pack and git-receive-pack themselves. */
struct program {
    git_smart_subtransport parent;
    git_smart_subtransport_stream stream;
    struct transport_talk *talk;
    struct child *child;
};

struct arguments {
    const char **at;
    size_t len, cap;
};

static struct program *program_of(git_smart_subtransport_stream *stream)
{
    return (struct program *)stream->subtransport;
}

/* -- the command ------------------------------------------------------------------------------------------------------ */

/* One word for the shell at the other end. */
static const char *quote(struct arena *mem, const char *word)
{
    SBUF(text, 4 * strlen(word) + 8);
    sbuf_add_char(&text, '\'');
    for (; *word; word++) {
        if (*word == '\'' || *word == '!')
            sbuf_addf(&text, "'\\%c'", *word);
        else
            sbuf_add_char(&text, *word);
    }
    sbuf_add_char(&text, '\'');
    return arena_strdup(mem, sbuf_text(&text));
}

static void push(struct arena *mem, struct arguments *argv, const char *word)
{
    *vec_push(mem, argv) = word;
}

/* ssh itself, or the command that the user set in its place, which is for the shell to take apart. */
static void push_ssh(struct transport_talk *talk, struct arguments *argv)
{
    const char *command = talk->settings->ssh_command;
    if (command) {
        push(talk->mem, argv, "sh");
        push(talk->mem, argv, "-c");
        push(talk->mem, argv, arena_printf(talk->mem, "%s \"$@\"", command));
        push(talk->mem, argv, command);
    } else {
        push(talk->mem, argv, "ssh");
    }
}

/* The name as ssh takes it: an IPv6 address without its brackets. */
static const char *bare_host(struct arena *mem, const char *host)
{
    size_t len = strlen(host);
    return *host == '[' && len > 2 ? arena_strndup(mem, host + 1, len - 2) : host;
}

static void push_destination(struct transport_talk *talk, struct arguments *argv)
{
    const struct giturl *url = &talk->url;
    if (url->port) {
        push(talk->mem, argv, "-p");
        push(talk->mem, argv, url->port);
    }
    const char *host = bare_host(talk->mem, url->host);
    bool has_user = url->user && *url->user;
    push(talk->mem, argv, has_user ? arena_printf(talk->mem, "%s@%s", url->user, host) : host);
}

/* In batch mode an unknown host key is refused and nothing is asked for; whatever else the user's ssh_config says holds. */
static void push_options(struct transport_talk *talk, struct arguments *argv)
{
    const struct transport_settings *settings = talk->settings;
    push(talk->mem, argv, "-o");
    push(talk->mem, argv, "BatchMode=yes");
    if (settings
            ->ssh_identity) { /* and no key of an agent: the host would take it for another person */
        push(talk->mem, argv, "-o");
        push(talk->mem, argv, "IdentitiesOnly=yes");
        push(talk->mem, argv, "-i");
        push(talk->mem, argv, settings->ssh_identity);
    }
    if (settings->ssh_known_hosts) {
        push(talk->mem, argv, "-o");
        push(talk->mem, argv,
             arena_printf(talk->mem, "UserKnownHostsFile=\"%s\"", settings->ssh_known_hosts));
    }
}

static const char *const *command_for(struct transport_talk *talk, const char *service)
{
    struct arguments argv = { 0 };
    if (talk->url.kind == GITURL_SSH) {
        push_ssh(talk, &argv);
        push_options(talk, &argv);
        push_destination(talk, &argv);
        push(talk->mem, &argv,
             arena_printf(talk->mem, "%s %s", service, quote(talk->mem, talk->url.path)));
    } else {
        push(talk->mem, &argv, service);
        push(talk->mem, &argv, talk->url.path);
    }
    push(talk->mem, &argv, NULL);
    return argv.at;
}

/* -- libgit2's callbacks ------------------------------------------------------------------------------------------------ */

static int on_read(git_smart_subtransport_stream *stream, char *buffer, size_t size,
                   size_t *out_len)
{
    struct program *program = program_of(stream);
    *out_len = 0;
    if (!program->child)
        return -1;
    struct err *e = child_read(program->child, buffer, size, out_len);
    return e ? transport_fail(program->talk, e) : transport_count(program->talk, *out_len);
}

static int on_write(git_smart_subtransport_stream *stream, const char *buffer, size_t len)
{
    struct program *program = program_of(stream);
    if (!program->child || program->talk->failed)
        return -1;
    struct err *e = child_write(program->child, buffer, len);
    return e ? transport_fail(program->talk, e) : 0;
}

static void on_stream_free(git_smart_subtransport_stream *stream)
{
    (void)stream; /* a part of the subtransport */
}

static int on_action(git_smart_subtransport_stream **out, git_smart_subtransport *parent,
                     const char *url, git_smart_service_t action)
{
    struct program *program = (struct program *)parent;
    struct transport_talk *talk = program->talk;
    (void)url; /* the talk knows it, with what is secret in it */
    *out = &program->stream;
    if (action == GIT_SERVICE_UPLOADPACK || action == GIT_SERVICE_RECEIVEPACK)
        return program->child ? 0 : -1;
    const char *service =
        action == GIT_SERVICE_UPLOADPACK_LS ? "git-upload-pack" : "git-receive-pack";
    struct child_spec spec = { .argv = command_for(talk, service),
                               .env = talk->settings->env,
                               .deadline_ms = talk->deadline_ms };
    struct err *e = child_open(&spec, &program->child);
    return e ? transport_fail(talk, e) : 0;
}

/* After a conversation that went well the program is given until the deadline to end: hooks may still be at work. */
static int on_close(git_smart_subtransport *parent)
{
    struct program *program = (struct program *)parent;
    if (!program->child)
        return 0;
    child_close_input(program->child);
    int status = 0;
    if (!program->talk->failed)
        err_free(child_wait(program->child, &status)); /* how it went is known from what it sent */
    sbuf_add(&program->talk->said, child_errors(program->child));
    child_free(program->child);
    program->child = NULL;
    return 0;
}

static void on_free(git_smart_subtransport *parent)
{
    (void)on_close(parent);
    free(parent);
}

int transport_program_create(git_smart_subtransport **out, git_transport *owner, void *talk)
{
    (void)owner;
    struct program *program = base_alloc(sizeof(*program));
    *program = (struct program){
        .parent = { .action = on_action, .close = on_close, .free = on_free },
        .stream = { .read = on_read, .write = on_write, .free = on_stream_free },
        .talk = talk,
    };
    program->stream.subtransport = &program->parent;
    *out = &program->parent;
    return 0;
}

/* -- host keys ---------------------------------------------------------------------------------------------------------- */

/* What ssh would do, by its own account: "hostname x", "port 22", "proxyjump y", … */
struct ssh_view {
    const char *host, *port, *known_hosts;
    bool is_direct; /* no jump host, no proxy command: the server can be asked without ssh */
};

static void read_view_line(struct transport_talk *talk, const char *line, size_t len,
                           struct ssh_view *view)
{
    const char *space = memchr(line, ' ', len);
    if (!space)
        return;
    size_t key_len = (size_t)(space - line);
    const char *key = arena_strndup(talk->mem, line, key_len);
    const char *value = arena_strndup(talk->mem, space + 1, len - key_len - 1);
    if (!strcmp(key, "hostname"))
        view->host = value;
    else if (!strcmp(key, "port"))
        view->port = value;
    else if (!strcmp(key, "userknownhostsfile"))
        view->known_hosts = arena_strndup(talk->mem, value, strcspn(value, " "));
    else if ((!strcmp(key, "proxyjump") || !strcmp(key, "proxycommand")) &&
             strcmp(value, "none") != 0)
        view->is_direct = false;
}

static struct ssh_view ask_ssh(struct transport_talk *talk)
{
    struct ssh_view view = { bare_host(talk->mem, talk->url.host), talk->url.port,
                             talk->settings->ssh_known_hosts, true };
    struct arguments argv = { 0 };
    push_ssh(talk, &argv);
    push(talk->mem, &argv, "-G");
    push_options(talk, &argv);
    push_destination(talk, &argv);
    push(talk->mem, &argv, NULL);
    struct child_spec spec = { .argv = argv.at,
                               .env = talk->settings->env,
                               .deadline_ms = stream_now_ms() + CONFIG_MS };
    struct child_io io = { .out_limit = CONFIG_LIMIT, .err_limit = 1024 };
    struct child_output output;
    SCOPED(err_free) struct err *e = child_run(talk->mem, &spec, &io, &output);
    if (e || output.exit_status)
        return view;
    for (const char *line = output.out; *line; line += strcspn(line, "\n"), line += *line == '\n')
        read_view_line(talk, line, strcspn(line, "\n"), &view);
    return view;
}

const char *transport_program_advice(struct transport_talk *talk)
{
    if (talk->url.kind != GITURL_SSH)
        return "";
    struct ssh_view view = ask_ssh(talk);
    if (!view.is_direct)
        return "";
    struct hostkeys_question question = {
        .host = view.host, .port = view.port, .env = talk->settings->env, .deadline_ms = INT64_MAX
    };
    struct hostkeys keys = { 0 };
    SCOPED(err_free) struct err *e = hostkeys_scan(talk->mem, &question, &keys);
    return e ? "" : hostkeys_advice(talk->mem, &keys, view.known_hosts);
}
