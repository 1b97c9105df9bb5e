#include "kube/status.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "doc/json.h"

#define MESSAGE_MAX 4096
#define FOREIGN_MAX 500

/* What is looked at: the HTTP status, the Status object (NULL: something else came) and its parts. */
struct refusal_view {
    int status;
    const struct val *object;
    const char *reason, *message;
};

static bool has_cause(const struct refusal_view *v, const char *reason)
{
    const struct val *causes = VAL_PATH(v->object, "details", "causes");
    for (size_t i = 0; i < val_len(causes); i++) {
        if (!strcmp(val_text_or(val_get(val_item(causes, i), "reason"), ""), reason))
            return true;
    }
    return false;
}

static bool always(const struct refusal_view *v)
{
    (void)v;
    return true;
}

static bool ns_is_ending(const struct refusal_view *v)
{
    return has_cause(v, "NamespaceTerminating") ||
           strstr(v->message, "because it is being terminated");
}

static bool is_about_namespace(const struct refusal_view *v)
{
    return !strcmp(val_text_or(VAL_PATH(v->object, "details", "kind"), ""), "namespaces");
}

/* A path nobody serves is answered in plain text, or by a Status that names no object. */
static bool names_no_object(const struct refusal_view *v)
{
    return !v->object || !VAL_PATH(v->object, "details", "name");
}

static bool is_already_there(const struct refusal_view *v)
{
    return !strcmp(v->reason, "AlreadyExists");
}

static bool is_field_conflict(const struct refusal_view *v)
{
    return has_cause(v, "FieldManagerConflict");
}

static bool is_untypable(const struct refusal_view *v)
{
    static const char start[] = "failed to create typed patch object";
    return !strncmp(v->message, start, sizeof(start) - 1);
}

/* First match wins. `status` is a single one, or the least of `status`..`last`. */
// clang-format off
static const struct refusal_rule {
    int status, last;
    bool (*when)(const struct refusal_view *v);
    enum kube_refusal refusal;
    enum err_kind kind;
} rules[] = {
    { 400, 400, always,             KUBE_REFUSED_MANIFEST,              ERR_INVALID },
    { 401, 401, always,             KUBE_REFUSED_UNAUTHORIZED,          ERR_DENIED },
    { 403, 403, ns_is_ending,       KUBE_REFUSED_NAMESPACE_TERMINATING, ERR_TRANSIENT },
    { 403, 403, always,             KUBE_REFUSED_FORBIDDEN,             ERR_DENIED },
    { 404, 404, is_about_namespace, KUBE_REFUSED_NAMESPACE_MISSING,     ERR_NOT_FOUND },
    { 404, 404, names_no_object,    KUBE_REFUSED_KIND_UNKNOWN,          ERR_NOT_FOUND },
    { 404, 404, always,             KUBE_REFUSED_OBJECT_MISSING,        ERR_NOT_FOUND },
    { 408, 408, always,             KUBE_REFUSED_SERVER,                ERR_TRANSIENT },
    { 409, 409, is_already_there,   KUBE_REFUSED_ALREADY_EXISTS,        ERR_CONFLICT },
    { 409, 409, is_field_conflict,  KUBE_REFUSED_FIELD_CONFLICT,        ERR_CONFLICT },
    { 409, 409, always,             KUBE_REFUSED_CONFLICT,              ERR_CONFLICT },
    { 410, 410, always,             KUBE_REFUSED_EXPIRED,               ERR_CONFLICT },
    { 413, 413, always,             KUBE_REFUSED_MANIFEST,              ERR_LIMIT },
    { 422, 422, always,             KUBE_REFUSED_MANIFEST,              ERR_INVALID },
    { 429, 429, always,             KUBE_REFUSED_THROTTLED,             ERR_TRANSIENT },
    { 500, 500, is_untypable,       KUBE_REFUSED_MANIFEST,              ERR_INVALID },
    { 500, 599, always,             KUBE_REFUSED_SERVER,                ERR_TRANSIENT },
    { 0,   999, always,             KUBE_REFUSED_OTHER,                 ERR_INVALID },
};
// clang-format on

static const struct refusal_rule *rule_of(const struct refusal_view *v)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (v->status >= rules[i].status && v->status <= rules[i].last && rules[i].when(v))
            return &rules[i];
    }
    return &rules[ARRAY_LEN(rules) - 1];
}

static struct err *make_error(const struct refusal_view *v, enum kube_refusal *out)
{
    const struct refusal_rule *rule = rule_of(v);
    *out = rule->refusal;
    size_t len = utf8_fit(v->message, MESSAGE_MAX);
    struct err *e = err_new(rule->kind, "%.*s (%d%s%s)", (int)len, v->message, v->status,
                            *v->reason ? " " : "", v->reason);
    int64_t seconds;
    if (val_int(VAL_PATH(v->object, "details", "retryAfterSeconds"), &seconds) && seconds > 0 &&
        seconds <= (int64_t)24 * 3600)
        e = err_with_retry_after(e, seconds * 1000);
    return e;
}

static bool is_status_object(const struct val *object)
{
    return !strcmp(val_text_or(val_get(object, "kind"), ""), "Status");
}

static void view_of_object(const struct val *object, struct refusal_view *v)
{
    v->object = object;
    v->reason = val_text_or(val_get(object, "reason"), "");
    v->message = val_text_or(val_get(object, "message"), "");
    if (!*v->message)
        v->message = *v->reason ? v->reason : "the API server gave no message";
    size_t max = 64; /* reasons are CamelCase words: anything else is not repeated */
    if (strlen(v->reason) > max)
        v->reason = "";
}

/* What is no Status (a proxy's page, "404 page not found"): one line of its beginning. */
static const char *foreign_text(struct arena *mem, const char *body, size_t len)
{
    char *text = arena_strndup(mem, body, MIN_OF(len, (size_t)FOREIGN_MAX + 1));
    text[utf8_fit(text, FOREIGN_MAX)] = '\0';
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        bool is_blank = isspace((unsigned char)*at) || iscntrl((unsigned char)*at);
        if (!is_blank)
            text[used++] = *at;
        else if (used > 0 && text[used - 1] != ' ')
            text[used++] = ' ';
    }
    while (used > 0 && text[used - 1] == ' ')
        used--;
    text[used] = '\0';
    return used ? text : "the API server gave no message";
}

struct err *kube_status_error(int status, const char *body, size_t len, enum kube_refusal *out)
{
    *out = KUBE_REFUSED_OTHER;
    if (status >= 200 && status <= 299)
        return NULL;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    size_t at = 0;
    while (at < len && isspace((unsigned char)body[at]))
        at++;
    if (at < len && body[at] == '{')
        err_free(doc_json_parse(mem, body, len, &object)); /* not JSON: quoted as it is */
    struct refusal_view v = { .status = status, .reason = "", .message = "" };
    if (is_status_object(object))
        view_of_object(object, &v);
    else
        v.message = foreign_text(mem, body ? body : "", len);
    return make_error(&v, out);
}

struct err *kube_status_error_of(const struct val *status_object, enum kube_refusal *out)
{
    int64_t code = 0;
    if (!val_int(val_get(status_object, "code"), &code) || code < 100 || code > 999)
        code = 500;
    struct refusal_view v = { .status = (int)code };
    view_of_object(status_object, &v);
    return make_error(&v, out);
}

bool kube_refusal_is_servers(enum kube_refusal refusal)
{
    return refusal == KUBE_REFUSED_THROTTLED || refusal == KUBE_REFUSED_SERVER;
}
