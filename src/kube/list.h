/* kube/list.h - a list in pages, for kube_list_start and for watches.
 * Effects:   network.
 * Ownership: the spec is copied; what callbacks are given is borrowed for the call.
 * Units:     objects. */
#ifndef SERIN_KUBE_LIST_H
#define SERIN_KUBE_LIST_H

#include "kube/watch.h"

struct list_end {
    const struct err *err;
    enum kube_refusal refusal;
    const char *resource_version; /* "" on error */
};

struct list_spec {
    const char *path, *selectors;   /* selectors: "" or &labelSelector=…, encoded */
    const char *api_version, *kind; /* of the items, which do not say themselves in full lists */
    bool is_metadata_only;
    bool begins_again; /* after a 410 in the middle; else that is an error like any other */
    void (*on_object)(void *ctx, const struct val *object);
    void (*done)(void *ctx, const struct list_end *end);
    void (*on_cancel)(void *ctx); /* in place of done; may be NULL */
    void *ctx;
};

/* The ticket is kube_cancel's, from within on_object, too. */
ticket list_start(struct kube *kube, const struct list_spec *spec);

/* "" or "&labelSelector=…&fieldSelector=…". */
const char *list_selectors(struct arena *mem, const struct kube_watch_opts *opts);

#endif
