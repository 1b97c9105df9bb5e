#include "sync/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/vec.h"

enum { SHORT_SHA = 7 };

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *join_sorted(struct arena *mem, const char *const *ids, size_t count)
{
    const char **sorted = arena_copy(mem, ids, count * sizeof(*ids));
    qsort(sorted, count, sizeof(*sorted), by_text);
    size_t len = 1;
    for (size_t i = 0; i < count; i++)
        len += strlen(sorted[i]) + 2;
    char *text = arena_alloc(mem, len), *end = text;
    for (size_t i = 0; i < count; i++) {
        end = i ? stpcpy(end, ", ") : end;
        end = stpcpy(end, sorted[i]);
    }
    return text;
}

const char *sync_event_text(struct arena *mem, const struct sync_event *event)
{
    const char *revision = "<no revision>";
    if (event->commit_count > 2)
        revision =
            arena_printf(mem, "%.*s..%.*s", SHORT_SHA, event->commits[event->commit_count - 1],
                         SHORT_SHA, event->commits[0]);
    else if (event->commit_count > 0)
        revision = arena_printf(mem, "%.*s", SHORT_SHA, event->commits[0]);
    const char *changed =
        event->id_count ? join_sorted(mem, event->ids, event->id_count) : "no workloads changed";
    return arena_printf(mem, "Sync: %s, %s", revision, changed);
}
