/* base/table.h - text with tabs laid out in columns, as Go's tabwriter (0, 2, 2, ' ') does.
 * Effects:   none.
 * Ownership: none.
 * Units:     characters of UTF-8.
 * Reference: gitops.md 0.3. */
#ifndef SERIN_BASE_TABLE_H
#define SERIN_BASE_TABLE_H

#include "base/sbuf.h"

/* A cell ends with a tab or its line; a line ends with a newline. A column is a run of neighbouring
 * lines that have a tab-ended cell there, as wide as its widest cell and two blanks. The last cell
 * of a line is not padded; blanks at the end that padding put there stay. */
void table_layout(struct sbuf *out, const char *text);

#endif
