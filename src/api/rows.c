#include "api/rows.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_LIMIT_BYTES SBUF_MAX

static void free_scratch(void *scratch)
{
    arena_free(scratch);
}

void api_rows_init(struct api_rows *rows, struct api_call *call)
{
    *rows = (struct api_rows){ .scratch = arena_new(ARENA_LIMIT_BYTES) };
    arena_defer(call->mem, free_scratch, rows->scratch);
}

void api_rows_add(struct api_rows *rows, struct api_call *call, const char *id,
                  const struct val *value)
{
    struct arena *mem = call->mem;
    *vec_push(mem, &rows->list) =
        (struct api_row){ .id = arena_strdup(mem, id),
                          .json = arena_strdup(mem, val_json(rows->scratch, value, NULL)) };
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct api_row *)a)->id, ((const struct api_row *)b)->id);
}

void api_rows_answer(struct api_rows *rows, struct api_call *call)
{
    if (rows->list.len == 0) {
        api_call_json(call, 200, val_new(call->mem, VAL_NULL));
        return;
    }
    qsort(rows->list.at, rows->list.len, sizeof(*rows->list.at), by_id);
    SBUF(text, ANSWER_LIMIT_BYTES);
    for (size_t i = 0; i < rows->list.len; i++) {
        sbuf_add_char(&text, i ? ',' : '[');
        sbuf_add(&text, rows->list.at[i].json);
    }
    sbuf_add_char(&text, ']');
    if (text.is_over) {
        SCOPED(err_free)
        struct err *e = err_new(ERR_LIMIT, "the list is over %zu MiB: ask for one namespace",
                                ANSWER_LIMIT_BYTES >> 20);
        api_call_fail(call, e);
        return;
    }
    const struct api_answer answer = {
        .status = 200, .content_type = API_TYPE_JSON, .body = sbuf_text(&text), .len = text.len
    };
    api_call_reply(call, &answer);
}
