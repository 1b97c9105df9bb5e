#include "image/wanted.h"

#include <string.h>

#define MEMORY_BYTES ((size_t)64 << 20)

void wanted_fini(struct wanted *wanted)
{
    arena_free(wanted->mem);
    *wanted = (struct wanted){ .mem = NULL };
}

static bool has_pattern(const struct wanted *wanted, const char *text)
{
    for (size_t i = 0; i < wanted->patterns.len; i++) {
        if (strcmp(wanted->patterns.at[i], text) == 0)
            return true;
    }
    return false;
}

static bool is_same_list(const char *const *a, const char *const *b)
{
    for (; a && b && *a && *b; a++, b++) {
        if (strcmp(*a, *b) != 0)
            return false;
    }
    return (!a || !*a) && (!b || !*b);
}

static const char *text_or(const char *text)
{
    return text ? text : "";
}

static void add_source(struct wanted *wanted, const struct image_wish *wish)
{
    const char *account = text_or(wish->pull.service_account);
    bool has_secrets = wish->pull.secrets && *wish->pull.secrets;
    if (!wish->ns || *wish->ns == '\0' || (*account == '\0' && !has_secrets))
        return;
    for (size_t i = 0; i < wanted->sources.len; i++) {
        const struct creds_source *one = &wanted->sources.at[i];
        if (strcmp(one->ns, wish->ns) == 0 && strcmp(one->service_account, account) == 0 &&
            is_same_list(one->secrets, wish->pull.secrets))
            return;
    }
    *vec_push(wanted->mem, &wanted->sources) = (struct creds_source){
        .ns = arena_strdup(wanted->mem, wish->ns),
        .service_account = arena_strdup(wanted->mem, account),
        .secrets = arena_copy_texts(wanted->mem, wish->pull.secrets),
    };
}

void wanted_add(struct wanted *wanted, const struct image_wish *wish)
{
    if (!wanted->mem)
        wanted->mem = arena_new(MEMORY_BYTES);
    wanted->is_all |= wish->patterns == NULL;
    for (const char *const *at = wish->patterns; at && *at; at++) {
        if (!has_pattern(wanted, *at))
            *vec_push(wanted->mem, &wanted->patterns) = arena_strdup(wanted->mem, *at);
    }
    add_source(wanted, wish);
}

bool wanted_is_covered(const struct wanted *now, const struct wanted *before)
{
    for (size_t i = 0; i < now->patterns.len; i++) {
        if (!has_pattern(before, now->patterns.at[i]))
            return false;
    }
    return (before->is_all || !now->is_all) && now->sources.len <= before->sources.len;
}
