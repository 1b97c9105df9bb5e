#include "canary/router/spec.h"

#include <string.h>

int64_t spec_port(const struct canary_view *view)
{
    int64_t port = 0;
    return val_int(val_get(view->canary->service, "port"), &port) ? port : 0;
}

const char *spec_prefix(const struct canary_view *view)
{
    const struct val *first = val_item(val_get(view->canary->service, "match"), 0);
    const char *prefix = val_text_or(VAL_PATH(first, "uri", "prefix"), "");
    return *prefix ? prefix : "/";
}

const char *spec_text(const struct canary_view *view, const char *key)
{
    return val_text_or(val_get(view->canary->service, key), "");
}

const struct val *spec_retries(const struct canary_view *view)
{
    const struct val *retries = val_get(view->canary->service, "retries");
    return val_is_map(retries) ? retries : NULL;
}

int64_t spec_attempts(const struct canary_view *view)
{
    int64_t attempts = 0;
    (void)val_int(val_get(spec_retries(view), "attempts"), &attempts);
    return attempts;
}

struct val *spec_retry_on(const struct canary_view *view)
{
    struct val *events = val_new_list(view->mem);
    const char *text = val_text_or(val_get(spec_retries(view), "retryOn"), "");
    while (*text) {
        size_t len = strcspn(text, ",");
        if (len > 0)
            val_append(view->mem, events, val_new_bytes(view->mem, text, len));
        text += len + (text[len] == ',');
    }
    return events;
}

/* -- the audience of a test ------------------------------------------------------------------- */

bool spec_has_audience(const struct canary_view *view)
{
    return val_len(view->canary->analysis.match) > 0;
}

struct spec_headers spec_headers(const struct canary_view *view)
{
    const struct val *match = view->canary->analysis.match;
    VEC(struct spec_header) found = { 0 };
    for (size_t i = 0; i < val_len(match); i++) {
        const struct val *headers = val_get(val_item(match, i), "headers");
        headers = val_is_map(headers) ? route_sorted(view->mem, headers) : NULL;
        for (size_t h = 0; h < val_len(headers); h++)
            *vec_push(view->mem, &found) = (struct spec_header){ .entry = i,
                                                                 .name = headers->pairs[h].key,
                                                                 .match = headers->pairs[h].value };
    }
    return (struct spec_headers){ found.at, found.len };
}

/* -- copies ----------------------------------------------------------------------------------- */

struct val *spec_copied(const struct canary_view *view, const struct val *texts)
{
    struct val *copied = route_copied_texts(view->mem, texts);
    (void)val_remove(copied, "kubectl.kubernetes.io/last-applied-configuration");
    return copied;
}

/* -- backends --------------------------------------------------------------------------------- */

const struct val *spec_find(const struct val *list, const char *const *path, const char *name)
{
    for (size_t i = 0; i < val_len(list); i++)
        if (strcmp(val_text_or(val_path(val_item(list, i), path), ""), name) == 0)
            return val_item(list, i);
    return NULL;
}

struct split spec_kept(const struct val *primary, const struct val *canary)
{
    struct split split =
        route_split(primary ? route_weight(primary, 0) : -1, canary ? route_weight(canary, 0) : -1);
    return split.primary || split.canary ? split : spec_rest(CANARY_TOTAL);
}

void spec_put_weight(struct arena *mem, struct val *backend, int64_t weight)
{
    if (weight)
        val_set(mem, backend, "weight", val_new_int(mem, weight));
}

struct split spec_rest(int64_t primary)
{
    int64_t known = primary < 0 ? 0 : MIN_OF(primary, CANARY_TOTAL);
    return (struct split){ .primary = known, .canary = CANARY_TOTAL - known };
}

struct err *spec_check_weights(const struct split *to, const char *title)
{
    return to->primary || to->canary
               ? NULL
               : err_new(ERR_INVALID, "%s update failed: no valid weights", title);
}

const char *spec_rule_title(const struct canary_view *view)
{
    return arena_printf(view->mem, "RoutingRule %s.%s", view->canary->apex, view->canary->ns);
}
