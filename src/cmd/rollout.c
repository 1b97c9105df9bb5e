#include "cmd/rollout.h"

#include <ctype.h>
#include <string.h>

#include "base/table.h"
#include "cmd/words.h"

#define LOOK_MS        2000
#define LOOK_BYTES     ((size_t)256 << 20) /* of one look: an answer of the daemon, and its values */
#define TABLE_BYTES    ((size_t)4 << 20)
#define LOOKS_TO_BEGIN 150 /* five minutes: an analysis begins within its interval */

/* One look at the world, with an arena that ends with it. */
struct look {
    struct rollout *rollout;
    struct client *client;
    int *status;
    int count; /* of the looks before */
    struct arena *keep;
    struct err *(*at)(struct look *look, bool *is_done);
};

static struct err *take_look(struct client *client, void *ctx, bool *is_done)
{
    struct look *look = ctx;
    struct command_call *call = look->rollout->call;
    SCOPED(arena_free) struct arena *mem = arena_new(LOOK_BYTES);
    look->keep = call->mem;
    look->client = client;
    call->mem = mem;
    struct err *e = look->at(look, is_done);
    look->count++;
    call->mem = look->keep;
    call->help = arena_strdup(call->mem, call->help);
    return e;
}

static struct err *follow(struct rollout *rollout, struct client *client,
                          struct err *(*at)(struct look *look, bool *is_done), int *status)
{
    struct look look = { .rollout = rollout, .status = status, .at = at };
    return client_poll(client, &(struct client_poll){ .first_ms = LOOK_MS,
                                                      .most_ms = LOOK_MS,
                                                      .ask = take_look,
                                                      .ctx = &look,
                                                      .is_endless = true });
}

static int64_t int_at(const struct val *map, const char *key)
{
    int64_t number = 0;
    (void)val_int(val_get(map, key), &number);
    return number;
}

static const char *text_at(const struct val *map, const char *key)
{
    return val_text_or(val_get(map, key), "");
}

/* fluxctl prints every look; serin what differs from the last one. */
static bool is_news(struct look *look, const char *of, const char *text)
{
    struct rollout *rollout = look->rollout;
    const char *before = val_text(val_get(rollout->shown, of));
    if (rollout->call->face == COMMAND_FLUXCTL)
        return true;
    if (before && !strcmp(before, text))
        return false;
    val_set_text(look->keep, rollout->shown, of, text);
    return true;
}

/* -- workloads ------------------------------------------------------------------------------------ */

/* "ready\t2/2 (0 outdated, 2 ready)" */
static void add_state(const struct look *look, const struct val *workload, struct sbuf *out)
{
    const struct val *rollout = val_get(workload, "Rollout");
    sbuf_addf(out, "%s\t%lld/%lld", text_at(workload, "Status"),
              (long long)int_at(rollout, "Updated"), (long long)int_at(rollout, "Desired"));
    if (look->rollout->verbosity)
        sbuf_addf(out, " (%lld outdated, %lld ready)", (long long)int_at(rollout, "Outdated"),
                  (long long)int_at(rollout, "Ready"));
    sbuf_add_char(out, '\n');
}

static void show_workload(struct look *look, const struct val *workload)
{
    SBUF(cells, TABLE_BYTES);
    SBUF(table, TABLE_BYTES);
    const struct val *containers = val_get(workload, "Containers");
    const char *id = text_at(workload, "ID");
    sbuf_add(&cells, "WORKLOAD\tCONTAINER\tIMAGE\tRELEASE\tREPLICAS\n");
    for (size_t i = 0; i < MAX_OF(val_len(containers), (size_t)1); i++) {
        const struct val *container = val_item(containers, i);
        sbuf_addf(&cells, "%s\t%s\t%s\t", i ? "" : id, text_at(container, "Name"),
                  val_text_or(VAL_PATH(container, "Current", "ID"), ""));
        if (i)
            sbuf_add(&cells, "\t\n");
        else
            add_state(look, workload, &cells);
    }
    sbuf_add_char(&cells, '\n');
    table_layout(&table, sbuf_text(&cells));
    if (is_news(look, id, sbuf_text(&table)) && !command_as_json(look->rollout->call))
        command_print(look->rollout->call, "%s", sbuf_text(&table));
}

/* What its controller complains about. */
static bool is_in_trouble(struct look *look, const struct val *workload)
{
    const struct val *messages = VAL_PATH(workload, "Rollout", "Messages");
    if (val_is_null(messages))
        return false;
    command_tell(look->rollout->call, "There was a problem releasing %s:\n",
                 text_at(workload, "ID"));
    for (size_t i = 0; i < val_len(messages); i++)
        command_tell(look->rollout->call, "%s\n",
                     sbuf_shown(look->rollout->call->mem, val_text_or(val_item(messages, i), "")));
    return true;
}

/* As serin, a workload that is not listed is not one that is ready. */
static bool are_all_listed(struct look *look, const struct val *list)
{
    bool all = true;
    const char *const *ids = look->rollout->ids;
    for (size_t i = 0; ids[i] && look->rollout->call->face == COMMAND_SERIN; i++) {
        bool found = false;
        for (size_t w = 0; w < val_len(list); w++)
            found = found || !strcmp(text_at(val_item(list, w), "ID"), ids[i]);
        if (!found)
            command_tell(look->rollout->call, "%s is not in the cluster\n", ids[i]);
        all = all && found;
    }
    return all;
}

/* "v11/services?namespace=&services=demo%3Adeployment%2Fweb%2C…": as fluxctl asks. */
static const char *services_path(const struct rollout *rollout)
{
    SBUF(path, SBUF_MAX);
    sbuf_add(&path, "v11/services?namespace=&services=");
    for (size_t i = 0; rollout->ids[i]; i++) {
        sbuf_add(&path, i ? "%2C" : "");
        sbuf_add_url(&path, rollout->ids[i]);
    }
    return arena_strdup(rollout->call->mem, sbuf_text(&path));
}

static struct err *look_at_workloads(struct look *look, bool *is_done)
{
    struct rollout *rollout = look->rollout;
    const struct val *list = NULL;
    size_t ready = 0;
    bool in_trouble = false;
    TRY(client_get(look->client, services_path(rollout), &list));
    for (size_t i = 0; i < val_len(list) && !in_trouble; i++) {
        const struct val *workload = val_item(list, i);
        show_workload(look, words_shown(rollout->call->mem, workload));
        ready += !strcmp(text_at(workload, "Status"), "ready");
        in_trouble = is_in_trouble(look, workload);
    }
    bool is_gone = !in_trouble && !are_all_listed(look, list);
    *is_done = in_trouble || is_gone || ready == val_len(list);
    if (*is_done && list)
        rollout->workloads = val_copy(look->keep, list);
    if (*is_done && !in_trouble && !is_gone)
        command_tell(rollout->call, "All workloads ready.\n");
    else if (*is_done && rollout->call->face == COMMAND_SERIN)
        *look->status = COMMAND_NO;
    return NULL;
}

/* -- canaries -------------------------------------------------------------------------------------- */

static const char *id_of(struct arena *mem, const struct val *canary)
{
    return arena_printf(mem, "%s/%s", text_at(canary, "namespace"), text_at(canary, "name"));
}

/* Is its target one of the workloads? */
static bool is_of_ours(const struct rollout *rollout, const struct val *canary)
{
    char *target = arena_printf(rollout->call->mem, "%s:%s/%s", text_at(canary, "namespace"),
                                val_text_or(VAL_PATH(canary, "target", "kind"), ""),
                                val_text_or(VAL_PATH(canary, "target", "name"), ""));
    for (char *c = strchr(target, ':'); *c && *c != '/'; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t i = 0; rollout->ids[i]; i++) {
        if (!strcmp(rollout->ids[i], target))
            return true;
    }
    return false;
}

static const struct val *find_before(const struct rollout *rollout, const struct val *canary)
{
    const struct val *list = rollout->canaries_before;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *one = val_item(list, i);
        if (!strcmp(text_at(one, "namespace"), text_at(canary, "namespace")) &&
            !strcmp(text_at(one, "name"), text_at(canary, "name")))
            return one;
    }
    return NULL;
}

static bool is_at_rest(const struct val *canary)
{
    static const char *const phases[] = { "Initialized", "Succeeded", "Failed", "Terminated" };
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        if (!strcmp(text_at(canary, "phase"), phases[i]))
            return true;
    }
    return false;
}

/* It rests as it did before: it has not seen the release yet. */
static bool has_not_begun(const struct rollout *rollout, const struct val *canary)
{
    const struct val *before = find_before(rollout, canary);
    return before && !strcmp(text_at(before, "phase"), text_at(canary, "phase")) &&
           !strcmp(text_at(before, "lastEvent"), text_at(canary, "lastEvent"));
}

static void show_canary(struct look *look, const struct val *canary)
{
    struct command_call *call = look->rollout->call;
    const char *id = id_of(call->mem, canary), *waits_for = text_at(canary, "waitsFor");
    const char *event = text_at(canary, "lastEvent");
    const char *line = sbuf_shown(
        call->mem,
        arena_printf(call->mem, "canary %s: %s, weight %lld%s%s%s%s", id, text_at(canary, "phase"),
                     (long long)int_at(canary, "weight"), *waits_for ? ", waits for " : "",
                     waits_for, *event ? "; " : "", event));
    if (is_news(look, arena_printf(call->mem, "canary %s", id), line))
        command_tell(call, "%s\n", line);
}

/* True when there is nothing more to see of it. */
static bool is_over(struct look *look, const struct val *canary)
{
    struct command_call *call = look->rollout->call;
    if (!is_at_rest(canary))
        return false;
    if (!has_not_begun(look->rollout, canary)) {
        if (!strcmp(text_at(canary, "phase"), "Failed"))
            *look->status = COMMAND_NO;
        return true;
    }
    if (look->count < LOOKS_TO_BEGIN)
        return false;
    command_tell(call, "canary %s does not begin: has its target changed?\n",
                 id_of(call->mem, canary));
    *look->status = COMMAND_NO;
    return true;
}

static struct val *copy_ours(const struct look *look, const struct val *list)
{
    struct val *out = val_new_list(look->keep);
    for (size_t i = 0; i < val_len(list); i++) {
        if (is_of_ours(look->rollout, val_item(list, i)))
            val_append(look->keep, out, val_copy(look->keep, val_item(list, i)));
    }
    return out;
}

static struct err *look_at_canaries(struct look *look, bool *is_done)
{
    struct rollout *rollout = look->rollout;
    const struct val *list = NULL;
    TRY(client_get_own(look->client, "canaries", &list));
    *is_done = true;
    for (size_t i = 0; i < val_len(list); i++) {
        const struct val *canary = val_item(list, i);
        if (!is_of_ours(rollout, canary))
            continue;
        show_canary(look, canary);
        *is_done = is_over(look, canary) && *is_done;
    }
    if (*is_done)
        rollout->canaries = copy_ours(look, list);
    return NULL;
}

struct err *rollout_canaries_before(struct rollout *rollout, struct client *client)
{
    SCOPED(err_free) struct err *e = client_get_own(client, "canaries", &rollout->canaries_before);
    rollout->call->help = NULL;
    return e && !err_is(e, ERR_NOT_FOUND) ? STEAL(e) : NULL;
}

/* -- both ------------------------------------------------------------------------------------------ */

struct err *rollout_watch(struct rollout *rollout, struct client *client, int *status)
{
    rollout->shown = val_new_map(rollout->call->mem);
    if (!rollout->ids[0])
        return NULL;
    command_tell(rollout->call, "Monitoring rollout ...\n");
    TRY(follow(rollout, client, look_at_workloads, status));
    if (*status != COMMAND_YES || !val_len(rollout->canaries_before))
        return NULL;
    return follow(rollout, client, look_at_canaries, status);
}
