#include "sync/lint.h"

#include <string.h>

#include "doc/object.h"
#include "sync/builtin.h"
#include "sync/mark.h"
#include "sync/resolve.h"

struct linter {
    struct arena *mem;
    const struct resolve_crds *crds;
    struct manifest_problems *problems;
};

static void warn(struct linter *linter, const struct manifest *m, const struct val *at,
                 const char *fmt, ...) PRINTF(4, 5);
static void warn(struct linter *linter, const struct manifest *m, const struct val *at,
                 const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(linter->mem, fmt, args);
    va_end(args);
    struct manifest_problem where = { .path = m->path,
                                      .line = at && at->line ? at->line : m->line,
                                      .column = at && at->line ? at->column : m->column,
                                      .severity = MANIFEST_WARNING };
    manifest_report(linter->mem, linter->problems, &where, "%s", text);
}

static enum resolve_scope scope_of(const struct linter *linter, const struct manifest *m)
{
    switch (builtin_scope(m->api_version, m->kind)) {
    case BUILTIN_NAMESPACED: return RESOLVE_NAMESPACED;
    case BUILTIN_CLUSTER: return RESOLVE_CLUSTER;
    case BUILTIN_UNKNOWN: break;
    }
    const struct resolve_crd *crd = resolve_crd_of(linter->crds, m->api_version, m->kind);
    return crd ? crd->scope : RESOLVE_UNKNOWN;
}

static void check_kind(struct linter *linter, const struct manifest *m, enum resolve_scope scope)
{
    const struct val *at = val_get(m->object, "apiVersion");
    const char *advice = builtin_replacement(m->api_version, m->kind);
    if (advice)
        warn(linter, m, at, "%s %s: %s", m->api_version, m->kind, advice);
    else if (scope == RESOLVE_UNKNOWN && builtin_owns_group(m->api_version))
        warn(linter, m, at, "Kubernetes has no kind %s in %s: is it spelt right?", m->kind,
             m->api_version);
    else if (scope == RESOLVE_UNKNOWN)
        warn(linter, m, at,
             "the kind %s of %s is neither one of Kubernetes nor defined here: left out of a sync "
             "until the cluster knows it",
             m->kind, m->api_version);
}

static void check_namespace(struct linter *linter, const struct manifest *m,
                            enum resolve_scope scope)
{
    if (scope == RESOLVE_CLUSTER && *m->ns)
        warn(linter, m, VAL_PATH(m->object, "metadata", "namespace"),
             "a %s is in no namespace: metadata.namespace is left out", m->kind);
}

static void check_marks(struct linter *linter, const struct manifest *m)
{
    if (object_label(m->object, MARK_LABEL))
        warn(linter, m, VAL_PATH(m->object, "metadata", "labels", MARK_LABEL),
             "the label %s is serin's to set: with this one the object is never collected",
             MARK_LABEL);
    if (object_annotation(m->object, MARK_CHECKSUM))
        warn(linter, m, VAL_PATH(m->object, "metadata", "annotations", MARK_CHECKSUM),
             "the annotation %s is serin's to set: take it out", MARK_CHECKSUM);
    static const char *const ignore_keys[] = { "fluxcd.io/ignore", "flux.weave.works/ignore" };
    for (size_t i = 0; i < ARRAY_LEN(ignore_keys); i++) {
        const char *value = object_annotation(m->object, ignore_keys[i]);
        if (value && strcmp(value, "true") != 0 && strcmp(value, "sync_only") != 0 &&
            strcmp(value, "false") != 0)
            warn(linter, m, VAL_PATH(m->object, "metadata", "annotations", ignore_keys[i]),
                 "%s: \"%s\" means nothing: write \"true\" or \"sync_only\"", ignore_keys[i],
                 value);
    }
}

void lint_check(struct arena *mem, const struct manifest *manifests, size_t count,
                const struct lint_settings *settings, struct manifest_problems *problems)
{
    struct resolve_crds crds = { 0 };
    resolve_find_crds(mem, manifests, count, &crds);
    struct linter linter = { mem, &crds, problems };
    struct resolve_settings how = { .set_name = "",
                                    .default_ns =
                                        settings->default_ns ? settings->default_ns : "default" };
    struct resolved *list = arena_alloc(mem, (count + 1) * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        enum resolve_scope scope = scope_of(&linter, &manifests[i]);
        resolve_manifest(mem, &manifests[i], scope, &how, &list[i]);
        check_kind(&linter, &manifests[i], scope);
        check_namespace(&linter, &manifests[i], scope);
        check_marks(&linter, &manifests[i]);
        if (list[i].verdict == RESOLVE_TOO_LARGE)
            warn(&linter, &manifests[i], NULL, "%s", list[i].reason);
    }
    resolve_duplicates(mem, list, count, problems);
}
