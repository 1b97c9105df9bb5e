/* api/answer.h - what goes back to a client: JSON in Go's manner, and errors in the form the client can take.
 * Effects:   none (pure).
 * Ownership: answers and errors are in the caller's arena.
 * Reference: gitops.md 0.3 and 8.7. */
#ifndef SERIN_API_ANSWER_H
#define SERIN_API_ANSWER_H

#include "doc/val.h"

#define API_TYPE_JSON    "application/json; charset=utf-8"
#define API_TYPE_TEXT    "text/plain; charset=utf-8"
#define API_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct api_answer {
    int status;
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t len;
};

void api_answer_empty(int status, struct api_answer *out);
void api_answer_json(struct arena *mem, int status, const struct val *value,
                     struct api_answer *out);
void api_answer_text(int status, const char *text, struct api_answer *out); /* borrows the text */

/* How a client wants its errors: as JSON, as the long text, or (no Accept, or nothing we have) as the short one. */
enum api_form { API_FORM_SHORT, API_FORM_HELP, API_FORM_JSON };
enum api_form api_answer_form(const char *accept); /* value of the header, NULL if absent */

struct api_error {
    int status;
    const char *type; /* server, missing, user */
    const char *help; /* for people: what it means and what to do */
    const char *text; /* the error itself, short */
};

void api_answer_error(struct arena *mem, const char *accept, const struct api_error *error,
                      struct api_answer *out);
/* 400 for a request that could not be decoded: JSON clients get the error, with "Offset":n before it (n > 0), others the text. */
void api_answer_undecodable(struct arena *mem, const char *accept, int64_t offset, const char *text,
                            struct api_answer *out);

struct api_error api_error_no_route(struct arena *mem,
                                    const char *path); /* 404; path without /api/flux */
struct api_error api_error_deprecated(void);           /* 410 */
struct api_error api_error_no_job(struct arena *mem, const char *id); /* 404 */
struct api_error api_error_user(struct arena *mem,
                                const char *text); /* 422: no advice of its own */
struct api_error api_error_server(struct arena *mem,
                                  const char *text); /* 500: not the client's doing */
struct api_error api_error_refused(struct arena *mem, const char *text); /* 403: api/guard.h */
struct api_error api_error_unknown_client(struct arena *mem, const char *text); /* 401 */
struct api_error api_error_stopping(void);                                      /* 503 */

#endif
