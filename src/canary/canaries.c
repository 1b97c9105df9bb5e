#include "canary/canaries.h"

#include <stdlib.h>
#include <string.h>

#include "canary/canaries_parts.h"
#include "doc/object.h"

#define AT_ONCE 64

/* -- texts ------------------------------------------------------------------------------------------------------------------- */

void canaries_keep_text(char **at, const char *text)
{
    if (*at && text && !strcmp(*at, text))
        return;
    char *copy = base_copy_text(text);
    free(*at);
    *at = copy;
}

/* -- who has which target ------------------------------------------------------------------------------------------------------ */

static void free_holders(void *at)
{
    struct holders *holders = at;
    vec_fini(&holders->units);
    free(holders);
}

/* The others may have it now, or no more. */
static void tell_holders(struct holders *holders)
{
    for (size_t i = 0; i < holders->units.len; i++)
        due_now(holders->units.at[i]);
}

static void release_target(struct unit *unit)
{
    struct canaries *all = unit->all;
    struct holders *holders = unit->target_key ? map_get(all->targets, unit->target_key) : NULL;
    if (!holders)
        return;
    for (size_t i = 0; i < holders->units.len; i++) {
        if (holders->units.at[i] != unit)
            continue;
        holders->units.at[i] = holders->units.at[--holders->units.len];
        break;
    }
    if (holders->units.len)
        tell_holders(holders);
    else
        map_remove(all->targets, unit->target_key);
    free(STEAL(unit->target_key));
}

static bool is_older(const struct unit *a, const struct unit *b)
{
    int order = strcmp(a->created, b->created);
    return order ? order < 0 : strcmp(a->name, b->name) < 0;
}

const char *canaries_rival(const struct canaries *all, const struct unit *unit)
{
    const struct holders *holders =
        unit->target_key ? map_get(all->targets, unit->target_key) : NULL;
    const struct unit *oldest = unit;
    for (size_t i = 0; holders && i < holders->units.len; i++) {
        if (is_older(holders->units.at[i], oldest))
            oldest = holders->units.at[i];
    }
    return oldest == unit ? NULL : oldest->owner;
}

static void take_target(struct unit *unit, const char *key)
{
    struct canaries *all = unit->all;
    if (unit->target_key && !strcmp(unit->target_key, key))
        return;
    release_target(unit);
    unit->target_key = base_copy_text(key);
    struct holders *holders = map_get(all->targets, key);
    if (!holders) {
        holders = base_alloc(sizeof(*holders));
        map_set(all->targets, key, holders);
    }
    *vec_push(NULL, &holders->units) = unit;
    for (size_t i = 0; holders->units.len > 1 && i < holders->units.len; i++) {
        struct unit *one = holders->units.at[i];
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        report_log(all, one, CANARY_ERROR,
                   arena_printf(mem,
                                "Bad things will happen! Found more than one canary with the same "
                                "target %s.%s",
                                one->target, one->ns));
        if (one != unit)
            due_now(one);
    }
}

/* -- units ---------------------------------------------------------------------------------------------------------------------- */

static void see(const struct unit *unit, struct canaries_seen *out)
{
    *out = (struct canaries_seen){ .ns = unit->ns,
                                   .name = unit->name,
                                   .target_kind = unit->target_kind ? unit->target_kind : "",
                                   .target = unit->target ? unit->target : "",
                                   .phase = unit->phase,
                                   .weight = unit->weight,
                                   .failed_checks = unit->failed_checks,
                                   .iterations = unit->iterations,
                                   .waits_for = unit->waits_for,
                                   .last_event = unit->last_event,
                                   .next_tick_ms = unit->timer ? unit->due_ms : 0 };
}

void canaries_show(struct unit *unit, const struct canary *canary)
{
    const struct canaries_opts *opts = &unit->all->opts;
    struct canaries_seen seen;
    bool is_as_before =
        unit->phase == canary->status.phase && unit->weight == canary->status.weight;
    unit->phase = canary->status.phase;
    unit->weight = canary->status.weight;
    unit->failed_checks = canary->status.failed_checks;
    unit->iterations = canary->status.iterations;
    if (is_as_before || !opts->on_shown)
        return;
    see(unit, &seen);
    opts->on_shown(opts->ctx, &seen);
}

void canaries_take(struct canaries *all, struct unit *unit, const struct canary *canary)
{
    report_known(all, unit, canary != NULL);
    if (!canary) {
        release_target(unit);
        return;
    }
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (unit->target && strcmp(unit->target, canary->target.name) != 0) {
        report_forget(all, unit); /* series are named after the target */
        report_known(all, unit, true);
    }
    unit->refused_generation = -1;
    canaries_keep_text(&unit->target, canary->target.name);
    canaries_keep_text(&unit->target_kind, canary->target.kind);
    canaries_keep_text(&unit->created,
                       val_text_or(VAL_PATH(canary->object, "metadata", "creationTimestamp"), ""));
    take_target(unit, canary_target_key(mem, canary));
}

static struct unit *unit_new(struct canaries *all, const char *ns, const char *name)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct unit *unit = base_alloc(sizeof(*unit));
    *unit = (struct unit){ .all = all,
                           .ns = base_copy_text(ns),
                           .name = base_copy_text(name),
                           .owner = base_copy_text(arena_printf(mem, "%s.%s", name, ns)),
                           .wait = CANARY_WAIT_NOW,
                           .waits_for = base_copy_text(""),
                           .created = base_copy_text(""),
                           .last_event = base_copy_text(""),
                           .refused_generation = -1,
                           .at = all->list.len };
    map_set(all->units, unit->owner, unit);
    *vec_push(NULL, &all->list) = unit;
    return unit;
}

static void unit_free(struct unit *unit)
{
    char *const texts[] = { unit->ns,         unit->name,      unit->owner,  unit->waits_for,
                            unit->told_lack,  unit->created,   unit->target, unit->target_kind,
                            unit->last_event, unit->target_key };
    for (size_t i = 0; i < unit->metrics.len; i++)
        free(unit->metrics.at[i]);
    vec_fini(&unit->metrics);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(unit);
}

static bool has_namesake(const struct canaries *all, const struct unit *unit)
{
    for (size_t i = 0; unit->target && i < all->list.len; i++) {
        const struct unit *one = all->list.at[i];
        if (one != unit && one->target && !strcmp(one->target, unit->target) &&
            !strcmp(one->ns, unit->ns))
            return true;
    }
    return false;
}

void canaries_gone(struct unit *unit)
{
    struct canaries *all = unit->all;
    ASSERT(!unit->tick);
    due_forget(unit);
    store_forget(all->store, unit->owner);
    claims_forget(all, unit);
    release_target(unit);
    if (has_namesake(all, unit))
        report_known(all, unit, false);
    else
        report_forget(all, unit);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    report_log(all, unit, CANARY_INFO, arena_printf(mem, "Deleting %s from cache", unit->owner));
    struct unit *last = all->list.at[--all->list.len];
    all->list.at[unit->at] = last;
    last->at = unit->at;
    (void)map_take(all->units, unit->owner);
    unit_free(unit);
    if (all->opts.on_release)
        all->opts.on_release(all->opts.ctx);
}

/* -- where there are canaries ---------------------------------------------------------------------- */

static void on_probed(void *ctx, const struct metric_verdict *verdict)
{
    struct canaries *all = ctx;
    all->probe = 0;
    if (verdict->outcome.is_ok)
        log_info(all->opts.log, F("msg", verdict->outcome.text));
    else
        log_error(all->opts.log, F("msg", verdict->outcome.text));
}

/* As soon as the server knows what a Canary is; a daemon without any is not to be seen. */
static void begin(struct canaries *all)
{
    const char *server = all->opts.settings->metrics_server;
    if (all->is_begun || !store_has_canaries(all->store))
        return;
    all->is_begun = true;
    report_begin(all);
    if (*server)
        all->probe = metric_server_probe_start(all->lab, server, on_probed, all);
}

/* -- what the store tells --------------------------------------------------------------------------------------------------------- */

/* Wants that are known before the watches have brought the objects save a request for each. */
static void declare(struct unit *unit)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct scene *scene;
    SCOPED(err_free) struct err *e = scene_open(unit->all, unit, mem, &scene);
    if (!e && scene)
        scene_declare(unit->all, unit, scene);
}

static void on_gone(struct unit *unit)
{
    unit->is_gone = true;
    if (unit->state == UNIT_TICKING)
        tick_leave(unit->tick);
    else
        canaries_gone(unit);
}

static void on_canary(void *ctx, const char *ns, const char *name, bool is_gone)
{
    struct canaries *all = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct unit *unit = map_get(all->units, arena_printf(mem, "%s.%s", name, ns));
    if (is_gone && unit)
        on_gone(unit);
    if (is_gone)
        return;
    if (!unit) {
        begin(all);
        unit = unit_new(all, ns, name);
        report_log(all, unit, CANARY_INFO, arena_printf(mem, "Synced %s/%s", ns, name));
    }
    if (unit->is_gone) /* another one of the same name, while a tick of the old one ends */
        unit->memory = (struct canary_memory){ 0 };
    unit->is_gone = false;
    if (all->is_synced)
        due_change(unit);
}

static void on_change(void *ctx, const char *owner)
{
    struct canaries *all = ctx;
    struct unit *unit = map_get(all->units, owner);
    if (unit)
        due_change(unit);
}

static void on_synced(void *ctx)
{
    struct canaries *all = ctx;
    all->is_synced = true;
    for (size_t i = 0; i < all->list.len; i++)
        declare(all->list.at[i]);
    for (size_t i = 0; i < all->list.len; i++)
        due_now(all->list.at[i]);
}

/* -- the interface ------------------------------------------------------------------------------------------------------------------ */

struct canaries *canaries_new(const struct canaries_opts *opts)
{
    struct canaries *all = base_alloc(sizeof(*all));
    *all = (struct canaries){ .opts = *opts,
                              .units = map_new(NULL),
                              .targets = map_new(free_holders),
                              .claims = map_new(free) };
    due_begin(all);
    if (all->opts.at_once <= 0)
        all->opts.at_once = AT_ONCE;
    all->store = store_new(&(struct store_opts){ .loop = opts->loop,
                                                 .log = opts->log,
                                                 .kube = opts->kube,
                                                 .discovery = opts->discovery,
                                                 .mesh_kube = opts->mesh_kube,
                                                 .mesh_discovery = opts->mesh_discovery,
                                                 .namespaces = opts->namespaces,
                                                 .on_change = on_change,
                                                 .on_canary = on_canary,
                                                 .on_synced = on_synced,
                                                 .ctx = all });
    all->hooks = hooks_new(&(struct hooks_opts){ .loop = opts->loop,
                                                 .http = opts->http,
                                                 .log = opts->log,
                                                 .event_url = opts->event_webhook });
    all->alerts = alerts_new(&(struct alerts_opts){ .loop = opts->loop,
                                                    .http = opts->http,
                                                    .log = opts->log,
                                                    .settings = opts->settings,
                                                    .global = opts->notifier });
    all->lab = metric_lab_new(&(struct metric_lab_opts){ .loop = opts->loop,
                                                         .http = opts->http,
                                                         .kube = opts->kube,
                                                         .log = opts->log,
                                                         .environ_list = opts->environ_list });
    report_declare(all);
    return all;
}

void canaries_start(struct canaries *canaries)
{
    store_start(canaries->store);
    begin(canaries);
}

size_t canaries_waiting(const struct canaries *canaries)
{
    return hooks_waiting(canaries->hooks) + alerts_waiting(canaries->alerts);
}

void canaries_act(struct canaries *canaries, bool may_act)
{
    bool begins = may_act && !canaries->may_act;
    canaries->may_act = may_act;
    for (size_t i = 0; begins && canaries->is_synced && i < canaries->list.len; i++)
        due_now(canaries->list.at[i]);
    due_pump(canaries);
}

static void on_stopped(void *ctx)
{
    struct canaries *all = ctx;
    all->stopping = 0;
    all->stopped(all->stopped_ctx);
}

void canaries_check_stopped(struct canaries *all)
{
    if (all->is_stopping && !all->ticking && all->stopped && !all->stopping)
        all->stopping = loop_after(all->opts.loop, 0, on_stopped, all);
}

void canaries_stop(struct canaries *canaries, void (*done)(void *ctx), void *ctx)
{
    canaries->is_stopping = true;
    canaries->stopped = done;
    canaries->stopped_ctx = ctx;
    for (size_t i = canaries->list.len;
         i-- > 0;) { /* from the end: one that is gone gives its place to the last */
        if (canaries->list.at[i]->tick)
            tick_stop(canaries->list.at[i]->tick);
    }
    canaries_check_stopped(canaries);
}

void canaries_free(struct canaries *canaries)
{
    if (!canaries)
        return;
    metric_cancel(canaries->lab, canaries->probe);
    due_end(canaries);
    loop_cancel(canaries->opts.loop, canaries->stopping);
    for (size_t i = 0; i < canaries->list.len; i++) {
        struct unit *unit = canaries->list.at[i];
        tick_free(unit->tick);
        unit->tick = NULL;
        due_forget(unit);
        claims_forget(canaries, unit);
        unit_free(unit);
    }
    vec_fini(&canaries->list);
    map_free(canaries->units);
    map_free(canaries->targets);
    map_free(canaries->claims);
    metric_lab_free(canaries->lab);
    alerts_free(canaries->alerts);
    hooks_free(canaries->hooks);
    store_free(canaries->store);
    free(canaries);
}

size_t canaries_len(const struct canaries *canaries)
{
    return canaries->list.len;
}

void canaries_at(const struct canaries *canaries, size_t at, struct canaries_seen *out)
{
    see(canaries->list.at[at], out);
}
