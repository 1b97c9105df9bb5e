#include <stdlib.h>
#include <string.h>

#include "git/transport.h"
#include "io/stream.h"

#define REQUEST_MAX SBUF_MAX /* a push: commits of ours, tags, notes */

/* The smart protocol over HTTP keeps no state: each stream is one request, written whole, then answered. */
struct web {
    git_smart_subtransport parent;
    struct transport_talk *talk;
    char *base;        /* URL of the repository, as the first answer came from it; NULL before */
    bool is_elsewhere; /* a redirect led to another host: it gets no credentials of ours */
};

struct web_stream {
    git_smart_subtransport_stream parent;
    struct web *web;
    const char *service; /* git-upload-pack, git-receive-pack */
    bool is_listing;
    struct sbuf body;
    struct stream *answer;
};

static const char *base_of(const struct web *web)
{
    return web->base ? web->base : web->talk->url.plain;
}

/* git appends to the URL with or without its trailing slash. */
static char *join(struct arena *mem, const char *base, const char *rest)
{
    size_t len = strlen(base);
    while (len && base[len - 1] == '/')
        len--;
    return arena_printf(mem, "%.*s%s", (int)len, base, rest);
}

/* scheme://host:port of a URL. */
static size_t origin_length(const char *url)
{
    const char *behind = strstr(url, "://");
    return behind ? (size_t)(behind - url) + 3 + strcspn(behind + 3, "/?") : 0;
}

MUST_USE static struct err *learn_base(struct web *web, const struct stream *answer,
                                       const char *suffix)
{
    const char *url = stream_url(answer);
    size_t len = strlen(url), suffix_len = strlen(suffix);
    if (len <= suffix_len || strcmp(url + len - suffix_len, suffix) != 0)
        return err_new(ERR_INVALID, "the remote redirects to something that is no repository");
    web->base = base_alloc(len + 1);
    memcpy(web->base, url, len - suffix_len);
    size_t origin = origin_length(web->talk->url.plain);
    web->is_elsewhere =
        origin_length(url) != origin || strncasecmp(url, web->talk->url.plain, origin) != 0;
    return NULL;
}

MUST_USE static struct err *check_type(struct web_stream *at, const char *want)
{
    const char *got = stream_content_type(at->answer);
    size_t len = got ? strcspn(got, "; ") : 0;
    if (got && len == strlen(want) && !strncasecmp(got, want, len))
        return NULL;
    return err_new(ERR_NOT_FOUND,
                   "repository '%s/' not found: the server answers with %.100s, which is not git's "
                   "smart protocol",
                   at->web->talk->url.safe, got && *got ? got : "no content type");
}

/* A refusal is about who asked. */
MUST_USE static struct err *word_refusal(const struct web *web, const char *slash, struct err *e)
{
    const struct giturl *url = &web->talk->url;
    const char *as = !url->user          ? "without a user and password"
                     : web->is_elsewhere ? "without the user and password: that is another host"
                                         : "with the user and password of the URL";
    struct err *said = err_new(ERR_DENIED, "unable to access '%s%s': %s (asked %s)", url->safe,
                               slash, err_text(e), as);
    err_free(e);
    return said;
}

/* git's words, where it has its own for what a server answered. */
MUST_USE static struct err *word_failure(const struct web *web, struct err *e)
{
    struct transport_talk *talk = web->talk;
    if (!e || err_is(e, ERR_LIMIT))
        return e;
    talk->is_host_unknown = strcasestr(err_text(e), "could not resolve host") != NULL;
    const char *slash = talk->url.safe[strlen(talk->url.safe) - 1] == '/' ? "" : "/";
    if (err_is(e, ERR_DENIED))
        return word_refusal(web, slash, e);
    if (!err_is(e, ERR_NOT_FOUND))
        return err_wrap(e, "unable to access '%s%s'", talk->url.safe, slash);
    err_free(e);
    return err_new(ERR_NOT_FOUND, "repository '%s%s' not found", talk->url.safe, slash);
}

/* Sends the request; the answer's headers are there afterwards. */
MUST_USE static struct err *ask(struct web_stream *at)
{
    struct web *web = at->web;
    struct transport_talk *talk = web->talk;
    const char *suffix =
        arena_printf(talk->mem, at->is_listing ? "/info/refs?service=%s" : "/%s", at->service);
    const char *accept = arena_printf(talk->mem, "Accept: application/x-%s-result", at->service);
    const char *type =
        arena_printf(talk->mem, "Content-Type: application/x-%s-request", at->service);
    const char *const get[] = { "Accept: */*", NULL };
    const char *const post[] = { accept, type, NULL };
    bool shows_us = talk->url.user && !web->is_elsewhere;
    struct stream_request request = {
        .method = at->is_listing ? "GET" : "POST",
        .url = join(talk->mem, base_of(web), suffix),
        .headers = at->is_listing ? get : post,
        .user = shows_us ? talk->url.user : NULL,
        .password = shows_us ? (talk->url.password ? talk->url.password : "") : NULL,
        .body = at->is_listing ? NULL : sbuf_text(&at->body),
        .body_len = at->is_listing ? 0 : at->body.len,
        .tls = &talk->settings->tls,
        .proxy = talk->settings->proxy,
        .deadline_ms = talk->deadline_ms,
        .limit_bytes = talk->settings->limit_bytes,
        .follow_redirects = at->is_listing,
    };
    if (at->body.is_over)
        return err_new(ERR_LIMIT, "what is to be pushed is larger than %zu MiB", REQUEST_MAX >> 20);
    TRY(word_failure(web, stream_open(&request, &at->answer)));
    if (at->is_listing)
        TRY(learn_base(web, at->answer, suffix));
    return check_type(at, arena_printf(talk->mem, "application/x-%s-%s", at->service,
                                       at->is_listing ? "advertisement" : "result"));
}

static int on_read(git_smart_subtransport_stream *stream, char *buffer, size_t size,
                   size_t *out_len)
{
    struct web_stream *at = (struct web_stream *)stream;
    struct transport_talk *talk = at->web->talk;
    *out_len = 0;
    if (talk->failed)
        return -1;
    struct err *e = at->answer ? NULL : ask(at);
    if (!e)
        e = word_failure(at->web, stream_read(at->answer, buffer, size, out_len));
    return e ? transport_fail(talk, e) : transport_count(talk, *out_len);
}

static int on_write(git_smart_subtransport_stream *stream, const char *buffer, size_t len)
{
    struct web_stream *at = (struct web_stream *)stream;
    if (at->is_listing || at->answer)
        return -1;
    sbuf_add_bytes(&at->body, buffer, len);
    return 0;
}

static void on_stream_free(git_smart_subtransport_stream *stream)
{
    struct web_stream *at = (struct web_stream *)stream;
    stream_free(at->answer);
    sbuf_fini(&at->body);
    free(at);
}

static int on_action(git_smart_subtransport_stream **out, git_smart_subtransport *parent,
                     const char *url, git_smart_service_t action)
{
    struct web *web = (struct web *)parent;
    (void)url; /* the talk knows it, with what is secret in it */
    bool is_fetch = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_UPLOADPACK;
    struct web_stream *at = base_alloc(sizeof(*at));
    *at = (struct web_stream){
        .parent = { .subtransport = parent,
                    .read = on_read,
                    .write = on_write,
                    .free = on_stream_free },
        .web = web,
        .service = is_fetch ? "git-upload-pack" : "git-receive-pack",
        .is_listing = action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_RECEIVEPACK_LS,
    };
    sbuf_init(&at->body, REQUEST_MAX);
    *out = &at->parent;
    return 0;
}

static int on_close(git_smart_subtransport *parent)
{
    (void)parent; /* streams are freed before */
    return 0;
}

static void on_free(git_smart_subtransport *parent)
{
    struct web *web = (struct web *)parent;
    free(web->base);
    free(web);
}

int transport_http_create(git_smart_subtransport **out, git_transport *owner, void *talk)
{
    (void)owner;
    struct web *web = base_alloc(sizeof(*web));
    *web = (struct web){
        .parent = { .action = on_action, .close = on_close, .free = on_free },
        .talk = talk,
    };
    *out = &web->parent;
    return 0;
}
