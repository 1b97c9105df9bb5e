/* cmd/daemon.h - what serin run and serin canary do alike: their words before they start, their client of the API server.
 * Effects:   stdout and stderr; daemon_connect makes an HTTP client.
 * Ownership: kube_free and http_free (opts->http) end what daemon_connect made.
 * Units:     none. */
#ifndef SERIN_CMD_DAEMON_H
#define SERIN_CMD_DAEMON_H

#include "cmd/command.h"
#include "kube/client.h"

struct daemon_words {
    const char *name, *about; /* about: one line, with its end */
    const struct flags_table *tables;
    size_t count;
    const char *before_error, *after_error; /* of Flux, of Flagger */
};

/* Tells what is wrong, and the usage; the exit code. */
int daemon_refuse(struct command_call *call, const struct daemon_words *words, const char *text);

/* Help and version are answered, and arguments refused; false: the daemon is to be started. */
bool daemon_answers(struct command_call *call, const struct daemon_words *words,
                    const struct flags *flags, int *code);

/* Fills in what flags say (--kube-in-flight), and an HTTP client that has as many connections. */
struct kube *daemon_connect(struct kube_opts *opts, const struct flags *flags);

#endif
