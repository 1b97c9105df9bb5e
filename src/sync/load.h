/* sync/load.h - from a commit to inventory files: the two jobs that run on a git worker.
 * Effects:   reads the mirror; runs generators. Blocks: worker threads only.
 * Ownership: a job is made on the loop, filled on the worker, read on the loop, freed there. What it was given is copied.
 * Reference: gitops.md 3.2 to 3.5, 4. */
#ifndef SERIN_SYNC_LOAD_H
#define SERIN_SYNC_LOAD_H

#include "base/arena.h"
#include "git/mirror.h"
#include "kube/discovery.h"
#include "sync/files.h"
#include "sync/inventory.h"
#include "sync/resolve.h"
#include "sync/reveal.h"

struct load_settings { /* borrowed from who runs the jobs, which outlives them */
    const char *set_name, *default_ns;
    const char *const *allowed_ns;
    const char *const *git_paths;
    bool manifest_generation;
    int64_t generator_timeout_ms;
    const struct reveal_settings *reveal; /* NULL: nothing is decrypted */
    const char *release_notes_ref;        /* as in sync_opts */
    const char *(*release_event)(struct arena *mem, const char *note);
};

/* First job: which files the commit has, and which commits are new since the marker. With a `base` that is still there, only
 * what has changed since is listed; without, after a change of what is a chart, and with generators, everything is. */
struct load_list {
    const struct load_settings *settings;
    struct arena *mem;
    const char *rev, *marker; /* marker "" : none */
    const char *base;         /* the revision that is loaded; "" : none */
    struct files_list
        links; /* of `base`: symlinks among the manifests, each with the id of what it leads to */
    bool wants_log;
    struct mirror_commits commits;    /* newest first */
    VEC(const char *) release_events; /* of notes on them, oldest first */
    bool marker_is_lost;              /* it is not in the history we have: as a first sync */
    bool is_delta;                    /* `files` and `gone` are what is new against `base` */
    struct files_list files;
    VEC(const char *)
    gone; /* with is_delta: paths that are no manifests any more (if they ever were) */
    struct manifest_list generated;
    struct manifest_problems problems; /* of generators */
    void *ctx;
};

/* Second job: those that are not known yet, read, parsed and resolved. */
struct load_read {
    const struct load_settings *settings;
    struct arena *mem;
    const char *rev;
    struct files_list entries;
    const struct load_list *list; /* the first job, which outlives this one: what generators made */
    struct map *scopes;           /* "api_version kind" -> enum resolve_scope + 1 */
    struct reveal *reveal;        /* while it runs */
    VEC(struct inventory_file *) files; /* the result; taken by who reads it */
    void *ctx;
};

struct load_list *load_list_new(const struct load_settings *settings, const char *rev,
                                const char *marker);
struct err *load_list_work(struct mirror *mirror, void *job, int64_t deadline_ms);
void load_list_base(struct load_list *job, const char *base);
void load_list_add_link(struct load_list *job, const struct files_entry *link);
void load_list_free(struct load_list *job);

struct load_read *load_read_new(const struct load_settings *settings, const char *rev,
                                const struct kube_discovery *discovery);
void load_read_add(struct load_read *job, const struct files_entry *entry);
struct err *load_read_work(struct mirror *mirror, void *job, int64_t deadline_ms);
void load_read_free(struct load_read *job);

#endif
