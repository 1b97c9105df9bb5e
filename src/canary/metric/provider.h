/* canary/metric/provider.h - the metric servers a MetricTemplate can name, one file each behind one table.
 * Effects:   none. A provider is a conversation: it says what it wants to ask, gets the answer, asks again, until it has a value.
 * Ownership: in the arena of the conversation; a turn is borrowed until the next one.
 * Units:     milliseconds, bytes.
 * Errors:    metric_talk_new: what building a client comes to (traffic-and-metrics.md 19.3 "provider <type> error: …").
 *            No text holds what a secret holds.
 * Reference: traffic-and-metrics.md 20.
 *
 *     question ─► talk ─► ask ─► answer ─► ask ─► answer ─► value, or why there is none */
#ifndef SERIN_CANARY_METRIC_PROVIDER_H
#define SERIN_CANARY_METRIC_PROVIDER_H

#include "doc/val.h"

#define METRIC_BODY_MAX ((size_t)1 << 20) /* of one answer */
#define METRIC_HTTP_MS  5000
#define METRIC_ASKS_MAX 64 /* of one conversation */

#define METRIC_NO_VALUES "no values found"

/* spec.provider of a template, and the `data` of its Secret. */
struct metric_source {
    const char *type, *address, *region; /* "" when absent */
    const struct val *headers;           /* map of lists of texts, or NULL */
    const struct val *secret;            /* NULL without secretRef */
    bool is_insecure;
};

struct metric_question {
    struct metric_source source;
    const char *query;    /* rendered; not read by a probe */
    const char *interval; /* W, as written */
    bool is_probe;        /* is the server there? A value of any kind says yes. */
    int64_t now_ms;
    uint32_t nonce;                  /* a random number: names what is made */
    const char *const *environ_list; /* "NAME=value", NULL-terminated; NULL: none */
};

enum metric_way {
    METRIC_WAY_HTTP,
    METRIC_WAY_KUBE,  /* the API server, as ourselves; url is path and query */
    METRIC_WAY_FILE,  /* url is the path of a small file */
    METRIC_WAY_PAUSE, /* for timeout_ms */
};

struct metric_request {
    enum metric_way way;
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *body;           /* NULL: none */
    size_t body_len;
    int64_t timeout_ms;
    bool is_insecure;    /* certificates are not verified */
    bool is_local;       /* of the machine or its cloud: no proxy, no redirects */
    bool is_at_cluster;  /* url begins with a slash: the API server's address is put before it */
    bool trusts_cluster; /* the certificates the API server's are verified with */
    bool wants_gzip;
    /* The answer is a stream that may stay open: is what came so far enough? `seen` bytes were not. NULL: no stream. */
    bool (*is_enough)(const char *bytes, size_t len, size_t seen);
};

struct metric_answer {
    const char *
        failure; /* NULL: an answer came. Else why not, as Go says it: Get "http://…": dial tcp … */
    bool is_cut;      /* its head came: the failure is the cause alone */
    int status;       /* of a file: 200 or 404 */
    const char *body; /* NUL-terminated */
    size_t len;
};

enum metric_turn_kind { METRIC_TURN_ASK, METRIC_TURN_VALUE, METRIC_TURN_FAILED };

struct metric_turn {
    enum metric_turn_kind kind;
    struct metric_request request; /* ASK */
    double value;                  /* VALUE; 1 of a probe */
    const char *text;              /* FAILED */
    bool has_no_values;            /* FAILED: the server answered that there is nothing */
};

struct metric_talk;

/* The question is borrowed for the whole conversation. */
MUST_USE struct err *metric_talk_new(struct arena *mem, const struct metric_question *question,
                                     struct metric_talk **out);
/* The first turn has no answer: NULL. */
void metric_talk_next(struct metric_talk *talk, const struct metric_answer *answer,
                      struct metric_turn *out);

/* Whether a type is known; others are taken for prometheus. */
bool metric_provider_is_known(const char *type);

#endif
