#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "canary/canaries_parts.h"

#define ACTIONS_MAX     1000 /* a tick has some fifty at most: a step that does not end is a bug */
#define WORDS_MAX_BYTES 4096 /* of what a server said: each look of the step quotes it again */

/* -- its end --------------------------------------------------------------------------------------------------------- */

void tick_free(struct tick *tick)
{
    if (!tick)
        return;
    act_cancel(tick);
    arena_free(tick->scene->mem);
    free(tick);
}

/* When to look again. What a tick that was not due waits for stays as it was, its timer too; a run never goes without one. */
static void set_wait(struct tick *tick, const struct canary_action *done)
{
    struct unit *unit = tick->unit;
    bool stays = done->wait == CANARY_WAIT_AS_BEFORE;
    if (!stays) {
        unit->wait = done->wait;
        canaries_keep_text(&unit->waits_for, done->text ? done->text : "");
    }
    if (unit->wait == CANARY_WAIT_CHANGE || unit->wait == CANARY_WAIT_NOW)
        due_never(unit);
    else if (!unit->timer || (tick->scene->facts.is_due && !stays))
        due_after(unit, tick->started_ms + unit->interval_ms);
}

static void measure(const struct tick *tick)
{
    const struct canary *canary = &tick->scene->canary;
    int64_t took_ms = loop_now_ms(tick->all->opts.loop) - tick->started_ms;
    metric_observe(tick->all->metrics.duration,
                   (const char *const[]){ canary->target.name, canary->ns },
                   (double)took_ms / 1000);
}

static void end(struct tick *tick)
{
    struct unit *unit = tick->unit;
    const struct unit_work work = tick->work;
    unit->tick = NULL;
    tick_free(tick);
    due_done(unit, &work);
    struct canaries *all = unit->all;
    if (unit->is_gone)
        canaries_gone(unit);
    canaries_check_stopped(all);
}

/* The answers of our own writes may have what is waited for in them already: nobody tells us of these. */
static bool has_come(const struct tick *tick)
{
    enum canary_wait wait = tick->unit->wait;
    struct target_seen seen = { 0 };
    if (!tick->work.has_written || (wait != CANARY_WAIT_PRIMARY && wait != CANARY_WAIT_CANARY))
        return false;
    tick->scene->kind->observe(&tick->scene->view, &seen);
    return canary_step_is_due(wait, false, &seen);
}

static void finish(struct tick *tick)
{
    const struct canary_action *done = &tick->action;
    struct unit *unit = tick->unit;
    unit->memory = done->memory;
    unit->suspension_was_told = tick->scene->canary.is_suspended;
    if (done->was_analysis)
        measure(tick);
    set_wait(tick, done);
    unit->is_dirty = unit->is_dirty || has_come(tick);
    end(tick);
}

/* Left in the middle: by one that may act no more, or about a Canary that is gone. The next tick begins from the facts of then. */
static bool is_left(const struct tick *tick)
{
    return tick->is_left || !tick->all->may_act;
}

/* With the process about to end what was begun is finished, and told; nobody is asked any more. */
static bool has_to_stop(const struct tick *tick)
{
    return tick->all->is_stopping && tick->action.act >= CANARY_ASK_PROVIDERS &&
           tick->action.act <= CANARY_ASK_METRIC;
}

static void leave(struct tick *tick)
{
    tick->unit->wait = CANARY_WAIT_NOW;
    end(tick);
}

/* A request that may have reached the server is waited for: what it did belongs into the store. When the Canary is gone because we
 * let it go, the tick has a word to say about it yet. */
void tick_leave(struct tick *tick)
{
    if (tick->action.act == CANARY_DO_DROP_FINALIZER)
        return;
    tick->is_left = true;
    if (!tick->is_stepping && !tick->request)
        leave(tick);
}

/* -- action by action -------------------------------------------------------------------------------------------------- */

static const char *beginning_of(struct arena *mem, const char *text)
{
    size_t len = text ? utf8_fit(text, WORDS_MAX_BYTES) : 0;
    return text && text[len] ? arena_printf(mem, "%.*s...", (int)len, text) : text;
}

static void take_answer(struct tick *tick)
{
    tick->answer.text = beginning_of(tick->scene->mem, tick->answer.text);
    *vec_push(tick->scene->mem, &tick->outcomes) = tick->answer;
    tick->is_answered = false;
    ASSERT(tick->outcomes.len < ACTIONS_MAX);
}

static void step(struct tick *tick)
{
    tick->answer = (struct canary_outcome){ .is_ok = true };
    tick->is_answered = false;
    canary_step(&tick->scene->facts, tick->outcomes.at, tick->outcomes.len, &tick->action);
    if (tick->action.act != CANARY_DONE && !has_to_stop(tick))
        act_start(tick);
}

/* Actions that are answered at once are a loop here, not a recursion. */
void tick_go_on(struct tick *tick)
{
    if (tick->is_stepping)
        return;
    tick->is_stepping = true;
    do {
        if (tick->is_answered)
            take_answer(tick);
        if (is_left(tick)) {
            leave(tick);
            return;
        }
        step(tick);
    } while (tick->is_answered);
    tick->is_stepping = false;
    if (tick->action.act == CANARY_DONE)
        finish(tick);
    else if (has_to_stop(tick))
        leave(tick);
}

void tick_stop(struct tick *tick)
{
    if (!tick->is_stepping && (tick->hook || tick->check))
        leave(tick);
}

/* -- its beginning ------------------------------------------------------------------------------------------------------ */

static void complete_facts(struct tick *tick)
{
    struct unit *unit = tick->unit;
    struct canary_facts *facts = &tick->scene->facts;
    facts->memory = unit->memory;
    facts->suspension_was_told = unit->suspension_was_told;
    facts->duplicate = canaries_rival(tick->all, unit);
    facts->is_due = canary_step_is_due(unit->wait, unit->has_timer_passed, &facts->target);
}

void tick_start(struct unit *unit, struct scene *scene)
{
    struct canaries *all = unit->all;
    struct tick *tick = base_alloc(sizeof(*tick));
    int64_t now_ms = loop_now_ms(all->opts.loop);
    *tick = (struct tick){ .all = all,
                           .unit = unit,
                           .scene = scene,
                           .started_ms = now_ms,
                           .work = { .was_by_timer = unit->has_timer_passed } };
    unit->tick = tick;
    metric_observe(all->metrics.lateness, NULL, (double)(now_ms - unit->queued_ms) / 1000);
    claims_set(all, unit, scene);
    unit->was_looked_at = true;
    complete_facts(tick);
    unit->has_timer_passed = false;
    tick_go_on(tick);
}
