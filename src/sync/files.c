#include "sync/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"

enum { MODE_TYPE = 0170000, MODE_FILE = 0100000, MODE_LINK = 0120000 };

struct path_list {
    const char **at;
    size_t len, cap;
};

static bool ends_in(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);
    return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *dir_name(struct arena *mem, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_strndup(mem, path, (size_t)(slash - path)) : "";
}

/* The directories that hold both files of a chart, as keys (the values mean nothing). */
static void find_charts(struct arena *mem, const struct files_entry *entries, size_t count,
                        struct map *charts)
{
    SCOPED(map_free) struct map *with_chart = map_new(NULL);
    for (size_t i = 0; i < count; i++)
        if (strcmp(base_name(entries[i].path), FILES_CHART) == 0)
            map_set(with_chart, dir_name(mem, entries[i].path), with_chart);
    if (map_len(with_chart) == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(base_name(entries[i].path), FILES_VALUES) != 0)
            continue;
        const char *dir = dir_name(mem, entries[i].path);
        if (map_get(with_chart, dir))
            map_set(charts, dir, charts);
    }
}

static bool is_in_chart(struct arena *mem, const struct map *charts, const char *path)
{
    if (map_len(charts) == 0)
        return false;
    char *dir = arena_strdup(mem, path);
    for (bool is_root = false; !is_root;) {
        char *slash = strrchr(dir, '/');
        is_root = !slash;
        *(slash ? slash : dir) = '\0';
        if (map_get(charts, dir))
            return true;
    }
    return false;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct files_entry *)a)->path, ((const struct files_entry *)b)->path);
}

bool files_is_manifest_name(const char *path)
{
    return ends_in(path, ".yaml") || ends_in(path, ".yml");
}

bool files_is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

struct err *files_clean_path(struct arena *mem, const char *path, const char **out)
{
    if (*path == '/')
        return err_new(ERR_INVALID,
                       "git path \"%s\" has a leading slash: write it relative to the root of "
                       "the repository",
                       path);
    char *clean = arena_alloc(mem, strlen(path) + 1);
    size_t len = 0;
    for (const char *at = path; *at;) {
        size_t part = strcspn(at, "/");
        if (part == 2 && strncmp(at, "..", 2) == 0)
            return err_new(ERR_INVALID,
                           "git path \"%s\" has a \"..\": name a place inside the repository "
                           "from its root",
                           path);
        if (part > 0 && !(part == 1 && *at == '.')) {
            if (len)
                clean[len++] = '/';
            memcpy(clean + len, at, part);
            len += part;
        }
        at += part;
        at += *at == '/';
    }
    *out = clean;
    return NULL;
}

static bool is_in_tree(const struct files_entry *entries, size_t count, const char *path)
{
    if (!*path)
        return true;
    for (size_t i = 0; i < count; i++)
        if (files_is_below(entries[i].path, path))
            return true;
    return false;
}

/* Every path in its one spelling, each found among the entries; the root where there are none. */
static struct err *clean_paths(struct arena *mem, const struct files_entry *entries, size_t count,
                               const char *const *git_paths, struct path_list *out)
{
    for (size_t i = 0; git_paths && git_paths[i]; i++) {
        const char *path = "";
        TRY(files_clean_path(mem, git_paths[i], &path));
        if (!is_in_tree(entries, count, path))
            return err_new(ERR_NOT_FOUND,
                           "unable to read root path \"%s\": no such file or directory in the "
                           "repository at this commit",
                           path);
        *vec_push(mem, out) = path;
    }
    if (out->len == 0)
        *vec_push(mem, out) = "";
    *vec_push(mem, out) = NULL;
    return NULL;
}

bool files_is_of_chart(const char *path)
{
    const char *name = base_name(path);
    return strcmp(name, FILES_CHART) == 0 || strcmp(name, FILES_VALUES) == 0;
}

bool files_is_candidate(const struct files_entry *entry, const char *const *clean_paths)
{
    unsigned type = entry->mode & MODE_TYPE;
    if ((type != MODE_FILE && type != MODE_LINK) || !files_is_manifest_name(entry->path))
        return false;
    for (; *clean_paths; clean_paths++)
        if (files_is_below(entry->path, *clean_paths))
            return true;
    return false;
}

struct err *files_select(struct arena *mem, const struct files_entry *entries, size_t count,
                         const char *const *git_paths, struct files_list *out)
{
    struct path_list paths = { 0 };
    TRY(clean_paths(mem, entries, count, git_paths, &paths));
    SCOPED(map_free) struct map *charts = map_new(NULL);
    find_charts(mem, entries, count, charts);
    *out = (struct files_list){ 0 };
    for (size_t i = 0; i < count; i++)
        if (files_is_candidate(&entries[i], paths.at) && !is_in_chart(mem, charts, entries[i].path))
            *vec_push(mem, out) = entries[i];
    if (out->len == 0)
        return NULL;
    qsort(out->at, out->len, sizeof(*out->at), by_path);
    size_t kept = 1; /* entries given twice */
    for (size_t i = 1; i < out->len; i++)
        if (strcmp(out->at[i].path, out->at[kept - 1].path) != 0)
            out->at[kept++] = out->at[i];
    out->len = kept;
    return NULL;
}
