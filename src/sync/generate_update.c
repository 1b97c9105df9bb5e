#include "sync/generate_update.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "doc/merge.h"
#include "doc/object.h"
#include "doc/yaml.h"
#include "sync/generate_parts.h"
#include "sync/patchfile.h"

#define FILE_BYTES  ((size_t)16 << 20) /* of one file that a command leaves */
#define PATCH_BYTES ((size_t)16 << 20)
#define FILES_MAX   ((size_t)10000) /* that a command may change */
#define FOLDERS_MAX ((size_t)100000)
#define MODE_LINK   0120000u

static void close_dir(DIR *dir)
{
    (void)closedir(dir);
}
DEFINE_SCOPED(DIR, close_dir)

struct update {
    struct generate_run run;
    const struct generate_edit *edits;
    size_t count;
    struct generate_updated *out;
    bool has_run_updaters;
};

/* -- updaters: they change files of the tree as they like ------------------------------------------ */

static const char *const *make_env(struct arena *mem, const struct generate_edit *edit,
                                   const char *const more[3])
{
    VEC(const char *) env = { 0 };
    *vec_push(mem, &env) = arena_printf(mem, "FLUX_WORKLOAD=%s", edit->id);
    *vec_push(mem, &env) = arena_printf(mem, "FLUX_WL_NS=%s", edit->ns);
    *vec_push(mem, &env) = arena_printf(mem, "FLUX_WL_KIND=%s", edit->kind);
    *vec_push(mem, &env) = arena_printf(mem, "FLUX_WL_NAME=%s", edit->name);
    for (size_t i = 0; i < 3 && more[i]; i++)
        *vec_push(mem, &env) = more[i];
    *vec_push(mem, &env) = NULL;
    return env.at;
}

static struct err *run_updaters(struct update *update, const struct generate_unit *unit,
                                bool is_image, const char *const *env)
{
    const struct fluxyaml *config = &unit->config;
    if (!config->updater_count)
        return err_new(ERR_INVALID, "no %s commands to run in %s (from path %s)",
                       is_image ? "update.containerImage" : "updaters.policy",
                       unit->place->relative, unit->place->work_dir);
    update->has_run_updaters = true;
    for (size_t i = 0; i < config->updater_count; i++) {
        const struct fluxyaml_updater *updater = &config->updaters[i];
        const struct generate_command command = {
            .what = is_image ? "image updater" : "annotation updater",
            .from = is_image ? &updater->image : &updater->policy,
            .env = env,
        };
        struct child_output output;
        if (command.from->command)
            TRY(generate_execute(&update->run, unit, &command, &output));
    }
    return NULL;
}

static struct err *update_by_commands(struct update *update, const struct generate_unit *unit,
                                      const struct generate_edit *edit)
{
    struct arena *mem = update->run.mem;
    for (size_t i = 0; i < edit->image_count; i++) {
        const struct generate_image *image = &edit->images[i];
        const char *const more[3] = { arena_printf(mem, "FLUX_CONTAINER=%s", image->container),
                                      arena_printf(mem, "FLUX_IMG=%s", image->name),
                                      arena_printf(mem, "FLUX_TAG=%s", image->tag) };
        TRY(run_updaters(update, unit, true, make_env(mem, edit, more)));
    }
    for (size_t i = 0; i < edit->policy_count; i++) {
        const struct generate_policy *policy = &edit->policies[i];
        const char *const more[3] = {
            arena_printf(mem, "FLUX_POLICY=%s", policy->policy),
            policy->value ? arena_printf(mem, "FLUX_POLICY_VALUE=%s", policy->value) : NULL, NULL
        };
        TRY(run_updaters(update, unit, false, make_env(mem, edit, more)));
    }
    return NULL;
}

/* -- what they changed ------------------------------------------------------------------------------ */

struct walk {
    struct update *update;
    struct map *known; /* path -> struct files_entry */
    size_t seen;       /* of those that are known */
};

static struct err *read_left(struct arena *mem, const char *file, const struct stat *info,
                             const char **out)
{
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(ERR_INVALID, errno, "read a file that a command left");
    size_t len = (size_t)info->st_size, at = 0;
    char *text = arena_alloc(mem, len + 1);
    ssize_t got = 1;
    while (at < len && got > 0) {
        got = read(fd, text + at, len - at);
        at += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    *out = text;
    return at == len ? NULL : err_new(ERR_TRANSIENT, "a file that a command left has changed");
}

/* Is the file as it was? */
static struct err *compare(struct walk *walk, const struct files_entry *entry, const char *text,
                           size_t len, bool *is_same)
{
    const struct generate_opts *opts = walk->update->run.opts;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct mirror_entry where = { entry->path, entry->oid, entry->mode };
    const char *was;
    size_t was_len;
    TRY(mirror_read(opts->mirror, mem, opts->rev, &where, FILE_BYTES, &was, &was_len));
    *is_same = was_len == len && memcmp(was, text, len) == 0;
    return NULL;
}

static struct err *take_file(struct walk *walk, const char *path, const char *file)
{
    struct generate_updated *out = walk->update->out;
    struct arena *mem = walk->update->run.mem;
    const struct files_entry *entry = map_get(walk->known, path);
    struct stat info;
    bool is_same = false;
    const char *text = "";
    if (lstat(file, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL; /* links and pipes of a command's own are not committed */
    walk->seen += entry != NULL;
    if ((size_t)info.st_size > FILE_BYTES)
        return entry ? NULL
                     : err_new(ERR_LIMIT, "%s, which a command left, is over %zu MiB", path,
                               FILE_BYTES >> 20);
    TRY(err_wrap(read_left(mem, file, &info, &text), "%s", path));
    if (entry)
        TRY(compare(walk, entry, text, (size_t)info.st_size, &is_same));
    if (is_same)
        return NULL;
    if (out->files.len == FILES_MAX)
        return err_new(ERR_LIMIT, "commands changed more than %zu files", FILES_MAX);
    *vec_push(mem, &out->files) =
        (struct generate_file){ arena_strdup(mem, path), text, (size_t)info.st_size };
    return NULL;
}

/* Folders are gone through with a list, not by recursion; a link to one is none. */
static struct err *take_folder(struct walk *walk, const char *folder,
                               struct generate_paths *folders)
{
    const struct generate_run *run = &walk->update->run;
    const char *path = arena_printf(run->mem, "%s/%s", run->tree, folder);
    SCOPED(close_dir) DIR *dir = opendir(path);
    if (!dir) /* a command took its permissions away */
        return err_errno(ERR_INVALID, errno, "look into %s, which a command left", folder);
    struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe, one stream is one thread's
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const char *name = *folder ? arena_printf(run->mem, "%s/%s", folder, entry->d_name)
                                   : arena_strdup(run->mem, entry->d_name);
        const char *file = arena_printf(run->mem, "%s/%s", run->tree, name);
        struct stat info;
        bool is_folder = lstat(file, &info) == 0 && S_ISDIR(info.st_mode);
        if (folders->len == FOLDERS_MAX)
            return err_new(ERR_LIMIT, "commands left more than %zu directories", FOLDERS_MAX);
        if (is_folder && strcmp(entry->d_name, ".git") != 0)
            *vec_push(run->mem, folders) = name;
        else if (!is_folder)
            TRY(take_file(walk, name, file));
    }
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct generate_file *)a)->path, ((const struct generate_file *)b)->path);
}

static struct err *take_changes(struct update *update)
{
    const struct generate_opts *opts = update->run.opts;
    struct arena *mem = update->run.mem;
    struct walk walk = { .update = update, .known = map_new_in(mem) };
    size_t expected = 0;
    for (size_t i = 0; i < opts->entry_count; i++) {
        const struct files_entry *entry = &opts->entries[i];
        if (entry->mode == MODE_LINK)
            continue;
        map_set(walk.known, entry->path, (void *)(uintptr_t)entry);
        expected++;
    }
    struct generate_paths folders = { 0 };
    *vec_push(mem, &folders) = "";
    for (size_t i = 0; i < folders.len; i++)
        TRY(take_folder(&walk, folders.at[i], &folders));
    if (walk.seen < expected)
        return err_new(ERR_INVALID, "a command removed files of the repository: they can be "
                                    "changed and added only");
    if (update->out->files.len)
        qsort(update->out->files.at, update->out->files.len, sizeof(*update->out->files.at),
              by_path);
    return NULL;
}

/* -- the patch file --------------------------------------------------------------------------------- */

static const char *id_of(struct arena *mem, const struct val *object)
{
    return object_id(mem, object_namespace(object), object_kind(object), object_name(object));
}

static struct err *read_patch(struct update *update, const struct generate_unit *unit,
                              const char *path, struct patchfile *out)
{
    const struct generate_opts *opts = update->run.opts;
    *out = (struct patchfile){ unit->place->relative, unit->config.patch_file, "", 0 };
    struct err *e = mirror_read_path(opts->mirror, update->run.mem, opts->rev, path, PATCH_BYTES,
                                     &out->text, &out->len);
    if (!err_is(e, ERR_NOT_FOUND))
        return e;
    err_free(e);
    return NULL;
}

/* By ID: objects that edits of this unit give, in place of those that the patch file has made. */
static const struct map *wanted_objects(const struct update *update,
                                        const struct generate_unit *unit)
{
    struct arena *mem = update->run.mem;
    struct map *wanted = map_new_in(mem);
    for (size_t i = update->count; i > 0; i--) { /* the first one of an ID stays */
        const struct generate_edit *edit = &update->edits[i - 1];
        if (edit->object && strcmp(edit->config, unit->place->name) == 0)
            map_set(wanted, id_of(mem, edit->object), (void *)(uintptr_t)edit->object);
    }
    return wanted;
}

static const struct map *objects_by_id(struct arena *mem, const struct manifest_list *list)
{
    struct map *objects = map_new_in(mem);
    for (size_t i = list->len; i > 0; i--)
        map_set(objects, id_of(mem, list->at[i - 1].object),
                (void *)(uintptr_t)list->at[i - 1].object);
    return objects;
}

static void add_patch(struct arena *mem, const struct val *from, const struct val *to,
                      struct sbuf *text)
{
    const char *api_version = object_api_version(from), *kind = object_kind(from);
    const struct val *diff = doc_strategic_knows(api_version, kind)
                                 ? doc_strategic_diff(mem, api_version, kind, from, to)
                                 : doc_merge_diff(mem, from, to);
    if (!diff)
        return;
    struct val *patch = val_copy(mem, diff);
    struct val *metadata = val_need_map(mem, patch, "metadata");
    val_set_text(mem, patch, "apiVersion", api_version);
    val_set_text(mem, patch, "kind", kind);
    val_set_text(mem, metadata, "name", object_name(from));
    if (*object_namespace(from))
        val_set_text(mem, metadata, "namespace", object_namespace(from));
    sbuf_add(text, "---\n");
    doc_yaml_emit(patch, text);
}

/* `patched` is in the order of IDs, which is that of the patch file. */
static struct err *make_patch(struct update *update, const struct generate_unit *unit,
                              const struct manifest_list *generated,
                              const struct manifest_list *patched, struct patchfile *out)
{
    struct arena *mem = update->run.mem;
    const struct map *from = objects_by_id(mem, generated), *wanted = wanted_objects(update, unit);
    SBUF(text, PATCH_BYTES);
    for (size_t i = 0; i < patched->len; i++) {
        const struct val *object = patched->at[i].object;
        const char *id = id_of(mem, object);
        const struct val *old = map_get(from, id), *edited = map_get(wanted, id);
        if (old)
            add_patch(mem, old, edited ? edited : object, &text);
    }
    *out = (struct patchfile){ unit->place->relative, unit->config.patch_file, NULL, 0 };
    return sbuf_finish(&text, mem, &out->text, &out->len);
}

static struct err *update_by_patch(struct update *update, const struct generate_unit *unit)
{
    struct arena *mem = update->run.mem;
    struct manifest_list generated = { 0 }, patched = { 0 };
    struct patchfile old, new;
    const char *path;
    TRY(fluxyaml_join(mem, unit->place->work_dir, unit->config.patch_file, &path));
    TRY(generate_manifests(&update->run, unit, &generated));
    TRY(read_patch(update, unit, path, &old));
    TRY(patchfile_apply(mem, &old, &generated, &patched));
    TRY(make_patch(update, unit, &generated, &patched, &new));
    if (new.len != old.len || memcmp(new.text, old.text, old.len) != 0)
        *vec_push(mem, &update->out->files) = (struct generate_file){ path, new.text, new.len };
    return patchfile_apply(mem, &new, &generated, &update->out->manifests);
}

/* -- one git path ----------------------------------------------------------------------------------- */

static bool has_edits(const struct update *update, const struct generate_unit *unit)
{
    for (size_t i = 0; i < update->count; i++) {
        if (strcmp(update->edits[i].config, unit->place->name) == 0)
            return true;
    }
    return false;
}

static struct err *update_unit(struct update *update, const struct generate_unit *unit)
{
    if (unit->config.mode == FLUXYAML_PATCH)
        return update_by_patch(update, unit);
    for (size_t i = 0; i < update->count; i++) {
        if (strcmp(update->edits[i].config, unit->place->name) == 0)
            TRY(update_by_commands(update, unit, &update->edits[i]));
    }
    return generate_manifests(&update->run, unit, &update->out->manifests);
}

static struct err *update_path(struct update *update, const char *git_path)
{
    const struct generate_opts *opts = update->run.opts;
    struct fluxyaml_place place;
    struct generate_unit unit = { .place = &place };
    TRY(fluxyaml_find(update->run.mem, opts->entries, opts->entry_count, git_path, &place));
    if (!place.config || !has_edits(update, &unit))
        return NULL;
    TRY(generate_read_config(&update->run, &unit));
    if (unit.config.mode == FLUXYAML_SCAN)
        return NULL;
    TRY(generate_need_tree(&update->run));
    return update_unit(update, &unit);
}

/* A problem in what is made now is an error: nothing is committed that cannot be read. */
static struct err *check_made(const struct update *update)
{
    const struct manifest_problems *problems = &update->run.out->problems;
    for (size_t i = 0; i < problems->len; i++) {
        if (problems->at[i].severity == MANIFEST_ERROR)
            return err_new(ERR_INVALID, "%s",
                           manifest_problem_format(update->run.mem, &problems->at[i]));
    }
    return NULL;
}

static void free_update(struct update *update)
{
    generate_run_free(&update->run);
}
DEFINE_SCOPED(struct update, free_update)

struct err *generate_update(struct arena *mem, const struct generate_opts *opts,
                            const struct generate_edit *edits, size_t count,
                            struct generate_updated *out)
{
    struct generate_result made = { 0 };
    struct update self = { .run = { .mem = mem, .opts = opts, .out = &made },
                           .edits = edits,
                           .count = count,
                           .out = out };
    SCOPED(free_update) struct update *update = &self;
    struct generate_paths paths = { 0 };
    *out = (struct generate_updated){ 0 };
    TRY(generate_clean_paths(mem, opts->git_paths, &paths));
    for (size_t i = 0; i < paths.len; i++)
        TRY(update_path(update, paths.at[i]));
    TRY(check_made(update));
    return update->has_run_updaters ? take_changes(update) : NULL;
}
