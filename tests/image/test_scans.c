#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry_lab.h"

#define NO_PATTERNS ((const char *const[]){ NULL })
#define T1          "2020-01-01T00:00:00Z"
#define T2          "2021-01-01T00:00:00Z"

static const struct image_info *find(const struct image_repo *repo, const char *tag)
{
    const struct image_info *info = image_repo_find(repo, tag);
    assert_non_null(info);
    return info;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

/* -- what is learned */

static void images_are_learned_once_and_then_looked_at_by_digest(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"1.0\",\"latest\"");
    const char *digest = lab_image(lab, "1.0", T1);
    (void)lab_image(lab, "latest", T1);
    lab->opts.burst = 1; /* one after the other */
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_true(repo->is_complete);
    assert_int_equal(repo->count, 2);
    const struct image_info *info = find(repo, "1.0");
    assert_true(info->is_known && info->has_created);
    assert_int_equal(info->created_ns, 1577836800000000000);
    assert_string_equal(info->digest, digest);
    assert_int_equal(strlen(info->image_id), 71);
    assert_int_equal(lab_count(lab, "GET /v2/team/app/manifests/"), 2);
    assert_int_equal(lab_count(lab, "GET /v2/team/app/blobs/"), 1); /* both tags name it */
    (void)lab_ask(lab, "team/app", NULL);
    lab_want(lab, "team/app", NULL);
    lab_turn(lab, 100);
    assert_int_equal(lab_count(lab, "manifests/"), 2); /* not due yet */
    assert_true(image_scans_notify(lab->scans, lab_find(lab, "team/app")->name));
    lab_turn(lab, 300);
    assert_int_equal(lab_count(lab, "HEAD /v2/team/app/manifests/"), 2);
    assert_int_equal(lab_count(lab, "GET /v2/team/app/manifests/"), 2);
    assert_int_equal(lab_count(lab, "GET /v2/team/app/blobs/"), 1);
    (void)lab_image(lab, "latest", T2); /* pushed again */
    assert_true(image_scans_notify(lab->scans, lab_find(lab, "team/app")->name));
    lab_turn(lab, 300);
    assert_int_equal(find(lab_find(lab, "team/app"), "latest")->created_ns, 1609459200000000000);
    assert_int_equal(lab_count(lab, "GET /v2/team/app/manifests/"), 3);
    assert_false(image_scans_notify(lab->scans, "index.docker.io/library/other"));
}

static void only_tags_that_are_wanted_are_read(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"1.0\",\"dev-1\",\"dev-2\"");
    (void)lab_image(lab, "1.0", T1);
    (void)lab_image(lab, "dev-1", T1);
    lab_start(lab);
    lab_want(lab, "team/app", (const char *const[]){ "semver:~1", NULL });
    lab_until_scanned(lab);
    assert_int_equal(lab_find(lab, "team/app")->count, 3);
    assert_true(find(lab_find(lab, "team/app"), "1.0")->is_known);
    assert_false(find(lab_find(lab, "team/app"), "dev-1")->is_known);
    lab_want(lab, "team/app", (const char *const[]){ "semver:~1", "glob:dev-1", NULL });
    lab_turn(lab, 300);
    assert_true(find(lab_find(lab, "team/app"), "dev-1")->is_known);
    assert_false(find(lab_find(lab, "team/app"), "dev-2")->is_known);
}

static void news_come_with_new_tags_only(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"1.0\"");
    lab_start(lab);
    lab_want(lab, "team/app", (const char *const[]){ "semver:~1", NULL });
    lab_until_scanned(lab);
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 1);
    (void)lab_ask(lab, "team/app", NO_PATTERNS);
    assert_int_equal(lab->news, 1);
    lab_tags(lab, "\"1.0\",\"1.1\"");
    (void)lab_ask(lab, "team/app", NO_PATTERNS);
    assert_int_equal(lab->news, 2);
    lab_tags(lab, "\"1.1\""); /* tags that vanish */
    const struct image_repo *repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_int_equal(lab->news, 2);
    assert_int_equal(repo->count, 1);
    assert_null(image_repo_find(repo, "1.0"));
    const char *log = bench_log(lab->bench), *first = strstr(log, "component=warmer updated=");
    const char *second = first ? strstr(first + 1, "component=warmer updated=") : NULL;
    assert_non_null(second);
    assert_contains(second, "/team/app tags=1");
    assert_null(strstr(second + 1, "component=warmer")); /* nothing new, nothing said */
}

static void serve_late(const struct scripted_request *request)
{
    usleep(400000);
    scripted_reply(request, 404, NULL, "");
}

/* The end of a scan says nothing of its list. */
static void tags_are_as_old_as_their_list(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/manifests/a", .serve = serve_late });
    lab_start(lab);
    (void)lab_ask(lab, "team/app", NULL);
    (void)lab_ask_aged(lab, "team/app", NULL, 3600000);
    assert_int_equal(lab_count(lab, "tags/list"), 1);
    (void)lab_ask_aged(lab, "team/app", NULL, 300);
    assert_int_equal(lab_count(lab, "tags/list"), 2);
}

static void no_news_while_images_are_missing(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\",\"b\"");
    (void)lab_image(lab, "a", T1);
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/team/app/manifests/b", .status = 500, .body = "oops" });
    lab_start(lab);
    lab_want(lab, "team/app", (const char *const[]){ "glob:*", NULL });
    lab_until_scanned(lab);
    const struct image_repo *repo = lab_find(lab, "team/app");
    assert_contains(repo->error, "tag b: GET http://127.0.0.1");
    assert_contains(repo->error, "status 500");
    assert_true(find(repo, "a")->is_known);
    assert_false(find(repo, "b")->is_known);
    assert_int_equal(lab->news, 0);
    (void)lab_image(lab, "b", T2);
    repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_string_equal(repo->error, "");
    assert_int_equal(lab->news, 1);
}

static void a_listed_tag_without_manifest_is_left_out(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"gone\"");
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_true(find(repo, "gone")->is_excluded);
    assert_string_equal(find(repo, "gone")->why_excluded, "the registry has no manifest for it");
}

static void an_image_without_its_configuration_is_left_out(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    (void)lab_image(lab, "a", T1);
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/team/app/blobs/*", .status = 404, .body = "{\"errors\":[]}" });
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_false(repo->is_missing);
    assert_string_equal(find(repo, "a")->why_excluded,
                        "the registry has no configuration for its image");
    assert_true(lab_ask(lab, "team/none", NULL)->is_missing);
}

static void an_index_is_read_for_our_platforms(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"ours\",\"theirs\",\"deep\"");
    const char *image = lab_image(lab, "amd", T2);
    const char *ours = lab_put(lab, "manifests", "ours",
                               lab_printf(lab,
                                          "{\"mediaType\":\"application/"
                                          "vnd.oci.image.index.v1+json\",\"manifests\":[{"
                                          "\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
                                          "\"architecture\":\"arm64\"}}]}",
                                          image));
    (void)lab_put(lab, "manifests", "theirs",
                  "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}");
    const char *deep = image;
    for (int i = 0; i < 5; i++)
        deep = lab_put(lab, "manifests", i == 4 ? "deep" : NULL,
                       lab_printf(lab, "{\"manifests\":[{\"digest\":\"%s\"}]}", deep));
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_string_equal(find(repo, "ours")->digest, ours);
    assert_int_equal(find(repo, "ours")->created_ns, 1609459200000000000);
    assert_string_equal(find(repo, "theirs")->why_excluded,
                        "no suitable manifest (linux amd64, linux arm64) in manifestlist");
    assert_contains(find(repo, "deep")->why_excluded, "indexes in indexes");
}

static void what_is_not_what_its_digest_says_is_refused(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    (void)lab_image(lab, "a", T1);
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/blobs/*",
                                        .status = 200,
                                        .body = "{\"created\":\"" T2 "\"}" });
    lab_start(lab);
    const struct image_info *info = find(lab_ask(lab, "team/app", NULL), "a");
    assert_true(info->is_excluded && !info->has_created);
    assert_contains(info->why_excluded, "asked for sha256:");
}

static void labels_are_trusted_where_they_are_said_to_be(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    const char *config =
        lab_put(lab, "blobs", NULL,
                "{\"created\":\"" T1 "\",\"config\":{\"Labels\":{\"org.opencontainers.image."
                "created\":\"" T2 "\"}}}");
    (void)lab_put(lab, "manifests", "a",
                  lab_printf(lab, "{\"config\":{\"digest\":\"%s\"}}", config));
    const char *const trusted[] = { lab_printf(lab, "%s/team/*", lab->host), NULL };
    lab_start(lab);
    assert_int_equal(find(lab_ask(lab, "team/app", NULL), "a")->created_ns, 1577836800000000000);
    image_scans_free(lab->scans);
    lab->opts.use_labels = trusted;
    lab_start(lab);
    const struct image_info *info = find(lab_ask(lab, "team/app", NULL), "a");
    assert_int_equal(info->created_ns, 1609459200000000000);
    assert_string_equal(info->label_created, T2);
}

/* -- pages */

static void pages_are_followed_and_circles_seen(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list",
                                        .query = "n=1000",
                                        .status = 200,
                                        .headers = "Link: </v2/team/app/tags/list?last=a>; "
                                                   "rel=\"next\"\r\n",
                                        .body = "{\"tags\":[\"a\"]}" });
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list",
                                        .query = "last=a",
                                        .status = 200,
                                        .body = "{\"tags\":[\"b\"]}" });
    lab_start(lab);
    assert_int_equal(lab_ask(lab, "team/app", NO_PATTERNS)->count, 2);
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list",
                                        .query = "last=a",
                                        .status = 200,
                                        .headers = "Link: <?x=1&last=a>; rel=next\r\n",
                                        .body = "{\"tags\":[\"c\"]}" });
    const struct image_repo *repo = lab_ask(lab, "team/app", NO_PATTERNS);
    assert_string_equal(repo->error,
                        "list of tags: the list of tags goes round in circles: a page came twice");
    assert_true(repo->is_complete);
    assert_int_equal(repo->count, 2); /* the last complete listing */
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list",
                                        .status = 200,
                                        .headers = "Link: <http://evil.example/>; rel=next\r\n",
                                        .body = "{\"tags\":[\"c\"]}" });
    assert_contains(lab_ask(lab, "team/app", NO_PATTERNS)->error,
                    "on another host or by another scheme (http://evil.example)");
}

static void serve_numbers(const struct scripted_request *request)
{
    const char *last = strstr(request->query, "last=t");
    int from = 0;
    if (last)
        (void)sscanf(last, "last=t%d", &from);
    SBUF(body, SBUF_MAX);
    sbuf_add(&body, "{\"tags\":[");
    for (int i = from + 1; i <= from + 1000; i++)
        sbuf_addf(&body, "%s\"t%05d\"", i > from + 1 ? "," : "", i);
    sbuf_add(&body, "]}");
    char link[120] = "";
    if (from + 1000 < 10000)
        (void)snprintf(link, sizeof(link),
                       "Link: </v2/team/app/tags/list?last=t%05d&n=1000>; rel=\"next\"\r\n",
                       from + 1000);
    scripted_reply(request, 200, link, body.bytes);
}

static void ten_thousand_tags_take_little_room(void **state)
{
    struct lab *lab = *state;
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/tags/list", .serve = serve_numbers });
    (void)lab_image(lab, "t00007", T1);
    lab_start(lab);
    const struct image_repo *repo =
        lab_ask(lab, "team/app", (const char *const[]){ "glob:t00007", NULL });
    assert_string_equal(repo->error, "");
    assert_int_equal(repo->count, 10000);
    assert_string_equal(repo->infos[9999].tag, "t10000");
    assert_true(find(repo, "t00007")->is_known);
    assert_int_equal(lab_count(lab, "tags/list"), 10);
    assert_int_equal(lab_count(lab, "manifests/"), 1);
    struct metric *bytes =
        metrics_declare(lab->bench->metrics, &(struct metric_spec){ .name = "serin_registry_bytes",
                                                                    .type = METRIC_GAUGE });
    print_message("10,000 tags take %.0f bytes\n", metric_value(bytes, NULL));
    assert_true(metric_value(bytes, NULL) < 200000);
}

static void serve_many(const struct scripted_request *request)
{
    SBUF(body, SBUF_MAX);
    char tag[121];
    sbuf_add(&body, "{\"tags\":[\"x\"");
    for (int i = 0; i < 90000; i++) {
        (void)snprintf(tag, sizeof(tag), "%0100d", i);
        sbuf_addf(&body, ",\"%s\"", tag);
    }
    sbuf_add(&body, "]}");
    scripted_reply(request, 200, NULL, body.bytes);
}

static void the_least_lately_asked_for_is_thrown_out_and_policies_last(void **state)
{
    struct lab *lab = *state;
    lab_route(lab, &(struct lab_route){ .path = "/v2/big/*", .serve = serve_many });
    lab_tags(lab, "\"a\"");
    lab_start(lab);
    lab_want(lab, "big/policy", NO_PATTERNS);
    lab_until_scanned(lab);
    assert_int_equal(lab_find(lab, "big/policy")->count, 90001);
    (void)lab_ask(lab, "team/app", NO_PATTERNS);
    assert_int_equal(lab_ask(lab, "big/asked", NO_PATTERNS)->count, 90001);
    assert_null(lab_find(lab, "team/app"));
    assert_int_equal(lab_find(lab, "big/policy")->count, 0); /* the last, but it had to go */
    assert_contains(lab_find(lab, "big/policy")->error, "no room");
    (void)lab_ask(lab, "big/policy", NO_PATTERNS);
    assert_int_equal(lab_find(lab, "big/policy")->count, 90001);
    assert_null(lab_find(lab, "big/asked"));
}

/* -- registries that are down, slow, busy, or lie */

static void a_registry_that_is_down_is_an_error_of_its_own(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    lab_start(lab);
    struct image_wish wishes[] = { lab_wish(lab, "127.0.0.1:1/team/down", NO_PATTERNS),
                                   lab_wish(lab, "team/app", NO_PATTERNS) };
    lab_want_all(lab, wishes, 2);
    lab_until_scanned(lab);
    assert_contains(lab_find(lab, "127.0.0.1:1/team/down")->error, "list of tags: ");
    assert_false(lab_find(lab, "127.0.0.1:1/team/down")->is_complete);
    assert_int_equal(lab_find(lab, "team/app")->count, 1);
}

static void serve_nothing(const struct scripted_request *request)
{
    (void)scripted_wait(request, 60000);
}

static void on_done(void *ctx)
{
    ++*(int *)ctx;
}

static bool is_set(void *ctx)
{
    return *(int *)ctx > 0;
}

static double metric_of(struct lab *lab, const char *name, const char *first, const char *second)
{
    const char *const labels[] = { first, second };
    struct metric *family =
        metrics_declare(lab->bench->metrics, &(struct metric_spec){ .name = name });
    return metric_value(family, labels);
}

static void a_registry_that_comes_back_is_seen_again(void **state)
{
    struct lab *lab = *state;
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/team/app/tags/list", .status = 500, .body = "oops" });
    lab->opts.interval_ms = 50;
    lab_start(lab);
    lab_want(lab, "team/app", NULL);
    lab_turn(lab, 500);
    size_t tries = lab_count(lab, "tags/list");
    assert_in_range(tries, 2, 6); /* the interval doubles with each failure */
    assert_contains(lab_find(lab, "team/app")->error, "status 500");
    assert_int_equal(lab->news, 0);
    lab_tags(lab, "\"1.0\"");
    (void)lab_image(lab, "1.0", T1);
    lab_turn(lab, 2000);
    assert_string_equal(lab_find(lab, "team/app")->error, "");
    assert_int_equal(lab->news, 1);
    assert_true(lab_count(lab, "tags/list") > tries + 5); /* and each interval from then on */
    double failures = metric_of(lab, "serin_registry_requests_total", lab->host, "500");
    assert_true(failures >= (double)tries);
    assert_true(metric_of(lab, "flux_registry_fetch_duration_seconds", "false", NULL) == failures);
    assert_true(metric_of(lab, "flux_registry_fetch_duration_seconds", "true", NULL) > 5);
    assert_true(metric_of(lab, "flux_client_fetch_duration_seconds", "tags", "false") == failures);
    assert_true(metric_of(lab, "flux_client_fetch_duration_seconds", "metadata", "true") == 1);
    const char *log = bench_log(lab->bench);
    const char *first = strstr(log, "status 500");
    assert_non_null(first);
    assert_null(strstr(first + 1, "status 500")); /* said once, not each time */
}

static void who_asks_waits_no_longer_than_he_wants(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    lab_route(lab, &(struct lab_route){ .path = "/v2/slow/*", .serve = serve_nothing });
    lab_start(lab);
    struct image_wish wishes[] = { lab_wish(lab, "slow/app", NO_PATTERNS),
                                   lab_wish(lab, "team/app", NO_PATTERNS) };
    int done = 0;
    int64_t started_ms = loop_now_ms(lab->bench->loop);
    (void)image_scans_ask(lab->scans, wishes, 2, 0, 400, on_done, &done);
    assert_true(bench_until(lab->bench, is_set, &done));
    assert_true(loop_now_ms(lab->bench->loop) - started_ms >= 400);
    assert_false(lab_find(lab, "slow/app")->is_complete);
    assert_int_equal(lab_find(lab, "team/app")->count, 1);
    done = 0;
    ticket id = image_scans_ask(lab->scans, wishes, 2, 0, 100, on_done, &done);
    image_scans_cancel(lab->scans, id);
    lab_turn(lab, 200);
    assert_int_equal(done, 0);
}

static void a_busy_registry_is_left_alone(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"");
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/app/manifests/*",
                                        .status = 429,
                                        .headers = "Retry-After: 1000\r\n",
                                        .body = "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\","
                                                "\"message\":\"slow down\"}]}" });
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_contains(repo->error, "status 429 TOOMANYREQUESTS: slow down");
    assert_int_equal(repo->count, 9);
    assert_true(lab_count(lab, "manifests/") <= 4);
    size_t before = lab_count(lab, "/v2/");
    repo = lab_ask(lab, "team/app", NULL);
    assert_contains(repo->error, "has asked not to be asked for another");
    assert_int_equal(lab_count(lab, "/v2/"), before);
    assert_true(repo->is_complete);
}

static void serve_without_end(const struct scripted_request *request)
{
    static const char zeros[65536];
    scripted_begin(request);
    for (int i = 0; i < 16384 && scripted_wait(request, 0); i++) {
        scripted_send(request, "10000\r\n", 7);
        scripted_send(request, zeros, sizeof(zeros));
        scripted_send(request, "\r\n", 2);
    }
}

static void a_body_without_end_is_cut(void **state)
{
    struct lab *lab = *state;
    lab_tags(lab, "\"a\"");
    lab_route(
        lab, &(struct lab_route){ .path = "/v2/team/app/manifests/a", .serve = serve_without_end });
    lab_route(lab, &(struct lab_route){ .path = "/v2/team/big/*", .serve = serve_without_end });
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_string_equal(repo->error, "");
    assert_true(find(repo, "a")->is_excluded);
    repo = lab_ask(lab, "team/big", NULL);
    assert_contains(repo->error, "list of tags: ");
    assert_false(repo->is_complete);
}

static void nonsense_is_an_error(void **state)
{
    struct lab *lab = *state;
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/team/app/tags/list", .status = 200, .body = "<html>" });
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, "team/app", NULL);
    assert_contains(repo->error, "list of tags: ");
    assert_null(strstr(repo->error, "html"));
    assert_contains(lab_ask(lab, "team/none", NULL)->error, "status 404 NAME_UNKNOWN: no");
}

/* Under the name that firewalls and --registry-insecure-host know it by. Nothing is sent: the proxy is none. */
static void docker_hub_is_asked_by_its_canonical_name(void **state)
{
    struct lab *lab = *state;
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    lab_start(lab);
    struct image_wish wish = lab_wish(lab, "team/app", NULL);
    wish.ref.domain = "index.docker.io";
    lab_want_all(lab, &wish, 1);
    lab_until_scanned(lab);
    assert_int_equal(unsetenv("https_proxy"), 0);
    assert_contains(bench_log(lab->bench), "GET https://index.docker.io/v2/team/app/tags/list: ");
}

/* -- what is not scanned */

static void what_could_lead_elsewhere_is_no_name(void **state)
{
    struct lab *lab = *state;
    static const char *const bad[] = {
        "r.example@evil.example/app",
        "r.example/app?x=/y",
        "r.example/../app",
        "r.example/a//b",
        "r.example/a b",
        "r.example/a%2fb",
        "r.example/a#b",
        "r.example/",
        "r.example",
        "/app",
        "r.example/a/",
    };
    lab_start(lab);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_string_equal(image_scans_why_not(lab->scans, bad[i]),
                            "it is not the name of a repository");
    assert_null(image_scans_why_not(lab->scans, "r.example:5000/Team/app_1.x/y-z"));
    struct image_wish wish = lab_wish(lab, "team/app", NULL);
    wish.ref.path = "team/../app";
    image_scans_want(lab->scans, &wish, 1);
    lab_turn(lab, 100);
    assert_int_equal(lab_count(lab, "/v2"), 0);
}

static void what_is_excluded_is_never_asked_for(void **state)
{
    struct lab *lab = *state;
    const char *const exclude[] = { lab_printf(lab, "%s/private/*", lab->host), NULL };
    const char *const regions[] = { "eu-west-1", NULL }, *const ids[] = { "602401143452", NULL };
    lab->opts.exclude = exclude;
    lab->opts.ecr_regions = regions;
    lab->opts.ecr_exclude_ids = ids;
    lab_start(lab);
    assert_null(lab_ask(lab, "private/app", NULL));
    assert_int_equal(lab_count(lab, "/v2/"), 0);
    assert_string_equal(
        image_scans_why_not(lab->scans, lab_printf(lab, "%s/private/app", lab->host)),
        "it is excluded by --registry-exclude-image");
    assert_non_null(
        image_scans_why_not(lab->scans, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"));
    assert_null(
        image_scans_why_not(lab->scans, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app"));
    assert_non_null(
        image_scans_why_not(lab->scans, "602401143452.dkr.ecr.eu-west-1.amazonaws.com/app"));
    image_scans_free(lab->scans);
    lab->opts.is_disabled = true;
    lab_start(lab);
    lab_want(lab, "team/app", NULL);
    assert_null(lab_ask(lab, "team/app", NULL));
    assert_int_equal(lab_count(lab, "/v2/"), 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        WITH_LAB(images_are_learned_once_and_then_looked_at_by_digest),
        WITH_LAB(only_tags_that_are_wanted_are_read),
        WITH_LAB(news_come_with_new_tags_only),
        WITH_LAB(tags_are_as_old_as_their_list),
        WITH_LAB(no_news_while_images_are_missing),
        WITH_LAB(a_listed_tag_without_manifest_is_left_out),
        WITH_LAB(an_image_without_its_configuration_is_left_out),
        WITH_LAB(an_index_is_read_for_our_platforms),
        WITH_LAB(what_is_not_what_its_digest_says_is_refused),
        WITH_LAB(labels_are_trusted_where_they_are_said_to_be),
        WITH_LAB(pages_are_followed_and_circles_seen),
        WITH_LAB(ten_thousand_tags_take_little_room),
        WITH_LAB(the_least_lately_asked_for_is_thrown_out_and_policies_last),
        WITH_LAB(a_registry_that_is_down_is_an_error_of_its_own),
        WITH_LAB(a_registry_that_comes_back_is_seen_again),
        WITH_LAB(who_asks_waits_no_longer_than_he_wants),
        WITH_LAB(a_busy_registry_is_left_alone),
        WITH_LAB(a_body_without_end_is_cut),
        WITH_LAB(nonsense_is_an_error),
        WITH_LAB(docker_hub_is_asked_by_its_canonical_name),
        WITH_LAB(what_could_lead_elsewhere_is_no_name),
        WITH_LAB(what_is_excluded_is_never_asked_for),
    };
    return cmocka_run_group_tests_name("image_scans", all, NULL, NULL);
}
