/* sync/order.h - in which order objects are applied and deleted.
 * Effects:   none. Pure.
 * Ownership: borrows.
 * Reference: gitops.md 3.7. */
#ifndef SERIN_SYNC_ORDER_H
#define SERIN_SYNC_ORDER_H

#include "base/base.h"

#define ORDER_RANKS 5 /* 0 … 4; objects of one rank do not wait for each other */

int order_rank(const char *kind); /* of any spelling of case */

/* What has to be there before objects of a higher rank that need it are sent. */
enum order_wait {
    ORDER_WAIT_NO,
    ORDER_WAIT_NAMESPACE, /* active: for what is in it */
    ORDER_WAIT_CRD,       /* established: for objects of its kind */
};
enum order_wait order_wait(const char *api_version, const char *kind);

struct order_key {
    int rank;
    const char *name, *id;
};

/* For sorting: rank, name, ID. Deletion goes the other way round: order_compare(b, a). */
int order_compare(const struct order_key *a, const struct order_key *b);

#endif
