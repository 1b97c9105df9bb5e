/* canary/live.h - the objects around one canary as they were last seen: what a view is made from.
 * Effects:   none.
 * Ownership: in its arena; objects are borrowed, frozen.
 * A key is API version, kind, namespace ("" for cluster scope) and name. */
#ifndef SERIN_CANARY_LIVE_H
#define SERIN_CANARY_LIVE_H

#include "base/vec.h"
#include "doc/val.h"

/* How much of an object is wanted. */
enum live_form {
    LIVE_FULL,     /* all but managedFields */
    LIVE_CHECKSUM, /* ConfigMaps and Secrets: all but the data, and their checksum */
    LIVE_SECRET,   /* a Secret with its data: credentials of a metric or alert provider */
};

struct live_key {
    const char *api_version, *kind, *ns, *name;
    enum live_form form;
    bool is_mesh; /* on the API server of the mesh, where that is another one */
    /* Made by others, perhaps a moment before the Canary: that it is not there is asked, since its watch may be behind. */
    bool is_source;
};
/* Keys that a canary wants to be kept true; duplicates are fine. */
struct live_wants {
    struct arena *mem;
    VEC(struct live_key) keys;
};
void live_want(struct live_wants *wants, const struct live_key *key); /* texts are borrowed */

enum live_state {
    LIVE_UNKNOWN, /* not read yet: nothing may be decided on it */
    LIVE_ABSENT,
    LIVE_NO_KIND, /* the server has no such kind */
    LIVE_HERE,
};

struct live;
struct live *live_new(struct arena *mem);
/* In the form of the key; the form of a full object and a checksum may both be put, and do not replace each other. `object`
 * may be NULL unless `state` is LIVE_HERE; checksum is of LIVE_CHECKSUM, else NULL. */
void live_put(struct live *live, const struct live_key *key, enum live_state state,
              const struct val *object, const char *checksum);

/* LIVE_UNKNOWN for what was never put. */
enum live_state live_state(const struct live *live, const char *api_version, const char *kind,
                           const char *ns, const char *name);
/* NULL unless LIVE_HERE. */
const struct val *live_find(const struct live *live, const char *api_version, const char *kind,
                            const char *ns, const char *name);
const char *live_checksum(const struct live *live, const char *kind, const char *ns,
                          const char *name); /* of a ConfigMap or Secret; NULL if absent */

#endif
