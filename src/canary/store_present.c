#include "canary/store_present.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define CAP_FIRST ((size_t)16)

void store_present_fini(struct store_present *set)
{
    free(set->at);
    *set = (struct store_present){ 0 };
}

static uint64_t print_of(const char *name)
{
    unsigned char print[16];
    uint64_t number;
    hash_fingerprint(name, strlen(name), print);
    memcpy(&number, print, sizeof(number));
    return number ? number : 1;
}

/* Where it is, or where it would be put. The table is never full. */
static size_t place_of(const struct store_present *set, uint64_t print)
{
    size_t at = (size_t)print & (set->cap - 1);
    while (set->at[at] && set->at[at] != print)
        at = (at + 1) & (set->cap - 1);
    return at;
}

bool store_present_has(const struct store_present *set, const char *name)
{
    uint64_t print = print_of(name);
    return set->cap && set->at[place_of(set, print)] == print;
}

static void grow(struct store_present *set)
{
    struct store_present old = *set;
    set->cap = old.cap ? old.cap * 2 : CAP_FIRST;
    set->at = base_alloc(set->cap * sizeof(*set->at));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.at[i])
            set->at[place_of(set, old.at[i])] = old.at[i];
    }
    free(old.at);
}

void store_present_add(struct store_present *set, const char *name)
{
    uint64_t print = print_of(name);
    if (set->len * 3 >= set->cap * 2)
        grow(set);
    size_t at = place_of(set, print);
    set->len += !set->at[at];
    set->at[at] = print;
}

/* Those behind it that would be looked for in its place move up. */
static void close_gap(struct store_present *set, size_t gap)
{
    for (size_t at = (gap + 1) & (set->cap - 1); set->at[at]; at = (at + 1) & (set->cap - 1)) {
        size_t home = (size_t)set->at[at] & (set->cap - 1);
        bool is_between = gap <= at ? home > gap && home <= at : home > gap || home <= at;
        if (is_between)
            continue;
        set->at[gap] = set->at[at];
        set->at[at] = 0;
        gap = at;
    }
}

void store_present_remove(struct store_present *set, const char *name)
{
    uint64_t print = print_of(name);
    size_t at = set->cap ? place_of(set, print) : 0;
    if (!set->cap || set->at[at] != print)
        return;
    set->at[at] = 0;
    set->len--;
    close_gap(set, at);
}
