#include "canary/target/workload.h"

#include <string.h>

#include "canary/hash.h"
#include "canary/target/configs.h"
#include "canary/target/meta.h"
#include "doc/object.h"

#define ID_ANNOTATION "flagger-id" /* random, so that a promotion always rolls the primary */
#define LABELS_MAX    ((size_t)1 << 20)

const struct val *workload_target(const struct canary_view *view, const struct workload *w)
{
    return view_find(view, WORKLOAD_API, w->kind, view->canary->target.name);
}

const struct val *workload_primary(const struct canary_view *view, const struct workload *w)
{
    return view_find(view, WORKLOAD_API, w->kind,
                     meta_primary_name(view, view->canary->target.name));
}

const char *workload_absent(const struct canary_view *view, const struct workload *w,
                            const char *noun, const char *name)
{
    return arena_printf(view->mem, "%s %s.%s get query error: %s", noun, name, view->canary->ns,
                        meta_absent(view, WORKLOAD_API, w->kind, name));
}

static const struct val *template_of(const struct val *object)
{
    return VAL_PATH(object, "spec", "template");
}

void workload_want(const struct canary_view *view, const struct workload *w, struct live_wants *out)
{
    const char *name = view->canary->target.name;
    meta_want(view, out, WORKLOAD_API, w->kind, name);
    meta_want(view, out, WORKLOAD_API, w->kind, meta_primary_name(view, name));
    const struct val *target = view->live ? workload_target(view, w) : NULL;
    if (target)
        configs_want(view, val_get(template_of(target), "spec"), out);
}

/* -- the selector label ---------------------------------------------------------------------- */

/* The first of the configured labels that the target selects its pods by. */
static bool find_selector(const struct canary_view *view, const struct val *target,
                          const char **key, const char **value)
{
    const struct val *labels = VAL_PATH(target, "spec", "selector", "matchLabels");
    const char *const *name = view->settings->selector_labels;
    for (; name && *name; name++) {
        *value = val_text(val_get(labels, *name));
        *key = *name;
        if (*value)
            return true;
    }
    *key = *value = "";
    return false;
}

static const char *no_selector(const struct canary_view *view, const struct workload *w)
{
    SBUF(names, LABELS_MAX);
    const char *const *name = view->settings->selector_labels;
    for (; name && *name; name++)
        sbuf_addf(&names, "%s%s", names.len > 0 ? " " : "", *name);
    return arena_printf(view->mem,
                        "getSelectorLabel failed: %s %s.%s spec.selector.matchLabels must contain "
                        "one of [%s]%s",
                        w->noun, view->canary->target.name, view->canary->ns, sbuf_text(&names),
                        w->selector_suffix);
}

/* -- observing ------------------------------------------------------------------------------- */

static bool is_port(const struct val *v, int64_t number)
{
    int64_t n;
    return val_int(v, &n) && n == number;
}

/* The container port that the first port of the Services leads to already. */
static bool is_target_port(const struct val *service, const struct val *port)
{
    const struct val *target = val_get(service, "targetPort"),
                     *number = val_get(port, "containerPort");
    const char *name = val_text(target);
    int64_t n;
    if (val_is_null(target) || is_port(target, 0) || (name && strcmp(name, "0") == 0))
        return val_int(val_get(service, "port"), &n) && is_port(number, n);
    if (name)
        return strcmp(name, val_text_or(val_get(port, "name"), "")) == 0;
    return val_int(target, &n) && is_port(number, n);
}

struct ports {
    struct val *by_name, *numbers; /* those taken, as texts */
};

static const char *number_text(const struct val *v)
{
    return v && v->type == VAL_NUMBER ? v->text : "";
}

/* A Service refuses a name or number that it has already; the first port is the user's word. */
static void add_ports(const struct canary_view *view, const struct val *container,
                      struct ports *ports)
{
    const struct val *service = view->canary->service, *list = val_get(container, "ports");
    const char *first = val_text_or(val_get(service, "portName"), ""), *name;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *port = val_item(list, i);
        struct val *number = val_get(port, "containerPort");
        if (!number || is_target_port(service, port) ||
            val_get(ports->numbers, number_text(number)))
            continue;
        name = val_text_or(val_get(port, "name"), "");
        if (!*name || strcmp(name, *first ? first : "http") == 0)
            name = arena_printf(view->mem, "tcp-%s-%zu",
                                val_text_or(val_get(container, "name"), ""), i);
        val_set(view->mem, ports->by_name, name, number);
        val_set(view->mem, ports->numbers, number_text(number), number);
    }
}

/* The other ports of the containers, by name; those of the proxies of a mesh are nobody's business. */
static struct val *discover_ports(const struct canary_view *view, const struct val *template)
{
    struct arena *mem = view->mem;
    if (!val_is_true(val_get(view->canary->service, "portDiscovery")))
        return NULL;
    struct ports ports = { val_new_map(mem), val_new_map(mem) };
    struct val *list = val_new_list(mem), *found = ports.by_name;
    struct val *taken = val_get(view->canary->service, "port");
    if (taken)
        val_set(mem, ports.numbers, number_text(taken), taken);
    const struct val *containers = VAL_PATH(template, "spec", "containers");
    for (size_t i = 0; i < val_len(containers); i++) {
        const char *name = val_text_or(val_get(val_item(containers, i), "name"), "");
        if (strcmp(name, "istio-proxy") != 0 && strcmp(name, "envoy") != 0)
            add_ports(view, val_item(containers, i), &ports);
    }
    val_sort_keys(found);
    for (size_t i = 0; i < found->len; i++) {
        struct val *port = val_new_map(mem);
        val_set_text(mem, port, "name", found->pairs[i].key);
        val_set_text(mem, port, "protocol", "TCP");
        val_set(mem, port, "port", found->pairs[i].value);
        val_set(mem, port, "targetPort", found->pairs[i].value);
        val_append(mem, list, port);
    }
    return list->len > 0 ? list : NULL;
}

void workload_observe(const struct canary_view *view, const struct workload *w,
                      const struct val *template, struct target_seen *out)
{
    const struct val *target = workload_target(view, w);
    *out = (struct target_seen){ .revision = "", .selector_key = "", .selector_value = "" };
    out->has_primary = workload_primary(view, w) != NULL;
    if (!target) {
        out->fault = workload_absent(view, w, w->noun, view->canary->target.name);
        return;
    }
    if (!find_selector(view, target, &out->selector_key, &out->selector_value))
        out->fault = no_selector(view, w);
    out->revision = canary_hash_revision(view->mem, template);
    out->ports = discover_ports(view, template);
}

/* -- the primary ----------------------------------------------------------------------------- */

struct plan {
    const struct canary_view *view;
    const struct workload *w;
    const struct val *target, *primary;
    const char *key, *value; /* of the selector; the value is the primary's */
};

static struct err *plan_init(const struct canary_view *view, const struct workload *w,
                             const char *noun, struct plan *out)
{
    *out = (struct plan){ .view = view, .w = w };
    out->target = workload_target(view, w);
    out->primary = workload_primary(view, w);
    if (!out->target)
        return err_new(ERR_NOT_FOUND, "%s",
                       workload_absent(view, w, noun, view->canary->target.name));
    if (!find_selector(view, out->target, &out->key, &out->value))
        return err_new(ERR_INVALID, "%s", no_selector(view, w));
    out->value = meta_primary_name(view, out->value);
    return NULL;
}

static struct val *primary_labels(const struct plan *plan, struct val *labels)
{
    struct val *map = labels ? labels : val_new_map(plan->view->mem);
    val_set_text(plan->view->mem, map, plan->key, plan->value);
    return map;
}

/* metadata, or that of the pod template */
static const struct val *meta_of(const struct val *object, const char *field)
{
    return VAL_PATH(object, "metadata", field);
}

/* The pods that the target would have, as the primary's; without `id` (NULL) they have no mark of their promotion. */
static struct val *primary_template(const struct plan *plan, const char *id)
{
    const struct canary_view *view = plan->view;
    struct arena *mem = view->mem;
    const struct val *template = template_of(plan->target);
    struct val *out = val_new_map(mem), *metadata = val_new_map(mem);
    struct val *annotations = meta_copied(view, meta_of(template, "annotations"));
    val_set(mem, metadata, "labels",
            primary_labels(plan, meta_copied(view, meta_of(template, "labels"))));
    if (id) {
        annotations = annotations ? annotations : val_new_map(mem);
        val_set_text(mem, annotations, ID_ANNOTATION, id);
    }
    if (annotations)
        val_set(mem, metadata, "annotations", annotations);
    struct val *spec = configs_rename(view, val_get(template, "spec"));
    plan->w->adjust(view, spec);
    val_set(mem, out, "metadata", metadata);
    val_set(mem, out, "spec", spec);
    return out;
}

static void take_fields(const struct plan *plan, struct val *spec)
{
    struct arena *mem = plan->view->mem;
    for (const char *const *field = plan->w->fields; *field; field++) {
        const struct val *value = VAL_PATH(plan->target, "spec", *field);
        if (val_is_null(value))
            (void)val_remove(spec, *field);
        else
            val_set(mem, spec, *field, val_copy(mem, value));
    }
}

static struct val *new_spec(const struct plan *plan)
{
    struct arena *mem = plan->view->mem;
    struct val *spec = val_new_map(mem), *selector = val_new_map(mem), *labels = val_new_map(mem);
    int64_t replicas = 1;
    if (!val_int(VAL_PATH(plan->target, "spec", "replicas"), &replicas) || replicas < 1)
        replicas = 1;
    if (plan->w->has_replicas)
        val_set(mem, spec, "replicas", val_new_int(mem, replicas));
    take_fields(plan, spec);
    val_set_text(mem, labels, plan->key, plan->value);
    val_set(mem, selector, "matchLabels", labels);
    val_set(mem, spec, "selector", selector);
    val_set(mem, spec, "template", primary_template(plan, plan->view->uuid));
    return spec;
}

static const struct val *pods_of(const struct plan *plan)
{
    return val_get(template_of(plan->target), "spec");
}

static struct err *create(const struct plan *plan, struct effects *out)
{
    const struct canary_view *view = plan->view;
    const struct workload *w = plan->w;
    TRY(configs_copy(view, pods_of(plan), out));
    const char *name = meta_primary_name(view, view->canary->target.name), *ns = view->canary->ns;
    struct val *primary = view_new_object(view, WORKLOAD_API, w->kind, name);
    meta_put(view, primary, "labels",
             primary_labels(plan, meta_included(view, meta_of(plan->target, "labels"))));
    meta_put(view, primary, "annotations", meta_copied(view, meta_of(plan->target, "annotations")));
    val_set(view->mem, primary, "spec", new_spec(plan));
    struct effect *effect = effect_add(out, EFFECT_CREATE, primary);
    effect->before = arena_printf(out->mem, "creating %s %s.%s failed: ", w->noun, name, ns);
    effect->log = arena_printf(out->mem, "%s %s.%s created", w->kind, name, ns);
    return NULL;
}

struct err *workload_create(const struct canary_view *view, const struct workload *w,
                            struct effects *out)
{
    if (workload_primary(view, w))
        return NULL;
    struct plan plan;
    size_t first = out->list.len;
    struct err *e = plan_init(view, w, w->noun, &plan);
    if (!e)
        e = create(&plan, out);
    meta_prefix(out, first, arena_printf(out->mem, "createPrimary%s failed: ", w->kind));
    return err_wrap(e, "createPrimary%s failed", w->kind);
}

static struct err *promote(const struct plan *plan, struct effects *out)
{
    const struct canary_view *view = plan->view;
    struct arena *mem = view->mem;
    if (!plan->primary)
        return err_new(ERR_NOT_FOUND, "%s",
                       workload_absent(view, plan->w, plan->w->noun,
                                       meta_primary_name(view, view->canary->target.name)));
    TRY(configs_copy(view, pods_of(plan), out));
    struct val *primary = val_copy(mem, plan->primary);
    struct val *spec = val_need_map(mem, primary, "spec");
    take_fields(plan, spec);
    const struct val *replicas = VAL_PATH(plan->target, "spec", "replicas");
    if (plan->w->has_replicas && !view->canary->scaler_ref && !val_is_null(replicas))
        val_set(mem, spec, "replicas", val_copy(mem, replicas));
    val_set(mem, spec, "template", primary_template(plan, view->uuid));
    meta_put(view, primary, "labels",
             primary_labels(plan, meta_included(view, meta_of(plan->target, "labels"))));
    meta_put(view, primary, "annotations",
             meta_included(view, meta_of(plan->target, "annotations")));
    (void)meta_update(out, primary, "");
    return NULL;
}

struct err *workload_promote(const struct canary_view *view, const struct workload *w,
                             struct effects *out)
{
    struct plan plan;
    size_t first = out->list.len;
    struct err *e = plan_init(view, w, w->promote_noun, &plan);
    if (!e)
        e = promote(&plan, out);
    const char *text = arena_printf(out->mem, "updating %s %s-primary.%s template spec failed",
                                    w->noun, view->canary->target.name, view->canary->ns);
    meta_prefix(out, first, arena_printf(out->mem, "%s: ", text));
    return err_wrap(e, "%s", text);
}

/* -- adoption -------------------------------------------------------------------------------- */

bool workload_is_promoted(const struct canary_view *view, const struct workload *w)
{
    struct plan plan;
    SCOPED(err_free) struct err *e = plan_init(view, w, w->noun, &plan);
    if (e || !plan.primary)
        return false;
    const struct val *live = template_of(plan.primary);
    const char *id = val_text(VAL_PATH(live, "metadata", "annotations", ID_ANNOTATION));
    return strcmp(canary_hash_revision(view->mem, live),
                  canary_hash_revision(view->mem, primary_template(&plan, id))) == 0;
}
