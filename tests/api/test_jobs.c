/* Jobs run one at a time in the order they came, and the last ones are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/jobs.h"

/* A job whose id is told by `n`. */
static struct api_job *add(struct api_jobs *jobs, uint32_t n)
{
    unsigned char random[API_JOB_RANDOM_BYTES] = { 0 };
    memcpy(random, &n, sizeof(n));
    return api_jobs_add(jobs, random, API_UPDATE_SYNC, (int64_t)n);
}

static void an_id_is_sixteen_bytes_in_five_groups(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    unsigned char random[API_JOB_RANDOM_BYTES];
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)(i * 17);
    struct api_job *job = api_jobs_add(jobs, random, API_UPDATE_SYNC, 0);
    assert_string_equal(job->id, "00112233-4455-6677-8899-aabbccddeeff");
    assert_ptr_equal(api_jobs_find(jobs, job->id), job);
    assert_null(api_jobs_find(jobs, "00112233"));
    assert_null(api_jobs_find(jobs, ""));
}

static void jobs_run_one_at_a_time_in_order(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    assert_null(api_jobs_next(jobs, 0));
    struct api_job *first = add(jobs, 1), *second = add(jobs, 2);
    assert_int_equal(api_jobs_waiting(jobs), 2);
    assert_ptr_equal(api_jobs_next(jobs, 5), first);
    assert_int_equal(first->state, API_JOB_RUNNING);
    assert_int_equal(first->started_ms, 5);
    assert_ptr_equal(api_jobs_running(jobs), first);
    assert_int_equal(api_jobs_waiting(jobs), 1);
    assert_null(api_jobs_next(jobs, 6));
    api_jobs_end(jobs, "abc", "");
    assert_int_equal(first->state, API_JOB_SUCCEEDED);
    assert_ptr_equal(api_jobs_next(jobs, 7), second);
    api_jobs_end(jobs, "", "no repository");
    assert_int_equal(second->state, API_JOB_FAILED);
    assert_null(api_jobs_next(jobs, 8));
    assert_null(api_jobs_running(jobs));
    struct api_job *third = add(jobs, 3);
    assert_ptr_equal(api_jobs_next(jobs, 9), third);
}

static void the_last_hundred_that_ended_are_remembered(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    char first[API_JOB_ID_BYTES], second[API_JOB_ID_BYTES];
    for (uint32_t i = 0; i < API_JOBS_KEPT + 1; i++) {
        struct api_job *job = add(jobs, i);
        if (i < 2)
            (void)snprintf(i ? second : first, sizeof(first), "%s", job->id);
        assert_ptr_equal(api_jobs_next(jobs, 0), job);
        api_jobs_end(jobs, "", "");
    }
    assert_null(api_jobs_find(jobs, first));
    assert_non_null(api_jobs_find(jobs, second));
}

static void jobs_that_wait_are_never_forgotten(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    for (uint32_t i = 0; i < 3 * API_JOBS_KEPT; i++)
        add(jobs, i);
    for (uint32_t i = 0; i < 2 * API_JOBS_KEPT; i++) {
        assert_non_null(api_jobs_next(jobs, 0));
        api_jobs_end(jobs, "", "");
    }
    assert_int_equal(api_jobs_waiting(jobs), API_JOBS_KEPT);
    assert_non_null(api_jobs_next(jobs, 0));
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    for (uint32_t i = 0; i < API_JOBS_QUEUED; i++)
        assert_non_null(add(jobs, i));
    assert_null(add(jobs, API_JOBS_QUEUED));
    api_jobs_next(jobs, 0);
    assert_non_null(add(jobs, API_JOBS_QUEUED));
}

static void a_status_has_the_shape_of_flux(void **state)
{
    (void)state;
    SCOPED(api_jobs_free) struct api_jobs *jobs = api_jobs_new();
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_job *job = add(jobs, 1), *failing = add(jobs, 2);
    assert_string_equal(val_json(mem, api_jobs_json(mem, job), NULL),
                        "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"queued\"}");
    api_jobs_next(jobs, 0);
    assert_string_equal(val_json(mem, api_jobs_json(mem, job), NULL),
                        "{\"Result\":{},\"Err\":\"\",\"StatusString\":\"running\"}");
    api_jobs_end(jobs, "7dc025c6", "");
    assert_string_equal(
        val_json(mem, api_jobs_json(mem, job), NULL),
        "{\"Result\":{\"revision\":\"7dc025c6\"},\"Err\":\"\",\"StatusString\":\"succeeded\"}");
    api_jobs_next(jobs, 0);
    api_jobs_end(jobs, "", "git repo not ready: \"x\"");
    assert_string_equal(
        val_json(mem, api_jobs_json(mem, failing), NULL),
        "{\"Result\":{},\"Err\":\"git repo not ready: \\\"x\\\"\",\"StatusString\":\"failed\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_sixteen_bytes_in_five_groups),
        cmocka_unit_test(jobs_run_one_at_a_time_in_order),
        cmocka_unit_test(the_last_hundred_that_ended_are_remembered),
        cmocka_unit_test(jobs_that_wait_are_never_forgotten),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_status_has_the_shape_of_flux),
    };
    return cmocka_run_group_tests_name("api_jobs", tests, NULL, NULL);
}
