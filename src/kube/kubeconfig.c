#include "kube/kubeconfig.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"
#include "doc/yaml.h"
#include "kube/smallfile.h"

#define FILE_MAX ((size_t)8 << 20)

struct file {
    const char *path, *dir;
    const struct val *root;
};

struct files {
    struct arena *mem;
    VEC(struct file) all;
    const char *names; /* for messages */
};

/* A map of a file, and how a message calls it: FILE: users[name=admin].user */
struct place {
    const struct file *file;
    const char *path;
    const struct val *map;
};

/* -- fields -------------------------------------------------------------------------------------------------------- */

static struct err *wrong(const struct place *place, const char *field, const char *why)
{
    return err_new(ERR_INVALID, "%s: %s.%s: %s", place->file->path, place->path, field, why);
}

static struct err *get_text(const struct place *place, const char *field, const char **out)
{
    const struct val *v = val_get(place->map, field);
    *out = NULL;
    if (val_is_null(v))
        return NULL;
    const char *text = val_text(v);
    if (!text)
        return err_new(ERR_INVALID, "%s: %s.%s: must be a text, not %s", place->file->path,
                       place->path, field, val_type_name(v->type));
    for (const char *at = text; *at; at++) {
        if (iscntrl((unsigned char)*at) && *at != '\n')
            return wrong(place, field, "has a control character");
    }
    *out = *text ? text : NULL;
    return NULL;
}

static struct err *get_line(const struct place *place, const char *field, const char **out)
{
    TRY(get_text(place, field, out));
    return *out && strchr(*out, '\n') ? wrong(place, field, "has a line break") : NULL;
}

static struct err *get_bool(const struct place *place, const char *field, bool *out)
{
    const struct val *v = val_get(place->map, field);
    *out = val_is_true(v);
    return val_is_null(v) || v->type == VAL_BOOL ? NULL
                                                 : wrong(place, field, "must be true or false");
}

static struct err *get_map(const struct place *place, const char *field, struct arena *mem,
                           struct place *out)
{
    const struct val *v = val_get(place->map, field);
    *out = (struct place){ place->file, arena_printf(mem, "%s.%s", place->path, field), v };
    return val_is_null(v) || val_is_map(v) ? NULL : wrong(place, field, "must be a map");
}

static struct err *get_texts(const struct place *place, const char *field, struct arena *mem,
                             const char *const **out)
{
    const struct val *list = val_get(place->map, field);
    if (!val_is_null(list) && !val_is_list(list))
        return wrong(place, field, "must be a list");
    VEC(const char *) texts = { 0 };
    for (size_t i = 0; i < val_len(list); i++) {
        const char *text = val_text(val_item(list, i));
        if (!text)
            return wrong(place, field, "must be a list of texts");
        *vec_push(mem, &texts) = text;
    }
    *vec_push(mem, &texts) = NULL;
    *out = texts.at;
    return NULL;
}

static const char *beside(struct arena *mem, const struct file *file, const char *path)
{
    return *path == '/' ? path : arena_printf(mem, "%s/%s", file->dir, path);
}

/* PEM from FIELD-data (base64) or from the file that FIELD names. */
static struct err *get_pem(const struct place *place, const char *field, struct arena *mem,
                           char **out)
{
    const char *data, *path, *data_field = arena_printf(mem, "%s-data", field);
    TRY(get_text(place, data_field, &data));
    TRY(get_line(place, field, &path));
    if (!data && !path)
        return NULL;
    if (data) {
        unsigned char *bytes;
        size_t len;
        struct err *e = hash_base64_parse(mem, data, strlen(data), &bytes, &len);
        if (e) { /* its text may quote the key */
            err_free(e);
            return wrong(place, data_field, "is not base64");
        }
        if (memchr(bytes, '\0', len))
            return wrong(place, data_field, "is not PEM");
        *out = base_alloc(len + 1);
        memcpy(*out, bytes, len);
        explicit_bzero(bytes, len);
    } else {
        size_t len;
        TRY(err_wrap(smallfile_read(beside(mem, place->file, path), SMALLFILE_MAX, out, &len),
                     "%s: %s.%s", place->file->path, place->path, field));
    }
    return strstr(*out, "-----BEGIN ") ? NULL
                                       : wrong(place, data ? data_field : field, "is not PEM");
}

/* -- files --------------------------------------------------------------------------------------------------------- */

static const char *dir_of(struct arena *mem, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_strndup(mem, path, (size_t)(slash - path));
}

static struct err *parse_file(struct files *files, const char *path, const char *text, size_t len)
{
    struct doc_yaml_list docs = { 0 };
    struct doc_pos at = { 0 };
    struct err *e = doc_yaml_load(files->mem, text, len, &doc_yaml_default_limits, &docs, &at);
    if (e) { /* what the parser says may quote the text, so only where is said */
        enum err_kind kind = err_kind(e);
        err_free(e);
        return err_new(kind, "%s:%u:%u: not a kubeconfig file: the YAML is broken there", path,
                       at.line, at.column);
    }
    const struct val *root = docs.len > 0 ? docs.at[0].root : NULL;
    if (root && !val_is_map(root))
        return err_new(ERR_INVALID, "%s: not a kubeconfig file: it is %s", path,
                       val_type_name(root->type));
    const char *kind = val_text_or(val_get(root, "kind"), "Config");
    if (strcmp(kind, "Config") != 0)
        return err_new(ERR_INVALID, "%s: not a kubeconfig file: its kind is %.64s", path, kind);
    *vec_push(files->mem, &files->all) = (struct file){ path, dir_of(files->mem, path), root };
    return NULL;
}

static struct err *add_file(struct files *files, const char *path)
{
    char *text;
    size_t len;
    TRY(smallfile_read(path, FILE_MAX, &text, &len));
    struct err *e = parse_file(files, path, text, len);
    kube_credential_wipe(text);
    return e;
}

static struct err *add_files_of_env(struct files *files, const char *list)
{
    while (*list) {
        size_t len = strcspn(list, ":");
        const char *path = arena_strndup(files->mem, list, len);
        if (len > 0) {
            struct err *e = add_file(files, path);
            if (!err_is(e, ERR_NOT_FOUND))
                TRY(e);
            err_free(e);
        }
        list += len + (list[len] == ':');
    }
    return NULL;
}

static struct err *find_files(const struct kube_config_opts *opts, struct files *files,
                              bool *out_is_absent)
{
    if (opts->kubeconfig && *opts->kubeconfig) {
        TRY(add_file(files, opts->kubeconfig));
    } else if (opts->kubeconfig_env && *opts->kubeconfig_env) {
        TRY(add_files_of_env(files, opts->kubeconfig_env));
    } else if (opts->home && *opts->home) {
        struct err *e = add_file(files, arena_printf(files->mem, "%s/.kube/config", opts->home));
        if (!err_is(e, ERR_NOT_FOUND))
            TRY(e);
        err_free(e);
    }
    *out_is_absent = files->all.len == 0;
    if (*out_is_absent)
        return err_new(ERR_NOT_FOUND, "no kubeconfig file");
    files->names = files->all.at[0].path;
    for (size_t i = 1; i < files->all.len; i++)
        files->names = arena_printf(files->mem, "%s:%s", files->names, files->all.at[i].path);
    return NULL;
}

/* The map `field` of the entry of that name in `list`, of the first file that has one. */
static struct err *find_named(const struct files *files, const char *list, const char *field,
                              const char *name, struct place *out)
{
    *out = (struct place){ 0 };
    for (size_t i = 0; i < files->all.len && !out->file; i++) {
        const struct file *file = &files->all.at[i];
        const struct val *entries = val_get(file->root, list);
        if (!val_is_null(entries) && !val_is_list(entries))
            return err_new(ERR_INVALID, "%s: %s: must be a list", file->path, list);
        for (size_t k = 0; k < val_len(entries); k++) {
            const struct val *entry = val_item(entries, k);
            if (strcmp(val_text_or(val_get(entry, "name"), ""), name) != 0)
                continue;
            if (out->file)
                return err_new(ERR_INVALID, "%s: %s: the name %s is there twice", file->path, list,
                               name);
            struct place at = { file, arena_printf(files->mem, "%s[name=%s]", list, name), entry };
            TRY(get_map(&at, field, files->mem, out));
        }
    }
    return NULL;
}

static const char *names_in(const struct files *files, const char *list)
{
    const char *names = "";
    for (size_t i = 0; i < files->all.len; i++) {
        const struct val *entries = val_get(files->all.at[i].root, list);
        for (size_t k = 0; k < val_len(entries) && k < 20; k++) {
            const char *name = val_text_or(val_get(val_item(entries, k), "name"), "?");
            names = arena_printf(files->mem, "%s%s%s", names, *names ? ", " : "", name);
        }
    }
    return *names ? names : "none";
}

/* -- cluster ------------------------------------------------------------------------------------------------------- */

static struct err *check_url(const struct place *place, const char *field, const char *url,
                             const char *const *schemes)
{
    const char *rest = NULL;
    for (; *schemes && !rest; schemes++) {
        size_t len = strlen(*schemes);
        if (!strncmp(url, *schemes, len) && !strncmp(url + len, "://", 3))
            rest = url + len + 3;
    }
    if (!rest || !*rest || *rest == '/' || *rest == ':')
        return wrong(place, field, "is not the URL of a server");
    return strpbrk(url, " \t\n#?") ? wrong(place, field, "has characters that no such URL has")
                                   : NULL;
}

static struct err *read_server(const struct place *cluster, struct arena *mem,
                               struct kube_config *into)
{
    static const char *const schemes[] = { "https", "http", NULL };
    const char *server;
    TRY(get_line(cluster, "server", &server));
    if (!server)
        return wrong(cluster, "server", "is missing");
    bool has_tls = into->tls.ca_pem || into->tls.is_insecure;
    if (!strstr(server, "://"))
        server = arena_printf(mem, "%s://%s", has_tls ? "https" : "http", server);
    TRY(check_url(cluster, "server", server, schemes));
    if (strchr(server, '@'))
        return wrong(cluster, "server", "has credentials in it: they belong to a user");
    into->server = base_copy_text(server);
    for (size_t len = strlen(into->server); len > 0 && into->server[len - 1] == '/'; len--)
        into->server[len - 1] = '\0';
    return NULL;
}

static struct err *read_cluster(const struct place *cluster, struct arena *mem,
                                struct kube_config *into)
{
    static const char *const schemes[] = { "http", "https", "socks5", "socks5h", NULL };
    char *ca = NULL;
    struct err *e = get_pem(cluster, "certificate-authority", mem, &ca);
    into->tls.ca_pem = ca;
    TRY(e);
    TRY(get_bool(cluster, "insecure-skip-tls-verify", &into->tls.is_insecure));
    if (into->tls.is_insecure && ca)
        return wrong(cluster, "insecure-skip-tls-verify",
                     "must not be set beside a certificate authority");
    const char *name, *proxy;
    TRY(get_line(cluster, "tls-server-name", &name));
    into->tls.server_name = base_copy_text(name);
    TRY(get_line(cluster, "proxy-url", &proxy));
    if (proxy)
        TRY(check_url(cluster, "proxy-url", proxy, schemes));
    into->proxy = base_copy_text(proxy);
    return read_server(cluster, mem, into);
}

/* -- user ---------------------------------------------------------------------------------------------------------- */

static struct err *read_token(const struct place *user, struct arena *mem, struct kube_config *into)
{
    const char *token, *path;
    TRY(get_line(user, "token", &token));
    TRY(get_line(user, "tokenFile", &path));
    if (path) {
        into->token_file = base_copy_text(beside(mem, user->file, path));
        return NULL;
    }
    return token ? err_wrap(kube_token_parse(token, &into->token), "%s: %s.token", user->file->path,
                            user->path)
                 : NULL;
}

static struct err *read_passwords(const struct place *user, struct kube_config *into)
{
    const char *name, *password;
    TRY(get_line(user, "username", &name));
    TRY(get_line(user, "password", &password));
    if (!name && !password)
        return NULL;
    if (into->token || into->token_file)
        return wrong(user, "username", "only one of token and username may be given");
    into->user = base_copy_text(name ? name : "");
    into->password = base_copy_text(password ? password : "");
    return NULL;
}

static bool is_header_value(const char *text)
{
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text))
            return false;
    }
    return true;
}

struct headers {
    struct arena *mem;
    VEC(const char *) all;
};

static struct err *add_header(struct headers *headers, const struct place *user, const char *field,
                              const char *name, const char *value)
{
    if (!is_header_value(value))
        return wrong(user, field, "has a control character");
    *vec_push(headers->mem, &headers->all) = arena_printf(headers->mem, "%s: %s", name, value);
    return NULL;
}

static struct err *add_extra(struct headers *headers, const struct place *user)
{
    struct place extra;
    TRY(get_map(user, "as-user-extra", headers->mem, &extra));
    for (size_t i = 0; val_is_map(extra.map) && i < extra.map->len; i++) {
        const char *key = extra.map->pairs[i].key;
        SBUF(name, SMALLFILE_MAX);
        sbuf_add(&name, "Impersonate-Extra-");
        sbuf_add_url(&name, key);
        const char *const *values;
        TRY(get_texts(&extra, key, headers->mem, &values));
        for (; *values; values++)
            TRY(add_header(headers, user, "as-user-extra", sbuf_text(&name), *values));
    }
    return NULL;
}

static char **copy_list(const char *const *texts)
{
    size_t len = 0;
    while (texts[len])
        len++;
    char **copy = base_alloc((len + 1) * sizeof(*copy));
    for (size_t i = 0; i < len; i++)
        copy[i] = base_copy_text(texts[i]);
    return copy;
}

static struct err *read_impersonation(const struct place *user, struct arena *mem,
                                      struct kube_config *into)
{
    const char *as, *uid, *const *groups;
    TRY(get_line(user, "as", &as));
    TRY(get_line(user, "as-uid", &uid));
    TRY(get_texts(user, "as-groups", mem, &groups));
    struct headers headers = { .mem = mem };
    if (uid)
        TRY(add_header(&headers, user, "as-uid", "Impersonate-Uid", uid));
    for (; *groups; groups++)
        TRY(add_header(&headers, user, "as-groups", "Impersonate-Group", *groups));
    TRY(add_extra(&headers, user));
    if (!as)
        return headers.all.len ? wrong(user, "as", "is missing beside the other as- fields") : NULL;
    TRY(add_header(&headers, user, "as", "Impersonate-User", as));
    *vec_push(mem, &headers.all) = NULL;
    into->impersonate = base_copy_text(as);
    into->impersonate_headers = copy_list(headers.all.at);
    return NULL;
}

/* -- exec plugin --------------------------------------------------------------------------------------------------- */

/* What KUBERNETES_EXEC_INFO says. */
static const char *exec_info(struct arena *mem, const char *api_version,
                             const struct place *cluster, const struct kube_config *config)
{
    struct val *info = val_new_map(mem);
    val_set_text(mem, info, "kind", "ExecCredential");
    val_set_text(mem, info, "apiVersion", api_version);
    struct val *spec = val_need_map(mem, info, "spec");
    if (cluster) {
        struct val *about = val_need_map(mem, spec, "cluster");
        val_set_text(mem, about, "server", config->server);
        if (config->tls.server_name)
            val_set_text(mem, about, "tls-server-name", config->tls.server_name);
        if (config->tls.is_insecure)
            val_set(mem, about, "insecure-skip-tls-verify", val_new_bool(mem, true));
        const char *ca = config->tls.ca_pem;
        if (ca)
            val_set_text(mem, about, "certificate-authority-data",
                         hash_base64(mem, ca, strlen(ca)));
        if (config->proxy)
            val_set_text(mem, about, "proxy-url", config->proxy);
        const struct val *extensions = val_get(cluster->map, "extensions");
        for (size_t i = 0; i < val_len(extensions); i++) {
            const struct val *one = val_item(extensions, i);
            const char *name = val_text_or(val_get(one, "name"), "");
            const struct val *extension = val_get(one, "extension");
            if (!strcmp(name, "client.authentication.k8s.io/exec") && extension)
                val_set(mem, about, "config", val_copy(mem, extension));
        }
    }
    val_set(mem, spec, "interactive", val_new_bool(mem, false));
    return val_json(mem, info, NULL);
}

static bool names_variable(const char *assignment, const char *name)
{
    size_t len = strlen(name);
    return !strncmp(assignment, name, len) && assignment[len] == '=';
}

/* The caller's environment, the plugin's own variables before it wins, then the info. */
static struct err *read_env(const struct place *exec, struct arena *mem,
                            const char *const *inherited, const char *info, char ***out)
{
    VEC(const char *) env = { 0 };
    *vec_push(mem, &env) = arena_printf(mem, "KUBERNETES_EXEC_INFO=%s", info);
    const struct val *own = val_get(exec->map, "env");
    if (!val_is_null(own) && !val_is_list(own))
        return wrong(exec, "env", "must be a list");
    for (size_t i = 0; i < val_len(own); i++) {
        const char *name = val_text_or(val_get(val_item(own, i), "name"), "");
        const char *value = val_text(val_get(val_item(own, i), "value"));
        if (!*name || strchr(name, '=') || !value)
            return wrong(exec, "env", "each item needs a name and a value, both texts");
        *vec_push(mem, &env) = arena_printf(mem, "%s=%s", name, value);
    }
    size_t own_len = env.len;
    for (; *inherited; inherited++) {
        bool is_set = false;
        for (size_t i = 0; i < own_len && !is_set; i++)
            is_set =
                names_variable(*inherited, arena_strndup(mem, env.at[i], strcspn(env.at[i], "=")));
        if (!is_set)
            *vec_push(mem, &env) = *inherited;
    }
    *vec_push(mem, &env) = NULL;
    *out = copy_list(env.at);
    return NULL;
}

static struct err *check_exec(const struct place *exec, const char *command,
                              const char *api_version)
{
    if (!command)
        return wrong(exec, "command", "is missing");
    static const char *const versions[] = { "client.authentication.k8s.io/v1",
                                            "client.authentication.k8s.io/v1beta1" };
    bool is_known =
        api_version && (!strcmp(api_version, versions[0]) || !strcmp(api_version, versions[1]));
    if (!is_known)
        return wrong(exec, "apiVersion", "must be client.authentication.k8s.io/v1 or .../v1beta1");
    const char *mode;
    TRY(get_line(exec, "interactiveMode", &mode));
    return mode && !strcmp(mode, "Always")
               ? wrong(exec, "interactiveMode", "there is no one to answer questions")
               : NULL;
}

static struct err *read_exec(const struct place *user, const struct place *cluster,
                             const struct kube_config_opts *opts, struct arena *mem,
                             struct kube_config *into)
{
    struct place exec;
    TRY(get_map(user, "exec", mem, &exec));
    if (!exec.map)
        return NULL;
    const char *command, *api_version, *hint, *const *args;
    TRY(get_line(&exec, "command", &command));
    TRY(get_line(&exec, "apiVersion", &api_version));
    TRY(check_exec(&exec, command, api_version));
    if (!opts->allow_exec)
        return err_new(ERR_DENIED,
                       "%s: %s: runs the program %s for credentials, which is not allowed without "
                       "--k8s-allow-exec",
                       exec.file->path, exec.path, command);
    TRY(get_text(&exec, "installHint", &hint));
    TRY(get_texts(&exec, "args", mem, &args));
    bool wants_cluster;
    TRY(get_bool(&exec, "provideClusterInfo", &wants_cluster));
    const char *const standard[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        opts->home ? arena_printf(mem, "HOME=%s", opts->home) : NULL, NULL
    };
    into->exec = base_alloc(sizeof(*into->exec));
    bool is_relative = strchr(command, '/') && *command != '/';
    into->exec->command = base_copy_text(is_relative ? beside(mem, exec.file, command) : command);
    into->exec->api_version = base_copy_text(api_version);
    into->exec->install_hint = base_copy_text(hint);
    into->exec->args = copy_list(args);
    return read_env(&exec, mem, opts->env ? opts->env : standard,
                    exec_info(mem, api_version, wants_cluster ? cluster : NULL, into),
                    &into->exec->env);
}

/* The file is read again in time: certificates that are short-lived are replaced where they lie. */
static struct err *note_file(const struct place *user, const char *field, struct arena *mem,
                             char **out)
{
    const char *data, *path;
    TRY(get_text(user, arena_printf(mem, "%s-data", field), &data));
    TRY(get_line(user, field, &path));
    if (path && !data)
        *out = base_copy_text(beside(mem, user->file, path));
    return NULL;
}

static struct err *read_user(const struct place *user, const struct place *cluster,
                             const struct kube_config_opts *opts, struct arena *mem,
                             struct kube_config *into)
{
    char *cert = NULL, *key = NULL;
    struct err *e = get_pem(user, "client-certificate", mem, &cert);
    into->tls.cert_pem = cert;
    TRY(e);
    e = get_pem(user, "client-key", mem, &key);
    into->tls.key_pem = key;
    TRY(e);
    if (!cert != !key)
        return wrong(user, cert ? "client-key" : "client-certificate",
                     "is missing beside the other half of the pair");
    TRY(note_file(user, "client-certificate", mem, &into->cert_file));
    TRY(note_file(user, "client-key", mem, &into->key_file));
    if (val_get(user->map, "auth-provider"))
        return wrong(user, "auth-provider", "is not supported: use exec or a token");
    TRY(read_token(user, mem, into));
    TRY(read_passwords(user, into));
    TRY(read_impersonation(user, mem, into));
    return read_exec(user, cluster, opts, mem, into);
}

/* -- context ------------------------------------------------------------------------------------------------------- */

static struct err *find_context(const struct files *files, const char *wanted,
                                const char **out_name, struct place *out)
{
    *out_name = wanted && *wanted ? wanted : NULL;
    for (size_t i = 0; i < files->all.len && !*out_name; i++) {
        struct place top = { &files->all.at[i], "", files->all.at[i].root };
        TRY(get_line(&top, "current-context", out_name));
    }
    if (!*out_name)
        return err_new(ERR_NOT_FOUND, "%s: no current-context: name one of its contexts (%s)",
                       files->names, names_in(files, "contexts"));
    TRY(find_named(files, "contexts", "context", *out_name, out));
    if (!out->file)
        return err_new(ERR_NOT_FOUND, "%s: no context %s: there are: %s", files->names, *out_name,
                       names_in(files, "contexts"));
    return NULL;
}

static struct err *find_part(const struct files *files, const struct place *context,
                             const char *field, struct place *out)
{
    const char *name, *list = arena_printf(files->mem, "%ss", field);
    TRY(get_line(context, field, &name));
    *out = (struct place){ 0 };
    if (!name)
        return NULL;
    TRY(find_named(files, list, field, name, out));
    if (!out->file)
        return err_new(ERR_NOT_FOUND, "%s: %s.%s: there is no %s %s in %s", context->file->path,
                       context->path, field, field, name, files->names);
    return NULL;
}

struct err *kubeconfig_read(const struct kube_config_opts *opts, struct kube_config *into,
                            bool *out_is_absent)
{
    *out_is_absent = false;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct files files = { .mem = mem };
    TRY(find_files(opts, &files, out_is_absent));
    into->source = base_copy_text(files.names);
    const char *name, *ns;
    struct place context, cluster, user;
    TRY(find_context(&files, opts->context, &name, &context));
    into->context = base_copy_text(name);
    TRY(get_line(&context, "namespace", &ns));
    into->ns = base_copy_text(ns ? ns : "default");
    TRY(find_part(&files, &context, "cluster", &cluster));
    if (!cluster.file)
        return wrong(&context, "cluster", "is missing");
    TRY(read_cluster(&cluster, mem, into));
    TRY(find_part(&files, &context, "user", &user));
    return user.file ? read_user(&user, &cluster, opts, mem, into) : NULL;
}
