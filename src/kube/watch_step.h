/* kube/watch_step.h - decides what a watch does when a request of it has ended.
 * Effects:   none. Pure: no clock, no I/O, no allocation.
 * Ownership: values in, values out; texts are static.
 * Reference: api-server.md 2. */
#ifndef SERIN_KUBE_WATCH_STEP_H
#define SERIN_KUBE_WATCH_STEP_H

#include "kube/status.h"

enum kube_watch_phase {
    KUBE_WATCH_STREAMING, /* a watch that sends everything there is, until the mark that ends that */
    KUBE_WATCH_LISTING,   /* pages of a list, where the server does not offer that */
    KUBE_WATCH_FOLLOWING, /* changes since a version: the same request after its mark, or one of its own */
};

/* How a request ended. */
enum kube_watch_end {
    KUBE_ENDED_WELL,     /* the server closed the stream, or the last page was read */
    KUBE_ENDED_REFUSED,  /* an answer other than 2xx, or an ERROR event: `refusal` */
    KUBE_ENDED_CUT,      /* connection lost or never made */
    KUBE_ENDED_SILENT,   /* nothing came for silence_ms */
    KUBE_ENDED_UNMARKED, /* the objects came, the mark after them did not */
    KUBE_ENDED_GARBAGE,  /* a line that is no event, or one that is too long */
};

struct kube_watch_seen {
    enum kube_watch_phase phase;
    enum kube_watch_end end;
    enum kube_refusal refusal;
    bool is_streaming_refused; /* known from before */
    bool was_short;            /* ended before a second had passed or anything had come */
    int garbage_runs;          /* ends with garbage in a row, this one included */
};

struct kube_watch_next {
    enum kube_watch_phase phase; /* of the next request */
    bool begins_anew;            /* forget the version, tell on_restart */
    bool refuse_streaming;       /* remember that this server does not offer the streaming form */
    bool is_failure;             /* back off before the next request */
    bool is_trouble;             /* tell on_trouble */
    const char *reason;
};

#define KUBE_WATCH_GARBAGE_RUNS 3

struct kube_watch_next kube_watch_step(const struct kube_watch_seen *seen);

/* The phase in which a full picture begins. */
enum kube_watch_phase kube_watch_first_phase(bool is_streaming_refused);

#endif
