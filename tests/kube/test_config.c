#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

#include "files.h"
#include "kube/config.h"

/* base64 of "-----BEGIN X-----" */
#define PEM_DATA "LS0tLS1CRUdJTiBYLS0tLS0="
#define PEM      "-----BEGIN X-----"

struct bench {
    struct files *files;
    struct kube_config *config;
};

static int set_up(void **state)
{
    struct bench *bench = base_alloc(sizeof(*bench));
    bench->files = files_new();
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    kube_config_free(bench->config);
    files_free(bench->files);
    free(bench);
    return 0;
}

static struct kube_config *load(struct bench *bench, const struct kube_config_opts *opts)
{
    kube_config_free(bench->config);
    bench->config = NULL;
    struct err *e = kube_config_load(opts, &bench->config);
    if (e)
        fail_msg("%s", err_text(e));
    return bench->config;
}

static struct kube_config *load_file(struct bench *bench, const char *text)
{
    const char *path = files_write(bench->files, "config", text);
    return load(bench, &(struct kube_config_opts){ .kubeconfig = path, .allow_exec = true });
}

#define HEAD(cluster, user)                                                        \
    "apiVersion: v1\nkind: Config\ncurrent-context: main\n"                        \
    "contexts:\n- name: main\n  context: {cluster: c, user: u, namespace: shop}\n" \
    "clusters:\n- name: c\n  cluster:\n" cluster "users:\n- name: u\n  user:\n" user
#define SERVER "    server: https://api.example:6443\n"
#define TOKEN  "    token: abc\n"

/* -- reading a file ------------------------------------------------------------------------------------------------ */

static void a_context_is_read(void **state)
{
    struct kube_config *config = load_file(
        *state, HEAD("    server: https://api.example:6443/prefix/\n"
                     "    certificate-authority-data: " PEM_DATA "\n"
                     "    tls-server-name: kubernetes\n    proxy-url: http://proxy:3128\n",
                     "    client-certificate-data: " PEM_DATA "\n"
                     "    client-key-data: " PEM_DATA "\n"));
    assert_string_equal(config->server, "https://api.example:6443/prefix");
    assert_string_equal(config->context, "main");
    assert_string_equal(config->ns, "shop");
    assert_string_equal(config->tls.ca_pem, PEM);
    assert_string_equal(config->tls.cert_pem, PEM);
    assert_string_equal(config->tls.key_pem, PEM);
    assert_string_equal(config->tls.server_name, "kubernetes");
    assert_string_equal(config->proxy, "http://proxy:3128");
    assert_false(config->tls.is_insecure);
    assert_null(config->token);
    assert_false(config->in_cluster);
}

static void json_is_a_kubeconfig_too(void **state)
{
    struct kube_config *config = load_file(
        *state, "{\"current-context\":\"m\",\"contexts\":[{\"name\":\"m\",\"context\":{\"cluster\":"
                "\"c\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":"
                "\"https://x\"}}],\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}]}");
    assert_string_equal(config->server, "https://x");
    assert_string_equal(config->token, "t");
    assert_string_equal(config->ns, "default");
}

static void paths_are_relative_to_the_file_and_data_beats_them(void **state)
{
    struct bench *bench = *state;
    (void)files_write(bench->files, "pki/ca.pem", "-----BEGIN CA-----");
    (void)files_write(bench->files, "pki/cert.pem", "-----BEGIN CERT-----");
    (void)files_write(bench->files, "pki/key.pem", "-----BEGIN KEY-----");
    struct kube_config *config =
        load_file(bench, HEAD(SERVER "    certificate-authority: pki/ca.pem\n",
                              "    client-certificate: pki/cert.pem\n    client-key: pki/key.pem\n"
                              "    client-certificate-data: " PEM_DATA "\n"));
    assert_string_equal(config->tls.ca_pem, "-----BEGIN CA-----");
    assert_string_equal(config->tls.cert_pem, PEM);
    assert_string_equal(config->tls.key_pem, "-----BEGIN KEY-----");
}

static void a_token_file_is_read_and_read_again(void **state)
{
    struct bench *bench = *state;
    (void)files_write(bench->files, "token", "  first\n");
    struct kube_config *config =
        load_file(bench, HEAD(SERVER, "    tokenFile: token\n    token: ignored\n"));
    assert_string_equal(config->token, "first");
    (void)files_write(bench->files, "token", "second\n");
    assert_null(kube_config_refresh(config));
    assert_string_equal(config->token, "second");
    (void)files_write(bench->files, "token", "\n");
    SCOPED(err_free) struct err *e = kube_config_refresh(config);
    assert_true(err_is(e, ERR_INVALID));
    assert_string_equal(config->token, "second"); /* kept */
    assert_non_null(strstr(err_text(e), config->source));
}

static void a_certificate_in_files_is_read_again(void **state)
{
    struct bench *bench = *state;
    (void)files_write(bench->files, "tls.crt", PEM "1");
    (void)files_write(bench->files, "tls.key", "-----BEGIN KEY-----1");
    struct kube_config *config = load_file(
        bench, HEAD(SERVER, "    client-certificate: tls.crt\n    client-key: tls.key\n"));
    assert_string_equal(config->tls.cert_pem, PEM "1");
    (void)files_write(bench->files, "tls.crt", PEM "2");
    (void)files_write(bench->files, "tls.key", "-----BEGIN KEY-----2");
    assert_null(kube_config_refresh(config));
    assert_string_equal(config->tls.cert_pem, PEM "2");
    assert_string_equal(config->tls.key_pem, "-----BEGIN KEY-----2");
    (void)files_write(bench->files, "tls.key", "half");
    SCOPED(err_free) struct err *e = kube_config_refresh(config);
    assert_true(err_is(e, ERR_INVALID));
    assert_string_equal(config->tls.key_pem, "-----BEGIN KEY-----2"); /* kept */
}

static void a_user_may_have_a_password(void **state)
{
    struct kube_config *config =
        load_file(*state, HEAD(SERVER, "    username: me\n    password: 'p:w'\n"));
    assert_string_equal(config->user, "me");
    assert_string_equal(config->password, "p:w");
    assert_null(kube_config_refresh(config));
}

static void impersonation_becomes_headers(void **state)
{
    struct kube_config *config =
        load_file(*state, HEAD(SERVER, TOKEN "    as: system:serviceaccount:a:b\n    as-uid: '7'\n"
                                             "    as-groups: [g1, g2]\n"
                                             "    as-user-extra: {'sco/pes': [x]}\n"));
    assert_string_equal(config->impersonate, "system:serviceaccount:a:b");
    static const char *const wanted[] = { "Impersonate-Uid: 7", "Impersonate-Group: g1",
                                          "Impersonate-Group: g2", "Impersonate-Extra-sco%2Fpes: x",
                                          "Impersonate-User: system:serviceaccount:a:b" };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        assert_string_equal(config->impersonate_headers[i], wanted[i]);
    assert_null(config->impersonate_headers[ARRAY_LEN(wanted)]);
}

static void a_server_without_a_scheme_gets_one(void **state)
{
    assert_string_equal(load_file(*state, HEAD("    server: localhost:8080\n", TOKEN))->server,
                        "http://localhost:8080");
    assert_string_equal(load_file(*state, HEAD("    server: localhost:8443\n"
                                               "    insecure-skip-tls-verify: true\n",
                                               TOKEN))
                            ->server,
                        "https://localhost:8443");
}

static void a_context_needs_no_user(void **state)
{
    struct kube_config *config =
        load_file(*state, "current-context: m\ncontexts: [{name: m, context: {cluster: c}}]\n"
                          "clusters: [{name: c, cluster: {server: 'http://x'}}]\n");
    assert_null(config->token);
    assert_null(config->user);
}

/* -- several files ------------------------------------------------------------------------------------------------- */

static void the_first_file_that_names_something_wins(void **state)
{
    struct bench *bench = *state;
    const char *one = files_write(bench->files, "one/config",
                                  "contexts: [{name: m, context: {cluster: c, user: u}}]\n"
                                  "clusters: [{name: c, cluster: {server: 'https://one'}}]\n");
    const char *two =
        files_write(bench->files, "two/config",
                    "current-context: m\n"
                    "contexts: [{name: m, context: {cluster: other}}]\n"
                    "clusters: [{name: c, cluster: {server: 'https://two', tls-server-name: x}}]\n"
                    "users: [{name: u, user: {client-certificate: cert, client-key: key}}]\n");
    (void)files_write(bench->files, "two/cert", PEM);
    (void)files_write(bench->files, "two/key", PEM);
    char list[1024];
    snprintf(list, sizeof(list), ":%s:/nonexistent/config:%s:", one, two);
    struct kube_config *config =
        load(bench, &(struct kube_config_opts){ .kubeconfig_env = list, .home = "/nonexistent" });
    assert_string_equal(config->server, "https://one");
    assert_null(config->tls.server_name); /* entries are not mixed */
    assert_string_equal(config->tls.cert_pem, PEM);
    assert_string_equal(config->context, "m");
}

static void a_context_can_be_named(void **state)
{
    struct bench *bench = *state;
    const char *path = files_write(
        bench->files, ".kube/config",
        "current-context: a\ncontexts: [{name: a, context: {cluster: x}}, {name: b, context: "
        "{cluster: z}}]\nclusters: [{name: x, cluster: {server: 'https://x'}}, {name: z, cluster: "
        "{server: 'https://z'}}]\n");
    struct kube_config *config =
        load(bench, &(struct kube_config_opts){ .home = files_dir(bench->files), .context = "b" });
    assert_string_equal(config->server, "https://z");
    assert_string_equal(config->source, path);
}

/* -- in the cluster ------------------------------------------------------------------------------------------------ */

static void without_files_a_pod_uses_its_service_account(void **state)
{
    struct bench *bench = *state;
    (void)files_write(bench->files, "account/token", "tok\n");
    (void)files_write(bench->files, "account/ca.crt", PEM);
    (void)files_write(bench->files, "account/namespace", "flux\n");
    struct kube_config_opts opts = { .home = files_dir(bench->files),
                                     .service_host = "10.0.0.1",
                                     .service_port = "443",
                                     .account_dir = files_path(bench->files, "account") };
    struct kube_config *config = load(bench, &opts);
    assert_string_equal(config->server, "https://10.0.0.1:443");
    assert_string_equal(config->token, "tok");
    assert_string_equal(config->ns, "flux");
    assert_string_equal(config->source, "in-cluster");
    assert_true(config->in_cluster);
    assert_null(config->context);
    opts.service_host = "fd00::1";
    assert_string_equal(load(bench, &opts)->server, "https://[fd00::1]:443");
    (void)files_write(bench->files, "account/token", "rotated\n");
    assert_null(kube_config_refresh(bench->config));
    assert_string_equal(bench->config->token, "rotated");
}

/* -- exec plugins -------------------------------------------------------------------------------------------------- */

#define EXEC(more) \
    "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: ./plugin\n" more

static void a_plugin_is_refused_unless_allowed(void **state)
{
    struct bench *bench = *state;
    const char *path = files_write(bench->files, "config", HEAD(SERVER, EXEC("")));
    struct kube_config *config = NULL;
    SCOPED(err_free)
    struct err *e = kube_config_load(&(struct kube_config_opts){ .kubeconfig = path }, &config);
    assert_true(err_is(e, ERR_DENIED));
    assert_non_null(strstr(err_text(e), "users[name=u].user.exec"));
    assert_non_null(strstr(err_text(e), "plugin"));
    assert_non_null(strstr(err_text(e), "not allowed without --k8s-allow-exec"));
}

static void a_plugin_gives_a_token_and_is_told_about_the_cluster(void **state)
{
    struct bench *bench = *state;
    (void)files_write_program(
        bench->files, "plugin",
        "#!/bin/sh\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" >\"$OUT/info\"\n"
        "printf '%s %s %s' \"$1\" \"$2\" \"$EXTRA\" >\"$OUT/args\"\n"
        "printf '%s' '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
        "\"ExecCredential\",\"status\":{\"token\":\"from-plugin\",\"expirationTimestamp\":"
        "\"2030-01-01T00:00:00Z\"}}'\n");
    char out[512];
    snprintf(out, sizeof(out), "OUT=%s", files_dir(bench->files));
    const char *const env[] = { "PATH=/usr/bin:/bin", out, "EXTRA=inherited", NULL };
    const char *path = files_write(
        bench->files, "config",
        HEAD(SERVER
             "    extensions: [{name: client.authentication.k8s.io/exec, extension: {a: 1}}]\n",
             EXEC("      args: [get-token, '--x']\n      provideClusterInfo: true\n"
                  "      env: [{name: EXTRA, value: own}]\n")));
    struct kube_config *config = load(
        bench, &(struct kube_config_opts){ .kubeconfig = path, .allow_exec = true, .env = env });
    assert_null(config->token); /* loading runs nothing */
    struct err *e = kube_config_refresh(config);
    if (e)
        fail_msg("%s", err_text(e));
    assert_string_equal(config->token, "from-plugin");
    assert_int_equal(config->expires_ms, (int64_t)1893456000 * 1000);
    assert_string_equal(files_read(bench->files, "args"), "get-token --x own");
    assert_string_equal(
        files_read(bench->files, "info"),
        "{\"kind\":\"ExecCredential\",\"apiVersion\":"
        "\"client.authentication.k8s.io/v1\",\"spec\":{\"cluster\":{\"server\":"
        "\"https://api.example:6443\",\"config\":{\"a\":1}},\"interactive\":false}}");
}

static void a_plugin_that_fails_is_quoted_but_not_its_output(void **state)
{
    struct bench *bench = *state;
    (void)files_write_program(bench->files, "plugin",
                              "#!/bin/sh\necho secret-token\necho 'please log in' >&2\nexit 3\n");
    struct kube_config *config = load_file(bench, HEAD(SERVER, EXEC("")));
    SCOPED(err_free) struct err *e = kube_config_refresh(config);
    assert_true(err_is(e, ERR_DENIED));
    assert_non_null(strstr(err_text(e), "exit status 3: please log in"));
    assert_null(strstr(err_text(e), "secret-token"));
}

static void a_missing_plugin_says_how_to_get_it(void **state)
{
    struct kube_config *config =
        load_file(*state, HEAD(SERVER, EXEC("      installHint: brew install plugin\n")));
    SCOPED(err_free) struct err *e = kube_config_refresh(config);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(e), "brew install plugin"));
}

/* -- what is refused ----------------------------------------------------------------------------------------------- */

/* One row: a file, and the error: its kind and a part of its text behind "FILE: ". */
static const struct bad_case {
    const char *name, *text;
    enum err_kind kind;
    const char *part;
} bad[] = {
    { "broken YAML", "a: [", ERR_INVALID, ":2:1: not a kubeconfig file" },
    { "a list", "- a\n", ERR_INVALID, "it is a list" },
    { "another kind", "kind: Pod\n", ERR_INVALID, "its kind is Pod" },
    { "an empty file has no context", "", ERR_NOT_FOUND, "no current-context" },
    { "a context that is not there names those that are",
      "current-context: x\ncontexts: [{name: a, context: {}}, {name: b, context: {}}]\n",
      ERR_NOT_FOUND, "no context x: there are: a, b" },
    { "a cluster that is not there",
      "current-context: m\ncontexts: [{name: m, context: {cluster: c}}]\n", ERR_NOT_FOUND,
      "contexts[name=m].context.cluster: there is no cluster c" },
    { "no cluster", "current-context: m\ncontexts: [{name: m, context: {user: u}}]\n", ERR_INVALID,
      "contexts[name=m].context.cluster: is missing" },
    { "a name that is there twice",
      "current-context: m\ncontexts: [{name: m, context: {cluster: a}}, {name: m, context: "
      "{cluster: b}}]\n",
      ERR_INVALID, "contexts: the name m is there twice" },
    { "contexts that are no list", "current-context: m\ncontexts: {m: 1}\n", ERR_INVALID,
      "contexts: must be a list" },
    { "a user that is not there",
      "current-context: m\ncontexts: [{name: m, context: {cluster: c, user: u}}]\n"
      "clusters: [{name: c, cluster: {server: 'https://x'}}]\n",
      ERR_NOT_FOUND, "contexts[name=m].context.user: there is no user u" },
    { "no server", HEAD("    tls-server-name: x\n", TOKEN), ERR_INVALID,
      "clusters[name=c].cluster.server: is missing" },
    { "a server of another scheme", HEAD("    server: ftp://x\n", TOKEN), ERR_INVALID,
      "cluster.server: is not the URL of a server" },
    { "a server without a host", HEAD("    server: 'https:///x'\n", TOKEN), ERR_INVALID,
      "cluster.server: is not the URL" },
    { "a server with a query", HEAD("    server: 'https://x?y'\n", TOKEN), ERR_INVALID,
      "cluster.server: has characters" },
    { "a server with a password", HEAD("    server: 'https://me:pw@x'\n", TOKEN), ERR_INVALID,
      "cluster.server: has credentials in it" },
    { "a number in place of a token", HEAD(SERVER, "    token: 12345\n"), ERR_INVALID,
      "users[name=u].user.token: must be a text, not a number" },
    { "a token with a line break", HEAD(SERVER, "    token: \"a\\nb\"\n"), ERR_INVALID,
      "users[name=u].user.token: has a line break" },
    { "a token with a blank", HEAD(SERVER, "    token: 'a b'\n"), ERR_INVALID,
      "users[name=u].user.token: the token has a character" },
    { "a token beside a password", HEAD(SERVER, TOKEN "    username: me\n    password: pw\n"),
      ERR_INVALID, "user.username: only one of token and username" },
    { "a header smuggled into a name", HEAD(SERVER, "    as: \"a\\r\\nX: y\"\n"), ERR_INVALID,
      "user.as: has a control character" },
    { "a header smuggled into a group",
      HEAD(SERVER, "    as: a\n    as-groups: [\"a\\r\\nX: y\"]\n"), ERR_INVALID,
      "user.as-groups: has a control character" },
    { "groups without a user to be", HEAD(SERVER, "    as-groups: [a]\n"), ERR_INVALID,
      "user.as: is missing" },
    { "a certificate without its key", HEAD(SERVER, "    client-certificate-data: " PEM_DATA "\n"),
      ERR_INVALID, "user.client-key: is missing" },
    { "data that is not base64", HEAD(SERVER "    certificate-authority-data: '###'\n", TOKEN),
      ERR_INVALID, "certificate-authority-data: is not base64" },
    { "data that is not PEM", HEAD(SERVER "    certificate-authority-data: eHl6\n", TOKEN),
      ERR_INVALID, "certificate-authority-data: is not PEM" },
    { "a file that is not there", HEAD(SERVER "    certificate-authority: nowhere.pem\n", TOKEN),
      ERR_NOT_FOUND, "clusters[name=c].cluster.certificate-authority" },
    { "a folder in place of a file", HEAD(SERVER "    certificate-authority: .\n", TOKEN),
      ERR_INVALID, "certificate-authority" },
    { "an authority that is not to be checked",
      HEAD(SERVER "    insecure-skip-tls-verify: true\n    certificate-authority-data: " PEM_DATA
                  "\n",
           TOKEN),
      ERR_INVALID, "insecure-skip-tls-verify: must not be set beside" },
    { "a flag that is a text", HEAD(SERVER "    insecure-skip-tls-verify: 'yes'\n", TOKEN),
      ERR_INVALID, "insecure-skip-tls-verify: must be true or false" },
    { "a proxy of another scheme", HEAD(SERVER "    proxy-url: gopher://x\n", TOKEN), ERR_INVALID,
      "cluster.proxy-url: is not the URL" },
    { "an auth provider of old", HEAD(SERVER, "    auth-provider: {name: gcp}\n"), ERR_INVALID,
      "user.auth-provider: is not supported" },
    { "a plugin of an old version",
      HEAD(SERVER, "    exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}\n"),
      ERR_INVALID, "user.exec.apiVersion: must be" },
    { "a plugin without a command",
      HEAD(SERVER, "    exec: {apiVersion: client.authentication.k8s.io/v1}\n"), ERR_INVALID,
      "user.exec.command: is missing" },
    { "a plugin that wants to talk", HEAD(SERVER, EXEC("      interactiveMode: Always\n")),
      ERR_INVALID, "user.exec.interactiveMode" },
    { "a plugin's variable without a value", HEAD(SERVER, EXEC("      env: [{name: A}]\n")),
      ERR_INVALID, "user.exec.env: each item needs" },
    { "a map in place of arguments", HEAD(SERVER, EXEC("      args: {a: b}\n")), ERR_INVALID,
      "user.exec.args: must be a list" },
    { "a token file that is not there", HEAD(SERVER, "    tokenFile: nowhere\n"), ERR_NOT_FOUND,
      "token file" },
};

static void config_is_refused(void **state)
{
    const struct bad_case *row = *state;
    struct files *files = files_new();
    const char *path = files_write(files, "config", row->text);
    struct kube_config *config = NULL;
    SCOPED(err_free)
    struct err *e = kube_config_load(
        &(struct kube_config_opts){ .kubeconfig = path, .allow_exec = true }, &config);
    assert_non_null(e);
    if (!strstr(err_text(e), row->part))
        fail_msg("%s", err_text(e));
    assert_int_equal(err_kind(e), row->kind);
    assert_non_null(strstr(err_text(e), files_dir(files))); /* which file */
    assert_null(config);
    files_free(files);
}

static void no_configuration_at_all_says_where_it_looked(void **state)
{
    struct bench *bench = *state;
    struct kube_config *config = NULL;
    SCOPED(err_free)
    struct err *e =
        kube_config_load(&(struct kube_config_opts){ .home = files_dir(bench->files) }, &config);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(e), "~/.kube/config"));
    SCOPED(err_free)
    struct err *listed =
        kube_config_load(&(struct kube_config_opts){ .kubeconfig_env = "/nonexistent/a" }, &config);
    assert_true(err_is(listed, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(listed), "/nonexistent/a"));
    SCOPED(err_free)
    struct err *named = kube_config_load(
        &(struct kube_config_opts){ .kubeconfig = "/nonexistent/b", .service_host = "x" }, &config);
    assert_true(err_is(named, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(named), "/nonexistent/b"));
}

/* -- what is said of a cluster that is not reached ------------------------------------------------------------------ */

/* Ends at 2026-11-23T01:33:57Z. */
#define CERTIFICATE                                                                                \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiVENDQVJPZ0F3SUJBZ0lVRUhBSnNhWERIWW1CZWpUQ3RKY0hF" \
    "V2VY"                                                                                         \
    "UW0wd0NnWUlLb1pJemowRUF3SXcKRERFS01BZ0dBMVVFQXd3QmVEQWVGdzB5TmpFeE1qSXdNVE16TlRkYUZ3MHlOakV4" \
    "TWpN"                                                                                         \
    "d01UTXpOVGRhTUF3eApDakFJQmdOVkJBTU1BWGd3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVErQXQ3" \
    "UTdI"                                                                                         \
    "V2VxODVJCml3anhHaGxDMUZPcHhSNlRGRlZsaUlzTk1Gc1poUmdOcFcrUTRhbmNRM3d6ZUkrS2ZDbGQzZjc5UVJtcXU4" \
    "RjAK"                                                                                         \
    "RWozMjd3SVNvMU13VVRBZEJnTlZIUTRFRmdRVWFTUHpPcCt4QXE1WDQvZFArbENVZm5obFB2Y3dId1lEVlIwagpCQmd3" \
    "Rm9B"                                                                                         \
    "VWFTUHpPcCt4QXE1WDQvZFArbENVZm5obFB2Y3dEd1lEVlIwVEFRSC9CQVV3QXdFQi96QUtCZ2dxCmhrak9QUVFEQWdO" \
    "SUFE"                                                                                         \
    "QkZBaUJmOWJMWEg3Y2QwZGZSOUIzWGUzL0xhZVIvUlFEM3p5Ym5BOTNqZEg5KzRRSWgKQUxNa3Y4Mm9QRTNvSzBYVTN4" \
    "WnYz"                                                                                         \
    "SEgxNG8zUDExdUMvdlhKaFZ3UUhoWHYKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define BEFORE_ITS_END_MS (INT64_C(1795397636) * 1000)
#define AFTER_ITS_END_MS  (INT64_C(1795397637) * 1000)

static const struct explain_case {
    const char *name, *cluster, *user;
    int64_t now_ms;
    const char *said; /* after "context main of FILE" */
} explained[] = {
    { "a token", "", TOKEN, 0, ", with a token): 401" },
    { "the token of a file", "", "    tokenFile: token\n", 0, ", with the token of " },
    { "a user", "", "    username: jane\n    password: sekret\n", 0,
      ", as jane with a password): 401" },
    { "nobody", "", "    {}\n", 0, ", without credentials): 401" },
    { "a certificate", "",
      "    client-certificate-data: " CERTIFICATE "\n    client-key-data: " PEM_DATA "\n",
      BEFORE_ITS_END_MS, ", with a client certificate): 401" },
    { "a certificate that has ended", "",
      "    client-certificate-data: " CERTIFICATE "\n    client-key-data: " PEM_DATA "\n",
      AFTER_ITS_END_MS, ", with a client certificate that ended at 2026-11-23T01:33:57Z): 401" },
    { "a certificate that is none", "",
      "    client-certificate-data: " PEM_DATA "\n    client-key-data: " PEM_DATA "\n", 0,
      ", with a client certificate): 401" },
    { "a plugin", "",
      "    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: "
      "Never}\n",
      0, ", with what aws gives): 401" },
    { "a proxy, without its password", "    proxy-url: http://jane:sekret@proxy:3128\n", TOKEN, 0,
      ", with a token, through the proxy http://proxy:3128): 401" },
};

static void it_is_said_what_we_showed(void **state)
{
    const struct explain_case *row = *state;
    struct bench *bench = NULL;
    assert_int_equal(set_up((void **)&bench), 0);
    (void)files_write(bench->files, "token", "abc");
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    const char *text = arena_printf(mem, HEAD(SERVER "%s", "%s"), row->cluster, row->user);
    struct kube_config *config = load_file(bench, text);
    SCOPED(err_free)
    struct err *e = kube_config_explain(config, row->now_ms, err_new(ERR_DENIED, "401"));
    const char *begin =
        arena_printf(mem, "ask the cluster at https://api.example:6443 (context main of %s%s",
                     config->source, row->said);
    if (strncmp(err_text(e), begin, strlen(begin)) != 0)
        fail_msg("%s", err_text(e));
    assert_null(strstr(err_text(e), "sekret"));
    assert_true(err_is(e, ERR_DENIED));
    assert_null(kube_config_explain(config, 0, NULL));
    assert_int_equal(tear_down((void **)&bench), 0);
}

#define TEST(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        TEST(a_context_is_read),
        TEST(json_is_a_kubeconfig_too),
        TEST(paths_are_relative_to_the_file_and_data_beats_them),
        TEST(a_token_file_is_read_and_read_again),
        TEST(a_certificate_in_files_is_read_again),
        TEST(a_user_may_have_a_password),
        TEST(impersonation_becomes_headers),
        TEST(a_server_without_a_scheme_gets_one),
        TEST(a_context_needs_no_user),
        TEST(the_first_file_that_names_something_wins),
        TEST(a_context_can_be_named),
        TEST(without_files_a_pod_uses_its_service_account),
        TEST(a_plugin_is_refused_unless_allowed),
        TEST(a_plugin_gives_a_token_and_is_told_about_the_cluster),
        TEST(a_plugin_that_fails_is_quoted_but_not_its_output),
        TEST(a_missing_plugin_says_how_to_get_it),
        TEST(no_configuration_at_all_says_where_it_looked),
        ROWS(bad, config_is_refused),
        ROWS(explained, it_is_said_what_we_showed),
    };
    return rows_run("kube_config", tests, ARRAY_LEN(tests));
}
