/* api/call.h - inside the API: its state, one request from its arrival to its answer, and what it may wait for. Only the files
 * of this room include this.
 * Effects:   none of its own.
 * Ownership: a call ends with exactly one of the api_call_ functions that answer; it and its arena are gone then. What was
 *            started for it (a git question, a fetch) outlives it as an api_wait that has lost its call.
 * Units:     milliseconds.
 *
 *     server ──► dispatch ──► guard ──► route ──► handler ──► answer
 *                                                   └── wait (git worker, kube, timer) ──► answer, in a later turn */
#ifndef SERIN_API_CALL_H
#define SERIN_API_CALL_H

#include "api/answer.h"
#include "api/api.h"
#include "api/process.h"
#include "api/report.h"
#include "api/route.h"
#include "io/server.h"

struct api_listener {
    struct api *api;
    struct server *server; /* NULL: not there */
    bool is_loopback, has_api, has_metrics;
};

struct api {
    struct api_opts opts; /* texts in mem */
    struct api_identity identity;
    struct arena *mem;
    struct api_listener main, apart; /* --listen; --listen-metrics */
    struct api_call *calls;          /* those that wait */
    struct api_wait *waits;
    struct api_process *process;
    struct arena *commit_mem;
    struct api_commit commit; /* the last one asked for, in commit_mem; sha NULL: none */
    bool is_stopped;
};

struct api_call {
    struct api *api;
    struct server_request *request;
    struct arena *mem;
    const char *path;                      /* below the base of its route */
    const char *accept;                    /* NULL if absent */
    void (*cancel)(struct api_call *call); /* stops what a handler started for it; NULL: nothing */
    void *state;                           /* of its handler, in mem */
    ticket timer;                          /* a handler's; cancelled with the call */
    struct api_call *next, **at;
};

struct api_call *api_call_new(struct api *api, struct server_request *request);
void api_call_reply(struct api_call *call, const struct api_answer *answer);
void api_call_empty(struct api_call *call, int status);
void api_call_json(struct api_call *call, int status, const struct val *value);
void api_call_error(struct api_call *call, const struct api_error *error);
void api_call_fail(struct api_call *call,
                   const struct err *e); /* 422: as Flux answers what it has no words for */
void api_call_fail_server(struct api_call *call,
                          const struct err *e); /* 500: the cluster, the disk; logged */
void api_call_undecodable(struct api_call *call, const struct err *e, int64_t offset);
/* The body of the request. */
const char *api_call_body(const struct api_call *call, size_t *len);
const char *api_call_query(const struct api_call *call, const char *name); /* "" if absent */

/* Something that answers in a later turn and cannot be cancelled. Embedded first in a heap object. */
struct api_wait {
    struct api *api;
    struct api_call *call; /* NULL: it has ended meanwhile */
    void (*free)(struct api_wait *wait);
    struct api_wait *next, **at;
};
void api_wait_start(struct api_wait *wait, struct api *api, struct api_call *call);
void api_wait_end(struct api_wait *wait); /* frees it */

/* A question to the repository, worked on a git worker with an arena of its own. `facts` is in that arena. */
struct api_git_how {
    struct err *(*work)(struct mirror *mirror, struct arena *mem, void *facts, int64_t deadline_ms);
    void (*done)(struct api_call *call, void *facts,
                 const struct err *e); /* only while the call lives */
};
void api_git_ask(struct api_call *call, const struct api_git_how *how, struct arena *mem,
                 void *facts);

/* The tables of routes. */
extern const struct api_route api_flux_routes[]; /* below /api/flux */
extern const size_t api_flux_route_count;
extern const struct api_route api_own_routes[]; /* below /api/serin/v1 */
extern const size_t api_own_route_count;
extern const struct api_route api_health_routes[]; /* from the root */
extern const size_t api_health_route_count;
void api_metrics_show(struct api_call *call);

void api_services_list(struct api_call *call); /* services.c */
/* "a:b/c,d:e/f" to IDs as they are written, NULL-terminated. */
MUST_USE struct err *api_services_read_ids(struct arena *mem, const char *list,
                                           const char *const **out);
void api_export(struct api_call *call); /* export.c */
/* Of its manifest in git, in the arena; NULL if it is not there. */
const struct val *api_services_annotations(const struct api *api, struct arena *mem,
                                           const char *id);
void api_images_list(struct api_call *call);      /* images.c */
void api_update_manifests(struct api_call *call); /* update.c, and these three */
void api_update_images(struct api_call *call);
void api_update_policies(struct api_call *call);
void api_update_status(struct api_call *call);
void api_why_ask(struct api_call *call);       /* why_ask.c */
void api_canaries_list(struct api_call *call); /* canaries.c */
struct val *api_canaries_status(struct api_call *call);

/* What git and the reconciler say, for several handlers. */
const char *api_git_url(const struct api *api); /* "file:" without a repository */
bool api_has_repository(const struct api *api);
const char *api_git_ref(
    const struct api_call *call); /* parameter ref; HEAD and "" are the head that is followed */

#endif
