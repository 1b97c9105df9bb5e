#include "kube/watch_step.h"

static bool always(const struct kube_watch_seen *seen)
{
    (void)seen;
    return true;
}

static bool is_refused(const struct kube_watch_seen *seen, enum kube_refusal refusal)
{
    return seen->end == KUBE_ENDED_REFUSED && seen->refusal == refusal;
}

static bool is_expired(const struct kube_watch_seen *seen)
{
    return is_refused(seen, KUBE_REFUSED_EXPIRED);
}

static bool kind_is_gone(const struct kube_watch_seen *seen)
{
    return is_refused(seen, KUBE_REFUSED_KIND_UNKNOWN) ||
           is_refused(seen, KUBE_REFUSED_OBJECT_MISSING);
}

/* 422 and 400 before anything came: the parameters of the streaming form are not known here. Servers from 1.19 on that
 * lack the form say 422 "resourceVersionMatch is forbidden for watch"; those that have it switched off say 422
 * "sendInitialEvents is forbidden". The answer decides and not the server's version, since the switch is a feature gate
 * that was on by default in 1.32, off in 1.33 and on again in 1.34, and since aggregated API servers have versions of
 * their own. Should the selector be what is wrong, the list that follows is refused as well and says so. */
static bool form_is_unknown(const struct kube_watch_seen *seen)
{
    return is_refused(seen, KUBE_REFUSED_MANIFEST) || is_refused(seen, KUBE_REFUSED_OTHER);
}

/* An older library ignores parameters that it does not know and sends the objects without a mark. */
static bool mark_is_missing(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_UNMARKED;
}

static bool ended_as_usual(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_WELL && !seen->was_short;
}

static bool ended_well(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_WELL;
}

static bool was_silent(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_SILENT;
}

/* A cut that had nothing of a fault about it: servers are restarted and load balancers drop old connections. */
static bool was_cut_late(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_CUT && !seen->was_short;
}

static bool is_garbage_for_good(const struct kube_watch_seen *seen)
{
    return seen->end == KUBE_ENDED_GARBAGE && seen->garbage_runs >= KUBE_WATCH_GARBAGE_RUNS;
}

/* First match wins. `anew` begins a full picture, in the phase that the server offers. */
// clang-format off
static const struct step_rule {
    enum kube_watch_phase phase;
    bool (*when)(const struct kube_watch_seen *seen);
    bool anew, refuse, failure, trouble;
    const char *reason;
} rules[] = {
    { KUBE_WATCH_STREAMING, form_is_unknown,     true,  true,  false, false, "the server does not offer initial events" },
    { KUBE_WATCH_STREAMING, mark_is_missing,     true,  true,  false, false, "the server ignores sendInitialEvents" },
    { KUBE_WATCH_STREAMING, kind_is_gone,        true,  false, true,  true,  "the kind is not served" },
    { KUBE_WATCH_STREAMING, always,              true,  false, true,  true,  "the initial events ended early" },

    { KUBE_WATCH_LISTING,   ended_well,          false, false, false, false, "the list is complete" },
    { KUBE_WATCH_LISTING,   is_expired,          true,  false, true,  false, "the list took too long" },
    { KUBE_WATCH_LISTING,   always,              true,  false, true,  true,  "the list failed" },

    { KUBE_WATCH_FOLLOWING, is_expired,          true,  false, true,  false, "the version is too old" },
    { KUBE_WATCH_FOLLOWING, kind_is_gone,        true,  false, true,  true,  "the kind is not served" },
    { KUBE_WATCH_FOLLOWING, ended_as_usual,      false, false, false, false, "the stream has ended" },
    { KUBE_WATCH_FOLLOWING, ended_well,          false, false, true,  true,  "the stream ended at once" },
    { KUBE_WATCH_FOLLOWING, was_silent,          false, false, false, false, "the stream was silent" },
    { KUBE_WATCH_FOLLOWING, was_cut_late,        false, false, true,  false, "the stream was cut" },
    { KUBE_WATCH_FOLLOWING, is_garbage_for_good, true,  false, true,  true,  "the stream is garbage" },
    { KUBE_WATCH_FOLLOWING, always,              false, false, true,  true,  "the stream failed" },
};
// clang-format on

enum kube_watch_phase kube_watch_first_phase(bool is_streaming_refused)
{
    return is_streaming_refused ? KUBE_WATCH_LISTING : KUBE_WATCH_STREAMING;
}

struct kube_watch_next kube_watch_step(const struct kube_watch_seen *seen)
{
    const struct step_rule *rule = rules;
    while (rule->phase != seen->phase || !rule->when(seen))
        rule++; /* the last row of each phase always matches */
    bool is_refused_now = rule->refuse || seen->is_streaming_refused;
    return (struct kube_watch_next){
        .phase = rule->anew ? kube_watch_first_phase(is_refused_now) : KUBE_WATCH_FOLLOWING,
        .begins_anew = rule->anew,
        .refuse_streaming = rule->refuse,
        .is_failure = rule->failure,
        .is_trouble = rule->trouble,
        .reason = rule->reason,
    };
}
