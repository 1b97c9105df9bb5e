/* Jobs run one at a time in the order they came, and the last ones are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "release/jobs.h"

/* A job whose id is told by `n`. */
static struct release_job *add(struct release_jobs *jobs, uint32_t n)
{
    unsigned char random[RELEASE_JOB_RANDOM_BYTES] = { 0 };
    memcpy(random, &n, sizeof(n));
    const struct release_spec spec = { .type = RELEASE_SYNC, .user = "", .message = "" };
    return release_jobs_add(jobs, random, &spec, (int64_t)n);
}

static void an_id_is_sixteen_bytes_in_five_groups(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    unsigned char random[RELEASE_JOB_RANDOM_BYTES];
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)(i * 17);
    const struct release_spec spec = { .type = RELEASE_SYNC };
    struct release_job *job = release_jobs_add(jobs, random, &spec, 0);
    assert_string_equal(job->id, "00112233-4455-6677-8899-aabbccddeeff");
    assert_ptr_equal(release_jobs_find(jobs, job->id), job);
    assert_null(release_jobs_find(jobs, "00112233"));
    assert_null(release_jobs_find(jobs, ""));
}

static void jobs_run_one_at_a_time_in_order(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    assert_null(release_jobs_next(jobs, 0));
    struct release_job *first = add(jobs, 1), *second = add(jobs, 2);
    assert_int_equal(release_jobs_waiting(jobs), 2);
    assert_ptr_equal(release_jobs_next(jobs, 5), first);
    assert_int_equal(first->state, RELEASE_JOB_RUNNING);
    assert_int_equal(first->started_ms, 5);
    assert_ptr_equal(release_jobs_running(jobs), first);
    assert_int_equal(release_jobs_waiting(jobs), 1);
    assert_null(release_jobs_next(jobs, 6));
    release_jobs_end(jobs, NULL, "");
    assert_int_equal(first->state, RELEASE_JOB_SUCCEEDED);
    assert_ptr_equal(release_jobs_next(jobs, 7), second);
    release_jobs_end(jobs, NULL, "no repository");
    assert_int_equal(second->state, RELEASE_JOB_FAILED);
    assert_null(release_jobs_next(jobs, 8));
    assert_null(release_jobs_running(jobs));
    struct release_job *third = add(jobs, 3);
    assert_ptr_equal(release_jobs_next(jobs, 9), third);
}

static void the_last_hundred_that_ended_are_remembered(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    char first[RELEASE_JOB_ID_BYTES], second[RELEASE_JOB_ID_BYTES];
    for (uint32_t i = 0; i < RELEASE_JOBS_KEPT + 1; i++) {
        struct release_job *job = add(jobs, i);
        if (i < 2)
            (void)snprintf(i ? second : first, sizeof(first), "%s", job->id);
        assert_ptr_equal(release_jobs_next(jobs, 0), job);
        release_jobs_end(jobs, NULL, "");
    }
    assert_null(release_jobs_find(jobs, first));
    assert_non_null(release_jobs_find(jobs, second));
}

/* A release of thousands of workloads has a result of a megabyte. */
static void results_have_a_bound_of_their_own(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t size = RELEASE_JOBS_BYTES / 3, known = 0;
    char *text = arena_alloc(mem, 4 * size);
    char ids[5][RELEASE_JOB_ID_BYTES];
    for (uint32_t i = 0; i < 5; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%s", add(jobs, i)->id);
        memset(text, 'a', i < 4 ? size : 4 * size - 1); /* the last one alone is too much */
        assert_non_null(release_jobs_next(jobs, 0));
        release_jobs_end(jobs, val_new_text(mem, text), "");
        known = 0;
        for (uint32_t k = 0; k <= i; k++)
            known += release_jobs_find(jobs, ids[k]) != NULL;
        assert_int_equal(known, i < 4 ? MIN_OF(i + 1, 2) : 1);
    }
    assert_non_null(release_jobs_find(jobs, ids[4]));
}

static void jobs_that_wait_are_never_forgotten(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    for (uint32_t i = 0; i < 3 * RELEASE_JOBS_KEPT; i++)
        add(jobs, i);
    for (uint32_t i = 0; i < 2 * RELEASE_JOBS_KEPT; i++) {
        assert_non_null(release_jobs_next(jobs, 0));
        release_jobs_end(jobs, NULL, "");
    }
    assert_int_equal(release_jobs_waiting(jobs), RELEASE_JOBS_KEPT);
    assert_non_null(release_jobs_next(jobs, 0));
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    for (uint32_t i = 0; i < RELEASE_JOBS_QUEUED; i++)
        assert_non_null(add(jobs, i));
    assert_null(add(jobs, RELEASE_JOBS_QUEUED));
    release_jobs_next(jobs, 0);
    assert_non_null(add(jobs, RELEASE_JOBS_QUEUED));
}

static void a_status_has_the_shape_of_flux(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_job *job = add(jobs, 1), *failing = add(jobs, 2);
    assert_string_equal(val_json(mem, release_jobs_json(mem, job), NULL),
                        "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"queued\"}");
    release_jobs_next(jobs, 0);
    assert_string_equal(val_json(mem, release_jobs_json(mem, job), NULL),
                        "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"running\"}");
    struct val *result = val_new_map(mem);
    val_set_text(mem, result, "revision", "7dc025c6");
    release_jobs_end(jobs, result, "");
    assert_string_equal(
        val_json(mem, release_jobs_json(mem, job), NULL),
        "{\"Result\":{\"revision\":\"7dc025c6\"},\"Err\":\"\",\"StatusString\":\"succeeded\"}");
    release_jobs_next(jobs, 0);
    release_jobs_end(jobs, NULL, "git repo not ready: \"x\"");
    assert_string_equal(
        val_json(mem, release_jobs_json(mem, failing), NULL),
        "{\"Result\":{},\"Err\":\"git repo not ready: \\\"x\\\"\",\"StatusString\":\"failed\"}");
}

/* What a request named is gone with the request; the job has it until it ends. */
static void a_job_keeps_a_copy_of_its_spec(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *workloads[] = { arena_strdup(mem, "a:deployment/b"), NULL };
    const char *none[] = { NULL };
    struct val *add = val_new_map(mem);
    val_set_text(mem, add, "automated", "true");
    const struct release_policy_update update = { .id = arena_strdup(mem, "a:deployment/c"),
                                                  .add = add,
                                                  .remove = val_new_map(mem),
                                                  .has_remove = true };
    const struct release_container_update container = { "a:deployment/d", "c", "", "x:1" };
    unsigned char random[RELEASE_JOB_RANDOM_BYTES] = { 7 };
    release_jobs_add(jobs, random,
                     &(struct release_spec){ .type = RELEASE_IMAGE,
                                             .user = arena_strdup(mem, "Jane"),
                                             .message = "",
                                             .workloads = workloads,
                                             .excludes = none,
                                             .image = arena_strdup(mem, "x:1"),
                                             .containers = &container,
                                             .container_count = 1,
                                             .policies = &update,
                                             .policy_count = 1 },
                     0);
    arena_free(mem);
    const struct release_spec *spec = &release_jobs_next(jobs, 0)->spec;
    assert_int_equal(spec->type, RELEASE_IMAGE);
    assert_string_equal(spec->user, "Jane");
    assert_string_equal(spec->workloads[0], "a:deployment/b");
    assert_null(spec->workloads[1]);
    assert_non_null(spec->excludes); /* an empty list is not null */
    assert_null(spec->excludes[0]);
    assert_string_equal(spec->image, "x:1");
    assert_string_equal(spec->containers[0].target, "x:1");
    assert_string_equal(spec->policies[0].id, "a:deployment/c");
    assert_string_equal(val_text(val_get(spec->policies[0].add, "automated")), "true");
    assert_true(spec->policies[0].has_remove);
    assert_false(release_jobs_has_waiting(jobs, RELEASE_IMAGE));
}

static void what_was_done_beside_the_queue_is_remembered(void **state)
{
    (void)state;
    SCOPED(release_jobs_free) struct release_jobs *jobs = release_jobs_new();
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char random[RELEASE_JOB_RANDOM_BYTES] = { 1, 2, 3 };
    struct release_job *waiting = add(jobs, 9);
    const struct release_job *kept = release_jobs_keep(jobs, random, val_new_map(mem));
    assert_ptr_equal(release_jobs_find(jobs, kept->id), kept);
    assert_int_equal(kept->state, RELEASE_JOB_SUCCEEDED);
    assert_true(release_jobs_has_waiting(jobs, RELEASE_SYNC));
    assert_ptr_equal(release_jobs_next(jobs, 0), waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_sixteen_bytes_in_five_groups),
        cmocka_unit_test(jobs_run_one_at_a_time_in_order),
        cmocka_unit_test(the_last_hundred_that_ended_are_remembered),
        cmocka_unit_test(results_have_a_bound_of_their_own),
        cmocka_unit_test(jobs_that_wait_are_never_forgotten),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_status_has_the_shape_of_flux),
        cmocka_unit_test(a_job_keeps_a_copy_of_its_spec),
        cmocka_unit_test(what_was_done_beside_the_queue_is_remembered),
    };
    return cmocka_run_group_tests_name("release_jobs", tests, NULL, NULL);
}
