/* A kubeconfig file from anyone. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kube/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    struct kube_config *config = NULL;
    struct err *e = kube_config_load(
        &(struct kube_config_opts){ .kubeconfig = path, .allow_exec = true }, &config);
    ASSERT(!e == (config != NULL));
    ASSERT(!config || (config->server && config->ns && config->source));
    err_free(e);
    kube_config_free(config);
    close(fd);
    return 0;
}
