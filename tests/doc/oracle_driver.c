/* Answers the questions of tests/differential/yaml-oracle, one JSON a line: what a YAML text reads as and is written as, or what a strategic
 * merge makes of two documents. An answer is a line of JSON, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "doc/merge.h"
#include "doc/yaml.h"

static struct err *answer_yaml(struct arena *mem, const struct val *question, struct val *answer)
{
    const struct val *text = val_get(question, "yaml");
    struct doc_yaml_list docs = { 0 };
    struct err *e =
        doc_yaml_load(mem, text->text, text->len, &doc_yaml_default_limits, &docs, NULL);
    if (e && !docs.len) /* the other side only looks at the first document */
        return e;
    err_free(e);
    struct val *root = docs.len ? docs.at[0].root : NULL;
    SBUF(yaml, SBUF_MAX);
    doc_yaml_emit(root, &yaml);
    val_set(mem, answer, "value", root ? root : val_new(mem, VAL_NULL));
    val_set(mem, answer, "yaml", val_new_bytes(mem, sbuf_text(&yaml), yaml.len));
    return NULL;
}

static struct err *answer_patch(struct arena *mem, const struct val *question, struct val *answer)
{
    const char *api_version = val_text(val_get(question, "apiVersion")),
               *kind = val_text(val_get(question, "kind"));
    const struct val *from = val_get(question, "from"), *with = val_get(question, "with");
    struct val *result = NULL;
    if (val_is_true(val_get(question, "apply")))
        TRY(doc_strategic_apply(mem, api_version, kind, from, with, &result));
    else
        result = doc_strategic_diff(mem, api_version, kind, from, with);
    val_set(mem, answer, "value", result ? result : val_new_map(mem));
    return NULL;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
        struct val *question = NULL, *answer = val_new_map(mem);
        struct err *e = doc_json_parse(mem, line, (size_t)len, &question);
        if (!e)
            e = val_get(question, "yaml") ? answer_yaml(mem, question, answer)
                                          : answer_patch(mem, question, answer);
        if (e)
            val_set_text(mem, answer, "error", err_text(e));
        err_free(e);
        printf("%s\n", val_json(mem, answer, NULL));
    }
    free(line);
    return 0;
}
