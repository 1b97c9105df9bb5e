#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "base/base.h"
#include "kube/credential.h"

#define V1         "client.authentication.k8s.io/v1"
#define CRED(more) "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" more "}}"

static void a_token_a_certificate_and_an_end_are_read(void **state)
{
    (void)state;
    static const char text[] =
        CRED("\"token\":\"t\",\"clientCertificateData\":\"-----BEGIN A\",\"clientKeyData\":"
             "\"-----BEGIN B\",\"expirationTimestamp\":\"2030-01-01T01:00:00+01:00\"");
    struct kube_credential got;
    assert_null(kube_exec_parse(V1, text, sizeof(text) - 1, &got));
    assert_string_equal(got.token, "t");
    assert_string_equal(got.cert_pem, "-----BEGIN A");
    assert_string_equal(got.key_pem, "-----BEGIN B");
    assert_int_equal(got.expires_ms, (int64_t)1893456000 * 1000);
    kube_credential_fini(&got);
    assert_null(got.token);
}

static void an_end_long_past_is_not_no_end(void **state)
{
    (void)state;
    static const char text[] =
        CRED("\"token\":\"t\",\"expirationTimestamp\":\"0001-01-01T00:00:00Z\"");
    struct kube_credential got;
    assert_null(kube_exec_parse(V1, text, sizeof(text) - 1, &got));
    assert_int_equal(got.expires_ms, 1);
    kube_credential_fini(&got);
}

static const struct bad_case {
    const char *name, *text;
} bad[] = {
    { "nothing is no credential", "" },
    { "words are no credential", "token: secret-secret" },
    { "half a credential is none", "{\"apiVersion\":\"" V1 "\",\"status\":{\"token\":\"secret-" },
    { "another kind is none", "{\"apiVersion\":\"" V1 "\",\"kind\":\"Pod\"}" },
    { "another version is none",
      "{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":\"ExecCredential\","
      "\"status\":{\"token\":\"secret-\"}}" },
    { "no status", "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\"}" },
    { "an empty status", CRED("") },
    { "an empty token", CRED("\"token\":\"\"") },
    { "a token with a line break", CRED("\"token\":\"secret-\\r\\nX-Evil: 1\"") },
    { "a token that is a number", CRED("\"token\":5") },
    { "a certificate without a key", CRED("\"clientCertificateData\":\"-----BEGIN A\"") },
    { "a key that is not PEM",
      CRED("\"clientCertificateData\":\"-----BEGIN A\",\"clientKeyData\":\"secret-\"") },
    { "an end that is no time",
      CRED("\"token\":\"secret-\",\"expirationTimestamp\":\"tomorrow\"") },
};

static void credential_is_refused(void **state)
{
    const struct bad_case *row = *state;
    struct kube_credential got;
    SCOPED(err_free) struct err *e = kube_exec_parse(V1, row->text, strlen(row->text), &got);
    assert_true(err_is(e, ERR_INVALID));
    assert_null(strstr(err_text(e), "secret-"));
    assert_null(got.token);
    assert_null(got.cert_pem);
}

static void a_token_in_a_file_may_have_blanks_around_it(void **state)
{
    (void)state;
    char *token;
    assert_null(kube_token_parse(" \n abc.def-_~ \r\n", &token));
    assert_string_equal(token, "abc.def-_~");
    kube_credential_wipe(token);
    static const char *const odd[] = { "", "  \n", "a b", "a\nb", "a\x01", "\xc3\xa9", "a\x7f" };
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        SCOPED(err_free) struct err *e = kube_token_parse(odd[i], &token);
        assert_true(err_is(e, ERR_INVALID));
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_token_a_certificate_and_an_end_are_read),
        SINGLE(an_end_long_past_is_not_no_end),
        SINGLE(a_token_in_a_file_may_have_blanks_around_it),
        ROWS(bad, credential_is_refused),
    };
    return rows_run("kube_credential", tests, ARRAY_LEN(tests));
}
