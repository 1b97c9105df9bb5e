#include <string.h>

#include "../../rows.h"

#include <errno.h>

#include "canary/cause.h"

#define LATE "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"

static const struct cause_case {
    const char *name, *method, *url;
    struct http_result result;
    enum err_kind kind;
    const char *text;   /* with the URL */
    const char *hidden; /* without */
} cause_cases[] = {
    { "nobody listens",
      "POST",
      "http://127.0.0.1:1/x",
      { .why = "Failed to connect", .os_error = ECONNREFUSED },
      ERR_TRANSIENT,
      "Post \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused",
      "dial tcp: connect: connection refused" },
    { "the port is that of the scheme",
      "GET",
      "https://gate",
      { .why = "x", .os_error = EHOSTUNREACH },
      ERR_TRANSIENT,
      "Get \"https://gate\": dial tcp gate:443: connect: no route to host",
      "dial tcp: connect: no route to host" },
    { "a port behind brackets",
      "GET",
      "http://[::1]:7/?a=b:c",
      { .why = "x", .os_error = ECONNREFUSED },
      ERR_TRANSIENT,
      "Get \"http://[::1]:7/?a=b:c\": dial tcp [::1]:7: connect: connection refused",
      "dial tcp: connect: connection refused" },
    { "no port behind brackets",
      "GET",
      "http://[::1]/",
      { .why = "x", .os_error = ECONNREFUSED },
      ERR_TRANSIENT,
      "Get \"http://[::1]/\": dial tcp [::1]:80: connect: connection refused",
      "dial tcp: connect: connection refused" },
    { "it took too long",
      "POST",
      "http://gate/",
      { .cause = HTTP_TIMED_OUT, .why = "no complete answer within 1 s" },
      ERR_TRANSIENT,
      "Post \"http://gate/\": " LATE,
      LATE },
    { "the body took too long",
      "POST",
      "http://gate/",
      { .cause = HTTP_TIMED_OUT, .status = 200, .why = "x" },
      ERR_TRANSIENT,
      "Post \"http://gate/\": context deadline exceeded (Client.Timeout or context cancellation "
      "while reading body)",
      "context deadline exceeded (Client.Timeout or context cancellation while reading body)" },
    { "a name that leads nowhere",
      "POST",
      "http://gate.prod:80/",
      { .cause = HTTP_NO_SUCH_HOST, .why = "Could not resolve host: gate.prod" },
      ERR_TRANSIENT,
      "Post \"http://gate.prod:80/\": dial tcp: lookup gate.prod: no such host",
      "dial tcp: no such host" },
    { "no answer",
      "POST",
      "http://gate/",
      { .cause = HTTP_CLOSED, .why = "Empty reply" },
      ERR_TRANSIENT,
      "Post \"http://gate/\": EOF",
      "EOF" },
    { "half an answer",
      "POST",
      "http://gate/",
      { .cause = HTTP_CLOSED, .status = 200, .why = "x" },
      ERR_TRANSIENT,
      "Post \"http://gate/\": unexpected EOF",
      "unexpected EOF" },
    { "a certificate that nobody knows",
      "POST",
      "https://gate/",
      { .why = "unable to get local issuer certificate" },
      ERR_DENIED,
      "Post \"https://gate/\": tls: failed to verify certificate: unable to get local issuer "
      "certificate",
      "tls: failed to verify certificate" },
    { "something else",
      "POST",
      "http://gate/",
      { .why = "more than 5 redirects" },
      ERR_LIMIT,
      "Post \"http://gate/\": more than 5 redirects",
      "the request failed" },
    { "a password is not shown",
      "POST",
      "http://me:s3cret@gate:8080/x",
      { .why = "x", .os_error = ECONNREFUSED },
      ERR_TRANSIENT,
      "Post \"http://me:***@gate:8080/x\": dial tcp gate:8080: connect: connection refused",
      "dial tcp: connect: connection refused" },
};

static void cause_is(void **state)
{
    const struct cause_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = err_new(row->kind, "x");
    struct http_result result = row->result;
    result.err = e;
    assert_string_equal(cause_text(mem, row->method, row->url, &result), row->text);
    assert_string_equal(cause_reason(mem, NULL, &result), row->hidden);
}

static const struct url_case {
    const char *name, *url, *shown;
} url_cases[] = {
    { "nothing to hide", "http://gate/x@y:z", "http://gate/x@y:z" },
    { "a user alone", "http://me@gate/", "http://me@gate/" },
    { "a password", "https://me:pw@gate/", "https://me:--@gate/" },
    { "a password with an at sign", "https://me:p@w@gate/", "https://me:--@gate/" },
    { "a password without a scheme", "me:pw@gate", "me:--@gate" },
    { "nothing", "", "" },
};

static void url_is(void **state)
{
    const struct url_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(cause_url(mem, row->url, "--"), row->shown);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(cause_cases, cause_is),
        ROWS(url_cases, url_is),
    };
    return rows_run("canary_cause", tests, ARRAY_LEN(tests));
}
