#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/child.h"
#include "io/stream.h"
#include "io/worker.h"
#include "peer.h"

#define MIB      ((size_t)1 << 20)
#define LIMIT_MS 30000

/* What the tests ask of the sandbox. Each is also run as an ordinary user, and where the kernel refuses namespaces. */
static const struct child_sandbox cage = { .no_network = true };

static struct err *run_for(struct arena *mem, const struct child_sandbox *sandbox,
                           const char *script, int64_t limit_ms, struct child_output *out)
{
    const char *const argv[] = { "bash", "-c", script, NULL };
    struct child_spec spec = { .argv = argv,
                               .deadline_ms = stream_now_ms() + limit_ms,
                               .sandbox = sandbox };
    struct child_io io = { .out_limit = MIB, .err_limit = 4096 };
    return child_run(mem, &spec, &io, out);
}

static struct err *run_sh(struct arena *mem, const struct child_sandbox *sandbox,
                          const char *script, struct child_output *out)
{
    return run_for(mem, sandbox, script, LIMIT_MS, out);
}

/* --- circumstances: a process of its own that gives up privileges first and then runs one check */

enum circumstance { AS_WE_ARE, ORDINARY_USER, NO_NAMESPACES, NO_NAMESPACES_NO_FILTERS };

/* The kernel says EPERM to these calls, as it does in a container with a strict profile. */
static void refuse_calls(bool and_filters)
{
    const struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, and_filters ? PR_SET_SECCOMP : 0xffffffff, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog filter = { .len = ARRAY_LEN(rules),
                                 .filter = (struct sock_filter *)(uintptr_t)rules };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
        _exit(99);
}

static void enter_circumstance(enum circumstance circumstance)
{
    switch (circumstance) {
    case AS_WE_ARE: break;
    case ORDINARY_USER:
        if (getuid() == 0 &&
            (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
            _exit(99);
        break;
    case NO_NAMESPACES: refuse_calls(false); break;
    case NO_NAMESPACES_NO_FILTERS: refuse_calls(true); break;
    }
}

struct seen {
    bool is_run;
    enum err_kind kind;
    int status;
    char text[600]; /* stdout, or the error's text */
};

/* `test_sandbox --in CIRCUMSTANCE NO_NETWORK IF_REFUSED PROCESSES LIMIT_MS SCRIPT`: runs it and prints what happened. */
static int main_in(char **args)
{
    enter_circumstance((enum circumstance)atoi(args[0]));
    struct child_sandbox sandbox = { .no_network = atoi(args[1]),
                                     .network_if_refused = atoi(args[2]),
                                     .processes = atoi(args[3]) };
    struct arena *mem = arena_new(16 * MIB);
    struct child_output out = { 0 };
    struct err *e = run_for(mem, &sandbox, args[5], atoi(args[4]), &out);
    struct seen seen = { .is_run = !e,
                         .kind = e ? err_kind(e) : ERR_TRANSIENT,
                         .status = out.exit_status };
    snprintf(seen.text, sizeof(seen.text), "%s", e ? err_text(e) : out.out);
    err_free(e);
    arena_free(mem);
    return fwrite(&seen, sizeof(seen), 1, stdout) == 1 ? 0 : 98;
}

static struct seen run_in_for(enum circumstance circumstance, const struct child_sandbox *sandbox,
                              const char *script, int limit_ms)
{
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    const char *const argv[] = { "/proc/self/exe",
                                 "--in",
                                 arena_printf(mem, "%d", (int)circumstance),
                                 sandbox->no_network ? "1" : "0",
                                 sandbox->network_if_refused ? "1" : "0",
                                 arena_printf(mem, "%d", sandbox->processes),
                                 arena_printf(mem, "%d", limit_ms),
                                 script,
                                 NULL };
    struct child_spec spec = { .argv = argv, .deadline_ms = stream_now_ms() + 40000 };
    struct child_output out = { 0 };
    assert_null(child_run(mem, &spec, &(struct child_io){ .err_limit = 1000 }, &out));
    assert_string_equal(out.err, "");
    assert_int_equal(out.exit_status, 0);
    struct seen seen;
    assert_int_equal(out.out_len, sizeof(seen));
    memcpy(&seen, out.out, sizeof(seen));
    return seen;
}

static struct seen run_in(enum circumstance circumstance, const struct child_sandbox *sandbox,
                          const char *script)
{
    return run_in_for(circumstance, sandbox, script, LIMIT_MS);
}

/* --- the network */

static const struct network_case {
    const char *name;
    enum circumstance circumstance;
    bool no_network;
    bool if_refused;
    bool has_network; /* what is expected */
} network_cases[] = {
    { "without a cage for it the network is there", AS_WE_ARE, false, false, true },
    { "the network is gone", AS_WE_ARE, true, false, false },
    { "the network is gone for an ordinary user", ORDINARY_USER, true, false, false },
    { "the network is gone where namespaces are refused", NO_NAMESPACES, true, false, false },
    { "permission to have it does not give what can be taken", AS_WE_ARE, true, true, false },
    { "permission to have it counts where all is refused", NO_NAMESPACES_NO_FILTERS, true, true,
      true },
};

static void the_network_is_as_asked(void **state)
{
    const struct network_case *row = *state;
    struct child_sandbox sandbox = { .no_network = row->no_network,
                                     .network_if_refused = row->if_refused };
    struct peer_raw *raw = peer_raw_new(NULL);
    char script[300];
    /* bash itself connects, by TCP and by UDP. */
    snprintf(script, sizeof(script),
             "(exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo tcp; (exec "
             "3<>/dev/udp/127.0.0.1/9) 2>/dev/null && "
             "echo udp; echo end",
             peer_raw_port(raw));
    struct seen seen = run_in(row->circumstance, &sandbox, script);
    peer_raw_free(raw);
    assert_true(seen.is_run);
    assert_string_equal(seen.text, row->has_network ? "tcp\nudp\nend\n" : "end\n");
}

static void a_program_is_not_run_with_a_network_it_must_not_have(void **state)
{
    (void)state;
    struct seen seen = run_in(NO_NAMESPACES_NO_FILTERS, &cage, "echo ran");
    assert_false(seen.is_run);
    assert_int_equal(seen.kind, ERR_DENIED);
    assert_non_null(strstr(seen.text, "network namespace"));
}

static void root_cannot_go_back_to_the_network(void **state)
{
    (void)state;
    struct seen seen = run_in(
        AS_WE_ARE, &cage,
        "nsenter --net=/proc/$PPID/ns/net true 2>/dev/null && echo parent;"
        "nsenter -t 1 -n true 2>/dev/null && echo first; unshare -n true 2>/dev/null && echo new;"
        "ip link set lo up 2>/dev/null && echo up; echo end");
    assert_true(seen.is_run);
    assert_string_equal(seen.text, "end\n");
}

/* --- privileges */

static void privileges_are_gone(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    struct seen seen = run_in(
        circumstance, &cage,
        "grep -E '^(CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs):' /proc/self/status | tr -d '\\t '");
    assert_true(seen.is_run);
    assert_string_equal(
        seen.text, "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
                   "CapAmb:0000000000000000\nNoNewPrivs:1\n");
}

static void the_user_stays_who_it_is(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    char expected[32];
    bool is_ordinary = circumstance == ORDINARY_USER && getuid() == 0;
    snprintf(expected, sizeof(expected), "%d %d\n", is_ordinary ? 65534 : (int)getuid(),
             is_ordinary ? 65534 : (int)getgid());
    struct seen seen = run_in(circumstance, &cage, "echo $(id -u) $(id -g)");
    assert_true(seen.is_run);
    assert_string_equal(seen.text, expected);
}

static void nothing_open_is_inherited(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    struct seen seen = run_in(circumstance, &cage, "ls /proc/self/fd | tr '\\n' ' '");
    assert_string_equal(seen.text, "0 1 2 3 "); /* 3 is the folder that ls reads */
}

static void status_and_outputs_pass_through(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    struct seen seen = run_in(circumstance, &cage, "cat; echo out; exit 9");
    assert_true(seen.is_run);
    assert_int_equal(seen.status, 9);
    assert_string_equal(seen.text, "out\n");
    seen = run_in(circumstance, &cage, "kill -TERM $$");
    assert_true(seen.is_run);
    assert_int_equal(seen.status, 143);
}

static void a_missing_program_is_not_found(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(MIB);
    static const char *const names[] = { "no-such-program-here", "/no/such/program" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *const argv[] = { names[i], NULL };
        struct child_spec spec = { .argv = argv, .sandbox = &cage };
        struct child_output out;
        SCOPED(err_free) struct err *e = child_run(mem, &spec, &(struct child_io){ 0 }, &out);
        assert_true(err_is(e, ERR_NOT_FOUND));
        assert_non_null(strstr(err_text(e), names[i]));
    }
}

/* --- limits: each has a sibling row without it, so that it is the limit that bites */

static const struct limit_case {
    const char *name;
    struct child_sandbox sandbox;
    const char *script;
    int status; /* -1: any but 0 */
    const char *out;
} limit_cases[] = {
    { "a program within its memory runs",
      { .memory_bytes = 256 * MIB },
      "head -c 50M /dev/zero | tail -c 50M | wc -c",
      0,
      "52428800\n" },
    { "memory over the limit is not given",
      { .memory_bytes = 32 * MIB },
      "set -o pipefail; head -c 50M /dev/zero | tail -c 50M | wc -c",
      -1,
      "0\n" },
    { "a file within its limit is written",
      { .file_bytes = MIB },
      "head -c 1M /dev/zero >$F && stat -c %s $F",
      0,
      "1048576\n" },
    { "a file over the limit is cut off there",
      { .file_bytes = MIB },
      "head -c 2M /dev/zero >$F; echo $?; stat -c %s $F",
      0,
      "153\n1048576\n" },
    { "processor time over the limit ends the program",
      { .cpu_s = 1 },
      "while :; do :; done",
      -1,
      "" },
    { "no core is dumped", { 0 }, "ulimit -c", 0, "0\n" },
};

static void limits_bite(void **state)
{
    const struct limit_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(16 * MIB);
    char *dir = peer_dir_new(), *script = NULL;
    assert_true(asprintf(&script, "F=%s/file; %s", dir, row->script) > 0);
    struct child_output out;
    assert_null(run_sh(mem, &row->sandbox, script, &out));
    free(script);
    peer_dir_free(dir);
    assert_string_equal(out.out, row->out);
    if (row->status < 0)
        assert_int_not_equal(out.exit_status, 0);
    else
        assert_int_equal(out.exit_status, row->status);
}

/* The kernel counts processes for ordinary users only; in a user namespace of its own it counts those of the cage. */
static void processes_over_the_limit_are_not_made(void **state)
{
    (void)state;
    const char *script = "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
                         "sleep 0.5 & echo $i; "
                         "done' 2>/dev/null | tail -n 1";
    struct child_sandbox narrow = { .no_network = true, .processes = 12 },
                         wide = { .no_network = true, .processes = 500 };
    struct seen seen = run_in(ORDINARY_USER, &wide, script);
    assert_true(seen.is_run);
    assert_string_equal(seen.text, "20\n");
    seen = run_in(ORDINARY_USER, &narrow, script);
    assert_true(seen.is_run);
    assert_in_range(atoi(seen.text), 0, 12);
}

/* --- the end */

static void nothing_survives_not_even_in_a_session_of_its_own(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    char *dir = peer_dir_new(), *script = NULL;
    assert_int_equal(chmod(dir, 0777), 0);
    assert_true(asprintf(&script,
                         "setsid sh -c 'while :; do echo >>%s/beat; sleep 0.02; done' </dev/null "
                         ">/dev/null 2>&1 &\n"
                         "while ! [ -s %s/beat ]; do sleep 0.01; done; echo end",
                         dir, dir) > 0);
    struct seen seen = run_in(circumstance, &cage, script);
    assert_true(seen.is_run);
    assert_string_equal(seen.text, "end\n");
    usleep(100000); /* one beat may be under way */
    char *path = peer_path(dir, "beat");
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    usleep(200000);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    free(path);
    free(script);
    peer_dir_free(dir);
}

/* Those of its own session and those of another. */
static void a_deadline_kills_all_of_it(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    char *dir = peer_dir_new(), *script = NULL;
    assert_true(asprintf(&script,
                         "cd %s; setsid sh -c 'while :; do echo >>away; sleep 0.02; done' & "
                         "while :; do echo >>beat; sleep 0.02; done",
                         dir) > 0);
    struct seen seen = run_in_for(circumstance, &cage, script, 700);
    assert_false(seen.is_run);
    assert_int_equal(seen.kind, ERR_TRANSIENT);
    usleep(200000);
    static const char *const names[] = { "beat", "away" };
    struct stat before[2], after[2];
    for (int i = 0; i < 4; i++) {
        char *path = peer_path(dir, names[i % 2]);
        assert_int_equal(stat(path, i < 2 ? &before[i] : &after[i - 2]), 0);
        free(path);
        usleep(i == 1 ? 200000 : 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(before[i].st_size, after[i].st_size);
    free(script);
    peer_dir_free(dir);
}

static void what_a_program_does_to_its_group_stays_there(void **state)
{
    enum circumstance circumstance = *(enum circumstance *)*state;
    struct seen seen = run_in(circumstance, &cage, "trap '' TERM; kill -TERM 0; echo on; exit 4");
    assert_true(seen.is_run);
    assert_string_equal(seen.text, "on\n");
    assert_int_equal(seen.status, 4);
}

static void a_caged_child_can_be_talked_to(void **state)
{
    (void)state;
    const char *const argv[] = { "sed", "-u", "s/a/b/", NULL };
    struct child_spec spec = { .argv = argv,
                               .deadline_ms = stream_now_ms() + 30000,
                               .sandbox = &cage };
    SCOPED(child_free) struct child *child = NULL;
    assert_null(child_open(&spec, &child));
    char answer[16] = "";
    size_t got = 0;
    assert_null(child_write(child, "banana\n", 7));
    assert_null(child_read(child, answer, sizeof(answer) - 1, &got));
    assert_string_equal(answer, "bbnana\n");
    int status = -1;
    assert_null(child_wait(child, &status));
    assert_int_equal(status, 0);
}

struct stopped {
    char *started; /* a file that the program makes */
    struct err *errs[2];
};

static void run_two(void *job)
{
    struct stopped *stopped = job;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *script = arena_printf(mem, "echo >%s; sleep 1000", stopped->started);
    struct child_output output;
    for (int i = 0; i < 2; i++)
        stopped->errs[i] = run_for(mem, &cage, script, LIMIT_MS, &output);
}

static void is_never_done(void *job)
{
    (void)job;
    fail();
}

/* Neither the one that runs, nor another that the job would start after it. */
static void whoever_frees_the_workers_does_not_wait_for_a_cage(void **state)
{
    (void)state;
    char *dir = peer_dir_new();
    struct stopped stopped = { .started = peer_path(dir, "started") };
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct workers *workers = worker_new(loop, 1, MIB);
    worker_start(workers, run_two, is_never_done, &stopped);
    while (access(stopped.started, F_OK) != 0)
        usleep(10000);
    worker_free(workers);
    for (int i = 0; i < 2; i++) {
        assert_true(err_is(stopped.errs[i], ERR_TRANSIENT));
        assert_non_null(strstr(err_text(stopped.errs[i]), "since serin stops"));
        err_free(stopped.errs[i]);
    }
    free(stopped.started);
    peer_dir_free(dir);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const char *const options[] = { "--cpu-s=x -- true",
                                           "--no-such -- true",
                                           "--cpu-s=1",
                                           "",
                                           "--",
                                           "--memory-bytes=99999999999999999999999 -- true",
                                           "--processes=-1 -- true" };
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        assert_int_equal(
            peer_system("/proc/%d/exe sandbox-exec %s 2>/dev/null", (int)getpid(), options[i]), 2);
    assert_int_equal(
        peer_system("/proc/%d/exe sandbox-exec --cpu-s=5 -- /bin/sh -c 'exit 3'", (int)getpid()),
        3);
}

/* One test of each function for each circumstance it is given. */
static void add(struct CMUnitTest *tests, size_t *count, const char *name, CMUnitTestFunction fn,
                const void *row)
{
    tests[(*count)++] = (struct CMUnitTest){ .name = name,
                                             .test_func = fn,
                                             .initial_state = (void *)(uintptr_t)row };
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sandbox-exec") == 0)
        return child_sandbox_main(argc, argv);
    if (argc == 8 && strcmp(argv[1], "--in") == 0)
        return main_in(argv + 2);
    static const enum circumstance here = AS_WE_ARE, ordinary = ORDINARY_USER,
                                   narrow = NO_NAMESPACES;
    struct CMUnitTest tests[64] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(network_cases); i++)
        add(tests, &count, network_cases[i].name, the_network_is_as_asked, &network_cases[i]);
    for (size_t i = 0; i < ARRAY_LEN(limit_cases); i++)
        add(tests, &count, limit_cases[i].name, limits_bite, &limit_cases[i]);
    add(tests, &count, "privileges are gone", privileges_are_gone, &here);
    add(tests, &count, "privileges are gone for an ordinary user", privileges_are_gone, &ordinary);
    add(tests, &count, "privileges are gone without namespaces", privileges_are_gone, &narrow);
    add(tests, &count, "the user stays who it is", the_user_stays_who_it_is, &here);
    add(tests, &count, "an ordinary user stays who it is", the_user_stays_who_it_is, &ordinary);
    add(tests, &count, "nothing open is inherited", nothing_open_is_inherited, &here);
    add(tests, &count, "nothing open is inherited without namespaces", nothing_open_is_inherited,
        &narrow);
    add(tests, &count, "status and outputs pass through", status_and_outputs_pass_through, &here);
    add(tests, &count, "status and outputs pass through for an ordinary user",
        status_and_outputs_pass_through, &ordinary);
    add(tests, &count, "status and outputs pass through without namespaces",
        status_and_outputs_pass_through, &narrow);
    add(tests, &count, "nothing survives", nothing_survives_not_even_in_a_session_of_its_own,
        &here);
    add(tests, &count, "nothing of an ordinary user survives",
        nothing_survives_not_even_in_a_session_of_its_own, &ordinary);
    add(tests, &count, "nothing survives without namespaces",
        nothing_survives_not_even_in_a_session_of_its_own, &narrow);
    add(tests, &count, "a deadline kills all of it", a_deadline_kills_all_of_it, &here);
    add(tests, &count, "a deadline kills all of it without namespaces", a_deadline_kills_all_of_it,
        &narrow);
    add(tests, &count, "what it kills of its own group is its own",
        what_a_program_does_to_its_group_stays_there, &here);
    add(tests, &count, "what it kills of its own group is its own without namespaces",
        what_a_program_does_to_its_group_stays_there, &narrow);
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_program_is_not_run_with_a_network_it_must_not_have),
        cmocka_unit_test(root_cannot_go_back_to_the_network),
        cmocka_unit_test(a_missing_program_is_not_found),
        cmocka_unit_test(processes_over_the_limit_are_not_made),
        cmocka_unit_test(a_caged_child_can_be_talked_to),
        cmocka_unit_test(whoever_frees_the_workers_does_not_wait_for_a_cage),
        cmocka_unit_test(bad_options_are_refused),
    };
    int failed = _cmocka_run_group_tests("io/sandbox circumstances", tests, count, NULL, NULL);
    return cmocka_run_group_tests_name("io/sandbox", others, NULL, NULL) + failed;
}
