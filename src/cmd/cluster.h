/* cmd/cluster.h - a command's way to the API server: configuration, client, discovery, on a loop of its own.
 * Effects:   network; what is asked for blocks.
 * Ownership: the cluster owns all it holds.
 * Units:     milliseconds. */
#ifndef SERIN_CMD_CLUSTER_H
#define SERIN_CMD_CLUSTER_H

#include "cmd/command.h"
#include "kube/discovery.h"

struct cluster {
    struct kube_config *config;
    struct loop *loop;
    struct http *http;
    struct log log; /* errors only, on stderr */
    struct kube *kube;
    struct kube_discovery *discovery; /* NULL before cluster_discover */
};

/* From the flags of the call and the environment; no request is sent. The cluster stays where it is. */
MUST_USE struct err *cluster_open(struct cluster *cluster, const struct command_call *call);
void cluster_close(struct cluster *cluster); /* one that was never opened is fine */
#define SCOPED_CLUSTER __attribute__((cleanup(cluster_close)))

MUST_USE struct err *cluster_discover(struct cluster *cluster);

struct cluster_answer {
    int status;
    const char *body; /* in the arena */
    size_t len;
};
/* One request. The error is set when no answer came; an answer of any status is none. */
MUST_USE struct err *cluster_ask(struct cluster *cluster, struct arena *mem,
                                 const struct kube_request *request, struct cluster_answer *out);

#endif
