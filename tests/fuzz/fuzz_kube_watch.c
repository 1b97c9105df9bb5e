/* What comes in on a watch, in pieces of a length that the first byte says; and the same as a page of a list. */
#include <stdint.h>
#include <string.h>

#include "kube/watch_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_line(void *ctx, const char *line, size_t len)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_watch_line event;
    struct err *e = kube_watch_line_parse(mem, line, len, &event);
    ASSERT(len > 0 && !memchr(line, '\n', len));
    if (!e) {
        ASSERT(val_is_map(event.object));
        ASSERT(event.type == KUBE_LINE_ERROR || *event.resource_version);
        ASSERT(!event.ends_initial || event.type == KUBE_LINE_BOOKMARK);
    }
    err_free(e);
    arena_free(mem);
    return ++*(int *)ctx < 1000;
}

static void read_page(const char *text, size_t len)
{
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct kube_page page;
    struct err *e = kube_page_parse(mem, text, len, &page);
    for (size_t i = 0; !e && i < page.items.len; i++) {
        struct kube_slice item = page.items.at[i];
        ASSERT(item.len > 0 && item.bytes >= text && item.bytes + item.len <= text + len);
    }
    ASSERT(e || (page.next && page.resource_version));
    err_free(e);
    arena_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = 1 + (size_t)data[0];
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    struct kube_lines lines;
    kube_lines_init(&lines, 4096);
    int count = 0;
    struct err *e = NULL;
    for (size_t at = 0; at < len && !e; at += piece)
        e = kube_lines_feed(&lines, text + at, MIN_OF(piece, len - at), on_line, &count);
    err_free(e);
    kube_lines_fini(&lines);
    read_page(text, len);
    return 0;
}
