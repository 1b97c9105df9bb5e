#include <string.h>

#include "../rows.h"

#include "doc/yaml.h"
#include "sync/mark.h"

#define PATHS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }
static const char url[] = "ssh://git@github.com/fluxcd/flux-get-started";

/* The vectors of reference/gitops.md 15.1. */
static void set_names_and_marks_are_those_of_flux(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *set_name = mark_set_name(mem, url, "master", PATHS("namespaces", "workloads"));
    assert_string_equal(set_name, "-pqIRfAJPfVJ2vnNArkckfQYfyg4QTwfNzzk3-7Lnf0");
    assert_string_equal(mark_of(mem, set_name, "demo:deployment/podinfo"),
                        "sha256.Di7J_xG-XDqQeDk1aiIudp5qd1bX639cu9GYPFt56Ig");
    assert_string_equal(mark_of(mem, set_name, "<cluster>:namespace/demo"),
                        "sha256.FmpeZYYuCH4G3PLe1IbCW6iEkLbbxK3XJ9fn3WSU2g0");
    assert_string_equal(mark_set_name(mem, url, "master", NULL),
                        "aBqHLTvk4pWff65LXXwheu1mmzfQkdC96YNjgC-1u0Q");
}

static const struct val *load(struct arena *mem, const char *text)
{
    struct doc_yaml_list docs = { 0 };
    struct err *e = doc_yaml_load(mem, text, strlen(text), &doc_yaml_default_limits, &docs, NULL);
    assert_null(e);
    assert_int_equal(docs.len, 1);
    return docs.at[0].root;
}

static void a_mark_is_a_label_value(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    assert_int_equal(strlen(mark_of(mem, "s", "a:b/c")), 50);
}

static void checksums_are_of_the_document_however_it_is_spelt(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    static const char *const spellings[] = {
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\n",
        "# a comment\n{metadata: {name: 'demo'}, kind: Namespace, apiVersion: \"v1\"}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
        assert_string_equal(mark_checksum(mem, load(mem, spellings[i])),
                            "35db65c41bba48ecb02fb665a7416ac1f662be3b");
}

static const struct ignore_case {
    const char *name, *annotations;
    enum mark_ignore expected;
} ignore_cases[] = {
    { "no annotation is not ignored", "{}", MARK_IGNORE_NO },
    { "true is ignored", "{fluxcd.io/ignore: 'true'}", MARK_IGNORE_YES },
    { "sync_only is only kept from collection", "{fluxcd.io/ignore: sync_only}",
      MARK_IGNORE_SYNC_ONLY },
    { "false is not ignored", "{fluxcd.io/ignore: 'false'}", MARK_IGNORE_NO },
    { "another spelling of true is not ignored", "{fluxcd.io/ignore: 'True'}", MARK_IGNORE_NO },
    { "the old prefix counts", "{flux.weave.works/ignore: 'true'}", MARK_IGNORE_YES },
    { "the filter prefix counts", "{filter.fluxcd.io/ignore: 'true'}", MARK_IGNORE_YES },
    { "of two values the more careful one wins",
      "{fluxcd.io/ignore: sync_only, flux.weave.works/ignore: 'true'}", MARK_IGNORE_YES },
    { "a value that means nothing does not hide another",
      "{fluxcd.io/ignore: 'no', flux.weave.works/ignore: sync_only}", MARK_IGNORE_SYNC_ONLY },
};

static void reads_ignore(void **state)
{
    const struct ignore_case *c = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const struct val *object =
        load(mem, arena_printf(mem, "metadata: {annotations: %s}\n", c->annotations));
    assert_int_equal(mark_ignore(object), c->expected);
}

int main(void)
{
    static const struct rows tests[] = {
        ROWS(ignore_cases, reads_ignore),
        SINGLE(set_names_and_marks_are_those_of_flux),
        SINGLE(a_mark_is_a_label_value),
        SINGLE(checksums_are_of_the_document_however_it_is_spelt),
    };
    return rows_run("sync_mark", tests, ARRAY_LEN(tests));
}
