#include "release/change.h"

struct err *releases_generated_change(struct releases_change *change, struct mirror *mirror,
                                      int64_t deadline_ms)
{
    (void)mirror;
    (void)deadline_ms;
    for (size_t i = 0; i < change->run->edits.len; i++) {
        const struct release_workload *workload = change->run->edits.at[i].workload;
        if (workload->is_generated)
            return err_new(ERR_INVALID, "%s is made by a generator: change its input in git",
                           workload->id);
    }
    return NULL;
}
