#include "io/tickets.h"

#include <stdlib.h>

/* A ticket is the generation in the upper half and the slot's index + 1 in the lower. */
static ticket ticket_of(uint32_t generation, uint32_t index)
{
    return ((uint64_t)generation << 32) | (index + 1);
}

static struct tickets_slot *find_slot(const struct tickets *all, ticket id)
{
    uint32_t number = (uint32_t)id;
    if (number == 0 || number > all->len)
        return NULL;
    struct tickets_slot *slot = &all->slots[number - 1];
    return slot->thing && slot->generation == id >> 32 ? slot : NULL;
}

static uint32_t take_slot(struct tickets *all)
{
    if (all->first_free) {
        uint32_t index = all->first_free - 1;
        all->first_free = all->slots[index].next_free;
        return index;
    }
    if (all->len == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 16;
        all->slots = base_realloc(all->slots, all->cap * sizeof(*all->slots));
    }
    all->slots[all->len] = (struct tickets_slot){ 0 };
    return all->len++;
}

ticket tickets_add(struct tickets *all, void *thing)
{
    ASSERT(thing);
    uint32_t index = take_slot(all);
    struct tickets_slot *slot = &all->slots[index];
    slot->thing = thing;
    slot->generation++;
    all->live++;
    return ticket_of(slot->generation, index);
}

void *tickets_find(const struct tickets *all, ticket id)
{
    const struct tickets_slot *slot = find_slot(all, id);
    return slot ? slot->thing : NULL;
}

void tickets_remove(struct tickets *all, ticket id)
{
    struct tickets_slot *slot = find_slot(all, id);
    if (!slot)
        return;
    slot->thing = NULL;
    slot->next_free = all->first_free;
    all->first_free = (uint32_t)id;
    all->live--;
}

void *tickets_any(const struct tickets *all)
{
    for (uint32_t i = 0; all->live && i < all->len; i++) {
        if (all->slots[i].thing)
            return all->slots[i].thing;
    }
    return NULL;
}

void tickets_fini(struct tickets *all)
{
    free(all->slots);
    *all = (struct tickets){ 0 };
}
