#include "release/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "doc/field.h"
#include "doc/object.h"
#include "image/ref.h"

const char *release_type_name(enum release_type type)
{
    switch (type) {
    case RELEASE_SYNC: return "sync";
    case RELEASE_IMAGE: return "image";
    case RELEASE_CONTAINERS: return "containers";
    case RELEASE_POLICY: return "policy";
    case RELEASE_AUTO: return "auto";
    }
    return "";
}

/* --- texts */

static struct err *check_len(const char *what, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max)
        return NULL;
    return err_new(ERR_LIMIT, "%s has %zu bytes, more than %zu", what, len, max);
}

static struct err *check_count(const char *what, size_t count)
{
    if (count <= RELEASE_SPEC_ITEMS_MAX)
        return NULL;
    return err_new(ERR_LIMIT, "%s has %zu entries, more than %zu", what, count,
                   RELEASE_SPEC_ITEMS_MAX);
}

static struct err *read_name(const struct val *map, const char *field, const char **out)
{
    TRY(doc_field_text(map, field, out));
    return check_len(field, *out, RELEASE_SPEC_NAME_MAX);
}

/* IDs are compared as texts from here on: the kind in lower case, the old form ns/name spelled out. */
static struct err *read_id(struct arena *mem, const char *text, const char **out)
{
    struct object_id id;
    TRY(check_len("a workload's ID", text, RELEASE_SPEC_NAME_MAX));
    TRY(object_id_parse(mem, text, &id));
    *out = object_id(mem, id.ns, id.kind, id.name);
    return NULL;
}

static struct err *check_image(struct arena *mem, const char *text)
{
    struct image_ref ref;
    return image_ref_parse(mem, text, &ref);
}

/* The name goes into the header of a commit: one line. */
static struct err *check_user(const char *user)
{
    for (const char *at = user; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return err_new(ERR_INVALID, "the user of the cause has control characters");
    }
    return NULL;
}

static struct err *read_cause(const struct val *body, struct release_spec *out)
{
    const struct val *cause;
    TRY(doc_field_map(body, "cause", &cause));
    TRY(doc_field_text(cause, "Message", &out->message));
    TRY(check_len("the message of the cause", out->message, RELEASE_SPEC_TEXT_MAX));
    TRY(read_name(cause, "User", &out->user));
    return check_user(out->user);
}

static struct err *read_kind(const struct val *spec, struct release_spec *out)
{
    const char *kind;
    TRY(read_name(spec, "Kind", &kind));
    out->is_plan = strcmp(kind, "plan") == 0;
    if (out->is_plan || *kind == '\0' || strcmp(kind, "execute") == 0)
        return NULL;
    return err_new(ERR_INVALID, "unknown release kind: \"%.100s\" (plan and execute are known)",
                   kind);
}

/* --- images */

static struct err *read_workload(struct arena *mem, const char *text, const char **out)
{
    *out = RELEASE_ALL;
    if (strcmp(text, RELEASE_ALL) == 0)
        return NULL;
    return err_wrap(read_id(mem, text, out), "parsing service spec \"%.200s\"", text);
}

typedef struct err *id_reader(struct arena *mem, const char *text, const char **out);

/* A list of texts to IDs; NULL stays NULL. */
static struct err *read_ids(struct arena *mem, const char *field, const struct val *list,
                            id_reader *read, const char *const **out)
{
    *out = NULL;
    if (!list)
        return NULL;
    TRY(check_count(field, list->len));
    const char **ids = arena_alloc(mem, (list->len + 1) * sizeof(*ids));
    for (size_t i = 0; i < list->len; i++) {
        const char *text = val_text(list->items[i]);
        if (!text)
            return doc_field_wrong(field, list->items[i], "the ID of a workload");
        TRY(read(mem, text, &ids[i]));
    }
    *out = ids;
    return NULL;
}

static struct err *check_release_image(struct arena *mem, const char *text)
{
    struct image_ref ref;
    if (strcmp(text, RELEASE_ALL_LATEST) == 0)
        return NULL;
    TRY(image_ref_parse(mem, text, &ref));
    if (*ref.tag)
        return NULL;
    return err_new(ERR_INVALID, "blank tag (if you want latest, explicitly state the tag :latest): "
                                "invalid image ID");
}

static struct err *read_image(struct arena *mem, const struct val *spec, struct release_spec *out)
{
    const struct val *workloads, *excludes;
    TRY(doc_field_list(spec, "ServiceSpecs", &workloads));
    TRY(doc_field_list(spec, "Excludes", &excludes));
    TRY(read_ids(mem, "ServiceSpecs", workloads, read_workload, &out->workloads));
    TRY(read_ids(mem, "Excludes", excludes, read_id, &out->excludes));
    if (val_len(workloads) == 0)
        return err_new(ERR_INVALID,
                       "ServiceSpecs names no workload: give their IDs, or " RELEASE_ALL);
    TRY(read_kind(spec, out));
    TRY(doc_field_bool(spec, "Force", &out->force));
    TRY(doc_field_text(spec, "ImageSpec", &out->image));
    return check_release_image(mem, out->image);
}

/* --- maps by ID */

struct entry {
    const char *id;
    const struct val *value;
};
struct entries {
    struct entry *at;
    size_t len, cap;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static struct err *read_entries(struct arena *mem, const struct val *map, struct entries *out)
{
    TRY(check_count("the update", val_len(map)));
    for (size_t i = 0; i < val_len(map); i++) {
        struct entry *entry = vec_push(mem, out);
        entry->value = map->pairs[i].value;
        TRY(read_id(mem, map->pairs[i].key, &entry->id));
    }
    if (out->len > 0)
        qsort(out->at, out->len, sizeof(*out->at), by_id);
    for (size_t i = 1; i < out->len; i++) {
        if (strcmp(out->at[i - 1].id, out->at[i].id) == 0)
            return err_new(ERR_INVALID, "%s comes twice in the update", out->at[i].id);
    }
    return NULL;
}

/* --- containers */

struct updates {
    struct release_container_update *at;
    size_t len, cap;
};

static struct err *read_container(struct arena *mem, const char *id, const struct val *v,
                                  struct updates *out)
{
    struct release_container_update *update = vec_push(mem, out);
    if (!val_is_map(v))
        return doc_field_wrong("a container", v, "a map");
    TRY(check_count("ContainerSpecs", out->len));
    update->id = id;
    TRY(read_name(v, "Container", &update->container));
    TRY(read_name(v, "Current", &update->current));
    TRY(read_name(v, "Target", &update->target));
    if (*update->container == '\0')
        return err_new(ERR_INVALID, "a container without a name");
    if (*update->current)
        TRY(check_image(mem, update->current));
    return check_image(mem, update->target);
}

static struct err *read_containers_of(struct arena *mem, const struct entry *entry,
                                      struct updates *out)
{
    if (!val_is_list(entry->value))
        return doc_field_wrong(entry->id, entry->value, "a list");
    if (entry->value->len == 0)
        return err_new(ERR_INVALID, "%s: no container is named", entry->id);
    for (size_t i = 0; i < entry->value->len; i++)
        TRY(err_wrap(read_container(mem, entry->id, entry->value->items[i], out), "%s", entry->id));
    return NULL;
}

static struct err *read_containers(struct arena *mem, const struct val *spec,
                                   struct release_spec *out)
{
    const struct val *map;
    struct entries entries = { 0 };
    struct updates updates = { 0 };
    TRY(read_kind(spec, out));
    TRY(doc_field_map(spec, "ContainerSpecs", &map));
    TRY(read_entries(mem, map, &entries));
    for (size_t i = 0; i < entries.len; i++)
        TRY(read_containers_of(mem, &entries.at[i], &updates));
    TRY(doc_field_bool(spec, "SkipMismatches", &out->skip_mismatches));
    TRY(doc_field_bool(spec, "Force", &out->force));
    out->containers = updates.at;
    out->container_count = updates.len;
    return NULL;
}

/* --- automation */

static struct err *read_change(struct arena *mem, const struct val *v, struct updates *out)
{
    struct release_container_update *update = vec_push(mem, out);
    const char *id;
    const struct val *container;
    if (!val_is_map(v))
        return doc_field_wrong("a change", v, "a map");
    TRY(read_name(v, "WorkloadID", &id));
    TRY(read_id(mem, id, &update->id));
    TRY(doc_field_map(v, "Container", &container));
    TRY(read_name(container, "Name", &update->container));
    TRY(read_name(container, "Image", &update->current));
    TRY(read_name(v, "ImageID", &update->target));
    return check_image(mem, update->target);
}

static struct err *read_auto(struct arena *mem, const struct val *spec, struct release_spec *out)
{
    const struct val *changes;
    struct updates updates = { 0 };
    TRY(doc_field_list(spec, "Changes", &changes));
    TRY(check_count("Changes", val_len(changes)));
    for (size_t i = 0; i < val_len(changes); i++)
        TRY(read_change(mem, val_item(changes, i), &updates));
    out->containers = updates.at;
    out->container_count = updates.len;
    return NULL;
}

/* --- policies */

/* What can be the name of an annotation. */
static struct err *check_policy(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char others[] = "-_.";
    TRY(check_len("the name of a policy", name, RELEASE_SPEC_NAME_MAX));
    size_t len = strlen(name), good = 0;
    while (name[good] && (strchr(letters, name[good]) || strchr(others, name[good])))
        good++;
    if (len > 0 && good == len && strchr(letters, name[0]) && strchr(letters, name[len - 1]))
        return NULL;
    return err_new(ERR_INVALID,
                   "\"%.100s\" cannot be the name of a policy: letters, digits, '-', '_' and '.', "
                   "no punctuation at its ends",
                   name);
}

static struct err *add_policy(struct arena *mem, struct val *set, const char *name,
                              const struct val *value)
{
    const char *text = val_text(value);
    TRY(check_policy(name));
    if (!text)
        return doc_field_wrong(name, value, "a text");
    TRY(check_len("the value of a policy", text, RELEASE_SPEC_TEXT_MAX));
    val_set_text(mem, set, name, text);
    return NULL;
}

/* {policy: value}, or [policy] with the value "true". */
static struct err *read_set(struct arena *mem, const struct val *update, const char *field,
                            const struct val **out, bool *was_sent)
{
    static const struct val yes = { .type = VAL_STRING, .len = 4, .text = "true" };
    const struct val *v = doc_field(update, field);
    struct val *set = val_new_map(mem);
    *out = set;
    *was_sent = v != NULL;
    if (v && !val_is_map(v) && !val_is_list(v))
        return doc_field_wrong(field, v, "a map or a list");
    TRY(check_count(field, val_len(v)));
    for (size_t i = 0; i < val_len(v); i++) {
        bool is_map = val_is_map(v);
        const char *name = is_map ? v->pairs[i].key : val_text(v->items[i]);
        if (!name)
            return doc_field_wrong("a policy", v->items[i], "a text");
        TRY(add_policy(mem, set, name, is_map ? v->pairs[i].value : &yes));
    }
    val_sort_keys(set);
    return NULL;
}

static struct err *read_policy(struct arena *mem, const struct entry *entry,
                               struct release_policy_update *out)
{
    if (!val_is_map(entry->value))
        return doc_field_wrong(entry->id, entry->value, "a map");
    out->id = entry->id;
    TRY(read_set(mem, entry->value, "add", &out->add, &out->has_add));
    return read_set(mem, entry->value, "remove", &out->remove, &out->has_remove);
}

static struct err *read_policies(struct arena *mem, const struct val *spec,
                                 struct release_spec *out)
{
    struct entries entries = { 0 };
    TRY(read_entries(mem, spec, &entries));
    struct release_policy_update *updates =
        arena_alloc(mem, (entries.len + 1) * sizeof(struct release_policy_update));
    for (size_t i = 0; i < entries.len; i++)
        TRY(err_wrap(read_policy(mem, &entries.at[i], &updates[i]), "%s", entries.at[i].id));
    out->policies = updates;
    out->policy_count = entries.len;
    return NULL;
}

/* --- the whole */

static bool find_type(const char *name, enum release_type *out)
{
    for (int type = RELEASE_SYNC; type <= (int)RELEASE_AUTO; type++) {
        *out = (enum release_type)type;
        if (strcmp(name, release_type_name(*out)) == 0)
            return true;
    }
    return false;
}

static struct err *read_spec(struct arena *mem, const struct val *spec, struct release_spec *out)
{
    switch (out->type) {
    case RELEASE_SYNC: return NULL;
    case RELEASE_IMAGE: return read_image(mem, spec, out);
    case RELEASE_CONTAINERS: return read_containers(mem, spec, out);
    case RELEASE_POLICY: return read_policies(mem, spec, out);
    case RELEASE_AUTO: return read_auto(mem, spec, out);
    }
    return NULL;
}

struct err *release_spec_parse(struct arena *mem, const struct val *body, struct release_spec *out)
{
    const char *type;
    const struct val *spec;
    *out = (struct release_spec){ .user = "", .message = "", .image = "" };
    if (val_is_null(body))
        return err_new(ERR_INVALID, "no type in update spec");
    if (!val_is_map(body))
        return doc_field_wrong("the update spec", body, "a map");
    TRY(doc_field_text(body, "type", &type));
    if (!find_type(type, &out->type))
        return err_new(ERR_INVALID, "unknown spec type: %.100s", type);
    TRY(read_cause(body, out));
    TRY(doc_field_map(body, "spec", &spec));
    return read_spec(mem, spec, out);
}

/* --- JSON, fields in the order Go declares them */

static struct val *texts_json(struct arena *mem, const char *const *texts)
{
    if (!texts)
        return val_new(mem, VAL_NULL);
    struct val *list = val_new_list(mem);
    for (; *texts; texts++)
        val_append(mem, list, val_new_text(mem, *texts));
    return list;
}

static void set_kind(struct arena *mem, const struct release_spec *spec, struct val *out)
{
    val_set_text(mem, out, "Kind", spec->is_plan ? "plan" : "execute");
}

static void image_json(struct arena *mem, const struct release_spec *spec, struct val *out)
{
    val_set(mem, out, "ServiceSpecs", texts_json(mem, spec->workloads));
    val_set_text(mem, out, "ImageSpec", spec->image);
    set_kind(mem, spec, out);
    val_set(mem, out, "Excludes", texts_json(mem, spec->excludes));
    val_set(mem, out, "Force", val_new_bool(mem, spec->force));
}

/* Without a precondition there is no Current: an empty one is no image to those who read it. */
static void containers_json(struct arena *mem, const struct release_spec *spec, struct val *out)
{
    struct val *by = val_new_map(mem);
    for (size_t i = 0; i < spec->container_count; i++) {
        const struct release_container_update *update = &spec->containers[i];
        struct val *v = val_new_map(mem), *list = val_get(by, update->id);
        if (!list) {
            list = val_new_list(mem);
            val_set(mem, by, update->id, list);
        }
        val_set_text(mem, v, "Container", update->container);
        if (*update->current)
            val_set_text(mem, v, "Current", update->current);
        val_set_text(mem, v, "Target", update->target);
        val_append(mem, list, v);
    }
    val_sort_keys(by);
    /* Sorted deep: Container, Current, Target are in order as they are. */
    set_kind(mem, spec, out);
    val_set(mem, out, "ContainerSpecs", by);
    val_set(mem, out, "SkipMismatches", val_new_bool(mem, spec->skip_mismatches));
    val_set(mem, out, "Force", val_new_bool(mem, spec->force));
}

static void auto_json(struct arena *mem, const struct release_spec *spec, struct val *out)
{
    struct val *changes = val_new_list(mem);
    for (size_t i = 0; i < spec->container_count; i++) {
        const struct release_container_update *update = &spec->containers[i];
        struct val *change = val_new_map(mem), *container = val_new_map(mem);
        val_set_text(mem, container, "Name", update->container);
        val_set_text(mem, container, "Image", update->current);
        val_set_text(mem, change, "WorkloadID", update->id);
        val_set(mem, change, "Container", container);
        val_set_text(mem, change, "ImageID", update->target);
        val_append(mem, changes, change);
    }
    val_set(mem, out, "Changes", changes);
}

static struct val *set_json(struct arena *mem, const struct val *set, bool was_sent)
{
    if (!was_sent && val_len(set) == 0)
        return val_new(mem, VAL_NULL);
    struct val *copy = val_copy_sharing(mem, set);
    val_sort_keys(copy);
    return copy;
}

static void policies_json(struct arena *mem, const struct release_spec *spec, struct val *out)
{
    for (size_t i = 0; i < spec->policy_count; i++) {
        const struct release_policy_update *update = &spec->policies[i];
        struct val *v = val_new_map(mem);
        val_set(mem, v, "add", set_json(mem, update->add, update->has_add));
        val_set(mem, v, "remove", set_json(mem, update->remove, update->has_remove));
        val_set(mem, out, update->id, v);
    }
    val_sort_keys(out);
}

static struct val *spec_json(struct arena *mem, const struct release_spec *spec)
{
    struct val *out = val_new_map(mem);
    switch (spec->type) {
    case RELEASE_SYNC: break;
    case RELEASE_IMAGE: image_json(mem, spec, out); break;
    case RELEASE_CONTAINERS: containers_json(mem, spec, out); break;
    case RELEASE_POLICY: policies_json(mem, spec, out); break;
    case RELEASE_AUTO: auto_json(mem, spec, out); break;
    }
    return out;
}

struct val *release_spec_json(struct arena *mem, const struct release_spec *spec)
{
    struct val *out = val_new_map(mem), *cause = val_new_map(mem);
    val_set_text(mem, cause, "Message", spec->message);
    val_set_text(mem, cause, "User", spec->user);
    val_set_text(mem, out, "type", release_type_name(spec->type));
    val_set(mem, out, "cause", cause);
    val_set(mem, out, "spec", spec_json(mem, spec));
    return out;
}

/* --- of command lines */

struct err *release_spec_id(struct arena *mem, const char *text, const char *default_ns,
                            const char **out)
{
    const char *slash = strchr(text, '/'), *colon = strchr(text, ':');
    bool is_full = colon && (!slash || colon < slash);
    const char *full = is_full ? text : arena_printf(mem, "%s:%s", default_ns, text);
    SCOPED(err_free) struct err *e = slash ? read_id(mem, full, out) : NULL;
    if (slash && !e)
        return NULL;
    return err_new(ERR_INVALID, "parsing %.200s: invalid service ID", text);
}
