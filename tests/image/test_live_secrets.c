/* Pull secrets of a real API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "cluster.h"
#include "registry_lab.h"

#define BASIC "Basic amFuZTpzM2NyM3Q=" /* jane:s3cr3t */

static struct cluster *shared; /* of all tests: set once, in main */

static void on_done(void *ctx)
{
    *(bool *)ctx = true;
}

static bool is_done(void *ctx)
{
    return *(bool *)ctx;
}

static void make_secret(struct cluster_bench *cb, const char *name, const char *type,
                        const char *key, const char *text)
{
    (void)cluster_create(cb, cluster_printf(cb, "/api/v1/namespaces/%s/secrets", cb->ns), "tests",
                         cluster_printf(cb,
                                        "{\"metadata\":{\"name\":\"%s\"},\"type\":\"%s\",\"data\":"
                                        "{\"%s\":\"%s\"}}",
                                        name, type, key,
                                        hash_base64(cb->bench->mem, text, strlen(text))));
}

/* The error of one look at the registry by these credentials. */
static const char *ask_by(struct cluster_bench *cb, struct lab *lab, const char *account,
                          const char *const *secrets)
{
    SCOPED(image_scans_free) struct image_scans *scans = image_scans_new(&lab->opts);
    struct image_wish wish = lab_wish(lab, "team/app", NULL);
    bool done = false;
    wish.ns = cb->ns;
    wish.pull = (struct image_pull){ .service_account = account, .secrets = secrets };
    (void)image_scans_ask(scans, &wish, 1, 0, 20000, on_done, &done);
    assert_true(bench_until(cb->bench, is_done, &done));
    const struct image_repo *repo =
        image_scans_find(scans, image_ref_canonical_name(cb->bench->mem, &wish.ref));
    return cluster_printf(cb, "%s", repo->error);
}

static void secrets_of_pod_and_account_open_a_registry(void **state)
{
    struct lab *lab = *state;
    struct cluster_bench *cb = cluster_bench_new(shared);
    lab->opts.loop = cb->bench->loop;
    lab->opts.http = cb->bench->http;
    lab->opts.kube = cb->bench->kube;
    lab->opts.log = &cb->bench->log;
    lab->opts.metrics = NULL;
    lab_route(lab, &(struct lab_route){ .path = "/v2/*",
                                        .status = 401,
                                        .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n",
                                        .body = "" });
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list",
                                        .auth = BASIC,
                                        .status = 200,
                                        .body = "{\"tags\":[]}" });
    make_secret(cb, "new", "kubernetes.io/dockerconfigjson", ".dockerconfigjson",
                lab_printf(lab, "{\"auths\":{\"%s\":{\"auth\":\"amFuZTpzM2NyM3Q=\"}}}", lab->host));
    make_secret(cb, "old", "kubernetes.io/dockercfg", ".dockercfg",
                lab_printf(lab, "{\"https://%s/v1/\":{\"auth\":\"amFuZTpzM2NyM3Q=\"}}", lab->host));
    make_secret(cb, "other", "Opaque", "x", "y");
    (void)cluster_create(
        cb, cluster_printf(cb, "/api/v1/namespaces/%s/serviceaccounts", cb->ns), "tests",
        "{\"metadata\":{\"name\":\"robot\"},\"imagePullSecrets\":[{\"name\":\"old\"}]}");
    const char *none = "there are none for";
    assert_string_equal(ask_by(cb, lab, "", (const char *const[]){ "new", NULL }), "");
    assert_string_equal(ask_by(cb, lab, "robot", NULL), "");
    assert_non_null(strstr(ask_by(cb, lab, "no-such-account", NULL), none));
    assert_non_null(strstr(ask_by(cb, lab, "", (const char *const[]){ "other", NULL }), none));
    const char *log = bench_log(cb->bench);
    assert_non_null(strstr(log, "the Secret has neither .dockerconfigjson nor .dockercfg"));
    assert_null(strstr(log, "amFuZTpzM2NyM3Q"));
    cluster_bench_free(cb);
}

int main(void)
{
    shared = cluster_new();
    if (!shared)
        return 77;
    const struct CMUnitTest all[] = { WITH_LAB(secrets_of_pod_and_account_open_a_registry) };
    int failed = cmocka_run_group_tests_name("image_live_secrets", all, NULL, NULL);
    cluster_free(shared);
    return failed;
}
