/* canary/notify/verdict.h - what an attempt to reach a webhook or a chat comes to.
 * Effects:   none.
 * Ownership: texts are in the caller's arena.
 * Units:     milliseconds.
 * Reference: canary.md 10.2, 10.3, 11.3. */
#ifndef SERIN_CANARY_NOTIFY_VERDICT_H
#define SERIN_CANARY_NOTIFY_VERDICT_H

#include "base/arena.h"
#include "base/err.h"

#define VERDICT_BODY_BYTES         4096            /* of an answer, that are shown */
#define VERDICT_DELAY_MS           ((int64_t)1000) /* before the second attempt */
#define VERDICT_DELAY_MAX_MS       ((int64_t)30000)
#define VERDICT_RETRY_AFTER_MAX_MS ((int64_t)300000)
#define VERDICT_TIMEOUT_MS         ((int64_t)10000) /* of a hook that names none */
#define VERDICT_ALERT_MS           ((int64_t)5000)

struct attempt {
    int status;         /* 0: no answer came */
    const char *body;   /* of the answer */
    const char *broken; /* why the body did not come in full, in Go's words; NULL: it did */
    /* Without an answer. */
    bool is_final;     /* trying again would not help: TLS verification, redirects, a bad URL */
    const char *cause; /* `Post "URL": dial tcp …` */
    int64_t retry_after_ms; /* that the answer asks for; -1: nothing */
};

struct hook_tries {
    const char *url;  /* as it is shown */
    int64_t made;     /* this one included */
    int64_t allowed;  /* further ones */
    int64_t delay_ms; /* VERDICT_DELAY_MS; doubled with each attempt */
};

enum verdict_kind { VERDICT_PASSED, VERDICT_FAILED, VERDICT_AGAIN };
struct verdict {
    enum verdict_kind kind;
    int64_t wait_ms;  /* of AGAIN */
    const char *text; /* of FAILED: <err> of the event */
};
struct verdict notify_hook_verdict(struct arena *mem, const struct hook_tries *tries,
                                   const struct attempt *attempt);
/* NULL: it was taken. An answer that repeats one of the `secrets` (NULL-terminated) is not shown. */
const char *notify_alert_fault(struct arena *mem, const struct attempt *attempt,
                               const char *const *secrets);

/* The timeout of a hook as written. ERR_INVALID with Go's text. */
MUST_USE struct err *notify_hook_timeout(const char *text, int64_t *out_ms);

#endif
