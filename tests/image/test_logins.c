#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "image/creds.h"
#include "image/ecr.h"
#include "peer.h"
#include "registry_lab.h"

#define NO_PATTERNS ((const char *const[]){ NULL })
#define BASIC       "Basic amFuZTpzM2NyM3Q=" /* jane:s3cr3t */
#define REFUSED     401
#define LIST        "/v2/team/app/tags/list"

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void assert_no_secret(struct lab *lab, const char *error)
{
    assert_null(strstr(error, "s3cr3t"));
    assert_null(strstr(bench_log(lab->bench), "s3cr3t"));
    assert_null(strstr(bench_log(lab->bench), "amFuZTpzM2NyM3Q"));
}

static const char *config_of(struct lab *lab, const char *user, const char *password)
{
    const char *pair = lab_printf(lab, "%s:%s", user, password);
    return lab_printf(lab, "{\"auths\":{\"http://%s/v1/\":{\"auth\":\"%s\"}}}", lab->host,
                      hash_base64(lab->bench->mem, pair, strlen(pair)));
}

/* A list of tags for who has this header, a challenge for the others. */
static void guard(struct lab *lab, const char *auth, const char *challenge)
{
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/*",
                       .status = REFUSED,
                       .headers = lab_printf(lab, "WWW-Authenticate: %s\r\n", challenge),
                       .body = "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"who?\"}]}" });
    lab_route(lab, &(struct lab_route){
                       .path = LIST, .auth = auth, .status = 200, .body = "{\"tags\":[\"1.0\"]}" });
}

static void guard_by_token(struct lab *lab, const char *realm)
{
    guard(lab, "Bearer t0",
          lab_printf(lab, "Bearer realm=\"%s\",service=\"reg\",scope=\"repository:team/app:pull\"",
                     realm));
}

static void give_token(struct lab *lab, const char *auth, const char *token)
{
    lab_route(lab, &(struct lab_route){ .path = "/token",
                                        .auth = auth,
                                        .query = "service=reg&scope=repository%3Ateam%2Fapp%3Apull",
                                        .status = 200,
                                        .body = lab_printf(lab, "{\"token\":\"%s\"}", token) });
}

/* -- the two ways to say who one is */

static void a_password_is_sent_when_it_is_asked_for(void **state)
{
    struct lab *lab = *state;
    guard(lab, BASIC, "Basic realm=\"x\"");
    lab->opts.docker_config = config_of(lab, "jane", "s3cr3t");
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_string_equal(repo->error, "");
    assert_int_equal(repo->count, 1);
    assert_int_equal(lab_count(lab, LIST), 2);
}

static void wrong_and_missing_passwords_are_said_to_be_so(void **state)
{
    struct lab *lab = *state;
    guard(lab, "Basic nobody", "Basic realm=\"x\"");
    lab->opts.docker_config = config_of(lab, "jane", "s3cr3t");
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_string_equal(
        repo->error,
        lab_printf(lab, "list of tags: the registry refuses the credentials for %s", lab->host));
    assert_no_secret(lab, repo->error);
    assert_int_equal(lab_count(lab, LIST), 2);
    image_scans_free(lab->scans);
    lab->opts.docker_config = NULL;
    lab_start(lab);
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error,
                    "the registry wants credentials, and there are none for 127.0.0.1");
}

static void a_token_is_fetched_with_the_password(void **state)
{
    struct lab *lab = *state;
    guard_by_token(lab, lab_printf(lab, "http://%s/token", lab->host));
    give_token(lab, BASIC, "t0");
    lab->opts.docker_config = config_of(lab, "jane", "s3cr3t");
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error, "");
    assert_int_equal(lab_count(lab, "GET /token"), 1);
    assert_no_secret(lab, "");
}

static void a_token_is_fetched_without_a_password(void **state)
{
    struct lab *lab = *state;
    guard_by_token(lab, lab_printf(lab, "http://%s/token", lab->host));
    give_token(lab, "", "t0");
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error, "");
}

static void an_old_token_is_replaced_and_a_useless_one_given_up(void **state)
{
    struct lab *lab = *state;
    guard_by_token(lab, lab_printf(lab, "http://%s/token", lab->host));
    give_token(lab, NULL, "old");
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error,
                        "list of tags: the registry refuses its own tokens");
    assert_int_equal(lab_count(lab, "GET /token"), 3);
    lab_route(lab, &(struct lab_route){ .path = "/token", .status = 403, .body = "no" });
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error,
                    "refuses to give one without credentials: status 403");
    lab_route(lab, &(struct lab_route){ .path = "/token", .status = 200, .body = "{}" });
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error, "gave no token");
    lab_route(lab, &(struct lab_route){
                       .path = "/token", .status = 200, .body = "{\"token\":\"a\\r\\nb: c\"}" });
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error, "gave no token");
}

static void serve_refresh(const struct scripted_request *request)
{
    bool is_right = strcmp(request->method, "POST") == 0 &&
                    strstr(request->body, "grant_type=refresh_token") &&
                    strstr(request->body, "refresh_token=id%2Btoken") &&
                    *scripted_header(request, "Authorization") == '\0';
    scripted_reply(request, is_right ? 200 : 400, NULL, "{\"access_token\":\"t0\"}");
}

static void an_identity_token_is_traded_in(void **state)
{
    struct lab *lab = *state;
    guard_by_token(lab, lab_printf(lab, "http://%s/token", lab->host));
    lab_route(lab, &(struct lab_route){ .path = "/token", .serve = serve_refresh });
    lab->opts.docker_config =
        lab_printf(lab, "{\"auths\":{\"%s\":{\"identitytoken\":\"id+token\"}}}", lab->host);
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error, "");
}

/* -- where credentials do not go */

static void no_realm_without_encryption_is_told_anything(void **state)
{
    struct lab *lab = *state;
    int port = scripted_port(lab->server);
    guard_by_token(lab, lab_printf(lab, "http://localhost:%d/token", port));
    give_token(lab, NULL, "t0");
    lab->opts.docker_config = config_of(lab, "jane", "s3cr3t");
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_string_equal(repo->error,
                        lab_printf(lab,
                                   "list of tags: the registry sends us for a token to "
                                   "http://localhost:%d/token, which is not encrypted: refused",
                                   port));
    assert_int_equal(lab_count(lab, "/token"), 0);
    image_scans_free(lab->scans);
    lab->insecure[1] = "localhost"; /* somebody says that this is fine */
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error, "");
    image_scans_free(lab->scans);
    guard_by_token(lab, "ftp://127.0.0.1/token");
    lab_start(lab);
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error, "not encrypted: refused");
    image_scans_free(lab->scans);
    guard_by_token(lab, "https://127.0.0.1@evil.example/token");
    lab_start(lab);
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error, "no valid address for tokens");
}

static void a_blob_elsewhere_is_fetched_without_credentials(void **state)
{
    struct lab *lab = *state;
    static const char config[] = "{\"created\":\"2020-01-01T00:00:00Z\"}";
    const char *digest = lab_put(lab, "blobs", NULL, config);
    const char *manifest = lab_printf(lab, "{\"config\":{\"digest\":\"%s\"}}", digest);
    guard(lab, BASIC, "Basic realm=\"x\"");
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/manifests/1.0",
                                        .auth = BASIC,
                                        .status = 200,
                                        .body = manifest });
    lab_route(lab, &(struct lab_route){
                       .path = lab_printf(lab, "/v2/team/app/blobs/%s", digest),
                       .auth = BASIC,
                       .status = 307,
                       .headers = lab_printf(lab, "Location: http://localhost:%d/store?sig=x\r\n",
                                             scripted_port(lab->server)),
                       .body = "" });
    lab_route(lab, &(struct lab_route){ .path = "/store", .status = 500, .body = "too much" });
    lab_route(lab,
              &(struct lab_route){ .path = "/store", .auth = "", .status = 200, .body = config });
    lab->opts.docker_config = config_of(lab, "jane", "s3cr3t");
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_true(repo->infos[0].has_created);
    assert_int_equal(lab_count(lab, "GET /store"), 1);
}

/* -- where credentials come from */

static void add_secret(struct lab *lab, const char *name, const char *config)
{
    const char *text = hash_base64(lab->bench->mem, config, strlen(config));
    lab_route(lab, &(struct lab_route){
                       .path = lab_printf(lab, "/api/v1/namespaces/shop/secrets/%s", name),
                       .status = 200,
                       .body = lab_printf(lab,
                                          "{\"kind\":\"Secret\",\"type\":\"kubernetes.io/"
                                          "dockerconfigjson\",\"data\":{\".dockerconfigjson\":"
                                          "\"%s\"}}",
                                          text) });
}

static void ask_with(struct lab *lab, const char *account, const char *const *secrets)
{
    struct image_wish wish = lab_wish(lab, "team/app", NO_PATTERNS);
    wish.pull = (struct image_pull){ .service_account = account, .secrets = secrets };
    lab_want_all(lab, &wish, 1);
    lab_until_scanned(lab);
}

static void pull_secrets_of_account_and_pod_are_used(void **state)
{
    struct lab *lab = *state;
    guard(lab, BASIC, "Basic realm=\"x\"");
    lab_route(lab,
              &(struct lab_route){
                  .path = "/api/v1/namespaces/shop/serviceaccounts/robot",
                  .status = 200,
                  .body = "{\"imagePullSecrets\":[{\"name\":\"missing\"},{\"name\":\"ours\"}]}" });
    add_secret(lab, "ours", config_of(lab, "jane", "s3cr3t"));
    lab_start(lab);
    ask_with(lab, "robot", NULL);
    assert_string_equal(lab_find(lab, "team/app")->error, "");
    assert_contains(bench_log(lab->bench), "secret shop/missing");
    assert_no_secret(lab, "");
    image_scans_free(lab->scans);
    add_secret(lab, "theirs", config_of(lab, "joe", "wr0ng"));
    lab_start(lab);
    ask_with(lab, "robot", (const char *const[]){ "theirs", NULL }); /* the pod's own count more */
    assert_contains(lab_find(lab, "team/app")->error, "refuses the credentials");
    assert_int_equal(lab_count(lab, "secrets/ours"), 2);
}

static void a_helper_that_a_secret_names_is_not_used(void **state)
{
    struct lab *lab = *state;
    guard(lab, BASIC, "Basic realm=\"x\"");
    add_secret(lab, "ours",
               lab_printf(lab,
                          "{\"auths\":{\"%s\":{\"username\":\"jane\",\"password\":\"s3cr3t\"}},"
                          "\"credHelpers\":{\"%s\":\"serintest\"}}",
                          lab->host, lab->host));
    lab_start(lab);
    ask_with(lab, "", (const char *const[]){ "ours", NULL });
    assert_string_equal(lab_find(lab, "team/app")->error, "");
}

/* -- programs and clouds: a directory of our own is all of PATH but the shell's */

static char *make_dir(struct lab *lab)
{
    char *dir = peer_dir_new();
    assert_int_equal(setenv("PATH", lab_printf(lab, "%s:/usr/bin:/bin", dir), 1), 0);
    return dir;
}

static void put_file(struct lab *lab, const char *dir, const char *name, const char *text)
{
    peer_write(dir, name, text);
    assert_int_equal(chmod(lab_printf(lab, "%s/%s", dir, name), 0700), 0);
}

static void a_helper_of_the_docker_config_is_run(void **state)
{
    struct lab *lab = *state;
    char *dir = make_dir(lab);
    put_file(lab, dir, "docker-credential-serintest",
             lab_printf(lab,
                        "#!/bin/sh\nread host\n[ \"$1 $host\" = \"get %s\" ] || exit 1\n"
                        "echo warning >&2\necho '{\"ServerURL\":\"x\",\"Username\":\"jane\","
                        "\"Secret\":\"s3cr3t\"}'\n",
                        lab->host));
    guard(lab, BASIC, "Basic realm=\"x\"");
    lab->opts.docker_config = "{\"credsStore\":\"serintest\"}";
    lab_start(lab);
    assert_string_equal(lab_ask(lab, "team/app", NO_PATTERNS)->error, "");
    assert_no_secret(lab, "");
    image_scans_free(lab->scans);
    put_file(lab, dir, "docker-credential-serintest", "#!/bin/sh\necho s3cr3t\nexit 1\n");
    lab_start(lab);
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error, "there are none for");
    assert_contains(bench_log(lab->bench), "the credential helper failed with status 1");
    assert_no_secret(lab, "");
    peer_dir_free(dir);
}

struct got {
    bool is_done, has_login;
    char user[100], password[100], token[100];
};

static void on_login(void *ctx, const struct image_login *login)
{
    struct got *got = ctx;
    got->is_done = true;
    got->has_login = login != NULL;
    (void)snprintf(got->user, sizeof(got->user), "%s", login ? login->user : "");
    (void)snprintf(got->password, sizeof(got->password), "%s", login ? login->password : "");
    (void)snprintf(got->token, sizeof(got->token), "%s", login ? login->token : "");
}

static bool is_got(void *ctx)
{
    return ((struct got *)ctx)->is_done;
}

static struct got ask_creds(struct lab *lab, const struct creds_opts *opts, const char *host)
{
    struct creds_opts all = *opts;
    struct got got = { .is_done = false };
    SCOPED(processes_free) struct processes *processes = processes_new(lab->bench->loop);
    all.loop = lab->bench->loop;
    all.http = lab->bench->http;
    all.log = &lab->bench->log;
    all.processes = processes;
    SCOPED(creds_free) struct creds *creds = creds_new(&all);
    (void)creds_start(creds, host, NULL, 0, on_login, &got);
    assert_false(got.is_done);
    assert_true(bench_until(lab->bench, is_got, &got));
    struct got again = { .is_done = false };
    (void)creds_start(creds, host, NULL, 0, on_login, &again); /* kept, a failure too */
    lab_turn(lab, 20);
    assert_true(again.is_done && again.has_login == got.has_login);
    creds_cancel(creds_start(creds, host, NULL, 0, on_login, NULL));
    return got;
}

static void amazon_is_asked_by_its_programs(void **state)
{
    struct lab *lab = *state;
    static const char host[] = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    char *dir = make_dir(lab);
    assert_false(ask_creds(lab, &(struct creds_opts){ 0 }, host).has_login); /* neither is there */
    put_file(lab, dir, "aws",
             "#!/bin/sh\n[ \"$*\" = 'ecr get-login-password --region eu-west-1' ] && echo p4ss\n");
    struct got got = ask_creds(lab, &(struct creds_opts){ 0 }, host);
    assert_string_equal(got.user, "AWS");
    assert_string_equal(got.password, "p4ss");
    put_file(lab, dir, "docker-credential-ecr-login",
             "#!/bin/sh\necho '{\"Username\":\"AWS\",\"Secret\":\"better\"}'\n");
    assert_string_equal(ask_creds(lab, &(struct creds_opts){ 0 }, host).password, "better");
    peer_dir_free(dir);
}

static void google_is_asked_by_its_metadata_server(void **state)
{
    struct lab *lab = *state;
    struct creds_opts opts = { .metadata_url = lab_printf(lab, "http://%s/metadata", lab->host) };
    assert_false(ask_creds(lab, &opts, "eu.gcr.io").has_login);
    lab_route(lab, &(struct lab_route){ .path = "/metadata",
                                        .status = 200,
                                        .body = "{\"access_token\":\"tok\",\"expires_in\":3000}" });
    struct got got = ask_creds(lab, &opts, "europe-docker.pkg.dev");
    assert_string_equal(got.user, "oauth2accesstoken");
    assert_string_equal(got.password, "tok");
    assert_false(ask_creds(lab, &opts, "gcr.io.evil.example").has_login);
}

static void azure_is_asked_by_the_file_of_the_node(void **state)
{
    struct lab *lab = *state;
    char *dir = make_dir(lab);
    struct creds_opts opts = { .azure_file = lab_printf(lab, "%s/azure.json", dir) };
    assert_false(ask_creds(lab, &opts, "a.azurecr.io").has_login);
    put_file(lab, dir, "azure.json", "{\"aadClientId\":\"id\",\"aadClientSecret\":\"s3cr3t\"}");
    struct got got = ask_creds(lab, &opts, "a.azurecr.io");
    assert_string_equal(got.user, "id");
    assert_string_equal(got.password, "s3cr3t");
    put_file(lab, dir, "azure.json", "{\"aadClientId\":\"id\"}");
    assert_false(ask_creds(lab, &opts, "a.azurecr.io").has_login);
    assert_contains(bench_log(lab->bench), "names neither a service principal nor");
    assert_no_secret(lab, "");
    peer_dir_free(dir);
}

static void serve_exchange(const struct scripted_request *request)
{
    bool is_right = strcmp(request->method, "POST") == 0 &&
                    strstr(request->body, "grant_type=access_token&service=a.azurecr.cn&") &&
                    strstr(request->body, "access_token=azure%2Ftoken") &&
                    *scripted_header(request, "Metadata") == '\0';
    scripted_reply(request, is_right ? 200 : 400, NULL, "{\"refresh_token\":\"r3fresh\"}");
}

static void serve_identity(const struct scripted_request *request)
{
    bool is_right = strcmp(scripted_header(request, "Metadata"), "true") == 0 &&
                    strstr(request->query, "client_id=one%20of") &&
                    strstr(request->query, "resource=https%3A%2F%2Fmanagement.chinacloudapi.cn%2F");
    scripted_reply(request, is_right ? 200 : 400, NULL, "{\"access_token\":\"azure/token\"}");
}

static void azure_is_asked_for_the_identity_of_the_node(void **state)
{
    struct lab *lab = *state;
    char *dir = make_dir(lab);
    const char *base = lab_printf(lab, "http://%s", lab->host);
    struct creds_opts opts = { .azure_file = lab_printf(lab, "%s/azure.json", dir),
                               .azure_metadata_url = base,
                               .acr_url = base };
    put_file(lab, dir, "azure.json",
             "{\"aadClientId\":\"msi\",\"aadClientSecret\":\"msi\",\"userAssignedIdentityID\":"
             "\"one of\"}");
    assert_false(ask_creds(lab, &opts, "a.azurecr.cn").has_login);
    assert_contains(bench_log(lab->bench), "Azure's metadata server gave no token (status 404)");
    lab_route(lab, &(struct lab_route){ .path = "/metadata/identity/oauth2/token",
                                        .serve = serve_identity });
    assert_false(ask_creds(lab, &opts, "a.azurecr.cn").has_login);
    assert_contains(bench_log(lab->bench), "the registry gave no token (status 404)");
    lab_route(lab, &(struct lab_route){ .path = "/oauth2/exchange", .serve = serve_exchange });
    assert_string_equal(ask_creds(lab, &opts, "a.azurecr.cn").token, "r3fresh");
    assert_null(strstr(bench_log(lab->bench), "r3fresh"));
    assert_null(strstr(bench_log(lab->bench), "azure%2Ftoken"));
    peer_dir_free(dir);
}

/* -- what has to work at the start */

struct found {
    bool is_done;
    char region[100], error[400];
};

static void on_found(void *ctx, const char *region, const struct err *e)
{
    struct found *found = ctx;
    found->is_done = true;
    (void)snprintf(found->region, sizeof(found->region), "%s", region);
    (void)snprintf(found->error, sizeof(found->error), "%s", err_text(e));
}

static bool is_found(void *ctx)
{
    return ((struct found *)ctx)->is_done;
}

static struct found require_ecr(struct lab *lab, const char *region, const char *metadata_url)
{
    struct found found = { .is_done = false };
    SCOPED(processes_free) struct processes *processes = processes_new(lab->bench->loop);
    const struct ecr_opts opts = { .loop = lab->bench->loop,
                                   .http = lab->bench->http,
                                   .processes = processes,
                                   .region = region,
                                   .metadata_url = metadata_url };
    ecr_cancel(ecr_start(&opts, on_found, NULL));
    (void)ecr_start(&opts, on_found, &found);
    assert_true(bench_until(lab->bench, is_found, &found));
    return found;
}

static void serve_ec2(const struct scripted_request *request)
{
    if (strcmp(request->path, "/latest/api/token") == 0) {
        bool is_put = strcmp(request->method, "PUT") == 0 &&
                      *scripted_header(request, "X-aws-ec2-metadata-token-ttl-seconds");
        scripted_reply(request, is_put ? 200 : 405, NULL, "ec2token");
        return;
    }
    const char *token = scripted_header(request, "X-aws-ec2-metadata-token");
    scripted_reply(request, strcmp(token, "ec2token") == 0 ? 200 : 401, NULL,
                   "{\"accountId\":\"123456789012\",\"region\":\"eu-north-1\"}");
}

static void ecr_can_be_required(void **state)
{
    struct lab *lab = *state;
    char *dir = make_dir(lab);
    const char *base = lab_printf(lab, "http://%s", lab->host);
    assert_contains(require_ecr(lab, "", "http://127.0.0.1:1").error,
                    "--registry-require=ecr: the metadata service of EC2");
    assert_contains(require_ecr(lab, "", base).error, "status 404");
    lab_route(lab, &(struct lab_route){ .path = "/latest/*", .serve = serve_ec2 });
    assert_contains(require_ecr(lab, "", base).error,
                    "no login to registries in eu-north-1: neither docker-credential-ecr-login");
    put_file(lab, dir, "docker-credential-ecr-login",
             "#!/bin/sh\nread host\n[ $host = 123456789012.dkr.ecr.eu-north-1.amazonaws.com ] && "
             "echo '{\"Username\":\"AWS\",\"Secret\":\"s3cr3t\"}'\n");
    struct found found = require_ecr(lab, "", base);
    assert_string_equal(found.error, "");
    assert_string_equal(found.region, "eu-north-1");
    put_file(lab, dir, "docker-credential-ecr-login", "#!/bin/sh\nexit 3\n");
    put_file(lab, dir, "aws",
             "#!/bin/sh\n[ \"$*\" = 'ecr get-login-password --region cn-north-1' ] && echo p4ss\n");
    size_t asked = lab_count(lab, "/latest/");
    assert_string_equal(require_ecr(lab, "cn-north-1", base).error, "");
    assert_int_equal(lab_count(lab, "/latest/"), asked); /* it is known already */
    assert_contains(require_ecr(lab, "eu-west-1", base).error, "failed with status 1");
    assert_contains(require_ecr(lab, "no/region", base).error, "is not a registry of ECR");
    lab_route(lab, &(struct lab_route){ .path = "/latest/dynamic/instance-identity/document",
                                        .status = 200,
                                        .body = "{\"region\":\"a/b\"}" });
    assert_contains(require_ecr(lab, "", base).error, "it names no region");
    peer_dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        WITH_LAB(a_password_is_sent_when_it_is_asked_for),
        WITH_LAB(wrong_and_missing_passwords_are_said_to_be_so),
        WITH_LAB(a_token_is_fetched_with_the_password),
        WITH_LAB(a_token_is_fetched_without_a_password),
        WITH_LAB(an_old_token_is_replaced_and_a_useless_one_given_up),
        WITH_LAB(an_identity_token_is_traded_in),
        WITH_LAB(no_realm_without_encryption_is_told_anything),
        WITH_LAB(a_blob_elsewhere_is_fetched_without_credentials),
        WITH_LAB(pull_secrets_of_account_and_pod_are_used),
        WITH_LAB(a_helper_that_a_secret_names_is_not_used),
        WITH_LAB(a_helper_of_the_docker_config_is_run),
        WITH_LAB(amazon_is_asked_by_its_programs),
        WITH_LAB(google_is_asked_by_its_metadata_server),
        WITH_LAB(azure_is_asked_by_the_file_of_the_node),
        WITH_LAB(azure_is_asked_for_the_identity_of_the_node),
        WITH_LAB(ecr_can_be_required),
    };
    return cmocka_run_group_tests_name("image_logins", all, NULL, NULL);
}
