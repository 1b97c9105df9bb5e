#include "api/report.h"

#include <string.h>

#include "base/time.h"

#define LINE_DIGITS_MAX 9

const char *api_report_outcome(enum sync_outcome outcome)
{
    switch (outcome) {
    case SYNC_PENDING: return "pending";
    case SYNC_APPLIED: return "applied";
    case SYNC_FAILED: return "failed";
    case SYNC_SKIPPED: return "skipped";
    case SYNC_UNKNOWN_KIND: return "unknown-kind";
    case SYNC_DRIFTED: return "drifted";
    }
    return "";
}

bool api_report_is_held(const struct sync_object_status *object)
{
    switch (object->outcome) {
    case SYNC_PENDING:
    case SYNC_FAILED:
    case SYNC_UNKNOWN_KIND:
    case SYNC_DRIFTED: return true;
    case SYNC_APPLIED:
    case SYNC_SKIPPED: break;
    }
    return false;
}

static void set_int(struct arena *mem, struct val *map, const char *key, int64_t number)
{
    val_set(mem, map, key, val_new_int(mem, number));
}

static void set_count(struct arena *mem, struct val *map, const char *key, size_t count)
{
    set_int(mem, map, key, (int64_t)count);
}

static void set_bool(struct arena *mem, struct val *map, const char *key, bool boolean)
{
    val_set(mem, map, key, val_new_bool(mem, boolean));
}

static void set_seconds(struct arena *mem, struct val *map, const char *key, int64_t ms)
{
    val_set(mem, map, key, val_new_double(mem, (double)ms / 1000));
}

/* "" for a time that never was. */
static void set_time(struct arena *mem, struct val *map, const char *key, int64_t unix_ms)
{
    char text[TIME_TEXT_BYTES] = "";
    if (unix_ms > 0)
        time_format_seconds(unix_ms, text);
    val_set_text(mem, map, key, text);
}

struct val *api_report_object(struct arena *mem, const struct sync_object_status *object)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "id", object->id);
    val_set_text(mem, value, "apiVersion", object->api_version);
    val_set_text(mem, value, "kind", object->kind);
    val_set_text(mem, value, "namespace", object->ns);
    val_set_text(mem, value, "name", object->name);
    val_set_text(mem, value, "path", object->path);
    set_int(mem, value, "line", object->line);
    val_set_text(mem, value, "outcome", api_report_outcome(object->outcome));
    val_set_text(mem, value, "message", object->message);
    set_time(mem, value, "since", object->since_ms);
    return value;
}

struct api_problem api_report_read_problem(const char *path, const char *text)
{
    struct api_problem problem = { .path = path, .message = text };
    size_t len = strlen(path);
    if (strncmp(text, path, len) != 0 || text[len] != ':')
        return problem;
    const char *line = text + len + 1;
    size_t digits = strspn(line, "0123456789");
    for (size_t i = 0; i < digits && digits <= LINE_DIGITS_MAX && line[digits] == ':'; i++)
        problem.line = problem.line * 10 + (line[i] - '0');
    return problem;
}

struct val *api_report_problem(struct arena *mem, const struct api_problem *problem)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "path", problem->path);
    set_int(mem, value, "line", problem->line);
    val_set_text(mem, value, "message", problem->message);
    return value;
}

struct val *api_report_commit(struct arena *mem, const struct api_commit *commit, int64_t now_ms)
{
    if (!commit)
        return val_new(mem, VAL_NULL);
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "sha", commit->sha);
    val_set_text(mem, value, "subject", commit->subject);
    val_set_text(mem, value, "author", commit->author);
    set_time(mem, value, "time", commit->unix_s * 1000);
    set_int(mem, value, "ageSeconds", MAX_OF(0, now_ms / 1000 - commit->unix_s));
    return value;
}

void api_report_count(struct api_report_counts *counts, enum sync_outcome outcome)
{
    switch (outcome) {
    case SYNC_PENDING: counts->pending++; break;
    case SYNC_APPLIED: counts->applied++; break;
    case SYNC_FAILED: counts->failed++; break;
    case SYNC_SKIPPED: counts->skipped++; break;
    case SYNC_UNKNOWN_KIND: counts->unknown_kind++; break;
    case SYNC_DRIFTED: counts->drifted++; break;
    }
}

static struct val *git_json(struct arena *mem, const struct api_report_git *git)
{
    struct val *value = val_new_map(mem), *paths = val_new_list(mem);
    for (size_t i = 0; git->paths && git->paths[i]; i++)
        val_append(mem, paths, val_new_text(mem, git->paths[i]));
    val_set_text(mem, value, "url", git->url);
    val_set_text(mem, value, "branch", git->branch);
    val_set(mem, value, "paths", paths);
    val_set_text(mem, value, "state", git->state);
    val_set_text(mem, value, "error", git->error);
    val_set_text(mem, value, "head", git->head);
    val_set_text(mem, value, "unverified", git->unverified);
    if (git->fetched_ago_ms < 0)
        val_set(mem, value, "fetchedSecondsAgo", val_new(mem, VAL_NULL));
    else
        set_seconds(mem, value, "fetchedSecondsAgo", git->fetched_ago_ms);
    set_bool(mem, value, "readOnly", git->is_readonly);
    return value;
}

static struct val *sync_json(struct arena *mem, const struct sync_status *sync)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "head", sync->head);
    val_set_text(mem, value, "applied", sync->applied);
    val_set_text(mem, value, "marker", sync->marker);
    set_bool(mem, value, "running", sync->is_running);
    set_time(mem, value, "lastTime", sync->last_sync_ms);
    set_seconds(mem, value, "lastDurationSeconds", sync->last_duration_ms);
    val_set_text(mem, value, "error", sync->error);
    return value;
}

static struct val *counts_json(struct arena *mem, const struct sync_status *sync,
                               const struct api_report_counts *counts)
{
    struct val *value = val_new_map(mem);
    set_count(mem, value, "total", sync->objects);
    set_count(mem, value, "applied", counts->applied);
    set_count(mem, value, "pending", counts->pending);
    set_count(mem, value, "failed", counts->failed);
    set_count(mem, value, "skipped", counts->skipped);
    set_count(mem, value, "unknownKind", counts->unknown_kind);
    set_count(mem, value, "drifted", counts->drifted);
    return value;
}

static struct val *released_json(struct arena *mem, const struct releases_last *last)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "revision", last->revision);
    val_set_text(mem, value, "summary", last->summary);
    set_time(mem, value, "time", last->unix_ms);
    return value;
}

struct val *api_report_status(struct arena *mem, const struct api_report *report)
{
    struct val *value = val_new_map(mem), *drift = val_new_map(mem);
    set_count(mem, drift, "now", report->counts->drifted);
    set_int(mem, drift, "healed", report->sync->healed);
    val_set(mem, drift, "unwatched", report->unwatched);
    val_set_text(mem, value, "version", report->version);
    val_set_text(mem, value, "clusterVersion", report->cluster_version);
    val_set(mem, value, "git", git_json(mem, report->git));
    val_set(mem, value, "commit", api_report_commit(mem, report->commit, report->now_ms));
    val_set(mem, value, "sync", sync_json(mem, report->sync));
    val_set(mem, value, "objects", counts_json(mem, report->sync, report->counts));
    val_set(mem, value, "drift", drift);
    val_set(mem, value, "failures", report->failures);
    set_count(mem, value, "failuresLeftOut", report->failures_left_out);
    val_set(mem, value, "problems", report->problems);
    set_count(mem, value, "problemsLeftOut", report->problems_left_out);
    if (report->canaries)
        val_set(mem, value, "canaries", report->canaries);
    if (report->released && *report->released->revision)
        val_set(mem, value, "released", released_json(mem, report->released));
    return value;
}

struct val *api_report_why(struct arena *mem, const char *ref, const struct api_why *why,
                           const struct api_commit *commit, int64_t now_ms)
{
    struct val *value = val_new_map(mem);
    val_set_text(mem, value, "ref", ref);
    val_set_text(mem, value, "state", api_why_state_name(why->state));
    val_set_text(mem, value, "text", why->text);
    val_set(mem, value, "commit", api_report_commit(mem, commit, now_ms));
    return value;
}
