#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/vec.h"
#include "doc/json.h"
#include "image/wire.h"

#define HUB         "index.docker.io"
#define ENTRIES_MAX ((size_t)1000)

/* Scheme and path removed, in lower case; Docker Hub has several names. */
static const char *host_of(struct arena *mem, const char *key)
{
    static const char *const hub[] = { "docker.io", "registry-1.docker.io", "www.docker.io" };
    static const char *const schemes[] = { "https://", "http://" };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strncasecmp(key, schemes[i], strlen(schemes[i])) == 0)
            key += strlen(schemes[i]);
    }
    char *host = arena_strndup(mem, key, strcspn(key, "/"));
    for (char *c = host; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    for (size_t i = 0; i < ARRAY_LEN(hub); i++) {
        if (strcmp(host, hub[i]) == 0)
            return HUB;
    }
    return host;
}

/* user:password in base64. */
static bool read_auth(struct arena *mem, const struct val *auth, struct image_login *out)
{
    unsigned char *bytes = NULL;
    size_t len = 0;
    SCOPED(err_free)
    struct err *e = hash_base64_parse(mem, auth->text, auth->len, &bytes, &len);
    if (e)
        return false;
    const char *text = arena_strndup(mem, (const char *)bytes, len);
    const char *colon = strchr(text, ':'); /* what follows a NUL is padding of old clients */
    if (!colon || colon == text)
        return false;
    out->user = arena_strndup(mem, text, (size_t)(colon - text));
    out->password = colon + 1;
    return true;
}

/* False: nothing in it is of use. */
static bool read_entry(struct arena *mem, const struct val *entry, struct image_login *out)
{
    const struct val *auth = val_get(entry, "auth");
    const char *registry_token = val_text_or(val_get(entry, "registrytoken"), "");
    out->token = val_text_or(val_get(entry, "identitytoken"), "");
    if (*out->token == '\0' && *registry_token) {
        out->token = registry_token;
        out->is_bearer = true;
    }
    if (*val_text_or(auth, ""))
        return read_auth(mem, auth, out) || *out->token;
    out->user = val_text_or(val_get(entry, "username"), "");
    out->password = val_text_or(val_get(entry, "password"), "");
    return *out->user || *out->token;
}

static struct image_login empty_login(const char *host)
{
    return (
        struct image_login){ .host = host, .user = "", .password = "", .token = "", .helper = "" };
}

/* A helper is a program's name, and no path. */
static bool is_helper(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static void add_helper(struct arena *mem, const char *host, const struct val *name,
                       struct image_logins *out)
{
    if (!val_text(name) || !is_helper(val_text(name))) {
        out->bad++;
        return;
    }
    struct image_login *login = vec_push(mem, out);
    *login = empty_login(host);
    login->helper = val_text(name);
}

static void add_entries(struct arena *mem, const struct val *map, bool has_store,
                        struct image_logins *out)
{
    for (size_t i = 0; i < val_len(map); i++) {
        const struct val_pair *pair = &map->pairs[i];
        struct image_login login = empty_login(host_of(mem, pair->key));
        if (val_is_map(pair->value) && read_entry(mem, pair->value, &login))
            *vec_push(mem, out) = login;
        else if (
            !has_store) /* with a store an entry without credentials says that they are there */
            out->bad++;
    }
}

static void add_helpers(struct arena *mem, const struct val *map, struct image_logins *out)
{
    for (size_t i = 0; val_is_map(map) && i < val_len(map); i++)
        add_helper(mem, host_of(mem, map->pairs[i].key), map->pairs[i].value, out);
}

struct err *image_wire_docker_config(struct arena *mem, const char *text, size_t len,
                                     struct image_logins *out)
{
    struct val *root = NULL;
    TRY(doc_json_parse(mem, text, len, &root));
    if (!val_is_map(root))
        return err_new(ERR_INVALID, "not an object");
    const struct val *auths = val_get(root, "auths"), *helpers = val_get(root, "credHelpers");
    const struct val *store = val_get(root, "credsStore");
    bool is_old = !auths && !helpers && !store; /* .dockercfg: what "auths" holds, alone */
    const struct val *entries = is_old ? root : auths;
    if (!val_is_null(entries) && !val_is_map(entries))
        return err_new(ERR_INVALID, "\"auths\" is %s, not a map", val_type_name(entries->type));
    if (val_len(entries) + val_len(helpers) > ENTRIES_MAX)
        return err_new(ERR_LIMIT, "credentials of more than %zu hosts", ENTRIES_MAX);
    add_entries(mem, entries, store != NULL, out);
    add_helpers(mem, helpers, out);
    if (*val_text_or(store, ""))
        add_helper(mem, "", store, out);
    return NULL;
}
