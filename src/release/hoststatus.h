/* release/hoststatus.h - tells the git host what became of a commit: one status for the sync, one per workload.
 * Effects:   HTTP to the host's API, one request at a time; reads the token's file before each; a log line when the host refuses
 *            and when it takes statuses again.
 * Ownership: borrows loop, http, log and metrics; all else is copied. hoststatus_free cancels what runs.
 * Units:     milliseconds.
 * Errors:    of hoststatus_new only: ERR_INVALID, and which flag mends it. What the host refuses holds nobody up.
 *
 * The last state of each commit and context is what is sent: a newer one takes the place of one that waits, the same one again
 * is not sent. At most HOSTSTATUS_WAITING_MAX wait; then the oldest goes. A host that cannot be reached, or asks to be left
 * alone (429, Retry-After, X-RateLimit-Remaining: 0), is tried again later. */
#ifndef SERIN_RELEASE_HOSTSTATUS_H
#define SERIN_RELEASE_HOSTSTATUS_H

#include "base/log.h"
#include "base/metrics.h"
#include "io/http.h"
#include "release/hoststatus_wire.h"

#define HOSTSTATUS_WAITING_MAX 1000
#define HOSTSTATUS_SYNC        "serin/sync" /* the context of the sync */
/* The environment variable cmd/ reads the token from where no file is given. */
#define HOSTSTATUS_TOKEN_VARIABLE "SERIN_GIT_HOST_TOKEN"

struct hoststatus;

struct hoststatus_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics *metrics; /* serin_host_statuses_total, serin_host_statuses_waiting */
    enum hoststatus_provider provider;
    const char *git_url, *branch;
    const char *api; /* NULL or "": derived from git_url */
    const char
        *target_url; /* of the link; NULL or "": none, or the commit where a host wants one */
    const char *token_file; /* NULL or "": `token` */
    const char *token;
    const char *ca_pem; /* NULL: the system's */
    int64_t denied_ms;  /* first wait after a refusal that a person has to mend; 0: 30 s */
};
MUST_USE struct err *hoststatus_new(const struct hoststatus_opts *opts, struct hoststatus **out);
void hoststatus_free(struct hoststatus *status);
DEFINE_SCOPED(struct hoststatus, hoststatus_free)

/* `context` is HOSTSTATUS_SYNC or hoststatus_context's. Returns at once. What is no full sha is left out. */
void hoststatus_set(struct hoststatus *status, const char *sha, const char *context,
                    enum hoststatus_state state, const char *description);
/* "serin/<ns>:<kind>/<name>" */
const char *hoststatus_context(struct arena *mem, const char *workload_id);

size_t hoststatus_waiting(const struct hoststatus *status); /* that on its way included */
const struct hoststatus_place *hoststatus_place(const struct hoststatus *status);

#endif
