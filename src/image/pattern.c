#include "image/pattern.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "base/regex.h"
#include "base/semver.h"

/* For all tags that one pattern is held against: a second at the most. */
#define BUDGET ((size_t)3000000)

struct kind;

struct image_pattern {
    const struct kind *kind;
    const char *value; /* behind the prefix */
    const char *text;
    const struct semver_range *range; /* semver alone */
    const struct regex *regex;        /* regexp alone */
    size_t *budget;                   /* that it has left */
};

/* A tag with what it is ordered by. */
struct ranked {
    const struct image_info *info;
    bool is_version;
    struct semver version;
};

struct kind {
    const char *prefix, *canonical;
    bool needs_times;
    struct err *(*compile)(struct arena *mem, struct image_pattern *pattern); /* NULL: as it is */
    bool (*matches)(const struct image_pattern *pattern, const char *tag);
    int (*order)(const void *a, const void *b); /* struct ranked */
};

static bool glob_matches_tag(const struct image_pattern *pattern, const char *tag)
{
    return glob_matches(pattern->value, tag);
}

static struct err *compile_range(struct arena *mem, struct image_pattern *pattern)
{
    struct semver_range *range = NULL;
    TRY(semver_range_parse(mem, pattern->value, &range));
    pattern->range = range;
    return NULL;
}

static bool range_matches_tag(const struct image_pattern *pattern, const char *tag)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct semver version;
    return semver_parse(mem, tag, &version) && semver_range_matches(pattern->range, &version);
}

static void free_regex(void *regex)
{
    regex_free(regex);
}

static struct err *compile_regex(struct arena *mem, struct image_pattern *pattern)
{
    struct regex *regex = NULL;
    TRY(regex_new(pattern->value, &regex));
    arena_defer(mem, free_regex, regex);
    pattern->regex = regex;
    pattern->budget = arena_alloc(mem, sizeof(*pattern->budget));
    *pattern->budget = BUDGET;
    return NULL;
}

static bool regex_matches_tag(const struct image_pattern *pattern, const char *tag)
{
    return regex_matches_within(pattern->regex, tag, pattern->budget);
}

/* Newest first, those without a time last; then by tag. */
static int by_time(const void *a, const void *b)
{
    const struct image_info *one = ((const struct ranked *)a)->info;
    const struct image_info *other = ((const struct ranked *)b)->info;
    if (one->has_created != other->has_created)
        return one->has_created ? -1 : 1;
    if (one->has_created && one->created_ns != other->created_ns)
        return one->created_ns > other->created_ns ? -1 : 1;
    return strcmp(one->tag, other->tag);
}

/* Versions first, highest first, of equal ones the longer tag; then the other tags from a to z. */
static int by_version(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    if (one->is_version != other->is_version)
        return one->is_version ? -1 : 1;
    int by_tag = strcmp(one->info->tag, other->info->tag);
    if (!one->is_version)
        return by_tag;
    int order = semver_compare(&other->version, &one->version);
    return order ? order : -by_tag;
}

/* The first is what a pattern without a prefix is. */
static const struct kind kinds[] = {
    { "glob:", "glob:", true, NULL, glob_matches_tag, by_time },
    { "semver:", "semver:", false, compile_range, range_matches_tag, by_version },
    { "regexp:", "regexp:", true, compile_regex, regex_matches_tag, by_time },
    { "regex:", "regexp:", true, compile_regex, regex_matches_tag, by_time },
};

#define INVALID "invalid tag pattern: \"%.200s\": "

struct err *image_pattern_parse(struct arena *mem, const char *text, struct image_pattern **out)
{
    text = text && *text ? text : "glob:*";
    if (strnlen(text, IMAGE_PATTERN_BYTES_MAX + 1) > IMAGE_PATTERN_BYTES_MAX)
        return err_new(ERR_INVALID, INVALID "it is over %zu bytes", text, IMAGE_PATTERN_BYTES_MAX);
    struct image_pattern *pattern = arena_alloc(mem, sizeof(*pattern));
    pattern->kind = &kinds[0];
    pattern->value = text;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
            continue;
        pattern->kind = &kinds[i];
        pattern->value = text + strlen(kinds[i].prefix);
    }
    pattern->value = arena_strdup(mem, pattern->value);
    pattern->text = arena_printf(mem, "%s%s", pattern->kind->canonical, pattern->value);
    if (pattern->kind->compile) {
        SCOPED(err_free) struct err *e = pattern->kind->compile(mem, pattern);
        if (e)
            return err_new(ERR_INVALID, INVALID "%s", text, err_text(e));
    }
    *out = pattern;
    return NULL;
}

const char *image_pattern_text(const struct image_pattern *pattern)
{
    return pattern->text;
}

const char *image_pattern_problem(struct arena *mem, const struct image_pattern *pattern)
{
    bool is_spent = pattern->budget && !*pattern->budget;
    return is_spent ? arena_printf(mem, INVALID "it takes too long over the tags there are",
                                   pattern->text)
                    : NULL;
}

bool image_pattern_needs_times(const struct image_pattern *pattern)
{
    return pattern->kind->needs_times;
}

/* "latest" says nothing about what it is: only who asks for it by name gets it. */
bool image_pattern_matches(const struct image_pattern *pattern, const char *tag)
{
    if (strcasecmp(tag, "latest") == 0 && strcmp(pattern->text, "glob:latest") != 0)
        return false;
    return pattern->kind->matches(pattern, tag);
}

/* -- order -- */

static bool is_wanted(const struct image_pattern *pattern, const struct image_info *info)
{
    return !info->is_excluded && image_pattern_matches(pattern, info->tag);
}

static const struct image_info **order(struct arena *mem, const struct image_pattern *pattern,
                                       const struct image_repo *repo, bool is_filtered,
                                       size_t *count)
{
    SCOPED(arena_free) struct arena *scratch = arena_new(ARENA_LIMIT_BYTES);
    size_t all = repo ? repo->count : 0, len = 0;
    struct ranked *ranked = arena_alloc(scratch, (all + 1) * sizeof(*ranked));
    for (size_t i = 0; i < all; i++) {
        const struct image_info *info = &repo->infos[i];
        if (is_filtered && !is_wanted(pattern, info))
            continue;
        struct ranked *new = &ranked[len++];
        new->info = info;
        if (!pattern->kind->needs_times)
            new->is_version = semver_parse(scratch, info->tag, &new->version);
    }
    qsort(ranked, len, sizeof(*ranked), pattern->kind->order);
    const struct image_info **out = arena_alloc(mem, (len + 1) * sizeof(*out));
    for (size_t i = 0; i < len; i++)
        out[i] = ranked[i].info;
    if (count)
        *count = len;
    return out;
}

const struct image_info **image_pattern_select(struct arena *mem,
                                               const struct image_pattern *pattern,
                                               const struct image_repo *repo, size_t *count)
{
    return order(mem, pattern, repo, true, count);
}

const struct image_info **image_pattern_sort(struct arena *mem, const struct image_pattern *pattern,
                                             const struct image_repo *repo, size_t *count)
{
    return order(mem, pattern, repo, false, count);
}

const struct image_info *image_pattern_missing(const struct image_pattern *pattern,
                                               const struct image_info *const *selected,
                                               size_t count)
{
    size_t needed = pattern->kind->needs_times ? count : MIN_OF(count, 1);
    for (size_t i = 0; i < needed; i++) {
        if (!selected[i]->is_known)
            return selected[i];
    }
    return NULL;
}
