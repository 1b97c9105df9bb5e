/* How little is asked of a registry where versions decide, and how soon automation hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "registry_lab.h"

#define REPOSITORY  "team/app"
#define TAGS_MOST   1100
#define DIGEST_SIZE 72
#define INDEX_EMPTY "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}"
#define VERSIONS    ((const char *const[]){ "semver:*", NULL })
#define GLOB        ((const char *const[]){ "glob:1.*", NULL })
#define BOTH        ((const char *const[]){ "semver:*", "glob:1.*", NULL })

/* -- a repository with the tags 1.0.0 … 1.0.N: each has a configuration of its own, a second younger than the one before, but for those
 *    from `same_from` on, which are all one image. */

static atomic_int tag_count, excluded_from, failing, slow_below, busy_below, same_from;
static char digests[TAGS_MOST][DIGEST_SIZE];

static void set_tags(int count)
{
    atomic_store(&tag_count, count);
}

static int image_of(int tag)
{
    return tag >= atomic_load(&same_from) ? TAGS_MOST - 1 : tag;
}

static void write_config(int image, char out[128])
{
    (void)snprintf(out, 128, "{\"created\":\"2020-01-01T%02d:%02d:%02dZ\"}", image / 3600,
                   image / 60 % 60, image % 60);
}

static void digest_of(const char *body, char out[DIGEST_SIZE])
{
    unsigned char bytes[HASH_SHA256_BYTES];
    hash_sha256(body, strlen(body), bytes);
    int len = snprintf(out, DIGEST_SIZE, "sha256:");
    for (size_t i = 0; i < sizeof(bytes); i++)
        len += snprintf(out + len, (size_t)(DIGEST_SIZE - len), "%02x", bytes[i]);
}

static void serve_list(const struct scripted_request *request)
{
    SBUF(body, SBUF_MAX);
    sbuf_add(&body, "{\"tags\":[\"latest\",\"nightly\"");
    for (int i = 0; i < atomic_load(&tag_count); i++)
        sbuf_addf(&body, ",\"1.0.%d\"", i);
    sbuf_add(&body, "]}");
    scripted_reply(request, 200, NULL, body.bytes);
}

/* In one piece. */
static void answer(const struct scripted_request *request, const char *body)
{
    char digest[DIGEST_SIZE], bytes[1024];
    bool is_head = strcmp(request->method, "HEAD") == 0;
    digest_of(body, digest);
    int len = snprintf(bytes, sizeof(bytes),
                       "HTTP/1.1 200 OK\r\nDocker-Content-Digest: %s\r\nContent-Length: "
                       "%zu\r\n\r\n%s",
                       digest, strlen(body), is_head ? "" : body);
    scripted_send(request, bytes, (size_t)len);
}

static void serve_manifest(const struct scripted_request *request)
{
    int tag = -1;
    char body[256];
    if (sscanf(request->path, "/v2/" REPOSITORY "/manifests/1.0.%d", &tag) != 1 || tag < 0 ||
        tag >= TAGS_MOST) {
        scripted_reply(request, 404, NULL, "{\"errors\":[]}");
        return;
    }
    (void)snprintf(body, sizeof(body), "{\"config\":{\"digest\":\"%s\"},\"layers\":[]}",
                   digests[image_of(tag)]);
    if (tag < atomic_load(&slow_below))
        (void)scripted_wait(request, 60000);
    else if (tag < atomic_load(&busy_below))
        scripted_reply(request, 429, "Retry-After: 1000\r\n", "{\"errors\":[]}");
    else if (tag == atomic_load(&failing))
        scripted_reply(request, 500, NULL, "oops");
    else
        answer(request, tag >= atomic_load(&excluded_from) ? INDEX_EMPTY : body);
}

static void serve_config(const struct scripted_request *request)
{
    const char *digest = strstr(request->path, "sha256:");
    char body[128];
    (void)scripted_wait(request, 20); /* so that several want the same at the same time */
    for (int i = 0; i < TAGS_MOST; i++) {
        if (digest && strcmp(digests[i], digest) == 0) {
            write_config(i, body);
            answer(request, body);
            return;
        }
    }
    scripted_reply(request, 404, NULL, "{\"errors\":[]}");
}

static int set_up(void **state)
{
    char body[128];
    for (int i = 0; i < TAGS_MOST; i++) {
        write_config(i, body);
        digest_of(body, digests[i]);
    }
    atomic_store(&excluded_from, TAGS_MOST);
    atomic_store(&same_from, TAGS_MOST);
    atomic_store(&failing, -1);
    atomic_store(&slow_below, 0);
    atomic_store(&busy_below, 0);
    int result = lab_set_up(state);
    struct lab *lab = *state;
    lab_route(lab, &(struct lab_route){ .path = "/v2/" REPOSITORY "/manifests/*",
                                        .serve = serve_manifest });
    lab_route(lab,
              &(struct lab_route){ .path = "/v2/" REPOSITORY "/blobs/*", .serve = serve_config });
    lab_route(lab,
              &(struct lab_route){ .path = "/v2/" REPOSITORY "/tags/list", .serve = serve_list });
    return result;
}

static size_t count_requests(struct lab *lab)
{
    return lab_count(lab, "/v2/" REPOSITORY "/");
}

static const struct image_info *find(struct lab *lab, const char *tag)
{
    const struct image_info *info = image_repo_find(lab_find(lab, REPOSITORY), tag);
    assert_non_null(info);
    return info;
}

static void rescan(struct lab *lab)
{
    (void)lab_ask(lab, REPOSITORY, (const char *const[]){ NULL });
}

/* -- how much */

static void a_thousand_versions_take_a_few_requests(void **state)
{
    struct lab *lab = *state;
    set_tags(1000);
    lab_start(lab);
    lab_want(lab, REPOSITORY, (const char *const[]){ "semver:*", "glob:1.0.7", NULL });
    lab_until_scanned(lab);
    size_t first = count_requests(lab);
    lab_turn(lab, 20);
    lab->news = 0;
    set_tags(1001);
    rescan(lab);
    size_t second = count_requests(lab) - first;
    print_message("1,000 versions: %zu requests; after one more version: %zu\n", first, second);
    assert_int_equal(lab->news, 1);
    assert_true(find(lab, "1.0.1000")->is_known && find(lab, "1.0.7")->is_known);
    assert_true(find(lab, "1.0.999")->is_known);
    assert_false(find(lab, "1.0.998")->is_known);
    assert_int_equal(first, 1 + 2 + 2); /* the list, and manifest and configuration of two tags */
    assert_int_equal(second, 1 + 2);
    rescan(lab);
    assert_int_equal(count_requests(lab), first + second + 1); /* the list alone */
}

static void what_is_of_no_use_leads_to_the_next(void **state)
{
    struct lab *lab = *state;
    set_tags(100);
    atomic_store(&excluded_from, 90);
    lab_start(lab);
    lab_want(lab, REPOSITORY, VERSIONS);
    lab_until_scanned(lab);
    lab_turn(lab, 20);
    assert_true(lab->news > 0);
    for (int i = 90; i < 100; i++)
        assert_true(find(lab, lab_printf(lab, "1.0.%d", i))->is_excluded);
    assert_true(find(lab, "1.0.89")->is_known && !find(lab, "1.0.89")->is_excluded);
    assert_false(find(lab, "1.0.80")->is_known);
    assert_in_range(count_requests(lab), 1 + 11 + 1, 1 + 11 + 1 + 6); /* some were ahead */
    size_t before = count_requests(lab);
    rescan(lab);
    assert_int_equal(count_requests(lab), before + 1);
    atomic_store(&excluded_from, 95); /* pushed again */
    lab->news = 0;
    assert_true(image_scans_notify(lab->scans, lab_find(lab, REPOSITORY)->name));
    lab_turn(lab, 300);
    assert_false(find(lab, "1.0.94")->is_excluded);
    assert_true(lab->news > 0);
}

static void nothing_takes_the_place_of_what_cannot_be_read(void **state)
{
    struct lab *lab = *state;
    set_tags(50);
    atomic_store(&failing, 49);
    lab_start(lab);
    lab_want(lab, REPOSITORY, VERSIONS);
    lab_until_scanned(lab);
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 0);
    assert_false(find(lab, "1.0.49")->is_known || find(lab, "1.0.48")->is_known);
    atomic_store(&failing, -1);
    rescan(lab);
    assert_true(find(lab, "1.0.49")->is_known);
    assert_int_equal(lab->news, 1);
}

/* -- how soon */

static bool has_news(void *ctx)
{
    return ((struct lab *)ctx)->news > 0;
}

static bool was_asked_enough(void *ctx)
{
    return count_requests(ctx) > 1 + 2 + 3;
}

static void versions_do_not_wait_for_times(void **state)
{
    struct lab *lab = *state;
    set_tags(100);
    atomic_store(&slow_below, 99); /* all but the newest hang */
    lab_start(lab);
    lab_want(lab, REPOSITORY, BOTH);
    assert_true(bench_until(lab->bench, has_news, lab));
    assert_int_equal(lab_count_scans(lab), 0);
    assert_true(lab_find(lab, REPOSITORY)->is_complete);
    assert_true(find(lab, "1.0.99")->is_known);
    assert_true(bench_until(lab->bench, was_asked_enough, lab)); /* it goes on with the others */
    assert_int_equal(lab->news, 1);
}

static void times_wait_for_all_that_match(void **state)
{
    struct lab *lab = *state;
    set_tags(20);
    atomic_store(&failing, 3);
    lab_start(lab);
    lab_want(lab, REPOSITORY, GLOB);
    lab_until_scanned(lab);
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 0);
    assert_true(find(lab, "1.0.19")->is_known && find(lab, "1.0.0")->is_known);
    size_t before = count_requests(lab);
    atomic_store(&failing, -1);
    rescan(lab);
    assert_int_equal(lab->news, 1);
    assert_int_equal(count_requests(lab), before + 1 + 2); /* what was known is not asked again */
}

static void a_busy_registry_does_not_keep_versions_from_being_decided(void **state)
{
    struct lab *lab = *state;
    set_tags(200);
    atomic_store(&busy_below, 190); /* as Docker Hub after so many */
    lab_start(lab);
    lab_want(lab, REPOSITORY, BOTH);
    lab_until_scanned(lab);
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 1);
    assert_non_null(strstr(lab_find(lab, REPOSITORY)->error, "status 429"));
    assert_true(find(lab, "1.0.199")->is_known);
}

static void nothing_is_decided_by_half_a_list(void **state)
{
    struct lab *lab = *state;
    set_tags(20);
    lab_route(lab, &(struct lab_route){ .path = "/v2/" REPOSITORY "/tags/list",
                                        .query = "n=1000",
                                        .status = 200,
                                        .headers = "Link: </v2/" REPOSITORY
                                                   "/tags/list?last=b>; rel=\"next\"\r\n",
                                        .body = "{\"tags\":[\"1.0.1\",\"1.0.2\"]}" });
    lab_route(lab, &(struct lab_route){ .path = "/v2/" REPOSITORY "/tags/list",
                                        .query = "last=b",
                                        .status = 500,
                                        .body = "oops" });
    lab_start(lab);
    lab_want(lab, REPOSITORY, BOTH);
    lab_until_scanned(lab);
    lab_turn(lab, 50);
    assert_int_equal(lab->news, 0);
    assert_false(lab_find(lab, REPOSITORY)->is_complete);
    assert_int_equal(count_requests(lab), 2);
}

/* -- commands */

static void on_done(void *ctx)
{
    ++*(int *)ctx;
}

static bool is_set(void *ctx)
{
    return *(int *)ctx > 0;
}

static void who_asks_for_all_does_so_while_he_waits(void **state)
{
    struct lab *lab = *state;
    set_tags(1000);
    lab->opts.burst = 2;
    lab->opts.rps = 50;
    lab_start(lab);
    lab_want(lab, REPOSITORY, VERSIONS);
    const struct image_wish wish = lab_wish(lab, REPOSITORY, NULL);
    int done = 0;
    (void)image_scans_ask(lab->scans, &wish, 1, 0, 1000, on_done, &done);
    assert_true(bench_until(lab->bench, has_news, lab));
    assert_int_equal(done, 0); /* policies come first */
    assert_true(bench_until(lab->bench, is_set, &done));
    assert_true(lab_find(lab, REPOSITORY)->is_complete);
    lab_turn(lab, 500); /* what is under way ends */
    size_t before = count_requests(lab);
    assert_in_range(before, 10, 200);
    lab_turn(lab, 500);
    assert_int_equal(count_requests(lab), before);
    assert_string_equal(lab_find(lab, REPOSITORY)->error, "");
    (void)image_scans_ask(lab->scans, &wish, 1, 0, 1000, on_done, &done);
    lab_turn(lab, 800);
    assert_true(count_requests(lab) > before + 10); /* and goes on there */
}

static void a_command_with_versions_needs_the_newest_alone(void **state)
{
    struct lab *lab = *state;
    set_tags(500);
    lab_start(lab);
    (void)lab_ask(lab, REPOSITORY, VERSIONS);
    assert_int_equal(count_requests(lab), 3);
    const struct image_wish wish = lab_wish(lab, REPOSITORY, VERSIONS);
    int done = 0;
    (void)image_scans_ask(lab->scans, &wish, 1, 60000, 5000, on_done, &done);
    assert_true(bench_until(lab->bench, is_set, &done));
    assert_int_equal(count_requests(lab), 3); /* that is known already */
}

/* -- configurations */

static void one_configuration_of_many_tags_is_fetched_once(void **state)
{
    struct lab *lab = *state;
    set_tags(8);
    atomic_store(&same_from, 0);
    lab->opts.burst = 8;
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, REPOSITORY, GLOB);
    assert_string_equal(repo->error, "");
    assert_int_equal(lab_count(lab, "/blobs/"), 1);
    for (int i = 0; i < 8; i++)
        assert_true(find(lab, lab_printf(lab, "1.0.%d", i))->has_created);
}

static void a_configuration_that_fails_is_asked_for_by_the_next(void **state)
{
    struct lab *lab = *state;
    set_tags(4);
    atomic_store(&same_from, 0);
    lab_route(lab, &(struct lab_route){
                       .path = "/v2/" REPOSITORY "/blobs/*", .status = 404, .body = "{}" });
    lab_start(lab);
    const struct image_repo *repo = lab_ask(lab, REPOSITORY, GLOB);
    assert_string_equal(repo->error, "");
    for (int i = 0; i < 4; i++)
        assert_true(find(lab, lab_printf(lab, "1.0.%d", i))->is_excluded);
    assert_int_equal(lab_count(lab, "/blobs/"), 4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, lab_tear_down)

int main(void)
{
    const struct CMUnitTest all[] = {
        TEST(a_thousand_versions_take_a_few_requests),
        TEST(what_is_of_no_use_leads_to_the_next),
        TEST(nothing_takes_the_place_of_what_cannot_be_read),
        TEST(versions_do_not_wait_for_times),
        TEST(times_wait_for_all_that_match),
        TEST(a_busy_registry_does_not_keep_versions_from_being_decided),
        TEST(nothing_is_decided_by_half_a_list),
        TEST(who_asks_for_all_does_so_while_he_waits),
        TEST(a_command_with_versions_needs_the_newest_alone),
        TEST(one_configuration_of_many_tags_is_fetched_once),
        TEST(a_configuration_that_fails_is_asked_for_by_the_next),
    };
    return cmocka_run_group_tests_name("image_scans_versions", all, NULL, NULL);
}
