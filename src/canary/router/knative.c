/* The traffic of a Knative Service, which is target and route in one: spec.traffic says what is to be, status.traffic what is. */
#include <string.h>

#include "canary/router/route.h"
#include "canary/router/routers.h"
#include "doc/object.h"

#define MARK_ANNOTATION "flagger.app/primary-revision"

static const struct route_kind service_kind = {
    .api_version = "serving.knative.dev/v1",
    .kind = "Service",
    .resource = "services.serving.knative.dev",
    .keys = (const char *const[]){ "traffic", NULL },
};

static const char *title(const struct canary_view *view)
{
    return arena_printf(view->mem, "Knative Service %s.%s", view->canary->target.name,
                        view->canary->ns);
}

static struct err *need(const struct canary_view *view, const char *before, const struct val **out)
{
    return route_need(view, &service_kind, view->canary->target.name,
                      arena_printf(view->mem, "%s get query error: ", before), out);
}

static const char *mark_of(const struct val *live)
{
    const char *mark = object_annotation(live, MARK_ANNOTATION);
    return mark ? mark : "";
}

static int64_t percent_of(const struct val *entry)
{
    int64_t percent = -1;
    return val_int(val_get(entry, "percent"), &percent) ? percent : -1;
}

/* -- reconcile -------------------------------------------------------------------------------- */

/* The revision that spec.traffic names: where a mark was lost in a run, the latest one is not the primary. */
static const char *find_primary(const struct val *live)
{
    const struct val *traffic = VAL_PATH(live, "spec", "traffic");
    for (size_t i = 0; i < val_len(traffic); i++) {
        const char *name = val_text_or(val_get(val_item(traffic, i), "revisionName"), "");
        if (*name && percent_of(val_item(traffic, i)) > 0)
            return name;
    }
    return val_text_or(VAL_PATH(live, "status", "latestCreatedRevisionName"), "");
}

static void put_mark(const struct canary_view *view, const struct val *live, const char *mark,
                     struct effects *out)
{
    struct arena *mem = view->mem;
    struct val *object = val_copy(mem, live), *metadata = val_need_map(mem, object, "metadata");
    struct val *annotations = val_need_map(mem, metadata, "annotations");
    if (mark)
        val_set_text(mem, annotations, MARK_ANNOTATION, mark);
    else
        (void)val_remove(annotations, MARK_ANNOTATION);
    struct effect *effect = effect_add(out, EFFECT_UPDATE, object);
    effect->before = arena_printf(mem, "%s update query error: ", title(view));
    effect->log = arena_printf(mem, "%s updated", title(view));
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    const struct val *live = NULL;
    TRY(need(view, title(view), &live));
    const char *primary = find_primary(live);
    if (!*mark_of(live) && *primary)
        put_mark(view, live, primary, out);
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

/* Both entries may lead to the same revision: after a promotion, until there is a new one. */
static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL, *primary = NULL, *canary = NULL;
    TRY(need(view,
             arena_printf(view->mem, "service %s.%s", view->canary->target.name, view->canary->ns),
             &live));
    if (!*mark_of(live))
        return err_new(ERR_INVALID, "service %s.%s annotation not found", view->canary->target.name,
                       view->canary->ns);
    const struct val *traffic = VAL_PATH(live, "status", "traffic");
    for (size_t i = 0; i < val_len(traffic); i++) {
        const struct val *entry = val_item(traffic, i);
        bool is_latest = val_is_true(val_get(entry, "latestRevision"));
        if (is_latest && !canary)
            canary = entry;
        else if (!is_latest && !primary &&
                 strcmp(val_text_or(val_get(entry, "revisionName"), ""), mark_of(live)) == 0)
            primary = entry;
    }
    bool is_one =
        !primary && strcmp(val_text_or(val_get(canary, "revisionName"), ""), mark_of(live)) == 0;
    if (!canary || (!primary && !is_one))
        return err_new(ERR_INVALID, "%s traffic spec invalid", title(view));
    if (percent_of(is_one ? canary : primary) < 0)
        return err_new(ERR_INVALID, "%s primary revision traffic percent does not exist",
                       title(view));
    if (percent_of(canary) < 0)
        return err_new(ERR_INVALID, "%s canary revision traffic percent does not exist",
                       title(view));
    *out = (struct split){ .primary = percent_of(is_one ? canary : primary),
                           .canary = is_one ? 0 : percent_of(canary) };
    return NULL;
}

static struct val *new_entry(struct arena *mem, const char *revision, int64_t percent)
{
    struct val *entry = val_new_map(mem);
    if (revision)
        val_set_text(mem, entry, "revisionName", revision);
    else
        val_set(mem, entry, "latestRevision", val_new_bool(mem, true));
    val_set(mem, entry, "percent", val_new_int(mem, percent));
    return entry;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct arena *mem = view->mem;
    struct route_form form = { .name = view->canary->target.name };
    TRY(need(view, title(view), &form.live));
    if (!*mark_of(form.live))
        return err_new(ERR_INVALID, "%s annotation not found", title(view));
    struct val *spec = val_new_map(mem), *traffic = val_new_list(mem);
    val_append(mem, traffic, new_entry(mem, NULL, to->canary));
    val_append(mem, traffic, new_entry(mem, mark_of(form.live), to->primary));
    val_set(mem, spec, "traffic", traffic);
    form.spec = spec;
    struct effect *effect = route_plan(view, &service_kind, &form, out);
    if (effect)
        effect->before = arena_printf(mem, "%s update query error ", title(view));
    return NULL;
}

static struct err *finalize(const struct canary_view *view, struct effects *out)
{
    const struct val *live = NULL;
    TRY(need(view, title(view), &live));
    if (object_annotation(live, MARK_ANNOTATION))
        put_mark(view, live, NULL, out);
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    route_want(view, &service_kind, view->canary->target.name, out);
}

const struct router router_knative = {
    .name = "knative",
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
    .finalize = finalize,
};
