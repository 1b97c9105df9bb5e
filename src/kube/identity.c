#include "kube/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"
#include "io/worker.h"

#define FILES_AGE_MS    60000
#define PLUGIN_PAUSE_MS 5000 /* after a failure, before it is run again */
#define STACK_BYTES     ((size_t)256 << 10)

struct kube_identity {
    int refs;
    char **headers;
    struct http_tls tls; /* certificate and key are copies, the rest is the config's */
};

/* One run of the plugin, on the worker. */
struct plugin_run {
    struct kube_identities *all;
    const struct kube_config *config;
    struct kube_credential credential;
    struct err *failed;
};

struct kube_identities {
    struct loop *loop;
    const struct log *log;
    struct kube_config *config;
    void (*on_ready)(void *ctx);
    void *ctx;
    struct kube_identity *current;
    bool is_doubted;
    int64_t read_ms;         /* when the token file was read last */
    struct workers *workers; /* made with the first run of a plugin */
    struct plugin_run run;
    bool is_running;
    struct err *failed; /* why the last run of the plugin gave nothing */
    int64_t ended_ms;   /* when that run ended */
};

/* -- one identity -------------------------------------------------------------------------------------------------- */

struct kube_identity *kube_identity_ref(struct kube_identity *identity)
{
    if (identity)
        identity->refs++;
    return identity;
}

void kube_identity_drop(struct kube_identity *identity)
{
    if (!identity || --identity->refs > 0)
        return;
    kube_credential_free_list(identity->headers);
    kube_credential_wipe((char *)identity->tls.cert_pem); /* copies made by identity_new */
    kube_credential_wipe((char *)identity->tls.key_pem);
    free(identity);
}

const char *const *kube_identity_headers(const struct kube_identity *identity)
{
    return (const char *const *)identity->headers;
}

const struct http_tls *kube_identity_tls(const struct kube_identity *identity)
{
    return &identity->tls;
}

/* On the heap: an arena would not be wiped. */
static char *authorization_of(const struct kube_config *config)
{
    if (config->token) {
        static const char start[] = "Authorization: Bearer ";
        size_t len = strlen(config->token);
        char *line = base_alloc(sizeof(start) + len);
        memcpy(line, start, sizeof(start) - 1);
        memcpy(line + sizeof(start) - 1, config->token, len);
        return line;
    }
    if (!config->user)
        return NULL;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *pair = arena_printf(mem, "%s:%s", config->user, config->password);
    const char *text = hash_base64(mem, pair, strlen(pair));
    char *line = base_copy_text(arena_printf(mem, "Authorization: Basic %s", text));
    explicit_bzero(pair, strlen(pair));
    return line;
}

static struct kube_identity *identity_new(const struct kube_config *config)
{
    struct kube_identity *identity = base_alloc(sizeof(*identity));
    identity->refs = 1;
    size_t extra = 0;
    while (config->impersonate_headers && config->impersonate_headers[extra])
        extra++;
    identity->headers = base_alloc((extra + 2) * sizeof(*identity->headers));
    size_t len = 0;
    char *authorization = authorization_of(config);
    if (authorization)
        identity->headers[len++] = authorization;
    for (size_t i = 0; i < extra; i++)
        identity->headers[len++] = base_copy_text(config->impersonate_headers[i]);
    identity->tls = config->tls;
    identity->tls.cert_pem = base_copy_text(config->tls.cert_pem);
    identity->tls.key_pem = base_copy_text(config->tls.key_pem);
    return identity;
}

/* -- the current one ----------------------------------------------------------------------------------------------- */

struct kube_identities *kube_identities_new(struct loop *loop, const struct log *log,
                                            struct kube_config *config, void (*on_ready)(void *ctx),
                                            void *ctx)
{
    struct kube_identities *all = base_alloc(sizeof(*all));
    *all = (struct kube_identities){
        .loop = loop, .log = log, .config = config, .on_ready = on_ready, .ctx = ctx
    };
    return all;
}

void kube_identities_free(struct kube_identities *all)
{
    if (!all)
        return;
    if (all->workers)
        worker_free(all->workers);
    kube_credential_fini(&all->run.credential);
    err_free(all->run.failed);
    err_free(all->failed);
    kube_identity_drop(all->current);
    free(all);
}

static bool has_files(const struct kube_config *config)
{
    return config->token_file || (config->cert_file && config->key_file && !config->exec);
}

bool kube_identities_can_change(const struct kube_identities *all)
{
    return has_files(all->config) || all->config->exec;
}

void kube_identities_doubt(struct kube_identities *all, const struct kube_identity *refused)
{
    if (refused == all->current)
        all->is_doubted = true;
}

static void renew(struct kube_identities *all)
{
    kube_identity_drop(all->current);
    all->current = identity_new(all->config);
    all->is_doubted = false;
}

/* -- the files ------------------------------------------------------------------------------------------------ */

/* What no file gives stays as it is. */
static bool is_as_before(const char *read, const char *before)
{
    return !read || (before && !strcmp(read, before));
}

/* What is in use stays when a file cannot be read: it may be good still. */
static struct err *read_files(struct kube_identities *all)
{
    struct kube_credential credential;
    all->read_ms = loop_now_ms(all->loop);
    struct err *e = kube_config_fetch(all->config, &credential);
    if (e && !all->config->token && !all->config->tls.cert_pem)
        return e;
    if (e) {
        log_warn(all->log, F("component", "kube"), F("event", "credentials not read"),
                 F("err", err_text(e)));
        err_free(e);
        all->is_doubted = false;
        if (!all->current)
            renew(all);
        return NULL;
    }
    bool is_same = all->current && is_as_before(credential.token, all->config->token) &&
                   is_as_before(credential.cert_pem, all->config->tls.cert_pem) &&
                   is_as_before(credential.key_pem, all->config->tls.key_pem);
    kube_config_take(all->config, &credential);
    if (!is_same)
        renew(all);
    all->is_doubted = false;
    return NULL;
}

/* -- the plugin ---------------------------------------------------------------------------------------------------- */

static void run_plugin(void *job)
{
    struct plugin_run *run = job;
    run->failed = kube_config_fetch(run->config, &run->credential);
}

static void on_plugin_done(void *job)
{
    struct plugin_run *run = job;
    struct kube_identities *all = run->all;
    all->is_running = false;
    err_free(all->failed);
    all->failed = STEAL(run->failed);
    all->ended_ms = loop_now_ms(all->loop);
    if (all->failed) {
        log_warn(all->log, F("component", "kube"), F("event", "no credentials"),
                 F("err", err_text(all->failed)));
    } else {
        kube_config_take(all->config, &run->credential);
        renew(all);
    }
    all->on_ready(all->ctx);
}

/* What a plugin just gave is used even if it says that it is over: or it would be run for ever. */
static bool plugin_is_due(const struct kube_identities *all, bool ran_just_now)
{
    const struct kube_config *config = all->config;
    bool has_any = config->token || config->tls.cert_pem;
    bool is_over = config->expires_ms && loop_wall_ms(all->loop) >= config->expires_ms;
    return !has_any || (is_over && !ran_just_now) || all->is_doubted;
}

static void start_plugin(struct kube_identities *all)
{
    if (!all->workers)
        all->workers = worker_new(all->loop, 1, STACK_BYTES);
    all->is_running = true;
    all->run = (struct plugin_run){ .all = all, .config = all->config };
    worker_start(all->workers, run_plugin, on_plugin_done, &all->run);
}

/* -- getting it ---------------------------------------------------------------------------------------------------- */

static enum kube_identity_state use_plugin(struct kube_identities *all, struct err **out_err)
{
    if (all->is_running)
        return KUBE_IDENTITY_COMING;
    bool ran_just_now = all->workers && loop_now_ms(all->loop) - all->ended_ms < PLUGIN_PAUSE_MS;
    if (!plugin_is_due(all, ran_just_now && !all->failed))
        return KUBE_IDENTITY_READY;
    if (all->failed && ran_just_now) {
        *out_err = err_copy(all->failed);
        return KUBE_IDENTITY_FAILED;
    }
    start_plugin(all);
    return KUBE_IDENTITY_COMING;
}

static enum kube_identity_state use_files(struct kube_identities *all, struct err **out_err)
{
    int64_t age_ms = loop_now_ms(all->loop) - all->read_ms;
    bool is_due = !all->current || all->is_doubted || age_ms >= FILES_AGE_MS;
    *out_err = is_due ? read_files(all) : NULL;
    return *out_err ? KUBE_IDENTITY_FAILED : KUBE_IDENTITY_READY;
}

enum kube_identity_state kube_identities_get(struct kube_identities *all,
                                             struct kube_identity **out, struct err **out_err)
{
    enum kube_identity_state state = KUBE_IDENTITY_READY;
    if (has_files(all->config))
        state = use_files(all, out_err);
    else if (all->config->exec)
        state = use_plugin(all, out_err);
    if (state != KUBE_IDENTITY_READY)
        return state;
    if (!all->current)
        renew(all);
    *out = all->current;
    return KUBE_IDENTITY_READY;
}
