#include <stdio.h>
#include <string.h>

#include "../rows.h"

#include "doc/json.h"
#include "doc/object.h"

static const struct id_case {
    const char *name, *text, *ns, *kind, *object; /* ns NULL: refused */
} id_cases[] = {
    { "the full form", "demo:deployment/podinfo", "demo", "deployment", "podinfo" },
    { "the kind becomes lower case", "default:Deployment/Foo", "default", "deployment", "Foo" },
    { "an object of the cluster", "<cluster>:namespace/demo", "<cluster>", "namespace", "demo" },
    { "names with points and colons", "demo:helmrelease/a.b:c", "demo", "helmrelease", "a.b:c" },
    { "the legacy form is a service", "demo/podinfo", "demo", "service", "podinfo" },
    { "legacy names have no points", "demo/a.b", NULL, NULL, NULL },
    { "nothing", "", NULL, NULL, NULL },
    { "a word", "demo", NULL, NULL, NULL },
    { "no kind", "demo:podinfo", NULL, NULL, NULL },
    { "no name", "demo:deployment/", NULL, NULL, NULL },
    { "no namespace", ":deployment/x", NULL, NULL, NULL },
    { "a namespace with a point", "a.b:deployment/x", NULL, NULL, NULL },
    { "a blank behind it", "demo:deployment/x ", NULL, NULL, NULL },
    { "two slashes", "demo:deployment/x/y", NULL, NULL, NULL },
    { "another name in brackets", "<other>:namespace/x", NULL, NULL, NULL },
};

static void id_is(void **state)
{
    const struct id_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct object_id id;
    SCOPED(err_free) struct err *e = object_id_parse(mem, row->text, &id);
    if (!row->ns) {
        assert_string_equal(err_text(e),
                            arena_printf(mem, "parsing %s: invalid service ID", row->text));
        assert_true(err_is(e, ERR_INVALID));
        return;
    }
    assert_string_equal(err_text(e), "");
    assert_string_equal(id.ns, row->ns);
    assert_string_equal(id.kind, row->kind);
    assert_string_equal(id.name, row->object);
}

static void ids_are_written(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_string_equal(object_id(mem, "demo", "HelmRelease", "a.b"), "demo:helmrelease/a.b");
    assert_string_equal(object_id(mem, "", "Namespace", "demo"), "<cluster>:namespace/demo");
}

static void api_versions_have_two_parts(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *group, *version;
    object_split_api_version(mem, "apps/v1", &group, &version);
    assert_string_equal(group, "apps");
    assert_string_equal(version, "v1");
    object_split_api_version(mem, "v1", &group, &version);
    assert_string_equal(group, "");
    assert_string_equal(version, "v1");
}

static void objects_tell_what_they_are(void **state)
{
    (void)state;
    static const char text[] =
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"demo\","
        "\"uid\":\"u-1\",\"resourceVersion\":\"77\",\"generation\":3,\"labels\":{\"a\":\"b\"},"
        "\"annotations\":{\"fluxcd.io/locked\":\"true\",\"number\":1}}}";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    assert_null(doc_json_parse(mem, text, strlen(text), &object));
    assert_string_equal(object_api_version(object), "apps/v1");
    assert_string_equal(object_kind(object), "Deployment");
    assert_string_equal(object_name(object), "web");
    assert_string_equal(object_namespace(object), "demo");
    assert_string_equal(object_uid(object), "u-1");
    assert_string_equal(object_resource_version(object), "77");
    assert_int_equal(object_generation(object), 3);
    assert_string_equal(object_label(object, "a"), "b");
    assert_null(object_label(object, "b"));
    assert_string_equal(object_annotation(object, "fluxcd.io/locked"), "true");
    assert_null(object_annotation(object, "number")); /* not a text */
}

static void an_object_may_be_anything(void **state)
{
    (void)state;
    static const char *const texts[] = { "{}", "[]", "1", "{\"metadata\":[]}",
                                         "{\"metadata\":{\"name\":5,\"labels\":1}}" };
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct val *object = NULL;
        assert_null(doc_json_parse(mem, texts[i], strlen(texts[i]), &object));
        assert_string_equal(object_name(object), "");
        assert_string_equal(object_kind(object), "");
        assert_null(object_label(object, "a"));
        assert_int_equal(object_generation(object), 0);
    }
    assert_string_equal(object_namespace(NULL), "");
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(ids_are_written),
        SINGLE(api_versions_have_two_parts),
        SINGLE(objects_tell_what_they_are),
        SINGLE(an_object_may_be_anything),
        ROWS(id_cases, id_is),
    };
    return rows_run("object", tests, ARRAY_LEN(tests));
}
