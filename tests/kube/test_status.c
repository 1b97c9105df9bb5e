#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "kube/status.h"

/* One row: what came, and what it means. Texts are whole where they fit here. */
static const struct status_case {
    const char *name;
    int status;
    const char *body;
    enum kube_refusal refusal;
    enum err_kind kind;
    const char *text;
} cases[] = {
    { "an unknown field is a 500 and the manifest's fault", 500,
      "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
      "\"message\":"
      "\"failed to create typed patch object (NS/NAME; apps/v1, Kind=Deployment): .spec.replica: "
      "field not declared in schema\",\"code\":500}",
      KUBE_REFUSED_MANIFEST, ERR_INVALID,
      "failed to create typed patch object (NS/NAME; apps/v1, Kind=Deployment): .spec.replica: "
      "field not declared in schema (500)" },
    { "so it is in the words of older servers", 500,
      "{\"kind\":\"Status\",\"message\":\"failed to create typed patch object: .spec.replicas: "
      "expected numeric (int or float), got string\",\"code\":500}",
      KUBE_REFUSED_MANIFEST, ERR_INVALID,
      "failed to create typed patch object: .spec.replicas: expected numeric (int or float), got "
      "string (500)" },
    { "any other 500 is the server's", 500,
      "{\"kind\":\"Status\",\"message\":\"Internal error occurred: failed calling webhook "
      "\\\"v.example.com\\\"\",\"reason\":\"InternalError\",\"code\":500}",
      KUBE_REFUSED_SERVER, ERR_TRANSIENT,
      "Internal error occurred: failed calling webhook \"v.example.com\" (500 InternalError)" },
    { "the words within another message do not make it the manifest's fault", 500,
      "{\"kind\":\"Status\",\"message\":\"webhook said: failed to create typed patch object\"}",
      KUBE_REFUSED_SERVER, ERR_TRANSIENT,
      "webhook said: failed to create typed patch object (500)" },
    { "a value out of range is the manifest's", 422,
      "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"Service \\\"web\\\" is invalid: "
      "spec.ports[0].port: Invalid value: 70000\",\"details\":{\"causes\":[{\"reason\":"
      "\"FieldValueInvalid\",\"field\":\"spec.ports[0].port\"}]},\"code\":422}",
      KUBE_REFUSED_MANIFEST, ERR_INVALID,
      "Service \"web\" is invalid: spec.ports[0].port: Invalid value: 70000 (422 Invalid)" },
    { "a body over 3 MiB is a limit", 413,
      "{\"kind\":\"Status\",\"reason\":\"RequestEntityTooLarge\",\"message\":\"Request entity too "
      "large: limit is 3145728\",\"code\":413}",
      KUBE_REFUSED_MANIFEST, ERR_LIMIT,
      "Request entity too large: limit is 3145728 (413 RequestEntityTooLarge)" },
    { "what is no YAML is the manifest's", 400,
      "{\"kind\":\"Status\",\"reason\":\"BadRequest\",\"message\":\"error decoding YAML: x\"}",
      KUBE_REFUSED_MANIFEST, ERR_INVALID, "error decoding YAML: x (400 BadRequest)" },
    { "a missing namespace is told from a missing object", 404,
      "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"namespaces \\\"nowhere\\\" not "
      "found\",\"details\":{\"name\":\"nowhere\",\"kind\":\"namespaces\"},\"code\":404}",
      KUBE_REFUSED_NAMESPACE_MISSING, ERR_NOT_FOUND,
      "namespaces \"nowhere\" not found (404 NotFound)" },
    { "a missing object", 404,
      "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"deployments.apps \\\"web\\\" not "
      "found\",\"details\":{\"name\":\"web\",\"group\":\"apps\",\"kind\":\"deployments\"}}",
      KUBE_REFUSED_OBJECT_MISSING, ERR_NOT_FOUND,
      "deployments.apps \"web\" not found (404 NotFound)" },
    { "a kind that nobody serves is plain text", 404, "404 page not found\n",
      KUBE_REFUSED_KIND_UNKNOWN, ERR_NOT_FOUND, "404 page not found (404)" },
    { "or a Status that names no object", 404,
      "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"the server could not find the "
      "requested resource\",\"details\":{},\"code\":404}",
      KUBE_REFUSED_KIND_UNKNOWN, ERR_NOT_FOUND,
      "the server could not find the requested resource (404 NotFound)" },
    { "a namespace that is being deleted is waited for", 403,
      "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"configmaps \\\"a\\\" is "
      "forbidden\",\"details\":{\"causes\":[{\"reason\":\"NamespaceTerminating\"}]},\"code\":403}",
      KUBE_REFUSED_NAMESPACE_TERMINATING, ERR_TRANSIENT,
      "configmaps \"a\" is forbidden (403 Forbidden)" },
    { "so it is where only the message says so", 403,
      "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"unable to create new content in "
      "namespace x because it is being terminated\"}",
      KUBE_REFUSED_NAMESPACE_TERMINATING, ERR_TRANSIENT,
      "unable to create new content in namespace x because it is being terminated (403 "
      "Forbidden)" },
    { "RBAC", 403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}",
      KUBE_REFUSED_FORBIDDEN, ERR_DENIED, "no (403 Forbidden)" },
    { "a wrong token", 401,
      "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"message\":\"Unauthorized\"}",
      KUBE_REFUSED_UNAUTHORIZED, ERR_DENIED, "Unauthorized (401 Unauthorized)" },
    { "an old resourceVersion", 409,
      "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"the object has been modified\"}",
      KUBE_REFUSED_CONFLICT, ERR_CONFLICT, "the object has been modified (409 Conflict)" },
    { "an apply without force", 409,
      "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"Apply failed with 1 conflict: "
      "conflict with \\\"serin\\\": .spec.replicas\",\"details\":{\"causes\":[{\"reason\":"
      "\"FieldManagerConflict\",\"field\":\".spec.replicas\"}]},\"code\":409}",
      KUBE_REFUSED_FIELD_CONFLICT, ERR_CONFLICT,
      "Apply failed with 1 conflict: conflict with \"serin\": .spec.replicas (409 Conflict)" },
    { "something that is there already", 409,
      "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"there\",\"details\":{}}",
      KUBE_REFUSED_ALREADY_EXISTS, ERR_CONFLICT, "there (409 AlreadyExists)" },
    { "a version that is gone", 410,
      "{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"too old resource version\"}",
      KUBE_REFUSED_EXPIRED, ERR_CONFLICT, "too old resource version (410 Expired)" },
    { "too many requests", 429, "Too many requests, please try again later.\n",
      KUBE_REFUSED_THROTTLED, ERR_TRANSIENT, "Too many requests, please try again later. (429)" },
    { "a proxy's page is put on one line", 502,
      "<html>\r\n<head><title>502 Bad Gateway</title></head>\n\n</html>\n", KUBE_REFUSED_SERVER,
      ERR_TRANSIENT, "<html> <head><title>502 Bad Gateway</title></head> </html> (502)" },
    { "a timeout", 504, "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"slow\"}",
      KUBE_REFUSED_SERVER, ERR_TRANSIENT, "slow (504 Timeout)" },
    { "a media type it does not take", 415,
      "{\"kind\":\"Status\",\"reason\":\"UnsupportedMediaType\",\"message\":\"no CBOR\"}",
      KUBE_REFUSED_OTHER, ERR_INVALID, "no CBOR (415 UnsupportedMediaType)" },
    { "a redirect is no answer", 302, "", KUBE_REFUSED_OTHER, ERR_INVALID,
      "the API server gave no message (302)" },
    { "an empty body", 500, "", KUBE_REFUSED_SERVER, ERR_TRANSIENT,
      "the API server gave no message (500)" },
    { "a Status without a message says its reason", 409,
      "{\"kind\":\"Status\",\"reason\":\"Conflict\"}", KUBE_REFUSED_CONFLICT, ERR_CONFLICT,
      "Conflict (409 Conflict)" },
    { "JSON that is no Status is quoted", 403, "{\"error\":\"denied by proxy\"}",
      KUBE_REFUSED_FORBIDDEN, ERR_DENIED, "{\"error\":\"denied by proxy\"} (403)" },
    { "broken JSON is quoted", 500, "{\"kind\":\"Sta", KUBE_REFUSED_SERVER, ERR_TRANSIENT,
      "{\"kind\":\"Sta (500)" },
    { "parts of the wrong type are as if absent", 404,
      "{\"kind\":\"Status\",\"reason\":[1],\"message\":{},\"details\":{\"causes\":\"x\","
      "\"kind\":7,\"name\":1}}",
      KUBE_REFUSED_OBJECT_MISSING, ERR_NOT_FOUND, "the API server gave no message (404)" },
};

static void refusal_matches(void **state)
{
    const struct status_case *row = *state;
    enum kube_refusal refusal;
    SCOPED(err_free)
    struct err *e = kube_status_error(row->status, row->body, strlen(row->body), &refusal);
    assert_non_null(e);
    assert_string_equal(err_text(e), row->text);
    assert_int_equal(refusal, row->refusal);
    assert_int_equal(err_kind(e), row->kind);
}

static void success_is_no_error(void **state)
{
    (void)state;
    enum kube_refusal refusal;
    static const int good[] = { 200, 201, 202, 204, 299 };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_null(kube_status_error(good[i], "x", 1, &refusal));
}

static void retry_after_of_the_details_is_kept(void **state)
{
    (void)state;
    const char *body = "{\"kind\":\"Status\",\"message\":\"later\",\"details\":"
                       "{\"retryAfterSeconds\":3}}";
    enum kube_refusal refusal;
    SCOPED(err_free) struct err *e = kube_status_error(429, body, strlen(body), &refusal);
    assert_int_equal(err_retry_after_ms(e), 3000);
    body = "{\"kind\":\"Status\",\"message\":\"later\",\"details\":{\"retryAfterSeconds\":-3}}";
    SCOPED(err_free) struct err *odd = kube_status_error(429, body, strlen(body), &refusal);
    assert_int_equal(err_retry_after_ms(odd), -1);
}

static void foreign_text_is_cut_between_characters(void **state)
{
    (void)state;
    char body[2000];
    for (size_t i = 0; i + 1 < sizeof(body); i += 2)
        memcpy(body + i, "\xc3\xa9", 2); /* e acute */
    memcpy(body, "a", 1);
    memmove(body + 1, body + 2, sizeof(body) - 2);
    enum kube_refusal refusal;
    SCOPED(err_free) struct err *e = kube_status_error(500, body, sizeof(body) - 1, &refusal);
    const char *text = err_text(e);
    assert_int_equal(strlen(text), 499 + strlen(" (500)"));
    assert_true((unsigned char)text[498] == 0xa9);
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    size_t len = 100000;
    char *body = malloc(len + 64);
    int start = snprintf(body, 64, "{\"kind\":\"Status\",\"message\":\"");
    memset(body + start, 'x', len);
    memcpy(body + (size_t)start + len, "\"}", 3);
    enum kube_refusal refusal;
    SCOPED(err_free) struct err *e = kube_status_error(422, body, strlen(body), &refusal);
    assert_int_equal(strlen(err_text(e)), 4096 + strlen(" (422)"));
    free(body);
}

static void an_error_event_means_what_its_code_says(void **state)
{
    (void)state;
    static const char text[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"too old "
                               "resource version: 1 (5)\",\"reason\":\"Expired\",\"code\":410}";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object;
    assert_null(doc_json_parse(mem, text, sizeof(text) - 1, &object));
    enum kube_refusal refusal;
    SCOPED(err_free) struct err *e = kube_status_error_of(object, &refusal);
    assert_int_equal(refusal, KUBE_REFUSED_EXPIRED);
    assert_string_equal(err_text(e), "too old resource version: 1 (5) (410 Expired)");
    SCOPED(err_free) struct err *empty = kube_status_error_of(NULL, &refusal);
    assert_int_equal(refusal, KUBE_REFUSED_SERVER);
    assert_non_null(empty);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(success_is_no_error),
        SINGLE(retry_after_of_the_details_is_kept),
        SINGLE(foreign_text_is_cut_between_characters),
        SINGLE(a_long_message_is_cut),
        SINGLE(an_error_event_means_what_its_code_says),
        ROWS(cases, refusal_matches),
    };
    return rows_run("kube_status", tests, ARRAY_LEN(tests));
}
