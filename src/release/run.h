/* release/run.h - inside the third reconciler: its state, one run from a spec to a commit, and its automation. Only the shell of this
 * room includes this.
 * Effects:   none of its own.
 * Ownership: struct releases owns its runs. What a run made for one try is in `mem`, which a worker has while is_out is set; the rest
 *            is in `life`.
 *
 *     submit ─► queue ─► releases_run_start ─► fetch ─► survey ─► live ─► tags ─► choose ─► change ─► finish
 *     plan ─────────────────────┘                ▲                                            │ conflict
 *                                                └────────────────────────────────────────────┘
 */
#ifndef SERIN_RELEASE_RUN_H
#define SERIN_RELEASE_RUN_H

#include "base/arena.h"
#include "base/vec.h"
#include "image/live.h"
#include "release/jobs.h"
#include "release/releases.h"
#include "release/select.h"
#include "sync/files.h"

/* What a run ended with; borrowed for the callback. */
struct releases_outcome {
    const struct err *err;
    const char *revision; /* "" : nothing was committed */
    const struct release_spec *spec;
    const struct release_result *result; /* NULL with an error, unless it names who is to blame */
};

typedef void (*releases_run_done)(void *ctx, const struct releases_outcome *outcome);

struct releases_texts {
    VEC(struct release_file) files;
};

struct releases_run {
    struct releases *releases;
    struct arena *life;
    struct release_spec spec;
    const char *job_id;
    releases_run_done done;
    void *ctx;
    struct releases_run *next, **at;

    bool is_out;      /* something that cannot be cancelled comes back: a fetch, a worker */
    bool is_given_up; /* nobody waits for it any more */
    int tries;
    size_t stage;
    int64_t started_ms, stage_ms; /* loop time */

    /* Of one try. */
    struct arena *mem;
    char head[MIRROR_SHA_BYTES];
    struct releases_look *look; /* releases_look.c: what the worker is told and says */
    struct release_survey survey;
    struct releases_texts texts;
    struct release_needs needs;
    struct image_live *live_list; /* while it runs */
    VEC(struct release_live) live;
    ticket tags, turn;
    struct release_result result;
    struct release_edits edits;
    struct releases_change *change; /* releases_change.c */
};

struct releases {
    struct releases_opts opts; /* texts in mem */
    struct arena *mem;
    struct release_jobs *jobs;
    struct releases_run *runs;    /* all that are there */
    struct releases_run *running; /* of the job that runs; NULL: none, or it is a sync */
    struct releases_plan *plans;
    ticket plan_number;
    struct releases_note_search *searches;
    struct releases_sync *syncs;
    uint64_t sync_number;
    ticket turn, deadline;
    bool may_act, is_stopped;
    struct metric *job_duration, *queue_duration, *queue_length, *release_duration, *stage_duration;
    struct releases_automation *automation;
    char *last_revision, *last_summary;
    int64_t last_ms; /* Unix time */
};

/* releases_run.c: the spec is copied. `done` comes once, in a later turn, unless the run is given up. */
struct releases_run *releases_run_start(struct releases *releases, const struct release_spec *spec,
                                        const char *job_id, releases_run_done done, void *ctx);
void releases_run_give_up(struct releases_run *run);
void releases_run_free(struct releases_run *run); /* nothing of it can come back any more */
/* Called once at the end of every stage. Takes the error. */
void releases_run_next(struct releases_run *run, struct err *e);
/* What a worker, or a fetch, brought back: false if nobody wants it any more (the run is gone then). */
bool releases_run_is_back(struct releases_run *run);

/* releases_look.c: files of the head that the spec is about, then live objects, then tags. */
void releases_look_at_files(struct releases_run *run);
void releases_look_at_cluster(struct releases_run *run);
void releases_look_at_tags(struct releases_run *run);
/* On a worker: all that is in the head. */
MUST_USE struct err *releases_look_list_tree(const struct releases_run *run, struct mirror *mirror,
                                             struct files_list *tree);

/* releases_change.c: edits, verified, committed, pushed. */
void releases_change_start(struct releases_run *run);
const char *releases_change_revision(const struct releases_run *run); /* "" : none */

/* releases_sync.c: the job that only asks for the head. */
void releases_sync_start(struct releases *releases);
void releases_sync_free(struct releases *releases);
/* releases.c: ends the job that runs. */
void releases_end_job(struct releases *releases, const struct val *result, const char *error);

/* releases_notes.c */
void releases_notes_free(struct releases *releases);

/* releases_auto.c */
struct releases_automation *releases_auto_new(struct releases *releases);
void releases_auto_stop(struct releases_automation *automation);
void releases_auto_free(struct releases_automation *automation);
void releases_auto_act(struct releases_automation *automation); /* may_act has changed */
/* A job has ended: what it changed, if it was of automation; that it asks for automation. */
void releases_auto_on_job(struct releases_automation *automation,
                          const struct releases_outcome *outcome);

#endif
