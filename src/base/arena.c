#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)8 << 10)
#define ALIGN_BYTES _Alignof(max_align_t)

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *object;
};

struct arena {
    size_t limit, used;
    struct chunk *chunks;      /* the one being filled first */
    struct deferred *deferred; /* last one first */
};

struct arena *arena_new(size_t limit_bytes)
{
    struct arena *mem = base_alloc(sizeof(*mem));
    mem->limit = limit_bytes;
    return mem;
}

static struct chunk *add_chunk(struct arena *mem, size_t size)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + size);
    ASSERT(chunk && "out of memory");
    *chunk = (struct chunk){ .next = mem->chunks, .size = size };
    mem->chunks = chunk;
    return chunk;
}

/* Chunks double up to a megabyte, so that small runs stay small and big ones take few of them. */
static size_t chunk_size(const struct arena *mem, size_t wanted)
{
#ifdef ARENA_DEBUG
    (void)mem;
    return wanted;
#else
    size_t size = mem->chunks ? mem->chunks->size * 2 : CHUNK_BYTES;
    size = MIN_OF(size, (size_t)1 << 20);
    return MAX_OF(size, wanted);
#endif
}

void *arena_alloc(struct arena *mem, size_t size)
{
    size_t wanted = (size + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
    ASSERT(wanted >= size && wanted <= mem->limit - mem->used && "arena limit");
    mem->used += wanted;
#ifdef ARENA_DEBUG
    struct chunk *own = add_chunk(mem, size ? size : 1);
    return memset(own->bytes, 0, own->size);
#endif
    struct chunk *chunk = mem->chunks;
    if (!chunk || chunk->size - chunk->used < wanted)
        chunk = add_chunk(mem, chunk_size(mem, wanted));
    void *got = chunk->bytes + chunk->used;
    chunk->used += wanted;
    return memset(got, 0, wanted);
}

void *arena_copy(struct arena *mem, const void *bytes, size_t len)
{
    void *copy = arena_alloc(mem, len);
    return len ? memcpy(copy, bytes, len) : copy;
}

char *arena_strndup(struct arena *mem, const char *bytes, size_t len)
{
    char *copy = arena_alloc(mem, len + 1);
    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

char *arena_strdup(struct arena *mem, const char *text)
{
    return text ? arena_strndup(mem, text, strlen(text)) : NULL;
}

const char *const *arena_copy_texts(struct arena *mem, const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    if (!count)
        return NULL;
    const char **copy = arena_alloc(mem, (count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_strdup(mem, list[i]);
    return copy;
}

char *arena_vprintf(struct arena *mem, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(len >= 0);
    char *text = arena_alloc(mem, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    return text;
}

char *arena_printf(struct arena *mem, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = arena_vprintf(mem, fmt, args);
    va_end(args);
    return text;
}

void arena_defer(struct arena *mem, void (*fn)(void *), void *object)
{
    struct deferred *one = base_alloc(sizeof(*one));
    *one = (struct deferred){ .next = mem->deferred, .fn = fn, .object = object };
    mem->deferred = one;
}

static void run_deferred(struct arena *mem)
{
    while (mem->deferred) {
        struct deferred *one = mem->deferred;
        mem->deferred = one->next;
        one->fn(one->object);
        free(one);
    }
}

void arena_reset(struct arena *mem)
{
    run_deferred(mem);
    while (mem->chunks) {
        struct chunk *next = mem->chunks->next;
#ifndef ARENA_DEBUG
        if (!next) {
            mem->chunks->used = 0;
            break;
        }
#endif
        free(mem->chunks);
        mem->chunks = next;
    }
    mem->used = 0;
}

void arena_free(struct arena *mem)
{
    if (!mem)
        return;
    arena_reset(mem);
    free(mem->chunks);
    free(mem);
}

size_t arena_used(const struct arena *mem)
{
    return mem->used;
}
