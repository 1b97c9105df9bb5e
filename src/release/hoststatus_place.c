#include <string.h>
#include <strings.h>

#include "release/hoststatus_wire.h"

#define URL_MAX   2048
#define PARTS_MAX 20

// clang-format off
static const struct kind {
    enum hoststatus_provider provider;
    const char *name;
    const char *suffix;    /* of the API's address behind that of the host */
    size_t most_parts;     /* of a repository's path */
} kinds[] = {
    { HOSTSTATUS_AUTO,             "auto",             "",        0 },
    { HOSTSTATUS_GITHUB,           "github",           "/api/v3", 2 },
    { HOSTSTATUS_GITLAB,           "gitlab",           "/api/v4", PARTS_MAX },
    { HOSTSTATUS_GITEA,            "gitea",            "/api/v1", 2 },
    { HOSTSTATUS_BITBUCKET,        "bitbucket",        "/2.0",    2 },
    { HOSTSTATUS_BITBUCKET_SERVER, "bitbucket-server", "/rest",   2 },
};

/* Hosts of whom everybody knows what they are; `api` NULL: derived as for any other. */
static const struct known {
    const char *host;
    enum hoststatus_provider provider;
    const char *web, *api;
} knowns[] = {
    { "github.com",           HOSTSTATUS_GITHUB,    "github.com",    "https://api.github.com" },
    { "ssh.github.com",       HOSTSTATUS_GITHUB,    "github.com",    "https://api.github.com" },
    { "gitlab.com",           HOSTSTATUS_GITLAB,    "gitlab.com",    NULL },
    { "altssh.gitlab.com",    HOSTSTATUS_GITLAB,    "gitlab.com",    NULL },
    { "bitbucket.org",        HOSTSTATUS_BITBUCKET, "bitbucket.org", "https://api.bitbucket.org/2.0" },
    { "altssh.bitbucket.org", HOSTSTATUS_BITBUCKET, "bitbucket.org", "https://api.bitbucket.org/2.0" },
    { "codeberg.org",         HOSTSTATUS_GITEA,     "codeberg.org",  NULL },
    { "gitea.com",            HOSTSTATUS_GITEA,     "gitea.com",     NULL },
};

/* A part of a host's name that says what runs there. */
static const struct hint {
    const char *label;
    enum hoststatus_provider provider;
} hints[] = {
    { "github", HOSTSTATUS_GITHUB },           { "gitlab", HOSTSTATUS_GITLAB },
    { "gitea", HOSTSTATUS_GITEA },             { "forgejo", HOSTSTATUS_GITEA },
    { "bitbucket", HOSTSTATUS_BITBUCKET_SERVER }, { "stash", HOSTSTATUS_BITBUCKET_SERVER },
};
// clang-format on

static const struct kind *find_kind(enum hoststatus_provider provider)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].provider == provider)
            return &kinds[i];
    return &kinds[0];
}

const char *hoststatus_provider_name(enum hoststatus_provider provider)
{
    return find_kind(provider)->name;
}

bool hoststatus_parse_provider(const char *name, enum hoststatus_provider *out)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(kinds[i].name, name)) {
            *out = kinds[i].provider;
            return true;
        }
    return false;
}

/* -- which host ----------------------------------------------------------------------------------- */

static const struct known *find_known(const char *host)
{
    for (size_t i = 0; i < ARRAY_LEN(knowns); i++)
        if (!strcasecmp(knowns[i].host, host))
            return &knowns[i];
    return NULL;
}

static bool has_suffix(const char *text, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);
    return len >= suffix_len && !strncasecmp(text + len - suffix_len, suffix, suffix_len);
}

/* GitHub Enterprise Cloud with a place of its own for the data. */
static bool is_ghe_cloud(const char *host)
{
    return has_suffix(host, strlen(host), ".ghe.com");
}

static enum hoststatus_provider guess_by_host(const char *host)
{
    const struct known *known = find_known(host);
    if (known)
        return known->provider;
    if (is_ghe_cloud(host))
        return HOSTSTATUS_GITHUB;
    for (const char *label = host; *label; label += strspn(label, ".")) {
        size_t len = strcspn(label, ".");
        for (size_t i = 0; i < ARRAY_LEN(hints); i++)
            if (strlen(hints[i].label) == len && !strncasecmp(hints[i].label, label, len))
                return hints[i].provider;
        label += len;
    }
    return HOSTSTATUS_AUTO;
}

static enum hoststatus_provider guess_by_api(const char *api)
{
    for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
        if (has_suffix(api, strlen(api), kinds[i].suffix))
            return kinds[i].provider;
    return HOSTSTATUS_AUTO;
}

MUST_USE static struct err *find_provider(const struct hoststatus_where *where,
                                          enum hoststatus_provider asked, const char *api,
                                          enum hoststatus_provider *out)
{
    *out = asked;
    if (*out == HOSTSTATUS_AUTO)
        *out = guess_by_host(where->host);
    if (*out == HOSTSTATUS_AUTO)
        *out = guess_by_api(api);
    if (*out != HOSTSTATUS_AUTO)
        return NULL;
    return err_new(ERR_INVALID,
                   "what kind of git host %.255s is cannot be told from its name: give "
                   "--git-host-status=github, gitlab, gitea, bitbucket or bitbucket-server",
                   where->host);
}

/* -- where its API is ------------------------------------------------------------------------------- */

/* An address that is given: https://host/path, nothing before the host and nothing behind the path. */
MUST_USE static struct err *check_api(struct arena *mem, const char *api, const char **out)
{
    size_t len = strnlen(api, URL_MAX + 1);
    bool is_web = !strncasecmp(api, "https://", 8) || !strncasecmp(api, "http://", 7);
    const char *host = is_web ? strstr(api, "://") + 3 : api;
    bool is_plain = is_web && len <= URL_MAX && !strpbrk(api, "@?#\\\"<>") && *host && *host != '/';
    for (const char *c = api; is_plain && *c; c++)
        is_plain = *c > ' ' && *c < 0x7f;
    if (!is_plain)
        return err_new(ERR_INVALID,
                       "--git-host-api is no address of an API: it begins with https:// and holds "
                       "neither user nor query");
    while (api[len - 1] == '/')
        len--;
    *out = arena_strndup(mem, api, len);
    return NULL;
}

/* The path behind the host, "" if there is none. */
static const char *path_of(const char *api)
{
    const char *slash = strchr(strstr(api, "://") + 3, '/');
    return slash ? slash : "";
}

/* Given without a path the host alone is meant. */
static const char *complete(struct arena *mem, const struct kind *kind, const char *api)
{
    const char *host = strstr(api, "://") + 3;
    bool is_server = kind->provider == HOSTSTATUS_BITBUCKET_SERVER;
    bool is_own = kind->provider == HOSTSTATUS_GITHUB &&
                  (!strcasecmp(host, "api.github.com") ||
                   (!strncasecmp(host, "api.", 4) && is_ghe_cloud(host)));
    bool is_whole =
        is_own || has_suffix(api, strlen(api), kind->suffix) || (!is_server && *path_of(api));
    return is_whole ? api : arena_printf(mem, "%s%s", api, kind->suffix);
}

/* No host has names with anything else in them. */
static bool is_plain_path(const char *path)
{
    for (const char *c = path; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("%?#\\\"<>", *c))
            return false;
    return true;
}

/* Bitbucket Server may stand below a path of its host: what comes before /scm/ in the URLs of its repositories. */
static const char *context_path(struct arena *mem, const struct hoststatus_where *where,
                                const struct kind *kind)
{
    const char *scm = kind->provider == HOSTSTATUS_BITBUCKET_SERVER && where->is_http && where->path
                          ? strstr(where->path, "/scm/")
                          : NULL;
    return scm ? arena_strndup(mem, where->path, (size_t)(scm - where->path)) : "";
}

MUST_USE static struct err *derive_api(struct arena *mem, const struct hoststatus_where *where,
                                       const struct kind *kind, const char **out)
{
    const struct known *known = find_known(where->host);
    if (known && known->api) {
        *out = known->api;
        return NULL;
    }
    if (kind->provider == HOSTSTATUS_GITHUB && is_ghe_cloud(where->host)) {
        *out = arena_printf(mem, "https://api.%s", where->host);
        return NULL;
    }
    if (where->is_http && strcasecmp(where->scheme, "https") != 0)
        return err_new(ERR_INVALID,
                       "the repository is reached without encryption: give --git-host-api to say "
                       "where the token may be sent to");
    bool has_port = where->is_http && where->port && *where->port;
    bool is_ipv6 = strchr(where->host, ':') != NULL && *where->host != '[';
    const char *host = known ? known->web : where->host;
    *out = arena_printf(mem, "%s%s%s%s%s%s%s", is_ipv6 ? "https://[" : "https://", host,
                        is_ipv6 ? "]" : "", has_port ? ":" : "", has_port ? where->port : "",
                        context_path(mem, where, kind), kind->suffix);
    return NULL;
}

/* A name, an address, a port: nothing that would end the host of a URL. */
static bool is_host(const struct hoststatus_where *where)
{
    const char *host = where->host, *port = where->port ? where->port : "";
    return host && *host && strlen(host) <= 255 && !port[strspn(port, "0123456789")] &&
           !host[strspn(host,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]")];
}

/* -- which repository --------------------------------------------------------------------------------- */

/* The path of the repository below the host's own path. */
static const char *below_context(const struct hoststatus_where *where, const struct kind *kind,
                                 const char *api)
{
    const char *path = where->path ? where->path : "", *api_path = path_of(api);
    size_t len = strlen(api_path), suffix_len = strlen(kind->suffix);
    size_t context = has_suffix(api_path, len, kind->suffix) ? len - suffix_len : 0;
    if (where->is_http && context && !strncmp(path, api_path, context) && path[context] == '/')
        path += context;
    while (*path == '/')
        path++;
    bool is_scm = kind->provider == HOSTSTATUS_BITBUCKET_SERVER && !strncmp(path, "scm/", 4);
    return is_scm ? path + 4 : path;
}

/* Names between single slashes, none of them a way up. */
static size_t count_parts(const char *path)
{
    size_t count = 0;
    for (const char *name = path; *name; count++) {
        size_t len = strcspn(name, "/");
        bool is_dots = (len == 1 && *name == '.') || (len == 2 && !strncmp(name, "..", 2));
        if (!len || is_dots || (name[len] && !name[len + 1]))
            return 0;
        name += len + (name[len] == '/');
    }
    return count;
}

MUST_USE static struct err *find_repo(struct arena *mem, const struct hoststatus_where *where,
                                      const struct kind *kind, const char *api, const char **out)
{
    const char *path = below_context(where, kind, api);
    size_t len = strnlen(path, URL_MAX);
    while (len && path[len - 1] == '/')
        len--;
    if (has_suffix(path, len, ".git"))
        len -= strlen(".git");
    *out = arena_strndup(mem, path, len);
    size_t parts = is_plain_path(where->path ? where->path : "") ? count_parts(*out) : 0;
    if (parts >= 2 && parts <= kind->most_parts)
        return NULL;
    return err_new(ERR_INVALID, "the path of the repository is not OWNER/NAME, as it is on %s",
                   kind->name);
}

static const char *find_web(struct arena *mem, const struct hoststatus_where *where,
                            const struct hoststatus_place *place)
{
    const char *slash = strchr(place->repo, '/');
    if (place->provider != HOSTSTATUS_BITBUCKET_SERVER) {
        const struct known *known = find_known(where->host);
        return arena_printf(mem, "https://%s/%s", known ? known->web : where->host, place->repo);
    }
    size_t base = strlen(place->api) - strlen("/rest");
    return arena_printf(mem, "%.*s/projects/%.*s/repos/%s", (int)base, place->api,
                        (int)(slash - place->repo), place->repo, slash + 1);
}

struct err *hoststatus_find_place(struct arena *mem, const struct hoststatus_where *where,
                                  enum hoststatus_provider asked, const char *api,
                                  struct hoststatus_place *out)
{
    *out = (struct hoststatus_place){ 0 };
    const char *given = "";
    if (!is_host(where))
        return err_new(ERR_INVALID, "a repository without a host has no statuses of commits: give "
                                    "--git-host-status=off");
    if (api && *api)
        TRY(check_api(mem, api, &given));
    TRY(find_provider(where, asked, given, &out->provider));
    const struct kind *kind = find_kind(out->provider);
    if (*given)
        out->api = complete(mem, kind, given);
    else
        TRY(derive_api(mem, where, kind, &out->api));
    TRY(find_repo(mem, where, kind, out->api, &out->repo));
    out->web = find_web(mem, where, out);
    return NULL;
}
