#include <string.h>

#include "base/sbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "git/mirror_internal.h"

#define ENTRIES_MAX      200000
#define LOOKED_MAX       1000000 /* entries of trees: a tree may stand anywhere any number of times */
#define PATHS_BYTES      ((size_t)64 << 20) /* all paths together */
#define STEPS_MAX        4096               /* names on the way through symbolic links */
#define DEPTH_MAX        128
#define PATH_BYTES       4096
#define PATH_SHOWN_BYTES 300
#define LINKS_MAX        40
#define MODE_LINK        0120000u

const char *mirror_shown_path(struct arena *mem, const char *path)
{
    return sbuf_shown(mem, arena_strndup(mem, path, utf8_fit(path, PATH_SHOWN_BYTES)));
}

/* -- finding ---------------------------------------------------------------------------------------------------------- */

struct err *mirror_root_find(struct mirror_repo *repo, const char *rev, git_tree **out)
{
    git_oid oid;
    TRY(mirror_commit_find(repo, rev, &oid));
    SCOPED(git_commit_free) git_commit *commit = NULL;
    int code = git_commit_lookup(&commit, repo->at, &oid);
    if (!code)
        code = git_commit_tree(out, commit);
    return code ? mirror_git_failed(repo->mirror, code, "read a commit") : NULL;
}

/* "./a//b/" is "a/b"; "" is the root. ERR_INVALID for a path that leaves the tree. */
MUST_USE static struct err *clean_path(struct arena *mem, const char *path, const char **out)
{
    SBUF(text, PATH_BYTES - 2); /* a slash and the end fit behind it */
    const char *whole = path;
    if (*path == '/')
        return err_new(ERR_INVALID, "path \"%s\" is not relative to the root of the repository",
                       mirror_shown_path(mem, path));
    for (size_t len; *path; path += len) {
        while (*path == '/')
            path++;
        len = strcspn(path, "/");
        if (!len || (len == 1 && *path == '.'))
            continue;
        if (len == 2 && path[0] == '.' && path[1] == '.')
            return err_new(ERR_INVALID, "path \"%s\" leads out of the repository",
                           mirror_shown_path(mem, whole));
        sbuf_add(&text, text.len ? "/" : "");
        sbuf_add_bytes(&text, path, len);
    }
    return sbuf_finish(&text, mem, out, NULL);
}

MUST_USE static struct err *missing(struct arena *mem, const char *path, const char *rev)
{
    return err_new(ERR_NOT_FOUND,
                   "unable to read root path \"%s\": no such file or directory at %.*s",
                   mirror_shown_path(mem, path), strlen(rev) == GIT_OID_HEXSZ ? 7 : 100, rev);
}

/* -- listing ---------------------------------------------------------------------------------------------------------- */

struct level {
    git_tree *tree;
    size_t next;       /* entry */
    size_t prefix_len; /* of the path that leads here, with its slash */
};

struct listing {
    struct mirror_repo *repo;
    struct arena *mem;
    struct level levels[DEPTH_MAX];
    size_t depth, looked, path_bytes;
    char path[PATH_BYTES];
    struct mirror_entries *out;
};

static void end_listing(struct listing *list)
{
    while (list->depth)
        git_tree_free(list->levels[--list->depth].tree);
}

bool mirror_is_hostile_name(const char *name)
{
    return !*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/') ||
           !strcasecmp(name, ".git");
}

MUST_USE static struct err *add_entry(struct listing *list, const git_oid *oid, unsigned mode)
{
    char hex[MIRROR_SHA_BYTES];
    if (list->out->len >= ENTRIES_MAX)
        return err_new(ERR_LIMIT, "the repository holds more than %d files", ENTRIES_MAX);
    list->path_bytes += strlen(list->path) + 1;
    if (list->path_bytes > PATHS_BYTES)
        return err_new(ERR_LIMIT, "the paths of the repository's files are longer than %zu MiB",
                       PATHS_BYTES >> 20);
    *vec_push(list->mem, list->out) = (struct mirror_entry){
        .path = arena_strdup(list->mem, list->path),
        .oid = arena_strdup(list->mem, git_oid_tostr(hex, sizeof(hex), oid)),
        .mode = mode,
    };
    return NULL;
}

MUST_USE static struct err *descend(struct listing *list, const git_oid *oid, size_t path_len)
{
    if (list->depth == DEPTH_MAX)
        return err_new(ERR_LIMIT, "%s: directories are nested more than %d deep",
                       mirror_shown_path(list->mem, list->path), DEPTH_MAX);
    struct level *level = &list->levels[list->depth];
    *level = (struct level){ 0 };
    int code = git_tree_lookup(&level->tree, list->repo->at, oid);
    if (code)
        return mirror_git_failed(list->repo->mirror, code, "read a tree");
    level->prefix_len = path_len;
    if (path_len)
        list->path[level->prefix_len++] = '/';
    list->depth++;
    return NULL;
}

MUST_USE static struct err *visit(struct listing *list, struct level *level,
                                  const git_tree_entry *entry)
{
    const char *name = git_tree_entry_name(entry);
    size_t len = strlen(name);
    list->path[level->prefix_len] = 0;
    if (++list->looked > LOOKED_MAX)
        return err_new(ERR_LIMIT, "the repository holds more than %d files and directories",
                       LOOKED_MAX);
    if (mirror_is_hostile_name(name))
        return err_new(ERR_INVALID, "the tree \"%s\" holds an entry with the name \"%s\"",
                       mirror_shown_path(list->mem, list->path),
                       mirror_shown_path(list->mem, name));
    if (level->prefix_len + len + 2 > PATH_BYTES)
        return err_new(ERR_LIMIT, "a path below \"%s\" is longer than %d bytes",
                       mirror_shown_path(list->mem, list->path), PATH_BYTES);
    memcpy(list->path + level->prefix_len, name, len + 1);
    switch (git_tree_entry_type(entry)) {
    case GIT_OBJECT_TREE: return descend(list, git_tree_entry_id(entry), level->prefix_len + len);
    case GIT_OBJECT_BLOB:
        return add_entry(list, git_tree_entry_id(entry), git_tree_entry_filemode_raw(entry));
    case GIT_OBJECT_COMMIT: /* a submodule: of another repository */
    case GIT_OBJECT_ANY:
    case GIT_OBJECT_INVALID:
    case GIT_OBJECT_TAG:
    case GIT_OBJECT_OFS_DELTA:
    case GIT_OBJECT_REF_DELTA: return NULL;
    }
    return NULL;
}

/* Everything below the tree whose path stands in list->path. */
MUST_USE static struct err *walk(struct listing *list, const git_oid *tree)
{
    struct err *e = descend(list, tree, strlen(list->path));
    while (!e && list->depth) {
        struct level *level = &list->levels[list->depth - 1];
        const git_tree_entry *entry = git_tree_entry_byindex(level->tree, level->next++);
        if (entry) {
            e = visit(list, level, entry);
        } else {
            git_tree_free(level->tree);
            list->depth--;
        }
    }
    end_listing(list);
    return e;
}

MUST_USE static struct err *list_path(struct listing *list, const git_tree *root, const char *rev,
                                      const char *path)
{
    const char *clean = "";
    TRY(clean_path(list->mem, path, &clean));
    memcpy(list->path, clean, strlen(clean) + 1);
    if (!*clean)
        return walk(list, git_tree_id(root));
    SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
    int code = git_tree_entry_bypath(&entry, root, clean);
    if (code == GIT_ENOTFOUND)
        return missing(list->mem, path, rev);
    if (code)
        return mirror_git_failed(list->repo->mirror, code, "read a tree");
    if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
        return walk(list, git_tree_entry_id(entry));
    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
        return NULL;
    return add_entry(list, git_tree_entry_id(entry), git_tree_entry_filemode_raw(entry));
}

struct err *mirror_list(struct mirror *mirror, struct arena *mem, const char *rev,
                        const char *const *paths, struct mirror_entries *out)
{
    static const char *const everything[] = { "", NULL };
    *out = (struct mirror_entries){ 0 };
    MIRROR_REPO(repo);
    SCOPED(git_tree_free) git_tree *root = NULL;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_root_find(&repo, rev, &root));
    struct listing *list = arena_alloc(mem, sizeof(*list));
    list->repo = &repo;
    list->mem = mem;
    list->out = out;
    for (paths = paths && *paths ? paths : everything; *paths; paths++)
        TRY(list_path(list, root, rev, *paths));
    return NULL;
}

/* -- reading ---------------------------------------------------------------------------------------------------------- */

/* The size is known before a byte is unpacked. */
MUST_USE static struct err *read_blob(struct mirror_repo *repo, struct arena *mem,
                                      const git_oid *oid, struct mirror_contents *out)
{
    SCOPED(git_odb_free) git_odb *odb = NULL;
    SCOPED(git_odb_object_free) git_odb_object *object = NULL;
    size_t size = 0;
    git_object_t type;
    int code = git_repository_odb(&odb, repo->at);
    if (!code)
        code = git_odb_read_header(&size, &type, odb, oid);
    if (!code && size > out->limit)
        return err_new(ERR_LIMIT, "larger than %zu bytes", out->limit);
    if (!code)
        code = git_odb_read(&object, odb, oid);
    if (code)
        return mirror_git_failed(repo->mirror, code, "read a file");
    out->len = git_odb_object_size(object);
    out->bytes = arena_strndup(mem, git_odb_object_data(object), out->len);
    return NULL;
}

/* A path on its way through symbolic links: what is resolved, and what is still to be walked. */
struct trail {
    struct mirror_repo *repo;
    struct arena *mem;
    const git_tree *root;
    const char *done, *rest;
    const char *start;   /* for messages */
    const char *missing; /* where it ended for want of a file or directory; else NULL */
    int links, steps;
};

/* The next name of what is left, "" at the end. */
static const char *take_name(struct trail *trail)
{
    while (*trail->rest == '/')
        trail->rest++;
    size_t len = strcspn(trail->rest, "/");
    const char *name = arena_strndup(trail->mem, trail->rest, len);
    trail->rest += len;
    return name;
}

MUST_USE static struct err *step_up(struct trail *trail)
{
    if (!*trail->done)
        return err_new(ERR_INVALID, "%s is a symbolic link that leads out of the repository",
                       mirror_shown_path(trail->mem, trail->start));
    const char *slash = strrchr(trail->done, '/');
    trail->done = arena_strndup(trail->mem, trail->done, slash ? (size_t)(slash - trail->done) : 0);
    return NULL;
}

MUST_USE static struct err *too_long(const struct trail *trail)
{
    return err_new(ERR_INVALID, "%s: the path through symbolic links is too long",
                   mirror_shown_path(trail->mem, trail->start));
}

MUST_USE static struct err *follow(struct trail *trail, const git_oid *link)
{
    struct mirror_contents target = { .limit = PATH_BYTES, .bytes = "" };
    if (++trail->links > LINKS_MAX)
        return err_new(ERR_INVALID, "%s: too many symbolic links, or a loop of them",
                       mirror_shown_path(trail->mem, trail->start));
    TRY(err_wrap(read_blob(trail->repo, trail->mem, link, &target), "symbolic link %s",
                 mirror_shown_path(trail->mem, trail->start)));
    if (*target.bytes == '/')
        return err_new(ERR_INVALID, "%s is a symbolic link that leads out of the repository",
                       mirror_shown_path(trail->mem, trail->start));
    size_t left = strlen(trail->rest);
    if (left + target.len > (size_t)4 * PATH_BYTES)
        return too_long(trail);
    trail->rest = arena_printf(trail->mem, "%s/%s", target.bytes, trail->rest);
    return NULL;
}

enum step { STEP_DIRECTORY, STEP_FILE };

/* One name further along the trail. */
MUST_USE static struct err *step_down(struct trail *trail, const char *name, git_oid *out,
                                      enum step *step)
{
    const char *path = *trail->done ? arena_printf(trail->mem, "%s/%s", trail->done, name) : name;
    SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
    int code = git_tree_entry_bypath(&entry, trail->root, path);
    if (code && code != GIT_ENOTFOUND)
        return mirror_git_failed(trail->repo->mirror, code, "read a tree");
    trail->missing = code && *step == STEP_DIRECTORY ? path : NULL;
    if (code || *step == STEP_FILE)
        return err_new(ERR_NOT_FOUND,
                       trail->links ? "%s is a symbolic link to nothing" : "%s does not exist",
                       mirror_shown_path(trail->mem, trail->start));
    if (git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK)
        return follow(trail, git_tree_entry_id(entry));
    trail->done = path;
    *step = git_tree_entry_type(entry) == GIT_OBJECT_BLOB ? STEP_FILE : STEP_DIRECTORY;
    git_oid_cpy(out, git_tree_entry_id(entry));
    return NULL;
}

/* Walks to the end of the trail: a file, or (`is_file` false) a directory. */
MUST_USE static struct err *resolve(struct trail *trail, git_oid *out, bool *is_file)
{
    enum step step = STEP_DIRECTORY;
    for (const char *name; *(name = take_name(trail));) {
        bool is_up = !strcmp(name, "..");
        struct err *e = NULL;
        if (++trail->steps > STEPS_MAX)
            e = too_long(trail);
        else if (is_up)
            e = step_up(trail);
        else if (strcmp(name, ".") != 0)
            e = step_down(trail, name, out, &step);
        if (e)
            return e;
        step = is_up ? STEP_DIRECTORY : step;
    }
    *is_file = step == STEP_FILE;
    return NULL;
}

MUST_USE static struct err *find_file(struct mirror_repo *repo, struct arena *mem, const char *rev,
                                      const char *path, git_oid *out)
{
    SCOPED(git_tree_free) git_tree *root = NULL;
    TRY(mirror_root_find(repo, rev, &root));
    struct trail trail = {
        .repo = repo, .mem = mem, .root = root, .done = "", .rest = path, .start = path
    };
    bool is_file;
    TRY(resolve(&trail, out, &is_file));
    if (is_file)
        return NULL;
    return err_new(ERR_NOT_FOUND,
                   trail.links ? "%s is a symbolic link to a directory" : "%s is no file",
                   mirror_shown_path(mem, path));
}

struct err *mirror_link_check(struct mirror_repo *repo, struct arena *mem, const git_tree *root,
                              const char *path)
{
    struct trail trail = {
        .repo = repo, .mem = mem, .root = root, .done = "", .rest = path, .start = path
    };
    git_oid oid;
    bool is_file;
    return resolve(&trail, &oid, &is_file);
}

/* A file that is not there yet; a way back up through a directory that is not there leads nowhere. */
MUST_USE static struct err *plan_new_file(const struct trail *trail, struct mirror_target *out)
{
    const char *path = arena_printf(trail->mem, "%s%s", trail->missing, trail->rest);
    TRY(clean_path(trail->mem, path, &out->path));
    for (const char *name = out->path; *name; name += strspn(name, "/")) {
        size_t len = strcspn(name, "/");
        if (mirror_is_hostile_name(arena_strndup(trail->mem, name, len)))
            return err_new(ERR_INVALID, "no file can have the path %s",
                           mirror_shown_path(trail->mem, trail->start));
        name += len;
    }
    return NULL;
}

struct err *mirror_target_find(struct mirror_repo *repo, struct arena *mem, const git_tree *root,
                               const char *path, struct mirror_target *out)
{
    const char *clean = "";
    *out = (struct mirror_target){ 0 };
    TRY(clean_path(mem, path, &clean));
    struct trail trail = {
        .repo = repo, .mem = mem, .root = root, .done = "", .rest = clean, .start = clean
    };
    bool is_file = false;
    struct err *e = resolve(&trail, &out->oid, &is_file);
    if (e && trail.missing) {
        err_free(e);
        return plan_new_file(&trail, out);
    }
    TRY(e);
    SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
    if (!is_file || git_tree_entry_bypath(&entry, root, trail.done))
        return err_new(ERR_INVALID, "%s is a directory", mirror_shown_path(mem, clean));
    out->path = trail.done;
    out->mode = git_tree_entry_filemode(entry);
    return NULL;
}

struct err *mirror_blob_read(struct mirror_repo *repo, struct arena *mem, const char *oid,
                             struct mirror_contents *out)
{
    git_oid id;
    if (git_oid_fromstr(&id, oid))
        return err_new(ERR_INVALID, "'%.50s' is no object id", oid);
    return read_blob(repo, mem, &id, out);
}

// NOLINTNEXTLINE(readability-function-size): what goes in and what comes out, no options among it
struct err *mirror_read(struct mirror *mirror, struct arena *mem, const char *rev,
                        const struct mirror_entry *entry, size_t limit, const char **out,
                        size_t *out_len)
{
    MIRROR_REPO(repo);
    git_oid oid = { 0 };
    struct mirror_contents contents = { .limit = limit };
    TRY(mirror_repo_open(mirror, &repo));
    if (entry->mode == MODE_LINK)
        TRY(find_file(&repo, mem, rev, entry->path, &oid));
    else if (git_oid_fromstr(&oid, entry->oid))
        return err_new(ERR_INVALID, "%s: '%.50s' is no object id",
                       mirror_shown_path(mem, entry->path), entry->oid);
    TRY(err_wrap(read_blob(&repo, mem, &oid, &contents), "%s",
                 mirror_shown_path(mem, entry->path)));
    *out = contents.bytes;
    *out_len = contents.len;
    return NULL;
}

/* What is walked through on the way is forgotten: a repository may hold many links. */
struct err *mirror_file_id(struct mirror *mirror, struct arena *mem, const char *rev,
                           const char *path, char out[MIRROR_SHA_BYTES])
{
    SCOPED(arena_free) struct arena *way = arena_new(ARENA_LIMIT_BYTES);
    MIRROR_REPO(repo);
    const char *clean = "";
    git_oid oid = { 0 };
    TRY(clean_path(mem, path, &clean));
    TRY(mirror_repo_open(mirror, &repo));
    TRY(find_file(&repo, way, rev, clean, &oid));
    (void)git_oid_tostr(out, MIRROR_SHA_BYTES, &oid);
    return NULL;
}

bool mirror_has(struct mirror *mirror, struct arena *mem, const char *rev, const char *path)
{
    MIRROR_REPO(repo);
    SCOPED(git_tree_free) git_tree *root = NULL;
    SCOPED(git_tree_entry_free) git_tree_entry *entry = NULL;
    const char *clean = "";
    SCOPED(err_free) struct err *e = clean_path(mem, path, &clean);
    if (!e)
        e = mirror_repo_open(mirror, &repo);
    if (!e)
        e = mirror_root_find(&repo, rev, &root);
    return !e && (!*clean || !git_tree_entry_bypath(&entry, root, clean));
}

// NOLINTNEXTLINE(readability-function-size): what goes in and what comes out, no options among it
struct err *mirror_read_path(struct mirror *mirror, struct arena *mem, const char *rev,
                             const char *path, size_t limit, const char **out, size_t *out_len)
{
    const char *clean = "";
    TRY(clean_path(mem, path, &clean));
    const struct mirror_entry entry = { .path = clean,
                                        .mode = MODE_LINK }; /* resolved step by step */
    return mirror_read(mirror, mem, rev, &entry, limit, out, out_len);
}
