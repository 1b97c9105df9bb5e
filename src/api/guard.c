#include "api/guard.h"

#include <string.h>
#include <strings.h>

#include "base/hash.h"

/* The name in "name", "name:port", "[v6]", "[v6]:port": its length, without brackets moved past in `name`. */
static size_t host_name(const char **name)
{
    const char *text = *name;
    if (*text == '[') {
        const char *end = strchr(text, ']');
        *name = text + 1;
        return end ? (size_t)(end - text - 1) : strlen(text + 1);
    }
    const char *colon = strrchr(text, ':');
    return colon ? (size_t)(colon - text) : strlen(text);
}

/* 127.0.0.0/8 written out in full. */
static bool is_loopback_v4(const char *name, size_t len)
{
    int parts = 0;
    size_t at = 0;
    while (at < len && parts < 4) {
        int value = 0, digits = 0;
        for (; at < len && name[at] >= '0' && name[at] <= '9' && digits < 3; at++, digits++)
            value = value * 10 + (name[at] - '0');
        if (digits == 0 || value > 255 || (parts == 0 && value != 127))
            return false;
        parts++;
        if (at < len && name[at++] != '.')
            return false;
    }
    return parts == 4 && at == len && name[len - 1] != '.';
}

bool api_guard_is_loopback(const char *listen_address)
{
    const char *name = listen_address;
    size_t len = host_name(&name);
    if (len == 9 && strncasecmp(name, "localhost", len) == 0)
        return true;
    return (len == 3 && memcmp(name, "::1", len) == 0) || is_loopback_v4(name, len);
}

static bool is_same_origin(const char *origin, const char *host)
{
    const char *rest = strstr(origin, "://");
    return host && rest && strcasecmp(rest + 3, host) == 0;
}

/* What follows a scheme, in any case; NULL if it is another one. */
static const char *after_scheme(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    if (!text || strncasecmp(text, scheme, len) != 0)
        return NULL;
    return text + len + strspn(text + len, " ");
}

const char *api_guard_token(const struct api_guard *request)
{
    if (request->own_header)
        return request->own_header;
    const char *bearer = after_scheme(request->authorization, "Bearer ");
    return bearer ? bearer : after_scheme(request->authorization, "Scope-Probe token=");
}

static const char *refuse_page(struct arena *mem, const struct api_guard *request)
{
    if (request->is_loopback && request->host && !api_guard_is_loopback(request->host))
        return arena_printf(
            mem, "the name \"%.200s\" is not one of this machine: ask for 127.0.0.1 or localhost",
            request->host);
    bool only_reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (!only_reads && request->origin && !is_same_origin(request->origin, request->host))
        return arena_printf(mem, "a page of \"%.200s\" may not change anything here",
                            request->origin);
    return NULL;
}

static const char *refuse_stranger(const struct api_guard *request)
{
    if (request->is_loopback || request->is_local || request->is_open || request->is_public)
        return NULL;
    const char *token = api_guard_token(request);
    if (!request->token)
        return "this daemon has no token, so it answers only on its own machine: use kubectl "
               "port-forward, or give it one (--api-secret, --api-token-file)";
    if (!token)
        return "a request from another machine needs the token (Authorization: Bearer …, or "
               "X-Serin-Token); or use kubectl port-forward";
    return hash_secret_equal(token, request->token) ? NULL : "the token is not the right one";
}

enum api_guard_kind api_guard_judge(struct arena *mem, const struct api_guard *request,
                                    const char **why)
{
    if ((*why = refuse_page(mem, request)))
        return API_GUARD_PAGE;
    if ((*why = refuse_stranger(request)))
        return API_GUARD_TOKEN;
    return API_GUARD_FINE;
}
