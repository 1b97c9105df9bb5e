/* git/giturl.h - the URLs of repositories.
 * Effects:   none (pure).
 * Ownership: texts are in the caller's arena.
 * Reference: gitops.md 2.10. */
#ifndef SERIN_GIT_GITURL_H
#define SERIN_GIT_GITURL_H

#include "base/arena.h"
#include "base/err.h"

enum giturl_kind { GITURL_FILE, GITURL_SSH, GITURL_HTTP, GITURL_OTHER };

struct giturl {
    enum giturl_kind kind;
    const char *scheme, *user, *password, *host, *port, *path; /* NULL where absent; decoded */
    const char *safe;  /* normal form without password: for logs, the API, the mark of collection */
    const char *plain; /* the same without user and password for http(s): what is asked for */
};

/* Recognises what git does: URLs, user@host:path, local paths. ERR_INVALID: `<unparseable: …>` forms and schemes serin cannot
 * fetch from (ftp, rsync, git+unknown). */
MUST_USE struct err *giturl_parse(struct arena *mem, const char *text, struct giturl *out);
bool giturl_equivalent(struct arena *mem, const char *a, const char *b);

#endif
