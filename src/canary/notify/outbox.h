/* canary/notify/outbox.h - messages that nobody waits for: delivered in the background, in order, or dropped with a word.
 * Effects:   network through notify/post.h.
 * Ownership: everything is copied.
 * Units:     bytes, letters.
 *
 *     put ──► queue of its key ──► one at a time of each queue, 64 in all ──► delivered, or logged */
#ifndef SERIN_CANARY_NOTIFY_OUTBOX_H
#define SERIN_CANARY_NOTIFY_OUTBOX_H

#include "canary/notify/post.h"

#define OUTBOX_QUEUE_MAX   1000
#define OUTBOX_BYTES       ((size_t)8 << 20)
#define OUTBOX_AT_ONCE_MAX 64

struct outbox;
struct outbox_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    const char *what; /* "events": for the log; static */
};
struct outbox *outbox_new(const struct outbox_opts *opts);
void outbox_free(struct outbox *outbox); /* what waits is lost */

struct outbox_letter {
    const char *key;  /* letters of one key stay in order, and do not wait for others */
    const char *from; /* NAME.NAMESPACE of the Canary */
    const char *lead; /* of the log line when it cannot be delivered; the fault follows */
    struct post_request post;
};
/* When the queue is full, or all of them together hold too much, the oldest letter of this key is lost. */
void outbox_put(struct outbox *outbox, const struct outbox_letter *letter);
size_t outbox_waiting(const struct outbox *outbox); /* those on their way included */

#endif
