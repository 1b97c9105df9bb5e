/* Saves what runs as manifests. What comes is taken apart at its document markers, so that one document is in memory at a time. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "cmd/client.h"
#include "doc/object.h"
#include "doc/yaml.h"

#define DOCUMENT_MAX_BYTES ((size_t)16 << 20)
#define FOLDER_MODE        0777
#define FILE_MODE          0666
#define MARKER             "---"
#define MARKER_BYTES       (sizeof(MARKER) - 1)

/* clang-format off */
static const struct flags_spec own[] = {
    { .name = "out", .type = FLAGS_TEXT, .shorthand = 'o', .initial = "-",
      .usage = "`directory` to write the manifests to, one file each; - is standard output" },
};
/* clang-format on */

/* -- one document ------------------------------------------------------------------------------- */

static void keep(struct arena *mem, struct val *to, const struct val *from, const char *key)
{
    struct val *value = val_get(from, key);
    if (value)
        val_set(mem, to, key, value);
}

static bool is_empty(const struct val *value)
{
    return val_is_null(value) || ((val_is_map(value) || val_is_list(value)) && !val_len(value));
}

/* Fields that mean something by being there: any volume, any pod. */
static bool says_something_empty(const char *key)
{
    size_t len = strlen(key);
    return !strcmp(key, "emptyDir") || (len >= 7 && !strcmp(key + len - 7, "elector"));
}

/* A list or map of the spec whose items may turn out to be empty, with the place to go on from. */
struct level {
    struct val *of;
    size_t next;
};

static struct val *child(const struct level *level, const char **key)
{
    *key = NULL;
    if (val_is_list(level->of))
        return level->of->items[level->next];
    *key = level->of->pairs[level->next].key;
    return level->of->pairs[level->next].value;
}

/* Goes on after the child that was looked through: it may be empty now. */
static void leave(struct level *level)
{
    const char *key;
    struct val *value = child(level, &key);
    if (key && is_empty(value) && !says_something_empty(key))
        val_remove(level->of, key);
    else
        level->next++;
}

/* Values that are empty once what is empty in them is gone are gone, too; items of lists stay, for their places count. */
static void drop_empty(struct val *spec)
{
    struct level levels[VAL_DEPTH_MAX] = { { .of = spec } };
    size_t depth = 1;
    while (depth) {
        struct level *top = &levels[depth - 1];
        const char *key;
        if (top->next == val_len(top->of)) {
            depth--;
            if (depth)
                leave(&levels[depth - 1]);
            continue;
        }
        struct val *value = child(top, &key);
        if (key && is_empty(value) && !says_something_empty(key))
            val_remove(top->of, key);
        else if (val_len(value) && depth < ARRAY_LEN(levels))
            levels[depth++] = (struct level){ .of = value };
        else
            top->next++;
    }
}

static struct val *kept_meta(struct arena *mem, const struct val *object)
{
    static const char *const kept[] = { "annotations", "labels", "name", "namespace" };
    static const char *const dropped[] = { "deployment.kubernetes.io/revision",
                                           "kubectl.kubernetes.io/last-applied-configuration",
                                           "kubernetes.io/change-cause" };
    struct val *meta = val_new_map(mem);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        keep(mem, meta, val_get(object, "metadata"), kept[i]);
    struct val *annotations = val_get(meta, "annotations");
    for (size_t i = 0; val_is_map(annotations) && i < ARRAY_LEN(dropped); i++)
        val_remove(annotations, dropped[i]);
    if (is_empty(annotations))
        val_remove(meta, "annotations");
    return meta;
}

/* What a repository would declare of the object. */
static struct val *manifest_of(struct arena *mem, const struct val *object)
{
    struct val *manifest = val_new_map(mem);
    keep(mem, manifest, object, "apiVersion");
    keep(mem, manifest, object, "kind");
    val_set(mem, manifest, "metadata", kept_meta(mem, object));
    struct val *spec = val_get(object, "spec");
    if (!val_is_map(spec))
        return manifest;
    struct val *meta = VAL_PATH(spec, "template", "metadata");
    if (val_is_map(meta))
        val_remove(meta, "creationTimestamp");
    drop_empty(spec);
    val_set(mem, manifest, "spec", spec);
    return manifest;
}

/* -- where it goes ------------------------------------------------------------------------------- */

/* The names become a path: what a server would not take as a name is not taken for one here. */
static bool is_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

static struct err *file_of(struct arena *mem, const char *folder, const struct val *object,
                           const char **out)
{
    const char *ns = object_namespace(object), *name = object_name(object);
    const char *kind = object_kind(object);
    if (!is_name(name) || !is_name(kind) || (*ns && !is_name(ns)))
        return err_new(ERR_INVALID,
                       "the daemon's export has an object whose name is none: %.100s %.100s/%.100s",
                       kind, ns, name);
    if (!*ns && !strcmp(kind, "Namespace")) {
        *out = arena_printf(mem, "%s/%s-ns.yaml", folder, name);
        return NULL;
    }
    const char *within = *ns ? arena_printf(mem, "%s/%s", folder, ns) : folder;
    if (mkdir(within, FOLDER_MODE) && errno != EEXIST)
        return err_errno(ERR_DENIED, errno, "make directory %s", within);
    *out =
        arena_printf(mem, "%s/%s-%s.yaml", within, name, strcmp(kind, "Deployment") ? kind : "dep");
    return NULL;
}

static struct err *write_file(const char *path, const struct sbuf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        struct err *e = err_errno(ERR_DENIED, errno, "write %s", path);
        if (fd >= 0)
            close(fd);
        return e;
    }
    bool is_written = fwrite(sbuf_text(text), 1, text->len, file) == text->len;
    bool is_closed = fclose(file) == 0;
    return is_written && is_closed ? NULL : err_errno(ERR_TRANSIENT, errno, "write %s", path);
}

static struct err *save_object(struct command_call *call, struct arena *mem,
                               const struct val *object)
{
    const char *folder = flags_text(call->flags, "out"), *path = NULL;
    SBUF(text, DOCUMENT_MAX_BYTES);
    sbuf_add(&text, MARKER "\n");
    doc_yaml_emit(manifest_of(mem, object), &text);
    if (text.is_over)
        return err_new(ERR_LIMIT, "%s is over %zu MiB", object_name(object),
                       DOCUMENT_MAX_BYTES >> 20);
    if (!strcmp(folder, "-")) {
        (void)fputs(sbuf_text(&text), call->out);
        return NULL;
    }
    TRY(file_of(mem, folder, object, &path));
    ASSERT(path);
    command_print(call, "Saving %s '%s' to %s\n", object_kind(object), object_name(object), path);
    return write_file(path, &text);
}

/* -- all of them --------------------------------------------------------------------------------- */

/* Bytes up to the next line that begins with the marker, which no text of a document can. */
static size_t document_len(const char *text, size_t len)
{
    const char *next = len ? memmem(text + 1, len - 1, "\n" MARKER, MARKER_BYTES + 1) : NULL;
    return next ? (size_t)(next + 1 - text) : len;
}

static struct err *save_document(struct command_call *call, struct arena *mem, const char *text,
                                 size_t len)
{
    struct doc_yaml_list documents = { 0 };
    struct doc_pos at;
    TRY(err_wrap(doc_yaml_load(mem, text, len, &doc_yaml_default_limits, &documents, &at),
                 "the daemon's export is not what it should be"));
    for (size_t i = 0; i < documents.len; i++) {
        if (documents.at[i].root)
            TRY(save_object(call, mem, documents.at[i].root));
    }
    return NULL;
}

static struct err *save_all(struct command_call *call, const char *text, size_t len)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    while (len) {
        size_t one = document_len(text, len);
        arena_reset(mem);
        TRY(save_document(call, mem, text, one));
        text += one;
        len -= one;
    }
    return NULL;
}

static struct err *check_folder(const char *folder)
{
    struct stat found;
    if (!strcmp(folder, "-"))
        return NULL;
    if (stat(folder, &found))
        return err_new(ERR_INVALID, "stat %s: %s", folder,
                       errno == ENOENT ? "no such file or directory" : strerrordesc_np(errno));
    return S_ISDIR(found.st_mode) ? NULL
                                  : err_new(ERR_INVALID, "path %s is not a directory", folder);
}

static struct err *run(struct command_call *call, int *status)
{
    *status = COMMAND_YES;
    TRY(command_no_args(call));
    TRY(check_folder(flags_text(call->flags, "out")));
    SCOPED(client_free) struct client *client = NULL;
    const struct val *answer = NULL;
    unsigned char *yaml = NULL;
    size_t len = 0;
    TRY(client_new(call, &client));
    TRY(err_wrap(client_get(client, "v6/export", &answer), "exporting config"));
    const char *text = val_text_or(answer, "");
    TRY(err_wrap(hash_base64_parse(call->mem, text, strlen(text), &yaml, &len),
                 "the daemon's export is not what it should be"));
    return save_all(call, (const char *)yaml, len);
}

const struct command cmd_save = {
    .name = "save",
    .summary = "Save the namespaces and workloads of the cluster as manifests",
    .about = "Writes what runs as manifests, to begin a repository with: namespaces and workloads "
             "without\n"
             "what the cluster keeps in them for itself. Look at them before they are committed.",
    .examples = "  serin save > cluster.yaml\n  serin save --out manifests",
    .faces = COMMAND_SERIN | COMMAND_FLUXCTL,
    .asks = COMMAND_ASKS_DAEMON | COMMAND_ASKS_CLUSTER,
    .flags = { .at = own, .len = ARRAY_LEN(own) },
    .run = run,
};
