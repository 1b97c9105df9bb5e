/* io/folder.h - files are put into a folder, and a folder goes away with all that is in it. Blocks: never on the loop.
 * Effects:   disk.
 * Ownership: paths and texts are borrowed.
 * Units:     bytes.
 * Errors:    ERR_TRANSIENT, with the path. */
#ifndef SERIN_IO_FOLDER_H
#define SERIN_IO_FOLDER_H

#include <sys/stat.h>

#include "base/err.h"

/* The folders on the way to a path below `folder` (a descriptor), where they are missing. */
MUST_USE struct err *folder_lead(int folder, const char *path, mode_t mode);

/* A file in there, in place of any of that name, which is not followed if it is a link. Who may read it may enter the folders on its
 * way, if they are made for it. */
MUST_USE struct err *folder_put(int folder, const char *path, mode_t mode, const char *bytes,
                                size_t len);

/* Follows no symbolic link. What took the permissions of its own folders away is removed all the same; what cannot be (it is
 * somebody else's, something still writes to it) stays, and nothing is said. */
void folder_remove(const char *path);

#endif
