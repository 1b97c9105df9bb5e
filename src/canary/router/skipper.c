#include <string.h>

#include "canary/router/routers.h"
#include "canary/router/spec.h"
#include "doc/json.h"
#include "doc/object.h"

#define WEIGHTS   "zalando.org/backend-weights"
#define PREDICATE "zalando.org/skipper-predicate"
#define HEAVIER   "Weight(100)" /* than the source, which matches the same requests */
#define DISABLED  "False()"
#define AND       "&&"

static const struct route_kind ingress_kind = {
    .api_version = "networking.k8s.io/v1",
    .kind = "Ingress",
    .resource = "ingresses.networking.k8s.io",
};

static const char *canary_name(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s-canary", view->canary->ingress.name);
}

static const char *title(const struct canary_view *view)
{
    return arena_printf(view->mem, "ingress %s.%s", canary_name(view), view->canary->ns);
}

static struct err *check_reference(const struct canary_view *view)
{
    return *view->canary->ingress.name ? NULL : err_new(ERR_INVALID, "ingress selector is empty");
}

/* -- annotations ------------------------------------------------------------------------------ */

static const char *trimmed(struct arena *mem, const char *text, size_t len)
{
    static const char blanks[] = " \t\r\n";
    for (; len > 0 && strchr(blanks, text[0]); len--)
        text++;
    for (; len > 0 && strchr(blanks, text[len - 1]); len--)
        ;
    return arena_strndup(mem, text, len);
}

/* `first` && what else the predicates say. */
static const char *with_predicate(struct arena *mem, const char *predicates, const char *first)
{
    const char *text = first;
    while (*predicates) {
        const char *end = strstr(predicates, AND);
        size_t len = end ? (size_t)(end - predicates) : strlen(predicates);
        const char *one = trimmed(mem, predicates, len);
        if (*one && strcmp(one, HEAVIER) != 0 && strcmp(one, DISABLED) != 0)
            text = arena_printf(mem, "%s " AND " %s", text, one);
        predicates += len + (end ? strlen(AND) : 0);
    }
    return text;
}

static void set_traffic(const struct canary_view *view, struct val *annotations,
                        const struct split *to, bool is_disabled)
{
    struct arena *mem = view->mem;
    struct val *weights = val_new_map(mem);
    const char *predicates = val_text_or(val_get(annotations, PREDICATE), "");
    val_set(mem, weights, route_canary(view), val_new_int(mem, to->canary));
    val_set(mem, weights, route_primary(view), val_new_int(mem, to->primary));
    val_set_text(mem, annotations, WEIGHTS, val_json(mem, weights, NULL));
    val_set_text(mem, annotations, PREDICATE,
                 with_predicate(mem, predicates, is_disabled ? DISABLED : HEAVIER));
}

/* What the annotations say of it: 100:0 if they do not. */
static struct split kept_split(const struct canary_view *view, const struct val *weights)
{
    struct split split = { 0 };
    bool is_known = val_int(val_get(weights, route_primary(view)), &split.primary) &&
                    val_int(val_get(weights, route_canary(view)), &split.canary);
    return is_known ? split : spec_rest(CANARY_TOTAL);
}

static struct err *weights_of(const struct canary_view *view, const struct val *live,
                              const struct val **out)
{
    const char *text = object_annotation(live, WEIGHTS);
    struct val *weights = NULL;
    struct err *e = text ? doc_json_parse(view->mem, text, strlen(text), &weights)
                         : err_new(ERR_NOT_FOUND,
                                   "Annotation.Skipper Canary Ingress \"%s\" not found", WEIGHTS);
    *out = weights;
    return err_wrap(e, "%s get backendWeights error", title(view));
}

/* -- the canary Ingress ----------------------------------------------------------------------- */

/* In one rule: the primary takes the place of the apex Service, the canary stands behind all paths. */
static bool split_paths(const struct canary_view *view, struct val *paths)
{
    size_t len = val_len(paths);
    bool is_found = false;
    for (size_t i = 0; i < len; i++) {
        struct val *path = val_item(paths, i), *service = VAL_PATH(path, "backend", "service");
        if (strcmp(val_text_or(val_get(service, "name"), ""), view->canary->apex) != 0)
            continue;
        val_set_text(view->mem, service, "name", route_primary(view));
        struct val *copy = val_copy(view->mem, path);
        val_set_text(view->mem, VAL_PATH(copy, "backend", "service"), "name", route_canary(view));
        val_append(view->mem, paths, copy);
        is_found = true;
    }
    return is_found;
}

static struct err *new_spec(const struct canary_view *view, const struct val *source,
                            const struct val **out)
{
    struct val *spec = route_spec(view->mem, source), *rules = val_get(spec, "rules");
    bool is_found = false;
    for (size_t i = 0; i < val_len(rules); i++)
        if (split_paths(view, VAL_PATH(val_item(rules, i), "http", "paths")))
            is_found = true;
    *out = spec;
    return is_found ? NULL
                    : err_new(ERR_INVALID, "backend %s not found in ingress %s", view->canary->apex,
                              view->canary->ingress.name);
}

/* Those of the source, and the traffic as it is. */
static struct val *new_annotations(const struct canary_view *view, const struct val *source,
                                   const struct val *live)
{
    struct val *annotations = spec_copied(view, VAL_PATH(source, "metadata", "annotations"));
    const char *predicates = object_annotation(live, PREDICATE);
    const struct val *weights = NULL;
    SCOPED(err_free) struct err *e = weights_of(view, live, &weights);
    struct split split = kept_split(view, e ? NULL : weights);
    if (live)
        view_add_flux_pair(view->mem, annotations);
    set_traffic(view, annotations, &split,
                split.canary == 0 && predicates && strstr(predicates, DISABLED));
    return annotations;
}

static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct arena *mem = view->mem;
    const char *ref = view->canary->ingress.name;
    const struct val *source = NULL;
    struct route_form form = { .name = canary_name(view) };
    TRY(check_reference(view));
    TRY(route_need(view, &ingress_kind, ref,
                   arena_printf(mem, "apexIngress %s.%s get query error: ", ref, view->canary->ns),
                   &source));
    TRY(new_spec(view, source, &form.spec));
    TRY(route_find(view, &ingress_kind, form.name,
                   arena_printf(mem, "%s query error: ", title(view)), &form.live));
    if (!form.live)
        form.labels = spec_copied(view, VAL_PATH(source, "metadata", "labels"));
    if (!form.live || !route_fits(mem, &ingress_kind, form.spec, val_get(form.live, "spec")))
        form.annotations = new_annotations(view, source, form.live);
    struct effect *effect = route_plan(view, &ingress_kind, &form, out);
    route_say(mem, effect, "", title(view));
    if (effect)
        effect->log = form.live
                          ? arena_printf(mem, "Ingress %s updated", form.name)
                          : arena_printf(mem, "Ingress %s.%s created", form.name, view->canary->ns);
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need_canary(const struct canary_view *view, const struct val **out)
{
    TRY(check_reference(view));
    return route_need(view, &ingress_kind, canary_name(view),
                      arena_printf(view->mem, "%s get query error: ", title(view)), out);
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL, *weights = NULL;
    TRY(need_canary(view, &live));
    TRY(weights_of(view, live, &weights));
    *out = (struct split){ 0 };
    if (!val_int(val_get(weights, route_primary(view)), &out->primary))
        return err_new(ERR_INVALID, "%s could not get weights[primarySvcName]", title(view));
    if (!val_int(val_get(weights, route_canary(view)), &out->canary))
        return err_new(ERR_INVALID, "%s could not get weights[canarySvcName]", title(view));
    return NULL;
}

/* Without weight for the canary the source alone serves. */
static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = canary_name(view) };
    TRY(need_canary(view, &form.live));
    const struct val *texts = VAL_PATH(form.live, "metadata", "annotations");
    struct val *annotations =
        val_is_map(texts) ? val_copy(view->mem, texts) : val_new_map(view->mem);
    set_traffic(view, annotations, to, to->canary == 0);
    form.spec = route_spec(view->mem, form.live);
    form.annotations = annotations;
    struct effect *effect = route_plan(view, &ingress_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error ", title(view));
    return NULL;
}

static struct err *finalize(const struct canary_view *view, struct effects *out)
{
    const struct val *live = NULL;
    TRY(check_reference(view));
    TRY(route_find(view, &ingress_kind, canary_name(view),
                   arena_printf(view->mem, "%s unable to remove canary ingress: ", title(view)),
                   &live));
    if (!live)
        return NULL;
    struct effect *effect = effect_add(out, EFFECT_DELETE, live);
    effect->before = arena_printf(view->mem, "%s unable to remove canary ingress: ", title(view));
    return NULL;
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    if (!*view->canary->ingress.name)
        return;
    route_want(view, &ingress_kind, view->canary->ingress.name, out);
    route_want(view, &ingress_kind, canary_name(view), out);
}

const struct router router_skipper = {
    .name = "skipper",
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
    .finalize = finalize,
};
