#include "io/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_FDS = 16, ROUNDS = 8 };

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)at;
    if (type == FTW_DNR) /* the next round gets in */
        (void)chmod(path, 0700);
    else
        (void)remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    for (int i = 0; i < ROUNDS && access(path, F_OK) == 0; i++)
        // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe without FTW_CHDIR
        (void)nftw(path, remove_entry, OPEN_FDS, FTW_DEPTH | FTW_PHYS);
}

struct err *folder_lead(int folder, const char *path, mode_t mode)
{
    char *way = base_copy_text(path);
    int why = 0;
    for (char *slash = strchr(way, '/'); slash && !why; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(folder, way, mode) && errno != EEXIST)
            why = errno;
        *slash = '/';
    }
    free(way);
    return why ? err_errno(ERR_TRANSIENT, why, "make a folder for %s", path) : NULL;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno != EINTR)
            return false;
        bytes += MAX_OF(done, 0);
        len -= (size_t)MAX_OF(done, 0);
    }
    return true;
}

struct err *folder_put(int folder, const char *path, mode_t mode, const char *bytes, size_t len)
{
    mode_t enter = (mode & 0444u) >> 2;
    TRY(folder_lead(folder, path, mode | enter));
    (void)unlinkat(folder, path, 0);
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool is_written = fd >= 0 && write_all(fd, bytes, len);
    int why = errno;
    bool is_closed = fd >= 0 && !close(fd);
    return is_written && is_closed ? NULL : err_errno(ERR_TRANSIENT, why, "write %s", path);
}
