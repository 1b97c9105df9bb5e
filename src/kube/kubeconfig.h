/* kube/kubeconfig.h - kubeconfig files: found, merged, and one context of them read into a configuration.
 * Effects:   reads files; blocks.
 * Ownership: fills texts that the configuration owns.
 * Reference: kubectl's rules: of KUBECONFIG's files those that are missing are skipped, the first that names something
 *            wins, paths are relative to the file they stand in, data beats files. */
#ifndef SERIN_KUBE_KUBECONFIG_H
#define SERIN_KUBE_KUBECONFIG_H

#include "kube/config.h"

/* ERR_NOT_FOUND with *out_is_absent set: no file there at all (then in-cluster may be tried). */
MUST_USE struct err *kubeconfig_read(const struct kube_config_opts *opts, struct kube_config *into,
                                     bool *out_is_absent);

#endif
