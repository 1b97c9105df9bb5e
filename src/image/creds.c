#include "image/creds.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "image/creds_cloud.h"
#include "kube/resource.h"

#define KEEP_MS         ((int64_t)60 * 1000)
#define KEEP_LOGIN_MS   ((int64_t)3600 * 1000)
#define KEEP_FAILURE_MS ((int64_t)600 * 1000)
#define SWEEP_MS        ((int64_t)60 * 1000)
#define REQUEST_MS      ((int64_t)10 * 1000)
#define MEMORY_BYTES    ((size_t)512 << 20)
#define SECRETS_MAX     ((size_t)50) /* of one image */
#define SOURCES_MAX     ((size_t)20)

/* What was read once: the names of an account's secrets, or logins. */
struct piece {
    struct arena *mem;
    int64_t until_ms;
    const char *const *names;
    struct image_logins logins;
};

struct creds_ask {
    struct creds *creds;
    struct creds_ask *next, **at;
    struct arena *mem;
    const char *host;
    struct creds_source *sources;
    size_t count;
    creds_done done;
    void *ctx;
    const char *key; /* of the piece that is being read */
    ticket late, request;
    struct creds_cloud *cloud;
};

struct creds {
    struct creds_opts opts;
    struct map *pieces;
    struct creds_ask *asks;
    struct piece *config; /* --docker-config */
    ticket sweep;
};

/* -- what is kept */

static struct piece *piece_new(int64_t until_ms)
{
    struct piece *piece = base_alloc(sizeof(*piece));
    piece->mem = arena_new(MEMORY_BYTES);
    piece->until_ms = until_ms;
    return piece;
}

static void wipe(const char *text)
{
    if (text && *text)
        explicit_bzero((char *)(uintptr_t)text, strlen(text)); /* of our own arena */
}

static void piece_free(void *at)
{
    struct piece *piece = at;
    if (!piece)
        return;
    for (size_t i = 0; i < piece->logins.len; i++) {
        wipe(piece->logins.at[i].password);
        wipe(piece->logins.at[i].token);
    }
    arena_free(piece->mem);
    free(piece);
}

static void drop_old(struct creds *creds, int64_t now_ms)
{
    const char *key;
    void *value;
    for (size_t at = 0; map_next(creds->pieces, &at, &key, &value);) {
        if (((struct piece *)value)->until_ms <= now_ms)
            map_remove(creds->pieces, key);
    }
}

static void on_sweep(void *ctx)
{
    struct creds *creds = ctx;
    creds->sweep = 0;
    drop_old(creds, loop_now_ms(creds->opts.loop));
    if (map_len(creds->pieces) > 0)
        creds->sweep = loop_after(creds->opts.loop, SWEEP_MS, on_sweep, creds);
}

static struct piece *keep(struct creds_ask *ask, int64_t for_ms)
{
    struct creds *creds = ask->creds;
    struct piece *piece = piece_new(loop_now_ms(creds->opts.loop) + for_ms);
    map_set(creds->pieces, ask->key, piece);
    if (!creds->sweep)
        creds->sweep = loop_after(creds->opts.loop, SWEEP_MS, on_sweep, creds);
    return piece;
}

static const struct piece *find_piece(struct creds_ask *ask, const char *key)
{
    const struct piece *piece = map_get(ask->creds->pieces, key);
    ask->key = key;
    return piece && piece->until_ms > loop_now_ms(ask->creds->opts.loop) ? piece : NULL;
}

static void complain(const struct creds_ask *ask, const char *text)
{
    log_warn(ask->creds->opts.log, F("component", "registry"), F("host", ask->host),
             F("msg", "no credentials from there"), F("source", ask->key), F("err", text));
}

/* -- which login is for a host */

static size_t count_dots(const char *text)
{
    size_t dots = 0;
    for (; *text; text++)
        dots += *text == '.';
    return dots;
}

/* As kubelet has it: a star stands for (a part of) one label. */
static bool is_for(const struct image_login *login, const char *host)
{
    if (strcmp(login->host, host) == 0)
        return true;
    return strchr(login->host, '*') && count_dots(login->host) == count_dots(host) &&
           glob_matches(login->host, host);
}

/* The last of those that are written later; a helper only where that is allowed. */
static const struct image_login *find_login(const struct image_logins *logins, const char *host,
                                            bool with_helpers)
{
    const struct image_login *found = NULL;
    for (size_t i = 0; i < logins->len; i++) {
        const struct image_login *one = &logins->at[i];
        if (is_for(one, host) && (with_helpers || *one->helper == '\0'))
            found = one;
    }
    for (size_t i = 0; with_helpers && !found && i < logins->len; i++) {
        if (*logins->at[i].host == '\0') /* credsStore */
            found = &logins->at[i];
    }
    return found;
}

/* -- asks */

static void advance(struct creds_ask *ask);

static void ask_free(struct creds_ask *ask)
{
    struct creds *creds = ask->creds;
    loop_cancel(creds->opts.loop, ask->late);
    if (ask->request)
        kube_cancel(creds->opts.kube, ask->request);
    creds_cloud_cancel(ask->cloud);
    *ask->at = ask->next;
    if (ask->next)
        ask->next->at = ask->at;
    arena_free(ask->mem);
    free(ask);
}

void creds_cancel(struct creds_ask *ask)
{
    if (ask)
        ask_free(ask);
}

static void finish(struct creds_ask *ask, const struct image_login *login)
{
    creds_done done = ask->done;
    void *ctx = ask->ctx;
    struct image_login copy;
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    if (login) /* the caller may forget what is kept */
        copy = (struct image_login){ .host = arena_strdup(mem, login->host),
                                     .user = arena_strdup(mem, login->user),
                                     .password = arena_strdup(mem, login->password),
                                     .token = arena_strdup(mem, login->token),
                                     .helper = "",
                                     .is_bearer = login->is_bearer };
    ask_free(ask);
    done(ctx, login ? &copy : NULL);
    if (login) {
        wipe(copy.password);
        wipe(copy.token);
    }
}

/* -- from the cluster */

static const char *path_of(struct arena *mem, const char *kind, const char *ns, const char *name)
{
    const struct kube_resource resource = {
        .group = "", .version = "v1", .api_version = "v1", .plural = kind, .is_namespaced = true
    };
    return kube_path(mem, &resource, ns, name, NULL);
}

static struct err *read_object(struct arena *mem, const struct kube_result *result,
                               struct val **out)
{
    if (result->err)
        return err_copy(result->err);
    return doc_json_parse(mem, result->body, result->body_len, out);
}

static void on_account(void *ctx, const struct kube_result *result)
{
    struct creds_ask *ask = ctx;
    ask->request = 0;
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    struct val *account = NULL;
    SCOPED(err_free) struct err *e = read_object(mem, result, &account);
    struct piece *piece = keep(ask, KEEP_MS);
    if (e)
        complain(ask, err_text(e));
    VEC(const char *) names = { 0 };
    const struct val *list = val_get(account, "imagePullSecrets");
    for (size_t i = 0; i < MIN_OF(val_len(list), SECRETS_MAX); i++) {
        const char *name = val_text(val_get(val_item(list, i), "name"));
        if (name && *name)
            *vec_push(piece->mem, &names) = arena_strdup(piece->mem, name);
    }
    *vec_push(piece->mem, &names) = NULL;
    piece->names = names.at;
    advance(ask);
}

/* The file that is in a Secret of one of the two types. */
static struct err *read_secret(struct piece *piece, const struct val *secret)
{
    static const char *const keys[] = { ".dockerconfigjson", ".dockercfg" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct val *data = val_get(val_get(secret, "data"), keys[i]);
        unsigned char *text = NULL;
        size_t len = 0;
        if (!val_text(data))
            continue;
        TRY(hash_base64_parse(piece->mem, data->text, data->len, &text, &len));
        struct err *e =
            image_wire_docker_config(piece->mem, (const char *)text, len, &piece->logins);
        explicit_bzero(text, len);
        if (!e)
            return NULL;
        struct err *told = err_new(err_kind(e), "%s: not a docker config file", keys[i]);
        err_free(e);
        return told;
    }
    return err_new(ERR_INVALID, "the Secret has neither .dockerconfigjson nor .dockercfg");
}

static void on_secret(void *ctx, const struct kube_result *result)
{
    struct creds_ask *ask = ctx;
    ask->request = 0;
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    struct val *secret = NULL;
    struct err *e = read_object(mem, result, &secret);
    struct piece *piece = keep(ask, KEEP_MS);
    if (!e)
        e = read_secret(piece, secret);
    if (e)
        complain(ask, err_text(e));
    else if (piece->logins.bad > 0)
        complain(ask, "some entries have no usable credentials");
    err_free(e);
    advance(ask);
}

static void ask_kube(struct creds_ask *ask, const char *path, kube_done_fn done)
{
    ask->request = kube_start(
        ask->creds->opts.kube,
        &(struct kube_request){
            .method = "GET", .path = path, .timeout_ms = REQUEST_MS, .limit_bytes = 2 << 20 },
        done, ask);
}

/* False: the secret is being read. */
static bool look_in_secret(struct creds_ask *ask, const char *ns, const char *name,
                           const struct image_login **login)
{
    const struct piece *piece = find_piece(ask, arena_printf(ask->mem, "secret %s/%s", ns, name));
    if (!piece) {
        ask_kube(ask, path_of(ask->mem, "secrets", ns, name), on_secret);
        return false;
    }
    const struct image_login *found = find_login(&piece->logins, ask->host, false);
    if (found)
        *login = found;
    return true;
}

static bool look_in_source(struct creds_ask *ask, const struct creds_source *source,
                           const struct image_login **login)
{
    if (*source->ns == '\0')
        return true;
    if (*source->service_account) {
        const struct piece *account = find_piece(
            ask, arena_printf(ask->mem, "account %s/%s", source->ns, source->service_account));
        if (!account) {
            ask_kube(ask, path_of(ask->mem, "serviceaccounts", source->ns, source->service_account),
                     on_account);
            return false;
        }
        for (const char *const *name = account->names; *name; name++) {
            if (!look_in_secret(ask, source->ns, *name, login))
                return false;
        }
    }
    for (const char *const *name = source->secrets; name && *name; name++) {
        if (!look_in_secret(ask, source->ns, *name, login))
            return false;
    }
    return true;
}

/* -- from programs and clouds */

static void on_cloud(void *ctx, const struct image_login *login, const char *problem)
{
    struct creds_ask *ask = ctx;
    ask->cloud = NULL;
    struct piece *piece = keep(ask, login ? KEEP_LOGIN_MS : KEEP_FAILURE_MS);
    if (login) {
        *vec_push(piece->mem, &piece->logins) =
            (struct image_login){ .host = arena_strdup(piece->mem, ask->host),
                                  .user = arena_strdup(piece->mem, login->user),
                                  .password = arena_strdup(piece->mem, login->password),
                                  .token = arena_strdup(piece->mem, login->token),
                                  .helper = "" };
    } else if (problem) {
        complain(ask, problem);
    }
    advance(ask);
}

/* False: it is being asked. `helper` "": what the host's cloud has. */
static bool look_in_cloud(struct creds_ask *ask, const char *helper,
                          const struct image_login **login)
{
    const char *key = arena_printf(ask->mem, "%s %s", *helper ? helper : "cloud", ask->host);
    const struct piece *piece = find_piece(ask, key);
    if (piece) {
        const struct image_login *found = find_login(&piece->logins, ask->host, false);
        if (found)
            *login = found;
        return true;
    }
    const struct creds_opts *opts = &ask->creds->opts;
    ask->cloud = creds_cloud_start(
        &(struct creds_cloud_opts){ .loop = opts->loop,
                                    .http = opts->http,
                                    .processes = opts->processes,
                                    .host = ask->host,
                                    .helper = helper,
                                    .metadata_url = opts->metadata_url,
                                    .azure_file = opts->azure_file,
                                    .azure_metadata_url = opts->azure_metadata_url,
                                    .acr_url = opts->acr_url },
        on_cloud, ask);
    return false;
}

static bool look_in_config(struct creds_ask *ask, const struct image_login **login)
{
    const struct piece *config = ask->creds->config;
    const struct image_login *found = config ? find_login(&config->logins, ask->host, true) : NULL;
    if (found && *found->helper)
        return look_in_cloud(ask, found->helper, login);
    if (found)
        *login = found;
    return true;
}

/* All that is there already is read again each time: so nothing is kept across turns but the pieces. */
static void advance(struct creds_ask *ask)
{
    const struct image_login *login = NULL;
    for (size_t i = 0; ask->creds->opts.kube && i < ask->count; i++) {
        if (!look_in_source(ask, &ask->sources[i], &login))
            return;
    }
    enum creds_cloud_kind cloud = creds_cloud_kind(ask->host);
    if (cloud == CREDS_CLOUD_ECR && !look_in_cloud(ask, "", &login))
        return;
    if (!login && !look_in_config(ask, &login))
        return;
    if (!login && cloud != CREDS_CLOUD_NONE && !look_in_cloud(ask, "", &login))
        return;
    finish(ask, login);
}

static void on_late(void *ctx)
{
    struct creds_ask *ask = ctx;
    ask->late = 0;
    advance(ask);
}

struct creds_ask *creds_start(struct creds *creds, const char *host,
                              const struct creds_source *sources, size_t count, creds_done done,
                              void *ctx)
{
    struct creds_ask *ask = base_alloc(sizeof(*ask));
    *ask = (struct creds_ask){ .creds = creds,
                               .mem = arena_new(MEMORY_BYTES),
                               .count = MIN_OF(count, SOURCES_MAX),
                               .done = done,
                               .ctx = ctx,
                               .next = creds->asks,
                               .at = &creds->asks };
    if (ask->next)
        ask->next->at = &ask->next;
    creds->asks = ask;
    ask->host = arena_strdup(ask->mem, host);
    ask->sources = arena_alloc(ask->mem, (ask->count + 1) * sizeof(*ask->sources));
    for (size_t i = 0; i < ask->count; i++)
        ask->sources[i] = (struct creds_source){
            .ns = arena_strdup(ask->mem, sources[i].ns),
            .service_account = arena_strdup(ask->mem, sources[i].service_account),
            .secrets = arena_copy_texts(ask->mem, sources[i].secrets),
        };
    ask->late = loop_after(creds->opts.loop, 0, on_late, ask);
    return ask;
}

void creds_forget(struct creds *creds)
{
    const char *key;
    void *value;
    for (size_t at = 0; map_next(creds->pieces, &at, &key, &value);) {
        if (((struct piece *)value)->logins.len > 0) /* failures are left alone as long as ever */
            map_remove(creds->pieces, key);
    }
}

/* -- the whole */

static void read_config(struct creds *creds)
{
    if (!creds->opts.docker_config)
        return;
    creds->config = piece_new(INT64_MAX);
    SCOPED(err_free)
    struct err *e =
        image_wire_docker_config(creds->config->mem, creds->opts.docker_config,
                                 strlen(creds->opts.docker_config), &creds->config->logins);
    if (e || creds->config->logins.bad > 0)
        log_warn(creds->opts.log, F("component", "registry"),
                 F("warning", e ? "--docker-config is no docker config file, and ignored"
                                : "some entries of --docker-config have no usable credentials"));
}

struct creds *creds_new(const struct creds_opts *opts)
{
    struct creds *creds = base_alloc(sizeof(*creds));
    creds->opts = *opts;
    creds->pieces = map_new(piece_free);
    read_config(creds);
    return creds;
}

void creds_free(struct creds *creds)
{
    if (!creds)
        return;
    while (creds->asks)
        ask_free(creds->asks);
    loop_cancel(creds->opts.loop, creds->sweep);
    map_free(creds->pieces);
    piece_free(creds->config);
    free(creds);
}
