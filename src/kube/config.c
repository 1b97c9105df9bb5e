#include "kube/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sbuf.h"
#include "base/time.h"
#include "kube/kubeconfig.h"
#include "kube/smallfile.h"

#define PAIR_TRIES      3
#define SHOWN_MAX_BYTES ((size_t)64 << 10)
#define ACCOUNT_DIR     "/var/run/secrets/kubernetes.io/serviceaccount"

void kube_config_free(struct kube_config *config)
{
    if (!config)
        return;
    free(config->server);
    free(config->ns);
    free(config->context);
    free(config->source);
    /* The texts of `tls` are const for those who borrow them; they were made here. */
    free((char *)config->tls.ca_pem);
    free((char *)config->tls.server_name);
    kube_credential_wipe((char *)config->tls.cert_pem);
    kube_credential_wipe((char *)config->tls.key_pem);
    free(config->proxy);
    kube_credential_wipe(config->token);
    free(config->token_file);
    free(config->cert_file);
    free(config->key_file);
    free(config->user);
    kube_credential_wipe(config->password);
    free(config->impersonate);
    kube_credential_free_list(config->impersonate_headers);
    kube_exec_free(config->exec);
    free(config);
}

/* -- in-cluster ---------------------------------------------------------------------------------------------------- */

static struct err *read_account(const struct kube_config_opts *opts, struct arena *mem,
                                struct kube_config *into)
{
    const char *dir = opts->account_dir ? opts->account_dir : ACCOUNT_DIR;
    const char *host = opts->service_host, *port = opts->service_port;
    bool is_ipv6 = strchr(host, ':') && *host != '[';
    into->server = base_copy_text(
        arena_printf(mem, is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port));
    into->token_file = base_copy_text(arena_printf(mem, "%s/token", dir));
    char *text = NULL;
    size_t len;
    TRY(err_wrap(smallfile_read(arena_printf(mem, "%s/ca.crt", dir), SMALLFILE_MAX, &text, &len),
                 "in-cluster: the API server's certificate authority"));
    into->tls.ca_pem = STEAL(text);
    if (!strstr(into->tls.ca_pem, "-----BEGIN "))
        return err_new(ERR_INVALID, "in-cluster: %s/ca.crt is not PEM", dir);
    struct err *e = smallfile_read(arena_printf(mem, "%s/namespace", dir), 1024, &text, &len);
    if (!err_is(e, ERR_NOT_FOUND))
        TRY(e);
    err_free(e);
    while (text && len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    into->ns = text && *text ? STEAL(text) : base_copy_text("default");
    free(text);
    return NULL;
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len > 0 && len <= 5 && !text[len];
}

static struct err *load_in_cluster(const struct kube_config_opts *opts, struct kube_config *into)
{
    bool is_inside = opts->service_host && *opts->service_host && opts->service_port;
    if (!is_inside) {
        bool has_list = opts->kubeconfig_env && *opts->kubeconfig_env;
        return err_new(ERR_NOT_FOUND,
                       "no configuration of a cluster: %s%s, and this is not a pod (no "
                       "KUBERNETES_SERVICE_HOST)",
                       has_list ? "no file of KUBECONFIG exists: " : "there is no ~/.kube/config",
                       has_list ? opts->kubeconfig_env : "");
    }
    if (!is_port(opts->service_port) || strpbrk(opts->service_host, " /@?#\n\t\\"))
        return err_new(ERR_INVALID, "in-cluster: KUBERNETES_SERVICE_HOST and "
                                    "KUBERNETES_SERVICE_PORT are no host and port");
    into->in_cluster = true;
    free(into->source);
    into->source = base_copy_text("in-cluster");
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    return read_account(opts, mem, into);
}

/* -- loading and refreshing ---------------------------------------------------------------------------------------- */

struct err *kube_config_load(const struct kube_config_opts *opts, struct kube_config **out)
{
    SCOPED(kube_config_free) struct kube_config *config = base_alloc(sizeof(*config));
    bool is_absent;
    struct err *e = kubeconfig_read(opts, config, &is_absent);
    if (is_absent) {
        err_free(e);
        e = load_in_cluster(opts, config);
    }
    TRY(e);
    if (config->token_file)
        TRY(kube_config_refresh(config));
    *out = STEAL(config);
    return NULL;
}

static struct err *fetch_token(const char *path, struct kube_credential *out)
{
    char *text;
    size_t len;
    TRY(err_wrap(smallfile_read(path, SMALLFILE_MAX, &text, &len), "token file"));
    struct err *e = err_wrap(kube_token_parse(text, &out->token), "token file %s", path);
    kube_credential_wipe(text);
    return e;
}

static struct err *fetch_pem(const char *path, char **out)
{
    size_t len;
    kube_credential_wipe(STEAL(*out));
    TRY(err_wrap(smallfile_read(path, SMALLFILE_MAX, out, &len), "client certificate"));
    return strstr(*out, "-----BEGIN ")
               ? NULL
               : err_new(ERR_INVALID, "client certificate: %s is not PEM", path);
}

/* The two files may be replaced while they are read: a pair is one whose certificate is still the same afterwards. */
static struct err *fetch_pair(const struct kube_config *config, struct kube_credential *out)
{
    char *again = NULL;
    struct err *e = fetch_pem(config->cert_file, &out->cert_pem);
    for (int i = 0; !e && i < PAIR_TRIES; i++) {
        e = fetch_pem(config->key_file, &out->key_pem);
        if (!e)
            e = fetch_pem(config->cert_file, &again);
        if (e || !strcmp(again, out->cert_pem))
            break;
        kube_credential_wipe(out->cert_pem);
        out->cert_pem = STEAL(again);
    }
    kube_credential_wipe(again);
    return e;
}

struct err *kube_config_fetch(const struct kube_config *config, struct kube_credential *out)
{
    struct err *e = NULL;
    *out = (struct kube_credential){ 0 };
    if (config->exec && !config->token_file)
        return kube_exec_run(config->exec, out);
    if (config->token_file)
        e = fetch_token(config->token_file, out);
    if (!e && config->cert_file && config->key_file)
        e = fetch_pair(config, out);
    if (e)
        kube_credential_fini(out);
    return config->in_cluster ? e : err_wrap(e, "%s", config->source);
}

void kube_config_take(struct kube_config *config, struct kube_credential *credential)
{
    if (credential->token) {
        kube_credential_wipe(config->token);
        config->token = STEAL(credential->token);
    }
    if (credential->cert_pem && credential->key_pem) {
        kube_credential_wipe(
            (char *)config->tls.cert_pem); /* made by this file, see kube_config_free */
        kube_credential_wipe((char *)config->tls.key_pem);
        config->tls.cert_pem = STEAL(credential->cert_pem);
        config->tls.key_pem = STEAL(credential->key_pem);
    }
    config->expires_ms = credential->expires_ms;
    kube_credential_fini(credential);
}

struct err *kube_config_refresh(struct kube_config *config)
{
    struct kube_credential credential;
    TRY(kube_config_fetch(config, &credential));
    kube_config_take(config, &credential);
    return NULL;
}

/* -- what we are to the server ------------------------------------------------------------------------------------- */

static void add_certificate(struct sbuf *out, const char *pem, int64_t now_ms)
{
    char end[TIME_TEXT_BYTES];
    int64_t end_s;
    bool is_over = hash_certificate_end(pem, &end_s) && end_s * 1000 <= now_ms;
    sbuf_add(out, ", with a client certificate");
    if (!is_over)
        return;
    time_format_seconds(end_s * 1000, end);
    sbuf_addf(out, " that ended at %s", end);
}

static void add_credentials(struct sbuf *out, const struct kube_config *config, int64_t now_ms)
{
    if (config->tls.cert_pem)
        add_certificate(out, config->tls.cert_pem, now_ms);
    if (config->token_file)
        sbuf_addf(out, ", with the token of %s", config->token_file);
    else if (config->exec)
        sbuf_addf(out, ", with what %s gives", config->exec->command);
    else if (config->token)
        sbuf_add(out, ", with a token");
    else if (config->user)
        sbuf_addf(out, ", as %s with a password", config->user);
    else if (!config->tls.cert_pem)
        sbuf_add(out, ", without credentials");
}

/* Its URL may hold a user and a password. */
static void add_proxy(struct sbuf *out, const char *proxy)
{
    const char *at = strrchr(proxy, '@'), *scheme_end = strstr(proxy, "://");
    int scheme = scheme_end ? (int)(scheme_end + 3 - proxy) : 0;
    sbuf_addf(out, ", through the proxy %.*s%s", scheme, proxy, at ? at + 1 : proxy + scheme);
}

struct err *kube_config_explain(const struct kube_config *config, int64_t now_ms, struct err *cause)
{
    SBUF(who, SHOWN_MAX_BYTES);
    if (!cause)
        return NULL;
    if (config->context)
        sbuf_addf(&who, "context %s of ", config->context);
    sbuf_add(&who, config->source);
    add_credentials(&who, config, now_ms);
    if (config->proxy)
        add_proxy(&who, config->proxy);
    return err_wrap(cause, "ask the cluster at %s (%s)", config->server, sbuf_text(&who));
}
