/* base/vec.h - a growing array of anything, in an arena or on the heap.
 * Effects:   none.
 * Ownership: vec_push(mem, …) borrows from the arena; with mem NULL the array is on the heap, vec_fini gives it back.
 * Units:     items.
 *
 *     VEC(struct route) routes = { 0 };
 *     *vec_push(mem, &routes) = (struct route){ … };
 *     for (size_t i = 0; i < routes.len; i++) use(&routes.at[i]); */
#ifndef SERIN_BASE_VEC_H
#define SERIN_BASE_VEC_H

#include "base/arena.h"
#include "base/base.h"

#define VEC(type)        \
    struct {             \
        type *at;        \
        size_t len, cap; \
    }

/* A new, zeroed last item: its address. */
#define vec_push(mem, v)                                                        \
    (vec_grow((mem), (void **)&(v)->at, &(v)->cap, (v)->len, sizeof(*(v)->at)), \
     &(v)->at[(v)->len++])
#define vec_fini(v) (vec_release((void **)&(v)->at), (v)->len = 0, (v)->cap = 0)

void vec_grow(struct arena *mem, void **at, size_t *cap, size_t len, size_t size);
void vec_release(void **at);

#endif
