/* api/rows.h - a long list as an answer: of each item only its line of JSON is kept until it is sent.
 * Effects:   none of its own.
 * Ownership: rows are in the arena of their call. */
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
};

void api_rows_init(struct api_rows *rows, struct api_call *call);
/* `value` is in rows->scratch, or anywhere. */
void api_rows_add(struct api_rows *rows, struct api_call *call, const char *id,
                  const struct val *value);
/* By ID; null without any. */
void api_rows_answer(struct api_rows *rows, struct api_call *call);

#endif
