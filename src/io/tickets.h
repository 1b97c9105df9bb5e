/* io/tickets.h - numbers that stand for things which may be gone. For the files of io/ only.
 * Effects:   none.
 * Ownership: the table borrows what it names. A number is never given twice (a slot counts its generations).
 * Units:     entries. */
#ifndef SERIN_IO_TICKETS_H
#define SERIN_IO_TICKETS_H

#include "io/loop.h"

struct tickets_slot {
    void *thing;         /* NULL: free */
    uint32_t generation; /* of the thing, or of the last one that was here */
    uint32_t next_free;  /* index + 1 of the next free slot; 0: none */
};

struct tickets {
    struct tickets_slot *slots;
    uint32_t len, cap, first_free; /* first_free: index + 1; 0: none */
    size_t live;
};

ticket tickets_add(struct tickets *all, void *thing);
void *tickets_find(const struct tickets *all, ticket id); /* NULL if it is gone, or 0 */
void tickets_remove(struct tickets *all, ticket id);      /* harmless if it is gone */
void *tickets_any(const struct tickets *all);             /* one that is there, NULL if none */
void tickets_fini(struct tickets *all);

#endif
