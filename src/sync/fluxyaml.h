/* sync/fluxyaml.h - .flux.yaml: how manifests of a git path are generated, and which file says so.
 * Effects:   none. Pure.
 * Ownership: results are in the caller's arena.
 * Units:     milliseconds.
 * Reference: gitops.md 4.1, 4.2. */
#ifndef SERIN_SYNC_FLUXYAML_H
#define SERIN_SYNC_FLUXYAML_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "sync/files.h"

#define FLUXYAML_NAME ".flux.yaml"

struct fluxyaml_command {
    const char *command;
    int64_t timeout_ms; /* 0: not given, or under a second */
};

struct fluxyaml_updater {
    struct fluxyaml_command image, policy; /* command NULL: none */
};

enum fluxyaml_mode { FLUXYAML_COMMAND, FLUXYAML_PATCH, FLUXYAML_SCAN };

struct fluxyaml {
    enum fluxyaml_mode mode;
    struct fluxyaml_command *generators;
    size_t generator_count;
    struct fluxyaml_updater *updaters;
    size_t updater_count;
    const char *patch_file; /* FLUXYAML_PATCH: relative to the working directory */
};

/* ERR_INVALID: `cannot parse config file: …`, one line for each problem. */
MUST_USE struct err *fluxyaml_parse(struct arena *mem, const char *text, size_t len,
                                    struct fluxyaml *out);

struct fluxyaml_place {
    const char *config;   /* path of the file in the tree; NULL: none found, plain files */
    const char *work_dir; /* directory the commands run in; "" is the root */
    const char *relative; /* config as seen from work_dir: ".flux.yaml", "../.flux.yaml" */
    const char *name;     /* for messages: "staging/../.flux.yaml" */
};

/* Where a git path ("": the root) finds its configuration among all files of the tree: in itself,
 * then upwards. ERR_INVALID, ERR_NOT_FOUND: as files_select. */
MUST_USE struct err *fluxyaml_find(struct arena *mem, const struct files_entry *entries,
                                   size_t count, const char *git_path, struct fluxyaml_place *out);

/* A path relative to a directory of the tree, cleaned; ERR_INVALID if it leaves the tree. */
MUST_USE struct err *fluxyaml_join(struct arena *mem, const char *dir, const char *relative,
                                   const char **out);

#endif
