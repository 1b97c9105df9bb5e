#include <string.h>

#include "../rows.h"

#include "git/giturl.h"

struct url_case {
    const char *name, *text;
    enum giturl_kind kind;
    const char *safe, *plain;
    const char *user, *password, *host, *port, *path;
};

// clang-format off
static const struct url_case url_cases[] = {
    { "scp form becomes ssh", "git@github.com:a/b", GITURL_SSH, "ssh://git@github.com/a/b", NULL, "git", NULL, "github.com", NULL, "a/b" },
    { "scp form with .git", "git@github.com:fluxcd/flux-get-started.git", GITURL_SSH, "ssh://git@github.com/fluxcd/flux-get-started.git", NULL, "git", NULL, "github.com", NULL, "fluxcd/flux-get-started.git" },
    { "scp form without a user", "host:repo.git", GITURL_SSH, "ssh://host/repo.git", NULL, NULL, NULL, "host", NULL, "repo.git" },
    { "scp form with an absolute path", "git@host:/srv/x", GITURL_SSH, "ssh://git@host/srv/x", NULL, "git", NULL, "host", NULL, "/srv/x" },
    { "scp form with a home directory", "git@host:~me/x", GITURL_SSH, "ssh://git@host/~me/x", NULL, "git", NULL, "host", NULL, "~me/x" },
    { "scp form where Flux' pattern sees a query", "git@host:a/b+c", GITURL_SSH, "ssh://git@host/a/b?+c", NULL, "git", NULL, "host", NULL, "a/b+c" },
    { "scp form with an IPv6 address", "git@[::1]:a/b", GITURL_SSH, "ssh://git@[::1]/a/b", NULL, "git", NULL, "[::1]", NULL, "a/b" },
    { "ssh URL", "ssh://git@github.com/a/b", GITURL_SSH, "ssh://git@github.com/a/b", NULL, "git", NULL, "github.com", NULL, "/a/b" },
    { "ssh URL with a port", "ssh://git@host:2222/a/b.git", GITURL_SSH, "ssh://git@host:2222/a/b.git", NULL, "git", NULL, "host", "2222", "/a/b.git" },
    { "ssh URL with a home directory", "ssh://host/~me/x", GITURL_SSH, "ssh://host/~me/x", NULL, NULL, NULL, "host", NULL, "~me/x" },
    { "ssh URL with a password loses it", "ssh://me:secret@host/x", GITURL_SSH, "ssh://me@host/x", NULL, "me", "secret", "host", NULL, "/x" },
    { "ssh path is decoded", "ssh://host/a%20b", GITURL_SSH, "ssh://host/a%20b", NULL, NULL, NULL, "host", NULL, "/a b" },
    { "git+ssh is ssh", "git+ssh://host/x", GITURL_SSH, "git+ssh://host/x", NULL, NULL, NULL, "host", NULL, "/x" },
    { "https URL", "https://github.com/a/b", GITURL_HTTP, "https://github.com/a/b", "https://github.com/a/b", NULL, NULL, "github.com", NULL, "/a/b" },
    { "https URL with credentials", "https://jane:p%40ss%2Fw@host/a", GITURL_HTTP, "https://jane@host/a", "https://host/a", "jane", "p@ss/w", "host", NULL, "/a" },
    { "https URL with a token for a user", "https://token@host:8443/a.git", GITURL_HTTP, "https://token@host:8443/a.git", "https://host:8443/a.git", "token", NULL, "host", "8443", "/a.git" },
    { "a password may hold an @", "https://u:a@b@host/x", GITURL_HTTP, "https://u@host/x", "https://host/x", "u", "a@b", "host", NULL, "/x" },
    { "an https path keeps its escapes", "https://host/a%20b/%7Ec", GITURL_HTTP, "https://host/a%20b/%7Ec", "https://host/a%20b/%7Ec", NULL, NULL, "host", NULL, "/a%20b/%7Ec" },
    { "an https path gets those it lacks", "https://host/a b", GITURL_HTTP, "https://host/a%20b", "https://host/a%20b", NULL, NULL, "host", NULL, "/a b" },
    { "scheme in capitals", "HTTPS://host/a", GITURL_HTTP, "https://host/a", "https://host/a", NULL, NULL, "host", NULL, "/a" },
    { "file URL", "file:///srv/git/x.git", GITURL_FILE, "file:///srv/git/x.git", NULL, NULL, NULL, NULL, NULL, "/srv/git/x.git" },
    { "local path", "/srv/git/x.git", GITURL_FILE, "file:///srv/git/x.git", NULL, NULL, NULL, NULL, NULL, "/srv/git/x.git" },
    { "local path with a blank", "/srv/my repo", GITURL_FILE, "file:///srv/my%20repo", NULL, NULL, NULL, NULL, NULL, "/srv/my repo" },
    { "a colon behind a slash is a local path", "./a:b", GITURL_FILE, "file://./a:b", NULL, NULL, NULL, NULL, NULL, "./a:b" },
    { "git URL is known", "git://host/x", GITURL_OTHER, "git://host/x", NULL, NULL, NULL, "host", NULL, "/x" },
};

static const struct bad_case {
    const char *name, *text, *safe;
} bad_cases[] = {
    { "an empty URL", "", "<unparseable: >" },
    { "ftp", "ftp://u:secret@host/x", "<unparseable: host/x>" },
    { "rsync", "rsync://host/x", "<unparseable: rsync://host/x>" },
    { "a scheme nobody knows", "gopher://u:secret@host/x", "<unparseable: host/x>" },
    { "https without a host", "https:///x", "<unparseable: https:///x>" },
    { "ssh without a path", "ssh://host", "<unparseable: ssh://host>" },
    { "scp form without a path", "git@host:", "<unparseable: host:>" },
    { "a host that ssh would take for an option", "ssh://-oProxyCommand=id/x", "<unparseable: ssh://-oProxyCommand=id/x>" },
    { "a user that ssh would take for an option", "-oProxyCommand=id@host:x", "<unparseable: host:x>" },
    { "a path that git would take for an option", "git@host:-x", "<unparseable: host:-x>" },
    { "a local path that git would take for an option", "--upload-pack=id", "<unparseable: --upload-pack=id>" },
    { "a password in scp form", "me:secret@host:x", "<unparseable: host:x>" },
    { "a line break in the path", "https://host/a\nb", "<unparseable: https://host/a?b>" },
    { "an escaped line break in the path", "ssh://host/a%0Ab", "<unparseable: ssh://host/a%0Ab>" },
    { "a port that is no number", "ssh://host:2x/a", "<unparseable: ssh://host:2x/a>" },
    { "a port beyond all ports", "ssh://host:123456/a", "<unparseable: ssh://host:123456/a>" },
    { "a blank in the host", "https://a b/c", "<unparseable: https://a b/c>" },
};

static const struct pair_case {
    const char *name, *a, *b;
    bool is_equivalent;
} pair_cases[] = {
    { "scp and https forms of one repository", "git@github.com:a/b.git", "https://github.com/a/b", true },
    { "with and without .git", "ssh://git@h/a/b", "ssh://git@h/a/b.git", true },
    { "with another port", "ssh://git@h:22/a", "ssh://git@h/a", false },
    { "another host", "https://h/a", "https://g/a", false },
    { "another path", "https://h/a", "https://h/b", false },
    { "what cannot be parsed is equal to nothing", "", "", false },
};
// clang-format on

static void same(const char *got, const char *wanted)
{
    assert_string_equal(got ? got : "(none)", wanted ? wanted : "(none)");
}

static void a_url_is_taken_apart(void **state)
{
    const struct url_case *at = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct giturl url;
    SCOPED(err_free) struct err *e = giturl_parse(mem, at->text, &url);
    assert_string_equal(err_text(e), "");
    assert_int_equal(url.kind, at->kind);
    same(url.safe, at->safe);
    same(url.plain, at->plain ? at->plain : at->safe);
    same(url.user, at->user);
    same(url.password, at->password);
    same(url.host, at->host);
    same(url.port, at->port);
    same(url.path, at->path);
}

static void a_bad_url_is_refused_without_its_password(void **state)
{
    const struct bad_case *at = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct giturl url;
    SCOPED(err_free) struct err *e = giturl_parse(mem, at->text, &url);
    assert_true(err_is(e, ERR_INVALID));
    assert_null(strstr(err_text(e), "secret"));
    same(url.safe, at->safe);
}

static void two_urls_are_compared(void **state)
{
    const struct pair_case *at = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_int_equal(giturl_equivalent(mem, at->a, at->b), at->is_equivalent);
}

static void an_endless_url_is_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char text[8192];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    struct giturl url;
    SCOPED(err_free) struct err *e = giturl_parse(mem, text, &url);
    assert_true(err_is(e, ERR_INVALID));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(an_endless_url_is_refused),
        ROWS(url_cases, a_url_is_taken_apart),
        ROWS(bad_cases, a_bad_url_is_refused_without_its_password),
        ROWS(pair_cases, two_urls_are_compared),
    };
    return rows_run("giturl", tests, ARRAY_LEN(tests));
}
