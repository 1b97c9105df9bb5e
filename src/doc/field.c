#include "doc/field.h"

#include <strings.h>

const struct val *doc_field(const struct val *map, const char *name)
{
    if (!val_is_map(map))
        return NULL;
    const struct val *found = val_get(map, name);
    for (size_t i = 0; !found && i < map->len; i++) {
        if (strcasecmp(map->pairs[i].key, name) == 0)
            found = map->pairs[i].value;
    }
    return val_is_null(found) ? NULL : found;
}

struct err *doc_field_wrong(const char *what, const struct val *v, const char *wanted)
{
    return err_new(ERR_INVALID, "%.100s is %s, not %s", what,
                   v ? val_type_name(v->type) : "nothing", wanted);
}

struct err *doc_field_text(const struct val *map, const char *name, const char **out)
{
    const struct val *v = doc_field(map, name);
    *out = val_text_or(v, "");
    return v && !val_text(v) ? doc_field_wrong(name, v, "a text") : NULL;
}

struct err *doc_field_map(const struct val *map, const char *name, const struct val **out)
{
    *out = doc_field(map, name);
    return *out && !val_is_map(*out) ? doc_field_wrong(name, *out, "a map") : NULL;
}

struct err *doc_field_list(const struct val *map, const char *name, const struct val **out)
{
    *out = doc_field(map, name);
    return *out && !val_is_list(*out) ? doc_field_wrong(name, *out, "a list") : NULL;
}

struct err *doc_field_bool(const struct val *map, const char *name, bool *out)
{
    const struct val *v = doc_field(map, name);
    *out = val_is_true(v);
    return v && v->type != VAL_BOOL ? doc_field_wrong(name, v, "true or false") : NULL;
}
