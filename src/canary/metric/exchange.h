/* canary/metric/exchange.h - carries a conversation with a metric server out.
 * Effects:   network through io/http and kube; reads the files that credentials are in.
 * Ownership: the question is borrowed until the exchange is freed; the result for the callback.
 * Units:     milliseconds. */
#ifndef SERIN_CANARY_METRIC_EXCHANGE_H
#define SERIN_CANARY_METRIC_EXCHANGE_H

#include "canary/metric/provider.h"
#include "io/http.h"
#include "kube/client.h"

struct exchange_peers {
    struct loop *loop;
    struct http *http;
    struct kube *kube; /* NULL: what would go to the API server fails */
};

struct exchange_result {
    bool has_value;
    double value;
    const char *text;   /* why there is none */
    bool has_no_values; /* the server answered that there is nothing */
};

struct exchange;
typedef void (*exchange_done)(void *ctx, const struct exchange_result *result);

/* An error is that of building the client: then there is no exchange. Done comes once, in a later turn; the exchange may be
 * freed in it. */
MUST_USE struct err *exchange_start(const struct exchange_peers *peers,
                                    const struct metric_question *question, exchange_done done,
                                    void *ctx, struct exchange **out);
void exchange_free(struct exchange *exchange); /* cancels what runs: done is not called any more */
DEFINE_SCOPED(struct exchange, exchange_free)

#endif
