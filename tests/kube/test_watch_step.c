#include "../rows.h"

#include "kube/watch_step.h"

#define STREAMING KUBE_WATCH_STREAMING
#define LISTING   KUBE_WATCH_LISTING
#define FOLLOWING KUBE_WATCH_FOLLOWING

/* One row: what ended and how; the next phase, and whether it begins anew, is a failure, is trouble. */
// clang-format off
static const struct step_case {
    const char *name;
    struct kube_watch_seen seen;
    enum kube_watch_phase phase;
    bool anew, failure, trouble;
} cases[] = {
    { "a server that refuses the parameters is listed instead, without a fuss",
      { .phase = STREAMING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_MANIFEST, .was_short = true },
      LISTING, true, false, false },
    { "a server that ignores them, too",
      { .phase = STREAMING, .end = KUBE_ENDED_UNMARKED }, LISTING, true, false, false },
    { "initial events that are cut begin again",
      { .phase = STREAMING, .end = KUBE_ENDED_CUT }, STREAMING, true, true, true },
    { "initial events that end without their mark begin again",
      { .phase = STREAMING, .end = KUBE_ENDED_WELL }, STREAMING, true, true, true },
    { "no rights is trouble", { .phase = STREAMING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_FORBIDDEN },
      STREAMING, true, true, true },
    { "a kind that is not served is trouble",
      { .phase = STREAMING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_KIND_UNKNOWN },
      STREAMING, true, true, true },
    { "a list that is complete is followed",
      { .phase = LISTING, .end = KUBE_ENDED_WELL, .is_streaming_refused = true }, FOLLOWING, false, false, false },
    { "a list whose version expired in the middle begins again",
      { .phase = LISTING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_EXPIRED,
        .is_streaming_refused = true }, LISTING, true, true, false },
    { "a list that fails begins again",
      { .phase = LISTING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_SERVER,
        .is_streaming_refused = true }, LISTING, true, true, true },
    { "a stream that ends after its time is resumed at once",
      { .phase = FOLLOWING, .end = KUBE_ENDED_WELL }, FOLLOWING, false, false, false },
    { "one that ends at once is not trusted",
      { .phase = FOLLOWING, .end = KUBE_ENDED_WELL, .was_short = true }, FOLLOWING, false, true, true },
    { "a silent one is resumed at once",
      { .phase = FOLLOWING, .end = KUBE_ENDED_SILENT }, FOLLOWING, false, false, false },
    { "a cut one is resumed after a moment, without a word",
      { .phase = FOLLOWING, .end = KUBE_ENDED_CUT }, FOLLOWING, false, true, false },
    { "one that was never open is trouble",
      { .phase = FOLLOWING, .end = KUBE_ENDED_CUT, .was_short = true }, FOLLOWING, false, true, true },
    { "a version that is too old begins anew, with initial events where they are offered",
      { .phase = FOLLOWING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_EXPIRED },
      STREAMING, true, true, false },
    { "and with a list where they are not",
      { .phase = FOLLOWING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_EXPIRED,
        .is_streaming_refused = true }, LISTING, true, true, false },
    { "a kind that went away begins anew",
      { .phase = FOLLOWING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_KIND_UNKNOWN },
      STREAMING, true, true, true },
    { "garbage is not swallowed: the stream is resumed",
      { .phase = FOLLOWING, .end = KUBE_ENDED_GARBAGE, .garbage_runs = 1 }, FOLLOWING, false, true, true },
    { "garbage again and again begins anew",
      { .phase = FOLLOWING, .end = KUBE_ENDED_GARBAGE, .garbage_runs = KUBE_WATCH_GARBAGE_RUNS },
      STREAMING, true, true, true },
    { "a server in trouble is resumed after a while",
      { .phase = FOLLOWING, .end = KUBE_ENDED_REFUSED, .refusal = KUBE_REFUSED_SERVER, .was_short = true },
      FOLLOWING, false, true, true },
};
// clang-format on

static void step_matches(void **state)
{
    const struct step_case *row = *state;
    struct kube_watch_next next = kube_watch_step(&row->seen);
    assert_int_equal(next.phase, row->phase);
    assert_int_equal(next.begins_anew, row->anew);
    assert_int_equal(next.is_failure, row->failure);
    assert_int_equal(next.is_trouble, row->trouble);
    assert_int_equal(next.refuse_streaming, row->seen.phase == STREAMING && row->phase == LISTING);
}

/* What must hold whatever is seen: a full picture is begun by the form that the server takes, and what begins without being
 * a failure cannot happen twice in a row for ever. */
static void check(const struct kube_watch_seen *seen)
{
    struct kube_watch_next next = kube_watch_step(seen);
    bool is_refused = seen->is_streaming_refused || next.refuse_streaming;
    assert_true(next.begins_anew == (next.phase != FOLLOWING));
    if (next.begins_anew)
        assert_int_equal(next.phase, kube_watch_first_phase(is_refused));
    if (next.begins_anew && !next.is_failure)
        assert_true(next.refuse_streaming && !seen->is_streaming_refused);
    if (seen->was_short && seen->phase == FOLLOWING && seen->end != KUBE_ENDED_SILENT)
        assert_true(next.is_failure);
    assert_non_null(next.reason);
}

static void every_end_of_every_phase_has_a_next_step(void **state)
{
    (void)state;
    for (int phase = STREAMING; phase <= FOLLOWING; phase++)
        for (int end = KUBE_ENDED_WELL; end <= KUBE_ENDED_GARBAGE; end++)
            for (int refusal = KUBE_REFUSED_OTHER; refusal <= KUBE_REFUSED_SERVER; refusal++)
                for (int flags = 0; flags < 4; flags++)
                    for (int garbage = 0; garbage < 5; garbage++) {
                        struct kube_watch_seen seen = {
                            .phase = (enum kube_watch_phase)phase,
                            .end = (enum kube_watch_end)end,
                            .refusal = (enum kube_refusal)refusal,
                            .is_streaming_refused = phase == LISTING || flags & 1,
                            .was_short = flags & 2,
                            .garbage_runs = garbage,
                        };
                        if (phase != STREAMING || !seen.is_streaming_refused)
                            check(&seen);
                    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(every_end_of_every_phase_has_a_next_step),
        ROWS(cases, step_matches),
    };
    return rows_run("kube_watch_step", tests, ARRAY_LEN(tests));
}
