/* sync/applier.h - brings dirty objects of the inventory about: wave by wave, a bounded number at a time.
 * Effects:   GET, PATCH through kube; nothing is read that a watch has shown.
 * Ownership: borrows the inventory and everything in its options; one run at a time.
 * Units:     milliseconds.
 * Reference: gitops.md 3.7; api-server.md 1.3, 5, 6.
 *
 *     one object:  [unseen? GET metadata] -> [client-side apply? take its entry over] -> PATCH
 *                  [another owns parts of its spec? GET, and they are sent as they are]
 *     waves:       rank 0 … 4, then objects whose kind the cluster learns from a CRD of this run; what becomes dirty while
 *                  that CRD is waited for is applied at once */
#ifndef SERIN_SYNC_APPLIER_H
#define SERIN_SYNC_APPLIER_H

#include "kube/apply.h"
#include "sync/inventory.h"

struct applier;

struct applier_outcome {
    struct inventory_object *object;
    bool has_changed;      /* the write did something */
    bool was_drift;        /* it became dirty during the run */
    const struct err *err; /* borrowed; NULL: applied, or skipped */
};

struct applier_opts {
    struct loop *loop;
    const struct log *log;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct inventory *inventory;
    int64_t crd_timeout_ms; /* how long a CRD may take to be established; default 30 s */
    /* An object was applied or refused; its outcome is set. */
    void (*on_object)(void *ctx, const struct applier_outcome *outcome);
    void (*done)(void *ctx); /* no object is busy or due any more */
    void *ctx;
};

struct applier *applier_new(const struct applier_opts *opts);
void applier_free(struct applier *applier); /* cancels what runs */

/* Applies all objects that are dirty and due (not_before_ms); done comes in a later turn. */
void applier_run(struct applier *applier);

#endif
