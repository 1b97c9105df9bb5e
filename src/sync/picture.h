/* sync/picture.h - the live side: a watch for every kind that is declared, and the marked objects that are not.
 * Effects:   watches and lists through kube.
 * Ownership: borrows inventory, kube, discovery; owns its watches and strays.
 * Units:     none.
 * The watches carry metadata only and select the garbage collection label, so objects that nobody marked cost nothing
 * (design.md 3.5). What is declared but unmarked (made by hand, by another manager) is found by a list of its kind, once. */
#ifndef SERIN_SYNC_PICTURE_H
#define SERIN_SYNC_PICTURE_H

#include "kube/watch.h"
#include "sync/drift.h"
#include "sync/inventory.h"
#include "sync/mark.h"

struct picture;

/* A marked object that no file declares. */
struct picture_stray {
    char *id, *api_version, *kind, *ns, *name, *uid, *mark, *checksum;
    enum mark_ignore ignore;
    bool has_owner, is_deleting, is_cluster_scoped;
    char *kind_key; /* which watch keeps it true */
    uint32_t seen;
};

struct picture_opts {
    struct loop *loop;
    const struct log *log;
    struct kube *kube;
    struct kube_discovery *discovery;
    struct inventory *inventory;
    const char *const *allowed_ns;     /* NULL: all, with one watch a kind */
    const char *const *excluded_kinds; /* globs on group/version/Kind */
    const char *set_name;              /* strays of other sets are not kept */
    /* A declared object was seen: as it is (DRIFT_SEEN), as it was before it went or lost its label (DRIFT_REMOVED), or not at
     * all any more (DRIFT_ABSENT, and nothing else is set). */
    void (*on_seen)(void *ctx, struct inventory_object *object, const struct drift_seen *seen);
    void (*on_kinds_changed)(void *ctx); /* a CRD came, went or changed */
    void *ctx;
};

struct picture *picture_new(const struct picture_opts *opts);
void picture_free(struct picture *picture);

/* Calls done once every declared kind has a picture (or cannot have one: logged). With `all_kinds`, every listable kind is
 * listed for marked objects, once a process. */
void picture_observe(struct picture *picture, bool all_kinds, void (*done)(void *ctx), void *ctx);

/* After that: whether kinds are missing from the picture that time may bring; the next call asks for them again. */
bool picture_may_retry(const struct picture *picture);

/* Kinds of which no change is seen, as their watch has been in trouble (logged) since it began: "apps/Deployment", "/Service".
 * for (size_t at = 0; picture_next_unseen(picture, &at, &kind);) */
bool picture_next_unseen(const struct picture *picture, size_t *at, const char **kind);

/* What the metadata of a live object say of it; texts are borrowed from it. */
void picture_read(const struct val *live, enum drift_event event, struct drift_seen *out);

/* Reads a live object and keeps in the record what will be asked of it. */
void picture_note(struct arena *mem, struct inventory_object *object, const struct val *live,
                  struct drift_seen *out);

size_t picture_stray_count(const struct picture *picture);
/* for (size_t at = 0; picture_next_stray(picture, &at, &stray);) */
bool picture_next_stray(const struct picture *picture, size_t *at,
                        const struct picture_stray **out);
/* An object that was declared and live is so no longer declared. */
void picture_add_stray(struct picture *picture, const struct inventory_object *object,
                       const char *mark);
void picture_drop_declared(struct picture *picture,
                           const struct inventory_file *file); /* what it declares is no stray */
/* It is gone, unless another object has taken its name meanwhile. */
void picture_drop_stray(struct picture *picture, const char *id, const char *uid);

#endif
