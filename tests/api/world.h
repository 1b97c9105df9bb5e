/* tests/api/world.h - an API on loopback with all it stands on: a real repository in a temporary directory, a real source and
 * reconciler, and an API server: a real one, or one that answers from a table of paths (then the reconciler is not started).
 * Effects:   a temporary directory, git processes, sockets.
 * Ownership: world_free ends everything. Answers live as long as the world. */
#ifndef SERIN_TESTS_API_WORLD_H
#define SERIN_TESTS_API_WORLD_H

#include "api/api.h"
#include "doc/val.h"

struct world;

struct world_opts {
    const char *kubeconfig; /* of a real API server; NULL: the table of paths */
    bool no_repository;     /* none is configured */
    bool no_such_repository;
    bool own_metrics; /* a listener of their own */
    bool is_readonly;
    bool has_identity;
    const char *const *allowed_ns;
    const char *const *git_paths;
    int64_t job_timeout_ms; /* 0: a minute */
    int64_t git_timeout_ms; /* 0: long */
};

struct world *world_new(const struct world_opts *opts);
void world_free(struct world *world);
struct api *world_api(struct world *world);
struct source *world_source(struct world *world);
const char *world_url(struct world *world); /* of the repository */

/* Commits a file (text NULL: removes it) on the branch main and pushes: the new head. */
const char *world_commit(struct world *world, const char *path, const char *text);
/* What a shell says in the directory with the repository, repo.git, and its clone. */
const char *world_shell(struct world *world, const char *command);
/* Turns the loop until the source has that head and is ready; fails the test after 20 s. */
void world_fetched(struct world *world, const char *head);
void world_fetch(struct world *world,
                 const char *head); /* the same, but asks the source to fetch */
/* Turns the loop for a while. */
void world_wait(struct world *world, int64_t ms);

/* A request to the real API server: the answer's status. */
int world_cluster(struct world *world, const char *method, const char *path, const char *body);
/* Turns the loop until that is what the reconciler has applied; fails the test after 20 s. */
void world_applied(struct world *world, const char *sha);

/* What the API server answers for a path with its query, or for the path alone; 404 for what was not told. */
void world_serve(struct world *world, const char *path, int status, const char *body);
void world_hang(struct world *world, const char *path); /* it never answers */
const char *world_asked(struct world *world); /* the last path and query it was asked for */

struct world_answer {
    int status;
    const char *body, *content_type; /* content_type "" if there is none */
    size_t len;
    struct val *json; /* NULL if the body is no JSON */
};

/* One request, with Accept: application/json unless `headers` says something else. */
struct world_answer world_ask(struct world *world, const char *method, const char *path,
                              const char *body);
struct world_answer world_ask_with(struct world *world, const char *method, const char *path,
                                   const char *const *headers);
struct world_answer world_ask_metrics(struct world *world,
                                      const char *path); /* at the metrics' listener */
/* Starts a request, calls `meanwhile` after a few turns, then waits for the answer. */
struct world_answer world_ask_while(struct world *world, const char *path,
                                    void (*meanwhile)(struct world *world));

/* Posts a sync, waits for its end: the job's status. */
struct val *world_job(struct world *world, const char *method_path_body[3]);

int world_new_keys(const struct world *world);  /* how often the identity was asked for a new key */
void world_find_key_later(struct world *world); /* there is none until somebody waits for it */
void world_fail_new_key(struct world *world);   /* from now on it cannot make one */

#endif
