#include "kube/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "doc/json.h"
#include "doc/object.h"

#define TAKEOVER_TRIES 5

/* -- errors -------------------------------------------------------------------------------------------------------- */

/* Some servers quote the value that does not fit: "expected string, got &value.valueUnstructured{Value:1}", "error found in
 * #10 byte of ...|". For a Secret everything from there on is dropped. */
static struct err *without_data(struct err *e)
{
    static const char *const starts[] = { ", got ", "error found in #", "bigger context" };
    const char *text = err_text(e), *cut = NULL;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        const char *at = strstr(text, starts[i]);
        if (at && (!cut || at < cut))
            cut = at;
    }
    if (!cut)
        return e;
    struct err *clean = err_new(err_kind(e), "%.*s (the rest is withheld: it may quote the Secret)",
                                (int)(cut - text), text);
    clean = err_with_retry_after(clean, err_retry_after_ms(e));
    err_free(e);
    return clean;
}

static bool is_secret(const struct kube_resource *resource)
{
    return !*resource->group && !strcmp(resource->kind, "Secret");
}

/* A 404 about namespaces is about the object itself when that is a namespace. */
static enum kube_refusal refusal_of(enum kube_refusal refusal, bool is_about_namespaces)
{
    return refusal == KUBE_REFUSED_NAMESPACE_MISSING && is_about_namespaces
               ? KUBE_REFUSED_OBJECT_MISSING
               : refusal;
}

static bool is_namespace(const struct kube_resource *resource)
{
    return !*resource->group && !strcmp(resource->plural, "namespaces");
}

/* -- one apply ----------------------------------------------------------------------------------------------------- */

struct apply {
    kube_apply_done done;
    void *ctx;
    bool is_secret, is_namespace;
};

static void on_applied(void *ctx, const struct kube_result *answer)
{
    struct apply apply = *(struct apply *)ctx;
    free(ctx);
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(err_free) struct err *e = err_copy(answer->err);
    struct kube_apply_result result = { .refusal = answer->refusal, .warning = answer->warning };
    struct val *object = NULL;
    if (e) {
        result.refusal = refusal_of(answer->refusal, apply.is_namespace);
        e = apply.is_secret ? without_data(STEAL(e)) : STEAL(e);
    } else {
        result.was_created = answer->status == 201;
        e = err_wrap(doc_json_parse(mem, answer->body, answer->body_len, &object),
                     "the API server's answer");
    }
    result.err = e;
    result.object = e ? NULL : object;
    apply.done(apply.ctx, &result);
}

static const char *apply_query(struct arena *mem, const struct kube_apply_opts *opts)
{
    SBUF(query, SBUF_MAX);
    sbuf_add(&query, "fieldManager=");
    sbuf_add_url(&query, opts->field_manager ? opts->field_manager : KUBE_FIELD_MANAGER);
    sbuf_add(&query, opts->no_force ? "&force=false" : "&force=true");
    sbuf_add(&query, opts->dry_run ? "&dryRun=All" : "");
    return arena_strndup(mem, sbuf_text(&query), query.len);
}

ticket kube_apply_start(struct kube *kube, const struct kube_resource *resource, const char *ns,
                        const char *name, const char *json, const struct kube_apply_opts *opts,
                        kube_apply_done done, void *ctx)
{
    static const struct kube_apply_opts none = { 0 };
    opts = opts ? opts : &none;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct apply *apply = base_alloc(sizeof(*apply));
    *apply = (struct apply){ .done = done,
                             .ctx = ctx,
                             .is_secret = is_secret(resource),
                             .is_namespace = is_namespace(resource) };
    struct kube_request request = {
        .method = "PATCH",
        .path = kube_path(mem, resource, ns, name, NULL),
        .query = apply_query(mem, opts),
        .content_type = "application/apply-patch+yaml",
        .body = json,
        .body_len = strlen(json),
        .accept = opts->wants_full ? KUBE_FULL : KUBE_METADATA,
        .timeout_ms = opts->timeout_ms,
        .on_cancel = free,
    };
    return kube_start(kube, &request, on_applied, apply);
}

/* -- taking over --------------------------------------------------------------------------------------------------- */

struct takeover {
    struct kube *kube;
    ticket id;
    char *path, *patch;
    size_t patch_len;
    int tries;
    kube_apply_done done;
    void *ctx;
};

static void takeover_free(void *ctx)
{
    struct takeover *takeover = ctx;
    free(takeover->path);
    free(takeover->patch);
    free(takeover);
}

static void takeover_end(struct takeover *takeover, const struct kube_apply_result *result)
{
    kube_apply_done done = takeover->done;
    void *ctx = takeover->ctx;
    takeover_free(takeover);
    done(ctx, result);
}

static void takeover_fail(struct takeover *takeover, struct err *e, enum kube_refusal refusal)
{
    SCOPED(err_free) struct err *owned = err_wrap(e, "take over its managedFields");
    takeover_end(takeover, &(struct kube_apply_result){ .err = owned, .refusal = refusal });
}

static void on_taken(void *ctx, const struct kube_result *answer);
static void on_read_again(void *ctx, const struct kube_result *answer);

static void send_patch(struct takeover *takeover)
{
    struct kube_request request = {
        .method = "PATCH",
        .path = takeover->path,
        .query = "fieldManager=" KUBE_FIELD_MANAGER,
        .content_type = "application/json-patch+json",
        .body = takeover->patch,
        .body_len = takeover->patch_len,
        .accept = KUBE_METADATA,
        .on_cancel = takeover_free,
    };
    takeover->tries++;
    kube_go_on(takeover->kube, takeover->id, &request, on_taken, takeover);
}

static void read_again(struct takeover *takeover)
{
    struct kube_request request = {
        .method = "GET",
        .path = takeover->path,
        .accept = KUBE_METADATA,
        .on_cancel = takeover_free,
    };
    kube_go_on(takeover->kube, takeover->id, &request, on_read_again, takeover);
}

/* The patch for what was read; false when there is nothing to take over. */
static bool plan(struct takeover *takeover, struct arena *mem, const struct val *object)
{
    size_t len = 0;
    const char *patch = kube_apply_takeover_patch(mem, object, KUBE_FIELD_MANAGER, &len);
    free(takeover->patch);
    takeover->patch = base_copy_text(patch);
    takeover->patch_len = len;
    return patch != NULL;
}

/* Gone in the meantime: whoever applies next makes it anew, all of it ours. */
static bool is_gone(const struct kube_result *answer)
{
    return answer->err && (answer->refusal == KUBE_REFUSED_OBJECT_MISSING ||
                           answer->refusal == KUBE_REFUSED_NAMESPACE_MISSING);
}

static void on_taken(void *ctx, const struct kube_result *answer)
{
    struct takeover *takeover = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    if (is_gone(answer)) {
        takeover_end(takeover, &(struct kube_apply_result){ .err = NULL });
    } else if (answer->err && answer->refusal == KUBE_REFUSED_CONFLICT &&
               takeover->tries < TAKEOVER_TRIES) {
        read_again(takeover);
    } else if (answer->err) {
        takeover_fail(takeover, err_copy(answer->err), answer->refusal);
    } else {
        err_free(doc_json_parse(mem, answer->body, answer->body_len, &object));
        takeover_end(takeover, &(struct kube_apply_result){ .object = object });
    }
}

static void on_read_again(void *ctx, const struct kube_result *answer)
{
    struct takeover *takeover = ctx;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    struct err *e = is_gone(answer) ? NULL : err_copy(answer->err);
    if (!e && !answer->err)
        e = doc_json_parse(mem, answer->body, answer->body_len, &object);
    if (e)
        takeover_fail(takeover, e, answer->refusal);
    else if (plan(takeover, mem, object))
        send_patch(takeover);
    else
        takeover_end(takeover, &(struct kube_apply_result){ .object = object });
}

static void on_takeover_begun(void *ctx, const struct kube_result *answer)
{
    (void)answer;
    struct takeover *takeover = ctx;
    if (takeover->patch)
        send_patch(takeover);
    else
        takeover_end(takeover, &(struct kube_apply_result){ .err = NULL });
}

ticket kube_takeover_start(struct kube *kube, const struct kube_resource *resource,
                           const struct val *object, kube_apply_done done, void *ctx)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct takeover *takeover = base_alloc(sizeof(*takeover));
    *takeover = (struct takeover){ .kube = kube, .done = done, .ctx = ctx };
    takeover->path = base_copy_text(
        kube_path(mem, resource, object_namespace(object), object_name(object), NULL));
    (void)plan(takeover, mem, object);
    struct kube_request none = { .on_cancel = takeover_free };
    takeover->id = kube_start(kube, &none, on_takeover_begun, takeover);
    return takeover->id;
}
