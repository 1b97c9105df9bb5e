#include "cmd/goflags.h"

#include <string.h>

#include "cmd/stderr_log.h"

static bool is_help(const char *name, size_t len)
{
    return (len == 1 && *name == 'h') || (len == 4 && !strncmp(name, "help", 4));
}

struct err *goflags_spell_out(struct arena *mem, const struct flags_table *tables, size_t count,
                              struct goflags *words)
{
    struct goflags out = { .at = arena_alloc(mem, ((size_t)words->len + 1) * sizeof(*out.at)) };
    int at = 0;
    for (; at < words->len && words->at[at][0] == '-' && words->at[at][1]; at++) {
        const char *word = words->at[at];
        const char *name = word + (word[1] == '-' ? 2 : 1);
        size_t len = strcspn(name, "=");
        if (!*name) { /* -- */
            at++;
            break;
        }
        const struct flags_spec *spec = flags_find(tables, count, name, len);
        if (*name == '-' || *name == '=')
            return err_new(ERR_INVALID, "bad flag syntax: %s", word);
        if (!spec && is_help(name, len)) {
            out.at[out.len++] = "--help";
            continue;
        }
        if (!spec)
            return err_new(ERR_INVALID, "flag provided but not defined: -%.*s", (int)len, name);
        if (name[len] == '=' || flags_stands_alone(spec))
            out.at[out.len++] = arena_printf(mem, "--%s", name);
        else if (at + 1 < words->len)
            out.at[out.len++] = arena_printf(mem, "--%s=%s", name, words->at[++at]);
        else
            return err_new(ERR_INVALID, "flag needs an argument: -%s", name);
    }
    if (at < words->len)
        out.at[out.len++] = "--";
    for (; at < words->len; at++)
        out.at[out.len++] = words->at[at];
    *words = out;
    return NULL;
}

struct log goflags_log(const struct flags *flags)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = { { "debug", LOG_DEBUG },
                   { "warn", LOG_WARN },
                   { "error", LOG_ERROR },
                   { "fatal", LOG_ERROR + 1 },
                   { "panic", LOG_ERROR + 1 } };
    struct log log = stderr_log();
    log.is_zap = true;
    log.is_json = strcmp(flags_text(flags, "zap-encoding"), "console") != 0;
    log.least = LOG_INFO;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (!strcmp(levels[i].name, flags_text(flags, "log-level")))
            log.least = (enum log_level)levels[i].level;
    }
    return log;
}
