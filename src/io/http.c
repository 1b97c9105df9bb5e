#include "io/http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "io/address.h"
#include "io/easy.h"
#include "io/tickets.h"

/* Two lanes, each a multi handle of libcurl with connections of its own:
 *
 *   requests  capped in total and per host; over HTTP/2 all requests to a host share one connection
 *   streams   (own_connection) uncapped: a watch holds its place for hours, and counted against the caps a few of them would
 *             lock all requests out. Over HTTP/2 streams share a connection among themselves - sixty watches of one server
 *             take one connection instead of sixty - but never one with requests, so that a burst of events does not
 *             stand in front of the answers to requests, nor a cut stream's connection take requests along.
 *
 * libcurl may not be entered again from its own callbacks. What a stream's on_bytes starts or cancels therefore waits until
 * libcurl has returned (waiting, dropped). Callbacks of the caller's that end a request always run outside of libcurl. */
#define PER_HOST                10 /* of kube/client: eight requests in flight and two urgent ones */
#define TOTAL                   32
#define LIMIT_BYTES             ((size_t)16 << 20)
#define IDLE_REQUESTS           16                /* kept for the next ones */
#define KEPT_BODY_BYTES         ((size_t)8 << 10) /* a bigger buffer for bodies is not kept with them */
#define STREAM_CONNECTIONS_KEPT 4L                /* after their last stream */

struct lane {
    struct http *http;
    CURLM *multi;
    uv_timer_t timer;
    ticket kick; /* libcurl wants to be called in the next turn */
    struct socket *sockets;
};

/* A descriptor that libcurl wants watched. */
struct socket {
    uv_poll_t poll;
    struct lane *lane;
    curl_socket_t fd;
    int64_t read_ms; /* when something last came */
    int local_port, peer_port;
    struct socket *next, **at;
};

enum request_state {
    REQUEST_LATE,    /* failed before it began: told in a later turn */
    REQUEST_WAITING, /* for libcurl to return */
    REQUEST_RUNNING,
    REQUEST_DROPPED, /* cancelled while libcurl was running: out of the table, not yet out of libcurl */
};

struct request {
    struct easy easy;
    struct http *http;
    struct lane *lane;
    enum request_state state;
    ticket id, timer;
    http_done_fn done;
    void *ctx;
    bool (*on_bytes)(void *ctx, const char *bytes, size_t len);
    void (*on_headers)(void *ctx, int status);
    void *stream_ctx;
    int64_t started_ms, active_ms, timeout_ms, idle_ms;
    int peer_port, local_port; /* of its connection; 0: none yet */
    bool has_bytes;            /* something came for it */
    bool is_overdue;           /* its bound has passed; the sockets are looked at once more */
    char *body;
    size_t body_len, body_cap, limit_bytes;
    struct err *failed; /* why a callback of ours ended it */
    enum http_cause cause;
    long os_error;
    struct request *next; /* in the list it is in */
};

struct http {
    struct loop *loop;
    struct lane *requests, *streams;
    struct tickets table;
    struct request *idle, *late, *waiting, *dropped;
    int idle_len;
    ticket late_timer;
    bool is_in_curl, is_telling; /* a callback of libcurl's, of the caller's is running */
    char *user_agent;
};

static void after_curl(struct http *http);
static void finish(struct request *req, struct err *e);

/* --- libcurl on the loop */

static void act(struct lane *lane, curl_socket_t fd, int events)
{
    struct http *http = lane->http;
    int running;
    ASSERT(!http->is_in_curl);
    http->is_in_curl = true;
    CURLMcode code = curl_multi_socket_action(lane->multi, fd, events, &running);
    http->is_in_curl = false;
    ASSERT(code == CURLM_OK || code == CURLM_BAD_SOCKET);
    after_curl(http);
}

static void on_kick(void *ctx)
{
    struct lane *lane = ctx;
    lane->kick = 0;
    act(lane, CURL_SOCKET_TIMEOUT, 0);
}

static void on_lane_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
    (void)multi;
    struct lane *lane = ctx;
    loop_cancel(lane->http->loop, lane->kick);
    lane->kick = 0;
    uv_timer_stop(&lane->timer);
    if (timeout_ms == 0)
        lane->kick = loop_after(lane->http->loop, 0, on_kick, lane);
    else if (timeout_ms > 0)
        ASSERT(uv_timer_start(&lane->timer, on_lane_timer, (uint64_t)timeout_ms, 0) == 0);
    return 0;
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct socket *socket = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
        socket->read_ms = loop_now_ms(socket->lane->http->loop);
    }
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(socket->lane, socket->fd, flags);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void forget_socket(struct socket *socket)
{
    *socket->at = socket->next;
    if (socket->next)
        socket->next->at = socket->at;
    uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
}

/* They stay 0 until it is connected. */
static void find_ports(struct socket *socket)
{
    socket->peer_port = address_port_of(socket->fd, true);
    socket->local_port = socket->peer_port ? address_port_of(socket->fd, false) : 0;
}

static struct socket *watch_socket(struct lane *lane, curl_socket_t fd)
{
    struct socket *socket = base_alloc(sizeof(*socket));
    *socket =
        (struct socket){ .lane = lane, .fd = fd, .next = lane->sockets, .at = &lane->sockets };
    if (socket->next)
        socket->next->at = &socket->next;
    lane->sockets = socket;
    find_ports(socket);
    ASSERT(uv_poll_init_socket(loop_uv(lane->http->loop), &socket->poll, fd) == 0);
    socket->poll.data = socket;
    ASSERT(curl_multi_assign(lane->multi, fd, socket) == CURLM_OK);
    return socket;
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *lane_ctx,
                            void *socket_ctx)
{
    (void)easy;
    struct lane *lane = lane_ctx;
    struct socket *socket = socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (socket)
            forget_socket(socket);
        return 0;
    }
    if (!socket)
        socket = watch_socket(lane, fd);
    else if (!socket->peer_port)
        find_ports(socket);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    ASSERT(uv_poll_start(&socket->poll, events, on_socket_ready) == 0);
    return 0;
}

#define MULTI_SET(lane, option, value) \
    ASSERT(curl_multi_setopt((lane)->multi, (option), (value)) == CURLM_OK)

static struct lane *new_lane(struct http *http, long per_host, long total, long kept)
{
    struct lane *lane = base_alloc(sizeof(*lane));
    lane->http = http;
    lane->multi = curl_multi_init();
    ASSERT(lane->multi);
    ASSERT(uv_timer_init(loop_uv(http->loop), &lane->timer) == 0);
    lane->timer.data = lane;
    MULTI_SET(lane, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    MULTI_SET(lane, CURLMOPT_SOCKETDATA, lane);
    MULTI_SET(lane, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    MULTI_SET(lane, CURLMOPT_TIMERDATA, lane);
    MULTI_SET(lane, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    MULTI_SET(lane, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
    MULTI_SET(lane, CURLMOPT_MAX_TOTAL_CONNECTIONS, total);
    MULTI_SET(lane, CURLMOPT_MAXCONNECTS, kept);
    return lane;
}

static void on_lane_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void free_lane(struct lane *lane)
{
    MULTI_SET(lane, CURLMOPT_TIMERFUNCTION, NULL);
    ASSERT(curl_multi_cleanup(lane->multi) == CURLM_OK);
    while (lane->sockets)
        forget_socket(lane->sockets);
    loop_cancel(lane->http->loop, lane->kick);
    uv_close((uv_handle_t *)&lane->timer, on_lane_closed);
}

/* --- what libcurl reports of a request */

/* libcurl does not say which socket a running request is on, but it says the ports. */
// NOLINTNEXTLINE(readability-non-const-parameter): the shape is libcurl's
static int on_connected(void *ctx, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
    (void)peer_ip;
    (void)local_ip;
    struct request *req = ctx;
    req->peer_port = peer_port;
    req->local_port = local_port;
    return CURL_PREREQFUNC_OK;
}

/* NULL if libcurl does not watch it now, or has not yet connected. */
static struct socket *socket_of(const struct request *req)
{
    struct socket *socket = req->lane->sockets;
    while (socket && (socket->local_port != req->local_port || socket->peer_port != req->peer_port))
        socket = socket->next;
    return req->local_port ? socket : NULL;
}

/* libcurl also reads without having been told that there is something to read, even before it has a socket watched. */
static void note_bytes(struct request *req)
{
    req->has_bytes = true;
    req->active_ms = loop_now_ms(req->http->loop);
    struct socket *socket = socket_of(req);
    if (socket)
        socket->read_ms = req->active_ms;
}

/* A connection on which nothing at all came since the request began is taken for dead when that request times out:
 * libcurl would go on putting requests on an HTTP/2 connection to a server that hangs. */
static void cut_if_dead(const struct request *req)
{
    const struct socket *socket = socket_of(req);
    if (socket && !req->has_bytes && socket->read_ms < req->started_ms)
        (void)shutdown(socket->fd, SHUT_RDWR);
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct request *req = ctx;
    size_t len = size * count;
    note_bytes(req);
    enum easy_head head = easy_take_header(&req->easy, line, len);
    if (head == EASY_HEAD_TOO_BIG) {
        if (!req->failed)
            req->failed =
                easy_fail(&req->easy, ERR_LIMIT, "the headers of the answer are over 256 KiB");
        return 0;
    }
    if (head == EASY_HEAD_DONE && req->on_headers && req->state == REQUEST_RUNNING &&
        !easy_is_redirect(&req->easy))
        req->on_headers(req->stream_ctx, req->easy.status);
    return len;
}

static bool keep_body(struct request *req, const char *bytes, size_t len)
{
    if (len > req->limit_bytes - req->body_len) {
        char why[80];
        (void)snprintf(why, sizeof(why), "the answer is over %zu bytes", req->limit_bytes);
        req->failed = easy_fail(&req->easy, ERR_LIMIT, why);
        return false;
    }
    if (req->body_len + len + 1 > req->body_cap) {
        req->body_cap = MAX_OF(req->body_len + len + 1, req->body_cap * 2);
        req->body = base_realloc(req->body, req->body_cap);
    }
    memcpy(req->body + req->body_len, bytes, len);
    req->body_len += len;
    req->body[req->body_len] = '\0';
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct request *req = ctx;
    size_t len = size * count;
    note_bytes(req);
    if (req->failed || req->state != REQUEST_RUNNING)
        return 0;
    if (easy_is_redirect(&req->easy))
        return len; /* nobody sees it */
    int status = req->easy.status;
    if (!req->on_bytes || status < 200 || status > 299)
        return keep_body(req, bytes, len) ? len : 0;
    if (req->on_bytes(req->stream_ctx, bytes, len))
        return len;
    if (req->state == REQUEST_RUNNING)
        req->failed = easy_fail(&req->easy, ERR_CANCELED, "the receiver ended it");
    return 0;
}

/* --- the life of a request */

static struct request *take_request(struct http *http)
{
    struct request *req = http->idle;
    if (req) {
        http->idle = req->next;
        http->idle_len--;
        return req;
    }
    req = base_alloc(sizeof(*req));
    easy_init(&req->easy);
    return req;
}

static void free_request(struct request *req)
{
    easy_fini(&req->easy);
    free(req->body);
    free(req);
}

/* To those kept for the next one, unless these are enough. */
static void give_request(struct request *req)
{
    struct http *http = req->http;
    easy_end(&req->easy);
    err_free(req->failed);
    if (http->idle_len == IDLE_REQUESTS) {
        free_request(req);
        return;
    }
    struct request next = {
        .easy = req->easy, .body = req->body, .body_cap = req->body_cap, .next = http->idle
    };
    if (next.body_cap > KEPT_BODY_BYTES) {
        free(next.body);
        next.body = NULL;
        next.body_cap = 0;
    }
    *req = next;
    http->idle = req;
    http->idle_len++;
}

static void remove_from(struct request **list, const struct request *req)
{
    while (*list && *list != req)
        list = &(*list)->next;
    if (*list)
        *list = req->next;
}

static void append_to(struct request **list, struct request *req)
{
    while (*list)
        list = &(*list)->next;
    req->next = NULL;
    *list = req;
}

static void arm_timer(struct request *req);

static void on_deadline(void *ctx)
{
    struct request *req = ctx;
    req->timer = 0;
    int64_t now = loop_now_ms(req->http->loop);
    bool is_over = req->timeout_ms > 0 && now - req->started_ms >= req->timeout_ms;
    bool is_idle = req->idle_ms > 0 && now - req->active_ms >= req->idle_ms;
    if (!is_over && !is_idle) {
        arm_timer(req);
        return;
    }
    /* Timers come before sockets in a turn. After a turn that took long, the answer may be there and only be unread. */
    if (!req->is_overdue) {
        req->is_overdue = true;
        req->timer = loop_after(req->http->loop, 1, on_deadline, req);
        return;
    }
    char why[80];
    if (is_over)
        (void)snprintf(why, sizeof(why), "no complete answer within %g s",
                       (double)req->timeout_ms / 1000);
    else
        (void)snprintf(why, sizeof(why), "nothing came for %g s", (double)req->idle_ms / 1000);
    cut_if_dead(req);
    req->cause = HTTP_TIMED_OUT;
    finish(req, easy_fail(&req->easy, ERR_TRANSIENT, why));
}

/* One timer for both bounds. Bytes that come only note the time: the timer looks at it when it fires. */
static void arm_timer(struct request *req)
{
    int64_t due = INT64_MAX;
    if (req->timeout_ms > 0)
        due = req->started_ms + req->timeout_ms;
    if (req->idle_ms > 0)
        due = MIN_OF(due, req->active_ms + req->idle_ms);
    req->is_overdue = false;
    if (due != INT64_MAX) {
        int64_t in_ms = due - loop_now_ms(req->http->loop);
        req->timer = loop_after(req->http->loop, MAX_OF(in_ms, 1), on_deadline, req);
    }
}

static void run(struct request *req)
{
    req->state = REQUEST_RUNNING;
    ASSERT(curl_multi_add_handle(req->lane->multi, req->easy.curl) == CURLM_OK);
}

/* One per turn: what its callback starts and fails at once, too, comes in a turn of its own. */
static void on_late(void *ctx)
{
    struct http *http = ctx;
    struct request *req = http->late;
    http->late_timer = 0;
    if (!req)
        return;
    http->late = req->next;
    if (http->late)
        http->late_timer = loop_after(http->loop, 0, on_late, http);
    finish(req, STEAL(req->failed));
}

static enum http_cause cause_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMED_OUT;
    case CURLE_COULDNT_RESOLVE_HOST: return HTTP_NO_SUCH_HOST;
    case CURLE_OK: /* it ended in the middle of the head */
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE: return HTTP_CLOSED;
    default: return HTTP_OTHER;
    }
}

/* What an error says behind the method and the URL. */
static const char *why_of(const struct request *req, const struct err *e)
{
    const char *text = err_text(e), *url = req->easy.url.shown ? req->easy.url.shown : "";
    size_t method = strlen(req->easy.method), len = method + 1 + strlen(url);
    bool is_usual = strlen(text) > len + 2 && strncmp(text, req->easy.method, method) == 0 &&
                    strncmp(text + method + 1, url, strlen(url)) == 0 &&
                    strncmp(text + len, ": ", 2) == 0;
    return is_usual ? text + len + 2 : text;
}

/* Tells the caller, then takes the request back. It is out of the table first: a ticket kept by mistake finds nothing. */
static void finish(struct request *req, struct err *e)
{
    struct http *http = req->http;
    loop_cancel(http->loop, req->timer);
    tickets_remove(&http->table, req->id);
    long version = 0;
    (void)curl_easy_getinfo(req->easy.curl, CURLINFO_HTTP_VERSION, &version);
    if (req->state == REQUEST_RUNNING)
        ASSERT(curl_multi_remove_handle(req->lane->multi, req->easy.curl) == CURLM_OK);
    SCOPED(err_free) struct err *failed = e;
    struct http_result result = {
        .err = failed,
        .cause = failed ? req->cause : HTTP_OTHER,
        .why = why_of(req, failed),
        .status = req->easy.is_head_done ? req->easy.status : 0,
        .body = req->body_len ? req->body : "",
        .body_len = req->body_len,
        .headers = &req->easy.head,
        .http_version = version >= CURL_HTTP_VERSION_2_0 ? 2 : 1,
        .os_error = failed ? (int)req->os_error : 0,
    };
    http->is_telling = true;
    req->done(req->ctx, &result);
    http->is_telling = false;
    give_request(req);
}

static void follow(struct request *req)
{
    ASSERT(curl_multi_remove_handle(req->lane->multi, req->easy.curl) == CURLM_OK);
    req->body_len = 0;
    struct err *e = easy_redirect(&req->easy);
    if (!e) {
        run(req);
        return;
    }
    req->state = REQUEST_LATE;
    finish(req, e);
}

static void on_request_done(struct request *req, CURLcode code)
{
    if (req->failed) {
        finish(req, STEAL(req->failed));
    } else if (easy_is_redirect(&req->easy)) {
        follow(req);
    } else {
        req->cause = cause_of(code);
        if (code == CURLE_COULDNT_CONNECT) /* else it is of an address that was tried before */
            (void)curl_easy_getinfo(req->easy.curl, CURLINFO_OS_ERRNO, &req->os_error);
        finish(req, easy_error(&req->easy, code));
    }
}

static void read_messages(struct lane *lane)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(lane->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *req = NULL;
        CURLcode code = message->data.result;
        ASSERT(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &req) == CURLE_OK);
        on_request_done((struct request *)(void *)req, code);
    }
}

/* Catches up on what had to wait until libcurl returned, then tells what is finished. */
static void after_curl(struct http *http)
{
    while (http->dropped) {
        struct request *req = http->dropped;
        http->dropped = req->next;
        ASSERT(curl_multi_remove_handle(req->lane->multi, req->easy.curl) == CURLM_OK);
        give_request(req);
    }
    while (http->waiting) {
        struct request *req = http->waiting;
        http->waiting = req->next;
        run(req);
    }
    read_messages(http->requests);
    read_messages(http->streams);
}

/* --- the interface */

struct http *http_new(struct loop *loop, const struct http_opts *opts)
{
    struct http *http = base_alloc(sizeof(*http));
    http->loop = loop;
    http->user_agent =
        base_copy_text(opts && opts->user_agent ? opts->user_agent : "serin/" SERIN_VERSION);
    long per_host = opts && opts->connections_per_host > 0 ? opts->connections_per_host : PER_HOST;
    long total = opts && opts->connections > 0 ? opts->connections : TOTAL;
    http->requests = new_lane(http, per_host, total, total);
    http->streams = new_lane(http, 0, 0, STREAM_CONNECTIONS_KEPT);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    ASSERT(!http->is_in_curl && !http->is_telling);
    struct request *req;
    while ((req = tickets_any(&http->table)))
        http_cancel(http, req->id);
    while ((req = http->idle)) {
        http->idle = req->next;
        free_request(req);
    }
    loop_cancel(http->loop, http->late_timer);
    free_lane(http->requests);
    free_lane(http->streams);
    tickets_fini(&http->table);
    free(http->user_agent);
    free(http);
}

static void fill_request(struct request *req, const struct http_request *from)
{
    struct http *http = req->http;
    req->on_bytes = from->on_bytes;
    req->on_headers = from->on_headers;
    req->stream_ctx = from->stream_ctx;
    req->timeout_ms = from->timeout_ms;
    req->idle_ms = from->idle_ms;
    req->limit_bytes = from->limit_bytes ? from->limit_bytes : LIMIT_BYTES;
    req->started_ms = req->active_ms = loop_now_ms(http->loop);
    req->lane = from->own_connection ? http->streams : http->requests;
    CURL *curl = req->easy.curl;
    ASSERT(curl_easy_setopt(curl, CURLOPT_PRIVATE, req) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_HEADERDATA, req) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_WRITEDATA, req) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_PREREQDATA, req) == CURLE_OK);
}

ticket http_start(struct http *http, const struct http_request *request, http_done_fn done,
                  void *ctx)
{
    struct request *req = take_request(http);
    req->http = http;
    req->done = done;
    req->ctx = ctx;
    req->id = tickets_add(&http->table, req);
    fill_request(req, request);
    struct easy_spec spec = { .request = request, .user_agent = http->user_agent };
    req->failed = easy_prepare(&req->easy, &spec);
    if (req->failed) {
        req->state = REQUEST_LATE;
        append_to(&http->late, req);
        if (!http->late_timer)
            http->late_timer = loop_after(http->loop, 0, on_late, http);
        return req->id;
    }
    arm_timer(req);
    if (http->is_in_curl) {
        req->state = REQUEST_WAITING;
        append_to(&http->waiting, req);
    } else {
        run(req);
    }
    return req->id;
}

void http_cancel(struct http *http, ticket request)
{
    struct request *req = tickets_find(&http->table, request);
    if (!req)
        return;
    tickets_remove(&http->table, request);
    loop_cancel(http->loop, req->timer);
    switch (req->state) {
    case REQUEST_LATE: remove_from(&http->late, req); break;
    case REQUEST_WAITING: remove_from(&http->waiting, req); break;
    case REQUEST_DROPPED: return; /* not in the table: cannot be found */
    case REQUEST_RUNNING:
        if (http->is_in_curl) {
            req->state = REQUEST_DROPPED;
            append_to(&http->dropped, req);
            return;
        }
        ASSERT(curl_multi_remove_handle(req->lane->multi, req->easy.curl) == CURLM_OK);
        break;
    }
    give_request(req);
}

size_t http_in_flight(const struct http *http)
{
    return http->table.live;
}

const char *http_header(const struct http_result *result, const char *name)
{
    return easy_find_header(result->headers, name);
}
