#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "sync/source.h"

#define TIMEOUT_MS 20000

/* A source on a loop that the test turns, and what it told. */
struct world {
    struct lab *lab;
    struct loop *loop;
    struct workers *workers;
    struct metrics *metrics;
    struct log log;
    struct sbuf lines;
    struct source_opts opts;
    struct mirror_opts mirror;
    struct source *source;
    int refreshed;
    char head[MIRROR_SHA_BYTES], tag[MIRROR_SHA_BYTES];
    bool is_stopped;
};

static void on_line(void *ctx, const char *line, size_t len)
{
    sbuf_add_bytes(&((struct world *)ctx)->lines, line, len);
}

static int64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static void on_refreshed(void *ctx, const char *head, const struct mirror_fetched *fetched)
{
    struct world *world = ctx;
    world->refreshed++;
    memcpy(world->head, head, strlen(head) + 1);
    memcpy(world->tag, fetched->tag, sizeof(world->tag));
}

static int setup(void **state)
{
    struct lab *lab = lab_new();
    struct world *world = arena_alloc(lab->mem, sizeof(*world));
    world->lab = lab;
    world->loop = loop_new();
    world->workers = worker_new(world->loop, 2, (size_t)4 << 20);
    world->metrics = metrics_new();
    sbuf_init(&world->lines, SBUF_MAX);
    world->log =
        (struct log){ .least = LOG_INFO, .write = on_line, .wall_ns = no_clock, .ctx = world };
    world->mirror = lab_opts(lab);
    world->opts = (struct source_opts){
        .loop = world->loop,
        .workers = world->workers,
        .log = &world->log,
        .metrics = world->metrics,
        .mirror = &world->mirror,
        .poll_ms = 3600000,
        .timeout_ms = TIMEOUT_MS,
        .on_refreshed = on_refreshed,
        .ctx = world,
    };
    *state = world;
    return 0;
}

static void on_stopped(void *ctx)
{
    ((struct world *)ctx)->is_stopped = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    if (world->source && !world->is_stopped) {
        source_stop(world->source, on_stopped, world);
        while (!world->is_stopped && loop_turn(world->loop, 1000))
            continue;
    }
    source_free(world->source);
    worker_free(world->workers);
    metrics_free(world->metrics);
    loop_free(world->loop);
    sbuf_fini(&world->lines);
    lab_free(world->lab);
    return 0;
}

static void start(struct world *world)
{
    world->source = source_new(&world->opts);
    source_start(world->source);
}

static void on_fetched(void *ctx, const struct err *e)
{
    (void)e;
    *(bool *)ctx = true;
}

/* Waits for one fetch to end. */
static void fetch(struct world *world)
{
    bool is_done = false;
    source_fetch(world->source, on_fetched, &is_done);
    while (!is_done)
        assert_true(loop_turn(world->loop, 1000));
}

static void until_refreshed(struct world *world, int times)
{
    int64_t until = lab_soon(TIMEOUT_MS);
    while (world->refreshed < times && lab_soon(0) < until)
        (void)loop_turn(world->loop, 100);
    assert_int_equal(world->refreshed, times);
}

static bool has_logged(const struct world *world, const char *text)
{
    return strstr(sbuf_text(&world->lines), text) != NULL;
}

static double metric(struct world *world, const char *line)
{
    SBUF(text, SBUF_MAX);
    metrics_format(world->metrics, &text);
    const char *at = strstr(sbuf_text(&text), arena_printf(world->lab->mem, "\n%s ", line));
    assert_non_null(at);
    return strtod(at + strlen(line) + 2, NULL);
}

/* -- states --------------------------------------------------------------------------------------- */

static void a_repository_becomes_ready_and_its_head_is_told(void **state)
{
    struct world *world = *state;
    world->source = source_new(&world->opts);
    assert_int_equal(source_state(world->source), SOURCE_NEW);
    assert_string_equal(source_error(world->source), "git repo has not been cloned yet");
    assert_string_equal(source_head(world->source), "");
    assert_true(source_fetched_ms(world->source) < 0);
    assert_fails(source_check_ready(world->source), ERR_TRANSIENT,
                 "git repo not ready: git repo has not been cloned yet");
    source_start(world->source);
    until_refreshed(world, 1);
    const char *head = lab_sh(world->lab, "git -C work rev-parse HEAD");
    assert_int_equal(source_state(world->source), SOURCE_READY);
    assert_string_equal(source_error(world->source), "");
    assert_string_equal(source_head(world->source), head);
    assert_string_equal(world->head, head);
    assert_ok(source_check_ready(world->source));
    assert_true(source_fetched_ms(world->source) >= 0);
    assert_true(
        has_logged(world, arena_printf(world->lab->mem,
                                       "component=sync-loop event=refreshed url=file://%s/repo.git "
                                       "branch=master HEAD=%s\n",
                                       world->lab->dir, head)));
    assert_true(metric(world, "flux_git_ready") == 1);
    assert_true(metric(world, "serin_git_fetched_timestamp_seconds") > 1e9);
    assert_true(metric(world, "serin_git_fetch_duration_seconds_count{success=\"true\"}") == 1);
}

static void no_url_is_unconfigured_for_good(void **state)
{
    struct world *world = *state;
    world->mirror.url = "";
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_UNCONFIGURED);
    assert_null(source_url(world->source));
    assert_string_equal(source_error(world->source), "git repo has not been cloned yet");
    assert_fails(source_check_ready(world->source), ERR_INVALID,
                 "git repo does not have valid config");
    assert_true(metric(world, "flux_git_ready") == 0);
}

static void a_missing_repository_stays_new_until_it_is_there(void **state)
{
    struct world *world = *state;
    lab_sh(world->lab, "mv repo.git hidden");
    world->opts.poll_ms = 1000;
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_NEW);
    assert_non_null(strstr(source_error(world->source), "git clone --mirror: fatal: "));
    lab_sh(world->lab, "mv hidden repo.git");
    until_refreshed(world, 1); /* by itself */
    assert_int_equal(source_state(world->source), SOURCE_READY);
}

static int count_requests(struct world *world)
{
    return atoi(lab_sh(world->lab, "cat requests 2>/dev/null | wc -l"));
}

static void turn_for(struct world *world, int64_t ms)
{
    for (int64_t until = lab_soon(ms); lab_soon(0) < until;)
        (void)loop_turn(world->loop, 50);
}

static void a_server_that_wants_to_be_left_alone_is(void **state)
{
    struct world *world = *state;
    const char *const argv[] = { "python3",
                                 TEST_DATA "/../git/http_backend.py",
                                 world->lab->dir,
                                 "--status",
                                 "503",
                                 "--retry-after",
                                 "3",
                                 "--log",
                                 lab_path(world->lab, "requests"),
                                 NULL };
    world->mirror.url =
        arena_printf(world->lab->mem, "http://127.0.0.1:%d/repo.git", lab_serve(world->lab, argv));
    world->opts.poll_ms = 1000; /* and so often it would be asked */
    start(world);
    turn_for(world, 2000);
    assert_int_equal(count_requests(world), 1);
    fetch(world); /* somebody asks */
    assert_int_equal(count_requests(world), 2);
    for (int64_t until = lab_soon(TIMEOUT_MS); count_requests(world) < 3 && lab_soon(0) < until;)
        turn_for(world, 200);
    assert_true(count_requests(world) >= 3); /* by itself */
}

static void a_host_without_an_address_is_unreachable(void **state)
{
    struct world *world = *state;
    world->mirror.url = "ssh://git@no-such-host.invalid/x";
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_UNREACHABLE);
    assert_non_null(strstr(source_error(world->source), "Could not resolve hostname"));
}

static void a_missing_branch_is_cloned_and_not_ready(void **state)
{
    struct world *world = *state;
    world->mirror.branch = "production";
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_CLONED);
    assert_string_equal(source_error(world->source),
                        "configured branch 'production' does not exist");
    assert_fails(source_check_ready(world->source), ERR_TRANSIENT,
                 "git repo not ready: configured branch 'production' does not exist");
    lab_sh(world->lab, "cd work && git push -q origin master:production");
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_READY);
    lab_sh(world->lab, "cd work && git push -q origin --delete production");
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_READY);
    assert_string_equal(source_error(world->source), "");
}

static void refuse_pushes(struct world *world)
{
    lab_write(world->lab, "repo.git/hooks/pre-receive", "#!/bin/sh\necho read only; exit 1\n");
    lab_sh(world->lab, "chmod +x repo.git/hooks/pre-receive");
}

static void without_write_access_it_is_cloned_but_not_ready(void **state)
{
    struct world *world = *state;
    refuse_pushes(world);
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_CLONED);
    assert_non_null(
        strstr(source_error(world->source), "attempt to push tag: failed to push some refs"));
    assert_int_equal(world->refreshed, 0);
    lab_sh(world->lab, "rm repo.git/hooks/pre-receive");
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_READY);
    refuse_pushes(world);
    fetch(world); /* checked once */
    assert_int_equal(source_state(world->source), SOURCE_READY);
}

static void a_read_only_repository_needs_no_write_access(void **state)
{
    struct world *world = *state;
    refuse_pushes(world);
    world->opts.is_readonly = true;
    start(world);
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_READY);
}

static void a_failing_fetch_leaves_it_ready_with_an_error(void **state)
{
    struct world *world = *state;
    start(world);
    fetch(world);
    const char *head = arena_strdup(world->lab->mem, source_head(world->source));
    int64_t fetched_ms = source_fetched_ms(world->source);
    lab_sh(world->lab, "mv repo.git hidden");
    fetch(world);
    assert_int_equal(source_state(world->source), SOURCE_READY);
    assert_non_null(strstr(source_error(world->source), "git fetch: fatal: "));
    assert_string_equal(source_head(world->source), head);
    assert_true(source_fetched_ms(world->source) == fetched_ms);
    assert_ok(source_check_ready(world->source));
    assert_true(metric(world, "serin_git_fetch_duration_seconds_count{success=\"false\"}") == 1);
    lab_sh(world->lab, "mv hidden repo.git");
    fetch(world);
    assert_string_equal(source_error(world->source), "");
    assert_false(has_logged(world, "git clone")); /* and nothing was cloned anew */
}

/* -- fetches and jobs --------------------------------------------------------------------------------- */

static void new_commits_are_seen_by_polling(void **state)
{
    struct world *world = *state;
    world->opts.poll_ms = 50;
    start(world);
    until_refreshed(world, 1);
    const char *next = lab_commit(world->lab, "c.yaml", "c: 1\n");
    int64_t until = lab_soon(TIMEOUT_MS);
    while (strcmp(source_head(world->source), next) != 0 && lab_soon(0) < until)
        (void)loop_turn(world->loop, 100);
    assert_string_equal(world->head, next);
}

struct counted {
    struct world *world;
    int *running, *most, *order, number;
    struct err *err;
    bool is_done;
};

static struct err *work(struct mirror *mirror, void *at, int64_t deadline_ms)
{
    struct counted *job = at;
    char sha[MIRROR_SHA_BYTES];
    assert_true(deadline_ms > 0);
    int now = __atomic_add_fetch(job->running, 1, __ATOMIC_SEQ_CST);
    if (now > *job->most)
        *job->most = now;
    struct err *e = mirror_resolve(mirror, job->number == 2 ? "nonsense" : "master", sha);
    (void)__atomic_sub_fetch(job->running, 1, __ATOMIC_SEQ_CST);
    return e;
}

static void done(void *at, struct err *e)
{
    struct counted *job = at;
    job->err = e;
    job->is_done = true;
    *job->order = *job->order * 10 + job->number;
}

static void jobs_run_one_at_a_time_and_in_order(void **state)
{
    struct world *world = *state;
    start(world);
    fetch(world);
    int running = 0, most = 0, order = 0;
    struct counted jobs[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct counted){ world, &running, &most, &order, i + 1, NULL, false };
        source_run(world->source, &(struct source_job){ work, done }, &jobs[i]);
    }
    while (!jobs[3].is_done)
        assert_true(loop_turn(world->loop, 1000));
    assert_int_equal(order, 1234);
    assert_int_equal(most, 1);
    assert_null(jobs[0].err);
    assert_fails(jobs[1].err, ERR_NOT_FOUND, "bad revision");
}

static void whoever_asks_during_a_fetch_gets_the_one_after_it(void **state)
{
    struct world *world = *state;
    start(world);
    bool first = false, second = false, third = false;
    source_fetch(world->source, on_fetched, &first);
    source_fetch(world->source, on_fetched, &second);
    source_fetch(world->source, on_fetched, &third);
    while (!first || !second || !third)
        assert_true(loop_turn(world->loop, 1000));
    assert_true(world->refreshed >= 2);
    assert_true(world->refreshed <= 3);
}

static void after_stopping_jobs_are_refused(void **state)
{
    struct world *world = *state;
    start(world);
    int running = 0, most = 0, order = 0;
    struct counted before = { world, &running, &most, &order, 1, NULL, false };
    struct counted after = { world, &running, &most, &order, 3, NULL, false };
    source_run(world->source, &(struct source_job){ work, done }, &before);
    source_stop(world->source, on_stopped, world);
    source_run(world->source, &(struct source_job){ work, done }, &after);
    while (!world->is_stopped && loop_turn(world->loop, 1000))
        continue;
    assert_true(world->is_stopped);
    assert_true(before.is_done && after.is_done);
    assert_fails(before.err, ERR_CANCELED, "shutting down");
    assert_fails(after.err, ERR_CANCELED, "shutting down");
}

/* -- signatures --------------------------------------------------------------------------------------- */

static void make_key(struct lab *lab)
{
    lab_sh(lab, "mkdir -m 700 gnupg; gpg --batch -q --pinentry-mode loopback --passphrase '' "
                "--quick-gen-key 'Jane <j@example.org>' ed25519 sign never 2>/dev/null");
}

static const char *commit_signed(struct lab *lab, bool is_signed)
{
    return lab_sh(
        lab,
        "cd work && echo >> a.yaml && git commit -qa %s -m change && git push -q origin master && "
        "git rev-parse HEAD",
        is_signed ? "-SJane" : "--no-gpg-sign");
}

static void mark_signed(struct lab *lab, const char *rev)
{
    lab_sh(lab,
           "cd work && git tag -f -u Jane -m 'Sync pointer' flux-sync %s >/dev/null && git push "
           "-qf origin flux-sync",
           rev);
}

static void the_head_is_the_last_commit_with_a_good_signature(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    make_key(lab);
    const char *first = commit_signed(lab, true);
    mark_signed(lab, first);
    const char *good = commit_signed(lab, true);
    const char *bad = commit_signed(lab, false);
    world->opts.verify = MIRROR_VERIFY_ALL;
    start(world);
    fetch(world);
    assert_string_equal(source_head(world->source), good);
    assert_string_equal(source_unverified(world->source), bad);
    assert_string_equal(world->head, good);
    assert_true(has_logged(
        world,
        arena_printf(lab->mem,
                     "err=\"found invalid GPG signature for commit\" revision=%s key=", bad)));
    const char *later = commit_signed(lab, true); /* behind the bad one: held back, too */
    fetch(world);
    assert_string_equal(source_head(world->source), good);
    assert_string_equal(source_unverified(world->source), later);
    lab_sh(lab, "cd work && git reset -q --hard %s && git push -qf origin master", good);
    const char *next = commit_signed(lab, true);
    fetch(world);
    assert_string_equal(source_head(world->source), next);
    assert_string_equal(source_unverified(world->source), "");
}

static void a_tag_without_a_signature_holds_everything_back(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    make_key(lab);
    const char *head = commit_signed(lab, true);
    lab_sh(lab, "cd work && git tag -am x flux-sync && git push -q origin flux-sync");
    world->opts.verify = MIRROR_VERIFY_ALL;
    start(world);
    fetch(world);
    assert_string_equal(source_head(world->source), "");
    assert_string_equal(source_unverified(world->source), head);
    assert_true(has_logged(world, "verifying tag flux-sync"));
    mark_signed(lab, head);
    fetch(world);
    assert_string_equal(source_head(world->source), head);
}

static void a_marker_kept_elsewhere_says_where_to_begin(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    make_key(lab);
    const char *first = commit_signed(lab, true); /* on top of one that is not signed */
    const char *head = commit_signed(lab, true);
    world->mirror.sync_tag = "";
    world->opts.verify = MIRROR_VERIFY_ALL;
    start(world);
    fetch(world);
    assert_string_equal(source_head(world->source), "");
    assert_string_equal(source_unverified(world->source), head);
    source_set_marker(world->source, first);
    until_refreshed(world, world->refreshed + 1);
    assert_string_equal(source_head(world->source), head);
}

static void keys_are_imported_and_a_broken_file_is_no_obstacle(void **state)
{
    struct world *world = *state;
    struct lab *lab = world->lab;
    make_key(lab);
    const char *head = commit_signed(lab, true);
    mark_signed(lab, head);
    lab_sh(lab, "mkdir keys && gpg --batch --armor --export > keys/b && echo rubbish > keys/a && "
                "mkdir -m 700 ring && "
                "gpgconf --kill all");
    const char *const keys[] = { lab_path(lab, "keys"), NULL };
    world->opts.verify = MIRROR_VERIFY_ALL;
    world->opts.gpg_keys = keys;
    world->mirror.gnupg_home = lab_path(lab, "ring");
    start(world);
    fetch(world);
    assert_string_equal(source_head(world->source), head);
    assert_true(has_logged(world, "keys/a"));
    lab_sh(lab, "gpgconf --homedir $PWD/ring --kill all");
}

#define world_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_repository_becomes_ready_and_its_head_is_told),
        world_test(no_url_is_unconfigured_for_good),
        world_test(a_missing_repository_stays_new_until_it_is_there),
        world_test(a_server_that_wants_to_be_left_alone_is),
        world_test(a_host_without_an_address_is_unreachable),
        world_test(a_missing_branch_is_cloned_and_not_ready),
        world_test(without_write_access_it_is_cloned_but_not_ready),
        world_test(a_read_only_repository_needs_no_write_access),
        world_test(a_failing_fetch_leaves_it_ready_with_an_error),
        world_test(new_commits_are_seen_by_polling),
        world_test(jobs_run_one_at_a_time_and_in_order),
        world_test(whoever_asks_during_a_fetch_gets_the_one_after_it),
        world_test(after_stopping_jobs_are_refused),
        world_test(the_head_is_the_last_commit_with_a_good_signature),
        world_test(a_tag_without_a_signature_holds_everything_back),
        world_test(a_marker_kept_elsewhere_says_where_to_begin),
        world_test(keys_are_imported_and_a_broken_file_is_no_obstacle),
    };
    return cmocka_run_group_tests_name("sync_source", tests, NULL, NULL);
}
