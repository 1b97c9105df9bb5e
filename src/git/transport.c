#include "git/transport.h"

#include <ctype.h>
#include <string.h>

#if __has_include(<git2/sys/errors.h>) /* where 1.8 and later have git_error_set_str */
#include <git2/sys/errors.h>
#endif

#include "io/stream.h"

#define WORDS_MAX ((size_t)16 << 10) /* of a remote, in an error */
#define REFS_MAX  ((size_t)64 << 20) /* of a list of refs */

void transport_talk_init(struct transport_talk *talk, struct arena *mem,
                         const struct transport_start *start)
{
    *talk = (struct transport_talk){ .settings = start->settings,
                                     .mem = mem,
                                     .url = start->url,
                                     .deadline_ms = start->deadline_ms };
    sbuf_init(&talk->said, WORDS_MAX);
    sbuf_init(&talk->remote, WORDS_MAX);
}

void transport_talk_fini(struct transport_talk *talk)
{
    err_free(talk->failed);
    talk->failed = NULL;
    sbuf_fini(&talk->said);
    sbuf_fini(&talk->remote);
}

int transport_fail(struct transport_talk *talk, struct err *e)
{
    (void)git_error_set_str(GIT_ERROR_NET, err_text(e));
    if (talk->deadline_ms && stream_now_ms() >= talk->deadline_ms)
        talk->is_late = true;
    if (talk->failed)
        err_free(e);
    else
        talk->failed = e;
    return -1;
}

int transport_count(struct transport_talk *talk, size_t bytes)
{
    size_t limit = talk->is_connected ? talk->settings->limit_bytes : REFS_MAX;
    talk->received += bytes;
    if (talk->received <= limit)
        return 0;
    talk->is_over = true;
    return transport_fail(talk, err_new(ERR_LIMIT, "the remote sends more than %zu MiB of %s",
                                        limit >> 20, talk->is_connected ? "objects" : "refs"));
}

void transport_note(struct transport_talk *talk, int code)
{
    const git_error *last = git_error_last();
    talk->git_code = code;
    talk->git_class = last ? last->klass : GIT_ERROR_NONE;
    talk->git_text = last && last->message ? arena_strdup(talk->mem, last->message) : NULL;
}

int transport_on_message(const char *bytes, int len, void *at)
{
    struct transport_talk *talk = at;
    if (len > 0)
        sbuf_add_bytes(&talk->remote, bytes, (size_t)len);
    return 0;
}

/* libgit2 keeps the parameter for the life of the transport only. */
int transport_create(git_transport **out, git_remote *owner, void *at)
{
    struct transport_talk *talk = at;
    git_smart_subtransport_definition definition = { .param = talk };
    if (talk->url.kind == GITURL_HTTP) {
        definition.callback = transport_http_create;
        definition.rpc = 1;
    } else {
        definition.callback = transport_program_create;
        talk->is_program = true;
    }
    return git_transport_smart(out, owner, &definition);
}

/* -- words ---------------------------------------------------------------------------------------------------------- */

// clang-format off
/* What programs say on stderr, and what it means for the caller. First match wins. */
static const struct meaning {
    const char *words;
    enum err_kind kind;
} meanings[] = {
    { "Could not resolve hostname",              ERR_TRANSIENT },
    { "Host key verification failed",            ERR_DENIED },
    { "Permission denied",                       ERR_DENIED },
    { "Too many authentication failures",        ERR_DENIED },
    { "dubious ownership",                       ERR_DENIED },
    { "does not appear to be a git repository",  ERR_NOT_FOUND },
    { "epository not found",                     ERR_NOT_FOUND },
    { "could not be found",                      ERR_NOT_FOUND },
    { "access denied",                           ERR_DENIED },
    { "read only",                               ERR_DENIED },
    { "read-only",                               ERR_DENIED },
};
// clang-format on

static enum err_kind kind_of(const struct transport_talk *talk)
{
    if (talk->is_late)
        return ERR_TRANSIENT;
    for (size_t i = 0; talk->is_program && i < ARRAY_LEN(meanings); i++)
        if (strcasestr(sbuf_text(&talk->said), meanings[i].words))
            return meanings[i].kind;
    if (talk->failed)
        return err_kind(talk->failed);
    return talk->git_code == GIT_ENONFASTFORWARD ? ERR_CONFLICT : ERR_TRANSIENT;
}

/* Adds whole lines, without control characters: what a remote says reaches logs and terminals. */
static void add_lines(struct sbuf *out, const char *text, const char *prefix, const char *suffix)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *rewritten = memrchr(text, '\r', len); /* progress that was overwritten */
        size_t skip = rewritten ? (size_t)(rewritten + 1 - text) : 0;
        if (rewritten && skip == len) { /* "line\r\n" */
            const char *before = memrchr(text, '\r', len - 1);
            skip = before && len > 1 ? (size_t)(before + 1 - text) : 0;
        }
        sbuf_add(out, prefix);
        for (size_t i = skip; i < len; i++)
            if (text[i] == '\t' || !iscntrl((unsigned char)text[i]))
                sbuf_add_char(out, text[i]);
        sbuf_add(out, len > skip ? suffix : "");
        sbuf_add_char(out, '\n');
        text += len + (text[len] == '\n');
    }
}

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* The line that says what went wrong; the whole text if none does. */
static const char *headline(struct arena *mem, const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *from = begins(line, "error: ") ? line + strlen("error: ") : line;
        if (from != line || begins(line, "fatal: ") || begins(line, "ERROR fatal: "))
            return arena_strndup(mem, from, strcspn(from, "\n"));
    }
    return text;
}

/* What git concludes where nobody else has said what went wrong. */
static void add_conclusion(struct sbuf *out, const struct transport_talk *talk)
{
    const char *remote_error = talk->git_text ? strstr(talk->git_text, "remote error: ") : NULL;
    const char *failed = talk->failed ? err_text(talk->failed) : NULL;
    bool is_ours = talk->is_over || err_is(talk->failed, ERR_NOT_FOUND); /* no program said it */
    if (talk->is_late) {
        sbuf_add(out, "fatal: the remote did not answer in time (--git-timeout): context deadline "
                      "exceeded\n");
        return;
    }
    if (talk->is_program && !talk->is_connected && !remote_error && !is_ours) {
        sbuf_add(out, "fatal: Could not read from remote repository.\n\n"
                      "Please make sure you have the correct access rights\n"
                      "and the repository exists.\n");
        return;
    }
    const char *text = failed           ? failed
                       : remote_error   ? remote_error
                       : talk->git_text ? talk->git_text
                                        : "the conversation ended early";
    sbuf_addf(out, "fatal: %s\n", text);
}

struct err *transport_explain(struct transport_talk *talk, const struct transport_report *report)
{
    enum err_kind kind = report->is_refusal ? ERR_DENIED
                         : report->is_stale ? ERR_CONFLICT
                                            : kind_of(talk);
    talk->is_host_unknown =
        talk->is_host_unknown || strcasestr(sbuf_text(&talk->said), "could not resolve hostname");
    SBUF(full, 4 * WORDS_MAX);
    sbuf_add(&full, report->before ? report->before : "");
    add_lines(&full, sbuf_text(&talk->said), "", "");
    add_lines(&full, sbuf_text(&talk->remote), "remote: ", "        ");
    if (report->after)
        sbuf_add(&full, report->after);
    else
        add_conclusion(&full, talk);
    if (talk->is_program && strcasestr(sbuf_text(&talk->said), "host key verification failed"))
        sbuf_add(&full, transport_program_advice(talk));
    const char *text = sbuf_text(&full);
    struct err *e =
        err_new(kind, "%s: %s, full output:\n %s", report->what, headline(talk->mem, text), text);
    return err_with_retry_after(e, err_retry_after_ms(talk->failed));
}
