/* Errors come back in the form the client can take; JSON is what Go would write. */
#include <string.h>

#include "../rows.h"

#include "api/answer.h"

static const struct form_case {
    const char *name, *accept;
    enum api_form form;
} form_cases[] = {
    { "no Accept gets the short text", NULL, API_FORM_SHORT },
    { "an empty Accept gets the short text", "", API_FORM_SHORT },
    { "JSON is given to who asks for it", "application/json", API_FORM_JSON },
    { "the long text is given to who asks for text", "text/plain", API_FORM_HELP },
    { "anything means the short text", "*/*", API_FORM_SHORT },
    { "a type we do not have means the short text", "text/html", API_FORM_SHORT },
    { "names of types have no case", "Application/JSON", API_FORM_JSON },
    { "parameters of a type are not part of its name", "application/json; charset=utf-8",
      API_FORM_JSON },
    { "the first of two alike wins", "text/plain, application/json", API_FORM_HELP },
    { "the better quality wins over the order", "text/plain;q=0.5, application/json;q=0.8",
      API_FORM_JSON },
    { "no quality means the best", "application/json;q=0.9, text/plain", API_FORM_HELP },
    { "quality zero is a refusal", "application/json;q=0", API_FORM_SHORT },
    { "quality zero in thousandths is a refusal", "application/json;q=0.000, text/plain;q=0.001",
      API_FORM_HELP },
    { "a quality that is none counts as the best", "text/plain;q=x, application/json;q=0.9",
      API_FORM_HELP },
    { "a quality over one counts as one", "text/plain;q=1.9, application/json", API_FORM_HELP },
    { "a browser's list finds nothing of ours", "text/html,application/xhtml+xml,*/*;q=0.8",
      API_FORM_SHORT },
    { "empty elements are skipped", ", ,application/json", API_FORM_JSON },
    { "a longer name is another type", "application/jsonp", API_FORM_SHORT },
};

static void form_matches_case(void **state)
{
    const struct form_case *c = *state;
    assert_int_equal(api_answer_form(c->accept), c->form);
}

static void an_error_is_an_object_for_json_clients(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_error error = api_error_user(mem, "cannot do <that> & this");
    struct api_answer answer;
    api_answer_error(mem, "application/json", &error, &answer);
    assert_int_equal(answer.status, 422);
    assert_string_equal(answer.content_type, "application/json; charset=utf-8");
    assert_string_equal(
        answer.body,
        "{\"type\":\"user\",\"help\":\"Error: cannot do \\u003cthat\\u003e \\u0026 this\\n\\n"
        "There is no further advice for this error; the server's log may say what led "
        "to\\nit.\\n\","
        "\"error\":\"cannot do \\u003cthat\\u003e \\u0026 this\"}");
    assert_int_equal(answer.len, strlen(answer.body));
}

static void an_error_is_its_help_for_text_clients_and_short_for_others(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_error error = api_error_no_job(mem, "nope");
    struct api_answer answer;
    api_answer_error(mem, "text/plain", &error, &answer);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.content_type, "text/plain; charset=utf-8");
    assert_ptr_equal(strstr(answer.body, "Job not found\n\n"), answer.body);
    api_answer_error(mem, NULL, &error, &answer);
    assert_string_equal(answer.body, "unknown job \"nope\"");
}

static void the_help_for_an_unknown_route_names_the_path(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_error error = api_error_no_route(mem, "/v12/services");
    assert_int_equal(error.status, 404);
    assert_string_equal(error.type, "missing");
    assert_non_null(strstr(error.help, "\n    /v12/services\n"));
    assert_int_equal(api_error_deprecated().status, 410);
    assert_string_equal(api_error_deprecated().type, "missing");
}

static void an_undecodable_request_is_explained_and_tells_json_clients_the_offset(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct api_answer answer;
    api_answer_undecodable(mem, "application/json", 2, "not JSON", &answer);
    assert_int_equal(answer.status, 400);
    assert_string_equal(
        answer.body,
        "{\"Offset\":2,\"type\":\"user\",\"help\":\"Error: not JSON\\n\\nThe request says "
        "something that cannot be meant, or cannot be read. Nothing was changed.\\n\","
        "\"error\":\"not JSON\"}");
    api_answer_undecodable(mem, "application/json", 0, "unknown", &answer);
    assert_int_equal(strncmp(answer.body, "{\"type\":\"user\",", 15), 0);
    api_answer_undecodable(mem, "text/plain", 2, "not JSON", &answer);
    assert_string_equal(answer.body, "not JSON");
    assert_string_equal(answer.content_type, "text/plain; charset=utf-8");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(an_error_is_an_object_for_json_clients),
        SINGLE(an_error_is_its_help_for_text_clients_and_short_for_others),
        SINGLE(the_help_for_an_unknown_route_names_the_path),
        SINGLE(an_undecodable_request_is_explained_and_tells_json_clients_the_offset),
        ROWS(form_cases, form_matches_case),
    };
    return rows_run("api_answer", tests, ARRAY_LEN(tests));
}
