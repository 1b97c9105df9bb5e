#include "fake.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/merge.h"
#include "doc/object.h"
#include "doc/yaml.h"

#define TICK_MS 2

struct fake_kind {
    char *api_version, *group, *version, *kind, *plural;
    bool is_gone;
};

struct change {
    char *type, *collection, *ns, *json;
    long long version;
};

struct refusal {
    char *start, *message;
    int status, times;
};

struct fake {
    pthread_mutex_t lock;
    VEC(struct fake_kind) kinds;
    struct map *objects; /* "COLLECTION NS/NAME" -> JSON */
    VEC(struct change) history;
    VEC(struct refusal) refusals;
    long long version, oldest;
    int era; /* counts expiries */
    bool rolls_out;
    char *held;
};

static void lock(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
}

static void unlock(struct fake *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

/* -- kinds --------------------------------------------------------------------------------------------------------- */

static const char *collection_of(struct arena *mem, const struct fake_kind *kind)
{
    return *kind->group
               ? arena_printf(mem, "/apis/%s/%s/%s", kind->group, kind->version, kind->plural)
               : arena_printf(mem, "/api/%s/%s", kind->version, kind->plural);
}

static const struct fake_kind *find_kind(const struct fake *fake, const char *kind)
{
    for (size_t i = 0; i < fake->kinds.len; i++) {
        if (!strcmp(fake->kinds.at[i].kind, kind) && !fake->kinds.at[i].is_gone)
            return &fake->kinds.at[i];
    }
    return NULL;
}

static void add_kind(struct fake *fake, const char *api_version, const char *name,
                     const char *plural)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *group, *version;
    object_split_api_version(mem, api_version, &group, &version);
    *vec_push(NULL, &fake->kinds) = (struct fake_kind){ .api_version = base_copy_text(api_version),
                                                        .group = base_copy_text(group),
                                                        .version = base_copy_text(version),
                                                        .kind = base_copy_text(name),
                                                        .plural = base_copy_text(plural) };
}

static const char *group_json(struct arena *mem, const struct fake *fake, const char *group)
{
    SBUF(text, SBUF_MAX);
    sbuf_addf(&text, "{\"metadata\":{\"name\":\"%s\"},\"versions\":[", group);
    const char *version = NULL, *comma = "";
    for (size_t i = 0; i < fake->kinds.len; i++) {
        const struct fake_kind *kind = &fake->kinds.at[i];
        if (strcmp(kind->group, group) != 0 || kind->is_gone)
            continue;
        if (!version || strcmp(version, kind->version) != 0)
            sbuf_addf(&text, "%s{\"version\":\"%s\",\"resources\":[", version ? "]}," : "",
                      kind->version);
        comma = version && !strcmp(version, kind->version) ? "," : "";
        version = kind->version;
        sbuf_addf(&text,
                  "%s{\"resource\":\"%s\",\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\","
                  "\"kind\":\"%s\"},\"scope\":\"Namespaced\",\"verbs\":[\"get\",\"list\",\"watch\","
                  "\"create\",\"update\",\"patch\",\"delete\"]}",
                  comma, kind->plural, kind->group, kind->version, kind->kind);
    }
    sbuf_add(&text, version ? "]}]}" : "]}");
    return arena_strdup(mem, sbuf_text(&text));
}

static void reply_groups(struct fake *fake, const struct scripted_request *request, bool is_core)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SCOPED(map_free) struct map *groups = map_new(NULL);
    SBUF(text, SBUF_MAX);
    sbuf_add(&text, "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[");
    lock(fake);
    for (size_t i = 0; i < fake->kinds.len; i++) {
        const struct fake_kind *kind = &fake->kinds.at[i];
        if (!*kind->group != is_core || kind->is_gone || map_get(groups, kind->group))
            continue;
        sbuf_addf(&text, "%s%s", map_len(groups) ? "," : "", group_json(mem, fake, kind->group));
        map_set(groups, kind->group, fake);
    }
    unlock(fake);
    sbuf_add(&text, "]}");
    scripted_reply(request, 200, NULL, sbuf_text(&text));
}

/* -- objects ------------------------------------------------------------------------------------------------------- */

static const char *object_key(struct arena *mem, const char *collection, const char *ns,
                              const char *name)
{
    return arena_printf(mem, "%s %s/%s", collection, ns, name);
}

static struct val *parse(struct arena *mem, const char *json)
{
    struct val *v = NULL;
    struct err *e = doc_json_parse(mem, json, strlen(json), &v);
    ASSERT(!e);
    return v;
}

static void record(struct fake *fake, const char *type, const char *collection, const char *ns,
                   const char *json)
{
    *vec_push(NULL, &fake->history) = (struct change){ .type = base_copy_text(type),
                                                       .collection = base_copy_text(collection),
                                                       .ns = base_copy_text(ns),
                                                       .json = base_copy_text(json),
                                                       .version = fake->version };
}

/* All pods of a Deployment are there at once. */
static void roll_out(struct arena *mem, struct val *deployment)
{
    static const char *const counts[] = { "replicas", "updatedReplicas", "availableReplicas" };
    int64_t replicas = 1;
    if (!val_int(VAL_PATH(deployment, "spec", "replicas"), &replicas))
        replicas = 1;
    struct val *status = val_new_map(mem);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        val_set(mem, status, counts[i], val_new_int(mem, replicas));
    val_set(mem, deployment, "status", status);
}

/* Gives it a version and keeps it: the JSON as it is now. */
static const char *keep(struct fake *fake, struct arena *mem, const char *collection,
                        struct val *object)
{
    struct val *metadata = val_need_map(mem, object, "metadata");
    const char *key = object_key(mem, collection, object_namespace(object), object_name(object));
    const char *old_json = map_get(fake->objects, key);
    bool is_new = !old_json;
    const struct val *old = VAL_PATH(old_json ? parse(mem, old_json) : NULL, "metadata");
    static const char *const kept[] = { "uid", "creationTimestamp" };
    for (size_t i = 0; old && i < ARRAY_LEN(kept); i++)
        val_set(mem, metadata, kept[i], val_get(old, kept[i]));
    if (fake->rolls_out && strstr(collection, "/deployments"))
        roll_out(mem, object);
    fake->version++;
    val_set_text(mem, metadata, "resourceVersion", arena_printf(mem, "%lld", fake->version));
    if (!*object_uid(object))
        val_set_text(mem, metadata, "uid", arena_printf(mem, "uid-%lld", fake->version));
    if (!val_get(metadata, "creationTimestamp"))
        val_set_text(mem, metadata, "creationTimestamp",
                     arena_printf(mem, "2026-01-01T00:00:%02lldZ", fake->version % 60));
    const char *json = val_json(mem, object, NULL);
    map_set(fake->objects, key, base_copy_text(json));
    record(fake, is_new ? "ADDED" : "MODIFIED", collection, object_namespace(object), json);
    return json;
}

static void remove_object(struct fake *fake, struct arena *mem, const char *collection,
                          const char *ns, const char *name)
{
    const char *key = object_key(mem, collection, ns, name);
    const char *json = map_get(fake->objects, key);
    if (!json)
        return;
    struct val *object = parse(mem, json);
    fake->version++;
    val_set_text(mem, val_get(object, "metadata"), "resourceVersion",
                 arena_printf(mem, "%lld", fake->version));
    record(fake, "DELETED", collection, ns, val_json(mem, object, NULL));
    map_remove(fake->objects, key);
}

void fake_put(struct fake *fake, const char *yaml)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct doc_yaml_list docs = { 0 };
    struct err *e = doc_yaml_load(mem, yaml, strlen(yaml), &doc_yaml_default_limits, &docs, NULL);
    if (e)
        fail_msg("%s", err_text(e));
    lock(fake);
    for (size_t i = 0; i < docs.len; i++) {
        const struct fake_kind *kind = find_kind(fake, object_kind(docs.at[i].root));
        assert_non_null(kind);
        (void)keep(fake, mem, collection_of(mem, kind), docs.at[i].root);
    }
    unlock(fake);
}

void fake_delete(struct fake *fake, const char *kind, const char *ns, const char *name)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    lock(fake);
    remove_object(fake, mem, collection_of(mem, find_kind(fake, kind)), ns, name);
    unlock(fake);
}

struct val *fake_get(struct fake *fake, struct arena *mem, const char *kind, const char *ns,
                     const char *name)
{
    lock(fake);
    const char *json = map_get(
        fake->objects, object_key(mem, collection_of(mem, find_kind(fake, kind)), ns, name));
    struct val *v = json ? parse(mem, json) : NULL;
    unlock(fake);
    return v;
}

void fake_add_kind(struct fake *fake, const char *api_version, const char *kind, const char *plural)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *group, *version;
    object_split_api_version(mem, api_version, &group, &version);
    lock(fake);
    add_kind(fake, api_version, kind, plural);
    unlock(fake);
    fake_put(fake, arena_printf(mem,
                                "{apiVersion: apiextensions.k8s.io/v1, kind: "
                                "CustomResourceDefinition, metadata: {name: %s.%s}}",
                                plural, group));
}

void fake_remove_kind(struct fake *fake, const char *api_version, const char *kind)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *name = "";
    lock(fake);
    for (size_t i = 0; i < fake->kinds.len; i++) {
        struct fake_kind *one = &fake->kinds.at[i];
        if (strcmp(one->kind, kind) != 0 || strcmp(one->api_version, api_version) != 0)
            continue;
        one->is_gone = true;
        name = arena_printf(mem, "%s.%s", one->plural, one->group);
    }
    unlock(fake);
    fake_delete(fake, "CustomResourceDefinition", "", name);
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

struct path {
    const char *collection, *ns, *name, *sub; /* name, sub "" if none */
};

static bool parse_path(struct fake *fake, struct arena *mem, const char *text, struct path *out)
{
    for (size_t i = 0; i < fake->kinds.len; i++) {
        const struct fake_kind *kind = &fake->kinds.at[i];
        const char *group = *kind->group
                                ? arena_printf(mem, "/apis/%s/%s/", kind->group, kind->version)
                                : arena_printf(mem, "/api/%s/", kind->version);
        if (kind->is_gone || strncmp(text, group, strlen(group)) != 0)
            continue;
        char *rest = arena_strdup(mem, text + strlen(group));
        *out = (struct path){ collection_of(mem, kind), "", "", "" };
        char *part = strsep(&rest, "/");
        if (!strcmp(part, "namespaces") && rest && strchr(rest, '/')) {
            out->ns = strsep(&rest, "/");
            part = strsep(&rest, "/");
        }
        if (strcmp(part, kind->plural) != 0)
            continue;
        out->name = rest ? strsep(&rest, "/") : "";
        out->sub = rest ? rest : "";
        return true;
    }
    return false;
}

static const char *status_json(struct arena *mem, int code, const char *reason, const char *message)
{
    struct val *v = val_new_map(mem), *details = val_new_map(mem);
    val_set_text(mem, v, "kind", "Status");
    val_set_text(mem, v, "apiVersion", "v1");
    val_set_text(mem, v, "status", "Failure");
    val_set_text(mem, v, "message", message);
    val_set_text(mem, v, "reason", reason);
    val_set_text(mem, details, "name", "that");
    val_set(mem, v, "details", details);
    val_set(mem, v, "code", val_new_int(mem, code));
    return val_json(mem, v, NULL);
}

struct answer {
    int status;
    const char *body;
};

static struct answer refused(struct arena *mem, int code, const char *reason, const char *message)
{
    return (struct answer){ code, status_json(mem, code, reason, message) };
}

static struct answer not_found(struct arena *mem, const struct path *path)
{
    const char *plural = strrchr(path->collection, '/') + 1;
    return refused(mem, 404, "NotFound",
                   arena_printf(mem, "%s \"%s\" not found", plural, path->name));
}

static bool find_refusal(struct fake *fake, struct arena *mem, const char *what, struct answer *out)
{
    for (size_t i = 0; i < fake->refusals.len; i++) {
        struct refusal *refusal = &fake->refusals.at[i];
        if (refusal->times <= 0 || strncmp(what, refusal->start, strlen(refusal->start)) != 0)
            continue;
        refusal->times--;
        const char *reason = refusal->status == 403   ? "Forbidden"
                             : refusal->status == 409 ? "Conflict"
                                                      : "InternalError";
        *out = refused(mem, refusal->status, reason, refusal->message);
        return true;
    }
    return false;
}

static struct answer put_object(struct fake *fake, struct arena *mem, const struct path *path,
                                const struct val *body)
{
    const char *old_json =
        map_get(fake->objects, object_key(mem, path->collection, path->ns, path->name));
    if (!old_json)
        return not_found(mem, path);
    struct val *old = parse(mem, old_json), *next = val_copy(mem, body);
    const char *version = object_resource_version(body);
    if (*version && strcmp(version, object_resource_version(old)) != 0)
        return refused(mem, 409, "Conflict",
                       arena_printf(mem,
                                    "Operation cannot be fulfilled on \"%s\": the object has "
                                    "been modified",
                                    path->name));
    if (!strcmp(path->sub, "status")) {
        next = val_copy(mem, old);
        if (val_get(body, "status"))
            val_set(mem, next, "status", val_copy(mem, val_get(body, "status")));
    } else if (val_get(old, "status")) {
        val_set(mem, next, "status", val_copy(mem, val_get(old, "status")));
    }
    struct val *metadata = val_need_map(mem, next, "metadata");
    val_set_text(mem, metadata, "uid", object_uid(old));
    return (struct answer){ 200, keep(fake, mem, path->collection, next) };
}

static struct answer post_object(struct fake *fake, struct arena *mem, const struct path *path,
                                 const struct val *body)
{
    struct val *next = val_copy(mem, body);
    const char *key = object_key(mem, path->collection, path->ns, object_name(body));
    if (map_get(fake->objects, key))
        return refused(mem, 409, "AlreadyExists",
                       arena_printf(mem, "\"%s\" already exists", object_name(body)));
    val_set_text(mem, val_need_map(mem, next, "metadata"), "namespace", path->ns);
    return (struct answer){ 201, keep(fake, mem, path->collection, next) };
}

static struct answer patch_object(struct fake *fake, struct arena *mem, const struct path *path,
                                  const struct val *body)
{
    const char *json =
        map_get(fake->objects, object_key(mem, path->collection, path->ns, path->name));
    if (!json)
        return not_found(mem, path);
    struct val *next = val_copy(mem, doc_merge_apply(mem, parse(mem, json), body));
    return (struct answer){ 200, keep(fake, mem, path->collection, next) };
}

/* All of a collection, in one page. */
static struct answer list_objects(struct fake *fake, struct arena *mem, const struct path *path)
{
    SBUF(text, SBUF_MAX);
    const char *start =
        arena_printf(mem, "%s %s%s", path->collection, path->ns, *path->ns ? "/" : "");
    const char *key;
    void *json;
    sbuf_add(&text, "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[");
    bool is_first = true;
    for (size_t at = 0; map_next(fake->objects, &at, &key, &json);) {
        if (strncmp(key, start, strlen(start)) != 0)
            continue;
        sbuf_addf(&text, "%s%s", is_first ? "" : ",", (const char *)json);
        is_first = false;
    }
    sbuf_addf(&text, "],\"metadata\":{\"resourceVersion\":\"%lld\"}}", fake->version);
    return (struct answer){ 200, arena_strdup(mem, sbuf_text(&text)) };
}

static struct answer change_object(struct fake *fake, struct arena *mem, const char *method,
                                   const struct path *path, const struct val *body)
{
    const char *json =
        map_get(fake->objects, object_key(mem, path->collection, path->ns, path->name));
    if (!strcmp(method, "POST"))
        return post_object(fake, mem, path, body);
    if (!strcmp(method, "PUT"))
        return put_object(fake, mem, path, body);
    if (!strcmp(method, "PATCH"))
        return patch_object(fake, mem, path, body);
    if (!strcmp(method, "GET") && !*path->name)
        return list_objects(fake, mem, path);
    if (!json)
        return not_found(mem, path);
    struct answer answer = { 200, arena_strdup(mem, json) };
    if (!strcmp(method, "DELETE"))
        remove_object(fake, mem, path->collection, path->ns, path->name);
    return answer;
}

/* -- watches ------------------------------------------------------------------------------------------------------- */

static bool is_metadata_only(const struct scripted_request *request)
{
    return strstr(scripted_header(request, "Accept"), "PartialObjectMetadata") != NULL;
}

static const char *shown(struct arena *mem, const struct scripted_request *request,
                         const char *json)
{
    if (!is_metadata_only(request))
        return json;
    struct val *object = parse(mem, json), *v = val_new_map(mem);
    val_set_text(mem, v, "kind", "PartialObjectMetadata");
    val_set_text(mem, v, "apiVersion", "meta.k8s.io/v1");
    val_set(mem, v, "metadata", val_get(object, "metadata"));
    return val_json(mem, v, NULL);
}

/* False once the watch has expired: from then on it tells nothing. */
static bool send_events(const struct scripted_request *request, struct fake *fake,
                        const struct path *path, long long *from, int era)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    lock(fake);
    bool is_expired = era != fake->era;
    for (size_t i = 0; !is_expired && i < fake->history.len; i++) {
        const struct change *change = &fake->history.at[i];
        if (change->version <= *from || strcmp(change->collection, path->collection) != 0 ||
            (*path->ns && strcmp(path->ns, change->ns) != 0))
            continue;
        sbuf_addf(&text, "{\"type\":\"%s\",\"object\":%s}\n", change->type,
                  shown(mem, request, change->json));
    }
    *from = fake->version;
    unlock(fake);
    if (text.len)
        scripted_piece(request, "%s", sbuf_text(&text));
    return !is_expired;
}

static long long send_initial(const struct scripted_request *request, struct fake *fake,
                              const struct path *path)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    SBUF(text, SBUF_MAX);
    const char *start =
        arena_printf(mem, "%s %s%s", path->collection, path->ns, *path->ns ? "/" : "");
    const char *key;
    void *json;
    lock(fake);
    for (size_t at = 0; map_next(fake->objects, &at, &key, &json);) {
        if (!strncmp(key, start, strlen(start)))
            sbuf_addf(&text, "{\"type\":\"ADDED\",\"object\":%s}\n", shown(mem, request, json));
    }
    long long version = fake->version;
    unlock(fake);
    sbuf_addf(&text,
              "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%lld\","
              "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
              version);
    scripted_piece(request, "%s", sbuf_text(&text));
    return version;
}

static void serve_watch(struct fake *fake, const struct scripted_request *request,
                        const struct path *path)
{
    const char *version = strstr(request->query, "&resourceVersion=");
    lock(fake);
    int era = fake->era;
    long long from = version ? strtoll(version + strlen("&resourceVersion="), NULL, 10) : 0;
    bool is_expired = version && from < fake->oldest;
    unlock(fake);
    scripted_begin(request);
    if (!version)
        from = send_initial(request, fake, path);
    while (!is_expired && scripted_wait(request, TICK_MS))
        is_expired = !send_events(request, fake, path, &from, era);
    if (is_expired)
        scripted_piece(request, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
                                "\"reason\":\"Expired\",\"message\":\"too old\"}}\n");
}

/* -- the server ---------------------------------------------------------------------------------------------------- */

static void wait_while_held(struct fake *fake, const struct scripted_request *request,
                            const char *what)
{
    bool is_held;
    do {
        lock(fake);
        is_held = fake->held && !strncmp(what, fake->held, strlen(fake->held));
        unlock(fake);
    } while (is_held && scripted_wait(request, TICK_MS));
}

static void serve_object(struct fake *fake, const struct scripted_request *request)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct path path;
    struct answer answer;
    struct val *body = request->body_len ? parse(mem, request->body) : NULL;
    bool is_watch = strstr(request->query, "watch=1") != NULL;
    const char *what =
        arena_printf(mem, "%s %s", is_watch ? "WATCH" : request->method, request->path);
    wait_while_held(fake, request, what);
    lock(fake);
    bool is_known = parse_path(fake, mem, request->path, &path);
    bool is_refused = find_refusal(fake, mem, what, &answer);
    if (!is_refused && !is_known)
        answer = (struct answer){ 404, "404 page not found" };
    else if (!is_refused && !is_watch)
        answer = change_object(fake, mem, request->method, &path, body);
    unlock(fake);
    if (is_known && is_watch && !is_refused)
        serve_watch(fake, request, &path);
    else
        scripted_reply(request, answer.status, NULL, answer.body);
}

void fake_serve(void *ctx, const struct scripted_request *request)
{
    struct fake *fake = ctx;
    if (!strcmp(request->path, "/version"))
        scripted_reply(request, 200, NULL, "{\"gitVersion\":\"v1.34.0\"}");
    else if (!strcmp(request->path, "/api") || !strcmp(request->path, "/apis"))
        reply_groups(fake, request, !strcmp(request->path, "/api"));
    else
        serve_object(fake, request);
}

void fake_roll_out(struct fake *fake, bool rolls_out)
{
    lock(fake);
    fake->rolls_out = rolls_out;
    unlock(fake);
}

void fake_refuse(struct fake *fake, const char *start, int status, const char *message, int times)
{
    lock(fake);
    *vec_push(NULL, &fake->refusals) = (struct refusal){ .start = base_copy_text(start),
                                                         .message = base_copy_text(message),
                                                         .status = status,
                                                         .times = times };
    unlock(fake);
}

void fake_expire(struct fake *fake)
{
    lock(fake);
    fake->era++;
    fake->oldest = ++fake->version;
    unlock(fake);
}

void fake_hold(struct fake *fake, const char *start)
{
    lock(fake);
    free(fake->held);
    fake->held = base_copy_text(start);
    unlock(fake);
}

struct fake *fake_new(void)
{
    static const char *const kinds[][3] = {
        { "v1", "ConfigMap", "configmaps" },
        { "v1", "Secret", "secrets" },
        { "v1", "Service", "services" },
        { "v1", "Event", "events" },
        { "apps/v1", "Deployment", "deployments" },
        { "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions" },
        { "flagger.app/v1beta1", "Canary", "canaries" },
        { "flagger.app/v1beta1", "MetricTemplate", "metrictemplates" },
        { "flagger.app/v1beta1", "AlertProvider", "alertproviders" },
    };
    struct fake *fake = base_alloc(sizeof(*fake));
    pthread_mutex_init(&fake->lock, NULL);
    fake->objects = map_new(free);
    fake->version = 100;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        add_kind(fake, kinds[i][0], kinds[i][1], kinds[i][2]);
    return fake;
}

void fake_free(struct fake *fake)
{
    for (size_t i = 0; i < fake->kinds.len; i++) {
        struct fake_kind *kind = &fake->kinds.at[i];
        char *const texts[] = { kind->api_version, kind->group, kind->version, kind->kind,
                                kind->plural };
        for (size_t t = 0; t < ARRAY_LEN(texts); t++)
            free(texts[t]);
    }
    for (size_t i = 0; i < fake->history.len; i++) {
        struct change *change = &fake->history.at[i];
        char *const texts[] = { change->type, change->collection, change->ns, change->json };
        for (size_t t = 0; t < ARRAY_LEN(texts); t++)
            free(texts[t]);
    }
    for (size_t i = 0; i < fake->refusals.len; i++) {
        free(fake->refusals.at[i].start);
        free(fake->refusals.at[i].message);
    }
    vec_fini(&fake->kinds);
    vec_fini(&fake->history);
    vec_fini(&fake->refusals);
    map_free(fake->objects);
    pthread_mutex_destroy(&fake->lock);
    free(fake->held);
    free(fake);
}
