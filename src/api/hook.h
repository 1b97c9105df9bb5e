/* api/hook.h - what git hosts and registries send when something was pushed: who may, and what it says has changed.
 * Effects:   none (pure).
 * Ownership: results are in the caller's arena; the configuration's texts are in the arena it was parsed into.
 * Units:     bytes; milliseconds on the caller's clock.
 * Errors:    ERR_INVALID for a configuration that cannot be used, with the place. No text holds a key.
 * Reference: gitops.md 10.2.
 * Signatures and tokens are compared in a time that tells nothing of where they differ. */
#ifndef SERIN_API_HOOK_H
#define SERIN_API_HOOK_H

#include "api/body.h"

enum hook_source {
    HOOK_GITHUB,
    HOOK_GITLAB,
    HOOK_BITBUCKET_CLOUD,
    HOOK_BITBUCKET_SERVER,
    HOOK_GITEA,
    HOOK_DOCKER_HUB,
    HOOK_QUAY,
    HOOK_GOOGLE,
    HOOK_HARBOR,
    HOOK_NEXUS,
    HOOK_GENERIC,
};
#define HOOK_SOURCES (HOOK_GENERIC + 1)
const char *hook_source_name(enum hook_source source); /* as the configuration has it: GitHub */

#define HOOK_ENDPOINTS_MAX 64
#define HOOK_KEY_BYTES_MAX ((size_t)4096)
#define HOOK_KEY_BYTES_MIN 8

struct hook_endpoint {
    enum hook_source source;
    const char *key_path;      /* as written */
    const char *registry_host; /* "" */
    /* Set by hook_set_key. */
    const char *path; /* /hook/<sha256> */
    const char *key;  /* without the line break at its end */
};

struct hook_config {
    struct hook_endpoint *at;
    size_t len, cap;
};

MUST_USE struct err *hook_config_parse(struct arena *mem, const char *text, size_t len,
                                       struct hook_config *out);
/* The contents of the key file. ERR_INVALID for one that is too short to be a secret, or too long. */
MUST_USE struct err *hook_set_key(struct arena *mem, const char *bytes, size_t len,
                                  struct hook_endpoint *endpoint);
/* NULL: nothing is there. */
const struct hook_endpoint *hook_find(const struct hook_config *config, const char *path);

struct hook_request {
    const struct hook_endpoint *endpoint;
    const char *(*header)(const void *ctx, const char *name); /* NULL if absent */
    const void *ctx;
    const char *body; /* NUL-terminated */
    size_t len;
};

#define HOOK_CHANGES_MAX 32

struct hook_verdict {
    int status;
    const char *text;     /* of the answer */
    const char *delivery; /* what names this delivery and its repetitions; NULL: nothing */
    struct api_change changes[HOOK_CHANGES_MAX];
    size_t len;
};
void hook_judge(struct arena *mem, const struct hook_request *request, struct hook_verdict *out);

/* Deliveries of the last hour, the latest ones: told once more, they are no news. */
#define HOOK_SEEN_MAX    512
#define HOOK_SEEN_FOR_MS ((int64_t)60 * 60 * 1000)

struct hook_seen {
    struct {
        unsigned char print[16];
        int64_t at_ms;
    } ring[HOOK_SEEN_MAX];
    size_t len, next;
};
/* Remembers it; true if it was there already. */
bool hook_seen_before(struct hook_seen *seen, const char *path, const char *delivery,
                      int64_t now_ms);

#endif
