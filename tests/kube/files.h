/* tests/kube/files.h - files for tests, in a folder of their own.
 * Effects:   files below $TMPDIR (or the system's place for such files).
 * Ownership: the folder and all in it go with files_free; texts are borrowed until then. */
#ifndef SERIN_TESTS_KUBE_FILES_H
#define SERIN_TESTS_KUBE_FILES_H

#include <stdbool.h>

struct files;
struct files *files_new(void);
void files_free(struct files *files);
const char *files_dir(const struct files *files);
const char *files_path(struct files *files, const char *name);
/* Writes (or replaces) a file; parent folders are made. Returns its path. */
const char *files_write(struct files *files, const char *name, const char *text);
const char *files_write_program(struct files *files, const char *name, const char *text);
/* The whole text; "" if there is no such file. */
const char *files_read(struct files *files, const char *name);

#endif
