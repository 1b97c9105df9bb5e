/* canary/metric/google.h - how to prove to Google Cloud who we are: a part of a conversation.
 * Effects:   none.
 * Ownership: in the arena of the conversation.
 * Reference: traffic-and-metrics.md 20.8; Google's "application default credentials" and RFC 7523.
 *
 *     a key of the Secret ──► signed assertion ─► token endpoint ──► access token
 *     else GOOGLE_APPLICATION_CREDENTIALS, else gcloud's file ─┘         │
 *     else the metadata server of the machine ───────────────────────────┘ */
#ifndef SERIN_CANARY_METRIC_GOOGLE_H
#define SERIN_CANARY_METRIC_GOOGLE_H

#include "canary/metric/talk.h"

enum google_stage { GOOGLE_BEGIN, GOOGLE_FILE, GOOGLE_TOKEN, GOOGLE_DONE };

struct google_login {
    const char *key; /* JSON of a service account; "" for the default credentials */
    enum google_stage stage;
    bool may_be_missing; /* of the file: the metadata server is asked then */
    const char *token;   /* once it is done */
};

/* Asks the next thing; the first time without an answer. True once the token is there, or the turn has failed. */
bool google_login_next(struct metric_talk *talk, struct google_login *login,
                       const struct metric_answer *answer, struct metric_turn *turn);

#endif
