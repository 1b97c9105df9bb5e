/* cmd/run_config.h - what `serin run` was told, checked, with everything derived from it.
 * Effects:   reads the environment; makes the directory of the repository's copy.
 * Ownership: texts are in the caller's arena, the flags' or the environment's.
 * Units:     milliseconds.
 * Reference: gitops.md 1.1, 1.4 (in which order things are checked, and in which words). */
#ifndef SERIN_CMD_RUN_CONFIG_H
#define SERIN_CMD_RUN_CONFIG_H

#include "base/log.h"
#include "cmd/flags.h"
#include "git/giturl.h"
#include "kube/config.h"
#include "sync/reveal.h"
#include "sync/sync.h"

#define RUN_IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io"

enum run_canaries { RUN_CANARIES_AUTO, RUN_CANARIES_ON, RUN_CANARIES_OFF };

struct run_config {
    const struct flags *flags;
    struct kube_config_opts kube;

    const char *git_url;   /* "": none is configured */
    enum giturl_kind kind; /* of the URL */
    const char *shown_url; /* without credentials */
    const char *sync_tag, *notes_ref;
    const char *verify_name;
    enum mirror_verify verify;
    const char *const *git_paths, *const *allowed_ns; /* NULL: all */
    enum sync_drift drift;
    enum run_canaries canaries;
    enum sync_state_mode state_mode;
    const char *state_name; /* as given; checked by run_config_check_state */
    int64_t automation_interval_ms;
    bool is_readonly;
    bool in_cluster;           /* service account files are here */
    bool wants_key;            /* a deploy key is to be read from the Secret, or made */
    const char *identity_file; /* in its place; NULL: not given */
    const char *keygen_dir;    /* of a new deploy key */
    const char *state_dir;     /* for the copy of the repository */
    const char *state_root;    /* where state_dir is when it was chosen for us; NULL when given */
    const char *ssh_command, *gnupg_home, *home; /* from the environment; NULL: not set */
    const char *tmp_dir;
    struct reveal_settings reveal; /* what is to be decrypted */
    const char *listen;            /* where the API listens */
};

/* The level and form of the log, which comes before all else. */
void run_config_log(const struct flags *flags, struct log *log);

/* Checks in fluxd's order, logs what is wrong; false when that is fatal. */
bool run_config_read(struct arena *mem, const struct flags *flags, const struct log *log,
                     struct run_config *out);

/* What fluxd finds out only once it has seen the cluster. */
bool run_config_check_state(struct run_config *config, const struct log *log);

/* One line with the flags that were given and do nothing. */
void run_config_log_idle(struct arena *mem, const struct run_config *config, const struct log *log);
/* The one line that sums it all up. */
void run_config_log_summary(const struct run_config *config, const struct log *log);

/* Makes state_dir, for us alone. ERR_DENIED if it is somebody else's. */
MUST_USE struct err *run_config_make_state_dir(struct arena *mem, const struct run_config *config);

#endif
