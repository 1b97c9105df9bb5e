/* canary/target/meta.h - names, labels and error texts that all generated objects of a target share.
 * Effects:   none.
 * Ownership: results are in the view's arena.
 * Reference: canary.md 5.1, 5.3, 9.2. */
#ifndef SERIN_CANARY_TARGET_META_H
#define SERIN_CANARY_TARGET_META_H

#include "canary/view.h"

const char *meta_primary_name(const struct canary_view *view, const char *name); /* NAME-primary */

/* A copy to be changed; an empty map of what is none. */
struct val *meta_copy_map(const struct canary_view *view, const struct val *map);

/* What is taken over of a map of labels or annotations; NULL when nothing is. The keys by which Flux and serin's own sync know
 * what came from a repository never are: they would prune a generated object that carries them. */
struct val *meta_included(const struct canary_view *view, const struct val *map); /* by prefix */
struct val *meta_copied(const struct canary_view *view, const struct val *map);   /* all others */
/* Sets metadata.FIELD of an object that is being made; removes it for NULL and an empty map. */
void meta_put(const struct canary_view *view, struct val *object, const char *field,
              struct val *map);

/* The controller of `object` is this Canary, by kind and name (any Canary if `name` is NULL). */
bool meta_is_owned(const struct val *object, const char *name);

/* What the API server says of an object that view_find does not find: `deployments.apps "x" not found`. */
const char *meta_absent(const struct canary_view *view, const char *api_version, const char *kind,
                        const char *name);

/* The port of that name in a list of a Service's; NULL if none has it. One without a name has the name "". */
const struct val *meta_find_port(const struct val *ports, const struct val *like);

void meta_want(const struct canary_view *view, struct live_wants *out, const char *api_version,
               const char *kind, const char *name);

/* An EFFECT_UPDATE of a changed copy of a live object; a conflict is tried again. */
struct effect *meta_update(struct effects *out, const struct val *object, const char *before);
/* Puts `prefix` before the error texts of the effects from `first` on. */
void meta_prefix(struct effects *out, size_t first, const char *prefix);

#endif
