/* Any bytes as a reference, a pattern, versions and a range of them: what is read is what is written. */
#include <stdint.h>
#include <string.h>

#include "base/semver.h"
#include "image/pattern.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ref(struct arena *mem, const char *text)
{
    struct image_ref ref, again;
    SCOPED(err_free) struct err *e = image_ref_parse(mem, text, &ref);
    if (e)
        return;
    const char *written = image_ref_write(mem, &ref);
    ASSERT(strcmp(written, text) == 0);
    ASSERT(!image_ref_parse(mem, written, &again));
    ASSERT(strcmp(again.domain, ref.domain) == 0 && strcmp(again.path, ref.path) == 0);
    ASSERT(strcmp(again.tag, ref.tag) == 0 && strcmp(again.digest, ref.digest) == 0);
    ASSERT(strchr(image_ref_canonical_name(mem, &ref), '/'));
    again = image_ref_with_tag(&ref, "t", "sha256:00");
    ASSERT(strcmp(again.tag, "t") == 0 && (*again.digest != '\0') == (*ref.digest != '\0'));
}

static void check_pattern(struct arena *mem, const char *text, const char *tag)
{
    struct image_pattern *pattern = NULL, *again = NULL;
    SCOPED(err_free) struct err *e = image_pattern_parse(mem, text, &pattern);
    ASSERT(!e == (pattern != NULL));
    if (e)
        return;
    const char *canonical = image_pattern_text(pattern);
    ASSERT(!image_pattern_parse(mem, canonical, &again));
    ASSERT(strcmp(image_pattern_text(again), canonical) == 0);
    ASSERT(image_pattern_matches(pattern, tag) == image_pattern_matches(again, tag));
    ASSERT(!image_pattern_matches(pattern, "LATEST"));
}

static void check_versions(struct arena *mem, const char *one, const char *other)
{
    struct semver a, b;
    struct semver_range *range = NULL;
    SCOPED(err_free) struct err *e = semver_range_parse(mem, one, &range);
    if (!e && semver_parse(mem, other, &b))
        (void)semver_range_matches(range, &b);
    if (!semver_parse(mem, one, &a))
        return;
    ASSERT(semver_compare(&a, &a) == 0);
    ASSERT(err_is(e, ERR_LIMIT) || (!e && semver_range_matches(range, &a)));
    if (!semver_parse(mem, other, &b))
        return;
    int order = semver_compare(&a, &b), turned = semver_compare(&b, &a);
    ASSERT((order > 0) == (turned < 0) && (order < 0) == (turned > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    char *text = arena_strndup(mem, (const char *)data, size);
    check_ref(mem, text);
    char *second = strchr(text, '\n'); /* a second line: a tag, or another version */
    if (second)
        *second++ = '\0';
    check_pattern(mem, text, second ? second : text);
    check_versions(mem, text, second ? second : text);
    return 0;
}
