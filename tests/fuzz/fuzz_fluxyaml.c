/* Any bytes as a .flux.yaml: an error with a text, or a configuration that can be run. */
#include <string.h>

#include "sync/fluxyaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct fluxyaml *config)
{
    ASSERT((config->mode == FLUXYAML_PATCH) == (config->patch_file != NULL));
    for (size_t i = 0; i < config->generator_count; i++) {
        ASSERT(config->generators[i].command);
        ASSERT(config->generators[i].timeout_ms == 0 || config->generators[i].timeout_ms >= 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct fluxyaml config;
    SCOPED(err_free) struct err *e = fluxyaml_parse(mem, (const char *)data, size, &config);
    if (e)
        ASSERT(strncmp(err_text(e), "cannot parse config file: ", 26) == 0);
    else
        check(&config);
    const char *path, *text = arena_strndup(mem, (const char *)data, size);
    struct err *outside = fluxyaml_join(mem, "a/b", text, &path);
    ASSERT(outside || (*path != '/' && !strstr(path, "//") && strcmp(path, "..") != 0 &&
                       strncmp(path, "../", 3) != 0));
    err_free(outside);
    return 0;
}
