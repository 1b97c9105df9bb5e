#include "api/route.h"

#include <string.h>

const struct api_route *api_route_find(const struct api_route *routes, size_t count,
                                       const struct api_route_ask *ask)
{
    for (size_t i = 0; i < count; i++) {
        const struct api_route *route = &routes[i];
        if (strcmp(route->path, ask->path) == 0 && strcmp(route->method, ask->method) == 0 &&
            (!route->needs || ask->has_query(ask->ctx, route->needs)))
            return route;
    }
    return NULL;
}

bool api_route_is_deprecated(const char *path)
{
    return path[0] == '/' && path[1] == 'v' && path[2] >= '1' && path[2] <= '5' && path[3] == '/';
}
