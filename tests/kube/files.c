#include "files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

struct files {
    struct arena *mem;
    char *dir;
};

struct files *files_new(void)
{
    struct files *files = base_alloc(sizeof(*files));
    files->mem = arena_new(ARENA_LIMIT_BYTES);
    const char *base = getenv("TMPDIR");
    files->dir = arena_printf(files->mem, "%s/serin-kube-XXXXXX", base ? base : P_tmpdir);
    ASSERT(mkdtemp(files->dir));
    return files;
}

static int drop(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

void files_free(struct files *files)
{
    (void)nftw(files->dir, drop, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(files->mem);
    free(files);
}

const char *files_dir(const struct files *files)
{
    return files->dir;
}

const char *files_path(struct files *files, const char *name)
{
    return arena_printf(files->mem, "%s/%s", files->dir, name);
}

static void make_parents(const char *path)
{
    char *copy = base_copy_text(path);
    for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(copy, 0700);
        *at = '/';
    }
    free(copy);
}

const char *files_write(struct files *files, const char *name, const char *text)
{
    const char *path = files_path(files, name);
    make_parents(path);
    const char *next = arena_printf(files->mem, "%s.next", path);
    FILE *file = fopen(next, "w");
    ASSERT(file && fputs(text, file) >= 0 && fclose(file) == 0);
    ASSERT(rename(next, path) == 0);
    return path;
}

const char *files_write_program(struct files *files, const char *name, const char *text)
{
    const char *path = files_write(files, name, text);
    ASSERT(chmod(path, 0700) == 0);
    return path;
}

const char *files_read(struct files *files, const char *name)
{
    FILE *file = fopen(files_path(files, name), "r");
    if (!file)
        return "";
    char *text = arena_alloc(files->mem, 1 << 16);
    size_t got = fread(text, 1, (1 << 16) - 1, file);
    text[got] = '\0';
    (void)fclose(file);
    return text;
}
