/* cmd/pods.h - the daemon found in the cluster, as fluxctl finds it.
 * Effects:   network; blocks.
 * Ownership: the path is in the caller's arena.
 * Units:     none.
 * fluxctl forwards a port; this goes through the API server's pod proxy instead, which needs no more than plain HTTP (and the
 * right to `get` and `create` pods/proxy in place of pods/portforward). Reference: gitops.md 7.1. */
#ifndef SERIN_CMD_PODS_H
#define SERIN_CMD_PODS_H

#include "cmd/cluster.h"

/* "/api/v1/namespaces/NS/pods/NAME:3030/proxy", by --k8s-fwd-ns and --k8s-fwd-labels. The error is fluxctl's. */
MUST_USE struct err *pods_find_daemon(struct command_call *call, struct cluster *cluster,
                                      const char **out);

#endif
