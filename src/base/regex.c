#include "base/regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* What few patterns need is paid for; what even fewer need is better off the other way. */
#define QUICK_STEPS      500
#define MATCH_STEPS      2000
#define MATCH_COST       200
#define HEAP_KIB         1024
#define SLOW_TEXT_MAX    ((size_t)4096)
#define SLOW_STATES_INTS 8192

struct regex {
    pcre2_code *code;
    pcre2_code *strict; /* the same for text that is UTF-8 to its end, which matches_slowly needs */
    pcre2_match_context *quick, *limits;
};

static pcre2_match_context *new_limits(uint32_t steps)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    ASSERT(limits);
    (void)pcre2_set_match_limit(limits, steps);
    (void)pcre2_set_heap_limit(limits, HEAP_KIB);
    return limits;
}

MUST_USE struct err *regex_new(const char *pattern, struct regex **out)
{
    size_t len = strlen(pattern);
    if (len > REGEX_PATTERN_MAX)
        return err_new(ERR_LIMIT, "a pattern of %zu bytes: at most %zu are taken", len,
                       REGEX_PATTERN_MAX);
    int number;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
                                     &number, &at, NULL);
    if (!code) {
        char text[256] = "";
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof(text));
        return err_new(ERR_INVALID, "%s at character %zu of the pattern %s", text, at + 1, pattern);
    }
    struct regex *regex = base_alloc(sizeof(*regex));
    regex->code = code;
    regex->strict = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF, &number, &at, NULL);
    ASSERT(regex->strict);
    regex->quick = new_limits(QUICK_STEPS);
    regex->limits = new_limits(MATCH_STEPS);
    *out = regex;
    return NULL;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_context_free(regex->quick);
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    pcre2_code_free(regex->strict);
    free(regex);
}

/* All ways at once, without going back: slower for most patterns, but never exponential. It knows no back references, and neither
 * does RE2. */
static bool matches_slowly(const struct regex *regex, const char *text, size_t len,
                           pcre2_match_data *found)
{
    if (len > SLOW_TEXT_MAX)
        return false;
    int *states = base_alloc(SLOW_STATES_INTS * sizeof(*states));
    int groups = pcre2_dfa_match(regex->strict, (PCRE2_SPTR)text, len, 0, PCRE2_DFA_SHORTEST, found,
                                 regex->limits, states, SLOW_STATES_INTS);
    free(states);
    return groups >= 0;
}

static void pay(size_t *budget, size_t cost)
{
    *budget -= MIN_OF(cost, *budget);
}

static bool is_over_limit(int groups)
{
    return groups == PCRE2_ERROR_MATCHLIMIT || groups == PCRE2_ERROR_DEPTHLIMIT ||
           groups == PCRE2_ERROR_HEAPLIMIT;
}

bool regex_matches_within(const struct regex *regex, const char *text, size_t *budget)
{
    size_t len = strlen(text);
    if (!*budget)
        return false;
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    ASSERT(found);
    int groups = pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, 0, found, regex->quick);
    if (is_over_limit(groups)) {
        pay(budget, MATCH_COST);
        groups = pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, 0, found, regex->limits);
    }
    bool is_match = groups >= 0;
    if (is_over_limit(groups)) {
        pay(budget, len * len); /* as many ways as there are, from as many places */
        is_match = matches_slowly(regex, text, len, found);
    }
    pcre2_match_data_free(found);
    return is_match;
}

bool regex_matches(const struct regex *regex, const char *text)
{
    size_t budget = SIZE_MAX;
    return regex_matches_within(regex, text, &budget);
}
