/* canary/notify/post.h - one message to a webhook or a chat, with its attempts.
 * Effects:   network through io/http, on connections of their own: receivers that are slow keep nobody else waiting.
 * Ownership: a request is borrowed until done was called or the post cancelled.
 * Units:     milliseconds.
 * Reference: canary.md 10.2, 10.3, 11.3. */
#ifndef SERIN_CANARY_NOTIFY_POST_H
#define SERIN_CANARY_NOTIFY_POST_H

#include "io/http.h"

enum post_rules {
    POST_HOOK,   /* statuses up to 202 pass; failures are tried again */
    POST_REPORT, /* the same; the fault is for the log, so without the query of the URL */
    POST_ALERT,  /* 2xx pass; one attempt; nothing of the address in the fault */
};

struct post_request {
    enum post_rules rules;
    const char *url, *body;
    const char *token; /* Authorization: Bearer; "" none */
    const char *proxy; /* NULL: of the environment; "": none */
    bool is_insecure;  /* any certificate will do, and no proxy */
    int64_t timeout_ms, retries, delay_ms;
};
struct post_request post_copy(const struct post_request *request); /* on the heap */
void post_fini(struct post_request *copy);

struct post;
/* Once, in a later turn; `fault` is NULL when it was taken. The post is gone then. */
typedef void (*post_done)(void *ctx, const char *fault);
struct post *post_start(struct loop *loop, struct http *http, const struct post_request *request,
                        post_done done, void *ctx);
void post_cancel(struct post *post); /* NULL is fine */

#endif
