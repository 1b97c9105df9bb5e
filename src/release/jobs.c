#include "release/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "doc/json.h"

#define SPEC_LIMIT_BYTES ((size_t)64 << 20) /* bodies of requests are far smaller */

struct list {
    struct release_job *first, *last;
    size_t len;
};

/*     waiting: oldest ─► … ─► newest      running      ended: oldest ─► … ─► newest */
struct release_jobs {
    struct map *by_id; /* id -> job, owned by the lists */
    struct list waiting, ended;
    size_t bytes; /* of the results of those that have ended */
    struct release_job *running;
};

static void append(struct list *list, struct release_job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->len++;
}

static struct release_job *take_first(struct list *list)
{
    struct release_job *job = list->first;
    list->first = job->next;
    if (!list->first)
        list->last = NULL;
    list->len--;
    job->next = NULL;
    return job;
}

static void free_job(struct release_job *job)
{
    if (!job)
        return;
    arena_free(job->mem);
    free(job->result);
    free(job->error);
    free(job);
}

static void free_list(struct list *list)
{
    while (list->first)
        free_job(take_first(list));
}

struct release_jobs *release_jobs_new(void)
{
    struct release_jobs *jobs = base_alloc(sizeof(*jobs));
    jobs->by_id = map_new(NULL);
    return jobs;
}

void release_jobs_free(struct release_jobs *jobs)
{
    if (!jobs)
        return;
    free_list(&jobs->waiting);
    free_list(&jobs->ended);
    free_job(jobs->running);
    map_free(jobs->by_id);
    free(jobs);
}

/* --- specs */

static const char *copy_text(struct arena *mem, const char *text)
{
    return arena_strdup(mem, text ? text : "");
}

/* An empty list stays one: NULL means something else. */
static const char *const *copy_list(struct arena *mem, const char *const *list)
{
    static const char *const none[] = { NULL };
    return list && !*list ? none : arena_copy_texts(mem, list);
}

static const struct release_container_update *copy_containers(struct arena *mem,
                                                              const struct release_spec *spec)
{
    struct release_container_update *copy =
        arena_alloc(mem, (spec->container_count + 1) * sizeof(*copy));
    for (size_t i = 0; i < spec->container_count; i++) {
        const struct release_container_update *from = &spec->containers[i];
        copy[i] = (struct release_container_update){ .id = copy_text(mem, from->id),
                                                     .container = copy_text(mem, from->container),
                                                     .current = copy_text(mem, from->current),
                                                     .target = copy_text(mem, from->target) };
    }
    return copy;
}

static const struct release_policy_update *copy_policies(struct arena *mem,
                                                         const struct release_spec *spec)
{
    struct release_policy_update *copy = arena_alloc(mem, (spec->policy_count + 1) * sizeof(*copy));
    for (size_t i = 0; i < spec->policy_count; i++) {
        copy[i] = spec->policies[i];
        copy[i].id = copy_text(mem, spec->policies[i].id);
        copy[i].add = val_copy(mem, spec->policies[i].add);
        copy[i].remove = val_copy(mem, spec->policies[i].remove);
    }
    return copy;
}

void release_jobs_copy_spec(struct arena *mem, const struct release_spec *spec,
                            struct release_spec *out)
{
    *out = *spec;
    out->user = copy_text(mem, spec->user);
    out->message = copy_text(mem, spec->message);
    out->workloads = copy_list(mem, spec->workloads);
    out->excludes = copy_list(mem, spec->excludes);
    out->image = arena_strdup(mem, spec->image);
    out->containers = copy_containers(mem, spec);
    out->policies = copy_policies(mem, spec);
}

/* --- jobs */

static void format_id(const unsigned char random[RELEASE_JOB_RANDOM_BYTES],
                      char out[RELEASE_JOB_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < RELEASE_JOB_RANDOM_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[random[i] >> 4];
        out[at++] = digits[random[i] & 15];
    }
    out[at] = '\0';
}

static struct release_job *new_job(struct release_jobs *jobs,
                                   const unsigned char random[RELEASE_JOB_RANDOM_BYTES])
{
    struct release_job *job = base_alloc(sizeof(*job));
    format_id(random, job->id);
    ASSERT(!map_get(jobs->by_id, job->id));
    job->result = base_copy_text("");
    job->error = base_copy_text("");
    map_set(jobs->by_id, job->id, job);
    return job;
}

struct release_job *release_jobs_add(struct release_jobs *jobs,
                                     const unsigned char random[RELEASE_JOB_RANDOM_BYTES],
                                     const struct release_spec *spec, int64_t now_ms)
{
    if (jobs->waiting.len == RELEASE_JOBS_QUEUED)
        return NULL;
    struct release_job *job = new_job(jobs, random);
    job->state = RELEASE_JOB_QUEUED;
    job->queued_ms = now_ms;
    job->mem = arena_new(SPEC_LIMIT_BYTES);
    release_jobs_copy_spec(job->mem, spec, &job->spec);
    append(&jobs->waiting, job);
    return job;
}

struct release_job *release_jobs_next(struct release_jobs *jobs, int64_t now_ms)
{
    if (jobs->running || !jobs->waiting.len)
        return NULL;
    struct release_job *job = jobs->running = take_first(&jobs->waiting);
    job->state = RELEASE_JOB_RUNNING;
    job->started_ms = now_ms;
    return job;
}

struct release_job *release_jobs_running(const struct release_jobs *jobs)
{
    return jobs->running;
}

static void replace_text(char **at, const char *text)
{
    free(*at);
    *at = base_copy_text(text);
}

static void write_result(struct release_job *job, const struct val *result)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    replace_text(&job->result, result ? val_json(mem, result, NULL) : "");
}

static size_t text_bytes(const struct release_job *job)
{
    return strlen(job->result) + strlen(job->error);
}

static void forget_oldest(struct release_jobs *jobs)
{
    struct release_job *forgotten = take_first(&jobs->ended);
    jobs->bytes -= text_bytes(forgotten);
    map_remove(jobs->by_id, forgotten->id);
    free_job(forgotten);
}

static void keep(struct release_jobs *jobs, struct release_job *job, const struct val *result,
                 const char *error)
{
    job->state = *error ? RELEASE_JOB_FAILED : RELEASE_JOB_SUCCEEDED;
    replace_text(&job->error, error);
    write_result(job, result);
    job->spec = (struct release_spec){ .type = job->spec.type };
    arena_free(STEAL(job->mem));
    append(&jobs->ended, job);
    jobs->bytes += text_bytes(job);
    while (jobs->ended.len > RELEASE_JOBS_KEPT ||
           (jobs->bytes > RELEASE_JOBS_BYTES && jobs->ended.len > 1))
        forget_oldest(jobs);
}

void release_jobs_end(struct release_jobs *jobs, const struct val *result, const char *error)
{
    ASSERT(jobs->running);
    keep(jobs, STEAL(jobs->running), result, error);
}

const struct release_job *release_jobs_keep(struct release_jobs *jobs,
                                            const unsigned char random[RELEASE_JOB_RANDOM_BYTES],
                                            const struct val *result)
{
    struct release_job *job = new_job(jobs, random);
    keep(jobs, job, result, "");
    return job;
}

const struct release_job *release_jobs_find(const struct release_jobs *jobs, const char *id)
{
    return map_get(jobs->by_id, id);
}

size_t release_jobs_waiting(const struct release_jobs *jobs)
{
    return jobs->waiting.len;
}

bool release_jobs_has_waiting(const struct release_jobs *jobs, enum release_type type)
{
    for (const struct release_job *job = jobs->waiting.first; job; job = job->next) {
        if (job->spec.type == type)
            return true;
    }
    return false;
}

/* --- as clients see them */

static const char *state_name(enum release_job_state state)
{
    switch (state) {
    case RELEASE_JOB_QUEUED: return "queued";
    case RELEASE_JOB_RUNNING: return "running";
    case RELEASE_JOB_FAILED: return "failed";
    case RELEASE_JOB_SUCCEEDED: return "succeeded";
    }
    return "";
}

struct val *release_jobs_json(struct arena *mem, const struct release_job *job)
{
    struct val *value = val_new_map(mem), *result = NULL;
    if (*job->result)
        err_free(doc_json_parse(mem, job->result, strlen(job->result), &result)); /* we wrote it */
    val_set(mem, value, "Result", result ? result : val_new_map(mem));
    val_set_text(mem, value, "Err", job->error);
    val_set_text(mem, value, "StatusString", state_name(job->state));
    return value;
}
