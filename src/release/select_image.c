/* Which image each container of a workload gets when images are released by name, or all the latest. */
#include <string.h>

#include "base/map.h"
#include "image/pattern.h"
#include "image/policy.h"
#include "release/select_parts.h"

/* What became of a container; the last one that was not changed speaks for its workload. */
enum fate { FATE_IGNORED, FATE_CURRENT, FATE_UNKNOWN, FATE_CHANGED };

static bool is_latest(const struct release_spec *spec)
{
    return strcmp(spec->image, RELEASE_ALL_LATEST) == 0;
}

/* --- the image that was asked for */

static bool parse(struct arena *mem, const char *text, struct image_ref *out)
{
    SCOPED(err_free) struct err *e = image_ref_parse(mem, text, out);
    return !e;
}

bool release_select_image_is_same(struct arena *mem, const struct image_ref *a,
                                  const struct image_ref *b)
{
    return strcmp(image_ref_canonical_name(mem, a), image_ref_canonical_name(mem, b)) == 0;
}

bool release_select_image_is_used(struct arena *mem, const struct image_workload *live,
                                  const char *image)
{
    struct image_ref wanted, used;
    if (!parse(mem, image, &wanted))
        return false;
    for (size_t i = 0; i < live->containers.len; i++) {
        if (parse(mem, live->containers.at[i].image, &used) &&
            release_select_image_is_same(mem, &wanted, &used))
            return true;
    }
    return false;
}

static const struct image_repo *repo_of(const struct select_run *run, const struct image_ref *ref)
{
    return run->view->repo(run->view->ctx, image_ref_canonical_name(run->mem, ref));
}

static bool is_useful(const struct image_info *info)
{
    return info && !(info->is_known && info->is_excluded);
}

/* What could not be read is not called missing. */
static struct err *explain_missing(const struct select_run *run, const struct image_ref *ref,
                                   const struct image_repo *repo)
{
    const struct release_view *view = run->view;
    const char *image = image_ref_format(run->mem, ref);
    const char *why =
        view->why_not ? view->why_not(view->ctx, image_ref_canonical_name(run->mem, ref)) : NULL;
    if (why)
        return err_new(ERR_INVALID, "cannot look up image \"%s\": %s", image, why);
    if (repo && *repo->error && !repo->is_missing)
        return err_new(ERR_TRANSIENT, "cannot look up image \"%s\": %s", image, repo->error);
    if (repo && !repo->is_complete && !repo->is_missing)
        return err_new(ERR_TRANSIENT,
                       "cannot look up image \"%s\": its registry has not answered in time", image);
    return err_new(ERR_INVALID, "image \"%s\" does not exist: invalid image ID", image);
}

static struct err *check_info(const struct select_run *run, const struct image_ref *ref)
{
    const struct image_repo *repo = repo_of(run, ref);
    const struct image_info *info = image_repo_find(repo, ref->tag);
    if (!info)
        return explain_missing(run, ref, repo);
    if (!is_useful(info))
        return err_new(ERR_INVALID, "image \"%s\" is of no use here: %s",
                       image_ref_format(run->mem, ref), info->why_excluded);
    return NULL;
}

struct err *release_select_image_check(const struct select_run *run)
{
    struct image_ref ref;
    if (is_latest(run->spec))
        return NULL;
    TRY(image_ref_parse(run->mem, run->spec->image, &ref));
    if (*ref.tag == '\0')
        return err_new(ERR_INVALID,
                       "blank tag (if you want latest, explicitly state the tag :latest): "
                       "invalid image ID");
    return check_info(run, &ref);
}

/* --- one container */

struct container {
    const struct release_workload *workload;
    const char *name;
    struct image_ref ref; /* as it runs */
};

/* Force passes the filters of one image, never those of all. */
static const char *pattern_text(const struct select_run *run, const struct container *container)
{
    if (run->spec->force && !is_latest(run->spec))
        return NULL;
    return image_policy_tag(container->workload->policies, container->name);
}

static enum fate find_wanted(const struct select_run *run, const struct container *container,
                             const struct image_pattern *pattern, const struct image_info **out)
{
    struct image_ref wanted;
    if (!parse(run->mem, run->spec->image, &wanted) ||
        !release_select_image_is_same(run->mem, &wanted, &container->ref))
        return FATE_IGNORED;
    /* Without a filter what was named is what is wanted, :latest included. */
    if (pattern_text(run, container) && !image_pattern_matches(pattern, wanted.tag))
        return FATE_UNKNOWN;
    *out = image_repo_find(repo_of(run, &wanted), wanted.tag);
    return is_useful(*out) ? FATE_CHANGED : FATE_UNKNOWN;
}

/* Metadata that could decide are missing, or times where they decide: nobody knows which is the newest. */
static bool is_clear(const struct image_pattern *pattern, const struct image_info *const *infos,
                     size_t count)
{
    if (image_pattern_missing(pattern, infos, count))
        return false;
    return count < 2 || infos[0]->has_created || !image_pattern_needs_times(pattern);
}

/* What a pattern finds in a repository: looked for once, however many containers run of it. */
struct newest {
    enum fate fate;
    const struct image_info *info;
    const char *why; /* the pattern is none */
};

static void look_for_newest(const struct select_run *run, const struct image_ref *ref,
                            const char *text, struct newest *out)
{
    struct image_pattern *pattern = NULL;
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *bad = image_pattern_parse(scratch, text, &pattern);
    size_t count = 0;
    out->fate = FATE_UNKNOWN;
    if (bad) {
        out->why = arena_strdup(run->mem, err_text(bad));
        return;
    }
    const struct image_info **infos =
        image_pattern_select(scratch, pattern, repo_of(run, ref), &count);
    out->why = image_pattern_problem(run->mem, pattern);
    out->info = infos[0];
    if (!out->why && !count)
        out->fate = FATE_IGNORED;
    else if (!out->why && is_clear(pattern, infos, count))
        out->fate = FATE_CHANGED;
}

static const struct newest *find_newest(const struct select_run *run, const struct image_ref *ref,
                                        const char *text)
{
    const char *name = image_ref_canonical_name(run->mem, ref);
    const char *key = arena_printf(run->mem, "%s\n%s", name, text ? text : "");
    struct newest *newest = map_get(run->newest, key);
    if (newest)
        return newest;
    newest = arena_alloc(run->mem, sizeof(*newest));
    look_for_newest(run, ref, text, newest);
    map_set(run->newest, key, newest);
    return newest;
}

static const char *hex_of(const char *digest)
{
    static const char prefix[] = "sha256:";
    bool is_known = digest && strncmp(digest, prefix, strlen(prefix)) == 0;
    return is_known ? digest + strlen(prefix) : "";
}

static enum fate compare(const struct select_run *run, const struct container *container,
                         const struct image_info *info, struct select_change *out)
{
    const char *digest = hex_of(info->digest);
    if (*container->ref.digest && *digest == '\0')
        return FATE_UNKNOWN; /* pinned, and to what is not known */
    out->ref = image_ref_with_tag(&container->ref, info->tag, digest);
    out->current = image_ref_write(run->mem, &container->ref);
    out->target = image_ref_write(run->mem, &out->ref);
    return strcmp(out->current, out->target) == 0 ? FATE_CURRENT : FATE_CHANGED;
}

/* `why`: a filter that is none; then the container is left as it is. */
static enum fate look_at_wanted(struct select_run *run, const struct container *container,
                                const struct image_info **info, const char **why)
{
    struct image_pattern *pattern = NULL;
    SCOPED(err_free)
    struct err *bad = image_pattern_parse(run->mem, pattern_text(run, container), &pattern);
    if (!bad)
        return find_wanted(run, container, pattern, info);
    *why = arena_strdup(run->mem, err_text(bad));
    return FATE_UNKNOWN;
}

static enum fate look_at_newest(struct select_run *run, const struct container *container,
                                const struct image_info **info, const char **why)
{
    const struct newest *newest = find_newest(run, &container->ref, pattern_text(run, container));
    *info = newest->info;
    if (newest->why)
        *why = newest->why;
    return newest->fate;
}

static enum fate look_at(struct select_run *run, const struct container *container,
                         struct select_change *out, const char **why)
{
    const struct image_info *info = NULL;
    enum fate fate = is_latest(run->spec) ? look_at_newest(run, container, &info, why)
                                          : look_at_wanted(run, container, &info, why);
    return fate == FATE_CHANGED ? compare(run, container, info, out) : fate;
}

/* --- one workload */

static void conclude(struct select_run *run, const char *id, enum fate fate, const char *why)
{
    switch (fate) {
    case FATE_CURRENT:
        release_result_add(run->mem, run->result, id, RELEASE_SKIPPED, SELECT_UP_TO_DATE);
        return;
    case FATE_IGNORED:
        release_result_add(run->mem, run->result, id, RELEASE_IGNORED, "does not use image(s)");
        return;
    case FATE_UNKNOWN:
        release_result_add(run->mem, run->result, id, RELEASE_SKIPPED,
                           why ? why : "cannot find one or more images");
        return;
    case FATE_CHANGED: return;
    }
}

/* What somebody put beside ours is not in the file. */
static enum fate look_at_live(struct select_run *run, const struct release_workload *workload,
                              const struct image_container *live, struct select_change *out,
                              const char **why)
{
    struct container container = { .workload = workload, .name = live->name };
    out->place = release_select_container_place(workload, live->name);
    if (!out->place ||
        !release_select_container_current(run->mem, out->place, live->image, &container.ref))
        return FATE_IGNORED;
    return look_at(run, &container, out, why);
}

static void select_workload(struct select_run *run, const struct select_candidate *candidate)
{
    struct select_changes changes = { 0 };
    enum fate last = FATE_IGNORED;
    const char *why = NULL;
    for (size_t i = 0; i < candidate->live->containers.len; i++) {
        const struct image_container *live = &candidate->live->containers.at[i];
        struct select_change change = { 0 };
        enum fate fate = look_at_live(run, candidate->workload, live, &change, &why);
        if (fate == FATE_CHANGED)
            *vec_push(run->mem, &changes) = change;
        else
            last = fate;
    }
    if (changes.len > 0)
        release_select_container_take(run, candidate->workload, &changes, "");
    else
        conclude(run, candidate->workload->id, last, why);
}

struct err *release_select_image_all(struct select_run *run,
                                     const struct select_candidates *candidates)
{
    SCOPED(map_free) struct map *newest = map_new(NULL);
    run->newest = newest;
    for (size_t i = 0; i < candidates->len; i++)
        select_workload(run, &candidates->at[i]);
    run->newest = NULL;
    return NULL;
}
