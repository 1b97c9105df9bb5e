#include "io/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <uv.h>

/* Sent to each thread that is to stop, where it stays pending: workers block all signals. */
#define STOP_SIGNAL SIGUSR2

struct job {
    void (*work)(void *job);
    void (*done)(void *job);
    void *job;
    struct job *next;
};

struct queue {
    struct job *first, **end;
};

struct workers {
    uv_async_t wake; /* keeps the loop alive while jobs are pending only */
    size_t pending;  /* started, not yet done: the loop's */
    int thread_count;
    pthread_t *threads;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct queue waiting, finished;
    bool is_stopping;
};

static void push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *(queue->first ? queue->end : &queue->first) = job;
    queue->end = &job->next;
}

static struct job *pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job)
        queue->first = job->next;
    return job;
}

/* The next job, waiting for one; NULL when the workers stop. */
static struct job *next_job(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    while (!workers->waiting.first && !workers->is_stopping)
        pthread_cond_wait(&workers->more, &workers->lock);
    struct job *job = workers->is_stopping ? NULL : pop(&workers->waiting);
    pthread_mutex_unlock(&workers->lock);
    return job;
}

static void *run_thread(void *arg)
{
    struct workers *workers = arg;
    struct job *job;
    while ((job = next_job(workers))) {
        job->work(job->job);
        pthread_mutex_lock(&workers->lock);
        push(&workers->finished, job);
        pthread_mutex_unlock(&workers->lock);
        ASSERT(uv_async_send(&workers->wake) == 0);
    }
    return NULL;
}

/* Takes what is finished at once and lets the callbacks run without the lock. A callback may start more jobs; it must not
 * free the workers. */
static void on_wake(uv_async_t *wake)
{
    struct workers *workers = wake->data;
    pthread_mutex_lock(&workers->lock);
    struct queue finished = workers->finished;
    workers->finished.first = NULL;
    pthread_mutex_unlock(&workers->lock);
    struct job *job;
    while ((job = pop(&finished))) {
        void (*done)(void *) = job->done;
        void *ctx = job->job;
        free(job);
        if (--workers->pending == 0)
            uv_unref((uv_handle_t *)wake);
        done(ctx);
    }
}

/* Signals are the loop thread's: a worker blocks all of them. */
static void start_thread(struct workers *workers, const pthread_attr_t *attr)
{
    sigset_t all, before;
    sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t *thread = &workers->threads[workers->thread_count];
    ASSERT(pthread_create(thread, attr, run_thread, workers) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    (void)pthread_setname_np(*thread, "serin-worker");
    workers->thread_count++;
}

struct workers *worker_new(struct loop *loop, int threads, size_t stack_bytes)
{
    ASSERT(threads > 0);
    struct workers *workers = base_alloc(sizeof(*workers));
    workers->threads = base_alloc((size_t)threads * sizeof(*workers->threads));
    ASSERT(pthread_mutex_init(&workers->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&workers->more, NULL) == 0);
    ASSERT(uv_async_init(loop_uv(loop), &workers->wake, on_wake) == 0);
    workers->wake.data = workers;
    uv_unref((uv_handle_t *)&workers->wake);
    pthread_attr_t attr;
    ASSERT(pthread_attr_init(&attr) == 0);
    if (stack_bytes)
        ASSERT(pthread_attr_setstacksize(&attr, stack_bytes) == 0);
    while (workers->thread_count < threads)
        start_thread(workers, &attr);
    pthread_attr_destroy(&attr);
    return workers;
}

static void drop_jobs(struct queue *queue)
{
    struct job *job;
    while ((job = pop(queue)))
        free(job);
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void worker_free(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    pthread_cond_broadcast(&workers->more);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->thread_count; i++)
        (void)pthread_kill(workers->threads[i], STOP_SIGNAL);
    for (int i = 0; i < workers->thread_count; i++)
        ASSERT(pthread_join(workers->threads[i], NULL) == 0);
    drop_jobs(&workers->waiting);
    drop_jobs(&workers->finished);
    pthread_mutex_destroy(&workers->lock);
    pthread_cond_destroy(&workers->more);
    free(workers->threads);
    uv_close((uv_handle_t *)&workers->wake, on_wake_closed);
}

void worker_start(struct workers *workers, void (*work)(void *job), void (*done)(void *job),
                  void *job)
{
    struct job *new = base_alloc(sizeof(*new));
    *new = (struct job){ .work = work, .done = done, .job = job };
    if (workers->pending++ == 0)
        uv_ref((uv_handle_t *)&workers->wake);
    pthread_mutex_lock(&workers->lock);
    push(&workers->waiting, new);
    pthread_cond_signal(&workers->more);
    pthread_mutex_unlock(&workers->lock);
}

size_t worker_pending(const struct workers *workers)
{
    return workers->pending;
}

int worker_stop_fd(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, STOP_SIGNAL);
    return signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}
