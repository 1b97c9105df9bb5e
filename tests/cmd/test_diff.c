#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../rows.h"

#include "cmd/diff.h"
#include "doc/json.h"
#include "program.h"

#define ARGS_MAX 6

/* -- what is worth a line: from a live object and what an apply makes of it ---------------------- */

static const struct changes_case {
    const char *name, *live, *applied, *expected;
} changes_cases[] = {
    /* clang-format off */
    { "nothing changed, nothing said", "{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"1\"}}", "{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"1\"}}",
      "0 created, 0 changed, 0 deleted, 1 the same\n" },
    { "a value from and to", "{\"spec\":{\"replicas\":1}}", "{\"spec\":{\"replicas\":2}}",
      "demo/deployment/web (web.yaml:3)\n  ~ .spec.replicas: 1 -> 2\n0 created, 1 changed, 0 deleted, 0 the same\n" },
    { "a field that is new, and one that goes", "{\"spec\":{\"paused\":true}}", "{\"metadata\":{\"labels\":{\"team\":\"red\"}},\"spec\":{}}",
      "demo/deployment/web (web.yaml:3)\n  - .spec.paused: true\n  + .metadata.labels.team: \"red\"\n"
      "0 created, 1 changed, 0 deleted, 0 the same\n" },
    { "what the server writes is left out",
      "{\"metadata\":{\"uid\":\"a\",\"resourceVersion\":\"1\",\"generation\":1,\"creationTimestamp\":\"x\",\"managedFields\":[1]},\"status\":{\"a\":1}}",
      "{\"metadata\":{\"uid\":\"b\",\"resourceVersion\":\"2\",\"generation\":2,\"managedFields\":[2]},\"status\":{\"a\":2}}",
      "0 created, 0 changed, 0 deleted, 1 the same\n" },
    { "our marks and kubectl's copy are left out",
      "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"secret\"}}}",
      "{\"metadata\":{\"labels\":{\"fluxcd.io/sync-gc-mark\":\"m\"},\"annotations\":{\"fluxcd.io/sync-checksum\":\"c\"}}}",
      "0 created, 0 changed, 0 deleted, 1 the same\n" },
    { "values of a Secret are masked, its labels are not",
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"labels\":{\"a\":\"b\"}},\"data\":{\"password\":\"b2xk\",\"gone\":\"eA==\"}}",
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"labels\":{\"a\":\"c\"}},\"data\":{\"password\":\"bmV3\",\"fresh\":\"eA==\"}}",
      "demo/deployment/web (web.yaml:3)\n  ~ .metadata.labels.a: \"b\" -> \"c\"\n  ~ .data.password: *** -> ***\n  - .data.gone: ***\n"
      "  + .data.fresh: ***\n0 created, 1 changed, 0 deleted, 0 the same\n" },
    { "all data of a Secret at once are masked", "{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}",
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"geheim\"}}", NULL },
    { "what only kubectl applied goes, what others own stays",
      "{\"metadata\":{\"resourceVersion\":\"1\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
      "\"{\\\"data\\\":{\\\"a\\\":\\\"1\\\",\\\"b.c\\\":\\\"2\\\",\\\"d\\\":\\\"3\\\"},\\\"ports\\\":[{\\\"port\\\":80,\\\"name\\\":\\\"x\\\"},{\\\"port\\\":81}]}\"},"
      "\"managedFields\":["
      "{\"manager\":\"kubectl-client-side-apply\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{"
      "\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:kubectl.kubernetes.io/last-applied-configuration\":{}}},"
      "\"f:data\":{\".\":{},\"f:a\":{},\"f:b.c\":{},\"f:d\":{},\"f:default\":{}},"
      "\"f:ports\":{\"k:{\\\"port\\\":80}\":{\".\":{},\"f:port\":{},\"f:name\":{}},\"k:{\\\"port\\\":81}\":{\".\":{},\"f:port\":{}}}}},"
      "{\"manager\":\"autoscaler\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:data\":{\"f:d\":{}}}}]},"
      "\"data\":{\"a\":\"1\",\"b.c\":\"2\",\"d\":\"3\",\"default\":\"4\"},\"ports\":[{\"port\":80,\"name\":\"x\"},{\"port\":81}]}",
      "{\"metadata\":{\"managedFields\":[{\"manager\":\"serin\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{"
      "\"f:data\":{\"f:a\":{}},\"f:ports\":{\"k:{\\\"port\\\":80}\":{\".\":{},\"f:port\":{}}}}}]},"
      "\"data\":{\"a\":\"1\",\"b.c\":\"2\",\"d\":\"3\",\"default\":\"4\"},\"ports\":[{\"port\":80,\"name\":\"x\"},{\"port\":81}]}",
      "demo/deployment/web (web.yaml:3)\n  - .data[\"b.c\"]: \"2\"\n  - .ports[port=80].name: \"x\"\n  - .ports[port=81].port: 81\n"
      "0 created, 1 changed, 0 deleted, 0 the same\n" },
    { "names and values in paths are quoted where they could end them",
      "{\"metadata\":{\"resourceVersion\":\"1\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
      "\"{\\\"spec\\\":{\\\"a\\\\\\\"].b\\\":\\\"1\\\",\\\"l\\\":[{\\\"name\\\":\\\"x].y\\\",\\\"v\\\":\\\"2\\\"}]}}\"},"
      "\"managedFields\":["
      "{\"manager\":\"kubectl-client-side-apply\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{"
      "\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:kubectl.kubernetes.io/last-applied-configuration\":{}}},"
      "\"f:spec\":{\"f:a\\\"].b\":{},\"f:l\":{\"k:{\\\"name\\\":\\\"x].y\\\"}\":{\".\":{},\"f:v\":{}}}}}}]},"
      "\"spec\":{\"a\\\"].b\":\"1\",\"l\":[{\"name\":\"x].y\",\"v\":\"2\"}]}}",
      "{\"metadata\":{\"managedFields\":[{\"manager\":\"serin\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{}}]},"
      "\"spec\":{\"a\\\"].b\":\"1\",\"l\":[{\"name\":\"x].y\",\"v\":\"2\"}]}}",
      "demo/deployment/web (web.yaml:3)\n  - .spec[\"a\\\"].b\"]: \"1\"\n  - .spec.l[name=\"x].y\"].v: \"2\"\n"
      "0 created, 1 changed, 0 deleted, 0 the same\n" },
    { "a long value is cut", "{\"data\":{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
      "4567890123456789012345678901234567890123456789012345678901234567\xc3\xa9\xc3\xa9\"}}", "{\"data\":{}}",
      "demo/deployment/web (web.yaml:3)\n  - .data.a: \"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
      "012345678901234567890123456789012345678901234567890123456789012345678901234567... (164 bytes)\n"
      "0 created, 1 changed, 0 deleted, 0 the same\n" },
    /* clang-format on */
};

static const struct val *parse(struct arena *mem, const char *text)
{
    struct val *value = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &value);
    assert_null(e);
    return value;
}

static void changes_are_printed(void **state)
{
    const struct changes_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    struct diff_object object = { .api_version = "apps/v1",
                                  .ns = "demo",
                                  .kind = "Deployment",
                                  .name = "web",
                                  .path = "web.yaml",
                                  .line = 3,
                                  .note = "" };
    SBUF(text, 1 << 16);
    diff_changes(mem, parse(mem, row->live), parse(mem, row->applied), &object.changes);
    object.action = object.changes.len ? DIFF_UPDATE : DIFF_NONE;
    diff_print(&(struct diff_objects){ .at = &object, .len = 1 }, &text);
    if (row->expected)
        assert_string_equal(sbuf_text(&text), row->expected);
    assert_null(strstr(sbuf_text(&text), "geheim"));
    diff_print_json(mem, &(struct diff_objects){ .at = &object, .len = 1 }, &text);
    assert_null(strstr(sbuf_text(&text), "geheim"));
    assert_null(strstr(sbuf_text(&text), "bmV3"));
    assert_true(object.action == DIFF_NONE ||
                strstr(sbuf_text(&text), "\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\""));
}

static void what_a_terminal_could_obey_is_spelt_out(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(1 << 20);
    struct diff_object object = { .api_version = "v1",
                                  .ns = "demo",
                                  .kind = "ConfigMap",
                                  .name = "a\033b",
                                  .path = "x\ny.yaml",
                                  .line = 1,
                                  .action = DIFF_ERROR,
                                  .note = "no\033[2J\nat all" };
    SBUF(text, 1 << 16);
    *vec_push(mem, &object.changes) = (struct doc_change){ .path = ".a\nb" };
    diff_print(&(struct diff_objects){ .at = &object, .len = 1 }, &text);
    assert_string_equal(
        sbuf_text(&text),
        "demo/configmap/a\\u001bb (x\\ny.yaml:1): error: no\\u001b[2J\\nat all\n  + .a\\nb: \n"
        "0 created, 0 changed, 0 deleted, 0 the same, 1 in error\n");
}

static void what_is_encrypted_is_compared_without_its_values(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 << 20);
    struct diff_object object = { .ns = "demo", .kind = "ConfigMap", .name = "web", .note = "" };
    object.path = "web.yaml";
    object.action = DIFF_UPDATE;
    SBUF(text, 1 << 16);
    diff_changes(mem,
                 parse(mem, "{\"data\":{\"a\":\"alt\",\"b\":1,\"x.y\":1},"
                            "\"env\":[{\"name\":\"geheim\",\"v\":[1]},{\"name\":\"a]b \\\"c\"}]}"),
                 parse(mem, "{\"data\":{\"a\":\"geheim\",\"c\":\"neu\",\"x.y\":2},"
                            "\"env\":[{\"name\":\"geheim\",\"v\":[2]}]}"),
                 &object.changes);
    *vec_push(mem, &object.changes) = (struct doc_change){ .path = ".ports[port=8080,p=x].a[0]" };
    *vec_push(mem, &object.changes) =
        (struct doc_change){ .path = ".l[\"a=b].c\"][\"k.l\"=\"geheim].x\",m=geheim].v" };
    diff_mask(mem, &object.changes);
    diff_print(&(struct diff_objects){ .at = &object, .len = 1 }, &text);
    assert_string_equal(sbuf_text(&text),
                        "demo/configmap/web (web.yaml:0)\n  ~ .data.a: *** -> ***\n"
                        "  - .data.b: ***\n  ~ .data[\"x.y\"]: *** -> ***\n"
                        "  + .data.c: ***\n  ~ .env[name=***].v[0]: *** -> ***\n"
                        "  - .env[name=***].name: ***\n  + .ports[port=***].a[0]: \n"
                        "  + .l[\"a=b].c\"][\"k.l\"=***].v: \n"
                        "0 created, 1 changed, 0 deleted, 0 the same\n");
}

/* -- the whole command, against an API server that says what a script tells it to ----------------- */

#define KIND(plural, kind, scope, verbs)                                      \
    "{\"resource\":\"" plural                                                 \
    "\",\"responseKind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"" kind \
    "\"},\"scope\":\"" scope "\",\"verbs\":[" verbs "]}"
#define ALL_VERBS "\"get\",\"list\",\"patch\",\"delete\",\"create\",\"watch\""
#define DISCOVERY                                                                        \
    "GET /version 200 {\"gitVersion\":\"v1.34.4\"}\n"                                    \
    "GET /api 200 "                                                                      \
    "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"          \
    "v2\",\"items\":[{\"metadata\":{},"                                                  \
    "\"versions\":[{\"version\":\"v1\",\"freshness\":\"Current\",\"resources\":[" KIND(  \
        "configmaps", "ConfigMap", "Namespaced",                                         \
        ALL_VERBS) "," KIND("namespaces", "Namespace", "Cluster",                        \
                            "\"get\",\"patch\"") "]}]}]}\n"                              \
                                                 "GET /apis 200 "                        \
                                                 "{\"kind\":\"APIGroupDiscoveryList\","  \
                                                 "\"apiVersion\":\"apidiscovery.k8s.io/" \
                                                 "v2\",\"items\":[]}\n"
#define MAP(data)                                                                               \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":" \
    "\"demo\"},\"data\":{" data "}}"
#define PATH_A  "/api/v1/namespaces/demo/configmaps/a"
#define DRY_RUN "PATCH " PATH_A "?fieldManager=serin&force=true&dryRun=All 200 "
#define NOT_FOUND                                                                                \
    "404 {\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"message\":\"not " \
    "found\",\"code\":404}\n"
#define NO_SPACE                                                                       \
    "404 "                                                                             \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"message\":" \
    "\"namespaces \\\"demo\\\" not found\","                                           \
    "\"details\":{\"name\":\"demo\",\"kind\":\"namespaces\"},\"code\":404}\n"
#define MANIFEST_A \
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: demo}\ndata: {k: new}\n"

static const struct whole_case {
    const char *name, *manifests, *args[ARGS_MAX], *script;
    int status;
    const char *out, *err;
} whole_cases[] = {
    /* clang-format off */
    { "the same is 0", MANIFEST_A, { "m.yaml" },
      DISCOVERY "GET " PATH_A " 200 " MAP("\"k\":\"new\"") "\n" DRY_RUN MAP("\"k\":\"new\"") "\n"
      "> ...\"data\":{\"k\":\"new\"}\n", 0, "0 created, 0 changed, 0 deleted, 1 the same\n", "" },
    { "a change is 1", MANIFEST_A, { "." },
      DISCOVERY "GET " PATH_A " 200 " MAP("\"k\":\"old\"") "\n" DRY_RUN MAP("\"k\":\"new\"") "\n", 1,
      "demo/configmap/a (m.yaml:1)\n  ~ .data.k: \"old\" -> \"new\"\n0 created, 1 changed, 0 deleted, 0 the same\n", "" },
    { "an object that is missing is created, 1", MANIFEST_A, { "." },
      DISCOVERY "GET " PATH_A " " NOT_FOUND DRY_RUN MAP("\"k\":\"new\"") "\n", 1,
      "demo/configmap/a (m.yaml:1): created\n1 created, 0 changed, 0 deleted, 0 the same\n", "" },
    { "one whose namespace is declared, too, is created", "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n---\n" MANIFEST_A, { "." },
      DISCOVERY "GET /api/v1/namespaces/demo " NOT_FOUND "PATCH /api/v1/namespaces/demo?dryRun=All 201 {\"kind\":\"Namespace\"}\n"
      "GET " PATH_A " " NOT_FOUND "PATCH " PATH_A "?dryRun=All " NO_SPACE, 1,
      "namespace/demo (m.yaml:1): created\ndemo/configmap/a (m.yaml:5): created\n2 created, 0 changed, 0 deleted, 0 the same\n", "" },
    { "one whose namespace nobody declares is an error, 2", MANIFEST_A, { "." },
      DISCOVERY "GET " PATH_A " " NOT_FOUND "PATCH " PATH_A "?dryRun=All " NO_SPACE, 2,
      "demo/configmap/a (m.yaml:1): error: namespaces \"demo\" not found (404 NotFound)\n"
      "0 created, 0 changed, 0 deleted, 0 the same, 1 in error\n", "" },
    { "one that the cluster has told to ignore is skipped", MANIFEST_A, { "." },
      DISCOVERY "GET " PATH_A " 200 {\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{\"fluxcd.io/ignore\":\"true\"}}}\n", 0,
      "demo/configmap/a (m.yaml:1): skipped: ignore annotation in cluster resource\n"
      "0 created, 0 changed, 0 deleted, 0 the same, 1 skipped\n", "" },
    { "a kind that nobody knows is skipped", "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n", { "." }, DISCOVERY, 0,
      NULL, "" },
    { "a file that cannot be read is 2, the others are compared", MANIFEST_A "---\na: [\n", { "." },
      DISCOVERY "GET " PATH_A " 200 " MAP("\"k\":\"new\"") "\n" DRY_RUN MAP("\"k\":\"new\"") "\n", 2,
      "0 created, 0 changed, 0 deleted, 1 the same\n", NULL },
    { "JSON has it all", MANIFEST_A, { ".", "-o", "json" },
      DISCOVERY "GET " PATH_A " 200 " MAP("\"k\":\"old\"") "\n" DRY_RUN MAP("\"k\":\"new\"") "\n", 1,
      "{\"objects\":[{\"namespace\":\"demo\",\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"a\",\"path\":\"m.yaml\",\"line\":1,\"action\":\"update\","
      "\"changes\":[{\"path\":\".data.k\",\"from\":\"old\",\"to\":\"new\"}]}],"
      "\"summary\":{\"none\":0,\"create\":0,\"update\":1,\"delete\":0,\"skip\":0,\"error\":0}}\n", "" },
    { "what nobody declares any more is deleted, when it is ours", MANIFEST_A,
      { ".", "--git-url=file:///repo.git", "--sync-garbage-collection" },
      DISCOVERY "GET " PATH_A " 200 " MAP("\"k\":\"new\"") "\n" DRY_RUN MAP("\"k\":\"new\"") "\n"
      "GET /api/v1/configmaps?labelSelector=fluxcd.io/sync-gc-mark 200 {\"kind\":\"PartialObjectMetadataList\",\"metadata\":{},\"items\":["
      "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"b\",\"labels\":{\"fluxcd.io/sync-gc-mark\":\"MARK(demo:configmap/b)\"}}},"
      "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\",\"labels\":{\"fluxcd.io/sync-gc-mark\":\"MARK(demo:configmap/a)\"}}},"
      "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"copied\",\"labels\":{\"fluxcd.io/sync-gc-mark\":\"MARK(demo:configmap/b)\"}}},"
      "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"kept\",\"labels\":{\"fluxcd.io/sync-gc-mark\":\"MARK(demo:configmap/kept)\"},"
      "\"annotations\":{\"fluxcd.io/ignore\":\"sync_only\"}}}]}\n", 1,
      "demo/configmap/b: deleted\n0 created, 0 changed, 1 deleted, 1 the same\n", "" },
    { "a server that refuses everybody is 2", MANIFEST_A, { "." },
      "*GET /version 403 {}\n*GET /api 403 {}\n*GET /apis 403 {}\n", 2, "", NULL },
    /* clang-format on */
};

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* MARK(id) in a script becomes the mark of that object in the set of file:///repo.git, master. */
static const char *with_marks(struct arena *mem, const char *script)
{
    SBUF(text, 1 << 20);
    const char *set = mark_set_name(mem, "file:///repo.git", "master", NULL);
    for (const char *at; (at = strstr(script, "MARK(")); script = strchr(at, ')') + 1) {
        const char *id = at + strlen("MARK(");
        sbuf_add_bytes(&text, script, (size_t)(at - script));
        sbuf_add(&text, mark_of(mem, set, arena_strndup(mem, id, strcspn(id, ")"))));
    }
    sbuf_add(&text, script);
    return arena_strdup(mem, sbuf_text(&text));
}

static void command_compares(void **state)
{
    const struct whole_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 << 20);
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(mem, "%s/serin-diff-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    struct program_daemon *server = program_daemon_start(with_marks(mem, row->script));
    write_file(dir, "m.yaml", row->manifests);
    write_file(
        dir, "kubeconfig",
        arena_printf(
            mem,
            "current-context: c\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
            "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n",
            program_daemon_port(server)));
    const char *env[] = { arena_printf(mem, "KUBECONFIG=%s/kubeconfig", dir), NULL };
    const char *argv[ARGS_MAX + 3] = { "serin", "diff" };
    memcpy(argv + 2, row->args, sizeof(row->args));
    struct program_result result;
    program_run(mem, &(struct program_run){ .argv = argv, .env = env, .cwd = dir }, &result);
    assert_string_equal(program_daemon_end(mem, server), "");
    if (row->err)
        assert_string_equal(result.err, row->err);
    else
        assert_string_not_equal(result.err, "");
    if (row->out)
        assert_string_equal(result.out, row->out);
    assert_int_equal(result.status, row->status);
    unlink(arena_printf(mem, "%s/m.yaml", dir));
    unlink(arena_printf(mem, "%s/kubeconfig", dir));
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(what_a_terminal_could_obey_is_spelt_out),
        SINGLE(what_is_encrypted_is_compared_without_its_values),
        ROWS(changes_cases, changes_are_printed),
        ROWS(whole_cases, command_compares),
    };
    return rows_run("diff", tests, ARRAY_LEN(tests));
}
