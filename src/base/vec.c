#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

void vec_grow(struct arena *mem, void **at, size_t *cap, size_t len, size_t size)
{
    if (len == *cap) {
        size_t wanted = *cap ? *cap * 2 : 8;
        ASSERT(wanted > *cap && wanted < SIZE_MAX / size);
        if (mem) {
            void *moved = arena_alloc(mem, wanted * size);
            if (len)
                memcpy(moved, *at, len * size);
            *at = moved;
        } else {
            *at = base_realloc(*at, wanted * size);
        }
        *cap = wanted;
    }
    memset((char *)*at + len * size, 0, size);
}

void vec_release(void **at)
{
    free(*at);
    *at = NULL;
}
