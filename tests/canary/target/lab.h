/* canary/target/lab.h - a canary in a namespace of plain values: looks, plans, and carries effects out as the API server would.
 * Include after cmocka.h. */
#ifndef SERIN_TESTS_CANARY_TARGET_LAB_H
#define SERIN_TESTS_CANARY_TARGET_LAB_H

#include "../value.h"
#include "base/hash.h"
#include "canary/hash.h"
#include "canary/target/configs.h"
#include "canary/target/scaler.h"
#include "canary/target/services.h"
#include "canary/target/target.h"
#include "doc/merge.h"
#include "doc/object.h"

#define LAB_NOW_MS 1790000000000 /* 2026-09-21T14:13:20Z */

static const char *const lab_selectors[] = { "app", "name", "app.kubernetes.io/name", NULL };

struct lab {
    struct arena *mem;
    struct canary canary;
    struct canary_settings settings;
    struct canary_view view;
    VEC(struct val *) objects;
    VEC(const char *) requests; /* "create Deployment/x" */
    int64_t version;
};

static struct val **lab_slot(struct lab *lab, const char *kind, const char *name)
{
    for (size_t i = 0; i < lab->objects.len; i++)
        if (strcmp(object_kind(lab->objects.at[i]), kind) == 0 &&
            strcmp(object_name(lab->objects.at[i]), name) == 0)
            return &lab->objects.at[i];
    return NULL;
}

UNUSED static struct val *lab_object(struct lab *lab, const char *kind, const char *name)
{
    struct val **slot = lab_slot(lab, kind, name);
    return slot ? *slot : NULL;
}

/* As the API server stores it: a version of its own, the namespace, no nulls. */
static void lab_store(struct lab *lab, const struct val *object)
{
    struct val *stored = val_copy(lab->mem, object);
    struct val *metadata = val_need_map(lab->mem, stored, "metadata");
    const char *version = arena_printf(lab->mem, "%lld", (long long)++lab->version);
    val_set_text(lab->mem, metadata, "resourceVersion", version);
    val_set_text(lab->mem, metadata, "namespace", lab->canary.ns);
    struct val **slot = lab_slot(lab, object_kind(stored), object_name(stored));
    if (slot)
        *slot = stored;
    else
        *vec_push(lab->mem, &lab->objects) = stored;
}

UNUSED static void lab_begin(struct lab *lab, struct arena *mem, const struct val *canary,
                             const struct val *objects)
{
    *lab = (struct lab){ .mem = mem, .settings = { .selector_labels = lab_selectors } };
    lab->settings.tracks_configs = true;
    SCOPED(err_free) struct err *e = canary_parse(mem, canary, &lab->canary);
    if (e)
        fail_msg("%s", err_text(e));
    for (size_t i = 0; i < val_len(objects); i++)
        lab_store(lab, val_item(objects, i));
}

/* -- looking ---------------------------------------------------------------------------------- */

static const struct val *without_data(struct arena *mem, const struct val *object)
{
    struct val *bare = val_copy(mem, object);
    (void)val_remove(bare, "data");
    (void)val_remove(bare, "binaryData");
    return bare;
}

/* Only what was asked for is known. */
static struct live *lab_live(struct lab *lab, const struct live_wants *wants)
{
    struct live *live = live_new(lab->mem);
    for (size_t i = 0; i < wants->keys.len; i++) {
        const struct live_key *key = &wants->keys.at[i];
        const struct val *object = lab_object(lab, key->kind, key->name);
        assert_string_equal(key->ns, lab->canary.ns);
        if (!object || strcmp(object_api_version(object), key->api_version) != 0)
            live_put(live, key, LIVE_ABSENT, NULL, NULL);
        else if (key->form == LIVE_CHECKSUM)
            live_put(live, key, LIVE_HERE, without_data(lab->mem, object),
                     canary_hash_config(lab->mem, val_get(object, "data")));
        else
            live_put(live, key, LIVE_HERE, object, NULL);
    }
    return live;
}

static const struct target_kind *lab_kind(const struct lab *lab)
{
    return target_find(&lab->canary);
}

UNUSED static void lab_look(struct lab *lab)
{
    struct live_wants wants = { .mem = lab->mem };
    size_t before;
    lab->view = (struct canary_view){
        .mem = lab->mem,
        .canary = &lab->canary,
        .settings = &lab->settings,
        .now_ms = LAB_NOW_MS,
        .uuid = arena_printf(lab->mem, "00000000-0000-4000-8000-%012lld", (long long)lab->version),
    };
    do {
        before = wants.keys.len;
        wants.keys.len = 0;
        lab_kind(lab)->wants(&lab->view, &wants);
        services_want(&lab->view, &wants);
        scaler_want(&lab->view, &wants);
        lab->view.live = lab_live(lab, &wants);
    } while (wants.keys.len != before);
    lab_kind(lab)->observe(&lab->view, &lab->view.target);
}

/* -- acting ----------------------------------------------------------------------------------- */

static struct err *plan_services(struct lab *lab, struct effects *out)
{
    return services_initialize(&lab->view, out);
}

static struct err *plan_apex(struct lab *lab, struct effects *out)
{
    return services_reconcile(&lab->view, out);
}

static struct err *plan_revert_apex(struct lab *lab, struct effects *out)
{
    return services_finalize(&lab->view, out);
}

static struct err *plan_primary(struct lab *lab, struct effects *out)
{
    return lab_kind(lab)->create_primary(&lab->view, out);
}

static struct err *plan_promote(struct lab *lab, struct effects *out)
{
    return lab_kind(lab)->promote(&lab->view, out);
}

static struct err *plan_up(struct lab *lab, struct effects *out)
{
    return lab_kind(lab)->scale_from_zero(&lab->view, out);
}

static struct err *plan_down(struct lab *lab, struct effects *out)
{
    return lab_kind(lab)->scale_to_zero(&lab->view, out);
}

static struct err *plan_revert(struct lab *lab, struct effects *out)
{
    return lab_kind(lab)->revert(&lab->view, out);
}

static struct err *plan_scaler(struct lab *lab, struct effects *out)
{
    return scaler_reconcile(&lab->view, true, out);
}

static struct err *plan_scaler_update(struct lab *lab, struct effects *out)
{
    return scaler_reconcile(&lab->view, false, out);
}

static struct err *plan_pause(struct lab *lab, struct effects *out)
{
    return scaler_pause(&lab->view, out);
}

static struct err *plan_resume(struct lab *lab, struct effects *out)
{
    return scaler_resume(&lab->view, out);
}

static const struct lab_act {
    const char *name;
    struct err *(*plan)(struct lab *lab, struct effects *out);
} lab_acts[] = {
    { "services", plan_services },
    { "apex", plan_apex },
    { "revert-apex", plan_revert_apex },
    { "primary", plan_primary },
    { "promote", plan_promote },
    { "up", plan_up },
    { "down", plan_down },
    { "revert", plan_revert },
    { "scaler", plan_scaler },
    { "scaler-update", plan_scaler_update },
    { "pause", plan_pause },
    { "resume", plan_resume },
};

/* Looks, and plans one act; the effects are not carried out. */
UNUSED static struct err *lab_plan(struct lab *lab, const char *name, struct effects *out)
{
    *out = (struct effects){ .mem = lab->mem };
    lab_look(lab);
    for (size_t i = 0; i < ARRAY_LEN(lab_acts); i++)
        if (strcmp(lab_acts[i].name, name) == 0)
            return lab_acts[i].plan(lab, out);
    fail_msg("no act %s", name);
    return NULL;
}

static const char *lab_verb(const struct effect *effect)
{
    switch (effect->verb) {
    case EFFECT_CREATE: return "create";
    case EFFECT_UPDATE: return "update";
    case EFFECT_MERGE: return "patch";
    case EFFECT_DELETE: return "delete";
    case EFFECT_COPY_CONFIG: return "copy";
    }
    return "";
}

static void lab_carry_out(struct lab *lab, const struct effect *effect)
{
    const struct val *live = lab_object(lab, effect->kind, effect->name);
    const struct val *body = effect->body;
    assert_string_equal(effect->ns, lab->canary.ns);
    if (effect->verb == EFFECT_CREATE) {
        assert_null(live);
        assert_string_equal(object_resource_version(body), "");
    } else if (effect->verb == EFFECT_UPDATE) {
        assert_non_null(live);
        assert_string_equal(object_resource_version(body), object_resource_version(live));
        assert_false(val_equal(body, live)); /* a request for nothing */
    } else if (effect->verb == EFFECT_MERGE) {
        assert_non_null(live);
        body = doc_merge_apply(lab->mem, live, body);
    } else if (effect->verb == EFFECT_COPY_CONFIG) {
        const struct val *source = lab_object(lab, effect->kind, effect->source);
        assert_non_null(source);
        body = configs_fill(lab->mem, body, source);
    }
    *vec_push(lab->mem, &lab->requests) =
        arena_printf(lab->mem, "%s %s/%s", lab_verb(effect), effect->kind, effect->name);
    lab_store(lab, body);
}

/* Plans one act and carries it out; then there is nothing left to do, but for a promotion, which always rolls the primary. */
UNUSED static void lab_do(struct lab *lab, const char *name)
{
    struct effects effects;
    SCOPED(err_free) struct err *e = lab_plan(lab, name, &effects);
    if (e)
        fail_msg("%s: %s", name, err_text(e));
    for (size_t i = 0; i < effects.list.len; i++)
        lab_carry_out(lab, &effects.list.at[i]);
    if (strcmp(name, "promote") == 0)
        return;
    SCOPED(err_free) struct err *again = lab_plan(lab, name, &effects);
    assert_null(again);
    if (effects.list.len > 0)
        fail_msg("%s, done again: %s %s/%s %s", name, lab_verb(&effects.list.at[0]),
                 effects.list.at[0].kind, effects.list.at[0].name,
                 val_json(lab->mem, effects.list.at[0].body, NULL));
}

#endif
