#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "canary/canaries_parts.h"
#include "canary/hash.h"
#include "canary/target/configs.h"
#include "canary/target/scaler.h"
#include "canary/target/services.h"
#include "doc/object.h"

#define ROUNDS_MAX 8 /* of wants: target, its configs, templates, their secrets */

/* -- the Canary ------------------------------------------------------------------------------------------------------ */

/* One that is deleted has to be let go of, however wrong it is. */
static struct err *check(const struct canaries *all, const struct canary *canary)
{
    return canary->is_deleting ? NULL : canary_check(canary, all->opts.settings);
}

static struct err *parse(struct canaries *all, struct arena *mem, const struct val *object,
                         struct canary *out)
{
    TRY(canary_parse(mem, object, out));
    return check(all, out);
}

/* A new interval counts from when the last tick was due. */
static void take_interval(struct unit *unit, const struct canary *canary)
{
    int64_t interval_ms = canary->has_analysis ? canary->analysis.interval_ms : 60000;
    int64_t before_ms = unit->interval_ms;
    unit->interval_ms = interval_ms;
    if (unit->timer && before_ms && before_ms != interval_ms)
        due_after(unit, unit->due_ms - before_ms + interval_ms);
}

/* What a view begins with; the rest comes with the objects. */
static void set_view(struct canaries *all, struct scene *scene)
{
    scene->view = (struct canary_view){
        .mem = scene->mem,
        .canary = &scene->canary,
        .settings = all->opts.settings,
        .live = scene->live,
        .provider = canary_provider(&scene->canary, all->opts.settings),
        .now_ms = loop_wall_ms(all->opts.loop),
    };
}

static void choose_router(struct canaries *all, struct unit *unit, struct scene *scene)
{
    bool is_guess = false;
    scene->router = router_for(&scene->canary, all->opts.settings, &is_guess);
    if (is_guess && !unit->guess_was_told)
        report_log(all, unit, CANARY_ERROR,
                   arena_printf(scene->mem, "unknown mesh router provider '%s', using istio",
                                scene->view.provider));
    unit->guess_was_told = is_guess;
}

struct err *scene_open(struct canaries *all, struct unit *unit, struct arena *mem,
                       struct scene **out)
{
    *out = NULL;
    const struct val *object = store_canary(all->store, mem, unit->ns, unit->name);
    if (!object)
        return NULL;
    struct scene *scene = arena_alloc(mem, sizeof(*scene));
    scene->mem = mem;
    scene->wants.mem = mem;
    scene->live = live_new(mem);
    struct err *e = parse(all, mem, object, &scene->canary);
    if (e) {
        report_refusal(all, unit, object, e);
        canaries_take(all, unit, NULL);
        return e;
    }
    *out = scene;
    canaries_take(all, unit, &scene->canary);
    take_interval(unit, &scene->canary);
    canaries_show(unit, &scene->canary);
    scene->kind = target_find(&scene->canary);
    set_view(all, scene);
    choose_router(all, unit, scene);
    return NULL;
}

/* -- what is wanted --------------------------------------------------------------------------------------------------- */

/* The view is filled in as far as objects have come. */
static void collect(struct scene *scene, struct live_wants *out)
{
    const struct canary_view *view = &scene->view;
    scene->kind->wants(view, out);
    if (scene->kind->has_pods) {
        services_want(view, out);
        const struct val *pod_spec = target_pod_spec(view);
        if (pod_spec)
            configs_want(view, pod_spec, out);
    }
    if (scaler_is_used(view))
        scaler_want(view, out);
    scene->router->wants(view, out);
    metric_check_wants(&scene->canary, view->settings, view->live, out);
    notify_wants(&scene->canary, view->live, out);
}

static const char *key_text(struct arena *mem, const struct live_key *key)
{
    return arena_printf(mem, "%d%d %s/%s %s/%s", key->is_mesh, key->form, key->api_version,
                        key->kind, key->ns, key->name);
}

/* Those of `all` that are not in `had` yet, without duplicates; they are then. */
static void pick_new(struct arena *mem, struct map *had, const struct live_wants *all,
                     struct live_wants *out)
{
    for (size_t i = 0; i < all->keys.len; i++) {
        const char *text = key_text(mem, &all->keys.at[i]);
        if (map_get(had, text))
            continue;
        map_set(had, text, had);
        live_want(out, &all->keys.at[i]);
    }
}

static void observe(struct scene *scene)
{
    scene->view.target = (struct target_seen){ 0 };
    scene->kind->observe(&scene->view, &scene->view.target);
}

void scene_declare(struct canaries *all, struct unit *unit, struct scene *scene)
{
    collect(scene, &scene->wants);
    store_want_more(all->store, unit->owner, &scene->wants);
}

/* What cannot be read is a fault that somebody has to mend: said once for each reason. */
static void tell_lack(struct canaries *all, struct unit *unit, struct scene *scene)
{
    struct store_lack lack;
    if (!store_lacks(all->store, scene->mem, &scene->wants, &lack)) {
        free(STEAL(unit->told_lack));
        return;
    }
    canaries_keep_text(&unit->waits_for, lack.key);
    if (!lack.why)
        return;
    const char *text = arena_printf(scene->mem, "%s cannot be read: %s", lack.key, lack.why);
    if (unit->told_lack && !strcmp(unit->told_lack, text))
        return;
    canaries_keep_text(&unit->told_lack, text);
    report_event(all, unit, &scene->canary,
                 &(struct canary_action){
                     .severity = CANARY_WARN, .phase = scene->canary.status.phase, .text = text });
}

bool scene_gather(struct canaries *all, struct unit *unit, struct scene *scene)
{
    SCOPED(map_free) struct map *had = map_new(NULL);
    bool is_known = true;
    for (int round = 0; is_known && round < ROUNDS_MAX; round++) {
        struct live_wants found = { .mem = scene->mem }, fresh = { .mem = scene->mem };
        collect(scene, &found);
        pick_new(scene->mem, had, &found, &fresh);
        if (!fresh.keys.len)
            break;
        for (size_t i = 0; i < fresh.keys.len; i++)
            live_want(&scene->wants, &fresh.keys.at[i]);
        store_want_more(all->store, unit->owner, &fresh);
        is_known = store_look(all->store, scene->mem, &fresh, scene->live);
        observe(scene);
    }
    if (is_known) /* what was wanted by an earlier spec, or target, no longer is */
        store_want(all->store, unit->owner, &scene->wants);
    tell_lack(all, unit, scene);
    return is_known;
}

void scene_refresh(struct canaries *all, struct scene *scene, const struct live_key *key)
{
    struct live_wants one = { .mem = scene->mem };
    for (size_t i = 0; i < scene->wants.keys.len; i++) {
        const struct live_key *want = &scene->wants.keys.at[i];
        if (!strcmp(want->kind, key->kind) && !strcmp(want->name, key->name) &&
            !strcmp(want->ns, key->ns) && !strcmp(want->api_version, key->api_version))
            live_want(&one, want);
    }
    (void)store_look(all->store, scene->mem, &one, scene->live);
}

/* -- what it comes to -------------------------------------------------------------------------------------------------- */

static void judge_target(struct scene *scene)
{
    const struct canary *canary = &scene->canary;
    struct canary_facts *facts = &scene->facts;
    facts->target = scene->view.target;
    facts->has_pods = scene->kind->has_pods;
    facts->has_scaler = scaler_is_used(&scene->view);
    facts->is_target_missing = !target_object(&scene->view);
    facts->is_foreign =
        *canary->status.last_applied && !canary_hash_is_ours(canary->status.last_applied);
    facts->is_as_promoted =
        facts->is_foreign && !facts->target.fault && scene->kind->is_promoted(&scene->view);
}

static void judge_configs(struct scene *scene)
{
    struct canary_facts *facts = &scene->facts;
    const struct val *stored = scene->canary.status.tracked;
    const struct val *pod_spec = target_pod_spec(&scene->view);
    struct val *now = NULL;
    facts->revision = (struct canary_revision){ facts->target.revision, stored };
    if (!facts->has_pods || !pod_spec)
        return;
    SCOPED(err_free) struct err *e = configs_observe(&scene->view, pod_spec, &now);
    if (e) {
        facts->configs_fault = arena_strdup(scene->mem, err_text(e));
        return;
    }
    facts->revision.configs = now;
    const char *what = NULL;
    if (scene->view.settings->tracks_configs && configs_changed(scene->mem, stored, now, &what))
        facts->changed_config = what ? what : "the set of tracked configs";
}

static bool is_kind_missing(const struct scene *scene, const struct live_wants *wants)
{
    for (size_t i = 0; i < wants->keys.len; i++) {
        const struct live_key *key = &wants->keys.at[i];
        if (live_state(scene->live, key->api_version, key->kind, key->ns, key->name) ==
            LIVE_NO_KIND)
            return true;
    }
    return false;
}

static void judge_routes(struct scene *scene)
{
    struct canary_facts *facts = &scene->facts;
    struct arena *mem = scene->mem;
    struct live_wants wants = { .mem = mem };
    struct effects effects = { .mem = mem };
    scene->router->wants(&scene->view, &wants);
    SCOPED(err_free) struct err *e = scene->router->reconcile(&scene->view, &effects);
    const char *fault = e ? arena_strdup(mem, err_text(e)) : NULL;
    if (fault && is_kind_missing(scene, &wants))
        facts->routes_fault = fault;
    facts->split_fault = fault;
    if (fault)
        return;
    e = router_read_after(scene->router, &scene->view, &effects, &facts->split);
    facts->split_fault = e ? arena_strdup(mem, err_text(e)) : NULL;
}

static const char *json_of(struct arena *mem, const struct val *v)
{
    size_t len;
    return v ? val_json(mem, v, &len) : "";
}

/* Of a run, not of a tick: a promotion that is repeated, since nobody knows whether it was carried out, does not roll the primary
 * out again. Another run of the same revision does: the condition has the time when it began. */
static const char *run_uuid(const struct scene *scene)
{
    struct arena *mem = scene->mem;
    const struct canary_revision *revision = &scene->facts.revision;
    const char *run = arena_printf(
        mem, "%s\n%s\n%s\n%s", scene->canary.uid, revision->hash ? revision->hash : "",
        json_of(mem, revision->configs), json_of(mem, scene->canary.status.conditions));
    unsigned char id[16];
    hash_fingerprint(run, strlen(run), id);
    const char *hex = hash_hex(mem, id, sizeof(id));
    return arena_printf(mem, "%.8s-%.4s-4%.3s-%x%.3s-%.12s", hex, hex + 8, hex + 13,
                        0x8U | (unsigned)(id[8] >> 6), hex + 17, hex + 20);
}

static const char *new_letters(struct canaries *all, struct arena *mem)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char text[11] = "";
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = letters[loop_random(all->opts.loop) % (sizeof(letters) - 1)];
    return arena_strdup(mem, text);
}

void scene_judge(struct canaries *all, struct scene *scene)
{
    struct canary_view *view = &scene->view;
    for (size_t i = 0; i < ARRAY_LEN(view->letters); i++)
        view->letters[i] = new_letters(all, scene->mem);
    scene->facts = (struct canary_facts){ .mem = scene->mem,
                                          .canary = &scene->canary,
                                          .settings = all->opts.settings,
                                          .router = scene->router,
                                          .now_ms = view->now_ms };
    judge_target(scene);
    judge_configs(scene);
    view->uuid = run_uuid(scene);
    judge_routes(scene);
}
