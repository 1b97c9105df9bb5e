#include "kube/credential.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "base/vec.h"
#include "doc/json.h"
#include "io/child.h"
#include "io/stream.h"

#define PLUGIN_DEADLINE_MS 30000
#define PLUGIN_OUT_MAX     ((size_t)1 << 20)
#define PLUGIN_ERR_MAX     ((size_t)16 << 10)
#define PLUGIN_ERR_SHOWN   400

void kube_credential_wipe(char *text)
{
    if (!text)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

void kube_credential_free_list(char **list)
{
    for (char **at = list; at && *at; at++)
        kube_credential_wipe(*at);
    free(list);
}

void kube_credential_fini(struct kube_credential *credential)
{
    kube_credential_wipe(credential->token);
    kube_credential_wipe(credential->cert_pem);
    kube_credential_wipe(credential->key_pem);
    *credential = (struct kube_credential){ 0 };
}

void kube_exec_free(struct kube_exec *exec)
{
    if (!exec)
        return;
    free(exec->command);
    free(exec->api_version);
    free(exec->install_hint);
    kube_credential_free_list(exec->args);
    kube_credential_free_list(exec->env);
    free(exec);
}

struct err *kube_token_parse(const char *text, char **out)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (len == 0)
        return err_new(ERR_INVALID, "the token is empty");
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] > '~')
            return err_new(ERR_INVALID, "the token has a character that no token has, at byte %zu",
                           i + 1);
    }
    char *token = base_alloc(len + 1);
    memcpy(token, text, len);
    *out = token;
    return NULL;
}

/* -- the plugin's answer ------------------------------------------------------------------------------------------- */

static struct err *read_pem(const struct val *status, const char *field, char **out)
{
    const char *text = val_text_or(val_get(status, field), "");
    if (!*text)
        return NULL;
    if (!strstr(text, "-----BEGIN "))
        return err_new(ERR_INVALID, "status.%s is not PEM", field);
    *out = base_copy_text(text);
    return NULL;
}

static struct err *read_status(const struct val *status, struct kube_credential *out)
{
    const char *token = val_text_or(val_get(status, "token"), "");
    if (*token)
        TRY(err_wrap(kube_token_parse(token, &out->token), "status.token"));
    TRY(read_pem(status, "clientCertificateData", &out->cert_pem));
    TRY(read_pem(status, "clientKeyData", &out->key_pem));
    if (!out->cert_pem != !out->key_pem)
        return err_new(ERR_INVALID, "status has one of clientCertificateData and clientKeyData, "
                                    "not both");
    if (!out->token && !out->cert_pem)
        return err_new(ERR_INVALID, "status has neither a token nor a certificate");
    const char *expires = val_text_or(val_get(status, "expirationTimestamp"), "");
    int64_t expires_ns = 0;
    if (*expires)
        TRY(err_wrap(time_parse(expires, &expires_ns), "status.expirationTimestamp"));
    out->expires_ms = *expires ? MAX_OF(expires_ns / 1000000, (int64_t)1) : 0;
    return NULL;
}

struct err *kube_exec_parse(const char *api_version, const char *text, size_t len,
                            struct kube_credential *out)
{
    *out = (struct kube_credential){ 0 };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *root = NULL;
    struct err *e = doc_json_parse(mem, text, len, &root);
    if (e) { /* the parser may quote what it read: a token, perhaps */
        err_free(e);
        return err_new(ERR_INVALID, "its output is not JSON");
    }
    const char *kind = val_text_or(val_get(root, "kind"), "");
    const char *version = val_text_or(val_get(root, "apiVersion"), "");
    if (strcmp(kind, "ExecCredential") != 0)
        return err_new(ERR_INVALID, "its output is not an ExecCredential");
    if (strcmp(version, api_version) != 0)
        return err_new(ERR_INVALID,
                       "it was asked for %s and answered with another version (\"%.64s\")",
                       api_version, version);
    e = read_status(val_get(root, "status"), out);
    if (e)
        kube_credential_fini(out);
    return e;
}

/* -- running it ---------------------------------------------------------------------------------------------------- */

static struct err *plugin_failed(const struct kube_exec *exec, const struct child_output *output)
{
    size_t len = strlen(output->err);
    while (len > 0 && isspace((unsigned char)output->err[len - 1]))
        len--;
    size_t shown = MIN_OF(len, (size_t)PLUGIN_ERR_SHOWN);
    return err_new(ERR_DENIED, "exec plugin %s failed with exit status %d%s%.*s", exec->command,
                   output->exit_status, shown ? ": " : "", (int)shown, output->err + len - shown);
}

static struct err *run(struct arena *mem, const struct kube_exec *exec, struct child_output *output)
{
    VEC(const char *) argv = { 0 };
    *vec_push(mem, &argv) = exec->command;
    for (char **arg = exec->args; *arg; arg++)
        *vec_push(mem, &argv) = *arg;
    *vec_push(mem, &argv) = NULL;
    struct child_spec spec = { .argv = argv.at,
                               .env = (const char *const *)exec->env,
                               .deadline_ms = stream_now_ms() + PLUGIN_DEADLINE_MS };
    struct child_io io = { .out_limit = PLUGIN_OUT_MAX, .err_limit = PLUGIN_ERR_MAX };
    return child_run(mem, &spec, &io, output);
}

struct err *kube_exec_run(const struct kube_exec *exec, struct kube_credential *out)
{
    *out = (struct kube_credential){ 0 };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct child_output output = { 0 };
    struct err *e = run(mem, exec, &output);
    if (err_is(e, ERR_NOT_FOUND) && exec->install_hint) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "exec plugin %s: not found: %s", exec->command,
                       exec->install_hint);
    }
    if (e)
        return err_wrap(e, "exec plugin %s", exec->command);
    if (output.exit_status != 0)
        return plugin_failed(exec, &output);
    return err_wrap(kube_exec_parse(exec->api_version, output.out, output.out_len, out),
                    "exec plugin %s", exec->command);
}
