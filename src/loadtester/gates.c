#include "loadtester/gates.h"

#include <stdlib.h>

#include "base/map.h"

/* Only open gates are in the map; one that is closed is as one nobody has touched. */
struct gates {
    struct map *open;
};

struct gates *gates_new(void)
{
    struct gates *gates = base_alloc(sizeof(*gates));
    gates->open = map_new(NULL);
    return gates;
}

void gates_free(struct gates *gates)
{
    if (!gates)
        return;
    map_free(gates->open);
    free(gates);
}

bool gates_is_open(const struct gates *gates, const char *key)
{
    return map_get(gates->open, key) != NULL;
}

struct err *gates_set(struct gates *gates, const char *key, bool is_open)
{
    if (!is_open) {
        (void)map_remove(gates->open, key);
        return NULL;
    }
    if (map_len(gates->open) >= GATES_MAX && !gates_is_open(gates, key))
        return err_new(ERR_LIMIT, "%d gates are open already", GATES_MAX);
    map_set(gates->open, key, gates);
    return NULL;
}
