/* sync/drift.h - what to do about one object that a watch has shown.
 * Effects:   none. Pure: values in, a value out; reasons are static texts.
 * Ownership: borrows for the call.
 * Reference: api-server.md 1.2, 1.3; gitops.md 3.5, 3.8; design.md 3.5. */
#ifndef SERIN_SYNC_DRIFT_H
#define SERIN_SYNC_DRIFT_H

#include "base/base.h"
#include "sync/mark.h"

enum drift_event {
    DRIFT_SEEN,    /* added, modified, or answered to a GET: the object as it is now */
    DRIFT_REMOVED, /* the watch says DELETED: gone, or without the label; the object is as it was
                      before */
    DRIFT_ABSENT,  /* a GET said 404, or a new picture of the watch is without it */
};

/* What we know of the object from our own work. */
struct drift_record {
    bool is_declared; /* at the current revision, and to be applied: not ignored, excluded,
                         duplicate or without scope */
    bool is_busy;     /* an apply of it is on its way */
    bool is_failed;   /* the last apply was refused for good */
    const char *mark, *checksum; /* as in the body */
    bool has_print; /* `print` is what the last apply that succeeded left as our entry */
    unsigned char print[16];
    uint64_t version; /* resourceVersion of that write; 0: unknown */
    int64_t
        generation; /* the object's own after that write; 0: unknown, or managedFields tell all */
    bool has_failed_print; /* when is_failed: our entry as it was seen when the apply was refused */
    unsigned char failed_print[16];
};

/* What the watch says. */
struct drift_seen {
    enum drift_event event;
    const char *mark;     /* label, NULL: none */
    const char *checksum; /* annotation, NULL: none */
    enum mark_ignore ignore;
    bool has_owner, is_deleting;
    bool has_print; /* there is an entry of ours */
    unsigned char print[16];
    uint64_t version; /* resourceVersion; 0: unknown */
    int64_t generation;
};

enum drift_action {
    DRIFT_NONE,    /* as it should be, old news, or not ours to judge */
    DRIFT_LATER,   /* decide again, on the last seen state, when the apply on its way has been
                      answered */
    DRIFT_HEAL,    /* apply */
    DRIFT_ASK,     /* GET, then decide again with DRIFT_SEEN or DRIFT_ABSENT */
    DRIFT_IGNORED, /* drifted, but the live object says ignore */
    DRIFT_FOREIGN, /* another set has put its mark on it: report, leave alone until the next sync */
};

struct drift_decision {
    enum drift_action action;
    const char *reason; /* for log and event: "a field that the repository declares was changed" */
};

struct drift_decision drift_decide(const struct drift_record *record,
                                   const struct drift_seen *seen);

/* A resourceVersion as a number, 0 if it is none. Kubernetes promises that newer ones of one kind
 * are greater. */
uint64_t drift_version_parse(const char *text);

#endif
