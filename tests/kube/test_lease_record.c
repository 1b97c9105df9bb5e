#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "kube/lease_record.h"

static struct val *parse(struct arena *mem, const char *text)
{
    struct val *v = NULL;
    if (text)
        assert_null(doc_json_parse(mem, text, strlen(text), &v));
    return v;
}

#define HELD(by, more)                                                                            \
    "{\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"5\"},\"spec\":{\"holderIdentity\":\"" by \
    "\",\"leaseDurationSeconds\":15" more "}}"

/* One row: a lease that was first seen as it is at 1000 (ms), what is done about it at now. */
static const struct deed_case {
    const char *name, *lease;
    int64_t now_ms;
    enum kube_lease_deed deed;
} deeds[] = {
    { "no lease is created", NULL, 1000, KUBE_LEASE_CREATE },
    { "ours is renewed", HELD("me", ""), 1000, KUBE_LEASE_RENEW },
    { "ours is renewed however old it is", HELD("me", ""), 9999999, KUBE_LEASE_RENEW },
    { "another's is waited for", HELD("you", ""), 15999, KUBE_LEASE_WAIT },
    { "until it has not changed for its duration", HELD("you", ""), 16000, KUBE_LEASE_TAKE },
    { "whatever time is written in it",
      HELD("you", ",\"renewTime\":\"1999-01-01T00:00:00.000000Z\""), 2000, KUBE_LEASE_WAIT },
    { "one that was given back is taken at once", HELD("", ""), 1000, KUBE_LEASE_TAKE },
    { "one without a holder, too", "{\"spec\":{}}", 1000, KUBE_LEASE_TAKE },
    { "one without a duration is waited for as long as ours",
      "{\"spec\":{\"holderIdentity\":\"you\"}}", 10999, KUBE_LEASE_WAIT },
    { "and no longer", "{\"spec\":{\"holderIdentity\":\"you\"}}", 11000, KUBE_LEASE_TAKE },
    { "a duration that is none counts as ours",
      "{\"spec\":{\"holderIdentity\":\"you\",\"leaseDurationSeconds\":-1}}", 11000,
      KUBE_LEASE_TAKE },
    { "a spec of another type is no holder", "{\"spec\":7}", 1000, KUBE_LEASE_TAKE },
};

static void deed_matches(void **state)
{
    const struct deed_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_lease_view view = { .lease = parse(mem, row->lease),
                                    .identity = "me",
                                    .observed_ms = 1000,
                                    .now_ms = row->now_ms,
                                    .duration_ms = 10000 };
    assert_int_equal(kube_lease_decide(&view), row->deed);
}

#define NOW "2026-11-21T09:55:55.123456Z"

/* One row: the lease that was read, what is done, and what is sent. */
static const struct write_case {
    const char *name, *lease;
    enum kube_lease_deed deed;
    bool gives_back;
    const char *sent;
} writes[] = {
    { "a new lease", NULL, KUBE_LEASE_CREATE, false,
      "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\","
      "\"namespace\":\"n\"},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"
      "\"acquireTime\":\"" NOW "\",\"renewTime\":\"" NOW "\",\"leaseTransitions\":0}}" },
    { "a renewal keeps when it was acquired and how often it changed hands",
      HELD("me", ",\"acquireTime\":\"A\",\"renewTime\":\"B\",\"leaseTransitions\":4"),
      KUBE_LEASE_RENEW, false,
      HELD("me", ",\"acquireTime\":\"A\",\"renewTime\":\"" NOW "\",\"leaseTransitions\":4") },
    { "taking it counts", HELD("you", ",\"acquireTime\":\"A\",\"leaseTransitions\":4"),
      KUBE_LEASE_TAKE, false,
      HELD("me", ",\"acquireTime\":\"" NOW "\",\"leaseTransitions\":5,\"renewTime\":\"" NOW "\"") },
    { "giving it back does not", HELD("me", ",\"acquireTime\":\"A\",\"leaseTransitions\":4"),
      KUBE_LEASE_RENEW, true,
      "{\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"5\"},\"spec\":{\"holderIdentity\":\"\","
      "\"leaseDurationSeconds\":1,\"acquireTime\":\"" NOW
      "\",\"leaseTransitions\":4,\"renewTime\":\"" NOW "\"}}" },
    { "what else is in it stays, but for managedFields",
      "{\"metadata\":{\"labels\":{\"a\":\"b\"},\"managedFields\":[1]},\"spec\":{\"strategy\":\"x\","
      "\"holderIdentity\":\"\"}}",
      KUBE_LEASE_TAKE, false,
      "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"strategy\":\"x\",\"holderIdentity\":"
      "\"me\",\"leaseDurationSeconds\":15,\"acquireTime\":\"" NOW "\",\"renewTime\":\"" NOW
      "\",\"leaseTransitions\":1}}" },
    { "a spec of another type is replaced", "{\"spec\":7}", KUBE_LEASE_TAKE, false,
      "{\"metadata\":{},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"
      "\"acquireTime\":\"" NOW "\",\"renewTime\":\"" NOW "\",\"leaseTransitions\":1}}" },
};

static void write_matches(void **state)
{
    const struct write_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_lease_words words = { .ns = "n",
                                      .name = "l",
                                      .identity = row->gives_back ? "" : "me",
                                      .duration_ms = 14001,
                                      .now_ns = 1795254955123456789 };
    size_t len;
    const char *sent = kube_lease_write(mem, parse(mem, row->lease), row->deed, &words, &len);
    assert_int_equal(len, strlen(sent));
    if (!val_equal(parse(mem, sent), parse(mem, row->sent)))
        assert_string_equal(sent, row->sent);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(deeds, deed_matches),
        ROWS(writes, write_matches),
    };
    return rows_run("kube_lease_record", tests, ARRAY_LEN(tests));
}
