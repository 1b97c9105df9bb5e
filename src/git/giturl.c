#include "git/giturl.h"

#include <ctype.h>
#include <string.h>

#include "base/sbuf.h"

#define URL_MAX  4096
#define TEXT_MAX ((size_t)4 * URL_MAX) /* with every character escaped, and more */
#define LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"

// clang-format off
static const struct scheme {
    const char *name;
    enum giturl_kind kind;
    bool is_fetched; /* serin has a transport for it */
} schemes[] = {
    { "ssh", GITURL_SSH, true },      { "git+ssh", GITURL_SSH, true },  { "ssh+git", GITURL_SSH, true },
    { "http", GITURL_HTTP, true },    { "https", GITURL_HTTP, true },   { "file", GITURL_FILE, true },
    { "git", GITURL_OTHER, true }, /* told apart from a typing error; mirror_new refuses it with the reason */
    { "ftp", GITURL_OTHER, false },   { "ftps", GITURL_OTHER, false },  { "rsync", GITURL_OTHER, false },
};
// clang-format on

/* A piece of the text. */
struct span {
    const char *at;
    size_t len;
};

static const struct scheme *find_scheme(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strlen(schemes[i].name) == name.len && !strncasecmp(schemes[i].name, name.at, name.len))
            return &schemes[i];
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_escape(const char *at, const char *end)
{
    return end - at > 2 && *at == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0;
}

/* Percent-decoded; what is no escape stays as it is, and so does %00. */
static const char *decode(struct arena *mem, struct span from)
{
    char *out = arena_strndup(mem, from.at, from.len);
    char *to = out;
    for (const char *at = from.at, *end = from.at + from.len; at < end; at++) {
        int code = is_escape(at, end) ? hex_digit(at[1]) * 16 + hex_digit(at[2]) : 0;
        *to++ = (char)(code ? (unsigned char)code : (unsigned char)*at);
        at += code ? 2 : 0;
    }
    *to = 0;
    return out;
}

/* What may stand unescaped in a path or a user name, as Go's net/url has it. */
static bool is_plain(char c, const char *extra)
{
    return isalnum((unsigned char)c) || (c && strchr("-_.~", c)) || (c && strchr(extra, c));
}

static void add_escaped(struct sbuf *out, struct span text, const char *extra, bool keeps_escapes)
{
    for (const char *at = text.at, *end = text.at + text.len; at < end; at++) {
        if (is_plain(*at, extra) || (keeps_escapes && is_escape(at, end)))
            sbuf_add_char(out, *at);
        else
            sbuf_addf(out, "%%%02X", (unsigned char)*at);
    }
}

#define PATH_EXTRA "$&+,/:;=@"
#define USER_EXTRA "$&+,;="

/* Valid escapes and the characters that Go also accepts as an encoding of themselves stay as they
 * were written. */
static void add_path(struct sbuf *out, struct span path)
{
    add_escaped(out, path, PATH_EXTRA "!'()*[]", true);
}

MUST_USE static struct err *refuse(struct arena *mem, struct giturl *out, const char *text,
                                   const char *why)
{
    const char *at = strrchr(text, '@'); /* what stands before may be a password */
    const char *shown = at ? at + 1 : text;
    size_t len = strnlen(shown, 200);
    SBUF(safe, 1024);
    for (size_t i = 0; i < len; i++)
        sbuf_add_char(&safe, iscntrl((unsigned char)shown[i]) ? '?' : shown[i]);
    *out = (struct giturl){ .kind = GITURL_OTHER };
    out->safe = arena_printf(mem, "<unparseable: %s>", sbuf_text(&safe));
    out->plain = out->safe;
    return err_new(ERR_INVALID, "git URL %s: %s", out->safe, why);
}

static bool begins_with_dash(const char *text)
{
    return text && *text == '-';
}

/* All of them from the set; an absent text has none. */
static bool consists_of(const char *text, const char *set)
{
    return !text || !text[strspn(text, set)];
}

static bool has_control(const char *text)
{
    for (; text && *text; text++)
        if (iscntrl((unsigned char)*text))
            return true;
    return false;
}

#define HOST_SET LETTERS DIGITS "-._:[]%~"

/* A host or path that a program would take for an option is an attack, not a repository. */
static const char *find_fault(const struct giturl *url)
{
    if (url->kind != GITURL_FILE && (!url->host || !*url->host))
        return "the host is missing";
    if (begins_with_dash(url->host))
        return "the host begins with a dash";
    if (begins_with_dash(url->user))
        return "the user name begins with a dash";
    if (!url->path || !*url->path)
        return "the path is missing";
    if (begins_with_dash(url->path))
        return "the path begins with a dash";
    if (!consists_of(url->host, HOST_SET))
        return "the host has a character that no host name has";
    if (!consists_of(url->port, DIGITS) || (url->port && strlen(url->port) > 5))
        return "the port is not a number below 65536";
    if (has_control(url->user) || has_control(url->password) || has_control(url->path))
        return "there is a control character in it";
    return NULL;
}

MUST_USE static struct err *finish(struct arena *mem, const char *text, struct giturl *out)
{
    const char *fault = find_fault(out);
    return fault ? refuse(mem, out, text, fault) : NULL;
}

/* user[:password]@ in front of the host. */
static void split_user(struct arena *mem, struct span *authority, struct giturl *out)
{
    const char *at = memrchr(authority->at, '@', authority->len);
    if (!at)
        return;
    struct span user = { authority->at, (size_t)(at - authority->at) };
    const char *colon = memchr(user.at, ':', user.len);
    if (colon) {
        out->password = decode(mem, (struct span){ colon + 1, (size_t)(at - colon - 1) });
        user.len = (size_t)(colon - user.at);
    }
    out->user = decode(mem, user);
    authority->len -= (size_t)(at + 1 - authority->at);
    authority->at = at + 1;
}

static void split_port(struct arena *mem, struct span host, struct giturl *out)
{
    const char *end = host.at + host.len;
    const char *closed = host.len && *host.at == '[' ? memchr(host.at, ']', host.len) : NULL;
    const char *colon =
        memchr(closed ? closed : host.at, ':', (size_t)(end - (closed ? closed : host.at)));
    size_t len = colon ? (size_t)(colon - host.at) : host.len;
    if (colon && colon + 1 < end)
        out->port = arena_strndup(mem, colon + 1, (size_t)(end - colon - 1));
    out->host = len ? arena_strndup(mem, host.at, len) : NULL;
}

/* scheme://[user[:password]@][host[:port]]/path, written again without the password, or without
 * user and password. */
static const char *write_url(struct arena *mem, const struct giturl *url, struct span path,
                             bool shows_user)
{
    SBUF(text, TEXT_MAX);
    sbuf_addf(&text, "%s://", url->scheme);
    if (url->user && shows_user) {
        add_escaped(&text, (struct span){ url->user, strlen(url->user) }, USER_EXTRA, false);
        sbuf_add_char(&text, '@');
    }
    sbuf_add(&text, url->host ? url->host : "");
    if (url->port)
        sbuf_addf(&text, ":%s", url->port);
    if (path.len && *path.at != '/' && url->host)
        sbuf_add_char(&text, '/');
    const char *query =
        memchr(path.at, '?', path.len); /* not a part of the path for a web server */
    size_t path_len = query ? (size_t)(query - path.at) : path.len;
    add_path(&text, (struct span){ path.at, path_len });
    if (query)
        sbuf_add_bytes(&text, query, path.len - path_len);
    return arena_strdup(mem, sbuf_text(&text));
}

MUST_USE static struct err *parse_url(struct arena *mem, const char *text, const char *behind,
                                      struct giturl *out)
{
    const struct scheme *scheme = find_scheme((struct span){ text, (size_t)(behind - text) - 3 });
    if (!scheme)
        return refuse(mem, out, text, "its scheme is none of https, http, ssh, file");
    *out = (struct giturl){ .kind = scheme->kind, .scheme = scheme->name };
    struct span authority = { behind, strcspn(behind, "/") };
    const char *path = behind + authority.len;
    split_user(mem, &authority, out);
    split_port(mem, authority, out);
    struct span whole = { path, strlen(path) };
    out->path =
        scheme->kind == GITURL_HTTP ? arena_strdup(mem, *path ? path : "/") : decode(mem, whole);
    if (scheme->kind == GITURL_SSH && !strncmp(out->path, "/~", 2))
        out->path++; /* ssh://host/~user/repository */
    out->safe = write_url(mem, out, whole, true);
    out->plain = scheme->kind == GITURL_HTTP ? write_url(mem, out, whole, false) : out->safe;
    if (!scheme->is_fetched)
        return refuse(mem, out, text, "serin does not fetch by this scheme: use https or ssh");
    return finish(mem, text, out);
}

/* [user@]host:path, host perhaps an IPv6 address in brackets: NULL when the colon is missing or
 * stands behind a slash. */
static const char *find_scp_colon(const char *text)
{
    const char *closed = strchr(text, ']');
    const char *opened = strchr(text, '[');
    const char *from = opened && closed && opened < closed ? closed : text;
    const char *colon = strchr(from, ':');
    const char *slash = strchr(text, '/');
    return colon && colon != text && (!slash || slash > colon) ? colon : NULL;
}

/* The path of the normal form ends where Flux's pattern for it ends; the rest counts as a query.
 * Marks of objects that Flux applied are digests of this text. */
static const char *write_scp(struct arena *mem, const struct giturl *url)
{
    SBUF(text, TEXT_MAX);
    ASSERT(url->host && url->path);
    sbuf_add(&text, "ssh://");
    if (url->user)
        sbuf_addf(&text, "%s@", url->user);
    sbuf_add(&text, url->host);
    size_t len = strspn(url->path, LETTERS DIGITS "./_-");
    if (*url->path != '/')
        sbuf_add_char(&text, '/');
    if (!len) /* not in Flux's pattern, yet git takes it: host:~user/repository */
        add_path(&text, (struct span){ url->path, strlen(url->path) });
    sbuf_add_bytes(&text, url->path, len);
    const char *rest = url->path + len + (len && url->path[len] == '?');
    if (len && *rest)
        sbuf_addf(&text, "?%s", rest);
    return arena_strdup(mem, sbuf_text(&text));
}

/* user:password@host:path is what people write who think of a URL; git would call the host "user". */
static bool has_password(const char *text, const char *colon)
{
    const char *at = strchr(colon, '@');
    size_t name_len = strcspn(colon, "/");
    return at && at < colon + name_len && memchr(at, ':', name_len - (size_t)(at - colon)) &&
           !memchr(text, '@', (size_t)(colon - text));
}

MUST_USE static struct err *parse_scp(struct arena *mem, const char *text, const char *colon,
                                      struct giturl *out)
{
    *out = (struct giturl){ .kind = GITURL_SSH, .scheme = "ssh" };
    if (has_password(text, colon))
        return refuse(mem, out, text, "user@host:path takes no password");
    struct span authority = { text, (size_t)(colon - text) };
    split_user(mem, &authority, out);
    out->host = authority.len ? arena_strndup(mem, authority.at, authority.len) : NULL;
    out->path = arena_strdup(mem, colon + 1);
    struct err *e = finish(mem, text, out);
    if (!e) {
        out->safe = write_scp(mem, out);
        out->plain = out->safe;
    }
    return e;
}

MUST_USE static struct err *parse_local(struct arena *mem, const char *text, struct giturl *out)
{
    *out =
        (struct giturl){ .kind = GITURL_FILE, .scheme = "file", .path = arena_strdup(mem, text) };
    SBUF(safe, TEXT_MAX);
    sbuf_add(&safe, "file://");
    add_escaped(&safe, (struct span){ text, strlen(text) }, PATH_EXTRA, false);
    out->safe = out->plain = arena_strdup(mem, sbuf_text(&safe));
    return finish(mem, text, out);
}

struct err *giturl_parse(struct arena *mem, const char *text, struct giturl *out)
{
    if (!*text)
        return refuse(mem, out, text, "it is empty");
    if (strlen(text) > URL_MAX)
        return refuse(mem, out, text, "it is longer than 4096 characters");
    const char *behind = strstr(text, "://");
    size_t scheme_len = behind ? (size_t)(behind - text) : 0;
    bool is_url = scheme_len && isalpha((unsigned char)*text);
    for (size_t i = 0; i < scheme_len; i++)
        is_url = is_url && (isalnum((unsigned char)text[i]) || strchr("+-.", text[i]));
    if (is_url)
        return parse_url(mem, text, behind + 3, out);
    const char *colon = find_scp_colon(text);
    return colon ? parse_scp(mem, text, colon, out) : parse_local(mem, text, out);
}

/* The path without one leading slash and without .git behind it. */
static struct span bare_path(const struct giturl *url)
{
    ASSERT(url->path);
    struct span path = { url->path, strlen(url->path) };
    if (path.len && *path.at == '/')
        path = (struct span){ path.at + 1, path.len - 1 };
    if (path.len >= 4 && !memcmp(path.at + path.len - 4, ".git", 4))
        path.len -= 4;
    return path;
}

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

bool giturl_equivalent(struct arena *mem, const char *a, const char *b)
{
    struct giturl left = { 0 }, right = { 0 };
    SCOPED(err_free) struct err *bad_left = giturl_parse(mem, a, &left);
    SCOPED(err_free) struct err *bad_right = giturl_parse(mem, b, &right);
    if (bad_left || bad_right)
        return false;
    struct span l = bare_path(&left), r = bare_path(&right);
    return same_text(left.host, right.host) && same_text(left.port, right.port) && l.len == r.len &&
           !memcmp(l.at, r.at, l.len);
}
