/* doc/scalar.h - what a YAML scalar means: the types go-yaml v2 gives to plain text.
 * Effects:   none.
 * Ownership: none; nothing is copied.
 * YAML 1.1 with its many booleans (y, On, NO...), 0x, 0o, 0b and leading-0 octals, underscores in numbers, but no base 60. */
#ifndef SERIN_DOC_SCALAR_H
#define SERIN_DOC_SCALAR_H

#include "base/base.h"

enum scalar_kind { SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT, SCALAR_TIME, SCALAR_TEXT };

struct scalar {
    enum scalar_kind kind;
    bool boolean;
    bool is_negative; /* of an integer */
    uint64_t size;    /* its absolute value: up to 2^63 below zero, 2^64-1 above */
    double number;    /* of a float; may be infinite or no number */
};

/* `may_be_time`: plain text without a tag, or one that says timestamp. The text ends with a NUL. */
struct scalar scalar_resolve(const char *text, size_t len, bool may_be_time);
/* "null", "bool", "int", "float", "timestamp", "str": as after !! */
const char *scalar_kind_name(enum scalar_kind kind);
/* Base 60, as 1:30 or 190:20:30.15: text for us, but a number for some readers. */
bool scalar_is_base60(const char *text, size_t len);

#endif
