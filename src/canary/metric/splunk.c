#include <inttypes.h>
#include <string.h>

#include "canary/metric/talk.h"
#include "canary/metric/url.h"
#include "doc/json.h"

/* Reference: traffic-and-metrics.md 20.9, over SignalFlow's HTTP interface: /v2/signalflow/execute answers with server-sent
 * events what the websocket sends in frames. */

#define WINDOWS     10
#define TIMEOUT_MS  60000             /* a program over ten windows may take its time */
#define EVENT_BYTES ((size_t)4 << 10) /* of the last event */

struct splunk {
    struct url address;
    const char *token;
};

/* The address may be that of the API or of the stream, and name a websocket: http for ws, https for wss. */
static struct err *begin(struct metric_talk *talk)
{
    const char *address = talk->question->source.address;
    struct splunk *own = arena_alloc(talk->mem, sizeof(*own));
    talk->own = own;
    bool is_socket = !strncmp(address, "ws://", 5) || !strncmp(address, "wss://", 6);
    const char *text = is_socket ? arena_printf(talk->mem, "http%s", address + 2) : address;
    if (!url_parse(talk->mem, text, &own->address))
        return err_new(ERR_INVALID, "splunk address %s is not a valid URL",
                       url_shown(talk->mem, address));
    return talk_need_key(talk, "sf_token_key", true, "sf_token_key", &own->token);
}

/* The address with the first `from` in its host replaced. */
static struct url at_host(struct metric_talk *talk, const char *from, const char *to)
{
    const struct splunk *own = talk->own;
    struct url url = own->address;
    const char *found = strstr(url.host, from);
    if (found)
        url.host = arena_printf(talk->scratch, "%.*s%s%s", (int)(found - url.host), url.host, to,
                                found + strlen(from));
    return url;
}

/* Has the channel's last event come, and come whole? */
static bool is_over(const char *bytes, size_t len, size_t seen)
{
    static const char *const names[] = { "END_OF_CHANNEL", "CHANNEL_ABORT" };
    static const char *const ends[] = { "\n\n", "\n\r\n" };
    size_t from = seen > EVENT_BYTES ? seen - EVENT_BYTES : 0; /* it may have come in pieces */
    for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(ends); i++) {
        const char *name = names[i / ARRAY_LEN(ends)], *end = ends[i % ARRAY_LEN(ends)];
        const char *found = memmem(bytes + from, len - from, name, strlen(name));
        if (found && memmem(found, len - (size_t)(found - bytes), end, strlen(end)))
            return true;
    }
    return false;
}

static void ask(struct metric_talk *talk, struct metric_turn *turn)
{
    const struct splunk *own = talk->own;
    const char *token = arena_printf(talk->scratch, "X-SF-Token: %s", own->token);
    if (talk->question->is_probe) {
        struct url api = at_host(talk, "stream", "api");
        talk_ask(turn, url_join(talk->scratch, &api, "v2/metric", "limit=1"))->headers =
            talk_headers(talk, token);
        return;
    }
    struct url stream = at_host(talk, "api", "stream");
    int64_t now_ms = talk->question->now_ms;
    const char *query =
        arena_printf(talk->scratch, "immediate=true&start=%" PRId64 "&stop=%" PRId64,
                     now_ms - WINDOWS * talk->window_ms, now_ms);
    struct metric_request *request =
        talk_ask(turn, url_join(talk->scratch, &stream, "v2/signalflow/execute", query));
    request->method = "POST";
    request->body = talk->question->query;
    request->body_len = strlen(request->body);
    request->timeout_ms = TIMEOUT_MS;
    request->is_enough = is_over;
    request->headers =
        talk_headers(talk, token, "Content-Type: text/plain", "Accept: text/event-stream");
}

/* -- events -------------------------------------------------------------------------------------------------------- */

struct outcome {
    const char *series; /* the only one; NULL: none yet */
    bool has_several;
    double value;      /* the last one */
    const char *fault; /* the program was refused, or the channel given up */
};

static void take_data(struct metric_talk *talk, const struct val *v, struct outcome *out)
{
    const struct val *points = val_get(v, "data");
    for (size_t i = 0; i < val_len(points); i++) {
        const struct val *point = val_item(points, i);
        const char *series = val_text_or(val_get(point, "tsId"), "");
        double value;
        if (!talk_number(val_get(point, "value"), &value))
            continue;
        if (out->series && strcmp(out->series, series))
            out->has_several = true;
        if (!out->series)
            out->series = arena_strdup(talk->mem, series);
        out->value = value;
    }
}

/* A nested arena: events come by the thousand. */
static void take_event(struct metric_talk *talk, const char *event, const char *data, size_t len,
                       struct outcome *out)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, data, len, &v);
    if (e)
        return;
    bool is_abort = !strcmp(val_text_or(val_get(v, "event"), ""), "CHANNEL_ABORT");
    if (!strcmp(event, "data"))
        take_data(talk, v, out);
    else if (!strcmp(event, "error"))
        out->fault = arena_printf(talk->mem, "%.1000s",
                                  val_text_or(val_get(v, "message"), "the program was refused"));
    else if (is_abort)
        out->fault = arena_printf(
            talk->mem, "channel aborted: %.1000s",
            val_text_or(VAL_PATH(v, "abortInfo", "sf_job_abortReason"), "no reason given"));
}

/* Server-sent events: lines "event: …" and "data: …", an empty line ends each. */
static void read_events(struct metric_talk *talk, const char *body, struct outcome *out)
{
    SBUF(data, METRIC_BODY_MAX);
    char event[40] = "";
    while (*body) {
        size_t len = strcspn(body, "\n");
        size_t end = len && body[len - 1] == '\r' ? len - 1 : len;
        if (!end) {
            if (data.len)
                take_event(talk, event, data.bytes, data.len, out);
            sbuf_reset(&data);
            event[0] = '\0';
        } else if (end > 5 && !memcmp(body, "data:", 5)) {
            sbuf_add_bytes(&data, body + 5, end - 5);
            sbuf_add_char(&data, '\n');
        } else if (end > 6 && !memcmp(body, "event:", 6)) {
            const char *name = body + 6 + strspn(body + 6, " ");
            size_t name_len = MIN_OF((size_t)(body + end - name), sizeof(event) - 1);
            memcpy(event, name, name_len);
            event[name_len] = '\0';
        }
        body += len + (body[len] == '\n');
    }
}

static void read_stream(struct metric_talk *talk, const struct metric_answer *answer,
                        struct metric_turn *turn)
{
    struct outcome got = { 0 };
    read_events(talk, answer->body, &got);
    if (got.fault)
        talk_fail(talk, turn, "error response: %s", got.fault);
    else if (got.has_several)
        talk_fail(talk, turn, "query returned multiple values");
    else if (!got.series)
        talk_no_values(talk, turn, METRIC_NO_VALUES);
    else
        talk_value(turn, got.value);
}

const struct metric_provider metric_splunk = {
    .type = "splunk", .needs_window = true, .begin = begin, .ask = ask, .read = read_stream
};
