/* sync/sync.h - the first reconciler: the cluster is what the repository declares.
 * Effects:   through kube (apply, delete, watches, events) and source (git).
 * Ownership: borrows everything in sync_opts; statuses are borrowed until the next turn.
 * Units:     milliseconds.
 * Reference: gitops.md 3, api-server.md; design.md 1 and 3. */
#ifndef SERIN_SYNC_SYNC_H
#define SERIN_SYNC_SYNC_H

#include "base/log.h"
#include "base/metrics.h"
#include "doc/val.h"
#include "kube/discovery.h"
#include "kube/event.h"
#include "sync/owner.h"
#include "sync/source.h"

struct sync_object_status;
struct reveal_settings;

enum sync_drift { SYNC_DRIFT_HEAL, SYNC_DRIFT_REPORT, SYNC_DRIFT_OFF };
enum sync_state_mode { SYNC_STATE_GIT, SYNC_STATE_SECRET };

struct sync_opts {
    struct loop *loop;
    const struct log *log;
    struct metrics *metrics;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube_events *events;
    struct source *source;
    const struct sync_owner *owner;    /* NULL: nobody */
    const char *own_ns, *secret_name;  /* --k8s-secret-name, for the marker */
    const char *default_ns;            /* resolved: flag, context, "default" */
    const char *const *allowed_ns;     /* NULL: all */
    const char *const *excluded_kinds; /* --k8s-unsafe-exclude-resource globs */
    const char *git_branch;
    const char *const *git_paths; /* NULL or empty: the whole repository */
    const char *sync_tag;
    enum sync_state_mode state_mode;
    bool is_readonly, gc, gc_dry, allow_prune_all, manifest_generation, write_notes;
    enum sync_drift drift;
    int64_t interval_ms, timeout_ms;
    const struct reveal_settings *reveal; /* what is to be decrypted; NULL: nothing */
    /* Notes on commits that releases made (refs/notes/NAME); NULL or "": nobody wants them. `release_event` makes a line of the log
     * of one, in the arena, on a worker; "" if there is nothing to say. */
    const char *release_notes_ref;
    const char *(*release_event)(struct arena *mem, const char *note);
    /* Each object that a revision changed, with what became of it, before the run ends; NULL: nobody asks. */
    void (*on_changed)(void *ctx, const char *rev, const struct sync_object_status *object);
    void (*on_synced)(void *ctx); /* a run has ended, with an error or without; NULL: nobody asks */
    void *ctx;
};

/* refs/notes/serin: what became of each synced commit. Not the ref of releases (--git-notes-ref), whose readers know what they
 * find there. */
#define SYNC_NOTES_REF "serin"

struct sync;

struct sync *sync_new(const struct sync_opts *opts);
void sync_start(struct sync *sync);
void sync_stop(struct sync *sync);
void sync_free(struct sync *sync);
DEFINE_SCOPED(struct sync, sync_free)

void sync_on_refreshed(struct sync *sync, const char *head,
                       const struct mirror_fetched *fetched); /* wired to the source */
/* Somebody gave up what it owned: the repository has it again. */
void sync_on_released(struct sync *sync);
void sync_soon(struct sync *sync, bool reapply_all); /* --sync-interval, signal, API */

/* What one object of the repository came to. */
enum sync_outcome {
    SYNC_PENDING,
    SYNC_APPLIED,
    SYNC_FAILED,
    SYNC_SKIPPED,
    SYNC_UNKNOWN_KIND,
    SYNC_DRIFTED
};

struct sync_object_status {
    const char *id, *api_version, *kind, *ns, *name, *path;
    uint32_t line;
    enum sync_outcome outcome;
    const char *message; /* "" when applied */
    int64_t since_ms;    /* Unix time of the outcome */
};

struct sync_status {
    const char *head;    /* last head seen */
    const char *loaded;  /* revision that the objects are of, "" none */
    const char *applied; /* revision of the last sync that ended, "" none */
    const char *marker;  /* what the sync marker says, "" none */
    bool is_running;
    int64_t last_sync_ms; /* Unix time of its end, 0 never */
    int64_t last_duration_ms;
    const char *error; /* of the last sync as a whole ("" none): nothing could be applied */
    size_t objects, failed, skipped, drifted;
    int64_t healed; /* drifts healed since start */
};

void sync_status(const struct sync *sync, struct sync_status *out);
/* Objects in order of ID; `at` from 0; false past the last. */
bool sync_object_at(struct sync *sync, size_t at, struct sync_object_status *out);
bool sync_object_find(struct sync *sync, const char *id, struct sync_object_status *out);
/* The manifest of an object as JSON (what is sent, marks included), NULL if there is none. */
const char *sync_object_body(struct sync *sync, const char *id);

/* Kinds that are declared and cannot be watched, so that nobody knows whether they drift: "apps/Deployment", "/Service".
 * for (size_t at = 0; sync_next_unwatched(sync, &at, &kind);) */
bool sync_next_unwatched(const struct sync *sync, size_t *at, const char **kind);

/* Files that could not be read: "path:line:column: text" or, of a file as a whole, "path: text"; NULL past the last. `path` is as it is
 * in the repository. Both are borrowed, until the next sync. */
const char *sync_problem_at(const struct sync *sync, size_t at, const char **path);

#endif
