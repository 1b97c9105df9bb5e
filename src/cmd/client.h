/* cmd/client.h - asks the daemon, and waits for its answer.
 * Effects:   network, through a loop of its own; every function that asks or waits blocks.
 * Ownership: the client borrows its call; answers are in the arena of the call.
 * Units:     milliseconds.
 * Errors:    ERR_TRANSIENT when nobody answers; the daemon's own words (and call->help) when it
 *            refuses. Reference: gitops.md 7.1, 8.7. */
#ifndef SERIN_CMD_CLIENT_H
#define SERIN_CMD_CLIENT_H

#include "cmd/command.h"
#include "doc/val.h"

struct client;

/* From --url, --token, --timeout and the environment. */
MUST_USE struct err *client_new(struct command_call *call, struct client **out);
void client_free(struct client *client);
DEFINE_SCOPED(struct client, client_free)

/* `path` is below the base URL: "v6/services?namespace=a"; `body` is JSON. What came, parsed; NULL
 * for an empty body. */
MUST_USE struct err *client_get(struct client *client, const char *path, const struct val **out);
MUST_USE struct err *client_post(struct client *client, const char *path, const char *body,
                                 const struct val **out);
/* The same below /api/serin/v1/, which is beside the base URL. */
MUST_USE struct err *client_get_own(struct client *client, const char *path,
                                    const struct val **out);

/* Asks again and again, `first_ms` after the first time, then after twice as long, at most
 * `most_ms`, until `ask` says that it is done or fails. ERR_TRANSIENT "timeout" after --timeout. */
struct client_poll {
    int64_t first_ms, most_ms;
    struct err *(*ask)(struct client *client, void *ctx, bool *is_done);
    void *ctx;
    const char *waiting_for; /* shown with the seconds on a terminal; NULL: nothing */
    bool is_endless;         /* there is no timeout */
    bool *timed_out;         /* says that it was that; may be NULL */
};
MUST_USE struct err *client_poll(struct client *client, const struct client_poll *poll);

#endif
