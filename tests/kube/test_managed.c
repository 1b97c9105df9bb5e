#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "kube/managed.h"

#define LAST "\"f:annotations\":{\"f:kubectl.kubernetes.io/last-applied-configuration\":{}}"
#define ENTRY(manager, operation, fields)                                                     \
    "{\"manager\":\"" manager "\",\"operation\":\"" operation                                 \
    "\",\"apiVersion\":\"v1\",\"time\":\"2026-11-21T09:55:55Z\",\"fieldsType\":\"FieldsV1\"," \
    "\"fieldsV1\":" fields "}"
#define OBJECT(entries) \
    "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"42\",\"managedFields\":[" entries "]}}"
#define PATCH(entries)                                                              \
    "[{\"op\":\"replace\",\"path\":\"/metadata/managedFields\",\"value\":[" entries \
    "]},{\"op\":\"replace\",\"path\":\"/metadata/resourceVersion\",\"value\":\"42\"}]"

static struct val *parse(struct arena *mem, const char *text)
{
    struct val *v;
    struct err *e = doc_json_parse(mem, text, strlen(text), &v);
    if (e)
        fail_msg("%s", err_text(e));
    return v;
}

/* -- fingerprints -------------------------------------------------------------------------------------------------- */

static bool print_of(const char *object, unsigned char out[16])
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    return kube_apply_fingerprint(parse(mem, object), "serin", out);
}

static void the_fingerprint_is_of_our_apply_entry_alone(void **state)
{
    (void)state;
    unsigned char one[16], two[16];
    assert_true(print_of(OBJECT(ENTRY("serin", "Apply", "{\"f:data\":{\"f:a\":{}}}")), one));
    assert_true(
        print_of(OBJECT(ENTRY("kubectl-edit", "Update",
                              "{\"f:data\":{\"f:b\":{}}}") ","
                                                           "{\"manager\":\"serin\",\"operation\":"
                                                           "\"Apply\",\"apiVersion\":"
                                                           "\"v9\",\"time\":\"2030-01-01T00:00:"
                                                           "00Z\",\"fieldsV1\":{\"f:data\":"
                                                           "{\"f:a\":{}}}}"),
                 two));
    assert_memory_equal(one, two, 16);
    assert_true(print_of(OBJECT(ENTRY("serin", "Apply", "{\"f:data\":{\"f:b\":{}}}")), two));
    assert_memory_not_equal(one, two, 16);
    assert_true(print_of(OBJECT(ENTRY("serin", "Apply", "{}")), two));
    assert_memory_not_equal(one, two, 16);
}

static const char *const unowned[] = {
    "{}",
    "{\"metadata\":{\"managedFields\":[]}}",
    "{\"metadata\":{\"managedFields\":[{}]}}",
    "{\"metadata\":{\"managedFields\":\"x\"}}",
    OBJECT(ENTRY("serin", "Update", "{\"f:data\":{}}")),
    OBJECT(ENTRY("other", "Apply", "{\"f:data\":{}}")),
    OBJECT("{\"manager\":\"serin\",\"operation\":\"Apply\",\"subresource\":\"status\","
           "\"fieldsV1\":{}}"),
    OBJECT("{\"manager\":\"serin\",\"operation\":\"Apply\"}"),
    OBJECT("{\"manager\":\"serin\",\"operation\":\"Apply\",\"fieldsV1\":[]}"),
};

static void without_our_entry_there_is_no_fingerprint(void **state)
{
    (void)state;
    unsigned char print[16];
    for (size_t i = 0; i < ARRAY_LEN(unowned); i++)
        assert_false(print_of(unowned[i], print));
}

static void a_field_is_owned_when_our_entry_has_it(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *object =
        parse(mem, OBJECT(ENTRY("other", "Update", "{\"f:spec\":{\"f:paused\":{}}}") "," ENTRY(
                       "serin", "Apply", "{\"f:spec\":{\"f:replicas\":{}}}")));
    const char *const replicas[] = { "f:spec", "f:replicas", NULL };
    const char *const paused[] = { "f:spec", "f:paused", NULL };
    assert_true(kube_apply_owns(object, "serin", replicas));
    assert_false(kube_apply_owns(object, "serin", paused));
    assert_false(kube_apply_owns(object, "nobody", replicas));
}

/* -- taking over --------------------------------------------------------------------------------------------------- */

static const struct takeover_case {
    const char *name, *object, *patch; /* patch NULL: nothing to take over */
} takeovers[] = {
    { "kubectl's entry becomes ours",
      OBJECT(ENTRY("kubectl-client-side-apply", "Update",
                   "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:metadata\":{" LAST "}}")),
      PATCH(ENTRY("serin", "Apply",
                  "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:metadata\":{" LAST "}}")) },
    { "the entry of an old kubectl becomes ours",
      OBJECT(ENTRY("kubectl", "Update", "{\"f:metadata\":{" LAST "}}")),
      PATCH(ENTRY("serin", "Apply", "{\"f:metadata\":{" LAST "}}")) },
    { "so does what was there before the first apply",
      OBJECT(ENTRY("before-first-apply", "Update", "{\"f:metadata\":{" LAST "}}")),
      PATCH(ENTRY("serin", "Apply", "{\"f:metadata\":{" LAST "}}")) },
    { "it is united with ours where we have one, wherever that stands",
      OBJECT(ENTRY("serin", "Apply", "{\"f:data\":{\"f:a\":{}}}") "," ENTRY(
          "kubectl-client-side-apply", "Update",
          "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:metadata\":{" LAST "}}")),
      PATCH(ENTRY("serin", "Apply",
                  "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:metadata\":{" LAST "}}")) },
    { "two of them become one",
      OBJECT(ENTRY("kubectl", "Update",
                   "{\"f:data\":{\"f:x\":{}},\"f:metadata\":{" LAST
                   "}}") "," ENTRY("before-first-apply", "Update",
                                   "{\"f:data\":{\"f:y\":{\"f:z\":{}}},\"f:metadata\":{" LAST
                                   "}}")),
      PATCH(ENTRY("serin", "Apply",
                  "{\"f:data\":{\"f:x\":{},\"f:y\":{\"f:z\":{}}},\"f:metadata\":{" LAST "}}")) },
    { "other entries stay as they are",
      OBJECT(ENTRY("kube-controller-manager", "Update", "{\"f:status\":{}}") "," ENTRY(
          "kubectl", "Update", "{\"f:metadata\":{" LAST "}}") ",{\"manager\":\"kubectl\","
                                                              "\"operation\":\"Update\","
                                                              "\"subresource\":\"scale\"}"),
      PATCH(ENTRY("kube-controller-manager", "Update", "{\"f:status\":{}}") "," ENTRY(
          "serin", "Apply", "{\"f:metadata\":{" LAST "}}") ",{\"manager\":\"kubectl\","
                                                           "\"operation\":\"Update\","
                                                           "\"subresource\":\"scale\"}") },
    { "an entry without last-applied is someone's change",
      OBJECT(ENTRY("kubectl-client-side-apply", "Update", "{\"f:data\":{\"f:a\":{}}}")), NULL },
    { "kubectl's server-side apply is not ours to take",
      OBJECT(ENTRY("kubectl", "Apply", "{\"f:metadata\":{" LAST "}}")), NULL },
    { "nor is what another manager wrote with that annotation",
      OBJECT(ENTRY("helm", "Update", "{\"f:metadata\":{" LAST "}}")), NULL },
    { "an entry of a subresource is left alone",
      OBJECT("{\"manager\":\"kubectl\",\"operation\":\"Update\",\"subresource\":\"status\","
             "\"fieldsV1\":{\"f:metadata\":{" LAST "}}}"),
      NULL },
    { "our own object needs nothing", OBJECT(ENTRY("serin", "Apply", "{\"f:data\":{}}")), NULL },
    { "without a version there is no guard, so nothing is done",
      "{\"metadata\":{\"managedFields\":[" ENTRY("kubectl", "Update",
                                                 "{\"f:metadata\":{" LAST "}}") "]}}",
      NULL },
    { "without managedFields there is nothing", "{\"metadata\":{\"resourceVersion\":\"1\"}}",
      NULL },
};

static void takeover_matches(void **state)
{
    const struct takeover_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *object = parse(mem, row->object);
    const char *before = val_json(mem, object, NULL);
    size_t len = 0;
    const char *got = kube_apply_takeover_patch(mem, object, "serin", &len);
    if (!row->patch) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_int_equal(len, strlen(got));
    if (!val_equal(parse(mem, got), parse(mem, row->patch)))
        assert_string_equal(got, row->patch);
    assert_string_equal(val_json(mem, object, NULL), before); /* the input is frozen */
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(the_fingerprint_is_of_our_apply_entry_alone),
        SINGLE(without_our_entry_there_is_no_fingerprint),
        SINGLE(a_field_is_owned_when_our_entry_has_it),
        ROWS(takeovers, takeover_matches),
    };
    return rows_run("kube_managed", tests, ARRAY_LEN(tests));
}
