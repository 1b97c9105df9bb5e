/* An answer that is no success: two bytes of status, then a body. And the same as the object of an ERROR event. */
#include <stdint.h>
#include <string.h>

#include "doc/json.h"
#include "kube/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    int status = (data[0] | data[1] << 8) % 1000;
    const char *body = (const char *)data + 2;
    enum kube_refusal refusal;
    struct err *e = kube_status_error(status, body, size - 2, &refusal);
    ASSERT(!e == (status >= 200 && status < 300));
    ASSERT(strlen(err_text(e)) < 5000);
    err_free(e);
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct val *object = NULL;
    err_free(doc_json_parse(mem, body, size - 2, &object));
    e = kube_status_error_of(object, &refusal);
    ASSERT(e);
    err_free(e);
    arena_free(mem);
    return 0;
}
