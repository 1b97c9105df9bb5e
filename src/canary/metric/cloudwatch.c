#include <string.h>
#include <strings.h>

#include "base/time.h"
#include "canary/metric/aws.h"
#include "canary/metric/url.h"
#include "canary/metric/xml.h"
#include "doc/json.h"

/* Reference: traffic-and-metrics.md 20.4: GetMetricData of AWS' query protocol. The Secret is not read. */

#define WINDOWS     10
#define RETRIES     3
#define RETRY_MS    100 /* before the first; doubled for each later one */
#define QUERIES_MAX 500 /* as GetMetricData has it */
#define FIRST_RESULT \
    "GetMetricDataResponse/GetMetricDataResult/MetricDataResults/member/Values/member"
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

enum stage { STAGE_LOGIN, STAGE_QUERY, STAGE_PAUSE };

struct cloudwatch {
    struct aws_login login;
    struct val *queries; /* list; NULL for a probe */
    int retries;
};

/* A region becomes part of a host name. */
static bool is_region(const char *region)
{
    return region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static struct err *begin(struct metric_talk *talk)
{
    const char *region = talk->question->source.region;
    struct cloudwatch *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    if (!*region)
        return err_new(ERR_INVALID, "region not specified");
    if (!is_region(region))
        return err_new(ERR_INVALID, "region '%.100s' is not one", region);
    own->login.region = region;
    return NULL;
}

/* -- the query: JSON flattened to a form --------------------------------------------------------------------------- */

enum shape { SHAPE_TEXT, SHAPE_WHOLE, SHAPE_BOOL, SHAPE_MAP, SHAPE_LIST };

enum level { LEVEL_QUERY, LEVEL_STAT, LEVEL_METRIC, LEVEL_DIMENSION };

// clang-format off
static const struct field {
    enum level in;
    const char *name;
    enum shape shape;
    enum level inside; /* of a map, or of the maps in a list */
} fields[] = {
    { LEVEL_QUERY, "Id", SHAPE_TEXT, LEVEL_QUERY },
    { LEVEL_QUERY, "Expression", SHAPE_TEXT, LEVEL_QUERY },
    { LEVEL_QUERY, "Label", SHAPE_TEXT, LEVEL_QUERY },
    { LEVEL_QUERY, "MetricStat", SHAPE_MAP, LEVEL_STAT },
    { LEVEL_QUERY, "ReturnData", SHAPE_BOOL, LEVEL_QUERY },
    { LEVEL_QUERY, "Period", SHAPE_WHOLE, LEVEL_QUERY },
    { LEVEL_QUERY, "AccountId", SHAPE_TEXT, LEVEL_QUERY },
    { LEVEL_STAT, "Metric", SHAPE_MAP, LEVEL_METRIC },
    { LEVEL_STAT, "Period", SHAPE_WHOLE, LEVEL_STAT },
    { LEVEL_STAT, "Stat", SHAPE_TEXT, LEVEL_STAT },
    { LEVEL_STAT, "Unit", SHAPE_TEXT, LEVEL_STAT },
    { LEVEL_METRIC, "Namespace", SHAPE_TEXT, LEVEL_METRIC },
    { LEVEL_METRIC, "MetricName", SHAPE_TEXT, LEVEL_METRIC },
    { LEVEL_METRIC, "Dimensions", SHAPE_LIST, LEVEL_DIMENSION },
    { LEVEL_DIMENSION, "Name", SHAPE_TEXT, LEVEL_DIMENSION },
    { LEVEL_DIMENSION, "Value", SHAPE_TEXT, LEVEL_DIMENSION },
};
// clang-format on

/* A map that is still to be flattened. */
struct pending {
    const struct val *map;
    const char *prefix;
    enum level level;
};

struct flattening {
    struct arena *mem;
    VEC(struct pending) pending;
    struct url_pairs *out;
};

/* Names of fields are read in any case. */
static const struct field *find_field(enum level level, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (fields[i].in == level && !strcasecmp(fields[i].name, name))
            return &fields[i];
    }
    return NULL;
}

MUST_USE static struct err *wrong_type(const struct field *field, const struct val *v)
{
    return err_new(ERR_INVALID, "json: cannot unmarshal %s into field %s", val_type_name(v->type),
                   field->name);
}

MUST_USE static struct err *add_scalar(struct flattening *f, const struct field *field,
                                       const char *key, const struct val *v)
{
    int64_t whole;
    bool fits = field->shape == SHAPE_TEXT    ? v->type == VAL_STRING
                : field->shape == SHAPE_WHOLE ? val_int(v, &whole)
                                              : v->type == VAL_BOOL;
    if (!fits)
        return wrong_type(field, v);
    const char *text = v->type == VAL_BOOL ? (v->boolean ? "true" : "false") : v->text;
    url_add(f->mem, f->out, key, text);
    return NULL;
}

MUST_USE static struct err *add_field(struct flattening *f, const struct pending *in,
                                      const struct val_pair *pair)
{
    const struct field *field = find_field(in->level, pair->key);
    const struct val *v = pair->value;
    if (!field || val_is_null(v))
        return NULL;
    const char *key = arena_printf(f->mem, "%s.%s", in->prefix, field->name);
    if (field->shape != SHAPE_MAP && field->shape != SHAPE_LIST)
        return add_scalar(f, field, key, v);
    if (field->shape == SHAPE_MAP ? !val_is_map(v) : !val_is_list(v))
        return wrong_type(field, v);
    size_t len = field->shape == SHAPE_MAP ? 1 : val_len(v);
    for (size_t i = 0; i < len; i++) {
        const struct val *map = field->shape == SHAPE_MAP ? v : val_item(v, i);
        if (!val_is_map(map))
            return wrong_type(field, map);
        *vec_push(f->mem, &f->pending) = (struct pending){
            .map = map,
            .prefix =
                field->shape == SHAPE_MAP ? key : arena_printf(f->mem, "%s.member.%zu", key, i + 1),
            .level = field->inside,
        };
    }
    return NULL;
}

MUST_USE static struct err *flatten(struct arena *mem, const struct val *queries,
                                    struct url_pairs *out)
{
    struct flattening f = { .mem = mem, .out = out };
    if (!val_is_list(queries))
        return err_new(ERR_INVALID, "json: cannot unmarshal %s into a list of queries",
                       val_type_name(queries->type));
    if (val_len(queries) > QUERIES_MAX)
        return err_new(ERR_LIMIT, "%zu queries: %d are the most", val_len(queries), QUERIES_MAX);
    for (size_t i = 0; i < val_len(queries); i++) {
        if (!val_is_map(val_item(queries, i)))
            return err_new(ERR_INVALID, "json: cannot unmarshal %s into a query",
                           val_type_name(val_item(queries, i)->type));
        *vec_push(mem, &f.pending) =
            (struct pending){ .map = val_item(queries, i),
                              .prefix = arena_printf(mem, "MetricDataQueries.member.%zu", i + 1),
                              .level = LEVEL_QUERY };
    }
    for (size_t at = 0; at < f.pending.len; at++) {
        struct pending in = f.pending.at[at]; /* the list may move */
        for (size_t i = 0; i < in.map->len; i++)
            TRY(add_field(&f, &in, &in.map->pairs[i]));
    }
    return NULL;
}

MUST_USE static struct err *make_form(struct metric_talk *talk, struct url_pairs *form)
{
    const struct metric_question *question = talk->question;
    struct val *queries = NULL;
    char from[TIME_TEXT_BYTES], to[TIME_TEXT_BYTES];
    bool is_probe = question->is_probe;
    time_format_seconds(is_probe ? 0 : question->now_ms - WINDOWS * talk->window_ms, from);
    time_format_seconds(is_probe ? 0 : question->now_ms, to);
    if (!is_probe) {
        TRY(doc_json_parse(talk->scratch, question->query, strlen(question->query), &queries));
        TRY(flatten(talk->scratch, queries, form));
    } else {
        url_set(talk->scratch, form, "MetricDataQueries", "");
    }
    url_set(talk->scratch, form, "Action", "GetMetricData");
    url_set(talk->scratch, form, "Version", "2010-08-01");
    url_set(talk->scratch, form, "StartTime", arena_strdup(talk->scratch, from));
    url_set(talk->scratch, form, "EndTime", arena_strdup(talk->scratch, to));
    url_set(talk->scratch, form, "MaxDatapoints", "20");
    return NULL;
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    struct cloudwatch *own = talk->own;
    struct arena *mem = talk->scratch;
    const struct aws_credentials *credentials = &own->login.credentials;
    struct url_pairs form = { 0 };
    struct url address;
    SCOPED(err_free) struct err *e = make_form(talk, &form);
    if (e) {
        talk_fail(talk, turn, "error unmarshaling query: %s", err_text(e));
        return;
    }
    const char *endpoint = aws_endpoint(talk, "monitoring", "CLOUDWATCH", own->login.region);
    const char *url = url_parse(mem, endpoint, &address) ? url_join(mem, &address, "", "") : "";
    if (!url_parse(mem, url, &address)) { /* the path is cleaned now */
        talk_fail(talk, turn, "error requesting cloudwatch: its endpoint is not a valid URL");
        return;
    }
    const char *body = url_query(mem, &form), *time = aws_time(mem, talk->question->now_ms);
    const char *token = *credentials->session_token ? arena_printf(mem, "x-amz-security-token: %s",
                                                                   credentials->session_token)
                                                    : NULL;
    const char *content = "content-type: " CONTENT_TYPE;
    const char *host = arena_printf(mem, "host: %s", address.host);
    const char *date = arena_printf(mem, "x-amz-date: %s", time);
    struct metric_request *request = talk_ask(turn, url);
    request->method = "POST";
    request->body = body;
    request->body_len = strlen(body);
    struct aws_request to_sign = { .method = "POST",
                                   .path = *address.path ? address.path : "/",
                                   .query = "",
                                   .headers = talk_headers(talk, content, host, date, token),
                                   .body = body,
                                   .region = own->login.region,
                                   .service = "monitoring",
                                   .now_ms = talk->question->now_ms };
    const char *authorization =
        arena_printf(mem, "authorization: %s", aws_sign(mem, &to_sign, credentials));
    request->headers = talk_headers(talk, content, date, token, authorization);
    talk->stage = STAGE_QUERY;
}

static bool may_try_again(const struct metric_answer *answer, const char *code)
{
    static const char *const codes[] = { "Throttling", "ThrottlingException",
                                         "RequestLimitExceeded", "RequestThrottled",
                                         "TooManyRequestsException" };
    for (size_t i = 0; code && i < ARRAY_LEN(codes); i++) {
        if (!strcmp(code, codes[i]))
            return true;
    }
    return answer->failure || answer->status >= 500 || answer->status == 429;
}

static void read_error(struct metric_talk *talk, const struct metric_answer *answer,
                       struct metric_turn *turn)
{
    struct cloudwatch *own = talk->own;
    struct arena *mem = talk->scratch;
    const char *code = xml_find(mem, answer->body, answer->len, "ErrorResponse/Error/Code");
    const char *message = xml_find(mem, answer->body, answer->len, "ErrorResponse/Error/Message");
    const char *id = xml_find(mem, answer->body, answer->len, "ErrorResponse/RequestId");
    bool is_probe = talk->question->is_probe;
    if (may_try_again(answer, code) && own->retries < RETRIES) {
        struct metric_request *request = talk_ask(turn, "");
        request->way = METRIC_WAY_PAUSE;
        request->timeout_ms = (int64_t)RETRY_MS << own->retries++;
        talk->stage = STAGE_PAUSE;
    } else if (answer->failure) {
        talk_fail(talk, turn, "%s: %s",
                  is_probe ? "unexpected error" : "error requesting cloudwatch", answer->failure);
    } else if (is_probe && answer->status == 400) {
        talk_value(turn, 1); /* it is there: no query is none */
    } else if (is_probe) {
        talk_fail(talk, turn, "unexpected status code: %d", answer->status);
    } else {
        talk_fail(talk, turn,
                  "error requesting cloudwatch: %.200s: %.1000s\n\tstatus code: %d, request id: "
                  "%.100s",
                  code ? code : "UnknownError", message ? message : talk_body(talk, answer),
                  answer->status, id ? id : "");
    }
}

static void read_answer(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    double value;
    if (answer->failure || answer->status != 200) {
        read_error(talk, answer, turn);
        return;
    }
    if (talk->question->is_probe) {
        talk_value(turn, 1);
        return;
    }
    const char *text = xml_find(talk->scratch, answer->body, answer->len, FIRST_RESULT);
    if (!text) {
        talk_no_values(talk, turn, "invalid response: %s: " METRIC_NO_VALUES,
                       talk_body(talk, answer));
        return;
    }
    SCOPED(err_free) struct err *e = talk_parse_number(text, &value);
    if (e)
        talk_fail(talk, turn, "invalid response: %s", err_text(e));
    else
        talk_value(turn, value);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    struct cloudwatch *own = talk->own;
    if (talk->stage == STAGE_QUERY) {
        read_answer(talk, answer, turn);
        return;
    }
    bool is_in = talk->stage == STAGE_PAUSE || aws_login_next(talk, &own->login, answer, turn);
    if (is_in && own->login.stage == AWS_DONE)
        ask(talk, turn);
    else if (turn->kind == METRIC_TURN_FAILED)
        talk_fail(talk, turn, "%s: %s",
                  talk->question->is_probe ? "unexpected error" : "error requesting cloudwatch",
                  turn->text);
}

const struct metric_provider metric_cloudwatch = {
    .type = "cloudwatch", .needs_window = true, .begin = begin, .next = next
};
