/* cmd/access.h - the token that who asks the API from elsewhere has to show: a file, or a Secret that serin fills itself.
 * Effects:   reads the file (blocks, small), or one Secret through kube; makes a token where the Secret has none.
 * Ownership: borrows loop, kube and log; texts of the options are copied. The token is borrowed until the next turn.
 * Units:     none.
 * The token is in no log and no error. A request with another one than ours has it read again, at most every 10 s: so a new one
 * counts without a restart. */
#ifndef SERIN_CMD_ACCESS_H
#define SERIN_CMD_ACCESS_H

#include "base/log.h"
#include "kube/client.h"

#define ACCESS_SECRET    "serin-api" /* unless told otherwise */
#define ACCESS_TOKEN_KEY "token"     /* in it */

struct access;

struct access_opts {
    struct loop *loop;
    const struct log *log;
    const char *file;  /* NULL: the Secret */
    struct kube *kube; /* NULL: no Secret, so without a file there is no token */
    const char *ns, *secret_name;
    int64_t look_again_ms; /* 0: 10 s */
};

/* ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID: of the file. */
MUST_USE struct err *access_new(const struct access_opts *opts, struct access **out);
void access_free(struct access *access);
DEFINE_SCOPED(struct access, access_free)

const char *access_token(void *access); /* NULL: there is none (yet) */
void access_look_again(void *access);   /* somebody came with another one */

#endif
