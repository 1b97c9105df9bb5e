/* A request is answered by the route with its method, its path and the parameters it has; nothing else. */
#include <string.h>

#include "../rows.h"

#include "api/route.h"

static const struct api_route routes[] = {
    { .method = "GET", .path = "/v11/ping" },
    { .method = "GET", .path = "/v6/jobs", .needs = "id" },
    { .method = "GET", .path = "/v6/identity.pub" },
    { .method = "POST", .path = "/v6/identity.pub" },
};

static const struct route_case {
    const char *name, *method, *path, *query;
    int index; /* -1: none */
} route_cases[] = {
    { "method and path find the route", "GET", "/v11/ping", "", 0 },
    { "the method chooses between routes of one path", "POST", "/v6/identity.pub", "", 3 },
    { "a route is found with the parameter it needs", "GET", "/v6/jobs", "id", 1 },
    { "a route is not found without the parameter it needs", "GET", "/v6/jobs", "", -1 },
    { "a route is not found with another parameter", "GET", "/v6/jobs", "ids", -1 },
    { "another method is not found", "POST", "/v11/ping", "", -1 },
    { "HEAD is another method", "HEAD", "/v11/ping", "", -1 },
    { "methods have case", "get", "/v11/ping", "", -1 },
    { "another path is not found", "GET", "/v12/ping", "", -1 },
    { "a longer path is another path", "GET", "/v11/ping/", "", -1 },
    { "no path is not found", "GET", "", "", -1 },
};

static bool has_query(const void *ctx, const char *name)
{
    return strcmp(ctx, name) == 0;
}

static void route_matches_case(void **state)
{
    const struct route_case *c = *state;
    struct api_route_ask ask = {
        .method = c->method, .path = c->path, .has_query = has_query, .ctx = c->query
    };
    const struct api_route *found = api_route_find(routes, ARRAY_LEN(routes), &ask);
    assert_ptr_equal(found, c->index < 0 ? NULL : &routes[c->index]);
}

static void the_first_five_versions_are_gone(void **state)
{
    (void)state;
    assert_true(api_route_is_deprecated("/v1/x"));
    assert_true(api_route_is_deprecated("/v5/services"));
    assert_false(api_route_is_deprecated("/v6/services"));
    assert_false(api_route_is_deprecated("/v0/services"));
    assert_false(api_route_is_deprecated("/v5"));
    assert_false(api_route_is_deprecated("/v11/ping"));
    assert_false(api_route_is_deprecated("/"));
    assert_false(api_route_is_deprecated(""));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(the_first_five_versions_are_gone),
        ROWS(route_cases, route_matches_case),
    };
    return rows_run("api_route", tests, ARRAY_LEN(tests));
}
