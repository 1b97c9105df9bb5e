#include "sync/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sync/generate.h"

#define LOG_COMMITS_MAX  10000
#define NOTES_MAX        1000 /* commits whose notes are read */
#define DELTA_MAX        2000 /* changes; for more, the whole tree is looked at */
#define MODE_LINK        0120000u
#define LEADS_NOWHERE    "0000000000000000000000000000000000000000"
#define PROBLEM_TEXT_MAX ((size_t)4 << 10)
#define EVENT_TEXT_MAX   ((size_t)4 << 10)
#define GENERATED_IS_ENCRYPTED                                                                 \
    "encrypted with SOPS, and made by a generator: what generators make is not decrypted, so " \
    "have "                                                                                    \
    "the generator decrypt it"
#define STILL_ENCRYPTED "encrypted with SOPS, and not decrypted: nothing of it is applied"

struct load_list *load_list_new(const struct load_settings *settings, const char *rev,
                                const char *marker)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct load_list *job = arena_alloc(mem, sizeof(*job));
    job->settings = settings;
    job->mem = mem;
    job->rev = arena_strdup(mem, rev);
    job->marker = arena_strdup(mem, marker);
    job->base = "";
    return job;
}

void load_list_base(struct load_list *job, const char *base)
{
    job->base = arena_strdup(job->mem, base);
}

static void add_copy(struct arena *mem, struct files_list *list, const struct files_entry *entry)
{
    *vec_push(mem, list) = (struct files_entry){ arena_strdup(mem, entry->path),
                                                 arena_strdup(mem, entry->oid), entry->mode };
}

void load_list_add_link(struct load_list *job, const struct files_entry *link)
{
    add_copy(job->mem, &job->links, link);
}

void load_list_free(struct load_list *job)
{
    if (job)
        arena_free(job->mem);
}

/* A marker that the repository does not have (force-push seen after a restart, gitops.md 2.4) is as good as none. */
static struct err *read_log(struct mirror *mirror, struct load_list *job)
{
    const char *const *paths = job->settings->manifest_generation ? NULL : job->settings->git_paths;
    if (!*job->marker && mirror_is_shallow(mirror)) /* all is news, and not fetched to be counted */
        return mirror_log(mirror, job->mem, NULL, job->rev, NULL, 1, false, &job->commits);
    struct err *e = mirror_log(mirror, job->mem, job->marker, job->rev, paths, LOG_COMMITS_MAX,
                               false, &job->commits);
    if (!err_is(e, ERR_NOT_FOUND) || !*job->marker)
        return e;
    err_free(e);
    job->marker_is_lost = true;
    return mirror_log(mirror, job->mem, NULL, job->rev, paths, LOG_COMMITS_MAX, false,
                      &job->commits);
}

/* What releases did in these commits. Without a marker nobody knows which of all commits are news. */
static void read_release_notes(struct mirror *mirror, struct load_list *job)
{
    const struct load_settings *settings = job->settings;
    const char *ref = settings->release_notes_ref;
    bool is_wanted = ref && *ref && settings->release_event && *job->marker && !job->marker_is_lost;
    for (size_t i = job->commits.len; is_wanted && i > 0 && job->commits.len <= NOTES_MAX; i--) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        const char *note = NULL;
        SCOPED(err_free)
        struct err *e = mirror_note_read(mirror, mem, ref, job->commits.at[i - 1].sha, &note);
        const char *text = !e && note ? settings->release_event(mem, note) : "";
        if (*text)
            *vec_push(job->mem, &job->release_events) =
                arena_strndup(job->mem, text, utf8_fit(text, EVENT_TEXT_MAX));
    }
}

static struct err *run_generators(struct mirror *mirror, struct load_list *job,
                                  const struct files_list *tree, int64_t deadline_ms,
                                  const char *const **plain)
{
    struct generate_result made = { 0 };
    struct generate_opts opts = { .mirror = mirror,
                                  .rev = job->rev,
                                  .entries = tree->at,
                                  .entry_count = tree->len,
                                  .git_paths = job->settings->git_paths,
                                  .default_timeout_ms = job->settings->generator_timeout_ms,
                                  .deadline_ms = deadline_ms };
    TRY(generate_run(job->mem, &opts, &made));
    job->generated = made.manifests;
    job->problems = made.problems;
    *plain = made.plain_count || made.config_count ? made.plain_paths : job->settings->git_paths;
    return NULL;
}

/* A symlink stands for what it leads to, so its id here is that one's: a change of the target is a change of the manifest. */
static void follow_link(struct mirror *mirror, struct load_list *job, struct files_entry *entry)
{
    char oid[MIRROR_SHA_BYTES];
    if (entry->mode != MODE_LINK)
        return;
    SCOPED(err_free)
    struct err *e = mirror_file_id(mirror, job->mem, job->rev, entry->path, oid);
    entry->oid = e ? LEADS_NOWHERE : arena_strdup(job->mem, oid);
}

/* -- everything ------------------------------------------------------------------------------------------------ */

static struct err *list_all(struct mirror *mirror, struct load_list *job, int64_t deadline_ms)
{
    struct mirror_entries listed = { 0 };
    TRY(mirror_list(mirror, job->mem, job->rev, NULL, &listed));
    struct files_list tree = { 0 };
    for (size_t i = 0; i < listed.len; i++)
        *vec_push(job->mem, &tree) =
            (struct files_entry){ listed.at[i].path, listed.at[i].oid, listed.at[i].mode };
    const struct reveal_source source = { mirror, job->rev };
    TRY(reveal_list(reveal_new(job->mem, job->settings->reveal, &source), &tree));
    const char *const *paths = job->settings->git_paths;
    if (job->settings->manifest_generation)
        TRY(run_generators(mirror, job, &tree, deadline_ms, &paths));
    if (paths != job->settings->git_paths && !*paths)
        return NULL;
    TRY(files_select(job->mem, tree.at, tree.len, paths, &job->files));
    for (size_t i = 0; i < job->files.len; i++)
        follow_link(mirror, job, &job->files.at[i]);
    return NULL;
}

/* -- only what has changed ------------------------------------------------------------------------------------- */

struct delta {
    struct load_list *job;
    struct mirror *mirror;
    struct mirror_changes changes;
    VEC(const char *) paths; /* clean; NULL-terminated */
    struct map *charts;      /* directory -> is_chart or is_none */
    struct map *seen;        /* paths of what has changed itself */
};

static const char is_chart[] = "chart", is_none[] = "none";

static void delta_fini(struct delta *delta)
{
    map_free(delta->charts);
    map_free(delta->seen);
}
DEFINE_SCOPED(struct delta, delta_fini)

static bool has_file(const struct delta *delta, const char *dir, const char *name)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *path = arena_printf(mem, "%s%s%s", dir, *dir ? "/" : "", name);
    return mirror_has(delta->mirror, mem, delta->job->rev, path);
}

/* As files_select decides it, but by looking at the directories above this one file. */
static bool is_in_chart(const struct delta *delta, const char *path)
{
    char *dir = arena_strdup(delta->job->mem, path);
    for (bool is_root = false; !is_root;) {
        char *slash = strrchr(dir, '/');
        is_root = !slash;
        *(slash ? slash : dir) = '\0';
        const char *known = map_get(delta->charts, dir);
        if (!known) {
            bool has_both = has_file(delta, dir, FILES_CHART) && has_file(delta, dir, FILES_VALUES);
            known = has_both ? is_chart : is_none;
            map_set(delta->charts, dir, (void *)(uintptr_t)known);
        }
        if (known == is_chart)
            return true;
    }
    return false;
}

/* What git-secret reveals is listed with the whole tree. */
static bool is_of_git_secret(const struct delta *delta, const struct mirror_change *change)
{
    struct load_list *job = delta->job;
    const struct reveal_settings *settings = job->settings->reveal;
    if (!settings || !settings->git_secret)
        return false;
    const char *hidden = arena_printf(job->mem, "%s" ENCRYPTED_SUFFIX, change->path);
    return encrypted_is_of_git_secret(change->path) ||
           mirror_has(delta->mirror, job->mem, job->rev, hidden);
}

/* False: the changes cannot tell what is a manifest now. ERR_INVALID: a git path that is none. */
static struct err *is_delta_possible(struct delta *delta, bool *out)
{
    struct load_list *job = delta->job;
    *out = delta->changes.len <= DELTA_MAX;
    for (size_t i = 0; *out && i < delta->changes.len; i++) {
        const struct mirror_change *change = &delta->changes.at[i];
        *out = (change->kind == MIRROR_MODIFIED || !files_is_of_chart(change->path)) &&
               !is_of_git_secret(delta, change);
    }
    const char *const *paths = job->settings->git_paths;
    for (; *out && paths && *paths; paths++) {
        const char *clean;
        TRY(files_clean_path(job->mem, *paths, &clean));
        *vec_push(job->mem, &delta->paths) = clean;
        *out = mirror_has(delta->mirror, job->mem, job->rev, clean);
    }
    if (!delta->paths.len)
        *vec_push(job->mem, &delta->paths) = "";
    *vec_push(job->mem, &delta->paths) = NULL;
    return NULL;
}

static void take_change(struct delta *delta, const struct mirror_change *change)
{
    struct load_list *job = delta->job;
    struct files_entry entry = { change->path, change->oid, change->mode };
    bool is_manifest = change->kind != MIRROR_GONE && files_is_candidate(&entry, delta->paths.at) &&
                       !is_in_chart(delta, change->path);
    map_set(delta->seen, change->path, delta);
    if (!is_manifest) {
        *vec_push(job->mem, &job->gone) = change->path;
        return;
    }
    follow_link(delta->mirror, job, &entry);
    *vec_push(job->mem, &job->files) = entry;
}

static void take_link(struct delta *delta, const struct files_entry *link)
{
    struct files_entry entry = *link;
    if (map_get(delta->seen, link->path))
        return;
    follow_link(delta->mirror, delta->job, &entry);
    if (strcmp(entry.oid, link->oid) != 0)
        *vec_push(delta->job->mem, &delta->job->files) = entry;
}

static struct err *list_changes(struct mirror *mirror, struct load_list *job)
{
    struct delta self = {
        .job = job, .mirror = mirror, .charts = map_new(NULL), .seen = map_new(NULL)
    };
    SCOPED(delta_fini) struct delta *delta = &self;
    TRY(mirror_compare(mirror, job->mem, job->base, job->rev, &delta->changes));
    TRY(is_delta_possible(delta, &job->is_delta));
    for (size_t i = 0; job->is_delta && i < delta->changes.len; i++)
        take_change(delta, &delta->changes.at[i]);
    for (size_t i = 0; job->is_delta && delta->changes.len && i < job->links.len; i++)
        take_link(delta, &job->links.at[i]);
    return NULL;
}

struct err *load_list_work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct load_list *job = at;
    if (job->wants_log)
        TRY(err_wrap(read_log(mirror, job), "reading the commits to be synced"));
    if (job->wants_log)
        read_release_notes(mirror, job);
    if (*job->base && !job->settings->manifest_generation) {
        SCOPED(err_free) struct err *e = list_changes(mirror, job);
        job->is_delta = job->is_delta && !e; /* what is wrong is met again, and told, below */
    }
    return job->is_delta ? NULL : list_all(mirror, job, deadline_ms);
}

/* -- reading --------------------------------------------------------------------------------------------------- */

/* Values of the map of scopes: where they point is what counts. */
static const char scope_namespaced[] = "namespaced", scope_cluster[] = "cluster";

static const char *scope_key(struct arena *mem, const char *api_version, const char *kind)
{
    return arena_printf(mem, "%s %s", api_version, kind);
}

struct load_read *load_read_new(const struct load_settings *settings, const char *rev,
                                const struct kube_discovery *discovery)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct load_read *job = arena_alloc(mem, sizeof(*job));
    job->settings = settings;
    job->mem = mem;
    job->rev = arena_strdup(mem, rev);
    job->scopes = map_new(NULL);
    for (size_t i = 0; i < kube_discovery_len(discovery); i++) {
        const struct kube_resource *resource = kube_discovery_at(discovery, i);
        map_set(job->scopes, scope_key(mem, resource->api_version, resource->kind),
                (void *)(uintptr_t)(resource->is_namespaced ? scope_namespaced : scope_cluster));
    }
    return job;
}

void load_read_add(struct load_read *job, const struct files_entry *entry)
{
    add_copy(job->mem, &job->entries, entry);
}

void load_read_free(struct load_read *job)
{
    if (!job)
        return;
    for (size_t i = 0; i < job->files.len; i++)
        inventory_file_free(job->files.at[i]);
    vec_fini(&job->files);
    map_free(job->scopes);
    arena_free(job->mem);
}

static enum resolve_scope scope_of(const struct load_read *job, struct arena *mem,
                                   const struct manifest *manifest)
{
    const char *known = map_get(job->scopes, scope_key(mem, manifest->api_version, manifest->kind));
    if (!known)
        return RESOLVE_UNKNOWN;
    return known == scope_namespaced ? RESOLVE_NAMESPACED : RESOLVE_CLUSTER;
}

/* Kinds that these manifests define themselves; what the cluster says of a kind comes first. */
static void learn_kinds(struct load_read *job, struct arena *mem,
                        const struct manifest_list *manifests)
{
    struct resolve_crds crds = { 0 };
    resolve_find_crds(mem, manifests->at, manifests->len, &crds);
    for (size_t i = 0; i < crds.len; i++) {
        const struct resolve_crd *crd = &crds.at[i];
        const char *scope = crd->scope == RESOLVE_CLUSTER ? scope_cluster : scope_namespaced;
        for (size_t k = 0; k < crd->version_count && crd->scope != RESOLVE_UNKNOWN; k++) {
            const char *api_version = arena_printf(mem, "%s/%s", crd->group, crd->versions[k]);
            const char *key = scope_key(mem, api_version, crd->kind);
            if (!map_get(job->scopes, key))
                map_set(job->scopes, key, (void *)(uintptr_t)scope);
        }
    }
}

static enum sync_outcome outcome_of(enum resolve_verdict verdict)
{
    switch (verdict) {
    case RESOLVE_APPLY: return SYNC_PENDING;
    case RESOLVE_IGNORED:
    case RESOLVE_EXCLUDED: return SYNC_SKIPPED;
    case RESOLVE_NO_SCOPE: return SYNC_UNKNOWN_KIND;
    case RESOLVE_TOO_LARGE:
    case RESOLVE_DUPLICATE: return SYNC_FAILED;
    }
    return SYNC_FAILED;
}

static struct inventory_object *new_object(const struct resolved *from)
{
    struct inventory_object *object = inventory_object_new(from->id);
    object->api_version = base_copy_text(from->api_version);
    object->kind = base_copy_text(from->kind);
    object->ns = base_copy_text(from->ns ? from->ns : "");
    object->name = base_copy_text(from->name);
    object->path = base_copy_text(from->manifest->path);
    object->line = from->manifest->line;
    object->rank = from->rank;
    object->is_cluster_scoped = from->is_cluster_scoped;
    object->is_generated = from->manifest->is_generated;
    object->is_encrypted = from->manifest->is_encrypted;
    object->body = base_copy_text(from->body);
    object->mark = base_copy_text(from->mark);
    object->checksum = base_copy_text(from->checksum);
    object->other_id = base_copy_text(from->other_id);
    object->scale_target = base_copy_text(from->scale_target);
    object->outcome = outcome_of(from->verdict);
    object->message = from->reason && *from->reason ? base_copy_text(from->reason) : NULL;
    memcpy(object->body_print, from->print, sizeof(object->body_print));
    return object;
}

static void add_problem(struct inventory_file *file, struct arena *mem,
                        const struct manifest_problem *problem)
{
    char *text = base_copy_text(manifest_problem_format(mem, problem));
    text[utf8_fit(text, PROBLEM_TEXT_MAX)] = '\0';
    *vec_push(NULL, &file->problems) = text;
    if (problem->severity == MANIFEST_ERROR)
        file->is_broken = true;
}

/* One file as it was parsed. */
struct parsed {
    const char *path, *oid;
    unsigned mode;
    struct manifest_list manifests;
    struct manifest_problems problems;
    bool is_hidden, may_retry; /* as in inventory_file */
};

/* What the file itself is to blame for is not read again until it changes. */
static void note_hidden(struct parsed *parsed, const struct reveal_text *file, const struct err *e)
{
    parsed->is_hidden = file->was_encrypted && !err_is(e, ERR_INVALID);
    parsed->may_retry = file->was_encrypted && err_is(e, ERR_TRANSIENT);
}

static void parse_entry(struct load_read *job, struct arena *mem, const struct files_entry *entry,
                        struct parsed *out)
{
    *out = (struct parsed){ .path = entry->path, .oid = entry->oid, .mode = entry->mode };
    struct reveal_text file;
    SCOPED(err_free) struct err *e = reveal_read(job->reveal, mem, entry, &file);
    struct manifest_problem problem = { .path = entry->path, .severity = MANIFEST_ERROR };
    if (e) {
        manifest_report(mem, &out->problems, &problem, "%s", err_text(e));
        note_hidden(out, &file, e);
        return;
    }
    const struct manifest_source source = { .path = entry->path,
                                            .is_encrypted = file.was_encrypted };
    manifest_parse(mem, &source, file.text, file.len, &out->manifests, &out->problems);
    encrypted_refuse(mem, &out->manifests, &out->problems, STILL_ENCRYPTED);
}

static void add_file(struct load_read *job, struct arena *mem, const struct parsed *parsed)
{
    const struct resolve_settings settings = { .set_name = job->settings->set_name,
                                               .default_ns = job->settings->default_ns,
                                               .allowed_ns = job->settings->allowed_ns };
    struct inventory_file *file = inventory_file_new(parsed->path, parsed->oid, parsed->mode);
    file->is_hidden = parsed->is_hidden;
    file->may_retry = parsed->may_retry;
    *vec_push(NULL, &job->files) = file;
    for (size_t i = 0; i < parsed->manifests.len; i++) {
        const struct manifest *manifest = &parsed->manifests.at[i];
        struct resolved resolved = { 0 };
        resolve_manifest(mem, manifest, scope_of(job, mem, manifest), &settings, &resolved);
        *vec_push(NULL, &file->objects) = new_object(&resolved);
    }
    for (size_t i = 0; i < parsed->problems.len; i++)
        add_problem(file, mem, &parsed->problems.at[i]);
}

static bool has_unknown_kind(const struct load_read *job, struct arena *mem,
                             const struct parsed *parsed)
{
    for (size_t i = 0; i < parsed->manifests.len; i++) {
        if (scope_of(job, mem, &parsed->manifests.at[i]) == RESOLVE_UNKNOWN)
            return true;
    }
    return false;
}

/* One file at a time is in memory. A file with kinds that are not known is put off (a file further on may define them) and
 * read again when all were read. */
static void read_entries(struct load_read *job, const struct files_list *entries,
                         struct files_list *put_off)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < entries->len; i++) {
        struct parsed parsed;
        parse_entry(job, mem, &entries->at[i], &parsed);
        learn_kinds(job, mem, &parsed.manifests);
        if (put_off && has_unknown_kind(job, mem, &parsed))
            *vec_push(job->mem, put_off) = entries->at[i];
        else
            add_file(job, mem, &parsed);
        arena_reset(mem);
    }
}

static struct parsed *need_parsed(struct arena *mem, struct parsed *list, size_t *count,
                                  const char *path)
{
    for (size_t i = 0; i < *count; i++) {
        if (!strcmp(list[i].path, path))
            return &list[i];
    }
    list[*count] = (struct parsed){ .path = arena_strdup(mem, path), .oid = "" };
    return &list[(*count)++];
}

/* What generators made, as files named after their configurations. */
static void add_generated(struct load_read *job)
{
    const struct load_list *made = job->list;
    size_t most = made->generated.len + made->problems.len, count = 0;
    struct parsed *list = arena_alloc(job->mem, (most + 1) * sizeof(*list));
    for (size_t i = 0; i < made->generated.len; i++) {
        struct parsed *one = need_parsed(job->mem, list, &count, made->generated.at[i].path);
        *vec_push(job->mem, &one->manifests) = made->generated.at[i];
    }
    for (size_t i = 0; i < made->problems.len; i++) {
        struct parsed *one = need_parsed(job->mem, list, &count, made->problems.at[i].path);
        *vec_push(job->mem, &one->problems) = made->problems.at[i];
    }
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < count; i++) {
        encrypted_refuse(job->mem, &list[i].manifests, &list[i].problems, GENERATED_IS_ENCRYPTED);
        add_file(job, mem, &list[i]);
        arena_reset(mem);
    }
}

struct err *load_read_work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct load_read *job = at;
    (void)deadline_ms; /* local work, bounded by the limits on files */
    if (job->list)
        learn_kinds(job, job->mem, &job->list->generated);
    struct files_list put_off = { 0 };
    const struct reveal_source source = { mirror, job->rev };
    job->reveal = reveal_new(job->mem, job->settings->reveal, &source);
    reveal_prepare(job->reveal, &job->entries);
    read_entries(job, &job->entries, &put_off);
    read_entries(job, &put_off, NULL);
    if (job->list)
        add_generated(job);
    return NULL;
}
