/* What providers are made from: addresses, tables, XML, signatures. */
#include <string.h>

#include "../../rows.h"

#include "base/sbuf.h"
#include "canary/metric/aws.h"
#include "canary/metric/csv.h"
#include "canary/metric/url.h"
#include "canary/metric/xml.h"

/* -- addresses ----------------------------------------------------------------------------------------------------- */

static const struct join_case {
    const char *address, *joined; /* with api/v1/query?q=1; NULL: refused */
} join_cases[] = {
    { "http://p:9090", "http://p:9090/api/v1/query?q=1" },
    { "http://p:9090/", "http://p:9090/api/v1/query?q=1" },
    { "http://p/prom/", "http://p/prom/api/v1/query?q=1" },
    { "http://p/prom", "http://p/prom/api/v1/query?q=1" },
    { "http://p/a/./b//../c?x=1#y", "http://p/a/c/api/v1/query?q=1" },
    { "http://p/../..", "http://p/api/v1/query?q=1" },
    { "https://me:word@p", "https://me:word@p/api/v1/query?q=1" },
    { "HTTPS://p", "https://p/api/v1/query?q=1" },
    { "http://[::1]:9090", "http://[::1]:9090/api/v1/query?q=1" },
    { "http://[::1]", "http://[::1]/api/v1/query?q=1" },
    { "", NULL },
    { "p:9090", NULL },
    { "ftp://p", NULL },
    { "http://", NULL },
    { "http:///x", NULL },
    { "http://:80", NULL },
    { "http://p:port", NULL },
    { "http://p:123456", NULL },
    { "http://p q", NULL },
    { "http://p\tq", NULL },
    { "http://p{x}", NULL },
};

static void it_is_joined(void **state)
{
    const struct join_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct url url;
    bool is_good = url_parse(mem, row->address, &url);
    assert_int_equal(is_good, row->joined != NULL);
    if (is_good)
        assert_string_equal(url_join(mem, &url, "api/v1/query", "q=1"), row->joined);
}

static void passwords_are_not_shown(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(url_shown(mem, "http://me:w@rd@p/x?y@z"), "http://me:***@p/x?y@z");
    assert_string_equal(url_shown(mem, "http://me@p"), "http://me@p");
    assert_string_equal(url_shown(mem, "me:word@p"), "me:***@p");
    assert_string_equal(url_shown(mem, "p:9090/@"), "p:9090/@");
}

static void queries_are_sorted_and_escaped(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct url_pairs pairs = { 0 };
    url_read_query(mem, "target=a+b%2Fc&from=-5min&target=d&bad=%zz&x;y=1&&format=png", &pairs);
    url_set(mem, &pairs, "format", "json");
    assert_string_equal(url_query(mem, &pairs), "format=json&from=-5min&target=a+b%2Fc&target=d");
    assert_string_equal(url_escape(mem, "a b~c-d_e.f(\xc3\xa9)"), "a+b~c-d_e.f%28%C3%A9%29");
    assert_string_equal(url_escape_part(mem, "a b/c"), "a%20b%2Fc");
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

static const struct csv_case {
    const char *name, *text, *rows; /* cells in [], rows in a line */
    const char *fault;
} csv_cases[] = {
    { "nothing", "", "", NULL },
    { "rows", "a,b\r\nc,d\r\n", "[a][b]\n[c][d]\n", NULL },
    { "no end of line", "a,b", "[a][b]\n", NULL },
    { "an empty line", "a\n\nb\n", "[a]\n\n[b]\n", NULL },
    { "empty cells", ",a,,\n", "[][a][][]\n", NULL },
    { "quotes", "\"a,b\",\"c\"\"d\",\"e\nf\"\n", "[a,b][c\"d][e\nf]\n", NULL },
    { "a carriage return within", "a\rb,c\n", "[a\rb][c]\n", NULL },
    { "a quote that is not closed", "a\n\"b", "[a]\n", "a quote is not closed" },
    { "a quote that is closed and opened", "\"a\"\"", "", "a quote is not closed" },
    { "something behind a quote", "\"a\"b\n", "", "something follows a closing quote" },
};

static void the_rows_are(void **state)
{
    const struct csv_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct csv csv = { .at = row->text, .end = row->text + strlen(row->text) };
    struct csv_row cells;
    const char *fault = NULL;
    SBUF(rows, SBUF_MAX);
    while (csv_next(mem, &csv, &cells, &fault) && !fault) {
        for (size_t i = 0; i < cells.len; i++)
            sbuf_addf(&rows, "[%s]", cells.at[i]);
        sbuf_add(&rows, "\n");
    }
    assert_string_equal(sbuf_text(&rows), row->rows);
    assert_string_equal(fault ? fault : "", row->fault ? row->fault : "");
}

/* -- XML ----------------------------------------------------------------------------------------------------------- */

static const struct xml_case {
    const char *name, *text, *path, *found;
} xml_cases[] = {
    { "a text", "<a><b>x</b></a>", "a/b", "x" },
    { "the first of several", "<a><b>x</b><b>y</b></a>", "a/b", "x" },
    { "behind others",
      "<?xml version=\"1.0\"?>\n<!-- <a><b>no</b></a> --><a x='>' y=\"/\"><c><b>no"
      "</b></c><d/><b>x</b></a>",
      "a/b", "x" },
    { "entities", "<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&nope;&</a>", "a", "<&>\"'AB&nope;&" },
    { "an empty one", "<a><b></b></a>", "a/b", "" },
    { "one that closes itself", "<a><b/></a>", "a/b", NULL },
    { "the first one leads nowhere", "<a><b></b><b><c>x</c></b></a>", "a/b/c", NULL },
    { "another root", "<x><a><b>x</b></a></x>", "a/b", NULL },
    { "too deep", "<a><c><b>x</b></c></a>", "a/b", NULL },
    { "no XML", "{\"a\":1}", "a", NULL },
    { "nothing", "", "a", NULL },
    { "cut", "<a><b>x", "a/b", "" },
    { "cut in a tag", "<a><b", "a/b", NULL },
    { "a document type", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "a", NULL },
    { "an end too many", "</a><a>x</a>", "a", NULL },
};

static void the_element_is(void **state)
{
    const struct xml_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *found = xml_find(mem, row->text, strlen(row->text), row->path);
    assert_string_equal(found ? found : "(none)", row->found ? row->found : "(none)");
}

/* -- signatures ---------------------------------------------------------------------------------------------------- */

#define NOW_MS 1440938160000 /* 2015-08-30T12:36:00Z */

/* AWS' own examples: the one of its documentation, two of its test suite. */
static const struct sign_case {
    const char *name;
    struct aws_request request;
    const char *const headers[4];
    const char *signature, *signed_headers, *scope;
} sign_cases[] = {
    { "documentation",
      { .method = "GET",
        .path = "/",
        .query = "Action=ListUsers&Version=2010-05-08",
        .body = "",
        .region = "us-east-1",
        .service = "iam" },
      { "content-type: application/x-www-form-urlencoded; charset=utf-8", "host: iam.amazonaws.com",
        "x-amz-date: 20150830T123600Z" },
      "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
      "content-type;host;x-amz-date",
      "20150830/us-east-1/iam/aws4_request" },
    { "get-vanilla",
      { .method = "GET",
        .path = "/",
        .query = "",
        .body = "",
        .region = "us-east-1",
        .service = "service" },
      { "host: example.amazonaws.com", "x-amz-date: 20150830T123600Z" },
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
      "host;x-amz-date",
      "20150830/us-east-1/service/aws4_request" },
    { "post-x-www-form-urlencoded",
      { .method = "POST",
        .path = "/",
        .query = "",
        .body = "Param1=value1",
        .region = "us-east-1",
        .service = "service" },
      { "content-type: application/x-www-form-urlencoded", "host: example.amazonaws.com",
        "x-amz-date: 20150830T123600Z" },
      "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
      "content-type;host;x-amz-date",
      "20150830/us-east-1/service/aws4_request" },
};

static void the_signature_is(void **state)
{
    const struct sign_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct aws_request request = row->request;
    struct aws_credentials credentials = { .access_key = "AKIDEXAMPLE",
                                           .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                           .session_token = "" };
    request.headers = row->headers;
    request.now_ms = NOW_MS;
    assert_string_equal(aws_time(mem, NOW_MS), "20150830T123600Z");
    assert_string_equal(
        aws_sign(mem, &request, &credentials),
        arena_printf(mem,
                     "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s, SignedHeaders=%s, Signature=%s",
                     row->scope, row->signed_headers, row->signature));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(passwords_are_not_shown),
        SINGLE(queries_are_sorted_and_escaped),
        ROWS_BY(join_cases, address, it_is_joined),
        ROWS(csv_cases, the_rows_are),
        ROWS(xml_cases, the_element_is),
        ROWS(sign_cases, the_signature_is),
    };
    return rows_run("canary_metric_formats", tests, ARRAY_LEN(tests));
}
