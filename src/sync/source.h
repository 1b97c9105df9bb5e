/* sync/source.h - the git repository as the reconciler sees it: a head that moves, a state, work to be done on it.
 * Effects:   timers, workers (all git work runs there).
 * Ownership: borrows loop, workers, log, metrics; owns the mirror.
 * Units:     milliseconds.
 * Reference: gitops.md 2.3 (states), 2.4, 3.10. */
#ifndef SERIN_SYNC_SOURCE_H
#define SERIN_SYNC_SOURCE_H

#include "base/log.h"
#include "base/metrics.h"
#include "git/mirror.h"
#include "io/worker.h"

enum source_state {
    SOURCE_UNCONFIGURED,
    SOURCE_NEW,
    SOURCE_CLONED,
    SOURCE_READY,
    SOURCE_UNREACHABLE
};

/* A server that asks to be left alone (Retry-After) is, for so long at most; not by whoever asks for a fetch now. */
#define SOURCE_RETRY_AFTER_MAX_MS ((int64_t)15 * 60 * 1000)

struct source;

struct source_opts {
    struct loop *loop;
    struct workers *workers;
    const struct log *log;
    /* flux_git_ready, serin_git_fetch_duration_seconds, serin_git_fetched_timestamp_seconds */
    struct metrics *metrics;
    const struct mirror_opts *mirror; /* copied; url NULL or "": unconfigured */
    int64_t poll_ms, timeout_ms;      /* --git-poll-interval, --git-timeout */
    bool is_readonly;                 /* no write check */
    enum mirror_verify verify;
    const char *const *gpg_keys; /* to import at start; NULL: none */
    /* After every successful fetch, in a later turn: the head to be synced (the last verified one), which may be as before. */
    void (*on_refreshed)(void *ctx, const char *head, const struct mirror_fetched *fetched);
    void *ctx;
};

struct source *source_new(const struct source_opts *opts);
void source_start(struct source *source);
/* `done` comes when running work has ended. */
void source_stop(struct source *source, void (*done)(void *ctx), void *ctx);
void source_free(struct source *source);
DEFINE_SCOPED(struct source, source_free)

enum source_state source_state(const struct source *source);
/* unconfigured, new, cloned, ready, unreachable */
const char *source_state_name(enum source_state state);
/* "" when all is well; initially "git repo has not been cloned yet". A repository stays ready when a later fetch fails: then this
 * says why. */
const char *source_error(const struct source *source);
const char *source_head(const struct source *source); /* "" before the first fetch */
/* Head of the branch when it is not the verified one, else "". */
const char *source_unverified(const struct source *source);
const struct giturl *source_url(const struct source *source); /* NULL when unconfigured */
/* Loop time of the last successful fetch; -1: never. */
int64_t source_fetched_ms(const struct source *source);

/* The sync marker when it is kept outside git (a Secret): signatures are verified from there on, not from the first commit.
 * To be called when it is first read; if commits are held back for want of it, they are looked at again. */
void source_set_marker(struct source *source, const char *rev);

/* Fetches now (or right after the fetch that runs); `done` may be NULL. The error is borrowed. */
void source_fetch(struct source *source, void (*done)(void *ctx, const struct err *e), void *ctx);

/* NULL when ready, else "git repo not ready: …" or "git repo does not have valid config". */
MUST_USE struct err *source_check_ready(const struct source *source);

/* Runs `work` with the mirror on a worker, then `done` on the loop. Jobs of one source run one at a time, in order. The error
 * `work` returns is handed to `done`, which owns it. */
struct source_job {
    struct err *(*work)(struct mirror *mirror, void *job, int64_t deadline_ms);
    void (*done)(void *job, struct err *e);
};
void source_run(struct source *source, const struct source_job *how, void *job);

#endif
