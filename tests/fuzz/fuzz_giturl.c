#include <stdint.h>
#include <string.h>

#include "git/giturl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = arena_strndup(mem, (const char *)data, size);
    struct giturl url;
    SCOPED(err_free) struct err *e = giturl_parse(mem, text, &url);
    ASSERT(url.safe && url.plain);
    ASSERT(e || url.path);
    /* What a program might take for an option never gets through. */
    ASSERT(e || (url.path[0] != '-' && !(url.host && url.host[0] == '-')));
    /* No password in what is shown. */
    if (!e && url.password && strlen(url.password) > 8)
        ASSERT(!strstr(url.safe, url.password) || strstr(url.path, url.password) ||
               strstr(url.user, url.password) || strstr(url.host, url.password));
    (void)giturl_equivalent(mem, text, "ssh://git@host/a/b");
    return 0;
}
