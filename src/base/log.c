#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/sbuf.h"
#include "base/time.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES  ((size_t)1 << 20)
#define VALUE_MAX_BYTES ((size_t)32 << 10) /* of one text; the rest is cut off */
#define FIELDS_MAX      32

static bool needs_quotes(const char *text, size_t len)
{
    if (len == 4 && !memcmp(text, "null", 4))
        return true;
    uint32_t point;
    for (size_t i = 0, width; i < len; i += width) {
        width = utf8_decode(text + i, len - i, &point);
        if (!width || utf8_is_order(point) || point == ' ' || point == '=' || point == '"')
            return true;
    }
    return false;
}

/* A quoted string as JSON has it, but with <, >, & as they are: lines are read by people and grep.
 */
static void add_quoted(struct sbuf *out, const char *text, size_t len)
{
    sbuf_add_char(out, '"');
    for (size_t i = 0; i < len;) {
        if (text[i] == '"' || text[i] == '\\')
            sbuf_add_char(out, '\\');
        i += sbuf_add_visible(out, text + i, len - i);
    }
    sbuf_add_char(out, '"');
}

static void add_text(struct sbuf *out, const char *text, bool always_quoted)
{
    size_t len = utf8_fit(text, VALUE_MAX_BYTES);
    if (always_quoted || needs_quotes(text, len))
        add_quoted(out, text, len);
    else
        sbuf_add_bytes(out, text, len);
}

static void add_value(struct sbuf *out, const struct log_field *field, bool is_json)
{
    char duration[DURATION_TEXT_BYTES];
    switch (field->type) {
    case LOG_TEXT:
        if (field->text)
            add_text(out, field->text, is_json);
        else
            sbuf_add(out, "null");
        return;
    case LOG_INT: sbuf_addf(out, "%lld", (long long)field->number); return;
    case LOG_BOOL: sbuf_add(out, field->number ? "true" : "false"); return;
    case LOG_SECONDS:
        duration_format(field->number, duration);
        add_text(out, duration, is_json);
        return;
    }
}

static void add_fmt(struct sbuf *out, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            sbuf_add_char(out, ' ');
        sbuf_add(out, fields[i].key);
        sbuf_add_char(out, '=');
        add_value(out, &fields[i], false);
    }
}

/* Keys in order, the last of equal ones: what a Go program prints that collects the fields in a
 * map. */
static void add_json(struct sbuf *out, const struct log_field *fields, size_t count)
{
    const char *before = NULL;
    sbuf_add_char(out, '{');
    for (;;) {
        const struct log_field *next = NULL;
        for (size_t i = 0; i < count; i++) {
            bool is_left = !before || strcmp(fields[i].key, before) > 0;
            if (is_left && (!next || strcmp(fields[i].key, next->key) <= 0))
                next = &fields[i];
        }
        if (!next)
            break;
        if (before)
            sbuf_add_char(out, ',');
        before = next->key;
        add_quoted(out, next->key, strlen(next->key));
        sbuf_add_char(out, ':');
        add_value(out, next, true);
    }
    sbuf_add_char(out, '}');
}

/* -- as zap writes it ------------------------------------------------------------------------ */

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG: return "debug";
    case LOG_INFO: return "info";
    case LOG_WARN: return "warn";
    case LOG_ERROR: return "error";
    }
    return "";
}

/* The field that is the message; count if there is none. */
static size_t find_message(const struct log_field *fields, size_t count)
{
    static const char *const names[] = { "msg", "warning", "info", "error", "err", "event" };
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        for (size_t i = 0; i < count; i++) {
            if (fields[i].type == LOG_TEXT && !strcmp(fields[i].key, names[n]))
                return i;
        }
    }
    return count;
}

/* 2026-11-21T09:55:55.120Z */
static void format_millis(int64_t unix_ns, char out[TIME_TEXT_BYTES])
{
    int64_t unix_ms = unix_ns / 1000000;
    time_format_seconds(unix_ms, out);
    char *zone = strchr(out, 'Z');
    if (zone)
        (void)snprintf(zone, TIME_TEXT_BYTES - (size_t)(zone - out), ".%03dZ",
                       (int)(unix_ms % 1000));
}

struct zap {
    enum log_level level;
    const char *caller, *text;
    const struct log_field *fields;
    size_t count, message; /* message: its place among the fields; count if there is none */
    char now[TIME_TEXT_BYTES];
};

/* The fields but the message, each with `blank` after its colon. */
static void add_others(struct sbuf *out, const struct zap *zap, const char *blank)
{
    const char *comma = "";
    for (size_t i = 0; i < zap->count; i++) {
        if (i == zap->message)
            continue;
        sbuf_addf(out, "%s%s", comma, *comma ? blank : "");
        add_quoted(out, zap->fields[i].key, strlen(zap->fields[i].key));
        sbuf_addf(out, ":%s", blank);
        add_value(out, &zap->fields[i], true);
        comma = ",";
    }
}

static bool has_others(const struct zap *zap)
{
    return zap->count > (zap->message < zap->count);
}

static void add_zap_json(struct sbuf *out, const struct zap *zap)
{
    sbuf_addf(out, "{\"level\":\"%s\",\"ts\":\"%s\",\"caller\":", level_name(zap->level), zap->now);
    add_quoted(out, zap->caller, strlen(zap->caller));
    sbuf_add(out, ",\"msg\":");
    add_text(out, zap->text, true);
    sbuf_add(out, has_others(zap) ? "," : "");
    add_others(out, zap, "");
    sbuf_add_char(out, '}');
}

/* Tabs between the parts; the other fields are JSON. */
static void add_zap_console(struct sbuf *out, const struct zap *zap)
{
    sbuf_addf(out, "%s\t%s\t%s\t", zap->now, level_name(zap->level), zap->caller);
    sbuf_add_shown(out, zap->text);
    if (!has_others(zap))
        return;
    sbuf_add(out, "\t{");
    add_others(out, zap, " ");
    sbuf_add_char(out, '}');
}

static void zap_line(const struct log *log, struct zap *zap)
{
    SBUF(line, LINE_MAX_BYTES);
    zap->message = find_message(zap->fields, zap->count);
    zap->text = zap->message < zap->count ? zap->fields[zap->message].text : "";
    zap->text = zap->text ? zap->text : "";
    format_millis(log->wall_ns(log->ctx), zap->now);
    if (log->is_json)
        add_zap_json(&line, zap);
    else
        add_zap_console(&line, zap);
    sbuf_add_char(&line, '\n');
    log->write(log->ctx, sbuf_text(&line), line.len);
}

void log_line(const struct log *log, enum log_level level, const char *caller,
              const struct log_field *fields, size_t count)
{
    if (level < log->least)
        return;
    if (log->is_zap) {
        zap_line(log, &(struct zap){
                          .level = level, .caller = caller, .fields = fields, .count = count });
        return;
    }
    char now[TIME_TEXT_BYTES];
    time_format_nanos(log->wall_ns(log->ctx), now);
    struct log_field all[FIELDS_MAX + 2] = { F("ts", now), F("caller", caller) };
    ASSERT(count <= FIELDS_MAX);
    memcpy(&all[2], fields, count * sizeof(*fields));
    SBUF(line, LINE_MAX_BYTES);
    if (log->is_json)
        add_json(&line, all, count + 2);
    else
        add_fmt(&line, all, count + 2);
    sbuf_add_char(&line, '\n');
    log->write(log->ctx, sbuf_text(&line), line.len);
}
