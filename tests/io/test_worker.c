#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/worker.h"

#define STACK_BYTES ((size_t)1 << 20)

struct job {
    struct workers *workers;
    struct loop *loop;
    pthread_t thread;
    int number, *order, *order_len;
    int64_t sleep_ms;
    bool is_worked, is_done, blocks_signals;
};

static void on_work(void *ctx)
{
    struct job *job = ctx;
    job->thread = pthread_self();
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    job->blocks_signals = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1);
    nanosleep(&(struct timespec){ .tv_nsec = job->sleep_ms * 1000000 }, NULL);
    job->is_worked = true;
}

static void on_done(void *ctx)
{
    struct job *job = ctx;
    assert_true(job->is_worked);
    assert_false(job->is_done);
    job->is_done = true;
    if (job->order)
        job->order[(*job->order_len)++] = job->number;
}

static void a_job_works_elsewhere_and_is_done_on_the_loop(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 2, STACK_BYTES);
    struct job job = { .loop = loop };
    worker_start(workers, on_work, on_done, &job);
    assert_int_equal(worker_pending(workers), 1);
    assert_false(job.is_done);
    loop_run(loop); /* ends when nothing is pending */
    assert_true(job.is_done);
    assert_int_equal(worker_pending(workers), 0);
    assert_false(pthread_equal(job.thread, pthread_self()));
    assert_true(job.blocks_signals);
}

static void jobs_of_one_worker_keep_their_order(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 1, STACK_BYTES);
    int order[100], len = 0;
    struct job jobs[100];
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct job){ .number = i, .order = order, .order_len = &len };
        worker_start(workers, on_work, on_done, &jobs[i]);
    }
    loop_run(loop);
    assert_int_equal(len, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(order[i], i);
}

static void a_long_job_does_not_hold_up_the_other_worker(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 2, STACK_BYTES);
    int order[5], len = 0;
    struct job jobs[5];
    for (int i = 0; i < 5; i++) {
        jobs[i] = (struct job){
            .number = i, .order = order, .order_len = &len, .sleep_ms = i == 0 ? 300 : 1
        };
        worker_start(workers, on_work, on_done, &jobs[i]);
    }
    loop_run(loop);
    assert_int_equal(len, 5);
    assert_int_equal(order[4], 0);
}

static void on_start_next(void *ctx)
{
    struct job *job = ctx;
    if (++job->number < 20)
        worker_start(job->workers, on_work, on_start_next, job);
}

static void a_done_job_may_start_the_next(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 2, STACK_BYTES);
    struct job job = { .workers = workers };
    worker_start(workers, on_work, on_start_next, &job);
    loop_run(loop);
    assert_int_equal(job.number, 20);
}

static void freeing_the_workers_waits_for_the_running_job_and_drops_the_rest(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct workers *workers = worker_new(loop, 1, STACK_BYTES);
    struct job jobs[3] = { { .sleep_ms = 100 }, { 0 }, { 0 } };
    for (int i = 0; i < 3; i++)
        worker_start(workers, on_work, on_done, &jobs[i]);
    nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    worker_free(workers);
    loop_run(loop);
    assert_true(jobs[0].is_worked);
    assert_false(jobs[2].is_worked);
    for (int i = 0; i < 3; i++)
        assert_false(jobs[i].is_done);
}

static void idle_workers_do_not_keep_the_loop(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 4, STACK_BYTES);
    assert_int_equal(worker_pending(workers), 0);
    loop_run(loop);
    assert_false(loop_turn(loop, 10));
}

static void on_deep(void *ctx)
{
    struct job *job = ctx;
    volatile char *deep = alloca(6 << 20);
    for (size_t i = 0; i < (6 << 20); i += 4096)
        deep[i] = 1;
    job->is_worked = deep[4096] == 1;
}

static void a_worker_has_the_stack_it_was_given(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 1, (size_t)8 << 20);
    struct job job = { 0 };
    worker_start(workers, on_deep, on_done, &job);
    loop_run(loop);
    assert_true(job.is_done);
}

struct counter {
    struct workers *workers;
    long *values; /* each job writes its own, on a worker; the loop reads it after done */
    long sum, started, done;
};
struct part {
    struct counter *counter;
    long value;
};

static void on_part(void *ctx)
{
    struct part *part = ctx;
    part->value *= 2;
}

static void on_part_done(void *ctx)
{
    struct part *part = ctx;
    struct counter *counter = part->counter;
    counter->sum += part->value;
    counter->done++;
    if (counter->started < 5000) {
        part->value = counter->started++;
        worker_start(counter->workers, on_part, on_part_done, part);
    }
}

static void five_thousand_jobs_on_four_workers_lose_nothing(void **state)
{
    (void)state;
    SCOPED(loop_free) struct loop *loop = loop_new();
    SCOPED(worker_free) struct workers *workers = worker_new(loop, 4, STACK_BYTES);
    struct counter counter = { .workers = workers };
    struct part parts[64];
    for (size_t i = 0; i < 64; i++) {
        parts[i] = (struct part){ .counter = &counter, .value = counter.started++ };
        worker_start(workers, on_part, on_part_done, &parts[i]);
    }
    loop_run(loop);
    assert_int_equal(counter.done, 5000);
    assert_int_equal(counter.sum, 2 * (4999L * 5000 / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_works_elsewhere_and_is_done_on_the_loop),
        cmocka_unit_test(jobs_of_one_worker_keep_their_order),
        cmocka_unit_test(a_long_job_does_not_hold_up_the_other_worker),
        cmocka_unit_test(a_done_job_may_start_the_next),
        cmocka_unit_test(freeing_the_workers_waits_for_the_running_job_and_drops_the_rest),
        cmocka_unit_test(idle_workers_do_not_keep_the_loop),
        cmocka_unit_test(a_worker_has_the_stack_it_was_given),
        cmocka_unit_test(five_thousand_jobs_on_four_workers_lose_nothing),
    };
    return cmocka_run_group_tests_name("io/worker", tests, NULL, NULL);
}
