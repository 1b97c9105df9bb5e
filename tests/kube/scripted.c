#include "scripted.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/sbuf.h"

#define CONNECTIONS_MAX 512

struct connection {
    struct scripted *server;
    pthread_t thread;
    int fd;
    bool was_cut; /* the answer was a stream that has no end */
};

struct scripted {
    scripted_serve serve;
    void *ctx;
    int fd, port, stop[2];
    pthread_t acceptor;
    pthread_mutex_t lock;
    struct arena *mem; /* under the lock, until the end */
    struct sbuf log;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count, serving, most_serving;
    bool is_stopping;
};

/* -- waiting ------------------------------------------------------------------------------------------------------- */

/* Whether fd is readable within ms; false when the server stops, too. */
static bool wait_readable(const struct scripted *server, int fd, int ms)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                            { .fd = server->stop[0], .events = POLLIN } };
    int got;
    do {
        got = poll(fds, 2, ms);
    } while (got < 0 && errno == EINTR);
    return got > 0 && !fds[1].revents;
}

bool scripted_wait(const struct scripted_request *request, int ms)
{
    if (wait_readable(request->server, request->fd, ms)) {
        char c; /* the client says nothing while it waits: readable means it is gone */
        return recv(request->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    }
    struct pollfd stop = { .fd = request->server->stop[0], .events = POLLIN };
    return poll(&stop, 1, 0) == 0;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

void scripted_send(const struct scripted_request *request, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(request->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

void scripted_reply(const struct scripted_request *request, int status, const char *headers,
                    const char *body)
{
    char head[2048];
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %d Status\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                       status, *body == '{' ? "application/json" : "text/plain", strlen(body),
                       headers ? headers : "");
    scripted_send(request, head, (size_t)len);
    scripted_send(request, body, strlen(body));
}

void scripted_begin(const struct scripted_request *request)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    *request->is_cut = true;
    scripted_send(request, head, sizeof(head) - 1);
}

void scripted_piece(const struct scripted_request *request, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    char size[32];
    int size_len = snprintf(size, sizeof(size), "%x\r\n", (unsigned)len);
    scripted_send(request, size, (size_t)size_len);
    scripted_send(request, text, (size_t)len);
    scripted_send(request, "\r\n", 2);
    free(text);
}

void scripted_end(const struct scripted_request *request)
{
    scripted_send(request, "0\r\n\r\n", 5);
    *request->is_cut = false;
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

/* Reads until `text` has the end of a head, and then the whole body; NULL: the client is gone. */
static char *read_request(struct connection *connection, struct sbuf *text, size_t *body_at)
{
    char buffer[65536];
    size_t wanted = 0;
    for (;;) {
        char *end = text->bytes ? strstr(text->bytes, "\r\n\r\n") : NULL;
        if (end && !wanted) {
            *body_at = (size_t)(end - text->bytes) + 4;
            const char *length = strcasestr(text->bytes, "\r\nContent-Length:");
            wanted = *body_at + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (wanted && text->len >= wanted)
            return text->bytes;
        if (!wait_readable(connection->server, connection->fd, -1))
            return NULL;
        ssize_t got = recv(connection->fd, buffer, sizeof(buffer), 0);
        if (got <= 0)
            return NULL;
        sbuf_add_bytes(text, buffer, (size_t)got);
        if (text->bytes[0] == 0x16) /* TLS, which is not spoken here */
            return NULL;
    }
}

/* Lines of the log that begin with "METHOD path" and go on with a query or their end. Under the lock. */
static size_t count_before(const struct scripted *server, const char *start)
{
    size_t count = 0, len = strlen(start);
    for (const char *line = sbuf_text(&server->log); *line;) {
        if (!strncmp(line, start, len) && (line[len] == '?' || line[len] == '\n'))
            count++;
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : line + strlen(line);
    }
    return count;
}

static void note_request(struct scripted *server, struct scripted_request *request)
{
    scripted_lock(server);
    const char *start = arena_printf(server->mem, "%s %s", request->method, request->path);
    request->count = count_before(server, start);
    sbuf_addf(&server->log, "%s%s%s\n", start, *request->query ? "?" : "", request->query);
    server->serving++;
    server->most_serving = MAX_OF(server->most_serving, server->serving);
    scripted_unlock(server);
}

/* Serves one request; false: no more on this connection. */
static bool serve_one(struct connection *connection, struct sbuf *text)
{
    struct scripted *server = connection->server;
    size_t body_at = 0;
    char *bytes = read_request(connection, text, &body_at);
    if (!bytes)
        return false;
    char *line_end = strstr(bytes, "\r\n");
    bytes[body_at - 2] = '\0';
    *line_end = '\0';
    char *path = strchr(bytes, ' ');
    char *version = path ? strchr(path + 1, ' ') : NULL;
    if (!version)
        return false;
    *path++ = *version = '\0';
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    struct scripted_request request = { .method = bytes,
                                        .path = path,
                                        .query = query ? query : "",
                                        .head = line_end + 2,
                                        .body = bytes + body_at,
                                        .body_len = text->len - body_at,
                                        .fd = connection->fd,
                                        .is_cut = &connection->was_cut,
                                        .server = server };
    note_request(server, &request);
    server->serve(server->ctx, &request);
    scripted_lock(server);
    server->serving--;
    bool goes_on = !server->is_stopping && !connection->was_cut;
    scripted_unlock(server);
    return goes_on;
}

static void *run_connection(void *ctx)
{
    struct connection *connection = ctx;
    bool goes_on = true;
    while (goes_on) {
        struct sbuf text;
        sbuf_init(&text, SBUF_MAX);
        goes_on = serve_one(connection, &text);
        sbuf_fini(&text);
    }
    scripted_lock(connection->server);
    close(connection->fd);
    connection->fd = -1;
    scripted_unlock(connection->server);
    return NULL;
}

static void *run_acceptor(void *ctx)
{
    struct scripted *server = ctx;
    while (wait_readable(server, server->fd, -1)) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            continue;
        scripted_lock(server);
        if (server->connection_count < CONNECTIONS_MAX) {
            struct connection *connection = base_alloc(sizeof(*connection));
            *connection = (struct connection){ .server = server, .fd = fd };
            server->connections[server->connection_count++] = connection;
            ASSERT(!pthread_create(&connection->thread, NULL, run_connection, connection));
        } else {
            close(fd);
        }
        scripted_unlock(server);
    }
    return NULL;
}

/* -- the server ---------------------------------------------------------------------------------------------------- */

struct scripted *scripted_new(scripted_serve serve, void *ctx)
{
    struct scripted *server = base_alloc(sizeof(*server));
    server->serve = serve;
    server->ctx = ctx;
    server->mem = arena_new(ARENA_LIMIT_BYTES);
    sbuf_init(&server->log, SBUF_MAX);
    ASSERT(!pthread_mutex_init(&server->lock, NULL));
    ASSERT(!pipe(server->stop));
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    ASSERT(!bind(server->fd, (struct sockaddr *)&address, len));
    ASSERT(!listen(server->fd, 128));
    ASSERT(!getsockname(server->fd, (struct sockaddr *)&address, &len));
    server->port = ntohs(address.sin_port);
    ASSERT(!pthread_create(&server->acceptor, NULL, run_acceptor, server));
    return server;
}

void scripted_go_away(struct scripted *server)
{
    scripted_lock(server);
    bool was_stopping = server->is_stopping;
    server->is_stopping = true;
    for (size_t i = 0; i < server->connection_count; i++) {
        if (server->connections[i]->fd >= 0)
            (void)shutdown(server->connections[i]->fd, SHUT_RDWR);
    }
    scripted_unlock(server);
    if (was_stopping)
        return;
    ASSERT(write(server->stop[1], "x", 1) == 1);
    ASSERT(!pthread_join(server->acceptor, NULL));
    close(server->fd);
    for (size_t i = 0; i < server->connection_count; i++)
        ASSERT(!pthread_join(server->connections[i]->thread, NULL));
}

void scripted_free(struct scripted *server)
{
    if (!server)
        return;
    scripted_go_away(server);
    for (size_t i = 0; i < server->connection_count; i++)
        free(server->connections[i]);
    close(server->stop[0]);
    close(server->stop[1]);
    sbuf_fini(&server->log);
    arena_free(server->mem);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int scripted_port(const struct scripted *server)
{
    return server->port;
}

void scripted_lock(struct scripted *server)
{
    ASSERT(!pthread_mutex_lock(&server->lock));
}

void scripted_unlock(struct scripted *server)
{
    ASSERT(!pthread_mutex_unlock(&server->lock));
}

char *scripted_log(struct scripted *server)
{
    scripted_lock(server);
    char *copy = base_copy_text(sbuf_text(&server->log));
    scripted_unlock(server);
    return copy;
}

size_t scripted_count(struct scripted *server, const char *part)
{
    char *log = scripted_log(server), *rest = log, *line;
    size_t count = 0;
    while ((line = strsep(&rest, "\n")))
        count += strstr(line, part) != NULL;
    free(log);
    return count;
}

size_t scripted_most_at_once(struct scripted *server)
{
    scripted_lock(server);
    size_t most = server->most_serving;
    scripted_unlock(server);
    return most;
}

const char *scripted_header(const struct scripted_request *request, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = request->head; *line;) {
        const char *end = strstr(line, "\r\n");
        size_t line_len = end ? (size_t)(end - line) : strlen(line);
        if (line_len > len && !strncasecmp(line, name, len) && line[len] == ':') {
            const char *value = line + len + 1;
            value += strspn(value, " ");
            scripted_lock(request->server);
            const char *copy =
                arena_strndup(request->server->mem, value, line_len - (size_t)(value - line));
            scripted_unlock(request->server);
            return copy;
        }
        line += line_len + (end ? 2 : 0);
    }
    return "";
}
