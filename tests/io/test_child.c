#include "../rows.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/child.h"
#include "io/stream.h"
#include "peer.h"

#define MIB ((size_t)1 << 20)

static struct err *run_sh(struct arena *mem, const char *script, int64_t within_ms,
                          struct child_output *out)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + within_ms };
    struct child_io io = { .out_limit = MIB, .err_limit = 4096 };
    return child_run(mem, &spec, &io, out);
}

static struct child *open_sh(const char *script, int64_t within_ms)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + within_ms };
    struct child *child = NULL;
    assert_null(child_open(&spec, &child));
    return child;
}

/* Has the process that wrote its number into the file ended? Asked for a second, since a killed one needs a moment. */
static bool has_ended(const char *dir, const char *file)
{
    char *text = peer_read(dir, file);
    int pid = atoi(text);
    free(text);
    assert_true(pid > 1);
    for (int i = 0; i < 100; i++) {
        char name[64], state = 'Z';
        snprintf(name, sizeof(name), "/proc/%d/stat", pid);
        FILE *stat = fopen(name, "re");
        if (stat) {
            if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
                state = 'Z';
            fclose(stat);
        }
        if (state == 'Z')
            return true;
        usleep(10000);
    }
    return false;
}

/* --- exit status: one row each */

static const struct status_case {
    const char *name, *script;
    int status;
    const char *out, *err;
} status_cases[] = {
    { "success is status 0 with both outputs", "echo yes; echo hm >&2", 0, "yes\n", "hm\n" },
    { "failure is a status, not an error", "echo no >&2; exit 7", 7, "", "no\n" },
    { "a killed child has 128 and the signal", "kill -TERM $$", 143, "", "" },
    { "a child that kills itself hard has 137", "kill -KILL $$", 137, "", "" },
    { "signals that we ignore are as in a fresh shell", "kill -PIPE $$; echo alive", 141, "", "" },
    { "bytes that are no text come as they are", "printf 'a\\0b\\377'", 0, "a", "" },
    { "standard input is at its end", "cat; echo done", 0, "done\n", "" },
    { "there is no terminal", "(: </dev/tty) 2>/dev/null && echo tty || echo none", 0, "none\n",
      "" },
    { "it leads a session", "ps -o sid= -p $$ | tr -d ' ' | grep -qx $$ && echo leads", 0,
      "leads\n", "" },
};

static void the_end_is_reported(void **state)
{
    const struct status_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    struct child_output out;
    assert_null(run_sh(mem, row->script, 20000, &out));
    assert_int_equal(out.exit_status, row->status);
    assert_string_equal(out.out, row->out);
    assert_string_equal(out.err, row->err);
}

/* --- starting */

static void a_missing_program_is_not_found(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    static const char *const names[] = { "no-such-program-here", "/no/such/program", "" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *const argv[] = { names[i], "secret-argument", NULL };
        struct child_spec spec = { .argv = argv };
        struct child_output out;
        SCOPED(err_free) struct err *e = child_run(mem, &spec, &(struct child_io){ 0 }, &out);
        assert_true(err_is(e, ERR_NOT_FOUND));
        assert_non_null(strstr(err_text(e), names[i]));
        assert_null(strstr(err_text(e), "secret-argument"));
    }
}

static void a_file_that_is_no_program_is_denied(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    const char *const argv[] = { "/etc/passwd", NULL };
    struct child_spec spec = { .argv = argv };
    struct child_output out;
    SCOPED(err_free) struct err *e = child_run(mem, &spec, &(struct child_io){ 0 }, &out);
    assert_true(err_is(e, ERR_DENIED));
}

static void a_missing_directory_is_named(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    const char *const argv[] = { "true", NULL };
    struct child_spec spec = { .argv = argv, .cwd = "/no/such/folder" };
    struct child_output out;
    SCOPED(err_free) struct err *e = child_run(mem, &spec, &(struct child_io){ 0 }, &out);
    assert_true(err_is(e, ERR_NOT_FOUND));
    assert_non_null(strstr(err_text(e), "/no/such/folder"));
}

static void environment_and_directory_are_the_given_ones(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    const char *const argv[] = { "sh", "-c",
                                 "pwd; env | grep -v ^PWD= | grep -v ^_= | grep -v ^SHLVL=", NULL };
    const char *const env[] = { "PATH=/usr/bin:/bin", "A=b c", NULL };
    struct child_spec spec = {
        .argv = argv, .env = env, .cwd = "/usr", .deadline_ms = stream_now_ms() + 20000
    };
    struct child_output out;
    assert_null(child_run(mem, &spec, &(struct child_io){ .err_limit = 100 }, &out));
    assert_string_equal(out.err, "");
    assert_true(strcmp(out.out, "/usr\nPATH=/usr/bin:/bin\nA=b c\n") == 0 ||
                strcmp(out.out, "/usr\nA=b c\nPATH=/usr/bin:/bin\n") == 0);
}

static void nothing_open_is_inherited(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    int careless[3];
    for (int i = 0; i < 3; i++)
        careless[i] = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    struct child_output out;
    assert_null(run_sh(mem, "ls /proc/self/fd | tr '\\n' ' '", 20000, &out));
    assert_string_equal(out.out, "0 1 2 3 "); /* 3 is the folder that ls reads */
    for (int i = 0; i < 3; i++)
        close(careless[i]);
}

static void pipes_do_not_clash_with_closed_standard_descriptors(void **state)
{
    (void)state;
    fflush(NULL);
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        close(i);
    }
    struct child_output out = { 0 };
    struct err *e = run_sh(mem, "echo one; echo two >&2", 20000, &out);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    assert_null(e);
    assert_string_equal(out.out, "one\n");
    assert_string_equal(out.err, "two\n");
}

/* --- deadlines */

static void a_deadline_kills_the_child_and_its_offspring(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    char *dir = peer_dir_new();
    const char *script =
        arena_printf(mem, "cd %s; sleep 1000 & echo $! >grandchild; echo $$ >child; wait", dir);
    struct child_output out;
    int64_t before = stream_now_ms();
    SCOPED(err_free) struct err *e = run_sh(mem, script, 300, &out);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_non_null(strstr(err_text(e), "deadline"));
    assert_in_range(stream_now_ms() - before, 250, 10000);
    assert_true(has_ended(dir, "child"));
    assert_true(has_ended(dir, "grandchild"));
    peer_dir_free(dir);
}

static void a_child_that_ignores_signals_is_killed_all_the_same(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    struct child_output out;
    SCOPED(err_free)
    struct err *e = run_sh(mem, "trap '' TERM INT HUP; while :; do sleep 0.05; done", 300, &out);
    assert_true(err_is(e, ERR_TRANSIENT));
}

static void a_grandchild_that_holds_the_pipes_does_not_hold_us(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    char *dir = peer_dir_new();
    struct child_output out;
    int64_t before = stream_now_ms();
    assert_null(
        run_sh(mem, arena_printf(mem, "cd %s; sleep 1000 & echo $! >grandchild; echo early", dir),
               60000, &out));
    assert_string_equal(out.out, "early\n");
    assert_in_range(stream_now_ms() - before, 0, 20000);
    assert_true(has_ended(dir, "grandchild"));
    peer_dir_free(dir);
}

static void a_grandchild_in_a_session_of_its_own_does_not_hold_us_either(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    char *dir = peer_dir_new();
    struct child_output out;
    int64_t before = stream_now_ms();
    const char *script = "cd %s; setsid sh -c 'echo $$ >pid; exec sleep 1000' & while ! [ -s pid "
                         "]; do sleep 0.01; done;"
                         "echo early";
    char *text = NULL;
    assert_true(asprintf(&text, "cd %s; %s", dir, strchr(script, ';') + 1) > 0);
    assert_null(run_sh(mem, text, 60000, &out));
    free(text);
    assert_string_equal(out.out, "early\n");
    assert_in_range(stream_now_ms() - before, 0, 20000);
    assert_int_equal(peer_system("kill -9 $(cat %s/pid)", dir), 0); /* it was out of our reach */
    peer_dir_free(dir);
}

static void the_last_words_of_a_child_are_not_lost(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 * MIB);
    for (int i = 0; i < 30; i++) {
        struct child_output out;
        assert_null(run_sh(mem, "head -c 60000 /dev/zero | tr '\\0' x; printf end", 20000, &out));
        assert_int_equal(out.out_len, 60003);
        assert_string_equal(out.out + 60000, "end");
    }
}

/* --- floods */

static void output_over_the_limit_ends_the_child(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    struct child_output out;
    SCOPED(err_free) struct err *e = run_sh(mem, "yes", 60000, &out);
    assert_true(err_is(e, ERR_LIMIT));
    assert_non_null(strstr(err_text(e), "1048576"));
}

static void errors_over_their_limit_are_dropped(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    struct child_output out;
    assert_null(run_sh(mem, "head -c 10000000 /dev/zero | tr '\\0' e >&2; echo ok", 60000, &out));
    assert_string_equal(out.out, "ok\n");
    assert_int_equal(out.err_len, 4096);
    assert_int_equal(strspn(out.err, "e"), 4096);
}

static void much_goes_in_and_out_at_once(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 * MIB);
    size_t len = 8 * MIB;
    char *input = arena_alloc(mem, len);
    for (size_t i = 0; i < len; i++)
        input[i] = (char)(i * 7 % 251);
    const char *const argv[] = { "tee", "/dev/stderr", NULL };
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + 60000 };
    struct child_io io = { .input = input, .input_len = len, .out_limit = len, .err_limit = len };
    struct child_output out;
    assert_null(child_run(mem, &spec, &io, &out));
    assert_int_equal(out.out_len, len);
    assert_memory_equal(out.out, input, len);
    assert_int_equal(out.err_len, len);
    assert_memory_equal(out.err, input, len);
}

static void input_that_is_not_wanted_is_no_failure(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(64 * MIB);
    size_t len = 4 * MIB;
    const char *const argv[] = { "head", "-c", "3", NULL };
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + 60000 };
    struct child_io io = { .input = memset(arena_alloc(mem, len), 'x', len), .input_len = len };
    struct child_output out;
    assert_null(child_run(mem, &spec, &io, &out));
    assert_int_equal(out.exit_status, 0);
    assert_string_equal(out.out, "xxx");
}

/* --- a child to talk to */

static size_t read_all(struct child *child, char *buffer, size_t size)
{
    size_t len = 0, got = 0;
    do {
        assert_null(child_read(child, buffer + len, size - 1 - len, &got));
        len += got;
    } while (got > 0 && len < size - 1);
    buffer[len] = '\0';
    return len;
}

static void question_and_answer_alternate(void **state)
{
    (void)state;
    SCOPED(child_free)
    struct child *child =
        open_sh("while read line; do echo \"<$line>\"; done; echo bye >&2", 20000);
    for (int i = 0; i < 100; i++) {
        char question[32], answer[64] = "";
        int len = snprintf(question, sizeof(question), "number %d\n", i);
        assert_null(child_write(child, question, (size_t)len));
        size_t at = 0, got = 0;
        while (!strchr(answer, '\n')) {
            assert_null(child_read(child, answer + at, sizeof(answer) - 1 - at, &got));
            at += got;
        }
        snprintf(question, sizeof(question), "<number %d>\n", i);
        assert_string_equal(answer, question);
    }
    child_close_input(child);
    char rest[16];
    assert_int_equal(read_all(child, rest, sizeof(rest)), 0);
    int status = -1;
    assert_null(child_wait(child, &status));
    assert_int_equal(status, 0);
    assert_string_equal(child_errors(child), "bye\n");
}

/* Each side fills its pipe while the other writes: with reading and writing taken in turns both would wait for ever. */
static void a_child_that_talks_while_we_write_blocks_nobody(void **state)
{
    (void)state;
    size_t len = 2 * MIB;
    char *text = malloc(len + 1), *back = malloc(len + 1);
    assert_true(text && back);
    memset(text, 'q', len);
    SCOPED(child_free) struct child *child = open_sh("tee /dev/stderr", 60000);
    assert_null(child_write(child, text, len));
    child_close_input(child);
    assert_int_equal(read_all(child, back, len + 1), len);
    assert_memory_equal(back, text, len);
    int status = -1;
    assert_null(child_wait(child, &status));
    assert_int_equal(status, 0);
    assert_int_equal(strlen(child_errors(child)), 16384);
    free(text);
    free(back);
}

static void the_last_errors_are_kept(void **state)
{
    (void)state;
    SCOPED(child_free)
    struct child *child = open_sh(
        "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done; echo last words >&2",
        60000);
    int status = -1;
    assert_null(child_wait(child, &status));
    const char *errors = child_errors(child);
    assert_int_equal(strlen(errors), 16384);
    assert_string_equal(errors + 16384 - 11, "last words\n");
}

static void a_flood_while_we_write_has_a_limit(void **state)
{
    (void)state;
    char *text = malloc(MIB);
    assert_non_null(text);
    memset(text, 'q', MIB);
    SCOPED(child_free) struct child *child = open_sh("exec yes", 60000); /* never reads */
    SCOPED(err_free) struct err *e = child_write(child, text, MIB);
    assert_true(err_is(e, ERR_LIMIT));
    free(text);
}

static void writing_to_a_child_that_is_gone_is_an_error(void **state)
{
    (void)state;
    static const char *const scripts[] = { "exit 3", "exec 0<&-; sleep 1000", "kill -9 $$" };
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        char *text = malloc(MIB);
        assert_non_null(text);
        memset(text, 'q', MIB);
        SCOPED(child_free) struct child *child = open_sh(scripts[i], 60000);
        SCOPED(err_free) struct err *e = child_write(child, text, MIB);
        assert_true(err_is(e, ERR_TRANSIENT));
        assert_null(strstr(err_text(e), "deadline"));
        free(text);
    }
}

static void reading_from_a_silent_child_ends_at_the_deadline(void **state)
{
    (void)state;
    SCOPED(child_free) struct child *child = open_sh("exec sleep 1000", 200);
    char buffer[10];
    size_t got = 1;
    SCOPED(err_free) struct err *e = child_read(child, buffer, sizeof(buffer), &got);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_int_equal(got, 0);
}

static void freeing_a_child_kills_it(void **state)
{
    (void)state;
    char *dir = peer_dir_new(), *script = NULL;
    assert_true(asprintf(&script, "cd %s; echo $$ >pid; echo on; exec sleep 1000", dir) > 0);
    struct child *child = open_sh(script, 60000);
    char buffer[10];
    size_t got = 0;
    assert_null(child_read(child, buffer, sizeof(buffer), &got));
    child_free(child);
    assert_true(has_ended(dir, "pid"));
    free(script);
    peer_dir_free(dir);
}

static void waiting_drops_what_nobody_reads(void **state)
{
    (void)state;
    SCOPED(child_free) struct child *child = open_sh("head -c 3000000 /dev/zero; exit 5", 60000);
    int status = -1;
    assert_null(child_wait(child, &status));
    assert_int_equal(status, 5);
    assert_null(child_wait(child, &status));
    assert_int_equal(status, 5);
}

static void *run_many(void *arg)
{
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    long *bad = arg;
    for (int i = 0; i < 20; i++) {
        struct child_output out;
        char expected[32];
        snprintf(expected, sizeof(expected), "%d\n", i);
        SCOPED(err_free)
        struct err *e = run_sh(mem, arena_printf(mem, "echo %d; exit %d", i, i), 60000, &out);
        if (e || out.exit_status != i || strcmp(out.out, expected) != 0)
            ++*bad;
    }
    return NULL;
}

static void children_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[4];
    long bad[4] = { 0 };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &bad[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(bad[i], 0);
    }
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(status_cases, the_end_is_reported),
        SINGLE(a_missing_program_is_not_found),
        SINGLE(a_file_that_is_no_program_is_denied),
        SINGLE(a_missing_directory_is_named),
        SINGLE(environment_and_directory_are_the_given_ones),
        SINGLE(nothing_open_is_inherited),
        SINGLE(pipes_do_not_clash_with_closed_standard_descriptors),
        SINGLE(a_deadline_kills_the_child_and_its_offspring),
        SINGLE(a_child_that_ignores_signals_is_killed_all_the_same),
        SINGLE(a_grandchild_that_holds_the_pipes_does_not_hold_us),
        SINGLE(a_grandchild_in_a_session_of_its_own_does_not_hold_us_either),
        SINGLE(the_last_words_of_a_child_are_not_lost),
        SINGLE(output_over_the_limit_ends_the_child),
        SINGLE(errors_over_their_limit_are_dropped),
        SINGLE(much_goes_in_and_out_at_once),
        SINGLE(input_that_is_not_wanted_is_no_failure),
        SINGLE(question_and_answer_alternate),
        SINGLE(a_child_that_talks_while_we_write_blocks_nobody),
        SINGLE(the_last_errors_are_kept),
        SINGLE(a_flood_while_we_write_has_a_limit),
        SINGLE(writing_to_a_child_that_is_gone_is_an_error),
        SINGLE(reading_from_a_silent_child_ends_at_the_deadline),
        SINGLE(freeing_a_child_kills_it),
        SINGLE(waiting_drops_what_nobody_reads),
        SINGLE(children_of_several_threads_do_not_mix),
    };
    return rows_run("io/child", tests, ARRAY_LEN(tests));
}
