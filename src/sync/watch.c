#include <string.h>

#include "sync/drift.h"
#include "sync/run.h"

#define FIGHT_AFTER     4 /* heals of one object within FIGHT_WINDOW_MS: someone else keeps writing */
#define FIGHT_WINDOW_MS 300000
#define FIGHT_MAX_MS    60000

/* -- when to heal ----------------------------------------------------------------------------------------------- */

static void on_heal(void *ctx)
{
    struct sync *sync = ctx;
    sync->heal = 0;
    sync->wants_heal = true;
    sync_wake(sync);
}

static void plan_heal(struct sync *sync, int64_t due_ms)
{
    if (sync->run || !sync->was_synced || !sync->is_started ||
        (sync->heal && sync->heal_due_ms <= due_ms))
        return;
    int64_t now_ms = loop_now_ms(sync->opts.loop);
    loop_cancel(sync->opts.loop, sync->heal);
    sync->heal_due_ms = due_ms;
    sync->heal = loop_after(sync->opts.loop, MAX_OF(due_ms - now_ms, (int64_t)0), on_heal, sync);
}

void sync_schedule_heal(struct sync *sync)
{
    int64_t first_ms = INT64_MAX;
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        const struct inventory_object *object = value;
        if (object->is_dirty && object->body && !object->rival && !object->is_busy)
            first_ms = MIN_OF(first_ms, object->not_before_ms);
    }
    if (first_ms != INT64_MAX)
        plan_heal(sync, first_ms);
}

void sync_on_released(struct sync *sync)
{
    void *value;
    for (size_t at = 0; map_next(sync->inventory.objects, &at, NULL, &value);) {
        struct inventory_object *object = value;
        if (object->is_kept && !inventory_owned(&sync->inventory, object))
            object->is_dirty = true;
    }
    sync_schedule_heal(sync);
}

/* -- what to do about what was seen --------------------------------------------------------------------------------- */

/* What the generation tells beyond managedFields: on old servers, whether replicas that are ours were scaled. */
static int64_t telling_generation(const struct sync *sync, const struct inventory_object *object)
{
    bool may_be_scaled = object->owns_replicas && !inventory_has_scaler(&sync->inventory, object) &&
                         !kube_discovery_tracks_scale(sync->opts.discovery);
    return may_be_scaled ? object->live_generation : 0;
}

static void read_record(const struct sync *sync, const struct inventory_object *object,
                        struct drift_record *record)
{
    *record = (struct drift_record){ .is_declared = object->body && !object->rival,
                                     .is_busy = object->is_busy,
                                     .is_failed = object->outcome == SYNC_FAILED,
                                     .mark = object->mark,
                                     .checksum = object->checksum,
                                     .has_print = object->has_print,
                                     .version = object->live_version,
                                     .generation = telling_generation(sync, object),
                                     .has_failed_print = object->has_refused_print };
    memcpy(record->print, object->live_print, sizeof(record->print));
    memcpy(record->failed_print, object->refused_print, sizeof(record->failed_print));
}

static void keep_news(struct inventory_object *object, const struct drift_seen *seen)
{
    object->has_news = true;
    object->news_version = seen->version ? seen->version : UINT64_MAX;
    object->news_generation = seen->generation;
    object->news_has_print = seen->has_print;
    object->news_is_marked =
        seen->event == DRIFT_SEEN && seen->mark && !strcmp(seen->mark, object->mark);
    memcpy(object->news_print, seen->print, sizeof(object->news_print));
}

/* The first heals come at once; later ones of the same object wait, so that a fight costs both sides little. */
static void delay_heal(struct sync *sync, struct inventory_object *object)
{
    int64_t now_ms = loop_now_ms(sync->opts.loop);
    if (now_ms - object->healed_ms > FIGHT_WINDOW_MS)
        object->heals = 0;
    object->healed_ms = now_ms;
    object->heals++;
    if (object->heals <= FIGHT_AFTER)
        return;
    int64_t wait_ms = (int64_t)1000 << MIN_OF(object->heals - FIGHT_AFTER, 6);
    object->not_before_ms = now_ms + MIN_OF(wait_ms, (int64_t)FIGHT_MAX_MS);
    if (object->heals == FIGHT_AFTER + 1)
        log_warn(sync->opts.log, F("component", "sync"), F("resource", object->id),
                 F("warning", "another manager keeps changing this object; it is brought back more "
                              "and more seldom"));
}

static void report_drift(struct sync *sync, struct inventory_object *object, const char *reason)
{
    bool is_known = object->outcome == SYNC_DRIFTED;
    inventory_set_outcome(object, SYNC_DRIFTED, reason, loop_wall_ms(sync->opts.loop));
    if (is_known)
        return;
    metric_add(sync->drift, (const char *const[]){ "reported" }, 1);
    log_warn(sync->opts.log, F("component", "sync"), F("event", "drift"), F("resource", object->id),
             F("reason", reason));
    sync_report_object(sync, object, true, "Drifted", reason);
}

static void heal(struct sync *sync, struct inventory_object *object, const char *reason)
{
    if (sync->opts.drift == SYNC_DRIFT_REPORT) {
        report_drift(sync, object, reason);
        return;
    }
    /* One drift may be seen in several events; no number of them makes it wait longer. */
    if (object->is_dirty) {
        plan_heal(sync, object->not_before_ms);
        return;
    }
    log_info(sync->opts.log, F("component", "sync"), F("event", "drift"), F("resource", object->id),
             F("reason", reason));
    delay_heal(sync, object);
    object->is_dirty = true;
    plan_heal(sync, object->not_before_ms);
}

/* A heal in report mode would be a lie: what is as declared again is said to be so. */
static void clear_drift(struct sync *sync, struct inventory_object *object,
                        const struct drift_seen *seen)
{
    bool is_same = seen->has_print && object->has_print &&
                   !memcmp(seen->print, object->live_print, sizeof(seen->print));
    if (object->outcome == SYNC_DRIFTED && is_same)
        inventory_set_outcome(object, SYNC_APPLIED, NULL, loop_wall_ms(sync->opts.loop));
}

void sync_on_seen(void *ctx, struct inventory_object *object, const struct drift_seen *seen)
{
    struct sync *sync = ctx;
    /* Gone, or only without its label. To apply heals both; what an autoscaler scales is asked for first, since its replicas
     * are ours in the first case and not in the second. */
    if (seen->event != DRIFT_SEEN)
        object->live =
            inventory_has_scaler(&sync->inventory, object) ? INVENTORY_UNSEEN : INVENTORY_ABSENT;
    if (object->outcome == SYNC_SKIPPED && object->body && seen->event == DRIFT_SEEN &&
        seen->ignore != MARK_IGNORE_YES) {
        heal(sync, object, "the annotation that kept it from being applied is gone");
        return;
    }
    if (sync->opts.drift == SYNC_DRIFT_OFF)
        return;
    struct drift_record record;
    read_record(sync, object, &record);
    struct drift_decision decision = drift_decide(&record, seen);
    switch (decision.action) {
    case DRIFT_NONE: clear_drift(sync, object, seen); break;
    case DRIFT_LATER: keep_news(object, seen); break;
    case DRIFT_ASK:
        if (inventory_owned(&sync->inventory, object) & OWNER_ROUTES)
            break;
        object->live = INVENTORY_UNSEEN;
        heal(sync, object, decision.reason);
        break;
    case DRIFT_HEAL:
        if (!(inventory_owned(&sync->inventory, object) & OWNER_ROUTES))
            heal(sync, object, decision.reason);
        break;
    case DRIFT_IGNORED:
        inventory_set_outcome(object, SYNC_SKIPPED, decision.reason, loop_wall_ms(sync->opts.loop));
        break;
    case DRIFT_FOREIGN: report_drift(sync, object, decision.reason); break;
    }
}
