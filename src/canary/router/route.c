#include "canary/router/route.h"

#include <string.h>

#include "base/duration.h"
#include "doc/json.h"
#include "doc/object.h"

#define OWN_KIND       "Canary"
#define DELETED_COOKIE "; Max-Age=-1"
/* Of regular expressions, in every dialect of a mesh. */
#define SPECIAL_CHARS "\\.+*?()|[]{}^$"
/* On what a repository declares: sync puts back at once what such an object loses. */
#define DECLARED_LABEL      "fluxcd.io/sync-gc-mark"
#define DECLARED_ANNOTATION "fluxcd.io/sync-checksum"

const char *route_primary(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s-primary", view->canary->apex);
}

const char *route_canary(const struct canary_view *view)
{
    return arena_printf(view->mem, "%s-canary", view->canary->apex);
}

const char *route_title(const struct canary_view *view, const struct route_kind *kind,
                        const char *name)
{
    return kind->is_cluster
               ? arena_printf(view->mem, "%s %s", kind->kind, name)
               : arena_printf(view->mem, "%s %s.%s", kind->kind, name, view->canary->ns);
}

static const char *namespace_of(const struct canary_view *view, const struct route_kind *kind)
{
    return kind->is_cluster ? "" : view->canary->ns;
}

/* -- finding --------------------------------------------------------------------------------- */

void route_want(const struct canary_view *view, const struct route_kind *kind, const char *name,
                struct live_wants *out)
{
    const struct canary *canary = view->canary;
    live_want(out, &(struct live_key){ .api_version = kind->api_version,
                                       .kind = kind->kind,
                                       .ns = namespace_of(view, kind),
                                       .name = name,
                                       .form = LIVE_FULL,
                                       .is_mesh = kind->is_mesh,
                                       .is_source = strcmp(name, canary->apex) == 0 ||
                                                    strcmp(name, canary->ingress.name) == 0 ||
                                                    strcmp(name, canary->route.name) == 0 });
}

struct err *route_find(const struct canary_view *view, const struct route_kind *kind,
                       const char *name, const char *before, const struct val **out)
{
    const char *ns = namespace_of(view, kind);
    *out = NULL;
    switch (live_state(view->live, kind->api_version, kind->kind, ns, name)) {
    case LIVE_UNKNOWN: return err_new(ERR_TRANSIENT, "%snot read yet", before);
    case LIVE_ABSENT: return NULL;
    case LIVE_NO_KIND:
        return err_new(ERR_NOT_FOUND,
                       "%sthe server could not find the requested resource (get %s %s)", before,
                       kind->resource, name);
    case LIVE_HERE:
        *out = live_find(view->live, kind->api_version, kind->kind, ns, name);
        return NULL;
    }
    return NULL;
}

struct err *route_need(const struct canary_view *view, const struct route_kind *kind,
                       const char *name, const char *before, const struct val **out)
{
    TRY(route_find(view, kind, name, before, out));
    return *out ? NULL
                : err_new(ERR_NOT_FOUND, "%s%s \"%s\" not found", before, kind->resource, name);
}

bool route_is_owned(const struct canary_view *view, const struct val *object)
{
    const struct val *owners = VAL_PATH(object, "metadata", "ownerReferences");
    for (size_t i = 0; i < val_len(owners); i++) {
        const struct val *owner = val_item(owners, i);
        if (val_is_true(val_get(owner, "controller")))
            return strcmp(object_kind(owner), OWN_KIND) == 0 &&
                   strcmp(val_text_or(val_get(owner, "name"), ""), view->canary->name) == 0;
    }
    return false;
}

/* -- comparing ------------------------------------------------------------------------------- */

struct twins {
    const struct val *a, *b;
};

struct twins_todo {
    struct arena *mem;
    VEC(struct twins) list;
};

static bool is_unset(const struct val *v)
{
    return val_is_null(v) || (val_is_list(v) && val_len(v) == 0);
}

static void compare_later(struct twins_todo *todo, const struct val *a, const struct val *b)
{
    *vec_push(todo->mem, &todo->list) = (struct twins){ a, b };
}

/* False if one of the maps has a key that the other one lacks. */
static bool same_keys(struct twins_todo *todo, const struct val *a, const struct val *b)
{
    size_t set_in_a = 0, set_in_b = 0;
    for (size_t i = 0; i < a->len; i++) {
        const struct val *other = val_get(b, a->pairs[i].key);
        if (is_unset(a->pairs[i].value))
            continue;
        if (is_unset(other))
            return false;
        compare_later(todo, a->pairs[i].value, other);
        set_in_a++;
    }
    for (size_t i = 0; i < b->len; i++)
        set_in_b += !is_unset(b->pairs[i].value);
    return set_in_a == set_in_b;
}

static bool same_items(struct twins_todo *todo, const struct val *a, const struct val *b)
{
    for (size_t i = 0; i < a->len && a->len == b->len; i++)
        compare_later(todo, a->items[i], b->items[i]);
    return a->len == b->len;
}

bool route_is_same(struct arena *mem, const struct val *a, const struct val *b)
{
    struct twins_todo todo = { .mem = mem };
    if (is_unset(a) || is_unset(b))
        return is_unset(a) && is_unset(b);
    compare_later(&todo, a, b);
    for (size_t i = 0; i < todo.list.len; i++) {
        struct twins twins = todo.list.at[i];
        bool is_same =
            val_is_map(twins.a) && val_is_map(twins.b)     ? same_keys(&todo, twins.a, twins.b)
            : val_is_list(twins.a) && val_is_list(twins.b) ? same_items(&todo, twins.a, twins.b)
                                                           : val_equal(twins.a, twins.b);
        if (!is_same)
            return false;
    }
    return true;
}

struct places {
    struct arena *mem;
    VEC(struct val *) list;
};

static struct places below(const struct places *places, const char *key)
{
    struct places found = { .mem = places->mem };
    for (size_t i = 0; i < places->list.len; i++) {
        struct val *v = places->list.at[i];
        if (strcmp(key, "*") != 0 && val_get(v, key))
            *vec_push(found.mem, &found.list) = val_get(v, key);
        for (size_t item = 0; strcmp(key, "*") == 0 && val_is_list(v) && item < v->len; item++)
            *vec_push(found.mem, &found.list) = v->items[item];
    }
    return found;
}

static void fill_in(struct arena *mem, struct val *spec, const struct route_default *fill)
{
    struct places places = { .mem = mem };
    *vec_push(mem, &places.list) = spec;
    const char *key = fill->path;
    for (const char *dot = strchr(key, '.'); dot; key = dot + 1, dot = strchr(key, '.'))
        places = below(&places, arena_strndup(mem, key, (size_t)(dot - key)));
    for (size_t i = 0; i < places.list.len; i++) {
        struct val *map = places.list.at[i], *value = NULL;
        if (!val_is_map(map) || !val_is_null(val_get(map, key)))
            continue;
        struct err *e = doc_json_parse(mem, fill->json, strlen(fill->json), &value);
        ASSERT(!e);
        val_set(mem, map, key, value);
    }
}

static const struct val *with_defaults(struct arena *mem, const struct route_kind *kind,
                                       const struct val *spec)
{
    if (!kind->defaults || !val_is_map(spec))
        return spec;
    struct val *filled = val_copy(mem, spec);
    for (const struct route_default *fill = kind->defaults; fill->path; fill++)
        fill_in(mem, filled, fill);
    return filled;
}

bool route_fits(struct arena *mem, const struct route_kind *kind, const struct val *spec,
                const struct val *live_spec)
{
    const struct val *a = with_defaults(mem, kind, spec), *b = with_defaults(mem, kind, live_spec);
    if (!kind->keys)
        return route_is_same(mem, a, b);
    for (const char *const *key = kind->keys; *key; key++)
        if (!route_is_same(mem, val_get(a, *key), val_get(b, *key)))
            return false;
    return true;
}

/* Labels or annotations: none are an empty map. */
static bool same_texts(const struct val *a, const struct val *b)
{
    return (val_len(a) == 0 && val_len(b) == 0) || val_equal(a, b);
}

/* -- planning -------------------------------------------------------------------------------- */

static struct val *new_object(const struct canary_view *view, const struct route_kind *kind,
                              const char *name)
{
    struct val *object = view_new_object(view, kind->api_version, kind->kind, name);
    /* The garbage collector of another cluster would not find the owner, and delete. */
    if (kind->is_cluster || (kind->is_mesh && view->settings->mesh_is_elsewhere))
        val_remove(val_get(object, "metadata"), "ownerReferences");
    if (kind->is_cluster)
        val_remove(val_get(object, "metadata"), "namespace");
    return object;
}

static void put_texts(struct arena *mem, struct val *object, const char *field,
                      const struct val *texts)
{
    struct val *metadata = val_need_map(mem, object, "metadata");
    if (val_len(texts) > 0)
        val_set(mem, metadata, field, val_copy(mem, texts));
    else if (texts)
        val_remove(metadata, field);
}

static void put_spec(struct arena *mem, struct val *object, const struct route_kind *kind,
                     const struct val *spec)
{
    if (!kind->keys || !val_is_map(val_get(object, "spec")))
        val_set(mem, object, "spec", kind->keys ? val_new_map(mem) : val_copy(mem, spec));
    struct val *own = val_get(object, "spec");
    for (const char *const *key = kind->keys; key && *key; key++) {
        const struct val *value = val_get(spec, *key);
        if (value)
            val_set(mem, own, *key, val_copy(mem, value));
        else
            val_remove(own, *key);
    }
}

/* What labels or annotations are to be: those wanted, over those that are there if they are kept. NULL: whatever they are. */
static const struct val *final_texts(struct arena *mem, const struct val *wanted,
                                     const struct val *live, bool keeps_live)
{
    if (!wanted || !keeps_live || !val_is_map(live))
        return wanted;
    struct val *merged = val_copy(mem, live);
    for (size_t i = 0; i < val_len(wanted); i++)
        val_set(mem, merged, wanted->pairs[i].key, wanted->pairs[i].value);
    return merged;
}

struct effect *route_plan(const struct canary_view *view, const struct route_kind *kind,
                          const struct route_form *form, struct effects *out)
{
    struct arena *mem = view->mem;
    const struct val *live = form->live;
    const struct val *live_labels = VAL_PATH(live, "metadata", "labels");
    const struct val *live_annotations = VAL_PATH(live, "metadata", "annotations");
    bool is_declared = object_label(live, DECLARED_LABEL);
    const struct val *labels = final_texts(mem, form->labels, live_labels, is_declared);
    const struct val *annotations = final_texts(mem, form->annotations, live_annotations,
                                                is_declared || form->keeps_annotations);
    if (live && route_fits(mem, kind, form->spec, val_get(live, "spec")) &&
        (!labels || same_texts(labels, live_labels)) &&
        (!annotations || same_texts(annotations, live_annotations)))
        return NULL;
    struct val *object = live ? val_copy(mem, live) : new_object(view, kind, form->name);
    put_texts(mem, object, "labels", labels);
    put_texts(mem, object, "annotations", annotations);
    put_spec(mem, object, kind, form->spec);
    struct effect *effect = effect_add(out, live ? EFFECT_UPDATE : EFFECT_CREATE, object);
    effect->is_mesh = kind->is_mesh;
    return effect;
}

void route_say(struct arena *mem, struct effect *effect, const char *wrap, const char *title)
{
    if (!effect)
        return;
    bool is_new = effect->verb == EFFECT_CREATE;
    effect->before =
        arena_printf(mem, "%s%s %s error: ", wrap, title, is_new ? "create" : "update");
    effect->log = arena_printf(mem, "%s %s", title, is_new ? "created" : "updated");
}

/* -- metadata and spec ----------------------------------------------------------------------- */

static struct val *copy_texts(struct arena *mem, const struct val *texts)
{
    return val_is_map(texts) ? val_copy(mem, texts) : val_new_map(mem);
}

struct val *route_labels(const struct canary_view *view)
{
    const struct val *apex = val_get(view->canary->service, "apex");
    struct val *labels = copy_texts(view->mem, val_get(apex, "labels"));
    if (val_is_map(apex) && view->target.selector_key && *view->target.selector_key)
        val_set_text(view->mem, labels, view->target.selector_key, view->canary->apex);
    return labels;
}

struct val *route_annotations(const struct canary_view *view)
{
    struct val *annotations =
        copy_texts(view->mem, VAL_PATH(view->canary->service, "apex", "annotations"));
    view_add_flux_pair(view->mem, annotations);
    return annotations;
}

struct val *route_copied_texts(struct arena *mem, const struct val *texts)
{
    struct val *copy = copy_texts(mem, texts);
    val_remove(copy, DECLARED_LABEL);
    val_remove(copy, DECLARED_ANNOTATION);
    return copy;
}

int64_t route_weight(const struct val *backend, int64_t otherwise)
{
    int64_t weight = 0;
    return val_int(val_get(backend, "weight"), &weight) ? weight : otherwise;
}

struct split route_split(int64_t primary, int64_t canary)
{
    if (primary >= 0 && canary >= 0)
        return (struct split){ .primary = primary, .canary = canary };
    /* Alone, a backend gets all traffic whatever its weight: only a weight that has a rest tells what the other one had. */
    int64_t known = primary >= 0 ? CANARY_TOTAL - primary : canary;
    bool is_told = known > 0 && (known < CANARY_TOTAL || (canary == CANARY_TOTAL && primary < 0));
    return (struct split){ .primary = is_told ? CANARY_TOTAL - known : CANARY_TOTAL,
                           .canary = is_told ? known : 0 };
}

struct val *route_spec(struct arena *mem, const struct val *object)
{
    const struct val *spec = val_get(object, "spec");
    return val_is_map(spec) ? val_copy(mem, spec) : val_new_map(mem);
}

struct val *route_sorted(struct arena *mem, const struct val *map)
{
    struct val *sorted = val_copy(mem, map);
    val_sort_keys(sorted);
    return sorted;
}

struct val *route_pick(struct arena *mem, const struct val *from, const char *const *keys)
{
    struct val *picked = val_new_map(mem);
    for (; *keys; keys++) {
        const struct val *value = val_get(from, *keys);
        bool is_empty = val_is_null(value) || (value->type == VAL_BOOL && !value->boolean) ||
                        (value->type != VAL_BOOL && value->len == 0);
        if (!is_empty)
            val_set(mem, picked, *keys, val_copy(mem, value));
    }
    return picked;
}

struct val *route_merge(struct arena *mem, const struct val *conditions, const struct val *bases,
                        const char *const *keys)
{
    struct val *merged = val_new_list(mem);
    if (val_len(bases) == 0 || val_len(conditions) == 0) {
        const struct val *other = val_len(bases) == 0 ? conditions : bases;
        return val_is_list(other) ? val_copy(mem, other) : merged;
    }
    for (size_t c = 0; c < val_len(conditions); c++)
        for (size_t b = 0; b < val_len(bases); b++) {
            const struct val *condition = val_item(conditions, c), *base = val_item(bases, b);
            struct val *match = val_is_map(base) ? val_copy(mem, base) : val_new_map(mem);
            for (const char *const *key = keys; *key; key++)
                if (val_len(val_get(condition, *key)) > 0)
                    val_set(mem, match, *key, val_copy(mem, val_get(condition, *key)));
            val_append(mem, merged, match);
        }
    return merged;
}

/* -- session affinity ------------------------------------------------------------------------ */

static const char *first_of(const char *a, const char *b)
{
    return a && *a ? a : b ? b : "";
}

void route_cookies_keep(const struct canary_view *view, int64_t canary_weight, bool has_primary,
                        const struct route_cookies *live, struct route_cookies *out)
{
    const struct canary_status *status = &view->canary->status;
    const struct canary_affinity *affinity = view->canary->analysis.affinity;
    *out = (struct route_cookies){ "", "", "" };
    if (!affinity)
        return;
    if (canary_weight == 0) {
        out->previous = first_of(live->previous, "");
        return;
    }
    out->canary = first_of(status->cookie, live->canary);
    if (*out->canary && has_primary && *affinity->primary_cookie_name)
        out->primary = first_of(status->primary_cookie, live->primary);
}

/* The status may lag behind the routes: it is written after them, and that write can fail. */
void route_cookies_next(const struct canary_view *view, int64_t canary_weight, bool has_primary,
                        const struct route_cookies *live, struct route_cookies *out,
                        struct effects *effects)
{
    const struct canary_status *status = &view->canary->status;
    const struct canary_affinity *affinity = view->canary->analysis.affinity;
    const char *cookie = first_of(status->cookie, live->canary);
    const char *primary = first_of(status->primary_cookie, live->primary);
    *out = (struct route_cookies){ "", "", "" };
    if (!affinity)
        return;
    if (canary_weight == 0) {
        out->previous = first_of(cookie, first_of(status->previous_cookie, live->previous));
        if (*cookie) {
            effects->previous_cookie = cookie;
            effects->cookie = "";
        }
        return;
    }
    out->canary = *cookie
                      ? cookie
                      : arena_printf(view->mem, "%s=%s", affinity->cookie_name, view->letters[0]);
    effects->cookie = out->canary;
    if (!has_primary || !*affinity->primary_cookie_name)
        return;
    out->primary = *primary ? primary
                            : arena_printf(view->mem, "%s=%s", affinity->primary_cookie_name,
                                           view->letters[1]);
    effects->primary_cookie = out->primary;
}

static const char *cookie_text(const struct canary_view *view, const char *cookie,
                               int64_t max_age_s)
{
    const struct canary_affinity *affinity = view->canary->analysis.affinity;
    const struct {
        bool is_set;
        const char *name, *value;
    } attributes[] = {
        { *affinity->domain, "; Domain=", affinity->domain },
        { affinity->http_only, "; HttpOnly", "" },
        { affinity->partitioned, "; Partitioned", "" },
        { *affinity->path, "; Path=", affinity->path },
        { *affinity->same_site, "; SameSite=", affinity->same_site },
        { affinity->secure, "; Secure", "" },
    };
    const char *text = arena_printf(view->mem, "%s; Max-Age=%lld", cookie, (long long)max_age_s);
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        if (attributes[i].is_set)
            text = arena_printf(view->mem, "%s%s%s", text, attributes[i].name, attributes[i].value);
    return text;
}

const char *route_cookie_set(const struct canary_view *view, const char *cookie)
{
    return cookie_text(view, cookie, view->canary->analysis.affinity->max_age_s);
}

struct err *route_cookie_set_primary(const struct canary_view *view, const char *cookie,
                                     const char **out)
{
    int64_t interval_ms = 0;
    TRY(err_wrap(duration_parse(view->canary->analysis.interval_text, &interval_ms),
                 "failed to parse canary interval"));
    *out = cookie_text(view, cookie, interval_ms / 1000);
    return NULL;
}

/* With the attributes it was set with: to a browser it is another cookie otherwise. */
const char *route_cookie_delete(const struct canary_view *view, const char *cookie)
{
    return cookie_text(view, cookie, -1);
}

bool route_cookie_is_deleted(const struct canary_view *view, const char *set_cookie)
{
    const char *own = val_text_or(
        VAL_PATH(view->canary->service, "headers", "response", "add", "Set-Cookie"), "");
    return set_cookie && strstr(set_cookie, DELETED_COOKIE) && strcmp(set_cookie, own) != 0;
}

const char *route_cookie_of(struct arena *mem, const char *set_cookie)
{
    return set_cookie ? arena_strndup(mem, set_cookie, strcspn(set_cookie, ";")) : "";
}

static void add_literal(struct sbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr(SPECIAL_CHARS, text[i]))
            sbuf_add_char(out, '\\');
        sbuf_add_char(out, text[i]);
    }
}

const char *route_literal(struct arena *mem, const char *text)
{
    SBUF(literal, SBUF_MAX);
    add_literal(&literal, text, strlen(text));
    return arena_strdup(mem, sbuf_text(&literal));
}

/* The value is letters only, so that the last = ends the name. */
static size_t name_len(const char *cookie)
{
    const char *equals = strrchr(cookie, '=');
    return equals ? (size_t)(equals - cookie) : strlen(cookie);
}

const char *route_cookie_pattern(struct arena *mem, const char *cookie)
{
    SBUF(text, SBUF_MAX);
    size_t len = name_len(cookie);
    sbuf_add(&text, ".*");
    add_literal(&text, cookie, len);
    sbuf_add(&text, ".*");
    if (cookie[len] == '=')
        add_literal(&text, cookie + len + 1, strlen(cookie + len + 1));
    sbuf_add(&text, ".*");
    return arena_strdup(mem, sbuf_text(&text));
}

/* As this file writes the name, and as it was written before, without escapes. */
static bool has_name(struct arena *mem, const char *pattern, const char *cookie)
{
    SBUF(literal, SBUF_MAX);
    size_t len = name_len(cookie);
    add_literal(&literal, cookie, len);
    return len > 0 && (strstr(pattern, sbuf_text(&literal)) ||
                       strstr(pattern, arena_strndup(mem, cookie, len)));
}

bool route_cookie_is_sticky(const struct canary_view *view, const char *pattern)
{
    const struct canary_status *status = &view->canary->status;
    const struct canary_affinity *affinity = view->canary->analysis.affinity;
    if (!affinity || !pattern || view->canary->analysis.match)
        return false;
    const char *const cookies[] = { arena_printf(view->mem, "%s=", affinity->cookie_name),
                                    arena_printf(view->mem, "%s=", affinity->primary_cookie_name),
                                    status->cookie, status->primary_cookie,
                                    status->previous_cookie };
    for (size_t i = 0; i < ARRAY_LEN(cookies); i++)
        if (has_name(view->mem, pattern, cookies[i]))
            return true;
    return false;
}
