/* A Knative Service as target: its own revisions are primary and canary, so nothing is generated. */
#include <string.h>

#include "canary/hash.h"
#include "canary/target/kinds.h"
#include "canary/target/meta.h"
#include "doc/object.h"

#define API             "serving.knative.dev/v1"
#define MARK_ANNOTATION "flagger.app/primary-revision"

static const struct val *find_target(const struct canary_view *view)
{
    return view_find(view, API, "Service", view->canary->target.name);
}

static const char *latest_of(const struct val *target)
{
    return val_text_or(VAL_PATH(target, "status", "latestCreatedRevisionName"), "");
}

static const char *mark_of(const struct val *target)
{
    const char *name = object_annotation(target, MARK_ANNOTATION);
    return name ? name : "";
}

static bool is_bootstrapping(const struct canary_view *view)
{
    enum canary_phase phase = view->canary->status.phase;
    return phase == CANARY_NONE || phase == CANARY_INITIALIZING;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    meta_want(view, out, API, "Service", view->canary->target.name);
    const struct val *target = view->live ? find_target(view) : NULL;
    if (*latest_of(target))
        meta_want(view, out, API, "Revision", latest_of(target));
    if (*mark_of(target))
        meta_want(view, out, API, "Revision", mark_of(target));
}

static const char *title(const struct canary_view *view)
{
    return arena_printf(view->mem, "Knative Service %s.%s", view->canary->target.name,
                        view->canary->ns);
}

static const char *absent_text(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s get query error: %s", title(view),
                        meta_absent(view, API, "Service", view->canary->target.name));
}

/* -- observing ------------------------------------------------------------------------------- */

static bool is_ready(const struct val *revision)
{
    const struct val *list = VAL_PATH(revision, "status", "conditions");
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *condition = val_item(list, i);
        if (strcmp(val_text_or(val_get(condition, "type"), ""), "Ready") == 0)
            return strcmp(val_text_or(val_get(condition, "status"), ""), "True") == 0;
    }
    return false;
}

static struct ready revision_ready(const struct canary_view *view, const char *name)
{
    const struct val *revision = view_find(view, API, "Revision", name);
    if (is_ready(revision))
        return (struct ready){ READY_YES, "" };
    const char *text = revision ? "is not ready"
                                : arena_printf(view->mem, "get query error: %s",
                                               meta_absent(view, API, "Revision", name));
    return (struct ready){ READY_LATER, arena_printf(view->mem, "Knative Revision %s.%s %s", name,
                                                     view->canary->ns, text) };
}

static void observe(const struct canary_view *view, struct target_seen *out)
{
    const struct val *target = find_target(view);
    const char *latest = latest_of(target), *mark = mark_of(target);
    *out = (struct target_seen){ .revision = "", .selector_key = "", .selector_value = "" };
    out->has_primary = *mark;
    if (!target)
        out->fault = absent_text(view);
    else if (!*latest)
        out->fault = arena_printf(view->mem, "%s has no revision yet", title(view));
    if (out->fault) {
        out->primary = out->canary = (struct ready){ READY_LATER, out->fault };
        return;
    }
    out->revision = canary_hash_revision(view->mem, val_new_text(view->mem, latest));
    out->canary = revision_ready(view, latest);
    if (is_bootstrapping(view) || strcmp(mark, latest) == 0)
        out->primary = out->canary;
    else if (*mark)
        out->primary = revision_ready(view, mark);
    else
        out->primary =
            (struct ready){ READY_LATER,
                            arena_printf(view->mem, "%s primary revision annotation not found",
                                         title(view)) };
}

/* -- the mark of the primary ------------------------------------------------------------------ */

static struct err *copy_target(const struct canary_view *view, struct val **out)
{
    const struct val *target = find_target(view);
    if (!target)
        return err_new(ERR_NOT_FOUND, "%s", absent_text(view));
    *out = val_copy(view->mem, target);
    return NULL;
}

static void set_mark(const struct canary_view *view, struct val *target)
{
    struct val *metadata = val_need_map(view->mem, target, "metadata");
    struct val *annotations = metadata ? val_need_map(view->mem, metadata, "annotations") : NULL;
    if (annotations)
        val_set_text(view->mem, annotations, MARK_ANNOTATION, latest_of(target));
}

/* `before` stands before the error of the API server. */
static void add_update(const struct canary_view *view, const struct val *target, const char *before,
                       struct effects *out)
{
    if (!val_equal(target, find_target(view)))
        (void)meta_update(out, target, arena_printf(out->mem, "%s %s", title(view), before));
}

/* All traffic to what is there, none to what comes next. */
static struct val *initial_traffic(const struct canary_view *view, const char *revision)
{
    struct arena *mem = view->mem;
    struct val *traffic = val_new_list(mem), *latest = val_new_map(mem),
               *primary = val_new_map(mem);
    val_set(mem, latest, "latestRevision", val_new_bool(mem, true));
    val_set(mem, latest, "percent", val_new_int(mem, 0));
    val_set_text(mem, primary, "revisionName", revision);
    val_set(mem, primary, "percent", val_new_int(mem, CANARY_TOTAL));
    val_append(mem, traffic, latest);
    val_append(mem, traffic, primary);
    return traffic;
}

static struct err *create_primary(const struct canary_view *view, struct effects *out)
{
    struct val *target = NULL;
    if (!is_bootstrapping(view))
        return NULL;
    TRY(copy_target(view, &target));
    struct val *spec = val_need_map(view->mem, target, "spec");
    set_mark(view, target);
    if (spec)
        val_set(view->mem, spec, "traffic", initial_traffic(view, latest_of(target)));
    add_update(view, target, "update query error ", out);
    return NULL;
}

static struct err *promote(const struct canary_view *view, struct effects *out)
{
    struct val *target = NULL;
    TRY(copy_target(view, &target));
    set_mark(view, target);
    add_update(view, target, "update query error ", out);
    return NULL;
}

static struct err *revert(const struct canary_view *view, struct effects *out)
{
    struct val *target = NULL;
    TRY(copy_target(view, &target));
    struct val *annotations = VAL_PATH(target, "metadata", "annotations");
    if (val_is_map(annotations) && val_remove(annotations, MARK_ANNOTATION))
        add_update(view, target, "update query error: ", out);
    return NULL;
}

static bool is_promoted(const struct canary_view *view)
{
    const char *mark = mark_of(find_target(view));
    return *mark && strcmp(mark, latest_of(find_target(view))) == 0;
}

static struct err *no_effects(const struct canary_view *view, struct effects *out)
{
    (void)view;
    (void)out;
    return NULL;
}

const struct target_kind target_knative = {
    .api_version = API,
    .kind = "Service",
    .wants = wants,
    .observe = observe,
    .create_primary = create_primary,
    .promote = promote,
    .scale_to_zero = no_effects,
    .scale_from_zero = no_effects,
    .revert = revert,
    .is_promoted = is_promoted,
};
