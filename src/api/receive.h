/* api/receive.h - what git hosts and registries send when something was pushed: who may, and what it says has changed.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena; the configuration's texts are in the arena it was parsed into.
 * Units:     bytes; milliseconds on the caller's clock.
 * Errors:    ERR_INVALID for a configuration that cannot be used, with the place. No text holds a key.
 * Reference: gitops.md 10.2.
 * Signatures and tokens are compared in a time that tells nothing of where they differ. */
#ifndef SERIN_API_RECEIVE_H
#define SERIN_API_RECEIVE_H

#include "api/body.h"

enum receive_source {
    RECEIVE_GITHUB,
    RECEIVE_GITLAB,
    RECEIVE_BITBUCKET_CLOUD,
    RECEIVE_BITBUCKET_SERVER,
    RECEIVE_GITEA,
    RECEIVE_DOCKER_HUB,
    RECEIVE_QUAY,
    RECEIVE_GOOGLE,
    RECEIVE_HARBOR,
    RECEIVE_NEXUS,
    RECEIVE_GENERIC,
};
#define RECEIVE_SOURCES (RECEIVE_GENERIC + 1)
const char *
receive_source_name(enum receive_source source); /* as the configuration has it: GitHub */

#define RECEIVE_ENDPOINTS_MAX 64
#define RECEIVE_KEY_BYTES_MAX ((size_t)4096)
#define RECEIVE_KEY_BYTES_MIN 8

struct receive_endpoint {
    enum receive_source source;
    const char *key_path;      /* as written */
    const char *registry_host; /* "" */
    const char *audience;      /* of Google's tokens; "": the path alone is the secret */
    /* Set by receive_set_key. */
    const char *path; /* /hook/<sha256> */
    const char *key;  /* without the line break at its end */
};

struct receive_config {
    struct receive_endpoint *at;
    size_t len, cap;
};

MUST_USE struct err *receive_config_parse(struct arena *mem, const char *text, size_t len,
                                          struct receive_config *out);
/* The contents of the key file. ERR_INVALID for one that is too short to be a secret, or too long. */
MUST_USE struct err *receive_set_key(struct arena *mem, const char *bytes, size_t len,
                                     struct receive_endpoint *endpoint);
/* NULL: nothing is there. */
const struct receive_endpoint *receive_find(const struct receive_config *config, const char *path);

struct receive_request {
    const struct receive_endpoint *endpoint;
    const char *(*header)(const void *ctx, const char *name); /* NULL if absent */
    const void *ctx;
    const char *body; /* NUL-terminated */
    size_t len;
};

#define RECEIVE_CHANGES_MAX 32

struct receive_verdict {
    int status;
    const char *text;     /* of the answer */
    const char *id_token; /* whoever issued it has to be asked first: receive_is_claimed; NULL */
    const char *delivery; /* what names this delivery and its repetitions; NULL: nothing */
    struct api_change changes[RECEIVE_CHANGES_MAX];
    size_t len;
};
void receive_judge(struct arena *mem, const struct receive_request *request,
                   struct receive_verdict *out);

/* What Google's tokeninfo says of a token: whether it is Google's, and for that audience. */
bool receive_is_claimed(struct arena *mem, const char *text, size_t len, const char *audience);

/* Deliveries of the last hour, the latest ones: told once more, they are no news. */
#define RECEIVE_SEEN_MAX    512
#define RECEIVE_SEEN_FOR_MS ((int64_t)60 * 60 * 1000)

struct receive_seen {
    struct {
        unsigned char print[16];
        int64_t at_ms;
    } ring[RECEIVE_SEEN_MAX];
    size_t len, next;
};
/* Remembers it; true if it was there already. */
bool receive_seen_before(struct receive_seen *seen, const char *path, const char *delivery,
                         int64_t now_ms);

#endif
