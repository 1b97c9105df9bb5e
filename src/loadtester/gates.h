/* loadtester/gates.h - doors that people open and close by hand.
 * Effects:   none.
 * Ownership: owns its keys.
 * Reference: canary.md 15. A gate nobody has touched is closed. At most GATES_MAX are remembered. */
#ifndef SERIN_LOADTESTER_GATES_H
#define SERIN_LOADTESTER_GATES_H

#include "base/err.h"

#define GATES_MAX 100000

struct gates;
struct gates *gates_new(void);
void gates_free(struct gates *gates);
DEFINE_SCOPED(struct gates, gates_free)

bool gates_is_open(const struct gates *gates, const char *key);
MUST_USE struct err *gates_set(struct gates *gates, const char *key, bool is_open);

#endif
