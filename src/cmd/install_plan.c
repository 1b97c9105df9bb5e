#include "cmd/install_plan.h"

#include <string.h>

#include "doc/object.h"
#include "doc/yaml.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define OWN_NAME       "serin"
#define FLUX_NAME      "flux"
#define FLUX_READY     "/api/flux/v6/identity.pub"
#define ENFORCE_LABEL  "pod-security.kubernetes.io/enforce"

/* Which file an object goes to; those of several kinds stand in one. */
static const struct place {
    const char *kind, *file;
    bool is_own; /* not where Flux was asked for */
} places[] = {
    { "Namespace", "namespace", true },  { "ServiceAccount", "account", false },
    { "ClusterRole", "account", false }, { "ClusterRoleBinding", "account", false },
    { "Secret", "secret", false },       { "Deployment", "deployment", false },
    { "Service", "service", true },
};

static const struct place *place_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!strcmp(places[i].kind, kind))
            return &places[i];
    }
    return NULL;
}

static bool is_text(const struct val *value, const char *text)
{
    return !strcmp(val_text_or(value, ""), text);
}

/* -- names -------------------------------------------------------------------------------------- */

/* app: serin is the label; Flux's is name: flux. */
static void rename_label(struct arena *mem, struct val *labels)
{
    if (is_text(val_get(labels, "app"), OWN_NAME)) {
        val_remove(labels, "app");
        val_set_text(mem, labels, "name", FLUX_NAME);
    }
}

static void set_text_if(struct arena *mem, struct val *map, const char *key, const char *was,
                        const char *now)
{
    if (is_text(val_get(map, key), was))
        val_set_text(mem, map, key, now);
}

static void rename_object(struct arena *mem, struct val *object)
{
    struct val *spec = val_get(object, "spec");
    struct val *pod = VAL_PATH(spec, "template", "spec");
    set_text_if(mem, val_get(object, "metadata"), "name", OWN_NAME, FLUX_NAME);
    rename_label(mem, VAL_PATH(object, "metadata", "labels"));
    rename_label(mem, VAL_PATH(spec, "selector", "matchLabels"));
    rename_label(mem, VAL_PATH(spec, "template", "metadata", "labels"));
    set_text_if(mem, pod, "serviceAccountName", OWN_NAME, FLUX_NAME);
    set_text_if(mem, val_get(object, "roleRef"), "name", OWN_NAME, FLUX_NAME);
    set_text_if(mem, val_item(val_get(object, "subjects"), 0), "name", OWN_NAME, FLUX_NAME);
    set_text_if(mem, val_item(val_get(pod, "containers"), 0), "name", OWN_NAME, FLUX_NAME);
}

static void set_namespace(struct arena *mem, struct val *object, const char *ns)
{
    struct val *meta = val_get(object, "metadata");
    if (val_get(meta, "namespace"))
        val_set_text(mem, meta, "namespace", ns);
    if (!strcmp(object_kind(object), "Namespace"))
        val_set_text(mem, meta, "name", ns);
    struct val *subject = val_item(val_get(object, "subjects"), 0);
    if (subject)
        val_set_text(mem, subject, "namespace", ns);
}

/* -- the container ------------------------------------------------------------------------------- */

/* "--git-url" of "--git-url=x". */
static bool is_same_flag(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return len == strcspn(b, "=") && !memcmp(a, b, len);
}

static void place_arg(struct arena *mem, struct val *args, const char *arg)
{
    for (size_t i = 0; i < val_len(args); i++) {
        if (is_same_flag(val_text_or(args->items[i], ""), arg)) {
            args->items[i] = val_new_text(mem, arg);
            return;
        }
    }
    val_append(mem, args, val_new_text(mem, arg));
}

/* Flux is ready before the git host knows its key, and those who install it wait for that before they ask for the key. */
static void be_ready_early(struct arena *mem, const struct val *container)
{
    struct val *probe = VAL_PATH(container, "readinessProbe", "httpGet");
    if (val_is_map(probe))
        val_set_text(mem, probe, "path", FLUX_READY);
}

static void set_up_pod(struct arena *mem, struct val *object, const struct install_opts *opts)
{
    struct val *pod = VAL_PATH(object, "spec", "template", "spec");
    struct val *container = val_item(val_get(pod, "containers"), 0);
    if (!container)
        return;
    for (size_t i = 0; opts->more && opts->more[i]; i++)
        place_arg(mem, val_get(container, "args"), opts->more[i]);
    if (opts->as_flux)
        be_ready_early(mem, container);
    if (*opts->image)
        val_set_text(mem, container, "image", opts->image);
    if (opts->lacks_security_context) {
        val_remove(pod, "securityContext");
        val_remove(container, "securityContext");
    }
}

static void change(struct arena *mem, struct val *object, const struct install_opts *opts)
{
    set_namespace(mem, object, opts->ns);
    if (opts->as_flux)
        rename_object(mem, object);
    if (!strcmp(object_kind(object), "Deployment"))
        set_up_pod(mem, object, opts);
    struct val *labels = VAL_PATH(object, "metadata", "labels");
    if (opts->lacks_security_context && val_is_map(labels))
        val_remove(labels, ENFORCE_LABEL); /* it would refuse the pod */
}

/* -- the files ----------------------------------------------------------------------------------- */

static struct install_file *file_of(struct arena *mem, const char *name,
                                    struct install_file out[INSTALL_FILES_MAX], size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (!strcmp(out[i].name, name))
            return &out[i];
    }
    ASSERT(*count < INSTALL_FILES_MAX);
    out[*count] = (struct install_file){ .name = arena_strdup(mem, name), .text = "" };
    return &out[(*count)++];
}

static struct err *add_document(struct arena *mem, struct install_file *file,
                                const struct val *object)
{
    SBUF(text, FILE_MAX_BYTES);
    sbuf_add(&text, file->text);
    sbuf_add(&text, "---\n");
    doc_yaml_emit(object, &text);
    return sbuf_finish(&text, mem, &file->text, NULL);
}

struct err *install_plan(struct arena *mem, const struct install_opts *opts,
                         struct install_file out[INSTALL_FILES_MAX], size_t *count)
{
    struct doc_yaml_list documents = { 0 };
    struct doc_pos at;
    *count = 0;
    TRY(doc_yaml_load(mem, install_plan_manifests, install_plan_manifests_len,
                      &doc_yaml_default_limits, &documents, &at));
    for (size_t i = 0; i < documents.len; i++) {
        struct val *object = documents.at[i].root;
        if (!object)
            continue;
        const struct place *place = place_of(object_kind(object));
        ASSERT(place); /* deploy/sync.yaml has no others: tests/cmd/test_install.c */
        if (place->is_own && opts->as_flux)
            continue;
        change(mem, object, opts);
        const char *name =
            arena_printf(mem, "%s-%s.yaml", opts->as_flux ? FLUX_NAME : OWN_NAME, place->file);
        TRY(add_document(mem, file_of(mem, name, out, count), object));
    }
    return NULL;
}
