/* canary/store_present.h - which names there are, in eight bytes each.
 * Effects:   none.
 * Ownership: the set owns its table; texts are not kept.
 * Two names with one fingerprint (64 bits) pass for one: then a name may seem to be there, or not, that is not, or is. Both
 * show in the answer of the next request for it. */
#ifndef SERIN_CANARY_STORE_PRESENT_H
#define SERIN_CANARY_STORE_PRESENT_H

#include "base/base.h"

struct store_present {
    uint64_t *at; /* 0: free */
    size_t len, cap;
};

void store_present_fini(struct store_present *set); /* empty again */
bool store_present_has(const struct store_present *set, const char *name);
void store_present_add(struct store_present *set, const char *name);
void store_present_remove(struct store_present *set, const char *name);

#endif
