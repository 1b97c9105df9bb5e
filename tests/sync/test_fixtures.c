/* Whole files, with what they come to beside them: tests/fixtures/manifests/NAME.yaml and NAME.expected, one line for each
 * manifest ("line kind namespace/name checksum") and each problem (as it is printed). */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "sync/manifest.h"
#include "sync/mark.h"

#define DIR_NAME FIXTURES "/manifests"

static const char *read_text(struct arena *mem, const char *name, size_t *len)
{
    FILE *file = fopen(arena_printf(mem, "%s/%s", DIR_NAME, name), "rb");
    if (!file)
        fail_msg("%s is missing", name);
    char *text = arena_alloc(mem, 1 << 16);
    *len = fread(text, 1, (1 << 16) - 1, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void comes_to_what_is_expected(void **state)
{
    const char *name = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    size_t len, expected_len;
    const char *text = read_text(mem, name, &len);
    struct manifest_list list = { 0 };
    struct manifest_problems problems = { 0 };
    manifest_parse(mem, &(struct manifest_source){ .path = name }, text, len, &list, &problems);
    SBUF(got, 1 << 16);
    for (size_t i = 0; i < list.len; i++)
        sbuf_addf(&got, "%u %s %s/%s %s\n", list.at[i].line, list.at[i].kind, list.at[i].ns,
                  list.at[i].name, mark_checksum(mem, list.at[i].object));
    for (size_t i = 0; i < problems.len; i++)
        sbuf_addf(&got, "%s\n", manifest_problem_format(mem, &problems.at[i]));
    const char *stem =
        arena_printf(mem, "%.*s.expected", (int)(strlen(name) - strlen(".yaml")), name);
    assert_string_equal(sbuf_text(&got), read_text(mem, stem, &expected_len));
}

int main(void)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct dirent **names;
    int count = scandir(DIR_NAME, &names, NULL, alphasort);
    struct CMUnitTest tests[64] = { 0 };
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]->d_name);
        if (n < ARRAY_LEN(tests) && len > 5 && strcmp(names[i]->d_name + len - 5, ".yaml") == 0) {
            char *name = arena_strdup(mem, names[i]->d_name);
            tests[n++] = (struct CMUnitTest){ .name = name,
                                              .test_func = comes_to_what_is_expected,
                                              .initial_state = name };
        }
        free(names[i]);
    }
    free(count < 0 ? NULL : names);
    if (n < 16) /* an empty directory is no pass */
        return 1;
    /* The group is as long as the directory, not as the array. */
    return _cmocka_run_group_tests("sync_fixtures", tests, n, NULL, NULL);
}
