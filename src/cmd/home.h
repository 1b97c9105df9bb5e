/* cmd/home.h - what a command takes from its surroundings: environment, home directory, kubeconfig.
 * Effects:   reads the environment and files; blocks.
 * Ownership: texts are in the caller's arena or the environment's.
 * Units:     none. */
#ifndef SERIN_CMD_HOME_H
#define SERIN_CMD_HOME_H

#include "cmd/command.h"
#include "kube/config.h"
#include "sync/reveal.h"

/* A variable of the environment; NULL when it is not set, or empty. */
const char *home_env(const char *name);
/* The options of kube_config_load from the environment alone. */
struct kube_config_opts home_kube_opts(void);
/* The same with --kubeconfig, --context and --k8s-allow-exec of the call, where it has them. */
MUST_USE struct err *home_kube_config(const struct command_call *call, struct kube_config **out);
/* The namespace of the kubeconfig context, else "default" (in a pod, too: as fluxctl and fluxd). */
const char *home_namespace(const struct command_call *call);
/* What --sops and --git-secret ask for. */
struct reveal_settings home_reveal(const struct flags *flags, int64_t timeout_ms);

#endif
