/* api/rows.h - a long list as an answer: of each item only its line of JSON is kept until it is sent.
 * Effects:   none of its own.
 * Ownership: rows are in the arena of their call.
 * Limits:    SBUF_MAX of JSON; a list over it is answered with an error. */
#ifndef SERIN_API_ROWS_H
#define SERIN_API_ROWS_H

#include "api/call.h"
#include "base/vec.h"

struct api_row {
    const char *id, *json;
};
struct api_rows {
    VEC(struct api_row) list;
    struct arena *scratch; /* of one row at a time */
    size_t bytes;
    bool is_over; /* more than an answer may have: what is added now is not kept */
};

void api_rows_init(struct api_rows *rows, struct api_call *call);
/* `value` is in rows->scratch, or anywhere. */
void api_rows_add(struct api_rows *rows, struct api_call *call, const char *id,
                  const struct val *value);
/* By ID; null without any. */
void api_rows_answer(struct api_rows *rows, struct api_call *call);

#endif
