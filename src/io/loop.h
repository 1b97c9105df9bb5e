/* io/loop.h - the one loop that owns all state: timers, signals, turns. Over libuv.
 * Effects:   reads the clocks; runs callbacks.
 * Ownership: the loop owns its timers; a ticket names one, 0 names none. Cancelling a ticket that has fired is harmless.
 * Units:     milliseconds. */
#ifndef SERIN_IO_LOOP_H
#define SERIN_IO_LOOP_H

#include "base/base.h"
#include "base/err.h"

struct loop;
typedef uint64_t ticket; /* 0: none */

/* Also has the process ignore SIGPIPE (loop_ignore_sigpipe), unless it handles it: a peer that is gone is an error. */
struct loop *loop_new(void);
void loop_free(struct loop *loop); /* everything started on it must have been stopped */
DEFINE_SCOPED(struct loop, loop_free)

/* Until loop_stop, or nothing is left to wait for (signals that may come are nothing to wait for). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
bool loop_turn(
    struct loop *loop,
    int64_t wait_ms); /* one turn, waiting at most so long; false when nothing is left (tests) */

int64_t loop_now_ms(const struct loop *loop);  /* CLOCK_MONOTONIC; the same for a whole turn */
int64_t loop_wall_ms(const struct loop *loop); /* Unix time, read now */
int64_t loop_wall_ns(const struct loop *loop);
uint32_t loop_random(struct loop *loop); /* for jitter; not for secrets */

/* Calls fn once, in a later turn, after so many milliseconds (0: the next turn). */
ticket loop_after(struct loop *loop, int64_t after_ms, void (*fn)(void *ctx), void *ctx);
void loop_cancel(struct loop *loop, ticket timer);

/* Calls fn in the loop for each arrival of the signal. */
void loop_on_signal(struct loop *loop, int signal_number, void (*fn)(void *ctx, int signal_number),
                    void *ctx);

/* For the other files of io/ only. */
struct uv_loop_s;
struct uv_loop_s *loop_uv(struct loop *loop);
void loop_ignore_sigpipe(void);

#endif
