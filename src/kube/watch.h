/* kube/watch.h - one kind seen as it changes.
 * Effects:   network; one stream per watch, on connections apart from those of requests (shared over HTTP/2).
 * Ownership: the callbacks borrow the object for the call. After kube_watch_stop none is called; stopping from within a
 *            callback is fine. A watch is to be stopped before kube_free.
 * Units:     milliseconds.
 * Starts with sendInitialEvents where the server offers it, with list (pages of 500) and watch where not; resumes by
 * resourceVersion, takes bookmarks, starts over on 410 or silence (a watch without an event or bookmark for silence_ms is
 * cut and resumed), backs off with jitter. Reference: api-server.md 2; the rules: kube/watch_step.h. */
#ifndef SERIN_KUBE_WATCH_H
#define SERIN_KUBE_WATCH_H

#include "kube/client.h"
#include "kube/discovery.h"

enum kube_watch_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

struct kube_watch_handler {
    /* After a restart the objects still there come as KUBE_ADDED again; those that are gone are the handler's to find with
     * the next synced: everything not seen between on_restart and on_synced. */
    void (*on_event)(void *ctx, enum kube_watch_event event, const struct val *object);
    void (*on_restart)(void *ctx); /* a full picture begins; may be NULL */
    void (*on_synced)(void *ctx);  /* the full picture is complete; may be NULL */
    void (*on_trouble)(
        void *ctx, const struct err *e); /* reported once per trouble, not per retry; may be NULL */
    void *ctx;
};

struct kube_watch_opts {
    const char *ns;             /* NULL: all */
    const char *label_selector; /* NULL: none */
    const char *field_selector; /* NULL: none */
    bool is_metadata_only;      /* objects are of kind PartialObjectMetadata then */
    int64_t silence_ms;         /* default 10 min (the server sends bookmarks about every minute) */
    int64_t
        unmarked_ms; /* how long the mark after the initial events may be missing, once no object comes any
                                 * more, before the server is taken for one that ignores sendInitialEvents; default 10 s */
};

struct kube_watch;
struct kube_watch *kube_watch_start(struct kube *kube, const struct kube_resource *resource,
                                    const struct kube_watch_opts *opts,
                                    const struct kube_watch_handler *handler);
void kube_watch_stop(struct kube_watch *watch);            /* NULL is fine */
bool kube_watch_is_synced(const struct kube_watch *watch); /* since the last restart */

/* One pass over all objects, page by page; each object is borrowed for on_object, which may be called in several turns. Should
 * the version of the list expire in the middle, the pass begins again and objects come twice. `opts` may be NULL. */
typedef void (*kube_list_done)(void *ctx, const struct err *err, const char *resource_version);
ticket kube_list_start(struct kube *kube, const struct kube_resource *resource,
                       const struct kube_watch_opts *opts,
                       void (*on_object)(void *ctx, const struct val *object), kube_list_done done,
                       void *ctx);
void kube_list_cancel(struct kube *kube, ticket list);

#endif
