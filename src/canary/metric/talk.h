/* canary/metric/talk.h - what the files of the providers share. For them and provider.c only.
 * Effects:   none.
 * Ownership: what a provider keeps between two turns is in talk->mem, what it needs for one turn in talk->scratch, which is
 *            emptied before the next.
 * Reference: traffic-and-metrics.md 19.3, 20. */
#ifndef SERIN_CANARY_METRIC_TALK_H
#define SERIN_CANARY_METRIC_TALK_H

#include "base/vec.h"
#include "canary/metric/provider.h"

struct metric_provider {
    const char *type;
    bool needs_window; /* builds only with an interval that is one */
    /* Builds the client: reads the secret, looks at the address. */
    struct err *(*begin)(struct metric_talk *talk);
    /* One request, and what its answer of status 200 says (a probe is content with that); or, if it takes more, `next`. */
    void (*ask)(struct metric_talk *talk, struct metric_turn *turn);
    void (*read)(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn);
    void (*next)(struct metric_talk *talk, const struct metric_answer *answer,
                 struct metric_turn *turn);
};

struct metric_talk {
    struct arena *mem, *scratch;
    const struct metric_question *question;
    const struct metric_provider *provider;
    int64_t window_ms; /* W */
    int stage;         /* the provider's own */
    size_t asks;
    void *own;                /* the provider's own */
    VEC(const char *) hidden; /* texts that no message may hold */
};

extern const struct metric_provider metric_prometheus, metric_datadog, metric_newrelic,
    metric_cloudwatch, metric_graphite, metric_influxdb, metric_dynatrace, metric_stackdriver,
    metric_splunk, metric_keptn, metric_externalmetrics;

/* -- the source ---------------------------------------------------------------------------------------------------- */

/* A key of the Secret; false when it is absent. Its text is kept out of all messages if it is_secret. ERR_INVALID when it is no
 * text. */
MUST_USE struct err *talk_key(struct metric_talk *talk, const char *key, bool is_secret,
                              const char **out, bool *has);
/* The same for one that has to be there, else "<type> credentials does not contain <what>". */
MUST_USE struct err *talk_need_key(struct metric_talk *talk, const char *key, bool is_secret,
                                   const char *what, const char **out);
/* The address, or `otherwise` (NULL: none) when there is none; else "<type> address <address> is not a valid URL". */
struct url;
MUST_USE struct err *talk_need_url(struct metric_talk *talk, const char *otherwise,
                                   struct url *out);
/* Keeps a text out of all messages. Borrowed for the conversation. */
void talk_hide(struct metric_talk *talk, const char *text);
/* The value of a variable of the environment; NULL when it is unset or empty. */
const char *talk_env(const struct metric_talk *talk, const char *name);

/* -- asking -------------------------------------------------------------------------------------------------------- */

/* A GET with the usual limits; the caller adds what else it needs. */
struct metric_request *talk_ask(struct metric_turn *turn, const char *url);
/* NULL-terminated in scratch; NULLs among the arguments are left out. */
#define talk_headers(talk, ...)                                    \
    talk_header_list((talk), (const char *const[]){ __VA_ARGS__ }, \
                     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))
const char *const *talk_header_list(struct metric_talk *talk, const char *const *lines, size_t len);
const char *talk_basic(struct metric_talk *talk, const char *user, const char *password);
/* Runs of white space as one blank. */
const char *talk_collapse(struct arena *mem, const char *query);

/* -- answers ------------------------------------------------------------------------------------------------------- */

void talk_fail(struct metric_talk *talk, struct metric_turn *turn, const char *fmt, ...)
    PRINTF(3, 4);
void talk_no_values(struct metric_talk *talk, struct metric_turn *turn, const char *fmt, ...)
    PRINTF(3, 4);
void talk_value(struct metric_turn *turn, double value);
/* "request failed: …" or "error reading body: …" when no whole answer came: true, and the turn is over. */
bool talk_has_failed(struct metric_talk *talk, const struct metric_answer *answer,
                     struct metric_turn *turn);
/* The body as a message may hold it: at most 1,000 bytes of UTF-8. */
const char *talk_body(struct metric_talk *talk, const struct metric_answer *answer);
/* "403 Forbidden" */
const char *talk_status(struct metric_talk *talk, int status);
/* The body as JSON in scratch; NULL when it is none, and the turn is over: "error unmarshaling result: …, '<body>'". */
const struct val *talk_json(struct metric_talk *talk, const struct metric_answer *answer,
                            struct metric_turn *turn);
/* Over: what should be JSON of some form is of another. */
void talk_misshapen(struct metric_talk *talk, const struct metric_answer *answer,
                    struct metric_turn *turn, const char *what);
/* Over: with this number, null counting as 0; `what` says that it is none. NULL: "invalid response: <body>: no values found". */
void talk_take(struct metric_talk *talk, const struct metric_answer *answer,
               struct metric_turn *turn, const struct val *number, const char *what);
/* A JSON number; false if it is none. */
bool talk_number(const struct val *v, double *out);
/* A number as text, as Go's ParseFloat reads it; ERR_INVALID with its words. */
MUST_USE struct err *talk_parse_number(const char *text, double *out);

#endif
