/* Update specs: what clients and notes say is read as Go reads it, and written as Go writes it. */
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "release/spec.h"

#define CAUSE  "\"cause\":{\"Message\":\"\",\"User\":\"\"}"
#define WEB    "demo:deployment/web"
#define BAD_ID "parsing bad: invalid service ID"

/* out: the JSON of what was read; NULL: the same as `body`. error: instead. */
static const struct spec_case {
    const char *name, *body, *out, *error;
} spec_cases[] = {
    { "a release of one image",
      "{\"type\":\"image\",\"cause\":{\"Message\":\"Major step\",\"User\":\"Ann \\u003cann@"
      "example.org\\u003e\"},\"spec\":{\"ServiceSpecs\":[\"" WEB "\"],\"ImageSpec\":\"r.io/app:1\","
      "\"Kind\":\"execute\",\"Excludes\":null,\"Force\":true}}",
      NULL, NULL },
    { "a dry run of everything with exclusions",
      "{\"type\":\"image\"," CAUSE ",\"spec\":{\"ServiceSpecs\":[\"\\u003call\\u003e\"],"
      "\"ImageSpec\":\"\\u003call latest\\u003e\",\"Kind\":\"plan\",\"Excludes\":"
      "[\"demo:statefulset/third\"],\"Force\":false}}",
      NULL, NULL },
    { "no exclusions are not the same as none given",
      "{\"type\":\"image\"," CAUSE ",\"spec\":{\"ServiceSpecs\":[\"" WEB "\"],"
      "\"ImageSpec\":\"a:1\",\"Kind\":\"plan\",\"Excludes\":[],\"Force\":false}}",
      NULL, NULL },
    { "fields in any case, unknown ones ignored, kinds in lower case",
      "{\"Type\":\"image\",\"more\":1,\"CAUSE\":{\"message\":\"m\",\"USER\":\"u\"},\"Spec\":{"
      "\"servicespecs\":[\"demo:Deployment/web\"],\"imageSpec\":\"a:1\",\"FORCE\":true}}",
      "{\"type\":\"image\",\"cause\":{\"Message\":\"m\",\"User\":\"u\"},\"spec\":{\"ServiceSpecs\":"
      "[\"" WEB "\"],\"ImageSpec\":\"a:1\",\"Kind\":\"execute\",\"Excludes\":null,\"Force\":true}}",
      NULL },
    { "containers, by ID, in the order given",
      "{\"type\":\"containers\"," CAUSE ",\"spec\":{\"Kind\":\"execute\",\"ContainerSpecs\":{"
      "\"demo:deployment/b\":[{\"Container\":\"z\",\"Current\":\"a:1\",\"Target\":\"a:2\"},"
      "{\"Container\":\"a\",\"Current\":\"a:1\",\"Target\":\"a:3\"}],"
      "\"demo:deployment/a\":[{\"Container\":\"x\",\"Current\":\"\",\"Target\":\"a:2\"}]},"
      "\"SkipMismatches\":true,\"Force\":false}}",
      "{\"type\":\"containers\"," CAUSE ",\"spec\":{\"Kind\":\"execute\",\"ContainerSpecs\":{"
      "\"demo:deployment/a\":[{\"Container\":\"x\",\"Target\":\"a:2\"}],"
      "\"demo:deployment/b\":[{\"Container\":\"z\",\"Current\":\"a:1\",\"Target\":\"a:2\"},"
      "{\"Container\":\"a\",\"Current\":\"a:1\",\"Target\":\"a:3\"}]},"
      "\"SkipMismatches\":true,\"Force\":false}}",
      NULL },
    { "automation",
      "{\"type\":\"auto\"," CAUSE ",\"spec\":{\"Changes\":[{\"WorkloadID\":\"" WEB "\","
      "\"Container\":{\"Name\":\"app\",\"Image\":\"a:1\"},\"ImageID\":\"a:2\"}]}}",
      NULL, NULL },
    { "policies by ID and by name",
      "{\"type\":\"policy\"," CAUSE
      ",\"spec\":{\"demo:deployment/b\":{\"add\":{\"locked\":\"true\","
      "\"automated\":\"true\"},\"remove\":{}},\"demo:deployment/a\":{\"add\":{\"x\":\"\"},"
      "\"remove\":{\"y\":\"true\"}}}}",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"demo:deployment/a\":{\"add\":{\"x\":\"\"},"
      "\"remove\":{\"y\":\"true\"}},\"demo:deployment/b\":{\"add\":{\"automated\":\"true\","
      "\"locked\":\"true\"},\"remove\":{}}}}",
      NULL },
    { "policies that were not sent are null",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"" WEB "\":{\"add\":{\"locked\":\"true\"}}}}",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"" WEB "\":{\"add\":{\"locked\":\"true\"},"
      "\"remove\":null}}}",
      NULL },
    { "policies as lists of names",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"" WEB "\":{\"add\":[\"locked\",\"automated\"],"
      "\"remove\":[]}}}",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"" WEB "\":{\"add\":{\"automated\":\"true\","
      "\"locked\":\"true\"},\"remove\":{}}}}",
      NULL },
    { "a sync", "{\"type\":\"sync\"," CAUSE ",\"spec\":{}}", NULL, NULL },
    { "a sync without anything else", "{\"type\":\"sync\"}",
      "{\"type\":\"sync\"," CAUSE ",\"spec\":{}}", NULL },
    { "the old form of an ID is spelled out",
      "{\"type\":\"policy\"," CAUSE ",\"spec\":{\"demo/web\":{\"add\":null,\"remove\":{}}}}",
      "{\"type\":\"policy\"," CAUSE
      ",\"spec\":{\"demo:service/web\":{\"add\":null,\"remove\":{}}}}",
      NULL },

    { "nothing", "null", NULL, "no type in update spec" },
    { "a list", "[]", NULL, "the update spec is a list, not a map" },
    { "no type", "{}", NULL, "unknown spec type: " },
    { "another type", "{\"type\":\"nonsense\"}", NULL, "unknown spec type: nonsense" },
    { "a type that is no text", "{\"type\":1}", NULL, "type is a number, not a text" },
    { "a spec that is no map", "{\"type\":\"image\",\"spec\":[]}", NULL,
      "spec is a list, not a map" },
    { "an ID that is none",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"bad\"],\"ImageSpec\":\"a:1\"}}", NULL,
      "parsing service spec \"bad\": " BAD_ID },
    { "an exclusion that is no ID",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"<all>\"],\"Excludes\":[\"bad\"]}}", NULL,
      BAD_ID },
    { "an ID that is no text", "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[7]}}", NULL,
      "ServiceSpecs is a number, not the ID of a workload" },
    { "no workload at all is not all of them",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[],\"ImageSpec\":\"a:1\"}}", NULL,
      "ServiceSpecs names no workload: give their IDs, or <all>" },
    { "an image without a tag",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"<all>\"],\"ImageSpec\":\"r.io/app\"}}",
      NULL, "blank tag (if you want latest, explicitly state the tag :latest): invalid image ID" },
    { "no image", "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"<all>\"]}}", NULL,
      "parsing \"\": blank image name: invalid image ID" },
    { "a kind that is none",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"<all>\"],\"ImageSpec\":\"a:1\","
      "\"Kind\":\"Plan\"}}",
      NULL, "unknown release kind: \"Plan\" (plan and execute are known)" },
    { "a force that is no boolean",
      "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"<all>\"],\"Force\":\"yes\"}}", NULL,
      "Force is a string, not true or false" },
    { "a container without a target",
      "{\"type\":\"containers\",\"spec\":{\"ContainerSpecs\":{\"" WEB
      "\":[{\"Container\":\"a\"}]}}}",
      NULL, WEB ": parsing \"\": blank image name: invalid image ID" },
    { "a container without a name",
      "{\"type\":\"containers\",\"spec\":{\"ContainerSpecs\":{\"" WEB
      "\":[{\"Target\":\"a:1\"}]}}}",
      NULL, WEB ": a container without a name" },
    { "a workload without containers",
      "{\"type\":\"containers\",\"spec\":{\"ContainerSpecs\":{\"" WEB "\":[]}}}", NULL,
      WEB ": no container is named" },
    { "containers that are no list",
      "{\"type\":\"containers\",\"spec\":{\"ContainerSpecs\":{\"" WEB "\":{}}}}", NULL,
      WEB " is a map, not a list" },
    { "one workload in two spellings",
      "{\"type\":\"policy\",\"spec\":{\"" WEB "\":{},\"demo:Deployment/web\":{}}}", NULL,
      WEB " comes twice in the update" },
    { "a policy for an ID that is none", "{\"type\":\"policy\",\"spec\":{\"bad\":{}}}", NULL,
      BAD_ID },
    { "a policy that cannot be an annotation",
      "{\"type\":\"policy\",\"spec\":{\"" WEB "\":{\"add\":[\"a b\"]}}}", NULL,
      WEB ": \"a b\" cannot be the name of a policy: letters, digits, '-', '_' and '.', no "
          "punctuation at its ends" },
    { "a policy without a name", "{\"type\":\"policy\",\"spec\":{\"" WEB "\":{\"add\":[\"\"]}}}",
      NULL,
      WEB ": \"\" cannot be the name of a policy: letters, digits, '-', '_' and '.', no "
          "punctuation at its ends" },
    { "a policy's value that is no text",
      "{\"type\":\"policy\",\"spec\":{\"" WEB "\":{\"add\":{\"locked\":true}}}}", NULL,
      WEB ": locked is a boolean, not a text" },
    { "policies that are a text", "{\"type\":\"policy\",\"spec\":{\"" WEB "\":{\"add\":\"x\"}}}",
      NULL, WEB ": add is a string, not a map or a list" },
    { "a user of two lines", "{\"type\":\"sync\",\"cause\":{\"User\":\"a\\nb\"}}", NULL,
      "the user of the cause has control characters" },
    { "a change of automation without an ID",
      "{\"type\":\"auto\",\"spec\":{\"Changes\":[{\"ImageID\":\"a:1\"}]}}", NULL,
      "parsing : invalid service ID" },
};

static struct val *read_json(struct arena *mem, const char *text)
{
    struct val *v = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, strlen(text), &v);
    assert_null(e);
    return v;
}

static void spec_matches_case(void **state)
{
    const struct spec_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct release_spec spec;
    SCOPED(err_free) struct err *e = release_spec_parse(mem, read_json(mem, c->body), &spec);
    assert_string_equal(err_text(e), c->error ? c->error : "");
    assert_int_equal(e != NULL, c->error != NULL);
    if (e) {
        assert_true(err_is(e, ERR_INVALID));
        return;
    }
    const char *written = val_json(mem, release_spec_json(mem, &spec), NULL);
    assert_string_equal(written, c->out ? c->out : c->body);
    struct release_spec again;
    SCOPED(err_free) struct err *bad = release_spec_parse(mem, read_json(mem, written), &again);
    assert_null(bad);
    assert_string_equal(val_json(mem, release_spec_json(mem, &again), NULL), written);
}

static const char *repeat(struct arena *mem, const char *text, size_t times)
{
    SBUF(out, SBUF_MAX);
    for (size_t i = 0; i < times; i++)
        sbuf_add(&out, text);
    return arena_strdup(mem, sbuf_text(&out));
}

static void assert_too_big(struct arena *mem, const char *body, const char *part)
{
    struct release_spec spec;
    SCOPED(err_free) struct err *e = release_spec_parse(mem, read_json(mem, body), &spec);
    assert_true(err_is(e, ERR_LIMIT));
    assert_non_null(strstr(err_text(e), part));
}

static void what_is_too_big_is_refused(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *much = repeat(mem, "x", RELEASE_SPEC_TEXT_MAX + 1);
    const char *many = repeat(mem, "\"demo:deployment/a\",", RELEASE_SPEC_ITEMS_MAX);
    assert_too_big(mem,
                   arena_printf(mem, "{\"type\":\"sync\",\"cause\":{\"Message\":\"%s\"}}", much),
                   "the message of the cause has 65537 bytes, more than 65536");
    assert_too_big(mem, arena_printf(mem, "{\"type\":\"sync\",\"cause\":{\"User\":\"%s\"}}", much),
                   "User has 65537 bytes, more than 1024");
    assert_too_big(mem,
                   arena_printf(mem,
                                "{\"type\":\"policy\",\"spec\":{\"" WEB
                                "\":{\"add\":{\"locked_msg\":\"%s\"}}}}",
                                much),
                   "the value of a policy has 65537 bytes");
    assert_too_big(
        mem, arena_printf(mem, "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[%s\"x\"]}}", many),
        "ServiceSpecs has 10001 entries, more than 10000");
    assert_too_big(
        mem, arena_printf(mem, "{\"type\":\"image\",\"spec\":{\"ServiceSpecs\":[\"%s\"]}}", much),
        "a workload's ID has 65537 bytes");
}

static const struct id_case {
    const char *name, *text, *ns, *id; /* id NULL: refused */
} id_cases[] = {
    { "kind and name", "deployment/web", "demo", WEB },
    { "the kind in lower case", "Deployment/web", "demo", WEB },
    { "a full one", "other:deployment/web", "demo", "other:deployment/web" },
    { "one of the cluster", "<cluster>:namespace/demo", "x", "<cluster>:namespace/demo" },
    { "a colon in the name", "clusterrole/system:node", "demo", "demo:clusterrole/system:node" },
    { "a name alone", "web", "demo", NULL },
    { "nothing", "", "demo", NULL },
    { "two slashes", "a/b/c", "demo", NULL },
    { "no name", "deployment/", "demo", NULL },
    { "a namespace alone", "demo:web", "demo", NULL },
};

static void id_matches_case(void **state)
{
    const struct id_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *id = NULL;
    SCOPED(err_free) struct err *e = release_spec_id(mem, c->text, c->ns, &id);
    if (c->id) {
        assert_null(e);
        assert_string_equal(id, c->id);
    } else {
        assert_string_equal(err_text(e),
                            arena_printf(mem, "parsing %s: invalid service ID", c->text));
    }
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(what_is_too_big_is_refused),
        ROWS(spec_cases, spec_matches_case),
        ROWS(id_cases, id_matches_case),
    };
    return rows_run("release_spec", tests, ARRAY_LEN(tests));
}
