/* release/releases.h - the third reconciler: jobs that change the repository, by command and by new tags.
 * Effects:   reads the cluster (kube) and registries (scans), works on the repository on git workers (source), asks sync to go on.
 * Ownership: borrows everything in releases_opts; texts of the options are copied. Texts handed out are borrowed until the next turn.
 * Units:     milliseconds.
 * Reference: gitops.md 5.6, 6; design.md 1.
 *
 *     command ─► queue ─► fetch ─► survey of the head (worker) ─► live workloads (kube), tags (scans) ─► release_select (pure)
 *     tags    ─► image_automate_step (pure) ─┘                                          ─► rewrite, verify, commit, push (worker)
 *                          ▲                                                                        │ the branch has moved: at most
 *                          └──────────────────────────── again, from the fetch on ◄─────────────────┘ RELEASES_TRIES times
 *
 * One job at a time, first in, first out. One commit for everything automation finds at a time; none without a change. */
#ifndef SERIN_RELEASE_RELEASES_H
#define SERIN_RELEASE_RELEASES_H

#include "base/log.h"
#include "base/metrics.h"
#include "image/scans.h"
#include "kube/discovery.h"
#include "release/result.h"
#include "release/spec.h"
#include "sync/sync.h"

#define RELEASES_TRIES 5

struct releases;

struct releases_opts {
    struct loop *loop;
    const struct log *log;
    struct metrics
        *metrics; /* flux_daemon_job_…, flux_daemon_queue_…, flux_fluxsvc_release_… (9) */
    struct kube *kube;
    struct kube_discovery *discovery;
    struct source *source;
    struct sync *sync;
    struct image_scans *scans; /* NULL: --registry-disable-scanning */
    const char *git_branch, *git_notes_ref;
    const char *const *git_paths;  /* NULL or empty: the whole repository */
    const char *const *allowed_ns; /* NULL: all */
    const char *default_ns;
    const char *ci_skip; /* text appended to commit messages; "" */
    bool is_readonly, set_author, manifest_generation;
    int64_t job_timeout_ms, automation_interval_ms,
        calm_ms; /* calm: how long news of tags are gathered for one commit */
};

struct releases *releases_new(const struct releases_opts *opts);
void releases_act(struct releases *releases,
                  bool may_act); /* leads, or no longer: automation runs or does not */
void releases_stop(struct releases *releases); /* gives up what runs; nothing is called back */
void releases_free(struct releases *releases);
DEFINE_SCOPED(struct releases, releases_free)

/* Queues a job; its id, or NULL when too many wait. The spec is copied. */
const char *releases_submit(struct releases *releases, const struct release_spec *spec);
/* A job that fetches, then has sync go on even if the head is as before; with `reapply_all` everything is sent again. */
const char *releases_submit_sync(struct releases *releases, bool reapply_all);
/* A dry run, beside the queue: done comes once, in a later turn, with an id whose result can be asked for, or an error. */
typedef void (*releases_planned)(void *ctx, const char *id, const struct err *e);
ticket releases_plan(struct releases *releases, const struct release_spec *spec,
                     releases_planned done, void *ctx);
void releases_cancel_plan(struct releases *releases, ticket plan);

/* The status object of 8.3; NULL: unknown (any more). */
struct val *releases_job(const struct releases *releases, struct arena *mem, const char *id);
/* The same from the notes on the branch, for jobs that are not remembered. done comes once, in a later turn; NULL: not found. */
void releases_job_from_notes(struct releases *releases, const char *id,
                             void (*done)(void *ctx, const struct val *status), void *ctx);

/* What the log says of a commit with this note once it is applied: "" if nothing. Pure; for sync_opts. */
const char *releases_note_event(struct arena *mem, const char *note);

/* Wired to the scans (on_news) and to sync: what is automated is read from the manifests again. */
void releases_on_news(struct releases *releases, const char *name);
void releases_on_synced(struct releases *releases);

/* What was committed last, for status: revision "" : nothing since start. */
struct releases_last {
    const char *revision, *summary;
    int64_t unix_ms;
};
void releases_last(const struct releases *releases, struct releases_last *out);

#endif
