/* canary/value.h - values written as YAML in a test. Include after cmocka.h. */
#ifndef SERIN_TESTS_CANARY_VALUE_H
#define SERIN_TESTS_CANARY_VALUE_H

#include <string.h>

#include "canary/canary.h"
#include "doc/yaml.h"

UNUSED static struct val *value_of(struct arena *mem, const char *yaml)
{
    struct doc_yaml_list docs = { 0 };
    SCOPED(err_free)
    struct err *e = doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL);
    if (e)
        fail_msg("%s in:\n%s", err_text(e), yaml);
    assert_int_equal(docs.len, 1);
    return docs.at[0].root;
}

UNUSED static struct canary canary_of(struct arena *mem, const char *yaml)
{
    struct canary canary;
    SCOPED(err_free) struct err *e = canary_parse(mem, value_of(mem, yaml), &canary);
    if (e)
        fail_msg("%s in:\n%s", err_text(e), yaml);
    return canary;
}

UNUSED static void assert_same_value(struct arena *mem, const struct val *got,
                                     const struct val *expected)
{
    if (!val_equal(got, expected))
        fail_msg("got      %s\nexpected %s", val_json(mem, got, NULL),
                 val_json(mem, expected, NULL));
}

#endif
