/* loadtester/tasks.h - commands and tests that webhooks ask for: some answered at once and run behind, some waited for.
 * Effects:   processes, network.
 * Ownership: everything is copied; an answer is borrowed for the callback.
 * Units:     milliseconds.
 * Reference: canary.md 15, 17.7.
 *
 * Queued tasks are started every 100 ms; of those with the same canary and text one runs at a time, and what is asked for
 * while it runs is skipped. At most TASKS_MAX wait or run. */
#ifndef SERIN_LOADTESTER_TASKS_H
#define SERIN_LOADTESTER_TASKS_H

#include "base/log.h"
#include "base/metrics.h"
#include "doc/val.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/process.h"

#define TASKS_MAX 1000

struct tasks;

struct tasks_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics
        *metrics; /* serin_loadtester_tasks_total{type,result}, serin_loadtester_tasks_running */
    int64_t timeout_ms;
};

struct tasks *tasks_new(const struct tasks_opts *opts);
void tasks_free(struct tasks *tasks); /* kills what runs; whoever waits for an answer gets 503 */
DEFINE_SCOPED(struct tasks, tasks_free)

struct tasks_answer {
    int status;
    const char *body; /* may be "" */
};
typedef void (*tasks_done)(void *ctx, const struct tasks_answer *answer);

/* One payload's metadata (NULL: it had none). Done comes once, possibly before this returns. */
void tasks_take(struct tasks *tasks, const char *canary, const struct val *metadata,
                tasks_done done, void *ctx);

#endif
