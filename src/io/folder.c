#include "io/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
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
