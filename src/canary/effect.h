/* canary/effect.h - requests to the API server as values: what an action comes to. Whoever plans them sends none of them.
 * Effects:   none.
 * Ownership: in the arena of the list.
 * Errors:    the text of a request that was refused is `before`, the server's message, `after`.
 *            A plan that cannot be made (a missing object, a spec that asks for what cannot be) is ERR_INVALID or ERR_NOT_FOUND
 *            with the text as a user sees it in the event. */
#ifndef SERIN_CANARY_EFFECT_H
#define SERIN_CANARY_EFFECT_H

#include "base/vec.h"
#include "doc/val.h"

enum effect_verb {
    EFFECT_CREATE,      /* POST; there already: an error like any other */
    EFFECT_UPDATE,      /* PUT with the resourceVersion in the body */
    EFFECT_MERGE,       /* PATCH application/merge-patch+json */
    EFFECT_DELETE,      /* gone already is fine */
    EFFECT_COPY_CONFIG, /* reads the ConfigMap or Secret `source`, writes body + its data (configs.h: configs_fill) to `name`:
                           PUT without a resourceVersion, POST if that finds nothing */
};

struct effect {
    enum effect_verb verb;
    const char *api_version, *kind, *ns, *name;
    const struct val *body;     /* object or patch; NULL for DELETE */
    const char *source;         /* COPY_CONFIG */
    const char *source_before;  /* of the error text when `source` cannot be read */
    const char *before, *after; /* of the error text; "" none */
    const char *log;            /* line at level info once it is done; NULL none */
    bool is_mesh;               /* goes to the API server of the mesh */
    bool retries_conflicts;     /* 409: read again, plan again, at most five times */
};

struct effects {
    struct arena *mem;
    VEC(struct effect) list;
    /* Session cookies that a router has chosen: for the next status write. NULL: unchanged; "" clears. */
    const char *cookie, *primary_cookie, *previous_cookie;
    VEC(const char *) warnings; /* log lines at level warn */
};

/* A new one on `object`: its API version, kind, namespace and name; body is the object, which callers replace for MERGE. */
struct effect *effect_add(struct effects *out, enum effect_verb verb, const struct val *object);

#endif
