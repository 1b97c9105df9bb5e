#include "cmd/run_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vec.h"
#include "cmd/home.h"

#define CHANGED_MAX_BYTES ((size_t)4 << 10)

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    { "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warn", LOG_WARN }, { "error", LOG_ERROR }
};

static bool find_level(const struct flags *flags, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (!strcmp(levels[i].name, flags_text(flags, "log-level"))) {
            *out = levels[i].level;
            return true;
        }
    }
    return false;
}

void run_config_log(const struct flags *flags, struct log *log)
{
    log->is_json = !strcmp(flags_text(flags, "log-format"), "json");
    log->least = LOG_INFO;
    (void)find_level(flags, &log->least);
}

/* -- one check each: false is fatal and was logged ------------------------------------------------ */

struct check {
    struct arena *mem;
    const struct flags *flags;
    const struct log *log;
    struct run_config *config;
};

/* Read-only, the marker cannot be a tag: nothing may be pushed. */
static bool check_readonly(struct check *check)
{
    static const char *const useless[] = { "git-user",       "git-email",   "git-sync-tag",
                                           "git-set-author", "git-ci-skip", "git-ci-skip-message" };
    struct run_config *config = check->config;
    config->is_readonly = flags_bool(check->flags, "git-readonly");
    config->state_name = flags_text(check->flags, "sync-state");
    if (!config->is_readonly)
        return true;
    if (!strcmp(config->state_name, "git")) {
        log_warn(check->log,
                 F("warning", "--git-readonly prevents use of --sync-state=git. Forcing to "
                              "--sync-state=secret"));
        config->state_name = "secret";
    }
    SBUF(changed, CHANGED_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(useless); i++) {
        if (flags_given(check->flags, useless[i]))
            sbuf_addf(&changed, "%s%s", changed.len ? ", " : "", useless[i]);
    }
    if (changed.len)
        log_warn(check->log, F("warning", arena_printf(check->mem,
                                                       "Configuring any of {%s} has no effect when "
                                                       "--git-readonly is set",
                                                       sbuf_text(&changed))));
    return true;
}

static bool check_verify(struct check *check)
{
    struct run_config *config = check->config;
    const char *mode = flags_text(check->flags, "git-verify-signatures-mode");
    if (!*mode)
        mode = flags_bool(check->flags, "git-verify-signatures") ? "all" : "none";
    config->verify_name = mode;
    if (!strcmp(mode, "none"))
        config->verify = MIRROR_VERIFY_NONE;
    else if (!strcmp(mode, "all"))
        config->verify = MIRROR_VERIFY_ALL;
    else if (!strcmp(mode, "first-parent"))
        config->verify = MIRROR_VERIFY_FIRST_PARENT;
    else {
        log_error(check->log,
                  F("error", arena_printf(check->mem,
                                          "'%s' is not a valid git-verify-signatures-mode", mode)));
        return false;
    }
    return true;
}

static bool check_label(struct check *check)
{
    static const char *const replaced[] = { "git-sync-tag", "git-notes-ref" };
    struct run_config *config = check->config;
    const char *label = flags_text(check->flags, "git-label");
    config->sync_tag = *label ? label : flags_text(check->flags, "git-sync-tag");
    config->notes_ref = *label ? label : flags_text(check->flags, "git-notes-ref");
    for (size_t i = 0; *label && i < ARRAY_LEN(replaced); i++) {
        if (flags_given(check->flags, replaced[i]))
            log_info(check->log, F("overridden", replaced[i]), F("value", label));
    }
    return true;
}

static bool check_paths(struct check *check)
{
    size_t len = 0;
    const char *const *paths = flags_list(check->flags, "git-path", &len);
    for (size_t i = 0; i < len; i++) {
        if (paths[i][0] == '/') {
            log_error(
                check->log,
                F("err", "subdirectory given as --git-path should not have leading forward slash"));
            return false;
        }
    }
    check->config->git_paths = len ? paths : NULL;
    return true;
}

static bool check_decryption(struct check *check)
{
    static const struct {
        const char *flag, *assumption;
    } kinds[] = {
        { "git-secret", "we assume you mounted the keyring directly and continue" },
        { "sops", "we assume that the means of decryption has been provided in another way" },
    };
    size_t keys = 0;
    (void)flags_list(check->flags, "git-gpg-key-import", &keys);
    for (size_t i = 0; !keys && i < ARRAY_LEN(kinds); i++) {
        if (flags_bool(check->flags, kinds[i].flag))
            log_warn(check->log,
                     F("warning", arena_printf(check->mem,
                                               "--%s is enabled but there is no GPG key(s) "
                                               "provided using --git-gpg-key-import, %s",
                                               kinds[i].flag, kinds[i].assumption)));
    }
    check->config->reveal = home_reveal(check->flags, flags_ms(check->flags, "sync-timeout"));
    return true;
}

/* Both spellings of the list, merged. */
static bool check_namespaces(struct check *check)
{
    VEC(const char *) all = { 0 };
    const char *const *lists[] = { flags_list(check->flags, "k8s-allow-namespace", NULL),
                                   flags_list(check->flags, "k8s-namespace-whitelist", NULL) };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (const char *const *at = lists[i]; *at; at++)
            *vec_push(check->mem, &all) = *at;
    }
    *vec_push(check->mem, &all) = NULL;
    check->config->allowed_ns = all.len > 1 ? all.at : NULL;
    return true;
}

static bool check_drift(struct check *check)
{
    const char *mode = flags_text(check->flags, "sync-drift");
    if (!strcmp(mode, "heal"))
        check->config->drift = SYNC_DRIFT_HEAL;
    else if (!strcmp(mode, "report"))
        check->config->drift = SYNC_DRIFT_REPORT;
    else if (!strcmp(mode, "off"))
        check->config->drift = SYNC_DRIFT_OFF;
    else {
        log_error(check->log,
                  F("err", arena_printf(check->mem, "--sync-drift is heal, report or off, not '%s'",
                                        mode)));
        return false;
    }
    return true;
}

static bool check_log_level(struct check *check)
{
    enum log_level level;
    if (find_level(check->flags, &level))
        return true;
    log_error(
        check->log,
        F("err", arena_printf(check->mem, "--log-level is debug, info, warn or error, not '%s'",
                              flags_text(check->flags, "log-level"))));
    return false;
}

static bool check_canaries(struct check *check)
{
    static const char *const words[] = {
        [RUN_CANARIES_AUTO] = "auto", [RUN_CANARIES_ON] = "on", [RUN_CANARIES_OFF] = "off"
    };
    const char *word = flags_text(check->flags, "canaries");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(word, words[i])) {
            check->config->canaries = (enum run_canaries)i;
            return true;
        }
    }
    log_error(check->log,
              F("err", arena_printf(check->mem, "--canaries is auto, on or off, not '%s'", word)));
    return false;
}

static bool check_numbers(struct check *check)
{
    static const struct {
        const char *flag;
        int64_t least, most;
    } counts[] = { { "workers", 1, 64 }, { "kube-in-flight", 1, 256 } };
    static const char *const durations[] = { "git-poll-interval", "git-timeout", "sync-interval",
                                             "sync-timeout", "registry-scan-interval" };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t number = flags_int(check->flags, counts[i].flag);
        if (number < counts[i].least || number > counts[i].most) {
            log_error(check->log, F("err", arena_printf(check->mem, "--%s has to be %lld to %lld",
                                                        counts[i].flag, (long long)counts[i].least,
                                                        (long long)counts[i].most)));
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        if (flags_ms(check->flags, durations[i]) <= 0) {
            log_error(check->log, F("err", arena_printf(check->mem, "--%s has to be more than 0",
                                                        durations[i])));
            return false;
        }
    }
    return true;
}

/* What kind of URL it is decides about the key; one that cannot be read is reported by the source, as state. */
static bool check_url(struct check *check)
{
    struct run_config *config = check->config;
    struct giturl url = { .kind = GITURL_OTHER, .safe = "" };
    config->git_url = flags_text(check->flags, "git-url");
    if (*config->git_url) {
        SCOPED(err_free) struct err *e = giturl_parse(check->mem, config->git_url, &url);
        if (e) {
            log_error(check->log, F("err", arena_printf(check->mem, "--git-url: %s", err_text(e))));
            return false;
        }
    }
    config->kind = url.kind;
    config->shown_url = url.safe;
    return true;
}

static bool check_key(struct check *check)
{
    struct run_config *config = check->config;
    const char *mount = flags_text(check->flags, "k8s-secret-volume-mount-path");
    struct stat st;
    config->in_cluster = !stat(RUN_IN_CLUSTER_DIR, &st) && S_ISDIR(st.st_mode);
    const char *file = flags_text(check->flags, "identity-file");
    config->identity_file = *file ? file : NULL;
    config->wants_key = config->in_cluster && config->kind != GITURL_HTTP && !config->identity_file;
    if (config->identity_file && access(config->identity_file, R_OK)) {
        SCOPED(err_free) struct err *e = err_errno(ERR_DENIED, errno, "--identity-file %s", file);
        log_error(check->log, F("err", err_text(e)));
        return false;
    }
    config->keygen_dir = flags_text(check->flags, "ssh-keygen-dir");
    if (*config->keygen_dir || config->kind == GITURL_HTTP)
        return true;
    config->keygen_dir = mount;
    log_info(
        check->log,
        F("info",
          arena_printf(check->mem,
                       "SSH keygen dir (--ssh-keygen-dir) not provided, so using the deploy key "
                       "volume (--k8s-secret-volume-mount-path=%s); this may cause problems if "
                       "the deploy key volume is mounted read-only",
                       mount)));
    return true;
}

/* A pod's probes come from outside of it, so there it listens as fluxd does; elsewhere nobody but this machine has
 * business with an API that knows no users. */
static bool check_listen(struct check *check)
{
    bool is_given = flags_given(check->flags, "listen");
    check->config->listen =
        check->config->in_cluster && !is_given ? ":3030" : flags_text(check->flags, "listen");
    return true;
}

/* The older flag counts where only it was given. */
static bool check_automation(struct check *check)
{
    const struct flags *flags = check->flags;
    bool is_old =
        flags_given(flags, "registry-poll-interval") && !flags_given(flags, "automation-interval");
    const char *flag = is_old ? "registry-poll-interval" : "automation-interval";
    check->config->automation_interval_ms = flags_ms(flags, flag);
    if (check->config->automation_interval_ms > 0)
        return true;
    log_error(check->log,
              F("err", arena_printf(check->mem, "--%s has to be more than nothing", flag)));
    return false;
}

static bool check_registries(struct check *check)
{
    for (const char *const *at = flags_list(check->flags, "registry-require", NULL); *at; at++) {
        if (strcmp(*at, "ecr") != 0) {
            log_error(
                check->log,
                F("err",
                  arena_printf(check->mem,
                               "--registry-require value \"%s\" is not in possible values {ecr}",
                               *at)));
            return false;
        }
    }
    return true;
}

/* --kube-config names one file that must be there; given as empty it leaves the choice to the environment. */
static bool check_kubeconfig(struct check *check)
{
    struct kube_config_opts *kube = &check->config->kube;
    const char *file = flags_text(check->flags, "kubeconfig");
    const char *context = flags_text(check->flags, "context");
    struct stat st;
    *kube = home_kube_opts();
    if (!*file)
        file = flags_text(check->flags, "kube-config");
    if (*file && stat(file, &st)) {
        log_error(check->log,
                  F("err", arena_printf(check->mem, "stat %s: no such file or directory", file)));
        return false;
    }
    kube->kubeconfig = *file ? file : NULL;
    kube->context = *context ? context : NULL;
    kube->allow_exec = flags_bool(check->flags, "k8s-allow-exec");
    return true;
}

/* In order: --state-dir, a cache directory, a directory of our own among the temporary ones. One for each repository and
 * branch, so that two daemons do not share one by chance. */
static bool choose_state_dir(struct check *check)
{
    struct run_config *config = check->config;
    const char *given = flags_text(check->flags, "state-dir");
    const char *cache = home_env("XDG_CACHE_HOME");
    const char *tmp = home_env("TMPDIR");
    config->tmp_dir = tmp ? tmp : "/tmp";
    config->home = home_env("HOME");
    config->ssh_command = home_env("GIT_SSH_COMMAND");
    config->gnupg_home = home_env("GNUPGHOME");
    config->state_dir = given;
    if (*given)
        return true;
    unsigned char print[16];
    const char *what =
        arena_printf(check->mem, "%s\n%s\n%s\n%s", config->git_url,
                     flags_text(check->flags, "git-branch"), config->sync_tag, config->notes_ref);
    hash_fingerprint(what, strlen(what), print);
    const char *name = hash_hex(check->mem, print, sizeof(print));
    if (cache && cache[0] == '/')
        config->state_root = arena_printf(check->mem, "%s/serin", cache);
    else
        config->state_root =
            arena_printf(check->mem, "%s/serin-%u", config->tmp_dir, (unsigned)geteuid());
    config->state_dir = arena_printf(check->mem, "%s/%s", config->state_root, name);
    return true;
}

bool run_config_read(struct arena *mem, const struct flags *flags, const struct log *log,
                     struct run_config *out)
{
    static bool (*const checks[])(struct check * check) = {
        check_readonly,   check_verify,     check_label,    check_paths,      check_decryption,
        check_namespaces, check_drift,      check_canaries, check_numbers,    check_kubeconfig,
        check_url,        check_key,        check_listen,   check_registries, check_automation,
        check_log_level,  choose_state_dir,
    };
    *out = (struct run_config){ .flags = flags };
    struct check check = { .mem = mem, .flags = flags, .log = log, .config = out };
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!checks[i](&check))
            return false;
    }
    return true;
}

bool run_config_check_state(struct run_config *config, const struct log *log)
{
    if (!strcmp(config->state_name, "git")) {
        config->state_mode = SYNC_STATE_GIT;
    } else if (!strcmp(config->state_name, "secret")) {
        config->state_mode = SYNC_STATE_SECRET;
    } else {
        log_error(log, F("error", "unknown sync state mode"), F("mode", config->state_name));
        return false;
    }
    return true;
}

void run_config_log_idle(struct arena *mem, const struct run_config *config, const struct log *log)
{
    const char *all = "", *name = NULL;
    for (size_t i = 0; (name = flags_idle(config->flags, i)); i++)
        all = arena_printf(mem, "%s%s--%s", all, *all ? "," : "", name);
    if (*all)
        log_info(log, F("component", "run"), F("info", "flags without effect here"),
                 F("flags", all));
}

void run_config_log_summary(const struct run_config *config, const struct log *log)
{
    const struct flags *flags = config->flags;
    log_info(
        log, F("url", config->shown_url), F("user", flags_text(flags, "git-user")),
        F("email", flags_text(flags, "git-email")),
        F("signing-key", flags_text(flags, "git-signing-key")),
        F("verify-signatures-mode", config->verify_name), F("sync-tag", config->sync_tag),
        F("state", config->state_name), FB("readonly", config->is_readonly),
        FB("registry-disable-scanning", flags_bool(flags, "registry-disable-scanning")),
        F("notes-ref", config->notes_ref), FB("set-author", flags_bool(flags, "git-set-author")),
        FB("git-secret", flags_bool(flags, "git-secret")), FB("sops", flags_bool(flags, "sops")));
}

/* -- the directory ------------------------------------------------------------------------------- */

/* Every directory above the last one that is missing; what cannot be made shows at the last one. */
static void make_parents(struct arena *mem, const char *path)
{
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/'))
        (void)mkdir(arena_strndup(mem, path, (size_t)(at - path)), 0700);
}

static struct err *make_dir(const char *path, bool is_ours_alone)
{
    struct stat st;
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_errno(errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_INVALID, errno,
                         "make the directory %s (choose another with --state-dir)", path);
    bool is_dir = !(is_ours_alone ? lstat(path, &st) : stat(path, &st)) && S_ISDIR(st.st_mode);
    if (!is_dir)
        return err_new(ERR_INVALID, "%s is not a directory (choose another with --state-dir)",
                       path);
    /* Others can write to where temporary files are: what they put there first is not for us. */
    if (is_ours_alone && (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_new(ERR_DENIED, "%s is not ours alone (choose another with --state-dir)", path);
    return NULL;
}

struct err *run_config_make_state_dir(struct arena *mem, const struct run_config *config)
{
    make_parents(mem, config->state_dir);
    if (config->state_root)
        TRY(make_dir(config->state_root, true));
    return make_dir(config->state_dir, config->state_root);
}
