#include "canary/metric/check.h"

#include <stdlib.h>
#include <string.h>

#include "canary/metric/exchange.h"
#include "canary/metric/judge.h"
#include "canary/metric/template.h"
#include "canary/metric/url.h"
#include "doc/object.h"

#define RUN_BYTES     ((size_t)256 << 20)
#define KNATIVE_API   "serving.knative.dev/v1"
#define NO_USABLE     "Metric query failed for no usable metrics template and query were configured"
#define TEMPLATE_KIND "MetricTemplate"

enum run_kind { RUN_CHECK, RUN_PROBE, RUN_SERVER };

/* One question of a run, and what the text is when it is not answered well. */
struct item {
    struct metric_question question;
    const char *before; /* of the text of a failed probe */
    const char *fault;  /* known before a client is built: the whole text; NULL none */
    const char *flaw;   /* of the query: told once a client could be built; NULL none */
    const char *build;  /* before the error of building the client */
};

struct run {
    struct metric_lab *lab;
    struct arena *mem;
    ticket id, timer;
    enum run_kind kind;
    struct judge judge;
    bool is_seconds, is_bare; /* of a built-in query */
    VEC(struct item) items;   /* a check has one */
    size_t at;
    const char *good; /* the text once all is well */
    struct exchange *exchange;
    metric_check_done done;
    void *ctx;
    struct run *next;
};

struct metric_lab {
    struct metric_lab_opts opts;
    struct run *runs;
    ticket last;
};

/* -- runs ---------------------------------------------------------------------------------------------------------- */

struct metric_lab *metric_lab_new(const struct metric_lab_opts *opts)
{
    struct metric_lab *lab = base_alloc(sizeof(*lab));
    lab->opts = *opts;
    return lab;
}

static void free_run(struct run *run)
{
    struct run **at = &run->lab->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    exchange_free(run->exchange);
    loop_cancel(run->lab->opts.loop, run->timer);
    arena_free(run->mem);
    free(run);
}

void metric_lab_free(struct metric_lab *lab)
{
    if (!lab)
        return;
    while (lab->runs)
        free_run(lab->runs);
    free(lab);
}

void metric_cancel(struct metric_lab *lab, ticket check)
{
    for (struct run *run = lab->runs; run; run = run->next) {
        if (run->id == check) {
            free_run(run);
            return;
        }
    }
}

static struct run *new_run(struct metric_lab *lab, enum run_kind kind, metric_check_done done,
                           void *ctx)
{
    struct run *run = base_alloc(sizeof(*run));
    *run = (struct run){ .lab = lab,
                         .mem = arena_new(RUN_BYTES),
                         .id = ++lab->last,
                         .kind = kind,
                         .good = "",
                         .done = done,
                         .ctx = ctx,
                         .next = lab->runs };
    run->judge.mem = run->mem;
    lab->runs = run;
    return run;
}

/* -- what is asked ------------------------------------------------------------------------------------------------- */

static struct item *add_item(struct run *run)
{
    struct metric_lab *lab = run->lab;
    struct item *item = vec_push(run->mem, &run->items);
    *item = (struct item){ .before = "", .build = "" };
    item->question = (struct metric_question){ .query = "",
                                               .now_ms = loop_wall_ms(lab->opts.loop),
                                               .nonce = loop_random(lab->opts.loop),
                                               .environ_list = lab->opts.environ_list };
    return item;
}

static const char *copy(struct run *run, const char *text)
{
    return arena_strdup(run->mem, text ? text : "");
}

/* The server of built-in and in-line queries. */
static const char *server_of(const struct metric_check *check)
{
    return *check->canary->metrics_server ? check->canary->metrics_server
                                          : check->settings->metrics_server;
}

static void use_server(struct run *run, struct item *item, const char *server)
{
    item->question.source =
        (struct metric_source){ .type = "prometheus", .address = copy(run, server), .region = "" };
    item->question.interval = "";
}

/* Why an object cannot be read, in the words of the API server and of client-go's caches; NULL if it can. */
static const char *lack_of(struct run *run, enum live_state state, const char *shown,
                           const char *name)
{
    switch (state) {
    case LIVE_HERE: return NULL;
    case LIVE_ABSENT: return arena_printf(run->mem, "%s \"%s\" not found", shown, name);
    case LIVE_NO_KIND:
        return arena_printf(
            run->mem, "the server could not find the requested resource (get %s %s)", shown, name);
    case LIVE_UNKNOWN: break;
    }
    return arena_printf(run->mem, "%s \"%s\" is not read yet", shown, name);
}

/* The parts of a MetricTemplate, and its Secret. */
struct template_ref {
    const char *ns, *name;
    const struct val *provider; /* spec.provider */
    const char *query, *secret; /* "" when absent */
};

static const char *find_template(struct run *run, const struct live *live,
                                 const struct canary_metric *metric, struct template_ref *out)
{
    const char *ns = metric->template_ns, *name = metric->template_name;
    const struct val *object = live_find(live, CANARY_API_VERSION, TEMPLATE_KIND, ns, name);
    const struct val *spec = val_get(object, "spec");
    *out = (struct template_ref){
        .ns = ns,
        .name = name,
        .provider = val_get(spec, "provider"),
        .query = val_text_or(val_get(spec, "query"), ""),
        .secret = val_text_or(VAL_PATH(spec, "provider", "secretRef", "name"), ""),
    };
    return lack_of(run, live_state(live, CANARY_API_VERSION, TEMPLATE_KIND, ns, name),
                   "metrictemplate.flagger.app", name);
}

static void use_template(struct run *run, struct item *item, const struct live *live,
                         const struct template_ref *ref)
{
    struct metric_source *source = &item->question.source;
    const struct val *secret = live_find(live, "v1", "Secret", ref->ns, ref->secret);
    const struct val *headers = val_get(ref->provider, "headers");
    *source = (struct metric_source){
        .type = copy(run, val_text(val_get(ref->provider, "type"))),
        .address = copy(run, val_text(val_get(ref->provider, "address"))),
        .region = copy(run, val_text(val_get(ref->provider, "region"))),
        .headers = headers ? val_copy(run->mem, headers) : NULL,
        .is_insecure = val_is_true(val_get(ref->provider, "insecureSkipVerify")),
    };
    if (*ref->secret) {
        const struct val *data = val_get(secret, "data");
        source->secret = val_is_map(data) ? val_copy(run->mem, data) : val_new_map(run->mem);
    }
    if (!metric_provider_is_known(source->type))
        log_warn(run->lab->opts.log, F("component", "canary"),
                 F("msg", arena_printf(run->mem, "unknown metrics provider '%s', using prometheus",
                                       source->type)));
}

static const char *secret_lack(struct run *run, const struct live *live,
                               const struct template_ref *ref)
{
    if (!*ref->secret)
        return NULL;
    return lack_of(run, live_state(live, "v1", "Secret", ref->ns, ref->secret), "secrets",
                   ref->secret);
}

/* -- a check ------------------------------------------------------------------------------------------------------- */

static bool is_knative(const struct metric_check *check)
{
    return !strcmp(check->canary->provider, "knative") ||
           !strcmp(check->settings->mesh_provider, "knative");
}

/* The facts of the template; an event's text when they cannot be found out. */
static const char *facts_of(struct run *run, const struct metric_check *check,
                            const struct canary_metric *metric, const char *provider,
                            struct template_facts *out)
{
    const struct canary *canary = check->canary;
    const char *ns = canary->ns, *target = canary->target.name, *route = NULL;
    if (is_knative(check)) {
        const char *lack = lack_of(run, live_state(check->live, KNATIVE_API, "Service", ns, target),
                                   "services.serving.knative.dev", target);
        const struct val *service = live_find(check->live, KNATIVE_API, "Service", ns, target);
        if (lack)
            return arena_printf(run->mem, "Error fetching Knative service %s/%s %s", ns, target,
                                lack);
        route = val_text_or(VAL_PATH(service, "status", "latestCreatedRevisionName"), "");
    }
    builtin_facts(run->mem, canary, provider, route, out);
    out->interval = metric->interval;
    out->variables = metric->variables;
    return NULL;
}

static void prepare_builtin(struct run *run, const struct metric_check *check,
                            const struct canary_metric *metric, struct item *item)
{
    struct template_facts facts;
    struct builtin_query query;
    const char *provider = builtin_provider(run->mem, check->canary, check->settings);
    run->judge.builtin = builtin_find(metric->name);
    run->judge.provider = copy(run, provider);
    item->fault = facts_of(run, check, metric, provider, &facts);
    if (item->fault)
        return;
    builtin_query(run->mem, check->canary, provider, run->judge.builtin, &query);
    run->is_seconds = query.is_seconds;
    run->is_bare = query.is_bare;
    SCOPED(err_free)
    struct err *e = template_render(run->mem, query.text, &facts, &item->question.query);
    if (e)
        item->flaw = judge_failure(
            &run->judge, arena_printf(run->mem, "rendering query failed: %s", err_text(e)));
}

static void prepare_query(struct run *run, const struct metric_check *check,
                          const struct canary_metric *metric, struct item *item)
{
    struct template_facts facts;
    item->fault = facts_of(run, check, metric, "", &facts);
    if (item->fault)
        return;
    SCOPED(err_free)
    struct err *e = template_render(run->mem, metric->query, &facts, &item->question.query);
    if (e)
        item->flaw = judge_failure(
            &run->judge, arena_printf(run->mem, "rendering query failed: %s", err_text(e)));
}

static void prepare_template(struct run *run, const struct metric_check *check,
                             const struct canary_metric *metric, struct item *item)
{
    struct template_facts facts;
    struct template_ref ref;
    run->judge.is_template = true;
    const char *lack = find_template(run, check->live, metric, &ref);
    const char *title = arena_printf(run->mem, "Metric template %s.%s", ref.name, ref.ns);
    if (lack) {
        item->fault = arena_printf(run->mem, "%s error: %s", title, lack);
        return;
    }
    lack = secret_lack(run, check->live, &ref);
    if (lack) {
        item->fault = arena_printf(run->mem, "%s secret %s error: %s", title, ref.secret, lack);
        return;
    }
    use_template(run, item, check->live, &ref);
    item->build =
        arena_printf(run->mem, "%s provider %s error: ", title, item->question.source.type);
    item->question.interval = copy(run, metric->interval);
    item->fault = facts_of(run, check, metric, "", &facts);
    if (item->fault)
        return;
    SCOPED(err_free)
    struct err *e = template_render(run->mem, ref.query, &facts, &item->question.query);
    if (e)
        item->flaw = arena_printf(run->mem, "%s query render error: %s", title, err_text(e));
    else
        log_debug(
            run->lab->opts.log, F("component", "canary"),
            F("canary", arena_printf(run->mem, "%s.%s", check->canary->name, check->canary->ns)),
            F("msg", arena_printf(run->mem, "%s query: %s", title, item->question.query)));
}

/* -- what comes of it ---------------------------------------------------------------------------------------------- */

static void tell(struct run *run, const struct metric_verdict *verdict)
{
    metric_check_done done = run->done;
    void *ctx = run->ctx;
    SCOPED(arena_free) struct arena *mem = STEAL(run->mem); /* the verdict's texts */
    free_run(run);
    done(ctx, verdict);
}

static void tell_fault(struct run *run, enum canary_severity severity, const char *text)
{
    tell(run, &(struct metric_verdict){ .outcome = { .severity = severity, .text = text } });
}

static void judge_result(struct run *run, const struct exchange_result *result)
{
    const struct judge *judge = &run->judge;
    bool is_wrapped = judge->builtin != BUILTIN_NONE && !run->is_bare;
    const char *why =
        arena_printf(run->mem, "%s%s", is_wrapped ? "running query failed: " : "", result->text);
    if (!result->has_value) {
        tell_fault(run, result->has_no_values ? CANARY_WARN : CANARY_ERROR,
                   result->has_no_values ? judge_no_values(judge, why) : judge_failure(judge, why));
        return;
    }
    double value = run->is_seconds ? result->value * 1000 : result->value;
    const char *text = judge_value(judge, value);
    tell(run, &(struct metric_verdict){
                  .outcome = { .is_ok = !text, .severity = CANARY_WARN, .text = text ? text : "" },
                  .has_value = true,
                  .value = judge_exported(judge, value) });
}

static void ask_next(struct run *run);

static void on_result(void *ctx, const struct exchange_result *result)
{
    struct run *run = ctx;
    const struct item *item = &run->items.at[run->at];
    const char *text = copy(run, result->text);
    if (run->kind == RUN_CHECK) {
        judge_result(run, result);
        return;
    }
    if (!result->has_value) {
        tell_fault(run, CANARY_ERROR, arena_printf(run->mem, "%s%s", item->before, text));
        return;
    }
    exchange_free(STEAL(run->exchange));
    run->at++;
    ask_next(run);
}

/* Asks what is next; what is wrong already is told in this turn, which is a later one than the call that began the run. */
static void ask_next(struct run *run)
{
    const struct metric_lab_opts *opts = &run->lab->opts;
    struct exchange_peers peers = { .loop = opts->loop, .http = opts->http, .kube = opts->kube };
    if (run->at == run->items.len) {
        tell(run, &(struct metric_verdict){ .outcome = { .is_ok = true, .text = run->good } });
        return;
    }
    struct item *item = &run->items.at[run->at];
    if (item->fault) {
        tell_fault(run, CANARY_ERROR, item->fault);
        return;
    }
    SCOPED(err_free)
    struct err *e = exchange_start(&peers, &item->question, on_result, run, &run->exchange);
    if (e)
        tell_fault(run, CANARY_ERROR, arena_printf(run->mem, "%s%s", item->build, err_text(e)));
    else if (item->flaw)
        tell_fault(run, CANARY_ERROR, item->flaw);
}

static void on_begin(void *ctx)
{
    struct run *run = ctx;
    run->timer = 0;
    ask_next(run);
}

static ticket begin(struct run *run)
{
    run->timer = loop_after(run->lab->opts.loop, 0, on_begin, run);
    return run->id;
}

static const char *build_text(struct run *run, const char *server)
{
    return arena_printf(run->mem, "Error building Prometheus client for %s ",
                        url_shown(run->mem, server));
}

ticket metric_check_start(struct metric_lab *lab, const struct metric_check *check,
                          metric_check_done done, void *ctx)
{
    static void (*const prepare[])(struct run *, const struct metric_check *,
                                   const struct canary_metric *, struct item *) = {
        [METRIC_BUILTIN] = prepare_builtin,
        [METRIC_QUERY] = prepare_query,
        [METRIC_TEMPLATE] = prepare_template,
    };
    struct run *run = new_run(lab, RUN_CHECK, done, ctx);
    const struct canary_metric *metric = &check->canary->analysis.metrics[check->index];
    struct item *item = add_item(run);
    judge_init(&run->judge, check->canary, metric);
    run->judge.canary = copy(run, run->judge.canary);
    run->judge.ns = copy(run, run->judge.ns);
    run->judge.target = copy(run, run->judge.target);
    run->judge.metric = copy(run, run->judge.metric);
    if (check->part == METRIC_UNUSABLE) {
        item->fault = NO_USABLE;
        return begin(run);
    }
    if (check->part != METRIC_TEMPLATE) {
        use_server(run, item, server_of(check));
        item->build = build_text(run, server_of(check));
    }
    prepare[check->part](run, check, metric, item);
    return begin(run);
}

/* -- probes -------------------------------------------------------------------------------------------------------- */

static void add_server_probe(struct run *run, const char *server)
{
    struct item *item = add_item(run);
    use_server(run, item, server);
    item->question.is_probe = true;
    item->before = "prometheus not avaiable: ";
    item->build = arena_printf(run->mem, "error building Prometheus client for %s ",
                               url_shown(run->mem, server));
}

static void add_template_probe(struct run *run, const struct metric_check *check,
                               const struct canary_metric *metric)
{
    struct item *item = add_item(run);
    struct template_ref ref;
    const char *lack = find_template(run, check->live, metric, &ref);
    const char *title = arena_printf(run->mem, "metric template %s.%s", ref.name, ref.ns);
    if (lack) {
        item->fault = arena_printf(run->mem, "%s error: %s", title, lack);
        return;
    }
    lack = secret_lack(run, check->live, &ref);
    if (lack) {
        item->fault = arena_printf(run->mem, "%s secret %s error: %s", title, ref.secret, lack);
        return;
    }
    use_template(run, item, check->live, &ref);
    const char *type = item->question.source.type;
    item->question.is_probe = true;
    item->question.interval = copy(run, metric->interval);
    item->before = arena_printf(run->mem, "%s in %s not avaiable: ", type, title);
    item->build = arena_printf(run->mem, "%s provider %s error: ", title, type);
}

ticket metric_probe_start(struct metric_lab *lab, const struct metric_check *check,
                          metric_check_done done, void *ctx)
{
    struct run *run = new_run(lab, RUN_PROBE, done, ctx);
    const struct canary_analysis *analysis = &check->canary->analysis;
    bool has_server = false; /* which is asked once, however many metrics read it */
    for (size_t i = 0; i < analysis->metrics_len; i++) {
        const struct canary_metric *metric = &analysis->metrics[i];
        bool is_builtin = builtin_find(metric->name) != BUILTIN_NONE;
        if (is_builtin && !has_server)
            add_server_probe(run, server_of(check));
        else if (!is_builtin && *metric->template_name)
            add_template_probe(run, check, metric);
        has_server = has_server || is_builtin;
    }
    return begin(run);
}

ticket metric_server_probe_start(struct metric_lab *lab, const char *server, metric_check_done done,
                                 void *ctx)
{
    struct run *run = new_run(lab, RUN_SERVER, done, ctx);
    const char *shown = url_shown(run->mem, server);
    add_server_probe(run, server);
    struct item *item = &run->items.at[0];
    item->before = arena_printf(run->mem, "Metrics server %s unreachable ", shown);
    item->build = item->before;
    run->good = arena_printf(run->mem, "Connected to metrics server %s", shown);
    return begin(run);
}

/* -- wants --------------------------------------------------------------------------------------------------------- */

void metric_check_wants(const struct canary *canary, const struct canary_settings *settings,
                        const struct live *live, struct live_wants *out)
{
    for (size_t i = 0; i < canary->analysis.metrics_len; i++) {
        const struct canary_metric *metric = &canary->analysis.metrics[i];
        struct live_key key = { .api_version = CANARY_API_VERSION,
                                .kind = TEMPLATE_KIND,
                                .ns = metric->template_ns,
                                .name = metric->template_name,
                                .form = LIVE_FULL,
                                .is_source = true };
        if (!*metric->template_name)
            continue;
        live_want(out, &key);
        const struct val *found = live_find(live, CANARY_API_VERSION, TEMPLATE_KIND,
                                            metric->template_ns, metric->template_name);
        const char *secret =
            val_text_or(VAL_PATH(found, "spec", "provider", "secretRef", "name"), "");
        if (*secret)
            live_want(out, &(struct live_key){ .api_version = "v1",
                                               .kind = "Secret",
                                               .ns = metric->template_ns,
                                               .name = secret,
                                               .form = LIVE_SECRET,
                                               .is_source = true });
    }
    struct metric_check check = { .canary = canary, .settings = settings };
    if (canary->analysis.metrics_len && is_knative(&check))
        live_want(out, &(struct live_key){ .api_version = KNATIVE_API,
                                           .kind = "Service",
                                           .ns = canary->ns,
                                           .name = canary->target.name,
                                           .form = LIVE_FULL });
}
