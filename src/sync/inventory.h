/* sync/inventory.h - what the repository declares and what became of it: one record per file, one per object.
 * Effects:   none.
 * Ownership: the inventory owns its records (heap, they outlive runs); texts are copies. A record is borrowed until it is
 *            withdrawn, and nothing withdraws while a run is applying (inventory_update is called between runs).
 * Units:     Unix milliseconds.
 *
 *     file  a/web.yaml (blob 1f3c…) ──► object demo:deployment/web (line 3)
 *                                   └─► object demo:service/web    (line 20)
 *     Two files may claim one object: then none of them is applied (gitops.md 3.3, duplicates). */
#ifndef SERIN_SYNC_INVENTORY_H
#define SERIN_SYNC_INVENTORY_H

#include "base/map.h"
#include "base/vec.h"
#include "sync/mark.h"
#include "sync/sync.h"

enum inventory_live { INVENTORY_UNSEEN, INVENTORY_ABSENT, INVENTORY_PRESENT };

struct inventory_object {
    char *id, *api_version, *kind, *ns, *name, *path;
    uint32_t line;
    int rank;
    bool is_cluster_scoped, is_generated;
    bool is_encrypted;     /* in the repository: what is said of it quotes no values */
    char *body;            /* JSON as sent; NULL for what is not applied (skipped, unknown kind) */
    char *mark, *checksum; /* label and annotation as sent */
    char *other_id;        /* of an unknown kind: the ID it would have cluster-wide; else NULL */
    unsigned char body_print[16];
    char *scale_target; /* of a HorizontalPodAutoscaler: "ns:kind/name"; else NULL */
    /* The next claim on the same ID, and the one before; NULL: none. What came of them is in the first one. */
    struct inventory_object *rival, *rival_before;

    enum sync_outcome outcome;
    char *message; /* NULL: none */
    int64_t since_ms;

    /* What we know of the live object; kept when another revision declares the same ID. */
    enum inventory_live live;
    enum mark_ignore live_ignore; /* annotation on the live object */
    bool has_mark;                /* the live object carries our mark, as far as we know */
    bool needs_takeover;          /* has an entry of client-side apply */
    bool owns_replicas;           /* our entry has spec.replicas */
    bool is_kept;                 /* applied last with parts of its spec left to another owner */
    bool has_print,
        was_applied; /* live_print (what our last apply left as our entry), applied_print are set */
    unsigned char live_print[16], applied_print[16];
    bool has_seen_print; /* our entry as a watch or a GET showed it last */
    unsigned char seen_print[16];
    bool has_refused_print; /* our entry as it was when the last apply was refused for good */
    unsigned char refused_print[16];
    uint64_t live_version;   /* resourceVersion of our last write */
    int64_t live_generation; /* after it */
    uint32_t seen;           /* generation of the watch that saw it last (sync/picture.c) */
    char *uid;
    /* Work. */
    bool is_busy, is_dirty; /* being applied; to be applied (again) */
    bool is_listed;         /* by a run, which has not come to it yet */
    bool is_changed;        /* by the revision being synced: for the sync event */
    bool may_retry;         /* failed for a reason that time may mend */
    bool
        has_news; /* seen while an apply was on its way: news_version, news_print, news_is_marked */
    bool news_has_print, news_is_marked;
    unsigned char news_print[16];
    uint64_t news_version;
    int64_t news_generation;
    int heals;                        /* of late; many of them are a fight with another manager */
    int64_t healed_ms, not_before_ms; /* loop time */
};

struct inventory_file {
    char *path, *oid; /* oid "": made by a generator */
    unsigned mode;    /* of a symlink oid is the id of what it leads to */
    VEC(struct inventory_object *) objects;
    VEC(char *) problems;      /* "path:line:column: text" */
    bool is_hidden, may_retry; /* could not be decrypted: read again with every sync; soon */
    bool is_broken; /* could not be read to its end: what it declared before stays declared */
};

/* A kind of which there are objects to be applied. */
struct inventory_kind {
    char *api_version, *kind;
    size_t count; /* may have come down to 0 */
};

struct inventory {
    struct map *files;              /* path -> struct inventory_file, owned */
    struct map *links;              /* those of them that are symlinks */
    struct map *objects;            /* ID -> struct inventory_object, the first claim */
    struct map *scaled;             /* "ns:kind/name" of scale targets -> itself */
    struct map *kinds;              /* "api_version kind" -> struct inventory_kind, owned */
    const struct sync_owner *owner; /* NULL: nobody; set by who makes the inventory */
};

void inventory_init(struct inventory *inv);
void inventory_fini(struct inventory *inv);

struct inventory_object *inventory_object_new(const char *id);
struct inventory_file *inventory_file_new(const char *path, const char *oid, unsigned mode);
void inventory_file_free(struct inventory_file *file);

/* Puts the files that were read in place of their older selves, drops those that are gone, and carries what is known of live
 * objects over. Takes ownership of the files. IDs that became undeclared are handed to on_gone, objects that several files
 * claim now to on_duplicate; IDs that are new or whose body changed are marked dirty. What no such file declares or declared
 * is not looked at. */
struct inventory_update {
    struct inventory_file **files;
    size_t count;
    const char *const *gone; /* paths; of files that are not there as well */
    size_t gone_count;
    void (*on_gone)(void *ctx, const struct inventory_object *object);
    void (*on_duplicate)(void *ctx, const struct inventory_object *object);
    void *ctx;
    int64_t now_ms;
};
void inventory_update(struct inventory *inv, const struct inventory_update *update);

struct inventory_object *inventory_find(const struct inventory *inv, const char *id);
void inventory_set_outcome(struct inventory_object *object, enum sync_outcome outcome,
                           const char *message, int64_t now_ms);
/* Whether an autoscaler or a canary has its replicas. */
bool inventory_has_scaler(const struct inventory *inv, const struct inventory_object *object);
unsigned inventory_owned(const struct inventory *inv,
                         const struct inventory_object *object); /* enum owner_field */
size_t inventory_problem_count(const struct inventory *inv);
/* Whether time may mend what keeps a file from being read. */
bool inventory_may_retry(const struct inventory *inv);

#endif
