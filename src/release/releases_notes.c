/* Jobs of earlier runs, and of other servers: what they did is in the notes of their commits. */
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "release/message.h"
#include "release/run.h"

#define COMMITS_MAX 10000

struct releases_note_search {
    struct releases *releases;
    struct arena *mem;
    const char *id, *ref, *head;
    struct val *status; /* found; NULL: not */
    void (*done)(void *ctx, const struct val *status);
    void *ctx;
    ticket turn; /* where there is nowhere to look */
    struct releases_note_search *next, **at;
};

static void free_search(struct releases_note_search *search)
{
    loop_cancel(search->releases->opts.loop, search->turn);
    *search->at = search->next;
    if (search->next)
        search->next->at = search->at;
    arena_free(search->mem);
    free(search);
}

/* {"jobID","spec","result"} to the status of 8.3. */
static bool visit(void *ctx, const char *sha, const char *note)
{
    struct releases_note_search *search = ctx;
    struct arena *mem = search->mem;
    struct val *value = NULL;
    if (!strstr(note, search->id))
        return false;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, note, strlen(note), &value);
    if (e || strcmp(val_text_or(val_get(value, "jobID"), ""), search->id) != 0)
        return false;
    struct val *result = val_new_map(mem);
    val_set_text(mem, result, "revision", sha);
    if (val_get(value, "spec"))
        val_set(mem, result, "spec", val_get(value, "spec"));
    if (val_len(val_get(value, "result")))
        val_set(mem, result, "result", val_get(value, "result"));
    search->status = val_new_map(mem);
    val_set(mem, search->status, "Result", result);
    val_set_text(mem, search->status, "Err", "");
    val_set_text(mem, search->status, "StatusString", "succeeded");
    return true;
}

static struct err *search_work(struct mirror *mirror, void *job, int64_t deadline_ms)
{
    struct releases_note_search *search = job;
    (void)deadline_ms; /* local, and bounded by the count of commits */
    return mirror_notes_each(mirror, search->ref, search->head, COMMITS_MAX, visit, search);
}

static void on_searched(void *job, struct err *e)
{
    struct releases_note_search *search = job;
    if (e)
        log_warn(search->releases->opts.log, F("component", "daemon"),
                 F("warning", "notes of commits cannot be read"), F("err", err_text(e)));
    err_free(e);
    if (!search->releases->is_stopped)
        search->done(search->ctx, search->status);
    free_search(search);
}

static void on_nowhere_to_look(void *ctx)
{
    on_searched(ctx, NULL);
}

void releases_job_from_notes(struct releases *releases, const char *id,
                             void (*done)(void *ctx, const struct val *status), void *ctx)
{
    struct releases_note_search *search = base_alloc(sizeof(*search));
    struct source *source = releases->opts.source;
    struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    *search = (struct releases_note_search){ .releases = releases,
                                             .mem = mem,
                                             .id = arena_strdup(mem, id),
                                             .ref = releases->opts.git_notes_ref,
                                             .head = arena_strdup(mem, source_head(source)),
                                             .done = done,
                                             .ctx = ctx,
                                             .next = releases->searches,
                                             .at = &releases->searches };
    if (search->next)
        search->next->at = &search->next;
    releases->searches = search;
    if (*id && *search->head)
        source_run(source, &(struct source_job){ search_work, on_searched }, search);
    else
        search->turn = loop_after(releases->opts.loop, 0, on_nowhere_to_look, search);
}

const char *releases_note_event(struct arena *mem, const char *note)
{
    struct val *value = NULL;
    struct release_spec spec;
    struct release_result result = { 0 };
    SCOPED(err_free) struct err *bad = doc_json_parse(mem, note, strlen(note), &value);
    if (bad)
        return "";
    SCOPED(err_free) struct err *e = release_spec_parse(mem, val_get(value, "spec"), &spec);
    if (e)
        return "";
    SCOPED(err_free)
    struct err *unread = release_result_parse(mem, val_get(value, "result"), &result);
    return unread ? "" : release_message_applied(mem, &spec, &result);
}

void releases_notes_free(struct releases *releases)
{
    while (releases->searches)
        free_search(releases->searches);
}
