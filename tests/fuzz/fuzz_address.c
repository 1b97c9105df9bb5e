/* Listen addresses and the escapes of URLs: whatever comes, the result is bounded, terminated and says why not. */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "io/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = base_alloc(size + 1);
    if (size)
        memcpy(text, data, size);
    struct address address;
    struct err *e = address_parse(text, &address);
    if (e) {
        ASSERT(err_is(e, ERR_INVALID));
        err_free(e);
    } else {
        ASSERT(strlen(address.host) < sizeof(address.host) && strlen(address.port) >= 1);
        ASSERT(strspn(address.port, "0123456789") == strlen(address.port) &&
               atoi(address.port) <= 65535);
    }
    size_t before = strlen(text);
    size_t len = address_unescape(text);
    ASSERT(len == strlen(text) && len <= before);
    free(text);
    return 0;
}
