#include "sync/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "doc/json.h"
#include "doc/object.h"
#include "sync/order.h"
#include "sync/owner.h"

#define DUPLICATE_TEXT_MAX ((size_t)16 << 10)

/* What only a server writes into metadata. Exported manifests carry it, and sending it back does harm: a resourceVersion makes
 * the write conditional, a uid or managedFields make it fail. */
static const char *const server_metadata[] = { "managedFields",
                                               "resourceVersion",
                                               "uid",
                                               "selfLink",
                                               "generation",
                                               "creationTimestamp",
                                               "deletionTimestamp",
                                               "deletionGracePeriodSeconds" };

static bool is_in(const char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static bool is_group(const char *api_version, const char *group)
{
    size_t len = strlen(group);
    return strncmp(api_version, group, len) == 0 && api_version[len] == '/';
}

bool resolve_is_allowed(const char *const *allowed_ns, const char *api_version, const char *kind,
                        const char *ns, const char *name)
{
    if (!allowed_ns || !*allowed_ns)
        return true;
    if (*ns)
        return is_in(allowed_ns, ns);
    bool is_namespace = strcmp(api_version, "v1") == 0 && strcmp(kind, "Namespace") == 0;
    return !is_namespace || is_in(allowed_ns, name);
}

const char *resolve_scale_target(struct arena *mem, const struct val *object, const char *ns)
{
    const char *api_version = object_api_version(object), *kind = object_kind(object);
    const struct val *ref = VAL_PATH(object, "spec", "scaleTargetRef");
    const char *name = val_text(val_get(ref, "name"));
    const char *target = val_text(val_get(ref, "kind"));
    bool is_hpa =
        is_group(api_version, "autoscaling") && strcmp(kind, "HorizontalPodAutoscaler") == 0;
    /* KEDA makes the autoscaler itself, of the same name of target; the kind may be left out. */
    bool is_keda = is_group(api_version, "keda.sh") && strcmp(kind, "ScaledObject") == 0;
    if (is_keda && !target)
        target = "Deployment";
    if ((!is_hpa && !is_keda) || !name || !target)
        return NULL;
    return object_id(mem, ns, target, name);
}

/* -- the body ------------------------------------------------------------------------------- */

static void drop_server_fields(struct val *object)
{
    struct val *metadata = val_get(object, "metadata");
    val_remove(object, "status");
    for (size_t i = 0; i < ARRAY_LEN(server_metadata); i++)
        val_remove(metadata, server_metadata[i]);
    struct val *annotations = val_get(metadata, "annotations");
    if (val_is_map(annotations))
        val_remove(annotations, "kubectl.kubernetes.io/last-applied-configuration");
    val_drop_nulls(object);
}

/* The value that is there already, or the one now put there. */
static const char *add_text(struct arena *mem, struct val *metadata, const char *map_key,
                            const char *key, const char *value)
{
    struct val *map = val_need_map(mem, metadata, map_key);
    ASSERT(map); /* manifest_parse lets no other type through */
    const char *there = val_text(val_get(map, key));
    if (there)
        return there;
    val_set_text(mem, map, key, value);
    return value;
}

/* stringData is write-only: the server moves it into data, and our entry in managedFields would go on naming fields that are
 * not there, so that nobody's change of the real ones could be seen. */
static void settle_secret(struct arena *mem, struct val *object)
{
    const struct val *texts = val_get(object, "stringData");
    if (strcmp(object_api_version(object), "v1") != 0 ||
        strcmp(object_kind(object), "Secret") != 0 || !val_is_map(texts))
        return;
    for (size_t i = 0; i < texts->len; i++)
        if (!val_text(texts->pairs[i].value))
            return; /* the server says what is wrong with it */
    struct val *data = val_need_map(mem, object, "data");
    if (!data)
        return;
    for (size_t i = 0; i < texts->len; i++) {
        const struct val *text = texts->pairs[i].value;
        val_set_text(mem, data, texts->pairs[i].key, hash_base64(mem, text->text, text->len));
    }
    val_remove(object, "stringData");
}

static void write_body(struct arena *mem, struct val *object, struct resolved *out)
{
    SBUF(text, RESOLVE_BODY_MAX);
    val_format_json(object, &text);
    const char *body;
    size_t len;
    struct err *e = sbuf_finish(&text, mem, &body, &len);
    if (e) {
        err_free(e);
        out->verdict = RESOLVE_TOO_LARGE;
        out->reason = "the object is larger than 3 MiB, which no API server takes";
        return;
    }
    out->body = body;
    out->body_len = len;
    hash_fingerprint(body, len, out->print);
}

static void make_body(struct arena *mem, const struct resolve_settings *settings,
                      struct resolved *out)
{
    struct val *object = val_copy(mem, out->manifest->object);
    struct val *metadata = val_get(object, "metadata");
    drop_server_fields(object);
    settle_secret(mem, object);
    if (out->is_cluster_scoped)
        val_remove(metadata, "namespace");
    else
        val_set_text(mem, metadata, "namespace", out->ns);
    out->mark =
        add_text(mem, metadata, "labels", MARK_LABEL, mark_of(mem, settings->set_name, out->id));
    out->checksum = add_text(mem, metadata, "annotations", MARK_CHECKSUM,
                             mark_checksum(mem, out->manifest->object));
    if (out->verdict == RESOLVE_APPLY)
        write_body(mem, object, out);
}

/* -- the manifest --------------------------------------------------------------------------- */

static void judge(const struct resolve_settings *settings, enum resolve_scope scope,
                  struct resolved *out)
{
    out->verdict = RESOLVE_APPLY;
    out->reason = "";
    if (out->ignore == MARK_IGNORE_YES) {
        out->verdict = RESOLVE_IGNORED;
        out->reason = "not applying resource; ignore annotation in file";
    } else if (scope == RESOLVE_UNKNOWN) {
        out->verdict = RESOLVE_NO_SCOPE;
        out->reason = "the cluster does not know this kind, and the repository does not define it";
    } else if (!resolve_is_allowed(settings->allowed_ns, out->api_version, out->kind, out->ns,
                                   out->name)) {
        out->verdict = RESOLVE_EXCLUDED;
        out->reason = "not applying resource; excluded by namespace constraints";
    }
}

void resolve_manifest(struct arena *mem, const struct manifest *manifest, enum resolve_scope scope,
                      const struct resolve_settings *settings, struct resolved *out)
{
    bool is_cluster_scoped = scope == RESOLVE_CLUSTER;
    const char *ns = is_cluster_scoped ? "" : *manifest->ns ? manifest->ns : settings->default_ns;
    *out = (struct resolved){
        .manifest = manifest,
        .id = object_id(mem, ns, manifest->kind, manifest->name),
        .api_version = manifest->api_version,
        .kind = manifest->kind,
        .ns = ns,
        .name = manifest->name,
        .rank = order_rank(manifest->kind),
        .is_cluster_scoped = is_cluster_scoped,
        .ignore = mark_ignore(manifest->object),
        .scale_target = resolve_scale_target(mem, manifest->object, ns),
    };
    if (scope == RESOLVE_UNKNOWN)
        out->other_id = object_id(mem, "", manifest->kind, manifest->name);
    judge(settings, scope, out);
    make_body(mem, settings, out);
}

static struct val *parse_body(struct arena *mem, const char *body)
{
    struct val *object = NULL;
    struct err *e = doc_json_parse(mem, body, strlen(body), &object);
    ASSERT(!e && "a body of our own making");
    return object;
}

/* What is absent there becomes absent here. */
static void keep(struct arena *mem, struct val *to, const struct val *from, const char *key)
{
    const struct val *value = val_get(from, key);
    if (value)
        val_set(mem, to, key, val_copy(mem, value));
    else
        val_remove(to, key);
}

const char *resolve_keep_live(struct arena *mem, const char *body, const struct val *live,
                              unsigned owned)
{
    struct val *object = parse_body(mem, body);
    if (owned & OWNER_ROUTES) {
        keep(mem, object, live, "spec");
    } else if (owned & OWNER_SELECTOR) {
        struct val *spec = val_need_map(mem, object, "spec");
        if (spec) {
            keep(mem, spec, val_get(live, "spec"), "selector");
            keep(mem, spec, val_get(live, "spec"), "ports");
        }
    } else if (owned & OWNER_REPLICAS) {
        struct val *spec = val_need_map(mem, object, "spec");
        if (spec)
            keep(mem, spec, val_get(live, "spec"), "replicas");
    }
    return val_json(mem, object, NULL);
}

const char *resolve_drop_replicas(struct arena *mem, const char *body)
{
    struct val *object = parse_body(mem, body);
    val_remove(val_get(object, "spec"), "replicas");
    return val_json(mem, object, NULL);
}

/* -- duplicates ----------------------------------------------------------------------------- */

static int by_origin(const void *a, const void *b)
{
    const struct manifest_source *x = a, *y = b;
    if (x->is_generated != y->is_generated)
        return x->is_generated ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* duplicate definition of 'id' (generated by a and by b and in c and d) */
const char *resolve_duplicate_text(struct arena *mem, const char *id,
                                   struct manifest_source *claims, size_t count)
{
    SBUF(text, DUPLICATE_TEXT_MAX);
    qsort(claims, count, sizeof(*claims), by_origin);
    sbuf_addf(&text, "duplicate definition of '%s' (%s", id,
              claims[0].is_generated ? "generated by " : "in ");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_origin(&claims[i - 1], &claims[i]) == 0)
            continue;
        if (i > 0)
            sbuf_add(&text, " and ");
        if (i > 0 && claims[i - 1].is_generated)
            sbuf_add(&text, claims[i].is_generated ? "by " : "in ");
        sbuf_add(&text, claims[i].path);
    }
    sbuf_add(&text, ")");
    return arena_strdup(mem, sbuf_text(&text));
}

static struct manifest_source source_of(const struct resolved *object)
{
    return (struct manifest_source){ .path = object->manifest->path,
                                     .is_generated = object->manifest->is_generated };
}

static void reject(struct arena *mem, struct resolved *object, const char *text,
                   struct manifest_problems *problems)
{
    if (object->verdict == RESOLVE_DUPLICATE)
        return; /* said already, of this object and another rival */
    object->verdict = RESOLVE_DUPLICATE;
    object->reason = text;
    object->body = NULL;
    object->body_len = 0;
    struct manifest_problem where = { .path = object->manifest->path,
                                      .line = object->manifest->line,
                                      .column = object->manifest->column,
                                      .severity = MANIFEST_ERROR };
    manifest_report(mem, problems, &where, "%s", text);
}

bool resolve_duplicates(struct arena *mem, struct resolved *list, size_t count,
                        struct manifest_problems *problems)
{
    bool found = false;
    SCOPED(map_free) struct map *first_of = map_new(NULL);
    for (size_t i = 0; i < count; i++) {
        struct resolved *first = map_get(first_of, list[i].id);
        if (!first) {
            map_set(first_of, list[i].id, &list[i]);
            continue;
        }
        found = true;
        struct manifest_source claims[] = { source_of(first), source_of(&list[i]) };
        const char *text = resolve_duplicate_text(mem, first->id, claims, ARRAY_LEN(claims));
        reject(mem, first, text, problems);
        reject(mem, &list[i], text, problems);
    }
    return found;
}

/* -- kinds that the repository defines ------------------------------------------------------ */

static void read_versions(struct arena *mem, const struct val *spec, struct resolve_crd *crd)
{
    VEC(const char *) names = { 0 };
    const struct val *versions = val_get(spec, "versions");
    for (size_t i = 0; i < val_len(versions); i++) {
        const char *name = val_text(val_get(val_item(versions, i), "name"));
        if (name)
            *vec_push(mem, &names) = name;
    }
    const char *single = val_text(val_get(spec, "version")); /* of v1beta1 */
    if (single)
        *vec_push(mem, &names) = single;
    crd->versions = names.at;
    crd->version_count = names.len;
}

void resolve_find_crds(struct arena *mem, const struct manifest *manifests, size_t count,
                       struct resolve_crds *out)
{
    for (size_t i = 0; i < count; i++) {
        if (order_wait(manifests[i].api_version, manifests[i].kind) != ORDER_WAIT_CRD)
            continue;
        const struct val *spec = val_get(manifests[i].object, "spec");
        const char *scope = val_text(val_get(spec, "scope"));
        struct resolve_crd crd = { .manifest = &manifests[i],
                                   .group = val_text(val_get(spec, "group")),
                                   .kind = val_text(VAL_PATH(spec, "names", "kind")),
                                   .plural = val_text(VAL_PATH(spec, "names", "plural")),
                                   .scope = scope && strcmp(scope, "Cluster") == 0
                                                ? RESOLVE_CLUSTER
                                                : RESOLVE_NAMESPACED };
        read_versions(mem, spec, &crd);
        if (crd.group && crd.kind && crd.plural)
            *vec_push(mem, out) = crd;
    }
}

const struct resolve_crd *resolve_crd_of(const struct resolve_crds *crds, const char *api_version,
                                         const char *kind)
{
    for (size_t i = 0; i < crds->len; i++) {
        const struct resolve_crd *crd = &crds->at[i];
        if (strcmp(crd->kind, kind) != 0 || !is_group(api_version, crd->group))
            continue;
        const char *version = api_version + strlen(crd->group) + 1;
        for (size_t j = 0; j < crd->version_count; j++)
            if (strcmp(crd->versions[j], version) == 0)
                return crd;
    }
    return NULL;
}
