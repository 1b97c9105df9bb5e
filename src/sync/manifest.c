#include "sync/manifest.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "doc/object.h"
#include "doc/yaml.h"
#include "sync/builtin.h"

enum {
    RESUME_MAX = 20,        /* broken documents of one file that are skipped */
    LIST_DEPTH_MAX = 8,     /* Lists in Lists */
    TEXT_SHOWN_MAX = 80,    /* bytes of a value in a message */
    PROBLEM_TEXT_MAX = 4096 /* bytes of a message */
};
#define RESUME_MEMORY_MAX \
    ((size_t)128 << 20) /* what broken documents may have cost before we stop reading on */

/* One file being read. */
struct reader {
    struct arena *mem;
    const struct manifest_source *source;
    struct manifest_list *out;
    struct manifest_problems *problems;
    size_t first;   /* of this file's problems */
    size_t unsaid;  /* beyond MANIFEST_PROBLEMS_MAX */
    bool is_broken; /* there was an error */
};

/* In place of a problem that may quote what was decrypted. */
static const char unquoted[] =
    "the text in clear is wrong here (it is not quoted): decrypt the file and run serin lint on it";

/* -- problems ------------------------------------------------------------------------------- */

static char *one_line(struct arena *mem, const char *fmt, va_list args) PRINTF(2, 0);
static char *one_line(struct arena *mem, const char *fmt, va_list args)
{
    char *text = arena_vprintf(mem, fmt, args);
    if (strlen(text) > PROBLEM_TEXT_MAX)
        memcpy(text + utf8_fit(text, PROBLEM_TEXT_MAX - 3), "...", 4);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    return text;
}

void manifest_report(struct arena *mem, struct manifest_problems *problems,
                     const struct manifest_problem *where, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct manifest_problem *problem = vec_push(mem, problems);
    *problem = *where;
    problem->path = arena_strdup(mem, where->path);
    problem->text = one_line(mem, fmt, args);
    va_end(args);
}

/* A problem of this file, at a place. */
static void report(struct reader *reader, struct doc_pos at, const char *fmt, ...) PRINTF(3, 4);
static void report(struct reader *reader, struct doc_pos at, const char *fmt, ...)
{
    reader->is_broken = true;
    if (reader->problems->len - reader->first >= MANIFEST_PROBLEMS_MAX) {
        reader->unsaid++;
        return;
    }
    va_list args;
    va_start(args, fmt);
    *vec_push(reader->mem, reader->problems) = (struct manifest_problem){
        .path = reader->source->path,
        .line = at.line,
        .column = at.column,
        .severity = MANIFEST_ERROR,
        .text = reader->source->is_encrypted ? unquoted : one_line(reader->mem, fmt, args)
    };
    va_end(args);
}

static struct doc_pos pos_of(const struct val *v)
{
    return v ? (struct doc_pos){ v->line, v->column } : (struct doc_pos){ 0, 0 };
}

const char *manifest_problem_format(struct arena *mem, const struct manifest_problem *problem)
{
    const char *path = sbuf_shown(mem, problem->path);
    if (problem->line && problem->column)
        return arena_printf(mem, "%s:%u:%u: %s", path, problem->line, problem->column,
                            problem->text);
    if (problem->line)
        return arena_printf(mem, "%s:%u: %s", path, problem->line, problem->text);
    return arena_printf(mem, "%s: %s", path, problem->text);
}

/* A value as a message shows it. */
static const char *shown(struct arena *mem, const char *text)
{
    size_t len = utf8_fit(text, TEXT_SHOWN_MAX);
    return text[len] ? arena_printf(mem, "%.*s...", (int)len, text) : text;
}

/* -- names ---------------------------------------------------------------------------------- */

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* RFC 1123: labels of lower-case letters, digits and -, with a letter or digit at both ends; with dots between if allowed. */
static bool is_dns_name(const char *name, bool with_dots, size_t max)
{
    size_t len = strlen(name);
    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool is_edge = i == 0 || i + 1 == len || name[i - 1] == '.' || name[i + 1] == '.';
        bool is_inner = name[i] == '-' || (name[i] == '.' && with_dots);
        if (!is_lower_alnum(name[i]) && (is_edge || !is_inner))
            return false;
    }
    return true;
}

/* What every API server asks of a name, and what an ID can hold. */
static bool is_path_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 253 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(name[i]) && !strchr("_.:-", name[i]))
            return false;
    return true;
}

/* Kinds of Kubernetes itself whose names are more than DNS allows: with colons. What others call theirs is for the server. */
static bool has_free_name(const char *api_version, const char *kind)
{
    static const char rbac[] = "rbac.authorization.k8s.io/";
    return !builtin_owns_group(api_version) || strncmp(api_version, rbac, sizeof(rbac) - 1) == 0 ||
           strcmp(kind, "IPAddress") == 0 || strcmp(kind, "ClusterTrustBundle") == 0;
}

static bool is_api_version(const char *text)
{
    const char *slash = strchr(text, '/');
    const char *version = slash ? slash + 1 : text;
    size_t group_len = slash ? (size_t)(slash - text) : 0;
    if (slash && (group_len == 0 || group_len > 253 || strchr(version, '/')))
        return false;
    for (size_t i = 0; i < group_len; i++)
        if (!is_lower_alnum(text[i]) && text[i] != '-' && text[i] != '.')
            return false;
    return is_dns_name(version, false, 63);
}

static bool is_kind(const char *text)
{
    size_t len = strlen(text);
    if (len > 63 || !isalpha((unsigned char)*text))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && text[i] != '-')
            return false;
    return true;
}

/* -- one object ----------------------------------------------------------------------------- */

/* Numbers and booleans where a text belongs are most often texts that want quotes. */
static const char *text_advice(const struct val *v)
{
    return v->type == VAL_NUMBER || v->type == VAL_BOOL ? ": put it in quotes" : "";
}

/* A text at `key`, "" where there is none. */
static bool read_text(struct reader *reader, const struct val *map, const char *where,
                      const char *key, const char **out)
{
    const struct val *v = val_get(map, key);
    *out = val_text_or(v, "");
    if (val_is_null(v) || v->type == VAL_STRING)
        return true;
    report(reader, pos_of(v), "%s%s must be a string, here it is %s%s", where, key,
           val_type_name(v->type), text_advice(v));
    return false;
}

static bool check_text_map(struct reader *reader, const struct val *metadata, const char *key)
{
    const struct val *map = val_get(metadata, key);
    if (val_is_null(map))
        return true;
    if (!val_is_map(map)) {
        report(reader, pos_of(map), "metadata.%s must be a map, here it is %s", key,
               val_type_name(map->type));
        return false;
    }
    bool is_good = true;
    for (size_t i = 0; i < map->len; i++) {
        const struct val *v = map->pairs[i].value;
        if (val_is_null(v) || v->type == VAL_STRING)
            continue;
        report(reader, pos_of(v), "metadata.%s[\"%s\"] must be a string, here it is %s%s", key,
               shown(reader->mem, map->pairs[i].key), val_type_name(v->type), text_advice(v));
        is_good = false;
    }
    return is_good;
}

static bool check_type(struct reader *reader, const struct manifest *m)
{
    const struct val *api_version = val_get(m->object, "apiVersion");
    if (!*m->api_version)
        report(reader, pos_of(m->object),
               "%s has no apiVersion: write the group and version of the kind, as in \"apps/v1\"",
               shown(reader->mem, m->kind));
    else if (!is_api_version(m->api_version))
        report(reader, pos_of(api_version),
               "\"%s\" is no apiVersion: write group/version as in \"apps/v1\", or \"v1\"",
               shown(reader->mem, m->api_version));
    else if (!is_kind(m->kind))
        report(reader, pos_of(val_get(m->object, "kind")),
               "\"%s\" is no kind: a kind is letters and digits, as in \"Deployment\"",
               shown(reader->mem, m->kind));
    else
        return true;
    return false;
}

static bool check_name(struct reader *reader, const struct manifest *m, const struct val *metadata)
{
    const struct val *name = val_get(metadata, "name");
    if (!*m->name && !val_is_null(val_get(metadata, "generateName"))) {
        report(reader, pos_of(val_get(metadata, "generateName")),
               "cannot use generate name with apply: give the %s a metadata.name", m->kind);
        return false;
    }
    if (!*m->name) {
        report(reader, pos_of(metadata), "%s has no metadata.name: give it one", m->kind);
        return false;
    }
    bool is_free = has_free_name(m->api_version, m->kind);
    if (is_free ? is_path_name(m->name) : is_dns_name(m->name, true, 253))
        return true;
    report(reader, pos_of(name), "\"%s\" is no name for a %s: use %s, at most 253 of them",
           shown(reader->mem, m->name), m->kind,
           is_free ? "letters, digits, _ . : and -"
                   : "lower-case letters, digits, - and ., with a letter or digit at both ends");
    return false;
}

static bool check_namespace(struct reader *reader, const struct manifest *m,
                            const struct val *metadata)
{
    if (!*m->ns || is_dns_name(m->ns, false, 63))
        return true;
    report(reader, pos_of(val_get(metadata, "namespace")),
           "\"%s\" is no name for a namespace: use lower-case letters, digits and -, with a letter "
           "or digit at both ends, at most 63 of them",
           shown(reader->mem, m->ns));
    return false;
}

static void read_object(struct reader *reader, const struct val *object)
{
    struct manifest m = { .path = reader->source->path,
                          .is_generated = reader->source->is_generated,
                          .is_encrypted = reader->source->is_encrypted,
                          .line = object->line,
                          .column = object->column,
                          .kind = val_text_or(val_get(object, "kind"), ""),
                          .object = object };
    if (!read_text(reader, object, "", "apiVersion", &m.api_version) || !check_type(reader, &m))
        return;
    const struct val *metadata = val_get(object, "metadata");
    if (!val_is_map(metadata)) {
        report(reader, pos_of(val_is_null(metadata) ? object : metadata),
               "%s has no metadata: give it a map with a name", m.kind);
        return;
    }
    bool is_good = read_text(reader, metadata, "metadata.", "name", &m.name) &&
                   check_name(reader, &m, metadata);
    is_good &= read_text(reader, metadata, "metadata.", "namespace", &m.ns) &&
               check_namespace(reader, &m, metadata);
    is_good &= check_text_map(reader, metadata, "labels");
    is_good &= check_text_map(reader, metadata, "annotations");
    if (is_good)
        *vec_push(reader->mem, reader->out) = m;
}

/* -- documents ------------------------------------------------------------------------------ */

static bool is_list_kind(const struct val *v)
{
    const char *kind = val_text_or(val_get(v, "kind"), "");
    size_t len = strlen(kind);
    return len >= 4 && strcmp(kind + len - 4, "List") == 0 && val_get(v, "items");
}

/* What a document or an item is: an object to be read further, or nothing (reported if that is wrong). */
static bool is_object(struct reader *reader, const struct val *v, const struct val *list)
{
    struct doc_pos at = pos_of(v->line ? v : list);
    if (!val_is_map(v)) {
        report(reader, at,
               "yaml: cannot unmarshal %s into an object: %s has to be a map with apiVersion, kind "
               "and metadata",
               val_type_name(v->type), list ? "an item of a list" : "a document");
        return false;
    }
    const struct val *kind = val_get(v, "kind");
    if (kind && kind->type != VAL_STRING && kind->type != VAL_NULL) {
        report(reader, pos_of(kind), "kind must be a string, here it is %s%s",
               val_type_name(kind->type), text_advice(kind));
        return false;
    }
    if (*val_text_or(kind, ""))
        return true;
    if (list)
        report(reader, at, "an item of a list has no kind: write apiVersion and kind on each item");
    return false;
}

/* The items of a List that are to be read; NULL if there are none, or they are no list (reported). */
static const struct val *items_of(struct reader *reader, const struct val *list, size_t depth)
{
    const struct val *items = val_get(list, "items");
    if (val_is_null(items))
        return NULL;
    if (!val_is_list(items))
        report(reader, pos_of(items), "items of a %s must be a list, here it is %s",
               shown(reader->mem, val_text(val_get(list, "kind"))), val_type_name(items->type));
    else if (depth == LIST_DEPTH_MAX)
        report(reader, pos_of(list), "lists in lists, more than %d deep", LIST_DEPTH_MAX);
    else
        return items;
    return NULL;
}

/* A document, its items if it is a List, theirs if they are Lists: depth first, in order. */
static void read_document(struct reader *reader, const struct val *root)
{
    struct {
        const struct val *list, *items;
        size_t next;
    } stack[LIST_DEPTH_MAX];
    size_t depth = 0;
    for (const struct val *v = root; v;) {
        bool is_good = is_object(reader, v, depth ? stack[depth - 1].list : NULL);
        const struct val *items = NULL;
        if (is_good && is_list_kind(v))
            items = items_of(reader, v, depth);
        else if (is_good)
            read_object(reader, v);
        if (items) {
            stack[depth].list = v;
            stack[depth].items = items;
            stack[depth++].next = 0;
        }
        while (depth && stack[depth - 1].next >= val_len(stack[depth - 1].items))
            depth--;
        v = depth ? val_item(stack[depth - 1].items, stack[depth - 1].next++) : NULL;
    }
}

/* -- files ---------------------------------------------------------------------------------- */

/* The text from a line on, with as many empty lines before it: positions stay those of the file. */
struct rest {
    const char *text;
    size_t len;
    uint32_t first_line; /* 1: the whole file */
};

/* Where reading can go on after a problem at `line`: the next `---`, which ends a document whatever is in it. */
static bool find_rest(struct arena *mem, const char *text, size_t len, uint32_t line,
                      struct rest *rest)
{
    uint32_t at_line = 1;
    uint32_t from = MAX_OF(line, rest->first_line + 1);
    for (size_t at = 0; at < len; at_line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        if (at_line >= from && line_len >= 3 && memcmp(text + at, "---", 3) == 0 &&
            (line_len == 3 || strchr(" \t\r", text[at + 3]))) {
            char *copy = arena_alloc(mem, at_line - 1 + len - at + 1);
            memset(copy, '\n', at_line - 1);
            memcpy(copy + at_line - 1, text + at, len - at);
            *rest = (struct rest){ copy, at_line - 1 + len - at, at_line };
            return true;
        }
        at += line_len + 1;
    }
    return false;
}

/* Past the end of the text means: at its end. */
static struct doc_pos clamp(const char *text, size_t len, struct doc_pos at)
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    struct doc_pos last = { 1, 1 };
    for (size_t i = 0; i < len; i++) {
        bool is_newline = text[i] == '\n';
        last.line += is_newline;
        last.column = is_newline                                ? 1
                      : ((unsigned char)text[i] & 0xc0) == 0x80 ? last.column
                                                                : last.column + 1;
    }
    return at.line > last.line ? last : at;
}

static void report_broken(struct reader *reader, struct doc_pos at, const struct err *e)
{
    const char *text = at.line
                           ? arena_printf(reader->mem, "yaml: line %u: %s", at.line, err_text(e))
                           : arena_printf(reader->mem, "yaml: %s", err_text(e));
    const struct manifest_problem *last = reader->problems->len > reader->first
                                              ? &reader->problems->at[reader->problems->len - 1]
                                              : NULL;
    if (last && last->line == at.line && last->column == at.column && strcmp(last->text, text) == 0)
        return; /* found again by reading on at the same line */
    report(reader, at, "%s", text);
}

static void read_file(struct reader *reader, const char *text, size_t len)
{
    struct rest rest = { text, len, 1 };
    size_t used = arena_used(reader->mem);
    for (int resumed = 0;; resumed++) {
        struct doc_yaml_list docs = { 0 };
        struct doc_pos at = { 0, 0 };
        SCOPED(err_free)
        struct err *e =
            doc_yaml_load(reader->mem, rest.text, rest.len, &doc_yaml_default_limits, &docs, &at);
        for (size_t i = 0; i < docs.len; i++)
            if (!val_is_null(docs.at[i].root))
                read_document(reader, docs.at[i].root);
        if (!e)
            return;
        report_broken(reader, clamp(text, len, at), e);
        if (err_is(e, ERR_LIMIT) || at.line == 0)
            return;
        bool is_too_much =
            resumed == RESUME_MAX || arena_used(reader->mem) - used > RESUME_MEMORY_MAX;
        if (is_too_much)
            report(reader, at, "too much is wrong with this file: the rest of it was not read");
        if (is_too_much || !find_rest(reader->mem, text, len, at.line, &rest))
            return;
    }
}

// NOLINTNEXTLINE(readability-function-size): what goes in and what comes out, no options among it
bool manifest_parse(struct arena *mem, const struct manifest_source *source, const char *text,
                    size_t len, struct manifest_list *out, struct manifest_problems *problems)
{
    struct manifest_source *kept = arena_copy(mem, source, sizeof(*source));
    kept->path = arena_strdup(mem, source->path);
    struct reader reader = {
        .mem = mem, .source = kept, .out = out, .problems = problems, .first = problems->len
    };
    read_file(&reader, text, len);
    if (reader.unsaid)
        manifest_report(
            mem, problems,
            &(struct manifest_problem){ .path = kept->path, .severity = MANIFEST_ERROR },
            "%zu more problems in this file", reader.unsaid);
    return !reader.is_broken;
}

bool manifest_read(struct arena *mem, const struct manifest_source *source, const struct val *root,
                   struct manifest_list *out, struct manifest_problems *problems)
{
    struct reader reader = {
        .mem = mem, .source = source, .out = out, .problems = problems, .first = problems->len
    };
    if (!val_is_null(root))
        read_document(&reader, root);
    return !reader.is_broken;
}
