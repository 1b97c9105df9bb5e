/* loadtester/loadtester.h - what canary webhooks of type load, test and gate are sent to.
 * Effects:   listens; runs commands with our own rights; asks ngrinder and Concord servers.
 * Ownership: borrows everything in the options; texts of the options are kept by the caller.
 * Units:     milliseconds.
 * Reference: canary.md 15.
 *
 *     /healthz /metrics
 *     /gate/{approve,halt,check,open,close}  /rollback/{check,open,close}     gates.h
 *     everything else: a task of the payload's metadata                        tasks.h */
#ifndef SERIN_LOADTESTER_LOADTESTER_H
#define SERIN_LOADTESTER_LOADTESTER_H

#include "base/log.h"
#include "base/metrics.h"
#include "base/regex.h"
#include "io/http.h"
#include "io/loop.h"

struct loadtester;

struct loadtester_opts {
    struct loop *loop;
    struct http *http;
    const struct log *log;
    struct metrics *metrics;
    void (*before_metrics)(void *ctx); /* they are about to be shown; may be NULL */
    void *ctx;
    const char *listen;             /* ":9090" */
    int64_t timeout_ms;             /* of each task */
    const struct regex *namespaces; /* whose payloads are taken; NULL: all */
};

/* ERR_INVALID for an address that is none, ERR_TRANSIENT when it is taken. */
MUST_USE struct err *loadtester_new(const struct loadtester_opts *opts, struct loadtester **out);
void loadtester_free(struct loadtester *tester); /* kills what runs */
DEFINE_SCOPED(struct loadtester, loadtester_free)
int loadtester_port(const struct loadtester *tester);

#endif
