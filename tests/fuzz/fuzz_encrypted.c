/* What a repository or a program says of encrypted files. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "sync/encrypted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is handed to programs as names of files stays in their folder, and is no option. */
static void check_path(const char *path)
{
    ASSERT(*path && *path != '/' && *path != '-');
    ASSERT(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
    for (; *path; path++)
        ASSERT(!iscntrl((unsigned char)*path) && *path != ':');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = arena_strndup(mem, (const char *)data, size);
    struct encrypted_paths paths = { 0 };
    SCOPED(err_free) struct err *e = encrypted_read_mapping(mem, text, size, &paths);
    for (size_t i = 0; i < paths.len; i++)
        check_path(paths.at[i]);
    (void)encrypted_is_sops(text, size);
    const char *brief = encrypted_brief(mem, text);
    ASSERT(strlen(brief) <= 903 && !strcasestr(brief, "age-secret-key-") && !strchr(brief, '\n'));
    const char *const kept[] = { "name", NULL };
    const char *masked = encrypted_mask(mem, text, kept);
    ASSERT(strlen(masked) <= 3 * strlen(text) + 3); /* "" becomes "***" in quotes */
    return 0;
}
