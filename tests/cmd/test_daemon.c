#include <string.h>
#include <unistd.h>

#include "../rows.h"

#include "bench.h"
#include "cmd/canary_flags.h"
#include "cmd/daemon.h"
#include "cmd/run_flags.h"

#define MANY 20

static void serve_slowly(void *ctx, const struct scripted_request *request)
{
    (void)ctx;
    (void)usleep(300000);
    scripted_reply(request, 200, NULL, "{}");
}

static bool are_answered(void *ctx)
{
    const struct bench_answer *answers = ctx;
    for (size_t i = 0; i < MANY; i++)
        if (!answers[i].is_done)
            return false;
    return true;
}

static const struct daemon_case {
    const char *name;
    const struct flags_table *tables;
    size_t count;
} daemon_cases[] = {
    { "of serin run, as many requests are under way as its flag says", run_flags_tables,
      RUN_FLAGS_TABLES },
    { "of serin canary, too", canary_flags_tables, CANARY_FLAGS_TABLES },
};

/* Over HTTP/1.1 each takes a connection: what waited for one in the HTTP client would seem to wait for the server. */
static void the_flag_is_what_is_under_way(void **state)
{
    const struct daemon_case *c = *state;
    struct bench *bench = bench_new(serve_slowly, NULL, NULL);
    struct flags *flags = flags_new(bench->mem, c->tables, c->count);
    assert_null(flags_parse(flags, 1, (const char *const[]){ "--kube-in-flight=20" }));
    struct kube_opts opts = {
        .loop = bench->loop, .log = &bench->log, .config = bench->config, .user_agent = "serin"
    };
    struct kube *kube = daemon_connect(&opts, flags);
    static struct bench_answer answers[MANY];
    memset(answers, 0, sizeof(answers));
    for (size_t i = 0; i < MANY; i++)
        kube_start(kube, &(struct kube_request){ .method = "GET", .path = "/a" }, bench_on_answer,
                   &answers[i]);
    assert_true(bench_until(bench, are_answered, answers));
    assert_in_range(scripted_most_at_once(bench->server), 11, MANY);
    kube_free(kube);
    http_free(opts.http);
    bench_free(bench);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(daemon_cases, the_flag_is_what_is_under_way),
    };
    return rows_run("cmd_daemon", tests, ARRAY_LEN(tests));
}
