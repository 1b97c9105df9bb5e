#include "git/mirror.h"

#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "git/mirror_internal.h"

#define PACK_OBJECTS_MAX \
    ((size_t)16 << 20) /* in a pack that is received: bounds what its index takes in memory */
#define LIMIT_BYTES ((size_t)2 << 30)

/* -- handles ------------------------------------------------------------------------------------------------------ */

struct err *mirror_repo_open(struct mirror *mirror, struct mirror_repo *out)
{
    out->mirror = mirror;
    if (!__atomic_load_n(&mirror->is_ours, __ATOMIC_ACQUIRE))
        return err_new(ERR_NOT_FOUND, "git repo has not been cloned yet");
    out->depth = __atomic_load_n(&mirror->depth, __ATOMIC_ACQUIRE);
    out->at = __atomic_exchange_n(&mirror->idle, NULL, __ATOMIC_ACQ_REL);
    if (out->at)
        return NULL;
    /* Not git_repository_open_bare: what that opens knows no cut. */
    int code = git_repository_open_ext(
        &out->at, mirror->opts.dir, GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE, NULL);
    return code ? mirror_git_failed(mirror, code, "open the mirror") : NULL;
}

void mirror_repo_close(struct mirror_repo *repo)
{
    if (repo->at && repo->depth != __atomic_load_n(&repo->mirror->depth, __ATOMIC_ACQUIRE))
        git_repository_free(repo->at);
    else if (repo->at) /* the next caller's; one more than that is not kept */
        git_repository_free(__atomic_exchange_n(&repo->mirror->idle, repo->at, __ATOMIC_ACQ_REL));
    repo->at = NULL;
}

void mirror_repo_drop_idle(struct mirror *mirror)
{
    git_repository_free(__atomic_exchange_n(&mirror->idle, NULL, __ATOMIC_ACQ_REL));
}

/* -- errors -------------------------------------------------------------------------------------------------------- */

/* Of libgit2's classes those that speak of what is stored here. */
static bool is_damage(const git_error *error, int code)
{
    if (!error || code == GIT_EUSER || code == GIT_ELOCKED)
        return false;
    switch (error->klass) {
    case GIT_ERROR_ODB:
    case GIT_ERROR_ZLIB:
    case GIT_ERROR_OBJECT:
    case GIT_ERROR_REPOSITORY: return true;
    case GIT_ERROR_REFERENCE: return code == GIT_ERROR;
    default: return false;
    }
}

static enum err_kind kind_of(int code)
{
    switch (code) {
    case GIT_ENOTFOUND: return ERR_NOT_FOUND;
    case GIT_EINVALIDSPEC:
    case GIT_EAMBIGUOUS: return ERR_INVALID;
    case GIT_ENONFASTFORWARD:
    case GIT_EMODIFIED: return ERR_CONFLICT;
    default: return ERR_TRANSIENT;
    }
}

struct err *mirror_git_failed(struct mirror *mirror, int code, const char *what)
{
    const git_error *last = git_error_last();
    struct err *e =
        err_new(kind_of(code), "%s: %s", what, last && last->message ? last->message : "failed");
    if (is_damage(last, code))
        mirror_disk_suspect(mirror);
    return e;
}

/* -- settings -------------------------------------------------------------------------------------------------------- */

struct texts {
    const char **at;
    size_t len, cap;
};

/* Variables that would make the programs do something else than they are asked to. */
static bool is_kept(const char *variable)
{
    static const char *const dropped[] = {
        "GIT_PROTOCOL=",
        "GIT_DIR=",
        "GIT_WORK_TREE=",
        "GIT_INDEX_FILE=",
        "GIT_NAMESPACE=",
        "GIT_OBJECT_DIRECTORY=",
        "GIT_COMMON_DIR=",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES=",
        "GIT_QUARANTINE_PATH=",
        "LC_ALL=",
        "LANGUAGE=",
    };
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (!strncmp(variable, dropped[i], strlen(dropped[i])))
            return false;
    return true;
}

static const char *const *copy_env(struct arena *mem, const char *const *from)
{
    struct texts list = { 0 };
    for (from = from ? from : (const char *const *)environ; from && *from; from++)
        if (is_kept(*from))
            *vec_push(mem, &list) = arena_strdup(mem, *from);
    *vec_push(mem, &list) = "LC_ALL=C"; /* their messages are read by programs, too */
    *vec_push(mem, &list) = "GIT_TERMINAL_PROMPT=0";
    *vec_push(mem, &list) = NULL;
    return list.at;
}

static void copy_opts(struct arena *mem, const struct mirror_opts *from, struct mirror_opts *to)
{
    const char *const *const texts[][2] = {
        { &from->url, &to->url },
        { &from->dir, &to->dir },
        { &from->branch, &to->branch },
        { &from->sync_tag, &to->sync_tag },
        { &from->notes_ref, &to->notes_ref },
        { &from->commit_notes_ref, &to->commit_notes_ref },
        { &from->user_name, &to->user_name },
        { &from->user_email, &to->user_email },
        { &from->signing_key, &to->signing_key },
        { &from->gnupg_home, &to->gnupg_home },
        { &from->ca_pem, &to->ca_pem },
        { &from->proxy, &to->proxy },
        { &from->ssh_command, &to->ssh_command },
        { &from->ssh_identity, &to->ssh_identity },
        { &from->ssh_known_hosts, &to->ssh_known_hosts },
    };
    *to = *from;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *(const char **)texts[i][1] = arena_strdup(mem, *texts[i][0]);
    to->env = copy_env(mem, from->env);
    to->sync_tag = to->sync_tag ? to->sync_tag : "";
    to->notes_ref = to->notes_ref ? to->notes_ref : "";
    to->commit_notes_ref = to->commit_notes_ref ? to->commit_notes_ref : "";
    if (to->signing_key && !*to->signing_key)
        to->signing_key = NULL;
    to->user_name = to->user_name && *to->user_name ? to->user_name : "Weave Flux";
    to->user_email = to->user_email && *to->user_email ? to->user_email : "support@weave.works";
    to->limit_bytes = to->limit_bytes ? to->limit_bytes : LIMIT_BYTES;
}

MUST_USE static struct err *make_ref(struct arena *mem, const char *prefix, const char *name,
                                     const char **out)
{
    *out = *name ? arena_printf(mem, "%s%s", prefix, name) : "";
    int is_valid = 0;
    if (*name && (git_reference_name_is_valid(&is_valid, *out) || !is_valid))
        return err_new(ERR_INVALID, "'%s' is not a valid name for a git reference", name);
    return NULL;
}

MUST_USE static struct err *make_notes_ref(struct arena *mem, const char *name, const char **out)
{
    const char *full = *name ? mirror_notes_ref(mem, name) : "";
    return make_ref(mem, "", full, out);
}

/* git leaves user and password out of its messages. */
static const char *anonymous(struct arena *mem, const char *url, const struct giturl *parsed)
{
    const char *at = strchr(url, '@');
    if (parsed->kind == GITURL_FILE || !at)
        return arena_strdup(mem, url);
    const char *scheme = strstr(url, "://");
    if (!scheme)
        return arena_strdup(mem, at + 1);
    const char *slash = strchr(scheme + 3, '/');
    if (slash && slash < at)
        return arena_strdup(mem, url);
    at = slash ? memrchr(scheme, '@', (size_t)(slash - scheme)) : strrchr(scheme, '@');
    return arena_printf(mem, "%.*s%s", (int)(scheme + 3 - url), url, at + 1);
}

MUST_USE static struct err *read_url(struct mirror *mirror)
{
    struct mirror_opts *opts = &mirror->opts;
    TRY(giturl_parse(mirror->mem, opts->url ? opts->url : "", &mirror->url));
    struct mirror_config config;
    TRY(mirror_config_read(mirror->mem, opts->env, opts->url, &config));
    TRY(giturl_parse(mirror->mem, config.url, &mirror->real));
    if (mirror->real.kind == GITURL_OTHER)
        return err_new(
            ERR_INVALID,
            "git URL %s: git:// neither encrypts nor knows who it talks to: use https or ssh",
            mirror->real.safe);
    mirror->shown_url = anonymous(mirror->mem, opts->url, &mirror->url);
    mirror->carrier = (struct transport_settings){
        .ssh_command =
            opts->ssh_command && *opts->ssh_command ? opts->ssh_command : config.ssh_command,
        .ssh_identity = opts->ssh_identity,
        .ssh_known_hosts = opts->ssh_known_hosts,
        .env = opts->env,
        .tls = { .ca_pem = opts->ca_pem, .is_insecure = opts->is_insecure },
        .proxy = opts->proxy,
        .limit_bytes = opts->limit_bytes,
    };
    return NULL;
}

MUST_USE static struct err *fill(struct mirror *mirror, const struct mirror_opts *opts)
{
    struct arena *mem = mirror->mem;
    copy_opts(mem, opts, &mirror->opts);
    if (!mirror->opts.branch || !*mirror->opts.branch)
        return err_new(ERR_INVALID, "the branch to follow is not given");
    if (!mirror->opts.dir || !*mirror->opts.dir)
        return err_new(ERR_INVALID, "the directory of the mirror is not given");
    TRY(make_ref(mem, "refs/heads/", mirror->opts.branch, &mirror->branch_ref));
    TRY(make_ref(mem, "refs/tags/", mirror->opts.sync_tag, &mirror->tag_ref));
    TRY(make_notes_ref(mem, mirror->opts.notes_ref, &mirror->notes_ref));
    TRY(make_notes_ref(mem, mirror->opts.commit_notes_ref, &mirror->commit_notes_ref));
    return read_url(mirror);
}

/* libgit2 counts its users. The count only grows: a last shutdown would take the error texts of threads that still run. */
MUST_USE static struct err *start_library(void)
{
    if (git_libgit2_init() < 0)
        return err_new(ERR_INVALID, "libgit2 cannot be started");
    (void)git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, PACK_OBJECTS_MAX);
    (void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION,
                           0); /* a volume may be root's; a mirror is known by its own file */
    (void)git_libgit2_opts(GIT_OPT_ENABLE_CACHING,
                           0); /* each file is read once, then cached by its blob id above */
    return NULL;
}

struct err *mirror_new(const struct mirror_opts *opts, struct mirror **out)
{
    *out = NULL;
    TRY(start_library());
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mirror *mirror = arena_alloc(mem, sizeof(*mirror));
    mirror->mem = mem;
    mirror->lock_fd = -1;
    struct err *e = fill(mirror, opts);
    if (e) {
        arena_free(mem);
        return e;
    }
    (void)pthread_mutex_init(&mirror->writing, NULL);
    mirror->is_ours = mirror_disk_is_ours(mirror);
    *out = mirror;
    return NULL;
}

void mirror_free(struct mirror *mirror)
{
    if (!mirror)
        return;
    mirror_repo_drop_idle(mirror);
    (void)pthread_mutex_destroy(&mirror->writing);
    if (mirror->lock_fd >= 0)
        (void)close(mirror->lock_fd);
    arena_free(mirror->mem);
}

void mirror_rest(struct mirror *mirror)
{
    mirror_repo_drop_idle(mirror);
}

const struct giturl *mirror_url(const struct mirror *mirror)
{
    return &mirror->url;
}
