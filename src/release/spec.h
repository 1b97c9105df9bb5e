/* release/spec.h - what an update of the repository is asked to do: the bodies of requests, the text of notes.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena and borrow from the value they were read from.
 * Errors:    ERR_INVALID in the words of gitops.md 8.1 ("unknown spec type: …", "no type in update spec").
 * Reference: gitops.md 2.6, 8.2. */
#ifndef SERIN_RELEASE_SPEC_H
#define SERIN_RELEASE_SPEC_H

#include "doc/val.h"

#define RELEASE_ALL        "<all>"
#define RELEASE_ALL_LATEST "<all latest>"

#define RELEASE_SPEC_ITEMS_MAX ((size_t)10000) /* workloads, containers or policies of one update */
#define RELEASE_SPEC_TEXT_MAX  ((size_t)64 << 10) /* of a message, the value of a policy */
#define RELEASE_SPEC_NAME_MAX  ((size_t)1024)     /* of everything else */

enum release_type { RELEASE_SYNC, RELEASE_IMAGE, RELEASE_CONTAINERS, RELEASE_POLICY, RELEASE_AUTO };

struct release_container_update { /* one container of one workload */
    const char *id, *container;
    const char *current; /* "" : no precondition */
    const char *target;  /* a reference */
};
struct release_policy_update { /* of one workload */
    const char *id;
    const struct val *add, *remove; /* maps policy -> text; never NULL */
    bool has_add, has_remove;       /* it was sent: notes keep the difference */
};

struct release_spec {
    enum release_type type;
    const char *user, *message; /* "" where not given */
    bool is_plan;               /* a dry run */
    bool force;
    /* RELEASE_IMAGE */
    const char *const *workloads; /* IDs or RELEASE_ALL; NULL-terminated */
    const char *const *excludes;  /* NULL-terminated; NULL: the request had null */
    const char *image;            /* a reference with a tag, or RELEASE_ALL_LATEST */
    /* RELEASE_CONTAINERS, RELEASE_AUTO (current: the image it had) */
    const struct release_container_update *containers;
    size_t container_count;
    bool skip_mismatches;
    /* RELEASE_POLICY, by ID */
    const struct release_policy_update *policies;
    size_t policy_count;
};

const char *release_type_name(enum release_type type); /* sync, image, containers, policy, auto */

/* The whole of {"type","cause","spec"}; names of fields in any case, as Go reads them. */
MUST_USE struct err *release_spec_parse(struct arena *mem, const struct val *body,
                                        struct release_spec *out);
struct val *release_spec_json(struct arena *mem, const struct release_spec *spec);

/* --workload of a command line, "kind/name" or "ns:kind/name", to an ID. */
MUST_USE struct err *release_spec_id(struct arena *mem, const char *text, const char *default_ns,
                                     const char **out);

#endif
