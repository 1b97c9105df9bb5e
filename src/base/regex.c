#include "base/regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_STEPS 100000
#define HEAP_KIB    1024

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

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
    regex->limits = pcre2_match_context_create(NULL);
    ASSERT(regex->limits);
    (void)pcre2_set_match_limit(regex->limits, MATCH_STEPS);
    (void)pcre2_set_heap_limit(regex->limits, HEAP_KIB);
    *out = regex;
    return NULL;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    free(regex);
}

bool regex_matches(const struct regex *regex, const char *text)
{
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    ASSERT(found);
    int groups =
        pcre2_match(regex->code, (PCRE2_SPTR)text, strlen(text), 0, 0, found, regex->limits);
    pcre2_match_data_free(found);
    return groups >= 0;
}
