/* Any bytes as a file of the repository: parsed, resolved, checked. What comes out keeps its promises. */
#include <string.h>

#include "doc/json.h"
#include "doc/object.h"
#include "sync/lint.h"
#include "sync/resolve.h"

#define LIMIT_BYTES ((size_t)1 << 30)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static void check_manifest(struct arena *mem, const struct manifest *manifest)
{
    static const enum resolve_scope scopes[] = { RESOLVE_NAMESPACED, RESOLVE_CLUSTER,
                                                 RESOLVE_UNKNOWN };
    ASSERT(*manifest->kind && *manifest->api_version && *manifest->name &&
           is_one_line(manifest->name));
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        struct resolved got;
        resolve_manifest(mem, manifest, scopes[i],
                         &(struct resolve_settings){ .set_name = "s", .default_ns = "d" }, &got);
        struct object_id id;
        struct err *e = object_id_parse(mem, got.id, &id);
        ASSERT(!e || strlen(got.name) > 253);
        err_free(e);
        if (!got.body)
            continue;
        struct val *body;
        ASSERT(!doc_json_parse(mem, got.body, got.body_len, &body));
        ASSERT(strcmp(object_name(body), manifest->name) == 0);
        ASSERT(strcmp(object_namespace(body), got.ns) == 0);
        ASSERT(strcmp(object_label(body, MARK_LABEL), got.mark) == 0);
        ASSERT(!val_get(body, "status"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(LIMIT_BYTES);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    bool is_good = manifest_parse(mem, &(struct manifest_source){ .path = "a.yaml" },
                                  (const char *)data, size, &list, &problems);
    ASSERT(is_good == (problems.len == 0));
    for (size_t i = 0; i < list.len; i++)
        check_manifest(mem, &list.at[i]);
    lint_check(mem, list.at, list.len, &(struct lint_settings){ 0 }, &problems);
    for (size_t i = 0; i < problems.len; i++)
        ASSERT(*problems.at[i].text && is_one_line(manifest_problem_format(mem, &problems.at[i])));
    return 0;
}
