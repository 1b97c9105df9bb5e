/* kube/smallfile.h - a file of credentials or settings, read at once.
 * Effects:   reads files; blocks.
 * Ownership: the text is the caller's, to be freed.
 * Units:     bytes.
 * Errors:    ERR_NOT_FOUND (no such file), ERR_LIMIT, ERR_DENIED (permission), ERR_INVALID (a NUL byte, a directory). All
 *            name the file. */
#ifndef SERIN_KUBE_SMALLFILE_H
#define SERIN_KUBE_SMALLFILE_H

#include "base/err.h"

#define SMALLFILE_MAX ((size_t)1 << 20)

MUST_USE struct err *smallfile_read(const char *path, size_t max, char **out, size_t *out_len);

#endif
