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
    size_t len;
    const char *json = val_json(rows->scratch, value, &len);
    rows->bytes += len + 1;
    rows->is_over |= rows->bytes > ANSWER_LIMIT_BYTES;
    if (!rows->is_over)
        *vec_push(mem, &rows->list) =
            (struct api_row){ .id = arena_strdup(mem, id), .json = arena_strndup(mem, json, len) };
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct api_row *)a)->id, ((const struct api_row *)b)->id);
}

static void fail_too_long(struct api_call *call)
{
    SCOPED(err_free)
    struct err *e = err_new(ERR_LIMIT, "the list is over %zu MiB: ask for one namespace",
                            ANSWER_LIMIT_BYTES >> 20);
    api_call_fail(call, e);
}

void api_rows_answer(struct api_rows *rows, struct api_call *call)
{
    if (rows->is_over) {
        fail_too_long(call);
        return;
    }
    if (rows->list.len == 0) {
        api_call_json(call, 200, val_new(call->mem, VAL_NULL));
        return;
    }
    qsort(rows->list.at, rows->list.len, sizeof(*rows->list.at), by_id);
    SBUF(text, ANSWER_LIMIT_BYTES + 2);
    for (size_t i = 0; i < rows->list.len; i++) {
        sbuf_add_char(&text, i ? ',' : '[');
        sbuf_add(&text, rows->list.at[i].json);
    }
    sbuf_add_char(&text, ']');
    const struct api_answer answer = {
        .status = 200, .content_type = API_TYPE_JSON, .body = sbuf_text(&text), .len = text.len
    };
    api_call_reply(call, &answer);
}
