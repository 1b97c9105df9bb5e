#include "http_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *http_peer_url(const char *base, int port, const char *path)
{
    char *url = NULL;
    ASSERT(asprintf(&url, "%s:%d%s", base, port, path) > 0);
    return url;
}

static char *copy(const char *text)
{
    return base_copy_text(text ? text : "");
}

static void on_done(void *ctx, const struct http_result *result)
{
    struct answer *answer = ctx;
    ASSERT(!answer->is_done && strlen(result->body) <= result->body_len);
    *answer = (struct answer){ .is_done = true,
                               .status = result->status,
                               .http_version = result->http_version,
                               .kind = result->err ? err_kind(result->err) : HTTP_PEER_NO_ERROR,
                               .cause = result->cause,
                               .error = copy(err_text(result->err)),
                               .why = copy(result->why),
                               .body = copy(result->body),
                               .body_len = result->body_len,
                               .content_type = copy(http_header(result, "content-TYPE")),
                               .encoding = copy(http_header(result, "Content-Encoding")) };
}

ticket http_peer_start(struct http *http, const struct http_request *request, struct answer *answer)
{
    ticket id = http_start(http, request, on_done, answer);
    ASSERT(id != 0 && !answer->is_done);
    return id;
}

void http_peer_wait(struct loop *loop, struct answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!answers[i].is_done) {
            bool is_alive = loop_turn(loop, 60000);
            ASSERT(is_alive || answers[i].is_done);
        }
    }
}

struct answer *http_peer_ask(struct loop *loop, struct http *http,
                             const struct http_request *request)
{
    struct answer *answer = base_alloc(sizeof(*answer));
    http_peer_start(http, request, answer);
    http_peer_wait(loop, answer, 1);
    return answer;
}

int http_peer_number(const struct answer *answer, const char *before)
{
    const char *at = answer->body ? strstr(answer->body, before) : NULL;
    return at ? atoi(at + strlen(before)) : -1;
}

void http_peer_fini(struct answer *answer)
{
    free(answer->error);
    free(answer->why);
    free(answer->body);
    free(answer->content_type);
    free(answer->encoding);
    *answer = (struct answer){ 0 };
}

void http_peer_free(struct answer *answer)
{
    http_peer_fini(answer);
    free(answer);
}
