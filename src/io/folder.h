/* io/folder.h - a folder with all that is in it goes away. Blocks: never on the loop.
 * Effects:   disk.
 * Ownership: the path is borrowed.
 * Units:     none. */
#ifndef SERIN_IO_FOLDER_H
#define SERIN_IO_FOLDER_H

/* Follows no symbolic link. What took the permissions of its own folders away is removed all the same; what cannot be (it is
 * somebody else's, something still writes to it) stays, and nothing is said. */
void folder_remove(const char *path);

#endif
