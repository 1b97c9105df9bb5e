#include "cmd/diff_revision.h"

#include "cmd/home.h"
#include "cmd/scratch.h"
#include "cmd/tree.h"
#include "git/mirror.h"
#include "io/stream.h"
#include "sync/files.h"
#include "sync/generate.h"

#define CA_MAX_BYTES ((size_t)1 << 20)

struct reading {
    struct arena *mem;
    const struct diff_revision *revision;
    const char *dir; /* for all that is temporary */
    struct mirror *mirror;
    bool is_fetched;       /* what was not found is in the repository, not the repository */
    struct reveal *reveal; /* of the revision, once it is listed */
    char sha[MIRROR_SHA_BYTES];
    struct files_list all; /* of the tree */
    struct manifest_list *out;
    struct manifest_problems *problems;
};

static struct err *read_ca(struct arena *mem, const char *file, const char **out)
{
    size_t len = 0;
    *out = NULL;
    return file ? err_wrap(tree_read_text(mem, file, CA_MAX_BYTES, out, &len), "--git-ca-file %s",
                           file)
                : NULL;
}

/* A mirror has what it follows: one branch and one tag. */
static struct err *fetch(struct reading *reading, const char *name, const char *branch,
                         const char *tag)
{
    const struct diff_revision *revision = reading->revision;
    struct mirror_opts opts = {
        .url = revision->url,
        .dir = arena_printf(reading->mem, "%s/%s", reading->dir, name),
        .branch = branch,
        .sync_tag = tag,
        .notes_ref = "",
        .user_name = "serin",
        .user_email = "",
        .ssh_command = revision->ssh_command,
        .ssh_identity = revision->identity,
        .ssh_known_hosts = revision->known_hosts,
        .history_ms = revision->timeout_ms,
    };
    struct mirror_fetched fetched;
    int64_t deadline_ms = stream_now_ms() + revision->timeout_ms;
    TRY(read_ca(reading->mem, revision->ca_file, &opts.ca_pem));
    TRY(mirror_new(&opts, &reading->mirror));
    TRY(mirror_fetch(reading->mirror, deadline_ms, &fetched));
    reading->is_fetched = true;
    return mirror_resolve(reading->mirror, revision->rev ? revision->rev : revision->branch,
                          reading->sha);
}

/* A commit of --git-branch; else a branch or a tag of that name, which that branch need not have. */
static struct err *find(struct reading *reading)
{
    const struct diff_revision *revision = reading->revision;
    const char *rev = revision->rev ? revision->rev : revision->branch;
    struct err *e = fetch(reading, "repository", revision->branch, "");
    if (!err_is(e, ERR_NOT_FOUND) || !reading->is_fetched)
        return e;
    if (revision->rev) {
        mirror_free(STEAL(reading->mirror));
        SCOPED(err_free) struct err *other = fetch(reading, "named", rev, rev);
        bool is_nothing = err_is(other, ERR_NOT_FOUND) || err_is(other, ERR_INVALID);
        if (!is_nothing) {
            err_free(e);
            return STEAL(other);
        }
    }
    return err_wrap(e, "the repository has no branch, tag or commit %.200s", rev);
}

static struct err *list(struct reading *reading)
{
    struct mirror_entries entries = { 0 };
    TRY(mirror_list(reading->mirror, reading->mem, reading->sha, NULL, &entries));
    for (size_t i = 0; i < entries.len; i++)
        *vec_push(reading->mem, &reading->all) = (struct files_entry){ .path = entries.at[i].path,
                                                                       .oid = entries.at[i].oid,
                                                                       .mode = entries.at[i].mode };
    const struct reveal_source source = { reading->mirror, reading->sha };
    reading->reveal = reveal_new(reading->mem, &reading->revision->reveal, &source);
    return reveal_list(reading->reveal, &reading->all);
}

static void read_file(struct reading *reading, const struct files_entry *entry)
{
    struct reveal_text file;
    struct err *e = reveal_read(reading->reveal, reading->mem, entry, &file);
    const struct manifest_source source = { .path = entry->path,
                                            .is_encrypted = file.was_encrypted };
    if (e)
        manifest_report(
            reading->mem, reading->problems,
            &(struct manifest_problem){ .path = entry->path, .severity = MANIFEST_ERROR }, "%s",
            err_text(e));
    else
        (void)manifest_parse(reading->mem, &source, file.text, file.len, reading->out,
                             reading->problems);
    err_free(e);
}

static struct err *read_plain(struct reading *reading, const char *const *paths)
{
    struct files_list chosen = { 0 };
    TRY(files_select(reading->mem, reading->all.at, reading->all.len, paths, &chosen));
    reveal_prepare(reading->reveal, &chosen);
    for (size_t i = 0; i < chosen.len; i++)
        read_file(reading, &chosen.at[i]);
    return NULL;
}

static struct err *generate(struct reading *reading)
{
    const struct diff_revision *revision = reading->revision;
    struct generate_result made = { 0 };
    const struct generate_opts opts = {
        .mirror = reading->mirror,
        .rev = reading->sha,
        .entries = reading->all.at,
        .entry_count = reading->all.len,
        .git_paths = revision->git_paths,
        .tmp_dir = reading->dir,
        .path = home_env("PATH"),
        .default_timeout_ms = revision->timeout_ms,
    };
    TRY(generate_run(reading->mem, &opts, &made));
    for (size_t i = 0; i < made.manifests.len; i++)
        *vec_push(reading->mem, reading->out) = made.manifests.at[i];
    for (size_t i = 0; i < made.problems.len; i++)
        *vec_push(reading->mem, reading->problems) = made.problems.at[i];
    return made.plain_count ? read_plain(reading, made.plain_paths) : NULL;
}

struct err *diff_revision_read(struct arena *mem, const struct diff_revision *revision,
                               struct manifest_list *out, struct manifest_problems *problems)
{
    struct reading reading = { .mem = mem, .revision = revision, .out = out, .problems = problems };
    SCOPED_SCRATCH struct scratch scratch = { .keeper = -1 };
    TRY(scratch_make(mem, revision->tmp_dir, &scratch));
    reading.dir = scratch.dir;
    struct err *e = find(&reading);
    if (!e)
        e = list(&reading);
    if (!e)
        e = revision->manifest_generation ? generate(&reading)
                                          : read_plain(&reading, revision->git_paths);
    mirror_free(reading.mirror);
    return e;
}
