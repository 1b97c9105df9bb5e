/* Texts of requests and of the kernel: headers, images, problems, /proc. The first byte chooses. */
#include <string.h>

#include "api/answer.h"
#include "api/guard.h"
#include "api/procstat.h"
#include "api/report.h"
#include "api/route.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_image(struct arena *mem, const char *text)
{
    struct image_ref ref, again;
    SCOPED(err_free) struct err *e = image_ref_parse(mem, text, &ref);
    if (e)
        return;
    /* Who reads it must be able to parse it. */
    SCOPED(err_free) struct err *other = image_ref_parse(mem, image_ref_write(mem, &ref), &again);
    ASSERT(!other);
}

static void check_problem(struct arena *mem, const char *text)
{
    const char *path = arena_strndup(mem, text, strcspn(text, ":"));
    const struct api_problem problem = api_report_read_problem(path, text);
    ASSERT(problem.line >= 0 && problem.line <= 999999999);
}

static void check_guard(struct arena *mem, const char *text)
{
    const char *why;
    struct api_guard page = { .is_loopback = true, .method = "POST", .host = text, .origin = text };
    struct api_guard stranger = { .method = "POST",
                                  .token = "0123456789abcdef",
                                  .authorization = text };
    ASSERT(api_guard_judge(mem, &page, &why) == API_GUARD_PAGE || api_guard_is_loopback(text));
    const char *shown = api_guard_token(&stranger);
    bool is_right = shown && strcmp(shown, stranger.token) == 0;
    ASSERT((api_guard_judge(mem, &stranger, &why) == API_GUARD_FINE) == is_right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    if (size == 0)
        return 0;
    const char *text = arena_strndup(mem, (const char *)data + 1, size - 1);
    struct api_procstat stat;
    switch (data[0] % 6) {
    case 0: (void)api_answer_form(text); break;
    case 1: check_guard(mem, text); break;
    case 2: check_image(mem, text); break;
    case 3: check_problem(mem, text); break;
    case 4: (void)api_procstat_parse(text, &stat); break;
    default: (void)api_route_is_deprecated(text); break;
    }
    return 0;
}
