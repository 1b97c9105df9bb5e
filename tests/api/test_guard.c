/* A page in a browser can neither read nor change anything through a name or an origin of its own. */
#include <string.h>

#include "../rows.h"

#include "api/guard.h"

static const struct address_case {
    const char *name, *address;
    bool is_loopback;
} address_cases[] = {
    { "127.0.0.1 with a port is this machine", "127.0.0.1:3030", true },
    { "127.0.0.1 without a port is this machine", "127.0.0.1", true },
    { "all of 127.0.0.0/8 is this machine", "127.255.3.4:80", true },
    { "localhost is this machine", "localhost:3030", true },
    { "LOCALHOST is this machine", "LOCALHOST", true },
    { "::1 in brackets is this machine", "[::1]:3030", true },
    { "every address is not only this machine", ":3030", false },
    { "0.0.0.0 is not only this machine", "0.0.0.0:3030", false },
    { "another address is not this machine", "10.0.0.1:3030", false },
    { "a name that begins like an address is a name", "127.0.0.1.evil.example", false },
    { "a name that begins like localhost is another name", "localhost.evil.example:80", false },
    { "128.0.0.1 is not this machine", "128.0.0.1:1", false },
    { "1277.0.0.1 is no address", "1277.0.0.1", false },
    { "127.0.0 is not written out", "127.0.0", false },
    { "127.0.0.1. is not written so", "127.0.0.1.", false },
    { "127.0.0.256 is no address", "127.0.0.256", false },
    { "nothing is no address", "", false },
    { "an open bracket is no address", "[::1", true },
    { "another v6 address is not this machine", "[::2]:80", false },
};

static void address_matches_case(void **state)
{
    const struct address_case *c = *state;
    assert_int_equal(api_guard_is_loopback(c->address), c->is_loopback);
}

#define TOKEN "0123456789abcdef0123"

static const struct refusal_case {
    const char *name;
    struct api_guard request;
    enum api_guard_kind kind;
} refusal_cases[] = {
    { "a client on this machine reads",
      { .is_loopback = true, .method = "GET", .host = "127.0.0.1:3030" },
      API_GUARD_FINE },
    { "a client on this machine writes",
      { .is_loopback = true, .method = "POST", .host = "localhost:3030" },
      API_GUARD_FINE },
    { "a client without Host is no browser",
      { .is_loopback = true, .method = "POST" },
      API_GUARD_FINE },
    { "a rebound name may not read",
      { .is_loopback = true, .method = "GET", .host = "evil.example:3030" },
      API_GUARD_PAGE },
    { "a rebound name may not write",
      { .is_loopback = true, .method = "POST", .host = "evil.example:3030" },
      API_GUARD_PAGE },
    { "any name is fine where everyone may connect",
      { .is_open = true, .method = "POST", .host = "flux.flux:3030" },
      API_GUARD_FINE },
    { "a foreign page may not write",
      { .is_open = true,
        .method = "POST",
        .host = "flux.flux:3030",
        .origin = "http://evil.example" },
      API_GUARD_PAGE },
    { "a foreign page may not write on this machine",
      { .is_loopback = true,
        .method = "POST",
        .host = "127.0.0.1:3030",
        .origin = "https://evil.example" },
      API_GUARD_PAGE },
    { "a page without an origin may not write",
      { .is_loopback = true, .method = "POST", .host = "127.0.0.1:3030", .origin = "null" },
      API_GUARD_PAGE },
    { "another port is another origin",
      { .is_loopback = true,
        .method = "POST",
        .host = "127.0.0.1:3030",
        .origin = "http://127.0.0.1:8080" },
      API_GUARD_PAGE },
    { "a page of ours writes",
      { .is_loopback = true,
        .method = "POST",
        .host = "127.0.0.1:3030",
        .origin = "http://127.0.0.1:3030" },
      API_GUARD_FINE },
    { "a foreign page may ask to read: it cannot see the answer",
      { .is_open = true, .method = "GET", .host = "flux:3030", .origin = "http://evil.example" },
      API_GUARD_FINE },
    { "PATCH changes something, too",
      { .is_open = true, .method = "PATCH", .host = "flux:3030", .origin = "http://evil.example" },
      API_GUARD_PAGE },
    { "an origin without Host is foreign",
      { .is_open = true, .method = "POST", .origin = "http://flux:3030" },
      API_GUARD_PAGE },
    { "a stranger without a token where there is none",
      { .method = "GET", .host = "flux:3030" },
      API_GUARD_TOKEN },
    { "a stranger with one where there is none",
      { .method = "GET", .authorization = "Bearer abc" },
      API_GUARD_TOKEN },
    { "a stranger without the token", { .method = "GET", .token = TOKEN }, API_GUARD_TOKEN },
    { "a stranger with another token",
      { .method = "GET", .token = TOKEN, .authorization = "Bearer " TOKEN "x" },
      API_GUARD_TOKEN },
    { "a stranger with the beginning of it",
      { .method = "GET", .token = TOKEN, .authorization = "Bearer 0123" },
      API_GUARD_TOKEN },
    { "a stranger with an empty one",
      { .method = "GET", .token = TOKEN, .authorization = "Bearer " },
      API_GUARD_TOKEN },
    { "a password is no token",
      { .method = "GET", .token = TOKEN, .authorization = "Basic " TOKEN },
      API_GUARD_TOKEN },
    { "the bearer of the token",
      { .method = "POST", .token = TOKEN, .authorization = "Bearer " TOKEN },
      API_GUARD_FINE },
    { "as fluxctl sends it",
      { .method = "POST", .token = TOKEN, .authorization = "Scope-Probe token=" TOKEN },
      API_GUARD_FINE },
    { "through the API server's proxy",
      { .method = "POST", .token = TOKEN, .own_header = TOKEN },
      API_GUARD_FINE },
    { "the token does not help a foreign page",
      { .method = "POST", .token = TOKEN, .own_header = TOKEN, .host = "a", .origin = "http://b" },
      API_GUARD_PAGE },
    { "who is on this machine needs none",
      { .method = "POST", .is_local = true, .token = TOKEN },
      API_GUARD_FINE },
    { "what everybody may see",
      { .method = "GET", .is_public = true, .token = TOKEN },
      API_GUARD_FINE },
    { "a listener that asks for none", { .method = "POST", .is_open = true }, API_GUARD_FINE },
};

static void refusal_matches_case(void **state)
{
    const struct refusal_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *why = NULL;
    assert_int_equal(api_guard_judge(mem, &c->request, &why), c->kind);
    assert_int_equal(why != NULL, c->kind != API_GUARD_FINE);
    assert_null(why ? strstr(why, TOKEN) : NULL);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(address_cases, address_matches_case),
        ROWS(refusal_cases, refusal_matches_case),
    };
    return rows_run("api_guard", tests, ARRAY_LEN(tests));
}
