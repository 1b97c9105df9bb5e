#include "image/policy.h"

#include <string.h>

/* Weakest first: a later one replaces an earlier one. */
static const struct prefix {
    const char *text, *policy;
} prefixes[] = {
    { "flux.weave.works/", "" },
    { "filter.fluxcd.io/", "tag." },
    { "fluxcd.io/", "" },
};

/* Marks of the reconciler, not of a person. */
static bool is_own_mark(const char *policy)
{
    return strcmp(policy, "sync-checksum") == 0 || strcmp(policy, "sync-hwm") == 0;
}

static bool is_switch(const char *policy)
{
    return strcmp(policy, "automated") == 0 || strcmp(policy, "locked") == 0;
}

static void take(struct arena *mem, const struct prefix *prefix, const struct val_pair *pair,
                 struct val *out)
{
    size_t len = strlen(prefix->text);
    const char *value = val_text(pair->value);
    if (!value || strncmp(pair->key, prefix->text, len) != 0 || pair->key[len] == '\0')
        return;
    const char *policy = arena_printf(mem, "%s%s", prefix->policy, pair->key + len);
    if (is_own_mark(policy))
        return;
    if (is_switch(policy) && strcmp(value, "true") != 0)
        return;
    val_set_text(mem, out, policy, value);
}

struct val *image_policy_read(struct arena *mem, const struct val *annotations)
{
    struct val *policies = val_new_map(mem);
    for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
        for (size_t i = 0; val_is_map(annotations) && i < annotations->len; i++)
            take(mem, &prefixes[p], &annotations->pairs[i], policies);
    }
    val_sort_keys(policies);
    return policies;
}

bool image_policy_is_on(const struct val *policies, const char *name)
{
    const char *value = val_text(val_get(policies, name));
    return value && strcmp(value, "true") == 0;
}

bool image_policy_is_ignored(const struct val *policies)
{
    return image_policy_is_on(policies, "ignore");
}

const char *image_policy_tag(const struct val *policies, const char *container)
{
    /* By hand, as a look into the map would need the name put together. */
    static const char prefix[] = "tag.";
    for (size_t i = 0; val_is_map(policies) && i < policies->len; i++) {
        const struct val_pair *pair = &policies->pairs[i];
        if (strncmp(pair->key, prefix, strlen(prefix)) == 0 &&
            strcmp(pair->key + strlen(prefix), container) == 0)
            return val_text(pair->value);
    }
    return NULL;
}

/* The annotation that says a policy under a prefix; NULL: that prefix has no such policies. */
static const char *annotation_key(struct arena *mem, const struct prefix *prefix,
                                  const char *policy)
{
    size_t len = strlen(prefix->policy);
    if (strncmp(policy, prefix->policy, len) != 0 || policy[len] == '\0')
        return NULL;
    return arena_printf(mem, "%s%s", prefix->text, policy + len);
}

const char *image_policy_key(struct arena *mem, const struct val *annotations, const char *policy)
{
    for (size_t p = ARRAY_LEN(prefixes); p-- > 0;) {
        const char *key = annotation_key(mem, &prefixes[p], policy);
        if (key && val_get(annotations, key))
            return key;
    }
    return arena_printf(mem, "fluxcd.io/%s", policy);
}
