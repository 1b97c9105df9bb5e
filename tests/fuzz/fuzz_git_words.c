#include <stdint.h>
#include <string.h>

#include "git/hostkeys.h"
#include "git/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hostkeys keys = { 0 };
    hostkeys_parse(mem, (const char *)data, size, &keys);
    ASSERT(keys.len <= 32);
    ASSERT(*hostkeys_advice(mem, &keys, NULL));
    struct signature_verdict verdict;
    signature_parse_status(mem, (const char *)data, size, &verdict);
    ASSERT(verdict.letter && strchr("GUBEXYR", verdict.letter));
    /* Good only with the word for it. */
    ASSERT(verdict.letter != 'G' ||
           memmem(data, size, "[GNUPG:] GOODSIG ", strlen("[GNUPG:] GOODSIG ")));
    return 0;
}
