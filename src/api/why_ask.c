/* Asks the repository what api/why.h needs to know of a commit. */
#include <string.h>

#include "api/call.h"
#include "api/why.h"
#include "base/map.h"
#include "base/vec.h"

#define PATHS_ASKED \
    200 /* files with objects that are held up: for so many git is asked whether the commit changes them */

/* A file of which something is not as declared. */
struct held_path {
    const char *path;
    bool is_changed; /* by the commit */
};

struct held_paths {
    struct held_path *at;
    size_t len, cap;
};

struct why_facts {
    const char *ref, *head, *unverified, *applied, *marker;
    const char *const *paths; /* watched; NULL: all */
    struct held_paths held;
    /* answers */
    bool is_known, is_on_branch, is_unverified, is_reached, is_marked, is_outside;
    struct mirror_commits commit; /* it and its first parent */
};

/* Is `ancestor` the commit itself or one before it? False if `of` is "", or is not in the mirror (any more). */
static struct err *is_within(struct mirror *mirror, const char *ancestor, const char *of, bool *out)
{
    char sha[MIRROR_SHA_BYTES];
    *out = false;
    if (*of == '\0')
        return NULL;
    SCOPED(err_free) struct err *missing = mirror_resolve(mirror, of, sha);
    if (missing)
        return err_is(missing, ERR_NOT_FOUND) ? NULL : STEAL(missing);
    if (strcmp(ancestor, sha) == 0) {
        *out = true;
        return NULL;
    }
    return mirror_is_ancestor(mirror, ancestor, sha, out);
}

static struct err *does_change(struct mirror *mirror, const struct why_facts *facts,
                               const char *const *paths, bool *out)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    const struct mirror_commits *commit = &facts->commit;
    const char *parent = commit->len > 1 ? commit->at[1].sha : NULL;
    struct mirror_commits changes = { 0 };
    TRY(mirror_log(mirror, scratch, parent, commit->at[0].sha, paths, 1, false, &changes));
    *out = changes.len > 0;
    return NULL;
}

/* Where the commit is on the branch and for the reconciler. */
static struct err *find_place(struct mirror *mirror, struct why_facts *facts)
{
    const char *sha = facts->commit.at[0].sha;
    TRY(is_within(mirror, sha, facts->head, &facts->is_on_branch));
    TRY(is_within(mirror, sha, facts->unverified, &facts->is_unverified));
    TRY(is_within(mirror, sha, facts->applied, &facts->is_reached));
    return is_within(mirror, sha, facts->marker, &facts->is_marked);
}

/* Which of the files that matter it changes. */
static struct err *find_changes(struct mirror *mirror, struct why_facts *facts)
{
    bool is_inside = true;
    if (facts->paths && facts->paths[0])
        TRY(does_change(mirror, facts, facts->paths, &is_inside));
    facts->is_outside = !is_inside;
    for (size_t i = 0; i < facts->held.len; i++) {
        struct held_path *held = &facts->held.at[i];
        TRY(does_change(mirror, facts, (const char *const[]){ held->path, NULL },
                        &held->is_changed));
    }
    return NULL;
}

static struct err *find_why(struct mirror *mirror, struct arena *mem, void *of, int64_t deadline_ms)
{
    (void)deadline_ms;
    struct why_facts *facts = of;
    char sha[MIRROR_SHA_BYTES];
    SCOPED(err_free) struct err *missing = mirror_resolve(mirror, facts->ref, sha);
    if (missing)
        return err_is(missing, ERR_NOT_FOUND) ? NULL : STEAL(missing);
    TRY(mirror_log(mirror, mem, NULL, sha, NULL, 2, true, &facts->commit));
    facts->is_known = facts->commit.len > 0;
    if (!facts->is_known)
        return NULL;
    TRY(find_place(mirror, facts));
    return find_changes(mirror, facts);
}

static bool is_changed(const struct why_facts *facts, const char *path)
{
    for (size_t i = 0; i < facts->held.len; i++) {
        if (strcmp(facts->held.at[i].path, path) == 0)
            return facts->held.at[i].is_changed;
    }
    return false;
}

/* The commit's objects and files that are held up, as JSON; counts those, and the others. */
static struct val *list_held(struct api_call *call, const struct why_facts *facts,
                             struct api_why_view *view)
{
    struct sync *sync = call->api->opts.sync;
    struct val *held = val_new_list(call->mem);
    struct sync_object_status object;
    for (size_t at = 0; sync_object_at(sync, at, &object); at++) {
        if (!api_report_is_held(&object))
            continue;
        if (!is_changed(facts, object.path)) {
            view->held_others++;
            continue;
        }
        view->held++;
        val_append(call->mem, held, api_report_object(call->mem, &object));
    }
    const char *text, *path;
    for (size_t at = 0; at < PATHS_ASKED && (text = sync_problem_at(sync, at, &path)); at++) {
        const struct api_problem problem = api_report_read_problem(path, text);
        if (!is_changed(facts, problem.path)) {
            view->held_others++;
            continue;
        }
        view->held++;
        val_append(call->mem, held, api_report_problem(call->mem, &problem));
    }
    return held;
}

static void answer_why(struct api_call *call, const struct why_facts *facts)
{
    const struct api_opts *opts = &call->api->opts;
    struct sync_status sync;
    sync_status(opts->sync, &sync);
    struct api_why_view view = {
        .is_configured = api_has_repository(call->api),
        .is_known = facts->is_known,
        .is_on_branch = facts->is_on_branch,
        .is_unverified = facts->is_unverified,
        .is_reached = facts->is_reached,
        .is_marked = facts->is_marked,
        .is_running = sync.is_running,
        .is_outside = facts->is_outside,
        .branch = opts->git_branch,
        .url = api_git_url(call->api),
        .source_error = source_error(opts->source),
        .sync_error = sync.error,
    };
    struct val *held = list_held(call, facts, &view);
    struct api_why why = api_why_step(call->mem, &view);
    struct api_commit commit = { 0 };
    if (facts->is_known) {
        const struct mirror_commit *found = &facts->commit.at[0];
        commit = (struct api_commit){ found->sha, found->subject, found->author, found->unix_s };
    }
    struct val *value = api_report_why(call->mem, facts->ref, &why,
                                       facts->is_known ? &commit : NULL, loop_wall_ms(opts->loop));
    val_set(call->mem, value, "heldUpBy", held);
    val_set_text(call->mem, value, "head", facts->head);
    val_set_text(call->mem, value, "applied", facts->applied);
    api_call_json(call, 200, value);
}

static void on_why(struct api_call *call, void *of, const struct err *e)
{
    if (e)
        api_call_fail(call, e);
    else
        answer_why(call, of);
}

static const struct api_git_how why_how = { .work = find_why, .done = on_why };

static void hold_path(struct arena *mem, struct why_facts *facts, struct map *seen,
                      const char *path)
{
    if (*path == '\0' || facts->held.len == PATHS_ASKED || map_get(seen, path))
        return;
    map_set(seen, path, seen);
    *vec_push(mem, &facts->held) = (struct held_path){ .path = arena_strdup(mem, path) };
}

static void find_held_paths(struct api_call *call, struct arena *mem, struct why_facts *facts)
{
    struct sync *sync = call->api->opts.sync;
    SCOPED(map_free) struct map *seen = map_new(NULL);
    struct sync_object_status object;
    const char *path;
    for (size_t at = 0; sync_object_at(sync, at, &object); at++) {
        if (api_report_is_held(&object))
            hold_path(mem, facts, seen, object.path);
    }
    for (size_t at = 0; at < PATHS_ASKED && sync_problem_at(sync, at, &path); at++)
        hold_path(mem, facts, seen, path);
}

void api_why_ask(struct api_call *call)
{
    const struct api_opts *opts = &call->api->opts;
    struct sync_status sync;
    sync_status(opts->sync, &sync);
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct why_facts *facts = arena_alloc(mem, sizeof(*facts));
    facts->ref = arena_strdup(mem, api_git_ref(call));
    facts->head = arena_strdup(mem, source_head(opts->source));
    facts->unverified = arena_strdup(mem, source_unverified(opts->source));
    facts->applied = arena_strdup(mem, sync.applied);
    facts->marker = arena_strdup(mem, sync.marker);
    facts->paths = opts->git_paths; /* lives as long as the API, and nothing writes it */
    find_held_paths(call, mem, facts);
    if (!api_has_repository(call->api)) {
        answer_why(call, facts);
        arena_free(mem);
        return;
    }
    api_git_ask(call, &why_how, mem, facts);
}
