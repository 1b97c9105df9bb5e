/* release/result.h - what became of each workload of an update, and the text of it.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena.
 * Reference: gitops.md 6.2, 6.5, 8.3. */
#ifndef SERIN_RELEASE_RESULT_H
#define SERIN_RELEASE_RESULT_H

#include "base/vec.h"
#include "doc/val.h"

enum release_status {
    RELEASE_UNKNOWN,
    RELEASE_IGNORED,
    RELEASE_SKIPPED,
    RELEASE_SUCCESS,
    RELEASE_FAILED
};
const char *release_status_name(enum release_status status);

struct release_change {
    const char *container, *current, *target; /* references, full */
};

struct release_outcome {
    const char *id;
    enum release_status status;
    const char *error; /* "" : none */
    struct {
        struct release_change *at;
        size_t len, cap;
    } changes;
    bool is_change_list_null; /* PerContainer is null, not [] */
};

struct release_result {
    struct release_outcome *at; /* by ID once sorted */
    size_t len, cap;
};

struct release_outcome *release_result_add(struct arena *mem, struct release_result *result,
                                           const char *id, enum release_status status,
                                           const char *error);
void release_result_sort(struct release_result *result);
size_t release_result_count(const struct release_result *result, enum release_status status);
/* "", `<id> failed: <error>`, `Multiple workloads failed: <id>, <id>` */
const char *release_result_error(struct arena *mem, const struct release_result *result);
/* References of success, each once, sorted: "a:1", "b:2"; NULL-terminated. */
const char *const *release_result_images(struct arena *mem, const struct release_result *result);

struct val *release_result_json(struct arena *mem, const struct release_result *result);
MUST_USE struct err *release_result_parse(struct arena *mem, const struct val *value,
                                          struct release_result *out);

/* The table of 6.5, header included: `verbosity` 0 hides skipped and ignored, 1 ignored, 2 nothing. */
const char *release_result_table(struct arena *mem, const struct release_result *result,
                                 int verbosity);

#endif
