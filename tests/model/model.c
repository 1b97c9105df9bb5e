/* model/model.c - walks every state a canary can come to, and shows that no way through them breaks a promise.
 *
 *     model [--long] [SPEC...]
 *
 * A state is a world between two ticks (world.h). From each one goes whatever the surroundings may do (pods become ready, get
 * stuck, recover; a new revision, the old one, other configs; edits of the Canary, its deletion; a restart), and each tick with
 * every answer to every question, and at every write that changes something: success; failure; failure although it was done; a
 * crash after it. Breadth first, so the trace of a broken promise is a short one. --long: more specs (minutes), and failures of
 * writes that change nothing.
 *
 * The ways on from a state are walked under five policies as well (fair, failing checks, a canary or a primary that never gets
 * ready, a hook that says roll back): each has to come to rest, where it has to, and a crash or a failed write must not matter.
 *
 * What was broken in the step to see each promise of promises.c fail:
 *   weights sum to 100              the primary's next weight taken from what was read, not from what is left
 *   ready in this run               checks made while the canary is not ready; deletion that trusts the readiness of its own tick
 *   a revision the run is not of    new revisions not looked for in mid-run
 *   begins without traffic          no way back of the traffic at a restart, or at the start after a failed promotion; hash first
 *   a canary without pods           no keep_pods stage; a failed promotion after the canary was scaled down
 *   whose scaler is paused          scaler not resumed by the ticks of a run
 *   scaled down while selected      apex Service after the target; a first primary past its deadline rolled back
 *   scaled down under traffic       rollback that scales down before the routes; routes from before left as they are
 *   a primary that is not ready     no wait for the first primary, or none with skipAnalysis
 *   a primary that has pods         skip promotion again of a target that is scaled down already
 *   no mirror, no conditions        traits of the router not asked
 *   phases as in 3.8                Failed recorded before the rollback; rollback while nothing runs; first status again
 *   traffic back, then Finalising   Promoting that forgets the routes
 *   not recorded as if              lastAppliedSpec rewritten while Failed
 *   beyond the threshold            > for >=
 *   deleted: given back             ticks that go on while it is deleted; finalizer dropped without the Service given back
 *   suspended                       services and primary kept although it is
 *   in between asks nobody          gates and checks in ticks that were not due
 *   asks for another one at once    WAIT_PRIMARY or WAIT_CANARY where there is no hope; only the promoted revision compared
 *   no revision is lost             a run that ends without a look at what came meanwhile
 *   every run ends                  promotion in steps with nothing left to return; a mirror that never ends
 *   a run with a fault fails        failed checks not counted; rollback hooks ignored; no failed promotion
 *   what is deleted goes            a target that is missing waited for
 *   crashes change nothing          Succeeded recorded before the canary is scaled down, Promoting before the promotion */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "model/promises.h"
#include "model/specs.h"

#define ACTIONS_MAX 64
#define NOWHERE     UINT32_MAX

/* -- policies -------------------------------------------------------------------------------- */

static const struct policy {
    const char *name;
    uint8_t target_state, primary_state;
    bool checks_fail, is_aborted;
} policies[] = {
    [POLICY_FAIR] = { "fair", READY_YES, READY_YES, false, false },
    [POLICY_FAILING] = { "failing checks", READY_YES, READY_YES, true, false },
    [POLICY_NO_CANARY] = { "canary never ready", READY_NEVER, READY_YES, false, false },
    [POLICY_NO_PRIMARY] = { "primary never ready", READY_YES, READY_NEVER, false, false },
    [POLICY_ABORTED] = { "rolled back by hand", READY_YES, READY_YES, false, true },
};

/* Pods as the policy has them. */
static struct world settle(const struct world_spec *spec, struct world w, enum policy_id id)
{
    const struct policy *policy = &policies[id];
    if (!spec->has_pods)
        return w;
    if (w.target_pods && !w.target_missing) {
        w.target_state = policy->target_state;
        w.was_ready |= policy->target_state == READY_YES;
    }
    if (w.has_primary)
        w.primary_state = policy->primary_state;
    return w;
}

static bool is_settled(const struct world_spec *spec, const struct world *w, enum policy_id id)
{
    struct world settled = settle(spec, *w, id);
    return memcmp(&settled, w, sizeof(*w)) == 0;
}

/* -- states and the ways between them ------------------------------------------------------- */

enum move {
    MOVE_NONE, /* the first state */
    MOVE_TICK,
    MOVE_EARLY_TICK,
    MOVE_RESTART,
    MOVE_TARGET,
    MOVE_PRIMARY,
    MOVE_SCALER,
    MOVE_NEW_REVISION,
    MOVE_OLD_REVISION,
    MOVE_CONFIG,
    MOVE_SKIP,
    MOVE_SUSPEND,
    MOVE_RESUME,
    MOVE_DELETE,
    MOVE_TARGET_GONE,
};
static const char *const move_names[] = {
    [MOVE_NONE] = "in the beginning",
    [MOVE_TICK] = "tick",
    [MOVE_EARLY_TICK] = "tick in between",
    [MOVE_RESTART] = "restart",
    [MOVE_TARGET] = "pods of the target change",
    [MOVE_PRIMARY] = "pods of the primary change",
    [MOVE_SCALER] = "paused scaler empties the target",
    [MOVE_NEW_REVISION] = "new revision",
    [MOVE_OLD_REVISION] = "back to the promoted revision",
    [MOVE_CONFIG] = "other configs",
    [MOVE_SKIP] = "skipAnalysis",
    [MOVE_SUSPEND] = "suspended",
    [MOVE_RESUME] = "resumed",
    [MOVE_DELETE] = "deleted",
    [MOVE_TARGET_GONE] = "target deleted",
};

/* How a state was first come to; of a tick, the answers: bit i is of action i, in was_done whether it was carried out. */
struct edge {
    uint32_t from;
    uint8_t move, len;
    bool is_crash;
    uint64_t is_ok, was_done;
};
struct detour {
    uint32_t from, to;
    uint8_t policies; /* bits: under which `to` must end as `from` does */
};

struct model {
    const struct model_spec *spec;
    bool is_long;
    struct arena *mem; /* of one tick */
    struct tick *tick; /* the place for it */
    VEC(struct world) worlds;
    VEC(struct edge) edges;
    VEC(struct detour) detours;
    struct {
        VEC(uint32_t) to;
    } next[POLICIES]; /* of each state; NOWHERE while unknown */
    uint32_t *table;  /* worlds by hash; NOWHERE free */
    size_t table_len;
    size_t transitions;
};

static uint64_t hash_of(const struct world *w)
{
    const unsigned char *bytes = (const unsigned char *)w;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(*w); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static size_t slot_of(const struct model *m, const struct world *w)
{
    size_t slot = hash_of(w) % m->table_len;
    while (m->table[slot] != NOWHERE && memcmp(&m->worlds.at[m->table[slot]], w, sizeof(*w)) != 0)
        slot = (slot + 1) % m->table_len;
    return slot;
}

static void grow_table(struct model *m)
{
    free(m->table);
    m->table_len = m->table_len ? m->table_len * 2 : (size_t)1 << 16;
    m->table = base_alloc(m->table_len * sizeof(*m->table));
    memset(m->table, 0xff, m->table_len * sizeof(*m->table));
    for (size_t i = 0; i < m->worlds.len; i++)
        m->table[slot_of(m, &m->worlds.at[i])] = (uint32_t)i;
}

/* Numbers of revisions by where they are, so that states that differ in numbers alone are one. */
static void rename_revisions(struct world *w)
{
    uint8_t names[WORLD_REVISIONS + 1] = { 0 }, used = 0;
    uint8_t *const places[] = { &w->target, &w->applied, &w->promoted, &w->primary };
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (*places[i] != 0 && names[*places[i]] == 0)
            names[*places[i]] = ++used;
        *places[i] = names[*places[i]];
    }
}

static uint32_t add_state(struct model *m, struct world w, const struct edge *edge)
{
    m->transitions++;
    rename_revisions(&w);
    if (m->worlds.len * 2 >= m->table_len)
        grow_table(m);
    size_t slot = slot_of(m, &w);
    if (m->table[slot] != NOWHERE)
        return m->table[slot];
    m->table[slot] = (uint32_t)m->worlds.len;
    *vec_push(NULL, &m->worlds) = w;
    *vec_push(NULL, &m->edges) = *edge;
    for (size_t i = 0; i < POLICIES; i++)
        *vec_push(NULL, &m->next[i].to) = NOWHERE;
    return m->table[slot];
}

/* -- traces ---------------------------------------------------------------------------------- */

static void print_world(const struct world *w)
{
    static const char *const ready[] = { "ready", "not ready", "stuck" };
    static const char *const apex[] = { "absent", "target", "primary" };
    printf("      [%s, failed %d, weight %d, iterations %d; revisions: applied %d, promoted %d, "
           "target %d, primary %d; "
           "target %s%s, primary %s%s; apex %s, routes %d:%d%s%s%s%s%s%s]\n",
           *canary_phase_name(w->phase) ? canary_phase_name(w->phase) : "no phase", w->failed,
           w->weight, w->iterations, w->applied, w->promoted, w->target, w->primary,
           w->target_pods ? ready[w->target_state] : "empty", w->was_ready ? ", seen ready" : "",
           w->has_primary ? ready[w->primary_state] : "absent",
           w->has_primary && !w->primary_pods ? ", empty" : "", apex[w->apex], w->to_primary,
           w->to_canary, w->mirrored ? " mirrored" : "", w->is_paused ? ", paused" : "",
           w->skips ? ", skips" : "", w->suspended ? ", suspended" : "",
           w->deleting ? ", deleting" : "", w->gone ? ", gone" : "");
}

static void print_action(const struct canary_action *action, bool is_ok, bool was_done)
{
    printf("    %s", canary_act_name(action->act));
    if (action->act == CANARY_DO_STATUS)
        printf(" %d %s", (int)action->change.kind, canary_phase_name(action->change.phase));
    if (action->act == CANARY_DO_WEIGHTS || action->act == CANARY_SHOW_WEIGHT)
        printf(" %d:%d", (int)action->split.primary, (int)action->split.canary);
    printf("%s%s%s\n", action->text ? " " : "", action->text ? action->text : "",
           is_ok ? "" : (was_done ? " -> failed, but was done" : " -> no"));
}

static void print_tick(const struct model *m, const struct edge *edge, bool has_timer_passed)
{
    struct world_look look;
    struct canary_outcome outcomes[ACTIONS_MAX];
    struct canary_action action;
    world_look(&m->spec->world, &m->worlds.at[edge->from], has_timer_passed, m->mem, &look);
    for (size_t i = 0; i < edge->len; i++) {
        bool is_ok = edge->is_ok >> i & 1;
        canary_step(&look.facts, outcomes, i, &action);
        print_action(&action, is_ok, edge->was_done >> i & 1);
        outcomes[i] = (struct canary_outcome){ .is_ok = is_ok, .text = "an error" };
    }
    if (edge->is_crash) {
        printf("    crash\n");
        return;
    }
    canary_step(&look.facts, outcomes, edge->len, &action);
    printf("    %s, wait %d\n", canary_act_name(action.act), (int)action.wait);
}

static void print_edge(const struct model *m, const struct edge *edge)
{
    printf("  %s\n", move_names[edge->move]);
    if (edge->move == MOVE_TICK || edge->move == MOVE_EARLY_TICK)
        print_tick(m, edge, edge->move == MOVE_TICK);
}

static void print_way(const struct model *m, uint32_t state)
{
    VEC(uint32_t) way = { 0 };
    for (; m->edges.at[state].move != MOVE_NONE; state = m->edges.at[state].from)
        *vec_push(NULL, &way) = state;
    print_world(&m->worlds.at[state]);
    for (size_t i = way.len; i-- > 0;) {
        print_edge(m, &m->edges.at[way.at[i]]);
        print_world(&m->worlds.at[way.at[i]]);
    }
    vec_fini(&way);
}

NORETURN static void give_up(const struct model *m, uint32_t state, const struct edge *last,
                             const char *broken)
{
    printf("\n%s: broken promise: %s\n", m->spec->world.name, broken);
    print_way(m, state);
    if (last)
        print_edge(m, last);
    exit(1);
}

/* -- one tick with all its answers --------------------------------------------------------- */

struct answer {
    bool is_ok, is_done;
};
/* In the order they are tried. */
static const struct answer said_answers[] = { { true, false } };
static const struct answer asked_answers[] = { { true, false }, { false, false } };
static const struct answer done_answers[] = { { true, true }, { false, false }, { false, true } };

/* A tick on its way: frame i is before action i. */
struct frame {
    struct world world;
    struct canary_action action;
    const struct answer *answers;
    size_t answers_len, tried;
    uint8_t policies; /* whose answers were given so far */
    bool has_fault;   /* a write failed */
};
struct tick {
    struct model *m;
    uint32_t from;
    enum move move;
    struct world_look look;
    struct frame frames[ACTIONS_MAX + 1];
    struct canary_outcome outcomes[ACTIONS_MAX];
    struct edge edge;
    size_t depth;
};

static bool is_check(const struct tick *t, const struct canary_action *action)
{
    return action->act == CANARY_ASK_METRIC ||
           (action->act == CANARY_ASK_HOOK &&
            t->look.canary.analysis.hooks[action->index].type == CANARY_HOOK_ROLLOUT);
}

static bool is_abort(const struct tick *t, const struct canary_action *action)
{
    return action->act == CANARY_ASK_HOOK &&
           t->look.canary.analysis.hooks[action->index].type == CANARY_HOOK_ROLLBACK;
}

/* The policies that answer so. */
static uint8_t policies_of(const struct tick *t, const struct canary_action *action, bool is_ok)
{
    uint8_t out = 0;
    for (size_t i = 0; i < POLICIES; i++) {
        bool says = is_abort(t, action)   ? policies[i].is_aborted
                    : is_check(t, action) ? !policies[i].checks_fail
                                          : true;
        if (says == is_ok)
            out = (uint8_t)(out | 1u << i);
    }
    return out;
}

static void keep_promise(const struct tick *t, const char *broken)
{
    if (broken)
        give_up(t->m, t->from, &t->edge, broken);
}

static void add_crash(struct tick *t, const struct frame *frame, struct world w)
{
    struct edge edge = t->edge;
    edge.is_crash = true;
    world_restart(&w);
    uint32_t to = add_state(t->m, w, &edge);
    *vec_push(NULL, &t->m->detours) = (struct detour){ t->from, to, frame->policies };
}

/* Answers action `depth` and goes on to the next one. */
static void answer(struct tick *t)
{
    struct frame *frame = &t->frames[t->depth], *next = frame + 1;
    const struct answer *given = &frame->answers[frame->tried++];
    const uint64_t bit = (uint64_t)1 << t->depth;
    *next = (struct frame){ .world = frame->world,
                            .policies = frame->policies,
                            .has_fault = frame->has_fault };
    t->edge.is_ok = (t->edge.is_ok & (bit - 1)) | (given->is_ok ? bit : 0);
    t->edge.was_done = (t->edge.was_done & (bit - 1)) | (given->is_done ? bit : 0);
    t->edge.len = (uint8_t)(t->depth + 1);
    t->outcomes[t->depth] = (struct canary_outcome){ .is_ok = given->is_ok, .text = "an error" };
    if (given->is_done) {
        world_apply(&t->m->spec->world, &next->world, &t->look, &frame->action);
        keep_promise(
            t, promises_action(t->m->spec, &t->look, &frame->world, &next->world, &frame->action));
    }
    if (frame->answers == done_answers)
        next->has_fault |= !given->is_ok;
    else if (frame->answers == asked_answers)
        next->policies &= policies_of(t, &frame->action, given->is_ok);
    if (given->is_ok && given->is_done && memcmp(&frame->world, &next->world, sizeof(struct world)))
        add_crash(t, next, next->world);
    t->depth++;
}

static void finish(struct tick *t)
{
    struct model *m = t->m;
    struct frame *frame = &t->frames[t->depth];
    struct world w = frame->world;
    world_end(&w, &frame->action);
    keep_promise(t, promises_end(m->spec, &t->look, &m->worlds.at[t->from], &w, &frame->action));
    uint32_t to = add_state(m, w, &t->edge);
    if (frame->has_fault) {
        *vec_push(NULL, &m->detours) = (struct detour){ t->from, to, frame->policies };
        return;
    }
    for (size_t i = 0; i < POLICIES; i++)
        if (frame->policies >> i & 1)
            m->next[i].to.at[t->from] = to;
}

/* Asks the step what comes at this place, and which answers there are to it. */
static void ask(struct tick *t)
{
    struct frame *frame = &t->frames[t->depth];
    canary_step(&t->look.facts, t->outcomes, t->depth, &frame->action);
    enum canary_act act = frame->action.act;
    ASSERT(t->depth < ACTIONS_MAX);
    frame->answers = said_answers;
    frame->answers_len = act == CANARY_DONE ? 0 : 1;
    if (act >= CANARY_ASK_PROVIDERS && act <= CANARY_ASK_METRIC) {
        keep_promise(t, promises_question(&t->look, &frame->action));
        frame->answers = asked_answers;
        frame->answers_len = ARRAY_LEN(asked_answers);
    } else if (act >= CANARY_DO_SERVICES) {
        struct world after = frame->world;
        world_apply(&t->m->spec->world, &after, &t->look, &frame->action);
        bool is_nothing = memcmp(&after, &frame->world, sizeof(after)) == 0;
        frame->answers = done_answers; /* what changes nothing is not sent, so it does not fail */
        frame->answers_len = is_nothing && !t->m->is_long ? 1 : ARRAY_LEN(done_answers);
    }
}

static uint8_t policies_at(const struct model *m, uint32_t state, bool is_tick)
{
    uint8_t out = 0;
    for (size_t i = 0; is_tick && i < POLICIES; i++)
        if (is_settled(&m->spec->world, &m->worlds.at[state], (enum policy_id)i))
            out = (uint8_t)(out | 1u << i);
    return out;
}

/* Depth first through all answers; `has_timer_passed` as for canary_step_is_due. */
static void explore_tick(struct model *m, uint32_t from, bool has_timer_passed)
{
    struct tick *t = m->tick;
    t->m = m;
    t->from = from;
    t->depth = 0;
    t->edge = (struct edge){ .from = from, .move = has_timer_passed ? MOVE_TICK : MOVE_EARLY_TICK };
    world_look(&m->spec->world, &m->worlds.at[from], has_timer_passed, m->mem, &t->look);
    if (has_timer_passed || !t->look.facts.is_due) {
        t->frames[0] = (struct frame){ .world = m->worlds.at[from],
                                       .policies = policies_at(m, from, has_timer_passed) };
        ask(t);
        for (;;) {
            struct frame *frame = &t->frames[t->depth];
            if (frame->action.act == CANARY_DONE && frame->tried++ == 0)
                finish(t);
            if (frame->action.act != CANARY_DONE && frame->tried < frame->answers_len) {
                answer(t);
                ask(t);
            } else if (t->depth-- == 0) {
                break;
            } else {
                t->edge.len = (uint8_t)t->depth;
            }
        }
    }
    arena_reset(m->mem);
}

/* -- what the surroundings do -------------------------------------------------------------- */

static void move_to(struct model *m, uint32_t from, enum move move, struct world w)
{
    (void)add_state(m, w, &(struct edge){ .from = from, .move = (uint8_t)move });
}

static void move_pods(struct model *m, uint32_t from)
{
    const struct world w = m->worlds.at[from];
    if (!m->spec->world.has_pods)
        return;
    for (uint8_t state = READY_YES; state <= READY_NEVER; state++) {
        struct world other = w;
        other.target_state = state;
        other.was_ready |= state == READY_YES;
        if (w.target_pods && !w.target_missing)
            move_to(m, from, MOVE_TARGET, other);
        other = w;
        other.primary_state = state;
        if (w.has_primary)
            move_to(m, from, MOVE_PRIMARY, other);
    }
}

/* Not while the Canary comes: it is paused before the Service is re-pointed (3.1). */
static void move_scaler(struct model *m, uint32_t from)
{
    struct world w = m->worlds.at[from];
    if (!w.is_paused || !w.target_pods || w.phase == CANARY_INITIALIZING)
        return;
    w.target_pods = w.was_ready = false;
    w.target_state = READY_YES;
    move_to(m, from, MOVE_SCALER, w);
}

static void move_revisions(struct model *m, uint32_t from)
{
    const struct world w = m->worlds.at[from];
    struct world other = w;
    if (w.deleting) /* nobody looks any more */
        return;
    world_new_revision(&m->spec->world, &other, world_fresh_revision(&w));
    move_to(m, from, MOVE_NEW_REVISION, other);
    other = w;
    if (w.promoted && w.promoted != w.target) {
        world_new_revision(&m->spec->world, &other, w.promoted);
        move_to(m, from, MOVE_OLD_REVISION, other);
    }
}

static void edit(struct model *m, uint32_t from)
{
    const struct world w = m->worlds.at[from];
    struct world other = w;
    other.config_is_new = true;
    if (m->spec->edits & EDIT_CONFIG)
        move_to(m, from, MOVE_CONFIG, other);
    other = w;
    other.skips = true;
    if (m->spec->edits & EDIT_SKIP)
        move_to(m, from, MOVE_SKIP, other);
    other = w;
    other.suspended = !w.suspended;
    if (m->spec->edits & EDIT_SUSPEND)
        move_to(m, from, w.suspended ? MOVE_RESUME : MOVE_SUSPEND, other);
    other = w;
    other.deleting = true; /* somebody else's finalizer keeps it, where there is none of ours */
    if (m->spec->edits & EDIT_DELETE)
        move_to(m, from, MOVE_DELETE, other);
    other = w;
    other.target_missing = true;
    other.target_pods = false;
    if (m->spec->edits & EDIT_DELETE && w.deleting)
        move_to(m, from, MOVE_TARGET_GONE, other);
}

static void explore_state(struct model *m, uint32_t from)
{
    struct world forgot = m->worlds.at[from];
    if (forgot.gone)
        return;
    explore_tick(m, from, true);
    explore_tick(m, from, false);
    world_restart(&forgot);
    move_to(m, from, MOVE_RESTART, forgot);
    move_pods(m, from);
    move_scaler(m, from);
    move_revisions(m, from);
    edit(m, from);
}

/* -- how it ends ----------------------------------------------------------------------------- */

/* The state that follows under a policy: its pods settle, then there is a tick. */
static uint32_t follow(struct model *m, uint32_t state, enum policy_id id)
{
    const struct world *w = &m->worlds.at[state];
    if (w->gone)
        return state;
    if (is_settled(&m->spec->world, w, id))
        return m->next[id].to.at[state];
    struct world settled = settle(&m->spec->world, *w, id);
    return m->table[slot_of(m, &settled)];
}

struct ends {
    uint32_t *end, *ticks; /* of each state: where it comes to rest, after how many steps */
};

/* Memoised: a way is walked up to a state whose end is known, then written back along it. */
static void find_end(struct model *m, uint32_t state, enum policy_id id, struct ends *out)
{
    VEC(uint32_t) way = { 0 };
    uint32_t at = state;
    while (out->end[at] == NOWHERE) {
        uint32_t next = follow(m, at, id);
        if (next == NOWHERE)
            give_up(m, at, NULL, "a policy leads on from every state");
        out->end[at] = next == at ? at : NOWHERE - 1; /* on the way */
        if (next != at)
            *vec_push(NULL, &way) = at;
        at = next;
    }
    if (out->end[at] == NOWHERE - 1)
        give_up(m, at, NULL, "every run ends: this one goes round in a circle");
    for (size_t i = way.len; i-- > 0;) {
        uint32_t next = follow(m, way.at[i], id);
        out->end[way.at[i]] = out->end[next];
        out->ticks[way.at[i]] = out->ticks[next] + 1;
    }
    vec_fini(&way);
}

/* Steps under failing checks until the phase is Failed. */
static int steps_to_failed(struct model *m, uint32_t state)
{
    int steps = 0;
    for (; m->worlds.at[state].phase != CANARY_FAILED && steps < 100; steps++)
        state = follow(m, state, POLICY_FAILING);
    return steps;
}

static void check_policy(struct model *m, enum policy_id id)
{
    size_t len = m->worlds.len;
    struct ends ends = { base_alloc(len * sizeof(uint32_t)), base_alloc(len * sizeof(uint32_t)) };
    memset(ends.end, 0xff, len * sizeof(uint32_t));
    for (uint32_t i = 0; i < len; i++)
        find_end(m, i, id, &ends);
    for (uint32_t i = 0; i < len; i++) {
        const char *broken =
            promises_rest(m->spec, &m->worlds.at[i], &m->worlds.at[ends.end[i]], id);
        if (!broken && id == POLICY_FAILING && promises_fails_soon(m->spec, &m->worlds.at[i]) &&
            steps_to_failed(m, i) >
                m->spec->world.canary.analysis.threshold - m->worlds.at[i].failed + 1)
            broken = "failing checks end a run one interval after the threshold";
        if (broken) {
            printf("\npolicy: %s, ends in\n", policies[id].name);
            print_world(&m->worlds.at[ends.end[i]]);
            give_up(m, i, NULL, broken);
        }
    }
    for (size_t i = 0; i < m->detours.len; i++) {
        const struct detour *detour = &m->detours.at[i];
        if (!(detour->policies >> id & 1))
            continue;
        const struct world *to = &m->worlds.at[ends.end[detour->to]];
        const struct world *from = &m->worlds.at[ends.end[detour->from]];
        if (!promises_same_end(from, to, &m->worlds.at[detour->from], id)) {
            printf("\npolicy: %s, without the crash or failure it ends in\n", policies[id].name);
            print_world(from);
            printf("with it in\n");
            print_world(to);
            print_way(m, detour->from);
            printf("which led to\n");
            give_up(m, detour->to, NULL, "a crash or a failed write changes nothing about the end");
        }
    }
    free(ends.end);
    free(ends.ticks);
}

static void explore(const struct model_spec *spec, bool is_long)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct model m = { .spec = spec, .is_long = is_long, .mem = mem };
    m.tick = base_alloc(sizeof(*m.tick));
    grow_table(&m);
    (void)add_state(&m, model_spec_first(spec), &(struct edge){ .move = MOVE_NONE });
    for (uint32_t i = 0; i < m.worlds.len; i++)
        explore_state(&m, i);
    for (size_t i = 0; i < POLICIES; i++)
        check_policy(&m, (enum policy_id)i);
    printf("%-34s %8zu states %10zu transitions\n", spec->world.name, m.worlds.len, m.transitions);
    fflush(stdout);
    vec_fini(&m.worlds);
    vec_fini(&m.edges);
    vec_fini(&m.detours);
    for (size_t i = 0; i < POLICIES; i++)
        vec_fini(&m.next[i].to);
    free(m.table);
    free(m.tick);
}

static bool is_named(const struct model_spec *spec, int argc, char **argv)
{
    bool has_names = false, is_one = false;
    for (int i = 1; i < argc; i++) {
        bool is_name = strcmp(argv[i], "--long") != 0;
        has_names |= is_name;
        is_one |= is_name && strcmp(argv[i], spec->world.name) == 0;
    }
    return is_one || !has_names;
}

int main(int argc, char **argv)
{
    bool is_long = false;
    for (int i = 1; i < argc; i++)
        is_long |= strcmp(argv[i], "--long") == 0;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < model_specs_len(is_long); i++) {
        struct model_spec spec = model_spec_at(mem, i, is_long);
        if (is_named(&spec, argc, argv))
            explore(&spec, is_long);
    }
    return 0;
}
