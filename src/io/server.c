#include "io/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena.h"
#include "base/vec.h"
#include "io/address.h"

/* libmicrohttpd has an epoll descriptor of its own. The loop polls that one and calls MHD_run when it is readable or when
 * MHD_get_timeout says so. A request whose body is complete is suspended and handed to the handler after MHD_run has
 * returned, so that no code of ours runs inside of libmicrohttpd; server_reply resumes it.
 *
 *   READING ──body complete──► READY ──handler called──► HANDED ──server_reply──► ANSWERED ──sent, or client gone──► freed
 *      └─────too big─────────► REFUSED ─────────────────────────────────────────────────────────────────────────► freed */
#define BODY_BYTES   ((size_t)1 << 20)
#define HEADER_BYTES ((size_t)64 << 10)
#define CONNECTIONS  256
#define IDLE_MS      30000
#define REQUEST_MS   60000
#define BACKLOG      128
/* A client that sends a body over the limit reads our 413 only when it has sent all of it. So up to this many times the
 * limit is read and dropped; who sends more is cut off. */
#define DROPPED_FACTOR 8
/* The pool of a connection also holds MHD's table of headers: room for HEADER_BYTES of short ones. */
#define POOL_FACTOR 3

enum request_state {
    REQUEST_READING,
    REQUEST_READY,
    REQUEST_HANDED,
    REQUEST_ANSWERED,
    REQUEST_REFUSED
};

struct pair {
    const char *name, *value;
};
struct pairs {
    struct pair *at;
    size_t len, cap;
};

struct server_request {
    struct server *server;       /* NULL: it is gone */
    struct MHD_Connection *conn; /* NULL: it is gone */
    struct peer *peer;
    enum request_state state;
    struct arena *mem;
    const char *method, *path;
    bool is_local; /* its client */
    struct pairs query, headers;
    size_t header_bytes;
    char *body;
    size_t body_len, body_cap, dropped_len;
    struct MHD_Response *response;
    unsigned status;
    struct server_request *next, **at; /* among all of the server's */
    struct server_request *next_ready;
};

/* A connection. */
struct peer {
    int fd;
    bool is_local;
    int64_t since_ms; /* of its beginning, or the end of its last request */
    bool is_busy;     /* its request is complete and not yet answered */
    struct peer *next, **at;
};

struct server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    ticket timer;
    server_handler handler;
    void *ctx;
    struct server_limits limits;
    int port;
    struct peer *peers;
    struct server_request *requests, *ready, **ready_end;
    bool is_stopping;
};

/* --- connections */

static void on_connection(void *ctx, struct MHD_Connection *conn, void **peer_at,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = ctx;
    struct peer *peer = *peer_at;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (!peer)
            return;
        *peer->at = peer->next;
        if (peer->next)
            peer->next->at = peer->at;
        free(peer);
        *peer_at = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer = base_alloc(sizeof(*peer));
    *peer = (struct peer){ .fd = info ? info->connect_fd : -1,
                           .is_local = info && address_is_within(info->connect_fd),
                           .since_ms = loop_now_ms(server->loop),
                           .next = server->peers,
                           .at = &server->peers };
    if (peer->next)
        peer->next->at = &peer->next;
    server->peers = peer;
    *peer_at = peer;
}

static struct peer *peer_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* libmicrohttpd's timeout starts over with every byte, so a client may drip: a request that takes too long to come is cut
 * here. Such a client wakes us with its drops; one that sends nothing is timed out by libmicrohttpd. */
static void cut_slow_peers(struct server *server)
{
    int64_t now = loop_now_ms(server->loop);
    for (struct peer *peer = server->peers; peer; peer = peer->next) {
        if (!peer->is_busy && peer->fd >= 0 && now - peer->since_ms > server->limits.request_ms)
            (void)shutdown(peer->fd, SHUT_RDWR);
    }
}

/* --- requests as they come */

static void free_request(struct server_request *request)
{
    if (request->server) {
        *request->at = request->next;
        if (request->next)
            request->next->at = request->at;
    }
    if (request->response)
        MHD_destroy_response(request->response);
    free(request->body);
    arena_free(request->mem);
    free(request);
}

static void keep_pair(struct server_request *request, struct pairs *pairs, const char *name,
                      const char *value, size_t len)
{
    request->header_bytes += strlen(name) + len + 4;
    *vec_push(request->mem, pairs) =
        (struct pair){ arena_strdup(request->mem, name), arena_strndup(request->mem, value, len) };
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct server_request *request = ctx;
    value = value ? value : "";
    size_t len = strlen(value); /* libmicrohttpd leaves white space behind the value */
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    keep_pair(request, &request->headers, name, value, len);
    return MHD_YES;
}

static enum MHD_Result on_query(void *ctx, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    (void)kind;
    struct server_request *request = ctx;
    value = value ? value : "";
    keep_pair(request, &request->query, name, value, strlen(value));
    return MHD_YES;
}

static struct server_request *add_request(struct server *server, struct MHD_Connection *conn)
{
    struct server_request *request = base_alloc(sizeof(*request));
    struct peer *peer = peer_of(conn);
    *request = (struct server_request){ .server = server,
                                        .conn = conn,
                                        .peer = peer,
                                        .is_local = peer && peer->is_local,
                                        .mem = arena_new(ARENA_LIMIT_BYTES),
                                        .next = server->requests,
                                        .at = &server->requests };
    if (request->next)
        request->next->at = &request->next;
    server->requests = request;
    return request;
}

/* Answers with one line of our own instead of calling the handler. */
static enum MHD_Result refuse(struct server_request *request, unsigned status, const char *why)
{
    request->state = REQUEST_REFUSED;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_PERSISTENT);
    ASSERT(response);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  "text/plain; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(request->conn, status, response);
    MHD_destroy_response(response);
    return result;
}

static const char too_big[] = "the body of the request is too big\n";

static enum MHD_Result start_request(struct server_request *request, const char *method,
                                     const char *url)
{
    request->method = arena_strdup(request->mem, method);
    request->path = arena_strdup(request->mem, url);
    request->header_bytes = strlen(url);
    MHD_get_connection_values(request->conn, MHD_HEADER_KIND, on_header, request);
    MHD_get_connection_values(request->conn, MHD_GET_ARGUMENT_KIND, on_query, request);
    const struct server_limits *limits = &request->server->limits;
    if (request->header_bytes > limits->header_bytes)
        return refuse(request, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                      "the headers of the request are too big\n");
    const char *length = server_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *expect = server_header(request, MHD_HTTP_HEADER_EXPECT);
    unsigned long long bytes = length ? strtoull(length, NULL, 10) : 0;
    if (bytes > limits->body_bytes * (expect ? 1 : DROPPED_FACTOR))
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, too_big);
    return MHD_YES;
}

static enum MHD_Result take_body(struct server_request *request, const char *bytes, size_t len)
{
    size_t limit = request->server->limits.body_bytes;
    if (request->dropped_len || len > limit - request->body_len) {
        request->dropped_len += len;
        return request->dropped_len > limit * DROPPED_FACTOR ? MHD_NO : MHD_YES;
    }
    if (request->body_len + len + 1 > request->body_cap) {
        request->body_cap = MAX_OF(request->body_len + len + 1, request->body_cap * 2);
        request->body = base_realloc(request->body, request->body_cap);
    }
    memcpy(request->body + request->body_len, bytes, len);
    request->body_len += len;
    request->body[request->body_len] = '\0';
    return MHD_YES;
}

static enum MHD_Result end_request(struct server_request *request)
{
    struct server *server = request->server;
    if (server->is_stopping)
        return MHD_NO;
    if (request->dropped_len)
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, too_big);
    request->state = REQUEST_READY;
    if (request->peer)
        request->peer->is_busy = true;
    MHD_suspend_connection(request->conn);
    *server->ready_end = request;
    server->ready_end = &request->next_ready;
    return MHD_YES;
}

/* libmicrohttpd calls this when the headers are there, for each piece of the body, when the body is complete, and again
 * when we resume the connection. */
// NOLINTNEXTLINE(readability-function-size): the shape is libmicrohttpd's
static enum MHD_Result on_access(void *ctx, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **request_at)
{
    (void)version;
    struct server_request *request = *request_at;
    if (!request) {
        *request_at = request = add_request(ctx, conn);
        return start_request(request, method, url);
    }
    if (*upload_len) {
        size_t len = *upload_len;
        *upload_len = 0;
        return request->state == REQUEST_READING ? take_body(request, upload, len) : MHD_YES;
    }
    switch (request->state) {
    case REQUEST_READING: return end_request(request);
    case REQUEST_ANSWERED: return MHD_queue_response(conn, request->status, request->response);
    case REQUEST_READY:
    case REQUEST_HANDED: return MHD_NO; /* resumed without an answer: the server is being stopped */
    case REQUEST_REFUSED: break;
    }
    return MHD_YES;
}

static void detach(struct server_request *request)
{
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    request->server = NULL;
    request->conn = NULL;
    request->peer = NULL;
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **request_at,
                         enum MHD_RequestTerminationCode code)
{
    (void)conn;
    (void)code;
    struct server *server = ctx;
    struct server_request *request = *request_at;
    *request_at = NULL;
    if (!request)
        return;
    if (request->peer) {
        request->peer->is_busy = false;
        request->peer->since_ms = loop_now_ms(server->loop);
    }
    if (request->state == REQUEST_HANDED)
        detach(request); /* server_reply ends it */
    else
        free_request(request);
}

/* --- on the loop */

static void run(struct server *server);

static void on_server_timer(void *ctx)
{
    struct server *server = ctx;
    server->timer = 0;
    run(server);
}

static void run_in(struct server *server, int64_t after_ms)
{
    loop_cancel(server->loop, server->timer);
    server->timer = loop_after(server->loop, after_ms, on_server_timer, server);
}

static void run(struct server *server)
{
    cut_slow_peers(server);
    ASSERT(MHD_run(server->daemon) == MHD_YES);
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
        run_in(server, (int64_t)MIN_OF(timeout_ms, (MHD_UNSIGNED_LONG_LONG)INT32_MAX));
    while (server->ready) {
        struct server_request *request = server->ready;
        server->ready = request->next_ready;
        if (!server->ready)
            server->ready_end = &server->ready;
        request->state = REQUEST_HANDED;
        server->handler(server->ctx, request);
    }
}

static void on_epoll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

/* --- start and stop */

static int listen_on(const struct addrinfo *where)
{
    int fd =
        socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, where->ai_protocol);
    if (fd < 0)
        return -1;
    int on = 1, off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (where->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void addrinfo_free(struct addrinfo *list)
{
    freeaddrinfo(list);
}
DEFINE_SCOPED(struct addrinfo, addrinfo_free)

/* Every address of the machine is best served by one IPv6 socket that takes IPv4, too; a name ("localhost") is most often
 * meant in IPv4. */
static struct err *open_listener(const char *text, int *out_fd)
{
    struct address address;
    TRY(address_parse(text, &address));
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    SCOPED(addrinfo_free) struct addrinfo *found = NULL;
    int code = getaddrinfo(address.host[0] ? address.host : NULL, address.port, &hints, &found);
    if (code != 0)
        return err_new(ERR_INVALID, "listen on %s: %s", text, gai_strerror(code));
    int preferred = address.host[0] ? AF_INET : AF_INET6;
    int why = EADDRNOTAVAIL;
    for (int round = 0; round < 2; round++) {
        for (const struct addrinfo *at = found; at; at = at->ai_next) {
            if ((at->ai_family == preferred) != (round == 0))
                continue;
            *out_fd = listen_on(at);
            if (*out_fd >= 0)
                return NULL;
            why = errno;
        }
    }
    return err_errno(ERR_TRANSIENT, why, "listen on %s", text);
}

static size_t unescape(void *ctx, struct MHD_Connection *conn, char *text)
{
    (void)ctx;
    (void)conn;
    return address_unescape(text);
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
    const struct server_limits *limits = &server->limits;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT, (unsigned)limits->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((limits->idle_ms + 999) / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->header_bytes * POOL_FACTOR,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
}

struct server_limits server_default_limits(void)
{
    return (struct server_limits){ .body_bytes = BODY_BYTES,
                                   .header_bytes = HEADER_BYTES,
                                   .connections = CONNECTIONS,
                                   .idle_ms = IDLE_MS,
                                   .request_ms = REQUEST_MS };
}

struct err *server_new_limited(struct loop *loop, const char *address,
                               const struct server_limits *limits,
                               const struct server_receiver *receiver, struct server **out)
{
    int fd = -1;
    TRY(open_listener(address, &fd));
    struct server *server = base_alloc(sizeof(*server));
    server->loop = loop;
    server->handler = receiver->handler;
    server->ctx = receiver->ctx;
    server->limits = *limits;
    server->ready_end = &server->ready;
    server->port = address_port_of(fd, false);
    server->daemon = start_daemon(server, fd);
    if (!server->daemon) {
        close(fd);
        free(server);
        return err_new(ERR_TRANSIENT, "listen on %s: libmicrohttpd does not start", address);
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ASSERT(info && info->epoll_fd >= 0);
    ASSERT(uv_poll_init(loop_uv(loop), &server->poll, info->epoll_fd) == 0);
    server->poll.data = server;
    ASSERT(uv_poll_start(&server->poll, UV_READABLE, on_epoll) == 0);
    *out = server;
    return NULL;
}

struct err *server_new(struct loop *loop, const char *address, server_handler handler, void *ctx,
                       struct server **out)
{
    struct server_limits limits = server_default_limits();
    return server_new_limited(loop, address, &limits, &(struct server_receiver){ handler, ctx },
                              out);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    loop_cancel(server->loop, server->timer);
    uv_poll_stop(&server->poll);
    server->is_stopping = true;
    for (struct server_request *request = server->requests; request; request = request->next) {
        if (request->state == REQUEST_READY || request->state == REQUEST_HANDED)
            MHD_resume_connection(request->conn);
    }
    MHD_stop_daemon(server->daemon);
    uv_close((uv_handle_t *)&server->poll, on_poll_closed);
}

int server_port(const struct server *server)
{
    return server->port;
}

/* --- a request as its handler sees it */

bool server_is_local(const struct server_request *request)
{
    return request->is_local;
}

const char *server_method(const struct server_request *request)
{
    return request->method;
}

const char *server_path(const struct server_request *request)
{
    return request->path;
}

const char *server_query_at(const struct server_request *request, const char *name, size_t at)
{
    for (size_t i = 0; i < request->query.len; i++) {
        if (strcmp(request->query.at[i].name, name) == 0 && at-- == 0)
            return request->query.at[i].value;
    }
    return NULL;
}

const char *server_query(const struct server_request *request, const char *name)
{
    return server_query_at(request, name, 0);
}

const char *server_header(const struct server_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers.len; i++) {
        if (strcasecmp(request->headers.at[i].name, name) == 0)
            return request->headers.at[i].value;
    }
    return NULL;
}

const char *server_body(const struct server_request *request, size_t *len)
{
    if (len)
        *len = request->body_len;
    return request->body_len ? request->body : "";
}

static void add_headers(struct MHD_Response *response, const char *const *headers)
{
    for (; headers && *headers; headers++) {
        const char *colon = strchr(*headers, ':');
        ASSERT(colon);
        char *name = strndup(*headers, (size_t)(colon - *headers));
        ASSERT(name);
        (void)MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " "));
        free(name);
    }
}

void server_reply(struct server_request *request, const struct server_answer *answer)
{
    ASSERT(request->state == REQUEST_HANDED && answer->status >= 200 && answer->status < 600);
    if (!request->server) {
        free_request(request);
        return;
    }
    request->state = REQUEST_ANSWERED;
    request->status = (unsigned)answer->status;
    request->response = MHD_create_response_from_buffer(
        answer->body_len, (void *)(uintptr_t)answer->body, MHD_RESPMEM_MUST_COPY);
    ASSERT(request->response);
    if (answer->content_type)
        (void)MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      answer->content_type);
    add_headers(request->response, answer->headers);
    MHD_resume_connection(request->conn);
    run_in(request->server, 0);
}
