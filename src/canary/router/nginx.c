#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canary/router/route.h"
#include "canary/router/routers.h"
#include "doc/object.h"

#define KUBECTL_TEXT "kubectl.kubernetes.io/last-applied-configuration"

static const struct route_kind ingress_kind = {
    .api_version = "networking.k8s.io/v1",
    .kind = "Ingress",
    .resource = "ingresses.networking.k8s.io",
};

static const char *canary_name(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s-canary", view->canary->ingress.name);
}

static const char *title(const struct canary_view *view, const char *name)
{
    return arena_printf(view->mem, "ingress %s.%s", name, view->canary->ns);
}

/* <prefix>/canary and what may follow: -weight, -by-header, ... */
static const char *annotation(const struct canary_view *view, const char *ending)
{
    return arena_printf(view->mem, "%s/canary%s", view->settings->ingress_prefix, ending);
}

static void set_annotation(const struct canary_view *view, struct val *annotations,
                           const char *ending, const char *text)
{
    if (*text)
        val_set_text(view->mem, annotations, annotation(view, ending), text);
}

/* -- the canary Ingress ----------------------------------------------------------------------- */

static struct val *path_backend_service(const struct val *path)
{
    return VAL_PATH(path, "backend", "service");
}

/* A copy of the source's spec in which the canary takes the place of the apex Service; NULL if that is not in there. */
static const struct val *canary_spec(const struct canary_view *view, const struct val *source)
{
    struct val *spec = route_spec(view->mem, source), *rules = val_get(spec, "rules");
    bool is_found = false;
    for (size_t r = 0; r < val_len(rules); r++) {
        struct val *paths = VAL_PATH(val_item(rules, r), "http", "paths");
        for (size_t p = 0; p < val_len(paths); p++) {
            struct val *service = path_backend_service(val_item(paths, p));
            if (strcmp(val_text_or(val_get(service, "name"), ""), view->canary->apex) != 0)
                continue;
            val_set_text(view->mem, service, "name", route_canary(view));
            is_found = true;
        }
    }
    return is_found ? spec : NULL;
}

/* Annotations as they are without traffic. */
static struct val *idle_annotations(const struct canary_view *view, const struct val *from)
{
    struct val *annotations = val_new_map(view->mem);
    const struct val *texts =
        route_copied_texts(view->mem, VAL_PATH(from, "metadata", "annotations"));
    const char *own = annotation(view, "");
    for (size_t i = 0; i < val_len(texts); i++) {
        const struct val_pair *pair = &texts->pairs[i];
        if (!strstr(pair->key, own) && !strstr(pair->key, KUBECTL_TEXT))
            val_set(view->mem, annotations, pair->key, pair->value);
    }
    view_add_flux_pair(view->mem, annotations);
    set_annotation(view, annotations, "", "true");
    set_annotation(view, annotations, "-weight", "0");
    return annotations;
}

static struct err *check_reference(const struct canary_view *view)
{
    return *view->canary->ingress.name ? NULL : err_new(ERR_INVALID, "ingress selector is empty");
}

static void wants(const struct canary_view *view, struct live_wants *out)
{
    if (!*view->canary->ingress.name)
        return;
    route_want(view, &ingress_kind, view->canary->ingress.name, out);
    route_want(view, &ingress_kind, canary_name(view), out);
}

/* What is already there keeps its annotations: the traffic is in them. */
static struct err *reconcile(const struct canary_view *view, struct effects *out)
{
    struct arena *mem = view->mem;
    const char *source_name = view->canary->ingress.name, *name = canary_name(view);
    const struct val *source = NULL;
    struct route_form form = { .name = name };
    TRY(check_reference(view));
    TRY(route_need(view, &ingress_kind, source_name,
                   arena_printf(mem, "%s get query error: ", title(view, source_name)), &source));
    form.spec = canary_spec(view, source);
    if (!form.spec)
        return err_new(ERR_INVALID, "backend %s not found in ingress %s", view->canary->apex,
                       source_name);
    TRY(route_find(view, &ingress_kind, name,
                   arena_printf(mem, "%s query error: ", title(view, name)), &form.live));
    if (!form.live) {
        form.labels = route_copied_texts(mem, VAL_PATH(source, "metadata", "labels"));
        form.annotations = idle_annotations(view, source);
    }
    struct effect *effect = route_plan(view, &ingress_kind, &form, out);
    route_say(mem, effect, "", title(view, name));
    if (effect)
        effect->log = form.live
                          ? arena_printf(mem, "Ingress %s updated", name)
                          : arena_printf(mem, "Ingress %s.%s created", name, view->canary->ns);
    return NULL;
}

/* -- traffic ---------------------------------------------------------------------------------- */

static struct err *need_canary(const struct canary_view *view, const struct val **out)
{
    TRY(check_reference(view));
    const char *name = canary_name(view);
    return route_need(view, &ingress_kind, name,
                      arena_printf(view->mem, "%s get query error: ", title(view, name)), out);
}

/* What NGINX can be told of the conditions: one cookie and one header, the last ones. */
struct conditions {
    const char *cookie, *header, *value, *pattern; /* "" none */
};

static void add_conditions(struct arena *mem, const struct val *match, struct conditions *out)
{
    const struct val *headers = val_get(match, "headers");
    if (!val_is_map(headers))
        return;
    headers = route_sorted(mem, headers);
    for (size_t i = 0; i < headers->len; i++) {
        const struct val_pair *header = &headers->pairs[i];
        const char *exact = val_text_or(val_get(header->value, "exact"), "");
        if (strcmp(header->key, "cookie") == 0) {
            out->cookie = exact;
        } else {
            out->header = header->key;
            out->value = exact;
            out->pattern = val_text_or(val_get(header->value, "regex"), "");
        }
    }
}

static struct val *busy_annotations(const struct canary_view *view, const struct val *live,
                                    int64_t canary_weight)
{
    const struct val *match = view->canary->analysis.match;
    const struct val *texts = VAL_PATH(live, "metadata", "annotations");
    struct val *annotations =
        val_is_map(texts) ? val_copy(view->mem, texts) : val_new_map(view->mem);
    set_annotation(view, annotations, "", "true");
    if (val_len(match) == 0) {
        set_annotation(view, annotations, "-weight",
                       arena_printf(view->mem, "%lld", (long long)canary_weight));
        return annotations;
    }
    struct conditions conditions = { "", "", "", "" };
    for (size_t i = 0; i < val_len(match); i++)
        add_conditions(view->mem, val_item(match, i), &conditions);
    view_add_flux_pair(view->mem, annotations);
    set_annotation(view, annotations, "-by-cookie", conditions.cookie);
    set_annotation(view, annotations, "-by-header", conditions.header);
    set_annotation(view, annotations, "-by-header-value", conditions.value);
    set_annotation(view, annotations, "-by-header-pattern", conditions.pattern);
    return annotations;
}

static struct err *write_split(const struct canary_view *view, const struct split *to,
                               struct effects *out)
{
    struct route_form form = { .name = canary_name(view) };
    TRY(need_canary(view, &form.live));
    form.spec = val_get(form.live, "spec");
    form.annotations = to->canary > 0 ? busy_annotations(view, form.live, to->canary)
                                      : idle_annotations(view, form.live);
    struct effect *effect = route_plan(view, &ingress_kind, &form, out);
    if (effect)
        effect->before = arena_printf(view->mem, "%s update error ", title(view, form.name));
    return NULL;
}

static struct err *weight_parse(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    bool is_number =
        *text && !*end && (*text == '-' || *text == '+' || (*text >= '0' && *text <= '9'));
    if (is_number && !errno)
        return NULL;
    return err_new(ERR_INVALID, "failed to convert %s to int: strconv.Atoi: parsing \"%s\": %s",
                   text, text, is_number ? "value out of range" : "invalid syntax");
}

static struct err *read_split(const struct canary_view *view, struct split *out)
{
    const struct val *live = NULL;
    TRY(need_canary(view, &live));
    const char *weight = object_annotation(live, annotation(view, "-weight"));
    bool is_testing = object_annotation(live, annotation(view, "-by-cookie")) ||
                      object_annotation(live, annotation(view, "-by-header"));
    *out = (struct split){ 0 };
    if (val_len(view->canary->analysis.match) > 0 && is_testing)
        out->canary = CANARY_TOTAL;
    else if (weight)
        TRY(weight_parse(weight, &out->canary));
    out->primary = CANARY_TOTAL - out->canary;
    return NULL;
}

const struct router router_nginx = {
    .name = "nginx",
    .can_match = true,
    .wants = wants,
    .reconcile = reconcile,
    .read = read_split,
    .write = write_split,
};
