/* What a release looks at: the files of the head that say something of its workloads, these workloads as they run, the tags of
 * their images.
 *
 * sync knows in which file an object of the revision it has loaded stands. So of thousands of files those are read that declare
 * what is asked for, and those that changed since; of all others their workloads are known by name, which is enough to say that
 * they are not included. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "doc/object.h"
#include "image/place.h"
#include "image/policy.h"
#include "release/run.h"
#include "sync/files.h"
#include "sync/generate.h"

#define SURVEY_BYTES  ((size_t)64 << 20) /* of all files that one release reads */
#define SURVEY_MEMORY ((size_t)1 << 30)  /* that what they say takes */
#define FILE_BYTES    ((size_t)16 << 20)
#define CHANGES_MAX   2000  /* for more, everything is read */
#define TAGS_AUTO_MS  30000 /* automation has just been told of them */
#define TAGS_WAIT_MS  20000
#define POLICY_PREFIX "fluxcd.io/"

/* A workload by name: what sync knows of it. */
struct known {
    const char *id, *ns, *kind, *name, *path;
};

struct releases_look {
    struct releases_run *run;
    const char *base; /* the revision that `known` is of; "" : nothing is known */
    VEC(struct known) known;
    struct map *wanted; /* paths */
    struct map *read;   /* paths that were read */
    struct map *there;  /* paths of all manifests */
    size_t bytes;
};

/* --- on the loop: what is known */

static void want_object(struct releases_look *look, const char *id)
{
    struct sync_object_status object;
    if (sync_object_find(look->run->releases->opts.sync, id, &object))
        map_set(look->wanted, object.path, look);
}

static void want_ids(struct releases_look *look, const char *const *ids)
{
    for (; ids && *ids; ids++)
        want_object(look, *ids);
}

static bool is_of_all(const struct release_spec *spec)
{
    for (const char *const *id = spec->workloads; id && *id; id++) {
        if (strcmp(*id, RELEASE_ALL) == 0)
            return true;
    }
    return false;
}

static void want_spec(struct releases_look *look)
{
    const struct release_spec *spec = &look->run->spec;
    want_ids(look, spec->workloads);
    for (size_t i = 0; i < spec->container_count; i++)
        want_object(look, spec->containers[i].id);
    for (size_t i = 0; i < spec->policy_count; i++)
        want_object(look, spec->policies[i].id);
}

static void list_known(struct releases_look *look, bool wants_all)
{
    struct arena *mem = look->run->mem;
    struct sync_object_status object;
    for (size_t i = 0; sync_object_at(look->run->releases->opts.sync, i, &object); i++) {
        if (!image_place_is_workload(object.kind))
            continue;
        if (wants_all)
            map_set(look->wanted, object.path, look);
        *vec_push(mem, &look->known) = (struct known){ .id = arena_strdup(mem, object.id),
                                                       .ns = arena_strdup(mem, object.ns),
                                                       .kind = arena_strdup(mem, object.kind),
                                                       .name = arena_strdup(mem, object.name),
                                                       .path = arena_strdup(mem, object.path) };
    }
}

/* --- on the worker: the files */

static struct err *add_file(struct releases_look *look, struct mirror *mirror,
                            const struct files_entry *entry)
{
    struct releases_run *run = look->run;
    const struct mirror_entry where = { entry->path, entry->oid, entry->mode };
    struct release_file file = { .path = entry->path };
    struct err *e =
        mirror_read(mirror, run->mem, run->head, &where, FILE_BYTES, &file.text, &file.len);
    if (e) { /* a symlink that leads nowhere, a file that is too large: sync tells of it, too */
        const struct manifest_problem at = { .path = entry->path, .severity = MANIFEST_ERROR };
        manifest_report(run->mem, &run->survey.problems, &at, "%s", err_text(e));
        err_free(e);
        return NULL;
    }
    look->bytes += file.len;
    if (look->bytes > SURVEY_BYTES)
        return err_new(ERR_LIMIT, "the files to be read are over %zu MiB: name the workloads",
                       SURVEY_BYTES >> 20);
    map_set(look->read, entry->path, look);
    *vec_push(run->mem, &run->texts.files) = file;
    release_survey_add(run->mem, &run->survey, &file, run->releases->opts.default_ns);
    return arena_used(run->mem) <= SURVEY_MEMORY
               ? NULL
               : err_new(ERR_LIMIT, "the files to be read say too much: name the workloads");
}

/* Whether sync's knowledge can be used; what has changed since is wanted then. */
static bool use_known(struct releases_look *look, struct mirror *mirror)
{
    struct releases_run *run = look->run;
    struct mirror_changes changes = { 0 };
    if (!*look->base)
        return false;
    SCOPED(err_free)
    struct err *e = mirror_compare(mirror, run->mem, look->base, run->head, &changes);
    if (e || changes.len > CHANGES_MAX)
        return false;
    for (size_t i = 0; i < changes.len; i++)
        map_set(look->wanted, changes.at[i].path, look);
    return true;
}

/* A generator that fails leaves us without knowing what it would have made. */
static struct err *check_generated(struct arena *mem, const struct generate_result *made)
{
    for (size_t i = 0; i < made->problems.len; i++) {
        const struct manifest_problem *problem = &made->problems.at[i];
        if (problem->severity == MANIFEST_ERROR)
            return err_new(ERR_INVALID, "%s", manifest_problem_format(mem, problem));
    }
    return NULL;
}

static struct err *generate(struct releases_look *look, struct mirror *mirror,
                            const struct files_list *tree, int64_t deadline_ms,
                            const char *const **plain)
{
    struct releases_run *run = look->run;
    const struct releases_opts *opts = &run->releases->opts;
    struct generate_result made = { 0 };
    TRY(generate_run(run->mem,
                     &(struct generate_opts){ .mirror = mirror,
                                              .rev = run->head,
                                              .entries = tree->at,
                                              .entry_count = tree->len,
                                              .git_paths = opts->git_paths,
                                              .default_timeout_ms = opts->job_timeout_ms,
                                              .deadline_ms = deadline_ms },
                     &made));
    TRY(check_generated(run->mem, &made));
    if (made.plain_count || made.config_count)
        *plain = made.plain_paths;
    release_survey_add_manifests(run->mem, &run->survey, &made.manifests, opts->default_ns);
    return NULL;
}

struct err *releases_look_list_tree(const struct releases_run *run, struct mirror *mirror,
                                    struct files_list *tree)
{
    struct mirror_entries listed = { 0 };
    TRY(mirror_list(mirror, run->mem, run->head, NULL, &listed));
    for (size_t i = 0; i < listed.len; i++)
        *vec_push(run->mem, tree) =
            (struct files_entry){ listed.at[i].path, listed.at[i].oid, listed.at[i].mode };
    return NULL;
}

static void add_known(struct releases_look *look)
{
    struct releases_run *run = look->run;
    for (size_t i = 0; i < look->known.len; i++) {
        const struct known *known = &look->known.at[i];
        if (map_get(look->read, known->path) || !map_get(look->there, known->path))
            continue;
        *vec_push(run->mem, &run->survey) =
            (struct release_workload){ .id = known->id,
                                       .ns = known->ns,
                                       .kind = known->kind,
                                       .name = known->name,
                                       .path = known->path,
                                       .manifest = val_new_map(run->mem),
                                       .policies = val_new_map(run->mem),
                                       .is_workload = true };
    }
}

static bool names_missing(const struct releases_run *run)
{
    const struct release_spec *spec = &run->spec;
    for (const char *const *id = spec->workloads; id && *id; id++) {
        if (strcmp(*id, RELEASE_ALL) != 0 && !release_survey_find(&run->survey, *id))
            return true;
    }
    for (size_t i = 0; i < spec->policy_count; i++) {
        if (!release_survey_find(&run->survey, spec->policies[i].id))
            return true;
    }
    return false;
}

/* Those that are wanted, or all that were not read before. */
static struct err *read_some(struct releases_look *look, struct mirror *mirror,
                             const struct files_list *files, bool is_all)
{
    for (size_t i = 0; i < files->len; i++) {
        const char *path = files->at[i].path;
        map_set(look->there, path, look);
        if ((is_all || map_get(look->wanted, path)) && !map_get(look->read, path))
            TRY(add_file(look, mirror, &files->at[i]));
    }
    release_survey_seal(look->run->mem, &look->run->survey);
    return NULL;
}

static struct err *read_files(struct releases_look *look, struct mirror *mirror,
                              int64_t deadline_ms)
{
    struct releases_run *run = look->run;
    const struct releases_opts *opts = &run->releases->opts;
    struct files_list tree = { 0 }, files = { 0 };
    const char *const *paths = opts->git_paths;
    TRY(releases_look_list_tree(run, mirror, &tree));
    if (opts->manifest_generation)
        TRY(generate(look, mirror, &tree, deadline_ms, &paths));
    bool is_all = opts->manifest_generation || !use_known(look, mirror);
    if (paths == opts->git_paths || *paths)
        TRY(files_select(run->mem, tree.at, tree.len, paths, &files));
    TRY(read_some(look, mirror, &files, is_all));
    if (is_all)
        return NULL;
    if (names_missing(run)) /* where it is nobody knows, or it is in a file that cannot be read */
        return read_some(look, mirror, &files, true);
    add_known(look);
    release_survey_seal(run->mem, &run->survey);
    return NULL;
}

static struct err *look_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct err *e = read_files(((struct releases_run *)job)->look, mirror, deadline_ms);
    return err_wrap(e, "loading resources from repo");
}

static void blame_missing(struct releases_run *run, const char *text)
{
    for (size_t i = 0; i < run->spec.policy_count; i++) {
        const char *id = run->spec.policies[i].id;
        if (!release_survey_find(&run->survey, id))
            release_result_add(run->mem, &run->result, id, RELEASE_FAILED, text);
    }
    release_result_sort(&run->result);
}

/* A workload that is nowhere may be in a file that cannot be read: that is what has to be said then. */
static struct err *check_problems(struct releases_run *run)
{
    const struct manifest_problems *problems = &run->survey.problems;
    for (size_t i = 0; i < problems->len; i++) {
        const struct manifest_problem *problem = &problems->at[i];
        if (problem->severity != MANIFEST_ERROR)
            continue;
        const char *text = manifest_problem_format(run->mem, problem);
        if (names_missing(run)) {
            blame_missing(run, text);
            return err_new(ERR_INVALID, "loading resources from repo: %s", text);
        }
        log_warn(run->releases->opts.log, F("component", "daemon"), F("jobID", run->job_id),
                 F("warning", "not released: a file that cannot be read"), F("err", text));
    }
    return NULL;
}

static void on_looked(void *job, struct err *e)
{
    struct releases_run *run = job;
    if (!releases_run_is_back(run)) {
        err_free(e);
        return;
    }
    releases_run_next(run, e ? e : check_problems(run));
}

void releases_look_at_files(struct releases_run *run)
{
    struct sync_status status;
    struct releases_look *look = run->look = arena_alloc(run->mem, sizeof(*look));
    look->run = run;
    look->wanted = map_new_in(run->mem);
    look->read = map_new_in(run->mem);
    look->there = map_new_in(run->mem);
    sync_status(run->releases->opts.sync, &status);
    look->base = arena_strdup(run->mem, status.loaded);
    want_spec(look);
    list_known(look, is_of_all(&run->spec));
    run->is_out = true;
    source_run(run->releases->opts.source, &(struct source_job){ look_work, on_looked }, run);
}

/* --- the cluster */

static struct val *live_policies(struct arena *mem, const struct val *object)
{
    const struct val *annotations = VAL_PATH(object, "metadata", "annotations");
    struct val *ours = val_new_map(mem);
    for (size_t i = 0; val_is_map(annotations) && i < annotations->len; i++) {
        const struct val_pair *pair = &annotations->pairs[i];
        if (strncmp(pair->key, POLICY_PREFIX, strlen(POLICY_PREFIX)) == 0)
            val_set(mem, ours, pair->key, val_copy(mem, pair->value));
    }
    return image_policy_read(mem, ours);
}

/* What is borrowed for a callback, kept for the run. */
static const struct image_workload *copy_workload(struct arena *mem,
                                                  const struct image_workload *from)
{
    struct image_workload *copy = arena_alloc(mem, sizeof(*copy));
    *copy = (struct image_workload){ .id = arena_strdup(mem, from->id),
                                     .ns = arena_strdup(mem, from->ns),
                                     .status = arena_strdup(mem, from->status),
                                     .antecedent = arena_strdup(mem, from->antecedent),
                                     .rollout = from->rollout };
    copy->rollout.messages = NULL;
    for (size_t i = 0; i < from->containers.len; i++)
        *vec_push(mem, &copy->containers) =
            (struct image_container){ .name = arena_strdup(mem, from->containers.at[i].name),
                                      .image = arena_strdup(mem, from->containers.at[i].image) };
    return copy;
}

static void on_live(void *ctx, const struct val *object, const struct image_workload *workload)
{
    struct releases_run *run = ctx;
    *vec_push(run->mem, &run->live) =
        (struct release_live){ .workload = copy_workload(run->mem, workload),
                               .policies = live_policies(run->mem, object) };
}

static void on_live_done(void *ctx, const struct err *e)
{
    struct releases_run *run = ctx;
    run->live_list = NULL;
    releases_run_next(run, err_copy(e));
}

void releases_look_at_cluster(struct releases_run *run)
{
    const struct releases_opts *opts = &run->releases->opts;
    release_select_needs(run->mem, &run->spec, &run->survey, &run->needs);
    if (!run->needs.ids || !*run->needs.ids) {
        releases_run_next(run, NULL);
        return;
    }
    run->live_list = image_live_start(&(struct image_live_opts){ .loop = opts->loop,
                                                                 .kube = opts->kube,
                                                                 .discovery = opts->discovery,
                                                                 .log = opts->log,
                                                                 .ids = run->needs.ids,
                                                                 .allowed_ns = opts->allowed_ns },
                                      on_live, on_live_done, run);
}

/* --- tags */

/* One repository of images, and who uses it. */
struct wish {
    struct image_ref ref;
    VEC(const char *) patterns;
    const char *ns;
    struct image_pull pull;
};

struct wishes {
    struct releases_run *run;
    const char *one_tag; /* the pattern of it, for a release of one image; NULL */
    VEC(struct wish) list;
    struct map *by_name; /* canonical name -> index + 1 */
};

static struct wish *find_wish(struct wishes *wishes, const struct image_ref *ref)
{
    const char *name = image_ref_canonical_name(wishes->run->mem, ref);
    size_t index = (size_t)(uintptr_t)map_get(wishes->by_name, name);
    return index ? &wishes->list.at[index - 1] : NULL;
}

static void add_wish(struct wishes *wishes, const char *image)
{
    struct arena *mem = wishes->run->mem;
    struct image_ref ref;
    SCOPED(err_free) struct err *e = image_ref_parse(mem, image, &ref);
    if (e || find_wish(wishes, &ref))
        return;
    struct wish *wish = vec_push(mem, &wishes->list);
    *wish = (struct wish){ .ref = ref, .ns = "" };
    if (wishes->one_tag)
        *vec_push(mem, &wish->patterns) = wishes->one_tag;
    map_set(wishes->by_name, image_ref_canonical_name(mem, &ref),
            (void *)(uintptr_t)wishes->list.len);
}

static void use_container(struct wishes *wishes, const struct release_workload *workload,
                          const struct image_container *container)
{
    struct arena *mem = wishes->run->mem;
    struct image_ref ref;
    SCOPED(err_free) struct err *e = image_ref_parse(mem, container->image, &ref);
    struct wish *wish = e ? NULL : find_wish(wishes, &ref);
    if (!wish)
        return;
    if (!*wish->ns) {
        wish->ns = workload->ns;
        image_place_pull(mem, workload->manifest, &wish->pull);
    }
    const char *pattern = image_policy_tag(workload->policies, container->name);
    if (wishes->one_tag)
        return;
    *vec_push(mem, &wish->patterns) = pattern ? pattern : "glob:*";
    if (*ref.tag)
        *vec_push(mem, &wish->patterns) = arena_printf(mem, "glob:%s", ref.tag);
}

static void use_workloads(struct wishes *wishes)
{
    const struct releases_run *run = wishes->run;
    for (size_t i = 0; i < run->live.len; i++) {
        const struct image_workload *live = run->live.at[i].workload;
        const struct release_workload *workload = release_survey_find(&run->survey, live->id);
        for (size_t c = 0; workload && c < live->containers.len; c++)
            use_container(wishes, workload, &live->containers.at[c]);
    }
}

static void on_tags(void *ctx)
{
    struct releases_run *run = ctx;
    run->tags = 0;
    releases_run_next(run, NULL);
}

/* Somebody who asks has seen what was pushed before: nothing that was listed earlier will do, nor what was of no use then. */
static int64_t tags_age_ms(struct releases_run *run, const struct image_ref *one)
{
    struct image_scans *scans = run->releases->opts.scans;
    const char *name = one ? image_ref_canonical_name(run->mem, one) : NULL;
    const struct image_repo *repo = name ? image_scans_find(scans, name) : NULL;
    const struct image_info *info = repo ? image_repo_find(repo, one->tag) : NULL;
    if (info && info->is_known && info->is_excluded)
        return IMAGE_SCANS_ANEW;
    return run->spec.type == RELEASE_AUTO ? TAGS_AUTO_MS
                                          : loop_now_ms(run->releases->opts.loop) - run->started_ms;
}

static void ask_tags(struct releases_run *run, struct wishes *wishes, const struct image_ref *one)
{
    struct image_wish *asked = arena_alloc(run->mem, (wishes->list.len + 1) * sizeof(*asked));
    for (size_t i = 0; i < wishes->list.len; i++) {
        struct wish *wish = &wishes->list.at[i];
        *vec_push(run->mem, &wish->patterns) = NULL;
        asked[i] = (struct image_wish){
            .ref = wish->ref, .patterns = wish->patterns.at, .ns = wish->ns, .pull = wish->pull
        };
    }
    run->tags = image_scans_ask(run->releases->opts.scans, asked, wishes->list.len,
                                tags_age_ms(run, one), TAGS_WAIT_MS, on_tags, run);
}

void releases_look_at_tags(struct releases_run *run)
{
    struct wishes wishes = { .run = run };
    struct image_ref ref;
    const struct image_ref *one = NULL;
    const char *const *images = run->needs.images;
    if (!run->releases->opts.scans || !images || !*images) {
        releases_run_next(run, NULL);
        return;
    }
    if (run->spec.type == RELEASE_IMAGE && strcmp(run->spec.image, RELEASE_ALL_LATEST) != 0) {
        SCOPED(err_free) struct err *e = image_ref_parse(run->mem, run->spec.image, &ref);
        wishes.one_tag = e ? NULL : arena_printf(run->mem, "glob:%s", ref.tag);
        one = e ? NULL : &ref;
    }
    wishes.by_name = map_new_in(run->mem);
    for (; *images; images++)
        add_wish(&wishes, *images);
    use_workloads(&wishes);
    ask_tags(run, &wishes, one);
}
