/* model/specs.h - the Canaries that the model walks through.
 * Effects:   none.
 * Ownership: in the caller's arena. */
#ifndef SERIN_TESTS_MODEL_SPECS_H
#define SERIN_TESTS_MODEL_SPECS_H

#include "model/world.h"

/* What users do to the Canary; new revisions, and the promoted one again, come always. */
enum model_edit {
    EDIT_CONFIG = 1,
    EDIT_SKIP = 2,
    EDIT_SUSPEND = 4, /* and resume */
    EDIT_DELETE = 8,  /* and the target after it */
};

struct model_spec {
    struct world_spec world;
    unsigned edits;
    bool has_old_routes; /* half of the traffic goes to the target when serin comes */
    bool has_checks;
    bool is_refused; /* its runs cannot be made with this router: they fail */
};

size_t model_specs_len(bool is_long);
struct model_spec model_spec_at(struct arena *mem, size_t index, bool is_long);
struct world model_spec_first(const struct model_spec *spec);

#endif
