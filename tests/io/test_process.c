
#include "../rows.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/process.h"

struct lab {
    struct loop *loop;
    struct processes *all;
    int calls, exit_status, signal;
    enum err_kind kind;
    bool failed, was_cut, frees;
    char text[4096];
};

static int set_up(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    lab->loop = loop_new();
    lab->all = processes_new(lab->loop);
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    processes_free(lab->all);
    loop_free(lab->loop);
    free(lab);
    return 0;
}

static void on_done(void *ctx, const struct process_result *result)
{
    struct lab *lab = ctx;
    lab->calls++;
    lab->exit_status = result->exit_status;
    lab->signal = result->signal;
    lab->was_cut = result->was_cut;
    lab->failed = result->err != NULL;
    if (result->err)
        lab->kind = err_kind(result->err);
    snprintf(lab->text, sizeof(lab->text), "%s",
             result->err ? err_text(result->err) : result->output);
    if (lab->frees) {
        processes_free(lab->all);
        lab->all = NULL;
    }
}

static ticket start(struct lab *lab, const char *script, int64_t timeout_ms)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    return process_start(
        lab->all,
        &(struct process_spec){ .argv = argv, .timeout_ms = timeout_ms, .output_limit = 1000 },
        on_done, lab);
}

static void turn_until_done(struct lab *lab, int calls)
{
    for (int64_t until = loop_now_ms(lab->loop) + 20000;
         lab->calls < calls && loop_now_ms(lab->loop) < until;)
        (void)loop_turn(lab->loop, 100);
    assert_int_equal(lab->calls, calls);
}

/* Whether a process of this number is there; asked for two seconds, since a killed one needs a moment. */
static bool goes_away(int pid)
{
    for (int i = 0; i < 200 && kill(pid, 0) == 0; i++) {
        char name[64], state = 'Z';
        snprintf(name, sizeof(name), "/proc/%d/stat", pid);
        FILE *stat = fopen(name, "re");
        if (stat && fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        if (stat)
            fclose(stat);
        if (state == 'Z')
            return true;
        usleep(10000);
    }
    return kill(pid, 0) != 0;
}

static void both_outputs_come_as_one_text(void **state)
{
    struct lab *lab = *state;
    start(lab, "echo one; echo two >&2; echo three; exit 3", 0);
    assert_int_equal(lab->calls, 0);
    turn_until_done(lab, 1);
    assert_false(lab->failed);
    assert_int_equal(lab->exit_status, 3);
    assert_string_equal(lab->text, "one\ntwo\nthree\n");
    assert_int_equal(processes_running(lab->all), 0);
}

static void what_it_is_given_is_its_input(void **state)
{
    struct lab *lab = *state;
    const char *const argv[] = { "cat", NULL };
    process_start(
        lab->all,
        &(struct process_spec){ .argv = argv, .input = "one\ntwo\n", .output_limit = 1000 },
        on_done, lab);
    turn_until_done(lab, 1);
    assert_string_equal(lab->text, "one\ntwo\n");
    assert_int_equal(lab->exit_status, 0);
    start(lab, "cat", 5000); /* and else there is none */
    turn_until_done(lab, 2);
    assert_string_equal(lab->text, "");
    assert_false(lab->failed);
}

static void a_signal_is_told(void **state)
{
    struct lab *lab = *state;
    start(lab, "kill -TERM $$", 0);
    turn_until_done(lab, 1);
    assert_int_equal(lab->signal, SIGTERM);
    assert_int_equal(lab->exit_status, -1);
}

static void a_missing_program_is_an_error_in_a_later_turn(void **state)
{
    struct lab *lab = *state;
    const char *const argv[] = { "/nowhere/no-such-program", NULL };
    process_start(lab->all, &(struct process_spec){ .argv = argv, .output_limit = 10 }, on_done,
                  lab);
    assert_int_equal(lab->calls, 0);
    turn_until_done(lab, 1);
    assert_true(lab->failed);
    assert_int_equal(lab->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(lab->text, "/nowhere/no-such-program"));
}

static void a_deadline_kills_the_whole_group(void **state)
{
    struct lab *lab = *state;
    start(lab, "sleep 300 & echo $!; wait", 300);
    turn_until_done(lab, 1);
    assert_true(lab->failed);
    assert_int_equal(lab->kind, ERR_TRANSIENT);
    assert_non_null(strstr(lab->text, "0.3 s"));
}

static void what_it_leaves_behind_is_killed(void **state)
{
    struct lab *lab = *state;
    start(lab, "sleep 300 >/dev/null 2>&1 & echo $!", 0);
    turn_until_done(lab, 1);
    int pid = (int)strtol(lab->text, NULL, 10);
    assert_true(pid > 1);
    assert_true(goes_away(pid));
}

static void one_that_holds_the_pipe_open_is_not_waited_for(void **state)
{
    struct lab *lab = *state;
    start(lab, "setsid sleep 5 & echo done", 0);
    int64_t began = loop_now_ms(lab->loop);
    turn_until_done(lab, 1);
    assert_string_equal(lab->text, "done\n");
    assert_true(loop_now_ms(lab->loop) - began < 4000);
}

/* Its last words are waited for when the deadline comes. (Where it is too slow to end before, it is killed.) */
static void one_that_ended_in_time_is_not_called_late(void **state)
{
    struct lab *lab = *state;
    start(lab, "setsid sleep 2 & sleep 0.9; echo done", 1000);
    turn_until_done(lab, 1);
    assert_int_equal(lab->failed, lab->signal == SIGKILL);
    assert_non_null(strstr(lab->text, lab->failed ? "was killed" : "done\n"));
}

static void more_than_the_limit_is_dropped(void **state)
{
    struct lab *lab = *state;
    start(lab, "head -c 300000 /dev/zero | tr '\\0' x", 0);
    turn_until_done(lab, 1);
    assert_true(lab->was_cut);
    assert_int_equal(strlen(lab->text), 1000);
    assert_int_equal(lab->exit_status, 0);
}

static void a_cancelled_one_ends_and_tells_nobody(void **state)
{
    struct lab *lab = *state;
    ticket id = start(lab, "sleep 300", 0);
    assert_int_equal(processes_running(lab->all), 1);
    process_cancel(lab->all, id);
    process_cancel(lab->all, id);
    assert_int_equal(processes_running(lab->all), 0);
    start(lab, "echo next", 0);
    turn_until_done(lab, 1);
    assert_string_equal(lab->text, "next\n");
}

static void many_run_at_once_and_all_can_be_freed_from_one_callback(void **state)
{
    struct lab *lab = *state;
    for (int i = 0; i < 50; i++)
        start(lab, "sleep 300", 0);
    assert_int_equal(processes_running(lab->all), 50);
    lab->frees = true;
    start(lab, "true", 0);
    turn_until_done(lab, 1);
}

#define IN_LAB(fn) SINGLE_IN(fn, set_up, tear_down)

int main(void)
{
    static const struct rows tests[] = {
        IN_LAB(both_outputs_come_as_one_text),
        IN_LAB(what_it_is_given_is_its_input),
        IN_LAB(a_signal_is_told),
        IN_LAB(a_missing_program_is_an_error_in_a_later_turn),
        IN_LAB(a_deadline_kills_the_whole_group),
        IN_LAB(what_it_leaves_behind_is_killed),
        IN_LAB(one_that_holds_the_pipe_open_is_not_waited_for),
        IN_LAB(one_that_ended_in_time_is_not_called_late),
        IN_LAB(more_than_the_limit_is_dropped),
        IN_LAB(a_cancelled_one_ends_and_tells_nobody),
        IN_LAB(many_run_at_once_and_all_can_be_freed_from_one_callback),
    };
    return rows_run("io_process", tests, ARRAY_LEN(tests));
}
