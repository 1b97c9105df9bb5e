#include <string.h>

#include "../rows.h"

#include "base/sbuf.h"
#include "image/wire.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void assert_error(struct err *e, const char *text)
{
    if (text)
        assert_string_equal(err_text(e), text);
    else
        assert_string_equal(err_text(e), "");
    err_free(e);
}

/* -- tags */

static void tags_are_appended_and_bad_ones_counted(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_tags tags = { 0 };
    const char *body = "{\"name\":\"a\",\"tags\":[\"1.0\",\"_x-1\",\"-no\",\"a b\",\"\",7]}";
    assert_error(image_wire_tags(mem, body, strlen(body), &tags), NULL);
    body = "{\"tags\":null}";
    assert_error(image_wire_tags(mem, body, strlen(body), &tags), NULL);
    body = "{\"tags\":[\"z\"]}";
    assert_error(image_wire_tags(mem, body, strlen(body), &tags), NULL);
    assert_int_equal(tags.len, 3);
    assert_int_equal(tags.bad, 4);
    assert_string_equal(tags.at[1], "_x-1");
    assert_string_equal(tags.at[2], "z");
    body = "{\"tags\":{}}";
    assert_error(image_wire_tags(mem, body, strlen(body), &tags),
                 "list of tags: \"tags\" is a map, not a list");
    assert_error(image_wire_tags(mem, "[]", 2, &tags), "list of tags: not an object");
}

static void too_many_tags_are_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(body, SBUF_MAX);
    sbuf_add(&body, "{\"tags\":[\"a0\"");
    for (size_t i = 1; i <= IMAGE_TAGS_MAX; i++)
        sbuf_addf(&body, ",\"a%zu\"", i);
    sbuf_add(&body, "]}");
    struct image_tags tags = { 0 };
    struct err *e = image_wire_tags(mem, body.bytes, body.len, &tags);
    assert_true(err_is(e, ERR_LIMIT));
    err_free(e);
}

/* -- Link */

struct next_case {
    const char *name, *link, *next, *error;
};
#define ASKED "https://r.example:5000/v2/a/b/tags/list?n=2"
static const struct next_case next_cases[] = {
    { "no link, no next page", NULL, NULL, NULL },
    { "a path", "</v2/a/b/tags/list?last=x&n=2>; rel=\"next\"",
      "https://r.example:5000/v2/a/b/tags/list?last=x&n=2", NULL },
    { "a query", "<?last=x>; rel=next", "https://r.example:5000/v2/a/b/tags/list?last=x", NULL },
    { "beside what was asked", "<list?last=x>;rel=\"next\"",
      "https://r.example:5000/v2/a/b/tags/list?last=x", NULL },
    { "a whole URL of the same host, any case", "<https://R.EXAMPLE:5000/x>; rel=\"next\"",
      "https://R.EXAMPLE:5000/x", NULL },
    { "the second link is the one",
      "</p>; title=\"a, <b>; rel=next\"; rel=prev, </n>; REL=\"Next\"", "https://r.example:5000/n",
      NULL },
    { "a fragment is dropped", "</n#x>; rel=next", "https://r.example:5000/n", NULL },
    { "another relation is no next page", "</p>; rel=\"prev\"", NULL, NULL },
    { "a link that does not end", "</p; rel=next", NULL, NULL },
    { "another host", "<https://evil.example/x>; rel=next", NULL, "https://evil.example" },
    { "another host without its scheme", "<//evil.example/x>; rel=next", NULL,
      "https://evil.example" },
    { "another port", "<https://r.example/x>; rel=next", NULL, "https://r.example" },
    { "another scheme", "<http://r.example:5000/x>; rel=next", NULL, "http://r.example:5000" },
    { "a user before the host", "<https://r.example:5000@evil.example/x>; rel=next", NULL,
      "the next page of tags has no valid address" },
    { "no host", "<file:///etc/passwd>; rel=next", NULL,
      "the next page of tags has no valid address" },
    { "a line end", "</x\r\ny>; rel=next", NULL, "the next page of tags has no valid address" },
};

static void next_matches_case(void **state)
{
    const struct next_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *next = NULL;
    struct err *e = image_wire_next(mem, ASKED, c->link, &next);
    bool is_origin = c->error && strncmp(c->error, "http", 4) == 0;
    assert_error(e, is_origin ? arena_printf(mem,
                                             "the next page of tags is said to be on another host "
                                             "or by another scheme (%s), which is refused",
                                             c->error)
                              : c->error);
    if (c->next)
        assert_string_equal(next, c->next);
    else
        assert_null(next);
}

static void the_port_of_the_scheme_may_be_left_out(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *next = NULL;
    assert_error(image_wire_next(mem, "https://a/v2/", "<https://a:443/x>; rel=next", &next), NULL);
    assert_string_equal(next, "https://a:443/x");
    assert_error(image_wire_next(mem, "http://a:80/v2/", "<http://a/x>; rel=next", &next), NULL);
    assert_string_equal(next, "http://a/x");
}

/* -- WWW-Authenticate */

struct challenge_case {
    const char *name, *header;
    struct image_challenge wanted;
};
static const struct challenge_case challenge_cases[] = {
    { "none", NULL, { IMAGE_AUTH_NONE, "", "", "" } },
    { "Docker Hub's",
      "Bearer "
      "realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:"
      "a/b:pull\"",
      { IMAGE_AUTH_BEARER, "https://auth.docker.io/token", "registry.docker.io",
        "repository:a/b:pull" } },
    { "basic", "basic Realm=\"Registry Realm\"", { IMAGE_AUTH_BASIC, "Registry Realm", "", "" } },
    { "blanks and quoted characters",
      "Bearer  realm = \"a\\\"b\" , service=x",
      { IMAGE_AUTH_BEARER, "a\"b", "x", "" } },
    { "the token is preferred",
      "Basic realm=\"x\", Bearer realm=\"y\"",
      { IMAGE_AUTH_BEARER, "y", "", "" } },
    { "unknown ones are passed over",
      "Negotiate, Digest nonce=\"a\", Basic realm=\"x\"",
      { IMAGE_AUTH_BASIC, "x", "", "" } },
    { "a text that does not end", "Bearer realm=\"x", { IMAGE_AUTH_BEARER, "x", "", "" } },
    { "a scheme alone", "Bearer", { IMAGE_AUTH_BEARER, "", "", "" } },
    { "nonsense", "=,;\"", { IMAGE_AUTH_NONE, "", "", "" } },
};

static void challenge_matches_case(void **state)
{
    const struct challenge_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_challenge got;
    image_wire_challenge(mem, c->header, &got);
    assert_int_equal(got.kind, c->wanted.kind);
    assert_string_equal(got.realm, c->wanted.realm);
    assert_string_equal(got.service, c->wanted.service);
    assert_string_equal(got.scope, c->wanted.scope);
}

static void a_challenge_takes_no_more_room_than_it_has(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new((size_t)1 << 20); /* passing it aborts */
    struct image_challenge got;
    SBUF(header, SBUF_MAX);
    sbuf_add(&header, "Bearer realm=\"https://a/\"");
    while (header.len < ((size_t)15 << 10))
        sbuf_add(&header, ",x=\"\"");
    image_wire_challenge(mem, header.bytes, &got);
    assert_string_equal(got.realm, "https://a/");
    while (header.len < ((size_t)17 << 10))
        sbuf_add(&header, ",x=\"\"");
    image_wire_challenge(mem, header.bytes, &got);
    assert_int_equal(got.kind, IMAGE_AUTH_NONE);
}

/* -- manifests */

#define LINUX(digest, arch) \
    "{\"digest\":\"" digest "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"}}"
#define ARM(digest, variant)                                                              \
    "{\"digest\":\"" digest "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"," \
    "\"variant\":\"" variant "\"}}"
#define INDEX(entries)                                                                \
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"," \
    "\"manifests\":[" entries "]}"
#define UNKNOWN \
    "{\"digest\":\"" C "\",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}}"
#define ATTESTATION                                                                \
    "{\"digest\":\"" C                                                             \
    "\",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}," \
    "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}"

struct manifest_case {
    const char *name, *body, *type, *platforms[4];
    enum image_manifest_kind kind;
    const char *config, *child, *why, *error;
};
static const struct manifest_case manifest_cases[] = {
    { "schema 2",
      "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\"},\"layers\":[]}",
      "application/vnd.docker.distribution.manifest.v2+json",
      { "linux/amd64" },
      IMAGE_MANIFEST_CONFIG,
      A,
      NULL,
      NULL,
      NULL },
    { "OCI without a type",
      "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\"}}",
      "application/json",
      { "linux/amd64" },
      IMAGE_MANIFEST_CONFIG,
      A,
      NULL,
      NULL,
      NULL },
    { "OCI index: ours",
      INDEX(LINUX(A, "arm64") "," LINUX(B, "amd64")),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      B,
      NULL,
      NULL },
    { "the platforms in their order",
      INDEX(LINUX(A, "arm64") "," LINUX(B, "amd64")),
      NULL,
      { "linux/s390x", "linux/arm64", "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      A,
      NULL,
      NULL },
    { "v8 is what arm64 means",
      INDEX(LINUX(A, "arm64")),
      NULL,
      { "linux/arm64/v8" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      A,
      NULL,
      NULL },
    { "the exact variant first",
      INDEX(ARM(A, "v6") "," ARM(B, "v7")),
      NULL,
      { "linux/arm/v7" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      B,
      NULL,
      NULL },
    { "another variant is another platform",
      INDEX(ARM(A, "v6")),
      NULL,
      { "linux/arm/v7" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      "no suitable manifest (linux arm v7) in manifestlist",
      NULL },
    { "attestations are no images",
      INDEX(UNKNOWN "," ATTESTATION "," LINUX(A, "amd64")),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      A,
      NULL,
      NULL },
    { "attestations alone",
      INDEX(UNKNOWN "," ATTESTATION),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      "no suitable manifest (linux amd64) in manifestlist",
      NULL },
    { "no platform of ours",
      INDEX(LINUX(A, "s390x")),
      NULL,
      { "linux/amd64", "linux/arm64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      "no suitable manifest (linux amd64, linux arm64) in manifestlist",
      NULL },
    { "an empty index",
      INDEX(""),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      "no suitable manifest (linux amd64) in manifestlist",
      NULL },
    { "an index without platforms",
      INDEX("{\"digest\":\"" A "\"}"),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      A,
      NULL,
      NULL },
    { "a digest that is a path",
      INDEX("{\"digest\":\"sha256:../../x\"}"),
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      NULL,
      "manifest list: an entry has no sha256 digest" },
    { "a config without digest",
      "{\"config\":{\"digest\":\"sha512:x\"}}",
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_CONFIG,
      NULL,
      NULL,
      NULL,
      "manifest: its config has no sha256 digest" },
    { "two kinds in one",
      "{\"config\":{\"digest\":\"" A "\"},\"manifests\":[]}",
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_CONFIG,
      NULL,
      NULL,
      NULL,
      "manifest: has both manifests and a config, and no type" },
    { "header and body disagree",
      INDEX(""),
      "application/vnd.oci.image.manifest.v1+json",
      { "linux/amd64" },
      IMAGE_MANIFEST_INDEX,
      NULL,
      NULL,
      NULL,
      "manifest: sent as application/vnd.oci.image.manifest.v1+json, but says it is "
      "application/vnd.oci.image.index.v1+json" },
    { "no kind at all",
      "{}",
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_CONFIG,
      NULL,
      NULL,
      NULL,
      "manifest: of no kind that serin knows" },
    { "schema 1 without history",
      "{\"schemaVersion\":1}",
      NULL,
      { "linux/amd64" },
      IMAGE_MANIFEST_V1,
      NULL,
      NULL,
      NULL,
      "manifest: history[0].v1Compatibility is missing" },
};

static void assert_text(const char *got, const char *wanted)
{
    assert_string_equal(got ? got : "(none)", wanted ? wanted : "(none)");
}

static void manifest_matches_case(void **state)
{
    const struct manifest_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_manifest got;
    struct err *e = image_wire_manifest(mem, c->body, strlen(c->body), c->type, c->platforms, &got);
    assert_error(e, c->error);
    if (c->error)
        return;
    assert_int_equal(got.kind, c->kind);
    assert_text(got.config_digest, c->config);
    assert_text(got.child_digest, c->child);
    assert_text(got.why, c->why);
}

static void schema_1_says_all_itself(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char *const platforms[] = { "linux/amd64", NULL };
    const char *body =
        "{\"schemaVersion\":1,\"history\":[{\"v1Compatibility\":\"{\\\"id\\\":"
        "\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\",\\\"created\\\":"
        "\\\"2019-01-02T03:04:05.5Z\\\",\\\"config\\\":{\\\"Labels\\\":{\\\"org.label-schema.build-"
        "date\\\":\\\"2019-01-01T00:00:00Z\\\"}}}\"}]}";
    struct image_manifest got;
    assert_error(image_wire_manifest(mem, body, strlen(body),
                                     "application/vnd.docker.distribution.manifest.v1+prettyjws",
                                     platforms, &got),
                 NULL);
    assert_int_equal(got.kind, IMAGE_MANIFEST_V1);
    assert_true(got.info.has_created && got.info.is_known);
    assert_int_equal(got.info.created_ns, 1546398245500000000);
    assert_string_equal(got.info.image_id, A + strlen("sha256:"));
    assert_string_equal(got.info.label_build_date, "2019-01-01T00:00:00Z");
}

/* -- the configuration */

struct config_case {
    const char *name, *body;
    bool has_created;
    const char *label_created, *label_build_date, *error;
};
static const struct config_case config_cases[] = {
    { "created", "{\"created\":\"2020-01-01T00:00:00Z\"}", true, "", "", NULL },
    { "a bad time is none", "{\"created\":\"yesterday\"}", false, "", "", NULL },
    { "Go's zero time is none", "{\"created\":\"0001-01-01T00:00:00Z\"}", false, "", "", NULL },
    { "labels of config come first",
      "{\"config\":{\"Labels\":{\"org.opencontainers.image.created\":\"2020-01-01T00:00:00Z\"}},"
      "\"container_config\":{\"Labels\":{\"org.opencontainers.image.created\":\"2021-01-01T00:00:"
      "00Z\","
      "\"org.label-schema.build-date\":\"2022-01-01T00:00:00Z\"}}}",
      false, "2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z", NULL },
    { "a bad label is none",
      "{\"config\":{\"Labels\":{\"org.opencontainers.image.created\":\"now\"}}}", false, "", "",
      NULL },
    { "labels of null", "{\"config\":{\"Labels\":null},\"container_config\":null}", false, "", "",
      NULL },
    { "no object", "[]", false, "", "", "image configuration: not an object" },
};

static void config_matches_case(void **state)
{
    const struct config_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_info got;
    assert_error(image_wire_config(mem, c->body, strlen(c->body), &got), c->error);
    assert_int_equal(got.has_created, c->has_created);
    assert_string_equal(got.label_created, c->label_created);
    assert_string_equal(got.label_build_date, c->label_build_date);
}

/* -- files of credentials: host user password token helper, a line each */

struct docker_case {
    const char *name, *text, *logins;
    size_t bad;
    const char *error;
};
static const struct docker_case docker_cases[] = {
    { "base64 of user and password",
      "{\"auths\":{\"https://r.example:5000/v1/\":{\"auth\":\"dTpwOnE=\"}}}",
      "r.example:5000 u p:q - -\n", 0, NULL },
    { "an old file", "{\"r.example\":{\"auth\":\"dTpw\",\"email\":\"x\"}}", "r.example u p - -\n",
      0, NULL },
    { "Docker Hub has many names",
      "{\"auths\":{\"docker.io\":{\"auth\":\"dTpw\"},\"https://index.docker.io/v1/\":{\"auth\":"
      "\"djpx\"},\"HTTPS://Registry-1.Docker.IO\":{\"auth\":\"dTpw\"}}}",
      "index.docker.io u p - -\nindex.docker.io v q - -\nindex.docker.io u p - -\n", 0, NULL },
    { "user and password of their own",
      "{\"auths\":{\"a\":{\"username\":\"u\",\"password\":\"p\"}}}", "a u p - -\n", 0, NULL },
    { "an identity token", "{\"auths\":{\"a\":{\"auth\":\"\",\"identitytoken\":\"t\"}}}",
      "a - - t -\n", 0, NULL },
    { "one bad entry leaves the others",
      "{\"auths\":{\"a\":{\"auth\":\"!!\"},\"b\":{\"auth\":\"dTpw\"},\"c\":{\"auth\":\"dQ==\"},"
      "\"d\":7,"
      "\"e\":{}}}",
      "b u p - -\n", 4, NULL },
    { "helpers", "{\"credHelpers\":{\"a\":\"ecr-login\",\"b\":\"../sh\"},\"credsStore\":\"pass\"}",
      "a - - - ecr-login\n - - - pass\n", 1, NULL },
    { "entries of a store are empty", "{\"auths\":{\"a\":{}},\"credsStore\":\"pass\"}",
      " - - - pass\n", 0, NULL },
    { "an empty file", "{}", "", 0, NULL },
    { "no object", "[]", "", 0, "not an object" },
    { "a list of hosts", "{\"auths\":[]}", "", 0, "\"auths\" is a list, not a map" },
};

static void add_word(struct sbuf *out, const char *text)
{
    sbuf_addf(out, " %s", *text ? text : "-");
}

static void docker_matches_case(void **state)
{
    const struct docker_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct image_logins logins = { 0 };
    assert_error(image_wire_docker_config(mem, c->text, strlen(c->text), &logins), c->error);
    SBUF(got, SBUF_MAX);
    for (size_t i = 0; i < logins.len; i++) {
        sbuf_add(&got, logins.at[i].host);
        add_word(&got, logins.at[i].user);
        add_word(&got, logins.at[i].password);
        add_word(&got, logins.at[i].token);
        add_word(&got, logins.at[i].helper);
        sbuf_add(&got, "\n");
    }
    assert_string_equal(sbuf_text(&got), c->logins);
    assert_int_equal(logins.bad, c->bad);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(tags_are_appended_and_bad_ones_counted),
        SINGLE(too_many_tags_are_refused),
        SINGLE(the_port_of_the_scheme_may_be_left_out),
        SINGLE(schema_1_says_all_itself),
        SINGLE(a_challenge_takes_no_more_room_than_it_has),
        ROWS(next_cases, next_matches_case),
        ROWS(challenge_cases, challenge_matches_case),
        ROWS(manifest_cases, manifest_matches_case),
        ROWS(config_cases, config_matches_case),
        ROWS(docker_cases, docker_matches_case),
    };
    return rows_run("image_wire", tests, ARRAY_LEN(tests));
}
