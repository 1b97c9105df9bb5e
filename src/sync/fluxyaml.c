#include "sync/fluxyaml.h"

#include <string.h>

#include "base/duration.h"
#include "base/sbuf.h"
#include "base/vec.h"
#include "doc/yaml.h"

enum { SECOND_MS = 1000, COMMANDS_MAX = 100 };

static const struct doc_yaml_limits limits = { .bytes = (size_t)1 << 20,
                                               .scalar = (size_t)256 << 10,
                                               .nodes = 10000,
                                               .depth = 16,
                                               .documents = 2 };

/* Problems of one file, worded as the JSON schema validator that Flux uses words them: place: what. */
struct checker {
    struct arena *mem;
    struct sbuf *problems;
};

static void object_to(struct checker *checker, const char *place, const char *fmt, ...)
    PRINTF(3, 4);
static void object_to(struct checker *checker, const char *place, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    sbuf_addf(checker->problems, "\n%s: %s", place, arena_vprintf(checker->mem, fmt, args));
    va_end(args);
}

static const char *json_type(const struct val *v)
{
    if (!v)
        return "null";
    switch (v->type) {
    case VAL_NULL: return "null";
    case VAL_BOOL: return "boolean";
    case VAL_NUMBER: return strpbrk(v->text, ".eE") ? "number" : "integer";
    case VAL_STRING: return "string";
    case VAL_LIST: return "array";
    case VAL_MAP: return "object";
    }
    return "";
}

static bool has_type(struct checker *checker, const char *place, const struct val *v,
                     enum val_type type)
{
    struct val wanted = { .type = type };
    if (v && v->type == type)
        return true;
    object_to(checker, place, "Invalid type. Expected: %s, given: %s", json_type(&wanted),
              json_type(v));
    return false;
}

static void check_keys(struct checker *checker, const char *place, const struct val *map,
                       const char *const *known)
{
    for (size_t i = 0; i < map->len; i++) {
        bool is_known = false;
        for (size_t j = 0; known[j]; j++)
            is_known |= strcmp(map->pairs[i].key, known[j]) == 0;
        if (!is_known)
            object_to(checker, place, "Additional property %s is not allowed", map->pairs[i].key);
    }
}

static bool has_key(struct checker *checker, const char *place, const struct val *map,
                    const char *key)
{
    if (val_get(map, key))
        return true;
    object_to(checker, place, "%s is required", key);
    return false;
}

/* -- commands ------------------------------------------------------------------------------- */

static void read_command(struct checker *checker, const char *place, const struct val *v,
                         struct fluxyaml_command *out)
{
    static const char *const known[] = { "command", "timeout", NULL };
    if (!has_type(checker, place, v, VAL_MAP))
        return;
    if (has_key(checker, place, v, "command") &&
        has_type(checker, arena_printf(checker->mem, "%s.command", place), val_get(v, "command"),
                 VAL_STRING))
        out->command = val_text(val_get(v, "command"));
    check_keys(checker, place, v, known);
    const struct val *timeout = val_get(v, "timeout");
    const char *timeout_place = arena_printf(checker->mem, "%s.timeout", place);
    if (!timeout || !has_type(checker, timeout_place, timeout, VAL_STRING))
        return;
    SCOPED(err_free) struct err *e = duration_parse(val_text(timeout), &out->timeout_ms);
    if (e)
        object_to(checker, timeout_place, "%s", err_text(e));
    if (e || out->timeout_ms < SECOND_MS)
        out->timeout_ms = 0;
}

/* A list under `key` of `map`, of bounded length; NULL where there is none to read. */
static const struct val *read_list(struct checker *checker, const char *place,
                                   const struct val *map, const char *key)
{
    const struct val *list = val_get(map, key);
    const char *list_place = arena_printf(checker->mem, "%s.%s", place, key);
    if (!has_type(checker, list_place, list, VAL_LIST))
        return NULL;
    if (list->len > COMMANDS_MAX) {
        object_to(checker, list_place, "Array must have at most %d items", COMMANDS_MAX);
        return NULL;
    }
    return list;
}

static void read_generators(struct checker *checker, const char *place, const struct val *map,
                            struct fluxyaml *out)
{
    const struct val *list = has_key(checker, place, map, "generators")
                                 ? read_list(checker, place, map, "generators")
                                 : NULL;
    out->generator_count = val_len(list);
    out->generators =
        arena_alloc(checker->mem, (out->generator_count + 1) * sizeof(*out->generators));
    for (size_t i = 0; i < out->generator_count; i++)
        read_command(checker, arena_printf(checker->mem, "%s.generators.%zu", place, i),
                     val_item(list, i), &out->generators[i]);
}

static void read_updaters(struct checker *checker, const struct val *map, struct fluxyaml *out)
{
    static const char *const known[] = { "containerImage", "policy", NULL };
    const struct val *list =
        val_get(map, "updaters") ? read_list(checker, "commandUpdated", map, "updaters") : NULL;
    out->updater_count = val_len(list);
    out->updaters = arena_alloc(checker->mem, (out->updater_count + 1) * sizeof(*out->updaters));
    for (size_t i = 0; i < out->updater_count; i++) {
        const struct val *v = val_item(list, i);
        const char *place = arena_printf(checker->mem, "commandUpdated.updaters.%zu", i);
        if (!has_type(checker, place, v, VAL_MAP))
            continue;
        check_keys(checker, place, v, known);
        if (val_get(v, "containerImage"))
            read_command(checker, arena_printf(checker->mem, "%s.containerImage", place),
                         val_get(v, "containerImage"), &out->updaters[i].image);
        if (val_get(v, "policy"))
            read_command(checker, arena_printf(checker->mem, "%s.policy", place),
                         val_get(v, "policy"), &out->updaters[i].policy);
    }
}

/* -- modes ---------------------------------------------------------------------------------- */

static void read_command_updated(struct checker *checker, const struct val *map,
                                 struct fluxyaml *out)
{
    static const char *const known[] = { "generators", "updaters", NULL };
    if (!has_type(checker, "commandUpdated", map, VAL_MAP))
        return;
    read_generators(checker, "commandUpdated", map, out);
    read_updaters(checker, map, out);
    check_keys(checker, "commandUpdated", map, known);
}

static void read_patch_updated(struct checker *checker, const struct val *map, struct fluxyaml *out)
{
    static const char *const known[] = { "generators", "patchFile", NULL };
    if (!has_type(checker, "patchUpdated", map, VAL_MAP))
        return;
    read_generators(checker, "patchUpdated", map, out);
    if (has_key(checker, "patchUpdated", map, "patchFile") &&
        has_type(checker, "patchUpdated.patchFile", val_get(map, "patchFile"), VAL_STRING))
        out->patch_file = val_text(val_get(map, "patchFile"));
    check_keys(checker, "patchUpdated", map, known);
}

static void read_scan(struct checker *checker, const struct val *root)
{
    static const char *const known[] = { "version", "scanForFiles", NULL }, *const none[] = {
        NULL
    };
    const struct val *map = val_get(root, "scanForFiles");
    if (val_is_map(map))
        check_keys(checker, "scanForFiles", map, none);
    check_keys(checker, "(root)", root, known);
}

static void check_version(struct checker *checker, const struct val *root)
{
    int64_t version = 0;
    if (has_key(checker, "(root)", root, "version") &&
        (!val_int(val_get(root, "version"), &version) || version != 1))
        object_to(checker, "version", "version does not match: 1");
}

/* The schema knows three forms of file; problems are told of the one that the file comes nearest to. */
static void read_root(struct checker *checker, const struct val *root, struct fluxyaml *out)
{
    const struct val *command = val_get(root, "commandUpdated");
    const struct val *patch = val_get(root, "patchUpdated");
    const struct val *scan = val_get(root, "scanForFiles");
    check_version(checker, root);
    if (command && patch) {
        object_to(checker, "(root)", "commandUpdated and patchUpdated exclude each other");
    } else if (command) {
        out->mode = FLUXYAML_COMMAND;
        read_command_updated(checker, command, out);
    } else if (patch) {
        out->mode = FLUXYAML_PATCH;
        read_patch_updated(checker, patch, out);
    } else if (scan) {
        out->mode = FLUXYAML_SCAN;
        read_scan(checker, root);
    } else {
        object_to(checker, "(root)", "commandUpdated is required");
    }
}

static struct err *load_root(struct arena *mem, const char *text, size_t len,
                             const struct val **out)
{
    struct doc_yaml_list docs = { 0 };
    struct doc_pos at = { 0, 0 };
    struct err *e = doc_yaml_load(mem, text, len, &limits, &docs, &at);
    if (e && at.line)
        return err_wrap(e, "cannot parse config file: yaml: line %u", at.line);
    TRY(err_wrap(e, "cannot parse config file: yaml"));
    if (docs.len > 1)
        return err_new(ERR_INVALID, "cannot parse config file: more than one document: line %u",
                       docs.at[1].line);
    *out = docs.len ? docs.at[0].root : NULL;
    return NULL;
}

struct err *fluxyaml_parse(struct arena *mem, const char *text, size_t len, struct fluxyaml *out)
{
    const struct val *root = NULL;
    TRY(load_root(mem, text, len, &root));
    *out = (struct fluxyaml){ 0 };
    SBUF(problems, (size_t)64 << 10);
    struct checker checker = { mem, &problems };
    if (has_type(&checker, "(root)", root, VAL_MAP)) {
        read_root(&checker, root, out);
        if (problems.len) /* none of the three forms fits */
            return err_new(ERR_INVALID,
                           "cannot parse config file: config file is not valid: \n(root): Must "
                           "validate one and only one schema (oneOf)%s",
                           sbuf_text(&problems));
        return NULL;
    }
    return err_new(ERR_INVALID, "cannot parse config file: config file is not valid: %s",
                   sbuf_text(&problems));
}

/* -- places --------------------------------------------------------------------------------- */

struct err *fluxyaml_join(struct arena *mem, const char *dir, const char *relative,
                          const char **out)
{
    if (*relative == '/')
        return err_new(ERR_INVALID, "path \"%s\" is outside of base directory", relative);
    char *path = arena_alloc(mem, strlen(dir) + strlen(relative) + 2);
    size_t len = strlen(dir);
    memcpy(path, dir, len);
    for (const char *at = relative; *at;) {
        size_t part = strcspn(at, "/");
        if (part == 2 && strncmp(at, "..", 2) == 0) {
            if (len == 0)
                return err_new(ERR_INVALID, "path \"%s\" is outside of base directory", relative);
            while (len > 0 && path[len - 1] != '/')
                len--;
            len -= len > 0;
        } else if (part > 0 && !(part == 1 && *at == '.')) {
            if (len)
                path[len++] = '/';
            memcpy(path + len, at, part);
            len += part;
        }
        at += part;
        at += *at == '/';
    }
    path[len] = '\0';
    *out = path;
    return NULL;
}

enum presence { ABSENT, IS_FILE, IS_DIRECTORY };

static enum presence look_up(const struct files_entry *entries, size_t count, const char *path)
{
    if (!*path)
        return IS_DIRECTORY;
    for (size_t i = 0; i < count; i++)
        if (files_is_below(entries[i].path, path))
            return entries[i].path[strlen(path)] ? IS_DIRECTORY : IS_FILE;
    return ABSENT;
}

static const char *parent_of(struct arena *mem, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_strndup(mem, path, (size_t)(slash - path)) : "";
}

static const char *join(struct arena *mem, const char *dir, const char *name)
{
    return *dir ? arena_printf(mem, "%s/%s", dir, name) : name;
}

/* A git path that is the configuration itself, or another file. */
static void place_file(struct arena *mem, const char *path, struct fluxyaml_place *out)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    out->work_dir = parent_of(mem, path);
    if (strcmp(name, FLUXYAML_NAME) != 0)
        return;
    out->config = path;
    out->relative = FLUXYAML_NAME;
    out->name = path;
}

struct err *fluxyaml_find(struct arena *mem, const struct files_entry *entries, size_t count,
                          const char *git_path, struct fluxyaml_place *out)
{
    const char *path;
    *out = (struct fluxyaml_place){ 0 };
    TRY(files_clean_path(mem, git_path, &path));
    enum presence presence = look_up(entries, count, path);
    if (presence == ABSENT)
        return err_new(ERR_NOT_FOUND,
                       "error finding a config file starting at path \"%s\": no such file or "
                       "directory in the repository at this commit",
                       path);
    if (presence == IS_FILE) {
        place_file(mem, path, out);
        return NULL;
    }
    out->work_dir = path;
    const char *up = "";
    for (const char *dir = path;; dir = parent_of(mem, dir)) {
        const char *config = join(mem, dir, FLUXYAML_NAME);
        if (look_up(entries, count, config) == IS_FILE) {
            out->config = config;
            out->relative = arena_printf(mem, "%s%s", up, FLUXYAML_NAME);
            out->name = arena_printf(mem, "%s/%s", *path ? path : ".", out->relative);
            return NULL;
        }
        if (!*dir)
            return NULL;
        up = arena_printf(mem, "../%s", up);
    }
}
