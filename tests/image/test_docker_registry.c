/* Against the real docker-registry, alone and behind a front with TLS and tokens. Skipped where it is not installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/child.h"
#include "peer.h"
#include "registry_lab.h"

#define NO_PATTERNS ((const char *const[]){ NULL })

/* clang-format off */
#define APP \
    "\"team/app\":[" \
    "{\"tag\":\"1.0\",\"created\":\"2020-01-01T00:00:00Z\"}," \
    "{\"tag\":\"2.0\",\"created\":\"2021-01-01T00:00:00Z\",\"kind\":\"oci\"}," \
    "{\"tag\":\"3.0\",\"created\":\"2022-01-01T00:00:00Z\",\"platforms\":[\"linux/s390x\",\"linux/amd64\"]}," \
    "{\"tag\":\"4.0\",\"created\":\"2023-01-01T00:00:00Z\",\"kind\":\"oci\",\"platforms\":[\"linux/arm64\"," \
    "\"windows/amd64\"],\"labels\":{\"org.opencontainers.image.created\":\"2023-02-01T00:00:00Z\"}}," \
    "{\"tag\":\"5.0\",\"kind\":\"oci\",\"platforms\":[\"windows/amd64\",\"linux/s390x\"]}]"
/* clang-format on */

struct real {
    char *dir;
    struct child *child;
    int registry, front;
};

static void start_world(struct real *real, const char *images, const char *const *options)
{
    const char *argv[24] = { "python3", TEST_DATA "/registry_world.py", real->dir, images };
    size_t len = 4;
    for (; options && *options; options++)
        argv[len++] = *options;
    char said[200] = "";
    size_t got = 0, more = 1;
    assert_null(child_open(&(struct child_spec){ .argv = argv }, &real->child));
    while (more > 0 && !strchr(said, '\n')) {
        assert_null(child_read(real->child, said + got, sizeof(said) - 1 - got, &more));
        got += more;
    }
    if (sscanf(said, "ready %d %d", &real->registry, &real->front) != 2)
        fail_msg("%s", child_errors(real->child));
}

static void end_world(struct real *real)
{
    child_close_input(real->child);
    int status;
    assert_null(child_wait(real->child, &status));
    child_free(real->child);
    peer_dir_free(real->dir);
}

static void assert_text(const char *got, const char *part)
{
    if (!strstr(got, part))
        fail_msg("\"%s\" is not in: %s", part, got);
}

static void check_images(const struct image_repo *repo)
{
    static const int64_t created_s[] = { 1577836800, 1609459200, 1640995200, 1672531200 };
    assert_string_equal(repo->error, "");
    assert_int_equal(repo->count, 5);
    for (size_t i = 0; i < ARRAY_LEN(created_s); i++) {
        assert_true(repo->infos[i].is_known && !repo->infos[i].is_excluded);
        assert_int_equal(repo->infos[i].created_ns, created_s[i] * 1000000000);
        assert_int_equal(strlen(repo->infos[i].digest), 71);
        assert_int_equal(strlen(repo->infos[i].image_id), 71);
    }
    assert_string_equal(repo->infos[3].label_created, "2023-02-01T00:00:00Z");
    assert_true(repo->infos[4].is_excluded);
    assert_string_equal(repo->infos[4].why_excluded,
                        "no suitable manifest (linux amd64, linux arm64) in manifestlist");
}

static void images_of_all_kinds_are_read(void **state)
{
    struct lab *lab = *state;
    struct real real = { .dir = peer_dir_new() };
    start_world(&real, "{" APP ",\"team/many\":[{\"tag\":\"t\",\"copies\":1200}]}", NULL);
    lab_start(lab);
    const char *name = lab_printf(lab, "127.0.0.1:%d/team/app", real.registry);
    lab_want(lab, name, NULL);
    lab_until_scanned(lab);
    check_images(lab_find(lab, name));
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 1);
    assert_true(image_scans_notify(lab->scans, name)); /* by HEAD: the same digests */
    check_images(lab_ask(lab, name, NULL));
    name = lab_printf(lab, "127.0.0.1:%d/team/many", real.registry);
    const struct image_repo *repo = lab_ask(lab, name, NO_PATTERNS);
    assert_string_equal(repo->error, "");
    assert_int_equal(repo->count, 1201); /* two pages */
    name = lab_printf(lab, "127.0.0.1:%d/team/none", real.registry);
    assert_text(lab_ask(lab, name, NULL)->error, "status 404 NAME_UNKNOWN: repository name not");
    end_world(&real);
}

static const char *login_of(struct lab *lab, const struct real *real, const char *auth)
{
    return lab_printf(lab, "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"%s\"}}}", real->front, auth);
}

static void a_front_with_tls_and_tokens_is_passed(void **state)
{
    struct lab *lab = *state;
    struct real real = { .dir = peer_dir_new() };
    peer_certs(real.dir);
    char *cert = peer_path(real.dir, "server.pem"), *key = peer_path(real.dir, "server.key"),
         *log = peer_path(real.dir, "log");
    start_world(&real, "{" APP "}",
                (const char *const[]){ "--cert", cert, "--key", key, "--log", log, "--user", "jane",
                                       "--password", "s3cr3t", NULL });
    const char *name = lab_printf(lab, "127.0.0.1:%d/team/app", real.front);
    lab->opts.docker_config = login_of(lab, &real, "amFuZTpzM2NyM3Q=");
    lab_start(lab);
    check_images(lab_ask(lab, name, NULL));
    char *seen = peer_read(real.dir, "log");
    assert_text(seen, "GET /token?service=front&scope=repository%3Ateam%2Fapp%3Apull Basic");
    assert_null(strstr(seen, "/v2/team/app/tags/list?n=1000 Basic"));
    free(seen);
    image_scans_free(lab->scans);
    lab->opts.docker_config = login_of(lab, &real, "amFuZTp3cm9uZw==");
    lab_start(lab);
    assert_text(lab_ask(lab, name, NULL)->error, "/token refuses the credentials: status 401");
    image_scans_free(lab->scans);
    lab->insecure[0] = NULL; /* now its certificate counts, which nobody here knows */
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, name, NULL);
    assert_false(repo->is_complete);
    assert_text(repo->error, "GET https://127.0.0.1:");
    free(cert);
    free(key);
    free(log);
    end_world(&real);
}

static void a_realm_without_encryption_is_refused(void **state)
{
    struct lab *lab = *state;
    struct real real = { .dir = peer_dir_new() };
    peer_certs(real.dir);
    char *cert = peer_path(real.dir, "server.pem"), *key = peer_path(real.dir, "server.key");
    const char *realm = lab_printf(lab, "http://%s/token", lab->host);
    start_world(&real, "{}",
                (const char *const[]){ "--cert", cert, "--key", key, "--realm", realm, NULL });
    lab_start(lab);
    const struct image_repo *repo =
        lab_ask(lab, lab_printf(lab, "127.0.0.1:%d/team/app", real.front), NULL);
    assert_string_equal(repo->error,
                        lab_printf(lab,
                                   "list of tags: the registry sends us for a token to %s, which "
                                   "is not encrypted: refused",
                                   realm));
    assert_int_equal(lab_count(lab, "token"), 0);
    free(cert);
    free(key);
    end_world(&real);
}

int main(void)
{
    if (access("/usr/bin/docker-registry", X_OK) != 0)
        return 77;
    const struct CMUnitTest all[] = {
        WITH_LAB(images_of_all_kinds_are_read),
        WITH_LAB(a_front_with_tls_and_tokens_is_passed),
        WITH_LAB(a_realm_without_encryption_is_refused),
    };
    return cmocka_run_group_tests_name("image_docker_registry", all, NULL, NULL);
}
