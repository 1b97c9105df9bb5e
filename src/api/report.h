/* api/report.h - what serin says of itself: JSON of /api/serin/v1.
 * Effects:   none (pure).
 * Ownership: values are in the caller's arena.
 * Units:     milliseconds in; seconds and RFC 3339 out. */
#ifndef SERIN_API_REPORT_H
#define SERIN_API_REPORT_H

#include "api/why.h"
#include "doc/val.h"
#include "release/releases.h"
#include "sync/sync.h"

const char *api_report_outcome(
    enum sync_outcome outcome); /* pending, applied, failed, skipped, unknown-kind, drifted */

/* Is the object not as the repository declares it, against our will? */
bool api_report_is_held(const struct sync_object_status *object);

struct val *api_report_object(struct arena *mem, const struct sync_object_status *object);

/* "apps/web.yaml:3:1: did not find expected key" about this file: the line it names, 0 if it is about the file as a whole. The texts
 * are borrowed. */
struct api_problem {
    const char *path, *message;
    int64_t line;
};
struct api_problem api_report_read_problem(const char *path, const char *text);
struct val *api_report_problem(struct arena *mem, const struct api_problem *problem);

struct api_commit {
    const char *sha, *subject, *author;
    int64_t unix_s;
};
struct val *api_report_commit(struct arena *mem, const struct api_commit *commit,
                              int64_t now_ms); /* null for NULL */

struct api_report_git {
    const char *url, *branch, *state, *error, *head, *unverified;
    const char *const *paths; /* NULL: none */
    int64_t fetched_ago_ms;   /* -1: never */
    bool is_readonly;
};

struct api_report_counts {
    size_t pending, applied, failed, skipped, unknown_kind, drifted;
};
void api_report_count(struct api_report_counts *counts, enum sync_outcome outcome);

struct api_report {
    const char *version, *cluster_version;
    const struct api_report_git *git;
    const struct api_commit *commit; /* of the last sync that ended; NULL: none, or not known yet */
    const struct sync_status *sync;
    const struct api_report_counts *counts;
    struct val *failures, *problems; /* lists, at most API_REPORT_LISTED each */
    struct val *unwatched;           /* kinds whose drift is not seen */
    size_t failures_left_out, problems_left_out;
    struct val *canaries;                 /* null: none are run here */
    const struct releases_last *released; /* NULL, or without a revision: nothing since the start */
    int64_t now_ms;                       /* Unix time */
};
#define API_REPORT_LISTED 200

struct val *api_report_status(struct arena *mem, const struct api_report *report);

struct val *api_report_why(struct arena *mem, const char *ref, const struct api_why *why,
                           const struct api_commit *commit, int64_t now_ms);

#endif
