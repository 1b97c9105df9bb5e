/* The daemon's copy of the repository: its directory, its key, where it comes from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd/run_parts.h"
#include "cmd/tree.h"

/* -- the directory -------------------------------------------------------------------------------- */

/* One process to a copy of the repository. The lock ends with the process, however that ends. */
static struct err *lock_state_dir(struct run_parts *daemon)
{
    const char *file = arena_printf(daemon->mem, "%s/lock", daemon->config->state_dir);
    TRY(run_config_make_state_dir(daemon->mem, daemon->config));
    daemon->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock < 0)
        return err_errno(ERR_DENIED, errno, "open %s", file);
    if (flock(daemon->lock, LOCK_EX | LOCK_NB))
        return err_new(ERR_INVALID, "another serin uses %s: give each its own --state-dir",
                       daemon->config->state_dir);
    return NULL;
}

static struct err *read_ca(struct run_parts *daemon)
{
    const char *file = run_daemon_text(daemon, "git-ca-file");
    size_t len = 0;
    if (!file)
        return NULL;
    return err_wrap(tree_read_text(daemon->mem, file, RUN_SMALL_FILE_BYTES, &daemon->ca_pem, &len),
                    "--git-ca-file %s", file);
}

struct err *run_git_prepare(struct run_parts *daemon)
{
    TRY(lock_state_dir(daemon));
    return read_ca(daemon);
}

/* -- the deploy key ------------------------------------------------------------------------------- */

void run_git_make_identity(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    const char *data_key = flags_text(flags, "k8s-secret-data-key");
    struct identity_opts opts = {
        .loop = daemon->loop,
        .workers = daemon->workers,
        .log = daemon->log,
        .link_dir = arena_printf(daemon->mem, "%s/key", config->state_dir),
        .keygen = { .type = run_daemon_text(daemon, "ssh-keygen-type"),
                    .format = run_daemon_text(daemon, "ssh-keygen-format") },
    };
    if (flags_given(flags, "ssh-keygen-bits"))
        opts.keygen.bits =
            arena_printf(daemon->mem, "%lld", (long long)flags_int(flags, "ssh-keygen-bits"));
    if (config->identity_file) {
        opts.mounted = config->identity_file;
        opts.dir = arena_printf(daemon->mem, "%s/key", config->state_dir);
        opts.name = "identity";
    } else if (config->wants_key) {
        opts.kube = daemon->kube;
        opts.ns = daemon->own_ns;
        opts.secret_name = flags_text(flags, "k8s-secret-name");
        opts.mounted = arena_printf(daemon->mem, "%s/%s",
                                    flags_text(flags, "k8s-secret-volume-mount-path"), data_key);
        opts.dir = config->keygen_dir;
        opts.name = data_key;
    } else {
        return;
    }
    daemon->identity = identity_new(&opts);
}

static void on_identity(void *ctx, const struct err *e)
{
    struct run_parts *daemon = ctx;
    bool needs_key = daemon->config->kind == GITURL_SSH || daemon->config->identity_file;
    if (daemon->exiting)
        return;
    if (e)
        log_error(daemon->log, F("err", err_text(e)));
    if (e && needs_key)
        run_daemon_stop(daemon, "there is no deploy key", EXIT_FAILURE);
    else
        source_start(daemon->source);
}

static bool show_key(void *ctx, struct api_key *out)
{
    struct run_parts *daemon = ctx;
    struct deploykey key;
    if (!identity_key(daemon->identity, &key))
        return false;
    *out = (struct api_key){ .line = key.public_line,
                             .md5_hash = key.md5_hash,
                             .md5_art = key.md5_art,
                             .sha256_hash = key.sha256_hash,
                             .sha256_art = key.sha256_art };
    return true;
}

struct refusal {
    api_identity_done done;
    void *ctx;
};

static void on_refuse_key(void *ctx)
{
    struct refusal *refusal = ctx;
    SCOPED(err_free)
    struct err *e =
        err_new(ERR_INVALID, "the key is a file of yours (--identity-file): put another one there");
    refusal->done(refusal->ctx, e);
    free(refusal);
}

static void regenerate_key(void *ctx, api_identity_done done, void *done_ctx)
{
    struct run_parts *daemon = ctx;
    if (!daemon->config->identity_file) {
        identity_regenerate(daemon->identity, done, done_ctx);
        return;
    }
    struct refusal *refusal = base_alloc(sizeof(*refusal));
    *refusal = (struct refusal){ done, done_ctx };
    loop_after(daemon->loop, 0, on_refuse_key, refusal);
}

static bool await_key(void *ctx, api_identity_done done, void *done_ctx)
{
    struct run_parts *daemon = ctx;
    return daemon->identity && identity_await(daemon->identity, done, done_ctx);
}

/* -- the repository ------------------------------------------------------------------------------- */

static void on_refreshed(void *ctx, const char *head, const struct mirror_fetched *fetched)
{
    struct run_parts *daemon = ctx;
    sync_on_refreshed(daemon->sync, head, fetched);
}

void run_git_make_source(struct run_parts *daemon)
{
    const struct run_config *config = daemon->config;
    const struct flags *flags = daemon->flags;
    size_t keys = 0;
    const char *const *gpg_keys = flags_list(flags, "git-gpg-key-import", &keys);
    const struct mirror_opts mirror = {
        .url = config->git_url,
        .dir = arena_printf(daemon->mem, "%s/repository", config->state_dir),
        .branch = flags_text(flags, "git-branch"),
        .sync_tag = config->sync_tag,
        .notes_ref = SYNC_NOTES_REF,
        .commit_notes_ref = config->notes_ref,
        .user_name = flags_text(flags, "git-user"),
        .user_email = flags_text(flags, "git-email"),
        .signing_key = run_daemon_text(daemon, "git-signing-key"),
        .gnupg_home = config->gnupg_home,
        .ca_pem = daemon->ca_pem,
        .ssh_command = config->ssh_command,
        .ssh_identity = daemon->identity ? identity_file(daemon->identity) : NULL,
        .ssh_known_hosts = run_daemon_text(daemon, "ssh-known-hosts"),
        .history_ms = config->verify == MIRROR_VERIFY_NONE ? flags_ms(flags, "git-timeout") : 0,
    };
    daemon->source = source_new(&(struct source_opts){
        .loop = daemon->loop,
        .workers = daemon->workers,
        .log = daemon->log,
        .metrics = daemon->metrics,
        .mirror = &mirror,
        .poll_ms = flags_ms(flags, "git-poll-interval"),
        .timeout_ms = flags_ms(flags, "git-timeout"),
        .is_readonly = config->is_readonly,
        .verify = config->verify,
        .gpg_keys = keys ? gpg_keys : NULL,
        .on_refreshed = on_refreshed,
        .ctx = daemon,
    });
}

void run_git_start(struct run_parts *daemon)
{
    if (daemon->identity)
        identity_start(daemon->identity, on_identity, daemon);
    else
        source_start(daemon->source);
}

struct api_identity run_git_identity(struct run_parts *daemon)
{
    return (struct api_identity){
        .key = show_key, .regenerate = regenerate_key, .await = await_key, .ctx = daemon
    };
}
