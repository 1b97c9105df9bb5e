/* release/survey.h - the workloads a commit declares: where each of them stands, its images and its policies.
 * Effects:   none (pure): texts of files in.
 * Ownership: a survey and all it names is in the caller's arena; texts are borrowed.
 * Reference: gitops.md 3.3, 3.4, 5.1, 5.4. */
#ifndef SERIN_RELEASE_SURVEY_H
#define SERIN_RELEASE_SURVEY_H

#include "image/place.h"
#include "sync/manifest.h"

struct release_workload {
    const char *id, *ns, *kind, *name;
    const char *path; /* of the file; for a generated one, the name of its configuration */
    bool is_generated;
    uint32_t line,
        column; /* of the document, or of the item of a List: what finds it again in the text */
    const struct val *manifest;
    struct val *policies;       /* image/policy.h */
    struct image_places places; /* empty for what is no workload but was asked for by ID */
    bool is_workload;           /* of a kind that has containers */
};

struct release_file {
    const char *path, *text;
    size_t len;
};

struct release_survey {
    struct release_workload
        *at; /* by ID, then by path and line: an ID claimed twice is there twice */
    size_t len, cap;
    struct manifest_problems
        problems; /* of files that cannot be read: what they declare cannot be released */
    const char **duplicates; /* IDs claimed twice, sorted: not released either */
    size_t duplicate_count, duplicate_cap;
};

/* Adds what a file declares. Everything with a kind and a name is in it (policies can be asked of any), workloads with places. A
 * missing namespace is `default_ns`; built-in kinds without namespaces have none. */
void release_survey_add(struct arena *mem, struct release_survey *survey,
                        const struct release_file *file, const char *default_ns);
/* The same for what generators made. */
void release_survey_add_manifests(struct arena *mem, struct release_survey *survey,
                                  const struct manifest_list *manifests, const char *default_ns);
void release_survey_seal(struct arena *mem, struct release_survey *survey); /* after the last one */
const struct release_workload *release_survey_find(const struct release_survey *survey,
                                                   const char *id);
/* The first of what could not be read: what is not found may have been there. NULL: all was read. */
const struct manifest_problem *release_survey_gap(const struct release_survey *survey);
bool release_survey_is_duplicate(const struct release_survey *survey, const char *id);

#endif
