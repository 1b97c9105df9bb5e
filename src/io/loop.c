#include "io/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

#include "io/tickets.h"

/* One loop_after. With a delay it is a timer of libuv; without one it waits in the loop's queue of what comes next, since a
 * libuv timer of 0 ms that is started by a timer may run in the same turn. */
struct timer {
    uv_timer_t uv; /* only of timers with a delay */
    struct loop *loop;
    ticket id;
    void (*fn)(void *ctx);
    void *ctx;
    struct timer *next; /* in the queue */
    bool is_queued;
};

struct signal {
    uv_signal_t uv;
    void (*fn)(void *ctx, int signal_number);
    void *ctx;
    struct signal *next;
};

struct loop {
    uv_loop_t uv;
    uv_idle_t idle;   /* runs while something is queued: the poll for events does not wait then */
    uv_timer_t guard; /* bounds loop_turn */
    struct tickets timers;
    struct timer *queue, **queue_end;
    struct signal *signals;
    uint64_t random;
    bool is_running; /* in loop_run or loop_turn: the time is that of the turn */
};

void loop_ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        now = (struct sigaction){ .sa_handler = SIG_IGN };
        (void)sigaction(SIGPIPE, &now, NULL);
    }
}

struct loop *loop_new(void)
{
    struct loop *loop = base_alloc(sizeof(*loop));
    ASSERT(uv_loop_init(&loop->uv) == 0);
    ASSERT(uv_idle_init(&loop->uv, &loop->idle) == 0);
    ASSERT(uv_timer_init(&loop->uv, &loop->guard) == 0);
    uv_unref((uv_handle_t *)&loop->guard);
    loop->queue_end = &loop->queue;
    if (getrandom(&loop->random, sizeof(loop->random), 0) != sizeof(loop->random))
        loop->random = uv_hrtime();
    loop->random |= 1;
    loop_ignore_sigpipe();
    return loop;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The memory of a libuv timer is given back in its close callback, that of a queued one when the queue gets to it. */
static void forget_timer(struct timer *timer)
{
    tickets_remove(&timer->loop->timers, timer->id);
    timer->fn = NULL;
    if (!timer->is_queued)
        uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

static void close_signals(struct loop *loop)
{
    while (loop->signals) {
        struct signal *signal = loop->signals;
        loop->signals = signal->next;
        uv_close((uv_handle_t *)&signal->uv, on_timer_closed);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    struct timer *timer;
    while ((timer = tickets_any(&loop->timers)))
        forget_timer(timer);
    while (loop->queue) {
        timer = loop->queue;
        loop->queue = timer->next;
        free(timer);
    }
    close_signals(loop);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->guard, NULL);
    while (uv_run(&loop->uv, UV_RUN_NOWAIT) != 0)
        ;
    ASSERT(uv_loop_close(&loop->uv) == 0 && "something on the loop was not stopped");
    tickets_fini(&loop->timers);
    free(loop);
}

void loop_run(struct loop *loop)
{
    loop->is_running = true;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->is_running = false;
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard; /* it woke the loop: that was its task */
}

bool loop_turn(struct loop *loop, int64_t wait_ms)
{
    uv_update_time(&loop->uv);
    ASSERT(uv_timer_start(&loop->guard, on_guard, (uint64_t)MAX_OF(wait_ms, 0), 0) == 0);
    loop->is_running = true;
    bool is_alive = uv_run(&loop->uv, wait_ms > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    loop->is_running = false;
    uv_timer_stop(&loop->guard);
    return is_alive;
}

int64_t loop_now_ms(const struct loop *loop)
{
    /* Between turns the time of the last one is old. It is brought up to date and not read from another clock: libuv's may
     * be some milliseconds behind, and times are compared with each other. */
    uv_loop_t *uv = (uv_loop_t *)(uintptr_t)&loop->uv; /* only what it caches changes */
    if (!loop->is_running)
        uv_update_time(uv);
    return (int64_t)uv_now(uv);
}

int64_t loop_wall_ns(const struct loop *loop)
{
    (void)loop;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t loop_wall_ms(const struct loop *loop)
{
    return loop_wall_ns(loop) / 1000000;
}

uint32_t loop_random(struct loop *loop)
{
    /* xorshift64*: good enough for jitter. */
    uint64_t x = loop->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    loop->random = x;
    return (uint32_t)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

static void call_timer(struct timer *timer)
{
    void (*fn)(void *ctx) = timer->fn;
    void *ctx = timer->ctx;
    if (!fn)
        return; /* cancelled while it waited */
    forget_timer(timer);
    fn(ctx);
}

/* What the called ones queue goes into a new queue and so waits for the next turn. */
static void on_idle(uv_idle_t *idle)
{
    struct loop *loop = idle->data;
    struct timer *queue = loop->queue;
    loop->queue = NULL;
    loop->queue_end = &loop->queue;
    uv_idle_stop(&loop->idle);
    while (queue) {
        struct timer *timer = queue;
        queue = timer->next;
        call_timer(timer);
        free(timer);
    }
}

static void on_timer(uv_timer_t *handle)
{
    call_timer(handle->data);
}

static void enqueue(struct loop *loop, struct timer *timer)
{
    timer->is_queued = true;
    *loop->queue_end = timer;
    loop->queue_end = &timer->next;
    loop->idle.data = loop;
    ASSERT(uv_idle_start(&loop->idle, on_idle) == 0);
}

ticket loop_after(struct loop *loop, int64_t after_ms, void (*fn)(void *ctx), void *ctx)
{
    struct timer *timer = base_alloc(sizeof(*timer));
    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    timer->id = tickets_add(&loop->timers, timer);
    if (after_ms <= 0) {
        enqueue(loop, timer);
        return timer->id;
    }
    if (!loop->is_running)
        uv_update_time(
            &loop->uv); /* of the last turn, or of the loop's making: a timer must not count from there */
    ASSERT(uv_timer_init(&loop->uv, &timer->uv) == 0);
    timer->uv.data = timer;
    ASSERT(uv_timer_start(&timer->uv, on_timer, (uint64_t)after_ms, 0) == 0);
    return timer->id;
}

void loop_cancel(struct loop *loop, ticket timer)
{
    struct timer *found = tickets_find(&loop->timers, timer);
    if (found)
        forget_timer(found);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct signal *signal = handle->data;
    signal->fn(signal->ctx, signal_number);
}

void loop_on_signal(struct loop *loop, int signal_number, void (*fn)(void *ctx, int signal_number),
                    void *ctx)
{
    struct signal *signal = base_alloc(sizeof(*signal));
    *signal = (struct signal){ .fn = fn, .ctx = ctx, .next = loop->signals };
    loop->signals = signal;
    ASSERT(uv_signal_init(&loop->uv, &signal->uv) == 0);
    signal->uv.data = signal;
    ASSERT(uv_signal_start(&signal->uv, on_signal, signal_number) == 0);
    uv_unref((uv_handle_t *)&signal->uv); /* a signal that may come is nothing to wait for */
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}
