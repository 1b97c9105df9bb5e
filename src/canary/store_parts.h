/* canary/store_parts.h - inside the store. Only its own files include this.
 * Effects:   none of its own.
 * Ownership: a kind owns its feeds and objects, the store its kinds and owners.
 *
 *     store ─► side (API server) ─► kind ─► feed (a watch, of all or of one namespace)
 *       └───► owner ◄──────────────► object (a wanted key, or a Canary)
 */
#ifndef SERIN_CANARY_STORE_PARTS_H
#define SERIN_CANARY_STORE_PARTS_H

#include "base/map.h"
#include "base/vec.h"
#include "canary/store.h"
#include "canary/store_present.h"

struct store_owner;
struct store_kind;

/* One watch. */
struct store_feed {
    struct store_kind *kind;
    char *ns; /* NULL: all */
    struct kube_watch *watch;
    uint32_t generation; /* of the full picture being received or received last */
    bool is_synced;      /* once; from then on absence is known */
    bool is_refused;     /* it may not watch: keys are read one by one */
    struct store_present present,
        next; /* names nobody wants; next: of the picture being received */
    bool is_receiving;
};

struct store_side {
    struct store *store;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct kube_watch *definitions; /* of CRDs, once a kind was missing */
    bool is_definitions_synced;
    ticket timer; /* until the next look at the kinds */
    size_t looks; /* since something changed */
};

struct store_kind {
    struct store *store;
    struct store_side *side;
    char *api_version, *name;
    bool is_metadata; /* watched so; objects are read */
    bool keeps_all;   /* Canaries */
    bool drops_status;
    bool is_missing; /* the server has no such kind */
    bool is_namespaced;
    VEC(struct store_feed *) feeds;
    struct map *objects; /* "NS/NAME" -> struct store_object */
};

struct store_object {
    struct store_kind *kind;
    struct store_feed *feed; /* NULL: of a namespace that is not watched */
    char *ns, *name;
    enum live_state state; /* never LIVE_NO_KIND: that is the kind's */
    char *json;            /* of LIVE_HERE: compact, without managedFields, resourceVersion */
    size_t json_len;
    char *resource_version, *checksum;
    uint64_t version; /* the newest heard of, of its removal too */
    uint32_t seen;    /* generation of the feed */
    bool keeps_data;  /* a Secret somebody wants the data of */
    bool is_stale;    /* to be read before the next look */
    bool is_present;  /* it was there when it was last heard of, whether read or not */
    uint64_t mark;    /* of the store_want that saw it last */
    VEC(struct store_owner *) owners;

    ticket read, retry;
    bool is_queued, is_asked_again; /* again: something happened while it was being read */
    int failures;
    char *trouble; /* of the last attempt to read it */
};

struct store_owner {
    char *name;
    VEC(struct store_object *) wants;
    size_t due_at; /* 1 + place in store->due; 0: none */
};

struct store {
    struct store_opts opts;
    struct store_side sides[2]; /* our cluster, that of the mesh */
    struct map *kinds;          /* "[mesh ]API_VERSION/KIND" -> struct store_kind */
    struct store_kind *canaries;
    struct map *owners;
    struct arena *mem; /* of one event */
    uint64_t marks;
    VEC(struct store_owner *) due; /* to be told; NULL: was forgotten */
    ticket turn, start;
    VEC(struct store_object *) queue; /* to be read, from `queue_at` on; NULL: was released */
    size_t queue_at, reading, objects, bytes;
    bool was_synced, is_ending;
};

/* store.c */
const char *store_key(struct arena *mem, const char *ns, const char *name);
struct store_object *store_object_new(struct store_kind *kind, const char *ns, const char *name);
void store_object_free(struct store_object *object);
void store_tell(struct store_object *object); /* its owners, in a later turn */
void store_tell_canary(const struct store_object *object, bool is_gone);
/* What is known of it from now on, if it is newer; tells, unless it is news of ours. `object` is full. */
void store_take(struct store_object *at, const struct val *object, bool is_ours);
void store_take_gone(struct store_object *at, uint64_t version, bool is_ours);
uint64_t store_version_parse(const char *text); /* 0: cannot be compared */

/* store_kind.c */
struct store_kind *store_kind_need(struct store *store, bool is_mesh, const char *api_version,
                                   const char *name);
void store_kind_free(void *kind);
struct store_feed *store_feed_of(const struct store_kind *kind, const char *ns);
void store_side_stop(struct store_side *side);

/* store_read.c */
void store_read(struct store_object *object); /* soon */
void store_read_stop(struct store_object *object);

#endif
