#include "cmd/access.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "cmd/tree.h"
#include "doc/json.h"
#include "doc/object.h"

#define TOKEN_BYTES   32
#define TOKEN_MIN     16
#define TOKEN_MAX     512
#define LOOK_AGAIN_MS 10000
#define COMPONENT     F("component", "api")

struct access {
    struct access_opts opts;
    struct arena *mem; /* of the options' texts */
    char *token;       /* NULL: none */
    int64_t looked_ms;
    ticket request;
};

static void set_token(struct access *access, const char *token)
{
    free(access->token);
    access->token = token ? base_copy_text(token) : NULL;
}

/* -- the file --------------------------------------------------------------------------------------------------- */

static struct err *check(const char *token, size_t len)
{
    if (len < TOKEN_MIN || len > TOKEN_MAX)
        return err_new(ERR_INVALID, "a token has %d to %d characters, this one has %zu", TOKEN_MIN,
                       TOKEN_MAX, len);
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~')
            return err_new(ERR_INVALID, "a token has no spaces and no control characters");
    }
    return NULL;
}

static struct err *read_file(struct access *access)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = NULL;
    size_t len = 0;
    TRY(tree_read_text(mem, access->opts.file, TOKEN_MAX + 2, &text, &len));
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    TRY(check(text, len));
    set_token(access, arena_strndup(mem, text, len));
    return NULL;
}

/* -- the Secret ------------------------------------------------------------------------------------------------- */

static const char *secret_path(struct arena *mem, const struct access *access)
{
    return arena_printf(mem, "/api/v1/namespaces/%s/secrets/%s", access->opts.ns,
                        access->opts.secret_name);
}

static void say_trouble(const struct access *access, const struct err *e)
{
    log_warn(access->opts.log, COMPONENT,
             F("msg", "no token for the API: who asks from outside of the pod is refused "
                      "(port-forward works; see --api-secret, --api-token-file)"),
             F("secret", access->opts.secret_name), F("err", err_text(e)));
}

static void on_stored(void *ctx, const struct kube_result *result)
{
    struct access *access = ctx;
    access->request = 0;
    if (!result->err)
        return;
    set_token(access, NULL);
    if (result->refusal == KUBE_REFUSED_CONFLICT)
        access->looked_ms = 0; /* another one was faster: the next who asks makes us look */
    else
        say_trouble(access, result->err);
}

/* What we make counts once it is in the Secret, where clients read it. */
static void store(struct access *access, const char *resource_version)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char random[TOKEN_BYTES];
    ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    const char *token = hash_base64url(mem, random, sizeof(random));
    struct val *patch = val_new_map(mem);
    val_set_text(mem, val_need_map(mem, patch, "metadata"), "resourceVersion", resource_version);
    val_set_text(mem, val_need_map(mem, patch, "data"), ACCESS_TOKEN_KEY,
                 hash_base64(mem, token, strlen(token)));
    struct kube_request request = { .method = "PATCH",
                                    .path = secret_path(mem, access),
                                    .content_type = "application/merge-patch+json" };
    request.body = val_json(mem, patch, &request.body_len);
    set_token(access, token);
    access->request = kube_start(access->opts.kube, &request, on_stored, access);
}

static void on_secret(void *ctx, const struct kube_result *result)
{
    struct access *access = ctx;
    access->request = 0;
    if (result->err) {
        if (!err_is(result->err,
                    ERR_TRANSIENT)) /* what was there is there still, as far as we know */
            set_token(access, NULL);
        say_trouble(access, result->err);
        return;
    }
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *secret = NULL;
    unsigned char *bytes = NULL;
    size_t len = 0;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, result->body, result->body_len, &secret);
    const char *encoded = val_text(VAL_PATH(secret, "data", ACCESS_TOKEN_KEY));
    if (!e && (!encoded || !*encoded)) {
        store(access, object_resource_version(secret));
        return;
    }
    if (!e)
        e = hash_base64_parse(mem, encoded, strlen(encoded), &bytes, &len);
    if (!e)
        e = check((const char *)bytes, len);
    set_token(access, e ? NULL : arena_strndup(mem, (const char *)bytes, len));
    if (e)
        say_trouble(access, e);
}

static void ask_secret(struct access *access)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    access->request =
        kube_start(access->opts.kube,
                   &(struct kube_request){ .method = "GET", .path = secret_path(mem, access) },
                   on_secret, access);
}

/* -- the outside ------------------------------------------------------------------------------------------------ */

static struct err *look(struct access *access)
{
    access->looked_ms = loop_now_ms(access->opts.loop);
    if (access->opts.file)
        return err_wrap(read_file(access), "--api-token-file %s", access->opts.file);
    if (access->opts.kube && !access->request)
        ask_secret(access);
    return NULL;
}

struct err *access_new(const struct access_opts *opts, struct access **out)
{
    SCOPED(access_free) struct access *access = base_alloc(sizeof(*access));
    access->mem = arena_new(ARENA_LIMIT_BYTES);
    access->opts = *opts;
    access->opts.look_again_ms = opts->look_again_ms ? opts->look_again_ms : LOOK_AGAIN_MS;
    access->opts.file = opts->file ? arena_strdup(access->mem, opts->file) : NULL;
    access->opts.ns = opts->ns ? arena_strdup(access->mem, opts->ns) : NULL;
    access->opts.secret_name =
        opts->secret_name ? arena_strdup(access->mem, opts->secret_name) : NULL;
    TRY(look(access));
    *out = STEAL(access);
    return NULL;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    if (access->request)
        kube_cancel(access->opts.kube, access->request);
    free(access->token);
    arena_free(access->mem);
    free(access);
}

const char *access_token(void *access)
{
    return access ? ((const struct access *)access)->token : NULL;
}

void access_look_again(void *at)
{
    struct access *access = at;
    if (!access || loop_now_ms(access->opts.loop) - access->looked_ms < access->opts.look_again_ms)
        return;
    SCOPED(err_free) struct err *e = look(access);
    if (e)
        log_warn(access->opts.log, COMPONENT, F("err", err_text(e)));
}
