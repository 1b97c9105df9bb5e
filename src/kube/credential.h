/* kube/credential.h - what a token file or an exec plugin gives (client.authentication.k8s.io v1 and v1beta1).
 * Effects:   kube_exec_run starts a process and blocks, at most 30 s. The rest is pure.
 * Ownership: a credential owns its texts until kube_credential_fini; they are wiped then. An exec description owns its own.
 * Units:     expires_ms: Unix time in milliseconds.
 * Errors:    ERR_DENIED: the plugin failed or gave nothing useful; ERR_NOT_FOUND: there is no such program; ERR_INVALID: its
 *            answer is none. Texts never hold what the plugin printed on its standard output. */
#ifndef SERIN_KUBE_CREDENTIAL_H
#define SERIN_KUBE_CREDENTIAL_H

#include "base/arena.h"
#include "base/err.h"

struct kube_credential {
    char *token, *cert_pem, *key_pem; /* each may be NULL, but not all */
    int64_t expires_ms;               /* 0: does not say */
};

void kube_credential_fini(struct kube_credential *credential);

struct kube_exec {
    char *command, *api_version, *install_hint; /* install_hint may be NULL */
    char **args;                                /* without the command; NULL-terminated */
    char **env; /* the whole environment, KUBERNETES_EXEC_INFO included; NULL-terminated */
};

void kube_exec_free(struct kube_exec *exec);
DEFINE_SCOPED(struct kube_exec, kube_exec_free)

MUST_USE struct err *kube_exec_run(const struct kube_exec *exec, struct kube_credential *out);

/* The ExecCredential that a plugin printed. Pure. */
MUST_USE struct err *kube_exec_parse(const char *api_version, const char *text, size_t len,
                                     struct kube_credential *out);

/* A token as it stands in a file: white space around it dropped; ERR_INVALID when empty or not fit for a header. */
MUST_USE struct err *kube_token_parse(const char *text, char **out);

/* Texts that are freed and overwritten before. */
void kube_credential_wipe(char *text);
void kube_credential_free_list(char **list);

#endif
