/* base/number.h - floating point numbers as text: the fewest digits that read back as the same number.
 * Effects:   none.
 * Ownership: written into the caller's buffer.
 * Units:     none. */
#ifndef SERIN_BASE_NUMBER_H
#define SERIN_BASE_NUMBER_H

#include "base/base.h"

#define NUMBER_TEXT_BYTES 40

/* As Go's strconv with format 'g' and precision -1: 1e+06, 0.5, 1e-05, 123456, +Inf, -Inf, NaN. */
void number_format_g(double number, char out[NUMBER_TEXT_BYTES]);
void number_format_g32(double number,
                       char out[NUMBER_TEXT_BYTES]); /* of the nearest 32-bit float */
/* As Go's encoding/json: 1000000, 0.000001, 1e-7, 1e+21. The number is finite. */
void number_format_json(double number, char out[NUMBER_TEXT_BYTES]);

#endif
