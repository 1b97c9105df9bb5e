/* cmd/flags_value.h - one flag's value: from text, and its default in a usage text.
 * Effects:   none.
 * Ownership: results are in the caller's arena; the text given is borrowed.
 * Units:     durations in milliseconds.
 * Errors:    ERR_INVALID, worded as Go's strconv, time and csv do. For cmd/flags*.c. */
#ifndef SERIN_CMD_FLAGS_VALUE_H
#define SERIN_CMD_FLAGS_VALUE_H

#include "base/vec.h"
#include "cmd/flags.h"

struct flags_words {
    const char **at; /* NULL-terminated once it was set */
    size_t len, cap;
};

struct flags_value {
    const struct flags_spec *spec;
    bool is_given;
    int64_t number; /* BOOL, INT, UINT, COUNT, DURATION */
    double real;
    const char *text;
    struct flags_words words;
};

/* The default of value->spec; a default that does not parse is a bug. */
void flags_value_init(struct arena *mem, struct flags_value *value, const struct flags_spec *spec);
/* What a use of the flag does; sets is_given. */
MUST_USE struct err *flags_value_set(struct arena *mem, struct flags_value *value,
                                     const char *text);
/* "5m0s", "[a,b]", "\"master\""; false when the default is a zero value, which usage texts leave
 * out. */
bool flags_value_show_default(const struct flags_spec *spec, struct sbuf *out);

#endif
