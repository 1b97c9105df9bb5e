#include "io/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "io/easy.h"
#include "io/loop.h"

/* A multi handle with one easy handle, driven by the reader: what came and was not read yet is at most BUFFER_BYTES and one
 * piece of libcurl's; then the transfer is paused, so that the server waits for the reader. */
#define BUFFER_BYTES ((size_t)256 << 10)
#define LIMIT_BYTES  ((size_t)16 << 20)
#define POLL_MS      1000

struct stream {
    struct easy easy;
    CURLM *multi;
    int64_t deadline_ms;
    size_t limit, total; /* of the body, decoded */
    char *buffer;
    size_t at, len, cap; /* unread: at to len */
    bool is_paused, is_running;
    CURLcode code;      /* once it is not running */
    struct err *failed; /* why a callback of ours ended it */
};

int64_t stream_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct stream *stream = ctx;
    if (easy_take_header(&stream->easy, line, size * count) != EASY_HEAD_TOO_BIG)
        return size * count;
    if (!stream->failed)
        stream->failed =
            easy_fail(&stream->easy, ERR_LIMIT, "the headers of the answer are over 256 KiB");
    return 0;
}

static bool is_success(const struct stream *stream)
{
    return stream->easy.status >= 200 && stream->easy.status <= 299;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct stream *stream = ctx;
    size_t len = size * count;
    if (stream->failed) /* libcurl may call once more, with what it kept while it was paused */
        return 0;
    if (!is_success(stream))
        return easy_is_redirect(&stream->easy) ? len : 0; /* the status says enough */
    if (stream->len - stream->at >= BUFFER_BYTES) {
        stream->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > stream->limit - stream->total) {
        char why[80];
        (void)snprintf(why, sizeof(why), "the answer is over %zu bytes", stream->limit);
        stream->failed = easy_fail(&stream->easy, ERR_LIMIT, why);
        return 0;
    }
    if (stream->at > 0) {
        memmove(stream->buffer, stream->buffer + stream->at, stream->len - stream->at);
        stream->len -= stream->at;
        stream->at = 0;
    }
    if (stream->len + len > stream->cap) {
        stream->cap = MAX_OF(stream->len + len, stream->cap * 2);
        stream->buffer = base_realloc(stream->buffer, stream->cap);
    }
    memcpy(stream->buffer + stream->len, bytes, len);
    stream->len += len;
    stream->total += len;
    return len;
}

static void set_running(struct stream *stream, bool is_running)
{
    if (is_running == stream->is_running)
        return;
    stream->is_running = is_running;
    ASSERT((is_running ? curl_multi_add_handle(stream->multi, stream->easy.curl)
                       : curl_multi_remove_handle(stream->multi, stream->easy.curl)) == CURLM_OK);
}

static void read_messages(struct stream *stream)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(stream->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        stream->code = message->data.result;
        set_running(stream, false);
        return; /* there is one handle */
    }
}

/* One round: lets libcurl work, and waits for the network when nothing came of it. */
static struct err *turn(struct stream *stream)
{
    int64_t left_ms = stream->deadline_ms ? stream->deadline_ms - stream_now_ms() : POLL_MS;
    if (left_ms <= 0)
        return easy_fail(&stream->easy, ERR_TRANSIENT, "no complete answer before the deadline");
    if (stream->is_paused && stream->at == stream->len) {
        stream->is_paused = false;
        (void)curl_easy_pause(stream->easy.curl,
                              CURLPAUSE_CONT); /* a failure is the transfer's, reported as such */
    }
    int running;
    ASSERT(curl_multi_perform(stream->multi, &running) == CURLM_OK);
    read_messages(stream);
    if (stream->failed)
        return STEAL(stream->failed);
    if (stream->is_running && stream->at == stream->len)
        ASSERT(curl_multi_poll(stream->multi, NULL, 0, (int)MIN_OF(left_ms, POLL_MS), NULL) ==
               CURLM_OK);
    return NULL;
}

static enum err_kind kind_of(int status)
{
    if (status == 401 || status == 403 || status == 407)
        return ERR_DENIED;
    if (status == 404 || status == 410)
        return ERR_NOT_FOUND;
    return status == 408 || status == 429 || status >= 500 ? ERR_TRANSIENT : ERR_INVALID;
}

/* A Retry-After may be a date. */
static int64_t wall_ms(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct err *check_status(const struct stream *stream)
{
    if (is_success(stream))
        return NULL;
    char why[32];
    (void)snprintf(why, sizeof(why), "status %d", stream->easy.status);
    struct err *e = easy_fail(&stream->easy, kind_of(stream->easy.status), why);
    bool is_throttled = stream->easy.status == 429 || stream->easy.status == 503;
    const char *after = is_throttled ? easy_find_header(&stream->easy.head, "Retry-After") : NULL;
    return err_with_retry_after(e, time_parse_retry_after(after, wall_ms()));
}

/* Until the head is there, and that of a redirect with all of its body. */
static struct err *read_head(struct stream *stream)
{
    set_running(stream, true);
    while (stream->is_running && (!stream->easy.is_head_done || easy_is_redirect(&stream->easy)))
        TRY(turn(stream));
    return stream->easy.is_head_done ? NULL : easy_error(&stream->easy, stream->code);
}

static struct err *open_answer(struct stream *stream)
{
    TRY(read_head(stream));
    while (easy_is_redirect(&stream->easy)) {
        TRY(easy_redirect(&stream->easy));
        TRY(read_head(stream));
    }
    return check_status(stream);
}

static struct err *prepare(struct stream *stream, const struct stream_request *from)
{
    size_t count = 0;
    while (from->headers && from->headers[count])
        count++;
    const char **headers = base_alloc((count + 2) * sizeof(*headers));
    if (count)
        memcpy(headers, from->headers, count * sizeof(*headers));
    char *bearer = NULL;
    if (from->bearer) {
        ASSERT(asprintf(&bearer, "Authorization: Bearer %s", from->bearer) >= 0);
        headers[count] = bearer;
    }
    struct http_request request = { .method = from->method,
                                    .url = from->url,
                                    .headers = headers,
                                    .body = from->body,
                                    .body_len = from->body_len,
                                    .tls = from->tls,
                                    .proxy = from->proxy,
                                    .follow_redirects = from->follow_redirects,
                                    .wants_gzip = true };
    struct easy_spec spec = { .request = &request,
                              .user_agent = "serin/" SERIN_VERSION,
                              .user = from->user,
                              .password = from->password };
    struct err *e = easy_prepare(&stream->easy, &spec);
    free(bearer);
    free(headers);
    return e;
}

struct err *stream_open(const struct stream_request *request, struct stream **out)
{
    loop_ignore_sigpipe();
    SCOPED(stream_free) struct stream *stream = base_alloc(sizeof(*stream));
    stream->deadline_ms = request->deadline_ms;
    stream->limit = request->limit_bytes ? request->limit_bytes : LIMIT_BYTES;
    stream->multi = curl_multi_init();
    ASSERT(stream->multi);
    easy_init(&stream->easy);
    TRY(prepare(stream, request));
    CURL *curl = stream->easy.curl;
    ASSERT(curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_HEADERDATA, stream) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK);
    ASSERT(curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream) == CURLE_OK);
    TRY(open_answer(stream));
    *out = STEAL(stream);
    return NULL;
}

struct err *stream_read(struct stream *stream, void *buffer, size_t size, size_t *out_len)
{
    *out_len = 0;
    while (stream->at == stream->len) {
        if (!stream->is_running)
            return easy_error(&stream->easy, stream->code);
        TRY(turn(stream));
    }
    size_t len = MIN_OF(size, stream->len - stream->at);
    memcpy(buffer, stream->buffer + stream->at, len);
    stream->at += len;
    *out_len = len;
    return NULL;
}

const char *stream_content_type(const struct stream *stream)
{
    const char *type = easy_find_header(&stream->easy.head, "Content-Type");
    return type ? type : "";
}

const char *stream_url(const struct stream *stream)
{
    return stream->easy.url.full;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    set_running(stream, false);
    easy_fini(&stream->easy);
    ASSERT(curl_multi_cleanup(stream->multi) == CURLM_OK);
    err_free(stream->failed);
    free(stream->buffer);
    free(stream);
}
