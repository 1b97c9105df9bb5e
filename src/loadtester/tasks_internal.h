/* loadtester/tasks_internal.h - one task, between the files of its kinds.
 * Effects:   none of its own.
 * Ownership: a task lives from tasks_take until tasks_end; its texts are in its arena.
 * Units:     milliseconds. */
#ifndef SERIN_LOADTESTER_TASKS_INTERNAL_H
#define SERIN_LOADTESTER_TASKS_INTERNAL_H

#include "loadtester/tasks.h"

struct tasks_task;

struct tasks_kind {
    const char *name;
    bool is_queued;
    /* Keys that have to be there: the first one missing is a 400 "KEY not found in metadata". */
    const char *needs[8];
    const char
        *names_it; /* the key whose value tells tasks of a canary apart and is shown in the log */
    const char *program; /* of commands; NULL: `start` is another way */
    bool is_shell;       /* program -c TEXT; else TEXT is split on blanks */
    void (*start)(struct tasks_task *task);
};

struct tasks_task {
    struct tasks *all;
    struct arena *mem;
    const struct tasks_kind *kind;
    const char *canary, *key, *text;
    const struct val *metadata;
    tasks_done done; /* NULL: answered already */
    void *ctx;
    ticket process, request, timer;
    int64_t began_ms, limit_ms; /* limit: of the whole task */
    const char *id;             /* of a test or process on another server */
};

const char *tasks_text(const struct tasks_task *task, const char *key); /* "" when absent */
bool tasks_flag(const struct tasks_task *task, const char *key);
int64_t tasks_left_ms(const struct tasks_task *task); /* of its limit, at least 1 */
const char *tasks_boundary(struct tasks_task *task);  /* between the parts of a form */

/* Ends it: `failure` NULL is success. `answer` goes to who waits (NULL: ""). */
void tasks_end(struct tasks_task *task, const char *failure, const char *answer);

/* One request of a task; ends the task when no answer comes or the status is no success. */
struct tasks_request {
    const char *method, *url;
    const char *const *headers;
    const char *body;
};
void tasks_ask(struct tasks_task *task, const struct tasks_request *request,
               void (*next)(struct tasks_task *task, const struct http_result *result));
void tasks_wait(struct tasks_task *task, int64_t after_ms, void (*next)(void *task));

void tasks_start_ngrinder(struct tasks_task *task);
void tasks_start_concord(struct tasks_task *task);

#endif
