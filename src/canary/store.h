/* canary/store.h - the objects canaries are about, kept true by watches.
 * Effects:   watches and reads through kube; looks at the server's kinds again when one is missing.
 * Ownership: keeps compact JSON of what somebody wants, without managedFields; of other objects of a watched kind 8 bytes, so that
 *            absence is known without a request. Data of Secrets only for LIVE_SECRET.
 * Units:     bytes.
 *
 *     wants of all canaries ──► kinds to watch (one watch a kind; ConfigMaps and Secrets metadata only)
 *     event, answer of a write ──► newer version wins ──► on_change(owner) for each canary that wants the key
 *
 * A key that is wanted and not there yet is read once; after that only the watch and our own writes change it. Kinds that may
 * not be watched are read key by key, again after poll_ms. */
#ifndef SERIN_CANARY_STORE_H
#define SERIN_CANARY_STORE_H

#include "base/log.h"
#include "canary/live.h"
#include "kube/discovery.h"
#include "kube/watch.h"

struct store;

struct store_opts {
    struct loop *loop;
    const struct log *log;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube *mesh_kube; /* NULL: the same */
    struct kube_discovery *mesh_discovery;
    const char *const *namespaces; /* NULL: all */
    int64_t
        poll_ms; /* how old what is not watched may be; also between looks for missing kinds; default 10 s */
    /* Something that `owner` wants came, changed or went, but not by store_note: in a later turn, once for several changes. */
    void (*on_change)(void *ctx, const char *owner);
    /* A Canary came, changed (is_gone false) or went. */
    void (*on_canary)(void *ctx, const char *ns, const char *name, bool is_gone);
    void (*on_synced)(void *ctx); /* all Canaries were seen once, or the server has no such kind */
    void *ctx;
};

struct store *store_new(const struct store_opts *opts);
void store_start(struct store *store); /* once the discovery is ready */
void store_free(struct store *store);
DEFINE_SCOPED(struct store, store_free)

/* What `owner` ("NAME.NAMESPACE" of a Canary) wants from now on, in place of what it wanted before. */
void store_want(struct store *store, const char *owner, const struct live_wants *wants);
/* The same, but what it wanted before it still does. */
void store_want_more(struct store *store, const char *owner, const struct live_wants *wants);
void store_forget(struct store *store, const char *owner);

/* Puts all wanted objects as they are now, parsed into `mem`. False when one is LIVE_UNKNOWN still: on_change will tell. */
bool store_look(struct store *store, struct arena *mem, const struct live_wants *wants,
                struct live *live);
/* Why store_look says false: the first key that is not known ("Deployment podinfo.test"), and what came of the last attempt to
 * read it (NULL: it is on its way). False when all is known. */
struct store_lack {
    const char *key, *why;
};
bool store_lacks(struct store *store, struct arena *mem, const struct live_wants *wants,
                 struct store_lack *out);
/* A Canary as it is; NULL if it is gone. */
const struct val *store_canary(struct store *store, struct arena *mem, const char *ns,
                               const char *name);
/* False as long as the server has no such kind. */
bool store_has_canaries(const struct store *store);

/* The server has no Canaries: nothing to wait for. */
bool store_has_no_canaries(const struct store *store);

/* The answer of a write (or a read) is the newest there is, unless the watch was faster. */
void store_note(struct store *store, const struct live_key *key, const struct val *object);
void store_note_gone(struct store *store, const struct live_key *key);
/* It was found stale (409): read again before the next look. */
void store_refresh(struct store *store, const struct live_key *key);

struct store_figures {
    size_t canaries, kinds, objects, bytes;
};
void store_figures(const struct store *store, struct store_figures *out);

#endif
