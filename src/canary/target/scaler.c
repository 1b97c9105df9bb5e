#include "canary/target/scaler.h"

#include <string.h>

#include "canary/target/meta.h"

#define PAUSE_ANNOTATION "autoscaling.keda.sh/paused-replicas"

struct scaler {
    const char *api_version, *kind;
    const char *title; /* in texts and logs */
    const char *noun;  /* where a write fails: 9.2 */
    const char *update_noun;
    const char *min, *max; /* fields of spec */
    bool can_pause;
    /* What the twin's spec has other than the target's, but for the bounds. */
    void (*adjust)(const struct canary_view *view, struct val *spec);
};

static void adjust_hpa(const struct canary_view *view, struct val *spec);
static void adjust_scaled_object(const struct canary_view *view, struct val *spec);

static const struct scaler scalers[] = {
    {
        .api_version = "autoscaling/v2",
        .kind = "HorizontalPodAutoscaler",
        .title = "HorizontalPodAutoscaler",
        .noun = "HorizontalPodAutoscaler v2",
        .update_noun = "HorizontalPodAutoscaler v2",
        .min = "minReplicas",
        .max = "maxReplicas",
        .adjust = adjust_hpa,
    },
    {
        .api_version = "keda.sh/v1alpha1",
        .kind = "ScaledObject",
        .title = "Keda ScaledObject",
        .noun = "Keda ScaledObject",
        .update_noun = "ScaledObject",
        .min = "minReplicaCount",
        .max = "maxReplicaCount",
        .can_pause = true,
        .adjust = adjust_scaled_object,
    },
};

static const struct scaler *find_scaler(const struct canary_view *view)
{
    for (size_t i = 0; view->canary->scaler_ref && i < ARRAY_LEN(scalers); i++)
        if (strcmp(view->canary->scaler.kind, scalers[i].kind) == 0)
            return &scalers[i];
    return NULL;
}

static const struct val *find_target(const struct canary_view *view, const struct scaler *s)
{
    return view_find(view, s->api_version, s->kind, view->canary->scaler.name);
}

bool scaler_is_used(const struct canary_view *view)
{
    return find_scaler(view) != NULL;
}

void scaler_want(const struct canary_view *view, struct live_wants *out)
{
    const struct scaler *s = find_scaler(view);
    if (!s)
        return;
    const char *name = view->canary->scaler.name;
    meta_want(view, out, s->api_version, s->kind, name);
    meta_want(view, out, s->api_version, s->kind, meta_primary_name(view, name));
}

/* -- the twin's spec -------------------------------------------------------------------------- */

static void point_to_primary(const struct canary_view *view, struct val *spec)
{
    struct val *ref = val_need_map(view->mem, spec, "scaleTargetRef");
    if (ref)
        val_set_text(view->mem, ref, "name", meta_primary_name(view, view->canary->target.name));
}

static void adjust_hpa(const struct canary_view *view, struct val *spec)
{
    point_to_primary(view, spec);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Every <t>-canary and every other <t> becomes <t>-primary. */
static const char *primary_query(const struct canary_view *view, const char *query)
{
    const char *name = view->canary->target.name;
    SBUF(text, SBUF_MAX);
    while (*query) {
        if (!*name || !begins_with(query, name)) {
            sbuf_add_char(&text, *query++);
            continue;
        }
        query += strlen(name);
        if (begins_with(query, "-canary"))
            query += strlen("-canary");
        sbuf_addf(&text, "%s-primary", name);
    }
    return arena_strdup(view->mem, sbuf_text(&text));
}

/* What the user says for this trigger; without a word on any of them, a guess. */
static void adjust_trigger(const struct canary_view *view, const struct val *trigger)
{
    const struct val *queries = val_get(view->canary->scaler_ref, "primaryScalerQueries");
    struct val *metadata = val_get(trigger, "metadata");
    const char *query = val_text(val_get(metadata, "query"));
    if (!query)
        return;
    if (val_is_map(queries))
        query = val_text_or(val_get(queries, val_text_or(val_get(trigger, "name"), "")), query);
    else
        query = primary_query(view, query);
    val_set_text(view->mem, metadata, "query", query);
}

static void adjust_scaled_object(const struct canary_view *view, struct val *spec)
{
    struct arena *mem = view->mem;
    point_to_primary(view, spec);
    struct val *advanced = val_need_map(mem, spec, "advanced");
    struct val *hpa =
        advanced ? val_need_map(mem, advanced, "horizontalPodAutoscalerConfig") : NULL;
    const char *name = val_text_or(val_get(hpa, "name"), "");
    if (*name)
        val_set_text(mem, hpa, "name", meta_primary_name(view, name));
    const struct val *triggers = val_get(spec, "triggers");
    for (size_t i = 0; i < val_len(triggers); i++)
        adjust_trigger(view, val_item(triggers, i));
}

static void override_bound(const struct canary_view *view, struct val *spec, const char *from,
                           const char *field)
{
    const struct val *value = VAL_PATH(view->canary->scaler_ref, "primaryScalerReplicas", from);
    if (!val_is_null(value))
        val_set(view->mem, spec, field, val_copy(view->mem, value));
}

static struct val *twin_spec(const struct canary_view *view, const struct scaler *s,
                             const struct val *target)
{
    struct val *spec = meta_copy_map(view, val_get(target, "spec"));
    s->adjust(view, spec);
    override_bound(view, spec, "minReplicas", s->min);
    override_bound(view, spec, "maxReplicas", s->max);
    return spec;
}

/* -- effects ---------------------------------------------------------------------------------- */

static void create_twin(const struct canary_view *view, const struct scaler *s,
                        const struct val *target, struct effects *out)
{
    const char *name = meta_primary_name(view, view->canary->scaler.name), *ns = view->canary->ns;
    struct val *twin = view_new_object(view, s->api_version, s->kind, name);
    meta_put(view, twin, "labels", meta_copied(view, VAL_PATH(target, "metadata", "labels")));
    if (s->can_pause) {
        struct val *map = meta_copied(view, VAL_PATH(target, "metadata", "annotations"));
        /* Our own pause is the target's alone: with it the primary would begin at no pods. */
        if (strcmp(val_text_or(val_get(map, PAUSE_ANNOTATION), ""), "0") == 0)
            (void)val_remove(map, PAUSE_ANNOTATION);
        meta_put(view, twin, "annotations", map);
    }
    val_set(view->mem, twin, "spec", twin_spec(view, s, target));
    struct effect *effect = effect_add(out, EFFECT_CREATE, twin);
    effect->before = arena_printf(out->mem, "creating %s %s.%s failed: ", s->noun, name, ns);
    effect->log = arena_printf(out->mem, "%s %s.%s created", s->noun, name, ns);
}

/* An absent minimum is 1. */
static bool same_field(const struct scaler *s, const char *key, const struct val *one,
                       const struct val *other)
{
    int64_t a = 1, b = 1;
    if (strcmp(key, s->min) != 0 || s->can_pause)
        return val_equal(one, other);
    return (!one || val_int(one, &a)) && (!other || val_int(other, &b)) && a == b;
}

static bool has_fields_of(const struct scaler *s, const struct val *one, const struct val *other)
{
    for (size_t i = 0; val_is_map(one) && i < one->len; i++)
        if (!same_field(s, one->pairs[i].key, one->pairs[i].value,
                        val_get(other, one->pairs[i].key)))
            return false;
    return true;
}

static void update_twin(const struct canary_view *view, const struct scaler *s,
                        const struct val *target, const struct val *live, struct effects *out)
{
    struct val *spec = twin_spec(view, s, target);
    const struct val *now = val_get(live, "spec");
    if (has_fields_of(s, spec, now) && has_fields_of(s, now, spec))
        return;
    const char *name = meta_primary_name(view, view->canary->scaler.name), *ns = view->canary->ns;
    struct val *twin = val_copy(view->mem, live);
    val_set(view->mem, twin, "spec", spec);
    struct effect *effect = meta_update(
        out, twin, arena_printf(out->mem, "updating %s %s.%s failed: ", s->update_noun, name, ns));
    effect->log = arena_printf(out->mem, "%s %s.%s updated", s->noun, name, ns);
}

static struct err *need_target(const struct canary_view *view, const struct scaler *s,
                               const struct val **out)
{
    const char *name = view->canary->scaler.name;
    *out = find_target(view, s);
    if (*out)
        return NULL;
    return err_new(ERR_NOT_FOUND, "%s %s.%s get query error: %s", s->title, name, view->canary->ns,
                   meta_absent(view, s->api_version, s->kind, name));
}

struct err *scaler_reconcile(const struct canary_view *view, bool only_create, struct effects *out)
{
    const struct scaler *s = find_scaler(view);
    const struct val *target, *twin;
    if (!s)
        return NULL;
    TRY(need_target(view, s, &target));
    twin = view_find(view, s->api_version, s->kind,
                     meta_primary_name(view, view->canary->scaler.name));
    if (!twin)
        create_twin(view, s, target, out);
    else if (!only_create)
        update_twin(view, s, target, twin, out);
    return NULL;
}

/* `value` NULL: not paused. */
static struct err *set_pause(const struct canary_view *view, const char *value, struct effects *out)
{
    const struct scaler *s = find_scaler(view);
    const struct val *live;
    if (!s || !s->can_pause)
        return NULL;
    TRY(need_target(view, s, &live));
    struct val *target = val_copy(view->mem, live);
    struct val *metadata = val_need_map(view->mem, target, "metadata");
    struct val *map = metadata ? val_need_map(view->mem, metadata, "annotations") : NULL;
    const char *now = val_text(val_get(map, PAUSE_ANNOTATION));
    if (!map || (value && now && strcmp(value, now) == 0) || (!value && !now))
        return NULL;
    if (value)
        val_set_text(view->mem, map, PAUSE_ANNOTATION, value);
    else
        (void)val_remove(map, PAUSE_ANNOTATION);
    (void)meta_update(out, target,
                      arena_printf(out->mem, "updating %s %s.%s failed: ", s->update_noun,
                                   view->canary->scaler.name, view->canary->ns));
    return NULL;
}

struct err *scaler_pause(const struct canary_view *view, struct effects *out)
{
    return set_pause(view, "0", out);
}

struct err *scaler_resume(const struct canary_view *view, struct effects *out)
{
    return set_pause(view, NULL, out);
}

int64_t scaler_least(const struct canary_view *view)
{
    const struct scaler *s = find_scaler(view);
    int64_t least = 1;
    if (s && val_int(VAL_PATH(find_target(view, s), "spec", s->min), &least))
        return MAX_OF(least, 1);
    return 1;
}
