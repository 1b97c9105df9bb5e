/* The canaries as the second reconciler sees them: a list, and their part of the status. */
#include "canary/canaries.h"

#include <string.h>
#include <strings.h>

#include "api/call.h"
#include "doc/object.h"

#define LIST_MAX 10000

static struct val *canary_json(struct api_call *call, const struct canaries_seen *seen)
{
    struct arena *mem = call->mem;
    struct val *value = val_new_map(mem), *target = val_new_map(mem);
    const struct loop *loop = call->api->opts.loop;
    int64_t next_ms =
        seen->next_tick_ms ? MAX_OF(seen->next_tick_ms - loop_now_ms(loop), (int64_t)0) : -1;
    val_set_text(mem, target, "kind", seen->target_kind);
    val_set_text(mem, target, "name", seen->target);
    val_set_text(mem, value, "namespace", seen->ns);
    val_set_text(mem, value, "name", seen->name);
    val_set(mem, value, "target", target);
    val_set_text(mem, value, "phase", canary_phase_name(seen->phase));
    val_set(mem, value, "weight", val_new_int(mem, seen->weight));
    val_set(mem, value, "failedChecks", val_new_int(mem, seen->failed_checks));
    val_set(mem, value, "iterations", val_new_int(mem, seen->iterations));
    val_set_text(mem, value, "waitsFor", seen->waits_for);
    val_set_text(mem, value, "lastEvent", seen->last_event);
    val_set(mem, value, "nextSeconds",
            next_ms < 0 ? val_new(mem, VAL_NULL) : val_new_double(mem, (double)next_ms / 1000));
    return value;
}

/* --- in the status */

/* At rest there is nothing to tell. */
static bool is_at_rest(const struct canaries_seen *seen)
{
    return seen->phase == CANARY_INITIALIZED || seen->phase == CANARY_SUCCEEDED;
}

static void count_phase(struct arena *mem, struct val *phases, const char *name)
{
    int64_t count = 0;
    (void)val_int(val_get(phases, name), &count);
    val_set(mem, phases, name, val_new_int(mem, count + 1));
}

struct val *api_canaries_status(struct api_call *call)
{
    const struct canaries *canaries = call->api->opts.canaries;
    struct arena *mem = call->mem;
    if (!canaries)
        return val_new(mem, VAL_NULL);
    struct val *value = val_new_map(mem), *phases = val_new_map(mem), *list = val_new_list(mem);
    size_t left_out = 0;
    for (size_t at = 0; at < canaries_len(canaries); at++) {
        struct canaries_seen seen;
        canaries_at(canaries, at, &seen);
        count_phase(mem, phases, canary_phase_name(seen.phase));
        if (is_at_rest(&seen))
            continue;
        if (val_len(list) < API_REPORT_LISTED)
            val_append(mem, list, canary_json(call, &seen));
        else
            left_out++;
    }
    val_sort_keys(phases);
    val_set(mem, value, "total", val_new_int(mem, (int64_t)canaries_len(canaries)));
    val_set(mem, value, "phases", phases);
    val_set(mem, value, "active", list);
    val_set(mem, value, "activeLeftOut", val_new_int(mem, (int64_t)left_out));
    return value;
}

/* --- the list */

struct wanted {
    const char *ns;      /* "" : all */
    struct object_id id; /* of the target; name NULL: of all */
};

static bool is_wanted(const struct wanted *wanted, const struct canaries_seen *seen)
{
    if (wanted->id.name)
        return strcmp(wanted->id.ns, seen->ns) == 0 &&
               strcasecmp(wanted->id.kind, seen->target_kind) == 0 &&
               strcmp(wanted->id.name, seen->target) == 0;
    return *wanted->ns == '\0' || strcmp(wanted->ns, seen->ns) == 0;
}

void api_canaries_list(struct api_call *call)
{
    const struct canaries *canaries = call->api->opts.canaries;
    const char *workload = api_call_query(call, "workload");
    struct wanted wanted = { .ns = api_call_query(call, "namespace") };
    SCOPED(err_free)
    struct err *e = *workload ? object_id_parse(call->mem, workload, &wanted.id) : NULL;
    if (e) {
        api_call_undecodable(call, e, 0);
        return;
    }
    struct val *list = val_new_list(call->mem);
    size_t len = canaries ? canaries_len(canaries) : 0;
    for (size_t at = 0; at < len && val_len(list) < LIST_MAX; at++) {
        struct canaries_seen seen;
        canaries_at(canaries, at, &seen);
        if (is_wanted(&wanted, &seen))
            val_append(call->mem, list, canary_json(call, &seen));
    }
    api_call_json(call, 200, list);
}
