/* Providers of clouds: cloudwatch with where AWS' credentials come from, stackdriver with Google's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "doc/json.h"
#include "script.h"

/* -- cloudwatch ---------------------------------------------------------------------------------------------------- */

#define AWS   "{type: cloudwatch, region: eu-west-1}"
#define KEYS  "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=sEcReT"
#define QUERY "[{\"id\":\"m1\",\"Expression\":\"e1 / e2\",\"Period\":60,\"ReturnData\":true}]"
#define FORM                                                                            \
    "Action=GetMetricData&EndTime=2026-09-21T14%3A13%3A20Z&MaxDatapoints=20&"           \
    "MetricDataQueries.member.1.Expression=e1+%2F+e2&MetricDataQueries.member.1.Id=m1&" \
    "MetricDataQueries.member.1.Period=60&MetricDataQueries.member.1.ReturnData=true&"  \
    "StartTime=2026-09-21T14%3A03%3A20Z&Version=2010-08-01"
#define HEAD                                                           \
    "POST https://monitoring.eu-west-1.amazonaws.com\n"                \
    "content-type: application/x-www-form-urlencoded; charset=utf-8\n" \
    "x-amz-date: 20260921T141320Z\n"
#define SIGNED(names, signature)                                                                   \
    "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260921/eu-west-1/monitoring/aws4_request, " \
    "SignedHeaders=" names ", Signature=" signature
#define PLAIN                                   \
    HEAD SIGNED("content-type;host;x-amz-date", \
                "c08d0185222d023b167b481e67388fc8cb327d3ec0adcdbae873690830fd5e2d") "\n\n" FORM
#define RESULT(members)                                                                 \
    "<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">" \
    "<GetMetricDataResult><MetricDataResults>" members                                  \
    "</MetricDataResults></GetMetricDataResult>"                                        \
    "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetMetricDataResponse>"
#define MEMBER(values)                                                               \
    "<member><Timestamps><member>t</member></Timestamps><Values>" values "</Values>" \
    "<Id>m1</Id></member>"
#define VALUE RESULT(MEMBER("<member>1.5</member><member>2</member>") MEMBER("<member>7</member>"))
#define FAULT(code, message)                                                          \
    "<ErrorResponse><Error><Type>Sender</Type><Code>" code "</Code><Message>" message \
    "</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
#define STS_HEAD                                               \
    "POST https://sts.eu-west-1.amazonaws.com\nContent-Type: " \
    "application/x-www-form-urlencoded\n\nAction=AssumeRoleWithWebIdentity&RoleArn="
#define CREDENTIALS                                                                     \
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>" \
    "<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>sEcReT</SecretAccessKey>"          \
    "<SessionToken>tEmP</SessionToken></Credentials></AssumeRoleWithWebIdentityResult>" \
    "</AssumeRoleWithWebIdentityResponse>"
#define SESSION                                              \
    HEAD "x-amz-security-token: tEmP\n" SIGNED(              \
        "content-type;host;x-amz-date;x-amz-security-token", \
        "2b3278cdd8d54b9b5f56ce60f61a93c13cda236203b3d63366406660e6fef4ce") "\n\n" FORM
#define JSON_KEYS                                                                    \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"sEcReT\"," \
    "\"Token\":\"tEmP\",\"Expiration\":\"2026-09-21T20:00:00Z\"}"
#define IMDS "http://169.254.169.254/latest/"
#define IMDS_TOKEN \
    "PUT " IMDS "api/token\nX-aws-ec2-metadata-token-ttl-seconds: 300\n(local)\n(1000 ms)"
#define IMDS_GET(path) "GET " IMDS path "\nX-aws-ec2-metadata-token: itok\n(local)\n(1000 ms)"
#define NO_PROVIDERS                                                                   \
    "failed: error requesting cloudwatch: aws credentials: NoCredentialProviders: no " \
    "valid providers in chain"

static const struct script_row cloudwatch[] = {
    { "cloudwatch: keys of the environment", AWS, QUERY, .env = { KEYS },
      .steps = { { PLAIN, 200, VALUE } }, .result = "= 1.5" },
    { "cloudwatch: a session of the environment", AWS, QUERY,
      .env = { KEYS, "AWS_SESSION_TOKEN=tEmP" }, .steps = { { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "cloudwatch: another endpoint", AWS, QUERY,
      .env = { KEYS, "AWS_ENDPOINT_URL_CLOUDWATCH=http://127.0.0.1:4566/" },
      .steps = { { "POST http://127.0.0.1:4566\n"
                   "content-type: application/x-www-form-urlencoded; charset=utf-8\n"
                   "x-amz-date: 20260921T141320Z\n" SIGNED("content-type;host;x-amz-date",
                                                           "52b363d253ad082c0781f8312f0a8473b58ecbc"
                                                           "621cade6ce254abcdafb6a094") "\n\n" FORM,
                   200, VALUE } },
      .result = "= 1.5" },
    { "cloudwatch: a metric with its dimensions", AWS,
      "[{\"Id\":\"q\",\"metricstat\":{\"Metric\":{\"Namespace\":\"AWS/X\",\"MetricName\":\"n\","
      "\"Dimensions\":[{\"Name\":\"a\",\"Value\":\"b c\"},{\"Name\":\"d\",\"Value\":\"e\"}]},"
      "\"Period\":300,\"Stat\":\"Average\",\"Unit\":\"Percent\"},\"AccountId\":null,\"Other\":"
      "1}]",
      .env = { KEYS },
      .steps = { { HEAD SIGNED("content-type;host;x-amz-date",
                               "39fee18117ff20e31a03c1c5f6f63e60a52e37b86851bb60c5eb45fdd55d04a"
                               "d") "\n\n"
                                    "Action=GetMetricData&EndTime=2026-09-21T14%3A13%3A20Z&"
                                    "MaxDatapoints=20&"
                                    "MetricDataQueries.member.1.Id=q&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.Dimensions."
                                    "member.1.Name=a&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.Dimensions."
                                    "member.1.Value=b+c&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.Dimensions."
                                    "member.2.Name=d&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.Dimensions."
                                    "member.2.Value=e&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.MetricName=n&"
                                    "MetricDataQueries.member.1.MetricStat.Metric.Namespace="
                                    "AWS%2FX&"
                                    "MetricDataQueries.member.1.MetricStat.Period=300&"
                                    "MetricDataQueries.member.1.MetricStat.Stat=Average&"
                                    "MetricDataQueries.member.1.MetricStat.Unit=Percent&"
                                    "StartTime=2026-09-21T14%3A03%3A20Z&Version=2010-08-01",
                   200, VALUE } },
      .result = "= 1.5" },
    { "cloudwatch: no values in the first result", AWS, "[]", .env = { KEYS },
      .steps = { { NULL, 200, RESULT(MEMBER("")) } },
      .result = "none: invalid response: " RESULT(MEMBER("")) ": no values found" },
    { "cloudwatch: no result", AWS, "[]", .env = { KEYS }, .steps = { { NULL, 200, RESULT("") } },
      .result = "none: invalid response: " RESULT("") ": no values found" },
    { "cloudwatch: refused", AWS, "[]", .env = { KEYS },
      .steps = { { NULL, 403, FAULT("AccessDenied", "not you") } },
      .result = "failed: error requesting cloudwatch: AccessDenied: not you\n\tstatus code: 403, "
                "request id: r-1" },
    { "cloudwatch: three more attempts", AWS, "[]", .env = { KEYS },
      .steps = { { NULL, 503, "" },
                 { "PAUSE 100", 200 },
                 { NULL, 400, FAULT("Throttling", "slow") },
                 { "PAUSE 200", 200 },
                 { NULL, .failure = "EOF" },
                 { "PAUSE 400", 200 },
                 { NULL, 200, VALUE } },
      .result = "= 1.5" },
    { "cloudwatch: and no fourth", AWS, "[]", .env = { KEYS },
      .steps = { { NULL, 500, "a" },
                 { "PAUSE 100", 200 },
                 { NULL, 500, "b" },
                 { "PAUSE 200", 200 },
                 { NULL, 500, "c" },
                 { "PAUSE 400", 200 },
                 { NULL, 500, "d" } },
      .result = "failed: error requesting cloudwatch: UnknownError: d\n\tstatus code: 500, request "
                "id: " },
    { "cloudwatch: no JSON", AWS, "SELECT 1", .env = { KEYS },
      .result = "failed: error unmarshaling query: JSON line 1, column 6: invalid token" },
    { "cloudwatch: no list", AWS, "{}", .env = { KEYS },
      .result = "failed: error unmarshaling query: json: cannot unmarshal a map into a list of "
                "queries" },
    { "cloudwatch: a field of another type", AWS, "[{\"Period\":\"60\"}]", .env = { KEYS },
      .result = "failed: error unmarshaling query: json: cannot unmarshal a string into field "
                "Period" },
    { "cloudwatch: no region", "{type: cloudwatch}", "[]",
      .result = "refused: region not specified" },
    { "cloudwatch: a region that is none", "{type: cloudwatch, region: 'x/y'}", "[]",
      .result = "refused: region 'x/y' is not one" },
    { "cloudwatch: is there", AWS, .is_probe = true, .env = { KEYS },
      .steps = { { HEAD SIGNED("content-type;host;x-amz-date",
                               "5ab0c5bc8fe3c825492f7119d2dfdf5218b4d0a37301323dc1d43212577526e"
                               "8") "\n\n"
                                    "Action=GetMetricData&EndTime=1970-01-01T00%3A00%3A00Z&"
                                    "MaxDatapoints=20&"
                                    "MetricDataQueries=&StartTime=1970-01-01T00%3A00%3A00Z&"
                                    "Version=2010-08-01",
                   400, FAULT("MissingParameter", "queries") } },
      .result = "= 1" },
    { "cloudwatch: is not there", AWS, .is_probe = true, .env = { KEYS },
      .steps = { { NULL, 403, FAULT("AccessDenied", "no") } },
      .result = "failed: unexpected status code: 403" },
    { "aws: a web identity", AWS, QUERY,
      .env = { "AWS_ROLE_ARN=arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE=/t/token",
               "AWS_ROLE_SESSION_NAME=me" },
      .steps = { { "FILE /t/token", 200, "jwt.x.y\n" },
                 { STS_HEAD
                   "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=me&Version=2011-06-15&"
                   "WebIdentityToken=jwt.x.y",
                   200, CREDENTIALS },
                 { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: a web identity that is refused", AWS, QUERY,
      .env = { "AWS_ROLE_ARN=r", "AWS_WEB_IDENTITY_TOKEN_FILE=/t/token" },
      .steps = { { "FILE /t/token", 200, "jwt.x.y" },
                 { STS_HEAD "r&RoleSessionName=serin&Version=2011-06-15&WebIdentityToken=jwt.x.y",
                   403, FAULT("AccessDenied", "jwt.x.y is not trusted") } },
      .result = "failed: error requesting cloudwatch: aws credentials: "
                "AssumeRoleWithWebIdentity: 403 "
                "Forbidden: AccessDenied: *** is not trusted" },
    { "aws: no web identity token", AWS, QUERY,
      .env = { "AWS_ROLE_ARN=r", "AWS_WEB_IDENTITY_TOKEN_FILE=/t/token" },
      .steps = { { "FILE /t/token", 404 } },
      .result =
          "failed: error requesting cloudwatch: aws credentials: the file of the web identity "
          "token does not exist" },
    { "aws: the shared credentials", AWS, QUERY, .env = { "HOME=/h/me", "AWS_PROFILE=dev" },
      .steps = { { "FILE /h/me/.aws/credentials", 200,
                   "[default]\naws_access_key_id = NO\naws_secret_access_key = NO\n# x\n[ dev "
                   "]\r\n"
                   "AWS_ACCESS_KEY_ID=AKID\r\naws_secret_access_key = sEcReT\r\n[other]\n" },
                 { PLAIN, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: the shared configuration", AWS, QUERY,
      .env = { "AWS_SHARED_CREDENTIALS_FILE=/c", "AWS_CONFIG_FILE=/f", "AWS_PROFILE=dev" },
      .steps = { { "FILE /c", 404 },
                 { "FILE /f", 200, "[profile dev]\nrole_arn = r\nweb_identity_token_file = /t\n" },
                 { "FILE /t", 200, "jwt" },
                 { STS_HEAD "r&RoleSessionName=serin&Version=2011-06-15&WebIdentityToken=jwt", 200,
                   CREDENTIALS },
                 { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: credentials that cannot be read", AWS, QUERY, .env = { "HOME=/h" },
      .steps = { { "FILE /h/.aws/credentials",
                   .failure = "/h/.aws/credentials: permission denied" } },
      .result = "failed: error requesting cloudwatch: aws credentials: /h/.aws/credentials: "
                "permission "
                "denied" },
    { "aws: a container", AWS, QUERY,
      .env = { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/x" },
      .steps = { { "GET http://169.254.170.2/v2/credentials/x\n(local)", 200, JSON_KEYS },
                 { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: a pod with an identity", AWS, QUERY,
      .env = { "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/t" },
      .steps = { { "FILE /t", 200, "auth\n" },
                 { "GET http://169.254.170.23/v1/credentials\nAuthorization: auth\n(local)", 200,
                   JSON_KEYS },
                 { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: a container without credentials", AWS, QUERY,
      .env = { "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x" },
      .steps = { { NULL, 404, "{}" } },
      .result =
          "failed: error requesting cloudwatch: aws credentials: no credentials in the answer: "
          "404 Not Found" },
    { "aws: the machine's role", AWS, QUERY,
      .steps = { { IMDS_TOKEN, 200, "itok" },
                 { IMDS_GET("meta-data/iam/security-credentials/"), 200, "role-1\n" },
                 { IMDS_GET("meta-data/iam/security-credentials/role-1"), 200, JSON_KEYS },
                 { SESSION, 200, VALUE } },
      .result = "= 1.5" },
    { "aws: no role", AWS, QUERY, .steps = { { IMDS_TOKEN, 200, "itok" }, { NULL, 404, "" } },
      .result = NO_PROVIDERS },
    { "aws: no machine of AWS", AWS, QUERY,
      .steps = { { IMDS_TOKEN, .failure = "context deadline exceeded" } }, .result = NO_PROVIDERS },
    { "aws: the machine is not asked", AWS, QUERY, .env = { "AWS_EC2_METADATA_DISABLED=true" },
      .result = NO_PROVIDERS },
};

/* -- stackdriver --------------------------------------------------------------------------------------------------- */

#define GCP "{type: stackdriver, secret: {project: my-proj}}"
#define GCE_ASK                                                                        \
    "GET http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/" \
    "token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fmonitoring.read\n"         \
    "Metadata-Flavor: Google\n(local)"
#define GCE                                                             \
    {                                                                   \
        GCE_ASK, 200, "{\"access_token\":\"gtok\",\"expires_in\":3599}" \
    }
#define MQL_ASK                                                                     \
    "POST https://monitoring.googleapis.com/v3/projects/my-proj/timeSeries:query\n" \
    "Content-Type: application/json\nAuthorization: Bearer gtok\n\n"
#define SERIES(value) \
    "{\"timeSeriesData\":[{\"labelValues\":[],\"pointData\":[{\"values\":[" value "]}]}]}"

static const struct script_row stackdriver[] = {
    { "stackdriver: the first point", GCP, "fetch k8s_service::x",
      .steps = { GCE,
                 { MQL_ASK "{\"query\":\"fetch k8s_service::x\"}", 200,
                   SERIES("{\"doubleValue\":1.25},{\"doubleValue\":3}") } },
      .result = "= 1.25" },
    { "stackdriver: a whole number", GCP, "x",
      .steps = { GCE, { NULL, 200, SERIES("{\"int64Value\":\"42\"}") } }, .result = "= 42" },
    { "stackdriver: zero is left out", GCP, "x", .steps = { GCE, { NULL, 200, SERIES("{}") } },
      .result = "= 0" },
    { "stackdriver: no points", GCP, "x",
      .steps = { GCE, { NULL, 200, "{\"timeSeriesData\":[{}]}" } },
      .result = "none: invalid response: {\"timeSeriesData\":[{}]}: no values found" },
    { "stackdriver: no series", GCP, "x", .steps = { GCE, { NULL, 200, "{}" } },
      .result = "none: invalid response: {}: no values found" },
    { "stackdriver: refused", GCP, "x",
      .steps = { GCE,
                 { NULL, 403,
                   "{\"error\":{\"code\":403,\"message\":\"no, gtok\",\"status\":"
                   "\"PERMISSION_DENIED\"}}" } },
      .result = "failed: error requesting stackdriver: rpc error: code = PermissionDenied desc = "
                "no, ***" },
    { "stackdriver: a page", GCP, "x", .steps = { GCE, { NULL, 502, "<html>" } },
      .result = "failed: error requesting stackdriver: rpc error: code = Unknown desc = <html>" },
    { "stackdriver: no connection", GCP, "x", .steps = { GCE, { NULL, .failure = "EOF" } },
      .result = "failed: error requesting stackdriver: EOF" },
    { "stackdriver: an own endpoint",
      "{type: stackdriver, address: 'https://psc.local/', secret: "
      "{project: p}}",
      "x",
      .steps = { GCE,
                 { "POST https://psc.local/v3/projects/p/timeSeries:query\nContent-Type: "
                   "application/json\nAuthorization: Bearer gtok\n\n{\"query\":\"x\"}",
                   200, SERIES("{\"doubleValue\":1}") } },
      .result = "= 1" },
    { "stackdriver: no project", "{type: stackdriver, secret: {}}", "x",
      .result = "refused: stackdriver credentials does not contain a project id" },
    { "stackdriver: is there", GCP, .is_probe = true,
      .steps = { GCE,
                 { MQL_ASK "{\"query\":\"\"}", 400,
                   "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\"}}" } },
      .result = "= 1" },
    { "stackdriver: is not there", GCP, .is_probe = true,
      .steps = { GCE, { NULL, 401, "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}" } },
      .result = "failed: unexpected status code: Unauthenticated" },
    { "google: gcloud's file", GCP, "x", .env = { "HOME=/h/me" },
      .steps = { { "FILE /h/me/.config/gcloud/application_default_credentials.json", 200,
                   "{\"type\":\"authorized_user\",\"client_id\":\"id\",\"client_secret\":\"cs\","
                   "\"refresh_token\":\"rt\"}" },
                 { "POST https://oauth2.googleapis.com/token\nContent-Type: "
                   "application/x-www-form-urlencoded\n\nclient_id=id&client_secret=cs&grant_type="
                   "refresh_token&refresh_token=rt",
                   200, "{\"access_token\":\"gtok\"}" },
                 { MQL_ASK "{\"query\":\"x\"}", 200, SERIES("{\"doubleValue\":1}") } },
      .result = "= 1" },
    { "google: no file of gcloud's", GCP, "x", .env = { "HOME=/h", "CLOUDSDK_CONFIG=/sdk" },
      .steps = { { "FILE /sdk/application_default_credentials.json", 404 },
                 GCE,
                 { NULL, 200, SERIES("{\"doubleValue\":1}") } },
      .result = "= 1" },
    { "google: a file that has to be there", GCP, "x",
      .env = { "GOOGLE_APPLICATION_CREDENTIALS=/k.json" }, .steps = { { "FILE /k.json", 404 } },
      .result = "failed: error requesting stackdriver: google credentials: the file of "
                "GOOGLE_APPLICATION_CREDENTIALS does not exist" },
    { "google: credentials of another kind", GCP, "x",
      .env = { "GOOGLE_APPLICATION_CREDENTIALS=/k.json" },
      .steps = { { NULL, 200, "{\"type\":\"external_account\"}" } },
      .result = "failed: error requesting stackdriver: google credentials: credentials of type "
                "'external_account' are not supported" },
    { "google: a key that is none",
      "{type: stackdriver, secret: {project: p, serviceAccountKey: "
      "'{\"type\":\"service_account\",\"private_key\":\"x\"}'}}",
      "x",
      .result =
          "failed: error requesting stackdriver: google credentials: private_key: the private "
          "key is not an RSA key in PEM that can be read" },
    { "google: refused", GCP, "x",
      .steps = { { NULL, 400, "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}" } },
      .result =
          "failed: error requesting stackdriver: google credentials: no access token: 400 Bad "
          "Request: expired" },
    { "google: no machine of Google", GCP, "x", .env = { "GCE_METADATA_HOST=127.0.0.1:1" },
      .steps = { { NULL, .failure = "Get \"http://127.0.0.1:1/\": EOF" } },
      .result = "failed: error requesting stackdriver: google credentials: Get "
                "\"http://127.0.0.1:1/\": EOF" },
};

/* -- a service account --------------------------------------------------------------------------------------------- */

static const char *pem_of(struct arena *mem, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &bytes);
    const char *pem = arena_strndup(mem, bytes, (size_t)len);
    BIO_free(bio);
    return pem;
}

/* URL alphabet without padding, as JSON Web Tokens have it. */
static const unsigned char *decode(struct arena *mem, const char *text, size_t text_len,
                                   size_t *len)
{
    char *standard = arena_alloc(mem, text_len + 4);
    unsigned char *bytes = NULL;
    memcpy(standard, text, text_len);
    for (size_t i = 0; i < text_len; i++)
        standard[i] = standard[i] == '-' ? '+' : standard[i] == '_' ? '/' : standard[i];
    for (size_t i = text_len; i % 4; i++)
        standard[i] = '=';
    assert_null(hash_base64_parse(mem, standard, strlen(standard), &bytes, len));
    return bytes;
}

static void assert_json(struct arena *mem, const char *text, size_t len, const char *expected)
{
    struct val *got = NULL, *wanted = NULL;
    size_t size;
    const unsigned char *bytes = decode(mem, text, len, &size);
    assert_null(doc_json_parse(mem, (const char *)bytes, size, &got));
    assert_null(doc_json_parse(mem, expected, strlen(expected), &wanted));
    assert_same_value(mem, got, wanted);
}

static void a_service_account_signs_who_it_is(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char lead[] = "assertion=";
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct val *account = val_new_map(mem);
    val_set_text(mem, account, "type", "service_account");
    val_set_text(mem, account, "client_email", "me@my-proj");
    val_set_text(mem, account, "private_key_id", "k1");
    val_set_text(mem, account, "private_key", pem_of(mem, key));
    val_set_text(mem, account, "token_uri", "https://tokens.local/t");
    struct val *secret = val_new_map(mem);
    const char *json = val_json(mem, account, NULL);
    val_set_text(mem, secret, "project", hash_base64(mem, "p", 1));
    val_set_text(mem, secret, "serviceAccountKey", hash_base64(mem, json, strlen(json)));
    static const struct script_row row = { .source = "{type: stackdriver}", .query = "x" };
    struct metric_question question = script_question(mem, &row);
    question.source.secret = secret;
    struct metric_talk *talk = NULL;
    struct metric_turn turn;
    assert_null(metric_talk_new(mem, &question, &talk));
    metric_talk_next(talk, NULL, &turn);
    assert_string_equal(turn.request.url, "https://tokens.local/t");
    assert_string_equal(turn.request.method, "POST");
    const char *jwt = strstr(turn.request.body, lead);
    assert_non_null(jwt);
    jwt += strlen(lead);
    const char *claims = strchr(jwt, '.') + 1, *signature = strchr(claims, '.') + 1;
    const char *behind = strchr(signature, '&');
    assert_string_equal(behind,
                        "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    assert_json(mem, jwt, (size_t)(claims - jwt) - 1,
                "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
    assert_json(
        mem, claims, (size_t)(signature - claims) - 1,
        "{\"iss\":\"me@my-proj\",\"scope\":\"https://www.googleapis.com/auth/monitoring.read\","
        "\"aud\":\"https://tokens.local/t\",\"iat\":1790000000,\"exp\":1790003600}");
    size_t len;
    const unsigned char *bytes = decode(mem, signature, (size_t)(behind - signature), &len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestVerify(ctx, bytes, len, (const unsigned char *)jwt,
                                      (size_t)(signature - jwt) - 1),
                     1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest others[] = { cmocka_unit_test(a_service_account_signs_who_it_is) };
    const struct script_table tables[] = { SCRIPT_TABLE(cloudwatch), SCRIPT_TABLE(stackdriver) };
    return script_run("canary_metric_clouds", others, ARRAY_LEN(others), tables, ARRAY_LEN(tables));
}
