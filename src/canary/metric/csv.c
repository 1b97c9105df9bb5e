#include "canary/metric/csv.h"

static bool is_line_end(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' ||
           (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

/* From the opening quote to behind the closing one; two quotes stand for one. */
static const char *take_quoted(struct arena *mem, struct csv *csv, const char **fault)
{
    const char *from = ++csv->at;
    while (csv->at < csv->end && (*csv->at != '"' || (csv->at + 1 < csv->end && csv->at[1] == '"')))
        csv->at += *csv->at == '"' ? 2 : 1;
    if (csv->at >= csv->end) {
        csv->at = csv->end;
        *fault = "a quote is not closed";
        return "";
    }
    char *text = arena_alloc(mem, (size_t)(csv->at - from) + 1);
    size_t used = 0;
    for (; from < csv->at; from++) {
        text[used++] = *from;
        from += *from == '"';
    }
    csv->at++;
    if (!is_line_end(csv) && *csv->at != ',')
        *fault = "something follows a closing quote";
    return text;
}

static const char *take_cell(struct arena *mem, struct csv *csv, const char **fault)
{
    if (*csv->at == '"')
        return take_quoted(mem, csv, fault);
    const char *from = csv->at;
    while (!is_line_end(csv) && *csv->at != ',')
        csv->at++;
    return arena_strndup(mem, from, (size_t)(csv->at - from));
}

bool csv_next(struct arena *mem, struct csv *csv, struct csv_row *out, const char **fault)
{
    *out = (struct csv_row){ 0 };
    *fault = NULL;
    if (csv->at == csv->end)
        return false;
    while (!is_line_end(csv)) {
        *vec_push(mem, out) = take_cell(mem, csv, fault);
        if (*fault)
            return true;
        if (!is_line_end(csv) && ++csv->at && is_line_end(csv))
            *vec_push(mem, out) = ""; /* a comma at the end */
    }
    if (csv->at < csv->end)
        csv->at += *csv->at == '\r' ? 2 : 1;
    return true;
}
