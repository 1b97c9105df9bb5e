#include "kube/smallfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sbuf.h"

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum err_kind kind_of(int errnum)
{
    if (errnum == ENOENT || errnum == ENOTDIR)
        return ERR_NOT_FOUND;
    return errnum == EACCES || errnum == EPERM ? ERR_DENIED : ERR_INVALID;
}

struct err *smallfile_read(const char *path, size_t max, char **out, size_t *out_len)
{
    __attribute__((cleanup(fd_close))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(kind_of(errno), errno, "%s", path);
    SBUF(text, max);
    char buffer[16384];
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(kind_of(errno), errno, "%s", path);
        if (got == 0)
            break;
        sbuf_add_bytes(&text, buffer, (size_t)got);
        if (text.is_over)
            return err_new(ERR_LIMIT, "%s: over %zu bytes", path, max);
    }
    if (memchr(sbuf_text(&text), '\0', text.len))
        return err_new(ERR_INVALID, "%s: not a text file", path);
    *out = base_copy_text(sbuf_text(&text));
    *out_len = text.len;
    explicit_bzero(buffer, sizeof(buffer));
    return NULL;
}
