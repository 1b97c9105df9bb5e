/* doc/object.h - what every Kubernetes object has: names, labels, and the resource ID of Flux.
 * Effects:   none.
 * Ownership: accessors borrow from the object, the rest is in the caller's arena.
 * Reference: gitops.md 0.2, 3.4. */
#ifndef SERIN_DOC_OBJECT_H
#define SERIN_DOC_OBJECT_H

#include "doc/val.h"

#define OBJECT_CLUSTER "<cluster>" /* the namespace of an ID of an object without one */

/* "" where the object does not say. */
const char *object_api_version(const struct val *object);
const char *object_kind(const struct val *object);
const char *object_namespace(const struct val *object);
const char *object_name(const struct val *object);
const char *object_uid(const struct val *object);
const char *object_resource_version(const struct val *object);
const char *object_label(const struct val *object, const char *key);      /* NULL if absent */
const char *object_annotation(const struct val *object, const char *key); /* NULL if absent */
int64_t object_generation(const struct val *object);

/* apps/v1 -> "apps", "v1"; v1 -> "", "v1". */
void object_split_api_version(struct arena *mem, const char *api_version, const char **group,
                              const char **version);

/* "ns:kind/name", kind in lower case, <cluster> for an empty namespace. */
const char *object_id(struct arena *mem, const char *ns, const char *kind, const char *name);
/* The three parts, by the full form of gitops.md 0.2 (the legacy form ns/name is kind "service"). ERR_INVALID:
 * parsing <s>: invalid service ID. */
struct object_id {
    const char *ns, *kind, *name;
};
MUST_USE struct err *object_id_parse(struct arena *mem, const char *text, struct object_id *out);

#endif
