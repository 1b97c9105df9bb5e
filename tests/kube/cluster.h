/* tests/kube/cluster.h - a real API server for tests.
 * Effects:   starts a control plane of its own (environment SERIN_CONTROLPLANE: the program), unless SERIN_TEST_KUBECONFIG names
 *            one that runs.
 * Ownership: cluster_free stops what cluster_new started. */
#ifndef SERIN_TESTS_KUBE_CLUSTER_H
#define SERIN_TESTS_KUBE_CLUSTER_H

#include "bench.h"
#include "kube/discovery.h"

struct cluster;
struct cluster *cluster_new(void); /* NULL: neither variable is set; the program is to return 77 */
void cluster_free(struct cluster *cluster);
const char *cluster_kubeconfig(const struct cluster *cluster); /* the file */

/* A client of it, and a namespace of its own, which goes with cluster_bench_free. */
struct cluster_bench {
    struct bench *bench;
    struct kube_discovery *discovery;
    const char *ns;
};
struct cluster_bench *cluster_bench_new(const struct cluster *cluster);
void cluster_bench_free(struct cluster_bench *cb);

const struct kube_resource *cluster_resource(struct cluster_bench *cb, const char *api_version,
                                             const char *kind);
/* Requests that must succeed: the answer, parsed, in the bench's arena. */
struct val *cluster_ask(struct cluster_bench *cb, const struct kube_request *request);
struct val *cluster_get(struct cluster_bench *cb, const char *fmt, ...) PRINTF(2, 3);
struct val *cluster_create(struct cluster_bench *cb, const char *path, const char *manager,
                           const char *json);
struct val *cluster_patch(struct cluster_bench *cb, const char *path, const char *manager,
                          const char *json);
const char *cluster_printf(struct cluster_bench *cb, const char *fmt, ...) PRINTF(2, 3);

#endif
