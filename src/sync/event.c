#include "sync/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/vec.h"

enum { SHORT_SHA = 7 };

void sync_event_include(struct sync_event_includes *includes, const char *note_type)
{
    const char *type = note_type ? note_type : "";
    if (strcmp(type, "image") == 0 || strcmp(type, "containers") == 0)
        includes->release = true;
    else if (strcmp(type, "auto") == 0)
        includes->autorelease = true;
    else if (strcmp(type, "policy") == 0)
        includes->update_policy = true;
    else
        includes->other = true;
}

const char *sync_event_includes_json(struct arena *mem, const struct sync_event_includes *includes)
{
    const struct {
        const char *name;
        bool is_set;
    } kinds[] = { { "autorelease", includes->autorelease },
                  { "other", includes->other },
                  { "release", includes->release },
                  { "update_policy", includes->update_policy } };
    const char *list = "";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].is_set)
            list = arena_printf(mem, "%s%s\"%s\":true", list, *list ? "," : "", kinds[i].name);
    return arena_printf(mem, "{%s}", list);
}

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

void sync_event_changed(struct arena *mem, const struct map *last, const struct map *now,
                        const char ***out, size_t *out_count)
{
    VEC(const char *) changed = { 0 };
    const char *id;
    void *checksum;
    for (size_t at = 0; map_next(now, &at, &id, &checksum);) {
        const char *before = last ? map_get(last, id) : NULL;
        if (!before || strcmp(before, checksum) != 0)
            *vec_push(mem, &changed) = arena_strdup(mem, id);
    }
    if (changed.len)
        qsort(changed.at, changed.len, sizeof(*changed.at), by_text);
    *out = changed.at;
    *out_count = changed.len;
}
