/* Addresses of repositories and APIs, words for a status, and answers of a git host: whatever comes, the request goes to the
 * API that was given, its headers are lines, its body is JSON, and what is told of the answer is short. */
#include <string.h>

#include "doc/json.h"
#include "release/hoststatus_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHA "0123456789abcdef0123456789abcdef01234567"

/* The next line of what is left. */
static const char *take(struct arena *mem, const char **at)
{
    size_t len = strcspn(*at, "\n");
    const char *line = arena_strndup(mem, *at, len);
    *at += len + ((*at)[len] == '\n');
    return line;
}

static bool is_line(const char *text)
{
    return !strpbrk(text, "\r\n");
}

static void check_request(struct arena *mem, const struct hoststatus_place *place, const char **at)
{
    const struct hoststatus_news news = { .sha = SHA,
                                          .context = take(mem, at),
                                          .state = HOSTSTATUS_APPLIED,
                                          .target_url = take(mem, at),
                                          .description = take(mem, at) };
    struct hoststatus_request request;
    struct val *body = NULL;
    hoststatus_make_request(mem, place, &news, "token", &request);
    size_t api_len = strlen(place->api);
    const char *behind = request.url + api_len;
    ASSERT(!strncmp(request.url, place->api, api_len) && *behind == '/' && !strstr(behind, "/../"));
    ASSERT(!strpbrk(request.url, " \r\n?#"));
    for (size_t i = 0; request.headers[i]; i++)
        ASSERT(is_line(request.headers[i]));
    SCOPED(err_free) struct err *e = doc_json_parse(mem, request.body, request.body_len, &body);
    ASSERT(!e);
    const char *said = val_text_or(val_get(body, "description"), "");
    ASSERT(is_line(said) && strlen(said) <= 4 * HOSTSTATUS_DESCRIPTION_MAX);
    ASSERT(strlen(val_text_or(val_get(body, "context"), "")) <= HOSTSTATUS_CONTEXT_MAX);
}

static void check_answer(struct arena *mem, const struct hoststatus_place *place, const char **at)
{
    struct hoststatus_answer answer = { .location = take(mem, at),
                                        .retry_after = take(mem, at),
                                        .limit_left = take(mem, at),
                                        .limit_at = take(mem, at) };
    answer.body = *at;
    for (answer.status = 199; answer.status < 520; answer.status += 5) {
        struct hoststatus_verdict verdict;
        hoststatus_judge(mem, place, &answer, 1700000000000, &verdict);
        ASSERT(verdict.wait_ms >= -1 && verdict.wait_ms <= HOSTSTATUS_WAIT_MAX_MS);
        ASSERT(is_line(verdict.text) && strlen(verdict.text) < strlen(place->api) + 2600);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *at = arena_strndup(mem, (const char *)data, size);
    const char *kind = take(mem, &at);
    const struct hoststatus_where where = { .is_http = strchr(kind, '+') != NULL,
                                            .scheme = "https",
                                            .host = take(mem, &at),
                                            .port = take(mem, &at),
                                            .path = take(mem, &at) };
    enum hoststatus_provider asked = (enum hoststatus_provider)(strlen(kind) % 6);
    struct hoststatus_place place;
    SCOPED(err_free)
    struct err *e = hoststatus_find_place(mem, &where, asked, take(mem, &at), &place);
    if (e)
        return 0;
    check_request(mem, &place, &at);
    check_answer(mem, &place, &at);
    return 0;
}
