#include "canary/notify/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/sbuf.h"

struct letter {
    struct letter *next;
    char *from, *lead;
    struct post_request post;
    size_t bytes;
};

struct queue {
    struct outbox *outbox;
    char *key;
    struct letter *first, *last; /* the first is on its way if there is a post */
    size_t len;
    struct post *post;
    size_t dropped;     /* since it was last empty */
    bool is_ready;      /* in the list of those that wait for a place */
    struct queue *next; /* there */
};

struct outbox {
    struct outbox_opts opts;
    struct map *queues;
    struct queue *ready, **ready_end;
    size_t running, waiting, bytes;
};

/* -- letters ------------------------------------------------------------------------------------ */

static struct letter *letter_new(const struct outbox_letter *from)
{
    struct letter *letter = base_alloc(sizeof(*letter));
    letter->from = base_copy_text(from->from);
    letter->lead = base_copy_text(from->lead);
    letter->post = post_copy(&from->post);
    letter->bytes = sizeof(*letter) + strlen(from->post.url) + strlen(from->post.body);
    return letter;
}

static void letter_free(struct letter *letter)
{
    free(letter->from);
    free(letter->lead);
    post_fini(&letter->post);
    free(letter);
}

static void append(struct queue *queue, struct letter *letter)
{
    *(queue->last ? &queue->last->next : &queue->first) = letter;
    queue->last = letter;
    queue->len++;
    queue->outbox->waiting++;
    queue->outbox->bytes += letter->bytes;
}

/* Takes out the letter behind `before`; the first one for NULL. */
static void remove_after(struct queue *queue, struct letter *before)
{
    struct letter **at = before ? &before->next : &queue->first, *letter = *at;
    *at = letter->next;
    if (queue->last == letter)
        queue->last = before;
    queue->len--;
    queue->outbox->waiting--;
    queue->outbox->bytes -= letter->bytes;
    letter_free(letter);
}

/* -- queues ------------------------------------------------------------------------------------- */

static void queue_free(void *object)
{
    struct queue *queue = object;
    post_cancel(queue->post);
    while (queue->first)
        remove_after(queue, NULL);
    free(queue->key);
    free(queue);
}

static struct queue *need_queue(struct outbox *outbox, const char *key)
{
    struct queue *queue = map_get(outbox->queues, key);
    if (!queue) {
        queue = base_alloc(sizeof(*queue));
        queue->outbox = outbox;
        queue->key = base_copy_text(key);
        map_set(outbox->queues, key, queue);
    }
    return queue;
}

static void line_up(struct queue *queue)
{
    struct outbox *outbox = queue->outbox;
    if (queue->is_ready || queue->post)
        return;
    queue->is_ready = true;
    queue->next = NULL;
    *outbox->ready_end = queue;
    outbox->ready_end = &queue->next;
}

static void on_delivered(void *ctx, const char *fault);

static void start_ready(struct outbox *outbox)
{
    while (outbox->ready && outbox->running < OUTBOX_AT_ONCE_MAX) {
        struct queue *queue = outbox->ready;
        outbox->ready = queue->next;
        if (!outbox->ready)
            outbox->ready_end = &outbox->ready;
        queue->is_ready = false;
        outbox->running++;
        queue->post = post_start(outbox->opts.loop, outbox->opts.http, &queue->first->post,
                                 on_delivered, queue);
    }
}

static void end_queue(struct queue *queue, const char *from)
{
    struct outbox *outbox = queue->outbox;
    if (queue->dropped)
        log_warn(outbox->opts.log, F("component", "notify"), F("canary", from),
                 F("event", "caught up"), F("what", outbox->opts.what),
                 FI("dropped", queue->dropped));
    map_remove(outbox->queues, queue->key);
}

static void on_delivered(void *ctx, const char *fault)
{
    struct queue *queue = ctx;
    struct outbox *outbox = queue->outbox;
    struct letter *letter = queue->first;
    queue->post = NULL;
    outbox->running--;
    if (fault) {
        SBUF(text, SBUF_MAX);
        sbuf_addf(&text, "%s%s", letter->lead, fault);
        log_error(outbox->opts.log, F("component", "notify"), F("canary", letter->from),
                  F("err", sbuf_text(&text)));
    }
    if (queue->len > 1) {
        remove_after(queue, NULL);
        line_up(queue);
    } else {
        end_queue(queue, letter->from);
    }
    start_ready(outbox);
}

/* -- the interface ------------------------------------------------------------------------------ */

struct outbox *outbox_new(const struct outbox_opts *opts)
{
    struct outbox *outbox = base_alloc(sizeof(*outbox));
    outbox->opts = *opts;
    outbox->queues = map_new(queue_free);
    outbox->ready_end = &outbox->ready;
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    map_free(outbox->queues);
    free(outbox);
}

static void drop_oldest(struct queue *queue)
{
    struct outbox *outbox = queue->outbox;
    struct letter *on_its_way = queue->post ? queue->first : NULL;
    if (queue->dropped++ == 0)
        log_warn(outbox->opts.log, F("component", "notify"), F("canary", queue->first->from),
                 F("event", "dropped"), F("what", outbox->opts.what),
                 F("reason", "too many wait for a receiver that is slow or away"));
    remove_after(queue, on_its_way);
}

/* One letter alone is never too much. */
static bool is_too_much(const struct queue *queue)
{
    const struct outbox *outbox = queue->outbox;
    return queue->len > OUTBOX_QUEUE_MAX || (outbox->waiting > 1 && outbox->bytes > OUTBOX_BYTES);
}

void outbox_put(struct outbox *outbox, const struct outbox_letter *letter)
{
    struct queue *queue = need_queue(outbox, letter->key);
    append(queue, letter_new(letter));
    size_t kept = queue->post || queue->is_ready; /* that are not dropped any more */
    while (queue->len > kept && is_too_much(queue))
        drop_oldest(queue);
    if (queue->len == 0) {
        map_remove(outbox->queues, letter->key);
        return;
    }
    line_up(queue);
    start_ready(outbox);
}

size_t outbox_waiting(const struct outbox *outbox)
{
    return outbox->waiting;
}
