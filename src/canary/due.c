#include <malloc.h>
#include <stdlib.h>

#include "canary/canaries_parts.h"

#define SPACING_MS    200 /* between two ticks of one canary that changes ask for */
#define REPAIR_MS     500 /* first wait of one whose repairs are undone; doubled for each */
#define REPAIR_MAX_MS 30000
#define FORGIVEN_MS   300000 /* so long without a repair, and the next one comes at once again */
#define AT_A_TURN     32     /* looks at a time, so that the loop gets around */
#define TRIM_TICKS    32     /* after so many memory is given back */
#define QUIET_MS      1000   /* so long after the last one, if none runs then */

/* -- the queue ---------------------------------------------------------------------------------------------------- */

void due_begin(struct canaries *all)
{
    for (size_t i = 0; i < DUE_LANES; i++)
        all->lanes[i].last = &all->lanes[i].first;
}

static void add_to_queue(struct unit *unit)
{
    struct canaries *all = unit->all;
    unit->lane = unit->phase == CANARY_NONE ? DUE_NEW : DUE_IN_USE;
    struct due_lane *lane = &all->lanes[unit->lane];
    unit->state = UNIT_QUEUED;
    unit->queued_ms = loop_now_ms(all->opts.loop);
    unit->queue_next = NULL;
    *lane->last = unit;
    lane->last = &unit->queue_next;
    due_pump(all);
}

static void remove_from_queue(struct unit *unit)
{
    struct due_lane *lane = &unit->all->lanes[unit->lane];
    struct unit **at = &lane->first;
    while (*at && *at != unit)
        at = &(*at)->queue_next;
    if (!*at)
        return;
    *at = unit->queue_next;
    if (lane->last == &unit->queue_next)
        lane->last = at;
    unit->queue_next = NULL;
}

static struct unit *first_in_queue(const struct canaries *all)
{
    struct unit *unit = all->lanes[DUE_IN_USE].first;
    return unit ? unit : all->lanes[DUE_NEW].first;
}

void due_now(struct unit *unit)
{
    if (unit->state == UNIT_TICKING) {
        unit->is_dirty = true;
    } else if (unit->state != UNIT_QUEUED) {
        loop_cancel(unit->all->opts.loop, unit->spacer);
        unit->spacer = 0;
        add_to_queue(unit);
    }
}

/* -- timers --------------------------------------------------------------------------------------------------------- */

static void on_due(void *ctx)
{
    struct unit *unit = ctx;
    unit->timer = 0;
    unit->has_timer_passed = true;
    due_now(unit);
}

void due_never(struct unit *unit)
{
    loop_cancel(unit->all->opts.loop, unit->timer);
    unit->timer = 0;
    unit->due_ms = 0;
}

void due_after(struct unit *unit, int64_t at_ms)
{
    struct loop *loop = unit->all->opts.loop;
    due_never(unit);
    unit->due_ms = at_ms;
    unit->timer = loop_after(loop, MAX_OF(at_ms - loop_now_ms(loop), (int64_t)0), on_due, unit);
}

static void on_spaced(void *ctx)
{
    struct unit *unit = ctx;
    unit->spacer = 0;
    due_now(unit);
}

/* How long after its last tick a change may ask for another one. Who undoes our repairs is not raced. */
static int64_t spacing_ms(const struct unit *unit)
{
    int64_t wait_ms = REPAIR_MS;
    if (unit->repairs < 2)
        return SPACING_MS;
    for (int i = 2; i < unit->repairs && wait_ms < REPAIR_MAX_MS; i++)
        wait_ms *= 2;
    return MIN_OF(wait_ms, (int64_t)REPAIR_MAX_MS);
}

void due_change(struct unit *unit)
{
    struct loop *loop = unit->all->opts.loop;
    int64_t now_ms = loop_now_ms(loop);
    int64_t wait_ms = unit->ended_ms ? unit->ended_ms + spacing_ms(unit) - now_ms : 0;
    if (unit->state != UNIT_IDLE || wait_ms <= 0)
        due_now(unit);
    else if (!unit->spacer)
        unit->spacer = loop_after(loop, wait_ms, on_spaced, unit);
}

void due_forget(struct unit *unit)
{
    due_never(unit);
    loop_cancel(unit->all->opts.loop, unit->spacer);
    unit->spacer = 0;
    if (unit->state == UNIT_QUEUED)
        remove_from_queue(unit);
    unit->state = UNIT_IDLE;
}

/* -- starting ------------------------------------------------------------------------------------------------------- */

static void start_one(struct unit *unit)
{
    struct canaries *all = unit->all;
    struct scene *scene;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = scene_open(all, unit, mem, &scene);
    unit->was_looked_at = unit->was_looked_at || e || !scene;
    if (e || !scene) {
        unit->state = UNIT_IDLE;
        due_never(unit);
        return;
    }
    if (!scene_gather(all, unit, scene)) {
        unit->state = UNIT_LOOKING;
        return;
    }
    scene_judge(all, scene);
    unit->state = UNIT_TICKING;
    all->ticking++;
    tick_start(unit, scene);
    mem = NULL; /* the tick's */
}

static bool has_work(const struct canaries *all)
{
    return first_in_queue(all) && all->is_synced && all->may_act && !all->is_stopping &&
           all->ticking < all->opts.at_once;
}

static void on_pump(void *ctx)
{
    struct canaries *all = ctx;
    all->pump = 0;
    for (int i = 0; i < AT_A_TURN && has_work(all); i++) {
        struct unit *unit = first_in_queue(all);
        remove_from_queue(unit);
        start_one(unit);
    }
    due_pump(all);
}

void due_pump(struct canaries *all)
{
    if (has_work(all) && !all->pump)
        all->pump = loop_after(all->opts.loop, 0, on_pump, all);
}

/* -- memory --------------------------------------------------------------------------------------------------------- */

/* What dozens of ticks at a time needed is many times what stays of them. */
static void on_quiet(void *ctx)
{
    struct canaries *all = ctx;
    all->trim = 0;
    if (all->ticking)
        return; /* the end of that one comes here again */
    all->ticked = 0;
    malloc_trim(0);
}

static void trim_when_quiet(struct canaries *all)
{
    all->ticked++;
    if (!all->ticking && !all->trim && all->ticked >= TRIM_TICKS)
        all->trim = loop_after(all->opts.loop, QUIET_MS, on_quiet, all);
}

void due_end(struct canaries *all)
{
    loop_cancel(all->opts.loop, all->pump);
    loop_cancel(all->opts.loop, all->trim);
}

/* -- after a tick ---------------------------------------------------------------------------------------------------- */

static void count_repairs(struct unit *unit, const struct unit_work *work, int64_t now_ms)
{
    bool is_forgiven = unit->ended_ms && now_ms - unit->ended_ms > FORGIVEN_MS;
    if (work->has_written_status || is_forgiven)
        unit->repairs = 0;
    else if (work->has_written && !work->was_by_timer)
        unit->repairs++;
}

void due_done(struct unit *unit, const struct unit_work *work)
{
    struct canaries *all = unit->all;
    int64_t now_ms = loop_now_ms(all->opts.loop);
    bool is_dirty = unit->is_dirty;
    count_repairs(unit, work, now_ms);
    unit->state = UNIT_IDLE;
    unit->is_dirty = false;
    unit->ended_ms = now_ms;
    all->ticking--;
    trim_when_quiet(all);
    if (unit->wait == CANARY_WAIT_NOW)
        due_now(unit);
    else if (is_dirty)
        due_change(unit);
    due_pump(all);
}
