#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void base_abort(const char *file, int line, const char *claim)
{
    fprintf(stderr, "serin: broken invariant at %s:%d: %s\n", file, line, claim);
    abort();
}

void *base_alloc(size_t size)
{
    void *got = calloc(1, size ? size : 1);
    ASSERT(got && "out of memory");
    return got;
}

void *base_realloc(void *old, size_t size)
{
    void *got = realloc(old, size ? size : 1);
    ASSERT(got && "out of memory");
    return got;
}

char *base_copy_text(const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(base_alloc(size), text, size);
}
