#include <string.h>

#include "git/mirror_internal.h"

struct search {
    struct arena *mem;
    struct mirror_config *out;
    const char *url;
    size_t best; /* length of the prefix replaced so far: the longest one wins */
};

#define URL_PREFIX "url."
#define URL_SUFFIX ".insteadof"

/* "url.BASE.insteadof" = PREFIX: an URL that begins with PREFIX stands for BASE and the rest. */
static void consider(struct search *search, const git_config_entry *entry)
{
    size_t name_len = strlen(entry->name), ends = strlen(URL_PREFIX) + strlen(URL_SUFFIX);
    if (name_len <= ends || strncmp(entry->name, URL_PREFIX, strlen(URL_PREFIX)) != 0 ||
        strcmp(entry->name + name_len - strlen(URL_SUFFIX), URL_SUFFIX) != 0 || !entry->value)
        return;
    size_t prefix_len = strlen(entry->value);
    if (prefix_len <= search->best || strncmp(search->url, entry->value, prefix_len) != 0)
        return;
    const char *base =
        arena_strndup(search->mem, entry->name + strlen(URL_PREFIX), name_len - ends);
    search->best = prefix_len;
    search->out->url = arena_printf(search->mem, "%s%s", base, search->url + prefix_len);
}

/* Not git_config_foreach_match: its regular expressions leak in libgit2 1.5. */
static int rewrite_url(struct search *search, git_config *config)
{
    git_config_iterator *entries = NULL;
    git_config_entry *entry;
    int code = git_config_iterator_new(&entries, config);
    while (!code && !(code = git_config_next(&entry, entries)))
        consider(search, entry);
    git_config_iterator_free(entries);
    return code == GIT_ITEROVER ? 0 : code;
}

static const char *find_env(const char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; *env; env++)
        if (!strncmp(*env, name, len) && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

struct level {
    git_config_level_t level;
    const char *file;
};

/* The files that git would read in this environment. */
static int open_for(struct arena *mem, const char *const *env, git_config **out)
{
    const char *home = find_env(env, "HOME"), *xdg = find_env(env, "XDG_CONFIG_HOME");
    const struct level levels[] = {
        { GIT_CONFIG_LEVEL_SYSTEM, find_env(env, "GIT_CONFIG_NOSYSTEM") ? NULL : "/etc/gitconfig" },
        { GIT_CONFIG_LEVEL_XDG, xdg    ? arena_printf(mem, "%s/git/config", xdg)
                                : home ? arena_printf(mem, "%s/.config/git/config", home)
                                       : NULL },
        { GIT_CONFIG_LEVEL_GLOBAL, home ? arena_printf(mem, "%s/.gitconfig", home) : NULL },
    };
    int code = git_config_new(out);
    for (size_t i = 0; !code && i < ARRAY_LEN(levels); i++)
        if (levels[i].file)
            code = git_config_add_file_ondisk(*out, levels[i].file, levels[i].level, NULL, 0);
    return code == GIT_ENOTFOUND ? 0 : code;
}

struct err *mirror_config_read(struct arena *mem, const char *const *env, const char *url,
                               struct mirror_config *out)
{
    *out = (struct mirror_config){ .url = url };
    SCOPED(git_config_free) git_config *config = NULL;
    git_buf command = { 0 };
    struct search search = { mem, out, url, 0 };
    int code = open_for(mem, env, &config);
    if (!code)
        code = rewrite_url(&search, config);
    if (code) {
        const git_error *last = git_error_last();
        return err_new(ERR_INVALID, "read the git configuration: %s",
                       last ? last->message : "unknown error");
    }
    out->ssh_command = find_env(env, "GIT_SSH_COMMAND");
    if (!out->ssh_command && !git_config_get_string_buf(&command, config, "core.sshcommand") &&
        command.size)
        out->ssh_command = arena_strndup(mem, command.ptr, command.size);
    git_buf_dispose(&command);
    return NULL;
}
