#include "canary/canaries_parts.h"

/* -- what is said ------------------------------------------------------------------------------------------------------ */

static void say_event(struct tick *tick)
{
    report_event(tick->all, tick->unit, &tick->scene->canary, &tick->action);
}

static void say_alert(struct tick *tick)
{
    const struct canary_action *action = &tick->action;
    alert_send(tick->all->alerts, &tick->scene->canary, tick->scene->live,
               &(struct alert){ .severity = action->severity,
                                .message = action->text,
                                .has_fields = action->has_fields });
}

static void say_log(struct tick *tick)
{
    report_log(tick->all, tick->unit, tick->action.severity, tick->action.text);
}

static void show_status(struct tick *tick)
{
    report_status(tick->all, tick->unit, tick->action.phase);
}

static void show_weight(struct tick *tick)
{
    report_weight(tick->all, tick->unit, &tick->action.split);
}

static void count_end(struct tick *tick)
{
    report_end(tick->all, &tick->scene->canary, &tick->action);
}

/* -- what is asked ----------------------------------------------------------------------------------------------------- */

static void take_outcome(struct tick *tick, const struct canary_outcome *outcome)
{
    tick->answer = *outcome;
    tick->answer.text = arena_strdup(tick->scene->mem, outcome->text);
    tick->is_answered = true;
    tick_go_on(tick);
}

static void on_hook(void *ctx, const struct canary_outcome *outcome)
{
    struct tick *tick = ctx;
    tick->hook = 0;
    take_outcome(tick, outcome);
}

static void ask_hook(struct tick *tick)
{
    tick->hook = hook_start(tick->all->hooks, &tick->scene->canary, tick->action.index,
                            canary_phase_name(tick->action.phase), on_hook, tick);
}

static void on_checked(void *ctx, const struct metric_verdict *verdict)
{
    struct tick *tick = ctx;
    tick->check = 0;
    if (verdict->has_value)
        report_metric(tick->all, tick->unit,
                      tick->scene->canary.analysis.metrics[tick->action.index].name,
                      verdict->value);
    take_outcome(tick, &verdict->outcome);
}

static void on_probed(void *ctx, const struct metric_verdict *verdict)
{
    struct tick *tick = ctx;
    tick->check = 0;
    take_outcome(tick, &verdict->outcome);
}

static struct metric_check check_of(const struct tick *tick)
{
    return (struct metric_check){ .canary = &tick->scene->canary,
                                  .settings = tick->all->opts.settings,
                                  .live = tick->scene->live,
                                  .index = tick->action.index,
                                  .part = tick->action.part };
}

static void ask_metric(struct tick *tick)
{
    struct metric_check check = check_of(tick);
    tick->check = metric_check_start(tick->all->lab, &check, on_checked, tick);
}

static void ask_providers(struct tick *tick)
{
    struct metric_check check = check_of(tick);
    tick->check = metric_probe_start(tick->all->lab, &check, on_probed, tick);
}

/* -- all of them ------------------------------------------------------------------------------------------------------- */

/* What is said is answered at once. */
static const struct deed {
    void (*start)(struct tick *tick);
    bool is_said;
} deeds[CANARY_ACTS] = {
    [CANARY_EVENT] = { say_event, true },
    [CANARY_ALERT] = { say_alert, true },
    [CANARY_LOG] = { say_log, true },
    [CANARY_SHOW_STATUS] = { show_status, true },
    [CANARY_SHOW_WEIGHT] = { show_weight, true },
    [CANARY_COUNT_SUCCESS] = { count_end, true },
    [CANARY_COUNT_FAILURE] = { count_end, true },
    [CANARY_ASK_PROVIDERS] = { ask_providers, false },
    [CANARY_ASK_HOOK] = { ask_hook, false },
    [CANARY_ASK_METRIC] = { ask_metric, false },
};

void act_start(struct tick *tick)
{
    const struct deed *deed = &deeds[tick->action.act];
    if (!deed->start) {
        write_start(tick);
        return;
    }
    deed->start(tick);
    tick->is_answered = tick->is_answered || deed->is_said;
}

void act_cancel(struct tick *tick)
{
    struct canaries *all = tick->all;
    hook_cancel(all->hooks, tick->hook);
    metric_cancel(all->lab, tick->check);
    loop_cancel(all->opts.loop, tick->timer);
    write_cancel(tick);
}
