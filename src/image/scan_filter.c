#include "image/scan_filter.h"

#include <string.h>

#include "base/glob.h"
#include "image/creds.h"

#define MEMORY_BYTES ((size_t)1 << 20)

bool scan_filter_matches(const char *const *globs, const char *name)
{
    for (; globs && *globs; globs++) {
        if (glob_matches(*globs, name))
            return true;
    }
    return false;
}

static bool is_in_list(const char *const *list, const char *text)
{
    for (; list && *list; list++) {
        if (strcmp(*list, text) == 0)
            return true;
    }
    return false;
}

static const char *why_not_ecr(const struct image_scans_opts *opts, const char *name)
{
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    const char *account, *region;
    const char *host = arena_strndup(mem, name, strcspn(name, "/"));
    if (!creds_split_ecr(mem, host, &account, &region))
        return NULL;
    if (is_in_list(opts->ecr_exclude_ids, account))
        return "its account is excluded by --registry-ecr-exclude-id";
    if (opts->ecr_include_ids && *opts->ecr_include_ids &&
        !is_in_list(opts->ecr_include_ids, account))
        return "its account is not among those of --registry-ecr-include-id";
    if (opts->ecr_regions && *opts->ecr_regions && !is_in_list(opts->ecr_regions, region))
        return "its region is not among those of --registry-ecr-region";
    return NULL;
}

static bool has_only(const char *text, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_word && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return len > 0;
}

/* It becomes a part of an address: nothing may be in it that has a meaning there. */
static bool is_name(const char *name)
{
    size_t host_len = strcspn(name, "/");
    const char *path = name + host_len;
    if (strlen(name) > IMAGE_REF_BYTES_MAX)
        return false;
    return has_only(name, host_len, ".-_:") && has_only(path, strlen(path), "/.-_") &&
           !strstr(path, "//") && !strstr(path, "/.") && path[strlen(path) - 1] != '/';
}

const char *scan_filter_why_not(const struct image_scans_opts *opts, const char *name)
{
    if (opts->is_disabled)
        return "cannot perfom operation, image scanning is disabled"; /* Flux's words */
    if (!is_name(name))
        return "it is not the name of a repository";
    if (scan_filter_matches(opts->exclude, name))
        return "it is excluded by --registry-exclude-image";
    if (opts->include && *opts->include && !scan_filter_matches(opts->include, name))
        return "it is not among those of --registry-include-image";
    return why_not_ecr(opts, name);
}
