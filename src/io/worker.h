/* io/worker.h - threads for libraries that block. Jobs get copies and return values; nothing is shared.
 * Effects:   threads; SIGUSR2 to them, which none of them takes.
 * Ownership: the job belongs to the worker from worker_start until done is called, then to the caller again.
 * Units:     bytes of stack. */
#ifndef SERIN_IO_WORKER_H
#define SERIN_IO_WORKER_H

#include "io/loop.h"

struct workers;

struct workers *worker_new(struct loop *loop, int threads, size_t stack_bytes);
/* Waits for running jobs, which are told (worker_stop_fd). No done is called any more, not for queued jobs nor for finished ones: the jobs are their owners'
 * again. Not from a done. */
void worker_free(struct workers *workers);
DEFINE_SCOPED(struct workers, worker_free)

/* `work` runs on a worker thread, then `done` on the loop, in a later turn. Jobs start in the order they came. */
void worker_start(struct workers *workers, void (*work)(void *job), void (*done)(void *job),
                  void *job);
size_t worker_pending(const struct workers *workers);

/* For a job, on its thread: a descriptor that can be read, in a poll of this thread only, once its workers are being freed. Never, on a
 * thread that is no worker's. The caller closes it; -1: none could be had. */
int worker_stop_fd(void);

#endif
