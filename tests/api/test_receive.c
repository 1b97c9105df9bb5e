/* Webhooks: what each source sends, who may send it, and what it says has changed. Signatures here were worked out with openssl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/receive.h"
#include "base/hash.h"

#define KEY                  "0123456789abcdef"
#define PATH_OF_KEY          "a2192eeb9b7585151f53f0baf01f577d46936ffe0f97e38988506e01c07906a3"
#define PATH_OF_KEY_AND_HOST "5bccfab15c459aef9497422a29de35fbbdebbc694d8b40f70432467439c90806"

static struct receive_config configured(struct arena *mem, const char *source, const char *more)
{
    struct receive_config config;
    const char *text = arena_printf(
        mem, "fluxRecvVersion: 1\nendpoints:\n- {source: %s, keyPath: k%s}\n", source, more);
    SCOPED(err_free) struct err *e = receive_config_parse(mem, text, strlen(text), &config);
    assert_string_equal(err_text(e), "");
    assert_int_equal(config.len, 1);
    assert_null(receive_set_key(mem, KEY "\n", strlen(KEY) + 1, &config.at[0]));
    return config;
}

/* "Name: value" lines. HMAC1, HMAC256 in a value stand for the signature of the body. */
struct headers {
    struct arena *mem;
    const char *lines, *body;
};

static const char *signature(const struct headers *headers, bool is_sha256)
{
    unsigned char out[HASH_SHA256_BYTES];
    const char *body = headers->body;
    if (is_sha256)
        hash_hmac_sha256(KEY, strlen(KEY), body, strlen(body), out);
    else
        hash_hmac_sha1(KEY, strlen(KEY), body, strlen(body), out);
    return hash_hex(headers->mem, out, is_sha256 ? HASH_SHA256_BYTES : HASH_SHA1_BYTES);
}

static const char *find_header(const void *ctx, const char *name)
{
    const struct headers *headers = ctx;
    for (const char *at = headers->lines; *at;
         at += strcspn(at, "\n") + (strchr(at, '\n') != NULL)) {
        size_t len = strlen(name);
        if (strncmp(at, name, len) != 0 || at[len] != ':')
            continue;
        const char *value = arena_strndup(headers->mem, at + len + 2, strcspn(at + len + 2, "\n"));
        const char *mark = strstr(value, "HMAC");
        if (!mark)
            return value;
        return arena_printf(headers->mem, "%.*s%s", (int)(mark - value), value,
                            signature(headers, mark[4] == '2'));
    }
    return NULL;
}

#define GITHUB_BODY \
    "{\"ref\":\"refs/heads/main\",\"repository\":{\"ssh_url\":\"git@github.com:a/b.git\"}}"
#define CLOUD_BODY                                                                       \
    "{\"repository\":{\"full_name\":\"a/b\"},\"push\":{\"changes\":[{\"new\":{\"type\":" \
    "\"branch\",\"name\":\"main\"}},{\"new\":null},{\"new\":{\"type\":\"tag\",\"name\":" \
    "\"v1\"}},{\"new\":{\"name\":\"dev\"}}]}}"
#define SERVER_BODY                                                                          \
    "{\"repository\":{\"links\":{\"clone\":[{\"name\":\"http\",\"href\":\"http://h/a\"},"    \
    "{\"name\":\"ssh\",\"href\":\"ssh://git@h:7999/a/b.git\"}]}},\"changes\":[{\"ref\":{"    \
    "\"type\":\"BRANCH\",\"displayId\":\"main\"}},{\"ref\":{\"type\":\"TAG\",\"displayId\":" \
    "\"v1\"}}]}"
#define NEXUS_BODY(action, format) \
    "{\"action\":\"" action "\",\"component\":{\"format\":\"" format "\",\"name\":\"a/b\"}}"
#define HARBOR_BODY(type)                                                                      \
    "{\"type\":\"" type "\",\"event_data\":{\"resources\":[{\"resource_url\":\"h.io/a/b:1\"}," \
    "{\"resource_url\":\"h.io/c/d:1\"}]}}"
#define GITHUB_HEADERS(event) \
    "X-GitHub-Event: " event "\nX-Hub-Signature-256: sha256=HMAC256\nX-GitHub-Delivery: d1"
/* {"action":"INSERT","digest":"gcr.io/p/x@sha256:1","tag":"gcr.io/p/x:1"} and DELETE */
#define GOOGLE(data) "{\"message\":{\"data\":\"" data "\",\"messageId\":\"7\"}}"
#define INSERTED                                                                                   \
    "eyJhY3Rpb24iOiJJTlNFUlQiLCJkaWdlc3QiOiJnY3IuaW8vcC94QHNoYTI1NjoxIiwidGFnIjoiZ2NyLmlvL3AveDox" \
    "In0="
#define DELETED  "eyJhY3Rpb24iOiJERUxFVEUiLCJ0YWciOiJnY3IuaW8vcC94OjEifQ=="
#define OTHER    "unexpected hook kind, but OK"
#define NO_PROOF "the signature or token is missing or wrong"

static const struct receive_case {
    const char *source, *more, *headers, *body;
    int status;
    const char *text;    /* NULL: any */
    const char *changes; /* "git URL BRANCH" or "image DOMAIN PATH", joined with commas */
    const char *delivery;
} receive_cases[] = {
    /* clang-format off */
    { "GitHub", "", GITHUB_HEADERS("push"), GITHUB_BODY, 200, "OK", "git git@github.com:a/b.git main", "d1" },
    { "GitHub", "", "X-GitHub-Event: push\nX-Hub-Signature: sha1=HMAC1", GITHUB_BODY, 200, "OK", "git git@github.com:a/b.git main", NULL },
    { "GitHub", "", GITHUB_HEADERS("ping"), "{}", 200, "Pong", "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("issues"), "{}", 200, OTHER, "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("push"), "{\"ref\":\"refs/tags/v1\",\"repository\":{\"ssh_url\":\"x\"}}", 200, "OK", "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("push"), "{\"ref\":\"refs/heads/main\"}", 400, "the payload names no repository", "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("push"), "payload=%7B%7D", 400, NULL, "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("push"), "", 400, NULL, "", "d1" },
    { "GitHub", "", GITHUB_HEADERS("push"), "[[[1", 400, NULL, "", "d1" },
    { "GitHub", "", "X-GitHub-Event: push", GITHUB_BODY, 401, NO_PROOF, "", NULL },
    { "GitHub", "", "X-GitHub-Event: push\nX-Hub-Signature: sha1=0000000000000000000000000000000000000000", GITHUB_BODY, 401, NO_PROOF, "", NULL },
    { "GitHub", "", "X-GitHub-Event: push\nX-Hub-Signature: HMAC1", GITHUB_BODY, 401, NO_PROOF, "", NULL },
    { "GitHub", "", "X-GitHub-Event: push\nX-Hub-Signature: sha1=HMAC1\nX-Hub-Signature-256: sha256=00", GITHUB_BODY, 401, NO_PROOF, "", NULL },
    { "GitHub", "", "X-GitHub-Event: ping\nX-Hub-Signature: sha1=", "{}", 401, NO_PROOF, "", NULL },

    { "GitLab", "", "X-Gitlab-Token: " KEY "\nX-Gitlab-Event: Push Hook\nX-Gitlab-Event-UUID: u", "{\"ref\":\"refs/heads/a/b\",\"project\":{\"git_ssh_url\":\"git@gitlab.com:a/b.git\"}}",
      200, "OK", "git git@gitlab.com:a/b.git a/b", "u" },
    { "GitLab", "", "X-Gitlab-Token: " KEY "\nX-Gitlab-Event: Note Hook", "{}", 400, "unexpected hook kind: let it send only \"Push Hook\"", "", NULL },
    { "GitLab", "", "X-Gitlab-Token: " KEY "x\nX-Gitlab-Event: Push Hook", "{}", 401, NO_PROOF, "", NULL },
    { "GitLab", "", "X-Gitlab-Token: \nX-Gitlab-Event: Push Hook", "{}", 401, NO_PROOF, "", NULL },
    { "GitLab", "", "X-Gitlab-Event: Push Hook", "{}", 401, NO_PROOF, "", NULL },

    { "BitbucketCloud", "", "X-Event-Key: repo:push\nX-Request-UUID: r", CLOUD_BODY, 200, "OK", "git git@bitbucket.org:a/b.git main,git git@bitbucket.org:a/b.git dev", "r" },
    { "BitbucketCloud", "", "X-Event-Key: repo:push\nX-Hub-Signature: sha256=HMAC256", CLOUD_BODY, 200, "OK", "git git@bitbucket.org:a/b.git main,git git@bitbucket.org:a/b.git dev", NULL },
    { "BitbucketCloud", "", "X-Event-Key: repo:push\nX-Hub-Signature: sha256=00", CLOUD_BODY, 401, NO_PROOF, "", NULL },
    { "BitbucketCloud", "", "X-Event-Key: repo:fork", CLOUD_BODY, 400, NULL, "", NULL },
    { "BitbucketCloud", "", "X-Event-Key: repo:push", "{}", 400, "the payload names no repository", "", NULL },

    { "BitbucketServer", "", "X-Event-Key: repo:refs_changed\nX-Hub-Signature: sha256=HMAC256", SERVER_BODY, 200, "OK", "git ssh://git@h:7999/a/b.git main", NULL },
    { "BitbucketServer", "", "X-Event-Key: diagnostics:ping\nX-Hub-Signature: sha256=HMAC256", "{\"test\":true}", 200, "Pong", "", NULL },
    { "BitbucketServer", "", "X-Event-Key: repo:refs_changed", SERVER_BODY, 401, NO_PROOF, "", NULL },

    { "Gitea", "", "X-Gitea-Event: push\nX-Gitea-Signature: HMAC256\nX-Gitea-Delivery: g", GITHUB_BODY, 200, "OK", "git git@github.com:a/b.git main", "g" },
    { "Gitea", "", "X-Gitea-Event: push\nX-Gitea-Signature: HMAC1", GITHUB_BODY, 401, NO_PROOF, "", NULL },
    { "Gitea", "", "X-Gitea-Event: create\nX-Gitea-Signature: HMAC256", GITHUB_BODY, 200, OTHER, "", NULL },

    { "DockerHub", "", "", "{\"repository\":{\"repo_name\":\"a/b\"}}", 200, "OK", "image  a/b", NULL },
    { "DockerHub", "", "", "{\"repository\":{}}", 400, "the payload names no image", "", NULL },
    { "Quay", "", "", "{\"docker_url\":\"quay.io/a/b\"}", 200, "OK", "image quay.io a/b", NULL },

    { "GoogleContainerRegistry", "", "", GOOGLE(INSERTED), 200, "OK", "image gcr.io p/x", "7" },
    { "GoogleContainerRegistry", "", "", GOOGLE(DELETED), 200, "OK", "", "7" },
    { "GoogleContainerRegistry", "", "", GOOGLE("?"), 200, "OK", "", "7" },
    { "GoogleContainerRegistry", "", "", "no json", 200, "OK", "", NULL },

    { "GoogleContainerRegistry", ", gcr: {audience: a}", "Authorization: Bearer t.t", GOOGLE(INSERTED), 200, "OK", "image gcr.io p/x", "7" },
    { "GoogleContainerRegistry", ", gcr: {audience: a}", "", GOOGLE(INSERTED), 401, NO_PROOF, "", NULL },
    { "GoogleContainerRegistry", ", gcr: {audience: a}", "Authorization: Bearer ", GOOGLE(INSERTED), 401, NO_PROOF, "", NULL },
    { "GoogleContainerRegistry", ", gcr: {audience: a}", "Authorization: Basic t", GOOGLE(INSERTED), 401, NO_PROOF, "", NULL },

    { "Harbor", "", "Authorization: " KEY, HARBOR_BODY("PUSH_ARTIFACT"), 200, "OK", "image h.io a/b", NULL },
    { "Harbor", "", "Authorization: " KEY, HARBOR_BODY("pushImage"), 200, "OK", "image h.io a/b", NULL },
    { "Harbor", "", "Authorization: " KEY, HARBOR_BODY("DELETE_ARTIFACT"), 200, OTHER, "", NULL },
    { "Harbor", "", "Authorization: other", HARBOR_BODY("pushImage"), 401, NO_PROOF, "", NULL },

    { "Nexus", "", "X-Nexus-Webhook-Signature: HMAC1\nX-Nexus-Webhook-Id: rm:repository:component", NEXUS_BODY("CREATED", "docker"), 200, "OK", "image  a/b", NULL },
    { "Nexus", ", registryHost: \"h:8083\"", "X-Nexus-Webhook-Signature: HMAC1\nX-Nexus-Webhook-Id: rm:repository:component", NEXUS_BODY("CREATED", "docker"), 200, "OK", "image h:8083 a/b", NULL },
    { "Nexus", "", "X-Nexus-Webhook-Signature: HMAC1\nX-Nexus-Webhook-Id: rm:repository:component", NEXUS_BODY("CREATED", "npm"), 400, NULL, "", NULL },
    { "Nexus", "", "X-Nexus-Webhook-Signature: HMAC1\nX-Nexus-Webhook-Id: rm:repository:component", NEXUS_BODY("UPDATED", "docker"), 200, OTHER, "", NULL },
    { "Nexus", "", "X-Nexus-Webhook-Signature: HMAC1\nX-Nexus-Webhook-Id: rm:repository:asset", NEXUS_BODY("CREATED", "docker"), 400, NULL, "", NULL },
    { "Nexus", "", "X-Nexus-Webhook-Signature: HMAC256\nX-Nexus-Webhook-Id: rm:repository:component", NEXUS_BODY("CREATED", "docker"), 401, NO_PROOF, "", NULL },

    { "Generic", "", "X-Signature: sha256=HMAC256", "{\"Kind\":\"git\",\"Source\":{\"URL\":\"git@h:a\",\"Branch\":\"main\"}}", 200, "OK", "git git@h:a main", NULL },
    { "Generic", "", "X-Signature: HMAC256", "{\"Kind\":\"image\",\"Source\":{\"Name\":{\"Domain\":\"d\",\"Image\":\"i\"}}}", 200, "OK", "image d i", NULL },
    { "Generic", "", "X-Signature: HMAC256", "{\"Kind\":\"other\"}", 400, NULL, "", NULL },
    { "Generic", "", "X-Signature: sha256=", "{}", 401, NO_PROOF, "", NULL },
    /* clang-format on */
};

static const char *told(struct arena *mem, const struct receive_verdict *verdict)
{
    const char *text = "";
    for (size_t i = 0; i < verdict->len; i++) {
        const struct api_change *one = &verdict->changes[i];
        bool is_git = one->kind == API_CHANGE_GIT;
        text = arena_printf(mem, "%s%s%s %s %s", text, i ? "," : "", is_git ? "git" : "image",
                            is_git ? one->url : one->domain, is_git ? one->branch : one->image);
    }
    return text;
}

static void each_source_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(receive_cases); i++) {
        const struct receive_case *row = &receive_cases[i];
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct receive_config config = configured(mem, row->source, row->more);
        struct headers headers = { mem, row->headers, row->body };
        struct receive_request request = { .endpoint = &config.at[0],
                                           .header = find_header,
                                           .ctx = &headers,
                                           .body = row->body,
                                           .len = strlen(row->body) };
        struct receive_verdict verdict;
        receive_judge(mem, &request, &verdict);
        if (verdict.status != row->status || strcmp(told(mem, &verdict), row->changes) != 0 ||
            (row->text && strcmp(verdict.text, row->text) != 0) ||
            strcmp(verdict.delivery ? verdict.delivery : "", row->delivery ? row->delivery : "") !=
                0)
            fail_msg("row %zu, %s: %d %s [%s] %s", i, row->source, verdict.status, verdict.text,
                     told(mem, &verdict), verdict.delivery ? verdict.delivery : "-");
        assert_null(strstr(verdict.text, KEY));
    }
}

/* printf '{}' | openssl dgst -sha256 -hmac 0123456789abcdef, and the same with -sha1. */
static void signatures_are_those_of_openssl(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct headers headers = { mem, "", "{}" };
    assert_string_equal(signature(&headers, true),
                        "f91e3e9f05cc2df64ac1c26f8adccdffda8d1e4a7a8c50a1a08eeadac6ddfec5");
    assert_string_equal(signature(&headers, false), "1ed9af9e5e8ff2f804bcff95a337649c0095d057");
}

static void a_token_is_for_one_audience(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const struct {
        const char *text;
        bool is_claimed;
    } rows[] = {
        { "{\"iss\":\"accounts.google.com\",\"aud\":\"a\"}", true },
        { "{\"iss\":\"https://accounts.google.com\",\"aud\":\"a\"}", true },
        { "{\"iss\":\"https://accounts.google.com\",\"aud\":\"b\"}", false },
        { "{\"iss\":\"https://evil.example\",\"aud\":\"a\"}", false },
        { "{\"aud\":\"a\"}", false },
        { "{\"iss\":\"accounts.google.com\",\"aud\":[\"a\"]}", false },
        { "{", false },
        { "", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(receive_is_claimed(mem, rows[i].text, strlen(rows[i].text), "a"),
                         rows[i].is_claimed);
}

static void the_path_is_the_hash_of_key_and_host(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct receive_config config = configured(mem, "Quay", "");
    /* printf '0123456789abcdef\n' | sha256sum; the same with "h" behind it */
    assert_string_equal(config.at[0].path, "/hook/" PATH_OF_KEY);
    assert_ptr_equal(receive_find(&config, "/hook/" PATH_OF_KEY), &config.at[0]);
    assert_null(receive_find(&config, "/hook/"));
    assert_null(receive_find(&config, ""));
    config = configured(mem, "Nexus", ", registryHost: h");
    assert_string_equal(config.at[0].path, "/hook/" PATH_OF_KEY_AND_HOST);
}

static const struct config_case {
    const char *text, *error;
} config_cases[] = {
    { "", "it has 0 documents, not one" },
    { "[", NULL },
    { "a: 1\n", "unknown field \"a\"" },
    { "- 1\n", "it is a list, not a map" },
    { "fluxRecvVersion: 2\n", "fluxRecvVersion has to be 1" },
    { "endpoints: []\n", "fluxRecvVersion has to be 1" },
    { "fluxRecvVersion: 1\n", "endpoints is a list of 1 to 64" },
    { "fluxRecvVersion: 1\nendpoints: [{keyPath: k}]\n", NULL },
    { "fluxRecvVersion: 1\nendpoints:\n- {source: GitHub}\n",
      "endpoint 1 (line 3): keyPath is missing: the file with the secret" },
    { "fluxRecvVersion: 1\nendpoints:\n- {source: GitHub, keyPath: k, key: secret}\n",
      "endpoint 1 (line 3): unknown field \"key\"" },
    { "fluxRecvVersion: 1\nendpoints:\n- {source: GoogleContainerRegistry, keyPath: k, gcr: "
      "{audienz: a}}\n",
      NULL },
    { "fluxRecvVersion: 1\nendpoints: [1]\n", NULL },
};

static void a_bad_configuration_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_cases); i++) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct receive_config config;
        SCOPED(err_free)
        struct err *e =
            receive_config_parse(mem, config_cases[i].text, strlen(config_cases[i].text), &config);
        assert_non_null(e);
        if (config_cases[i].error)
            assert_string_equal(err_text(e), config_cases[i].error);
    }
}

static void a_key_has_to_be_a_secret(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct receive_endpoint endpoint = { .registry_host = "" };
    static const char *const bad[] = { "", "\n", "1234567", "1234567\n\r\n" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        SCOPED(err_free) struct err *e = receive_set_key(mem, bad[i], strlen(bad[i]), &endpoint);
        assert_non_null(e);
        assert_null(strstr(err_text(e), "1234567"));
    }
    SCOPED(err_free) struct err *nul = receive_set_key(mem, "12345\0678", 9, &endpoint);
    assert_non_null(nul);
}

static void a_delivery_is_seen_once(void **state)
{
    (void)state;
    struct receive_seen seen = { .len = 0 };
    assert_false(receive_seen_before(&seen, "/a", "1", 0));
    assert_true(receive_seen_before(&seen, "/a", "1", 5));
    assert_false(receive_seen_before(&seen, "/b", "1", 5));
    assert_false(receive_seen_before(&seen, "/a", "1", RECEIVE_SEEN_FOR_MS));
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (int i = 0; i < RECEIVE_SEEN_MAX; i++)
        assert_false(
            receive_seen_before(&seen, "/many", arena_printf(mem, "%d", i), RECEIVE_SEEN_FOR_MS));
    assert_true(receive_seen_before(&seen, "/many", "0", RECEIVE_SEEN_FOR_MS));
    assert_false(receive_seen_before(&seen, "/a", "1", RECEIVE_SEEN_FOR_MS)); /* pushed out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_source_is_understood),
        cmocka_unit_test(signatures_are_those_of_openssl),
        cmocka_unit_test(a_token_is_for_one_audience),
        cmocka_unit_test(the_path_is_the_hash_of_key_and_host),
        cmocka_unit_test(a_bad_configuration_is_refused),
        cmocka_unit_test(a_key_has_to_be_a_secret),
        cmocka_unit_test(a_delivery_is_seen_once),
    };
    return cmocka_run_group_tests_name("api_receive", tests, NULL, NULL);
}
