/* git-secret in a repository of its own: what it needs of the tree, and a few files at a time.
 *
 *     DIR/            0700, locked as long as we live
 *       tmp/          TMPDIR of the programs
 *       tree/         a repository without commits
 *         .gitsecret/keys/       pubring.kbx, pubring.gpg, trustdb.gpg: no configuration of gpg comes from the repository
 *         .gitsecret/paths/mapping.cfg   the files of this round
 *         a/db.yaml.secret       from the tree
 *         a/db.yaml              in clear: read, then gone
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sbuf.h"
#include "io/folder.h"
#include "sync/reveal_parts.h"

#define MEMORY_DIR    "/dev/shm"
#define DIR_PREFIX    "serin-reveal-"
#define ROUND_FILES   16 /* revealed by one call; when it fails, one by one */
#define MAPPING_BYTES ((size_t)4 << 20)

struct place {
    struct reveal *reveal;
    char *dir;
    const char *tree;
    int lock, folder; /* of dir and tree; -1: none */
    const char *const *env;
};

static void leave(struct place *place)
{
    if (place->dir)
        folder_remove(place->dir);
    if (place->folder >= 0)
        (void)close(place->folder);
    if (place->lock >= 0)
        (void)close(place->lock);
}
DEFINE_SCOPED(struct place, leave)

/* -- where ----------------------------------------------------------------------------------------- */

static const char *base_dir(const struct reveal_settings *settings)
{
    if (settings->tmp_dir)
        return settings->tmp_dir;
    return access(MEMORY_DIR, W_OK | X_OK) == 0 ? MEMORY_DIR : "/tmp";
}

/* The lock of a directory; -1: another process lives in it, or it is not ours. */
static int lock_dir(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool is_ours =
        fd >= 0 && !fstat(fd, &info) && info.st_uid == geteuid() && !flock(fd, LOCK_EX | LOCK_NB);
    if (fd >= 0 && !is_ours)
        (void)close(fd);
    return is_ours ? fd : -1;
}

void reveal_clean(const struct reveal_settings *settings)
{
    const char *base = base_dir(settings);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    DIR *dir = opendir(base);
    const struct dirent *entry = NULL;
    while (dir && (entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): a DIR of our own
        if (strncmp(entry->d_name, DIR_PREFIX, strlen(DIR_PREFIX)) != 0)
            continue;
        const char *path = arena_printf(mem, "%s/%s", base, entry->d_name);
        int lock = lock_dir(path);
        if (lock < 0)
            continue;
        folder_remove(path);
        (void)close(lock);
    }
    if (dir)
        (void)closedir(dir);
}

/* -- files ----------------------------------------------------------------------------------------- */

static struct err *put(const struct place *place, const char *path, const char *text, size_t len)
{
    return folder_put(place->folder, path, 0600, text, len);
}

static void drop(const struct place *place, const char *path)
{
    (void)unlink(arena_printf(place->reveal->mem, "%s/%s", place->tree, path));
}

/* From the tree to the place. */
static struct err *copy(const struct place *place, struct arena *mem, const char *path)
{
    const struct reveal_source *source = &place->reveal->source;
    const char *text = "";
    size_t len = 0;
    TRY(mirror_read_path(source->mirror, mem, source->rev, path, REVEAL_FILE_BYTES, &text, &len));
    return put(place, path, text, len);
}

static struct err *take(const struct place *place, struct arena *mem, const char *path,
                        struct reveal_kept *out)
{
    int fd = open(arena_printf(mem, "%s/%s", place->tree, path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return err_new(ERR_DENIED, "git-secret did not write it");
    bool is_good = !fstat(fd, &info) && S_ISREG(info.st_mode) &&
                   (size_t)info.st_size <= REVEAL_GIT_BYTES - place->reveal->kept[0];
    size_t len = is_good ? (size_t)info.st_size : 0, at = 0;
    char *text = is_good ? arena_alloc(place->reveal->mem, len + 1) : NULL;
    for (ssize_t got = 1; is_good && at < len && got > 0; at += (size_t)MAX_OF(got, 0))
        got = read(fd, text + at, len - at);
    (void)close(fd);
    if (!is_good)
        return err_new(ERR_LIMIT, "all that git-secret reveals is over %zu MiB",
                       REVEAL_GIT_BYTES >> 20);
    if (at != len)
        return err_new(ERR_TRANSIENT, "cannot be read");
    place->reveal->kept[0] += len;
    *out = (struct reveal_kept){ .text = text, .len = len };
    return NULL;
}

/* -- the program ----------------------------------------------------------------------------------- */

static const char *const *make_env(const struct place *place)
{
    struct arena *mem = place->reveal->mem;
    const struct reveal_settings *settings = &place->reveal->settings;
    const struct {
        const char *name, *value;
    } given[] = { { "PATH", settings->path },
                  { "HOME", settings->home },
                  { "GNUPGHOME", settings->gnupg_home },
                  { "TMPDIR", arena_printf(mem, "%s/tmp", place->dir) },
                  { "LANG", "C.UTF-8" },
                  { "GIT_CONFIG_GLOBAL", "/dev/null" },
                  { "GIT_CONFIG_NOSYSTEM", "1" } };
    VEC(const char *) env = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        if (given[i].value)
            *vec_push(mem, &env) = arena_printf(mem, "%s=%s", given[i].name, given[i].value);
    }
    *vec_push(mem, &env) = NULL;
    return env.at;
}

static struct err *execute(const struct place *place, struct arena *mem, const char *const *argv)
{
    struct child_output output = { 0 };
    return reveal_execute(
        place->reveal, mem,
        &(struct reveal_program){
            .name = argv[0], .argv = argv, .env = place->env, .cwd = place->tree },
        &output);
}

/* Keys are public ones: git-secret looks whether there are any. */
static struct err *put_keys(const struct place *place, struct arena *mem)
{
    static const char *const files[] = { "pubring.kbx", "pubring.gpg", "trustdb.gpg" };
    TRY(folder_lead(place->folder, ENCRYPTED_DIR "/keys/x", 0700));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *path = arena_printf(mem, ENCRYPTED_DIR "/keys/%s", files[i]);
        struct err *e = copy(place, mem, path);
        if (!err_is(e, ERR_NOT_FOUND))
            TRY(e);
        else
            err_free(e);
    }
    return NULL;
}

static struct err *enter(struct place *place)
{
    struct reveal *reveal = place->reveal;
    const char *base = base_dir(&reveal->settings);
    char *dir = arena_printf(reveal->mem, "%s/" DIR_PREFIX "XXXXXX", base);
    if (!mkdtemp(dir))
        return err_errno(ERR_TRANSIENT, errno, "make a directory in %s", base);
    place->dir = dir;
    place->lock = lock_dir(dir);
    place->tree = arena_printf(reveal->mem, "%s/tree", dir);
    place->env = make_env(place);
    if (place->lock < 0 || mkdir(place->tree, 0700) ||
        mkdir(arena_printf(reveal->mem, "%s/tmp", dir), 0700))
        return err_errno(ERR_TRANSIENT, errno, "make a directory in %s", dir);
    place->folder = open(place->tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->folder < 0)
        return err_errno(ERR_TRANSIENT, errno, "open %s", place->tree);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    TRY(execute(place, mem, (const char *const[]){ "git", "init", "-q", "--template=", NULL }));
    return put_keys(place, mem);
}

/* -- rounds ---------------------------------------------------------------------------------------- */

/* The directory means nothing to whoever reads of a failure. */
static const char *without_dir(const struct place *place, const char *text)
{
    struct arena *mem = place->reveal->mem;
    const char *dir = arena_printf(mem, "%s/", place->tree);
    SBUF(out, SBUF_MAX);
    for (const char *found; (found = strstr(text, dir)); text = found + strlen(dir))
        sbuf_add_bytes(&out, text, (size_t)(found - text));
    sbuf_add(&out, text);
    return arena_strdup(mem, sbuf_text(&out));
}

static void note(const struct place *place, const struct files_entry *file, struct err *e,
                 struct reveal_kept kept)
{
    struct reveal *reveal = place->reveal;
    if (e) {
        kept = (struct reveal_kept){ .kind = err_kind(e), .why = without_dir(place, err_text(e)) };
        err_free(e);
    }
    map_set(reveal->revealed, file->path, arena_copy(reveal->mem, &kept, sizeof(kept)));
}

static const char *hidden_path(const struct place *place, const struct files_entry *file)
{
    return arena_printf(place->reveal->mem, "%s" ENCRYPTED_SUFFIX, file->path);
}

static struct err *reveal_round(const struct place *place, struct arena *mem,
                                const struct files_entry *files, size_t count)
{
    SBUF(mapping, SBUF_MAX);
    for (size_t i = 0; i < count; i++) {
        TRY(copy(place, mem, hidden_path(place, &files[i])));
        sbuf_addf(&mapping, "%s:\n", files[i].path);
    }
    TRY(put(place, ENCRYPTED_MAPPING, sbuf_text(&mapping), mapping.len));
    return execute(place, mem, (const char *const[]){ "git-secret", "reveal", "-f", NULL });
}

static void forget(const struct place *place, const struct files_entry *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drop(place, files[i].path);
        drop(place, hidden_path(place, &files[i]));
    }
}

/* False, and nothing noted: something is wrong with one of them. */
static bool try_round(const struct place *place, const struct files_entry *files, size_t count)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct err *e = reveal_round(place, mem, files, count);
    bool is_done = !e || count == 1;
    for (size_t i = 0; is_done && i < count; i++) {
        struct reveal_kept kept = { 0 };
        struct err *why = STEAL(e);
        if (!why)
            why = take(place, mem, files[i].path, &kept);
        note(place, &files[i], why, kept);
    }
    err_free(e);
    forget(place, files, count);
    return is_done;
}

static void run_rounds(const struct place *place, const struct files_list *files)
{
    for (size_t at = 0; at < files->len; at += ROUND_FILES) {
        size_t count = MIN_OF(files->len - at, (size_t)ROUND_FILES);
        if (try_round(place, &files->at[at], count))
            continue;
        for (size_t i = 0; i < count; i++)
            (void)try_round(place, &files->at[at + i], 1);
    }
}

/* What the mapping names and the tree does not have is no work for the program. */
static void note_missing(const struct place *place, const struct files_list *files,
                         struct files_list *there)
{
    for (size_t i = 0; i < files->len; i++) {
        const struct files_entry *file = &files->at[i];
        if (strcmp(file->oid, ENCRYPTED_MISSING) != 0)
            *vec_push(place->reveal->mem, there) = *file;
        else
            note(place, file,
                 err_new(ERR_INVALID,
                         "%s" ENCRYPTED_SUFFIX " is not in the repository: run git secret hide and "
                         "commit it",
                         file->path),
                 (struct reveal_kept){ 0 });
    }
}

void reveal_git_run(struct reveal *reveal, const struct files_list *files)
{
    struct place self = { .reveal = reveal, .lock = -1, .folder = -1 };
    SCOPED(leave) struct place *place = &self;
    struct files_list there = { 0 };
    note_missing(place, files, &there);
    if (!there.len)
        return;
    SCOPED(err_free) struct err *e = enter(place);
    for (size_t i = 0; e && i < there.len; i++)
        note(place, &there.at[i], err_copy(e), (struct reveal_kept){ 0 });
    if (!e)
        run_rounds(place, &there);
}

/* -- listing --------------------------------------------------------------------------------------- */

static struct err *read_mapping(struct reveal *reveal, const struct files_list *tree,
                                struct encrypted_paths *out)
{
    const char *text = "";
    size_t len = 0;
    const struct files_entry *found = NULL;
    for (size_t i = 0; i < tree->len && !found; i++) {
        if (!strcmp(tree->at[i].path, ENCRYPTED_MAPPING))
            found = &tree->at[i];
    }
    if (!found)
        return err_new(ERR_INVALID, ENCRYPTED_DIR " is there, but not " ENCRYPTED_MAPPING
                                                  ": which files git-secret hides is not known");
    const struct mirror_entry where = { found->path, found->oid, found->mode };
    TRY(err_wrap(mirror_read(reveal->source.mirror, reveal->mem, reveal->source.rev, &where,
                             MAPPING_BYTES, &text, &len),
                 ENCRYPTED_MAPPING));
    return encrypted_read_mapping(reveal->mem, text, len, out);
}

static bool has_git_secret(const struct reveal *reveal, const struct files_list *tree)
{
    for (size_t i = 0; reveal->settings.git_secret && i < tree->len; i++) {
        if (files_is_below(tree->at[i].path, ENCRYPTED_DIR))
            return true;
    }
    return false;
}

static void put_entry(struct reveal *reveal, const struct map *known, const char *path,
                      struct files_list *tree)
{
    const struct files_entry *hidden =
        map_get(known, arena_printf(reveal->mem, "%s" ENCRYPTED_SUFFIX, path));
    struct files_entry *plain = map_get(known, path);
    if (!plain)
        plain = vec_push(reveal->mem, tree);
    *plain = (struct files_entry){ path, hidden ? hidden->oid : ENCRYPTED_MISSING, ENCRYPTED_MODE };
}

struct err *reveal_list(struct reveal *reveal, struct files_list *tree)
{
    struct encrypted_paths paths = { 0 };
    if (!has_git_secret(reveal, tree))
        return NULL;
    TRY(read_mapping(reveal, tree, &paths));
    struct files_list all = { 0 }; /* entries are pointed at: this one does not grow any more */
    SCOPED(map_free) struct map *known = map_new(NULL);
    for (size_t i = 0; i < tree->len; i++)
        *vec_push(reveal->mem, &all) = tree->at[i];
    for (size_t i = 0; i < all.len; i++)
        map_set(known, all.at[i].path, &all.at[i]);
    struct files_list added = { 0 };
    for (size_t i = 0; i < paths.len; i++) {
        if (files_is_manifest_name(paths.at[i]))
            put_entry(reveal, known, paths.at[i], &added);
    }
    for (size_t i = 0; i < added.len; i++)
        *vec_push(reveal->mem, &all) = added.at[i];
    *tree = all;
    return NULL;
}
