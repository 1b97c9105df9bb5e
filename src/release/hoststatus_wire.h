/* release/hoststatus_wire.h - how a git host is told the state of a commit, and what its answer means.
 * Effects:   none (pure).
 * Ownership: texts are in the caller's arena.
 * Units:     milliseconds; now_unix_ms is Unix time.
 * Errors:    ERR_INVALID: the address does not say which host this is, or where its API; the text says which flag does. */
#ifndef SERIN_RELEASE_HOSTSTATUS_WIRE_H
#define SERIN_RELEASE_HOSTSTATUS_WIRE_H

#include "base/arena.h"
#include "base/err.h"

#define HOSTSTATUS_DESCRIPTION_MAX 140 /* characters: what GitHub takes, the least of all */
#define HOSTSTATUS_CONTEXT_MAX     255 /* bytes; of Bitbucket Cloud's keys: 40 */
#define HOSTSTATUS_WAIT_MAX_MS     ((int64_t)3600 * 1000)

enum hoststatus_provider {
    HOSTSTATUS_AUTO, /* by the host of the repository, or the path of the API */
    HOSTSTATUS_GITHUB,
    HOSTSTATUS_GITLAB,
    HOSTSTATUS_GITEA, /* Forgejo, too */
    HOSTSTATUS_BITBUCKET,
    HOSTSTATUS_BITBUCKET_SERVER,
};
/* auto, github, gitlab, gitea, bitbucket, bitbucket-server: false for any other name. */
bool hoststatus_parse_provider(const char *name, enum hoststatus_provider *out);
const char *hoststatus_provider_name(enum hoststatus_provider provider);

enum hoststatus_state {
    HOSTSTATUS_PROGRESSING, /* a canary is on its way, a sync is running */
    HOSTSTATUS_APPLIED,
    HOSTSTATUS_PROMOTED,
    HOSTSTATUS_ROLLED_BACK,
    HOSTSTATUS_FAILED,
};

/* A repository's URL in its parts, as git/giturl.h has them; absent ones NULL. */
struct hoststatus_where {
    bool is_http;
    const char *scheme, *host, *port, *path;
};

/* Where the states of one repository's commits go. */
struct hoststatus_place {
    enum hoststatus_provider provider; /* never AUTO */
    const char *api;                   /* without a slash at its end */
    const char *repo;                  /* OWNER/NAME, as in the URL */
    const char *web;                   /* of the repository: for hosts that want a link */
};
/* `api` NULL or "": derived from the host. */
MUST_USE struct err *hoststatus_find_place(struct arena *mem, const struct hoststatus_where *where,
                                           enum hoststatus_provider asked, const char *api,
                                           struct hoststatus_place *out);

struct hoststatus_news {
    const char *sha, *context, *description;
    enum hoststatus_state state;
    const char *target_url, *branch; /* NULL or "": none */
};
struct hoststatus_request {
    const char *url, *body;
    size_t body_len;
    const char *headers[8]; /* NULL-terminated; with the token */
};
/* A token with a colon in it is a user and a password. */
void hoststatus_make_request(struct arena *mem, const struct hoststatus_place *place,
                             const struct hoststatus_news *news, const char *token,
                             struct hoststatus_request *out);

/* As people read it: one line, whole characters, at most so many. */
const char *hoststatus_shorten(struct arena *mem, const char *text, size_t max);

enum hoststatus_outcome {
    HOSTSTATUS_TAKEN,
    HOSTSTATUS_LATER,   /* the same again */
    HOSTSTATUS_DENIED,  /* a person has to act; the same again, seldom */
    HOSTSTATUS_UNKNOWN, /* DENIED, but perhaps for this commit only: not again */
    HOSTSTATUS_REFUSED, /* this one will never be taken */
};
struct hoststatus_answer {
    int status;
    const char *body;                                /* "" : none */
    const char *location;                            /* the headers: NULL where absent */
    const char *retry_after, *limit_left, *limit_at; /* (X-)RateLimit-Remaining, -Reset */
};
struct hoststatus_verdict {
    enum hoststatus_outcome outcome;
    int64_t wait_ms;  /* nothing is to be sent before; -1: it did not say */
    const char *text; /* what was said, and what to do; "" where it was taken. Without the token */
};
void hoststatus_judge(struct arena *mem, const struct hoststatus_place *place,
                      const struct hoststatus_answer *answer, int64_t now_unix_ms,
                      struct hoststatus_verdict *out);

/* Between two requests, as the host asks of those who write. */
int64_t hoststatus_gap_ms(enum hoststatus_provider provider);

#endif
