#include "cmd/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doc/yaml.h"
#include "sync/files.h"

struct walk {
    struct arena *mem;
    const char *root;
    const struct tree_opts *opts;
    char real_root[PATH_MAX];
    VEC(const char *) dirs; /* still to be read, relative to root */
    VEC(struct files_entry) found;
    struct tree *tree;
};

static void close_dir(DIR *dir)
{
    closedir(dir);
}
DEFINE_SCOPED(DIR, close_dir)

static void close_file(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum err_kind kind_of(int number)
{
    return number == EACCES || number == EPERM ? ERR_DENIED : ERR_NOT_FOUND;
}

static const char *join(struct arena *mem, const char *dir, const char *name)
{
    size_t len = strlen(dir);
    if (!len || !strcmp(dir, "."))
        return name;
    return arena_printf(mem, dir[len - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

static void add_entry(struct walk *walk, const char *path, const struct stat *st)
{
    struct files_entry *entry = vec_push(walk->mem, &walk->found);
    *entry = (struct files_entry){ .path = path, .oid = "" };
    entry->mode = S_ISLNK(st->st_mode) ? 0120000 : st->st_mode & S_IXUSR ? 0100755 : 0100644;
}

/* Files of one directory to `found`, directories to `dirs`. */
static struct err *read_dir(struct walk *walk, const char *relative)
{
    const char *path = *relative ? join(walk->mem, walk->root, relative) : walk->root;
    SCOPED(close_dir) DIR *dir = opendir(path);
    if (!dir)
        return err_errno(kind_of(errno), errno, "cannot read the directory %s", path);
    const struct dirent *one = NULL;
    while ((one = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): a DIR of our own */
        struct stat st;
        if (!strcmp(one->d_name, ".") || !strcmp(one->d_name, "..") ||
            !strcmp(one->d_name, ".git") ||
            fstatat(dirfd(dir), one->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        const char *name = join(walk->mem, relative, arena_strdup(walk->mem, one->d_name));
        if (S_ISDIR(st.st_mode))
            *vec_push(walk->mem, &walk->dirs) = name;
        else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
            add_entry(walk, name, &st);
        if (walk->found.len + walk->dirs.len > TREE_ENTRIES_MAX)
            return err_new(ERR_LIMIT, "%s has more than %zu files", walk->root, TREE_ENTRIES_MAX);
    }
    return NULL;
}

/* A link that leads out of the tree is not followed: neither would a sync. */
static struct err *check_link(const struct walk *walk, const char *path)
{
    char target[PATH_MAX];
    if (!realpath(path, target))
        return err_errno(kind_of(errno), errno, "the symbolic link leads nowhere");
    size_t len = strlen(walk->real_root);
    bool is_inside = !strncmp(target, walk->real_root, len) && (target[len] == '/' || len == 1);
    return is_inside ? NULL : err_new(ERR_INVALID, "the symbolic link leads out of %s", walk->root);
}

struct err *tree_read_text(struct arena *mem, const char *path, size_t limit, const char **out,
                           size_t *out_len)
{
    __attribute__((cleanup(close_file))) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st))
        return err_errno(kind_of(errno), errno, "cannot be opened");
    if (!S_ISREG(st.st_mode))
        return err_new(ERR_INVALID, "is not a regular file");
    if ((uint64_t)st.st_size > limit)
        return err_new(ERR_LIMIT, "is larger than %zu bytes", limit);
    char *text = arena_alloc(mem, (size_t)st.st_size + 1);
    size_t len = 0;
    while (len < (size_t)st.st_size) {
        ssize_t got = read(fd, text + len, (size_t)st.st_size - len);
        if (got < 0)
            return err_errno(kind_of(errno), errno, "cannot be read");
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *out = text;
    *out_len = len;
    return NULL;
}

static void report(struct walk *walk, const char *path, struct err *e)
{
    manifest_report(walk->mem, &walk->tree->problems,
                    &(struct manifest_problem){ .path = path, .severity = MANIFEST_ERROR }, "%s",
                    err_text(e));
    err_free(e);
}

static void read_manifests(struct walk *walk, const char *path, bool is_link)
{
    struct reveal_text file = { .text = "" };
    struct tree *tree = walk->tree;
    struct err *e = is_link ? check_link(walk, path) : NULL;
    if (!e)
        e = tree_read_text(walk->mem, path, doc_yaml_default_limits.bytes, &file.text, &file.len);
    if (!e && walk->opts->reveal)
        e = reveal_decrypt(walk->opts->reveal, walk->mem, &file);
    tree->file_count++;
    if (e) {
        report(walk, path, e);
        return;
    }
    const struct manifest_source source = { .path = path, .is_encrypted = file.was_encrypted };
    (void)manifest_parse(walk->mem, &source, file.text, file.len, &tree->manifests,
                         &tree->problems);
}

static struct err *walk_all(struct walk *walk)
{
    struct files_list chosen = { 0 };
    TRY(read_dir(walk, ""));
    for (size_t i = 0; i < walk->dirs.len; i++) {
        struct err *e = read_dir(walk, walk->dirs.at[i]);
        if (err_is(e, ERR_LIMIT))
            return e;
        if (e)
            report(walk, join(walk->mem, walk->root, walk->dirs.at[i]), e);
    }
    TRY(files_select(walk->mem, walk->found.at, walk->found.len, walk->opts->git_paths, &chosen));
    for (size_t i = 0; i < chosen.len; i++)
        read_manifests(walk, join(walk->mem, walk->root, chosen.at[i].path),
                       chosen.at[i].mode == 0120000);
    return NULL;
}

struct err *tree_read(struct arena *mem, const char *path, const struct tree_opts *opts,
                      struct tree *out)
{
    struct walk walk = { .mem = mem, .root = path, .opts = opts, .tree = out };
    struct stat st;
    if (stat(path, &st) || !realpath(path, walk.real_root))
        return err_errno(kind_of(errno), errno, "cannot read %s", path);
    if (S_ISDIR(st.st_mode))
        return walk_all(&walk);
    read_manifests(&walk, path, false);
    return NULL;
}
