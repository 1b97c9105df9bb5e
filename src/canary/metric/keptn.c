#include <ctype.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.10, through the API server. An Analysis is made, watched until it is done, and deleted. */

#define GROUP     "/apis/metrics.keptn.sh/v1beta1/namespaces/"
#define POLLS     10
#define POLL_MS   1000
#define PARTS_MAX 5

enum stage { STAGE_METRIC, STAGE_CREATE, STAGE_PAUSE, STAGE_POLL, STAGE_DELETE };

struct keptn {
    bool is_analysis;
    const char *ns, *name;
    const char *duration, *arguments; /* "" when absent */
    const char *made;                 /* the name of the Analysis */
    int polls;
    const char *fault; /* what came of it, told once it is deleted; NULL: the value */
    double value;
};

/* <kind>/<namespace>/<name>[/<duration>[/<k=v;k=v>]], in lower case. */
MUST_USE static struct err *read_query(struct metric_talk *talk, struct keptn *own)
{
    const char *query = talk->question->query;
    query += strspn(query, " \t\r\n\f\v");
    char *text = arena_strdup(talk->mem, query);
    size_t len = strlen(text), count = 0;
    const char *parts[PARTS_MAX] = { "", "", "", "", "" };
    while (len && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    for (char *at = text; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    for (char *at = text; at && count < PARTS_MAX;) {
        char *slash = strchr(at, '/');
        parts[count++] = at;
        if (slash)
            *slash++ = '\0';
        at = slash;
    }
    bool is_metric = !strcmp(parts[0], "keptnmetric") || !strcmp(parts[0], "keptnmetrics");
    own->is_analysis = !strcmp(parts[0], "analysis") || !strcmp(parts[0], "analyses");
    if (count < 3 || !*parts[1] || !*parts[2])
        return err_new(ERR_INVALID, "unexpected query format; expected <kind>/<namespace>/<name>, "
                                    "or <kind>/<namespace>/<name>/<duration>/<arguments>");
    if (!is_metric && !own->is_analysis)
        return err_new(ERR_INVALID,
                       "unexpected resource kind %.100s; expected keptnmetric or "
                       "analysis",
                       parts[0]);
    own->ns = parts[1];
    own->name = parts[2];
    own->duration = parts[3];
    own->arguments = parts[4];
    return NULL;
}

static struct err *begin(struct metric_talk *talk)
{
    struct keptn *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    return NULL;
}

static struct metric_request *ask(struct metric_talk *talk, const char *method, const char *plural,
                                  const char *name, struct metric_turn *turn)
{
    const struct keptn *own = talk->own;
    const char *path =
        arena_printf(talk->scratch, GROUP "%s/%s%s%s", url_escape_part(talk->scratch, own->ns),
                     plural, *name ? "/" : "", url_escape_part(talk->scratch, name));
    struct metric_request *request = talk_ask(turn, path);
    request->way = METRIC_WAY_KUBE;
    request->method = method;
    return request;
}

static struct val *arguments_of(struct arena *mem, const char *text)
{
    struct val *map = val_new_map(mem);
    while (*text) {
        size_t len = strcspn(text, ";"), key_len = strcspn(text, "=;");
        if (key_len < len)
            val_set(mem, map, arena_strndup(mem, text, key_len),
                    val_new_bytes(mem, text + key_len + 1, len - key_len - 1));
        text += len + (text[len] == ';');
    }
    return map;
}

static void create(struct metric_talk *talk, struct metric_turn *turn)
{
    struct keptn *own = talk->own;
    struct arena *mem = talk->scratch;
    struct val *object = val_new_map(mem);
    struct val *spec = val_new_map(mem);
    own->made =
        arena_printf(talk->mem, "%s-%06x", own->name, (unsigned)(talk->question->nonce & 0xffffff));
    val_set_text(mem, object, "apiVersion", "metrics.keptn.sh/v1beta1");
    val_set_text(mem, object, "kind", "Analysis");
    struct val *meta = val_need_map(mem, object, "metadata");
    val_set_text(mem, meta, "name", own->made);
    val_set_text(mem, meta, "namespace", own->ns);
    val_set_text(mem, val_need_map(mem, spec, "timeframe"), "recent",
                 *own->duration ? own->duration : "1m");
    val_set_text(mem, val_need_map(mem, spec, "analysisDefinition"), "name", own->name);
    if (*own->arguments)
        val_set(mem, spec, "args", arguments_of(mem, own->arguments));
    val_set(mem, object, "spec", spec);
    struct metric_request *request = ask(talk, "POST", "analyses", "", turn);
    request->body = val_json(mem, object, &request->body_len);
    talk->stage = STAGE_CREATE;
}

static void begin_asking(struct metric_talk *talk, struct metric_turn *turn)
{
    struct keptn *own = talk->own;
    if (talk->question->is_probe) {
        talk_value(turn, 1);
        return;
    }
    SCOPED(err_free) struct err *e = read_query(talk, own);
    if (e)
        talk_fail(talk, turn, "%s", err_text(e));
    else if (own->is_analysis)
        create(talk, turn);
    else
        ask(talk, "GET", "keptnmetrics", own->name, turn);
}

/* NULL when the API server did what it was asked. */
static const char *fault_of(struct metric_talk *talk, const struct metric_answer *answer)
{
    struct metric_turn ignored = { 0 };
    if (answer->failure)
        return answer->failure;
    if (answer->status >= 200 && answer->status < 300)
        return NULL;
    const struct val *body = talk_json(talk, answer, &ignored);
    return val_text_or(val_get(body, "message"), talk_status(talk, answer->status));
}

static void read_metric(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    const struct keptn *own = talk->own;
    const char *fault = fault_of(talk, answer);
    double value;
    if (fault) {
        talk_fail(talk, turn, "could not retrieve KeptnMetric %s/%s: %s", own->ns, own->name,
                  fault);
        return;
    }
    const struct val *body = talk_json(talk, answer, turn);
    const char *text = val_text(VAL_PATH(body, "status", "value"));
    if (!body)
        return;
    SCOPED(err_free)
    struct err *e =
        text && *text ? talk_parse_number(text, &value) : err_new(ERR_INVALID, "it has no value");
    if (e)
        talk_fail(talk, turn, "could not read KeptnMetric %s/%s: %s", own->ns, own->name,
                  err_text(e));
    else
        talk_value(turn, value);
}

static void wait_a_little(struct metric_talk *talk, struct metric_turn *turn)
{
    struct metric_request *request = talk_ask(turn, "");
    request->way = METRIC_WAY_PAUSE;
    request->timeout_ms = POLL_MS;
    talk->stage = STAGE_PAUSE;
}

static void end(struct metric_talk *talk, const char *fault, struct metric_turn *turn)
{
    struct keptn *own = talk->own;
    own->fault = fault ? arena_strdup(talk->mem, fault) : NULL;
    ask(talk, "DELETE", "analyses", own->made, turn);
    talk->stage = STAGE_DELETE;
}

static void read_analysis(struct metric_talk *talk, const struct metric_answer *answer,
                          struct metric_turn *turn)
{
    struct keptn *own = talk->own;
    struct metric_turn ignored = { 0 };
    const char *fault = fault_of(talk, answer);
    const struct val *status = fault ? NULL : val_get(talk_json(talk, answer, &ignored), "status");
    if (fault) {
        end(talk,
            arena_printf(talk->scratch, "could not check for status of Analysis %s/%s: %s", own->ns,
                         own->made, fault),
            turn);
    } else if (!strcmp(val_text_or(val_get(status, "state"), ""), "Completed")) {
        own->value = val_is_true(val_get(status, "pass")) ? 1 : 0;
        end(talk, NULL, turn);
    } else if (++own->polls < POLLS) {
        wait_a_little(talk, turn);
    } else {
        end(talk,
            arena_printf(talk->scratch,
                         "encountered timeout while waiting for Keptn Analysis "
                         "%s/%s to be finished",
                         own->ns, own->made),
            turn);
    }
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    const struct keptn *own = talk->own;
    const char *fault;
    if (!answer) {
        begin_asking(talk, turn);
        return;
    }
    switch (talk->stage) {
    case STAGE_METRIC: read_metric(talk, answer, turn); return;
    case STAGE_CREATE:
        fault = fault_of(talk, answer);
        if (fault)
            talk_fail(talk, turn, "could not create Analysis %s/%s: %s", own->ns, own->made, fault);
        else
            wait_a_little(talk, turn);
        return;
    case STAGE_PAUSE:
        ask(talk, "GET", "analyses", own->made, turn);
        talk->stage = STAGE_POLL;
        return;
    case STAGE_POLL: read_analysis(talk, answer, turn); return;
    default: break;
    }
    if (own->fault)
        talk_fail(talk, turn, "%s", own->fault);
    else
        talk_value(turn, own->value);
}

const struct metric_provider metric_keptn = { .type = "keptn", .begin = begin, .next = next };
