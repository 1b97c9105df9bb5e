#include "sync/generate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "io/folder.h"
#include "io/stream.h"
#include "sync/generate_parts.h"
#include "sync/patchfile.h"

enum {
    SECOND_MS = 1000,
    TIMEOUT_DEFAULT_MS = 60 * SECOND_MS,
    PROCESSES_MAX = 4096,
    CPU_PER_SECOND =
        10, /* seconds of processor a process may use for each second of its timeout: programs have threads */
};
#define CONFIG_BYTES ((size_t)1 << 20)
#define PATCH_BYTES  ((size_t)16 << 20)
#define OUTPUT_BYTES ((size_t)16 << 20) /* of one generator */
#define ERRORS_BYTES ((size_t)16 << 10)
#define MEMORY_BYTES ((size_t)4 << 30)
#define FILE_BYTES   ((size_t)1 << 30)
#define USUAL_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* -- the temporary directory ---------------------------------------------------------------- */

void generate_run_free(struct generate_run *run)
{
    if (run->dir)
        folder_remove(run->dir);
}

static struct err *make_dir(struct arena *mem, const char *dir, const char *name, const char **out)
{
    const char *path = arena_printf(mem, "%s/%s", dir, name);
    if (mkdir(path, 0700) != 0)
        return err_errno(ERR_TRANSIENT, errno, "cannot make %s", path);
    *out = path;
    return NULL;
}

struct err *generate_need_tree(struct generate_run *run)
{
    if (run->tree)
        return NULL;
    const char *tmp_dir = run->opts->tmp_dir ? run->opts->tmp_dir : "/tmp";
    char *dir = arena_printf(run->mem, "%s/serin-generate-XXXXXX", tmp_dir);
    if (!mkdtemp(dir))
        return err_errno(ERR_TRANSIENT, errno, "cannot make a directory in %s", tmp_dir);
    run->dir = dir;
    const char *home = "", *tree = "";
    TRY(make_dir(run->mem, dir, "home", &home));
    TRY(make_dir(run->mem, dir, "tree", &tree));
    TRY(mirror_export(run->opts->mirror, run->opts->rev, tree));
    run->tree = tree;
    return NULL;
}

/* -- commands ------------------------------------------------------------------------------- */

/* As Go quotes a text. */
static const char *quote(struct arena *mem, const char *text)
{
    SBUF(quoted, SBUF_MAX);
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            sbuf_add_char(&quoted, '\\');
        if (*at == '\n')
            sbuf_add(&quoted, "\\n");
        else
            sbuf_add_char(&quoted, *at);
    }
    return arena_printf(mem, "\"%s\"", sbuf_text(&quoted));
}

static int64_t timeout_of(const struct generate_opts *opts, const struct fluxyaml_command *command)
{
    if (command->timeout_ms >= SECOND_MS)
        return command->timeout_ms;
    return opts->default_timeout_ms > 0 ? opts->default_timeout_ms : TIMEOUT_DEFAULT_MS;
}

static struct err *run_child(struct generate_run *run, const struct generate_unit *unit,
                             const struct generate_command *command, struct child_output *out)
{
    const struct generate_opts *opts = run->opts;
    const char *home = arena_printf(run->mem, "%s/home", run->dir);
    VEC(const char *) env = { 0 };
    *vec_push(run->mem, &env) =
        arena_printf(run->mem, "PATH=%s", opts->path ? opts->path : USUAL_PATH);
    *vec_push(run->mem, &env) = arena_printf(run->mem, "HOME=%s", home);
    *vec_push(run->mem, &env) = arena_printf(run->mem, "TMPDIR=%s", home);
    *vec_push(run->mem, &env) = "LANG=C.UTF-8";
    for (const char *const *more = command->env; more && *more; more++)
        *vec_push(run->mem, &env) = *more;
    *vec_push(run->mem, &env) = NULL;
    int64_t timeout_ms = timeout_of(opts, command->from);
    int64_t deadline_ms = stream_now_ms() + timeout_ms;
    if (opts->deadline_ms && opts->deadline_ms < deadline_ms)
        deadline_ms = opts->deadline_ms;
    struct child_sandbox sandbox = { .no_network = true,
                                     .cpu_s = CPU_PER_SECOND * (timeout_ms / SECOND_MS + 1),
                                     .memory_bytes = MEMORY_BYTES,
                                     .file_bytes = FILE_BYTES,
                                     .processes = PROCESSES_MAX };
    struct child_spec spec = {
        .argv = (const char *const[]){ "/bin/sh", "-c", command->from->command, NULL },
        .env = env.at,
        .cwd = arena_printf(run->mem, "%s/%s", run->tree, unit->place->work_dir),
        .deadline_ms = deadline_ms,
        .sandbox = &sandbox
    };
    struct child_io io = { .out_limit = OUTPUT_BYTES, .err_limit = ERRORS_BYTES };
    struct err *e = child_run(run->mem, &spec, &io, out);
    if (err_is(e, ERR_TRANSIENT) && stream_now_ms() >= deadline_ms) {
        err_free(e);
        return err_new(ERR_TRANSIENT,
                       "killed after %" PRId64 " ms: its timeout (or that of the sync) is over",
                       timeout_ms);
    }
    return e;
}

struct err *generate_execute(struct generate_run *run, const struct generate_unit *unit,
                             const struct generate_command *command, struct child_output *out)
{
    struct err *e = run_child(run, unit, command, out);
    if (!e && out->exit_status > 128)
        e = err_new(ERR_INVALID, "signal %d; error output: %s", out->exit_status - 128, out->err);
    else if (!e && out->exit_status)
        e = err_new(ERR_INVALID, "exit status %d; error output: %s", out->exit_status, out->err);
    return err_wrap(e, "error executing %s command %s from file %s", command->what,
                    quote(run->mem, command->from->command),
                    quote(run->mem, unit->place->relative));
}

/* -- one git path --------------------------------------------------------------------------- */

static bool is_below_any(const struct generate_opts *opts, const char *dir)
{
    for (size_t i = 0; i < opts->entry_count; i++)
        if (files_is_below(opts->entries[i].path, dir) && strcmp(opts->entries[i].path, dir) != 0)
            return true;
    return !*dir;
}

static const char *dir_of(struct arena *mem, const char *path, const char *none)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_strndup(mem, path, (size_t)(slash - path)) : none;
}

/* The text of the patch file; NULL if there is none yet, which is fine where its directory is there. */
static struct err *read_patch(struct generate_run *run, const struct generate_unit *unit,
                              const char **out, size_t *out_len)
{
    const char *path, *named = unit->config.patch_file;
    TRY(fluxyaml_join(run->mem, unit->place->work_dir, named, &path));
    struct err *e = mirror_read_path(run->opts->mirror, run->mem, run->opts->rev, path, PATCH_BYTES,
                                     out, out_len);
    if (!err_is(e, ERR_NOT_FOUND))
        return e;
    err_free(e);
    *out = NULL;
    if (is_below_any(run->opts, dir_of(run->mem, path, "")))
        return NULL;
    return err_new(ERR_INVALID, "base directory (\"%s\") of patchFile (\"%s\") does not exist",
                   dir_of(run->mem, named, "."), named);
}

static struct err *patch_unit(struct generate_run *run, const struct generate_unit *unit,
                              const struct manifest_list *generated, struct manifest_list *out)
{
    const char *text;
    size_t len;
    TRY(read_patch(run, unit, &text, &len));
    if (!text) {
        *out = *generated;
        return NULL;
    }
    struct patchfile patch = { unit->place->relative, unit->config.patch_file, text, len };
    return patchfile_apply(run->mem, &patch, generated, out);
}

struct err *generate_manifests(struct generate_run *run, const struct generate_unit *unit,
                               struct manifest_list *out)
{
    struct manifest_source source = { .path = unit->place->name, .is_generated = true };
    for (size_t i = 0; i < unit->config.generator_count; i++) {
        const struct generate_command command = { .what = "generator",
                                                  .from = &unit->config.generators[i] };
        struct child_output output;
        TRY(generate_execute(run, unit, &command, &output));
        manifest_parse(run->mem, &source, output.out, output.out_len, out, &run->out->problems);
    }
    return NULL;
}

/* Everything of one git path, or a problem: half of what was meant would look like a decision to delete the rest. */
static struct err *generate_unit(struct generate_run *run, const struct generate_unit *unit)
{
    struct manifest_list generated = { 0 }, patched = { 0 };
    TRY(generate_manifests(run, unit, &generated));
    if (unit->config.mode == FLUXYAML_PATCH)
        TRY(patch_unit(run, unit, &generated, &patched));
    else
        patched = generated;
    for (size_t i = 0; i < patched.len; i++)
        *vec_push(run->mem, &run->out->manifests) = patched.at[i];
    return NULL;
}

struct err *generate_read_config(struct generate_run *run, struct generate_unit *unit)
{
    const char *text;
    size_t len;
    TRY(err_wrap(mirror_read_path(run->opts->mirror, run->mem, run->opts->rev, unit->place->config,
                                  CONFIG_BYTES, &text, &len),
                 "cannot parse config file: cannot read"));
    return fluxyaml_parse(run->mem, text, len, &unit->config);
}

static void report(struct generate_run *run, const struct generate_unit *unit, struct err *e)
{
    struct manifest_problem where = { .path = unit->place->name, .severity = MANIFEST_ERROR };
    manifest_report(run->mem, &run->out->problems, &where, "%s", err_text(e));
    err_free(e);
}

static struct err *handle_path(struct generate_run *run, const char *git_path,
                               struct generate_paths *plain)
{
    struct fluxyaml_place place;
    struct generate_unit unit = { .place = &place };
    TRY(fluxyaml_find(run->mem, run->opts->entries, run->opts->entry_count, git_path, &place));
    struct err *e = place.config ? generate_read_config(run, &unit) : NULL;
    if (!place.config || (!e && unit.config.mode == FLUXYAML_SCAN)) {
        *vec_push(run->mem, plain) = git_path;
        return NULL;
    }
    run->out->config_count++;
    if (!e) {
        TRY(generate_need_tree(run));
        e = generate_unit(run, &unit);
    }
    if (e)
        report(run, &unit, e);
    return NULL;
}

/* Each git path once, in its one spelling; the root where there are none. */
struct err *generate_clean_paths(struct arena *mem, const char *const *git_paths,
                                 struct generate_paths *out)
{
    for (size_t i = 0; git_paths && git_paths[i]; i++) {
        const char *path;
        bool is_known = false;
        TRY(files_clean_path(mem, git_paths[i], &path));
        for (size_t j = 0; j < out->len; j++)
            is_known |= strcmp(out->at[j], path) == 0;
        if (!is_known)
            *vec_push(mem, out) = path;
    }
    if (out->len == 0)
        *vec_push(mem, out) = "";
    return NULL;
}

struct err *generate_run(struct arena *mem, const struct generate_opts *opts,
                         struct generate_result *out)
{
    *out = (struct generate_result){ 0 };
    struct generate_run self = { .mem = mem, .opts = opts, .out = out };
    SCOPED(generate_run_free) struct generate_run *run = &self;
    struct generate_paths paths = { 0 }, plain = { 0 };
    TRY(generate_clean_paths(mem, opts->git_paths, &paths));
    for (size_t i = 0; i < paths.len; i++)
        TRY(handle_path(run, paths.at[i], &plain));
    out->plain_count = plain.len;
    *vec_push(mem, &plain) = NULL;
    out->plain_paths = plain.at;
    return NULL;
}
