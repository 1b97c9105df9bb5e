#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "git/mirror_internal.h"
#include "io/folder.h"

/* A mirror is told from any other directory by a file that names its URL. A second file says that it is damaged. */
#define URL_FILE     "serin-url"
#define SUSPECT_FILE "serin-suspect"
#define LOCK_TRIES \
    150 /* a process that was killed may leave a child behind that has not come to its exec yet */
#define LOCK_WAIT_US 20000
#define ASIDE_MAX    100
#define TREE_FILES   16 /* descriptors a walk may keep open */

static const char *inside(struct arena *mem, const struct mirror *mirror, const char *name)
{
    return arena_printf(mem, "%s/%s", mirror->opts.dir, name);
}

static bool exists(const char *path)
{
    struct stat info;
    return !lstat(path, &info);
}

static bool holds_text(const char *path, const char *text)
{
    char found[8192];
    size_t len = strlen(text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, found, sizeof(found));
    (void)close(fd);
    return got >= 0 && (size_t)got == len && !memcmp(found, text, len);
}

bool mirror_disk_is_ours(const struct mirror *mirror)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    return holds_text(inside(mem, mirror, URL_FILE), mirror->url.safe) &&
           !exists(inside(mem, mirror, SUSPECT_FILE)) &&
           (MIRROR_KNOWS_DEPTH || !mirror_is_shallow(mirror)); /* made by a newer libgit2 */
}

MUST_USE static struct err *write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t len = strlen(text);
    bool is_written = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    return is_written ? NULL : err_errno(ERR_TRANSIENT, why, "write %s", path);
}

void mirror_disk_suspect(struct mirror *mirror)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (!exists(inside(mem, mirror, URL_FILE)))
        return;
    err_free(write_file(inside(mem, mirror, SUSPECT_FILE),
                        "")); /* without it the damage is met again, no worse */
}

/* -- removing ----------------------------------------------------------------------------------------------------------- */

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text), suffix_len = strlen(suffix);
    return len >= suffix_len && !strcmp(text + len - suffix_len, suffix);
}

/* What a process that was killed leaves behind: locks, which would be in the way for good, and halves of packs. */
static int remove_leftover(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    const char *name = path + where->base;
    if (type == FTW_F &&
        (has_suffix(name, ".lock") || strstr(name, "_git2_") || !strncmp(name, "signature-", 10)))
        (void)unlink(path);
    return 0;
}

/* -- preparing ------------------------------------------------------------------------------------------------------------ */

/* Two processes writing to one mirror would take each other's locks for leftovers. */
MUST_USE static struct err *take_lock(struct mirror *mirror, struct arena *mem)
{
    if (mirror->lock_fd >= 0)
        return NULL;
    const char *path = arena_printf(mem, "%s.lock", mirror->opts.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(ERR_DENIED, errno, "open %s", path);
    bool is_locked = false;
    for (int i = 0; !is_locked && i < LOCK_TRIES; i++) {
        is_locked = !flock(fd, LOCK_EX | LOCK_NB);
        if (!is_locked)
            (void)usleep(LOCK_WAIT_US);
    }
    if (!is_locked) {
        (void)close(fd);
        return err_new(ERR_CONFLICT, "the mirror %s is in use by another process",
                       mirror->opts.dir);
    }
    mirror->lock_fd = fd;
    if (mirror_disk_is_ours(mirror))
        // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe without FTW_CHDIR
        (void)nftw(mirror->opts.dir, remove_leftover, TREE_FILES, FTW_PHYS);
    return NULL;
}

static bool is_empty(const char *dir)
{
    DIR *folder = opendir(dir);
    int entries = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a DIR of our own
    while (folder && entries < 3 && readdir(folder))
        entries++;
    if (folder)
        (void)closedir(folder);
    return folder && entries == 2; /* . and .. */
}

/* A mirror of ours that is damaged or of another URL goes away; what is not ours is only moved. */
MUST_USE static struct err *clear_way(struct mirror *mirror, struct arena *mem)
{
    const char *dir = mirror->opts.dir;
    if (!exists(dir) || is_empty(dir))
        return NULL;
    const char *gone = arena_printf(mem, "%s.gone", dir);
    bool was_ours = exists(inside(mem, mirror, URL_FILE));
    if (was_ours)
        folder_remove(gone);
    for (int i = 1; !was_ours && i <= ASIDE_MAX; i++) {
        gone = arena_printf(mem, "%s.aside-%d", dir, i);
        if (!exists(gone))
            break;
    }
    if (!exists(gone) && !rename(dir, gone)) {
        if (was_ours)
            folder_remove(gone);
        return NULL;
    }
    int why = errno;
    if (was_ours) { /* a mount point cannot be renamed, but emptied */
        folder_remove(dir);
        if (!exists(inside(mem, mirror, URL_FILE)))
            return NULL;
    }
    return err_errno(ERR_INVALID, why, "%s is not a mirror of %s and cannot be moved away", dir,
                     mirror->url.safe);
}

static void make_parents(struct arena *mem, const char *dir)
{
    char *path = arena_strdup(mem, dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0755); /* what cannot be made is told by what comes next */
        *slash = '/';
    }
}

MUST_USE static struct err *create(struct mirror *mirror, struct arena *mem)
{
    const char *dir = mirror->opts.dir;
    if (mkdir(dir, 0755) && errno != EEXIST)
        return err_errno(ERR_DENIED, errno, "make %s", dir);
    TRY(write_file(inside(mem, mirror, URL_FILE), mirror->url.safe));
    git_repository_init_options options;
    (void)git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR;
    options.initial_head = mirror->opts.branch;
    git_repository *repo = NULL;
    int code = git_repository_init_ext(&repo, dir, &options);
    git_repository_free(repo);
    return code ? mirror_git_failed(mirror, code, "make the mirror") : NULL;
}

static bool is_readable(const struct mirror *mirror, struct arena *mem)
{
    SCOPED(git_repository_free) git_repository *repo = NULL;
    SCOPED(git_config_free) git_config *config = NULL;
    return !git_repository_open_bare(&repo, mirror->opts.dir) &&
           !git_config_open_ondisk(&config, inside(mem, mirror, "config"));
}

struct err *mirror_disk_prepare(struct mirror *mirror, bool *out_is_new)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    *out_is_new = false;
    make_parents(mem, mirror->opts.dir);
    TRY(take_lock(mirror, mem));
    if (mirror_disk_is_ours(mirror)) {
        bool is_whole = is_readable(mirror, mem);
        __atomic_store_n(&mirror->is_ours, is_whole, __ATOMIC_RELEASE);
        if (is_whole)
            return NULL;
    }
    __atomic_store_n(&mirror->is_ours, false, __ATOMIC_RELEASE);
    mirror_repo_drop_idle(mirror);
    TRY(clear_way(mirror, mem));
    TRY(create(mirror, mem));
    *out_is_new = true;
    __atomic_store_n(&mirror->is_ours, true, __ATOMIC_RELEASE);
    return NULL;
}
