#include <string.h>

#include "canary/metric/csv.h"
#include "canary/metric/talk.h"
#include "canary/metric/url.h"

/* Reference: traffic-and-metrics.md 20.6: Flux, answered with annotated CSV. */

#define PROBE      "from(bucket: \"default\") |> range(start: -2h)"
#define TIMEOUT_MS 15000

struct influxdb {
    struct url address;
    const char *token, *org;
};

static struct err *begin(struct metric_talk *talk)
{
    struct influxdb *own = arena_alloc(talk->mem, sizeof(*own));
    *own = (struct influxdb){ .token = "", .org = "" };
    talk->own = own;
    TRY(talk_need_url(talk, NULL, &own->address));
    if (!talk->question->source.secret)
        return NULL;
    TRY(talk_need_key(talk, "token", true, "an authentication token", &own->token));
    return talk_need_key(talk, "org", false, "an organisation", &own->org);
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct influxdb *own = talk->own;
    const char *flux = talk->question->is_probe ? PROBE : talk->question->query;
    SBUF(body, METRIC_BODY_MAX);
    sbuf_add(&body, "{\"dialect\":{\"annotations\":[\"datatype\",\"group\",\"default\"],"
                    "\"delimiter\":\",\",\"header\":true},\"query\":");
    sbuf_add_json(&body, flux, strlen(flux));
    sbuf_add(&body, ",\"type\":\"flux\"}");
    const char *org = arena_printf(talk->scratch, "org=%s", url_escape(talk->scratch, own->org));
    struct metric_request *request =
        talk_ask(turn, url_join(talk->scratch, &own->address, "api/v2/query", org));
    request->method = "POST";
    request->body = arena_strdup(talk->scratch, sbuf_text(&body));
    request->body_len = body.len;
    request->timeout_ms = TIMEOUT_MS;
    request->wants_gzip = true;
    request->headers = talk_headers(
        talk,
        *own->token ? arena_printf(talk->scratch, "Authorization: Token %s", own->token) : NULL,
        "Content-Type: application/json");
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

struct table {
    struct csv_row types, defaults, header;
    bool has_header;
};

static const char *cell_of(const struct csv_row *row, size_t column)
{
    return column < row->len ? row->at[column] : "";
}

static bool find_column(const struct table *table, const char *name, size_t *out)
{
    for (size_t i = 0; i < table->header.len; i++) {
        if (!strcmp(table->header.at[i], name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Takes a row that describes the table; false for a row of data. */
static bool take_description(struct table *table, const struct csv_row *row)
{
    const char *first = cell_of(row, 0);
    bool is_annotation = first[0] == '#';
    if (!row->len || (is_annotation && table->has_header))
        *table = (struct table){ 0 };
    if (!row->len)
        return true;
    if (!strcmp(first, "#datatype"))
        table->types = *row;
    else if (!strcmp(first, "#default"))
        table->defaults = *row;
    else if (!is_annotation && !table->has_header) {
        table->header = *row;
        table->has_header = true;
    } else if (!is_annotation) {
        return false;
    }
    return true;
}

/* A table with the columns error and reference instead of data. */
static bool is_error(struct metric_talk *talk, const struct table *table, const struct csv_row *row,
                     struct metric_turn *turn)
{
    size_t column, value;
    if (!find_column(table, "error", &column) || find_column(table, "_value", &value))
        return false;
    talk_fail(talk, turn, "error accessing influxdb query api: %.1000s", cell_of(row, column));
    return true;
}

static void read_row(struct metric_talk *talk, const struct table *table, const struct csv_row *row,
                     struct metric_turn *turn)
{
    size_t column;
    double value;
    if (!find_column(table, "_value", &column)) {
        talk_fail(talk, turn, "invalid response: there is no column _value");
        return;
    }
    const char *type = cell_of(&table->types, column);
    const char *text = cell_of(row, column);
    if (!*text)
        text = cell_of(&table->defaults, column);
    if (!*text) {
        talk_no_values(talk, turn, METRIC_NO_VALUES);
        return;
    }
    SCOPED(err_free) struct err *e = talk_parse_number(text, &value);
    if (strcmp(type, "double"))
        talk_fail(talk, turn, "invalid response: _value is of type %.100s, which is not double",
                  *type ? type : "string");
    else if (e)
        talk_fail(talk, turn, "invalid response: %s", err_text(e));
    else
        talk_value(turn, value);
}

/* The first row decides; without any the value is 0. A probe reads them all. */
static void read_tables(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    struct csv csv = { .at = answer->body, .end = answer->body + answer->len };
    struct table table = { 0 };
    struct csv_row row;
    const char *fault;
    while (csv_next(talk->scratch, &csv, &row, &fault)) {
        if (fault) {
            talk_fail(talk, turn, "invalid response: %s", fault);
            return;
        }
        if (take_description(&table, &row))
            continue;
        if (is_error(talk, &table, &row, turn))
            return;
        if (!talk->question->is_probe) {
            read_row(talk, &table, &row, turn);
            return;
        }
    }
    talk_value(turn, talk->question->is_probe ? 1 : 0);
}

/* {"code": "unauthorized", "message": "..."} */
static void read_error(struct metric_talk *talk, const struct metric_answer *answer,
                       struct metric_turn *turn)
{
    struct metric_turn ignored = { 0 };
    const struct val *body = talk_json(talk, answer, &ignored);
    const char *code = val_text(val_get(body, "code"));
    const char *message = val_text_or(val_get(body, "message"), "");
    if (code)
        talk_fail(talk, turn, "error accessing influxdb query api: %.100s: %.1000s", code, message);
    else
        talk_fail(talk, turn, "error accessing influxdb query api: Unexpected status code %d",
                  answer->status);
}

static void next(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn)
{
    if (!answer)
        ask(talk, turn);
    else if (answer->failure)
        talk_fail(talk, turn, "error accessing influxdb query api: %s", answer->failure);
    else if (answer->status < 200 || answer->status > 299)
        read_error(talk, answer, turn);
    else
        read_tables(talk, answer, turn);
}

const struct metric_provider metric_influxdb = { .type = "influxdb", .begin = begin, .next = next };
