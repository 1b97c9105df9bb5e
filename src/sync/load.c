#include "sync/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/generate.h"

#define LOG_COMMITS_MAX  10000
#define PROBLEM_TEXT_MAX ((size_t)4 << 10)

struct load_list *load_list_new(const struct load_settings *settings, const char *rev,
                                const char *marker)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct load_list *job = arena_alloc(mem, sizeof(*job));
    job->settings = settings;
    job->mem = mem;
    job->rev = arena_strdup(mem, rev);
    job->marker = arena_strdup(mem, marker);
    return job;
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
    struct err *e = mirror_log(mirror, job->mem, job->marker, job->rev, paths, LOG_COMMITS_MAX,
                               false, &job->commits);
    if (!err_is(e, ERR_NOT_FOUND) || !*job->marker)
        return e;
    err_free(e);
    job->marker_is_lost = true;
    return mirror_log(mirror, job->mem, NULL, job->rev, paths, LOG_COMMITS_MAX, false,
                      &job->commits);
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

struct err *load_list_work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct load_list *job = at;
    if (job->wants_log)
        TRY(err_wrap(read_log(mirror, job), "reading the commits to be synced"));
    struct mirror_entries listed = { 0 };
    TRY(mirror_list(mirror, job->mem, job->rev, NULL, &listed));
    struct files_list tree = { 0 };
    for (size_t i = 0; i < listed.len; i++)
        *vec_push(job->mem, &tree) =
            (struct files_entry){ listed.at[i].path, listed.at[i].oid, listed.at[i].mode };
    const char *const *paths = job->settings->git_paths;
    if (job->settings->manifest_generation)
        TRY(run_generators(mirror, job, &tree, deadline_ms, &paths));
    bool has_plain = paths == job->settings->git_paths || *paths;
    return has_plain ? files_select(job->mem, tree.at, tree.len, paths, &job->files) : NULL;
}

/* -- reading --------------------------------------------------------------------------------------------------- */

static const char *scope_key(struct arena *mem, const char *api_version, const char *kind)
{
    return arena_printf(mem, "%s %s", api_version, kind);
}

struct load_read *load_read_new(const struct load_settings *settings, const char *rev,
                                const struct kube_discovery *discovery)
{
    static const char namespaced[] = "namespaced",
                      cluster[] = "cluster"; /* map values: where they point is what counts */
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct load_read *job = arena_alloc(mem, sizeof(*job));
    job->settings = settings;
    job->mem = mem;
    job->rev = arena_strdup(mem, rev);
    job->scopes = map_new(NULL);
    for (size_t i = 0; i < kube_discovery_len(discovery); i++) {
        const struct kube_resource *resource = kube_discovery_at(discovery, i);
        map_set(job->scopes, scope_key(mem, resource->api_version, resource->kind),
                (void *)(uintptr_t)(resource->is_namespaced ? namespaced : cluster));
    }
    return job;
}

void load_read_add(struct load_read *job, const struct files_entry *entry)
{
    *vec_push(job->mem, &job->entries) =
        (struct files_entry){ arena_strdup(job->mem, entry->path),
                              arena_strdup(job->mem, entry->oid), entry->mode };
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

static enum resolve_scope scope_of(struct load_read *job, struct arena *mem,
                                   const struct resolve_crds *crds, const struct manifest *manifest)
{
    const char *known = map_get(job->scopes, scope_key(mem, manifest->api_version, manifest->kind));
    if (known)
        return *known == 'n' ? RESOLVE_NAMESPACED : RESOLVE_CLUSTER;
    const struct resolve_crd *crd = resolve_crd_of(crds, manifest->api_version, manifest->kind);
    return crd ? crd->scope : RESOLVE_UNKNOWN;
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
    if (strlen(text) > PROBLEM_TEXT_MAX)
        text[PROBLEM_TEXT_MAX] = '\0';
    *vec_push(NULL, &file->problems) = text;
    if (problem->severity == MANIFEST_ERROR)
        file->is_broken = true;
}

/* One file as it was parsed, so that all are known (a CRD may define what another file uses) before any is resolved. */
struct parsed {
    struct inventory_file *file;
    struct manifest_list manifests;
    struct manifest_problems problems;
};

static void parse_entry(struct load_read *job, struct mirror *mirror,
                        const struct files_entry *entry, struct parsed *out)
{
    out->file = inventory_file_new(entry->path, entry->oid, entry->mode);
    *vec_push(NULL, &job->files) = out->file;
    const char *text = NULL;
    size_t len = 0;
    struct mirror_entry where = { entry->path, entry->oid, entry->mode };
    SCOPED(err_free)
    struct err *e = mirror_read(mirror, job->mem, job->rev, &where, LOAD_FILE_BYTES, &text, &len);
    if (e)
        manifest_report(
            job->mem, &out->problems,
            &(struct manifest_problem){ .path = entry->path, .severity = MANIFEST_ERROR }, "%s",
            err_text(e));
    else
        manifest_parse(job->mem, &(struct manifest_source){ .path = entry->path }, text, len,
                       &out->manifests, &out->problems);
}

static struct parsed *find_parsed(struct parsed *list, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(list[i].file->path, path))
            return &list[i];
    }
    return NULL;
}

/* What generators made, as files named after their configurations. */
static size_t take_generated(struct load_read *job, struct parsed *list, size_t used)
{
    size_t first = used;
    const struct manifest_list *made = &job->list->generated;
    for (size_t i = 0; i < made->len; i++) {
        struct parsed *one = find_parsed(list + first, used - first, made->at[i].path);
        if (!one) {
            one = &list[used++];
            one->file = inventory_file_new(made->at[i].path, "", 0);
            *vec_push(NULL, &job->files) = one->file;
        }
        *vec_push(job->mem, &one->manifests) = made->at[i];
    }
    for (size_t i = 0; i < job->list->problems.len; i++) {
        const struct manifest_problem *problem = &job->list->problems.at[i];
        struct parsed *one = find_parsed(list + first, used - first, problem->path);
        if (!one) {
            one = &list[used++];
            one->file = inventory_file_new(problem->path, "", 0);
            *vec_push(NULL, &job->files) = one->file;
        }
        *vec_push(job->mem, &one->problems) = *problem;
    }
    return used;
}

static void resolve_file(struct load_read *job, struct arena *mem, const struct resolve_crds *crds,
                         struct parsed *parsed)
{
    const struct resolve_settings settings = { .set_name = job->settings->set_name,
                                               .default_ns = job->settings->default_ns,
                                               .allowed_ns = job->settings->allowed_ns };
    for (size_t i = 0; i < parsed->manifests.len; i++) {
        const struct manifest *manifest = &parsed->manifests.at[i];
        struct resolved resolved = { 0 };
        resolve_manifest(mem, manifest, scope_of(job, mem, crds, manifest), &settings, &resolved);
        *vec_push(NULL, &parsed->file->objects) = new_object(&resolved);
    }
    for (size_t i = 0; i < parsed->problems.len; i++)
        add_problem(parsed->file, mem, &parsed->problems.at[i]);
}

struct err *load_read_work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct load_read *job = at;
    (void)deadline_ms; /* local work, bounded by the limits on files */
    size_t most =
        job->entries.len + (job->list ? job->list->generated.len + job->list->problems.len : 0);
    struct parsed *list = arena_alloc(job->mem, (most ? most : 1) * sizeof(*list));
    size_t used = 0;
    for (size_t i = 0; i < job->entries.len; i++)
        parse_entry(job, mirror, &job->entries.at[i], &list[used++]);
    if (job->list)
        used = take_generated(job, list, used);
    struct manifest_list all = { 0 };
    for (size_t i = 0; i < used; i++) {
        for (size_t k = 0; k < list[i].manifests.len; k++)
            *vec_push(job->mem, &all) = list[i].manifests.at[k];
    }
    struct resolve_crds crds = { 0 };
    resolve_find_crds(job->mem, all.at, all.len, &crds);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < used; i++) {
        resolve_file(job, mem, &crds, &list[i]);
        arena_reset(mem);
    }
    return NULL;
}
