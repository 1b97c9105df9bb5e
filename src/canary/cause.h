/* canary/cause.h - why a request got no answer, in the words of Go's net/http: what people look for, and what events have always
 * said.
 * Effects:   none.
 * Ownership: texts are in the caller's arena.
 *     Post "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused */
#ifndef SERIN_CANARY_CAUSE_H
#define SERIN_CANARY_CAUSE_H

#include "base/arena.h"
#include "io/http.h"

/* The whole of it; the password of the URL as ***. */
const char *cause_text(struct arena *mem, const char *method, const char *url,
                       const struct http_result *result);
/* What is behind the URL. With `url` NULL nothing that would tell where the request went. */
const char *cause_reason(struct arena *mem, const char *url, const struct http_result *result);
/* The URL with `mask` in place of its password. */
const char *cause_url(struct arena *mem, const char *url, const char *mask);

#endif
