/* sync/run.h - inside the reconciler: its state, and the stages of a run. Only the shell of this room includes this.
 * Effects:   none of its own.
 * Ownership: struct sync owns all it points at but what its options lend.
 *
 *     triggers                                   one run
 *     head moved ─┐                      ┌ list ─► read ─► discover ─► observe ─► apply ─► collect ─► mark ┐
 *     interval    ├─► sync_wake ─► run ──┤                                                                 ├─► finish
 *     API, signal │                      └ (heal) ──────────────────────────► apply ───────────────────────┘
 *     drift ──────┘ */
#ifndef SERIN_SYNC_RUN_H
#define SERIN_SYNC_RUN_H

#include "base/arena.h"
#include "sync/applier.h"
#include "sync/inventory.h"
#include "sync/load.h"
#include "sync/picture.h"
#include "sync/sync.h"

/* One run, from a trigger to its report. */
struct sync_run {
    struct sync *sync;
    struct arena *mem;
    size_t stage;
    bool is_heal;       /* applies what drifted, nothing else */
    bool has_reread;    /* unknown kinds were read again after a look at the API groups */
    int64_t started_ms; /* loop time */
    char rev[MIRROR_SHA_BYTES];
    struct load_list *list; /* NULL when the head is the one that is loaded */
    struct load_read *read;
    VEC(const char *) gone; /* paths that the commit does not have (any more) */
    size_t failed;
    bool has_left_some; /* garbage that time may let go */
    struct collect *collect;
    VEC(const char *) deleted_ids;
};

struct sync {
    struct sync_opts opts;
    struct load_settings settings;
    struct arena *mem; /* texts of the options, for life */
    struct inventory inventory;
    VEC(const struct inventory_object *) sorted; /* by ID, while is_sorted */
    bool is_sorted;
    struct picture *picture;
    struct applier *applier;
    const char *set_name;
    struct sync_run *run; /* NULL: idle */

    char head[MIRROR_SHA_BYTES];    /* to be synced */
    char loaded[MIRROR_SHA_BYTES];  /* what the inventory holds */
    char applied[MIRROR_SHA_BYTES]; /* of the last run that reached its end */
    char marker[MIRROR_SHA_BYTES];
    bool has_marker; /* it was read */
    bool is_started, wants_sync, wants_heal, wants_reapply, wants_all,
        was_synced;      /* wants_all: what was refused for good too */
    bool owner_is_known; /* or waited for long enough */
    ticket interval, retry, wake, heal, marker_read, owner_wait;
    void (*on_marker)(struct sync *sync, struct err *e);
    int64_t heal_due_ms; /* loop time, while heal is set */
    int retries;

    char *error; /* of the last run as a whole; NULL: none */
    int64_t last_sync_ms, last_duration_ms, healed;
    struct metric *duration, *manifests, *drift, *objects;
};

/* sync.c */
void sync_wake(
    struct sync *sync); /* starts a run in a later turn, if none runs and one is wanted */
void sync_next(struct sync_run *run, struct err *e); /* called once at the end of every stage */

/* stages.c */
void sync_stage_list(struct sync_run *run);
void sync_stage_read(struct sync_run *run);
void sync_stage_discover(struct sync_run *run);
void sync_stage_observe(struct sync_run *run);
void sync_stage_apply(struct sync_run *run);

/* collect.c */
void sync_stage_collect(struct sync_run *run);
void sync_collect_free(struct collect *collect);

/* report.c */
void sync_stage_mark(struct sync_run *run);
void sync_report_commit(
    struct sync_run *run); /* log line and Kubernetes event of what was synced */
void sync_report_object(struct sync *sync, const struct inventory_object *object, bool is_warning,
                        const char *reason, const char *message);
/* With the marker in a Secret (in git mode every fetch brings it); `done` owns the error. */
void sync_read_marker(struct sync *sync, void (*done)(struct sync *sync, struct err *e));

/* status.c */
void sync_show(const struct inventory_object *object, struct sync_object_status *out);

/* watch.c */
void sync_on_seen(void *ctx, struct inventory_object *object, const struct drift_seen *seen);
void sync_schedule_heal(struct sync *sync); /* after a run: for whatever is dirty still */

#endif
