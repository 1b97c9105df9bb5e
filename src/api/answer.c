#include "api/answer.h"

#include <string.h>
#include <strings.h>

/* The best quality a media type may have; Accept gives it in thousandths. */
#define QUALITY_MAX 1000

struct range {
    const char *type;
    size_t type_len;
    int quality; /* 0 .. QUALITY_MAX */
};

void api_answer_empty(int status, struct api_answer *out)
{
    *out = (struct api_answer){ .status = status };
}

void api_answer_json(struct arena *mem, int status, const struct val *value, struct api_answer *out)
{
    *out = (struct api_answer){ .status = status, .content_type = API_TYPE_JSON };
    out->body = val_json(mem, value, &out->len);
}

void api_answer_text(int status, const char *text, struct api_answer *out)
{
    *out = (struct api_answer){
        .status = status, .content_type = API_TYPE_TEXT, .body = text, .len = strlen(text)
    };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *find_char(const char *text, const char *end, char c)
{
    while (text < end && *text != c)
        text++;
    return text; /* `end` if it is not there */
}

/* "0", "1", "0.5", "1.000"; anything else counts as 1, as if it were not there. */
static int read_quality(const char *text, const char *end)
{
    if (text == end || (*text != '0' && *text != '1'))
        return QUALITY_MAX;
    int quality = (*text++ - '0') * QUALITY_MAX;
    if (text < end && *text == '.')
        text++;
    for (int unit = QUALITY_MAX / 10; unit > 0 && text < end && *text >= '0' && *text <= '9';
         unit /= 10)
        quality += (*text++ - '0') * unit;
    return MIN_OF(quality, QUALITY_MAX);
}

/* One element of the list: "type/subtype ; param=value ; q=0.8". */
static struct range read_range(const char *text, const char *end)
{
    while (text < end && is_blank(*text))
        text++;
    const char *param = find_char(text, end, ';'), *type_end = param;
    struct range range = { .type = text, .quality = QUALITY_MAX };
    while (type_end > text && is_blank(type_end[-1]))
        type_end--;
    range.type_len = (size_t)(type_end - text);
    while (param < end) {
        param++; /* past the semicolon */
        while (param < end && is_blank(*param))
            param++;
        if (end - param >= 2 && (param[0] == 'q' || param[0] == 'Q') && param[1] == '=')
            range.quality = read_quality(param + 2, end);
        param = find_char(param, end, ';');
    }
    return range;
}

static bool range_is(const struct range *range, const char *type)
{
    return range->type_len == strlen(type) && strncasecmp(range->type, type, range->type_len) == 0;
}

enum api_form api_answer_form(const char *accept)
{
    enum api_form best = API_FORM_SHORT;
    int best_quality = 0;
    for (const char *text = accept; text && *text;) {
        const char *end = strchr(text, ',');
        const char *stop = end ? end : text + strlen(text);
        struct range range = read_range(text, stop);
        if (range.quality > best_quality && range_is(&range, "application/json")) {
            best = API_FORM_JSON;
            best_quality = range.quality;
        } else if (range.quality > best_quality && range_is(&range, "text/plain")) {
            best = API_FORM_HELP;
            best_quality = range.quality;
        }
        text = end ? end + 1 : NULL;
    }
    return best;
}

void api_answer_error(struct arena *mem, const char *accept, const struct api_error *error,
                      struct api_answer *out)
{
    switch (api_answer_form(accept)) {
    case API_FORM_SHORT: api_answer_text(error->status, error->text, out); return;
    case API_FORM_HELP: api_answer_text(error->status, error->help, out); return;
    case API_FORM_JSON: break;
    }
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "type", error->type);
    val_set_text(mem, value, "help", error->help);
    val_set_text(mem, value, "error", error->text);
    api_answer_json(mem, error->status, value, out);
}

void api_answer_undecodable(struct arena *mem, const char *accept, int64_t offset, const char *text,
                            struct api_answer *out)
{
    if (api_answer_form(accept) != API_FORM_JSON) {
        api_answer_text(400, text, out);
        return;
    }
    struct val *value = val_new_map(mem);
    if (offset > 0)
        val_set(mem, value, "Offset", val_new_int(mem, offset));
    val_set_text(mem, value, "type", "user");
    val_set_text(mem, value, "help",
                 arena_printf(mem,
                              "Error: %s\n\n"
                              "The request says something that cannot be meant, or cannot be "
                              "read. Nothing was changed.\n",
                              text));
    val_set_text(mem, value, "error", text);
    api_answer_json(mem, 400, value, out);
}

struct api_error api_error_no_route(struct arena *mem, const char *path)
{
    return (struct api_error){
        .status = 404,
        .type = "missing",
        .text = "API endpoint not found",
        .help =
            arena_printf(mem,
                         "The API endpoint requested is not supported by this server.\n\n"
                         "Either the method or the path is wrong, a parameter is missing that the\n"
                         "endpoint needs, or the client is of another version than this server.\n"
                         "What was asked for:\n\n    %s\n\n"
                         "The endpoints of this server are listed in docs/api.md of serin.\n",
                         path),
    };
}

struct api_error api_error_deprecated(void)
{
    return (struct api_error){
        .status = 410,
        .type = "missing",
        .text = "API endpoint deprecated",
        .help =
            "The API endpoint requested appears to have been deprecated.\n\n"
            "The client is too old for this server: nothing below /v1/ to /v5/ is answered any\n"
            "more. Use fluxctl 1.x, or serin's own commands.\n",
    };
}

struct api_error api_error_no_job(struct arena *mem, const char *id)
{
    return (struct api_error){
        .status = 404,
        .type = "missing",
        .text = arena_printf(mem, "unknown job \"%s\"", id),
        .help =
            "Job not found\n\n"
            "The server remembers the jobs of its present run, the last ones only. This one is\n"
            "older, belongs to an earlier run or to another server, or never was.\n\n"
            "If the job was to change something in git, look there whether it did. Asking for\n"
            "the same again is safe.\n",
    };
}

struct api_error api_error_user(struct arena *mem, const char *text)
{
    return (struct api_error){
        .status = 422,
        .type = "user",
        .text = text,
        .help = arena_printf(
            mem,
            "Error: %s\n\n"
            "There is no further advice for this error; the server's log may say what led to\n"
            "it.\n",
            text),
    };
}

struct api_error api_error_server(struct arena *mem, const char *text)
{
    return (struct api_error){
        .status = 500,
        .type = "server",
        .text = text,
        .help = arena_printf(
            mem,
            "Error: %s\n\n"
            "The request is fine; the server could not do what it takes to answer it. Ask again\n"
            "in a moment. If this stays, the server's log and its permissions in the cluster\n"
            "are the places to look at.\n",
            text),
    };
}

struct api_error api_error_refused(struct arena *mem, const char *text)
{
    return (struct api_error){
        .status = 403,
        .type = "user",
        .text = text,
        .help = arena_printf(
            mem,
            "Error: %s\n\n"
            "The server refuses requests that a page in a web browser may have been tricked\n"
            "into sending.\n",
            text),
    };
}

struct api_error api_error_unknown_client(struct arena *mem, const char *text)
{
    return (struct api_error){
        .status = 401,
        .type = "user",
        .text = text,
        .help = arena_printf(
            mem,
            "Error: %s\n\n"
            "The token is in the Secret serin-api of the daemon's namespace (or what the\n"
            "daemon's --api-secret and --api-token-file name); commands take it as --token, or\n"
            "read it from that Secret (SERIN_API_SECRET, --api-secret) when they go through the\n"
            "cluster.\n",
            text),
    };
}

struct api_error api_error_stopping(void)
{
    return (struct api_error){
        .status = 503,
        .type = "server",
        .text = "the server is shutting down",
        .help = "Error: the server is shutting down\n\nAsk again when it is back.\n",
    };
}
