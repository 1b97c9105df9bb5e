/* canary/router/bench.h - one canary and its router before an API server in memory.
 * Effects:   none; what does not go as it should fails the test.
 * The server puts in the defaults of HTTPRoutes, as their CRD says, and moves the traffic of Knative Services.
 * Ownership: in the arena it was given.
 *
 *     bench_init -> bench_put objects -> bench_reconcile, bench_write, bench_read ... -> bench_live */
#ifndef SERIN_TESTS_CANARY_ROUTER_BENCH_H
#define SERIN_TESTS_CANARY_ROUTER_BENCH_H

#include "canary/router/router.h"

#define BENCH_NS "test"
#define BENCH_CANARY                                  \
    "apiVersion: flagger.app/v1beta1\nkind: Canary\n" \
    "metadata: {name: podinfo, namespace: test, uid: u-1}\n"

/* What keeps other GitOps tools away from an object that the operator made. */
#define BENCH_OPT_OUT                                   \
    "kustomize.toolkit.fluxcd.io/reconcile: disabled, " \
    "helm.toolkit.fluxcd.io/driftDetection: disabled"

/* A test (rows.h) whose state is an arena. */
#define BENCH_TEST(fn) SINGLE_IN(fn, bench_set_up, bench_tear_down)
int bench_set_up(void **state);
int bench_tear_down(void **state);
struct arena *bench_mem(void **state);

struct bench {
    struct arena *mem;
    struct canary canary;
    struct canary_settings settings;
    struct canary_view view;
    const struct router *router;
    VEC(struct val *) objects;
    int64_t version;     /* the last one given out */
    const char *no_kind; /* a kind that the server does not have */
};

/* The spec of the Canary as YAML; the provider is in it. */
void bench_init(struct bench *bench, struct arena *mem, const char *spec);
/* The same, of a whole Canary. */
void bench_init_canary(struct bench *bench, struct arena *mem, const struct val *canary);
/* A new spec for the same canary: its status and the objects stay. */
void bench_edit(struct bench *bench, const char *spec);

/* Somebody else writes or deletes an object. */
void bench_put(struct bench *bench, const struct val *object);
void bench_put_yaml(struct bench *bench, const char *yaml);
void bench_remove(struct bench *bench, const char *kind, const char *name);
/* NULL if it is not there. */
const struct val *bench_live(const struct bench *bench, const char *kind, const char *name);

/* Planned and carried out; how many requests it took. The cookies are in the status then. */
size_t bench_reconcile(struct bench *bench);
size_t bench_write(struct bench *bench, int64_t primary, int64_t canary, bool is_mirrored);
struct split bench_read(struct bench *bench);
/* Only planned. */
struct effects bench_plan(struct bench *bench);
void bench_carry_out(struct bench *bench, const struct effects *effects);

/* A part of a live object (NULL: all of it) is as the YAML says. */
void bench_assert_part(const struct bench *bench, const char *kind, const char *name,
                       const char *part, const char *yaml);

/* The view of now, for what the bench has no word for. */
const struct canary_view *bench_view(struct bench *bench);
/* Fails unless it is an error with this text. Frees it. */
void bench_assert_error(struct err *e, const char *text);
void bench_assert_split(struct split got, int64_t primary, int64_t canary, bool is_mirrored);

#endif
