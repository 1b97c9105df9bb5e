/* What a credential plugin printed. */
#include <stdint.h>

#include "kube/credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_credential got;
    struct err *e =
        kube_exec_parse("client.authentication.k8s.io/v1", (const char *)data, size, &got);
    if (e)
        ASSERT(!got.token && !got.cert_pem && !got.key_pem);
    else
        ASSERT(got.token || (got.cert_pem && got.key_pem));
    err_free(e);
    kube_credential_fini(&got);
    return 0;
}
