/* Messages of commits, notes and events, word for word. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "release/message.h"

#define WEB        "demo:deployment/web"
#define THIRD      "demo:statefulset/third"
#define CAUSE(m)   "\"cause\":{\"Message\":\"" m "\",\"User\":\"Ann \\u003cann@example.org\\u003e\"}"
#define OK         "{\"Status\":\"success\",\"PerContainer\":null}"
#define TO(c, a)   "{\"Container\":\"" c "\",\"Current\":\"r.io/" c ":1\",\"Target\":\"" a "\"}"
#define DONE(list) "{\"Status\":\"success\",\"PerContainer\":[" list "]}"

#define IMAGE(m, workloads, image)                                            \
    "{\"type\":\"image\"," CAUSE(m) ",\"spec\":{\"ServiceSpecs\":[" workloads \
                                    "],\"ImageSpec\":\"" image                \
                                    "\",\"Kind\":\"execute\",\"Excludes\":null,\"Force\":false}}"
#define POLICY(m, spec) "{\"type\":\"policy\"," CAUSE(m) ",\"spec\":{" spec "}}"
#define CONTAINERS                                                                          \
    "{\"type\":\"containers\"," CAUSE(                                                      \
        "") ",\"spec\":{\"Kind\":\"execute\",\"ContainerSpecs\":"                           \
            "{\"" WEB                                                                       \
            "\":[{\"Container\":\"a\",\"Current\":\"r.io/a:1\",\"Target\":\"r.io/a:2\"}]}," \
            "\"SkipMismatches\":false,\"Force\":false}}"
#define AUTO                                                       \
    "{\"type\":\"auto\"," CAUSE(                                   \
        "") ",\"spec\":{\"Changes\":[{\"WorkloadID\":\"" WEB "\"," \
            "\"Container\":{\"Name\":\"a\",\"Image\":\"r.io/a:1\"},\"ImageID\":\"r.io/a:2\"}]}}"

static const struct message_case {
    const char *name, *spec, *result, *ci_skip;
    const char *commit, *event, *applied;
} cases[] = {
    { "one image", IMAGE("", "\"" WEB "\"", "r.io/a:2"),
      "{\"" WEB "\":" DONE(TO("a", "r.io/a:2")) "}", "", "Release r.io/a:2 to " WEB,
      "Commit: 0123456, " WEB, "Released: r.io/a:2 to " WEB ", by Ann <ann@example.org>" },
    { "what was named is in the commit, what changed in the events",
      IMAGE("", "\"" THIRD "\",\"" WEB "\"", "r.io/a:2"),
      "{\"" WEB "\":{\"Status\":\"ignored\",\"Error\":\"excluded\",\"PerContainer\":null},\"" THIRD
      "\":" DONE(TO("a", "r.io/a:2")) "}",
      "", "Release r.io/a:2 to " THIRD ", " WEB, "Commit: 0123456, " THIRD,
      "Released: r.io/a:2 to " THIRD ", by Ann <ann@example.org>" },
    { "everything", IMAGE("", "\"\\u003call\\u003e\"", "\\u003call latest\\u003e"),
      "{\"" WEB "\":" DONE(TO("b", "r.io/b:2") "," TO("a", "r.io/a:2")) ",\"" THIRD "\":" DONE(
          TO("a", "r.io/a:2")) "}",
      "\n\n[ci skip]", "Release all latest to all\n\n[ci skip]", "Commit: 0123456, " WEB ", " THIRD,
      "Released: r.io/a:2, r.io/b:2 to all workloads, by Ann <ann@example.org>" },
    { "a message replaces everything else",
      IMAGE("Major \\\"step\\\"\\n\\n2\\u0001\\\\", "\"" WEB "\"", "r.io/a:2"),
      "{\"" WEB "\":" DONE(TO("a", "r.io/a:2")) "}", " [no build]",
      "Major \"step\"\n\n2\001\\ [no build]", "Commit: 0123456, " WEB,
      "Released: r.io/a:2 to " WEB
      ", by Ann <ann@example.org>, with message \"Major \\\"step\\\"\\n\\n2\\x01\\\\\"" },
    { "nothing changed", IMAGE("", "\"" WEB "\"", "r.io/a:2"), "{}", "", "Release r.io/a:2 to " WEB,
      "Commit: 0123456, <no changes>",
      "Released: no image changes to no workloads, by Ann <ann@example.org>" },
    { "containers", CONTAINERS,
      "{\"" WEB "\":" DONE(TO("a", "r.io/a:2") "," TO("b", "r.io/b:2")) ",\"" THIRD "\":" DONE(
          TO("a", "r.io/a:2")) ",\"x\":{\"Status\":\"ignored\",\"Error\":\"not included\"}}",
      "",
      "Update image refs in " WEB ", " THIRD "\n\n" WEB "\n- r.io/a:2\n- r.io/b:2\n\n" THIRD
      "\n- r.io/a:2\n",
      "Commit: 0123456, " WEB ", " THIRD,
      "Released: r.io/a:2, r.io/b:2 to " WEB ", " THIRD ", by Ann <ann@example.org>" },
    { "containers, with a failure", CONTAINERS,
      "{\"" WEB "\":" DONE(TO("a", "r.io/a:2")) ",\"" THIRD
                                                "\":{\"Status\":\"failed\",\"Error\":\"no\"}}",
      "", "Update image refs in " WEB "\n\n" WEB "\n- r.io/a:2\n\n" THIRD " failed: no",
      "Commit: 0123456, " WEB, "Released: r.io/a:2 to " WEB ", by Ann <ann@example.org>" },
    { "automation, one image", AUTO, "{\"" WEB "\":" DONE(TO("a", "r.io/a:2")) "}", "\n\n[ci skip]",
      "Auto-release r.io/a:2\n\n[ci skip]", "Commit: 0123456, " WEB,
      "Automated release of r.io/a:2" },
    { "automation, several", AUTO,
      "{\"" WEB "\":" DONE(TO("b", "r.io/b:2") "," TO("a", "r.io/a:2") "," TO("c", "r.io/a:2")) "}",
      "", "Auto-release multiple (2) images\n\n - r.io/a:2\n - r.io/b:2\n", "Commit: 0123456, " WEB,
      "Automated release of r.io/a:2, r.io/b:2" },

    { "one event of policies",
      POLICY("", "\"" THIRD "\":{\"add\":{\"automated\":\"true\"},\"remove\":{}},\"" WEB
                 "\":{\"add\":{\"automated\":\"true\"},\"remove\":{}}"),
      "{\"" WEB "\":" OK ",\"" THIRD "\":" OK "}", "\n\n[ci skip]",
      "Automated: " WEB ", " THIRD "\n\n\n[ci skip]", "Commit: 0123456, " WEB ", " THIRD, "" },
    { "what did not change has no event",
      POLICY("", "\"" THIRD "\":{\"add\":{\"automated\":\"true\"},\"remove\":{}},\"" WEB
                 "\":{\"add\":{\"automated\":\"true\"},\"remove\":{}}"),
      "{\"" WEB "\":" OK ",\"" THIRD "\":{\"Status\":\"skipped\"}}", "", "Automated: " WEB "\n",
      "Commit: 0123456, " WEB, "" },
    { "a lock with its user",
      POLICY("", "\"" WEB "\":{\"add\":{\"locked\":\"true\",\"locked_user\":\"x\"},\"remove\":{}}"),
      "{\"" WEB "\":" OK "}", "",
      "Updated workload policies\n\n- Locked: " WEB "\n- Updated policies: " WEB "\n",
      "Commit: 0123456, " WEB, "" },
    { "all events, with a message",
      POLICY("why", "\"" WEB "\":{\"add\":{\"automated\":\"true\",\"locked\":\"true\"},"
                    "\"remove\":{\"tag.a\":\"true\"}},\"" THIRD
                    "\":{\"add\":{},\"remove\":{\"automated\":\"true\",\"locked\":\"true\"}}"),
      "{\"" WEB "\":" OK ",\"" THIRD "\":" OK "}", "",
      "why\n\n- Automated: " WEB "\n- Deautomated: " THIRD "\n- Locked: " WEB "\n- Unlocked: " THIRD
      "\n- Updated policies: " WEB "\n",
      "Commit: 0123456, " WEB ", " THIRD, "" },
    { "one event, with a message",
      POLICY("direct", "\"" WEB "\":{\"add\":{\"locked\":\"true\"},\"remove\":null}"),
      "{\"" WEB "\":" OK "}", "", "direct\n\n- Locked: " WEB "\n", "Commit: 0123456, " WEB, "" },
    { "filters of tags",
      POLICY("", "\"" WEB "\":{\"add\":{\"tag_all\":\"glob:1.*\"},\"remove\":{}}"),
      "{\"" WEB "\":" OK "}", "", "Updated policies: " WEB "\n", "Commit: 0123456, " WEB, "" },
};

static struct val *read_json(struct arena *mem, const char *text)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &v);
    assert_null(e);
    return v;
}

static void read_both(struct arena *mem, const struct message_case *c, struct release_spec *spec,
                      struct release_result *result)
{
    SCOPED(err_free)
    struct err *bad_spec = release_spec_parse(mem, read_json(mem, c->spec), spec);
    assert_null(bad_spec);
    SCOPED(err_free)
    struct err *bad_result = release_result_parse(mem, read_json(mem, c->result), result);
    assert_null(bad_result);
}

static void message_matches_case(void **state)
{
    const struct message_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_spec spec;
    struct release_result result;
    read_both(mem, c, &spec, &result);
    assert_string_equal(release_message_commit(mem, &spec, &result, c->ci_skip), c->commit);
    assert_string_equal(
        release_message_event(mem, &spec, &result, "0123456789abcdef0123456789abcdef01234567"),
        c->event);
    assert_string_equal(release_message_applied(mem, &spec, &result), c->applied);
}

static void a_note_keeps_spec_and_result(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_spec spec;
    struct release_result result;
    read_both(mem, &cases[0], &spec, &result);
    assert_string_equal(release_message_note(mem, "job-1", &spec, &result),
                        "{\"jobID\":\"job-1\",\"spec\":" IMAGE(
                            "", "\"" WEB "\"", "r.io/a:2") ",\"result\":{\"" WEB
                                                           "\":" DONE(TO("a", "r.io/a:2")) "}}");
}

static void a_note_about_policies_has_no_result(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct message_case c = {
        .spec = POLICY("", "\"" WEB "\":{\"add\":{\"locked\":\"true\"},\"remove\":null}"),
        .result = "{\"" WEB "\":" OK "}",
    };
    struct release_spec spec;
    struct release_result result;
    read_both(mem, &c, &spec, &result);
    assert_string_equal(
        release_message_note(mem, "job-2", &spec, &result),
        arena_printf(mem, "{\"jobID\":\"job-2\",\"spec\":%s,\"result\":null}", c.spec));
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(a_note_keeps_spec_and_result),
        SINGLE(a_note_about_policies_has_no_result),
        ROWS(cases, message_matches_case),
    };
    return rows_run("release_message", tests, ARRAY_LEN(tests));
}
