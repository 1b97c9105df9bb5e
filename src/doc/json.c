#include "doc/json.h"

#include <string.h>

#include <jansson.h>

#include "doc/build.h"

/* jansson names its own cleanup json_decrefp; ours follows DEFINE_SCOPED. */
DEFINE_SCOPED(json_t, json_decref)

/* A container of jansson's being copied, beside its frame in the builder. */
struct level {
    json_t *container;
    void *at;     /* next entry of an object; NULL: done */
    size_t index; /* next item of an array */
};

struct copy {
    struct build build;
    struct level levels[DOC_DEPTH_MAX];
};

MUST_USE static struct err *limit_error(const char *text, const char *at, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *c = text; c < at; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80; /* characters, not bytes */
        if (*c == '\n') {
            line++;
            column = 1;
        }
    }
    return err_new(ERR_LIMIT, "JSON line %zu, column %zu: %s", line, column, what);
}

/* Brackets and commas outside of strings, whatever the grammar makes of them. */
MUST_USE static struct err *check_limits(const char *text, size_t len)
{
    size_t depth = 0, nodes = 1;
    bool is_in_string = false;
    for (const char *c = text; c < text + len; c++) {
        if (is_in_string && *c == '\\') {
            c++; /* what is escaped ends nothing */
            continue;
        }
        if (*c == '"')
            is_in_string = !is_in_string;
        if (is_in_string)
            continue;
        bool is_open = *c == '[' || *c == '{', is_close = *c == ']' || *c == '}';
        depth += is_open;
        depth -= is_close && depth;
        nodes += is_open || *c == ',';
        if (depth > DOC_DEPTH_MAX)
            return limit_error(text, c, "nested too deeply");
        if (nodes > DOC_JSON_NODES_MAX)
            return limit_error(text, c, "too many values");
    }
    return NULL;
}

static struct val *copy_leaf(struct arena *mem, const json_t *from)
{
    switch (json_typeof(from)) {
    case JSON_STRING: return val_new_bytes(mem, json_string_value(from), json_string_length(from));
    case JSON_INTEGER: return val_new_int(mem, json_integer_value(from));
    case JSON_REAL: return val_new_double(mem, json_real_value(from));
    case JSON_TRUE: return val_new_bool(mem, true);
    case JSON_FALSE: return val_new_bool(mem, false);
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return val_new(mem, VAL_NULL);
}

/* A finished value is what the last key was waiting for, an item of the list it stands in, or the whole. */
static void place(struct build *build, struct val *v)
{
    if (val_is_map(build_top(build)))
        build->entries.at[build->entries.len - 1].value = v;
    else
        build_item(build, v);
}

static void begin_value(struct copy *copy, json_t *from)
{
    struct build *build = &copy->build;
    if (!json_is_object(from) && !json_is_array(from)) {
        place(build, copy_leaf(build->mem, from));
        return;
    }
    bool is_map = json_is_object(from);
    copy->levels[build->depth] = (struct level){ from, is_map ? json_object_iter(from) : NULL, 0 };
    build_open(build, val_new(build->mem, is_map ? VAL_MAP : VAL_LIST));
}

/* One entry or item further; false when the container has no more. */
static bool step(struct copy *copy, struct level *level)
{
    struct build *build = &copy->build;
    if (json_is_array(level->container)) {
        json_t *item = json_array_get(level->container, level->index++);
        if (item)
            begin_value(copy, item);
        return item != NULL;
    }
    if (!level->at)
        return false;
    build_pair(build, &(struct build_entry){
                          .key = arena_strdup(build->mem, json_object_iter_key(level->at)),
                          .is_weak = true });
    json_t *value = json_object_iter_value(level->at);
    level->at = json_object_iter_next(level->container, level->at);
    begin_value(copy, value);
    return true;
}

static struct val *copy_all(struct arena *mem, json_t *from)
{
    struct copy copy = { .build = { .mem = mem } };
    begin_value(&copy, from);
    while (copy.build.depth) {
        if (step(&copy, &copy.levels[copy.build.depth - 1]))
            continue;
        struct val *closed;
        struct build_entry unused;
        bool ok = build_close(&copy.build, &closed, &unused);
        ASSERT(ok); /* jansson's keys come once */
        place(&copy.build, closed);
    }
    struct val *root = copy.build.root;
    build_fini(&copy.build);
    return root;
}

struct err *doc_json_parse(struct arena *mem, const char *text, size_t len, struct val **out)
{
    TRY(check_limits(text, len));
    json_error_t error;
    size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    SCOPED(json_decref) json_t *root = json_loadb(text, len, flags, &error);
    if (!root && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (!root) { /* what stands behind "near" is from the text, which may hold a secret */
        const char *near = strstr(error.text, " near ");
        int shown = (int)(near ? near - error.text : (ptrdiff_t)strlen(error.text));
        return err_new(ERR_INVALID, "JSON line %d, column %d: %.*s", MAX_OF(error.line, 1),
                       MAX_OF(error.column, 1), shown, error.text);
    }
    *out = copy_all(mem, root);
    return NULL;
}
