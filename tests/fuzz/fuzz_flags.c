/* Any command line, one word a line: it is parsed or refused with a text, and what was parsed can be read. */
#include <string.h>

#include "cmd/canary_flags.h"
#include "cmd/flags.h"
#include "cmd/goflags.h"
#include "cmd/run_flags.h"

#define WORDS_MAX 64

static void read_all(const struct flags *flags)
{
    for (size_t t = 0; t < RUN_FLAGS_TABLES; t++) {
        for (size_t i = 0; i < run_flags_tables[t].len; i++) {
            const struct flags_spec *spec = &run_flags_tables[t].at[i];
            size_t len = 0;
            if (spec->type == FLAGS_LIST)
                ASSERT(!flags_list(flags, spec->name, &len)[len]);
            else if (spec->type == FLAGS_TEXT)
                ASSERT(flags_text(flags, spec->name));
        }
    }
}

/* As Go's flag package would: what is spelled out has no flag that the tables lack. */
static void read_as_go(struct arena *mem, int count, const char **words)
{
    struct goflags spelled = { .at = words, .len = count };
    SCOPED(err_free)
    struct err *e = goflags_spell_out(mem, canary_flags_tables, CANARY_FLAGS_TABLES, &spelled);
    ASSERT(!e || *err_text(e));
    if (e)
        return;
    struct flags *flags = flags_new(mem, canary_flags_tables, CANARY_FLAGS_TABLES);
    e = flags_parse(flags, spelled.len, spelled.at);
    ASSERT(!e || strncmp(err_text(e), "unknown flag", strlen("unknown flag")) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(256 << 20);
    char *text = arena_strndup(mem, (const char *)data, size);
    const char *words[WORDS_MAX];
    int count = 0;
    for (char *at = text; at && count < WORDS_MAX;) {
        char *end = strchr(at, '\n');
        words[count++] = at;
        at = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
    }
    read_as_go(mem, count, words);
    struct flags *flags = flags_new(mem, run_flags_tables, RUN_FLAGS_TABLES);
    SCOPED(err_free) struct err *e = flags_parse(flags, count, words);
    ASSERT(!e || *err_text(e));
    if (!e)
        read_all(flags);
    return 0;
}
