/* Results: JSON as Go writes it, the table of the commands, the texts around them. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "release/result.h"

#define D1 "1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "2222222222222222222222222222222222222222222222222222222222222222"

static void read_result(struct arena *mem, const char *text, struct release_result *out)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, text, strlen(text), &v);
    assert_null(bad);
    SCOPED(err_free) struct err *e = release_result_parse(mem, v, out);
    assert_null(e);
}

#define SOME                                                                                  \
    "{\"demo:deployment/locked\":{\"Status\":\"skipped\",\"Error\":\"locked\","               \
    "\"PerContainer\":null},\"demo:deployment/web\":{\"Status\":\"success\","                 \
    "\"PerContainer\":[{\"Container\":\"web\",\"Current\":\"r.io:1/app:1.0.0\","              \
    "\"Target\":\"r.io:1/app:1.2.0\"},{\"Container\":\"side\",\"Current\":\"r.io:1/side:1\"," \
    "\"Target\":\"r.io:1/side:2\"}]},\"demo:statefulset/third\":{\"Status\":\"ignored\","     \
    "\"Error\":\"not included\",\"PerContainer\":null}}"

/* Of each: the table by verbosity, the error, the images; what goes in comes out. */
static const struct result_case {
    const char *name, *json;
    int verbosity;
    const char *table, *error, *images;
} cases[] = {
    { "nothing", "{}", 2, "WORKLOAD   STATUS   UPDATES\n", "", "" },
    { "what changed", SOME, 0,
      "WORKLOAD             STATUS   UPDATES\n"
      "demo:deployment/web  success  web: r.io:1/app:1.0.0 -> 1.2.0\n"
      "                              side: r.io:1/side:1 -> 2\n",
      "", "r.io:1/app:1.2.0 r.io:1/side:2 " },
    { "and what was skipped", SOME, 1,
      "WORKLOAD                STATUS   UPDATES\n"
      "demo:deployment/locked  skipped  locked\n"
      "demo:deployment/web     success  web: r.io:1/app:1.0.0 -> 1.2.0\n"
      "                                 side: r.io:1/side:1 -> 2\n",
      "", "r.io:1/app:1.2.0 r.io:1/side:2 " },
    { "and what was ignored", SOME, 2,
      "WORKLOAD                STATUS   UPDATES\n"
      "demo:deployment/locked  skipped  locked\n"
      "demo:deployment/web     success  web: r.io:1/app:1.0.0 -> 1.2.0\n"
      "                                 side: r.io:1/side:1 -> 2\n"
      "demo:statefulset/third  ignored  not included\n",
      "", "r.io:1/app:1.2.0 r.io:1/side:2 " },
    { "a policy has no third cell",
      "{\"demo:deployment/web\":{\"Status\":\"success\",\"PerContainer\":null}}", 0,
      "WORKLOAD             STATUS   UPDATES\ndemo:deployment/web  success  \n", "", "" },
    { "an empty list stays one", "{\"a:b/c\":{\"Status\":\"success\",\"PerContainer\":[]}}", 0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      success  \n", "", "" },
    { "a failure",
      "{\"a:b/c\":{\"Status\":\"failed\",\"Error\":\"x \\u003c y\","
      "\"PerContainer\":null}}",
      0, "WORKLOAD   STATUS   UPDATES\na:b/c      failed   x < y\n", "a:b/c failed: x < y", "" },
    { "a cell is one line, whatever is said in it",
      "{\"a:b/c\":{\"Status\":\"failed\",\"Error\":\"x\\ny\\tz\\u001b[2J\",\"PerContainer\":null},"
      "\"a:b/d\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"x\\ny\",\"Current\":"
      "\"b:1\",\"Target\":\"b:2\"}]}}",
      0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      failed   x\\ny\\tz\\u001b[2J\n"
      "a:b/d      success  x\\ny: b:1 -> 2\n",
      "a:b/c failed: x\ny\tz\033[2J", "b:2 " },
    { "two failures",
      "{\"a:b/c\":{\"Status\":\"failed\",\"Error\":\"x\",\"PerContainer\":null},"
      "\"a:b/d\":{\"Status\":\"failed\",\"Error\":\"y\",\"PerContainer\":null}}",
      0, "WORKLOAD   STATUS   UPDATES\na:b/c      failed   x\na:b/d      failed   y\n",
      "Multiple workloads failed: a:b/c, a:b/d", "" },
    { "an error above the containers",
      "{\"a:b/c\":{\"Status\":\"success\",\"Error\":\"container(s) tag mismatch: z\","
      "\"PerContainer\":[{\"Container\":\"x\",\"Current\":\"a\",\"Target\":\"a:2\"}]}}",
      0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      success  container(s) tag mismatch: z\n"
      "                    x: a -> 2\n",
      "", "a:2 " },
    { "one image in two places is named once",
      "{\"a:b/c\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"x\",\"Current\":"
      "\"b:1\",\"Target\":\"b:2\"},{\"Container\":\"y\",\"Current\":\"b:1\",\"Target\":\"b:2\"},"
      "{\"Container\":\"z\",\"Current\":\"a:1\",\"Target\":\"a:2\"}]}}",
      0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      success  x: b:1 -> 2\n"
      "                    y: b:1 -> 2\n                    z: a:1 -> 2\n",
      "", "a:2 b:2 " },
    { "the same tag pinned anew",
      "{\"a:b/c\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"x\",\"Current\":"
      "\"a:1\",\"CurrentDigest\":\"sha256:" D1 "\",\"Target\":\"a:1\",\"TargetDigest\":\"sha256:" D2
      "\"}]}}",
      0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      success  x: a:1@sha256:" D1 " -> 1@sha256:" D2 "\n",
      "", "a:1@sha256:" D2 " " },
    { "another tag, pinned",
      "{\"a:b/c\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"x\",\"Current\":"
      "\"a:1\",\"CurrentDigest\":\"sha256:" D1 "\",\"Target\":\"a:2\",\"TargetDigest\":\"sha256:" D2
      "\"}]}}",
      0, "WORKLOAD   STATUS   UPDATES\na:b/c      success  x: a:1@sha256:" D1 " -> 2\n", "",
      "a:2@sha256:" D2 " " },
    { "a pin without a tag is one reference",
      "{\"a:b/c\":{\"Status\":\"success\",\"PerContainer\":[{\"Container\":\"x\",\"Current\":"
      "\"a@sha256:" D1 "\",\"Target\":\"a@sha256:" D2 "\"}]}}",
      0, "WORKLOAD   STATUS   UPDATES\na:b/c      success  x: a@sha256:" D1 " -> @sha256:" D2 "\n",
      "", "a@sha256:" D2 " " },
    { "images of failures are none",
      "{\"a:b/c\":{\"Status\":\"failed\",\"Error\":\"no\",\"PerContainer\":[{\"Container\":\"x\","
      "\"Current\":\"a:1\",\"Target\":\"a:2\"}]}}",
      2, "WORKLOAD   STATUS   UPDATES\na:b/c      failed   no\n                    x: a:1 -> 2\n",
      "a:b/c failed: no", "" },
    { "a state that is not known", "{\"a:b/c\":{\"Status\":\"unknown\",\"PerContainer\":null}}", 0,
      "WORKLOAD   STATUS   UPDATES\na:b/c      unknown  \n", "", "" },
};

static void result_matches_case(void **state)
{
    const struct result_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_result result;
    read_result(mem, c->json, &result);
    assert_string_equal(release_result_table(mem, &result, c->verbosity), c->table);
    assert_string_equal(release_result_error(mem, &result), c->error);
    assert_string_equal(val_json(mem, release_result_json(mem, &result), NULL), c->json);
    const char *images = "";
    for (const char *const *at = release_result_images(mem, &result); *at; at++)
        images = arena_printf(mem, "%s%s ", images, *at);
    assert_string_equal(images, c->images);
}

static void results_are_sorted_and_counted(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_result result = { 0 };
    release_result_add(mem, &result, "b", RELEASE_SKIPPED, "");
    release_result_add(mem, &result, "c", RELEASE_SUCCESS, "");
    release_result_add(mem, &result, "a", RELEASE_SKIPPED, "late");
    assert_string_equal(val_json(mem, release_result_json(mem, &result), NULL),
                        "{\"a\":{\"Status\":\"skipped\",\"Error\":\"late\",\"PerContainer\":null},"
                        "\"b\":{\"Status\":\"skipped\",\"PerContainer\":null},"
                        "\"c\":{\"Status\":\"success\",\"PerContainer\":null}}");
    release_result_sort(&result);
    assert_string_equal(result.at[0].id, "a");
    assert_string_equal(result.at[0].error, "late");
    assert_int_equal(release_result_count(&result, RELEASE_SKIPPED), 2);
    assert_int_equal(release_result_count(&result, RELEASE_FAILED), 0);
}

static const struct bad_case {
    const char *name, *json, *error;
} bad_cases[] = {
    { "a list", "[]", "the result is a list, not a map" },
    { "a workload that is a text", "{\"x\":\"y\"}", "x: the result is a string, not a map" },
    { "containers that are a map", "{\"x\":{\"PerContainer\":{}}}",
      "x: PerContainer is a map, not a list" },
    { "a container that is a number", "{\"x\":{\"PerContainer\":[1]}}",
      "x: an entry of PerContainer is a number, not a map" },
    { "a status that is a list", "{\"x\":{\"Status\":[]}}", "x: Status is a list, not a text" },
};

static void bad_result_is_refused(void **state)
{
    const struct bad_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *v = NULL;
    struct release_result result;
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, c->json, strlen(c->json), &v);
    assert_null(bad);
    SCOPED(err_free) struct err *e = release_result_parse(mem, v, &result);
    assert_string_equal(err_text(e), c->error);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(results_are_sorted_and_counted),
        ROWS(cases, result_matches_case),
        ROWS(bad_cases, bad_result_is_refused),
    };
    return rows_run("release_result", tests, ARRAY_LEN(tests));
}
