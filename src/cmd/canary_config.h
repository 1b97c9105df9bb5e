/* cmd/canary_config.h - what flags and environment say about canaries, as values.
 * Effects:   reads the environment.
 * Ownership: in the caller's arena, borrowing from flags and environment.
 * Units:     none.
 * Reference: canary.md 11.2, 12.3. */
#ifndef SERIN_CMD_CANARY_CONFIG_H
#define SERIN_CMD_CANARY_CONFIG_H

#include "base/log.h"
#include "canary/canaries.h"
#include "cmd/flags.h"

struct canary_config {
    struct canary_settings settings; /* but mesh_is_elsewhere, which the clusters tell */
    struct alert_receiver notifier;
    bool has_notifier;
    const char
        *notifier_fault; /* why there is none although its URL is given: a log line; NULL none */
    const char *event_webhook;   /* "" none */
    const char *mesh_kubeconfig; /* NULL: the same cluster */
};

/* Of a table of flags with CANARY_FLAGS_ANALYSIS in it. */
void canary_config_read(struct arena *mem, const struct flags *flags, struct canary_config *out);

#endif
