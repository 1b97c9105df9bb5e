/* canary/router/laws.h - what holds for every router and every form of a Canary: what was written is read, stays, and is repaired
 * without touching the traffic; whatever a schema lets through comes to an end.
 * Effects:   none; what does not hold fails the test.
 * Ownership: tables of the caller. */
#ifndef SERIN_TESTS_CANARY_ROUTER_LAWS_H
#define SERIN_TESTS_CANARY_ROUTER_LAWS_H

#include <stddef.h>

enum law_modes {
    LAW_SHIFTS = 1,  /* any weights */
    LAW_TESTS = 2,   /* all or nothing */
    LAW_MIRRORS = 4, /* with all traffic at the primary */
    LAW_STAYS = 8,   /* as it is written: nothing is repaired */
};

/* A Canary, and the object that carries its traffic. */
struct law_form {
    const char *name, *spec, *kind, *object;
    unsigned modes;
};

/* One test for each law and form; `objects`: a YAML list of what is there before. Returns how many failed. */
int laws_hold(const char *group, const struct law_form *forms, size_t len, const char *objects);

#endif
