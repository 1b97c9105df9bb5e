#include "receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The n-th request of a path gets the n-th reply of that path, or its last one. */
static const struct reply *find_reply(const struct receiver *receiver, const char *path)
{
    size_t seen = 0;
    const struct reply *found = NULL;
    for (size_t i = 0; i < receiver->got.len; i++)
        seen += strcmp(strchr(receiver->got.at[i].line, ' ') + 1, path) == 0;
    for (size_t i = 0; i < receiver->replies_len && seen > 0; i++) {
        if (strcmp(receiver->replies[i].path, path) != 0)
            continue;
        found = &receiver->replies[i];
        seen--;
    }
    return found;
}

static void reply_with(struct server_request *request, const struct reply *reply)
{
    const char *headers[] = { reply ? reply->header : NULL, NULL };
    SBUF(body, SBUF_MAX);
    if (reply && reply->body)
        sbuf_add(&body, reply->body);
    for (size_t i = 0; reply && i < reply->filler; i++)
        sbuf_add_char(&body, 'x');
    server_reply(request, &(struct server_answer){ .status = reply ? reply->status : 200,
                                                   .body = sbuf_text(&body),
                                                   .body_len = body.len,
                                                   .headers = headers });
}

static char *copy(struct arena *mem, const char *text)
{
    return arena_strdup(mem, text ? text : "");
}

static void on_request(void *ctx, struct server_request *request)
{
    struct receiver *receiver = ctx;
    struct arena *mem = receiver->mem;
    size_t len;
    const char *body = server_body(request, &len), *path = server_path(request);
    *vec_push(mem, &receiver->got) = (struct got){
        .line = arena_printf(mem, "%s %s", server_method(request), path),
        .type = copy(mem, server_header(request, "Content-Type")),
        .authorization = copy(mem, server_header(request, "Authorization")),
        .body = arena_strndup(mem, body ? body : "", len),
    };
    const struct reply *reply = find_reply(receiver, path);
    if (reply && reply->status == 0 && !receiver->lets_go)
        *vec_push(mem, &receiver->hanging) = request;
    else
        reply_with(request, reply && reply->status ? reply : NULL);
}

static void keep_line(void *ctx, const char *line, size_t len)
{
    struct receiver *receiver = ctx;
    sbuf_add_bytes(&receiver->lines, line, len);
}

static int64_t wall_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

struct receiver *receiver_new(void)
{
    struct receiver *receiver = base_alloc(sizeof(*receiver));
    receiver->mem = arena_new(ARENA_LIMIT_BYTES);
    receiver->loop = loop_new();
    receiver->http = http_new(receiver->loop, NULL);
    receiver->log =
        (struct log){ .least = LOG_DEBUG, .write = keep_line, .wall_ns = wall_ns, .ctx = receiver };
    sbuf_init(&receiver->lines, SBUF_MAX);
    struct server_limits limits = server_default_limits();
    limits.connections = 1000;
    limits.body_bytes = (size_t)4 << 20;
    struct server_receiver to = { on_request, receiver };
    struct err *e =
        server_new_limited(receiver->loop, "127.0.0.1:0", &limits, &to, &receiver->server);
    assert_null(e);
    return receiver;
}

void receiver_let_go(struct receiver *receiver)
{
    receiver->lets_go = true;
    for (size_t i = 0; i < receiver->hanging.len; i++)
        reply_with(receiver->hanging.at[i], NULL);
    receiver->hanging.len = 0;
}

void receiver_free(struct receiver *receiver)
{
    receiver_let_go(receiver);
    http_free(receiver->http);
    server_free(receiver->server);
    loop_free(receiver->loop);
    sbuf_fini(&receiver->lines);
    arena_free(receiver->mem);
    free(receiver);
}

int receiver_setup(void **state)
{
    *state = receiver_new();
    return 0;
}

int receiver_teardown(void **state)
{
    receiver_free(*state);
    return 0;
}

void receiver_script(struct receiver *receiver, const struct reply *replies, size_t len)
{
    receiver->replies = replies;
    receiver->replies_len = len;
}

const char *receiver_url(struct receiver *receiver, const char *path)
{
    return arena_printf(receiver->mem, "http://127.0.0.1:%d%s", server_port(receiver->server),
                        path);
}

void receiver_wait_got(struct receiver *receiver, size_t count)
{
    RECEIVER_UNTIL(receiver, receiver->got.len >= count);
}
