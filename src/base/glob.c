#include "base/glob.h"

/* Greedy with one point of return: when a character does not fit, the last star takes one more. An
 * earlier star never needs to, because the last one can take whatever it could. */
bool glob_matches(const char *pattern, const char *text)
{
    const char *after_star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            after_star = ++pattern;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (after_star) {
            pattern = after_star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
