/* The recorded scenarios of Flagger 1.44 (tests/differential), replayed against the step alone: what was answered to hooks and
 * metric checks is taken from the recording, and every write, event, hook, alert, status and series has to come in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/vec.h"
#include "canary/weights.h"
#include "doc/json.h"
#include "doc/merge.h"
#include "doc/yaml.h"
#include "model/world.h"

#define ROUNDS_MAX  60
#define ACTIONS_MAX 128

/* -- scenarios ------------------------------------------------------------------------------- */

// clang-format off
static const struct scenario {
    const char *name;
    const struct router *router;
    bool keeps_weight; /* 17.1 no. 4: what stays split while a gate is closed is so in the status */
} scenarios[] = {
    { "istio-success",       &world_mesh, false },
    { "istio-details",       &world_mesh, false },
    { "istio-tcp",           &world_mesh, false },
    { "step-weights",        &world_mesh, false },
    { "step-promotion",      &world_mesh, false },
    { "confirm-rollout",     &world_mesh, false },
    { "confirm-promotion",   &world_mesh, true },
    { "webhooks",            &world_mesh, false },
    { "pre-rollout-failing", &world_mesh, false },
    { "manual-rollback",     &world_mesh, false },
    { "metric-rollback",     &world_mesh, false },
    { "metric-template",     &world_mesh, false },
    { "no-values",           &world_mesh, false },
    { "latency-rollback",    &world_mesh, false },
    { "halt-recover",        &world_mesh, false },
    { "cost",                &world_mesh, false },
    { "skip-analysis",       &world_mesh, false },
    { "new-revision",        &world_mesh, false },
    { "config-tracking",     &world_mesh, false },
    { "istio-mirror",        &world_mesh, false },
    { "istio-ab",            &world_mesh, false },
    { "bluegreen-mirror",    &world_mesh, false },
    { "kubernetes-bluegreen", &world_fixed, false },
    { "daemonset",           &world_fixed, false },
    { "keda",                &world_fixed, false },
    { "session-affinity",    &world_mesh, false },
    { "gateway-ab",          &world_mesh, false },
    { "nginx",               &world_ingress, false },
    { "linkerd",             &world_ingress, false },
    { "service-target-external", &world_mesh, false },
    { "canary-not-ready",    &world_mesh, false },
    { "alerts",              &world_mesh, false },
    { "restart",             &world_mesh, false },
    { "revert-on-deletion",  &world_mesh, false },
};
// clang-format on

/* -- one replay ------------------------------------------------------------------------------ */

struct lines {
    VEC(const char *) list;
};

struct replay {
    const struct scenario *scenario;
    struct arena *mem;
    const struct val *recording, *steps;
    struct world_spec spec;
    struct world world;
    struct lines timeline, status, reported, hooks, alerts;  /* ours */
    struct lines recorded_reported, recorded_hooks, answers; /* repeats spelled out */
    const char *hash_names[WORLD_REVISIONS + 1];
    int hashes;
    int analyses, successes, failures, shown_status;
    int64_t shown_primary, shown_canary;
};

static void add_line(struct replay *r, struct lines *lines, const char *line)
{
    *vec_push(r->mem, &lines->list) = line;
}

static const char *read_text(struct arena *mem, const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("cannot open %s", path);
    static const size_t max = (size_t)1 << 20;
    char *text = arena_alloc(mem, max);
    *len = fread(text, 1, max - 1, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static struct val *read_yaml(struct arena *mem, const char *path)
{
    size_t len;
    const char *text = read_text(mem, path, &len);
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, text, len, &doc_yaml_default_limits, &docs, NULL);
    if (e)
        fail_msg("%s: %s", path, err_text(e));
    return docs.at[0].root;
}

/* The fixture with the scenario's changes. */
static struct world_spec spec_of(struct replay *r, const struct val *objects)
{
    struct val *canary = read_yaml(r->mem, DIFFERENTIAL "/scenarios/canary/fixtures/canary.yaml");
    for (size_t i = 0; i < val_len(objects); i++) {
        const struct val *object = val_item(objects, i);
        if (strcmp(val_text_or(val_get(object, "use"), ""), "canary") == 0)
            canary = doc_merge_apply(r->mem, canary, val_get(object, "with"));
    }
    canary = val_copy(r->mem, canary);
    val_set_text(r->mem, val_get(canary, "metadata"), "namespace", r->scenario->name);
    return world_spec_of(r->mem, r->scenario->name, val_json(r->mem, canary, NULL),
                         r->scenario->router);
}

static void add_repeated(struct replay *r, struct lines *lines, const struct val *entry,
                         const char *line)
{
    int64_t times = 1;
    (void)val_int(val_get(entry, "times"), &times);
    for (int64_t i = 0; i < times; i++)
        add_line(r, lines, line);
}

static void read_recording(struct replay *r)
{
    const struct val *reported = val_get(r->recording, "reported");
    const struct val *hooks = val_get(r->recording, "webhooks");
    for (size_t i = 0; i < val_len(reported); i++) {
        const struct val *one = val_item(reported, i);
        add_repeated(r, &r->recorded_reported, one,
                     arena_printf(r->mem, "%s | %s | %s", val_text(val_get(one, "phase")),
                                  val_text(val_get(one, "type")),
                                  val_text(val_get(one, "message"))));
    }
    for (size_t i = 0; i < val_len(hooks); i++) {
        const struct val *one = val_item(hooks, i);
        int64_t answer = 0;
        (void)val_int(val_get(one, "answer"), &answer);
        add_repeated(r, &r->recorded_hooks, one,
                     arena_printf(r->mem, "%s %s", val_text(val_get(one, "name")),
                                  val_text(VAL_PATH(one, "body", "phase"))));
        add_repeated(r, &r->answers, one, answer <= 202 ? "yes" : "no");
    }
}

/* The first recorded event from here on that has `part` in it: what a recording says of a failure is what failed. */
static const char *next_recorded(const struct replay *r, const char *part)
{
    for (size_t i = r->reported.list.len; i < r->recorded_reported.list.len; i++)
        if (strstr(r->recorded_reported.list.at[i], part))
            return strstr(strstr(r->recorded_reported.list.at[i], " | ") + 3, " | ") + 3;
    return "";
}

/* -- our side of it -------------------------------------------------------------------------- */

static const char *hash_name(struct replay *r, uint8_t revision)
{
    if (revision == 0)
        return "-";
    if (!r->hash_names[revision])
        r->hash_names[revision] = arena_printf(r->mem, "<hash %d>", ++r->hashes);
    return r->hash_names[revision];
}

static const char *status_line(const char *phase, int64_t weight, int64_t iterations,
                               int64_t failed)
{
    static char text[160];
    (void)snprintf(text, sizeof(text), "status podinfo %s weight %lld iterations %lld failed %lld",
                   phase, (long long)weight, (long long)iterations, (long long)failed);
    return text;
}

/* What the API server would show of a write. */
static void note_change(struct replay *r, const struct world *a, const struct world *b,
                        enum canary_act act)
{
    const char *line = NULL;
    if (act == CANARY_DO_SERVICES && !a->has_services)
        line = "services created";
    else if (act == CANARY_DO_PRIMARY && !a->has_primary && r->spec.has_pods)
        line = "primary created";
    else if (act == CANARY_DO_PROMOTE && r->spec.has_pods)
        line = "primary promoted";
    else if (a->target_pods != b->target_pods)
        line = b->target_pods ? "target up" : "target down";
    else if (a->is_paused != b->is_paused)
        line = b->is_paused ? "scaler paused" : "scaler resumed";
    else if (act == CANARY_DO_SCALER && !a->has_twin)
        line = "scaler created";
    else if (act == CANARY_DO_APEX && a->apex != APEX_PRIMARY)
        line = "apex created";
    else if (act == CANARY_DO_ROUTES && !a->has_routes && b->has_routes)
        line = "routes created 100:0";
    else if (act == CANARY_DO_WEIGHTS && memcmp(a, b, sizeof(*a)) != 0)
        line = arena_printf(r->mem, "routes changed %d:%d%s", b->to_primary, b->to_canary,
                            b->mirrored ? " mirrored" : "");
    if (line)
        add_line(r, &r->timeline, line);
}

static void note_status(struct replay *r)
{
    const struct world *w = &r->world;
    const char *line = arena_strdup(
        r->mem, status_line(canary_phase_name(w->phase), w->weight, w->iterations, w->failed));
    bool has_status = r->status.list.len > 0;
    const char *full = arena_printf(r->mem, "%s applied %s promoted %s", line,
                                    hash_name(r, w->applied), hash_name(r, w->promoted));
    if (has_status && strcmp(r->status.list.at[r->status.list.len - 1], full) == 0)
        return;
    add_line(r, &r->status, full);
    add_line(r, &r->timeline, line);
}

static bool is_about(const char *event, const struct canary_metric *metric)
{
    if (strncmp(event, "Halt ", 5) != 0)
        return false;
    if (strcmp(metric->name, "request-success-rate") == 0)
        return strstr(event, metric->name) || strstr(event, "success rate");
    if (strcmp(metric->name, "request-duration") == 0)
        return strstr(event, metric->name) || strstr(event, "request duration");
    return strstr(event, metric->name);
}

static struct canary_outcome answer_hook(struct replay *r, const struct canary_action *action)
{
    const struct canary_hook *hook = &r->spec.canary.analysis.hooks[action->index];
    size_t at = r->hooks.list.len;
    add_line(r, &r->hooks,
             arena_printf(r->mem, "%s %s", hook->name, canary_phase_name(action->phase)));
    if (at >= r->answers.list.len)
        fail_msg("%s is asked once more than in the recording", hook->name);
    const char *why = strstr(next_recorded(r, ""), " failed ");
    return (struct canary_outcome){ .is_ok = strcmp(r->answers.list.at[at], "yes") == 0,
                                    .text = why ? why + strlen(" failed ") : "" };
}

static struct canary_outcome answer_metric(struct replay *r, const struct canary_action *action)
{
    const struct canary_metric *metric = &r->spec.canary.analysis.metrics[action->index];
    const char *event = next_recorded(r, "");
    return (struct canary_outcome){ .is_ok = !is_about(event, metric),
                                    .severity = CANARY_WARN,
                                    .text = event };
}

static void say(struct replay *r, const struct canary_action *action)
{
    if (action->act == CANARY_EVENT)
        add_line(r, &r->reported,
                 arena_printf(r->mem, "%s | %s | %s", canary_phase_name(action->phase),
                              action->severity == CANARY_INFO ? "Normal" : "Warning",
                              action->text));
    else if (action->act == CANARY_ALERT)
        add_line(r, &r->alerts, action->text);
    else if (action->act == CANARY_SHOW_STATUS)
        r->shown_status = action->phase == CANARY_PROGRESSING ? 0
                          : action->phase == CANARY_FAILED    ? 2
                                                              : 1;
    else if (action->act == CANARY_SHOW_WEIGHT) {
        r->shown_primary = action->split.primary;
        r->shown_canary = action->split.canary;
    }
    r->successes += action->act == CANARY_COUNT_SUCCESS;
    r->failures += action->act == CANARY_COUNT_FAILURE;
}

static struct canary_outcome carry_out(struct replay *r, const struct world_look *look,
                                       const struct canary_action *action)
{
    const struct world before = r->world;
    if (action->act == CANARY_ASK_HOOK)
        return answer_hook(r, action);
    if (action->act == CANARY_ASK_METRIC)
        return answer_metric(r, action);
    if (action->act < CANARY_DO_SERVICES) {
        say(r, action);
        return (struct canary_outcome){ .is_ok = true };
    }
    world_apply(&r->spec, &r->world, look, action);
    note_change(r, &before, &r->world, action->act);
    if (action->act == CANARY_DO_STATUS)
        note_status(r);
    return (struct canary_outcome){ .is_ok = true };
}

static void run_tick(struct replay *r, bool has_timer_passed)
{
    struct world_look look;
    struct canary_outcome outcomes[ACTIONS_MAX];
    struct canary_action action;
    world_look(&r->spec, &r->world, has_timer_passed, r->mem, &look);
    /* Texts of readiness are the target's affair: they are taken from the recording. */
    look.facts.target.primary.text = look.facts.target.canary.text = next_recorded(r, " not ready");
    for (size_t i = 0;; i++) {
        assert_true(i < ACTIONS_MAX);
        canary_step(&look.facts, outcomes, i, &action);
        if (action.act == CANARY_DONE)
            break;
        outcomes[i] = carry_out(r, &look, &action);
    }
    r->analyses += action.was_analysis;
    world_end(&r->world, &action);
}

/* -- the scenario's steps -------------------------------------------------------------------- */

static bool has_come(const struct replay *r, const struct val *wait)
{
    const char *phase = val_text_or(val_get(wait, "phase"), "");
    const char *event = val_text(val_get(wait, "event"));
    int64_t number;
    if (*phase && strcmp(phase, canary_phase_name(r->world.phase)) != 0)
        return false;
    if (val_int(val_get(wait, "weight"), &number) && number != r->world.weight)
        return false;
    if (val_int(val_get(wait, "failedChecks"), &number) && number != r->world.failed)
        return false;
    if (val_get(wait, "gone") && !r->world.gone)
        return false;
    if (!event)
        return true;
    size_t len = r->reported.list.len;
    return len > 0 && strstr(r->reported.list.at[len - 1], event) != NULL;
}

/* Pods are up by the next round; those of an image that is never ready, past their deadline after one. */
static void settle(struct replay *r, bool is_never_ready)
{
    if (r->world.primary_state == READY_LATER)
        r->world.primary_state = READY_YES;
    if (r->world.target_state != READY_LATER)
        return;
    if (!is_never_ready) {
        r->world.target_state = READY_YES;
        r->world.was_ready = true;
        return;
    }
    run_tick(r, true);
    r->world.target_state = READY_NEVER;
}

static void wait_for(struct replay *r, const struct val *wait, bool is_never_ready)
{
    for (int round = 0; !has_come(r, wait); round++) {
        if (round == ROUNDS_MAX)
            fail_msg("this never came: %s", val_json(r->mem, wait, NULL));
        settle(r, is_never_ready);
        run_tick(r, true);
    }
}

static void change(struct replay *r, uint8_t revision)
{
    world_new_revision(&r->spec, &r->world, revision);
    run_tick(r, false);
}

static bool is_tracked_config(const struct val *patch)
{
    const char *kind = val_text_or(val_get(patch, "kind"), "");
    return (strcmp(kind, "ConfigMap") == 0 || strcmp(kind, "Secret") == 0) &&
           strcmp(val_text_or(val_get(patch, "name"), ""), "free") != 0;
}

static void take_step(struct replay *r, const struct val *step, bool *is_never_ready)
{
    const struct val *patch = val_get(step, "patch");
    if (val_get(step, "wait"))
        wait_for(r, val_get(step, "wait"), *is_never_ready);
    if (val_get(step, "image")) {
        const char *image = val_text_or(VAL_PATH(step, "image", "image"), "");
        *is_never_ready = strstr(image, "never-ready") != NULL;
        if (r->spec.has_pods)
            add_line(r, &r->timeline, r->world.target_pods ? "target up" : "target down");
        change(r, (uint8_t)(world_fresh_revision(&r->world)));
    }
    if (patch && is_tracked_config(patch)) {
        r->world.config_is_new = true;
        run_tick(r, false);
    } else if (patch && strcmp(val_text_or(val_get(patch, "kind"), ""), "Service") == 0) {
        change(r, world_fresh_revision(&r->world));
    }
    if (val_get(step, "restart")) {
        world_restart(&r->world);
        r->analyses = r->successes = r->failures = 0; /* counters begin anew */
    }
    if (val_get(step, "delete")) {
        r->world.deleting = true;
        run_tick(r, false);
    }
}

/* -- the recording's side -------------------------------------------------------------------- */

static const char *find_last(const char *line, const char *end, const char *part)
{
    const char *found = NULL;
    for (const char *at = strstr(line, part); at && (!end || at < end); at = strstr(at + 1, part))
        found = at + strlen(part);
    return found;
}

/* "x-primary=75 x-canary=25", the last such pair of the line; false if there is none. */
static bool find_weights(const char *line, int *primary, int *canary)
{
    const char *c = find_last(line, NULL, "-canary=");
    const char *p = c ? find_last(line, c, "-primary=") : NULL;
    p = p ? p : find_last(line, NULL, "-primary=");
    if (!p || !c)
        return false;
    *primary = (int)strtol(p, NULL, 10);
    *canary = (int)strtol(c, NULL, 10);
    return true;
}

static const char *route_line(struct arena *mem, const char *line)
{
    int primary = 100, canary = 0;
    const char *weight = strstr(line, "canary-weight="); /* NGINX has that of the canary alone */
    if (weight) {
        canary = (int)strtol(weight + strlen("canary-weight="), NULL, 10);
        primary = 100 - canary;
    } else if (!find_weights(line, &primary, &canary)) {
        return NULL;
    }
    return arena_printf(mem, "routes %s %d:%d%s", strstr(line, " created") ? "created" : "changed",
                        primary, canary, strstr(line, " mirrored") ? " mirrored" : "");
}

/* A recorded line in our words; NULL: not the step's affair. */
static const char *translate(struct arena *mem, const char *line)
{
    static const struct {
        const char *begins, *has, *means;
    } words[] = {
        { "Service/", "-canary created", "services created" },
        { "Service/", "-primary created", NULL },
        { "Service/", " created", "apex created" },
        { "Deployment/podinfo-primary", "id <id 1>", "primary created" },
        { "Deployment/podinfo-primary", "id <id 2>", "primary promoted" },
        { "Deployment/podinfo ", "replicas 0", "target down" },
        { "Deployment/podinfo ", "replicas ", "target up" },
        { "DaemonSet/podinfo-primary", "id <id 1>", "primary created" },
        { "DaemonSet/podinfo-primary", "id <id 2>", "primary promoted" },
        { "DaemonSet/podinfo ", "scale-to-zero", "target down" },
        { "DaemonSet/podinfo ", "images", "target up" },
        { "ScaledObject.keda.sh/scaler-primary created", "", "scaler created" },
        { "ScaledObject.keda.sh/scaler changed", "paused-replicas=0", "scaler paused" },
        { "ScaledObject.keda.sh/scaler changed", "", "scaler resumed" },
    };
    if (strncmp(line, "status ", 7) == 0)
        return line;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strncmp(line, words[i].begins, strlen(words[i].begins)) == 0 &&
            strstr(line, words[i].has))
            return words[i].means;
    return route_line(mem, line);
}

/* The same phase, where the counters are meant to differ. */
static bool is_meant(const struct scenario *scenario, const char *is, const char *was)
{
    const char *end = strstr(is, " weight ");
    bool is_gated = strstr(is, "WaitingPromotion") || strstr(is, "Promoting");
    return scenario->keeps_weight && end && is_gated && strncmp(is, was, (size_t)(end - is)) == 0;
}

static void compare(const struct replay *r, const char *what, const struct lines *ours,
                    const struct lines *recorded)
{
    size_t len = MAX_OF(ours->list.len, recorded->list.len);
    for (size_t i = 0; i < len; i++) {
        const char *is = i < ours->list.len ? ours->list.at[i] : "nothing";
        const char *was = i < recorded->list.len ? recorded->list.at[i] : "nothing";
        if (strcmp(is, was) != 0 && !is_meant(r->scenario, is, was))
            fail_msg("%s: %s %zu is\n  %s\nand was\n  %s", r->scenario->name, what, i, is, was);
    }
}

static void compare_timeline(struct replay *r)
{
    const struct val *timeline = val_get(r->recording, "timeline");
    struct lines recorded = { 0 };
    if (val_get(val_get(r->recording, "loose"), "timeline"))
        return;
    for (size_t i = 0; i < val_len(timeline); i++) {
        const char *line = translate(r->mem, val_text(val_item(timeline, i)));
        bool is_users = line && r->status.list.len > 0 && recorded.list.len == 0 &&
                        strncmp(line, "status ", 7) != 0;
        bool has_objects = r->spec.has_pods || !line || strstr(line, " created") == NULL;
        if (line && !is_users && (has_objects || strncmp(line, "routes", 6) == 0))
            add_line(r, &recorded, line);
    }
    compare(r, "line", &r->timeline, &recorded);
}

static void compare_status(struct replay *r)
{
    const struct val *list = val_get(r->recording, "status");
    struct lines recorded = { 0 };
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *one = val_item(list, i);
        int64_t weight = 0, iterations = 0, failed = 0;
        (void)val_int(val_get(one, "canaryWeight"), &weight);
        (void)val_int(val_get(one, "iterations"), &iterations);
        (void)val_int(val_get(one, "failedChecks"), &failed);
        const char *line =
            arena_printf(r->mem, "%s applied %s promoted %s",
                         status_line(val_text(val_get(one, "phase")), weight, iterations, failed),
                         val_text_or(val_get(one, "lastAppliedSpec"), "-"),
                         val_text_or(val_get(one, "lastPromotedSpec"), "-"));
        if (i == 0 || strcmp(recorded.list.at[recorded.list.len - 1], line) != 0)
            add_line(r, &recorded, line);
    }
    compare(r, "status", &r->status, &recorded);
}

static void compare_alerts(struct replay *r)
{
    const struct val *list = val_get(r->recording, "alerts");
    struct lines recorded = { 0 };
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *one = val_item(list, i);
        const struct val *first = val_item(VAL_PATH(one, "body", "attachments"), 0);
        if (strcmp(val_text_or(val_get(one, "name"), ""), "slack") == 0)
            add_line(r, &recorded, val_text(val_get(first, "text")));
    }
    if (recorded.list.len > 0) /* of the one scenario that has receivers */
        compare(r, "alert", &r->alerts, &recorded);
}

static void compare_series(const struct replay *r)
{
    const struct val *metrics = val_get(r->recording, "metrics");
    for (size_t i = 0; i < metrics->len; i++) {
        const char *name = metrics->pairs[i].key;
        int64_t was = 0, is = -1;
        if (!val_int(metrics->pairs[i].value, &was))
            continue;
        if (strstr(name, "canary_duration"))
            is = r->analyses;
        else if (strstr(name, "canary_successes"))
            is = r->successes;
        else if (strstr(name, "canary_failures"))
            is = r->failures;
        else if (strstr(name, "canary_status{"))
            is = r->shown_status;
        else if (strstr(name, "canary_weight{"))
            is = strstr(name, "-primary\"") ? r->shown_primary : r->shown_canary;
        if (is >= 0 && is != was)
            fail_msg("%s is %lld and was %lld", name, (long long)is, (long long)was);
    }
}

static void replay_is_the_recording(void **state)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct replay r = { .scenario = *state, .mem = mem };
    size_t len;
    const char *name = r.scenario->name;
    const char *text =
        read_text(mem, arena_printf(mem, DIFFERENTIAL "/recordings/flagger/%s.json", name), &len);
    struct val *recording;
    assert_null(doc_json_parse(mem, text, len, &recording));
    r.recording = recording;
    const struct val *scenario =
        read_yaml(mem, arena_printf(mem, DIFFERENTIAL "/scenarios/canary/%s.yaml", name));
    r.spec = spec_of(&r, val_get(scenario, "objects"));
    r.world = world_first(&r.spec);
    read_recording(&r);
    bool is_never_ready = false;
    run_tick(&r, true);
    const struct val *steps = val_get(scenario, "steps");
    for (size_t i = 0; i < val_len(steps); i++)
        take_step(&r, val_item(steps, i), &is_never_ready);
    compare(&r, "event", &r.reported, &r.recorded_reported);
    compare(&r, "hook", &r.hooks, &r.recorded_hooks);
    compare_timeline(&r);
    compare_status(&r);
    compare_alerts(&r);
    compare_series(&r);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(scenarios)];
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
                                        .test_func = replay_is_the_recording,
                                        .initial_state = (void *)&scenarios[i] };
    return cmocka_run_group_tests_name("canary_step_recordings", tests, NULL, NULL);
}
