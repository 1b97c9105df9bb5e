/* kube/config.h - where the API server is and how to prove who we are.
 * Effects:   kube_config_load reads files (start-up only; blocks). kube_config_refresh: see there. Nothing else here does.
 * Ownership: the config owns its texts; free with kube_config_free.
 * Units:     expires_ms: Unix time in milliseconds.
 * Reference: kubectl's rules for kubeconfig files; in-cluster: /var/run/secrets/kubernetes.io/serviceaccount.
 * Errors:    ERR_NOT_FOUND (no file, no context), ERR_INVALID (names file and field), ERR_DENIED (an exec plugin that is
 *            not allowed). Texts hold no token and no key. */
#ifndef SERIN_KUBE_CONFIG_H
#define SERIN_KUBE_CONFIG_H

#include "base/err.h"
#include "io/http.h"
#include "kube/credential.h"

struct kube_config_opts {
    const char *
        kubeconfig; /* --kubeconfig: this very file; NULL: KUBECONFIG's list, then ~/.kube/config, then in-cluster */
    const char *
        kubeconfig_env; /* value of KUBECONFIG: files separated by ':', merged as kubectl does; NULL: unset */
    const char *home;                        /* value of HOME, or NULL */
    const char *service_host, *service_port; /* KUBERNETES_SERVICE_HOST, _PORT, or NULL */
    const char *account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
    const char *context;     /* --context; NULL: current-context */
    bool allow_exec;         /* run exec credential plugins */
    const char *const *
        env; /* what plugins find in their environment ("NAME=value", NULL-terminated); NULL: PATH, HOME */
};

struct kube_config {
    char *server; /* https://host:port[/prefix], no trailing slash */
    char *ns; /* of the context, or the service account's namespace; "default" if neither says */
    char *context;              /* NULL in-cluster */
    char *source;               /* the file(s) it came from, or "in-cluster"; for messages */
    struct http_tls tls;        /* texts owned by the config */
    char *proxy;                /* proxy-url, or NULL */
    char *token;                /* or NULL */
    char *token_file;           /* read again when it is a minute old or after a 401; or NULL */
    char *cert_file, *key_file; /* of the client certificate, read again likewise; or NULL */
    char *user, *password;
    char *impersonate; /* the user acted as, or NULL */
    char **
        impersonate_headers; /* "Impersonate-User: x", -Uid, -Group, -Extra-*; NULL-terminated; NULL: none */
    struct kube_exec *exec; /* exec plugin, or NULL */
    int64_t expires_ms;     /* when what the plugin gave ends; 0: does not say */
    bool in_cluster;
};

MUST_USE struct err *kube_config_load(const struct kube_config_opts *opts,
                                      struct kube_config **out);
void kube_config_free(struct kube_config *config);
DEFINE_SCOPED(struct kube_config, kube_config_free)

/* An error of asking this cluster, with which of all clusters it is, and what we show it: where it comes from, and that a
 * client certificate has ended. No secrets. `now_ms`: Unix time. */
MUST_USE struct err *kube_config_explain(const struct kube_config *config, int64_t now_ms,
                                         struct err *cause);

/* Runs the exec plugin (blocks, at most 30 s) or reads the files of token and client certificate; what they gave is in the
 * config. A no-op for configurations with neither. The client does this by itself, the plugin on a thread of its own. */
MUST_USE struct err *kube_config_refresh(struct kube_config *config);

/* The half of it that blocks: reads only what never changes in `config`, so another thread may call it. */
MUST_USE struct err *kube_config_fetch(const struct kube_config *config,
                                       struct kube_credential *out);
/* The other half: moves the credential into the config. */
void kube_config_take(struct kube_config *config, struct kube_credential *credential);

#endif
