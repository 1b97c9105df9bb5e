/* canary/metric/aws.h - signatures of AWS (version 4), and where credentials come from: a part of a conversation.
 * Effects:   none.
 * Ownership: in the arena of the conversation.
 * Units:     Unix milliseconds.
 * Reference: traffic-and-metrics.md 20.4; AWS' "Signature Version 4" and "default credential provider chain".
 *
 *     environment ─► web identity ─► shared files ─► container endpoint ─► instance metadata (version 2)
 * The first that has something decides. */
#ifndef SERIN_CANARY_METRIC_AWS_H
#define SERIN_CANARY_METRIC_AWS_H

#include "canary/metric/talk.h"

struct aws_credentials {
    const char *access_key, *secret_key;
    const char *session_token; /* "" for lasting credentials */
};

/* What is signed. Headers are the ones the request is sent with ("name: value", names in lower case and sorted, host and
 * x-amz-date among them), NULL-terminated. */
struct aws_request {
    const char *method, *path, *query; /* query sorted and encoded */
    const char *const *headers;
    const char *body;
    const char *region, *service;
    int64_t now_ms;
};
/* 20150830T123600Z */
const char *aws_time(struct arena *mem, int64_t now_ms);
/* The value of the header Authorization. */
const char *aws_sign(struct arena *mem, const struct aws_request *request,
                     const struct aws_credentials *credentials);

enum aws_stage {
    AWS_BEGIN,
    AWS_TOKEN_FILE,  /* of a web identity */
    AWS_STS,         /* which changes it for credentials */
    AWS_CREDENTIALS, /* the shared files */
    AWS_CONFIG,
    AWS_CONTAINER_TOKEN,
    AWS_CONTAINER,
    AWS_INSTANCE_TOKEN,
    AWS_INSTANCE_ROLE,
    AWS_INSTANCE,
    AWS_DONE,
};

struct aws_login {
    const char *region;
    enum aws_stage stage;
    const char *role, *session;         /* of a web identity */
    const char *instance_token;         /* of the metadata service */
    struct aws_credentials credentials; /* once it is done */
};

/* Asks the next thing; the first time without an answer. True once the credentials are there, or the turn has failed. */
bool aws_login_next(struct metric_talk *talk, struct aws_login *login,
                    const struct metric_answer *answer, struct metric_turn *turn);

/* "https://monitoring.eu-west-1.amazonaws.com", or what AWS_ENDPOINT_URL_<NAME> or AWS_ENDPOINT_URL say. */
const char *aws_endpoint(struct metric_talk *talk, const char *service, const char *name,
                         const char *region);

#endif
