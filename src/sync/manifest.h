/* sync/manifest.h - the text of a file to manifests, and what is wrong with it.
 * Effects:   none. Pure.
 * Ownership: manifests, problems and texts are in the caller's arena; `path` and `generator` are
 *            copied.
 * Units:     lines and columns from 1; 0 where there is none. A problem never stops more than the
 *            document it is in; after broken syntax reading goes on at the next line `---`.
 * Reference: gitops.md 3.3, api-server.md 6. */
#ifndef SERIN_SYNC_MANIFEST_H
#define SERIN_SYNC_MANIFEST_H

#include "base/vec.h"
#include "doc/val.h"

struct manifest {
    const char *path; /* the file; for a generated one the name of its configuration, e.g.
                         staging/../.flux.yaml */
    bool is_generated;
    bool is_encrypted;     /* in the repository: its values are not to be shown */
    uint32_t line, column; /* where the document (the item of a List) begins */
    const char *api_version, *kind;
    const char *ns; /* as written; "" where it is not */
    const char *name;
    const struct val *object;
};

struct manifest_list {
    struct manifest *at; /* grown with vec_push */
    size_t len, cap;
};

enum manifest_severity {
    MANIFEST_ERROR,   /* something could not be read: an object may be missing from the result */
    MANIFEST_WARNING, /* worth a look */
};

struct manifest_problem {
    const char *path;
    uint32_t line, column;
    enum manifest_severity severity;
    const char *text; /* one line, no control characters */
};

struct manifest_problems {
    struct manifest_problem *at; /* grown with vec_push */
    size_t len, cap;
};

#define MANIFEST_PROBLEMS_MAX 100 /* of one file; the rest is counted in a last one */

struct manifest_source {
    const char *path;
    bool is_generated;
    bool
        is_encrypted; /* the text was decrypted: problems do not quote it, lines are those of the text in clear */
};

/* Documents to manifests, appended to `out`. Lists (any kind that ends in List and has items) are
 * expanded, documents without a kind skipped. False if there was a problem of severity
 * MANIFEST_ERROR. */
bool manifest_parse(struct arena *mem, const struct manifest_source *source, const char *text,
                    size_t len, struct manifest_list *out, struct manifest_problems *problems);

/* The same for one document that was read already. `source` and its path are borrowed from the arena. */
bool manifest_read(struct arena *mem, const struct manifest_source *source, const struct val *root,
                   struct manifest_list *out, struct manifest_problems *problems);

/* Adds a problem of the caller's own (a file that cannot be read, …); control characters become
 * spaces. */
void manifest_report(struct arena *mem, struct manifest_problems *problems,
                     const struct manifest_problem *where, const char *fmt, ...) PRINTF(4, 5);

/* "path:line:column: text", without the parts that are 0; control characters of the path are
 * escaped. */
const char *manifest_problem_format(struct arena *mem, const struct manifest_problem *problem);

#endif
