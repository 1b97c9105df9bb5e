/* git/transport.h - one conversation with a remote: what carries the bytes of libgit2's smart protocol, and what was said.
 * Effects:   network, the ssh and git programs.
 * Ownership: a talk is the caller's, on its stack, from transport_talk_init to transport_talk_fini; the git_remote it served
 *            must be freed before it is explained, for a program says its last words when it is closed.
 * Units:     milliseconds on the monotonic clock of stream_now_ms, bytes.
 * Why both carriers are ours: docs/decisions/git-transport.md. */
#ifndef SERIN_GIT_TRANSPORT_H
#define SERIN_GIT_TRANSPORT_H

#include <git2.h>
#include <git2/sys/transport.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/sbuf.h"
#include "git/giturl.h"
#include "io/http.h"

/* How to reach the remote; borrowed from the mirror. */
struct transport_settings {
    const char *ssh_command; /* sh syntax; NULL: ssh */
    const char *ssh_identity, *ssh_known_hosts;
    const char *const *env;
    struct http_tls tls;
    const char *proxy;
    size_t limit_bytes;
};

struct transport_talk {
    const struct transport_settings *settings;
    struct arena *mem;
    struct giturl url; /* credentials included */
    int64_t deadline_ms;
    bool is_connected;    /* the list of refs has been read */
    bool is_program;      /* carried by a program: where it falls silent, its stderr says why */
    struct err *failed;   /* what ended the conversation early, in the carrier's words */
    const char *git_text; /* libgit2's words for it, or NULL */
    int git_code, git_class;
    struct sbuf said;   /* stderr of the programs */
    struct sbuf remote; /* messages of the remote: hooks, progress */
    size_t received;
    bool is_host_unknown; /* its name does not resolve */
    bool is_late;         /* the deadline passed */
    bool is_over;         /* more bytes than the limit */
};

struct transport_start {
    const struct transport_settings *settings;
    struct giturl url;
    int64_t deadline_ms;
};
void transport_talk_init(struct transport_talk *talk, struct arena *mem,
                         const struct transport_start *start);
void transport_talk_fini(struct transport_talk *talk);

/* git_transport_cb; the payload is the talk. */
int transport_create(git_transport **out, git_remote *owner, void *at);
/* git_transport_message_cb for sideband messages; the payload is the talk. */
int transport_on_message(const char *bytes, int len, void *at);

/* Notes the first failure (takes e) and sets libgit2's error; returns a negative code for it. */
int transport_fail(struct transport_talk *talk, struct err *e);
/* Counts what came; past the limit it fails. */
int transport_count(struct transport_talk *talk, size_t bytes);
/* To be called right after a call of libgit2 failed, on its thread. */
void transport_note(struct transport_talk *talk, int code);

/* The error of a conversation that failed: "what: headline, full output:\n …", worded as git does. */
struct transport_report {
    const char *what;
    const char *before; /* said before anything the remote said; NULL: nothing */
    const char *after;  /* said behind it; NULL: the conclusion git draws */
    bool is_refusal;    /* the remote answered, with no: ERR_DENIED */
    bool is_stale;      /* somebody else was faster: ERR_CONFLICT */
};
MUST_USE struct err *transport_explain(struct transport_talk *talk,
                                       const struct transport_report *report);

/* git_smart_subtransport_cb; the parameter is the talk. */
int transport_program_create(git_smart_subtransport **out, git_transport *owner, void *talk);
int transport_http_create(git_smart_subtransport **out, git_transport *owner, void *talk);

/* What to do about a host key that ssh did not accept: asks the server for its keys. "" when nothing can be said. */
const char *transport_program_advice(struct transport_talk *talk);

#endif
