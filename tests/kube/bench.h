/* tests/kube/bench.h - a client of the API server with all it needs, on a loop that a test turns.
 * Effects:   network on loopback.
 * Ownership: bench_free frees all of it.
 * Units:     milliseconds. */
#ifndef SERIN_TESTS_KUBE_BENCH_H
#define SERIN_TESTS_KUBE_BENCH_H

#include "kube/client.h"
#include "scripted.h"

struct bench {
    struct arena *mem;
    struct loop *loop;
    struct http *http;
    struct log log;
    struct sbuf log_text;
    struct metrics *metrics;
    struct scripted *server; /* NULL with bench_new_for */
    struct kube_config *config;
    struct kube *kube;
};

/* Against a scripted server. `tune` (may be NULL) changes the options before the client is made. */
struct bench *bench_new(scripted_serve serve, void *ctx, void (*tune)(struct kube_opts *opts));
/* Against what a configuration (taken over) names. */
struct bench *bench_new_for(struct kube_config *config, void (*tune)(struct kube_opts *opts));
void bench_free(struct bench *bench);

/* Turns the loop until it is so; false when ten seconds pass before. */
bool bench_until(struct bench *bench, bool (*is_so)(void *ctx), void *ctx);
void bench_turn_for(struct bench *bench, int64_t ms);
const char *bench_log(const struct bench *bench);

/* The answer to one request, kept. */
struct bench_answer {
    bool is_done;
    int times; /* how often it came: once */
    int status;
    enum kube_refusal refusal;
    enum err_kind kind;
    char error[1024], body[16384], warning[256];
};
void bench_on_answer(void *answer, const struct kube_result *result);
bool bench_is_done(void *answer);
/* Sends it and waits for the answer; fails the test when none comes. */
void bench_ask(struct bench *bench, const struct kube_request *request, struct bench_answer *out);

#endif
