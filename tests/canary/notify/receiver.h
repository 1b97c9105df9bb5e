/* canary/notify/receiver.h - a webhook on loopback that answers as it is told and keeps what it got; a log that is kept.
 * Effects:   a loop, a client, a server.
 * Ownership: receiver_new to receiver_free. */
#ifndef SERIN_TESTS_CANARY_NOTIFY_RECEIVER_H
#define SERIN_TESTS_CANARY_NOTIFY_RECEIVER_H

#include "base/sbuf.h"
#include "base/vec.h"
#include "io/http.h"
#include "io/server.h"

/* What is said to requests of a path, one after the other; the last one is said again and again. */
struct reply {
    const char *path; /* all of it */
    int status;       /* 0: the request hangs until receiver_let_go */
    const char *body, *header;
    size_t filler; /* bytes of body that follow */
};

struct got {
    char *line; /* "POST /path" */
    char *type, *authorization, *body;
};

struct receiver {
    struct loop *loop;
    struct http *http;
    struct server *server;
    struct arena *mem;
    const struct reply *replies;
    size_t replies_len;
    VEC(struct got) got;
    VEC(struct server_request *) hanging;
    bool lets_go; /* nothing hangs any more */
    struct log log;
    struct sbuf lines; /* of the log */
};

struct receiver *receiver_new(void);
void receiver_free(struct receiver *receiver);
int receiver_setup(void **state); /* for cmocka */
int receiver_teardown(void **state);
void receiver_script(struct receiver *receiver, const struct reply *replies, size_t len);
const char *receiver_url(struct receiver *receiver, const char *path);
void receiver_let_go(struct receiver *receiver); /* 200 to all that hang, and to those to come */
void receiver_wait_got(struct receiver *receiver, size_t count);
/* Turns of the loop until it is true, for a minute at most. */
#define RECEIVER_UNTIL(receiver, claim)                             \
    do {                                                            \
        int64_t until_end = loop_now_ms((receiver)->loop) + 60000;  \
        while (!(claim)) {                                          \
            assert_true(loop_now_ms((receiver)->loop) < until_end); \
            loop_turn((receiver)->loop, 100);                       \
        }                                                           \
    } while (0)

#endif
