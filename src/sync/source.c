#include "sync/source.h"

#include <stdlib.h>
#include <string.h>

#include "io/stream.h"

#define RETRY_MS   10000 /* after a failure (gitops.md 2.3) */
#define RETRY_MIN  1000  /* however short the poll interval is */
#define NOT_CLONED "git repo has not been cloned yet"

/* One call of source_run, or one of our own. */
struct queued {
    struct queued *next;
    struct source *source;
    struct source_job how;
    void *job;
    struct err *err;
};

struct waiter {
    struct waiter *next;
    void (*done)(void *ctx, const struct err *e);
    void *ctx;
};

/* What a fetch is given and brings back: copies, since it runs on a worker. */
struct fetch {
    struct source *source;
    struct mirror_fetched fetched;
    struct mirror_verified verified;
    enum mirror_verify verify;
    const char *const *gpg_keys;        /* NULL once they were imported */
    char marker[MIRROR_SHA_BYTES];      /* kept outside git; "": the sync tag is it */
    char verified_to[MIRROR_SHA_BYTES]; /* commits up to here were found to be good before */
    bool needs_write_check;
    int64_t started_ms, timeout_ms;
    struct err *import_error, *write_error, *verify_error;
    struct arena *mem;
};

struct source {
    struct source_opts opts;
    struct arena *mem; /* texts of the options, for life */
    struct mirror *mirror;
    enum source_state state;
    char *error;
    char head[MIRROR_SHA_BYTES], unverified[MIRROR_SHA_BYTES];
    char marker[MIRROR_SHA_BYTES], verified_to[MIRROR_SHA_BYTES];
    int64_t fetched_ms;
    int failures;           /* fetches that failed, one after the other */
    int64_t retry_after_ms; /* what the server asked for when the last one failed; -1: nothing */
    ticket poll;
    struct queued *first, **last;
    const char *branch;
    struct queued *running;
    bool is_fetching, fetch_again, is_stopping, has_keys, was_written;
    struct waiter *waiters;      /* for the fetch that runs */
    struct waiter *next_waiters; /* for the one after it */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    struct metric *ready, *duration, *fetched;
};

static void start_fetch(struct source *source);
static void run_next(struct source *source);

/* -- state ------------------------------------------------------------------------------------------------------- */

static void set_error(struct source *source, const char *text)
{
    char *copy = base_copy_text(text);
    free(source->error);
    source->error = copy;
}

static void set_state(struct source *source, enum source_state state, const char *error)
{
    source->state = state;
    set_error(source, error);
    metric_set(source->ready, NULL, state == SOURCE_READY);
}

enum source_state source_state(const struct source *source)
{
    return source->state;
}

const char *source_state_name(enum source_state state)
{
    switch (state) {
    case SOURCE_UNCONFIGURED: return "unconfigured";
    case SOURCE_NEW: return "new";
    case SOURCE_CLONED: return "cloned";
    case SOURCE_READY: return "ready";
    case SOURCE_UNREACHABLE: return "unreachable";
    }
    return "";
}

const char *source_error(const struct source *source)
{
    return source->error;
}

const char *source_head(const struct source *source)
{
    return source->head;
}

const char *source_unverified(const struct source *source)
{
    return source->unverified;
}

const struct giturl *source_url(const struct source *source)
{
    return source->mirror ? mirror_url(source->mirror) : NULL;
}

int64_t source_fetched_ms(const struct source *source)
{
    return source->fetched_ms;
}

struct err *source_check_ready(const struct source *source)
{
    if (source->state == SOURCE_READY)
        return NULL;
    if (source->state == SOURCE_UNCONFIGURED)
        return err_new(ERR_INVALID, "git repo does not have valid config");
    return err_new(ERR_TRANSIENT, "git repo not ready: %s", source->error);
}

/* -- making -------------------------------------------------------------------------------------------------------- */

static void declare_metrics(struct source *source)
{
    static const double buckets[] = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60 };
    struct metrics *all = source->opts.metrics;
    source->ready = metrics_declare(
        all, &(struct metric_spec){ .name = "flux_git_ready",
                                    .help = "Status of the git repository: 1 when it is ready.",
                                    .type = METRIC_GAUGE });
    source->fetched = metrics_declare(
        all, &(struct metric_spec){
                 .name = "serin_git_fetched_timestamp_seconds",
                 .help = "Unix time of the last successful fetch from the git repository.",
                 .type = METRIC_GAUGE });
    source->duration = metrics_declare(
        all, &(struct metric_spec){ .name = "serin_git_fetch_duration_seconds",
                                    .help = "Duration of fetches from the git repository.",
                                    .type = METRIC_HISTOGRAM,
                                    .labels = { "success" },
                                    .buckets = buckets,
                                    .bucket_count = ARRAY_LEN(buckets) });
}

struct source *source_new(const struct source_opts *opts)
{
    struct source *source = base_alloc(sizeof(*source));
    *source =
        (struct source){ .opts = *opts, .mem = arena_new(ARENA_LIMIT_BYTES), .fetched_ms = -1 };
    source->last = &source->first;
    source->opts.mirror = NULL; /* lent for this call only */
    source->branch = arena_strdup(source->mem, opts->mirror->branch);
    source->opts.gpg_keys = arena_copy_texts(source->mem, opts->gpg_keys);
    declare_metrics(source);
    set_state(source, SOURCE_UNCONFIGURED, NOT_CLONED);
    if (!opts->mirror->url || !*opts->mirror->url)
        return source;
    SCOPED(err_free) struct err *e = mirror_new(opts->mirror, &source->mirror);
    if (e) {
        log_error(opts->log, F("component", "sync-loop"), F("err", err_text(e)));
        set_error(source, err_text(e));
        return source;
    }
    set_state(source, SOURCE_NEW, NOT_CLONED);
    return source;
}

/* -- one job at a time --------------------------------------------------------------------------------------------- */

static void work(void *at)
{
    struct queued *queued = at;
    int64_t deadline_ms = stream_now_ms() + queued->source->opts.timeout_ms;
    queued->err = queued->how.work(queued->source->mirror, queued->job, deadline_ms);
    if (queued->source->mirror)
        mirror_rest(queued->source->mirror);
}

static void on_worked(void *at)
{
    struct queued *queued = at;
    struct source *source = queued->source;
    source->running = NULL;
    queued->how.done(queued->job, queued->err);
    free(queued);
    run_next(source);
}

static void run_next(struct source *source)
{
    if (source->running)
        return;
    struct queued *queued = source->first;
    if (!queued) {
        void (*stopped)(void *ctx) = STEAL(source->stopped);
        if (stopped)
            stopped(source->stopped_ctx);
        return;
    }
    source->first = queued->next;
    if (!source->first)
        source->last = &source->first;
    source->running = queued;
    worker_start(source->opts.workers, work, on_worked, queued);
}

/* Refusals come in a later turn too, like every other answer. */
static struct err *refuse(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    (void)mirror;
    (void)job;
    (void)deadline_ms;
    return err_new(ERR_CANCELED, "shutting down, or no git repository is configured");
}

void source_run(struct source *source, const struct source_job *how, void *job)
{
    struct queued *queued = base_alloc(sizeof(*queued));
    *queued = (struct queued){ .source = source, .how = *how, .job = job };
    if (!source->mirror || source->is_stopping)
        queued->how.work = refuse;
    *source->last = queued;
    source->last = &queued->next;
    run_next(source);
}

void source_stop(struct source *source, void (*done)(void *ctx), void *ctx)
{
    source->is_stopping = true;
    loop_cancel(source->opts.loop, source->poll);
    source->poll = 0;
    for (struct queued *queued = source->first; queued; queued = queued->next)
        queued->how.work = refuse;
    source->stopped = done;
    source->stopped_ctx = ctx;
    run_next(source);
}

/* -- fetching -------------------------------------------------------------------------------------------------------- */

static void on_poll(void *ctx)
{
    struct source *source = ctx;
    source->poll = 0;
    start_fetch(source);
}

/* What is not ready is tried again every ten seconds, as Flux does: a person may be waiting for it. A repository that was ready
 * is synced already; it is asked less and less often, up to the poll interval, and not by all at the same moment. */
static int64_t retry_ms(struct source *source)
{
    int64_t poll_ms = MAX_OF(source->opts.poll_ms, (int64_t)RETRY_MIN);
    int64_t wait_ms = RETRY_MS;
    for (int i = 1; source->state == SOURCE_READY && i < source->failures && wait_ms < poll_ms; i++)
        wait_ms *= 2;
    wait_ms = MIN_OF(wait_ms, poll_ms);
    if (source->state == SOURCE_READY)
        wait_ms -= (int64_t)(loop_random(source->opts.loop) % (uint32_t)(wait_ms / 4 + 1));
    return MAX_OF(wait_ms, MIN_OF(source->retry_after_ms, SOURCE_RETRY_AFTER_MAX_MS));
}

static void plan_fetch(struct source *source)
{
    if (source->is_stopping)
        return;
    bool is_well = source->state == SOURCE_READY && !source->failures;
    loop_cancel(source->opts.loop, source->poll);
    source->poll = loop_after(source->opts.loop, is_well ? source->opts.poll_ms : retry_ms(source),
                              on_poll, source);
}

static struct err *import_keys(struct mirror *mirror, struct fetch *fetch)
{
    size_t count = 0;
    return mirror_import_keys(mirror, fetch->gpg_keys, fetch->verify != MIRROR_VERIFY_NONE, &count);
}

/* gitops.md 2.8. What this process found good once is good; else the marker says where to begin, and has to be good itself. */
static struct err *verify(struct mirror *mirror, struct fetch *fetch)
{
    const char *head = fetch->fetched.head, *from = fetch->marker;
    bool is_behind = false;
    if (*fetch->verified_to) /* after a forced push it may not even be there */
        err_free(mirror_is_ancestor(mirror, fetch->verified_to, head, &is_behind));
    if (is_behind) {
        from = fetch->verified_to;
    } else if (!*from && *fetch->fetched.tag) {
        TRY(mirror_check_tag(mirror));
        from = fetch->fetched.tag;
    }
    return mirror_check_signatures(mirror, fetch->mem, fetch->verify, from, head, &fetch->verified);
}

static struct err *fetch_work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct fetch *fetch = at;
    if (fetch->gpg_keys)
        fetch->import_error = import_keys(mirror, fetch);
    TRY(mirror_fetch(mirror, deadline_ms, &fetch->fetched));
    const char *head = fetch->fetched.head;
    if (*head && fetch->needs_write_check)
        fetch->write_error = mirror_write_check(mirror, head, stream_now_ms() + fetch->timeout_ms);
    if (*head && fetch->verify != MIRROR_VERIFY_NONE)
        fetch->verify_error = verify(mirror, fetch);
    return NULL;
}

static void on_fetch_failed(struct source *source, const struct fetch *fetch, const struct err *e)
{
    const struct giturl *url = source_url(source);
    log_error(source->opts.log, F("component", "sync-loop"), F("url", url ? url->safe : ""),
              F("err", err_text(e)));
    /* A repository that was ready stays so: what was fetched is enforced, and the error says what is wrong. */
    if (source->state == SOURCE_READY || source->state == SOURCE_CLONED)
        set_error(source, err_text(e));
    else
        set_state(source, fetch->fetched.host_unknown ? SOURCE_UNREACHABLE : SOURCE_NEW,
                  err_text(e));
}

/* The head to be synced is the last valid commit; the one before stays when there is none. */
static void choose_head(struct source *source, const struct fetch *fetch)
{
    const struct log *log = source->opts.log;
    const char *head = fetch->verify == MIRROR_VERIFY_NONE ? fetch->fetched.head
                       : fetch->verify_error               ? ""
                                                           : fetch->verified.head;
    bool is_held = strcmp(head, fetch->fetched.head) != 0;
    memcpy(source->unverified, is_held ? fetch->fetched.head : "", is_held ? MIRROR_SHA_BYTES : 1);
    if (fetch->verify_error)
        log_error(log, F("component", "sync-loop"), F("err", err_text(fetch->verify_error)));
    else if (is_held)
        log_error(log, F("component", "sync-loop"),
                  F("err", "found invalid GPG signature for commit"),
                  F("revision", fetch->verified.invalid), F("key", fetch->verified.key));
    if (!*head)
        return;
    memcpy(source->head, head, sizeof(source->head));
    memcpy(source->verified_to, head, sizeof(source->verified_to));
}

static void on_fetch_succeeded(struct source *source, const struct fetch *fetch)
{
    const struct source_opts *opts = &source->opts;
    source->fetched_ms = loop_now_ms(opts->loop);
    metric_set(source->fetched, NULL, (double)loop_wall_ms(opts->loop) / 1000);
    if (!*fetch->fetched.head) {
        const char *text =
            arena_printf(fetch->mem, "configured branch '%s' does not exist", source->branch);
        set_state(source, SOURCE_CLONED, text);
        log_error(opts->log, F("component", "sync-loop"), F("err", text));
        return;
    }
    if (fetch->write_error) {
        set_state(source, SOURCE_CLONED, err_text(fetch->write_error));
        log_error(opts->log, F("component", "sync-loop"), F("err", err_text(fetch->write_error)));
        return;
    }
    source->was_written = true;
    set_state(source, SOURCE_READY, "");
    choose_head(source, fetch);
    log_info(opts->log, F("component", "sync-loop"), F("event", "refreshed"),
             F("url", source_url(source)->safe), F("branch", source->branch),
             F("HEAD", source->head));
    opts->on_refreshed(opts->ctx, source->head, &fetch->fetched);
}

static void tell_waiters(struct source *source, const struct err *e)
{
    struct waiter *waiter = STEAL(source->waiters);
    source->waiters = STEAL(source->next_waiters);
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->done(waiter->ctx, e);
        free(waiter);
        waiter = next;
    }
}

static void free_fetch(struct fetch *fetch)
{
    err_free(fetch->import_error);
    err_free(fetch->write_error);
    err_free(fetch->verify_error);
    arena_free(fetch->mem);
    free(fetch);
}

static void on_fetched(void *at, struct err *e)
{
    struct fetch *fetch = at;
    struct source *source = fetch->source;
    double seconds = (double)(loop_now_ms(source->opts.loop) - fetch->started_ms) / 1000;
    metric_observe(source->duration, (const char *const[]){ e ? "false" : "true" }, seconds);
    source->is_fetching = false;
    source->has_keys = true;
    source->failures = e ? source->failures + 1 : 0;
    source->retry_after_ms = err_retry_after_ms(e);
    if (fetch->import_error) /* no reason to stop: what those keys signed is held back */
        log_error(source->opts.log, F("component", "sync-loop"),
                  F("err", err_text(fetch->import_error)));
    if (e && !err_is(e, ERR_CANCELED))
        on_fetch_failed(source, fetch, e);
    else if (!e)
        on_fetch_succeeded(source, fetch);
    tell_waiters(source, e);
    err_free(e);
    free_fetch(fetch);
    if (source->fetch_again) /* while stopping, too: who waits for it is told so */
        start_fetch(source);
    else
        plan_fetch(source);
}

static void start_fetch(struct source *source)
{
    if (source->is_fetching) {
        source->fetch_again = true;
        return;
    }
    loop_cancel(source->opts.loop, source->poll);
    source->poll = 0;
    source->is_fetching = true;
    source->fetch_again = false;
    struct fetch *fetch = base_alloc(sizeof(*fetch));
    *fetch = (struct fetch){ .source = source,
                             .verify = source->opts.verify,
                             .gpg_keys = source->has_keys ? NULL : source->opts.gpg_keys,
                             .needs_write_check = !source->opts.is_readonly && !source->was_written,
                             .started_ms = loop_now_ms(source->opts.loop),
                             .timeout_ms = source->opts.timeout_ms,
                             .mem = arena_new(ARENA_LIMIT_BYTES) };
    memcpy(fetch->marker, source->marker, sizeof(fetch->marker));
    memcpy(fetch->verified_to, source->verified_to, sizeof(fetch->verified_to));
    source_run(source, &(struct source_job){ fetch_work, on_fetched }, fetch);
}

void source_start(struct source *source)
{
    if (source->mirror)
        start_fetch(source);
}

void source_fetch(struct source *source, void (*done)(void *ctx, const struct err *e), void *ctx)
{
    if (done) {
        struct waiter *waiter = base_alloc(sizeof(*waiter));
        struct waiter **list = source->is_fetching ? &source->next_waiters : &source->waiters;
        *waiter = (struct waiter){ *list, done, ctx };
        *list = waiter;
    }
    start_fetch(source);
}

void source_set_marker(struct source *source, const char *rev)
{
    bool is_sha = strlen(rev) == MIRROR_SHA_BYTES - 1;
    memcpy(source->marker, is_sha ? rev : "", is_sha ? MIRROR_SHA_BYTES : 1);
    if (is_sha && *source->unverified && !*source->verified_to)
        start_fetch(source);
}

/* A job whose `done` will not come any more: what it is about belongs to who asked for it, fetches to us. */
static void drop_job(struct queued *queued)
{
    err_free(queued->err);
    if (queued->how.done == on_fetched)
        free_fetch(queued->job);
    free(queued);
}

void source_free(struct source *source)
{
    if (!source)
        return;
    loop_cancel(source->opts.loop, source->poll);
    if (source->running)
        drop_job(source->running);
    while (source->first) {
        struct queued *queued = source->first;
        source->first = queued->next;
        drop_job(queued);
    }
    mirror_free(source->mirror);
    arena_free(source->mem);
    free(source->error);
    free(source);
}
