#include <string.h>

#include "../rows.h"

#include "base/log.h"
#include "base/sbuf.h"

static void keep(void *ctx, const char *line, size_t len)
{
    sbuf_add_bytes(ctx, line, len);
}

static int64_t fixed_clock(void *ctx)
{
    (void)ctx;
    return 1795254955120000000;
}

static struct log log_into(struct sbuf *out, bool is_json)
{
    return (struct log){
        .least = LOG_INFO, .is_json = is_json, .write = keep, .wall_ns = fixed_clock, .ctx = out
    };
}

#define PREFIX "ts=2026-11-21T09:55:55.12Z caller=here:1 "

static const struct value_case {
    const char *name;
    struct log_field field;
    const char *fmt, *json;
} value_cases[] = {
    { "a word stands as it is", F("k", "word"), "k=word", "\"k\":\"word\"" },
    { "nothing is null", F("k", NULL), "k=null", "\"k\":null" },
    { "the word null is told from nothing", F("k", "null"), "k=\"null\"", "\"k\":\"null\"" },
    { "an empty text is empty", F("k", ""), "k=", "\"k\":\"\"" },
    { "blanks want quotes", F("k", "two words"), "k=\"two words\"", "\"k\":\"two words\"" },
    { "an equals sign wants quotes", F("k", "a=b"), "k=\"a=b\"", "\"k\":\"a=b\"" },
    { "quotes are escaped", F("k", "say \"hi\""), "k=\"say \\\"hi\\\"\"",
      "\"k\":\"say \\\"hi\\\"\"" },
    { "a backslash alone is harmless", F("k", "a\\b"), "k=a\\b", "\"k\":\"a\\\\b\"" },
    { "and is doubled within quotes", F("k", "a\\b c"), "k=\"a\\\\b c\"", "\"k\":\"a\\\\b c\"" },
    { "lines stay on one line", F("k", "a\nb\tc\r"), "k=\"a\\nb\\tc\\r\"",
      "\"k\":\"a\\nb\\tc\\r\"" },
    { "letters that name escapes are letters", F("k", "n r t"), "k=\"n r t\"", "\"k\":\"n r t\"" },
    { "control characters are codes", F("k", "\x1b["), "k=\"\\u001b[\"", "\"k\":\"\\u001b[\"" },
    { "so are those above", F("k", "a\x7f"), "k=\"a\\u007f\"", "\"k\":\"a\\u007f\"" },
    { "and those of two bytes", F("k", "\xc2\x9b"), "k=\"\\u009b\"", "\"k\":\"\\u009b\"" },
    { "comparison signs stay readable", F("k", "a<b>&c"), "k=a<b>&c", "\"k\":\"a<b>&c\"" },
    { "other letters stay", F("k", "\xc3\xa9"), "k=\xc3\xa9", "\"k\":\"\xc3\xa9\"" },
    { "bad bytes are replaced", F("k", "a\xff"), "k=\"a\\ufffd\"", "\"k\":\"a\\ufffd\"" },
    { "numbers", FI("k", -12), "k=-12", "\"k\":-12" },
    { "booleans", FB("k", true), "k=true", "\"k\":true" },
    { "durations are text", FMS("k", 1200), "k=1.2s", "\"k\":\"1.2s\"" },
};

static void value_is(void **state)
{
    const struct value_case *row = *state;
    SBUF(out, 4096);
    SBUF(expected, 4096);
    struct log fmt = log_into(&out, false), json = log_into(&out, true);
    log_line(&fmt, LOG_INFO, "here:1", &row->field, 1);
    sbuf_addf(&expected, PREFIX "%s\n", row->fmt);
    assert_string_equal(sbuf_text(&out), sbuf_text(&expected));
    sbuf_reset(&out);
    sbuf_reset(&expected);
    log_line(&json, LOG_INFO, "here:1", &row->field, 1);
    sbuf_addf(&expected, "{\"caller\":\"here:1\",%s,\"ts\":\"2026-11-21T09:55:55.12Z\"}\n",
              row->json);
    assert_string_equal(sbuf_text(&out), sbuf_text(&expected));
}

static void fields_stand_in_the_order_they_were_given(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log log = log_into(&out, false);
    const struct log_field fields[] = { F("event", "refreshed"), F("HEAD", "abc"),
                                        F("branch", "main") };
    log_line(&log, LOG_INFO, "here:1", fields, ARRAY_LEN(fields));
    assert_string_equal(sbuf_text(&out), PREFIX "event=refreshed HEAD=abc branch=main\n");
}

static void json_has_each_key_once_and_sorted(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log log = log_into(&out, true);
    const struct log_field fields[] = { F("b", "1"), F("a", "2"), F("b", "3") };
    log_line(&log, LOG_INFO, "here:1", fields, ARRAY_LEN(fields));
    assert_string_equal(
        sbuf_text(&out),
        "{\"a\":\"2\",\"b\":\"3\",\"caller\":\"here:1\",\"ts\":\"2026-11-21T09:55:55.12Z\"}\n");
}

static void zap_has_the_message_after_the_caller(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log json = log_into(&out, true), console = log_into(&out, false);
    json.is_zap = console.is_zap = true;
    const struct log_field fields[] = { F("canary", "web.a"), F("msg", "Advance \"web\""),
                                        FI("n", 2) };
    log_line(&json, LOG_INFO, "here:1", fields, ARRAY_LEN(fields));
    assert_string_equal(
        sbuf_text(&out),
        "{\"level\":\"info\",\"ts\":\"2026-11-21T09:55:55.120Z\",\"caller\":"
        "\"here:1\",\"msg\":\"Advance \\\"web\\\"\",\"canary\":\"web.a\",\"n\":2}\n");
    sbuf_reset(&out);
    log_line(&json, LOG_ERROR, "here:1", &fields[1], 1);
    assert_string_equal(sbuf_text(&out),
                        "{\"level\":\"error\",\"ts\":\"2026-11-21T09:55:55.120Z\",\"caller\":"
                        "\"here:1\",\"msg\":\"Advance \\\"web\\\"\"}\n");
    sbuf_reset(&out);
    log_line(&console, LOG_WARN, "here:1", fields, ARRAY_LEN(fields));
    assert_string_equal(sbuf_text(&out),
                        "2026-11-21T09:55:55.120Z\twarn\there:1\tAdvance \"web\"\t{\"canary\": "
                        "\"web.a\", \"n\": 2}\n");
    sbuf_reset(&out);
    log_line(&console, LOG_INFO, "here:1", &F("msg", "a\nb\x1b[2J\x7f"), 1);
    assert_string_equal(sbuf_text(&out),
                        "2026-11-21T09:55:55.120Z\tinfo\there:1\ta\\nb\\u001b[2J\\u007f\n");
}

/* Lines of those who log as fluxd does. */
static void zap_takes_the_fact_for_the_message(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log log = log_into(&out, true);
    log.is_zap = true;
    const struct log_field fields[] = { F("component", "kube"), F("event", "cannot watch"),
                                        F("err", "a\nb") };
    log_line(&log, LOG_WARN, "here:1", fields, ARRAY_LEN(fields));
    assert_non_null(strstr(sbuf_text(&out), "\"msg\":\"a\\nb\",\"component\":\"kube\",\"event\":"
                                            "\"cannot watch\"}"));
    sbuf_reset(&out);
    log_line(&log, LOG_WARN, "here:1", fields, 1);
    assert_non_null(strstr(sbuf_text(&out), "\"msg\":\"\",\"component\":\"kube\"}"));
}

static void lines_below_the_least_level_are_dropped(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log log = log_into(&out, false);
    log_debug(&log, F("a", "b"));
    assert_int_equal(out.len, 0);
    log.least = LOG_DEBUG;
    log_debug(&log, F("a", "b"));
    assert_int_not_equal(out.len, 0);
}

static void the_caller_is_file_and_line(void **state)
{
    (void)state;
    SBUF(out, 4096);
    struct log log = log_into(&out, false);
    log_warn(&log, F("a", "b"));
    assert_non_null(strstr(sbuf_text(&out), "caller=test_log.c:"));
}

static void endless_values_are_cut_between_characters(void **state)
{
    (void)state;
    SBUF(out, (size_t)1 << 20);
    SBUF(value, (size_t)1 << 20);
    sbuf_add(&value, "x");
    while (value.len < 100000)
        sbuf_add(&value, "\xc3\xa9"); /* the cut falls into the middle of one */
    struct log log = log_into(&out, false);
    log_info(&log, F("a", sbuf_text(&value)), F("b", "c"));
    assert_true(out.len < 40000);
    assert_non_null(strstr(sbuf_text(&out), "\xc3\xa9 b=c\n"));
    assert_null(strstr(sbuf_text(&out), "ufffd"));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(fields_stand_in_the_order_they_were_given),
        SINGLE(json_has_each_key_once_and_sorted),
        SINGLE(zap_has_the_message_after_the_caller),
        SINGLE(zap_takes_the_fact_for_the_message),
        SINGLE(lines_below_the_least_level_are_dropped),
        SINGLE(the_caller_is_file_and_line),
        SINGLE(endless_values_are_cut_between_characters),
        ROWS(value_cases, value_is),
    };
    return rows_run("log", tests, ARRAY_LEN(tests));
}
