/* A page in a browser can neither read nor change anything through a name or an origin of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

static const struct refusal_case {
    const char *name;
    struct api_guard request;
    bool refused;
} refusal_cases[] = {
    { "a client on this machine reads", { true, "GET", "127.0.0.1:3030", NULL }, false },
    { "a client on this machine writes", { true, "POST", "localhost:3030", NULL }, false },
    { "a client without Host is no browser", { true, "POST", NULL, NULL }, false },
    { "a rebound name may not read", { true, "GET", "evil.example:3030", NULL }, true },
    { "a rebound name may not write", { true, "POST", "evil.example:3030", NULL }, true },
    { "any name is fine where everyone may connect",
      { false, "POST", "flux.flux:3030", NULL },
      false },
    { "a foreign page may not write",
      { false, "POST", "flux.flux:3030", "http://evil.example" },
      true },
    { "a foreign page may not write on this machine",
      { true, "POST", "127.0.0.1:3030", "https://evil.example" },
      true },
    { "a page without an origin may not write", { true, "POST", "127.0.0.1:3030", "null" }, true },
    { "another port is another origin",
      { true, "POST", "127.0.0.1:3030", "http://127.0.0.1:8080" },
      true },
    { "a page of ours writes", { true, "POST", "127.0.0.1:3030", "http://127.0.0.1:3030" }, false },
    { "a foreign page may ask to read: it cannot see the answer",
      { false, "GET", "flux:3030", "http://evil.example" },
      false },
    { "PATCH changes something, too",
      { false, "PATCH", "flux:3030", "http://evil.example" },
      true },
    { "an origin without Host is foreign", { false, "POST", NULL, "http://flux:3030" }, true },
};

static void refusal_matches_case(void **state)
{
    const struct refusal_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *refusal = api_guard_refusal(mem, &c->request);
    if (c->refused)
        assert_non_null(refusal);
    else
        assert_null(refusal);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(address_cases) + ARRAY_LEN(refusal_cases)];
    for (size_t i = 0; i < ARRAY_LEN(address_cases); i++)
        tests[i] = (struct CMUnitTest){ .name = address_cases[i].name,
                                        .test_func = address_matches_case,
                                        .initial_state = (void *)&address_cases[i] };
    for (size_t i = 0; i < ARRAY_LEN(refusal_cases); i++)
        tests[ARRAY_LEN(address_cases) + i] =
            (struct CMUnitTest){ .name = refusal_cases[i].name,
                                 .test_func = refusal_matches_case,
                                 .initial_state = (void *)&refusal_cases[i] };
    return cmocka_run_group_tests_name("api_guard", tests, NULL, NULL);
}
