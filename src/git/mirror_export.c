#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "git/mirror_internal.h"
#include "io/folder.h"

#define FILE_LIMIT ((size_t)256 << 20)
#define MODE_LINK  0120000u
#define MODE_EXEC  0100u
#define LINK_LIMIT 4096

/* Regular files first, symbolic links last: while files are written no link exists that a path could go through. */
struct export
{
    struct mirror_repo *repo;
    const git_tree *root;
    int folder;
};

MUST_USE static struct err *write_file(const struct export *job, struct arena *mem,
                                       const struct mirror_entry *entry)
{
    struct mirror_contents contents = { .limit = FILE_LIMIT };
    TRY(mirror_blob_read(job->repo, mem, entry->oid, &contents));
    mode_t mode = entry->mode & MODE_EXEC ? 0755 : 0644;
    return folder_put(job->folder, entry->path, mode, contents.bytes, contents.len);
}

/* A link that does not lead to something inside the tree is left out. */
MUST_USE static struct err *write_link(const struct export *job, struct arena *mem,
                                       const struct mirror_entry *entry)
{
    struct err *e = mirror_link_check(job->repo, mem, job->root, entry->path);
    if (err_is(e, ERR_INVALID) || err_is(e, ERR_NOT_FOUND)) {
        err_free(e);
        return NULL;
    }
    TRY(e);
    struct mirror_contents target = { .limit = LINK_LIMIT };
    TRY(mirror_blob_read(job->repo, mem, entry->oid, &target));
    TRY(folder_lead(job->folder, entry->path, 0755));
    return symlinkat(target.bytes, job->folder, entry->path)
               ? err_errno(ERR_TRANSIENT, errno, "link %s", entry->path)
               : NULL;
}

MUST_USE static struct err *write_entries(const struct export *job,
                                          const struct mirror_entries *entries)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (int links = 0; links <= 1; links++)
        for (size_t i = 0; i < entries->len; i++) {
            const struct mirror_entry *entry = &entries->at[i];
            bool is_link = entry->mode == MODE_LINK;
            if (is_link == (links == 1))
                TRY(is_link ? write_link(job, mem, entry) : write_file(job, mem, entry));
            arena_reset(mem);
        }
    return NULL;
}

struct err *mirror_export(struct mirror *mirror, const char *rev, const char *dir)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct mirror_entries entries;
    char sha[MIRROR_SHA_BYTES];
    TRY(mirror_resolve(mirror, rev, sha));
    TRY(mirror_list(mirror, mem, sha, NULL, &entries));
    MIRROR_REPO(repo);
    SCOPED(git_tree_free) git_tree *root = NULL;
    TRY(mirror_repo_open(mirror, &repo));
    TRY(mirror_root_find(&repo, sha, &root));
    struct export job = { &repo, root, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    if (job.folder < 0)
        return err_errno(ERR_INVALID, errno, "open %s", dir);
    struct err *e = write_entries(&job, &entries);
    (void)close(job.folder);
    return err_wrap(e, "export %.7s to %s", sha, dir);
}
