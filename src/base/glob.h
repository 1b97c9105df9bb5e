/* base/glob.h - patterns in which only * is special (reference/gitops.md 0.3).
 * Effects: none. Ownership: none. Units: none. */
#ifndef SERIN_BASE_GLOB_H
#define SERIN_BASE_GLOB_H

#include "base/base.h"

/* Anchored at both ends; * matches any run of characters, / and none included. Linear in practice, never exponential. */
bool glob_matches(const char *pattern, const char *text);

#endif
