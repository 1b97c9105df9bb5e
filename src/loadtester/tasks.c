#include "loadtester/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "loadtester/tasks_internal.h"

#define START_EVERY_MS 100
#define OUTPUT_BYTES   ((size_t)1 << 20)
#define TASK_BYTES     ((size_t)16 << 20)
#define ANSWER_BYTES   ((size_t)1 << 20)
#define REQUEST_MS     30000

struct tasks {
    struct tasks_opts opts;
    struct processes *processes;
    struct map *waiting, *running; /* key -> task; running holds queued ones only */
    VEC(struct tasks_task *) all;
    ticket timer;
    struct metric *total, *in_progress;
};

static void start_command(struct tasks_task *task);

/* clang-format off */
static const struct tasks_kind kinds[] = {
    { "cmd", true, { "cmd" }, "cmd", "sh", true, start_command },
    { "bash", false, { "cmd" }, "cmd", "bash", true, start_command },
    { "helm", false, { "cmd" }, "cmd", "helm", false, start_command },
    { "helmv3", false, { "cmd" }, "cmd", "helm", false, start_command },
    { "kubectl", false, { "cmd" }, "cmd", "kubectl", false, start_command },
    { "ngrinder", true, { "server", "clone", "username", "passwd" }, "clone", NULL, false, tasks_start_ngrinder },
    { "concord", false, { "server", "org", "project", "repo", "entrypoint", "apiKeyPath", "endpoint" }, "endpoint", NULL, false,
      tasks_start_concord },
};
/* clang-format on */

struct tasks *tasks_new(const struct tasks_opts *opts)
{
    struct tasks *tasks = base_alloc(sizeof(*tasks));
    tasks->opts = *opts;
    tasks->processes = processes_new(opts->loop);
    tasks->waiting = map_new(NULL);
    tasks->running = map_new(NULL);
    tasks->total = metrics_declare(
        opts->metrics, &(struct metric_spec){ .name = "serin_loadtester_tasks_total",
                                              .help = "Tasks that ended, by type and result.",
                                              .type = METRIC_COUNTER,
                                              .labels = { "type", "result" } });
    tasks->in_progress = metrics_declare(
        opts->metrics, &(struct metric_spec){ .name = "serin_loadtester_tasks_running",
                                              .help = "Tasks that wait or run.",
                                              .type = METRIC_GAUGE });
    return tasks;
}

static void free_task(struct tasks_task *task)
{
    const struct tasks_opts *opts = &task->all->opts;
    process_cancel(task->all->processes, task->process);
    http_cancel(opts->http, task->request);
    loop_cancel(opts->loop, task->timer);
    arena_free(task->mem);
    free(task);
}

static void answer(struct tasks_task *task, int status, const char *body)
{
    tasks_done done = STEAL(task->done);
    if (done)
        done(task->ctx, &(struct tasks_answer){ .status = status, .body = body });
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    loop_cancel(tasks->opts.loop, tasks->timer);
    for (size_t i = 0; i < tasks->all.len; i++) {
        answer(tasks->all.at[i], 503, "shutting down");
        free_task(tasks->all.at[i]);
    }
    vec_fini(&tasks->all);
    map_free(tasks->waiting);
    map_free(tasks->running);
    processes_free(tasks->processes);
    free(tasks);
}

const char *tasks_text(const struct tasks_task *task, const char *key)
{
    return val_text_or(val_get(task->metadata, key), "");
}

bool tasks_flag(const struct tasks_task *task, const char *key)
{
    static const char *const yes[] = { "true", "1", "t", "T", "True", "TRUE" };
    const char *text = tasks_text(task, key);
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(text, yes[i]) == 0)
            return true;
    }
    return false;
}

int64_t tasks_left_ms(const struct tasks_task *task)
{
    int64_t spent_ms = loop_now_ms(task->all->opts.loop) - task->began_ms;
    return MAX_OF(task->limit_ms - spent_ms, 1);
}

const char *tasks_boundary(struct tasks_task *task)
{
    struct loop *loop = task->all->opts.loop;
    return arena_printf(task->mem, "serin-%08x%08x", loop_random(loop), loop_random(loop));
}

static void forget(struct tasks_task *task)
{
    struct tasks *all = task->all;
    if (map_get(all->running, task->key) == task)
        (void)map_remove(all->running, task->key);
    for (size_t i = 0; i < all->all.len; i++) {
        if (all->all.at[i] == task) {
            all->all.at[i] = all->all.at[--all->all.len];
            break;
        }
    }
    metric_set(all->in_progress, NULL, (double)all->all.len);
    free_task(task);
}

void tasks_end(struct tasks_task *task, const char *failure, const char *text)
{
    const struct log *log = task->all->opts.log;
    metric_add(task->all->total,
               (const char *const[]){ task->kind->name, failure ? "failure" : "success" }, 1);
    if (failure)
        log_error(log, F("canary", task->canary),
                  F("msg", arena_printf(task->mem, "command failed %s", task->text)),
                  F("err", failure));
    else
        log_info(log, F("canary", task->canary),
                 F("msg", arena_printf(task->mem, "command finished %s", task->text)));
    answer(task, failure ? 500 : 200, failure ? failure : text ? text : "");
    forget(task);
}

/* -- commands ---------------------------------------------------------------------------------------- */

static const char *how_it_ended(struct arena *mem, const struct process_result *result)
{
    if (result->err)
        return err_text(result->err);
    if (result->signal)
        return arena_printf(mem, "signal: %s", strsignal(result->signal));
    return arena_printf(mem, "exit status %d", result->exit_status);
}

static void on_command_done(void *ctx, const struct process_result *result)
{
    struct tasks_task *task = ctx;
    task->process = 0;
    if (tasks_flag(task, "logCmdOutput"))
        log_info(task->all->opts.log, F("canary", task->canary), F("msg", result->output));
    bool is_fine = !result->err && !result->signal && result->exit_status == 0;
    const char *failure = is_fine ? NULL
                                  : arena_printf(task->mem, "command %s failed: %s: %s", task->text,
                                                 result->output, how_it_ended(task->mem, result));
    tasks_end(task, failure, tasks_flag(task, "returnCmdOutput") ? result->output : NULL);
}

static void start_command(struct tasks_task *task)
{
    VEC(const char *) argv = { 0 };
    *vec_push(task->mem, &argv) = task->kind->program;
    if (task->kind->is_shell) {
        *vec_push(task->mem, &argv) = "-c";
        *vec_push(task->mem, &argv) = task->text;
    } else {
        char *rest = arena_strdup(task->mem, task->text), *word;
        while ((word = strsep(&rest, " \t\r\n"))) {
            if (*word)
                *vec_push(task->mem, &argv) = word;
        }
    }
    *vec_push(task->mem, &argv) = NULL;
    const struct process_spec spec = { .argv = argv.at,
                                       .timeout_ms = task->all->opts.timeout_ms,
                                       .output_limit = OUTPUT_BYTES };
    task->process = process_start(task->all->processes, &spec, on_command_done, task);
}

/* -- requests of tasks that run on another server ---------------------------------------------------- */

struct asked {
    struct tasks_task *task;
    void (*next)(struct tasks_task *task, const struct http_result *result);
};

static void on_answer(void *ctx, const struct http_result *result)
{
    struct asked *asked = ctx;
    struct tasks_task *task = asked->task;
    task->request = 0;
    if (result->err)
        tasks_end(task, err_text(result->err), NULL);
    else if (result->status < 200 || result->status > 299)
        tasks_end(task,
                  arena_printf(task->mem, "%s: status %d: %.1000s", tasks_text(task, "server"),
                               result->status, result->body),
                  NULL);
    else
        asked->next(task, result);
}

void tasks_ask(struct tasks_task *task, const struct tasks_request *request,
               void (*next)(struct tasks_task *task, const struct http_result *result))
{
    struct asked *asked = arena_alloc(task->mem, sizeof(*asked));
    *asked = (struct asked){ .task = task, .next = next };
    const struct http_request sent = { .method = request->method,
                                       .url = request->url,
                                       .headers = request->headers,
                                       .body = request->body,
                                       .body_len = request->body ? strlen(request->body) : 0,
                                       .timeout_ms = MIN_OF(REQUEST_MS, tasks_left_ms(task)),
                                       .limit_bytes = ANSWER_BYTES };
    task->request = http_start(task->all->opts.http, &sent, on_answer, asked);
}

void tasks_wait(struct tasks_task *task, int64_t after_ms, void (*next)(void *task))
{
    task->timer = loop_after(task->all->opts.loop, after_ms, next, task);
}

/* -- taking and starting ------------------------------------------------------------------------------ */

static void start(struct tasks_task *task)
{
    log_info(task->all->opts.log, F("canary", task->canary),
             F("msg", arena_printf(task->mem, "task starting %s", task->text)));
    task->began_ms = loop_now_ms(task->all->opts.loop);
    task->kind->start(task);
}

static void on_start_waiting(void *ctx)
{
    struct tasks *tasks = ctx;
    tasks->timer = 0;
    const char *key;
    void *value;
    for (size_t at = 0; map_next(tasks->waiting, &at, &key, &value);) {
        struct tasks_task *task = value;
        (void)map_remove(tasks->waiting, task->key);
        if (map_get(tasks->running, task->key)) {
            log_info(tasks->opts.log, F("canary", task->canary),
                     F("msg", arena_printf(task->mem, "command skipped %s is already running",
                                           task->text)));
            forget(task);
            continue;
        }
        map_set(tasks->running, task->key, task);
        start(task);
    }
}

static const struct tasks_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* What is wrong with the metadata, NULL when nothing is. */
static const char *objection(struct arena *mem, const struct val *metadata,
                             const struct tasks_kind *kind, const char *type)
{
    if (!kind)
        return arena_printf(mem, "unknown task type %s", type);
    for (size_t i = 0; i < ARRAY_LEN(kind->needs) && kind->needs[i]; i++) {
        if (!val_text(val_get(metadata, kind->needs[i])))
            return arena_printf(mem, "%s not found in metadata", kind->needs[i]);
    }
    return NULL;
}

static struct tasks_task *make_task(struct tasks *tasks, const char *canary,
                                    const struct val *metadata, const struct tasks_kind *kind)
{
    struct tasks_task *task = base_alloc(sizeof(*task));
    task->all = tasks;
    task->limit_ms = tasks->opts.timeout_ms;
    task->mem = arena_new(TASK_BYTES);
    task->kind = kind;
    task->canary = arena_strdup(task->mem, canary);
    task->metadata = val_copy(task->mem, metadata);
    task->text = tasks_text(task, kind->names_it);
    task->key = arena_printf(task->mem, "%s %s", task->canary, task->text);
    *vec_push(NULL, &tasks->all) = task;
    metric_set(tasks->in_progress, NULL, (double)tasks->all.len);
    return task;
}

static void queue(struct tasks_task *task)
{
    struct tasks *tasks = task->all;
    answer(task, 202, "");
    if (map_get(tasks->waiting, task->key)) {
        forget(task);
        return;
    }
    map_set(tasks->waiting, task->key, task);
    if (!tasks->timer)
        tasks->timer = loop_after(tasks->opts.loop, START_EVERY_MS, on_start_waiting, tasks);
}

void tasks_take(struct tasks *tasks, const char *canary, const struct val *metadata,
                tasks_done done, void *ctx)
{
    SCOPED(arena_free) struct arena *mem = arena_new(TASK_BYTES);
    struct tasks_answer refused = { .status = 400, .body = "metadata not found in payload" };
    if (val_len(metadata) == 0) {
        done(ctx, &refused);
        return;
    }
    const char *type = val_text_or(val_get(metadata, "type"), "cmd");
    const struct tasks_kind *kind = find_kind(type);
    refused.body = objection(mem, metadata, kind, type);
    if (!refused.body && tasks->all.len >= TASKS_MAX)
        refused = (struct tasks_answer){ 503, "too many tasks wait or run: try again later" };
    if (refused.body) {
        done(ctx, &refused);
        return;
    }
    struct tasks_task *task = make_task(tasks, canary, metadata, kind);
    task->done = done;
    task->ctx = ctx;
    if (kind->is_queued)
        queue(task);
    else
        start(task);
}
