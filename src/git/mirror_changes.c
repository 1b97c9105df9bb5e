#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "git/mirror_internal.h"

/* Two trees are walked side by side, and what has the same id in both is not looked into: the work grows with what changed
 * and with the directories on the way there, not with the size of the repository. */
#define CHANGES_MAX 200000
#define LOOKED_MAX  2000000 /* entries of trees: a tree may stand anywhere any number of times */
#define DEPTH_MAX   128
#define PATH_BYTES  4096

struct level {
    git_tree *before, *after; /* NULL: not there */
    size_t next;              /* entry: of `after` first, then of `before` */
    size_t prefix_len;        /* of the path that leads here, with its slash */
};

struct walk {
    struct mirror_repo *repo;
    struct arena *mem;
    struct level levels[DEPTH_MAX];
    size_t depth, looked;
    char path[PATH_BYTES];
    struct mirror_changes *out;
};

static void leave(struct walk *walk)
{
    struct level *level = &walk->levels[--walk->depth];
    git_tree_free(level->before);
    git_tree_free(level->after);
}

MUST_USE static struct err *open_tree(struct walk *walk, const git_oid *oid, git_tree **out)
{
    int code = oid ? git_tree_lookup(out, walk->repo->at, oid) : 0;
    return code ? mirror_git_failed(walk->repo->mirror, code, "read a tree") : NULL;
}

/* Into the directory whose path stands in walk->path. */
MUST_USE static struct err *enter(struct walk *walk, const git_oid *before, const git_oid *after)
{
    if (walk->depth == DEPTH_MAX)
        return err_new(ERR_LIMIT, "%s: directories are nested more than %d deep",
                       mirror_shown_path(walk->mem, walk->path), DEPTH_MAX);
    struct level *level = &walk->levels[walk->depth++];
    *level = (struct level){ .prefix_len = strlen(walk->path) };
    if (level->prefix_len)
        walk->path[level->prefix_len++] = '/';
    TRY(open_tree(walk, before, &level->before));
    return open_tree(walk, after, &level->after);
}

MUST_USE static struct err *set_path(struct walk *walk, const struct level *level, const char *name)
{
    size_t len = strlen(name);
    walk->path[level->prefix_len] = '\0';
    if (mirror_is_hostile_name(name))
        return err_new(ERR_INVALID, "the tree \"%s\" holds an entry with the name \"%s\"",
                       mirror_shown_path(walk->mem, walk->path),
                       mirror_shown_path(walk->mem, name));
    if (level->prefix_len + len + 2 > PATH_BYTES)
        return err_new(ERR_LIMIT, "a path below \"%s\" is longer than %d bytes",
                       mirror_shown_path(walk->mem, walk->path), PATH_BYTES);
    memcpy(walk->path + level->prefix_len, name, len + 1);
    return NULL;
}

static bool is_file(const git_tree_entry *entry)
{
    return entry && git_tree_entry_type(entry) == GIT_OBJECT_BLOB;
}

static const git_oid *tree_of(const git_tree_entry *entry)
{
    return entry && git_tree_entry_type(entry) == GIT_OBJECT_TREE ? git_tree_entry_id(entry) : NULL;
}

static bool is_same(const git_tree_entry *a, const git_tree_entry *b)
{
    return a && b && git_oid_equal(git_tree_entry_id(a), git_tree_entry_id(b)) &&
           git_tree_entry_filemode_raw(a) == git_tree_entry_filemode_raw(b);
}

MUST_USE static struct err *compare(struct walk *walk, const git_tree_entry *before,
                                    const git_tree_entry *after)
{
    if (is_same(before, after))
        return NULL;
    const git_tree_entry *any = after ? after : before;
    TRY(set_path(walk, &walk->levels[walk->depth - 1], git_tree_entry_name(any)));
    if (is_file(before) || is_file(after)) {
        char hex[MIRROR_SHA_BYTES] = "";
        if (walk->out->len >= CHANGES_MAX)
            return err_new(ERR_LIMIT, "more than %d files have changed", CHANGES_MAX);
        *vec_push(walk->mem, walk->out) = (struct mirror_change){
            .kind = !is_file(after)    ? MIRROR_GONE
                    : !is_file(before) ? MIRROR_ADDED
                                       : MIRROR_MODIFIED,
            .path = arena_strdup(walk->mem, walk->path),
            .oid = is_file(after) ? arena_strdup(walk->mem, git_oid_tostr(hex, sizeof(hex),
                                                                          git_tree_entry_id(after)))
                                  : "",
            .mode = is_file(after) ? git_tree_entry_filemode_raw(after) : 0,
        };
    }
    if (tree_of(before) || tree_of(after))
        return enter(walk, tree_of(before), tree_of(after));
    return NULL;
}

static const git_tree_entry *same_name(const git_tree *tree, const git_tree_entry *entry)
{
    return tree ? git_tree_entry_byname(tree, git_tree_entry_name(entry)) : NULL;
}

/* One entry of the level on top, or the way back out of it. */
MUST_USE static struct err *step(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    size_t after_count = level->after ? git_tree_entrycount(level->after) : 0;
    size_t before_count = level->before ? git_tree_entrycount(level->before) : 0;
    size_t at = level->next++;
    if (++walk->looked > LOOKED_MAX)
        return err_new(ERR_LIMIT, "more than %d files and directories are to be compared",
                       LOOKED_MAX);
    if (at < after_count) {
        const git_tree_entry *after = git_tree_entry_byindex(level->after, at);
        return compare(walk, same_name(level->before, after), after);
    }
    if (at - after_count < before_count) {
        const git_tree_entry *before = git_tree_entry_byindex(level->before, at - after_count);
        return same_name(level->after, before) ? NULL : compare(walk, before, NULL);
    }
    leave(walk);
    return NULL;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct mirror_change *)a)->path, ((const struct mirror_change *)b)->path);
}

struct err *mirror_compare(struct mirror *mirror, struct arena *mem, const char *from,
                           const char *to, struct mirror_changes *out)
{
    *out = (struct mirror_changes){ 0 };
    MIRROR_REPO(repo);
    SCOPED(git_tree_free) git_tree *before = NULL, *after = NULL;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_root_find(&repo, from, &before));
    TRY(mirror_root_find(&repo, to, &after));
    if (git_oid_equal(git_tree_id(before), git_tree_id(after)))
        return NULL;
    struct walk *walk = arena_alloc(mem, sizeof(*walk));
    walk->repo = &repo;
    walk->mem = mem;
    walk->out = out;
    struct err *e = enter(walk, git_tree_id(before), git_tree_id(after));
    while (!e && walk->depth)
        e = step(walk);
    while (walk->depth)
        leave(walk);
    if (!e && out->len)
        qsort(out->at, out->len, sizeof(*out->at), by_path);
    return e;
}
