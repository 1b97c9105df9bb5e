#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doc/json.h"
#include "git/giturl.h"
#include "release/hoststatus_wire.h"

#define SHA    "0123456789abcdef0123456789abcdef01234567"
#define NOW_MS ((int64_t)1700000000 * 1000)

static struct err *find(struct arena *mem, const char *git_url, const char *kind, const char *api,
                        struct hoststatus_place *out)
{
    struct giturl url;
    enum hoststatus_provider provider;
    assert_true(hoststatus_parse_provider(kind, &provider));
    assert_null(giturl_parse(mem, git_url, &url));
    const struct hoststatus_where where = { url.kind == GITURL_HTTP, url.scheme, url.host, url.port,
                                            url.path };
    return hoststatus_find_place(mem, &where, provider, api, out);
}

// clang-format off
static const struct place_case {
    const char *git_url, *kind, *api;
    const char *found, *url; /* kind; what is posted to; NULL: an error, with `url` in it */
} place_cases[] = {
    { "git@github.com:acme/shop.git", "auto", "",
      "github", "https://api.github.com/repos/acme/shop/statuses/" SHA },
    { "https://github.com/acme/shop", "auto", NULL,
      "github", "https://api.github.com/repos/acme/shop/statuses/" SHA },
    { "ssh://git@ssh.github.com:443/acme/shop.git", "auto", "",
      "github", "https://api.github.com/repos/acme/shop/statuses/" SHA },
    { "https://acme.ghe.com/acme/shop.git", "auto", "",
      "github", "https://api.acme.ghe.com/repos/acme/shop/statuses/" SHA },
    { "git@github.example.com:acme/shop.git", "auto", "",
      "github", "https://github.example.com/api/v3/repos/acme/shop/statuses/" SHA },
    { "ssh://git@git.example.com:2222/acme/shop.git", "github", "",
      "github", "https://git.example.com/api/v3/repos/acme/shop/statuses/" SHA },
    { "https://git.example.com:8443/acme/shop.git", "github", "",
      "github", "https://git.example.com:8443/api/v3/repos/acme/shop/statuses/" SHA },
    { "git@gitlab.com:group/sub/shop.git", "auto", "",
      "gitlab", "https://gitlab.com/api/v4/projects/group%2Fsub%2Fshop/statuses/" SHA },
    { "ssh://git@altssh.gitlab.com:443/group/shop.git", "auto", "",
      "gitlab", "https://gitlab.com/api/v4/projects/group%2Fshop/statuses/" SHA },
    { "https://example.com/gitlab/group/shop.git", "gitlab", "https://example.com/gitlab/api/v4/",
      "gitlab", "https://example.com/gitlab/api/v4/projects/group%2Fshop/statuses/" SHA },
    { "git@codeberg.org:jane/shop.git", "auto", "",
      "gitea", "https://codeberg.org/api/v1/repos/jane/shop/statuses/" SHA },
    { "https://forgejo.example.com/jane/shop", "auto", "",
      "gitea", "https://forgejo.example.com/api/v1/repos/jane/shop/statuses/" SHA },
    { "http://10.0.0.1:3000/jane/shop.git", "gitea", "http://10.0.0.1:3000",
      "gitea", "http://10.0.0.1:3000/api/v1/repos/jane/shop/statuses/" SHA },
    { "git@10.0.0.1:jane/shop.git", "auto", "https://10.0.0.1/api/v1",
      "gitea", "https://10.0.0.1/api/v1/repos/jane/shop/statuses/" SHA },
    { "https://jane@bitbucket.org/acme/shop.git", "auto", "",
      "bitbucket", "https://api.bitbucket.org/2.0/repositories/acme/shop/commit/" SHA "/statuses/build" },
    { "ssh://git@bitbucket.example.com:7999/SHOP/web.git", "auto", "",
      "bitbucket-server", "https://bitbucket.example.com/rest/build-status/1.0/commits/" SHA },
    { "https://example.com/bitbucket/scm/SHOP/web.git", "bitbucket-server", "",
      "bitbucket-server", "https://example.com/bitbucket/rest/build-status/1.0/commits/" SHA },
    { "https://stash.example.com/scm/~jane/web.git", "auto", "https://stash.example.com/rest",
      "bitbucket-server", "https://stash.example.com/rest/build-status/1.0/commits/" SHA },
    { "git@gitea.com:jane_1/my.shop-2~x.git", "auto", "",
      "gitea", "https://gitea.com/api/v1/repos/jane_1/my.shop-2~x/statuses/" SHA },

    { "https://gitea.com/a%20b/shop.git", "auto", "", NULL, "is not OWNER/NAME" },
    { "git@git.example.com:acme/shop.git", "auto", "", NULL,
      "what kind of git host git.example.com is cannot be told from its name: give --git-host-status=github" },
    { "/srv/git/shop.git", "auto", "", NULL, "give --git-host-status=off" },
    { "http://gitlab.example.com/g/shop.git", "auto", "", NULL, "give --git-host-api" },
    { "git@github.com:shop.git", "auto", "", NULL, "is not OWNER/NAME, as it is on github" },
    { "git@github.com:a/b/c.git", "auto", "", NULL, "is not OWNER/NAME" },
    { "https://github.com/a/../b.git", "auto", "", NULL, "is not OWNER/NAME" },
    { "git@gitlab.com:a//b.git", "auto", "", NULL, "is not OWNER/NAME" },
    { "git@github.com:a/b.git", "auto", "ftp://x/", NULL, "--git-host-api is no address of an API" },
    { "git@github.com:a/b.git", "auto", "https://me:pw@x/", NULL, "--git-host-api is no address" },
    { "git@github.com:a/b.git", "auto", "https://x/?q", NULL, "--git-host-api is no address" },
    { "git@github.com:a/b.git", "auto", "https://", NULL, "--git-host-api is no address" },
    { "git@github.com:a/b.git", "auto", "https:///x", NULL, "--git-host-api is no address" },
    { "git@github.com:a/b.git", "auto", "https://x y", NULL, "--git-host-api is no address" },
};
// clang-format on

static void every_host_has_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(place_cases); i++) {
        const struct place_case *at = &place_cases[i];
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct hoststatus_place place;
        SCOPED(err_free) struct err *e = find(mem, at->git_url, at->kind, at->api, &place);
        if (!at->found) {
            assert_true(err_is(e, ERR_INVALID));
            assert_non_null(strstr(err_text(e), at->url));
            assert_null(strstr(err_text(e), "pw@"));
            continue;
        }
        assert_string_equal(err_text(e), "");
        assert_string_equal(hoststatus_provider_name(place.provider), at->found);
        const struct hoststatus_news news = { .sha = SHA, .context = "c" };
        struct hoststatus_request request;
        hoststatus_make_request(mem, &place, &news, "t", &request);
        assert_string_equal(request.url, at->url);
    }
}

static void names_of_hosts_are_what_the_flag_takes(void **state)
{
    (void)state;
    enum hoststatus_provider provider;
    assert_false(hoststatus_parse_provider("GitHub", &provider));
    assert_false(hoststatus_parse_provider("", &provider));
    assert_false(
        hoststatus_parse_provider("off", &provider)); /* then there is nothing to be made */
    assert_true(hoststatus_parse_provider("auto", &provider));
    assert_int_equal(provider, HOSTSTATUS_AUTO);
}

/* -- requests ------------------------------------------------------------------------------------- */

// clang-format off
static const struct request_case {
    const char *git_url;
    enum hoststatus_state state;
    const char *token, *link;
    const char *headers, *body;
} request_cases[] = {
    { "git@github.com:acme/shop.git", HOSTSTATUS_PROGRESSING, "ghp_1", "https://serin.example.com",
      "Content-Type: application/json|Accept: application/vnd.github+json|X-GitHub-Api-Version: 2022-11-28|"
      "Authorization: Bearer ghp_1|",
      "{\"state\":\"pending\",\"context\":\"serin/shop:deployment/web\",\"target_url\":\"https://serin.example.com\","
      "\"description\":\"said\"}" },
    { "git@github.com:acme/shop.git", HOSTSTATUS_ROLLED_BACK, "ghp_1", "",
      "Content-Type: application/json|Accept: application/vnd.github+json|X-GitHub-Api-Version: 2022-11-28|"
      "Authorization: Bearer ghp_1|",
      "{\"state\":\"failure\",\"context\":\"serin/shop:deployment/web\",\"description\":\"said\"}" },
    { "git@gitlab.com:acme/shop.git", HOSTSTATUS_PROGRESSING, "glpat-1", NULL,
      "Content-Type: application/json|Accept: application/json|PRIVATE-TOKEN: glpat-1|",
      "{\"state\":\"running\",\"context\":\"serin/shop:deployment/web\",\"ref\":\"main\",\"description\":\"said\"}" },
    { "git@gitlab.com:acme/shop.git", HOSTSTATUS_FAILED, "glpat-1", NULL,
      "Content-Type: application/json|Accept: application/json|PRIVATE-TOKEN: glpat-1|",
      "{\"state\":\"failed\",\"context\":\"serin/shop:deployment/web\",\"ref\":\"main\",\"description\":\"said\"}" },
    { "git@codeberg.org:acme/shop.git", HOSTSTATUS_APPLIED, "abc", NULL,
      "Content-Type: application/json|Accept: application/json|Authorization: token abc|",
      "{\"state\":\"success\",\"context\":\"serin/shop:deployment/web\",\"description\":\"said\"}" },
    { "git@bitbucket.org:acme/shop.git", HOSTSTATUS_PROMOTED, "jane:pass word", NULL,
      "Content-Type: application/json|Accept: application/json|Authorization: Basic amFuZTpwYXNzIHdvcmQ=|",
      "{\"state\":\"SUCCESSFUL\",\"key\":\"serin/shop:deployment/web\",\"name\":\"serin/shop:deployment/web\","
      "\"url\":\"https://bitbucket.org/acme/shop/commits/" SHA "\",\"description\":\"said\"}" },
    { "ssh://git@bitbucket.example.com:7999/SHOP/web.git", HOSTSTATUS_PROGRESSING, "abc", "https://x.example.com/",
      "Content-Type: application/json|Accept: application/json|Authorization: Bearer abc|",
      "{\"state\":\"INPROGRESS\",\"key\":\"serin/shop:deployment/web\",\"name\":\"serin/shop:deployment/web\","
      "\"url\":\"https://x.example.com/\",\"description\":\"said\"}" },
    { "https://example.com/bitbucket/scm/SHOP/web.git", HOSTSTATUS_ROLLED_BACK, "abc", "",
      "Content-Type: application/json|Accept: application/json|Authorization: Bearer abc|",
      "{\"state\":\"FAILED\",\"key\":\"serin/shop:deployment/web\",\"name\":\"serin/shop:deployment/web\","
      "\"url\":\"https://example.com/bitbucket/projects/SHOP/repos/web/commits/" SHA "\",\"description\":\"said\"}" },
};
// clang-format on

static const char *join(struct arena *mem, const char *const *list)
{
    const char *text = "";
    for (; *list; list++)
        text = arena_printf(mem, "%s%s|", text, *list);
    return text;
}

static void every_host_is_told_in_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(request_cases); i++) {
        const struct request_case *at = &request_cases[i];
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct hoststatus_place place;
        bool is_odd = strstr(at->git_url, "/scm/") != NULL;
        assert_null(find(mem, at->git_url, is_odd ? "bitbucket-server" : "auto", "", &place));
        const struct hoststatus_news news = { .sha = SHA,
                                              .context = "serin/shop:deployment/web",
                                              .description = "said",
                                              .state = at->state,
                                              .target_url = at->link,
                                              .branch = "main" };
        struct hoststatus_request request;
        hoststatus_make_request(mem, &place, &news, at->token, &request);
        assert_string_equal(join(mem, request.headers), at->headers);
        assert_string_equal(request.body, at->body);
        assert_int_equal(request.body_len, strlen(at->body));
    }
}

static const char *text_in(struct arena *mem, const struct hoststatus_request *request,
                           const char *key)
{
    struct val *body = NULL;
    assert_null(doc_json_parse(mem, request->body, request->body_len, &body));
    return val_text_or(val_get(body, key), "");
}

static void long_names_are_cut_and_stay_apart(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hoststatus_place place;
    struct hoststatus_request one, two;
    assert_null(find(mem, "git@bitbucket.org:acme/shop.git", "auto", "", &place));
    struct hoststatus_news news = { .sha = SHA,
                                    .context =
                                        "serin/production:deployment/a-long-name-of-a-shop" };
    hoststatus_make_request(mem, &place, &news, "t", &one);
    news.context = "serin/production:deployment/a-long-name-of-another";
    hoststatus_make_request(mem, &place, &news, "t", &two);
    assert_int_equal(strlen(text_in(mem, &one, "key")), 40);
    assert_int_equal(strncmp(text_in(mem, &one, "key"), "serin/production:deployment/a-l", 31), 0);
    assert_string_not_equal(text_in(mem, &one, "key"), text_in(mem, &two, "key"));
    assert_string_equal(text_in(mem, &two, "name"), news.context);
    char huge[2000];
    memset(huge, 'x', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = 0;
    news.context = huge;
    news.description = huge;
    hoststatus_make_request(mem, &place, &news, "t", &one);
    assert_int_equal(strlen(text_in(mem, &one, "name")), HOSTSTATUS_CONTEXT_MAX);
    assert_int_equal(strlen(text_in(mem, &one, "description")), 139 + strlen("…"));
}

static void descriptions_are_one_line_of_whole_characters(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(hoststatus_shorten(mem, "", 5), "");
    assert_string_equal(hoststatus_shorten(mem, "12345", 5), "12345");
    assert_string_equal(hoststatus_shorten(mem, "123456", 5), "1234…");
    assert_string_equal(hoststatus_shorten(mem, "äöüßé", 5), "äöüßé");
    assert_string_equal(hoststatus_shorten(mem, "äöüßéx", 5), "äöüß…");
    assert_string_equal(hoststatus_shorten(mem, "a\nb\033c\x7f", 9), "a b c ");
    assert_string_equal(hoststatus_shorten(mem,
                                           "a\xff"
                                           "b\xc3",
                                           9),
                        "a?b?");
    assert_string_equal(hoststatus_shorten(mem,
                                           "a\xc2\x85"
                                           "b",
                                           9),
                        "a b");
}

/* -- answers ------------------------------------------------------------------------------------------ */

// clang-format off
static const struct answer_case {
    const char *git_url;
    struct hoststatus_answer answer;
    enum hoststatus_outcome outcome;
    int64_t wait_ms;
    const char *text; /* in it */
} answer_cases[] = {
    { "git@github.com:a/b", { .status = 201, .body = "{}" }, HOSTSTATUS_TAKEN, -1, "" },
    { "git@github.com:a/b", { .status = 201, .body = "", .limit_left = "0", .limit_at = "1700000090" },
      HOSTSTATUS_TAKEN, 90000, "" },
    { "git@github.com:a/b", { .status = 201, .body = "", .limit_left = "17", .limit_at = "1700000090" },
      HOSTSTATUS_TAKEN, -1, "" },
    { "ssh://git@bitbucket.example.com/A/b", { .status = 204, .body = "" }, HOSTSTATUS_TAKEN, -1, "" },
    { "git@gitlab.com:a/b", { .status = 400, .body = "{\"message\":\"Cannot transition status via :run from :running\"}" },
      HOSTSTATUS_TAKEN, -1, "" },
    { "git@github.com:a/b", { .status = 400, .body = "{\"message\":\"Cannot transition status via :run from :running\"}" },
      HOSTSTATUS_REFUSED, -1, "answers 400: Cannot transition" },
    { "git@gitlab.com:a/b", { .status = 429, .body = "Retry later", .retry_after = "17" }, HOSTSTATUS_LATER, 17000, "answers 429" },
    { "git@gitlab.com:a/b", { .status = 429, .body = "", .limit_left = "0", .limit_at = "30" }, HOSTSTATUS_LATER, 30000, "" },
    { "git@gitlab.com:a/b", { .status = 429, .body = "" }, HOSTSTATUS_LATER, 60000, "" },
    { "git@gitlab.com:a/b", { .status = 429, .body = "", .retry_after = "99999" }, HOSTSTATUS_LATER, 3600000, "" },
    { "git@gitlab.com:a/b", { .status = 429, .body = "", .limit_left = "0", .limit_at = "99999999999999999999" },
      HOSTSTATUS_LATER, 60000, "" },
    { "git@github.com:a/b", { .status = 403, .body = "{}", .limit_left = "0", .limit_at = "1700000005" }, HOSTSTATUS_LATER, 5000, "" },
    { "git@github.com:a/b", { .status = 403, .body = "{}", .limit_left = "0", .limit_at = "1600000000" }, HOSTSTATUS_LATER, 1000, "" },
    { "git@github.com:a/b", { .status = 403, .body = "{\"message\":\"You have exceeded a secondary rate limit.\"}" },
      HOSTSTATUS_LATER, 60000, "secondary rate limit" },
    { "git@github.com:a/b", { .status = 503, .body = "<html>" }, HOSTSTATUS_LATER, -1, "https://api.github.com answers 503" },
    { "git@github.com:a/b", { .status = 503, .body = "", .retry_after = "3" }, HOSTSTATUS_LATER, 3000, "" },
    { "git@github.com:a/b", { .status = 401, .body = "{\"message\":\"Bad credentials\"}" }, HOSTSTATUS_DENIED, -1,
      "https://api.github.com answers 401: Bad credentials: the token is not accepted: put one that is valid into "
      "--git-host-token-file" },
    { "git@github.com:a/b", { .status = 403, .body = "{\"message\":\"Resource not accessible\"}" }, HOSTSTATUS_DENIED, -1,
      "may not set the status of commits: it needs \"Commit statuses: write\", or the scope repo:status" },
    { "git@gitlab.com:a/b", { .status = 403, .body = "" }, HOSTSTATUS_DENIED, -1, "the role of a developer" },
    { "git@gitlab.com:a/b", { .status = 404, .body = "{\"message\":\"404 Project Not Found\"}" }, HOSTSTATUS_UNKNOWN, -1,
      "404 Project Not Found: no a/b there, or not this commit, or the token may not see it" },
    { "git@github.com:a/b", { .status = 422, .body = "{\"message\":\"No commit found for SHA\"}" }, HOSTSTATUS_REFUSED, -1,
      "answers 422: No commit found for SHA" },
    { "git@bitbucket.org:a/b", { .status = 400, .body = "{\"error\":{\"message\":\"key: too long\"}}" }, HOSTSTATUS_REFUSED, -1,
      "answers 400: key: too long" },
    { "ssh://git@stash.example.com/A/b", { .status = 400, .body = "{\"errors\":[{\"message\":\"bad\\nkey\"}]}" },
      HOSTSTATUS_REFUSED, -1, "answers 400: bad key" },
    { "git@github.com:a/b", { .status = 301, .body = "", .location = "https://me@elsewhere.example.com:8443/x?token=1" },
      HOSTSTATUS_DENIED, -1, "leads on to elsewhere.example.com:8443, where the token is not sent to" },
    { "git@github.com:a/b", { .status = 307, .body = "" }, HOSTSTATUS_DENIED, -1, "leads on, where the token is not sent to" },
    { "git@github.com:a/b", { .status = 302, .body = "", .location = "/login?x" }, HOSTSTATUS_DENIED, -1, "leads on, where" },
};
// clang-format on

static void every_answer_means_something(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answer_cases); i++) {
        const struct answer_case *at = &answer_cases[i];
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct hoststatus_place place;
        struct hoststatus_verdict verdict;
        assert_null(find(mem, at->git_url, "auto", "", &place));
        hoststatus_judge(mem, &place, &at->answer, NOW_MS, &verdict);
        if (verdict.outcome != at->outcome || verdict.wait_ms != at->wait_ms ||
            !strstr(verdict.text, at->text))
            print_error("case %zu: outcome %d, wait %lld, \"%s\"\n", i, (int)verdict.outcome,
                        (long long)verdict.wait_ms, verdict.text);
        assert_int_equal(verdict.outcome, at->outcome);
        assert_int_equal(verdict.wait_ms, at->wait_ms);
        assert_non_null(strstr(verdict.text, at->text));
        assert_null(strstr(verdict.text, "token=1"));
    }
}

static void an_answer_of_any_length_is_told_briefly(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hoststatus_place place;
    struct hoststatus_verdict verdict;
    assert_null(find(mem, "git@github.com:a/b", "auto", "", &place));
    char long_text[9000];
    memset(long_text, 'y', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    struct hoststatus_answer answer = { .status = 422,
                                        .body =
                                            arena_printf(mem, "{\"message\":\"%s\"}", long_text) };
    hoststatus_judge(mem, &place, &answer, NOW_MS, &verdict);
    assert_true(strlen(verdict.text) < 300);
    answer.body = arena_printf(mem, "{\"message\":\"%s%s\"}", long_text, long_text);
    hoststatus_judge(mem, &place, &answer, NOW_MS, &verdict);
    assert_string_equal(verdict.text, "https://api.github.com answers 422");
    answer.status = 302;
    answer.location = arena_printf(mem, "https://%s/", long_text);
    hoststatus_judge(mem, &place, &answer, NOW_MS, &verdict);
    assert_true(strlen(verdict.text) < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_host_has_its_place),
        cmocka_unit_test(names_of_hosts_are_what_the_flag_takes),
        cmocka_unit_test(every_host_is_told_in_its_words),
        cmocka_unit_test(long_names_are_cut_and_stay_apart),
        cmocka_unit_test(descriptions_are_one_line_of_whole_characters),
        cmocka_unit_test(every_answer_means_something),
        cmocka_unit_test(an_answer_of_any_length_is_told_briefly),
    };
    return cmocka_run_group_tests_name("release_hoststatus_wire", tests, NULL, NULL);
}
