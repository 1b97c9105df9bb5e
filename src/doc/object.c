#include "doc/object.h"

#include <string.h>

const char *object_api_version(const struct val *object)
{
    return val_text_or(val_get(object, "apiVersion"), "");
}

const char *object_kind(const struct val *object)
{
    return val_text_or(val_get(object, "kind"), "");
}

static const char *metadata(const struct val *object, const char *field)
{
    return val_text_or(VAL_PATH(object, "metadata", field), "");
}

const char *object_namespace(const struct val *object)
{
    return metadata(object, "namespace");
}

const char *object_name(const struct val *object)
{
    return metadata(object, "name");
}

const char *object_uid(const struct val *object)
{
    return metadata(object, "uid");
}

const char *object_resource_version(const struct val *object)
{
    return metadata(object, "resourceVersion");
}

const char *object_label(const struct val *object, const char *key)
{
    return val_text(VAL_PATH(object, "metadata", "labels", key));
}

const char *object_annotation(const struct val *object, const char *key)
{
    return val_text(VAL_PATH(object, "metadata", "annotations", key));
}

int64_t object_generation(const struct val *object)
{
    int64_t generation = 0;
    return val_int(VAL_PATH(object, "metadata", "generation"), &generation) ? generation : 0;
}

void object_split_api_version(struct arena *mem, const char *api_version, const char **group,
                              const char **version)
{
    const char *slash = strchr(api_version, '/');
    *group = slash ? arena_strndup(mem, api_version, (size_t)(slash - api_version)) : "";
    *version = arena_strdup(mem, slash ? slash + 1 : api_version);
}

static char *lower(struct arena *mem, const char *text, size_t len)
{
    char *copy = arena_strndup(mem, text, len);
    for (char *at = copy; *at; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    }
    return copy;
}

const char *object_id(struct arena *mem, const char *ns, const char *kind, const char *name)
{
    return arena_printf(mem, "%s:%s/%s", *ns ? ns : OBJECT_CLUSTER, lower(mem, kind, strlen(kind)),
                        name);
}

/* Bytes of letters, digits, _, - and those of `more` at the front of the text. */
static size_t word_len(const char *text, const char *more)
{
    size_t len = 0;
    for (; text[len]; len++) {
        char c = text[len];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && c != '_' && c != '-' && !strchr(more, c))
            break;
    }
    return len;
}

static bool parse_full(struct arena *mem, const char *text, struct object_id *out)
{
    size_t ns = strncmp(text, OBJECT_CLUSTER, strlen(OBJECT_CLUSTER)) ? word_len(text, "")
                                                                      : strlen(OBJECT_CLUSTER);
    if (!ns || text[ns] != ':')
        return false;
    const char *kind = text + ns + 1;
    size_t kind_len = word_len(kind, "");
    if (!kind_len || kind[kind_len] != '/')
        return false;
    const char *name = kind + kind_len + 1;
    size_t name_len = word_len(name, ".:");
    if (!name_len || name[name_len])
        return false;
    *out = (struct object_id){ .ns = arena_strndup(mem, text, ns),
                               .kind = lower(mem, kind, kind_len),
                               .name = arena_strdup(mem, name) };
    return true;
}

static bool parse_legacy(struct arena *mem, const char *text, struct object_id *out)
{
    size_t ns = word_len(text, "");
    if (!ns || text[ns] != '/')
        return false;
    const char *name = text + ns + 1;
    size_t name_len = word_len(name, "");
    if (!name_len || name[name_len])
        return false;
    *out = (struct object_id){ .ns = arena_strndup(mem, text, ns),
                               .kind = "service",
                               .name = arena_strdup(mem, name) };
    return true;
}

struct err *object_id_parse(struct arena *mem, const char *text, struct object_id *out)
{
    if (parse_full(mem, text, out) || parse_legacy(mem, text, out))
        return NULL;
    return err_new(ERR_INVALID, "parsing %s: invalid service ID", text);
}
