#include "cmd/home.h"

#include <stdlib.h>
#include <unistd.h>

const char *home_env(const char *name)
{
    const char *value =
        getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing here sets the environment */
    return value && *value ? value : NULL;
}

struct kube_config_opts home_kube_opts(void)
{
    return (struct kube_config_opts){
        .kubeconfig_env = home_env("KUBECONFIG"),
        .home = home_env("HOME"),
        .service_host = home_env("KUBERNETES_SERVICE_HOST"),
        .service_port = home_env("KUBERNETES_SERVICE_PORT"),
        .env = (const char *const *)environ, /* of credential plugins: as kubectl runs them */
    };
}

static const char *given(const struct command_call *call, const char *flag)
{
    const char *text = flags_text(call->flags, flag);
    return *text ? text : NULL;
}

struct err *home_kube_config(const struct command_call *call, struct kube_config **out)
{
    struct kube_config_opts opts = home_kube_opts();
    opts.context = given(call, "context");
    if (call->face == COMMAND_SERIN) {
        opts.kubeconfig = given(call, "kubeconfig");
        opts.allow_exec = flags_bool(call->flags, "k8s-allow-exec");
    }
    return kube_config_load(&opts, out);
}

const char *home_namespace(const struct command_call *call)
{
    SCOPED(kube_config_free) struct kube_config *config = NULL;
    SCOPED(err_free) struct err *ignored = home_kube_config(call, &config);
    return ignored || !config->ns || config->in_cluster ? "default"
                                                        : arena_strdup(call->mem, config->ns);
}

struct reveal_settings home_reveal(const struct flags *flags, int64_t timeout_ms)
{
    bool has_memory_dir = access("/dev/shm", W_OK | X_OK) == 0;
    return (struct reveal_settings){ .sops = flags_bool(flags, "sops"),
                                     .git_secret = flags_bool(flags, "git-secret"),
                                     .path = home_env("PATH"),
                                     .home = home_env("HOME"),
                                     .gnupg_home = home_env("GNUPGHOME"),
                                     .tmp_dir = has_memory_dir ? NULL : home_env("TMPDIR"),
                                     .timeout_ms = timeout_ms };
}
